"""Slurs and ties: thin bows, filled or stroked, between chords of a system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.score.sheet import Sheet
from docai.pipelines.drawings.score.types import Chord, Curve, Staff
from docai.pipelines.ingest.drawing import PaintedPath, Point

MIN_BOW_SPACES: Final = 0.12
"""Length of a bow at least, in staff spaces."""

SHORT_BOW_SPACES: Final = 0.7
"""Length under which a bow is one only as a tie between two heads, in staff spaces."""

MAX_BOW_SPACES: Final = 0.75
"""Thickness of a bow in its middle at most, in staff spaces."""

MIN_SAGITTA: Final = 0.02
"""Height of a bow over the straight line between its ends at least, as a share of its length."""

MIN_SAGITTA_SPACES: Final = 0.3
"""Height of a bow that is always enough, in staff spaces."""

MAX_TIED_HEADS: Final = 12
"""Heads of a chord above which ties that seem to be at one head are left there."""

TIE_REACH_SPACES: Final = 2.6
"""Distance of the end of a tie from the middle of its head along the staff at most, in staff spaces."""

TIE_HEIGHT_SPACES: Final = 1.6
"""Distance of the end of a tie from the middle of its head across the staff at most, in staff spaces."""

SLUR_REACH_SPACES: Final = 2.2
"""Distance of the end of a slur from the middle of its chord along the staff at most, in staff spaces."""

SLUR_BEFORE_SPACES: Final = 0.7
"""How far before the heads of its first chord, or behind those of its last, a slur ends, in staff spaces."""

SLUR_HEIGHT_SPACES: Final = 5.0
"""Distance of the end of a slur from its chord across the staff at most, in staff spaces."""


@dataclass(frozen=True, slots=True, eq=False)
class Bow:
    """A bow as drawn."""

    begin: Point
    end: Point
    is_above: bool
    bbox: BBox
    path: int
    is_dashed: bool


def find_bows(sheet: Sheet, space: float) -> list[Bow]:
    """What may be a bow of all that nothing else accounts for, by x; a bow drawn twice comes once."""
    bows: dict[tuple[int, ...], Bow] = {}
    for index, path in enumerate(sheet.drawing.paths):
        if index in sheet.used_paths:
            continue
        x0, y0, x1, y1 = path.bbox
        if x1 - x0 < MIN_BOW_SPACES * space or y1 - y0 > 2.5 * (x1 - x0) + space:
            continue
        if not any(part.is_curve.any() for part in path.subpaths):
            continue
        bow = _bow(path, index, space)
        if bow is None:
            continue
        if x1 - x0 >= SHORT_BOW_SPACES * space:
            sheet.used_paths.add(index)
        key = tuple(round(value / (0.15 * space)) for value in (*bow.begin, *bow.end))
        bows.setdefault(key, bow)
    return sorted(bows.values(), key=lambda bow: (bow.begin[0], bow.begin[1]))


def _bow(path: PaintedPath, index: int, space: float) -> Bow | None:
    if len(path.subpaths) > (12 if path.dashes else 3):
        return None
    points = np.concatenate([part.points for part in path.subpaths])
    if not np.isfinite(points).all() or len(points) < 5:
        return None
    first = points[((points - points.mean(axis=0)) ** 2).sum(axis=1).argmax()]
    last = points[((points - first) ** 2).sum(axis=1).argmax()]
    left, right = (first, last) if first[0] <= last[0] else (last, first)
    length = float(np.hypot(*(right - left)))
    if length <= 0:
        return None
    cos, sin = (right - left) / length
    moved = points - left
    share, over = (moved[:, 0] * cos + moved[:, 1] * sin) / length, moved[:, 1] * cos - moved[:, 0] * sin
    # The ends are the middles of what the outline has there.
    over = over - (over[share <= 0.01].mean() * (1 - share) + over[share >= 0.99].mean() * share)
    begin_y, end_y = points[share <= 0.01, 1].mean(), points[share >= 0.99, 1].mean()
    inner = over[(share > 0.3) & (share < 0.7)]
    if len(inner) < 2:
        return None
    if float(inner.max() - inner.min()) > MAX_BOW_SPACES * space + 0.35 * float(np.abs(over).max()):
        return None
    sagitta = float(inner.mean())
    # It bends one way: nothing of it lies on the other side of the line between its ends.
    other_side = float(over.max()) if sagitta < 0 else float(-over.min())
    if abs(sagitta) < min(MIN_SAGITTA * length, MIN_SAGITTA_SPACES * space):
        return None
    if other_side > max(0.25 * abs(sagitta), 0.2 * space) or not _tapers(points, share, over, space):
        return None
    begin, end = (float(left[0]), float(begin_y)), (float(right[0]), float(end_y))
    return Bow(begin, end, sagitta < 0, path.bbox, index, bool(path.dashes))


def _tapers(points: np.ndarray, share: np.ndarray, over: np.ndarray, space: float) -> bool:
    """Its ends are thin: other shapes, such as heads and rests, are as thick there."""
    for chosen in (share <= 0.02, share >= 0.98):
        if chosen.any() and float(np.ptp(over[chosen])) > 0.45 * space:
            return False
    return len(points) > 4


def attach_curves(
    sheet: Sheet, bows: Sequence[Bow], chords: Sequence[Chord], staves: Sequence[Staff]
) -> list[Curve]:
    """Bows of a system as ties, between heads of one height, and slurs, between chords.

    Args:
        sheet: the page; short ties are accounted for.
        bows: of the system.
        chords: of the system by x.
        staves: of the system.
    """
    curves: list[Curve] = []
    for bow in bows:
        curve = _curve(bow, chords, staves)
        is_short = bow.end[0] - bow.begin[0] < SHORT_BOW_SPACES * min(staff.space for staff in staves)
        if is_short and not curve.tied:
            continue
        sheet.used_paths.add(bow.path)
        curves.append(curve)
    _share_heads(curves, chords)
    return curves


def _share_heads(curves: Sequence[Curve], chords: Sequence[Chord]) -> None:
    """Give ties between the same two chords different heads: as the ties, so the heads, from the top."""
    groups: dict[tuple[int, int], list[Curve]] = {}
    for curve in curves:
        if curve.tied and curve.first is not None and curve.last is not None:
            groups.setdefault((curve.first, curve.last), []).append(curve)
    for (first, last), ties in groups.items():
        taken = {pair for tie in ties for pair in tie.tied}
        if len(taken) == len(ties):
            continue
        places = {(head.staff, head.position): index for index, head in enumerate(chords[last].heads)}
        pairs = [
            (index, places[head.staff, head.position])
            for index, head in enumerate(chords[first].heads)
            if (head.staff, head.position) in places
        ]
        if len(ties) > len(pairs) or len(pairs) > MAX_TIED_HEADS:
            continue
        ties.sort(key=lambda tie: -tie.begin[1] - tie.end[1])
        heights = [chords[first].heads[pair[0]].bbox for pair in pairs]
        best = min(
            combinations(range(len(pairs)), len(ties)),
            key=lambda chosen: sum(
                abs(tie.begin[1] - (heights[index][1] + heights[index][3]) / 2)
                for tie, index in zip(ties, chosen, strict=True)
            ),
        )
        for tie, index in zip(ties, best, strict=True):
            tie.tied = (pairs[index],)


def _curve(bow: Bow, chords: Sequence[Chord], staves: Sequence[Staff]) -> Curve:
    curve = Curve(bow.begin, bow.end, bow.is_above, bow.bbox)
    tie = _tie(bow, chords, staves)
    if tie is not None:
        curve.first, curve.last, curve.tied = tie
        return curve
    curve.first = _slur_end(bow.begin, 1, chords, staves)
    curve.last = _slur_end(bow.end, -1, chords, staves)
    if curve.first is not None and curve.first == curve.last:
        # Around one chord: from or to a chord of another system.
        middle = (bow.begin[0] + bow.end[0]) / 2
        if chords[curve.first].x < middle:
            curve.last = None
        else:
            curve.first = None
    return curve


def _tie(
    bow: Bow, chords: Sequence[Chord], staves: Sequence[Staff]
) -> tuple[int | None, int | None, tuple[tuple[int, int], ...]] | None:
    firsts = _tie_ends(bow, bow.begin, 1, chords, staves)
    lasts = _tie_ends(bow, bow.end, -1, chords, staves)
    best: tuple[float, int, int, int, int] | None = None
    for away, chord, head in firsts:
        for other_away, other, other_head in lasts:
            one, two = chords[chord].heads[head], chords[other].heads[other_head]
            if chord == other or one.staff != two.staff or one.position != two.position:
                continue
            if chords[other].x <= chords[chord].x or _interrupted(chord, other, chords):
                continue
            total = away + other_away
            if best is None or total < best[0]:
                best = (total, chord, other, head, other_head)
    if best is None:
        return None
    return best[1], best[2], ((best[3], best[4]),)


def _tie_ends(
    bow: Bow, point: Point, direction: int, chords: Sequence[Chord], staves: Sequence[Staff]
) -> list[tuple[float, int, int]]:
    """Distance, chord and head for heads at which a tie may begin (direction 1) or end (-1)."""
    found = []
    for index, chord in enumerate(chords):
        for number, head in enumerate(chord.heads):
            space = staves[head.staff].space
            x0, y0, x1, y1 = head.bbox
            # A tie begins after the middle of its head, and ends before that of the next.
            along = direction * (point[0] - (x0 + x1) / 2)
            across = abs(point[1] - (y0 + y1) / 2)
            if not -0.25 * (x1 - x0) <= along <= TIE_REACH_SPACES * space:
                continue
            if across > TIE_HEIGHT_SPACES * space:
                continue
            # Ties bend away from their heads: their ends lie on the side to which they bend, or level.
            if (point[1] - (y0 + y1) / 2) * (1 if bow.is_above else -1) > 0.6 * space:
                continue
            found.append((max(0.0, along) * 0.5 + across, index, number))
    return found


def _interrupted(first: int, last: int, chords: Sequence[Chord]) -> bool:
    """Whether a chord of the same voice, as far as stems tell, with a head on that line stands between."""
    begin, end = chords[first], chords[last]
    positions = {head.position for head in begin.heads} & {head.position for head in end.heads}
    stems = {begin.stem, end.stem}
    return any(
        chord.staff == begin.staff
        and chord.is_grace == begin.is_grace
        and (chord.stem in stems or "none" in (chord.stem, *stems))
        and begin.x + 0.1 < chord.x < end.x - 0.1
        and any(head.position in positions for head in chord.heads)
        for chord in chords[first + 1 : last]
    )


def _slur_end(point: Point, direction: int, chords: Sequence[Chord], staves: Sequence[Staff]) -> int | None:
    """Index of the chord at which a slur begins (direction 1) or ends (-1); None beyond the system."""
    best: tuple[float, int] | None = None
    for index, chord in enumerate(chords):
        space = staves[chord.staff].space
        # A slur from another system begins well before its first chord.
        edge = min(head.bbox[0] for head in chord.heads)
        if direction < 0:
            edge = -max(head.bbox[2] for head in chord.heads)
        if direction * point[0] < edge - SLUR_BEFORE_SPACES * space:
            continue
        along = abs(point[0] - chord.x)
        if chord.stem != "none":
            along = min(along, abs(point[0] - chord.stem_x))
        if along > SLUR_REACH_SPACES * space:
            continue
        across = max(chord.bbox[1] - point[1], point[1] - chord.bbox[3], 0.0)
        if across > SLUR_HEIGHT_SPACES * space:
            continue
        away = along + 0.5 * across
        if best is None or away < best[0]:
            best = (away, index)
    return None if best is None else best[1]
