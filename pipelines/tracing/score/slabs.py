"""Strokes along the staff of a picture of music: beams and brackets. Lengths are pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.tracing.score.ink import Ink, Mask, upright_runs
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.tracks import Steps, Track, follow
from docai.pipelines.tracing.score.uprights import Bar

BEAM_SPACES: Final = (0.3, 1.2)
"""Least and greatest thickness of a beam, in staff spaces; a staff line beside it adds to it."""

SINGLE_SPACES: Final = 0.9
"""Thickness of a beam at most without what touches it, in staff spaces."""

MAX_BEAMS_SPACES: Final = 3.4
"""Thickness of beams that have run into each other at most, in staff spaces."""

MIN_BEAM_SPACES: Final = 0.6
"""Length of a beam at least, in staff spaces: hooks have one."""

MAX_SLOPE: Final = 0.75
"""Rows per column of a beam at most."""

MAX_GAP_PX: Final = 6
"""Columns over which a beam is followed through a stem."""

BEAM_STEPS: Final = Steps(gap=MAX_GAP_PX, off=2.2, thickness=0.3 * SPACE_PX, slope=MAX_SLOPE, memory=24)

MAX_BEND_PX: Final = 1.3
"""Root mean square distance of the middles of a beam from a straight line at most."""

SNAP_SPACES: Final = 0.5
"""Distance of the end of a beam from a stem to which it is drawn out at most, in staff spaces."""

MAX_PAPER_PX: Final = 3
"""Columns of paper between the end of a beam and a stem up to which the beam is at the stem."""

SURE_BEAM_SPACES: Final = 2.0
"""Length from which a straight and thick stroke is no head, in staff spaces."""

TREMOLO_SPACES: Final = 2.5
"""Length of a stroke of a tremolo at most, in staff spaces."""

STEM_SPACES: Final = 0.1
"""How far beyond the end of a stem the edge of its beam may lie, in staff spaces."""

THIN_SHARE: Final = 0.55
"""Thickness of a beam against the others at least."""

BRACKET_SPACES: Final = 0.3
"""Thickness of the lines of a bracket at most, in staff spaces."""

BRACKET_GAP_SPACES: Final = 1.5
"""Distance of the number of a tuplet from the lines of its bracket at most, in staff spaces."""

BRACKET_REACH_SPACES: Final = 12.0
"""How far from its number a bracket is followed, in staff spaces."""

BRACKET_STEPS: Final = Steps(gap=8, off=1.5, thickness=0.2 * SPACE_PX, slope=0.6, memory=24)

VALLEY: Final = 0.06
"""By how much the gap between two beams is lighter than both at least."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight stroke along the staff by the ends of its middle line; thickness is measured upright."""

    x0: float
    y0: float
    x1: float
    y1: float
    thickness: float

    def y_at(self, x: float) -> float:
        """Height of its middle line, which goes on beyond its ends."""
        return self.y0 + (self.y1 - self.y0) * (x - self.x0) / max(self.x1 - self.x0, 1e-9)


def find_beams(ink: Ink, solid: Mask, stems: Sequence[Bar]) -> list[Stroke]:
    """Thick straight strokes, drawn out to the stems at their ends.

    Args:
        ink: of the picture.
        solid: (h, w), ink that is of symbols.
        stems: of the picture.
    """
    mask = ink.bare & ~solid
    pieces = _pieces(mask, ink)
    strokes = [stroke for track in follow(pieces, BEAM_STEPS) for stroke in _straight(track)]
    strokes = _joined(strokes)
    strokes = [stroke for stroke in strokes if stroke.x1 - stroke.x0 >= MIN_BEAM_SPACES * SPACE_PX]
    strokes = [_snapped(stroke, stems, ink.bare) for stroke in strokes if _is_at_stem(stroke, stems)]
    return sorted(_thick_ones(strokes), key=lambda stroke: stroke.x0)


def heads_on_beams(ink: Ink, solid: Mask, heads: Sequence[BBox]) -> list[int]:
    """Places of those heads that are pieces of thick beams: the beam goes on at one of their sides.

    Args:
        ink: of the picture.
        solid: (h, w), ink that is of symbols other than heads.
        heads: boxes of what may be heads.
    """
    tracks = follow(_pieces(ink.bare & ~solid, ink), BEAM_STEPS)
    strokes = _joined([stroke for track in tracks for stroke in _straight(track)])
    strokes = [stroke for stroke in strokes if stroke.x1 - stroke.x0 >= SURE_BEAM_SPACES * SPACE_PX]
    found = []
    for place, (x0, y0, x1, y1) in enumerate(heads):
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        out = 0.5 * SPACE_PX
        if any(
            abs(stroke.y_at(x) - y) <= 0.4 * SPACE_PX
            and stroke.x0 <= x <= stroke.x1
            and (stroke.x0 <= x0 - out or stroke.x1 >= x1 + out)
            for stroke in strokes
        ):
            found.append(place)
    return found


def _is_at_stem(stroke: Stroke, stems: Sequence[Bar]) -> bool:
    """It ends at a stem, or it is short and crosses one, as tremolos do; middles of slurs do neither."""
    reach = SNAP_SPACES * SPACE_PX
    is_short = stroke.x1 - stroke.x0 <= TREMOLO_SPACES * SPACE_PX
    for stem in stems:
        near = STEM_SPACES * SPACE_PX + stroke.thickness / 2
        if not stem.y0 - near <= stroke.y_at(stem.x) <= stem.y1 + near:
            continue
        if min(abs(stem.x - stroke.x0), abs(stem.x - stroke.x1)) <= reach:
            return True
        if is_short and stroke.x0 <= stem.x <= stroke.x1:
            return True
    return False


def _thick_ones(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Those about as thick as most: all beams of an engraver are, those of grace notes two thirds of it."""
    if not strokes:
        return []
    ordered = sorted(strokes, key=lambda stroke: stroke.thickness)
    lengths = np.cumsum([stroke.x1 - stroke.x0 for stroke in ordered])
    usual = ordered[int(np.searchsorted(lengths, lengths[-1] / 2))].thickness
    return [stroke for stroke in strokes if stroke.thickness >= THIN_SHARE * usual]


def _pieces(mask: Mask, ink: Ink) -> list[tuple[int, float, float]]:
    """Column, middle and thickness of all runs that may be of beams, by column."""
    least, most = BEAM_SPACES[0] * SPACE_PX, BEAM_SPACES[1] * SPACE_PX
    pieces = []
    for x, y0, y1 in upright_runs(mask, least, MAX_BEAMS_SPACES * SPACE_PX).tolist():
        is_thick = y1 - y0 > SINGLE_SPACES * SPACE_PX
        cuts = [y0, *(_valleys(ink.dark[y0:y1, x], y0) if is_thick else ()), y1]
        for top, bottom in pairwise(cuts):
            if least <= bottom - top <= most:
                pieces.append((x, (top + bottom - 1) / 2, float(bottom - top)))
    return pieces


def _valleys(dark: NDArray[np.float32], first: int) -> list[int]:
    """Rows in which a run is lighter than above and below."""
    found = []
    for place in range(3, len(dark) - 3):
        here = float(dark[place])
        if here > float(dark[place - 1]) or here >= float(dark[place + 1]):
            continue
        near = 6
        above = float(dark[max(0, place - near) : place].max())
        below = float(dark[place + 1 : place + 1 + near].max())
        if min(above, below) - here >= VALLEY:
            found.append(first + place)
    return found


def _straight(track: Track) -> Iterator[Stroke]:
    """The straight stroke that a track is, without what leaves it at the ends; nothing of a bent one."""
    xs, ys, thick = np.array(track.xs, float), np.array(track.ys), np.array(track.thick)
    for _ in range(3):
        if len(xs) < 4 or xs[-1] - xs[0] < 3:
            return
        slope, offset = np.polyfit(xs, ys, 1)
        off = ys - (slope * xs + offset)
        usual = float(np.median(thick))
        good = (np.abs(off) <= 2.0) & (np.abs(thick - usual) <= 0.22 * SPACE_PX)
        if good.all():
            break
        xs, ys, thick = xs[good], ys[good], thick[good]
    if len(xs) < 4 or abs(slope) > MAX_SLOPE:
        return
    bend = float(np.sqrt(np.mean((ys - (slope * xs + offset)) ** 2)))
    if bend > MAX_BEND_PX:
        return
    x0, x1 = float(xs[0]) - 0.5, float(xs[-1]) + 0.5
    usual = min(float(np.median(thick)), SINGLE_SPACES * SPACE_PX)
    yield Stroke(x0, slope * x0 + offset, x1, slope * x1 + offset, usual)


def _joined(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Strokes with those that go on in the same line behind a stem."""
    left = sorted(strokes, key=lambda stroke: stroke.x0)
    joined: list[Stroke] = []
    for stroke in left:
        for index in range(len(joined) - 1, -1, -1):
            other = joined[index]
            gap = stroke.x0 - other.x1
            if not -2 <= gap <= MAX_GAP_PX + 2:
                continue
            middle = (stroke.x0 + other.x1) / 2
            off = abs(other.y_at(middle) - stroke.y_at(middle))
            thick = abs(stroke.thickness - other.thickness)
            if off <= 2.0 and thick <= 0.3 * SPACE_PX:
                longer = max(stroke, other, key=lambda one: one.x1 - one.x0)
                joined[index] = Stroke(other.x0, other.y0, stroke.x1, stroke.y1, longer.thickness)
                break
        else:
            joined.append(stroke)
    return joined


def _snapped(stroke: Stroke, stems: Sequence[Bar], mask: Mask) -> Stroke:
    x0, x1 = stroke.x0, stroke.x1
    reach = SNAP_SPACES * SPACE_PX
    for stem in stems:
        y = stroke.y_at(stem.x)
        if not stem.y0 - reach <= y <= stem.y1 + reach:
            continue
        if abs(stem.x - stroke.x0) <= reach and not _has_paper(stroke, stem.x, stroke.x0, mask):
            x0 = min(x0, stem.x)
        if abs(stem.x - stroke.x1) <= reach and not _has_paper(stroke, stroke.x1, stem.x, mask):
            x1 = max(x1, stem.x)
    return Stroke(x0, stroke.y_at(x0), x1, stroke.y_at(x1), stroke.thickness)


def _has_paper(stroke: Stroke, x0: float, x1: float, mask: Mask) -> bool:
    """Whether a beam ends in paper before it comes to a stem, as hooks do before the next one."""
    columns = range(max(0, round(x0)), min(mask.shape[1], round(x1) + 1))
    rows = [min(max(round(stroke.y_at(x)), 0), len(mask) - 1) for x in columns]
    return sum(not mask[row, x] for row, x in zip(rows, columns, strict=True)) > MAX_PAPER_PX


def find_bracket_lines(mask: Mask, numbers: Sequence[BBox]) -> list[Stroke]:
    """Thin straight strokes that end at the numbers of tuplets, or pass them: their brackets.

    Args:
        mask: (h, w), ink that is neither of staff lines nor of symbols, stems and beams.
        numbers: boxes of the numbers.
    """
    found = []
    for x0, y0, x1, y1 in numbers:
        reach, beside = BRACKET_REACH_SPACES * SPACE_PX, BRACKET_GAP_SPACES * SPACE_PX
        left, top = max(0, round(x0 - reach)), max(0, round(y0 - reach / 2))
        part = mask[top : round(y1 + reach / 2), left : round(x1 + reach)]
        pieces = [
            (x + left, top + (first + last - 1) / 2, float(last - first))
            for x, first, last in upright_runs(part, 1, BRACKET_SPACES * SPACE_PX).tolist()
        ]
        for track in follow(pieces, BRACKET_STEPS, round(0.4 * SPACE_PX)):
            for stroke in _straight(track):
                near_left = abs(stroke.x1 - x0) <= beside and abs(stroke.y1 - (y0 + y1) / 2) <= SPACE_PX
                near_right = abs(stroke.x0 - x1) <= beside and abs(stroke.y0 - (y0 + y1) / 2) <= SPACE_PX
                over = stroke.x0 < x0 and stroke.x1 > x1
                if near_left or near_right or over:
                    found.append(stroke)
    return found
