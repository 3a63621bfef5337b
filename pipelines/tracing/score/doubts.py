"""What speaks against the reading of a picture of music: ink that nothing explains, symbols hardly seen.

The confidence of a reading comes from how well its notes fill the measures. That is blind to what was not
seen at all, and to an octave or a clef: what was left over tells of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.sheet import Sheet
from docai.pipelines.drawings.score.types import Staff, System
from docai.pipelines.tracing.score.ink import Mask, closed_upright
from docai.pipelines.tracing.score.picture_sheet import in_pixels
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol

BOW_MARGIN_PX: Final = 2
"""Around the outline of a bow: its ink is a little uneven."""

MIN_REST_SPACES: Final = 0.4
"""Width and height from which ink left over is a mark, in staff spaces: smaller pieces are rims."""

NEAR_SPACES: Final = 1.0
"""How far above and below the lines of a staff ink is looked at, in staff spaces: words stand farther."""

SIGNS: Final = (
    "notehead",
    "accidental",
    "rest",
    "flag",
    "augmentationDot",
    "gClef",
    "fClef",
    "cClef",
    "timeSig",
)
"""How names of symbols begin on which pitches and durations depend."""

JOIN_SHARE: Final = 0.95
"""Share of the rows between two staves that a line at their left ends covers where it joins them."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenPicture:
    """All that was made out in a straightened picture; masks are (h, w), boxes pixels of it."""

    sheet: Sheet
    staves: tuple[Staff, ...]
    symbols: tuple[PictureSymbol, ...]
    """That the sheet has."""
    left_out: tuple[PictureSymbol, ...]
    """That were found and not believed."""
    ink: Mask
    """All of it."""
    rest: Mask
    """Ink that is neither of symbols nor of strokes."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """What speaks against the reading of one system."""

    unseen: float
    """Staff spaces squared of ink on its staves that nothing explains."""
    weakness: float
    """Sum over its symbols of the negative logarithm of how surely they were seen."""
    n_left_out: int
    """Symbols on its staves that were found and not believed."""
    is_joined: bool
    """A line joins it to another system, so that both are one."""

    @property
    def factor(self) -> float:
        """By which the confidence of the reading falls, 0…1."""
        return 1.0


def covered(shape: tuple[int, ...], outlines: Iterable[NDArray[np.float64]]) -> Mask:
    """(h, w): what closed outlines, (n, 2) points each, cover, and a little around."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        points = [np.round(outline).astype(np.int32)]
        cv2.fillPoly(mask, points, 1)
        cv2.polylines(mask, points, True, 1, 2 * BOW_MARGIN_PX + 1)
    return mask.astype(bool)


def left_out(found: Sequence[PictureSymbol], kept: Sequence[PictureSymbol]) -> tuple[PictureSymbol, ...]:
    """Symbols found in the place of which none was kept."""
    middles = [_middle(symbol.box) for symbol in kept]
    near = 0.3 * SPACE_PX
    return tuple(
        symbol
        for symbol in found
        if not any(
            abs(x - _middle(symbol.box)[0]) <= near and abs(y - _middle(symbol.box)[1]) <= 2 * near
            for x, y in middles
        )
    )


def find_doubts(seen: SeenPicture, systems: Sequence[System]) -> list[Doubts]:
    """What speaks against each of the systems."""
    rest = _marks(seen.rest)
    staves = [[_in_pixels(staff) for staff in system.staves] for system in systems]
    joined = _joined_systems(seen.ink, staves)
    doubts = []
    for number, own in enumerate(staves):
        unseen = sum(float(_part(rest, staff).sum()) for staff in own) / SPACE_PX**2
        signs = [symbol for symbol in seen.symbols if symbol.name.startswith(SIGNS)]
        scores = [symbol.score for symbol in signs if _nearest(symbol.box, staves) == number]
        weakness = -sum(log(max(score, 1e-3)) for score in scores)
        n_left_out = sum(
            symbol.name.startswith(SIGNS) and any(_is_on(symbol.box, staff) for staff in own)
            for symbol in seen.left_out
        )
        doubts.append(Doubts(unseen, weakness, n_left_out, number in joined))
    return doubts


def _in_pixels(staff: Staff) -> Staff:
    x0, _, x1, _ = in_pixels((staff.x0, 0.0, staff.x1, 0.0))
    return Staff(tuple(in_pixels((0.0, y, 0.0, y))[1] for y in staff.lines), x0, x1)


def _marks(rest: Mask) -> Mask:
    """Ink left over without the rims of what was explained, and without thin lines."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest.astype(np.uint8), connectivity=8)
    least = MIN_REST_SPACES * SPACE_PX
    is_mark = (stats[:, cv2.CC_STAT_WIDTH] >= least) & (stats[:, cv2.CC_STAT_HEIGHT] >= least)
    is_mark[0] = False
    return np.asarray(is_mark[labels], bool)


def _part(mask: Mask, staff: Staff) -> Mask:
    margin = NEAR_SPACES * SPACE_PX
    top, bottom = max(0, round(staff.lines[0] - margin)), round(staff.lines[-1] + margin) + 1
    return mask[top:bottom, max(0, round(staff.x0)) : max(0, round(staff.x1)) + 1]


def _middle(box: BBox) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _is_on(box: BBox, staff: Staff) -> bool:
    x, y = _middle(box)
    return staff.x0 <= x <= staff.x1 and staff.lines[0] - SPACE_PX <= y <= staff.lines[-1] + SPACE_PX


def _nearest(box: BBox, staves: Sequence[Sequence[Staff]]) -> int:
    """Index of the system whose staves are nearest."""
    _, y = _middle(box)

    def away(number: int) -> float:
        return max(staves[number][0].lines[0] - y, y - staves[number][-1].lines[-1], 0.0)

    return min(range(len(staves)), key=away)


def _joined_systems(ink: Mask, staves: Sequence[Sequence[Staff]]) -> set[int]:
    """Indices of systems that a line at the left ends of their staves joins to the next."""
    closed = closed_upright(ink, 3)
    joined: set[int] = set()
    for number in range(len(staves) - 1):
        upper, lower = staves[number][-1], staves[number + 1][0]
        x0, x1 = min(upper.x0, lower.x0) - SPACE_PX, max(upper.x0, lower.x0) + 0.6 * SPACE_PX
        between = closed[round(upper.lines[-1]) : round(lower.lines[0]), max(0, round(x0)) : round(x1) + 1]
        if between.size and float(between.mean(axis=0).max()) >= JOIN_SHARE:
            joined |= {number, number + 1}
    return joined
