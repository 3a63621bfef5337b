"""A score engraved again, held against the staves of a crop: counts, and heads by their heights.

Verovio engraves the record's kern as one long system. The crop's own spacing is another, so the columns of
notes and the barlines of the engraving are laid onto the crop's from left to right by dynamic programming:
each where it fits best, none before the one left of it, and the spaces between them about as engraved.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Features
from docai.pipelines.readback.engraving import Engraved, Head, engraved
from docai.pipelines.readback.staves import BEYOND, PER_SPACE, STEPS, Map, Sheet, observe_score
from docai.records import ScoreContent

__all__ = ["observe_score", "score_features"]

_MOST_COLUMNS = 420
"""Places from left to right that columns are laid onto; longer systems are looked at more coarsely."""
_SPACING = 0.5
"""Cost of a gap twice as wide, or half as wide, as engraved, in noteheads."""


@dataclass(frozen=True)
class _Column:
    """Heads above each other, or a barline (no heads); x in staff spaces."""

    x: float
    heads: tuple[Head, ...]


@dataclass(frozen=True)
class _Strip:
    """All systems of the crop set side by side: (staves, STEPS, n), (staves, n), (staves, STEPS, n)."""

    heads: Map
    bars: Map
    blobs: Map


def score_features(seen: Sheet, content: ScoreContent) -> Features:
    """Features of a kern against staves.

    ``staves``: log ratio of staves seen, in whole systems, to staves engraved; ``heads``: mean of what the
    heads' places hold, ``weak_heads``: share of places that hold too little, ``worst_head``, ``low_heads``:
    the least and the tenth percentile; ``off_heads``: share of heads that fit better a step higher or lower;
    ``bars``, ``worst_bar``: ink at the barlines' places; ``extra_bars``: barlines seen that are not
    engraved, by number of those engraved; ``extra_heads``, ``missing_heads``: what looks like a head only
    in the crop, or only in the engraving, by number of those in the engraving; ``stray``, ``lost``: the
    square roots of their numbers, of 25 at most; ``spacing``: mean absolute log
    ratio of gaps seen to gaps engraved; ``no_staves``: 1 where the picture shows no staff at all.

    Raises:
        NotComparable: Verovio is missing or refuses the kern.
    """
    drawn = engraved(content.kern)
    if not seen.staves:
        return dict(_NOTHING)
    n_systems = max(1, round(len(seen.staves) / drawn.n_staves))
    strip = _strip(seen, drawn.n_staves, n_systems)
    columns = _columns(drawn)
    fits = _fits(strip, columns)
    places = _lay(fits, np.array([column.x for column in columns]) / max(drawn.width, 1e-6))
    ratio = math.log(len(seen.staves) / (drawn.n_staves * n_systems))
    return {
        "no_staves": 0.0,
        "staves": min(abs(ratio), 1.5),
        **_head_features(strip, columns, places),
        **_blob_features(strip, drawn, columns, places),
        **_bar_features(strip, columns, places),
        "spacing": _spacing(columns, places),
    }


_NOTHING: Features = {
    "no_staves": 1.0,
    "staves": 1.5,
    "heads": 0.0,
    "weak_heads": 1.0,
    "worst_head": -0.5,
    "low_heads": -0.5,
    "off_heads": 0.5,
    "extra_heads": 1.0,
    "missing_heads": 1.0,
    "stray": 1.0,
    "lost": 1.0,
    "bars": 0.0,
    "worst_bar": 0.0,
    "extra_bars": 1.0,
    "spacing": 1.0,
}
"""Where no staff is found. That is no proof: of one right score in seven on the hardest scans none is."""


def _columns(drawn: Engraved) -> list[_Column]:
    groups: dict[int, list[Head]] = defaultdict(list)
    for head in drawn.heads:
        groups[round(head.x * 2)].append(head)
    columns = [_Column(sum(h.x for h in heads) / len(heads), tuple(heads)) for heads in groups.values()]
    columns += [_Column(bar, ()) for bar in drawn.bars]
    return sorted(columns, key=lambda column: column.x) or [_Column(drawn.width, ())]


def _strip(seen: Sheet, n_staves: int, n_systems: int) -> _Strip:
    """Staves of a system above each other, systems side by side; a staff that is missing is empty."""
    parts: list[tuple[list[Map], list[Map], list[Map]]] = []
    for system in range(n_systems):
        own = range(system * n_staves, min((system + 1) * n_staves, len(seen.staves)))
        width = max((seen.bars[i].shape[0] for i in own), default=1)
        heads, bars, blobs = [], [], []
        for i in own:
            spare = width - seen.bars[i].shape[0]
            heads.append(np.pad(seen.heads[i], ((0, 0), (0, spare))))
            bars.append(np.pad(seen.bars[i], (0, spare)))
            blobs.append(np.pad(seen.blobs[i], ((0, 0), (0, spare))))
        while len(heads) < n_staves:
            heads.append(np.zeros((STEPS, width), np.float32))
            bars.append(np.zeros(width, np.float32))
            blobs.append(np.zeros((STEPS, width), np.float32))
        parts.append((heads, bars, blobs))
    sides = [np.concatenate([np.stack(part[k]) for part in parts], axis=-1) for k in range(3)]
    return _Strip(*(np.asarray(side, np.float32) for side in sides))


def _contrast(heads: Map) -> Map:
    """What a place holds beyond its neighbours a step higher and lower: about 0.5 for a head alone."""
    padded = np.pad(heads, ((0, 0), (1, 1), (0, 0)))
    return np.asarray(heads - 0.5 * np.maximum(padded[:, :-2], padded[:, 2:]), np.float32)


def _row(head: Head) -> int:
    return min(max(head.step + BEYOND, 0), STEPS - 1)


def _fits(strip: _Strip, columns: list[_Column]) -> Map:
    """(columns, n): how well each column fits at each place."""
    n = strip.bars.shape[1]
    bars = strip.bars.min(axis=0)
    sharp = bars - 0.5 * (np.roll(bars, PER_SPACE) + np.roll(bars, -PER_SPACE))
    fits = np.zeros((len(columns), n), np.float32)
    for index, column in enumerate(columns):
        if not column.heads:
            fits[index] = bars + sharp
        for head in column.heads:
            shift = round((head.x - column.x) * PER_SPACE)
            fits[index] += np.roll(strip.heads[head.staff, _row(head)], -shift)
    return fits


def _lay(fits: Map, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of each column, increasing, that makes fit less the cost of odd spacing the largest.

    ``shares``: places in the engraving, as shares of its width.
    """
    step = max(1, math.ceil(fits.shape[1] / _MOST_COLUMNS))
    n = math.ceil(fits.shape[1] / step)
    padded = np.pad(fits, ((0, 0), (0, n * step - fits.shape[1])))
    coarse = padded.reshape(len(fits), n, step).max(axis=2)
    at = np.arange(n, dtype=np.float32)
    gaps = at[None, :] - at[:, None]
    ahead = gaps > 0
    logs = np.log(np.maximum(gaps, 0.5))
    far = np.abs(at - shares[0] * n) / n
    best = coarse[0] - 8 * far
    back = []
    for index in range(1, len(coarse)):
        goal = max((shares[index] - shares[index - 1]) * n, 0.5)
        cost = _SPACING * np.square((logs - math.log(goal)) / math.log(2)) * min(1.0, goal / PER_SPACE + 0.3)
        total = np.where(ahead, best[:, None] - cost, -1e9)
        back.append(total.argmax(axis=0))
        best = total.max(axis=0) + coarse[index]
    best = best - 8 * np.abs(at - shares[-1] * n) / n
    places = [int(np.argmax(best))]
    for one in reversed(back):
        places.append(int(one[places[-1]]))
    places.reverse()
    fine = [p * step + int(padded[i, p * step : (p + 1) * step].argmax()) for i, p in enumerate(places)]
    return np.asarray(np.minimum(fine, fits.shape[1] - 1), np.int64)


def _head_features(strip: _Strip, columns: list[_Column], places: NDArray[np.int64]) -> dict[str, float]:
    contrast = _contrast(strip.heads)
    n = strip.bars.shape[1]
    values, off = [], []
    for column, place in zip(columns, places.tolist(), strict=True):
        for head in column.heads:
            x = min(max(place + round((head.x - column.x) * PER_SPACE), 0), n - 1)
            near = slice(max(0, x - 2), x + 3)
            row = _row(head)
            own = float(strip.heads[head.staff, row, near].max())
            values.append(own if own < 0.35 else own + min(0.0, float(contrast[head.staff, row, near].max())))
            higher = [
                float(strip.heads[head.staff, r, near].max()) for r in (row - 1, row + 1) if 0 <= r < STEPS
            ]
            off.append(max(higher) > own + 0.1)
    held = np.array(values) if values else np.zeros(1)
    return {
        "heads": float(held.mean()),
        "weak_heads": float((held < 0.45).mean()),
        "worst_head": float(held.min()),
        "low_heads": float(np.quantile(held, 0.1)),
        "off_heads": float(np.mean(off)) if off else 0.0,
    }


def _blob_features(
    strip: _Strip, drawn: Engraved, columns: list[_Column], places: NDArray[np.int64]
) -> dict[str, float]:
    """What looks like a head in the crop and in the engraving, each looked up in the other."""
    own_x = np.array([column.x * PER_SPACE for column in columns])
    at = places.astype(np.float64)
    anchors = [0] if not len(own_x) else [i for i in range(len(own_x)) if i == 0 or at[i] > at[i - 1]]
    own_x, at = own_x[anchors], at[anchors]
    only_seen = only_drawn = total = 0
    for staff, own in enumerate(drawn.blobs):
        seen_rows, seen_x = np.nonzero(strip.blobs[staff])
        own_rows, drawn_x = np.nonzero(own)
        there = _carried(drawn_x.astype(np.float64), own_x, at)
        total += len(own_rows)
        if not len(seen_rows) or not len(own_rows):
            only_seen, only_drawn = only_seen + len(seen_rows), only_drawn + len(own_rows)
            continue
        close = (np.abs(seen_x[:, None] - there[None, :]) <= 1.1 * PER_SPACE) & (
            np.abs(seen_rows[:, None] - own_rows[None, :]) <= 1
        )
        only_seen += int((~close.any(axis=1)).sum())
        only_drawn += int((~close.any(axis=0)).sum())
    return {
        "extra_heads": min(only_seen / max(1, total), 2.0),
        "missing_heads": only_drawn / max(1, total),
        "stray": min(math.sqrt(only_seen) / 5, 1.0),
        "lost": min(math.sqrt(only_drawn) / 5, 1.0),
    }


def _carried(x: NDArray[np.float64], source: NDArray[np.float64], goal: NDArray[np.float64]) -> Map:
    """Places of the engraving in the crop: between columns by interpolation, beyond them at their scale."""
    if len(source) < 2:
        return np.asarray(x - (source[0] - goal[0] if len(source) else 0.0), np.float32)
    scale = (goal[-1] - goal[0]) / max(source[-1] - source[0], 1e-6)
    inside = np.interp(x, source, goal)
    inside = np.where(x < source[0], goal[0] + (x - source[0]) * scale, inside)
    return np.asarray(np.where(x > source[-1], goal[-1] + (x - source[-1]) * scale, inside), np.float32)


def _bar_features(strip: _Strip, columns: list[_Column], places: NDArray[np.int64]) -> dict[str, float]:
    bars = strip.bars.min(axis=0)
    values = []
    free = bars.copy()
    for column, place in zip(columns, places.tolist(), strict=True):
        near = slice(max(0, place - 2), place + 3)
        if not column.heads:
            values.append(float(bars[near].max()))
            free[max(0, place - PER_SPACE) : place + PER_SPACE + 1] = 0
    free[: 2 * PER_SPACE] = 0
    extra = int((np.diff((free > 0.97).astype(np.int8)) == 1).sum())
    held = np.array(values) if values else np.ones(1)
    return {
        "bars": float(held.mean()),
        "worst_bar": float(held.min()),
        "extra_bars": min(extra / max(1, len(values)), 2.0),
    }


def _spacing(columns: list[_Column], places: NDArray[np.int64]) -> float:
    if len(columns) < 3:
        return 0.0
    own = np.diff([column.x for column in columns])
    seen = np.maximum(np.diff(places), 0.5)
    ratio = np.log(seen / np.maximum(own, 0.1))
    return float(min(np.abs(ratio - np.median(ratio)).mean(), 1.0))
