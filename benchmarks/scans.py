"""Measures whether memory stays flat over a long scan.

    python benchmarks/scans.py [--pages 300] [--every 10] [--words 300] [--effort auto]

Draws a PDF of pictures: pages of print with a table or a molecule now and then, each other than those before.
Docai reads it page by page with a model that says nothing, and after each few pages the resident memory of
this process and of each of its children is printed (MB, proportional set size where Linux gives it, so that
what they share counts once), with the number of children that were started so far. At the end stands the
growth: the slope of a line through the last two thirds of the pages, MB per 100 pages, and what was added
between the first third and the end. A child that is started again and again would be a model loaded again
and again.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from pathlib import Path
from typing import Final, get_args

import psutil
import pymupdf
from common import script_parser
from picture_readers import cpu_seconds, silent_engine

from docai import Pipeline
from docai.options import Effort
from docai.pipelines.page_reading import Progress

DPI: Final = 150
PRINT: Final = (
    "the of and a sample value was measured in each series results show that pressure rises with heat until "
    "it falls again after which all were dried weighed and stored cold report number seven table figure"
)
MEGABYTE: Final = 1 << 20


def draw_scan(path: Path, n_pages: int, n_words: int) -> None:
    """A PDF whose pages are gray pictures, no two alike."""
    rng = random.Random(n_pages)
    with pymupdf.open() as scan:
        for number in range(n_pages):
            with pymupdf.open() as document:
                page = document.new_page()
                text = " ".join(rng.choice(PRINT.split()) for _ in range(n_words))
                page.insert_textbox((60, 60, 535, 560), f"Page {number + 1}. {text}", fontsize=10)
                if number % 3 == 1:
                    draw_table(page, rng)
                elif number % 3 == 2:
                    _draw_molecule(page, number)
                picture = page.get_pixmap(dpi=DPI, colorspace="gray").tobytes("jpg")
            shown = scan.new_page()
            shown.insert_image(shown.rect, stream=picture)
        scan.save(path)


def draw_table(page: pymupdf.Page, rng: random.Random) -> None:
    """A ruled one at the foot of a page of A4."""
    for row in range(6):
        for col in range(4):
            x, y = 70 + 110 * col, 590 + 22 * row
            page.draw_rect((x, y, x + 110, y + 22), width=0.7)
            page.insert_text(
                (x + 5, y + 15), str(rng.randrange(10_000)) if row else f"Head {col}", fontsize=10
            )


def _draw_molecule(page: pymupdf.Page, seed: int) -> None:
    from docai.pipelines.synthesis.vector.molecules import draw_molecule

    with pymupdf.open(stream=draw_molecule("rdkit", seed).data) as drawn:
        page.show_pdf_page(pymupdf.Rect(180, 590, 420, 770), drawn, 0)


class Memory:
    """Of this process and its children, as pages go by."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.pages: list[int] = []
        self.megabytes: list[float] = []
        self.children: set[int] = set()

    def __call__(self, progress: Progress) -> None:
        """Take it down at the beginning of a page."""
        if progress.stage != "ingest":
            return
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        self.children |= {process.pid for process in processes[1:]}
        if progress.page % self.every == 1 or self.every == 1:
            own, *others = [memory_of(process) for process in processes]
            self.pages.append(progress.page)
            self.megabytes.append(own + sum(others))
            parts = " + ".join(f"{megabytes:.0f}" for megabytes in sorted(others, reverse=True))
            print(
                f"page {progress.page}: {own:.0f} MB, children {parts or 0} MB, {len(self.children)} so far, "
                f"{cpu_seconds():.0f} s",
                flush=True,
            )

    def growth(self) -> tuple[float, float]:
        """MB per 100 pages over the last two thirds; MB between the end of the first third and the end."""
        third = len(self.pages) // 3
        pages, megabytes = self.pages[third:], self.megabytes[third:]
        if len(pages) < 2:
            return 0.0, 0.0
        slope = statistics.linear_regression(pages, megabytes).slope
        return 100 * slope, megabytes[-1] - megabytes[0]


def memory_of(process: psutil.Process) -> float:
    """MB, proportional set size where Linux gives it; 0 of a process that has ended."""
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    megabytes: float = getattr(memory, "pss", memory.rss) / MEGABYTE
    return megabytes


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--pages", type=int, default=300, help="of the scan (default 300)")
    parser.add_argument("--every", type=int, default=10, metavar="N", help="pages between figures")
    parser.add_argument("--words", type=int, default=300, help="of each page (default 300)")
    parser.add_argument("--effort", choices=get_args(Effort), default="auto", help="docai's option")
    arguments = parser.parse_args()
    memory = Memory(arguments.every)
    with tempfile.TemporaryDirectory(prefix="docai-") as folder:
        path = Path(folder) / "scan.pdf"
        draw_scan(path, arguments.pages, arguments.words)
        pipeline = Pipeline(engine=silent_engine(), effort=arguments.effort)
        document = pipeline.process(path, progress=memory)
    slope, added = memory.growth()
    failed = sum(page.origin == "failed" for page in document.pages)
    print(
        f"{len(document.pages)} pages, {failed} failed, {len(document.records)} records; "
        f"{slope:+.1f} MB per 100 pages, {added:+.0f} MB after the first third, "
        f"{len(memory.children)} children, {cpu_seconds() / max(1, len(document.pages)):.1f} s a page"
    )


if __name__ == "__main__":
    main()
