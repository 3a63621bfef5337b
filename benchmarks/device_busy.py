"""Measures how busy a device is while one long document is read, with a device that only takes time.

    python benchmarks/device_busy.py [--pages 16] [--crop-seconds 0.25] [--workers 1,2,4]

A PDF of text is drawn, and read without its text layer, so that each of its regions is put to the model,
second readers and read-back off. The model takes no processor time: a call of it lasts ``--call-seconds``
(0.1) and ``--crop-seconds`` more for each crop, as a device would. By each of:

    process    ``Pipeline.process``: everything in one process, one step after the other
    batch N    a batch with N workers, which share the pages of the document

Printed: crops, crops a call, wall seconds, and the share of the time from the first call to the end of the
last in which the device was at work. What is drawn, laid out, cropped and parsed meanwhile takes processors
of this machine: with few of them, or others at work on them, the share is lower.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from common import script_parser
from pages import draw
from timed_engine import TimedEngine

from docai import Pipeline
from docai.batch import make_setup, open_run
from docai.options import Options

OPTIONS = Options(text_layer="ignore", witnesses="off", readback="off")


class Busy(NamedTuple):
    """What a log of calls says."""

    n_crops: int
    crops_a_call: float
    share: float


def measure(log: Path) -> Busy:
    calls = [[float(word) for word in line.split()] for line in log.read_text(encoding="ascii").splitlines()]
    n_crops = int(sum(call[2] for call in calls))
    worked = sum(ended - began for began, ended, _ in calls)
    return Busy(n_crops, n_crops / len(calls), worked / (calls[-1][1] - calls[0][0]))


def read_alone(path: Path, engine: TimedEngine, out: Path) -> None:
    document = Pipeline(engine=engine, text_layer="ignore", witnesses="off", readback="off").process(path)
    out.write_text(document.to_json(), encoding="utf-8")


def read_in_batch(path: Path, engine: TimedEngine, out: Path, workers: int) -> None:
    folder, run = open_run(out, [path], make_setup(OPTIONS, engine=engine, workers=workers))
    with folder:
        for _ in run:
            pass


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--pages", type=int, default=16)
    parser.add_argument("--call-seconds", type=float, default=0.1)
    parser.add_argument("--crop-seconds", type=float, default=0.25)
    parser.add_argument("--workers", default="1,2,4")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="docai-busy-"))
    try:
        path = folder / "long.pdf"
        draw(path, args.pages)
        ways: dict[str, Callable[[TimedEngine, Path], None]] = {
            "process": lambda engine, out: read_alone(path, engine, out)
        }
        for workers in map(int, args.workers.split(",")):
            ways[f"batch {workers}"] = lambda engine, out, workers=workers: read_in_batch(
                path, engine, out, workers
            )
        print("| way | crops | crops a call | wall, s | device busy |\n|---|---|---|---|---|", flush=True)
        for number, (way, read) in enumerate(ways.items()):
            log = folder / f"{number}.log"
            started = time.monotonic()
            read(TimedEngine(log, args.call_seconds, args.crop_seconds), folder / f"out-{number}")
            wall, busy = time.monotonic() - started, measure(log)
            figures = f"{busy.n_crops} | {busy.crops_a_call:.1f} | {wall:.1f} | {100 * busy.share:.0f} %"
            print(f"| {way} | {figures} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
