"""Measures what a born-digital table costs: CPU seconds of ``docai process`` on drawn pages.

    python benchmarks/tables/cost.py [--repeat 3]

Draws a page of text, the same page with a ruled table, and with a table of few rules and cells of two lines;
each is read in a process of its own by the embedded model, with ``text_layer="prefer"`` and ``"verify"``.
``verify`` asks the model for every text and table, ``prefer`` only where the grid of a table is not sure.
Prints the CPU seconds (user and system, of the process and its children; least of the repeats) above those of
a page with one letter, and the tokens that the model wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pymupdf

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import script_parser

TEXT = (
    "The measured values of each year are given in thousands and were taken from the reports of the offices. "
    "Where an office gave none, the value of the year before was used, and such values are few. "
) * 6
ROWS = [["Office", "1994", "1995", "1996"]] + [
    [name, *(f"{7 * number + 13 * year}.{year}" for year in (1, 2, 3))]
    for number, name in enumerate(("North", "East", "South", "West", "Coast", "Hills", "Lakes", "Total"))
]
LONG_ROWS = [["Office", "Remark", "Value"]] + [
    [name, f"as reported by the office in {1990 + number}", str(number)]
    for number, name in enumerate(("North", "East", "South", "West"))
]


def draw(path: Path, *, text: bool = True, ruled: bool = False, unruled: bool = False) -> None:
    with pymupdf.open() as document:
        page = document.new_page()
        if not text:
            page.insert_text((70, 90), "A")
        else:
            page.insert_textbox((70, 60, 525, 330), TEXT, fontsize=10)
        if ruled:
            _draw_ruled(page)
        if unruled:
            _draw_unruled(page)
        document.save(path)


def _draw_ruled(page: pymupdf.Page) -> None:
    for row, texts in enumerate(ROWS):
        for col, value in enumerate(texts):
            x, y = 70 + 110 * col, 380 + 20 * row
            page.draw_rect((x, y, x + 110, y + 20), width=0.6)
            page.insert_text((x + 5, y + 14), value, fontsize=10)


def _draw_unruled(page: pymupdf.Page) -> None:
    """Cells of two lines, as close as the rows are, and no rules but those of the head."""
    for y in (378, 394, 394 + 24 * (len(LONG_ROWS) - 1) + 4):
        page.draw_line((70, y), (480, y), width=0.6)
    for row, texts in enumerate(LONG_ROWS):
        y = 390 + (24 * row - 8 if row else 0)
        for x, value in zip((72, 200, 420), texts, strict=True):
            words = value.split()
            page.insert_text((x, y), " ".join(words[:4]), fontsize=10)
            page.insert_text((x, y + 12), " ".join(words[4:]), fontsize=10)


def cpu_seconds(pdf: Path, text_layer: str, folder: Path) -> tuple[float, int]:
    """CPU seconds of one process, and the tokens that the model wrote."""
    out = folder / "out.json"
    command = [sys.executable, "-m", "docai", "process", str(pdf), "-o", str(out), "--text-layer", text_layer]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(child.pid, 0)
    document = json.loads(out.read_text("utf-8"))
    return usage.ru_utime + usage.ru_stime, document["stats"]["n_generated_tokens"]


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="the least of so many counts (default 3)")
    arguments = parser.parse_args()
    pages = {
        "empty": {"text": False},
        "text": {},
        "text and ruled table": {"ruled": True},
        "text and unruled table": {"unruled": True},
    }
    print(f"{'page':26} {'text layer':10} {'CPU s':>7} {'tokens':>7}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = 0.0
        for title, content in pages.items():
            pdf = folder / "page.pdf"
            draw(pdf, **content)
            for text_layer in ("prefer", "verify") if title not in ("empty", "text") else ("prefer",):
                runs = [cpu_seconds(pdf, text_layer, folder) for _ in range(arguments.repeat)]
                seconds, tokens = min(runs)
                base = seconds if title == "empty" else base
                print(f"{title:26} {text_layer:10} {seconds - base:7.2f} {tokens:7d}", flush=True)
        print(f"an empty page: {base:.2f} s")


if __name__ == "__main__":
    main()
