"""Bonds and labels of a drawing as graphs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, center, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.bond_strokes import Circle
from docai.pipelines.drawings.molecule.joints import Joint, ends_of, gap_before, out_of
from docai.pipelines.drawings.molecule.labels import group_labels, read_label
from docai.pipelines.drawings.molecule.points import grown
from docai.pipelines.drawings.molecule.types import (
    Attachment,
    BondLink,
    BondMark,
    LabelAtom,
    LabelMark,
    LabelStructure,
    NodeMark,
)
from docai.pipelines.ingest.drawing import Point

_DOTS: Final = frozenset(".·•")


@dataclass(slots=True, eq=False)
class Wiring:
    """Nodes and links of a whole drawing, before they are told apart as structures."""

    nodes: list[NodeMark] = field(default_factory=list)
    links: list[BondLink] = field(default_factory=list)
    labels: list[LabelMark] = field(default_factory=list)
    """Those that no bond ends at."""
    circles: list[int] = field(default_factory=list)
    """Indices of paths of circles in rings and around charges."""
    brackets: list[BBox] = field(default_factory=list)
    """Boxes of pairs of brackets."""
    arrows: list[int] = field(default_factory=list)
    """Indices of paths of reaction arrows."""
    left_out: set[int] = field(default_factory=set)
    """Indices of paths of line work that is no structure."""
    problems: list[tuple[Point, str]] = field(default_factory=list)
    """What could not be made out, and where."""


def wire(
    marks: Sequence[BondMark],
    joints: Sequence[Joint],
    letters: Sequence[Letter],
    circles: Sequence[Circle],
    length: float,
) -> Wiring:
    """The nodes and links that bonds make with their labels."""
    free = [(ends_of(marks[bond])[side], out_of(marks[bond], side)) for bond, side in _free_ends(joints)]
    labels = group_labels(list(letters), length, free)
    boxes = np.array([label.bbox for label in labels], float).reshape(-1, 4)
    wiring = Wiring()
    owner: dict[tuple[int, int], int] = {}
    attached: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for joint in joints:
        index = _label_at(joint, marks, labels, boxes, length)
        if index is None:
            for place in joint.ends:
                owner[place] = len(wiring.nodes)
            wiring.nodes.append(NodeMark(joint.point))
        else:
            attached[index] += joint.ends
    atoms: dict[tuple[int, int], int] = {}
    for index, label in enumerate(labels):
        ends = attached.get(index)
        if not ends:
            wiring.labels.append(label)
            continue
        attachments = [_attachment(marks[bond], bond, side) for bond, side in ends]
        is_dot = {letter.text for letter in label.letters} <= _DOTS
        structure = _bare_atom(len(ends)) if is_dot else read_label(label, attachments)
        for place, atom in zip(ends, structure.attached, strict=True):
            owner[place], atoms[place] = len(wiring.nodes), atom
        wiring.nodes.append(NodeMark(_label_point(label, structure), label, structure))
    between: dict[frozenset[tuple[int, int]], BondLink] = {}
    for bond, mark in enumerate(marks):
        begin, end = owner[bond, 0], owner[bond, 1]
        if begin == end and atoms.get((bond, 0), 0) == atoms.get((bond, 1), 0):
            wiring.problems.append((mark.begin, "A stroke begins and ends at the same atom."))
            continue
        begin_atom, end_atom = atoms.get((bond, 0), 0), atoms.get((bond, 1), 0)
        link = BondLink(begin, end, mark.order, mark.style, begin_atom, end_atom)
        link.in_circle, link.is_crossed, link.paths = mark.in_circle, mark.is_crossed, mark.paths
        places = frozenset(((begin, begin_atom), (end, end_atom)))
        if places in between:
            _merge(between[places], link, mark, wiring)
        else:
            between[places] = link
            wiring.links.append(link)
    _orient_even_hashes(wiring, marks)
    _mark_circles(wiring, circles, letters, length)
    return wiring


def _bare_atom(n_bonds: int) -> LabelStructure:
    """What a dot where bonds end stands for: a carbon atom, as in the middle of a straight chain."""
    return LabelStructure([LabelAtom("C", letters=(0,))], [], [0] * n_bonds)


def _merge(known: BondLink, other: BondLink, mark: BondMark, wiring: Wiring) -> None:
    """Make one of two bonds between the same atoms, as of a wedge that is filled and outlined by itself."""
    if {known.style, other.style} == {"wedge", "hash"}:
        wiring.problems.append((mark.begin, "Two different bonds are drawn between the same atoms."))
    if known.style == "plain" and other.style != "plain":
        known.style = other.style
        known.begin, known.end = other.begin, other.end
        known.begin_atom, known.end_atom = other.begin_atom, other.end_atom
    known.order = max(known.order, other.order)
    known.paths = tuple(dict.fromkeys(known.paths + other.paths))


def _free_ends(joints: Iterable[Joint]) -> list[tuple[int, int]]:
    return [joint.ends[0] for joint in joints if len(joint.ends) == 1]


def _attachment(mark: BondMark, bond: int, side: int) -> Attachment:
    u = out_of(mark, side)
    return Attachment(ends_of(mark)[side], (-u[0], -u[1]), bond)


def _label_at(
    joint: Joint,
    marks: Sequence[BondMark],
    labels: Sequence[LabelMark],
    boxes: NDArray[np.float64],
    length: float,
) -> int | None:
    """The label where a joint is: around it, or straight ahead of the one bond that ends there."""
    best: tuple[float, int] | None = None
    x, y = joint.point
    reach = 0.8 * length + max(marks[bond].slack for bond, _ in joint.ends)
    near = (boxes[:, 0] - reach < x) & (x < boxes[:, 2] + reach)
    near &= (boxes[:, 1] - reach < y) & (y < boxes[:, 3] + reach)
    for index in np.flatnonzero(near).tolist():
        label = labels[index]
        for letter in label.letters:
            if len(joint.ends) > 1:
                inside = _overlaps(grown(letter.bbox, 0.03 * letter.size), joint.point)
                gap = 0.0 if inside else None
            else:
                bond, side = joint.ends[0]
                gap = gap_before(letter, marks[bond], side, length)
            if gap is not None and (best is None or gap < best[0]):
                best = gap, index
    return None if best is None else best[1]


def _overlaps(box: BBox, point: Point) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _label_point(label: LabelMark, structure: LabelStructure) -> Point:
    """The middle of the letters of the atom that bonds are at."""
    letters = [
        label.letters[index]
        for atom in dict.fromkeys(structure.attached or [0])
        if atom < len(structure.atoms)
        for index in structure.atoms[atom].letters
        if index < len(label.letters)
    ]
    box = union([letter.bbox for letter in letters]) if letters else label.bbox
    return center(box)


def _orient_even_hashes(wiring: Wiring, marks: Sequence[BondMark]) -> None:
    """Let hashes of bars of one length begin at the atom that can be a stereo center."""
    even = {mark.paths for mark in marks if mark.is_even or (mark.style == "hash" and not mark.slack)}
    degree: dict[int, int] = defaultdict(int)
    for link in wiring.links:
        degree[link.begin] += 1
        degree[link.end] += 1
    for link in wiring.links:
        if link.style == "hash" and link.paths in even and degree[link.begin] < 3 <= degree[link.end]:
            link.begin, link.end = link.end, link.begin
            link.begin_atom, link.end_atom = link.end_atom, link.begin_atom


def _mark_circles(
    wiring: Wiring, circles: Sequence[Circle], letters: Sequence[Letter], length: float
) -> None:
    """Mark the bonds of rings with a circle inside, and circles around charges as known."""
    between = defaultdict(list)
    for link in wiring.links:
        between[frozenset((link.begin, link.end))].append(link)
    for circle in circles:
        if circle.is_filled:
            continue
        if circle.radius < 0.4 * length:
            signs = [letter for letter in letters if _overlaps(letter.bbox, circle.center)]
            if any(letter.text in "+-−–⊕⊖" for letter in signs):
                wiring.circles += circle.paths
            continue
        around = sorted(
            (math.atan2(node.point[1] - circle.center[1], node.point[0] - circle.center[0]), index)
            for index, node in enumerate(wiring.nodes)
            if circle.radius < math.dist(node.point, circle.center) < 1.35 * length + 0.15 * circle.radius
        )
        ring = [index for _, index in around]
        edges = [frozenset(pair) for pair in zip(ring, ring[1:] + ring[:1], strict=True)]
        if len(ring) >= 3 and all(edge in between for edge in edges):
            for edge in edges:
                for link in between[edge]:
                    link.in_circle = True
            wiring.circles += circle.paths
