"""Raised plus signs beside letters, in gray levels: as ink in black and white a small one is a mere blob.

In pictures of few pixels the arms of a plus are thinner than a pixel, and gray. Thresholded, it becomes a
round spot, or runs into its letter or a bond. It is found before that, by normalized cross-correlation with
crosses of the sizes that it has (Lewis 1995), wherever a letter stands to its left or right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM
from docai.pipelines.tracing.molecule.candidates import Candidate
from docai.pipelines.tracing.molecule.ink import MAX_PIXELS, Ink

_CAPITAL_PX: Final = 36.0
"""Height of a capital at the scale at which signs are looked for."""

_MAX_FACTOR: Final = 2.5
"""Enlargement above which what was taken for capitals is too small to be letters."""

_SIDES: Final = (0.28, 0.34, 0.4, 0.46, 0.52)
"""Sides of a cross in heights of a capital."""

_ARM: Final = 0.09
"""Width of its arms in heights of a capital, before they are blurred."""

_BLUR: Final = 0.5
"""Standard deviation of the blur of a picture in its own pixels."""

_FRAME: Final = 2
"""Pixels of paper around a cross."""

_LIKENESS: Final = 0.83
"""Correlation with a cross, at least."""

_LEVEL: Final = 0.5
"""Darkness of the middle of a sign, at least, where paper is 0 and the usual stroke 1."""

_ARMS: Final = (0.3, 0.4)
"""Distance of places on its arms from its middle, in sides of a cross, and how dark each is at least, where
the middle is 1: of a minus sign two are paper."""

_BEYOND: Final = (0.85, 0.5)
"""Distance above and below its middle, in sides of a cross, and how dark it is there at most: a ``t`` goes
on. Beside it, its letter may touch it."""

_SURE: Final = 0.6
"""Probability of the letter that a sign stands beside, at least."""

_GAP: Final = (0.05, 0.75)
"""Distance of the middle of a sign from the side of its letter, in heights of a capital."""

_ABOVE: Final = (-0.35, 0.45)
"""How far the middle of a sign is below the top of its letter, in heights of a capital."""

_SCORE: Final = 0.9


@dataclass(frozen=True, slots=True)
class PlusSign:
    """A cross, pixels of the ink."""

    x: float
    y: float
    """Its middle."""
    side: float
    height: float
    """Of a capital."""

    def is_beside(self, letter: Candidate) -> bool:
        """Whether it is a charge of a letter, to its right or left."""
        part = letter.part
        gap = max(self.x - part.x - part.width, part.x - self.x) / self.height
        below = (self.y - part.y) / self.height
        return _GAP[0] <= gap <= _GAP[1] and _ABOVE[0] <= below <= _ABOVE[1]

    def as_letter(self, scale: float) -> Letter:
        """The letter that it is; ``scale`` is points of the drawing per pixel."""
        half, size = self.side / 2, self.height / CAP_HEIGHT_EM
        box = [value * scale for value in (self.x - half, self.y - half, self.x + half, self.y + half)]
        return Letter("+", (box[0], box[1], box[2], box[3]), size * scale, box[3], 0, _SCORE)


def find_crosses(ink: Ink, height: float) -> list[PlusSign]:
    """Crosses anywhere in a picture, the likeliest first; ``height`` is that of a capital, pixels."""
    factor = _CAPITAL_PX / height if height > 0 else np.inf
    if factor > _MAX_FACTOR or ink.levels.size * factor**2 > MAX_PIXELS:
        return []
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    levels = cv2.resize(ink.levels, None, fx=factor, fy=factor, interpolation=method)
    found: list[tuple[float, PlusSign]] = []
    for share in _SIDES:
        cross = _cross(share * _CAPITAL_PX, _ARM * _CAPITAL_PX, _BLUR * ink.scale * factor)
        if min(levels.shape) < len(cross):
            continue
        likeness = cv2.matchTemplate(levels, cross, cv2.TM_CCOEFF_NORMED)
        middle = len(cross) // 2
        rows, columns = likeness.shape
        # On even paper the correlation is not defined, and may be anything.
        is_dark = levels[middle : middle + rows, middle : middle + columns] >= _LEVEL * 255
        likeness[~is_dark] = 0.0
        is_peak = likeness == cv2.dilate(likeness, np.ones((9, 9), np.uint8))
        for y, x in np.argwhere(is_peak & (likeness >= _LIKENESS)).tolist():
            if _is_sign(levels, x + middle, y + middle, share * _CAPITAL_PX):
                at = ((x + middle + 0.5) / factor, (y + middle + 0.5) / factor)
                found.append((float(likeness[y, x]), PlusSign(*at, share * height, height)))
    kept: list[PlusSign] = []
    for _, sign in sorted(found, key=lambda pair: -pair[0]):
        if all(abs(sign.x - other.x) + abs(sign.y - other.y) > 0.4 * height for other in kept):
            kept.append(sign)
    return kept


def _is_sign(levels: NDArray[np.uint8], x: int, y: int, side: float) -> bool:
    """Whether the arms of a cross around a place are about as dark as it is, and the upright one ends."""
    height, width = levels.shape

    def level(dx: float, dy: float) -> float:
        column, row = x + round(dx * side), y + round(dy * side)
        return float(levels[row, column]) if 0 <= row < height and 0 <= column < width else 0.0

    center, arm, end = level(0, 0), _ARMS[0], _BEYOND[0]
    arms = min(level(arm, 0), level(-arm, 0), level(0, arm), level(0, -arm))
    beyond = max(level(0, end), level(0, -end))
    return arms >= _ARMS[1] * center and beyond <= _BEYOND[1] * center


def signs_of(crosses: Sequence[PlusSign], letters: Sequence[Candidate]) -> list[PlusSign]:
    """The crosses that stand beside letters as their charges."""
    sure = [one for one in letters if one.letter_score >= _SURE and one.text.isalnum()]
    return [cross for cross in crosses if any(cross.is_beside(letter) for letter in sure)]


def without_signs(ink: Ink, signs: Sequence[PlusSign]) -> Ink:
    """The ink without these signs, so that they touch nothing."""
    mask = ink.mask.copy()
    for sign in signs:
        # Blurred arms reach beyond the cross; a bond may pass between them.
        along, across = (sign.side + 0.4 * ink.width) / 2, 0.5 * ink.width
        for half_x, half_y in ((along, across), (across, along)):
            rows = slice(max(round(sign.y - half_y), 0), max(round(sign.y + half_y), 0))
            mask[rows, max(round(sign.x - half_x), 0) : max(round(sign.x + half_x), 0)] = 0
    return replace(ink, mask=mask)


def _cross(side: float, arm: float, blur: float) -> NDArray[np.uint8]:
    """A picture of an upright cross."""
    fine = 4
    size = (round(side) + 2 * _FRAME) * fine
    large = np.zeros((size, size), np.float32)
    first, last = round((size - arm * fine) / 2), round((size + arm * fine) / 2)
    frame = slice(_FRAME * fine, -_FRAME * fine)
    large[first:last, frame] = 255
    large[frame, first:last] = 255
    if blur > 0:
        large = cv2.GaussianBlur(large, (0, 0), blur * fine)
    small = cv2.resize(large, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
