"""Captions beside a structure, whose letters and hyphens would be read as labels and bonds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docai.geometry import BBox, intersection_area, union
from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.molecule.points import components, grown
from docai.pipelines.drawings.molecule.types import DrawnGraph, NodeMark
from docai.pipelines.ingest.drawing import Drawing

_SHORT: Final = 0.62
"""Length of the longest bond of what is no structure, in bond lengths, at most."""

_ROW_GAP: Final = 1.2
"""Ems between letters of one caption, at most."""

_MIN_MAIN: Final = 4
"""Bonds of a structure beside which captions are told apart."""


def find_captions(graphs: Sequence[DrawnGraph]) -> list[BBox]:
    """Boxes of what stands beside the largest structure and is none: unknown labels without usual bonds."""
    parts = [
        (graph, part)
        for graph in graphs
        for part in components(len(graph.nodes), ((link.begin, link.end) for link in graph.links))
    ]
    if not parts:
        return []
    main_graph, main = max(parts, key=lambda item: len(item[1]))
    n_bonds = sum(link.begin in main for link in main_graph.links)
    if n_bonds < _MIN_MAIN:
        return []
    found = []
    for graph, part in parts:
        if part is main:
            continue
        members = set(part)
        nodes = [graph.nodes[index] for index in part]
        lengths = [
            _length(graph.nodes[link.begin], graph.nodes[link.end])
            for link in graph.links
            if link.begin in members
        ]
        is_small = max(lengths, default=0.0) <= _SHORT * main_graph.bond_length
        is_unknown = any(_is_unknown(node) for node in nodes)
        if (is_small and (is_unknown or len(lengths) > 1)) or (is_unknown and len(lengths) < 3):
            found.append(union([_box(node) for node in nodes]))
    return found


def _length(a: NodeMark, b: NodeMark) -> float:
    return float(((a.point[0] - b.point[0]) ** 2 + (a.point[1] - b.point[1]) ** 2) ** 0.5)


def _is_unknown(node: NodeMark) -> bool:
    structure = node.structure
    return structure is not None and (
        bool(structure.problems) or any(atom.symbol == "*" for atom in structure.atoms)
    )


def _box(node: NodeMark) -> BBox:
    return node.label.bbox if node.label is not None else (*node.point, *node.point)


def without(
    drawing: Drawing, letters: Sequence[Letter], captions: Sequence[BBox]
) -> tuple[Drawing, list[Letter]]:
    """A drawing and its letters without captions, and without letters in a row with these."""
    boxes = list(captions)
    left = list(letters)
    while True:
        beside = [letter for letter in left if any(_is_in_row(letter, box) for box in boxes)]
        if not beside:
            break
        boxes += [letter.bbox for letter in beside]
        left = [letter for letter in left if letter not in beside]
    gone = [grown(box, 0.5) for box in boxes]
    paths = tuple(
        replace(path, opacity=0.0) if any(_covers(box, path.bbox) for box in gone) else path
        for path in drawing.paths
    )
    return replace(drawing, paths=paths), left


def _is_in_row(letter: Letter, box: BBox) -> bool:
    x0, y0, x1, y1 = letter.bbox
    gap = max(box[0] - x1, x0 - box[2])
    common = min(box[3], y1) - max(box[1], y0)
    return gap <= _ROW_GAP * letter.size and common > 0.3 * min(y1 - y0, max(box[3] - box[1], 1e-6))


def _covers(box: BBox, other: BBox) -> bool:
    area = max((other[2] - other[0]) * (other[3] - other[1]), 1e-9)
    return intersection_area(box, other) > 0.7 * area
