"""Which atoms of a drawing are one structure, and what in its box is left unexplained."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from docai.geometry import BBox, center, distance, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.bond_strokes import Strokes
from docai.pipelines.drawings.molecule.bonds import Bonds
from docai.pipelines.drawings.molecule.doubts import find_doubts
from docai.pipelines.drawings.molecule.graph import Wiring
from docai.pipelines.drawings.molecule.labels import group_labels, read_label
from docai.pipelines.drawings.molecule.points import components, grown
from docai.pipelines.drawings.molecule.types import (
    LARGE_SIGN,
    LARGER_THAN_LETTERS,
    DrawnGraph,
    LabelMark,
    LabelStructure,
    NodeMark,
)
from docai.pipelines.ingest.drawing import Point

_MIN_WHOLE: Final = 9
"""Atoms from which an uncharged fragment is a structure of its own; the usual acids of salts have fewer."""

_CHARGES: Final = frozenset("+-−–⊕⊖")

_FRAGMENT_GAP: Final = 2.5
"""Distance of fragments of one structure, in bond lengths, at most."""

_LOOSE_GAP: Final = 0.6
"""Distance from a structure of labels that are noted beside it, in bond lengths, at most."""

_SIDE_OF_BOND: Final = 0.45
"""Distance from the axis of a bond up to which its strokes are, in bond lengths."""

_MAX_PARTS: Final = 400
"""Connected parts of a drawing above which it is none of molecules."""

_MAX_FORMULAS: Final = 4
"""Formulas of a structure that is drawn without any bond, as of a salt."""

Separator = tuple[Point, Point]
"""Ends of a reaction arrow, or twice the middle of a plus sign between structures."""


def find_structures(
    strokes: Strokes, bonds: Bonds, wiring: Wiring, letters: Sequence[Letter]
) -> list[DrawnGraph]:
    """The structures of a drawing, each with the fragments that are near it."""
    separators = _take_arrows(wiring)
    parts = components(len(wiring.nodes), ((link.begin, link.end) for link in wiring.links))
    parts = [part for part in parts if len(part) > 1]
    if not parts or len(parts) > _MAX_PARTS:
        return []
    pluses = [label for label in wiring.labels if "".join(letter.text for letter in label.letters) == "+"]
    separators += [(middle, middle) for label in pluses for middle in [center(label.bbox)]]
    boxes = [_box(wiring, part) for part in parts]
    operators = _between_structures(pluses, boxes, bonds.length)
    operators += _larger_than_charges(pluses, boxes, wiring, bonds.length)
    wiring.labels = [label for label in wiring.labels if label not in operators]
    for label, structure in _formulas(wiring.labels, separators, bonds.length):
        parts.append([len(wiring.nodes)])
        wiring.nodes.append(NodeMark(center(label.bbox), label, structure))
    boxes = [_box(wiring, part) for part in parts]
    gap = _FRAGMENT_GAP * bonds.length
    near = [
        (i, j)
        for i in range(len(parts))
        for j in range(i + 1, len(parts))
        if distance(boxes[i], boxes[j]) <= gap
        and not (_is_whole(wiring, parts[i]) and _is_whole(wiring, parts[j]))
        and not _is_parted(boxes[i], boxes[j], separators, bonds.length)
    ]
    graphs = []
    for group in components(len(parts), near):
        nodes = sorted(node for part in group for node in parts[part])
        if any(len(parts[part]) > 1 for part in group):
            graph = _graph(strokes, bonds, wiring, nodes)
            graph.problems += find_doubts(graph, letters, bonds.width)
            graphs.append(graph)
    return graphs


def formulas_alone(letters: Sequence[Letter]) -> list[DrawnGraph]:
    """A structure that is drawn without any bond, such as ``HCl``; none where there are other letters too."""
    if not letters or len(letters) > 10 * _MAX_FORMULAS:
        return []
    length = 2.2 * median(letter.size for letter in letters)
    labels = group_labels(list(letters), length, [])
    if not labels:
        return []
    found = _formulas(labels, [], length)
    n_read = sum(len(label.letters) for label, _ in found)
    if not found or n_read < len(letters) or len(found) > _MAX_FORMULAS:
        return []
    nodes = [NodeMark(center(label.bbox), label, structure) for label, structure in found]
    return [DrawnGraph(nodes, [], length, union([label.bbox for label, _ in found]))]


def _take_arrows(wiring: Wiring) -> list[Separator]:
    """Reaction arrows, which are taken out of the links: those with an end that is at no atom."""
    degree: dict[int, int] = defaultdict(int)
    for link in wiring.links:
        degree[link.begin] += 1
        degree[link.end] += 1

    def is_bare(node: int) -> bool:
        return degree[node] == 1 and wiring.nodes[node].label is None

    arrows = [
        link for link in wiring.links if link.style == "dative" and (is_bare(link.begin) or is_bare(link.end))
    ]
    wiring.links = [link for link in wiring.links if link not in arrows]
    wiring.arrows += [index for link in arrows for index in link.paths]
    return [(wiring.nodes[link.begin].point, wiring.nodes[link.end].point) for link in arrows]


def _formulas(
    labels: list[LabelMark], separators: Sequence[Separator], length: float
) -> list[tuple[LabelMark, LabelStructure]]:
    """Labels without bonds that are ions or molecules, taken out of the others; no reagents at arrows."""
    found = []
    left = []
    for label in labels:
        structure = None
        at = center(label.bbox)
        is_reagent = any(a != b and _off_axis(a, b, at) < 1.5 * length for a, b in separators)
        if not is_reagent and len(label.letters) <= 12:
            structure = read_label(label, [])
        if structure is not None and _is_formula(structure, label):
            found.append((label, structure))
        else:
            left.append(label)
    labels[:] = left
    return found


def _is_formula(structure: LabelStructure, label: LabelMark) -> bool:
    atoms = structure.atoms
    if structure.problems or structure.score < 0.8 or not atoms:
        return False
    if any(atom.symbol == "*" for atom in atoms) or not label.letters[0].text[:1].isupper():
        return False
    return len(atoms) > 1 or atoms[0].charge != 0 or bool(atoms[0].n_hydrogens)


def _graph(strokes: Strokes, bonds: Bonds, wiring: Wiring, nodes: Sequence[int]) -> DrawnGraph:
    number = {node: n for n, node in enumerate(nodes)}
    links = [link for link in wiring.links if link.begin in number]
    axes = [(wiring.nodes[link.begin].point, wiring.nodes[link.end].point) for link in links]
    lengths = [math.dist(a, b) for a, b in axes]
    box = _box(wiring, nodes)
    near = grown(box, 0.3 * bonds.length)
    graph = DrawnGraph([wiring.nodes[node] for node in nodes], links, bonds.length, box)
    graph.own_length = median(lengths) if len(lengths) > 2 else 0.0
    used, left = 0.0, 0.0
    paths: dict[int, list[int]] = defaultdict(list)
    for index, link in enumerate(links):
        for path in link.paths:
            paths[path].append(index)
    known = {*wiring.circles, *wiring.arrows, *strokes.backgrounds}
    around = grown(box, bonds.length)
    for at, length, extent, owners in strokes.elements():
        # What a table or a chart is made of counts also beside the structure.
        is_other = not wiring.left_out.isdisjoint(owners)
        if not _is_inside(at, around if is_other else near) or known.intersection(owners):
            continue
        if any(_on_edge(at, bracket, 0.4 * bonds.length) for bracket in wiring.brackets):
            continue
        candidates = {index for path in owners for index in paths[path]}
        if any(_off_axis(*axes[index], at) <= _SIDE_OF_BOND * bonds.length for index in candidates):
            used += length
        else:
            left += length
            if length > 0.05 * bonds.length:
                graph.unexplained.append(extent)
    graph.used = used / (used + left) if used + left > 0 else 1.0
    graph.links = [replace(link, begin=number[link.begin], end=number[link.end]) for link in links]
    graph.problems = [text for point, text in wiring.problems if _is_inside(point, near)]
    # Broad dashes are cut to the shape of a wedge by some programs.
    if any(link.style != "hash" and not strokes.clipped.isdisjoint(link.paths) for link in links):
        graph.problems.append("Some of its strokes are cut off or hidden.")
    graph.brackets = [bracket for bracket in wiring.brackets if distance(box, bracket) <= 0]
    if graph.brackets:
        graph.problems.append("A part is in brackets: what they say of it is not in the structure.")
    margin = grown(box, _LOOSE_GAP * bonds.length)
    graph.loose = [label for label in wiring.labels if distance(margin, label.bbox) <= 0]
    return graph


def _between_structures(pluses: Sequence[LabelMark], boxes: Sequence[BBox], length: float) -> list[LabelMark]:
    """The plus signs that add two structures: they stand between them, and in none. The rest are charges."""
    found = []
    for label in pluses:
        middle = center(label.bbox)
        if any(_is_inside(middle, box) for box in boxes):
            continue
        separators = [(middle, middle)]
        if any(_is_parted(a, b, separators, length) for i, a in enumerate(boxes) for b in boxes[i + 1 :]):
            found.append(label)
    return found


def _larger_than_charges(
    pluses: Sequence[LabelMark], boxes: Sequence[BBox], wiring: Wiring, length: float
) -> list[LabelMark]:
    """The plus signs beside structures that are larger than letters: in a part of a scheme, what such a sign
    adds may not be seen."""
    letters = [
        letter.bbox[3] - letter.bbox[1]
        for node in wiring.nodes
        if node.label is not None
        for letter in node.label.letters
        if letter.text.isupper()
    ]
    least = LARGER_THAN_LETTERS * median(letters) if letters else LARGE_SIGN * length
    return [
        label
        for label in pluses
        if min(label.bbox[2] - label.bbox[0], label.bbox[3] - label.bbox[1]) >= least
        and not any(_is_inside(center(label.bbox), box) for box in boxes)
    ]


def _is_whole(wiring: Wiring, part: Sequence[int]) -> bool:
    """Whether a fragment is a molecule by itself, no ion or solvent: large, and without a charge."""
    labels = [wiring.nodes[node].label for node in part]
    letters = "".join(letter.text for label in labels if label is not None for letter in label.letters)
    return len(part) >= _MIN_WHOLE and not _CHARGES & set(letters)


def _is_parted(a: BBox, b: BBox, separators: Sequence[Separator], length: float) -> bool:
    """Whether an arrow or a plus stands between two boxes."""
    ca, cb = center(a), center(b)
    for p, q in separators:
        at = (p[0] + q[0]) / 2, (p[1] + q[1]) / 2
        between = _off_axis(ca, cb, at) < 2.0 * length
        x_apart = min(a[2], b[2]) <= at[0] <= max(a[0], b[0])
        y_apart = min(a[3], b[3]) <= at[1] <= max(a[1], b[1])
        if between and (x_apart or y_apart):
            return True
    return False


def _off_axis(a: Point, b: Point, at: Point) -> float:
    """Distance of a point from the piece between two points."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    share = ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / square if square > 0 else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.dist(at, (a[0] + share * dx, a[1] + share * dy))


def _box(wiring: Wiring, nodes: Sequence[int]) -> BBox:
    boxes: list[BBox] = []
    for index in nodes:
        node = wiring.nodes[index]
        boxes.append(node.label.bbox if node.label is not None else (*node.point, *node.point))
    return union(boxes)


def _is_inside(point: Point, box: BBox) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _on_edge(at: Point, box: BBox, width: float) -> bool:
    """Whether a point is near the left or right edge of a box, as brackets are of theirs."""
    is_within = box[1] - width <= at[1] <= box[3] + width
    return is_within and (abs(at[0] - box[0]) <= width or abs(at[0] - box[2]) <= width)
