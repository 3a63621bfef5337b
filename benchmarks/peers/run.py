"""Measures docai and other tools on the same files in the same run.

    python benchmarks/peers/run.py [--only NAME ...] [--limit N] [--write]

Reads the real documents in the folder ``DOCAI_REAL_DATA`` with every installed tool, and prints the tables of
``benchmarks/RESULTS.md``; ``--write`` puts them there. ``--only`` takes names of data sets and of tools.
Python tools are installed in ``.venv-peers`` (``make peers-env``). Predictions are stored below ``out/peers``
and made again only after a change of the tool or of docai, so a stopped run continues where it stopped;
``--fresh`` makes all of them again.

Each data set says which measures are taken, see ``suites.py``. Seconds are processor seconds of one case in a
process that has the tool loaded; a command-line tool is started for every case. Peak memory (MiB) is that of
the tool's process, over the cases of the data set.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import results
from adapters import PEERS, ROOT, Peer, input_of
from reading import Reading, Settings, read_all
from results import Row
from suites import SUITES, Suite

from docai.errors import DatasetError
from docai.pipelines.evaluation.datasets.dataset import DataSet
from docai.pipelines.evaluation.running import Selection, readable, select
from docai.pipelines.evaluation.scoring import score_cases

RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def rows(
    suite: Suite, dataset: DataSet, selection: Selection, peers: Sequence[Peer], settings: Settings
) -> Iterator[Row]:
    """Every tool that reads what the data set holds, in the order of PEERS."""
    forms = {input_of(sample) for sample in selection.samples}
    fitting = [
        peer
        for peer in peers
        if peer.name not in suite.without and any(peer.takes(suite.kind, form) for form in forms)
    ]

    def read(peer: Peer) -> Reading:
        started = time.perf_counter()
        reading = read_all(peer, suite.name, suite.kind, selection, settings)
        _say(f"{suite.name}: {peer.name} read in {time.perf_counter() - started:.0f} s")
        return reading

    with ThreadPoolExecutor(settings.jobs) as pool:
        try:
            readings = list(pool.map(read, fitting))
        except KeyboardInterrupt:
            settings.stop.set()
            raise
    for reading in readings:
        started = time.perf_counter()
        answered = [sample for sample in selection.samples if sample.id in reading.predictions]
        cases = [(sample, reading.predictions[sample.id]) for sample in answered]
        scores = list(score_cases(cases, suite.tasks, dataset.kinds, jobs=os.cpu_count() or 1))
        _say(f"{suite.name}: {reading.peer.name} scored in {time.perf_counter() - started:.0f} s")
        yield Row(reading, scores)


def report(arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of RESULTS.md."""
    suites, peers = _chosen(arguments.only)
    settings = Settings(
        ROOT / arguments.out, arguments.timeout, arguments.threads, arguments.jobs, arguments.fresh
    )
    yield "# docai beside other tools"
    yield ""
    command = " ".join(["python benchmarks/peers/run.py", *sys.argv[1:]])
    yield from results.header(command)
    yield f"- {_RULES.format(threads=arguments.threads, timeout=arguments.timeout)}"
    readings: list[Reading] = []
    for suite in suites:
        try:
            dataset = suite.open(arguments.data, settings.folder)
            selection = _selection(suite, dataset, arguments)
        except DatasetError as error:
            yield from ("", f"## {suite.title}", "", f"Not measured: {error}")
            continue
        suite_rows = list(rows(suite, dataset, selection, peers, settings))
        readings += [row.reading for row in suite_rows]
        yield from ("", f"## {suite.title}", "", _extent(suite, selection), "")
        yield from results.table(suite.columns, suite_rows)
    yield from ("", "## Tools", "")
    yield from results.versions(readings)


_RULES = (
    "figures are corpus figures with the 95 % interval of 1000 bootstrap resamples of cases; a case that a "
    "tool failed on counts as missed; `s / case` is the mean of processor seconds, the tool being loaded and "
    "using {threads} of the cores, at most {timeout:.0f} s by the clock; `× docai` is the tool's seconds "
    "over docai's on the same cases; `peak MiB` is the largest resident memory of its process or of a "
    "program that it ran"
)


def _selection(suite: Suite, dataset: DataSet, arguments: argparse.Namespace) -> Selection:
    limits = [limit for limit in (suite.limit, arguments.limit) if limit is not None]
    return readable(select(dataset, limit=min(limits, default=None), seed=arguments.seed))


def _extent(suite: Suite, selection: Selection) -> str:
    chosen, everything = len(selection.samples), len(selection.ids) - len(selection.skipped)
    cases = f"{chosen} cases" if chosen == everything else f"{chosen} of {everything} cases, chosen by seed"
    reasons = Counter(case.reason.rstrip(".") for case in selection.skipped)
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in reasons.most_common())
    return f"{suite.text} {cases}{skipped}."


def _chosen(names: Sequence[str]) -> tuple[Sequence[Suite], Sequence[Peer]]:
    unknown = set(names) - {suite.name for suite in SUITES} - {peer.name for peer in PEERS}
    if unknown:
        known = ", ".join([suite.name for suite in SUITES] + [peer.name for peer in PEERS])
        sys.exit(f"There is no data set or tool {', '.join(sorted(unknown))}; there are: {known}.")
    suites = [suite for suite in SUITES if suite.name in names] or list(SUITES)
    peers = [peer for peer in PEERS if peer.name in names] or list(PEERS)
    return suites, peers


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="data sets and tools, by default all"
    )
    parser.add_argument("--limit", type=int, help="cases per data set, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of cases (default 0)")
    parser.add_argument("--data", type=Path, default=os.environ.get("DOCAI_REAL_DATA"), help="real documents")
    parser.add_argument("--out", type=Path, default=Path("out/peers"), help="where predictions are stored")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds per case (default 120)")
    parser.add_argument("--threads", type=int, default=1, help="cores that a tool may use (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="tools that run at the same time (default 2)")
    parser.add_argument("--fresh", action="store_true", help="do not use stored predictions")
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {RESULTS.relative_to(ROOT)}"
    )
    arguments = parser.parse_args()
    if arguments.data is None or not arguments.data.is_dir():
        sys.exit(
            f"There are no real documents at {arguments.data}: give --data FOLDER or set DOCAI_REAL_DATA."
        )
    lines = []
    try:
        for line in report(arguments):
            print(line, flush=True)
            lines.append(line)
    except KeyboardInterrupt:
        _say("Stopped. The predictions made so far are stored; the same command continues from there.")
        sys.exit(130)
    if arguments.write:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
