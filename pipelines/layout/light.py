"""Uneven light on the picture of a page: the shadow of a hand, a lamp at one side, a fold, a book's gutter.

The level of the paper is taken between the letters. Shade changes gently, so it is followed from the
brightest paper outward in small steps, and ends at the edges of photographs and tinted areas, whose darkness
is their own.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.pixels import Gray

SIDE: Final = 440
"""Longer side, in pixels, of the picture in which light is looked for: four pixels of A4 at 150 dpi each."""

MIN_SIDE: Final = 16
"""Pixels of the shorter side of that picture."""

STROKE: Final = 7
"""Pixels of that picture: strokes of print are thinner."""

MAX_STEP: Final = 0.025
"""Of the square root of the light, 0…1, from one pixel to the next, where paper goes on: the root, since
edges of what is printed get fainter in shade, and those of the shade do not. A shadow that takes half of the
light may have a soft edge of 12 pixels, 8 mm on A4."""

MIN_PAPER: Final = 0.6
"""Share of the picture that is paper, followed so; with less it is no page in uneven light."""

EVEN: Final = 0.85
"""Of the brightest paper: light that nowhere falls below is even enough for all steps."""

BRIGHT: Final = 0.97
"""Of the root of the light, from which paper is followed."""

MAX_GAP: Final = 9
"""Pixels up to which the outline of a photograph may have gaps, where it is as light as the paper."""

EDGE: Final = 3
"""Pixels: width of the edge of a sheet, which paper does not go on beyond."""

MIN_SHADE: Final = 0.004
"""Share of the picture that a shade takes; with less in all the light counts as even."""

DARKEST: Final = 0.2
"""Light, of the brightest, below which nothing is told from noise."""

SMOOTHING: Final = 4.0
"""Pixels, standard deviation, by which the light is smoothed."""


def find_light(gray: Gray) -> NDArray[np.float32] | None:
    """The light that falls on a page.

    Args:
        gray: gray levels (height, width), dark print on light paper.

    Returns:
        Its share of the brightest, 0.2…1, over the page, (h, w) with the longer side :data:`SIDE`; None where
        it is even, or the picture shows no paper.
    """
    root = _root_of_paper(gray)
    if root is None or (root**2 < EVEN).mean() < MIN_SHADE:
        return None
    followed = _follow(root, _things(root))
    if followed.mean() < MIN_PAPER or (followed & (root**2 < EVEN)).mean() < MIN_SHADE:
        return None
    return np.clip(_spread(root, followed) ** 2, DARKEST, 1.0).astype(np.float32)


def follow_paper(gray: Gray) -> NDArray[np.bool_] | None:
    """Where paper goes on from its brightest places without a sharp edge, print on it included.

    Args:
        gray: gray levels (height, width).

    Returns:
        (h, w) with the longer side :data:`SIDE`; None for a strip too narrow to see anything in it.
    """
    root = _root_of_paper(gray)
    return None if root is None else _follow(root, _sharp(root, EDGE))


def _root_of_paper(gray: Gray) -> NDArray[np.float32] | None:
    """The root of the light on a small picture, as shares of the brightest, where print is filled up."""
    scale = min(1.0, SIDE / max(gray.shape))
    if scale * min(gray.shape) < MIN_SIDE:
        return None
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # Where the page ends amid a pixel, it fades into the white around it.
    small[:, [0, -1]] = small[:, [1, -2]]
    small[[0, -1]] = small[[1, -2]]
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((STROKE, STROKE), np.uint8))
    paper = cv2.medianBlur(closed, 5)
    brightest = max(1.0, float(np.percentile(paper, 99)))
    return np.asarray(np.sqrt(np.minimum(1.0, paper / np.float32(brightest))), np.float32)


def _follow(root: NDArray[np.float32], things: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where paper goes on from its brightest places in gentle steps, around ``things`` (1 there)."""
    height, width = root.shape
    mask = np.zeros((height + 2, width + 2), np.uint8)
    mask[1:-1, 1:-1] = things
    is_thing = mask > 0
    seeds = np.argwhere(root >= BRIGHT)
    for y, x in seeds[:: max(1, len(seeds) // 400)]:
        if not mask[y + 1, x + 1]:
            start = int(x), int(y)
            cv2.floodFill(root, mask, start, 0, MAX_STEP, MAX_STEP, 4 | cv2.FLOODFILL_MASK_ONLY | (1 << 8))
    return np.asarray((mask > 0) & ~is_thing)[1:-1, 1:-1]


def _things(root: NDArray[np.float32]) -> NDArray[np.uint8]:
    """1 in what has sharp edges: the hulls of photographs and tinted areas."""
    sharp = _sharp(root, MAX_GAP)
    outlines, _ = cv2.findContours(sharp, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    things = np.zeros(root.shape, np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(things, cv2.convexHull(outline), 1)
    return things


def _sharp(root: NDArray[np.float32], width: int) -> NDArray[np.uint8]:
    """1 where there are sharp edges, drawn so many pixels wide."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    # From the pixel before to the one behind.
    is_sharp = cv2.morphologyEx(root, cv2.MORPH_GRADIENT, cross) > 2 * MAX_STEP
    return np.asarray(cv2.dilate(is_sharp.astype(np.uint8), np.ones((width, width), np.uint8)))


def _spread(root: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The root of the light, smoothed, and carried on from where it is known to where it is not."""
    spread = np.zeros_like(root)
    unknown = np.ones(root.shape, np.bool_)
    sigma = SMOOTHING
    while unknown.any():
        weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)
        total = cv2.GaussianBlur(np.where(known, root, 0).astype(np.float32), (0, 0), sigma)
        near = unknown & (weight > 0.05)
        spread[near] = total[near] / weight[near]
        unknown &= ~near
        sigma *= 2
    return spread
