"""Music symbols by their outlines alone, compared with those of known music fonts.

An outline is drawn small, stretched to a square; its width and height in staff spaces are kept beside,
because many symbols differ by their size alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Subpath

TABLE: Final = Path(__file__).parent / "symbol_outlines.npz"
"""Outlines of known fonts; :mod:`~docai.pipelines.drawings.score.symbol_training` makes it."""

SIDE: Final = 16
"""Pixels of an outline drawn small."""

_FINE: Final = 4
"""Pixels of the first drawing for each pixel that is kept, in each direction."""

_MARGIN: Final = 4
"""Pixels around the first drawing."""

_SHIFT: Final = 6
"""Bits of fractions of a pixel in OpenCV's coordinates."""

ASPECT_WEIGHT: Final = 0.10
"""Of the squared difference of the logarithms of width over height."""

SIZE_WEIGHT: Final = 0.1
"""Of the squared difference of the logarithms of size."""

PARTS_WEIGHT: Final = 0.02
"""Of a difference of the numbers of holes or of parts."""

SMALL_SCALES: Final = (1.0, 0.75, 0.62)
"""Sizes at which symbols are drawn: full, for cues, for grace notes."""

SMALL_COST: Final = 0.004
"""What a smaller size adds to a distance."""

SURE_DISTANCE: Final = 0.045
"""Distance up to which an outline is what it is most like."""

MAX_DISTANCE: Final = 0.115
"""Distance from which an outline is no known symbol."""

MIN_BAR_FILL: Final = 0.85
"""Share of its box that a plain bar fills, with its round corners."""

MIN_LEAD: Final = 1.3
"""How many times as far the next symbol must be, of an outline that is not surely the nearest one."""

PLAIN_CLEF_ASPECT: Final = 2.85
"""Height over width of a G clef below which no 8 stands over or under it."""

METER_DIGIT_SPACES: Final = (1.9, 2.3)
"""Height between which a digit is of a time signature and not of a tuplet."""

ROUND_ASPECT: Final = 1.2
"""Width over height from which a ring is a notehead and no sign of a harmonic."""

DOT_SPACES: Final = (0.22, 0.65)
"""Width and height of a dot of any hand."""

MIN_DOT_FILL: Final = 0.7
"""Share of its box that a dot fills: of a circle 0.79."""

DOT_DISTANCE: Final = 0.04
"""Distance that a dot of an unknown hand counts for."""

SAME_FONT_DISTANCE: Final = 0.01
"""Distance of an outline from the same one."""

MAX_SIDE_SPACES: Final = 14.0
"""Longer outlines are lines, slurs or braces."""

_KIND: Final = re.compile(
    r"(?:[gfc]Clef|fermata|caesura|ottava|quindicesima|noteheadDiamond|noteheadSlashed|noteheadTriangle"
    r"|articMarcato|articStaccatissimo|articTenutoStaccato|articAccent|articTenutoAccent|dynamic(?=[PFMSR][PFMSR]))"
)
"""How names begin of symbols of one kind."""

Floats = NDArray[np.float64]


class Features(NamedTuple):
    """Of n outlines."""

    pictures: NDArray[np.float32]
    """(n, SIDE * SIDE), ink 0…1, top row first."""
    sizes: Floats
    """(n, 2), natural logarithms of width and height in staff spaces."""
    counts: NDArray[np.int8]
    """(n, 2), holes and separate parts."""


class Match(NamedTuple):
    """The known outline that is most like one."""

    name: str
    """In SMuFL; empty where it is most like a letter, a slur or a beam."""
    distance: float
    known: int
    """Index of the known outline."""
    scale: float
    """Of the outline to the known one at full size."""
    lead: float
    """How many times as far the nearest symbol of another kind is."""

    @property
    def is_good(self) -> bool:
        """Whether it is a symbol, and most likely this one."""
        near = self.distance <= SURE_DISTANCE or (self.distance <= MAX_DISTANCE and self.lead >= MIN_LEAD)
        return bool(self.name) and near

    @property
    def score(self) -> float:
        """How sure it is, 0…1."""
        return max(0.3, min(1.0, 1.15 - self.distance / MAX_DISTANCE))


@dataclass(frozen=True, eq=False)
class OutlineTable:
    """Outlines of known fonts."""

    names: tuple[str, ...]
    """In SMuFL; empty for what is no symbol."""
    features: Features
    offsets: Floats
    """(n, 2), from the upper left corner of the ink to the origin on the base line, staff spaces."""

    def match(self, features: Features, *, only_symbols: bool = False) -> list[Match]:
        """The most similar known outline of each.

        Args:
            only_symbols: letters, slurs and the like are out of question.
        """
        if len(features.pictures) == 0:
            return []
        distance = self.distances(features)
        if only_symbols:
            distance[:, [not name for name in self.names]] = np.inf
        best = distance.argmin(axis=1)
        size, known = features.sizes.mean(axis=1), self.features.sizes.mean(axis=1)
        kinds = self._kinds
        found = []
        for i, k in enumerate(best.tolist()):
            nearest = float(distance[i, k])
            other = float(distance[i].min(where=kinds != kinds[k], initial=np.inf))
            name = self.names[k]
            if nearest > SAME_FONT_DISTANCE:
                width, height = np.exp(features.sizes[i]).tolist()
                name = _refined_name(name, width, height, float(features.pictures[i].mean()))
                if name == "augmentationDot":
                    nearest = min(nearest, DOT_DISTANCE)
            scale = float(np.exp(size[i] - known[k]))
            found.append(Match(name, nearest, int(k), scale, other / max(nearest, 1e-6)))
        return found

    @cached_property
    def _kinds(self) -> NDArray[np.intp]:
        """(known outlines,), equal numbers for symbols that mean nearly the same."""
        numbers: dict[str, int] = {}
        kinds = [_KIND.match(name) for name in self.names]
        texts = [kind[0] if kind else name for kind, name in zip(kinds, self.names, strict=True)]
        return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.intp)

    def distances(self, features: Features) -> NDArray[np.float32]:
        """(n, known outlines), by pictures, sizes and numbers of parts together."""
        known = self.features
        a, b = features.pictures, known.pictures
        distance = (a**2).mean(axis=1)[:, None] + (b**2).mean(axis=1) - (a @ b.T) * np.float32(2 / a.shape[1])
        aspect = _differences(features.sizes @ [1, -1], known.sizes @ [1, -1])
        distance += ASPECT_WEIGHT * aspect**2
        size = _differences(features.sizes.mean(axis=1), known.sizes.mean(axis=1))
        costs = [SIZE_WEIGHT * (size - np.float32(np.log(scale))) ** 2 for scale in SMALL_SCALES]
        distance += np.minimum.reduce([costs[0], *(cost + SMALL_COST for cost in costs[1:])])
        for which in (0, 1):
            counts = np.abs(_differences(features.counts[:, which], known.counts[:, which]))
            distance += PARTS_WEIGHT * counts.clip(max=2)
        return np.asarray(distance, np.float32)

    def picture_distance(self, features: Features, name: str) -> Floats:
        """(n,), of the pictures alone from the most similar outline of one name: braces have no size."""
        b = self.features.pictures[[index for index, known in enumerate(self.names) if known == name]]
        a = features.pictures
        distance = (a**2).mean(axis=1)[:, None] + (b**2).mean(axis=1) - (a @ b.T) * np.float32(2 / a.shape[1])
        return np.asarray(distance.min(axis=1, initial=np.inf), float)


def _refined_name(name: str, width: float, height: float, fill: float) -> str:
    """The name of an outline of an unknown font, where its size tells more than its picture.

    Args:
        name: of the most similar known outline.
        width, height: staff spaces.
        fill: share of its box that it fills.
    """
    low, high = DOT_SPACES
    is_dot = low <= width <= high and low <= height <= high and 0.7 <= width / height <= 1.4
    if name in ("", "noteheadBlack") and is_dot and fill >= MIN_DOT_FILL:
        return "augmentationDot"
    if name.startswith("gClef") and height < PLAIN_CLEF_ASPECT * width:
        return "gClef"
    if name.startswith("tuplet") and METER_DIGIT_SPACES[0] < height < METER_DIGIT_SPACES[1]:
        return f"timeSig{name[-1]}"
    if name == "stringsHarmonic" and width > ROUND_ASPECT * height:
        return "noteheadWhole"
    return name


def _differences(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(a.astype(np.float32)[:, None] - b.astype(np.float32))


@cache
def outline_table() -> OutlineTable:
    """The table that is part of the package."""
    with np.load(TABLE, allow_pickle=False) as data:
        labels = tuple(str(label) for label in data["labels"])
        features = Features(
            data["pictures"].astype(np.float32).reshape(len(data["label"]), -1) / 255,
            data["sizes"].astype(float),
            data["counts"],
        )
        return OutlineTable(
            tuple(labels[index] for index in data["label"].tolist()), features, data["offsets"].astype(float)
        )


def measure_outlines(outlines: Sequence[Sequence[Subpath]], spaces: Sequence[float]) -> Features:
    """Features of outlines, y down.

    Args:
        outlines: each in a unit of its own.
        spaces: the staff space at each, in that unit.
    """
    n = len(outlines)
    pictures = np.empty((n, SIDE * SIDE), np.float32)
    sizes = np.empty((n, 2))
    counts = np.empty((n, 2), np.int8)
    for index, (outline, space) in enumerate(zip(outlines, spaces, strict=True)):
        pictures[index], sizes[index], counts[index] = _measure([part.points for part in outline], space)
    return Features(pictures, sizes, counts)


def _measure(parts: list[Floats], space: float) -> tuple[NDArray[np.float32], Floats, tuple[int, int]]:
    points = np.concatenate(parts)
    low = points.min(axis=0)
    size = np.maximum(points.max(axis=0) - low, 1e-6)
    grid = SIDE * _FINE
    # Pixel centers are whole numbers to OpenCV.
    scale = (1 << _SHIFT) * (grid - 1) / size
    corner = (1 << _SHIFT) * _MARGIN
    fine = np.zeros((grid + 2 * _MARGIN, grid + 2 * _MARGIN), np.uint8)
    cv2.fillPoly(
        fine, [np.rint((part - low) * scale + corner).astype(np.int32) for part in parts], 255, shift=_SHIFT
    )
    n_parts = cv2.connectedComponents(fine, connectivity=8)[0] - 1
    n_holes = cv2.connectedComponents(255 - fine, connectivity=4)[0] - 2
    inner = fine[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    small = cv2.GaussianBlur(cv2.resize(inner, (SIDE, SIDE), interpolation=cv2.INTER_AREA), (3, 3), 0.7)
    return small.astype(np.float32).ravel() / 255, np.log(size / space), (min(n_holes, 9), min(n_parts, 9))


def components(outline: Sequence[Subpath]) -> list[tuple[int, ...]]:
    """The separate parts of an outline, each an outer contour with its holes, as numbers of subpaths."""
    if len(outline) == 1:
        return [(0,)]
    boxes = np.array([(*part.points.min(axis=0), *part.points.max(axis=0)) for part in outline])
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    owner = list(range(len(outline)))
    order = np.argsort(-area, kind="stable").tolist()
    for place, index in enumerate(order[1:], 1):
        x0, y0, x1, y1 = boxes[index]
        outer = order[:place]
        around = boxes[outer]
        inside = (around[:, 0] <= x0) & (around[:, 1] <= y0) & (around[:, 2] >= x1) & (around[:, 3] >= y1)
        for candidate in np.flatnonzero(inside).tolist():
            number = outer[candidate]
            contour = outline[number].points.astype(np.float32)
            x, y = outline[index].points[0].tolist()
            if owner[number] == number and cv2.pointPolygonTest(contour, (x, y), False) >= 0:
                owner[index] = number
                break
    groups: dict[int, list[int]] = {}
    for index in range(len(outline)):
        groups.setdefault(owner[index], []).append(index)
    return [tuple(group) for group in groups.values()]


def outline_bbox(outline: Sequence[Subpath]) -> BBox:
    """Around the points of an outline."""
    points = np.concatenate([part.points for part in outline])
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (x0, y0, x1, y1)
