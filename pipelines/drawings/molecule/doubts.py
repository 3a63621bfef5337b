"""What speaks against a graph being a structure at all, where its strokes and letters could make one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Final

from docai.geometry import BBox, center, contains_center
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.points import components, unit_vector
from docai.pipelines.drawings.molecule.types import BondLink, DrawnGraph
from docai.pipelines.ingest.drawing import Point

_MIN_LENGTH: Final = 5.0
"""Points of a bond, at least."""

_LETTER_SIZES: Final = (0.09, 2.5)
"""Ems of a label over the bond length, at least and at most."""

_LINE_WIDTHS: Final = (0.003, 0.25)
"""Width of lines over the bond length, at least and at most."""

_MAX_OTHER_TEXT: Final = 0.5
"""Share of the letters in the box that are in no label, at most."""

_USUAL_LENGTHS: Final = (0.82, 1.22)
"""Lengths over the usual one that most bonds of a structure have."""

_SHORT: Final = 0.33
"""Length over the usual one below which a line is a stroke of a letter and no bond."""

_CHAIN_ANGLES: Final = (math.cos(math.radians(145)), math.cos(math.radians(95)))
"""Cosines between which the angle of a chain is."""


def find_doubts(graph: DrawnGraph, letters: Sequence[Letter], width: float) -> list[str]:
    """Reasons for which a graph is hardly a structure, in sentences a person understands.

    Args:
        graph: of one structure.
        letters: of the drawing.
        width: of most lines, points.
    """
    found = []
    out = _directions(graph)
    written = [letter for node in graph.nodes if node.label is not None for letter in node.label.letters]
    if not _has_scale(graph, written, width):
        found.append("Its lines are too long, too short, too thin or too thick for bonds and their labels.")
    if _has_other_text(graph, written, letters):
        found.append("Most of the text among its lines is no label of an atom.")
    if not written and not _is_regular(graph, out):
        found.append("No atom is written, and lengths and angles are not those of a structure.")
    if any(graph.nodes[node].label is None and _is_bent_cumulene(bonds) for node, bonds in out.items()):
        found.append("An atom that is not written has two double bonds at an angle.")
    if _has_strokes_of_letters(graph):
        found.append("Some of its bonds are so short that they are strokes of a letter that was not read.")
    if _turns_squarely(graph, out):
        found.append("Its lines turn at right angles.")
    if _has_nested_parts(graph):
        found.append("One part stands within another.")
    return found


def _directions(graph: DrawnGraph) -> dict[int, list[tuple[Point, BondLink]]]:
    """For each node the directions out of it, with their bonds."""
    out: dict[int, list[tuple[Point, BondLink]]] = defaultdict(list)
    for link in graph.links:
        a, b = graph.nodes[link.begin].point, graph.nodes[link.end].point
        out[link.begin].append((unit_vector(a, b), link))
        out[link.end].append((unit_vector(b, a), link))
    return out


def _length(graph: DrawnGraph, link: BondLink) -> float:
    return math.dist(graph.nodes[link.begin].point, graph.nodes[link.end].point)


def _has_scale(graph: DrawnGraph, written: Sequence[Letter], width: float) -> bool:
    length = graph.own_length or graph.bond_length
    if not graph.links:
        return True
    if length < _MIN_LENGTH or not _LINE_WIDTHS[0] * length <= width <= _LINE_WIDTHS[1] * length:
        return False
    if not written:
        return True
    size = median(letter.size for letter in written)
    return _LETTER_SIZES[0] * length <= size <= _LETTER_SIZES[1] * length


def _has_other_text(graph: DrawnGraph, written: Sequence[Letter], letters: Sequence[Letter]) -> bool:
    inside = sum(contains_center(graph.bbox, letter.bbox) for letter in letters)
    n_other = inside - len(written)
    if not written:
        return n_other > 0
    return n_other >= 3 and n_other > _MAX_OTHER_TEXT * inside


def _is_regular(graph: DrawnGraph, out: dict[int, list[tuple[Point, BondLink]]]) -> bool:
    """Whether a structure without letters has bonds of one length, and chains with usual angles."""
    lengths = [_length(graph, link) for link in graph.links]
    usual = median(lengths)
    low, high = _USUAL_LENGTHS[0] * usual, _USUAL_LENGTHS[1] * usual
    n_usual = sum(low <= length <= high for length in lengths)
    if n_usual < (0.75 if len(lengths) < 10 else 0.5) * len(lengths):
        return False
    if len(lengths) > len(graph.nodes) - 1:
        return True
    n_odd = n_chain = 0
    for bonds in out.values():
        if len(bonds) == 2 and all(link.order == 1 for _, link in bonds):
            n_chain += 1
            cosine = _cosine(bonds[0][0], bonds[1][0])
            n_odd += not _CHAIN_ANGLES[0] <= cosine <= _CHAIN_ANGLES[1]
    return n_odd <= 0.25 * n_chain


def _has_strokes_of_letters(graph: DrawnGraph) -> bool:
    """Whether bonds between atoms that are not written are much shorter than the others."""
    if len(graph.links) < 3:
        return False
    usual = median(_length(graph, link) for link in graph.links)
    return any(
        _length(graph, link) < _SHORT * usual
        and graph.nodes[link.begin].label is None
        and graph.nodes[link.end].label is None
        for link in graph.links
    )


def _is_bent_cumulene(bonds: Sequence[tuple[Point, BondLink]]) -> bool:
    double = [direction for direction, link in bonds if link.order == 2 and not link.in_circle]
    return len(double) > 1 and max(_cosine(double[0], other) for other in double[1:]) > math.cos(
        math.radians(150)
    )


def _turns_squarely(graph: DrawnGraph, out: dict[int, list[tuple[Point, BondLink]]]) -> bool:
    """Whether level and upright bonds of unlike lengths meet at right angles at many atoms."""
    n_square = 0
    for node, bonds in out.items():
        if graph.nodes[node].label is not None or len(bonds) != 2:
            continue
        (a, first), (b, second) = bonds
        is_level = all(min(abs(u[0]), abs(u[1])) < 0.05 for u in (a, b))
        long, short = sorted((_length(graph, first), _length(graph, second)), reverse=True)
        n_square += is_level and abs(_cosine(a, b)) < 0.1 and long > 1.12 * short
    return n_square >= 2 and n_square > 0.2 * len(graph.nodes)


def _has_nested_parts(graph: DrawnGraph) -> bool:
    """Whether a part without letters stands in the middle of another one."""
    parts = components(len(graph.nodes), ((link.begin, link.end) for link in graph.links))
    if len(parts) < 2:
        return False
    boxes: list[tuple[BBox, bool]] = []
    for part in parts:
        points = [graph.nodes[node].point for node in part]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        is_bare = len(part) > 1 and all(graph.nodes[node].label is None for node in part)
        boxes.append(((min(xs), min(ys), max(xs), max(ys)), is_bare))
    return any(
        is_bare and outer is not inner and math.dist(center(inner), center(outer)) < 0.5 * graph.bond_length
        for inner, is_bare in boxes
        for outer, _ in boxes
    )


def _cosine(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1]
