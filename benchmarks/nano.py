"""Measures the embedded checkpoint: the tables of its model card.

    python benchmarks/nano.py [--model nano] [--heads table text] [--count 75] [--seed 7] [--write]

Draws held-out pairs of a picture and its truth (with content and fonts that no training draws) at four
difficulties, lets the model read the pictures, and measures the answers with the tasks of ``docai evaluate``;
then does the same with the real documents in the folder ``DOCAI_REAL_DATA``, where that is set. Prints
Markdown rows: the measures of each head with their 95 % bootstrap interval over the pairs, how many parts of
the answers are right, and the expected calibration error (0..1) of their confidences. ``--write`` puts the
tables between the marks in ``models/nano/README.md``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common import REAL_DATA, real_data, script_parser

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
class HeadMeasures:
    """How one head is measured."""

    head: str
    task: str
    names: tuple[str, ...]
    """Of the task's measures, those that are printed."""
    drawn: str
    """The data set that :func:`write_pairs` leaves in a folder."""


HEAD_MEASURES = (
    HeadMeasures("table", "table", ("teds", "s-teds"), "pubtabnet:{}"),
    HeadMeasures("molecule", "molecule", ("exact", "valid"), "molscribe:{}/molecules.csv"),
    HeadMeasures("score", "score", ("ser", "parses"), "grandstaff:{}"),
    HeadMeasures("text", "text-hiertext", ("f1", "det-f1"), "icdar2015:{}"),
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
        for measures in (measures for measures in HEAD_MEASURES if measures.head in heads):
            parts = []
            for difficulty in DIFFICULTIES:
                pairs = Path(folder) / measures.head / str(difficulty)
                write_pairs(measures.head, count, seed, pairs, difficulty=difficulty, split="held-out")
                evaluation = evaluate(measures.drawn.format(pairs), engine=engine, tasks=[measures.task])
                parts.append(evaluation)
                yield f"| {measures.head} | {difficulty} | {_cells(measures, evaluation)} |"
            cases = [case for part in parts for case in part.cases]
            yield f"| {measures.head} | all | {_cells(measures, replace(parts[0], cases=cases))} |"


def real_rows(engine: PaliGemmaEngine, heads: Sequence[str], real: Path) -> Iterator[str]:
    """One Markdown row per set of real documents."""
    yield "| head | real documents | n | measured (95 % interval) | right | calibration error |"
    yield "|---|---|---|---|---|---|"
    by_head = {measures.head: measures for measures in HEAD_MEASURES}
    for head, data, title in (real_set for real_set in REAL if real_set[0] in heads):
        evaluation = evaluate(data.format(real), engine=engine, tasks=[by_head[head].task])
        yield f"| {head} | {title} | {_cells(by_head[head], evaluation)} |"


def _cells(measures: HeadMeasures, evaluation: Evaluation) -> str:
    task = summarize(evaluation, TASKS).tasks[0]
    by_name = {measure.name: measure for measure in task.measures}
    figures = ", ".join(_figure(by_name[name]) for name in measures.names)
    return f"{len(evaluation.cases)} | {figures} | {_right(evaluation, task)} | {_error(task)}"


def _figure(measure: MeasureSummary) -> str:
    if measure.value is None:
        return f"{measure.label} –"
    factor, digits, unit = (100, 1, " %") if measure.percent else (1, 3, "")
    shown = f"{measure.label} {measure.value * factor:.{digits}f}{unit}"
    if measure.interval is None:
        return shown
    low, high = (f"{bound * factor:.{digits}f}" for bound in (measure.interval.low, measure.interval.high))
    return f"{shown} ({low}–{high})"


def _right(evaluation: Evaluation, task: TaskSummary) -> str:
    beliefs = [belief for case in evaluation.cases for belief in case.scores[task.name].beliefs]
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
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS), help="by default all")
    parser.add_argument("--count", type=int, default=75, help="pairs per head and difficulty (default 75)")
    parser.add_argument("--seed", type=int, default=7, help="of the drawn pairs (default 7)")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {CARD.relative_to(ROOT)}")
    arguments = parser.parse_args()
    engine = PaliGemmaEngine.load(arguments.model, device="cpu")
    lines = []

    def add(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    add(f"{engine.checkpoint.name}@{engine.checkpoint.revision}, seed {arguments.seed}:")
    add("")
    for row in drawn_rows(engine, arguments.heads, arguments.count, arguments.seed):
        add(row)
    if real := real_data():
        add("")
        for row in real_rows(engine, arguments.heads, real):
            add(row)
    else:
        print(f"The real documents are not measured: {REAL_DATA} names no folder.", file=sys.stderr)
    if arguments.write:
        write_card(lines)


if __name__ == "__main__":
    main()
