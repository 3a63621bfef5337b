"""Aligns the columns of an engraving with a crop, from left to right, by dynamic programming."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.score.rendering import Engraving, Notehead
from docai.pipelines.readback.score.staves import STRIP_ROWS, UNIT_PX, Strip
from docai.pipelines.tracing.score.staff_lines import Map

_COARSE_UNIT_PX = UNIT_PX // 2
"""Columns to a staff space while aligning."""

_COLUMN_SPACES = 0.5
"""Staff spaces within which heads and signs are one column."""

_MAX_POSITIONS = 420
"""Positions that columns are aligned with; longer systems are sampled more coarsely."""

_SPACING_COST = 0.5
"""Of a gap twice as wide, or half as wide, as engraved, in columns that fit perfectly."""

_EVENT_WEIGHT = 1.5
"""Of a column of notes or signs that fits perfectly; a barline counts up to 2."""


@dataclass(frozen=True)
class Column:
    """Heads and signs above each other, or a barline; x in staff spaces."""

    x: float
    heads: tuple[Notehead, ...] = ()
    is_bar: bool = False


@dataclass(frozen=True)
class CropStaves:
    """The strips of all systems of a crop side by side, (staves, STRIP_ROWS, n) and (staves, n)."""

    ink: Map
    heads: Map
    bars: Map
    starts: tuple[int, ...]
    """Column in which each system starts."""
    staff_offsets: tuple[int, ...]
    """Rows from each staff but the last to the one below."""
    reach: tuple[tuple[int, int], ...]
    """Rows of each staff, see :attr:`docai.pipelines.readback.score.staves.Strip.reach`."""


def engraving_columns(engraving: Engraving) -> list[Column]:
    """From left to right."""
    events: list[tuple[float, Notehead | None]] = [(head.x, head) for head in engraving.heads]
    events += [(x, None) for x in engraving.signs]
    events.sort(key=lambda event: event[0])
    groups: list[list[tuple[float, Notehead | None]]] = []
    for event in events:
        if groups and event[0] - groups[-1][0][0] < _COLUMN_SPACES:
            groups[-1].append(event)
        else:
            groups.append([event])
    columns = [
        Column(sum(x for x, _ in group) / len(group), tuple(head for _, head in group if head is not None))
        for group in groups
    ]
    columns += [Column(bar, is_bar=True) for bar in engraving.bars]
    return sorted(columns, key=lambda column: column.x) or [Column(engraving.width, is_bar=True)]


def join_systems(strips: Sequence[Strip], n_staves: int, n_systems: int) -> CropStaves:
    """Systems of ``n_staves`` staves side by side; a staff that is missing is empty."""
    parts: list[tuple[list[Map], list[Map], list[Map]]] = []
    reach = [(0, STRIP_ROWS - 1)] * n_staves
    starts = [0]
    for system in range(n_systems):
        staves = strips[system * n_staves : (system + 1) * n_staves]
        width = max((strip.bars.shape[0] for strip in staves), default=1)
        ink, heads, bars = [], [], []
        for number, strip in enumerate(staves):
            padding = width - strip.bars.shape[0]
            ink.append(np.pad(strip.ink, ((0, 0), (0, padding))))
            heads.append(np.pad(strip.heads, ((0, 0), (0, padding))))
            bars.append(np.pad(strip.bars, (0, padding)))
            reach[number] = (max(reach[number][0], strip.reach[0]), min(reach[number][1], strip.reach[1]))
        while len(ink) < n_staves:
            ink.append(np.zeros((STRIP_ROWS, width), np.float32))
            heads.append(np.zeros((STRIP_ROWS, width), np.float32))
            bars.append(np.zeros(width, np.float32))
        parts.append((ink, heads, bars))
        starts.append(starts[-1] + width)
    staff_offsets = []
    for number in range(n_staves - 1):
        distances = [
            strips[first + 1].height - strips[first].height
            for first in range(number, len(strips) - 1, n_staves)
        ]
        offset = round(float(np.median(distances)) * UNIT_PX) if distances else 2 * STRIP_ROWS
        staff_offsets.append(offset)
    ink_all, heads_all, bars_all = (
        np.asarray(np.concatenate([np.stack(part[k]) for part in parts], axis=-1), np.float32)
        for k in range(3)
    )
    return CropStaves(ink_all, heads_all, bars_all, tuple(starts[:-1]), tuple(staff_offsets), tuple(reach))


def align_columns(
    crop: CropStaves, engraving: Engraving, columns: Sequence[Column]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The position of each column in the crop, increasing, and how well it fits there (about -0.2..1)."""
    fits = _column_fits(crop, engraving, columns)
    shares = np.array([column.x for column in columns]) / max(engraving.width, 1e-6)
    weights = np.array([1.0 if column.is_bar else _EVENT_WEIGHT for column in columns], np.float32)
    positions = _best_positions(fits * weights[:, None], shares)
    bar_scale = np.array([0.5 if column.is_bar else 1.0 for column in columns])
    own_fits = fits[np.arange(len(fits)), positions] * bar_scale
    return positions * (UNIT_PX // _COARSE_UNIT_PX), np.asarray(own_fits, np.float64)


def _column_fits(crop: CropStaves, engraving: Engraving, columns: Sequence[Column]) -> Map:
    """(columns, n): how well each column fits at each position, :data:`_COARSE_UNIT_PX` to a staff space."""
    n = max(1, crop.bars.shape[1] * _COARSE_UNIT_PX // UNIT_PX)
    observed, expected = [], []
    for staff, strip in enumerate(engraving.strips):
        first, last = crop.reach[staff]
        rows = slice(first // 2, last // 2 + 1)
        width = max(1, strip.ink.shape[1] * _COARSE_UNIT_PX // UNIT_PX)
        observed.append(_resize(crop.ink[staff], n)[rows])
        expected.append(_resize(strip.ink, width)[rows])
    reach = _COARSE_UNIT_PX
    crop_ink = np.pad(np.concatenate(observed), ((0, 0), (reach, reach)))
    width = max(part.shape[1] for part in expected)
    engraved_ink = np.pad(
        np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in expected]),
        ((0, 0), (reach, reach)),
    )
    bars = crop.bars.min(axis=0)
    sharpness = bars - 0.5 * (np.roll(bars, UNIT_PX) + np.roll(bars, -UNIT_PX))
    bar_fits = cv2.dilate((bars + sharpness)[None], np.ones((1, 3), np.uint8))[0]
    bar_fits = bar_fits[:: UNIT_PX // _COARSE_UNIT_PX][:n]
    fits = np.zeros((len(columns), n), np.float32)
    for index, column in enumerate(columns):
        if column.is_bar:
            fits[index, : len(bar_fits)] = bar_fits
            continue
        x = min(max(round(column.x * _COARSE_UNIT_PX), 0), width - 1)
        patch = engraved_ink[:, x : x + 2 * reach + 1]
        fits[index] = np.maximum(correlate(crop_ink, patch)[0], -0.2)
    return fits


def _resize(ink: Map, width: int) -> Map:
    """A strip at half its height, ``width`` columns wide."""
    return np.asarray(cv2.resize(ink, (width, STRIP_ROWS // 2), interpolation=cv2.INTER_AREA), np.float32)


def correlate(region: Map, patch: Map) -> Map:
    """Correlation of a patch with the region around each position, -1..1; 0 where either is uniform."""
    if float(patch.std()) < 1e-3:
        shape = (region.shape[0] - patch.shape[0] + 1, region.shape[1] - patch.shape[1] + 1)
        return np.zeros(shape, np.float32)
    found = cv2.matchTemplate(np.ascontiguousarray(region), np.ascontiguousarray(patch), cv2.TM_CCOEFF_NORMED)
    return np.asarray(np.clip(np.nan_to_num(found, posinf=0.0, neginf=0.0), -1, 1), np.float32)


def _best_positions(fits: Map, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """The position of each column, increasing, that maximizes fit less the cost of uneven spacing.

    ``shares``: positions in the engraving, as shares of its width.
    """
    step = max(1, math.ceil(fits.shape[1] / _MAX_POSITIONS))
    n = math.ceil(fits.shape[1] / step)
    padded = np.pad(fits, ((0, 0), (0, n * step - fits.shape[1])))
    coarse = padded.reshape(len(fits), n, step).max(axis=2)
    positions = np.arange(n, dtype=np.float32)
    gaps = positions[None, :] - positions[:, None]
    log_gaps = np.log(np.maximum(gaps, 0.5))
    best = coarse[0] - 8 * (np.abs(positions - shares[0] * n) / n)
    previous = []
    for index in range(1, len(coarse)):
        expected_gap = max((shares[index] - shares[index - 1]) * n, 0.5)
        octaves = (log_gaps - math.log(expected_gap)) / math.log(2)
        cost = _SPACING_COST * np.square(octaves) * min(1.0, expected_gap / _COARSE_UNIT_PX + 0.3)
        total = np.where(gaps > 0, best[:, None] - cost, -1e9)
        previous.append(total.argmax(axis=0))
        best = total.max(axis=0) + coarse[index]
    best = best - 8 * np.abs(positions - shares[-1] * n) / n
    path = [int(np.argmax(best))]
    for predecessors in reversed(previous):
        path.append(int(predecessors[path[-1]]))
    path.reverse()
    fine = [p * step + int(padded[i, p * step : (p + 1) * step].argmax()) for i, p in enumerate(path)]
    return np.asarray(np.minimum(fine, fits.shape[1] - 1), np.int64)


def crop_to_engraving(n: int, source: NDArray[np.float64], target: NDArray[np.float64]) -> Map:
    """(n,): for each column of the crop, the column of the engraving that is aligned with it.

    Around an aligned position everything shifts with it, as a glyph and its accidental do; only the middle of
    a gap is cut out or stretched.

    Args:
        n: columns of the crop.
        source: the aligned positions in the engraving, increasing.
        target: the same in the crop, increasing.
    """
    columns = np.arange(n, dtype=np.float64)
    right = np.searchsorted(target, columns)
    a, b = np.clip(right - 1, 0, len(target) - 1), np.clip(right, 0, len(target) - 1)
    since, until = columns - target[a], target[b] - columns
    half = (source[b] - source[a]) / 2
    inside = np.where(
        since <= until, source[a] + np.minimum(since, half), source[b] - np.minimum(until, half)
    )
    before, after = columns <= target[0], columns >= target[-1]
    inside = np.where(before, source[0] + columns - target[0], inside)
    return np.asarray(np.where(after, source[-1] + columns - target[-1], inside), np.float32)
