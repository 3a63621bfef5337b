"""The crop as ink, and as lines one pixel wide."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.readback.base import Gray, NotComparable

LONGEST = 1024
"""Pixels of the longer side beyond which a picture is made smaller: a crop has 896."""
SMALLEST = 16
_MIN_INK = 25
"""Pixels below which a picture is blank."""
_SURROUNDINGS = 37
"""Side, in pixels of half size, of the window whose median is the paper: twice the boldest strokes."""
_FAINT = 18.0
"""Gray levels below which nothing stands out."""
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours (dy, dx), clockwise from above: bit i of a code is neighbour i."""


def to_gray(image: Image.Image | Gray) -> Gray:
    """Gray levels, (h, w) uint8, h and w at most :data:`LONGEST`.

    Raises:
        NotComparable: the picture is too small to show anything.
    """
    if isinstance(image, Image.Image):
        small = image
        if max(image.size) > LONGEST and min(image.size) > 0:
            scale = LONGEST / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            small = image.convert("RGB").resize(size, Image.Resampling.BOX)
        gray = np.asarray(small.convert("L"), np.uint8)
    else:
        gray = np.asarray(image if image.ndim == 2 else image[..., :3].mean(axis=2), np.uint8)
    if min(gray.shape) < 1:
        raise NotComparable("the picture has no pixels")
    if max(gray.shape) > LONGEST:
        scale = LONGEST / max(gray.shape)
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    if min(gray.shape) < SMALLEST:
        raise NotComparable(f"the picture is only {gray.shape[1]} x {gray.shape[0]} pixels")
    return np.ascontiguousarray(gray)


def to_ink(gray: Gray, share: float = 0.45) -> Gray:
    """Ink as 1 on 0: what stands out from its surroundings, darker or lighter, by enough.

    The surroundings are a median, which steps where a fill or a patch of scanned paper begins; print on a
    dark fill is ink as well. Show-through and noise stay below the threshold, which follows the contrast of
    the print: it is ``share`` of what print typically stands out by. Specks of up to two pixels are left out.

    Raises:
        NotComparable: there is none.
    """
    calm = cv2.GaussianBlur(gray, (3, 3), 0)
    half = cv2.resize(calm, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    window = min(_SURROUNDINGS, (min(half.shape) - 1) // 2 * 2 + 1)
    paper = cv2.medianBlur(half, window)
    paper = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    contrast = cv2.absdiff(calm, paper)
    strong = contrast[contrast > _FAINT]
    if strong.size < _MIN_INK:
        raise NotComparable("the picture is blank")
    typical = float(np.percentile(strong, 80))
    threshold = min(max(share * typical, _FAINT), 80.0 * share / 0.45)
    ink = drop_specks((contrast > threshold).astype(np.uint8), 3)
    if int(ink.sum()) < _MIN_INK:
        raise NotComparable("the picture is blank")
    return ink


def without_frame(gray: Gray) -> Gray:
    """Without the white that gray paper was filled up with to a square: where it ends looks like ink.

    Rows and columns at the edges that are 255 throughout go where what they surround has another edge, by
    more than half of it; white paper stays as it is.
    """
    rows, columns = (np.flatnonzero((gray < 255).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return gray
    inner = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    edge = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    return np.ascontiguousarray(inner) if float((edge < 255).mean()) > 0.5 else gray


def drop_specks(ink: Gray, smallest: int) -> Gray:
    """Without the components of fewer than ``smallest`` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    return np.asarray(keep[labels], np.uint8)


def _thinning_table(first: bool) -> Gray:
    """For each code of the eight neighbours, whether Zhang and Suen's sub-iteration takes the pixel.

    T. Y. Zhang and C. Y. Suen, A fast parallel algorithm for thinning digital patterns, CACM 27 (1984).
    """
    table = np.zeros(256, np.uint8)
    for code in range(256):
        p = [code >> bit & 1 for bit in range(8)]
        turns = sum(p[i] == 0 and p[(i + 1) % 8] == 1 for i in range(8))
        north, east, south, west = p[0], p[2], p[4], p[6]
        if first:
            open_side = not (north and east and south) and not (east and south and west)
        else:
            open_side = not (north and east and west) and not (north and south and west)
        table[code] = 2 <= sum(p) <= 6 and turns == 1 and open_side
    return table


_TABLES = (_thinning_table(True), _thinning_table(False))
_KERNEL = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)


def thin(ink: Gray) -> Gray:
    """Lines one pixel wide in the middle of the strokes (Zhang and Suen), 1 on 0."""
    lines = np.pad(ink, 1)
    while True:
        before = int(lines.sum())
        for table in _TABLES:
            codes = cv2.filter2D(lines, cv2.CV_8U, _KERNEL, borderType=cv2.BORDER_CONSTANT)
            lines[(cv2.LUT(codes, table) > 0) & (lines > 0)] = 0
        if int(lines.sum()) == before:
            return np.ascontiguousarray(lines[1:-1, 1:-1])


def stroke_width(ink: Gray, lines: Gray) -> float:
    """Median width of the strokes, pixels, by the distance of their middles to their edges."""
    depth = cv2.distanceTransform(np.pad(ink, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    middles = depth[lines > 0]
    return float(np.median(middles)) * 2 - 1 if middles.size else 1.0


def paths(lines: Gray) -> list[NDArray[np.int32]]:
    """The lines of a thinned picture, cut where three or more meet: each (n, 2) as x, y, n >= 2.

    A loop without a meeting starts and ends at the same pixel.
    """
    ys, xs = np.nonzero(lines)
    places = set(zip(ys.tolist(), xs.tolist(), strict=True))
    around = {pixel: _neighbours(pixel, places) for pixel in places}
    knots = {pixel for pixel, near in around.items() if len(near) != 2}
    walked: set[tuple[tuple[int, int], tuple[int, int]]] = set()
    found = []

    def walk(start: tuple[int, int], step: tuple[int, int]) -> None:
        path = [start, step]
        walked.add((start, step))
        while path[-1] not in knots and path[-1] != start:
            here = path[-1]
            ahead = [pixel for pixel in around[here] if pixel != path[-2]]
            if not ahead:
                break
            path.append(ahead[0])
        walked.add((path[-1], path[-2]))
        found.append(np.array([(x, y) for y, x in path], np.int32))

    for knot in sorted(knots):
        for near in around[knot]:
            if (knot, near) not in walked:
                walk(knot, near)
    on_paths = {(y, x) for path in found for x, y in path.tolist()}
    for pixel in sorted(places - on_paths - knots):
        if pixel not in on_paths:
            walk(pixel, around[pixel][0])
            on_paths.update((y, x) for x, y in found[-1].tolist())
    return found


def _neighbours(pixel: tuple[int, int], places: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch a pixel; a diagonal one only where no step around the corner leads there as well.

    Else each stair of a slanted line would be a meeting.
    """
    y, x = pixel
    return [
        (y + dy, x + dx)
        for dy, dx in _RING
        if (y + dy, x + dx) in places
        and (not dy or not dx or ((y + dy, x) not in places and (y, x + dx) not in places))
    ]
