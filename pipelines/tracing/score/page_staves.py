"""The staves in a picture of anything: is there music, and where?

Five equally spaced thin lines are looked for in windows of the picture, so that a staff in one column of a
page counts as much as one across it, and followed where they are found. What was followed is then judged by
itself: rows of print, rules of a table and grid lines of a chart can look like staves from afar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, contains_center, grow, overlap_ratio
from docai.pipelines.pixels import Parts, binarize, parts_of
from docai.pipelines.tracing.score.line_count import (
    LINES,
    MIN_LINE_DARKNESS,
    MIN_LINES_DARK,
    drawn_out,
    line_shares,
    n_lines,
    settled,
)
from docai.pipelines.tracing.score.staff_lines import (
    SAMPLE_PX,
    Gray,
    Map,
    column_samples,
    darkness,
    find_slope,
    follow_staff,
    leveled,
)
from docai.pipelines.tracing.score.staff_lines import Staff as FollowedStaff

SPACES_PX: Final = (3.5, 48.0)
"""Smallest and largest distance between two lines that is looked for."""

N_SPACES: Final = 64

WINDOW_SAMPLES: Final = 6
"""Samples of columns, of :data:`SAMPLE_PX` each, that a window is wide."""

WINDOW_STEP: Final = 2
"""Samples from one window to the next."""

THIN_SPACES: Final = 0.22
"""Half the thickness at most of a line, in staff spaces; rows of print are twice as thick."""

THIN_PX: Final = 1.6
"""And at least, pixels: lines of tiny staves are blurred."""

MIN_RESPONSE: Final = 0.12
"""By how much five lines are darker than what is above and below each of them, on the scale of
:func:`~docai.pipelines.tracing.score.staff_lines.darkness`."""

LINE_REACH: Final = 0.06
"""Distance from its place at which a line is looked for, in staff spaces."""

HIDDEN_SPACES: Final = 8.0
"""Length of what hides the lines from a window at most, in staff spaces: a clef with a key signature."""

SAME_SPACE: Final = 0.09
"""Difference of the logarithms of staff spaces of windows that show one staff."""

MAX_CANDIDATES: Final = 80
"""That are followed in one picture: a page full of music has 20 staves."""

MIN_WIDTH_SPACES: Final = 13.0
"""Width of a staff at least, in staff spaces: five grid lines of a chart are about as high as they are wide;
a measure of music is not."""

MIN_DRAWN_SHARE: Final = 0.75
"""Share of a line that is there, from which it is one of a staff. Lines of printed and scanned staves have
0.97 and more, rows of the digits of a table about a half."""

MIN_WORN_SHARE: Final = 0.5
"""The same of the worst line: one may be worn, or hidden by notes."""

PIECE_SAMPLES: Final = 4
"""Length of a piece of a line without gaps."""

MIN_LINED_SHARE: Final = 0.6
"""Part of the least length of a staff along which lines show from afar. All 96 staves of 36 pictures and
scanned pages that are followed without this test are with it, and of the places in print one of eight."""

MAX_LOOSE_SHARE: Final = 0.12
"""Width of the letters that touch no line of a staff, as a share of its length, above which it is a table."""

MIN_ROW_HEIGHT: Final = 15.0
"""Pixels, 7 points on a page: rows of words between rules are hardly lower."""

LEVEL_SHARE: Final = 0.5
"""Share of the width of a picture across which a staff runs that tells what the picture is."""


@dataclass(frozen=True)
class PageStaff:
    """Five lines at equal distances, in pixels; ``space`` is the distance between two of them."""

    bbox: BBox
    space: float


class _Candidate(NamedTuple):
    """Where windows show five lines."""

    row: int
    """Of the top line, in the leveled samples."""
    space: float
    first: int
    """Sample at which its windows begin."""
    end: int


def find_page_staves(gray: Gray, min_length: float, parts: Parts | None = None) -> list[PageStaff]:
    """The staves of a picture, from the top down.

    A staff is exactly five lines of one extent at equal distances, at least ``min_length`` pixels long; a
    sixth line at the same distance, or words between the lines, make it a table.

    Args:
        gray: (h, w), dark on light or light on dark.
        min_length: pixels.
        parts: of its ink, where that was measured.
    """
    dark = darkness(gray)
    if min(gray.shape) < SAMPLE_PX or not dark.any():
        return []
    samples = column_samples(dark)
    slope = find_slope(samples)
    drawn = leveled(_drawn_samples(dark), slope)
    found: list[PageStaff] = []
    for candidate in _candidates(leveled(samples, slope), _has_lines(drawn)):
        if not _may_be_staff(drawn, candidate, min_length):
            continue
        middle = (candidate.first + candidate.end) / 2
        x, y = middle * SAMPLE_PX, candidate.row + slope * (middle - samples.shape[1] / 2) * SAMPLE_PX
        if any(contains_center(grow(other.bbox, other.space), (x, y, x, y)) for other in found):
            continue
        staff, left = _follow(dark, samples, candidate, slope)
        if not _is_staff(dark[:, left : left + len(staff.top)], staff, min_length):
            continue
        rows = staff.top[staff.left : staff.right]
        box = (
            float(left + staff.left),
            float(rows.min()),
            float(left + staff.right),
            float(rows.max() + (LINES - 1) * staff.space),
        )
        if any(_is_same(box, other.bbox) for other in found):
            continue
        found.append(PageStaff(box, staff.space))
    if any(staff.space > MIN_ROW_HEIGHT for staff in found):
        parts = parts_of(binarize(gray)) if parts is None else parts
        found = [one for one in found if one.space <= MIN_ROW_HEIGHT or not has_words_between(parts, one)]
    return sorted(found, key=lambda staff: staff.bbox[1])


def level_staves(gray: Gray) -> list[PageStaff]:
    """The staves across a picture of anything, (h, w): where there are some, it is upright music."""
    return find_page_staves(gray, LEVEL_SHARE * gray.shape[1])


def _candidates(samples: Map, has_lines: NDArray[np.bool_]) -> Iterator[_Candidate]:
    """Places where windows of the leveled samples, (h, n), show five lines, the plainest first.

    Args:
        has_lines: (m,) windows that are looked at.
    """
    if not has_lines.any():
        return
    windows = _windows(samples)
    h = len(windows)
    spaces = np.geomspace(SPACES_PX[0], max(SPACES_PX[0] + 0.5, min(SPACES_PX[1], h / 4.2)), N_SPACES)
    responses = np.zeros((len(spaces), *windows.shape), np.float32)
    lined = np.ascontiguousarray(windows[:, has_lines])
    for number, space in enumerate(spaces):
        responses[number][:, has_lines] = _responses(lined, float(space))
    for _ in range(MAX_CANDIDATES):
        place = np.unravel_index(int(responses.argmax()), responses.shape)
        index, row, window = (int(value) for value in place)
        peak = float(responses[index, row, window])
        if peak < MIN_RESPONSE:
            return
        space = float(spaces[index])
        is_near = np.abs(np.log(spaces / space)) <= SAME_SPACE
        reach = max(2, round(space / 3))
        low, high = max(0, row - reach), min(h, row + reach + 1)
        shown = responses[is_near, low:high].max(axis=(0, 1)) > 0.3 * peak
        gap = max(2, round(HIDDEN_SPACES * space / (WINDOW_STEP * SAMPLE_PX)))
        first, last = _run_around(shown, window, gap)
        yield _Candidate(row, space, first * WINDOW_STEP, last * WINDOW_STEP + WINDOW_SAMPLES)
        top, bottom = max(0, round(row - 4.5 * space)), round(row + 4.5 * space) + 1
        # Lines much closer or farther apart may be there as well: one of both is no staff.
        responses[is_near, top:bottom, first : last + 1] = 0


def _run_around(flags: NDArray[np.bool_], place: int, gap: int) -> tuple[int, int]:
    """First and last index of the Trues around a place that are no more than ``gap`` apart."""
    trues = np.unique(np.append(np.flatnonzero(flags), place))
    breaks = np.flatnonzero(np.diff(trues) > gap)
    at = int(np.searchsorted(breaks, np.flatnonzero(trues == place)[0]))
    first = trues[breaks[at - 1] + 1] if at else trues[0]
    last = trues[breaks[at]] if at < len(breaks) else trues[-1]
    return int(first), int(last)


def _windows(samples: Map) -> Map:
    """(h, m): means of samples side by side, each window a few steps from the one before."""
    n = samples.shape[1]
    width = min(WINDOW_SAMPLES, n)
    sums = np.cumsum(np.pad(samples, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    firsts = np.arange(0, n - width + 1, WINDOW_STEP)
    return np.asarray((sums[:, firsts + width] - sums[:, firsts]) / width, np.float32)


def _responses(windows: Map, space: float) -> Map:
    """(h, m): how much darker than what is beside them five lines are, from each row down."""
    h = len(windows)
    reach = round(LINE_REACH * space)
    lines = cv2.dilate(windows, np.ones((2 * reach + 1, 1), np.uint8))
    off = max(THIN_SPACES * space, THIN_PX)
    faintest = np.full(windows.shape, np.inf, np.float32)
    beside = np.zeros(windows.shape, np.float32)
    for line in range(LINES):
        at = line * space
        faintest = np.minimum(faintest, _moved(np.asarray(lines, np.float32), at))
        beside += np.maximum(_moved(windows, at - off), _moved(windows, at + off))
        beside += _moved(windows, at + space / 2)
    response = faintest - beside / (2 * LINES)
    response[max(0, h - round(4 * space)) :] = 0
    return np.asarray(response, np.float32)


def _moved(windows: Map, rows: float) -> Map:
    """The windows ``rows`` farther down, between two rows by interpolation; beyond the edge paper."""
    h, m = windows.shape
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -rows]])
    return np.asarray(cv2.warpAffine(windows, matrix, (m, h), flags=cv2.INTER_LINEAR), np.float32)


def _follow(dark: Map, samples: Map, candidate: _Candidate, slope: float) -> tuple[FollowedStaff, int]:
    """The staff of a candidate, and the column at which the part of the picture begins that it is in."""
    n, width = samples.shape[1], dark.shape[1]
    reach = 2 + round(HIDDEN_SPACES * candidate.space / SAMPLE_PX)
    while True:
        first, end = max(0, candidate.first - reach), min(n, candidate.end + reach)
        # The last sample may be followed by a few columns more.
        left, right = first * SAMPLE_PX, width if end == n else end * SAMPLE_PX
        part = dark[:, left:right]
        row = candidate.row + slope * ((first + end) / 2 - n / 2) * SAMPLE_PX
        staff = follow_staff(part, samples[:, first:end], row, candidate.space, slope)
        staff = settled(part, staff)
        # What is beside the staff may look like it: only what its lines join to its middle is of it.
        begin, stop = candidate.first * SAMPLE_PX - left, min(candidate.end * SAMPLE_PX, right) - left
        middle = (begin + stop) // 2
        inner = replace(
            staff,
            left=max(begin, min(staff.left, middle)),
            right=min(stop, max(staff.right, middle + 1)),
        )
        staff = drawn_out(part, inner)
        at_left, at_right = staff.left == 0 < left, staff.right == right - left < width - left
        if not (at_left or at_right):
            return staff, left
        # It goes on beyond the part that was looked at.
        candidate = candidate._replace(
            first=first - reach if at_left else candidate.first,
            end=end + reach if at_right else candidate.end,
        )


def _drawn_samples(dark: Map) -> Map:
    """(h, n): how dark at least three quarters of the columns of each sample are. A line is there in all of
    them, with notes on it, too; of rows of print only the heaviest strokes are."""
    h, w = dark.shape
    n = max(1, w // SAMPLE_PX)
    width = min(SAMPLE_PX, w)
    columns = np.partition(dark[:, : n * width].reshape(h, n, width), width // 4, axis=2)
    return np.asarray(columns[:, :, width // 4], np.float32)


def _has_lines(drawn: Map) -> NDArray[np.bool_]:
    """(m,): whether a window of the leveled :func:`_drawn_samples` has as many lines as a staff within the
    height of the largest: rows of print have gaps between words and between letters."""
    level = cv2.dilate(drawn, np.ones((3, 1), np.uint8))
    n = level.shape[1]
    piece, width = min(PIECE_SAMPLES, n), min(WINDOW_SAMPLES, n)
    firsts = np.arange(n - piece + 1)
    is_line = np.min([level[:, firsts + step] for step in range(piece)], axis=0) > MIN_LINE_DARKNESS
    # Where a line begins from the top: lines that touch are one.
    begins = is_line & ~np.pad(is_line, ((1, 0), (0, 0)))[:-1]
    reach = round((LINES - 1) * SPACES_PX[1] * 1.1)
    total = np.cumsum(np.pad(begins, ((reach, 0), (0, 0))), axis=0, dtype=np.int32)
    counts = (total[reach:] - total[:-reach]).max(axis=0)
    starts = np.arange(0, n - width + 1, WINDOW_STEP)
    most = np.max([counts[starts + step] for step in range(width - piece + 1)], axis=0)
    return np.asarray(most >= MIN_LINES_DARK, np.bool_)


def _may_be_staff(drawn: Map, candidate: _Candidate, min_length: float) -> bool:
    """Whether enough of five lines is there, by the leveled :func:`_drawn_samples`: a cheap test of what is
    then followed and judged exactly."""
    reach = max(1, round(candidate.space / 3))
    # The last window of a narrow picture may end beyond it.
    end = min(candidate.end, drawn.shape[1])
    n_lines_there = np.zeros(end - candidate.first)
    for line in range(LINES):
        row = round(candidate.row + line * candidate.space)
        band = drawn[max(0, row - reach) : row + reach + 1, candidate.first : end]
        if not band.size:
            return False
        values = band.max(axis=0)
        n_lines_there += values > max(MIN_LINE_DARKNESS, 0.5 * float(np.quantile(values, 0.75)))
    length = SAMPLE_PX * int((n_lines_there >= MIN_LINES_DARK).sum())
    return length >= MIN_LINED_SHARE * max(min_length, MIN_WIDTH_SPACES * candidate.space)


def _is_staff(dark: Map, staff: FollowedStaff, min_length: float) -> bool:
    width = staff.right - staff.left
    if width < max(min_length, MIN_WIDTH_SPACES * staff.space):
        return False
    if float(staff.top.min()) < 0 or float(staff.top.max()) + 4 * staff.space >= len(dark):
        return False
    shares = sorted(line_shares(dark, staff)[1:-1])
    return shares[1] >= MIN_DRAWN_SHARE and shares[0] >= MIN_WORN_SHARE and n_lines(dark, staff) == LINES


def _is_same(box: BBox, other: BBox) -> bool:
    return overlap_ratio(box[0], box[2], other[0], other[2]) > 0 and box[1] < other[3] and other[1] < box[3]


def has_words_between(parts: Parts, staff: PageStaff) -> bool:
    """Whether there are words between the lines of a staff, which are then the rules of a table.

    Notes, clefs and bar lines touch the lines; the words between the rules of a table do not.
    """
    x0, y0, x1, y1 = staff.bbox
    boxes, high = parts.boxes, parts.heights
    free = (boxes[:, 1] > y0 + 1) & (boxes[:, 3] < y1 - 1) & (boxes[:, 0] >= x0) & (boxes[:, 2] <= x1)
    free &= (high < 0.9 * staff.space) & (high > 0.2 * staff.space) & (parts.widths < 4 * staff.space)
    return float(parts.widths[free].sum()) / max(1.0, x1 - x0) > MAX_LOOSE_SHARE
