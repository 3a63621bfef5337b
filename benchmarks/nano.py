"""What the embedded checkpoint reaches: the tables of its model card.

    python benchmarks/nano.py [--model nano] [--heads table text] [--count 75] [--seed 7] [--write]

Draws held-out pairs (content and fonts that no training draws) at four difficulties, lets the model read
them, and measures with the tasks of ``docai evaluate``; then does the same with the real documents at
``DOCAI_REAL_DATA`` (by default ``../shared/real``), where that folder exists. Intervals are 95 % bootstrap
intervals over the pairs. ``--write`` puts the tables between the marks in ``models/nano/README.md``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.evaluation.evaluator import evaluate
from docai.pipelines.evaluation.report.model import MeasureSummary, TaskSummary
from docai.pipelines.evaluation.report.summary import summarize
from docai.pipelines.evaluation.scoring import Evaluation
from docai.pipelines.evaluation.tasks import TASKS
from docai.pipelines.synthesis.write import write_pairs

ROOT = Path(__file__).parent.parent
CARD = ROOT / "models" / "nano" / "README.md"
DIFFICULTIES = (0.0, 0.1, 0.3, 1.0)
BEGIN, END = "<!-- begin: python benchmarks/nano.py --write -->", "<!-- end -->"


@dataclass(frozen=True)
class Reading:
    """How one head is measured."""

    head: str
    task: str
    measures: tuple[str, ...]
    drawn: str
    """The data set that :func:`write_pairs` leaves in a folder."""


READINGS = (
    Reading("table", "table", ("teds", "s-teds"), "pubtabnet:{}"),
    Reading("molecule", "molecule", ("exact", "valid"), "molscribe:{}/molecules.csv"),
    Reading("score", "score", ("ser", "parses"), "grandstaff:{}"),
    Reading("text", "text-hiertext", ("f1", "det-f1"), "icdar2015:{}"),
)
REAL = (
    ("table", "pubtabnet:{}/tables/pubtabnet", "10 PubTabNet tables"),
    ("molecule", "molfiles:{}/molecules/uspto", "USPTO drawings"),
    ("molecule", "molfiles:{}/molecules/clef2012", "CLEF 2012 drawings"),
    ("score", "kern-pages:{}/scores/mozart", "4 scanned pages of Mozart"),
    ("text", "icdar2015:{}/text/icdar2015", "5 street photographs"),
)


def drawn_rows(engine: PaliGemmaEngine, heads: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """One Markdown row per head and difficulty, and one over all difficulties of a head."""
    yield "| head | difficulty | pairs | measured (95 % interval) | right | calibration error |"
    yield "|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for reading in (one for one in READINGS if one.head in heads):
            parts = []
            for difficulty in DIFFICULTIES:
                pairs = Path(folder) / reading.head / str(difficulty)
                write_pairs(reading.head, count, seed, pairs, difficulty=difficulty, split="held-out")
                found = evaluate(reading.drawn.format(pairs), engine=engine, tasks=[reading.task])
                parts.append(found)
                yield f"| {reading.head} | {difficulty} | {_cells(reading, found)} |"
            cases = [case for part in parts for case in part.cases]
            yield f"| {reading.head} | all | {_cells(reading, replace(parts[0], cases=cases))} |"


def real_rows(engine: PaliGemmaEngine, heads: Sequence[str], real: Path) -> Iterator[str]:
    """One Markdown row per set of real documents."""
    yield "| head | real documents | n | measured (95 % interval) | right | calibration error |"
    yield "|---|---|---|---|---|---|"
    readings = {reading.head: reading for reading in READINGS}
    for head, data, title in (one for one in REAL if one[0] in heads):
        found = evaluate(data.format(real), engine=engine, tasks=[readings[head].task])
        yield f"| {head} | {title} | {_cells(readings[head], found)} |"


def _cells(reading: Reading, found: Evaluation) -> str:
    task = summarize(found, TASKS).tasks[0]
    by_name = {measure.name: measure for measure in task.measures}
    figures = ", ".join(_figure(by_name[name]) for name in reading.measures)
    return f"{len(found.cases)} | {figures} | {_right(found, task)} | {_error(task)}"


def _figure(measure: MeasureSummary) -> str:
    if measure.value is None:
        return f"{measure.label} –"
    factor, digits, unit = (100, 1, " %") if measure.percent else (1, 3, "")
    shown = f"{measure.label} {measure.value * factor:.{digits}f}{unit}"
    if measure.interval is None:
        return shown
    low, high = (f"{bound * factor:.{digits}f}" for bound in (measure.interval.low, measure.interval.high))
    return f"{shown} ({low}–{high})"


def _right(found: Evaluation, task: TaskSummary) -> str:
    beliefs = [belief for case in found.cases for belief in case.scores[task.name].beliefs]
    return f"{sum(belief.is_right for belief in beliefs)}/{len(beliefs)}" if beliefs else "–"


def _error(task: TaskSummary) -> str:
    return "–" if task.calibration is None else f"{task.calibration.error:.3f}"


def write_card(lines: Sequence[str]) -> None:
    """Replace what stands between the marks of the model card."""
    before, begin, rest = CARD.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{CARD} has lost the lines {BEGIN} and {END}.")
    CARD.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--count", type=int, default=75, help="pairs of a head at one difficulty")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    engine = PaliGemmaEngine.load(arguments.model, device="cpu")
    lines = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(f"{engine.checkpoint.name}@{engine.checkpoint.revision}, seed {arguments.seed}:")
    say("")
    for row in drawn_rows(engine, arguments.heads, arguments.count, arguments.seed):
        say(row)
    real = Path(os.environ.get("DOCAI_REAL_DATA", ROOT.parent / "shared" / "real"))
    if real.is_dir():
        say("")
        for row in real_rows(engine, arguments.heads, real):
            say(row)
    if arguments.write:
        write_card(lines)


if __name__ == "__main__":
    main()
