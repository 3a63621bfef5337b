"""The molecules of a drawing: strokes and letters to structures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter, read_letters
from docai.pipelines.drawings.molecule.bond_strokes import Strokes, read_strokes
from docai.pipelines.drawings.molecule.bonds import Bonds, read_bonds
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.graph import Wiring, wire
from docai.pipelines.drawings.molecule.joints import find_joints
from docai.pipelines.drawings.molecule.signs import plain_signs, take_signs
from docai.pipelines.drawings.molecule.types import DrawnGraph, MoleculeReading
from docai.pipelines.ingest.drawing import Drawing

_SURE_LETTER: Final = 0.55
"""Score of an outline above which it is a letter and no stroke."""

_FRAGMENT_GAP: Final = 2.5
"""Distance of fragments of one structure, in bond lengths, at most."""


def read_molecules(drawing: Drawing, letters: list[Letter] | None = None) -> list[MoleculeReading]:
    """The structures of a drawing, in reading order; none where it draws none.

    Fragments near each other, as of a salt, are one reading, unless an arrow or a plus stands between.

    Args:
        drawing: of a page, or of a region of it.
        letters: those of the drawing; None reads them.
    """
    return [describe_graph(graph) for graph in read_graphs(drawing, letters)]


def read_graphs(drawing: Drawing, letters: list[Letter] | None = None) -> list[DrawnGraph]:
    """The structures of a drawing as drawn, before their chemistry."""
    if letters is None:
        letters = read_letters(drawing)
    outlines = {path for letter in letters if letter.score >= _SURE_LETTER for path in letter.paths}
    strokes = read_strokes(drawing, outlines)
    if not strokes.is_complete:
        return []
    sure = plain_signs([letter for letter in letters if letter.score >= _SURE_LETTER])
    sure += take_signs(drawing, strokes, sure)
    bonds = read_bonds(strokes, sure)
    if not bonds.marks:
        return []
    joints = find_joints(bonds.marks, sure, bonds.length, bonds.width)
    wiring = wire(bonds.marks, joints, sure, strokes.circles, bonds.length)
    return _split(drawing, strokes, bonds, wiring)


def _split(drawing: Drawing, strokes: Strokes, bonds: Bonds, wiring: Wiring) -> list[DrawnGraph]:
    """The structures of a drawing, each with the fragments that are near it."""
    parts = _components(len(wiring.nodes), ((link.begin, link.end) for link in wiring.links))
    boxes = [_box(wiring, part) for part in parts]
    gap = _FRAGMENT_GAP * bonds.length
    near = (
        (i, j)
        for i in range(len(parts))
        for j in range(i + 1, len(parts))
        if _distance(boxes[i], boxes[j]) <= gap
    )
    graphs = []
    for group in _components(len(parts), near):
        nodes = sorted(node for part in group for node in parts[part])
        graphs.append(_graph(drawing, bonds, wiring, nodes))
    return sorted(graphs, key=lambda graph: (graph.bbox[1], graph.bbox[0]))


def _graph(drawing: Drawing, bonds: Bonds, wiring: Wiring, nodes: Sequence[int]) -> DrawnGraph:
    number = {node: n for n, node in enumerate(nodes)}
    links = [link for link in wiring.links if link.begin in number]
    for link in links:
        link.begin, link.end = number[link.begin], number[link.end]
    box = _box(wiring, nodes)
    used_paths = {path for link in links for path in link.paths} | set(wiring.circles)
    graph = DrawnGraph([wiring.nodes[node] for node in nodes], links, bonds.length, box)
    graph.problems = [text for point, text in wiring.problems if _distance(box, (*point, *point)) <= 0]
    graph.loose = [label for label in wiring.labels if _distance(box, label.bbox) <= 0.5 * bonds.length]
    del drawing, used_paths
    return graph


def _components(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of 0…n - 1, each sorted."""
    parent = list(range(n))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        parent[root(a)] = root(b)
    groups = defaultdict(list)
    for item in range(n):
        groups[root(item)].append(item)
    return list(groups.values())


def _box(wiring: Wiring, nodes: Sequence[int]) -> BBox:
    boxes = []
    for index in nodes:
        node = wiring.nodes[index]
        boxes.append(node.label.bbox if node.label is not None else (*node.point, *node.point))
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _distance(a: BBox, b: BBox) -> float:
    """Distance of two boxes, 0 where they touch."""
    return math.hypot(max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0))
