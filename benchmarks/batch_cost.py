"""Measures what a batch costs beside the reading itself, and whether its cost is linear in pages (Linux).

    python benchmarks/batch_cost.py [--sizes 8,24,40] [--many 200] [--alone 20]

Pages of text are read with a model that says nothing, second readers off, by each of:

    bare      ``Pipeline.process`` of one file after the other, results written
    batch 1   a batch with one worker
    batch 2   a batch with two workers

once as documents of one page, once as one document, with so many pages. The ways take turns, smallest size
first.
Then ``docai process`` reads so many documents of one page in one call, and as many as ``--alone`` says in a
call each; what all calls would take is scaled from these.

Printed: wall seconds, and processor seconds of all processes that were started, also of those that outlive
the one that started them (this one adopts them). A line through the sizes parts what a page costs from what
a start costs. On a machine that does other things, too, wall seconds say little.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common import script_parser
from pages import draw
from soak import SILENT

BARE: Final = """
import sys
from pathlib import Path
from docai import Pipeline, ScriptedEngine
from docai.exports import export
from docai.files import write_atomically
from docai.models.heads import HEADS

engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
pipeline = Pipeline(engine=engine, witnesses="off", readback="off")
for path in sorted(Path(sys.argv[1]).iterdir()):
    target = Path(sys.argv[2], path.name + ".json")
    write_atomically(target, export(pipeline.process(path), target))
"""

PROCESS: Final = (sys.executable, "-m", "docai", "process", "--witnesses", "off", "--readback", "off")

_SET_CHILD_SUBREAPER: Final = 36
"""Of ``prctl``: orphans below this process become its children, and their time is counted here."""


def cost(words: Sequence[object]) -> tuple[float, float]:
    """Wall and processor seconds of a command and all that it starts.

    Raises:
        CalledProcessError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
    seconds = time.monotonic() - started
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_inputs(folder: Path, size: int, *, is_one: bool) -> Path:
    folder.mkdir(parents=True)
    if is_one:
        draw(folder / "long.pdf", size)
    else:
        draw(folder / "0000.pdf", 1)
        for number in range(1, size):
            shutil.copyfile(folder / "0000.pdf", folder / f"{number:04}.pdf")
    return folder


def compare_ways(folder: Path, sizes: Sequence[int], *, is_one: bool) -> None:
    found: dict[str, list[tuple[float, float]]] = {"bare": [], "batch 1": [], "batch 2": []}
    for size in sizes:
        inputs = write_inputs(folder / f"in-{size}", size, is_one=is_one)
        for way, costs in found.items():
            if is_one and way == "batch 2":
                continue
            out = folder / f"{way}-{size}"
            if way == "bare":
                costs.append(cost([sys.executable, "-c", BARE, inputs, out]))
            else:
                costs.append(cost([*SILENT, inputs, "-o", out, "--workers", way[-1]]))
    what = "one document" if is_one else "documents of one page"
    lines = {}
    for way, costs in found.items():
        if not costs:
            continue
        line = statistics.linear_regression(sizes, [processor for _, processor in costs])
        lines[way] = line.slope
        off = max(
            abs(processor / (line.intercept + line.slope * size) - 1)
            for size, (_, processor) in zip(sizes, costs, strict=True)
        )
        wall, rate = costs[-1][0], sizes[-1] / costs[-1][0]
        print(
            f"| {what} | {way} | {', '.join(f'{one:.1f}' for _, one in costs)} | {line.slope:.3f} "
            f"| {100 * (line.slope / lines['bare'] - 1):+.0f} % | {line.intercept:.1f} | {100 * off:.0f} % "
            f"| {wall:.0f} | {rate:.2f} |",
            flush=True,
        )


def compare_calls(folder: Path, n_many: int, n_alone: int) -> None:
    inputs = write_inputs(folder / "many", n_many, is_one=False)
    alone = [
        cost([*PROCESS, inputs / f"{number:04}.pdf", "-o", folder / "alone/"]) for number in range(n_alone)
    ]
    wall, processor = cost([*PROCESS, inputs, "-o", folder / "together/"])
    each = [sum(values) / n_alone for values in zip(*alone, strict=True)]
    print(f"\n{n_many} documents of one page in one call: {wall:.0f} s, {processor:.1f} CPU s")
    print(
        f"in a call each, scaled from {n_alone} calls: {n_many * each[0]:.0f} s, {n_many * each[1]:.1f} "
        f"CPU s ({n_many * each[1] / processor:.1f} times the processor time)"
    )


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--sizes", default="8,24,40")
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--alone", type=int, default=20)
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sizes = [int(size) for size in args.sizes.split(",")]
    titles = (f"pages: {args.sizes.replace(',', ', ')}", "way", "CPU, s", "CPU s a page", "beside bare")
    titles += ("CPU s to start", "off the line at most", f"wall of {sizes[-1]}, s", "pages/s")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="docai-cost-") as name:
        for is_one in (False, True):
            compare_ways(Path(name, str(is_one)), sizes, is_one=is_one)
        if args.many:
            compare_calls(Path(name), args.many, args.alone)


if __name__ == "__main__":
    main()
