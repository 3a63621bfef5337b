"""Stops a batch run at random moments, goes on, and compares with a run that nobody disturbed.

    python benchmarks/soak.py [--documents 1000] [--pictures 12] [--kills 25] [--workers 2] [--seed 1]
                              [--folder FOLDER]

Makes documents of many kinds, every kind of bad file among them: most have a text layer and cost little. The
awkward PDFs of the folder of real documents (``DOCAI_REAL_DATA``), where there is one, are read with them.
They are read once without a disturbance, and once with ``kill -9`` of the coordinator, of a worker, or of
the process of the model, and a new start after each end of the coordinator. Four kills of five come after a
number of events that is drawn with the seed, so that they are spread over the whole run; the fifth within
seconds after the one before, when processes are being started. The model says nothing, and second readers
are off, but for pages that are pictures, which have a run of their own, with ``docai batch``, the embedded
model, everything on, and a fifth of the kills.

Printed, for each part: how many inputs, states, kills, seconds, and what differs between the two runs: rows
(by input: state, pages, records), results (byte by byte), files that belong to no row, what was left in
the run folder, and inputs that have no row, two rows, or a state that they cannot have. The exit code is 1
where anything differs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Final

import psutil
from batch_documents import awkward_pdfs, draw_documents, states_of
from common import real_data, script_parser

from docai.pipelines.batch.inputs import find_batch_inputs
from docai.pipelines.batch.manifest import Manifest, Row

SILENT: Final = (sys.executable, str(Path(__file__).with_name("silent_batch.py")))
WHOLE: Final = (sys.executable, "-m", "docai", "batch", "--progress", "json")

QUICK_SHARE: Final = 0.2
"""Of the kills: they come while processes are being started."""
QUICK_SECONDS: Final = 12.0
"""At most from the start, or from the kill before."""


@dataclass(frozen=True)
class Part:
    """Documents that are read together."""

    name: str
    inputs: Sequence[Path]
    command: Sequence[str]
    kills: int
    states: Callable[[str], object]
    """Name of an input → the states that it may have."""


@dataclass(frozen=True)
class Compared:
    """What differs between two runs."""

    rows: int
    results: int
    strays: int
    """Results that belong to no row, and pages of documents that are finished."""
    wrong: int
    """Inputs without a row, rows without an input, and states that an input cannot have."""


class Process:
    """A coordinator; its events are counted as they come."""

    def __init__(self, part: Part, run: Path, workers: int) -> None:
        resume = ["--resume"] if (run / "settings.json").exists() else []
        words = [*part.command, *map(str, part.inputs), "-o", str(run), "--workers", str(workers), *resume]
        self._process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._events: Queue[str | None] = Queue()
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                # A line may be cut off by a kill.
                self._events.put(json.loads(line)["event"])
        self._events.put(None)

    def wait(self, n_events: int | None = None, seconds: float | None = None) -> bool:
        """Whether it still runs after so many events, or seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while n_events is None or n_events > 0:
            try:
                event = self._events.get(timeout=None if until is None else max(0, until - time.monotonic()))
            except Empty:
                return self._process.poll() is None
            if event is None:
                # It has ended, whoever asks again.
                self._events.put(None)
                self._process.wait()
                return False
            n_events = None if n_events is None else n_events - 1
        return True

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_child(self, rng: random.Random) -> bool:
        """A worker, or the process of the model; False where there is none yet."""
        with suppress(psutil.NoSuchProcess):
            if children := psutil.Process(self._process.pid).children():
                os.kill(rng.choice(children).pid, signal.SIGKILL)
                return True
        return False


def disturbed(part: Part, run: Path, workers: int, seed: int, n_events: int) -> Counter[str]:
    """Read to the end in spite of the kills. Returns how many of each kind there were.

    Args:
        n_events: of the run that was not disturbed.
    """
    rng = random.Random(seed)
    killed: Counter[str] = Counter()
    process = Process(part, run, workers)
    while killed.total() < part.kills:
        if rng.random() < QUICK_SHARE:
            is_running = process.wait(seconds=rng.uniform(0, QUICK_SECONDS))
        else:
            is_running = process.wait(rng.randint(1, max(1, 2 * n_events // (part.kills + 1))))
            # Not at the moment of the event itself.
            time.sleep(rng.uniform(0, 0.5) if is_running else 0)
        if not is_running:
            break
        if rng.random() < 0.4:
            process.kill()
            killed["coordinator"] += 1
            process = Process(part, run, workers)
        else:
            killed["child"] += process.kill_child(rng)
    process.wait()
    return killed


def rows_of(run: Path) -> dict[str, Row]:
    with Manifest(run / "manifest.sqlite") as manifest:
        return {row.name: row for row in manifest.rows()}


def results_of(run: Path) -> dict[str, bytes]:
    results = run / "results"
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in results.rglob("*")
        if path.is_file()
    }


def compare(part: Part, one: Path, other: Path) -> Compared:
    a, b = rows_of(one), rows_of(other)
    facts = [
        {name: (row.state, row.code, row.pages, row.failed_pages, row.records) for name, row in rows.items()}
        for rows in (a, b)
    ]
    rows = sum(facts[0].get(name) != facts[1].get(name) for name in {*facts[0], *facts[1]})
    first, second = results_of(one), results_of(other)
    results = sum(first.get(name) != second.get(name) for name in {*first, *second})
    wanted = {f"{name}.json" for name, row in b.items() if row.state in ("done", "partial")}
    unfinished = {str(row.number) for row in b.values() if row.state == "partial"}
    left = [path for path in (other / "pages").iterdir() if path.name not in unfinished]
    names = {found.name for found in find_batch_inputs(part.inputs).found}
    wrong = len(names ^ set(b)) + sum(row.state not in part.states(name) for name, row in b.items())
    return Compared(rows, results, len(wanted ^ set(second)) + len(left), wrong)


def make_parts(folder: Path, args: object) -> list[Part]:
    texts, pictures = draw_documents(folder, args.documents, args.pictures, args.seed)
    real = real_data()
    awkward = [] if real is None else list(awkward_pdfs(real))
    prefix = f"{texts.name}/" if awkward else ""

    def states(name: str) -> object:
        is_drawn = name.startswith(prefix)
        return states_of(name.removeprefix(prefix)) if is_drawn else ("done", "partial", "failed")

    parts = [Part("text layers, bad and awkward ones", [texts, *awkward], SILENT, args.kills, states)]
    if args.pictures:
        kills = max(1, args.kills // 5)
        parts.append(Part("pictures, all readers", [pictures], WHOLE, kills, lambda name: ("done",)))
    return parts


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep everything there")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="docai-soak-"))
    differs = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = make_parts(folder, args)
        titles = ("part", "inputs", "states", "pages", "undisturbed, s", "kills", "disturbed, s")
        titles += ("rows", "results", "strays", "wrong")
        print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
        for number, part in enumerate(parts):
            whole, broken = folder / f"whole-{number}", folder / f"broken-{number}"
            started = time.monotonic()
            Process(part, whole, args.workers).wait()
            seconds = time.monotonic() - started
            rows = rows_of(whole)
            n_events = 2 * len(rows) + sum(row.pages for row in rows.values())
            started = time.monotonic()
            killed = disturbed(part, broken, args.workers, args.seed, n_events)
            lasted = time.monotonic() - started
            found = compare(part, whole, broken)
            states = Counter(row.state for row in rows.values())
            differs |= found != Compared(0, 0, 0, 0)
            print(
                f"| {part.name} | {len(rows)} | {', '.join(f'{n} {state}' for state, n in states.items())} "
                f"| {sum(row.pages for row in rows.values())} | {seconds:.0f} "
                f"| {', '.join(f'{n} {who}' for who, n in killed.items())} | {lasted:.0f} "
                f"| {found.rows} | {found.results} | {found.strays} | {found.wrong} |",
                flush=True,
            )
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
