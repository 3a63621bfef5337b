"""Measures what a page of a born-digital PDF costs: processor time, and memory at its peak (Linux).

    python benchmarks/pages.py [--pages N] [--model NAME] [--reader NAME ...]

A PDF of text is drawn, and read in a process of its own by each of:

    docai           ``docai.process``: regions in reading order, records, JSON
    pymupdf4llm     Markdown by the same layout model, without OCR
    PyMuPDF text    ``page.get_text()``: the words alone, in the order of the file

Processor time is that of the process and all it starts, from the first import to the end; memory is the
largest sum of their proportional set sizes, seen every 50 ms.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymupdf
from common import script_parser

WORDS = """
the of and to in that for it as was with be by on not he his but at are this have from or had an they which
you were all her she there would their we him been has when who will more no if out so said what up its about
into than them can only other new some could time these two may then do first any my now such like our over
man me even most made after also did many before must through back years where much
"""

SECONDS_BETWEEN_LOOKS = 0.05

READERS = {
    "docai": (
        "import sys, docai; document = docai.process(sys.argv[1], model=sys.argv[2], device='cpu'); "
        "document.to_json(); assert all(page.origin == 'born-digital' for page in document.pages)"
    ),
    "pymupdf4llm": "import sys, pymupdf4llm; pymupdf4llm.to_markdown(sys.argv[1], use_ocr=False)",
    "PyMuPDF text": "import sys, pymupdf; [page.get_text() for page in pymupdf.open(sys.argv[1])]",
}


def draw(path: Path, n_pages: int) -> None:
    """Pages of a book: a running head, a page number, six paragraphs, and on each fifth a heading."""
    chance, words = random.Random(7), WORDS.split()

    def sentence(n_words: int) -> str:
        return " ".join(chance.choice(words) for _ in range(n_words)).capitalize() + "."

    with pymupdf.open() as document:
        for number in range(1, n_pages + 1):
            page = document.new_page(width=595, height=842)
            page.insert_text((72, 50), f"Chapter {number // 20 + 1}", fontsize=9)
            page.insert_text((290, 810), str(number), fontsize=9)
            top = 72.0
            if number % 5 == 0:
                page.insert_text((72, top + 16), f"{number // 5} {sentence(4)[:-1]}", fontsize=16)
                top += 34
            for _ in range(6):
                box = (72, top, 523, top + 108)
                left = page.insert_textbox(box, sentence(85), fontsize=10.5, fontname="tiro", align=3)
                assert left >= 0, "a paragraph does not fit"
                top += 116
        document.save(path, garbage=3, deflate=True)


def measure(command: list[str]) -> tuple[float, int]:
    """Processor seconds of a command and all that it starts, and the most bytes they had at once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, sum(map(proportional_size, family(process.pid))))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        raise SystemExit(f"{command[2]} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = [int(child) for child in children.read_text().split()]
        except OSError:
            continue
        for child in pids:
            yield from family(child)


def proportional_size(pid: int) -> int:
    """Bytes of a process, those that it shares divided among the processes that do."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--model", default="nano", help="of docai; no region of these pages is put to it")
    parser.add_argument("--reader", action="append", choices=READERS, help="all by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.pdf"
        draw(path, arguments.pages)
        print(f"{arguments.pages} pages, {path.stat().st_size:,} bytes")
        for name in arguments.reader or READERS:
            started = time.monotonic()
            seconds, most = measure([sys.executable, "-c", READERS[name], str(path), arguments.model])
            print(
                f"{name:14} {seconds / arguments.pages:.3f} CPU s a page, {most / 1e6:,.0f} MB at its peak, "
                f"{time.monotonic() - started:.0f} s in all",
                flush=True,
            )


if __name__ == "__main__":
    main()
