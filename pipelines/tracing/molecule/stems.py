"""The letter I without serifs: an upright stroke that stands alone at the end of a bond.

As an outline it looks like a short bond. What tells it is where it stands: a bond ends before it, with the
gap that bonds leave to labels, and it touches nothing. Bonds of one atom meet, or a third crosses the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM
from docai.pipelines.tracing.molecule.candidates import Candidate
from docai.pipelines.tracing.molecule.segments import Piece

Vector = NDArray[np.float64]
_Line = tuple[Vector, Vector]

_HEIGHTS: Final = (0.8, 1.25)
"""Height of the letter in heights of a capital."""

_USUAL_HEIGHTS: Final = (0.12, 0.5)
"""The same in bond lengths, where no letter tells the height of a capital."""

_SLANT: Final = 0.25
"""Sine of the angle from the upright, at most: italics."""

_BOND: Final = 0.45
"""Length of a bar in bond lengths from which on it is a bond itself."""

_GAP: Final = (0.5, 0.4)
"""Least distance of the end of the bond from the axis of the letter, in stroke widths, and largest, in bond
lengths. They are parts of ink that do not touch, so that there is a gap."""

_REACH: Final = 0.9
"""Distance of the middle of the letter from the other end of a bond that goes on in it, in bond lengths, at
least: a bond with a flaw in it is no longer than others."""

_IN_LINE: Final = 0.2
"""Sine of the angle between both, up to which the bond goes on in the letter."""

_AIM: Final = 0.35
"""Distance in heights of the letter by which the line of the bond may miss its middle, beside the distance
within its own extent."""

_BESIDE: Final = 0.45
"""Distance of a parallel line in bond lengths, up to which both are a multiple bond."""

_LETTER_GAP: Final = 0.6
"""Distance of other letters in heights of the letter, up to which it is one of a label with them."""

_FREE: Final = 1.5
"""Stroke widths around the end of a bond within which no other line ends or passes."""

_SCORE: Final = 0.8


def find_iodines(
    bars: Sequence[Vector],
    pieces: Sequence[Piece],
    letters: Sequence[Candidate],
    height: float,
    bond: float,
    width: float,
) -> list[int]:
    """Indices of the bars that are an I at the end of a bond.

    Args:
        bars: closed quadrangles, pixels.
        pieces: of the line work.
        letters: other letters.
        height: of a capital, pixels; 0 where none is seen.
        bond: length of the usual bond, pixels.
        width: of the usual stroke, pixels.
    """
    axes = [_axis(bar) for bar in bars]
    lines = [(piece.begin, piece.end) for piece in pieces]
    least, most = (side * height for side in _HEIGHTS) if height else (side * bond for side in _USUAL_HEIGHTS)
    found = []
    for index, (top, foot) in enumerate(axes):
        length = float(np.hypot(*(foot - top)))
        if not least <= length <= most or abs(float(foot[0] - top[0])) > _SLANT * length:
            continue
        others = [*lines, *(axis for k, axis in enumerate(axes) if k != index)]
        if any(_is_parallel_beside((top, foot), line, bond, width) for line in others):
            continue
        if any(_is_near(candidate, top, foot, length) for candidate in letters):
            continue
        bonds = [*lines, *(axis for k, axis in enumerate(axes) if k != index and _size(axis) >= _BOND * bond)]
        ends = [
            (line, at) for line in bonds for at in (0, 1) if _points_at(line, at, (top, foot), bond, width)
        ]
        # A multiple bond does not end at a halogen, and a label in the middle of a chain is no I.
        if len(ends) == 1 and _is_free(*ends[0], others, (top, foot), width):
            found.append(index)
    return found


def as_letter(bar: Vector, scale: float) -> Letter:
    """The I that a bar is.

    Args:
        bar: closed quadrangle, pixels.
        scale: points of the drawing per pixel.
    """
    (x0, y0), (x1, y1) = (bar.min(axis=0) * scale).tolist(), (bar.max(axis=0) * scale).tolist()
    return Letter("I", (x0, y0, x1, y1), (y1 - y0) / CAP_HEIGHT_EM, y1, 0, _SCORE)


def _axis(bar: Vector) -> _Line:
    """The middles of both short sides, the upper one first."""
    sides = [(bar[k] + bar[k + 1]) / 2 for k in range(4)]
    first, second = max((sides[0::2], sides[1::2]), key=lambda pair: float(np.hypot(*(pair[1] - pair[0]))))
    return (first, second) if first[1] <= second[1] else (second, first)


def _size(line: _Line) -> float:
    return float(np.hypot(*(line[1] - line[0])))


def _along(line: _Line) -> tuple[Vector, float]:
    length = max(_size(line), 1e-9)
    return (line[1] - line[0]) / length, length


def _is_parallel_beside(stem: _Line, line: _Line, bond: float, width: float) -> bool:
    unit, length = _along(stem)
    other, other_length = _along(line)
    if abs(float(unit[0] * other[1] - unit[1] * other[0])) > _SLANT or other_length < 0.5 * length:
        return False
    begins, ends = (float((point - stem[0]) @ unit) for point in line)
    off = (line[0] + line[1]) / 2 - stem[0]
    across = abs(float(unit[0] * off[1] - unit[1] * off[0]))
    overlap = min(length, max(begins, ends)) - max(0.0, min(begins, ends))
    return width < across <= _BESIDE * bond and overlap > 0.5 * length


def _is_near(candidate: Candidate, top: Vector, foot: Vector, height: float) -> bool:
    part = candidate.part
    right, low = part.x + part.width, part.y + part.height
    x0, x1 = sorted((float(top[0]), float(foot[0])))
    apart = max(part.x - x1, x0 - right, part.y - float(foot[1]), float(top[1]) - low)
    return apart < _LETTER_GAP * height


def _points_at(line: _Line, at: int, stem: _Line, bond: float, width: float) -> bool:
    """Whether a bond ends before the stem, and its line goes on to it."""
    end, other = line[at], line[1 - at]
    top, foot = stem
    if _size(line) < _BOND * bond:
        return False
    inside = float(np.clip(end[1], top[1], foot[1]))
    x = float(np.interp(inside, (top[1], foot[1]), (top[0], foot[0])))
    gap = float(np.hypot(end[0] - x, end[1] - inside))
    if not _GAP[0] * width <= gap <= _GAP[1] * bond:
        return False
    unit = (end - other) / max(_size(line), 1e-9)
    middle = (top + foot) / 2
    if abs(float(unit[0])) < _IN_LINE and float(np.hypot(*(middle - other))) < _REACH * bond:
        return False
    ahead = float((middle - end) @ unit)
    if ahead <= 0:
        return False
    height = float(foot[1] - top[1])
    miss = middle - end - ahead * unit
    # A bond from the side aims at the letter, at whichever height; one from above at the stem itself.
    return abs(float(miss[0])) <= _AIM * height and abs(float(miss[1])) <= (0.5 + _AIM) * height


def _is_free(line: _Line, at: int, lines: Sequence[_Line], stem: _Line, width: float) -> bool:
    """Whether nothing else is at the end of a bond, nor between it and the stem."""
    end = line[at]
    ahead = (stem[0] + stem[1]) / 2
    for other in lines:
        if all(np.array_equal(a, b) for a, b in zip(other, line, strict=True)):
            continue
        for point in (end, end + 0.4 * (ahead - end)):
            if _distance(point, other) < _FREE * width:
                return False
    return True


def _distance(point: Vector, line: _Line) -> float:
    unit, length = _along(line)
    along = float(np.clip((point - line[0]) @ unit, 0.0, length))
    return float(np.hypot(*(point - line[0] - along * unit)))
