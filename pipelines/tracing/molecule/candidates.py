"""What connected ink looks like: its outline, and the letter that this is likeliest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter_classes import load_model
from docai.pipelines.drawings.letter_outlines import nest
from docai.pipelines.tracing.molecule.parts import Part, contours_of

_SURE: Final = 0.6
"""Probability from which a part is a letter whose height counts."""


_ALIKE: Final = ("O0oQ°○", "Il1|i", "Ss5", "Cc(", "Kk", "Xx×", "Zz2", "Vv", "Ww", "Pp", "Uu", "Yy")
"""Letters that look alike, of which the context tells which one it is."""

_LINES: Final = frozenset("/\\|-_−–—‐¯'`’~=")
"""Signs that strokes of bonds look like."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A part with its outline, and what it looks like."""

    part: Part
    contours: list[NDArray[np.float64]]
    text: str
    """The likeliest letter; empty where it is none."""
    score: float
    source: Part | None = None
    """What the part was cut out of."""

    @property
    def letter_score(self) -> float:
        """Probability that it is this letter or one that looks alike; 0 of what is none or a mere line."""
        return self.score if self.text and self.text not in _LINES else 0.0


def look_at(parts: list[Part]) -> list[Candidate]:
    """Parts with their outlines and likeliest letters; those without an outline are left out."""
    found, outlines = [], []
    for part in parts:
        contours = contours_of(part)
        shapes = nest(contours) if contours else []
        if shapes:
            found.append(Candidate(part, contours, "", 0.0))
            outlines.append(max(shapes, key=lambda shape: shape.width * shape.height))
    if not outlines:
        return []
    model = load_model()
    for candidate, row in zip(found, model.probabilities(outlines), strict=True):
        best = int(row.argmax())
        text = model.classes[best]
        alike = next((group for group in _ALIKE if text and text in group), text)
        members = [k for k, name in enumerate(model.classes) if name and name in alike] or [best]
        candidate.text, candidate.score = text, float(row[members].sum())
    return found


def letter_height(candidates: list[Candidate]) -> float:
    """Pixels: the middle height of what surely is a capital; 0 without any."""
    heights = [
        candidate.part.height
        for candidate in candidates
        if candidate.letter_score >= _SURE and candidate.text.isalpha() and candidate.text.isupper()
        if candidate.text != "I"
    ]
    return float(np.median(heights)) if heights else 0.0
