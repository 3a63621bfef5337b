"""The picture of a molecule made ready for programs: black and white, without captions, at a fit scale.

Ink that lies close together is a group. A group is a structure where it holds lines longer than letters, or
several short ones as between letters; any other is text beside it: a caption, a number of a compound, or a
salt such as ``HCl``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, center, union

if TYPE_CHECKING:
    from PIL.Image import Image

Ink = NDArray[np.uint8]
"""``(H, W)``, 255 where there is ink, else 0."""

GROUP_GAP: Final = 5.0
"""Stroke widths of white, up to which ink belongs to one group: a label is nearer its bonds, a caption is
farther from the structure."""

LETTER_GAP: Final = 0.4
"""The same in letter heights, for thin strokes; the larger of the two holds."""

LETTER_STROKES: Final = (4.0, 22.0)
"""Least and largest height of a letter in stroke widths."""

MIN_BONE: Final = 1.8
"""Size of connected line work in letter heights, from which on it is of a structure."""

MIN_SHORT_BONDS: Final = 3
"""Straight strokes apart from letters that make a structure of a group without longer lines."""

MIN_MARK: Final = 2.0
"""Size of a mark in stroke widths; what is smaller and stands alone is a speck."""

SMOOTHING: Final = 0.35
"""Pixels of the scaled picture."""

MAX_INK: Final = 0.5
"""Share of a picture that is ink; where it is more, ink is white."""

MAX_SPACE: Final = 1.2
"""Letter heights between two words of a line."""

PADDING: Final = 20
"""White pixels around what is cut out."""


@dataclass(frozen=True, eq=False)
class WrittenText:
    """Ink beside the structures that is text."""

    box: BBox
    """Pixels of the whole picture."""
    gray: NDArray[np.uint8]
    """What the picture shows there."""


@dataclass(frozen=True, eq=False)
class MoleculePicture:
    """A picture parted in its structures and what is written beside them."""

    ink: Ink
    """The structures alone; cut to them, with a white border."""
    gray: NDArray[np.uint8]
    """The same part of the picture in gray, with white where other groups were."""
    origin: tuple[int, int]
    """Pixel of the whole picture at the outer corner of (0, 0): x, y; below 0 within the border."""
    stroke: float
    """Width of strokes, pixels; 0 without ink."""
    letter_height: float
    """Of most letters, pixels; a guess where there are none."""
    texts: tuple[WrittenText, ...]
    """Groups beside the structures, those of one line together."""


def part_picture(image: Image) -> MoleculePicture:
    """Find the structures of a picture."""
    import cv2

    gray, ink = ink_of(image)
    stroke = stroke_width(ink)
    if not stroke:
        return MoleculePicture(ink, gray, (0, 0), 0.0, 0.0, ())
    n_pieces, pieces, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    sizes = stats[1:]
    letter = _letter_height(sizes, stroke)
    group_of = _groups(ink, pieces, n_pieces, max(GROUP_GAP * stroke, LETTER_GAP * letter))
    boxes = {group: _box(sizes[group_of == group]) for group in sorted(set(group_of.tolist()))}
    structures = [
        group
        for group in boxes
        if _is_structure(pieces, sizes, np.flatnonzero(group_of == group), stroke, letter)
    ]
    hull = _hull(ink, pieces, np.concatenate([[False], np.isin(group_of, structures)]))
    # A letter or charge whose bonds are broken stands within the structure all the same.
    structures += [
        group
        for group, box in boxes.items()
        if group not in structures
        and max(box[2] - box[0], box[3] - box[1]) >= MIN_MARK * stroke
        and cv2.pointPolygonTest(hull, center(box), measureDist=False) >= 0
    ]
    texts = [
        box
        for group, box in boxes.items()
        if group not in structures and box[3] - box[1] >= MIN_MARK * stroke
    ]
    if not structures:
        # Without any line all is kept: a formula such as CH3-OH may be all that there is.
        return MoleculePicture(ink, gray, (0, 0), stroke, letter, ())
    kept = np.concatenate([[False], np.isin(group_of, structures)])
    x0, y0, x1, y1 = (int(value) for value in _box(sizes[kept[1:]]))
    is_kept = kept[pieces[y0:y1, x0:x1]]
    is_other = (ink[y0:y1, x0:x1] > 0) & ~is_kept
    around = np.asarray(cv2.dilate(is_other.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
    part = np.where(around & ~is_kept, 255, gray[y0:y1, x0:x1]).astype(np.uint8)
    return MoleculePicture(
        np.pad((is_kept * 255).astype(np.uint8), PADDING),
        np.pad(part, PADDING, constant_values=255),
        (x0 - PADDING, y0 - PADDING),
        stroke,
        letter,
        tuple(WrittenText(box, _cut(gray, box)) for box in _lines(texts, letter)),
    )


def ink_of(image: Image) -> tuple[NDArray[np.uint8], Ink]:
    """Gray values and ink of a picture; those of white on black as of black on white."""
    import cv2

    gray = gray_of(image)
    _, binary = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    ink = np.asarray(binary, np.uint8)
    if ink.mean() > 255 * MAX_INK and not ink.all():
        # White on black; the border that was put around it is white all the same.
        gray, ink = 255 - gray, 255 - ink
        cv2.floodFill(ink, None, (0, 0), 0)
        gray[ink == 0] = 255
    return gray, ink


def gray_of(image: Image) -> NDArray[np.uint8]:
    """Gray values ``(H, W)``, in which colors are as far from the paper as their strongest channel.

    Yellow letters, as programs draw sulfur, are nearly white in the usual gray: a molecule without its sulfur
    looks sound all the same.
    """
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    channels = np.asarray(image.convert("RGB"))
    is_dark = float(np.median(channels)) < 128
    return np.asarray(channels.max(axis=2) if is_dark else channels.min(axis=2), np.uint8)


def _cut(gray: NDArray[np.uint8], box: BBox) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = (int(value) for value in box)
    return np.pad(gray[y0:y1, x0:x1], PADDING // 2, constant_values=255)


def _lines(boxes: Sequence[BBox], letter: float) -> list[BBox]:
    """Boxes beside each other as one, where a space may be between them."""
    lines: list[BBox] = []
    for box in sorted(boxes):
        before = next((line for line in lines if _goes_on(line, box, letter)), None)
        if before is None:
            lines.append(box)
        else:
            lines[lines.index(before)] = union((before, box))
    return lines


def _goes_on(line: BBox, box: BBox, letter: float) -> bool:
    overlap = min(line[3], box[3]) - max(line[1], box[1])
    return 0 <= box[0] - line[2] <= MAX_SPACE * letter and overlap >= 0.3 * min(
        line[3] - line[1], box[3] - box[1]
    )


def at_stroke(ink: Ink, stroke: float, width: float) -> Ink:
    """The ink scaled so that its strokes, ``stroke`` pixels wide, are about ``width`` pixels wide."""
    import cv2

    scale = width / stroke
    if abs(scale - 1.0) < 0.05:
        return ink
    if scale < 1.0:
        small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        # Less than half: strokes that are thinner than a pixel must not break.
        return np.asarray(cv2.threshold(small, 96, 255, cv2.THRESH_BINARY)[1], np.uint8)
    large = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.threshold(large, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)


def smoothed_at_stroke(ink: Ink, stroke: float, width: float) -> Ink:
    """The same with smooth edges, where those of a coarse scan are jagged."""
    import cv2

    scale = width / stroke
    if scale < 1.0:
        soft = cv2.GaussianBlur(ink, (0, 0), SMOOTHING / scale)
        scaled = cv2.resize(soft, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    else:
        large = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        scaled = cv2.GaussianBlur(large, (0, 0), SMOOTHING * width / 1.5)
    return np.asarray(cv2.threshold(scaled, 110, 255, cv2.THRESH_BINARY)[1], np.uint8)


def stroke_width(ink: Ink) -> float:
    """Pixels: twice the median distance of the middles of strokes from their edges; 0 without strokes."""
    import cv2

    if ink.all():
        return 0.0
    distance = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    ridge = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0)
    return 2.0 * float(np.median(distance[ridge])) if ridge.any() else 0.0


def _groups(ink: Ink, pieces: NDArray[np.int32], n_pieces: int, gap: float) -> NDArray[np.int64]:
    """The number of the group of each connected piece of ink, but the background."""
    import cv2

    scale = min(1.0, 4.0 / gap)
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    radius = max(1, round(0.5 * gap * scale))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide = cv2.dilate((small > 0).astype(np.uint8), kernel)
    _, labels = cv2.connectedComponents(wide, connectivity=8)
    whole = cv2.resize(labels.astype(np.float32), ink.shape[::-1], interpolation=cv2.INTER_NEAREST)
    group_of = np.zeros(n_pieces, np.int64)
    inked = ink > 0
    group_of[pieces[inked]] = whole[inked].astype(np.int64)
    return np.asarray(group_of[1:], np.int64)


def _letter_height(sizes: NDArray[np.int32], stroke: float) -> float:
    """Median height of the pieces that may be letters, pixels."""
    import cv2

    wide, high = sizes[:, cv2.CC_STAT_WIDTH], sizes[:, cv2.CC_STAT_HEIGHT]
    least, most = LETTER_STROKES
    may_be = (high >= least * stroke) & (high <= most * stroke) & (wide >= 0.4 * high) & (wide <= 1.6 * high)
    fill = sizes[:, cv2.CC_STAT_AREA] / np.maximum(wide * high, 1)
    may_be &= fill > 0.15
    return float(np.median(high[may_be])) if may_be.any() else 10.0 * stroke


def _hull(ink: Ink, pieces: NDArray[np.int32], is_kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Corners of the convex hull of the ink of some pieces, ``(N, 1, 2)``; a point far off without any."""
    import cv2

    points = cv2.findNonZero((is_kept[pieces] & (ink > 0)).astype(np.uint8))
    if points is None:
        return np.full((1, 1, 2), -1e6, np.float32)
    return np.asarray(cv2.convexHull(points), np.float32)


def _is_structure(
    pieces: NDArray[np.int32],
    sizes: NDArray[np.int32],
    members: NDArray[np.int64],
    stroke: float,
    letter: float,
) -> bool:
    import cv2

    wide, high = sizes[members, cv2.CC_STAT_WIDTH], sizes[members, cv2.CC_STAT_HEIGHT]
    reach = np.maximum(wide, high)
    # Words of letters that touch are wide, but no higher than a letter.
    if ((reach >= MIN_BONE * letter) & (high >= 1.4 * letter)).any():
        return True
    n_bonds = 0
    for member in members[(reach >= 4 * stroke)]:
        x, y, w, h = (int(value) for value in sizes[member, :4])
        points = cv2.findNonZero((pieces[y : y + h, x : x + w] == member + 1).astype(np.uint8))
        _, sides, _ = cv2.minAreaRect(points)
        n_bonds += max(sides) >= 4 * stroke and min(sides) <= 1.3 * stroke
    return n_bonds >= MIN_SHORT_BONDS


def _box(sizes: NDArray[np.int32] | Sequence[NDArray[np.int32]]) -> BBox:
    rows = np.asarray(sizes)
    x0, y0 = rows[:, 0].min(), rows[:, 1].min()
    x1, y1 = (rows[:, 0] + rows[:, 2]).max(), (rows[:, 1] + rows[:, 3]).max()
    return float(x0), float(y0), float(x1), float(y1)
