"""Where the staves of a crop run: five lines evenly apart, found on gray levels, followed from left to right.

Nothing is decided pixel by pixel: a staff line is one row through hundreds of columns, so its mean stands out
of grain, blur and show-through in which no single pixel would.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray, NotComparable

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
