"""Words of a line that a recognizer has read: cut at its spaces and at gaps of the ink, boxes tight on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.pixels import spans

Gap = tuple[int, int]
"""Columns without ink, from the first one to that behind the last."""

MIN_GAP_HEIGHTS: Final = 0.3
"""Gap without ink, in heights of the line, from which it ends a word though no space was read there."""

MIN_GAP_RATIO: Final = 2.5
"""The same in median gaps between the letters of the line, for letters that are spaced."""

_NARROW: Final = frozenset("1Iil.,:;'’‘`´\"·•!|()[]-–/")
"""Letters and signs with white beside them, which is no space, above all in typefaces of one width."""

_CLOSING: Final = frozenset(".,:;!?)]}’”'\"%")

NARROW_GAP_HEIGHTS: Final = 0.45
"""The same gap beside one of these."""

MIN_SPACES: Final = 3
"""Spaces that were read in a line from which they tell how wide its others are."""

MIN_SPACE_SHARE, NARROW_SPACE_SHARE = 0.75, 0.85
"""Width of a gap, in median spaces of such a line, from which it is one; beside narrow letters and signs."""

MIN_MISPLACED: Final = 2.0
"""Width of a gap beside a space that was read, in widths of the gap at it, from which it is that space."""

_MAX_STRAY_GAP: Final = 0.15
"""Rows without ink, in heights of the line, beyond which ink above or below is of another line."""


_GROUND_WINDOW: Final = 0.7
"""Side, in heights of the line, of the area whose median is the ground: strokes fill less than half of it."""

_MAX_INK_SHARE: Final = 0.4
"""Share of the picture of a line that print fills at most, bold capitals, too."""

_MIN_DIFFERENCE: Final = 20
"""Levels of a color by which ink differs from the ground at least."""

_MAX_OFF_MIDDLE: Final = 0.3
"""Heights of the line by which the middle of a part of ink may be off that of the line."""


@dataclass(frozen=True)
class Letter:
    """One character of a line."""

    text: str
    x: float
    """Where its middle is, pixels of the line's picture; about a quarter of its height off at times."""
    confidence: float
    """The recognizer's own, 0…1."""
    after_space: bool
    """A space was read before it."""


@dataclass(frozen=True)
class LineWord:
    """A word of a line."""

    text: str
    box: BBox
    """Pixels of the line's picture."""
    confidence: float
    """The least of its letters."""
    after_space: bool
    """A space was read before it, or it is the first; else it is cut off at a gap alone."""


def cut_words(letters: Sequence[Letter], picture: NDArray[np.uint8]) -> list[LineWord]:
    """The words of a level line of an RGB picture ``(H, W, 3)``.

    Args:
        letters: from the left.
    """
    ink, is_print = _ink_of(picture)
    groups = [[0]] if letters else []
    edges: list[float] = []
    gaps = _at_spaces(_gaps_between(_gaps(ink), letters), letters)
    widths = _measure(gaps, letters, len(ink))
    for index, ((before, after), gap) in enumerate(zip(pairwise(letters), gaps, strict=True), 1):
        # On the ground of a photograph letters can be lost, which leaves gaps.
        if after.after_space or (is_print and widths.end_word(gap, before, after)):
            groups.append([])
            edges.append((before.x + after.x) / 2 if gap is None else (gap[0] + gap[1]) / 2)
        groups[-1].append(index)
    bounds = [0.0, *edges, float(picture.shape[1])]
    return [
        LineWord(
            "".join(letters[index].text for index in group),
            _tight(ink, left, right),
            min(letters[index].confidence for index in group),
            letters[group[0]].after_space or group[0] == 0,
        )
        for group, (left, right) in zip(groups, pairwise(bounds), strict=True)
    ]


@dataclass(frozen=True)
class _Widths:
    """Widths of gaps, pixels, from which they end a word of a line."""

    usual: float
    beside_narrow: float
    """The same beside a narrow letter or sign."""
    before_closing: float
    """The same before a sign that ends a word, a clause or a bracket."""

    def end_word(self, gap: Gap | None, before: Letter, after: Letter) -> bool:
        """Whether a gap between two letters does."""
        if after.text in _CLOSING:
            return _width(gap) >= self.before_closing
        is_narrow = before.text in _NARROW or after.text in _NARROW
        return _width(gap) >= (self.beside_narrow if is_narrow else self.usual)


def _measure(gaps: Sequence[Gap | None], letters: Sequence[Letter], height: int) -> _Widths:
    """By the gaps within the words of the line, and by those at its spaces where it has some."""
    inner: list[int] = []
    spaces: list[int] = []
    for letter, gap in zip(letters[1:], gaps, strict=True):
        (spaces if letter.after_space else inner).append(_width(gap))
    least = max(MIN_GAP_RATIO * median(inner) if inner else 0.0, 3.0)
    usual, narrow = MIN_GAP_HEIGHTS * height, NARROW_GAP_HEIGHTS * height
    closing = max(narrow, least)
    if len(spaces) >= MIN_SPACES:
        space = median(spaces)
        usual, narrow = min(usual, MIN_SPACE_SHARE * space), min(narrow, NARROW_SPACE_SHARE * space)
    return _Widths(max(usual, least), max(narrow, least), closing)


def _width(gap: Gap | None) -> int:
    return 0 if gap is None else gap[1] - gap[0]


def _gaps_between(gaps: Sequence[Gap], letters: Sequence[Letter]) -> list[Gap | None]:
    """Between each letter and the next the widest gap whose middle is there."""
    middles = [(gap[0] + gap[1]) / 2 for gap in gaps]
    return [
        max(
            gaps[bisect_left(middles, before.x) : bisect_right(middles, after.x)],
            key=lambda gap: gap[1] - gap[0],
            default=None,
        )
        for before, after in pairwise(letters)
    ]


def _at_spaces(gaps: Sequence[Gap | None], letters: Sequence[Letter]) -> list[Gap | None]:
    """The gaps with those of spaces where the spaces were read: a letter whose place is told wrongly lies on
    the other side of one, and would be cut off from its word."""
    placed = list(gaps)
    for index, letter in enumerate(letters[1:]):
        for other in (index - 1, index + 1) if letter.after_space else ():
            if not 0 <= other < len(placed) or letters[other + 1].after_space:
                continue
            if _width(placed[other]) > MIN_MISPLACED * max(1, _width(placed[index])):
                placed[index], placed[other] = placed[other], placed[index]
    return placed


def _gaps(ink: NDArray[np.bool_]) -> list[Gap]:
    """Ranges of columns without ink, between the first and the last with any."""
    columns = np.asarray(ink.any(axis=0), np.bool_)
    marked = np.flatnonzero(columns)
    if not len(marked):
        return []
    first = int(marked[0])
    between = np.asarray(~columns[first : marked[-1] + 1], np.bool_)
    return [(first + a, first + b) for a, b in spans(between)]


def _ink_of(picture: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], bool]:
    """Where a line has ink, and whether that is like print on an even ground; in photographs it is not."""
    ink = _ink_of_print(picture)
    if not (ink[0].any() and ink[-1].any()) and ink.mean() <= _MAX_INK_SHARE:
        return ink, True
    colored = _ink_by_color(picture)
    return (colored, False) if colored.any() else (ink, True)


def _ink_by_color(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Ink as what differs in color from the median around it, light or dark, in parts in the middle of the
    line: the ground of a photograph has edges and shades of its own."""
    height = len(picture)
    window = max(3, int(_GROUND_WINDOW * height)) | 1
    ground = cv2.medianBlur(picture, window)
    levels = np.asarray(cv2.absdiff(picture, ground).max(axis=2), np.uint8)
    otsu, _ = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    marked = (levels > max(otsu, _MIN_DIFFERENCE)).astype(np.uint8)
    _, labels, stats, centers = cv2.connectedComponentsWithStats(marked, connectivity=8)
    is_in_middle = np.abs(centers[:, 1] - height / 2) <= _MAX_OFF_MIDDLE * height
    kept = is_in_middle & (stats[:, cv2.CC_STAT_HEIGHT] < height) & (stats[:, cv2.CC_STAT_AREA] > 2)
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def _ink_of_print(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Of the sides of Otsu's threshold the one that the picture's edge has not."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    threshold, _ = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = np.asarray(gray <= threshold, np.bool_)
    border = np.concatenate([dark[0], dark[-1]])
    return _line_rows(dark if border.mean() < 0.5 else np.asarray(np.logical_not(dark), np.bool_))


def _line_rows(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The ink without that of the lines above and below, which the picture may touch."""
    height = len(ink)
    bands = spans(np.asarray(ink.any(axis=1), np.bool_))
    if not bands:
        return ink
    masses = [int(ink[a:b].sum()) for a, b in bands]
    top, bottom = bands[int(np.argmax(masses))]
    for a, b in reversed([band for band in bands if band[1] <= top]):
        if top - b > _MAX_STRAY_GAP * height or a == 0:
            break
        top = a
    for a, b in [band for band in bands if band[0] >= bottom]:
        if a - bottom > _MAX_STRAY_GAP * height or b == height:
            break
        bottom = b
    kept = np.zeros_like(ink)
    kept[top:bottom] = ink[top:bottom]
    return kept


def _tight(ink: NDArray[np.bool_], left: float, right: float) -> BBox:
    """The box around the ink between two columns; all between them where there is none."""
    x0, x1 = int(left), max(int(left) + 1, int(np.ceil(right)))
    part = ink[:, x0:x1]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return float(x0), 0.0, float(x1), float(len(ink))
    return (
        float(x0 + columns[0]), float(rows[0]), float(x0 + columns[-1] + 1), float(rows[-1] + 1),
    )  # fmt: skip
