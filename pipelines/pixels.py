"""Measurements on gray pictures: ink, its connected parts, and straight lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union

if TYPE_CHECKING:
    from PIL.Image import Image

Gray = NDArray[np.uint8]
"""Gray levels (height, width): 0 is black, 255 white. Ink masks are 255 on 0."""

MIN_LINE_CONTRAST = 20
"""Gray levels by which a line must differ from its surroundings."""


MIN_COLOR = 60
"""Gray levels by which a color is darker in its strongest channel than in the usual gray, at least, to count
by that."""

MAX_COLORED_STROKE = 9
"""Pixels; width of strokes that count so. Marked text and colored fills are wider."""


def gray_levels(image: Image) -> Gray:
    """Gray levels of a picture; thin strokes of a light color are as dark in it as their strongest channel.

    Yellow, as programs draw sulfur and its bonds, is nearly white in the usual gray: a molecule would be torn
    in two where its sulfur is. Fills stay as light as they are, so that what is printed on them is seen.
    """
    gray = np.asarray(image.convert("L"))
    if image.mode in ("1", "L"):
        return gray
    strongest = np.asarray(image.convert("RGB")).min(axis=2)
    is_colored = cv2.subtract(gray, strongest) > MIN_COLOR
    if not is_colored.any():
        return gray
    kernel = np.ones((MAX_COLORED_STROKE, MAX_COLORED_STROKE), np.uint8)
    depth = cv2.morphologyEx(strongest, cv2.MORPH_BLACKHAT, kernel)
    return np.asarray(np.where(is_colored & (depth > MIN_COLOR), strongest, gray), np.uint8)


def flatten(gray: Gray) -> Gray:
    """The picture with white paper: its shade, which varies over a scanned page, is divided out."""
    small = (
        cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        if min(gray.shape) > 400
        else gray
    )
    paper = cv2.medianBlur(
        cv2.dilate(small, np.ones((7, 7), np.uint8)), min(max(15, min(small.shape) // 10 | 1), 51)
    )
    paper = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    # Dark surroundings are a picture, not shaded paper, and stay dark.
    level = float(np.percentile(paper, 90)) or 255.0
    paper = np.maximum(paper, np.uint8(min(255, level * 0.8)))
    return np.asarray(cv2.divide(gray, paper, scale=255))


def even_out(picture: NDArray[np.uint8], light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture, (height, width) or with channels behind, in even light.

    Args:
        light: of each pixel, (height, width), as shares of the brightest, above 0.
    """
    share = light if picture.ndim == 2 else light[:, :, None]
    return np.asarray(np.minimum(picture / share, 255.0), np.uint8)


def binarize(gray: Gray) -> Gray:
    """Ink as 255 on 0, by Otsu's threshold on the flattened picture, kept within 165…205."""
    flat = flatten(gray)
    threshold, _ = cv2.threshold(flat, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    threshold = min(max(threshold, 165), 205)
    return np.asarray((flat < threshold).astype(np.uint8) * 255)


def solid_areas(gray: Gray, side: int) -> list[BBox]:
    """Boxes of areas of at least ``side`` by ``side`` pixels without any white: photographs and fills."""
    flat = cv2.blur(flatten(gray), (3, 3))
    tinted = (flat < 236).astype(np.uint8) * 255
    parts = parts_of(np.asarray(cv2.morphologyEx(tinted, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))))
    return parts.boxes_of(parts.areas > 0)


@dataclass(frozen=True)
class Parts:
    """The n connected components of ink.

    Attributes:
        boxes: (n, 4) as x0 y0 x1 y1, pixels.
        areas: (n,) pixels of ink in each.
        labels: (height, width); i + 1 where part i is, 0 where no ink is.
    """

    boxes: NDArray[np.int32]
    areas: NDArray[np.int32]
    labels: NDArray[np.int32]

    @property
    def widths(self) -> NDArray[np.int32]:
        return np.asarray(self.boxes[:, 2] - self.boxes[:, 0])

    @property
    def heights(self) -> NDArray[np.int32]:
        return np.asarray(self.boxes[:, 3] - self.boxes[:, 1])

    def boxes_of(self, which: NDArray[np.bool_]) -> list[BBox]:
        """Boxes of the parts that are True in ``which`` (n,)."""
        return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in self.boxes[which]]

    def median_height(self, letters: NDArray[np.bool_], *, min_count: int = 1) -> float | None:
        """The height of letters, pixels: the median of the parts that are True in ``letters`` (n,).

        None where there are fewer than ``min_count``.
        """
        return float(np.median(self.heights[letters])) if letters.sum() >= min_count else None


def parts_of(ink: Gray) -> Parts:
    """Connected components of ink, where diagonal neighbors are connected."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    boxes = stats[1:, :4].astype(np.int32)
    boxes[:, 2:] += boxes[:, :2]
    return Parts(boxes, stats[1:, cv2.CC_STAT_AREA].astype(np.int32), np.asarray(labels))


def horizontal_lines(
    gray: Gray, length: int, thickness: int = 10, min_contrast: int = MIN_LINE_CONTRAST, piece: int = 0
) -> list[BBox]:
    """Boxes of thin horizontal lines, dark or faint, straight or slightly wavy.

    What is thin from top to bottom (black hat) and long from left to right (opening) is a line, however
    light: hairlines of a third of a pixel are found, which a threshold on gray levels loses.

    Args:
        gray: the picture.
        length: least length, pixels.
        thickness: greatest thickness, pixels.
        min_contrast: gray levels by which a line must differ from its surroundings.
        piece: pixels after which lines are cut, so that a slanted line is horizontal in each piece; 0 for
            none.
    """
    thin = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, np.ones((thickness + 1, 1), np.uint8))
    thin = cv2.dilate(thin, np.ones((2, 1), np.uint8))
    kernel = np.ones((1, max(10, length // 4)), np.uint8)
    strength = cv2.morphologyEx(
        cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8)), cv2.MORPH_OPEN, kernel
    )
    runs = (strength > min_contrast).astype(np.uint8) * 255
    runs = cv2.morphologyEx(runs, cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8))
    if piece:
        runs[:, piece::piece] = 0
    parts = parts_of(np.asarray(runs))
    long = np.flatnonzero(parts.widths >= length)
    lines = [line for index in long for line in _lines_of_part(parts, int(index), length)]
    return [line for line in lines if line[3] - line[1] <= thickness + 3]


def _lines_of_part(parts: Parts, index: int, length: int) -> list[BBox]:
    """The runs of rows that one part fills: beams and clefs can connect the lines of a staff to one part."""
    x0, y0, x1, y1 = (int(value) for value in parts.boxes[index])
    mask = parts.labels[y0:y1, x0:x1] == index + 1
    profile = mask.sum(axis=1)
    half = 0.5 * profile.max()
    full = profile >= (half if y1 - y0 <= 9 else max(length, half))
    lines = []
    for top, bottom in spans(np.asarray(full)):
        columns = np.flatnonzero(mask[top:bottom].any(axis=0))
        left, right = x0 + columns[0], x0 + columns[-1] + 1
        lines.append((float(left), float(y0 + top), float(right), float(y0 + bottom)))
    return [line for line in lines if line[2] - line[0] >= length]


def spans(flags: NDArray[np.bool_], min_length: int = 1) -> list[tuple[int, int]]:
    """Runs of True in ``flags`` (n,) of at least ``min_length``, as (start, end) with the end excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= min_length]


def vertical_lines(gray: Gray, length: int) -> list[BBox]:
    """Boxes of thin vertical lines of at least ``length`` pixels."""
    transposed = join_line_pieces(horizontal_lines(np.ascontiguousarray(gray.T), length), length)
    return [(y0, x0, y1, x1) for x0, y0, x1, y1 in transposed]


def straight_strokes(ink: Gray, min_length: float) -> NDArray[np.float64]:
    """Straight strokes longer than ``min_length`` pixels, by OpenCV's line segment detector.

    (n, 2): length in pixels and angle in degrees, 0…180. Both edges of a stroke count.
    """
    smooth = cv2.GaussianBlur(255 - ink, (0, 0), 0.8)
    detected = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(smooth)[0]
    if detected is None:
        return np.zeros((0, 2))
    lines = detected.reshape(-1, 4).astype(np.float64)
    dx, dy = lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]
    lengths, angles = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 180
    long = lengths > min_length
    return np.stack([lengths[long], angles[long]], axis=1)


def join_line_pieces(lines: list[BBox], min_length: float) -> list[BBox]:
    """Lines of at least ``min_length`` pixels, their pieces joined: notes and bar lines interrupt them."""
    chains: list[list[BBox]] = []
    # Where the last piece of each chain ends: a page of print has thousands of pieces.
    rights, middles = np.full(len(lines), -np.inf), np.zeros(len(lines))
    for line in sorted(lines):
        gaps = line[0] - rights
        fitting = (np.abs(middles - _middle(line)) <= 2.5) & (gaps > -10) & (gaps < 40)
        if fitting.any():
            index = int(np.where(fitting, rights, -np.inf).argmax())
            chains[index].append(line)
        else:
            index = len(chains)
            chains.append([line])
        rights[index], middles[index] = line[2], _middle(line)
    return [box for box in map(union, chains) if box[2] - box[0] >= min_length]


def _middle(line: BBox) -> float:
    return (line[1] + line[3]) / 2


def halftone_share(gray: Gray) -> float:
    """Share of the pixels that are neither white nor black, edges left out, 0…1; high in photographs."""
    soft = ((gray > 60) & (gray < 215)).astype(np.uint8)
    return float(cv2.erode(soft, np.ones((3, 3), np.uint8)).mean())
