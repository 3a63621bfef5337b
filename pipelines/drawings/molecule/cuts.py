"""Where a structure is cut off: by the edge of the page, or by what is painted over it."""

from __future__ import annotations

from collections import Counter
from typing import Final

from docai.geometry import BBox, area, touches
from docai.pipelines.drawings.molecule.types import DrawnGraph
from docai.pipelines.ingest.drawing import Drawing, Point

EDGE_POINTS: Final = 0.75
"""Distance from the edge of the page up to which a bond ends at it."""

MIN_COVER: Final = 0.5
"""Area of a cover in squares of a bond's length; smaller ones make room for labels."""


def find_cut(graph: DrawnGraph, drawing: Drawing, page: BBox) -> Point | None:
    """A place where bonds seem to go on unseen, page points; None where there is none.

    Args:
        graph: of one structure.
        drawing: that it was read from.
        page: the whole page.
    """
    n_bonds = Counter(node for link in graph.links for node in (link.begin, link.end))
    bare = [
        node.point for index, node in enumerate(graph.nodes) if node.label is None and n_bonds[index] == 1
    ]
    covers = _covers(graph, drawing)
    for point in bare:
        if _is_at_edge(point, page) or any(_is_within(point, cover) for cover in covers):
            return point
    return None


def _covers(graph: DrawnGraph, drawing: Drawing) -> list[BBox]:
    """Boxes of opaque images and filled rectangles that are painted after the strokes of the structure."""
    orders = [drawing.paths[path].order for link in graph.links for path in link.paths]
    if not orders:
        return []
    last = max(orders)
    boxes = [image.bbox for image in drawing.images if image.order > last and image.is_opaque]
    boxes += [
        path.bbox
        for path in drawing.paths
        if path.order > last and path.fill is not None and path.opacity == 1.0 and len(path.subpaths) == 1
    ]
    least = MIN_COVER * graph.bond_length**2
    return [box for box in boxes if area(box) >= least and touches(box, graph.bbox)]


def _is_at_edge(point: Point, page: BBox) -> bool:
    x, y = point
    return min(x - page[0], page[2] - x) <= EDGE_POINTS or min(y - page[1], page[3] - y) <= EDGE_POINTS


def _is_within(point: Point, box: BBox) -> bool:
    """Whether a point is in a box, or at its edge."""
    x, y = point
    return (
        box[0] - EDGE_POINTS <= x <= box[2] + EDGE_POINTS
        and box[1] - EDGE_POINTS <= y <= box[3] + EDGE_POINTS
    )
