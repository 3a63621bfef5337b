"""How sure a system was read from its drawing: what was explained, and how well the measures fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from docai.geometry import BBox
from docai.pipelines.drawings.score.types import System

_BEST = 0.99
_COST_WEIGHT = 0.35
"""By which a unit of the cost of reading a measure lowers the logarithm of its confidence."""
_UNFILLED_FACTOR = 0.45
"""Of a measure that does not fill its meter."""
_UNEXPLAINED_WEIGHT = 0.25
"""By which one unexplained mark a staff and measure lowers the logarithm of the confidence."""
_PROBLEM_FACTOR = 0.8
_MAX_PROBLEMS = 4
_RANGE = range(7, 70)
"""Diatonic numbers from C1 to B9: what instruments play."""


@dataclass(frozen=True, slots=True)
class MeasureEvidence:
    """What speaks for and against the reading of one measure."""

    x0: float
    x1: float
    cost: float
    """Of its voices, summed over staves."""
    is_filled: bool
    """All staves last as long as the meter, or as each other where it may be shorter."""
    scores: Sequence[float] = ()
    """How sure its symbols were told, 0…1."""
    n_out_of_range: int = 0
    """Notes that no instrument plays."""


def is_in_range(step: int) -> bool:
    """Whether a diatonic number is one that is played."""
    return step in _RANGE


def measure_confidence(evidence: MeasureEvidence, n_staves: int, unexplained: Sequence[BBox]) -> float:
    """The probability that the notes of a measure are right."""
    n_marks = sum(evidence.x0 <= (box[0] + box[2]) / 2 < evidence.x1 for box in unexplained)
    value = _BEST * exp(-_COST_WEIGHT * max(evidence.cost, 0.0) / max(1, n_staves) ** 0.5)
    value *= exp(-_UNEXPLAINED_WEIGHT * n_marks / max(1, n_staves))
    if not evidence.is_filled:
        value *= _UNFILLED_FACTOR
    if evidence.scores:
        value *= min(1.0, 0.2 + min(evidence.scores))
    if evidence.n_out_of_range:
        value /= 2
    return max(0.0, min(1.0, value))


def system_confidence(measures: Sequence[float], system: System) -> float:
    """The probability that a system is read as it is meant: no surer than its weakest measure lets it be."""
    if not measures:
        return 0.0
    mean = sum(measures) / len(measures)
    weakest = min(measures)
    return float(mean**0.5 * weakest**0.5 * _PROBLEM_FACTOR ** min(len(system.problems), _MAX_PROBLEMS))
