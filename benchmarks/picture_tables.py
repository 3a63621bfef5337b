"""The rows and tables that ``pictures.py`` prints, and the cases that it writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from picture_readers import SURE, Answer
from picture_sets import PictureSet, Question

from docai.pipelines.calibration.fitting import quality
from docai.pipelines.evaluation.base import Belief, CaseScore, Ratio
from docai.pipelines.evaluation.metrics.calibration import reliability
from docai.pipelines.evaluation.statistics import corpus

Half = Literal["development", "other", "both"]

DOCAI: Final = "docai"

HEADER: Final = (
    "| set | reader | cases | measures | clear: right of them | sure and wrong | s mean, most |\n"
    "|---|---|---|---|---|---|---|"
)

N_BINS: Final = 5
"""Of the printed diagrams."""

_RIGHT: Final = {"text": "right", "table": "teds-canonical", "molecule": "exact", "score": "right"}
"""The measure that is 1 where a case is right."""


@dataclass(frozen=True)
class Measured:
    """One answer to one question."""

    set_name: str
    half: Half
    kind: str
    reader: str
    answer: Answer
    question: Question
    seconds: float

    @cached_property
    def score(self) -> CaseScore:
        return self.question.score(self.answer.prediction)

    @property
    def right(self) -> float:
        """1 where all of it is right; of several texts the share of those that are."""
        value = self.score.ratios[_RIGHT[self.kind]].value if _RIGHT[self.kind] in self.score.ratios else None
        return 0.0 if value is None else value if self.kind == "text" else float(value == 1)

    @property
    def n_sure_and_wrong(self) -> int:
        return sum(belief.confidence >= SURE and not belief.is_right for belief in self.score.beliefs)

    def case(self) -> dict[str, object]:
        """One line of the file of cases."""
        sample, prediction = self.question.sample, self.answer.prediction
        return {
            "set": self.set_name,
            "half": self.half,
            "id": sample.id,
            "kind": self.kind,
            "reader": self.reader,
            "truth": [item.text for item in sample.truth],
            "read": [item.text for item in prediction.items],
            "scores": {name: ratio.value for name, ratio in self.score.ratios.items()},
            "right": self.right,
            "complete": self.answer.is_complete,
            "qualities": self.answer.qualities,
            "beliefs": self.score.beliefs,
            "parts": self.score.part_beliefs,
            "evidence": self.answer.evidence,
            "similarities": self.answer.similarities,
            "issues": self.answer.issues,
            "error": prediction.error,
            "seconds": round(self.seconds, 3),
        }


def row(part: PictureSet, reader: str, answers: Sequence[Measured]) -> str:
    """The figures of one reader on one set."""
    figures = [_figure(name, [one.score.ratios[name] for one in answers]) for name in part.measures]
    clear = [one for one in answers if one.answer.is_complete]
    # The first one has loaded what is loaded once.
    seconds = [one.seconds for one in answers][1 if len(answers) > 1 else 0 :]
    cells = (
        part.name,
        reader,
        str(len(answers)),
        ", ".join(figures),
        f"{len(clear)}: {_mean([one.right for one in clear])}",
        _sure_and_wrong(answers) if reader.startswith(DOCAI) and part.kind != "text" else "",
        f"{sum(seconds) / len(seconds):.2f}, {max(seconds):.1f}",
    )
    return f"| {' | '.join(cells)} |"


def calibration_tables(measured: Sequence[Measured]) -> Iterator[str]:
    """How far docai's confidences come true: by kind and half, for records and their parts.

    *By chance* is the error that confidences without any fault would show on so many answers. The confidence
    of a text is the mean of its words', which are in the table.
    """
    beliefs: dict[tuple[str, str], dict[str, list[Belief]]] = defaultdict(lambda: defaultdict(list))
    for one in measured:
        if one.reader == DOCAI:
            for half in (one.half, "both"):
                if one.kind != "text":
                    beliefs[one.kind, "record"][half] += one.score.beliefs
                for unit, parts in one.score.part_beliefs.items():
                    beliefs[one.kind, unit][half] += parts
    yield "\n| kind | unit | half | n | right | mean confidence | calibration error | by chance | Brier |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (kind, unit), by_half in beliefs.items():
        yield from (_calibration_row(kind, unit, half, by_half[half]) for half in sorted(by_half))
    yield "\n| kind | unit | confidence from | to | n | mean | right |\n|---|---|---|---|---|---|---|"
    for (kind, unit), by_half in beliefs.items():
        for low, high, n, confidence, accuracy in reliability(by_half["both"], N_BINS):
            yield f"| {kind} | {unit} | {low:.2f} | {high:.2f} | {n} | {confidence:.3f} | {accuracy:.3f} |"


def _calibration_row(kind: str, unit: str, half: str, beliefs: Sequence[Belief]) -> str:
    if not beliefs:
        return f"| {kind} | {unit} | {half} | 0 | – | – | – | – | – |"
    found = quality(beliefs)
    mean = sum(belief.confidence for belief in beliefs) / found.n
    figures = (found.accuracy, mean, found.error, found.by_chance, found.brier)
    return f"| {kind} | {unit} | {half} | {found.n} | {' | '.join(f'{value:.3f}' for value in figures)} |"


def _figure(name: str, ratios: Sequence[Ratio]) -> str:
    value = corpus(ratios)
    return f"{name} –" if value is None else f"{name} {value:.3f}"


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else "–"


def _sure_and_wrong(answers: Sequence[Measured]) -> str:
    n_wrong = sum(one.n_sure_and_wrong for one in answers)
    return f"{n_wrong / max(1, sum(len(one.question.sample.truth) for one in answers)):.3f}"
