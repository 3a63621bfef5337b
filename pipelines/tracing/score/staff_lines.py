"""The staves of a picture: five equally spaced dark lines, followed across it.

Lines may be faint, broken, slanted and curved. Whether a page has staves at all, where nobody has said that
it has, is another question, which
:func:`docai.pipelines.tracing.score.page_staves.find_page_staves` answers more strictly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""(h, w) gray levels."""

Map = NDArray[np.float32]
"""(h, w) values of a picture, or (n,) of its columns."""

MIN_INK_PX = 25
"""A picture with fewer pixels of ink is blank."""

_MAX_STROKE_PX = 41
"""Broader strokes would be taken for paper."""

_MIN_DARKNESS = 0.12
"""Share of the paper's light below which nothing is ink."""

_MAX_GRAIN = 0.3
"""Darkness of the grain of paper at most: ink is darker."""

SAMPLE_PX = 16
"""Columns whose median is one sample of a row."""

_MAX_SLOPE = 0.026
"""Rows per column: 1.5 degrees."""

_MIN_SUPPORT = 0.3
"""Of each staff."""

_MIN_BEST_SUPPORT = 0.5
"""Of the best staff. Text and the like have rows of ink as well, but none so complete."""

_STAFF_SPACE_PX = (3.5, 48.0)
"""Smallest and largest distance between two lines that is looked for."""


@dataclass(frozen=True)
class Staff:
    """A staff, in pixels of the picture."""

    top: Map
    """(w,): the row of its top line in each column of the picture."""
    space: float
    """Distance between two lines."""
    left: int
    right: int
    support: float
    """Share of the columns in which its faintest line is visible, 0..1."""

    @property
    def slope(self) -> float:
        """Rows down per column to the right."""
        return float(self.top[self.right - 1] - self.top[self.left]) / max(1, self.right - 1 - self.left)


def darkness(gray: Gray) -> Map:
    """How much darker than the paper each pixel is: about 0 on paper, 1 in the boldest ink.

    Uneven light darkens paper and ink by the same factor, so it is the ratio to the paper around that counts.
    The paper is what a morphological closing by more than the boldest stroke leaves. All zeros where the
    picture is blank.
    """
    light = gray.astype(np.float32)
    if float(np.median(light)) < 100:
        light = 255 - light
    smooth = cv2.GaussianBlur(light, (0, 0), 0.8)
    paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((_MAX_STROKE_PX, _MAX_STROKE_PX), np.uint8))
    dark = 1 - light / np.maximum(paper, 8.0)
    # The closing follows the brightest grain of the paper, whose typical value is a little darker.
    is_paper = paper < 254
    grain = dark[is_paper & (dark < _MAX_GRAIN)]
    dark -= float(np.median(grain)) * is_paper if grain.size else 0.0
    smooth_dark = 1 - smooth / np.maximum(paper, 8.0)
    strong = smooth_dark[smooth_dark > _MIN_DARKNESS]
    if strong.size < MIN_INK_PX:
        return np.zeros_like(light)
    return np.asarray(np.clip(dark / max(float(np.percentile(strong, 80)), 0.2), -0.3, 1.0), np.float32)


def find_staves(dark: Map) -> list[Staff]:
    """The staves, from the top down, of a picture given by its :func:`darkness`."""
    samples = column_samples(dark)
    slope = find_slope(samples)
    profile = leveled(samples, slope).mean(axis=1)
    spaces = np.geomspace(_STAFF_SPACE_PX[0], min(_STAFF_SPACE_PX[1], max(4.0, len(profile) / 4.2)), 110)
    responses = np.stack([_five_line_response(profile, float(space)) for space in spaces])
    best = int(responses.max(axis=1).argmax())
    staves: list[Staff] = []
    is_near = np.abs(np.log(spaces / spaces[best])) < 0.1
    responses, spaces = responses[is_near], spaces[is_near]
    threshold = 0.35 * float(responses.max())
    while float(responses.max()) > max(threshold, 1e-3):
        index, y = np.unravel_index(int(responses.argmax()), responses.shape)
        space = float(spaces[index])
        staves.append(follow_staff(dark, samples, float(y), space, slope))
        responses[:, max(0, int(y - 5 * space)) : int(y + 5 * space) + 1] = 0
    if max((staff.support for staff in staves), default=0.0) < _MIN_BEST_SUPPORT:
        return []
    staves = [staff for staff in staves if staff.support >= _MIN_SUPPORT]
    return sorted(staves, key=lambda staff: float(staff.top.mean()))


def column_samples(dark: Map) -> Map:
    """(h, w // SAMPLE_PX): the median of each run of columns, which notes and stems hardly change."""
    h, w = dark.shape
    n = max(1, w // SAMPLE_PX)
    return np.asarray(
        np.median(np.clip(dark[:, : n * min(SAMPLE_PX, w)], -0.3, 1).reshape(h, n, -1), axis=2), np.float32
    )


def leveled(samples: Map, slope: float) -> Map:
    """Samples moved up by ``slope`` times their column, counted from the middle."""
    h, n = samples.shape
    shift = slope * (np.arange(n) - (n - 1) / 2) * SAMPLE_PX
    x = np.tile(np.arange(n, dtype=np.float32), (h, 1))
    y = (np.arange(h)[:, None] + shift[None, :]).astype(np.float32)
    return np.asarray(cv2.remap(samples, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def find_slope(samples: Map) -> float:
    """Rows per column: that at which the rows of the leveled samples differ most."""
    slopes = np.linspace(-_MAX_SLOPE, _MAX_SLOPE, 53)
    sharpness = [float(np.square(np.diff(leveled(samples, float(s)).mean(axis=1))).sum()) for s in slopes]
    return float(slopes[int(np.argmax(sharpness))])


def _five_line_response(profile: Map, space: float) -> NDArray[np.float64]:
    """For each row: how much darker five lines from there down are than what is between them."""
    rows = np.arange(len(profile), dtype=np.float64)
    reach = max(0, round(0.06 * space))
    dilated = cv2.dilate(profile.reshape(-1, 1), np.ones((2 * reach + 1, 1), np.uint8)).ravel()
    lines = np.stack([np.interp(rows + i * space, rows, dilated, right=-1) for i in range(5)])
    # Lines of smaller staves may lie anywhere between those of a wide one.
    shares = (0.33, 0.5, 0.67) if space >= 7 else (0.5,)
    gaps = np.stack(
        [
            np.max([np.interp(rows + (i - 1 + share) * space, rows, profile) for share in shares], axis=0)
            for i in range(6)
        ]
    )
    between = np.maximum((gaps[1:5].mean(axis=0) + gaps[1:5].max(axis=0)) / 2, gaps.min(axis=0))
    return np.asarray(np.minimum(lines.mean(axis=0), 2 * lines.min(axis=0)) - between, np.float64)


def follow_staff(dark: Map, samples: Map, y: float, space: float, slope: float) -> Staff:
    """The staff found at row ``y`` of the leveled profile, followed column by column."""
    w, n = dark.shape[1], samples.shape[1]
    offsets = np.linspace(-0.45, 0.45, 31) * space
    straight = y + slope * (np.arange(n) - (n - 1) / 2) * SAMPLE_PX
    ys = straight[None, :] + offsets[:, None]
    x = np.tile(np.arange(n, dtype=np.float32), (len(offsets), 1))

    def samples_at(spaces: float) -> Map:
        rows = (ys + spaces * space).astype(np.float32)
        return np.asarray(cv2.remap(samples, x, rows, cv2.INTER_LINEAR), np.float32)

    on_lines = np.mean([samples_at(i) for i in range(5)], axis=0)
    fits = on_lines - np.mean([samples_at(i + 0.5) for i in range(4)], axis=0)
    # The path of offsets with the best fit less the cost of its bends, by dynamic programming.
    stiffness = 30.0 * float(np.maximum(fits.max(axis=0), 0).mean())
    cost = stiffness * np.square((offsets[:, None] - offsets[None, :]) / space)
    best, previous = fits[:, 0], []
    for j in range(1, n):
        total = best[None, :] - cost
        previous.append(total.argmax(axis=1))
        best = total.max(axis=1) + fits[:, j]
    path = [int(best.argmax())]
    for step in reversed(previous):
        path.append(int(step[path[-1]]))
    followed = straight + offsets[path[::-1]]
    centers = np.arange(n) * SAMPLE_PX + (SAMPLE_PX - 1) / 2
    line = np.polyfit(centers, followed, 1) if n > 1 else np.array([0.0, followed[0]])
    bends = np.interp(np.arange(w), centers, followed - np.polyval(line, centers))
    top = (np.polyval(line, np.arange(w)) + bends).astype(np.float32)
    staff = _find_extent(dark, top, space)
    return _find_extent(dark, *_refine(dark, staff))


def _refine(dark: Map, staff: Staff) -> tuple[Map, float]:
    """Top line and staff space close by, or one line off, at which the faintest line is darkest."""
    top, space = staff.top, staff.space
    columns = np.unique(np.linspace(staff.left, staff.right - 1, 120).astype(np.int64))
    near_top = top[columns].astype(np.float32)
    half_spaces = np.arange(-2, 11, dtype=np.float32)
    trials = []
    for factor in np.linspace(0.96, 1.04, 17):
        new_space = space * factor
        for shift in np.linspace(-0.12, 0.12, 9) * space + 2 * (space - new_space):
            trials.append((float(shift), float(new_space)))
    # The rows of all trials at once, as an array of (trials, 13) rows by columns.
    offsets = np.stack([np.float32(shift) + half_spaces * np.float32(new / 2) for shift, new in trials])
    rows = np.asarray(near_top[None, :] + offsets.reshape(-1, 1), np.float32)
    xs = np.ascontiguousarray(np.broadcast_to(columns.astype(np.float32), rows.shape))
    medians = np.median(cv2.remap(dark, xs, rows, cv2.INTER_LINEAR), axis=1).reshape(offsets.shape)
    best = (-np.inf, 0.0, space)
    for (shift, new_space), values in zip(trials, medians, strict=True):
        for lines_down in (-1, 0, 1):
            candidate = values[2 + 2 * lines_down : 11 + 2 * lines_down]
            value = float(candidate[::2].mean() + 2 * candidate[::2].min() - candidate[1::2].mean())
            if value > best[0] + 0.02 * abs(lines_down):
                best = (value, shift + lines_down * new_space, new_space)
    return np.asarray(top + best[1], np.float32), float(best[2])


def _find_extent(dark: Map, top: Map, space: float) -> Staff:
    """The staff with the columns between which its lines are visible."""
    columns = np.tile(np.arange(len(top), dtype=np.float32), (11, 1))
    rows = top[None, :] + (np.arange(11, dtype=np.float32)[:, None] - 1) * np.float32(space / 2)
    values = cv2.remap(dark, columns, rows.astype(np.float32), cv2.INTER_LINEAR)
    contrast = values[1::2] - 0.5 * (values[:-1:2] + values[2::2])
    smooth = cv2.blur(contrast, (2 * round(1.5 * space) + 1, 1))
    mean_contrast = smooth.mean(axis=0)
    typical = float(np.quantile(mean_contrast, 0.8))
    visible = np.flatnonzero(mean_contrast > 0.35 * typical)
    left, right = (int(visible[0]), int(visible[-1]) + 1) if typical > 0 and visible.size else (0, len(top))
    inside = smooth[:, left:right]
    support = float((inside > 0.3 * typical).mean(axis=1).min()) if right > left else 0.0
    return Staff(top, space, left, max(right, left + 1), support)
