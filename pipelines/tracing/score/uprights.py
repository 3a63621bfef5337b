"""Upright strokes of a picture of music: stems and barlines. Lengths are pixels of it straightened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.ink import Ink, Mask, closed_upright, upright_runs
from docai.pipelines.tracing.score.straighten import SPACE_PX

GAP_PX: Final = 3
"""Gaps in a stroke that are closed: worn type and thresholds leave them."""

MIN_STEM_SPACES: Final = 1.4
"""Length of an upright stroke at least, in staff spaces; stems of grace notes have two."""

MAX_STEM_SPACES: Final = 0.4
"""Thickness of a stem at most, in staff spaces."""

MIN_PIECE_SPACES: Final = 0.7
"""Length that a stem has at least beyond its last head, in staff spaces, so as to be one there."""

SIDE_SPACES: Final = 0.32
"""Distance of a stem from the side of a head at most, in staff spaces."""

FLAG_SPACES: Final = 0.4
"""Distance of a flag from its stem at most, in staff spaces."""

OVER_FLAG_SPACES: Final = 3.0
"""Length of what goes on beyond a flag at most, in staff spaces."""

COVERED: Final = 0.93
"""Share of the height of a staff that a barline covers at least, and of the gap between two staves."""

MAX_BAR_SPACES: Final = 1.6
"""Thickness of a barline at most, in staff spaces."""

FREE_SPACES: Final = 0.45
"""How far beside a thin barline there is paper, in staff spaces."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An upright stroke; ``x`` is its middle."""

    x: float
    y0: float
    y1: float
    thickness: float


def find_barlines(ink: Ink, staves: Sequence[Staff], heads: Sequence[BBox], solid: Mask) -> list[Bar]:
    """Strokes over the whole height of a staff that are no stems, over several staves where they go on.

    Args:
        ink: of the picture.
        staves: from the top.
        heads: boxes of noteheads.
        solid: (h, w), ink that is of symbols, such as clefs.
    """
    closed = closed_upright(ink.mask & ~solid, GAP_PX)
    # A leaning barline shifts by a pixel or two over the height of a system.
    spread = closed.copy()
    spread[:, 1:] |= closed[:, :-1]
    spread[:, :-1] |= closed[:, 1:]
    found: list[list[Bar]] = []
    for staff in staves:
        found.append([bar for bar in _across(spread, closed, staff) if not _is_stem(bar, heads, closed)])
    return _joined(found, spread, ink.bare)


def _across(spread: Mask, closed: Mask, staff: Staff) -> Iterator[Bar]:
    top, bottom = round(staff.lines[0]), round(staff.lines[-1])
    x0, x1 = max(1, round(staff.x0 - SPACE_PX)), min(spread.shape[1] - 1, round(staff.x1 + SPACE_PX))
    share = spread[top + 1 : bottom, x0:x1].mean(axis=0)
    full = np.concatenate([[False], share >= COVERED, [False]])
    edges = np.flatnonzero(np.diff(full.astype(np.int8)))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        # The spread is one pixel at each side.
        thickness = max(1.0, last - first - 2.0)
        if thickness <= MAX_BAR_SPACES * SPACE_PX:
            yield Bar(x0 + (first + last - 1) / 2, float(top), float(bottom), thickness)


def _is_stem(bar: Bar, heads: Sequence[BBox], closed: Mask) -> bool:
    """A head hangs at its side: at a stem, and never at a barline."""
    y0, y1 = reach(closed, bar)
    for x0, top, x1, bottom in heads:
        away = min(abs(bar.x - x0), abs(bar.x - x1))
        middle = (top + bottom) / 2
        inside = y0 - 0.5 * SPACE_PX <= middle <= y1 + 0.5 * SPACE_PX
        if inside and (away <= 0.25 * SPACE_PX or x0 <= bar.x <= x1):
            return True
    return False


def reach(closed: Mask, bar: Bar) -> tuple[float, float]:
    """First and last row to which a stroke goes on above and below."""
    x = round(bar.x)
    columns = np.asarray(closed[:, max(0, x - 1) : x + 2].any(axis=1), bool)
    y0, y1 = round(bar.y0), round(bar.y1)
    while y0 > 0 and columns[y0 - 1]:
        y0 -= 1
    while y1 + 1 < len(columns) and columns[y1 + 1]:
        y1 += 1
    return float(y0), float(y1)


def _stands_free(bar: Bar, bare: Mask) -> bool:
    """There is paper at one of its sides at least, as there is not within clefs and letters."""
    y0, y1 = round(bar.y0) + 2, round(bar.y1) - 1
    sides = []
    for direction in (-1, 1):
        edge = bar.x + direction * (bar.thickness / 2 + 2)
        first, last = sorted((edge, edge + direction * FREE_SPACES * SPACE_PX))
        part = bare[y0:y1, max(0, round(first)) : max(1, round(last) + 1)]
        sides.append(float(part.mean()) if part.size else 0.0)
    return min(sides) <= 0.12


def _joined(found: Sequence[Sequence[Bar]], spread: Mask, bare: Mask) -> list[Bar]:
    """Barlines of staves one below the other as one, where ink joins them.

    One staff of those is enough for a line to stand free in: between a bracket and a clef there is no room.
    """
    bars: list[tuple[Bar, bool]] = []
    open_bars: list[tuple[Bar, bool]] = []
    for row in found:
        below = [(bar, _stands_free(bar, bare)) for bar in row]
        still: list[tuple[Bar, bool]] = []
        for bar, is_free in open_bars:
            after = min(below, key=lambda other: abs(other[0].x - bar.x), default=None)
            if after is not None and (is_free or after[1]) and _go_on(bar, after[0], spread):
                below.remove(after)
                x = (bar.x + after[0].x) / 2
                thickness = min(bar.thickness, after[0].thickness)
                still.append((Bar(x, bar.y0, after[0].y1, thickness), True))
            else:
                bars.append((bar, is_free))
        open_bars = still + below
    free = [bar for bar, is_free in bars + open_bars if is_free]
    return sorted(free, key=lambda bar: (bar.x, bar.y0))


def _go_on(upper: Bar, lower: Bar, spread: Mask) -> bool:
    if abs(upper.x - lower.x) > 0.4 * SPACE_PX:
        return False
    y0, y1 = round(upper.y1), round(lower.y0)
    low, high = sorted((round(upper.x), round(lower.x)))
    between = spread[y0:y1, max(0, low - 1) : high + 2].any(axis=1)
    return bool(between.size) and float(between.mean()) >= COVERED


def find_stems(
    ink: Ink, heads: Sequence[BBox], flags: Sequence[BBox], solid: Mask, bars: Sequence[Bar]
) -> list[Bar]:
    """Upright strokes at the sides of heads, cut where they begin, and at their flags.

    Args:
        ink: of the picture.
        heads: boxes of noteheads.
        flags: boxes of flags.
        solid: (h, w), ink that is of symbols other than heads.
        bars: barlines, which are none.
    """
    found = []
    for stroke in strokes_at_heads(ink, heads, solid):
        if any(abs(stroke.x - bar.x) <= bar.thickness / 2 + 2 and _covers(bar, stroke) for bar in bars):
            continue
        if _is_within(stroke, heads):
            continue
        found += [_cut_at_flag(stem, flags) for stem in _cut_at_heads(stroke, heads)]
    return found


def strokes_at_heads(ink: Ink, heads: Sequence[BBox], solid: Mask) -> list[Bar]:
    """Upright strokes at the sides of heads in their whole length.

    Args:
        ink: of the picture.
        heads: boxes of noteheads.
        solid: (h, w), ink that is of symbols other than heads.
    """
    closed = closed_upright(ink.mask & ~solid, GAP_PX)
    near = _beside_heads(closed.shape, heads)
    return _strokes(upright_runs(closed & near, MIN_STEM_SPACES * SPACE_PX))


def _is_within(stroke: Bar, heads: Sequence[BBox]) -> bool:
    """Most of it is ink of heads that stand one above the other."""
    inset = 0.2 * SPACE_PX
    covered = sum(
        max(0.0, min(y1, stroke.y1) - max(y0, stroke.y0))
        for x0, y0, x1, y1 in heads
        if x0 + inset < stroke.x < x1 - inset
    )
    return covered > 0.6 * (stroke.y1 - stroke.y0)


def _cut_at_flag(stem: Bar, flags: Sequence[BBox]) -> Bar:
    """A stem without what goes on beyond its flag, such as the hook of a bracket that touches it."""
    middle = (stem.y0 + stem.y1) / 2
    near, over = FLAG_SPACES * SPACE_PX, OVER_FLAG_SPACES * SPACE_PX
    for x0, y0, _, y1 in flags:
        if abs(x0 - stem.x) > near:
            continue
        if (y0 + y1) / 2 < middle and 0 < y0 - stem.y0 <= over:
            return Bar(stem.x, y0, stem.y1, stem.thickness)
        if (y0 + y1) / 2 > middle and 0 < stem.y1 - y1 <= over:
            return Bar(stem.x, stem.y0, y1, stem.thickness)
    return stem


def _beside_heads(shape: tuple[int, ...], heads: Sequence[BBox]) -> Mask:
    """Columns at the sides of heads, as far as stems go."""
    near = np.zeros(shape, bool)
    reach_px = round(9 * SPACE_PX)
    for x0, y0, x1, y1 in heads:
        for side in (x0, x1):
            left = max(0, round(side - SIDE_SPACES * SPACE_PX))
            right = max(0, round(side + SIDE_SPACES * SPACE_PX) + 1)
            near[max(0, round(y0) - reach_px) : round(y1) + reach_px, left:right] = True
    return near


def _covers(bar: Bar, stroke: Bar) -> bool:
    shared = min(bar.y1, stroke.y1) - max(bar.y0, stroke.y0)
    return shared >= 0.8 * (stroke.y1 - stroke.y0)


def _strokes(runs: NDArray[np.int32]) -> list[Bar]:
    """Runs of neighboring columns as one stroke each; the longest among those side by side."""
    order = sorted(runs.tolist(), key=lambda run: run[1] - run[2])
    by_column: dict[int, list[list[int]]] = {}
    for run in runs.tolist():
        by_column.setdefault(run[0], []).append(run)
    gone: set[tuple[int, int]] = set()
    found = []
    reach_px = round(MAX_STEM_SPACES * SPACE_PX)
    for x, y0, y1 in order:
        if (x, y0) in gone:
            continue
        beside = [
            run
            for column in range(x - reach_px, x + reach_px + 1)
            for run in by_column.get(column, ())
            if (run[0], run[1]) not in gone and min(y1, run[2]) - max(y0, run[1]) > 0.5 * (run[2] - run[1])
        ]
        gone.update((run[0], run[1]) for run in beside)
        alike = _chain(x, [run for run in beside if run[2] - run[1] >= 0.75 * (y1 - y0)])
        if len(alike) > MAX_STEM_SPACES * SPACE_PX + 1:
            continue
        middle = sum(run[0] for run in alike) / len(alike)
        top, bottom = min(run[1] for run in alike), max(run[2] for run in alike)
        found.append(Bar(middle, float(top), float(bottom), float(len(alike))))
    return found


def _chain(x: int, runs: Sequence[list[int]]) -> list[list[int]]:
    """Those in the columns that follow each other around x."""
    columns = {run[0] for run in runs}
    low = high = x
    while low - 1 in columns:
        low -= 1
    while high + 1 in columns:
        high += 1
    return [run for run in runs if low <= run[0] <= high]


def heads_beside(stroke: Bar, heads: Sequence[BBox], slack: float) -> Iterator[tuple[int, float, bool]]:
    """Heads whose side a stroke touches: each one's place, the row of its middle, and whether the stroke is
    at its left.

    Args:
        slack: how far beyond the ends of the stroke the middle may be, pixels.
    """
    for place, (x0, y0, x1, y1) in enumerate(heads):
        middle = (y0 + y1) / 2
        left, right = abs(stroke.x - x0), abs(stroke.x - x1)
        is_level = stroke.y0 - slack <= middle <= stroke.y1 + slack
        if is_level and min(left, right) <= SIDE_SPACES * SPACE_PX:
            yield place, middle, left < right


def _cut_at_heads(stroke: Bar, heads: Sequence[BBox]) -> Iterator[Bar]:
    """A stroke up from heads at its left, and one down from heads at its right, as far as they go beyond."""
    rights: list[float] = []
    lefts: list[float] = []
    for _, middle, is_at_its_left in heads_beside(stroke, heads, 0.45 * SPACE_PX):
        (lefts if is_at_its_left else rights).append(middle)
    shortest = MIN_PIECE_SPACES * SPACE_PX + 0.5 * SPACE_PX
    if rights and min(rights) - stroke.y0 >= shortest:
        yield Bar(stroke.x, stroke.y0, max(rights), stroke.thickness)
    if lefts and stroke.y1 - max(lefts) >= shortest:
        yield Bar(stroke.x, min(lefts), stroke.y1, stroke.thickness)
