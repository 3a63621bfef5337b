"""Columns of an engraving laid onto a crop from left to right, by dynamic programming."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.score.rendering import Engraved, Head
from docai.pipelines.readback.score.staves import ROWS, UNIT, Map, Sheet

_HALF = UNIT // 2
"""Columns to a staff space while laying."""

_TOGETHER = 0.5
"""Staff spaces within which heads and signs are one column."""

_MOST_COLUMNS = 420
"""Places from left to right that columns are laid onto; longer systems are looked at more coarsely."""

_SPACING = 0.5
"""Cost of a gap twice as wide, or half as wide, as engraved, in columns that fit wholly."""

_EVENT = 1.5
"""What a column of notes or signs that fits wholly counts; a barline counts up to 2."""


@dataclass(frozen=True)
class Column:
    """Heads and signs above each other, or a barline; x in staff spaces."""

    x: float
    heads: tuple[Head, ...] = ()
    is_bar: bool = False


@dataclass(frozen=True)
class Seen:
    """All systems of the crop side by side: (staves, ROWS, n), (staves, ROWS, n), (staves, n)."""

    ink: Map
    heads: Map
    bars: Map
    starts: tuple[int, ...]
    """Column in which each system starts."""
    apart: tuple[int, ...]
    """Rows from each staff but the last to the one below."""
    reach: tuple[tuple[int, int], ...]
    """Of each staff, the rows that are its own, see :class:`docai.pipelines.readback.score.staves.Strip`."""


def columns_of(drawn: Engraved) -> list[Column]:
    """From left to right."""
    events: list[tuple[float, Head | None]] = [(head.x, head) for head in drawn.heads]
    events += [(x, None) for x in drawn.signs]
    events.sort(key=lambda event: event[0])
    groups: list[list[tuple[float, Head | None]]] = []
    for event in events:
        if groups and event[0] - groups[-1][0][0] < _TOGETHER:
            groups[-1].append(event)
        else:
            groups.append([event])
    columns = [
        Column(sum(x for x, _ in group) / len(group), tuple(head for _, head in group if head is not None))
        for group in groups
    ]
    columns += [Column(bar, is_bar=True) for bar in drawn.bars]
    return sorted(columns, key=lambda column: column.x) or [Column(drawn.width, is_bar=True)]


def side_by_side(sheet: Sheet, n_staves: int, n_systems: int) -> Seen:
    """Staves of a system above each other, systems side by side; a staff that is missing is empty."""
    parts: list[tuple[list[Map], list[Map], list[Map]]] = []
    reach = [(0, ROWS - 1)] * n_staves
    starts = [0]
    for system in range(n_systems):
        own = sheet.strips[system * n_staves : (system + 1) * n_staves]
        width = max((strip.bars.shape[0] for strip in own), default=1)
        ink, heads, bars = [], [], []
        for number, strip in enumerate(own):
            spare = width - strip.bars.shape[0]
            ink.append(np.pad(strip.ink, ((0, 0), (0, spare))))
            heads.append(np.pad(strip.heads, ((0, 0), (0, spare))))
            bars.append(np.pad(strip.bars, (0, spare)))
            reach[number] = (max(reach[number][0], strip.reach[0]), min(reach[number][1], strip.reach[1]))
        while len(ink) < n_staves:
            ink.append(np.zeros((ROWS, width), np.float32))
            heads.append(np.zeros((ROWS, width), np.float32))
            bars.append(np.zeros(width, np.float32))
        parts.append((ink, heads, bars))
        starts.append(starts[-1] + width)
    apart = []
    for number in range(n_staves - 1):
        both = [
            sheet.strips[first + 1].height - sheet.strips[first].height
            for first in range(number, len(sheet.strips) - 1, n_staves)
        ]
        apart.append(round(float(np.median(both)) * UNIT) if both else 2 * ROWS)
    ink_all, heads_all, bars_all = (
        np.asarray(np.concatenate([np.stack(part[k]) for part in parts], axis=-1), np.float32)
        for k in range(3)
    )
    return Seen(ink_all, heads_all, bars_all, tuple(starts[:-1]), tuple(apart), tuple(reach))


def lay(seen: Seen, drawn: Engraved, columns: list[Column]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The place of each column in the crop, increasing, and how well it fits there (about -0.2..1)."""
    fits = _fits(seen, drawn, columns)
    shares = np.array([column.x for column in columns]) / max(drawn.width, 1e-6)
    weight = np.array([1.0 if column.is_bar else _EVENT for column in columns], np.float32)
    places = _lay(fits * weight[:, None], shares)
    held = fits[np.arange(len(fits)), places] * np.array([0.5 if c.is_bar else 1.0 for c in columns])
    scale = UNIT // _HALF
    return places * scale, np.asarray(held, np.float64)


def _fits(seen: Seen, drawn: Engraved, columns: list[Column]) -> Map:
    """(columns, n): how well each column fits at each place, :data:`_HALF` places to a space."""
    n = max(1, seen.bars.shape[1] * _HALF // UNIT)
    crop, own = [], []
    for staff, strip in enumerate(drawn.strips):
        first, last = seen.reach[staff]
        rows = slice(first // 2, last // 2 + 1)
        width = max(1, strip.ink.shape[1] * _HALF // UNIT)
        crop.append(cv2.resize(seen.ink[staff], (n, ROWS // 2), interpolation=cv2.INTER_AREA)[rows])
        own.append(cv2.resize(strip.ink, (width, ROWS // 2), interpolation=cv2.INTER_AREA)[rows])
    reach = _HALF
    tall = np.pad(np.concatenate(crop), ((0, 0), (reach, reach)))
    width = max(part.shape[1] for part in own)
    engraving = np.pad(
        np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in own]),
        ((0, 0), (reach, reach)),
    )
    bars = seen.bars.min(axis=0)
    sharp = bars - 0.5 * (np.roll(bars, UNIT) + np.roll(bars, -UNIT))
    line = cv2.dilate((bars + sharp)[None], np.ones((1, 3), np.uint8))[0][:: UNIT // _HALF][:n]
    fits = np.zeros((len(columns), n), np.float32)
    for index, column in enumerate(columns):
        if column.is_bar:
            fits[index, : len(line)] = line
            continue
        x = min(max(round(column.x * _HALF), 0), width - 1)
        patch = np.ascontiguousarray(engraving[:, x : x + 2 * reach + 1])
        if float(patch.std()) > 1e-3:
            found = cv2.matchTemplate(tall, patch, cv2.TM_CCOEFF_NORMED)[0]
            fits[index] = np.clip(np.nan_to_num(found, posinf=0.0, neginf=0.0), -0.2, 1.0)
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
        cost = _SPACING * np.square((logs - math.log(goal)) / math.log(2)) * min(1.0, goal / _HALF + 0.3)
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


def carried(n: int, source: NDArray[np.float64], goal: NDArray[np.float64]) -> Map:
    """(n,): for each place of the crop the place of the engraving that comes to stand there.

    Around a column all moves with it, as a glyph and its accidental do; only the middle of a gap is left out
    or drawn out.

    Args:
        n: columns of the crop.
        source: the columns' places in the engraving, increasing.
        goal: their places in the crop, increasing.
    """
    at = np.arange(n, dtype=np.float64)
    right = np.searchsorted(goal, at)
    a, b = np.clip(right - 1, 0, len(goal) - 1), np.clip(right, 0, len(goal) - 1)
    since, until = at - goal[a], goal[b] - at
    half = (source[b] - source[a]) / 2
    inside = np.where(
        since <= until, source[a] + np.minimum(since, half), source[b] - np.minimum(until, half)
    )
    before, after = at <= goal[0], at >= goal[-1]
    inside = np.where(before, source[0] + at - goal[0], inside)
    return np.asarray(np.where(after, source[-1] + at - goal[-1], inside), np.float32)
