"""The sizes of the letters of a drawing, by which letters that look alike are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.letter_classes import NONE, LetterModel

OF_NO_SIZE: Final = frozenset("+-.,'’′\"*=~°×()[]{}|/\\<>±≡⊕⊖→")
"""Signs whose height does not tell that of the letters around them."""

_MIN_HEIGHT: Final = 0.4
"""Heights of a capital from which the height of a letter tells its size."""

_MAX_SPREAD: Final = 0.2
"""Standard deviation of a letter's height over fonts, in its height, up to which it tells a size."""

_SIZE_SLACK: Final = 0.09
"""Standard deviation of the logarithm of the height of a letter, beside what fonts differ by."""

_REACH: Final = 1.5
"""Heights of a capital to each side within which letters are neighbors."""

_MAX_IN_CELL: Final = 8
"""Letters of one place that are looked at, where drawings paint thousands upon each other."""

_MAX_NEAR: Final = 6
"""Letters beside one that are looked at."""


@dataclass(slots=True)
class Anchor:
    """A letter whose size is known."""

    text: str
    bbox: BBox
    cap: float
    """Height of its capitals, points."""
    baseline: float


@dataclass(slots=True)
class _Grid:
    """Anchors by place."""

    side: float
    cells: dict[tuple[int, int], list[Anchor]] = field(default_factory=dict)

    def add(self, anchor: Anchor) -> None:
        self.cells.setdefault(self._cell(anchor.bbox), []).append(anchor)

    def near(self, bbox: BBox) -> list[Anchor]:
        """Anchors beside a box, the nearest first."""
        x, y = self._cell(bbox)
        found = []
        for column in range(x - 2, x + 3):
            for row in range(y - 1, y + 2):
                for anchor in self.cells.get((column, row), ())[:_MAX_IN_CELL]:
                    gap = max(anchor.bbox[0] - bbox[2], bbox[0] - anchor.bbox[2])
                    above = max(anchor.bbox[1] - bbox[3], bbox[1] - anchor.bbox[3])
                    if gap <= _REACH * anchor.cap and above <= 0.3 * anchor.cap:
                        found.append((max(gap, 0.0) + 2 * max(above, 0.0), anchor))
        found.sort(key=lambda pair: pair[0])
        return [anchor for _, anchor in found[:_MAX_NEAR]]

    def _cell(self, bbox: BBox) -> tuple[int, int]:
        return int((bbox[0] + bbox[2]) / 2 // self.side), int((bbox[1] + bbox[3]) / 2 // self.side)


@dataclass(slots=True)
class Sizes:
    """What is known of the sizes of letters in a drawing."""

    grid: _Grid
    common: list[tuple[float, float]]
    """Heights of capitals that are frequent, each with its share."""

    @classmethod
    def of(cls, anchors: Sequence[Anchor]) -> Sizes:
        caps = np.array([anchor.cap for anchor in anchors])
        grid = _Grid(2 * float(np.median(caps)) if len(caps) else 1.0)
        for anchor in anchors:
            grid.add(anchor)
        steps = np.rint(np.log(np.maximum(caps, 1e-6)) / 0.08).astype(int)
        values, counts = np.unique(steps, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:6]
        common = [(float(np.median(caps[steps == values[i]])), float(counts[i] / len(caps))) for i in order]
        return cls(grid, common)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a model knows of its classes, as plain numbers; lengths are in heights of a capital."""

    texts: tuple[str, ...]
    none: int
    """Index of the class that is no letter."""
    heights: list[float]
    bottoms: list[float]
    slacks: list[float]
    """By how much the logarithm of the height varies."""
    are_sized: list[bool]
    """Whether the height tells the size of the font."""

    def anchor(self, bbox: BBox, index: int) -> Anchor:
        """A letter of a class as one whose size is known."""
        cap = (bbox[3] - bbox[1]) / self.heights[index]
        return Anchor(self.texts[index], bbox, cap, bbox[3] + self.bottoms[index] * cap)


@lru_cache(maxsize=4)
def metrics_of(model: LetterModel) -> Metrics:
    """The metrics of a model, made once."""
    heights, spreads = model.heights.astype(float).tolist(), model.spreads.astype(float).tolist()
    pairs = list(zip(heights, spreads, strict=True))
    return Metrics(
        texts=model.classes,
        none=model.classes.index(NONE),
        heights=heights,
        bottoms=model.bottoms.astype(float).tolist(),
        slacks=[float(np.hypot(_SIZE_SLACK, spread / max(height, 0.1))) for height, spread in pairs],
        are_sized=[
            text not in OF_NO_SIZE
            and text != NONE
            and height >= _MIN_HEIGHT
            and spread <= _MAX_SPREAD * height
            for text, (height, spread) in zip(model.classes, pairs, strict=True)
        ],
    )
