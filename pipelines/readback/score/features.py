"""Features of a score compared with the staves of a crop: column by column, and head by head.

Verovio engraves the record's kern as one long system (:mod:`.rendering`). The crop's own spacing is another,
so the columns of notes and signs and the barlines of the engraving are aligned with the crop's strips
(:mod:`.staves`) from left to right (:mod:`.alignment`). Each head is then looked for where it should be, and
up to four steps higher and lower; and what looks like a head on one side alone is counted. Scans differ more
than right and wrong answers do, so the worst head or column is compared with the median of the same crop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.contents import ScoreContent
from docai.pipelines.readback.score.alignment import (
    Column,
    CropStaves,
    align_columns,
    correlate,
    crop_to_engraving,
    engraving_columns,
    join_systems,
)
from docai.pipelines.readback.score.rendering import Engraving, Notehead, engrave_score
from docai.pipelines.readback.score.staves import STEP_PX, STRIP_ROWS, TOP_PX, UNIT_PX, Strip
from docai.pipelines.readback.similarity import Features
from docai.pipelines.tracing.score.staff_lines import Map

_PATCH_MARGIN_PX = (6, 7)
"""Rows and columns around a head, each way, that are compared."""

_MAX_STEPS_OFF = 4
"""Steps up and down in which a head might fit better."""

_MAX_COLUMNS_OFF = 3
"""Columns by which a head may be beside its position."""

_MIN_HEAD_RESPONSE = 0.5
"""Share of the typical head's response from which something counts as one."""

_MIN_MEAN_CORRELATION = 0.5
"""Of the heads, or of the columns of silent music. With less, the staves show other music, or none: of right
answers to drawn crops one in a hundred has less than 0.68."""

_SAME_HEAD_KERNEL = np.ones((5, 11), np.uint8)
"""Rows and columns within which two responses are the same head."""

_NO_MATCH: Features = {
    "no_match": 1.0,
    "no_staves": 1.0,
    "staff_ratio": 1.5,
    "log_heads": 2.0,
    "column_correlation": 0.0,
    "min_column_correlation": 0.0,
    "column_deviation": 1.0,
    "head_correlation": 0.0,
    "min_head_correlation": -0.5,
    "head_deviation": 1.0,
    "misplaced_heads": 1.0,
    "max_misplacement": 1.0,
    "max_extra": 1.5,
    "max_missing": 1.5,
    "extra_heads": 2.0,
    "missing_heads": 1.0,
    "bar_ink": 0.9,
    "min_bar_ink": 0.9,
    "extra_bars": 1.0,
    "gap_deviation": 0.1,
    "max_gap_deviation": 1.0,
}
"""Where no staff is found, or nothing correlates with the engraved heads: the worst of each feature, and
about the typical value of those that describe the picture alone."""


def score_features(strips: Sequence[Strip], content: ScoreContent) -> Features:
    """Features of a kern compared with staves.

    ``no_match``: 1 where the picture shows no staff, or hardly a head is where it should be; then all others
    have fixed values. ``no_staves``: 1 where it shows no staff at all. ``staff_ratio``: absolute log ratio of
    the staves of the picture, in whole systems, to those engraved; ``log_heads``: log of 1 + the number of
    heads engraved.

    ``column_correlation``, ``min_column_correlation``: mean and least correlation of a column of the
    engraving with its position; ``column_deviation``: by how much the least is below the median.
    ``head_correlation``, ``min_head_correlation``, ``head_deviation``: the same of the patch around each
    head; ``misplaced_heads``, ``max_misplacement``: share of heads that fit better on another step, and by
    how much at most.

    ``max_extra``, ``max_missing``: largest response to a head that is only in the crop, or only in the
    engraving; ``extra_heads``, ``missing_heads``: how many, over the number of those engraved.

    ``bar_ink``, ``min_bar_ink``: mean and least ink at the barlines' positions; ``extra_bars``: barlines of
    the crop that are not engraved, over the number of those engraved. ``gap_deviation``,
    ``max_gap_deviation``: mean and largest absolute log ratio of the crop's gaps to those engraved, relative
    to the median.

    Raises:
        NotComparable: Verovio is missing or refuses the kern.
    """
    engraving = engrave_score(content.kern)
    if not strips:
        return dict(_NO_MATCH)
    n_systems = max(1, round(len(strips) / engraving.n_staves))
    crop = join_systems(strips, engraving.n_staves, n_systems)
    columns = engraving_columns(engraving)
    positions, fits = align_columns(crop, engraving, columns)
    head_features = _head_features(crop, engraving, columns, positions)
    column_features = _column_features(columns, fits)
    correlation = (
        head_features["head_correlation"] if engraving.heads else column_features["column_correlation"]
    )
    if correlation < _MIN_MEAN_CORRELATION:
        # Deviations from the median say nothing where nothing is as it should be, as on empty staves.
        return {**_NO_MATCH, "no_staves": 0.0}
    return {
        "no_match": 0.0,
        "no_staves": 0.0,
        "staff_ratio": min(abs(math.log(len(strips) / (engraving.n_staves * n_systems))), 1.5),
        "log_heads": math.log1p(len(engraving.heads)),
        **column_features,
        **head_features,
        **_difference_features(crop, engraving, columns, positions),
        **_bar_features(crop, columns, positions),
        **_gap_features(columns, positions),
    }


def _column_features(columns: Sequence[Column], fits: NDArray[np.float64]) -> Features:
    is_event = [not column.is_bar for column in columns]
    correlations = fits[is_event] if any(is_event) else np.zeros(1)
    return {
        "column_correlation": float(correlations.mean()),
        "min_column_correlation": float(correlations.min()),
        "column_deviation": float(np.median(correlations) - correlations.min()),
    }


def _placed_heads(
    columns: Sequence[Column], positions: NDArray[np.int64]
) -> Iterator[tuple[Notehead, int, int]]:
    """Each head with its row in a strip and its column in the crop, either of which may be outside."""
    for column, position in zip(columns, positions.tolist(), strict=True):
        for head in column.heads:
            yield head, TOP_PX + head.step * STEP_PX, round(position + (head.x - column.x) * UNIT_PX)


def _head_features(
    crop: CropStaves, engraving: Engraving, columns: Sequence[Column], positions: NDArray[np.int64]
) -> Features:
    up, side = _PATCH_MARGIN_PX
    region_up, region_side = up + _MAX_STEPS_OFF * STEP_PX + 1, side + _MAX_COLUMNS_OFF
    crop_ink = [np.pad(ink, ((region_up, region_up), (region_side, region_side))) for ink in crop.ink]
    engraved_ink = [np.pad(strip.ink, ((up, up), (side, side))) for strip in engraving.strips]
    center = region_up - up
    correlations, margins = [], []
    for head, row, column in _placed_heads(columns, positions):
        if not 0 <= row < STRIP_ROWS:
            continue
        x = min(max(round(head.x * UNIT_PX), 0), engraving.strips[head.staff].ink.shape[1] - 1)
        crop_x = min(max(column, 0), crop.bars.shape[1] - 1)
        patch = engraved_ink[head.staff][row : row + 2 * up + 1, x : x + 2 * side + 1]
        region = crop_ink[head.staff][row : row + 2 * region_up + 1, crop_x : crop_x + 2 * region_side + 1]
        by_row = correlate(region, patch).max(axis=1)
        best = float(by_row[center - 1 : center + 2].max())
        occupied = {
            neighbor.step
            for neighbor in engraving.heads
            if neighbor.staff == head.staff and abs(neighbor.x - head.x) < 1.4
        }
        rivals = [
            float(by_row[center + step * STEP_PX - 1 : center + step * STEP_PX + 2].max())
            for step in range(-_MAX_STEPS_OFF, _MAX_STEPS_OFF + 1)
            if step and head.step + step not in occupied
        ]
        correlations.append(best)
        margins.append(max(rivals, default=-1.0) - best)
    fit, margin = np.array(correlations or [0.0]), np.array(margins or [0.0])
    return {
        "head_correlation": float(fit.mean()),
        "min_head_correlation": float(fit.min()),
        "head_deviation": float(np.median(fit) - fit.min()),
        "misplaced_heads": float((margin > 0).mean()),
        "max_misplacement": float(min(max(margin.max(), -1.0), 1.0)),
    }


def _difference_features(
    crop: CropStaves, engraving: Engraving, columns: Sequence[Column], positions: NDArray[np.int64]
) -> Features:
    """What looks like a head in the crop and in the engraving, each looked up in the other."""
    source_of = _source_columns(crop.bars.shape[1], columns, positions)
    typical_crop, typical_engraved = _typical_responses(crop, engraving, columns, positions)
    crop_heads = [heads / typical_crop for heads in crop.heads]
    engraved_heads = [_warp(strip.heads, source_of) / typical_engraved for strip in engraving.strips]
    near_engraved = _with_neighbor_staves(
        [cv2.dilate(heads, _SAME_HEAD_KERNEL) for heads in engraved_heads], crop.staff_offsets
    )
    counts = np.where(_is_excluded(crop, columns, positions), 0, 1).astype(np.float32)
    extra: list[float] = []
    missing: list[float] = []
    for staff, (first, last) in enumerate(crop.reach):
        rows = slice(first, last + 1)
        near_crop = cv2.dilate(crop_heads[staff], _SAME_HEAD_KERNEL)
        extra += _peaks(((crop_heads[staff] - near_engraved[staff]) * counts)[rows])
        missing += _peaks(((engraved_heads[staff] - near_crop) * counts)[rows])
    n_heads = max(1, len(engraving.heads))
    return {
        "max_extra": min(max(extra, default=0.0), 1.5),
        "max_missing": min(max(missing, default=0.0), 1.5),
        "extra_heads": min(sum(value > _MIN_HEAD_RESPONSE for value in extra) / n_heads, 2.0),
        "missing_heads": min(sum(value > _MIN_HEAD_RESPONSE for value in missing) / n_heads, 1.0),
    }


def _source_columns(n: int, columns: Sequence[Column], positions: NDArray[np.int64]) -> Map:
    """See :func:`crop_to_engraving`."""
    source = np.array([column.x * UNIT_PX for column in columns])
    target = positions.astype(np.float64)
    increasing = [
        i for i in range(len(source)) if not i or (target[i] > target[i - 1] and source[i] > source[i - 1])
    ]
    return crop_to_engraving(n, source[increasing], target[increasing])


def _warp(strip: Map, source_of: Map) -> Map:
    """A strip of the engraving with the columns of the crop."""
    x = np.ascontiguousarray(np.broadcast_to(source_of, (STRIP_ROWS, len(source_of))))
    y = np.ascontiguousarray(np.broadcast_to(np.arange(STRIP_ROWS, dtype=np.float32)[:, None], x.shape))
    return np.asarray(cv2.remap(strip, x, y, cv2.INTER_LINEAR), np.float32)


def _typical_responses(
    crop: CropStaves, engraving: Engraving, columns: Sequence[Column], positions: NDArray[np.int64]
) -> tuple[float, float]:
    """Median response of the heads engraved, in the crop and in the engraving."""
    in_crop, in_engraving = [], []
    for head, row, crop_x in _placed_heads(columns, positions):
        engraved = engraving.strips[head.staff].heads
        observed, expected = (
            heads[max(0, row - 2) : row + 3, max(0, x - 3) : x + 4]
            for heads, x in ((crop.heads[head.staff], crop_x), (engraved, round(head.x * UNIT_PX)))
        )
        if observed.size and expected.size:
            in_crop.append(float(observed.max()))
            in_engraving.append(float(expected.max()))
    return (
        max(float(np.median(in_crop or [0.8])), 0.25),
        max(float(np.median(in_engraving or [0.8])), 0.25),
    )


def _with_neighbor_staves(maps: Sequence[Map], staff_offsets: Sequence[int]) -> list[Map]:
    """Each staff's map with what the staves above and below have in its rows: ledger lines reach far."""
    combined = [heads.copy() for heads in maps]
    for upper, offset in enumerate(staff_offsets):
        if 0 < offset < STRIP_ROWS:
            top, bottom = combined[upper][offset:], combined[upper + 1][: STRIP_ROWS - offset]
            np.maximum(top, maps[upper + 1][: STRIP_ROWS - offset], out=top)
            np.maximum(bottom, maps[upper][offset:], out=bottom)
    return combined


def _is_excluded(
    crop: CropStaves, columns: Sequence[Column], positions: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Columns in which nothing counts: barlines, and the clef and key that start each further system."""
    is_excluded = np.zeros(crop.bars.shape[1], bool)
    for column, position in zip(columns, positions.tolist(), strict=True):
        if column.is_bar:
            is_excluded[max(0, position - 5) : position + 6] = True
    if columns[-1].is_bar:
        is_excluded[max(0, int(positions[-1]) - 5) :] = True
    is_excluded[: max(int(positions[0]) - UNIT_PX, 0)] = True
    for start in crop.starts[1:]:
        later = positions[positions > start]
        is_excluded[start : int(later[0]) - UNIT_PX if later.size else start + UNIT_PX] = True
    return is_excluded


def _peaks(response: Map) -> list[float]:
    """Heights of the local maxima."""
    is_peak = response >= cv2.dilate(response, np.ones((5, 9), np.uint8))
    return [float(value) for value in response[is_peak & (response > 0.05)]]


def _bar_features(crop: CropStaves, columns: Sequence[Column], positions: NDArray[np.int64]) -> Features:
    ink = crop.bars.min(axis=0)
    bar_ink = []
    elsewhere = ink.copy()
    for column, position in zip(columns, positions.tolist(), strict=True):
        if column.is_bar:
            bar_ink.append(float(ink[max(0, position - 4) : position + 5].max()))
            elsewhere[max(0, position - UNIT_PX) : position + UNIT_PX + 1] = 0
    elsewhere[: 2 * UNIT_PX] = 0
    threshold = max(0.75 * float(np.median(bar_ink or [0.9])), 0.3)
    n_extra = int((np.diff((elsewhere > threshold).astype(np.int8)) == 1).sum())
    values = np.array(bar_ink or [1.0])
    return {
        "bar_ink": float(values.mean()),
        "min_bar_ink": float(values.min()),
        "extra_bars": min(n_extra / max(1, len(bar_ink)), 2.0),
    }


def _gap_features(columns: Sequence[Column], positions: NDArray[np.int64]) -> Features:
    if len(columns) < 3:
        return {"gap_deviation": 0.0, "max_gap_deviation": 0.0}
    engraved = np.diff([column.x for column in columns]) * UNIT_PX
    log_ratios = np.log(np.maximum(np.diff(positions), 1.0) / np.maximum(engraved, 0.8))
    # Of gaps narrower than a staff space, a column more or less says little.
    deviations = np.abs(log_ratios - np.median(log_ratios)) * np.minimum(1.0, engraved / UNIT_PX)
    return {
        "gap_deviation": float(min(deviations.mean(), 1.0)),
        "max_gap_deviation": float(min(deviations.max(), 2.0)),
    }
