"""Batch runs on a disk that fills up, is made read-only, and over inputs that are written to meanwhile.

    python benchmarks/full_disk.py [--documents 40] [--seed 1] [--only "fills up"]

Linux, as root: the run folder, or its results, are on a small tmpfs. Documents with a text layer, some with
several pages, empty files, names that differ in case alone, long names and links that lead nowhere or in a
circle are read with a model that says nothing, and everything again on the ordinary disk for comparison.

``fills up``: the disk begins with room for little more than the manifest, and gets another 128 KB each time a
run ends for want of it. ``read only``: the results are made read-only at a random moment, and writable again
before the run goes on. ``written to``: documents are replaced by others while two runs are at work, and a
third reads what is left.

Printed, for each: how often the run was started, how it ended each time but the last, states, and what
differs from the run on the ordinary disk, as in ``soak.py``. The exit code is 1 where anything differs, or
where a run ended without a message.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from batch_documents import write_bad, write_pdf
from common import script_parser
from soak import SILENT, Compared, Part, compare, rows_of

STEP: Final = 128 << 10
"""Bytes by which the disk grows."""

MAX_STARTS: Final = 60


class Disk:
    """A tmpfs."""

    def __init__(self, folder: Path, n_bytes: int) -> None:
        self.folder = folder
        self.n_bytes = n_bytes

    def remount(self, options: str) -> bool:
        """Whether that succeeded."""
        words = ["mount", "-o", f"remount,{options}", str(self.folder)]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def grow(self) -> None:
        self.n_bytes += STEP
        self.remount(f"size={self.n_bytes}")


@contextmanager
def small_disk(n_bytes: int, folder: Path) -> Iterator[Disk]:
    """Raises CalledProcessError where it cannot be mounted."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)]
    subprocess.run(words, check=True)
    try:
        yield Disk(folder, n_bytes)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def draw(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    folder.mkdir()
    for number in range(count):
        if number % 4 == 3:
            write_bad(folder, (0, 4, 6, 8, 9, 12, 13)[number // 4 % 7], rng)
        else:
            write_pdf(folder / f"{number:03}.pdf", rng, rng.choice((1, 1, 1, 3)), n_words=40)
    inner = folder / "inner"
    inner.mkdir()
    (inner / "up").symlink_to(folder, target_is_directory=True)
    (inner / "self").symlink_to(inner / "self", target_is_directory=True)


def start(inputs: Path, run: Path) -> subprocess.Popen[str]:
    resume = ["--resume"] if (run / "settings.json").exists() else []
    words = [*SILENT, str(inputs), "-o", str(run), *resume]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ending(process: subprocess.Popen[str], said: str) -> str:
    """How a run ended: empty where it was read to its end."""
    if process.returncode in (0, 1, 3) and "Traceback" not in said:
        return ""
    last = said.strip().splitlines()[-1] if said.strip() else ""
    for cause in ("No space left on device", "database or disk is full", "Read-only file system",
                  "readonly database", "disk I/O error", "unable to open"):  # fmt: skip
        if cause in last and last.startswith("error: "):
            return cause
    return f"no message: {last}"


def fills_up(inputs: Path, rng: random.Random, until: Callable[[Path], None]) -> list[str]:
    endings = []
    with tempfile.TemporaryDirectory(prefix="docai-disk-") as name, small_disk(STEP, Path(name)) as disk:
        run = disk.folder / "run"
        while len(endings) < MAX_STARTS:
            process = start(inputs, run)
            _, said = process.communicate()
            endings.append(ending(process, said))
            if not endings[-1]:
                break
            disk.grow()
        until(run)
    return endings


def read_only(inputs: Path, rng: random.Random, until: Callable[[Path], None]) -> list[str]:
    """Of the results alone: a disk with a file that is open for writing, as the manifest is, stays so."""
    endings = []
    with tempfile.TemporaryDirectory(prefix="docai-run-") as name:
        run = Path(name) / "run"
        process = start(inputs, run)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()
        shutil.rmtree(run / "results")
        (run / "results").mkdir()
        with small_disk(64 << 20, run / "results") as disk:
            for _ in range(2):
                process = start(inputs, run)
                assert process.stdout is not None
                for _ in range(rng.randint(1, 20)):
                    process.stdout.readline()
                # Not while a result is being written.
                while process.poll() is None and not disk.remount("ro"):
                    time.sleep(0.01)
                _, said = process.communicate()
                endings.append(ending(process, said))
                disk.remount(f"rw,size={disk.n_bytes}")
            process = start(inputs, run)
            _, said = process.communicate()
            endings.append(ending(process, said))
            until(run)
    return endings


def written_to(inputs: Path, rng: random.Random, until: Callable[[Path], None]) -> list[str]:
    """Documents take the place of others until the first run ends, then once more."""
    endings = []
    paths = sorted(path for path in inputs.glob("*.pdf") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="docai-run-") as name:
        run = Path(name) / "run"
        for _ in range(2):
            process = start(inputs, run)
            is_over = threading.Event()

            def write(is_over: threading.Event = is_over) -> None:
                while not is_over.wait(0.2):
                    write_pdf(rng.choice(paths), rng, rng.choice((1, 2)), n_words=40)

            writer = threading.Thread(target=write)
            writer.start()
            _, said = process.communicate()
            is_over.set()
            writer.join()
            endings.append(ending(process, said))
        # Whatever failed because it never stood still, and what was written since.
        process = subprocess.Popen(
            [*SILENT, str(inputs), "-o", str(run), "--retry-failed"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _, said = process.communicate()
        endings.append(ending(process, said))
        until(run)
    return endings


def main() -> int:
    parser = script_parser(__doc__)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one of the disturbances")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="docai-full-"))
    is_wrong = False
    try:
        inputs = folder / "in"
        draw(inputs, args.documents, args.seed)
        part = Part("", [inputs], SILENT, 0, lambda name: ("done", "failed"))
        print("| disturbance | inputs | states | starts | ended early | rows | results | strays | wrong |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for number, disturb in enumerate((fills_up, read_only, written_to)):
            name = disturb.__name__.replace("_", " ")
            if args.only not in (None, name):
                continue
            found: list[Compared] = []

            def check(run: Path, number: int = number, found: list[Compared] = found) -> None:
                whole = folder / f"whole-{number}"
                start(inputs, whole).communicate()
                found.append(compare(part, whole, run))
                states = Counter(row.state for row in rows_of(run).values())
                print(f"| {len(rows_of(run))} | {', '.join(f'{n} {state}' for state, n in states.items())} ",
                      end="")  # fmt: skip

            print(f"| {name} ", end="", flush=True)
            endings = disturb(inputs, random.Random(args.seed), check)
            early = Counter(one for one in endings if one)
            causes = ", ".join(f"{n} {cause}" for cause, n in early.items())
            one = found[0]
            print(f"| {len(endings)} | {causes} | {one.rows} | {one.results} | {one.strays} | {one.wrong} |",
                  flush=True)  # fmt: skip
            is_wrong |= one != Compared(0, 0, 0, 0) or any(cause.startswith("no") for cause in early)
            is_wrong |= bool(endings[-1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
