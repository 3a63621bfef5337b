"""How sure a structure is that was read from a drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import Final

METHOD: Final = "strokes and letters explained, valences, labels"
"""What the number rests on, for the record."""

USED_POWER: Final = 6
"""Power of the share of strokes that is explained: a tenth of them unexplained halves the confidence."""


ENOUGH_EVIDENCE: Final = 8.0
"""Square of the number of bonds, a label counting as two, by which a few strokes become a structure."""


@dataclass(slots=True, eq=False)
class Findings:
    """What was found about a reading that bears on whether it is right."""

    used: float = 1.0
    """Share of the strokes in its box that is explained."""
    n_atoms: int = 0
    n_bonds: int = 0
    """Bonds drawn as strokes."""
    n_labels: int = 0
    """Labels at their ends that were read."""
    label_scores: list[float] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Labels that could not be read."""
    problems: list[str] = field(default_factory=list)
    """Parts that can be read in more than one way, or not at all."""
    errors: list[str] = field(default_factory=list)
    """Why it is no molecule."""
    odd: list[str] = field(default_factory=list)
    """Atoms with fewer bonds than usual and no dot."""
    doubtful: list[str] = field(default_factory=list)
    """Labels that were read as an element and may stand for a group."""
    n_dropped: int = 0
    """Wedges at atoms without a configuration."""
    unplaced: list[str] = field(default_factory=list)
    """Charges and numbers that belong to no atom."""
    unexplained: int = 0
    """Strokes and letters that are not accounted for."""


def confidence_of(findings: Findings) -> float:
    """Probability that a reading is the structure drawn, 0…1."""
    if findings.errors or not findings.n_atoms:
        return 0.0
    value = 0.99 * max(0.0, findings.used) ** USED_POWER
    for score in findings.label_scores:
        value *= score if score < 0.9 else 1.0
    value *= 0.4 ** min(len(findings.problems), 3)
    value *= 0.35 ** min(len(findings.odd), 3)
    value *= 0.4 ** min(findings.n_dropped, 2)
    value *= 0.6 ** min(len(findings.doubtful), 2)
    value *= 0.45 ** min(len(findings.unplaced), 2)
    value *= 0.7 ** min(findings.unexplained, 4)
    # A few bare strokes may be anything; what is written at them says that they are bonds.
    evidence = findings.n_bonds + 2 * findings.n_labels
    value *= 1.0 - exp(-(evidence**2) / ENOUGH_EVIDENCE)
    return round(value, 4)
