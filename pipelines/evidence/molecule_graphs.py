"""Mol blocks of programs that read pictures as drawn graphs: labels are read again, debris is left out.

Imago and OSRA write V2000 mol blocks with coordinates in units of their own. Abbreviations are S-groups
(``SUP``) whose atoms are written out, aliases (``A`` lines), or stand where an element should. As a
:class:`~docai.pipelines.drawings.molecule.types.DrawnGraph` a molecule has the same form as one read from
strokes, and its labels are read by the same rules.

Format: BIOVIA, CTfile formats (2020), chapters 2 to 4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from docai.parsers.molecule_labels import ELEMENTS
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_reader import read_label
from docai.pipelines.drawings.molecule.types import (
    Attachment,
    BondLink,
    BondStyle,
    DrawnGraph,
    LabelAtom,
    LabelMark,
    LabelStructure,
    NodeMark,
)
from docai.pipelines.evidence.molecule_label_repair import repair_label

MAX_DEBRIS_ATOMS: Final = 3
"""A part of so few atoms, all of them bare carbon, is a smudge or a letter beside a larger structure."""

MIN_MAIN_ATOMS: Final = 5
"""Atoms of a structure that may have debris beside it."""

SIDEWAYS: Final = 0.5
"""Cosine between a bond and the line of a label up to which it says nothing about the side it comes from."""

_STYLES: Final[dict[int, BondStyle]] = {1: "wedge", 6: "hash", 4: "wavy"}

_PLACEHOLDERS: Final = frozenset(("A", "Q", "*", "R#", "Xx", "X"))
"""What stands for an atom that a program could not read, or for an R-group."""

_ORGANIC: Final = "H B C N O F Si P S Cl Br I Se As Te"

_METALS: Final = "Li Na K Mg Ca Al Fe Co Ni Cu Zn Pd Pt Sn Hg Ag Au Ru Rh Ir Ti"

_DRAWN_ELEMENTS: Final = frozenset((*_ORGANIC.split(), *_METALS.split()))
"""What drawings of molecules hold, but for rare cases; other symbols are misread labels."""

_USUAL_VALENCES: Final = {"N": 3, "O": 2, "B": 3}


@dataclass(slots=True)
class _Block:
    """The tables of a mol block, indices from 0."""

    symbols: list[str] = field(default_factory=list)
    points: list[tuple[float, float]] = field(default_factory=list)
    charges: list[int] = field(default_factory=list)
    isotopes: list[int] = field(default_factory=list)
    bonds: list[tuple[int, int, int, int]] = field(default_factory=list)
    """First atom, second atom, order, stereo."""
    groups: dict[int, list[int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)


def graph_of_molblock(text: str) -> DrawnGraph | None:
    """The structure of a V2000 mol block, its y axis turned down; None where it holds no atom.

    Raises:
        ValueError: it is no V2000 mol block.
    """
    block = _read_block(text)
    _collapse_groups(block)
    _drop_debris(block)
    if not block.symbols:
        return None
    lengths = [math.dist(block.points[a], block.points[b]) for a, b, _, _ in block.bonds]
    length = median(lengths) if lengths and median(lengths) > 0 else 1.0
    nodes = [_node(block, index, length) for index in range(len(block.symbols))]
    links = []
    for first, second, order, stereo in block.bonds:
        link = BondLink(first, second, order if order in (1, 2, 3) else 1)
        if order == 1:
            link.style = _STYLES.get(stereo, "plain")
        link.in_circle = order == 4
        link.is_crossed = order == 2 and stereo == 3
        links.append(link)
    _attach_links(nodes, links)
    xs, ys = [x for x, _ in block.points], [y for _, y in block.points]
    return DrawnGraph(nodes, links, length, (min(xs), min(ys), max(xs), max(ys)))


def _read_block(text: str) -> _Block:
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if "V2000" in line), None)
    if start is None:
        raise ValueError("There is no V2000 counts line.")
    n_atoms, n_bonds = int(lines[start][:3]), int(lines[start][3:6])
    block = _Block()
    for line in lines[start + 1 : start + 1 + n_atoms]:
        block.points.append((float(line[:10]), -float(line[10:20])))
        block.symbols.append(line[31:34].strip())
        code = int(line[36:39] or 0)
        block.charges.append(4 - code if code and code != 4 else 0)
        block.isotopes.append(0)
    for line in lines[start + 1 + n_atoms : start + 1 + n_atoms + n_bonds]:
        first, second, order, stereo = (int(line[at : at + 3] or 0) for at in (0, 3, 6, 9))
        block.bonds.append((first - 1, second - 1, order, stereo))
    _read_properties(block, lines[start + 1 + n_atoms + n_bonds :])
    return block


def _read_properties(block: _Block, lines: Sequence[str]) -> None:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        words = line.split()
        if line.startswith("M  END"):
            return
        if line.startswith("A  ") and len(words) == 2:
            block.symbols[int(words[1]) - 1] = following.strip()
        elif line.startswith(("M  CHG", "M  ISO")):
            values = block.charges if words[1] == "CHG" else block.isotopes
            for atom, value in zip(words[3::2], words[4::2], strict=False):
                values[int(atom) - 1] = int(value)
        elif line.startswith("M  SAL"):
            block.groups.setdefault(int(words[2]), []).extend(int(word) - 1 for word in words[4:])
        elif line.startswith("M  SMT"):
            block.names[int(words[2])] = line[11:].strip()


def _collapse_groups(block: _Block) -> None:
    """Put labels in the place of groups that are written out, where they can be read and hang on one bond."""
    dropped: set[int] = set()
    for number, atoms in block.groups.items():
        inside = set(atoms)
        outer = [bond for bond in block.bonds if (bond[0] in inside) != (bond[1] in inside)]
        if len(outer) != 1 or len(inside) < 2 or inside & dropped or not block.names.get(number):
            continue
        here = outer[0][0] if outer[0][0] in inside else outer[0][1]
        there = outer[0][1] if here == outer[0][0] else outer[0][0]
        name = repair_label(block.names[number])
        _, structure = _read_text(name, block.points[here], [(block.points[there], 0, outer[0][2])])
        first = structure.atoms[structure.attached[0]].symbol if structure.attached else "*"
        if structure.problems or first not in ("*", block.symbols[here]):
            continue
        block.symbols[here], block.charges[here] = name, 0
        dropped |= inside - {here}
    _keep(block, [index for index in range(len(block.symbols)) if index not in dropped])


def _drop_debris(block: _Block) -> None:
    part = list(range(len(block.symbols)))
    for first, second, _, _ in block.bonds:
        old, new = part[first], part[second]
        part = [new if value == old else value for value in part]
    sizes = Counter(part)
    if max(sizes.values(), default=0) < MIN_MAIN_ATOMS:
        return
    written = {value for value, symbol in zip(part, block.symbols, strict=True) if symbol != "C"}
    _keep(
        block,
        [
            index
            for index, value in enumerate(part)
            if sizes[value] > MAX_DEBRIS_ATOMS or (value in written and sizes[value] > 1)
        ],
    )


def _keep(block: _Block, atoms: Sequence[int]) -> None:
    new = {old: index for index, old in enumerate(atoms)}
    block.symbols = [block.symbols[old] for old in atoms]
    block.points = [block.points[old] for old in atoms]
    block.charges = [block.charges[old] for old in atoms]
    block.isotopes = [block.isotopes[old] for old in atoms]
    block.bonds = [(new[a], new[b], order, way) for a, b, order, way in block.bonds if a in new and b in new]


def _node(block: _Block, index: int, length: float) -> NodeMark:
    symbol, point = block.symbols[index], block.points[index]
    bonds = [bond for bond in block.bonds if index in bond[:2]]
    isotope = 2 if symbol == "D" else 3 if symbol == "T" else block.isotopes[index]
    symbol = "H" if symbol in ("D", "T") else symbol
    if symbol == "C" and not block.charges[index] and not isotope:
        return NodeMark(point)
    if symbol in _DRAWN_ELEMENTS or (symbol in ELEMENTS and block.charges[index]):
        charge = block.charges[index] or _needed_charge(symbol, bonds)
        # A proton and hydrogen that another structure holds are atoms of their own.
        return _labeled(point, symbol, length, LabelStructure([LabelAtom(symbol, charge, isotope)]))
    if symbol in _PLACEHOLDERS or not symbol:
        return _labeled(point, "*", length, LabelStructure([LabelAtom("*", block.charges[index])]))
    ends = [
        (block.points[bond[1] if bond[0] == index else bond[0]], number, bond[2])
        for number, bond in enumerate(block.bonds)
        if index in bond[:2]
    ]
    label, structure = _read_text(repair_label(symbol), point, ends)
    return NodeMark(point, label, structure)


def _needed_charge(symbol: str, bonds: Sequence[tuple[int, int, int, int]]) -> int:
    """The charge that an atom with one bond more than usual must have."""
    usual = _USUAL_VALENCES.get(symbol)
    if usual is None or any(bond[2] == 4 for bond in bonds):
        return 0
    total = sum(bond[2] for bond in bonds)
    return (-1 if symbol == "B" else 1) if total == usual + 1 else 0


def _attach_links(nodes: Sequence[NodeMark], links: Sequence[BondLink]) -> None:
    """Which atom of a label each bond is to; bonds at a label were given to its reader in their order."""
    counts = [0] * len(nodes)
    for link in links:
        for end, name in ((link.begin, "begin_atom"), (link.end, "end_atom")):
            structure = nodes[end].structure
            if structure is not None and counts[end] < len(structure.attached):
                setattr(link, name, structure.attached[counts[end]])
            counts[end] += 1


def _labeled(point: tuple[float, float], text: str, length: float, structure: LabelStructure) -> NodeMark:
    return NodeMark(point, _label(text, point, 0.45 * length, 0.5), structure)


def _read_text(
    text: str, point: tuple[float, float], ends: Sequence[tuple[tuple[float, float], int, int]]
) -> tuple[LabelMark, LabelStructure]:
    """A label in one line whose first letter, or last, is where its bonds come from."""
    size = 0.45 * max((math.dist(point, end) for end, _, _ in ends), default=1.0)
    leftward = [(end[0] - point[0]) / (math.dist(point, end) or 1.0) for end, _, _ in ends]
    is_from_right = sum(leftward) > SIDEWAYS * len(ends)
    if leftward and all(abs(value) <= SIDEWAYS for value in leftward):
        is_from_right = _ends_at_its_atom(text)
    label = _label(text, point, size, len(text) - 0.5 if is_from_right else 0.5)
    attachments = []
    for end, number, order in ends:
        distance = math.dist(point, end) or 1.0
        direction = ((end[0] - point[0]) / distance, (end[1] - point[1]) / distance)
        at = (point[0] + 0.5 * size * direction[0], point[1] + 0.5 * size * direction[1])
        attachments.append(Attachment(at, direction, number, order))
    return label, read_label(label, attachments)


def _ends_at_its_atom(text: str) -> bool:
    """Whether a label is written from the right, as ``H3CO`` and ``(CH3)2N``, to tell by itself."""
    return len(text) > 1 and text[0] in "H(" and text[-1].isalpha()


def _label(text: str, point: tuple[float, float], size: float, at: float) -> LabelMark:
    """Letters in a row, so many of them left of the point as ``at`` says."""
    wide = 0.7 * size
    letters = []
    for number, character in enumerate(text):
        x = point[0] + (number - at) * wide
        box = (x, point[1] - 0.36 * size, x + wide, point[1] + 0.36 * size)
        letters.append(Letter(character, box, size, box[3], number))
    scripts = [0] * len(letters)
    box = (letters[0].bbox[0], letters[0].bbox[1], letters[-1].bbox[2], letters[-1].bbox[3])
    return LabelMark(letters, scripts, [0] * len(letters), box)
