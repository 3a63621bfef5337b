"""Connected ink as what it may be: letters and bars, or line work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.ink import Ink, Mask

MAX_PARTS: Final = 4_000
"""Parts of a picture above which it is no drawing of molecules alone; those smaller than dots apart."""

_MAX_OVERLAP: Final = 4.0
"""Area of the boxes of parts in areas of the picture, above which it is no drawing but a hatching."""

_SPECK: Final = 0.3
"""Area of dirt in squares of the stroke's width, at most."""

_SIMPLIFY: Final = 0.6
"""Pixels by which the outline of a part may move to have fewer points."""


@dataclass(slots=True, eq=False)
class Part:
    """Ink that is connected."""

    x: int
    y: int
    mask: Mask
    """Of its box."""
    area: int

    @property
    def width(self) -> int:
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        return int(self.mask.shape[0])


def find_parts(ink: Ink) -> list[Part] | None:
    """The connected parts of ink without dirt; None where there are too many."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] > _SPECK * ink.width**2)
    large = large[large > 0]
    boxes = stats[large][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].astype(float)
    if len(large) > MAX_PARTS or boxes.prod(axis=1).sum() > _MAX_OVERLAP * ink.mask.size:
        return None
    found = []
    for label in large.tolist():
        x, y, wide, high, area = stats[label].tolist()
        mask = np.asarray(labels[y : y + high, x : x + wide] == label, np.uint8)
        found.append(Part(x, y, mask, area))
    return found


def contours_of(part: Part) -> list[NDArray[np.float64]]:
    """Outlines of a part and its holes along the edges of pixels, each closed, pixels of the ink."""
    # Enlarged, so that the outline runs along the edges of pixels.
    large = cv2.resize(np.pad(part.mask * 255, 2), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    large = np.asarray(cv2.GaussianBlur(large, (0, 0), 2.0) > 127, np.uint8)
    found, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    made = []
    for contour in found:
        if len(contour) < 8:
            continue
        simple = cv2.approxPolyDP(contour, _SIMPLIFY * 4, True)[:, 0].astype(float)
        if len(simple) >= 3:
            points = (simple + 0.5) / 4 - 2 + (part.x, part.y)
            made.append(np.concatenate([points, points[:1]]))
    return made


def split_part(part: Part, left: int, right: int, dirt: float) -> list[Part]:
    """The parts of a part between two of its columns; those of at most ``dirt`` pixels are left out."""
    mask = np.ascontiguousarray(part.mask[:, left:right])
    return parts_of(mask, part.x + left, part.y, dirt)


def parts_of(mask: Mask, x0: int, y0: int, dirt: float) -> list[Part]:
    """The connected parts of a mask whose corner is at ``x0``, ``y0``."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label in range(1, count):
        x, y, wide, high, area = stats[label].tolist()
        if area > dirt:
            piece = np.asarray(labels[y : y + high, x : x + wide] == label, np.uint8)
            found.append(Part(x0 + x, y0 + y, piece, area))
    return found
