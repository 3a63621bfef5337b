"""A picture of a table as its readers see it: the frame in which rules and words are measured, and the rules.

The frame is that of a page of print, whatever the picture's resolution: its letters have one height, on which
the distances of :mod:`docai.pipelines.tables` are founded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.contents import TableContent
from docai.geometry import BBox, PageTransform
from docai.pipelines.evidence.base import Picture
from docai.pipelines.external import tesseract
from docai.pipelines.external.tesseract import LETTER_HEIGHT_PX
from docai.pipelines.tables.rulings import Rule, Rulings, merge_rules

if TYPE_CHECKING:
    from PIL.Image import Image

POINT: Final = 3.0
"""Pixels of the scaled picture that the frame takes for a point, so that its letters are those of a page of
print."""

BORDER_PX: Final = 30
"""White pixels around: Tesseract reads little at the edge of a picture."""

_RULE_PX: Final = 8
"""Thickness up to which a long horizontal or vertical run of ink is a rule."""

_LEAST_RULE_PX: Final = round(3 * LETTER_HEIGHT_PX)
"""Length from which such a run is a rule: the stem of a letter is shorter."""

_SHADE_STEP: Final = 9.0
"""Gray levels by which the ground of a row of pixels differs from that above where a shade begins."""

_SHADE_REACH_PX: Final = 4
"""Rows of pixels on each side whose ground is compared; as many at the edge itself are left out, which are
gray in themselves in a scan."""


@dataclass(frozen=True)
class Sheet:
    """A picture with letters of one height."""

    gray: NDArray[np.uint8]
    """``(H, W)``, without its rules, and with a border."""
    scale: float
    """Its pixels per pixel of the picture."""
    rules: Rulings
    """In points of the frame."""

    def from_pixels(self, box: BBox) -> BBox:
        """Its pixels to points of the frame."""
        x0, y0, x1, y1 = ((value - BORDER_PX) / POINT for value in box)
        return x0, y0, x1, y1

    def frame(self, picture: Picture) -> PageTransform:
        """From points of the page to points of the frame; the ``pixels`` of the transform are these."""
        return PageTransform(picture.x0, picture.y0, picture.scale * self.scale / POINT)


def on_page(table: TableContent, frame: PageTransform) -> TableContent:
    """A table of the frame with its boxes in points of the page."""
    return table.map_boxes(frame.to_page)


def prepare(image: Image) -> Sheet:
    """A picture with letters of one height and no rules, and where the rules were."""
    large, scale = tesseract.scale_letters(np.asarray(image.convert("L")))
    shades = [Rule(0.0, large.shape[1] / POINT, y / POINT) for y in _shade_edges(large)]
    level, upright = _strokes(large)
    for x0, y0, x1, y1 in (*level, *upright):
        large[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = 255
    horizontal = merge_rules(Rule(x0 / POINT, x1 / POINT, (y0 + y1) / 2 / POINT) for x0, y0, x1, y1 in level)
    vertical = merge_rules(Rule(y0 / POINT, y1 / POINT, (x0 + x1) / 2 / POINT) for x0, y0, x1, y1 in upright)
    horizontal += [shade for shade in shades if all(abs(shade.at - rule.at) > POINT for rule in horizontal)]
    rules = Rulings(tuple(sorted(horizontal, key=lambda rule: (rule.at, rule.start))), tuple(vertical))
    return Sheet(np.pad(large, BORDER_PX, constant_values=255), scale, rules)


def _strokes(gray: NDArray[np.uint8]) -> tuple[Sequence[tuple[int, int, int, int]], ...]:
    """Boxes of the level and of the upright rules, pixels."""
    import cv2

    ink = cv2.adaptiveThreshold(gray, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    height, width = gray.shape
    found = []
    for kernel, thin in (
        ((1, max(_LEAST_RULE_PX, width // 15)), 1),
        ((max(_LEAST_RULE_PX, height // 15), 1), 0),
    ):
        runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(kernel, np.uint8))
        _, _, parts, _ = cv2.connectedComponentsWithStats(runs)
        boxes = [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in parts[1:]]
        found.append([box for box in boxes if box[thin + 2] - box[thin] <= _RULE_PX])
    return tuple(found)


def _shade_edges(gray: NDArray[np.uint8]) -> list[int]:
    """Rows of pixels at which the ground becomes darker or lighter, as at the edges of striped rows.

    The ground of a row is the gray of most of its pixels, which letters leave as it is.
    """
    reach = _SHADE_REACH_PX
    if gray.shape[0] < 8 * reach or not gray.size:
        return []
    ground = np.median(gray, axis=1)
    smooth = np.array([np.median(ground[i : i + reach]) for i in range(len(ground) - reach + 1)])
    # Row i: between the rows that end reach / 2 above it, and those that begin as far below.
    step = np.abs(smooth[2 * reach :] - smooth[: -2 * reach])
    edges: list[int] = []
    for index in np.flatnonzero(step >= _SHADE_STEP):
        around = step[max(0, index - 2 * reach) : index + 2 * reach + 1]
        if step[index] == around.max() and (not edges or index - edges[-1] > 2 * reach):
            edges.append(int(index))
    return [edge + 3 * reach // 2 for edge in edges]
