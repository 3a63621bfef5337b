"""Outlines of words as polygons: areas, overlaps, and what upright boxes can reach of them.

Shapely does the geometry. An outline that crosses itself is mended with its ``make_valid`` and counted, as
the HierText evaluator does; one of fewer than three finite corners is empty and can match nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from docai.errors import needs
from docai.pipelines.evaluation.base import SpottedWord
from docai.records import Point

Matrix = npt.NDArray[np.float64]

_GRID = 16
"""Parts into which a bounding box is cut, each way, to look for the upright box that fits best."""
_SAMPLES = 4
"""Sample points of a part, each way."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """The polygons of some words."""

    shapes: npt.NDArray[Any]
    """Shapely geometries, [n]."""
    n_mended: int
    n_missing: int
    """Outlines that are no polygon; their shape is empty."""

    @property
    def areas(self) -> Matrix:
        """[n], square units."""
        areas: Matrix = _shapely().area(self.shapes)
        return areas

    def where(self, chosen: npt.NDArray[np.bool_]) -> Outlines:
        """Those chosen, with nothing said of what was mended or missing."""
        return Outlines(self.shapes[chosen], 0, 0)


class Ceiling(NamedTuple):
    """What upright boxes can reach of a set of words."""

    n_truth: int
    """Words that count."""
    n_bounding: int
    """Those that their own bounding box matches."""
    n_possible: int
    """Those that some upright box matches."""


def outlines(polygons: Sequence[Sequence[Point]], *, whole_units: bool = False) -> Outlines:
    """Polygons from their corners.

    Args:
        whole_units: cut coordinates to integers, as the RRC scripts do.

    Raises:
        MissingDependencyError: shapely is not installed.
    """
    shapely = _shapely()
    shapes = np.empty(len(polygons), dtype=object)
    n_missing = 0
    for i, corners in enumerate(polygons):
        if len(corners) < 3 or not all(math.isfinite(value) for point in corners for value in point):
            n_missing += 1
            shapes[i] = shapely.Polygon()
        else:
            shapes[i] = shapely.Polygon([(int(x), int(y)) for x, y in corners] if whole_units else corners)
    crossed = ~shapely.is_valid(shapes)
    shapes[crossed] = shapely.make_valid(shapes[crossed])
    return Outlines(shapes, n_mended=int(crossed.sum()), n_missing=n_missing)


def intersections(rows: Outlines, cols: Outlines) -> Matrix:
    """Areas of all intersections, [n_rows, n_cols]."""
    shapely = _shapely()
    areas = np.zeros((len(rows.shapes), len(cols.shapes)))
    if areas.size:
        i, j = shapely.STRtree(cols.shapes).query(rows.shapes)
        areas[i, j] = shapely.area(shapely.intersection(rows.shapes[i], cols.shapes[j]))
    return areas


def ious(rows: Outlines, cols: Outlines, *, epsilon: float = 0.0) -> Matrix:
    """Intersections over unions, [n_rows, n_cols]; 0 where both outlines are empty.

    Args:
        epsilon: what is added to each union, and the area below which an outline counts as empty: 1e-5 in
            the HierText evaluator.
    """
    row_areas, col_areas = rows.areas[:, None], cols.areas[None, :]
    shared = np.where((row_areas < epsilon) | (col_areas < epsilon), 0.0, intersections(rows, cols))
    united = row_areas + col_areas - shared + epsilon
    return np.divide(shared, united, out=np.zeros_like(shared), where=united > 0)


def shares_inside(rows: Outlines, cols: Outlines, *, epsilon: float = 0.0) -> Matrix:
    """Part of each row's area that lies in each column's outline, [n_rows, n_cols]; 0 for an empty row."""
    row_areas, col_areas = rows.areas[:, None], cols.areas[None, :]
    shared = np.where((row_areas < epsilon) | (col_areas < epsilon), 0.0, intersections(rows, cols))
    return np.divide(shared, row_areas + epsilon, out=np.zeros_like(shared), where=row_areas + epsilon > 0)


def axis_aligned_ceiling(
    truths: Sequence[SpottedWord], *, threshold: float = 0.5, above: bool = False
) -> Ceiling:
    """How many words upright boxes can match at an IoU of at least ``threshold``, or ``above`` it.

    Words that are to be ignored do not count. A word's bounding box is what a model that writes boxes is
    trained to give. A smaller box can fit a slanted or curved word better (0.70 against 0.50 for a square
    that stands on its corner), so what is possible is the best box on a grid over the bounding box.

    Raises:
        MissingDependencyError: shapely is not installed.
    """
    shapely = _shapely()
    asked = outlines([word.polygon for word in truths if not word.ignore])
    solid = asked.shapes[asked.areas > 0]
    bounding = shapely.area(solid) / shapely.area(shapely.envelope(solid))
    fits = _reaches(bounding, threshold, above)
    others = [bool(_reaches(_best_box(shape), threshold, above)) for shape in solid[~fits]]
    return Ceiling(len(asked.shapes), int(fits.sum()), int(fits.sum()) + sum(others))


def _reaches(iou: Any, threshold: float, above: bool) -> Any:
    return iou > threshold if above else iou >= threshold


def _best_box(shape: Any) -> float:
    """IoU of a polygon with the best box whose edges lie on the grid.

    Which box is best is seen from the sample points inside the polygon, by sums over all rectangles at once.
    """
    shapely = _shapely()
    x0, y0, x1, y1 = shape.bounds
    middles = (np.arange(_GRID * _SAMPLES) + 0.5) / (_GRID * _SAMPLES)
    inside = shapely.contains_xy(shape, *np.meshgrid(x0 + middles * (x1 - x0), y0 + middles * (y1 - y0)))
    counts = inside.reshape(_GRID, _SAMPLES, _GRID, _SAMPLES).sum(axis=(1, 3))
    sums = np.pad(counts.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    low, high = np.triu_indices(_GRID + 1, 1)
    shared = (
        sums[np.ix_(high, high)] - sums[np.ix_(low, high)] - sums[np.ix_(high, low)] + sums[np.ix_(low, low)]
    )
    areas = np.outer(high - low, high - low) * _SAMPLES**2
    row, col = np.unravel_index(np.argmax(shared / (areas + inside.sum() - shared)), shared.shape)
    xs, ys = np.linspace(x0, x1, _GRID + 1), np.linspace(y0, y1, _GRID + 1)
    box = shapely.box(xs[low[col]], ys[low[row]], xs[high[col]], ys[high[row]])
    common = shape.intersection(box).area
    return float(common / (shape.area + box.area - common))


def _shapely() -> Any:
    with needs("docai[metrics]", "Comparing outlines"):
        import shapely
    return shapely
