"""Coverage-guided fuzzing of a head's parser: no exception, no violated property, bounded time and memory.

    python benchmarks/fuzz/fuzz.py HEAD [--inputs N] [--seconds S] [--corpus DIR] [--skip-loops]

Needs ``pip install docai[fuzz,synth]`` (atheris; Linux). The inputs are synthetic targets and handwritten
answers, changed by libFuzzer's mutations and by mutations that know the parts of the format. Most have at
most 300 characters; one in ten thousand is extended to 64 KiB. Before that, each word of the format is
repeated to 64 KiB and parsed, and so are the texts that pumps.py finds to be slow.

Checked for every input: the parser returns within the limits of time and memory, its issue codes are
registered, and its spans lie within the text. For one input in eight, chosen by a hash of the input: the
content survives JSON, and a table is a complete grid whose canonical HTML parses back to it without an issue.
One in sixteen is parsed twice, with the same result. The counts are printed. Only the share ``--music21`` of
scores is converted to MusicXML, which is slow. Inputs run in a separate process: if native code crashes it,
the input is saved and a new process continues. Time is processor time, because the machine may be busy;
memory is the peak of resident memory less that before the parse. The slowest and largest inputs, and all that
exceed a limit, are measured again in a process without instrumentation; those figures count. The exit code is
1 if something was found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inputs import LONG_SHARE, dictionary, long_loops, seeds
from properties import MAX_BYTES, MAX_MB, MAX_SECONDS

HERE = Path(__file__).resolve().parent
HEADS = ("table", "molecule", "score", "text")
_TIMEOUT_SECONDS = 60
"""Seconds after which an input that has not returned ends the process."""
_MAX_PROCESSES = 50
"""Processes that may crash before the run is aborted."""
_COV = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_CRASH = re.compile(r"(crash|timeout|oom|leak)-")


@dataclass
class Run:
    """Results of all processes of one run."""

    inputs: int = 0
    long: int = 0
    content: int = 0
    twice: int = 0
    seconds: float = 0.0
    edges: int = 0
    features: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    crashes: list[Path] = field(default_factory=list)
    suspects: set[Path] = field(default_factory=set)


def prepare(head: str, folder: Path, n_drawn: int) -> None:
    """Write the initial corpus and the dictionary in libFuzzer's format."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, text in enumerate(seeds(head, n_drawn)):
            (corpus / f"seed-{number:04}").write_bytes(text.encode("utf-8", "surrogatepass"))
    words = (word.encode("utf-8", "surrogatepass") for word in dictionary(head))
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words]
    (folder / "words.dict").write_text("\n".join(lines) + "\n")


def run_processes(args: argparse.Namespace, folder: Path) -> Run:
    """Run processes one after the other until there were enough inputs or the time is up."""
    run = Run()
    ends_at = time.monotonic() + args.seconds
    for number in range(_MAX_PROCESSES):
        left = args.inputs - run.inputs
        seconds = ends_at - time.monotonic()
        if left <= 0 or seconds < 1:
            break
        out = Path(tempfile.mkdtemp(prefix=f"run-{number}-", dir=folder))
        flags = [
            f"-runs={left}",
            f"-max_total_time={int(seconds)}",
            f"-max_len={MAX_BYTES}",
            "-len_control=0",
            f"-timeout={_TIMEOUT_SECONDS}",
            "-rss_limit_mb=4096",
            f"-seed={args.seed + number}",
            f"-dict={folder / 'words.dict'}",
            f"-artifact_prefix={out}/",
            str(folder / "corpus"),
        ]
        command = [sys.executable, str(HERE / "worker.py"), args.head, str(out)]
        command += [str(left), str(args.long_share), str(args.music21), *flags]
        with (out / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        code = _wait(process, out / "log")
        _gather(run, out)
        if not (out / "stats.json").exists() and code:
            sys.exit((out / "log").read_text("utf-8", "replace")[-2000:])
        if code == 0:
            break
    return run


def _wait(process: subprocess.Popen[bytes], log: Path) -> int:
    """The exit code. A hanging process reports its timeout but does not end; aborting it saves its input."""
    while True:
        try:
            return process.wait(5)
        except subprocess.TimeoutExpired:
            if b"=== Timeout:" in log.read_bytes()[-20_000:]:
                process.send_signal(signal.SIGABRT)


def _gather(run: Run, out: Path) -> None:
    stats: dict[str, Any] = {}
    if (out / "stats.json").exists():
        stats = json.loads((out / "stats.json").read_text())
    run.inputs += stats.get("inputs", 0)
    run.long += stats.get("long", 0)
    run.content += stats.get("content", 0)
    run.twice += stats.get("twice", 0)
    run.seconds += stats.get("seconds", 0.0)
    run.kinds.update(stats.get("faults", {}))
    coverage = _COV.findall((out / "log").read_text("utf-8", "replace"))
    if coverage:
        edges, features, _ = map(int, coverage[-1])
        run.edges, run.features = max(run.edges, edges), max(run.features, features)
    run.crashes += [path for path in out.iterdir() if _CRASH.match(path.name)]
    run.suspects |= {*out.glob("*.input"), *out.glob("slow-unit-*")}


def measure(head: str, files: list[Path]) -> list[dict[str, Any]]:
    """Measure each file in a process without instrumentation; one that crashes it is reported as such."""
    results: list[dict[str, Any]] = []
    left = list(files)
    while left:
        command = [sys.executable, str(HERE / "properties.py"), head, *map(str, left)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        measured = [json.loads(line) for line in done.stdout.splitlines()]
        results += measured
        left = left[len(measured) :]
        if left and done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            results.append({"file": str(left.pop(0)), "wall": 0.0, "cpu": 0.0, "mb": 0.0, "fault": last[0]})
    return results


def read_loops(head: str, folder: Path) -> list[dict[str, Any]]:
    """Measure the texts that repeat one word of the format to 64 KiB."""
    out = folder / "loops"
    out.mkdir(exist_ok=True)
    for old in out.iterdir():
        old.unlink()
    subprocess.run([sys.executable, str(HERE / "pumps.py"), head, str(out)], check=True)
    files = sorted(out.iterdir())
    for number, text in enumerate(long_loops(head, MAX_BYTES)):
        files.append(out / f"loop-{number:03}")
        files[-1].write_bytes(text.encode("utf-8", "surrogatepass")[:MAX_BYTES])
    return measure(head, files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("head", choices=HEADS)
    parser.add_argument("--inputs", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=86_400, metavar="S")
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="continued from, and kept; default: out/fuzz/HEAD"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drawn", type=int, default=40, metavar="N", help="synthetic targets to start from")
    parser.add_argument("--long-share", type=float, default=LONG_SHARE, metavar="P")
    parser.add_argument(
        "--music21",
        type=float,
        default=0.02,
        metavar="P",
        help="share of scores that are converted to MusicXML",
    )
    parser.add_argument(
        "--skip-loops", action="store_true", help="skip the 64 KiB loops, for example when continuing a run"
    )
    args = parser.parse_args()
    folder = (args.corpus or Path("out") / "fuzz" / args.head).resolve()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    prepare(args.head, folder, args.drawn)
    loops = [] if args.skip_loops else read_loops(args.head, folder)
    run = run_processes(args, folder)
    measured = loops + measure(args.head, sorted(run.suspects | set(run.crashes)))
    sys.exit(report(args.head, run, measured))


def report(head: str, run: Run, measured: list[dict[str, Any]]) -> int:
    """Print the result. Returns the exit code, 1 if something was found."""
    print(f"head          {head}")
    print(f"inputs        {run.inputs:,} ({run.long:,} longer than 32 KiB)")
    print(f"checked       content of {run.content:,}, parsed twice {run.twice:,}")
    print(f"seconds       {run.seconds:,.0f} ({run.inputs / max(run.seconds, 1e-9):,.0f} inputs/s)")
    print(f"edges         {run.edges:,} ({run.features:,} features)")
    for key, unit in (("cpu", "s of processor"), ("wall", "s of wall clock"), ("mb", "MB at its highest")):
        worst = max(measured, key=lambda entry: entry[key], default=None)
        if worst is not None:
            size = Path(worst["file"]).stat().st_size
            print(f"worst         {worst[key]:.3f} {unit}: {worst['file']} ({size:,} bytes)")
    over = [entry for entry in measured if entry["cpu"] > MAX_SECONDS or entry["mb"] > MAX_MB]
    for entry in over:
        print(f"OVER A LIMIT  {entry['cpu']:.2f} s, {entry['mb']:.0f} MB: {entry['file']}")
    for path in run.crashes:
        print(f"PROCESS DIED  {path}")
    for kind, count in run.kinds.most_common():
        print(f"FOUND {count:7} {kind}" + (" (while instrumented)" if kind in ("slow", "large") else ""))
    broken = [entry for entry in measured if entry["fault"]]
    for entry in broken:
        print(f"BROKEN        {entry['fault']}: {entry['file']}")
    return int(bool(over or run.crashes or broken or set(run.kinds) - {"slow", "large"}))


if __name__ == "__main__":
    main()
