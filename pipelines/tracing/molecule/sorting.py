"""Connected ink told apart: letters, bars, and line work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.bars import as_bar
from docai.pipelines.tracing.molecule.candidates import Candidate, letter_height, look_at
from docai.pipelines.tracing.molecule.parts import Part
from docai.pipelines.tracing.molecule.splitting import split_letters

_MAX_SIDE: Final = 0.85
"""Larger side of a letter in bond lengths, at most."""

_MAX_HEIGHT: Final = 1.75
"""Height of a letter in heights of the usual capital, at most: parentheses are the tallest."""

_MAX_ROW: Final = 5.0
"""Width of letters that touch in heights of a capital, at most."""

_SURE_LETTER: Final = 0.8
"""Probability of its letter from which a part is no bar."""

_BARS: Final = frozenset("Il1|i!/\\.,:;'*°-−–=()[]")
"""Letters and signs that bars and dots look like."""

_MIN_BAR: Final = 1.3
"""Larger side of a bar in stroke widths, at least."""

_DOT: Final = 2.6
"""Larger side in stroke widths up to which a part is a dot and no line."""

_MIN_LETTER: Final = 0.3
"""Probability of its letter from which a part is not traced as lines."""

USUAL_HEIGHT: Final = 0.42
"""Height of capitals in bond lengths where no letter tells it."""


@dataclass(slots=True, eq=False)
class Sorted:
    """Parts by what they may be."""

    letters: list[Candidate] = field(default_factory=list)
    bars: list[NDArray[np.float64]] = field(default_factory=list)
    """Quadrangles of straight bars and wedges, closed, pixels of the ink; short ones may be letters."""
    lines: list[Part] = field(default_factory=list)
    height: float = 0.0
    """Of a capital, pixels; 0 where none is seen."""


def sort_parts(parts: list[Part], bond: float, width: float) -> Sorted:
    """Parts told apart by their size and outline.

    Args:
        bond: length of the usual bond, pixels.
        width: of the usual stroke, pixels.
    """
    found = Sorted()
    rest = []
    for part in parts:
        large = max(part.width, part.height)
        bar = as_bar(part, width) if large > _MIN_BAR * width else None
        if bar is None or (large <= _MAX_SIDE * bond and _is_sure_letter(part)):
            rest.append(part)
        else:
            found.bars.append(bar)
    small = [part for part in rest if max(part.width, part.height) <= _MAX_SIDE * bond]
    candidates = look_at(small)
    found.height = letter_height(candidates)
    height = found.height or USUAL_HEIGHT * bond
    rows = [
        part
        for part in rest
        if max(part.width, part.height) > _MAX_SIDE * bond
        and part.height <= _MAX_HEIGHT * height
        and part.width <= _MAX_ROW * height
    ]
    fitting = [
        candidate
        for candidate in [*candidates, *look_at(rows)]
        if candidate.part.height <= _MAX_HEIGHT * height
    ]
    found.letters = [
        candidate
        for candidate in split_letters(fitting, height, width)
        if candidate.letter_score >= _MIN_LETTER or _is_dot(candidate.part, width)
    ]
    taken = {id(part) for candidate in found.letters for part in (candidate.part, candidate.source)}
    found.lines = [part for part in rest if id(part) not in taken]
    return found


def _is_sure_letter(part: Part) -> bool:
    """Whether a part that could be a bar is a letter that no bar looks like."""
    looks = look_at([part])
    return bool(looks) and looks[0].letter_score >= _SURE_LETTER and looks[0].text not in _BARS


def _is_dot(part: Part, width: float) -> bool:
    return max(part.width, part.height) <= _DOT * width
