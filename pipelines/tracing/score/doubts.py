"""What speaks against the reading of a picture of music: ink that nothing explains, symbols not believed.

The confidence of a reading comes from how well its notes fill the measures. That is blind to what was not
seen at all, and to an octave or a clef: what was left over tells of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.contents import Issue, ScoreContent
from docai.geometry import BBox
from docai.issues import make_issue
from docai.pipelines.drawings.score.rhythm import cut_measures
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

LEFT_OUT_WEIGHT: Final = 0.15
"""By which a symbol left out lowers the logarithm of the confidence.

This and the next were fitted on 186 systems of Verovio at 150 and 200 dpi and 81 of LilyPond, for the log
loss of "all notes are right", half against half. How surely the
symbols that are used were seen added nothing.
"""

UNSEEN_WEIGHT: Final = 0.02
"""By which ink that nothing explains lowers it: times the root of its area in staff spaces squared."""

GAP_FACTOR: Final = 0.6
"""Of a measure with a head some of whose ledger lines were not seen. Set, not fitted: of 187 measures that
were read of drawings one had such a head, and it was wrong."""

AROUND_SPACES: Final = 5.0
"""How far above and below its staves a symbol is of a system at most, in staff spaces."""

NO_CLEF_FACTOR: Final = 0.4
"""Of a staff without a clef. Set, not fitted: the drawings all have their clefs."""

JOINED_FACTOR: Final = 0.3
"""Of a system that is a part of one. Set, not fitted: such errors are too rare in the drawings."""

CLEF_REACH_SPACES: Final = 8.0
"""How far from the begin of its staff a clef stands at most, in staff spaces."""

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
    gaps: tuple[BBox, ...]
    """Heads some of whose ledger lines were not seen, so that their pitch is doubtful."""
    ink: Mask
    """All of it."""
    rest: Mask
    """Ink that is neither of symbols nor of strokes."""


def _factor(n_left_out: int, unseen: float) -> float:
    return exp(-LEFT_OUT_WEIGHT * n_left_out - UNSEEN_WEIGHT * sqrt(unseen))


@dataclass(frozen=True, slots=True)
class MeasureDoubts:
    """What speaks against the notes of one measure, beside how they fill it.

    The least score of its symbols added nothing on the other half of 165 measures of drawings.
    """

    n_gaps: int
    """Heads some of whose ledger lines were not seen."""
    n_left_out: int
    """Symbols in it that were found and not believed."""
    unseen: float
    """Staff spaces squared of ink in it that nothing explains."""

    @property
    def factor(self) -> float:
        """By which the confidence of the measure falls, 0…1."""
        value = _factor(self.n_left_out, self.unseen)
        return value * GAP_FACTOR if self.n_gaps else value


@dataclass(frozen=True, slots=True)
class Doubts:
    """What speaks against the reading of one system."""

    unseen: float
    """Staff spaces squared of ink on its staves that nothing explains."""
    n_left_out: int
    """Symbols on its staves that were found and not believed."""
    n_without_clef: int
    """Staves that begin without a clef, so that their pitches are guessed."""
    is_joined: bool
    """A line joins it to another system, so that both are one."""
    measures: tuple[MeasureDoubts, ...] = ()
    """What speaks against each of its measures alone."""

    @property
    def factor(self) -> float:
        """By which the confidence of the reading falls, 0…1."""
        value = _factor(self.n_left_out, self.unseen)
        value *= float(NO_CLEF_FACTOR ** min(self.n_without_clef, 2))
        return value * JOINED_FACTOR if self.is_joined else value

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What of it a reader of the result should know."""
        texts = []
        if self.n_without_clef:
            texts.append(f"{self.n_without_clef} staves begin without a clef that could be read.")
        if self.is_joined:
            texts.append("A line joins the system to another one.")
        return (make_issue("score-drawing-doubtful", " ".join(texts)),) if texts else ()


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
    for number, (system, own) in enumerate(zip(systems, staves, strict=True)):
        unseen = _area(rest, own)
        n_left_out = sum(
            symbol.name.startswith(SIGNS) and any(_is_on(symbol.box, staff) for staff in own)
            for symbol in seen.left_out
        )
        reach = CLEF_REACH_SPACES * system.staves[0].space
        with_clef = {clef.staff for clef in system.clefs if clef.x <= system.staves[clef.staff].x0 + reach}
        n_without = sum(
            index not in with_clef for index, staff in enumerate(system.staves) if not staff.is_tablature
        )
        measures = tuple(_measure_doubts(seen, rest, system, own))
        doubts.append(Doubts(unseen, n_left_out, n_without, number in joined, measures))
    return doubts


def _measure_doubts(
    seen: SeenPicture, rest: Mask, system: System, staves: Sequence[Staff]
) -> Iterator[MeasureDoubts]:
    """Of each measure of one system; ``rest`` has the marks that nothing explains."""
    top = staves[0].lines[0] - AROUND_SPACES * SPACE_PX
    bottom = staves[-1].lines[-1] + AROUND_SPACES * SPACE_PX
    for measure in cut_measures(system)[0]:
        x0, _, x1, _ = in_pixels((measure.x0, 0.0, measure.x1, 0.0))

        def is_in(box: BBox, x0: float = x0, x1: float = x1) -> bool:
            x, y = _middle(box)
            return x0 <= x < x1 and top <= y <= bottom

        yield MeasureDoubts(
            n_gaps=sum(map(is_in, seen.gaps)),
            n_left_out=sum(one.name.startswith(SIGNS) and is_in(one.box) for one in seen.left_out),
            unseen=_area(rest, [Staff(staff.lines, x0, x1) for staff in staves]),
        )


def _area(rest: Mask, staves: Sequence[Staff]) -> float:
    """Staff spaces squared of ink left over on staves."""
    return sum(float(_part(rest, staff).sum()) for staff in staves) / SPACE_PX**2


def with_measure_doubts(content: ScoreContent, doubts: Sequence[MeasureDoubts]) -> ScoreContent:
    """The content with measures that are less sure by what speaks against each; as it is where those are
    others."""
    values = content.part_confidences()
    if len(values) != len(doubts):
        return content
    return content.with_confidences(
        [None if value is None else value * doubt.factor for value, doubt in zip(values, doubts, strict=True)]
    )


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
