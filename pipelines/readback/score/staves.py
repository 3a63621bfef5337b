"""Staves of a crop brought to one scale, and where on them noteheads and barlines seem to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray, NotComparable
from docai.pipelines.readback.ink import without_frame

Map = NDArray[np.float32]

_STROKE = 41
"""Pixels; broader strokes would be taken for paper."""

_PALE = 0.12
"""Share of the paper's light below which nothing is ink."""

_MIN_INK = 25

_CHUNK = 16
"""Columns whose median is one sample of a row."""

_STEEPEST = 0.026
"""Rows to a column: 1.5 degrees."""

_LEAST_SUPPORT = 0.3

_WHOLE = 0.5
"""Support of each staff, and of the best. Text and the like have rows of ink as well, but none so whole."""

_SPACES = (3.5, 48.0)
"""Pixels between two lines, the least and the most that are looked for."""


@dataclass(frozen=True)
class Staff:
    """A staff, in pixels of the crop: ``top[x]`` is the row of its top line in column ``x``."""

    top: Map
    space: float
    left: int
    right: int
    support: float
    """The least of its lines' shares of columns in which that line is seen, 0..1."""

    @property
    def slope(self) -> float:
        """Rows down to a column to the right."""
        return float(self.top[self.right - 1] - self.top[self.left]) / max(1, self.right - 1 - self.left)


def darkness(gray: Gray) -> Map:
    """How much of the paper's light each pixel lacks: about 0 on paper, 1 in the boldest ink.

    Light that falls off multiplies paper and ink alike, so it is the ratio to the paper around that counts;
    the paper is what a closing by more than the boldest stroke leaves.

    Raises:
        NotComparable: the crop is blank.
    """
    light = gray.astype(np.float32)
    if float(np.median(light)) < 100:
        light = 255 - light
    calm = cv2.GaussianBlur(light, (0, 0), 0.8)
    paper = cv2.morphologyEx(calm, cv2.MORPH_CLOSE, np.ones((_STROKE, _STROKE), np.uint8))
    dark = 1 - light / np.maximum(paper, 8.0)
    # The closing follows the brightest grain; paper itself lies in the middle of it.
    printed = paper < 254
    dark -= float(np.median(dark[printed])) * printed if printed.any() else 0.0
    soft = 1 - calm / np.maximum(paper, 8.0)
    strong = soft[soft > _PALE]
    if strong.size < _MIN_INK:
        raise NotComparable("the picture is blank")
    return np.asarray(np.clip(dark / max(float(np.percentile(strong, 80)), 0.2), -0.3, 1.0), np.float32)


def find_staves(dark: Map) -> list[Staff]:
    """The staves from the top down."""
    samples = _samples(dark)
    slope = _slope(samples)
    profile = _levelled(samples, slope).mean(axis=1)
    spaces = np.geomspace(_SPACES[0], min(_SPACES[1], max(4.0, len(profile) / 4.2)), 110)
    scores = np.stack([_comb(profile, float(space)) for space in spaces])
    best = int(scores.max(axis=1).argmax())
    staves: list[Staff] = []
    near = np.abs(np.log(spaces / spaces[best])) < 0.1
    scores, spaces = scores[near], spaces[near]
    least = 0.35 * float(scores.max())
    while float(scores.max()) > max(least, 1e-3):
        which, y = np.unravel_index(int(scores.argmax()), scores.shape)
        space = float(spaces[which])
        staves.append(_followed(dark, samples, float(y), space, slope))
        scores[:, max(0, int(y - 5 * space)) : int(y + 5 * space) + 1] = 0
    if max((staff.support for staff in staves), default=0.0) < _WHOLE:
        return []
    staves = [staff for staff in staves if staff.support >= _LEAST_SUPPORT]
    return sorted(staves, key=lambda staff: float(staff.top.mean()))


def _samples(dark: Map) -> Map:
    """(h, chunks): the median of each run of columns, which notes and stems hardly change."""
    h, w = dark.shape
    n = max(1, w // _CHUNK)
    return np.asarray(
        np.median(np.clip(dark[:, : n * min(_CHUNK, w)], -0.3, 1).reshape(h, n, -1), axis=2), np.float32
    )


def _levelled(samples: Map, slope: float) -> Map:
    """Samples moved up by ``slope`` times their column, counted from the middle."""
    h, n = samples.shape
    shift = slope * (np.arange(n) - (n - 1) / 2) * _CHUNK
    x = np.tile(np.arange(n, dtype=np.float32), (h, 1))
    y = (np.arange(h)[:, None] + shift[None, :]).astype(np.float32)
    return np.asarray(cv2.remap(samples, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _slope(samples: Map) -> float:
    slopes = np.linspace(-_STEEPEST, _STEEPEST, 53)
    sharp = [float(np.square(np.diff(_levelled(samples, float(s)).mean(axis=1))).sum()) for s in slopes]
    return float(slopes[int(np.argmax(sharp))])


def _comb(profile: Map, space: float) -> NDArray[np.float64]:
    """For each row: how much five lines from there down stand out of what is between them."""
    rows = np.arange(len(profile), dtype=np.float64)
    reach = max(0, round(0.06 * space))
    high = cv2.dilate(profile.reshape(-1, 1), np.ones((2 * reach + 1, 1), np.uint8)).ravel()
    lines = np.stack([np.interp(rows + i * space, rows, high, right=-1) for i in range(5)])
    # Lines of smaller staves may lie anywhere between those of a wide one.
    places = (0.33, 0.5, 0.67) if space >= 7 else (0.5,)
    gaps = np.stack(
        [
            np.max([np.interp(rows + (i - 1 + share) * space, rows, profile) for share in places], axis=0)
            for i in range(6)
        ]
    )
    between = np.maximum((gaps[1:5].mean(axis=0) + gaps[1:5].max(axis=0)) / 2, gaps.min(axis=0))
    return np.asarray(np.minimum(lines.mean(axis=0), 2 * lines.min(axis=0)) - between, np.float64)


def _followed(dark: Map, samples: Map, y: float, space: float, slope: float) -> Staff:
    """The staff found at row ``y`` of the levelled profile, followed column by column."""
    w, n = dark.shape[1], samples.shape[1]
    offsets = np.linspace(-0.45, 0.45, 31) * space
    straight = y + slope * (np.arange(n) - (n - 1) / 2) * _CHUNK
    ys = straight[None, :] + offsets[:, None]
    x = np.tile(np.arange(n, dtype=np.float32), (len(offsets), 1))

    def at(move: float) -> Map:
        where = (ys + move * space).astype(np.float32)
        return np.asarray(cv2.remap(samples, x, where, cv2.INTER_LINEAR), np.float32)

    fits = np.mean([at(i) for i in range(5)], axis=0) - np.mean([at(i + 0.5) for i in range(4)], axis=0)
    stiff = 30.0 * float(np.maximum(fits.max(axis=0), 0).mean())
    cost = stiff * np.square((offsets[:, None] - offsets[None, :]) / space)
    best, back = fits[:, 0], []
    for j in range(1, n):
        total = best[None, :] - cost
        back.append(total.argmax(axis=1))
        best = total.max(axis=1) + fits[:, j]
    path = [int(best.argmax())]
    for one in reversed(back):
        path.append(int(one[path[-1]]))
    moved = straight + offsets[path[::-1]]
    centres = np.arange(n) * _CHUNK + (_CHUNK - 1) / 2
    slopes = np.polyfit(centres, moved, 1) if n > 1 else np.array([0.0, moved[0]])
    bend = np.interp(np.arange(w), centres, moved - np.polyval(slopes, centres))
    top = (np.polyval(slopes, np.arange(w)) + bend).astype(np.float32)
    rough = _with_extent(dark, top, space)
    return _with_extent(dark, *_refined(dark, rough))


def _refined(dark: Map, staff: Staff) -> tuple[Map, float]:
    """Top line and space: of those close by, or a line off, where the faintest line is darkest."""
    top, space = staff.top, staff.space
    columns = np.unique(np.linspace(staff.left, staff.right - 1, 120).astype(np.int64))
    near = top[columns].astype(np.float32)
    xs = np.ascontiguousarray(np.broadcast_to(columns.astype(np.float32), (13, len(columns))))
    halves = np.arange(-2, 11, dtype=np.float32)[:, None]
    best = (-np.inf, 0.0, space)
    for factor in np.linspace(0.96, 1.04, 17):
        wide = space * factor
        for move in np.linspace(-0.12, 0.12, 9) * space + 2 * (space - wide):
            rows = near[None, :] + np.float32(move) + halves * np.float32(wide / 2)
            held = np.median(cv2.remap(dark, xs, rows.astype(np.float32), cv2.INTER_LINEAR), axis=1)
            for lower in (-1, 0, 1):
                own = held[2 + 2 * lower : 11 + 2 * lower]
                value = float(own[::2].mean() + 2 * own[::2].min() - own[1::2].mean())
                if value > best[0] + 0.02 * abs(lower):
                    best = (value, float(move) + lower * wide, wide)
    return np.asarray(top + best[1], np.float32), float(best[2])


def _with_extent(dark: Map, top: Map, space: float) -> Staff:
    columns = np.tile(np.arange(len(top), dtype=np.float32), (11, 1))
    rows = top[None, :] + (np.arange(11, dtype=np.float32)[:, None] - 1) * np.float32(space / 2)
    held = cv2.remap(dark, columns, rows.astype(np.float32), cv2.INTER_LINEAR)
    contrast = held[1::2] - 0.5 * (held[:-1:2] + held[2::2])
    calm = cv2.blur(contrast, (2 * round(1.5 * space) + 1, 1))
    whole = calm.mean(axis=0)
    level = float(np.quantile(whole, 0.8))
    seen = np.flatnonzero(whole > 0.35 * level)
    left, right = (int(seen[0]), int(seen[-1]) + 1) if level > 0 and seen.size else (0, len(top))
    own = calm[:, left:right]
    support = float((own > 0.3 * level).mean(axis=1).min()) if right > left else 0.0
    return Staff(top, space, left, max(right, left + 1), support)


UNIT = 8
"""Rows and columns of a strip to a staff space."""

STEP = UNIT // 2
"""Rows from a line to the space below it."""

BEYOND = 10
"""Half spaces above and below a staff that are looked at: five ledger lines."""

TOP = (BEYOND // 2 + 1) * UNIT
"""Row of the top line in a strip."""

ROWS = TOP + (4 + BEYOND // 2 + 1) * UNIT
"""Of a strip."""

_NEAR = 6
"""Half spaces above and below within which what looks like a head is counted."""


@dataclass(frozen=True)
class Strip:
    """One staff: :data:`UNIT` rows and columns to a staff space, the top line in row :data:`TOP`."""

    ink: Map
    """(ROWS, n): darkness 0..1, staff lines taken out."""
    heads: Map
    """(ROWS, n): how much a notehead, filled, centred there would explain: 1 for one that stands alone."""
    bars: Map
    """(n,): how dark the lightest fifth of the staff's height is."""
    height: float
    """Of the top line, in staff spaces from the top of the crop."""
    reach: tuple[int, int]
    """First and last row that is not as likely of the staff above or below."""


@dataclass(frozen=True)
class Sheet:
    """The strips of a crop from the top down."""

    strips: tuple[Strip, ...]


def observe_score(gray: Gray) -> Sheet:
    """Find the staves and what stands on them.

    Raises:
        NotComparable: the crop is blank.
    """
    dark = darkness(without_frame(gray))
    return Sheet(look_around(dark, find_staves(dark)))


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Crops of one score, from the first to the last, as one."""
    return Sheet(tuple(strip for sheet in sheets for strip in sheet.strips))


def look_around(dark: Map, staves: Sequence[Staff]) -> tuple[Strip, ...]:
    """The strip of each staff.

    Args:
        dark: 0 paper to 1 ink.
        staves: from the top down.
    """
    if not staves:
        return ()
    # What stands above each other in a system must do so in its strips, wherever a faint staff seems to
    # begin, and at one scale. On a turned sheet what is below lies to the left as lines fall to the right.
    slope = float(np.median([staff.slope for staff in staves]))
    turned = [slope * (float(np.median(staff.top)) + 2 * staff.space) for staff in staves]
    left = min(staff.left + more for staff, more in zip(staves, turned, strict=True))
    right = max(staff.right + more for staff, more in zip(staves, turned, strict=True))
    wide = float(np.median([staff.space for staff in staves])) / UNIT
    strips = []
    for index, staff in enumerate(staves):
        above = below = float(_NEAR) / 2
        if index:
            above = min(above, _between(staves[index - 1], staff) / 2)
        if index + 1 < len(staves):
            below = min(below, _between(staff, staves[index + 1]) / 2)
        reach = (max(0, round(TOP - above * UNIT)), min(ROWS - 1, round(TOP + (4 + below) * UNIT)))
        strips.append(_strip(dark, staff, (left - turned[index], right - turned[index]), wide, reach))
    return tuple(strips)


def _between(upper: Staff, lower: Staff) -> float:
    """Staff spaces from the lowest line of one to the highest of the next."""
    return max(1.0, float(np.median(lower.top - upper.top)) / upper.space - 4)


def _strip(dark: Map, staff: Staff, span: tuple[float, float], wide: float, reach: tuple[int, int]) -> Strip:
    scale = staff.space / UNIT
    width = max(2 * UNIT, round((span[1] - span[0]) / wide))
    x = (span[0] + (np.arange(width) + 0.5) * wide - 0.5).astype(np.float32)
    top = np.interp(x, np.arange(len(staff.top)), staff.top)
    rows = top[None, :] + (np.arange(ROWS)[:, None] - TOP) * scale
    if scale > 1.2:
        first = max(0, int(rows.min()) - 8)
        part = cv2.GaussianBlur(dark[first : max(first + 1, int(rows.max()) + 8)], (0, 0), 0.4 * scale)
        rows = rows - first
    else:
        part = dark
    held = cv2.remap(
        part,
        np.ascontiguousarray(np.broadcast_to(x, rows.shape)),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    held = np.clip(held, 0, 1)
    inside = cv2.dilate(held[TOP : TOP + 4 * UNIT + 1], np.ones((1, 3), np.uint8))
    bars = np.quantile(inside, 0.2, axis=0).astype(np.float32)
    bare = without_lines(held)
    return Strip(bare, head_response(bare), bars, float(np.median(staff.top)) / staff.space, reach)


def without_lines(held: Map) -> Map:
    """The strip less what its rows hold all along, but for where something stands above and below a line."""
    usual = np.zeros_like(held)
    wide = 60 * UNIT
    for left in range(0, held.shape[1], wide):
        # The last part reaches back: a short one would be all barline.
        part = held[:, max(0, min(left, held.shape[1] - wide)) : left + wide]
        usual[:, left : left + wide] = np.median(part, axis=1)[:, None]
    bare = np.clip((held - usual) / np.maximum(1 - usual, 0.35), 0, 1)
    result = bare.copy()
    for row in range(TOP, TOP + 4 * UNIT + 1, UNIT):
        across = np.minimum(bare[row - 3], bare[row + 3])
        result[row - 2 : row + 3] = np.maximum(bare[row - 2 : row + 3], across)
    return np.asarray(result, np.float32)


def _head_template() -> Map:
    """A tilted ellipse that adds up to 1, in a ring that adds up to -0.6."""
    half = 9
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / UNIT
    turn = np.deg2rad(-22)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    inside = (along / 0.62) ** 2 + (across / 0.42) ** 2 <= 1
    around = ((x / 0.95) ** 2 + (y / 0.85) ** 2 <= 1) & ~(((x / 0.75) ** 2 + (y / 0.6) ** 2) <= 1)
    return np.asarray(inside / inside.sum() - 0.6 * around / around.sum(), np.float32)


_HEAD = _head_template()

_HOLE = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)), np.uint8)

_BEAM = np.ones((1, 5 * UNIT // 2), np.uint8)
"""Longer than two heads side by side."""


def head_response(bare: Map) -> Map:
    """Of each place, see :attr:`Strip.heads`; the holes of hollow heads are closed first, and beams go."""
    closed = cv2.morphologyEx(bare, cv2.MORPH_CLOSE, _HOLE)
    thick = cv2.dilate(bare, np.ones((3, 1), np.uint8))
    beams = np.minimum(cv2.morphologyEx(thick, cv2.MORPH_OPEN, _BEAM), closed)
    return np.asarray(cv2.filter2D(closed - beams, -1, _HEAD, borderType=cv2.BORDER_CONSTANT), np.float32)
