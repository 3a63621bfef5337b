"""A score engraved again, held against the staves of a crop: column by column, and head by head.

Verovio engraves the record's kern as one long system. The crop's own spacing is another, so the columns of
notes and signs and the barlines of the engraving are laid onto the crop's from left to right
(:mod:`docai.pipelines.readback.score.alignment`). Each head is then looked for where it should stand, and up
to four steps higher and lower; and what looks like a head on one side alone is counted. Scans differ more
than right and wrong answers do, so the worst is held against what is usual in the same crop.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.contents import ScoreContent
from docai.pipelines.readback.base import Features
from docai.pipelines.readback.score.alignment import (
    Column,
    Seen,
    carried,
    columns_of,
    lay,
    side_by_side,
)
from docai.pipelines.readback.score.rendering import Engraved, engraved
from docai.pipelines.readback.score.staves import ROWS, STEP, TOP, UNIT, Map, Sheet, observe_score

__all__ = ["observe_score", "score_features"]

_AROUND = (6, 7)
"""Rows and columns of a head's surroundings, each way, that are compared."""

_FARTHEST = 4
"""Steps up and down in which a head might fit better."""

_SIDEWAYS = 3
"""Columns by which a head may stand beside its place."""

_PRESENT = 0.5
"""Share of the usual head's response from which something counts as one."""

_LEAST_LIKE = 0.5
"""Mean correlation of the heads, or of the columns of silent music, below which the staves show other
music, or none: of right answers to drawn crops one in a hundred has less than 0.68."""

_CLOSE = np.ones((5, 11), np.uint8)
"""Rows and columns within which a head explains another."""


def score_features(seen: Sheet, content: ScoreContent) -> Features:
    """Features of a kern against staves.

    ``unlike``: 1 where the picture shows no staff, or hardly a head is where it should be; then all others
    have fixed values. ``no_staves``: 1 where it shows no staff at all. ``staves``: log ratio of staves seen,
    in whole systems, to staves engraved, without sign; ``crowd``: log of 1 + the number of heads engraved.

    ``alike``, ``least_alike``: mean and least correlation of a column of the engraving with its place;
    ``odd_column``: by how much the least is below the median. ``heads``, ``worst_head``, ``odd_head``: the
    same of the surroundings of each head; ``off_heads``, ``worst_off``: share of heads that fit better on
    another step, and by how much at most.

    ``extra``, ``missing``: how much of a head there is at most only in the crop, or only in the engraving;
    ``extra_heads``, ``missing_heads``: how many, by number of those engraved.

    ``bars``, ``worst_bar``: ink at the barlines' places; ``extra_bars``: barlines seen that are not engraved,
    by number of those engraved. ``spacing``, ``worst_gap``: mean and largest absolute log ratio of gaps seen
    to gaps engraved, less the median.

    Raises:
        NotComparable: Verovio is missing or refuses the kern.
    """
    drawn = engraved(content.kern)
    n_seen = len(seen.strips)
    if not n_seen:
        return dict(_NOTHING)
    n_systems = max(1, round(n_seen / drawn.n_staves))
    crop = side_by_side(seen, drawn.n_staves, n_systems)
    columns = columns_of(drawn)
    places, fits = lay(crop, drawn, columns)
    heads = _head_features(crop, drawn, columns, places)
    events = _column_features(columns, fits)
    if (heads["heads"] if drawn.heads else events["alike"]) < _LEAST_LIKE:
        # What is below the usual says nothing where nothing is as it should be, as on empty staves.
        return {**_NOTHING, "no_staves": 0.0}
    return {
        "unlike": 0.0,
        "no_staves": 0.0,
        "staves": min(abs(math.log(n_seen / (drawn.n_staves * n_systems))), 1.5),
        "crowd": math.log1p(len(drawn.heads)),
        **events,
        **heads,
        **_difference_features(crop, drawn, columns, places),
        **_bar_features(crop, columns, places),
        **_gap_features(columns, places),
    }


_NOTHING: Features = {
    "unlike": 1.0,
    "no_staves": 1.0,
    "staves": 1.5,
    "crowd": 2.0,
    "alike": 0.0,
    "least_alike": 0.0,
    "odd_column": 1.0,
    "heads": 0.0,
    "worst_head": -0.5,
    "odd_head": 1.0,
    "off_heads": 1.0,
    "worst_off": 1.0,
    "extra": 1.5,
    "missing": 1.5,
    "extra_heads": 2.0,
    "missing_heads": 1.0,
    "bars": 0.9,
    "worst_bar": 0.9,
    "extra_bars": 1.0,
    "spacing": 0.1,
    "worst_gap": 1.0,
}
"""Where no staff is found, or nothing is like a head engraved: the worst of each feature, and about the usual
of those that tell of the picture alone."""


def _column_features(columns: list[Column], fits: NDArray[np.float64]) -> Features:
    held = np.array([fit for column, fit in zip(columns, fits, strict=True) if not column.is_bar] or [0.0])
    return {
        "alike": float(held.mean()),
        "least_alike": float(held.min()),
        "odd_column": float(np.median(held) - held.min()),
    }


def _head_features(crop: Seen, drawn: Engraved, columns: list[Column], places: NDArray[np.int64]) -> Features:
    up, side = _AROUND
    tall, wide = up + _FARTHEST * STEP + 1, side + _SIDEWAYS
    seen = [np.pad(one, ((tall, tall), (wide, wide))) for one in crop.ink]
    own = [np.pad(strip.ink, ((up, up), (side, side))) for strip in drawn.strips]
    middle = tall - up
    held, margins = [], []
    for column, place in zip(columns, places.tolist(), strict=True):
        for head in column.heads:
            row = TOP + head.step * STEP
            if not 0 <= row < ROWS:
                continue
            x = min(max(round(head.x * UNIT), 0), drawn.strips[head.staff].ink.shape[1] - 1)
            there = min(max(round(place + (head.x - column.x) * UNIT), 0), crop.bars.shape[1] - 1)
            patch = own[head.staff][row : row + 2 * up + 1, x : x + 2 * side + 1]
            region = seen[head.staff][row : row + 2 * tall + 1, there : there + 2 * wide + 1]
            by_row = _correlation(region, patch).max(axis=1)
            best = float(by_row[middle - 1 : middle + 2].max())
            taken = {one.step for one in drawn.heads if one.staff == head.staff and abs(one.x - head.x) < 1.4}
            free = [k for k in range(-_FARTHEST, _FARTHEST + 1) if k and head.step + k not in taken]
            rivals = [float(by_row[middle + k * STEP - 1 : middle + k * STEP + 2].max()) for k in free]
            held.append(best)
            margins.append(max(rivals, default=-1.0) - best)
    fit, margin = np.array(held or [0.0]), np.array(margins or [0.0])
    return {
        "heads": float(fit.mean()),
        "worst_head": float(fit.min()),
        "odd_head": float(np.median(fit) - fit.min()),
        "off_heads": float((margin > 0).mean()),
        "worst_off": float(min(max(margin.max(), -1.0), 1.0)),
    }


def _correlation(region: Map, patch: Map) -> Map:
    """Of the patch with each place of the region, -1..1; 0 where either is even."""
    if float(patch.std()) < 1e-3:
        return np.zeros((region.shape[0] - patch.shape[0] + 1, 1), np.float32)
    found = cv2.matchTemplate(np.ascontiguousarray(region), np.ascontiguousarray(patch), cv2.TM_CCOEFF_NORMED)
    return np.asarray(np.clip(np.nan_to_num(found, posinf=0.0, neginf=0.0), -1, 1), np.float32)


def _difference_features(
    crop: Seen, drawn: Engraved, columns: list[Column], places: NDArray[np.int64]
) -> Features:
    """What looks like a head in the crop and in the engraving, each looked up in the other."""
    n = crop.bars.shape[1]
    back = _way_back(n, columns, places)
    usual_seen, usual_drawn = _usual_heads(crop, drawn, columns, places)
    seen = [one / usual_seen for one in crop.heads]
    own = [_moved(strip.heads, back) / usual_drawn for strip in drawn.strips]
    near = _with_neighbours([cv2.dilate(one, _CLOSE) for one in own], crop.apart)
    left_out = _left_out(crop, columns, places)
    extra: list[float] = []
    missing: list[float] = []
    for staff, (first, last) in enumerate(crop.reach):
        rows = slice(first, last + 1)
        kept = np.where(left_out, 0, 1).astype(np.float32)
        extra += _peaks(((seen[staff] - near[staff]) * kept)[rows])
        missing += _peaks(((own[staff] - cv2.dilate(seen[staff], _CLOSE)) * kept)[rows])
    total = max(1, len(drawn.heads))
    return {
        "extra": min(max(extra, default=0.0), 1.5),
        "missing": min(max(missing, default=0.0), 1.5),
        "extra_heads": min(sum(one > _PRESENT for one in extra) / total, 2.0),
        "missing_heads": min(sum(one > _PRESENT for one in missing) / total, 1.0),
    }


def _way_back(n: int, columns: list[Column], places: NDArray[np.int64]) -> Map:
    source, goal = np.array([column.x * UNIT for column in columns]), places.astype(np.float64)
    apart = [i for i in range(len(source)) if not i or (goal[i] > goal[i - 1] and source[i] > source[i - 1])]
    return carried(n, source[apart], goal[apart])


def _moved(drawing: Map, back: Map) -> Map:
    """The engraving as it comes to stand in the crop."""
    x = np.ascontiguousarray(np.broadcast_to(back, (ROWS, len(back))))
    y = np.ascontiguousarray(np.broadcast_to(np.arange(ROWS, dtype=np.float32)[:, None], x.shape))
    return np.asarray(cv2.remap(drawing, x, y, cv2.INTER_LINEAR), np.float32)


def _with_neighbours(maps: list[Map], apart: tuple[int, ...]) -> list[Map]:
    """Each staff's map with what the staves above and below it have in its rows: ledger lines reach far."""
    whole = [one.copy() for one in maps]
    for upper, gap in enumerate(apart):
        if 0 < gap < ROWS:
            np.maximum(whole[upper][gap:], maps[upper + 1][: ROWS - gap], out=whole[upper][gap:])
            np.maximum(whole[upper + 1][: ROWS - gap], maps[upper][gap:], out=whole[upper + 1][: ROWS - gap])
    return whole


def _left_out(crop: Seen, columns: list[Column], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Columns in which nothing counts: barlines, and clef and key said again at the start of a system."""
    out = np.zeros(crop.bars.shape[1], bool)
    for column, place in zip(columns, places.tolist(), strict=True):
        if column.is_bar:
            out[max(0, place - 5) : place + 6] = True
    if columns[-1].is_bar:
        out[max(0, int(places[-1]) - 5) :] = True
    out[: max(int(places[0]) - UNIT, 0)] = True
    for start in crop.starts[1:]:
        later = places[places > start]
        out[start : int(later[0]) - UNIT if later.size else start + UNIT] = True
    return out


def _usual_heads(
    crop: Seen, drawn: Engraved, columns: list[Column], places: NDArray[np.int64]
) -> tuple[float, float]:
    """Median response of the heads engraved, in the crop and in the engraving."""
    seen, own = [], []
    for column, place in zip(columns, places.tolist(), strict=True):
        for head in column.heads:
            row = TOP + head.step * STEP
            there, x = round(place + (head.x - column.x) * UNIT), round(head.x * UNIT)
            one, other = (
                whole[max(0, row - 2) : row + 3, max(0, at - 3) : at + 4]
                for whole, at in ((crop.heads[head.staff], there), (drawn.strips[head.staff].heads, x))
            )
            if one.size and other.size:
                seen.append(float(one.max()))
                own.append(float(other.max()))
    return max(float(np.median(seen or [0.8])), 0.25), max(float(np.median(own or [0.8])), 0.25)


def _peaks(response: Map) -> list[float]:
    """Heights of the summits."""
    summits = response >= cv2.dilate(response, np.ones((5, 9), np.uint8))
    return [float(value) for value in response[summits & (response > 0.05)]]


def _bar_features(crop: Seen, columns: list[Column], places: NDArray[np.int64]) -> Features:
    bars = crop.bars.min(axis=0)
    values = []
    free = bars.copy()
    for column, place in zip(columns, places.tolist(), strict=True):
        if column.is_bar:
            values.append(float(bars[max(0, place - 4) : place + 5].max()))
            free[max(0, place - UNIT) : place + UNIT + 1] = 0
    free[: 2 * UNIT] = 0
    least = max(0.75 * float(np.median(values or [0.9])), 0.3)
    extra = int((np.diff((free > least).astype(np.int8)) == 1).sum())
    held = np.array(values or [1.0])
    return {
        "bars": float(held.mean()),
        "worst_bar": float(held.min()),
        "extra_bars": min(extra / max(1, len(values)), 2.0),
    }


def _gap_features(columns: list[Column], places: NDArray[np.int64]) -> Features:
    if len(columns) < 3:
        return {"spacing": 0.0, "worst_gap": 0.0}
    own = np.diff([column.x for column in columns]) * UNIT
    ratio = np.log(np.maximum(np.diff(places), 1.0) / np.maximum(own, 0.8))
    # Of what stands closer than a space, a column more or less says little.
    odd = np.abs(ratio - np.median(ratio)) * np.minimum(1.0, own / UNIT)
    return {"spacing": float(min(odd.mean(), 1.0)), "worst_gap": float(min(odd.max(), 2.0))}
