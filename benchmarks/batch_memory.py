"""Measures whether the memory of a batch stays level over a long PDF, and over many documents.

    python benchmarks/batch_memory.py [--pages 5000] [--documents 2000] [--layout whole|model]

Pages are small and hold a line of text. Two runs, each with one worker and a model that says nothing: one
PDF of so many pages, and so many PDFs of one page. The memory of the coordinator, and of its children
together, is taken every second (MB, proportional set size where Linux gives it, so that what processes
share counts once). ``--layout whole`` takes each page for one text, so that what the batch keeps is
measured over thousands of pages; ``model`` finds regions as always, which takes most of the time. What the
layout model and MuPDF keep is measured over a scan by ``scans.py``, too.

Printed, for each run: documents, pages, processor seconds, the peak, and for coordinator and children the
slope of a line through the peaks of the last two thirds, part by part, MB per 1,000 pages or documents.
Memory is bounded where a slope is near 0; the exit code is 1 where one is above 5 MB.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

import psutil
import pymupdf
import whole_pages
from common import script_parser
from picture_readers import cpu_seconds, silent_engine
from scans import memory_of

from docai.batch import make_setup, open_run
from docai.limits import Limits
from docai.options import Options
from docai.pipelines.batch import worker
from docai.pipelines.batch.events import DocumentEnded, PageRead
from docai.pipelines.batch.events import Event as Happened

BINS: Final = 24
"""Into which a run is parted: in each the most counts, since processes are replaced now and then."""

MOST: Final = 5.0
"""MB per 1,000."""


def write_pdf(path: Path, first: int, n_pages: int) -> None:
    with pymupdf.open() as document:
        for number in range(first, first + n_pages):
            page = document.new_page(width=300, height=200)
            page.insert_text((20, 40), f"This is the text of the page of number {number}.", fontsize=11)
        document.save(path)


class Memory:
    """Of the coordinator, which is this process, and its children, every second while a run goes on."""

    def __init__(self) -> None:
        self.done = 0
        self.steps: list[int] = []
        self.own: list[float] = []
        self.children: list[float] = []
        self._is_over = Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(1.0):
            me = psutil.Process()
            own, children, done = memory_of([me]), memory_of(me.children(recursive=True)), self.done
            # Not what is left when the processes have ended.
            if not self._is_over.is_set():
                self.own.append(own)
                self.children.append(children)
                self.steps.append(done)

    def slopes(self) -> tuple[float, float]:
        """MB per 1,000 steps, of the coordinator and of the children: of the most in each of :data:`BINS`."""
        own, children = (self._slope(values) for values in (self.own, self.children))
        return own, children

    def _slope(self, values: Sequence[float]) -> float:
        most: dict[int, float] = {}
        for step, value in zip(self.steps, values, strict=True):
            place = min(BINS * step // max(1, self.steps[-1]), BINS - 1)
            most[place] = max(value, most.get(place, 0.0))
        places = [place for place in sorted(most) if 3 * place >= BINS]
        if len(places) < 2:
            return math.nan
        line = statistics.linear_regression(places, [most[place] for place in places])
        return 1000 * line.slope * BINS / self.steps[-1]


def measure(inputs: Path, run: Path, n_steps: int, counted: type[Happened]) -> bool:
    """Read, and print a row of the table. Returns whether memory is level."""
    options = Options(witnesses="off", readback="off", limits=Limits(max_pages=None))
    opened, reading = open_run(run, [inputs], make_setup(options, engine=silent_engine(), workers=1))
    events = iter(reading)
    before = cpu_seconds()
    with opened:
        with Memory() as memory:
            for event in events:
                memory.done += isinstance(event, counted)
                if memory.done == n_steps:
                    break
        seconds = cpu_seconds() - before
        for _ in events:
            pass
        counts, totals = opened.manifest.counts(), opened.manifest.totals()
    slopes = memory.slopes()
    peak = max(map(sum, zip(memory.own, memory.children, strict=True)))
    print(
        f"| {counts['done']} | {totals['pages']:.0f} | {seconds:.0f} | {peak:.0f} | {max(memory.own):.0f} "
        f"| {max(memory.children):.0f} | {slopes[0]:+.2f} | {slopes[1]:+.2f} |",
        flush=True,
    )
    return max(slopes) <= MOST


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--layout", choices=("whole", "model"), default="whole")
    args = parser.parse_args()
    if args.layout == "whole":
        worker.read_page = whole_pages.read_page
    titles = ("documents", "pages", "CPU, s", "peak, MB", "of the coordinator", "of the children")
    slopes = ("coordinator, MB per 1,000", "children, MB per 1,000")
    print(f"| {' | '.join((*titles, *slopes))} |\n|{'---|' * 8}", flush=True)
    is_level = True
    with tempfile.TemporaryDirectory(prefix="docai-memory-") as name:
        folder = Path(name)
        if args.pages:
            write_pdf(folder / "long.pdf", 1, args.pages)
            is_level &= measure(folder / "long.pdf", folder / "run-long", args.pages, PageRead)
        if args.documents:
            (folder / "many").mkdir()
            for number in range(args.documents):
                write_pdf(folder / "many" / f"{number:05}.pdf", number, 1)
            is_level &= measure(folder / "many", folder / "run-many", args.documents, DocumentEnded)
    return int(not is_level)


if __name__ == "__main__":
    sys.exit(main())
