"""A picture as gray levels, as ink, as thinned lines and as paths along them: what all heads start from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.pixels import parts_of
from docai.pipelines.readback.similarity import NotComparable

Gray = NDArray[np.uint8]
"""(h, w) gray levels, or ink as 1 on 0."""

MAX_SIDE_PX = 1024
"""A larger picture is scaled down to this: a crop has 896."""

MIN_SIDE_PX = 16

MIN_INK_PX = 25
"""A picture with fewer pixels of ink is blank."""

_PAPER_WINDOW_PX = 37
"""Side, at half size, of the window whose median is the paper: twice as wide as the boldest strokes."""

_MIN_CONTRAST_GRAY_LEVELS = 18.0

_DARK = 128
"""Gray level below which a band is dark."""

MIN_BAND_HEIGHT_PX, MIN_BAND_RATIO = 10, 3.0
"""Height of a filled band behind print, and its width in its heights, at least."""

MIN_BAND_FILL = 0.45
"""Share of its box that is filled around the letters; bold ones take nearly half."""

MIN_HOLES = 0.03
"""Area of the letters in a band, in areas of what is filled, at least."""

_NEIGHBOR_OFFSETS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbors (dy, dx), clockwise from above: bit i of a code is neighbor i."""


def to_gray(image: Image.Image | Gray) -> Gray:
    """Gray levels, (h, w) uint8, h and w at most :data:`MAX_SIDE_PX`.

    Raises:
        NotComparable: the picture is too small to show anything.
    """
    if isinstance(image, Image.Image):
        small = image
        if max(image.size) > MAX_SIDE_PX and min(image.size) > 0:
            scale = MAX_SIDE_PX / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            small = image.convert("RGB").resize(size, Image.Resampling.BOX)
        gray = np.asarray(small.convert("L"), np.uint8)
    else:
        gray = np.asarray(image if image.ndim == 2 else image[..., :3].mean(axis=2), np.uint8)
    if min(gray.shape) < 1:
        raise NotComparable("the picture has no pixels")
    if max(gray.shape) > MAX_SIDE_PX:
        scale = MAX_SIDE_PX / max(gray.shape)
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    if min(gray.shape) < MIN_SIDE_PX:
        raise NotComparable(f"the picture is only {gray.shape[1]} x {gray.shape[0]} pixels")
    return np.ascontiguousarray(gray)


def to_ink(gray: Gray, share: float = 0.45) -> Gray:
    """Ink as 1 on 0: pixels that are darker or lighter than their surroundings by more than a threshold.

    The surroundings are a median, which follows the edge of a fill or of a patch of scanned paper, so that
    print on a dark fill is ink as well. The threshold is ``share`` of the print's typical contrast, so that
    show-through and noise stay below it. Specks of up to two pixels are removed.

    Raises:
        NotComparable: the picture is blank.
    """
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    half = cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    window = min(_PAPER_WINDOW_PX, (min(half.shape) - 1) // 2 * 2 + 1)
    paper = cv2.medianBlur(half, window)
    paper = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    contrast = cv2.absdiff(smooth, paper)
    strong = contrast[contrast > _MIN_CONTRAST_GRAY_LEVELS]
    if strong.size < MIN_INK_PX:
        raise NotComparable("the picture is blank")
    typical = float(np.percentile(strong, 80))
    threshold = min(max(share * typical, _MIN_CONTRAST_GRAY_LEVELS), 80.0 * share / 0.45)
    ink = drop_specks((contrast > threshold).astype(np.uint8), 3)
    if int(ink.sum()) < MIN_INK_PX:
        raise NotComparable("the picture is blank")
    return ink


def without_bands(gray: Gray) -> Gray:
    """The picture with light print on dark bands, such as the head of a table, as dark print on white.

    Bands are low: to the median that :func:`to_ink` takes for the paper around
    a pixel they are ink, in whole or in part. A filled area without letters in it, such as the bar of a
    chart, stays.
    """
    parts = parts_of((gray < _DARK).astype(np.uint8))
    widths, heights = parts.widths, parts.heights
    is_band = (heights >= MIN_BAND_HEIGHT_PX) & (widths >= MIN_BAND_RATIO * heights)
    is_band &= parts.areas >= MIN_BAND_FILL * widths * heights
    result = gray.copy()
    for index in np.flatnonzero(is_band):
        x0, y0, x1, y1 = (int(value) for value in parts.boxes[index])
        part = np.s_[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2]
        band = (parts.labels[part] == index + 1).astype(np.uint8)
        outlines, _ = cv2.findContours(band, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.asarray(cv2.drawContours(np.zeros_like(band), outlines, -1, 1, cv2.FILLED), np.uint8)
        if filled.sum() < (1 + MIN_HOLES) * band.sum():
            continue
        levels = gray[part].astype(np.int16)
        turned = np.clip(255 - (levels - np.median(levels[band > 0])), 0, 255)
        # Its edge is neither dark nor white.
        edge = cv2.dilate(filled, np.ones((5, 5), np.uint8)) > filled
        result[part] = np.where(filled > 0, turned, np.where(edge, 255, result[part]))
    return np.asarray(result, np.uint8)


def crop_white_frame(gray: Gray) -> Gray:
    """Crop the white that gray paper was padded with to a square, since its edge would look like ink.

    Rows and columns at the edges that are 255 throughout are cropped where more than half of the border of
    what they surround is darker; white paper stays as it is.
    """
    rows, columns = (np.flatnonzero((gray < 255).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return gray
    inner = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    edge = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    return np.ascontiguousarray(inner) if float((edge < 255).mean()) > 0.5 else gray


def drop_specks(ink: Gray, smallest: int) -> Gray:
    """The ink without the components of fewer than ``smallest`` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    return np.asarray(keep[labels], np.uint8)


def stroke_width(ink: Gray, lines: Gray) -> float:
    """Median width of the strokes in pixels, from the distance of their center lines to their edges."""
    depth = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    half_widths = depth[lines > 0]
    return float(np.median(half_widths)) * 2 - 1 if half_widths.size else 1.0


def paths(lines: Gray) -> list[NDArray[np.int32]]:
    """The lines of a thinned picture, cut where three or more meet: each (n, 2) as x, y, n >= 2.

    A loop without a junction starts and ends at the same pixel.
    """
    ys, xs = np.nonzero(lines)
    pixels = set(zip(ys.tolist(), xs.tolist(), strict=True))
    neighbors = {pixel: _neighbors(pixel, pixels) for pixel in pixels}
    nodes = {pixel for pixel, near in neighbors.items() if len(near) != 2}
    walked: set[tuple[tuple[int, int], tuple[int, int]]] = set()
    result = []

    def walk(start: tuple[int, int], step: tuple[int, int]) -> None:
        path = [start, step]
        walked.add((start, step))
        while path[-1] not in nodes and path[-1] != start:
            ahead = [pixel for pixel in neighbors[path[-1]] if pixel != path[-2]]
            if not ahead:
                break
            path.append(ahead[0])
        walked.add((path[-1], path[-2]))
        result.append(np.array([(x, y) for y, x in path], np.int32))

    for node in sorted(nodes):
        for near in neighbors[node]:
            if (node, near) not in walked:
                walk(node, near)
    on_paths = {(y, x) for path in result for x, y in path.tolist()}
    for pixel in sorted(pixels - on_paths - nodes):
        if pixel not in on_paths:
            walk(pixel, neighbors[pixel][0])
            on_paths.update((y, x) for x, y in result[-1].tolist())
    return result


def _neighbors(pixel: tuple[int, int], pixels: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pixels that touch a pixel; a diagonal one only where no step around the corner leads there as well.

    Otherwise each stair of a slanted line would be a junction.
    """
    y, x = pixel
    return [
        (y + dy, x + dx)
        for dy, dx in _NEIGHBOR_OFFSETS
        if (y + dy, x + dx) in pixels
        and (not dy or not dx or ((y + dy, x) not in pixels and (y, x + dx) not in pixels))
    ]


def pairwise_overlap(boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width and height, (n, n) each, of the overlap of each two boxes (n, 4: x0, y0, x1, y1).

    Negative where two boxes are apart, by their distance.
    """
    x0, y0, x1, y1 = boxes.T
    width = np.minimum(x1[:, None], x1[None, :]) - np.maximum(x0[:, None], x0[None, :])
    height = np.minimum(y1[:, None], y1[None, :]) - np.maximum(y0[:, None], y0[None, :])
    return width, height
