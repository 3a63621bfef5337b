"""From a drawn graph to an RDKit molecule with the drawing's own coordinates, stereo and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from docai.contents import Label
from docai.geometry import BBox, center, union
from docai.parsers.molecule_labels import ELEMENTS, GROUPS, R_GROUP
from docai.pipelines.drawings.molecule.label_formula import valence_options
from docai.pipelines.drawings.molecule.label_reader import is_charge_only, read_free_label, read_label
from docai.pipelines.drawings.molecule.types import BondLink, DrawnGraph, LabelAtom, LabelMark, NodeMark
from docai.pipelines.ingest.drawing import Point

if TYPE_CHECKING:
    from rdkit.Chem import Atom, RWMol

CHARGE_REACH: Final = 0.6
"""Distance of a charge from its atom, in bond lengths, at most."""

ATOM_RADIUS: Final = 0.15
"""Half the side of the box of an atom that is not written, in bond lengths."""

_NONMETALS: Final = "H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Sb Te I Xe At Rn"
METALS: Final = ELEMENTS - frozenset(_NONMETALS.split())
"""Symbols of metals, which bind as often as they like."""
_SQRT_HALF: Final = math.sqrt(0.5)


@dataclass(slots=True, eq=False)
class BuiltMolecule:
    """A molecule before it is sanitized: atoms by index, as :mod:`.content` needs them."""

    mol: RWMol
    boxes: list[BBox]
    """Place of each atom on the page."""
    label_of: list[int | None]
    """For each atom the index of the label that it stands for or is of."""
    labels: list[Label] = field(default_factory=list)
    wedges: set[int] = field(default_factory=set)
    """Atoms at the narrow end of a wedge or hash."""
    n_free: int = 0
    """Fragments that are formulas without bonds."""
    used_labels: list[LabelMark] = field(default_factory=list)
    """Labels beside the graph that became atoms or charges."""
    problems: list[str] = field(default_factory=list)


def build_molecule(graph: DrawnGraph, *, expands: bool = True) -> BuiltMolecule:
    """The atoms and bonds of a graph; nothing is checked.

    Args:
        graph: as drawn.
        expands: write abbreviations out as atoms; else each stays ``*`` with its label's number as atom map
            number.
    """
    from rdkit import Chem

    builder = _Builder(Chem.RWMol(), graph, expands=expands)
    for node in graph.nodes:
        builder.add_node(node)
    for link in graph.links:
        builder.add_link(link)
    for label in graph.loose:
        builder.add_loose(label)
    return builder.finish()


class _Builder:
    def __init__(self, mol: RWMol, graph: DrawnGraph, *, expands: bool) -> None:
        self.built = BuiltMolecule(mol, [], [])
        self._graph = graph
        self._expands = expands
        self._points: list[Point] = []
        self._atoms_of: list[list[int]] = []
        self._numbers: dict[str, int] = {}
        self._groups: list[tuple[int, str]] = []

    def add_node(self, node: NodeMark) -> None:
        """An atom, or those of a label."""
        if node.structure is None:
            self._atoms_of.append([self._add_atom(LabelAtom("C"), node.point, self._around(node.point))])
            return
        structure, label = node.structure, node.label
        self.built.problems += structure.problems
        indices = []
        for atom in structure.atoms:
            # What a group stands for is at all of its letters.
            is_group = label is not None and atom.label in GROUPS and len(structure.atoms) == 1
            box = label.bbox if label is not None and is_group else _letters_box(label, atom.letters)
            # A single atom stands where its bonds meet, whatever letters are beside it.
            point = node.point if len(structure.atoms) == 1 or box is None else center(box)
            indices.append(self._add_atom(atom, point, box or self._around(node.point)))
        self._spread(indices)
        self._add_inner_bonds(indices, structure.bonds)
        self._atoms_of.append(indices)

    def _around(self, point: Point) -> BBox:
        """The box of an atom that is not written."""
        half = ATOM_RADIUS * self._graph.bond_length
        return point[0] - half, point[1] - half, point[0] + half, point[1] + half

    def _spread(self, indices: Sequence[int]) -> None:
        """Part atoms that share their letters, as the oxygens of ``CO2``, so that none lie on each other."""
        step = 0.25 * self._graph.bond_length
        for number, index in enumerate(indices):
            same = sum(
                math.dist(self._points[index], self._points[other]) < 1e-6 for other in indices[:number]
            )
            x, y = self._points[index]
            self._points[index] = x + step * same * _SQRT_HALF, y - step * same * _SQRT_HALF

    def _add_inner_bonds(self, indices: Sequence[int], bonds: Sequence[tuple[int, int, int]]) -> None:
        from rdkit import Chem

        for first, second, order in bonds:
            self.built.mol.AddBond(indices[first], indices[second], Chem.BondType.values[order])
            if order == 2:
                # What is written in a line says nothing about the geometry.
                bond = self.built.mol.GetBondBetweenAtoms(indices[first], indices[second])
                bond.SetBondDir(Chem.BondDir.EITHERDOUBLE)

    def _add_atom(self, atom: LabelAtom, point: Point, box: BBox) -> int:
        from rdkit import Chem

        built = self.built
        label = None
        made = Chem.Atom(0 if atom.symbol == "*" else atom.symbol)
        made.SetFormalCharge(atom.charge)
        made.SetIsotope(atom.isotope)
        if atom.n_hydrogens is not None and atom.symbol not in ("*", "H"):
            made.SetNumExplicitHs(atom.n_hydrogens)
            made.SetNoImplicit(True)
        elif atom.symbol in METALS:
            made.SetNoImplicit(True)
        if atom.radicals:
            made.SetNumRadicalElectrons(atom.radicals)
        if atom.symbol == "*" and atom.label:
            label = len(built.labels)
            built.labels.append(Label(text=atom.label, kind=_kind_of(atom.label)))
            r_group = R_GROUP.fullmatch(atom.label)
            if r_group and r_group[1]:
                made.SetIsotope(int(r_group[1]))
            if not self._expands:
                made.SetAtomMapNum(self._numbers.setdefault(atom.label, len(self._numbers) + 1))
        index = int(built.mol.AddAtom(made))
        built.boxes.append(box)
        built.label_of.append(label)
        self._points.append(point)
        if label is not None and self._expands and built.labels[label].kind == "abbreviation":
            self._groups.append((index, atom.label))
        return index

    def add_link(self, link: BondLink) -> None:
        """A bond with its style."""
        from rdkit import Chem

        mol = self.built.mol
        begin = self._atom(link.begin, link.begin_atom)
        end = self._atom(link.end, link.end_atom)
        if begin == end:
            self.built.problems.append("A bond begins and ends at the same atom.")
            return
        if mol.GetBondBetweenAtoms(begin, end) is not None:
            self.built.problems.append("Two bonds are drawn between the same atoms.")
            return
        order = Chem.BondType.values[link.order] if link.order in (1, 2, 3) else Chem.BondType.SINGLE
        if link.in_circle:
            order = Chem.BondType.AROMATIC
        elif link.style == "dative":
            order = Chem.BondType.DATIVE
        elif link.style == "dashed" and link.order == 1:
            donor = self._donor(begin, end)
            if donor is None:
                self.built.problems.append("A dashed bond is no bond of a structure; it was left out.")
                return
            begin, end = donor
            order = Chem.BondType.DATIVE
        mol.AddBond(begin, end, order)
        bond = mol.GetBondBetweenAtoms(begin, end)
        if link.in_circle:
            bond.SetIsAromatic(True)
            mol.GetAtomWithIdx(begin).SetIsAromatic(True)
            mol.GetAtomWithIdx(end).SetIsAromatic(True)
        elif order == Chem.BondType.SINGLE:
            direction = {
                "wedge": Chem.BondDir.BEGINWEDGE,
                "hash": Chem.BondDir.BEGINDASH,
                "wavy": Chem.BondDir.UNKNOWN,
            }.get(link.style)
            if direction is not None:
                bond.SetBondDir(direction)
            if link.style in ("wedge", "hash"):
                self.built.wedges.add(begin)
        elif order == Chem.BondType.DOUBLE and link.is_crossed:
            bond.SetBondDir(Chem.BondDir.EITHERDOUBLE)

    def _atom(self, node: int, atom: int) -> int:
        atoms = self._atoms_of[node]
        return atoms[atom] if atom < len(atoms) else atoms[0]

    def _donor(self, begin: int, end: int) -> tuple[int, int] | None:
        """The two atoms of a coordination bond, the donor first; None where neither is a metal."""
        is_metal = [self.built.mol.GetAtomWithIdx(index).GetSymbol() in METALS for index in (begin, end)]
        if is_metal == [False, True]:
            return begin, end
        return (end, begin) if is_metal == [True, False] else None

    def add_loose(self, label: LabelMark) -> None:
        """A charge beside an atom, or a formula without bonds; other labels are left alone."""
        if is_charge_only(label):
            self._add_charge(label)
            return
        structure = read_free_label(label)
        if structure is None:
            return
        indices = [
            self._add_atom(atom, center(box), box)
            for atom in structure.atoms
            for box in [_letters_box(label, atom.letters) or label.bbox]
        ]
        self._spread(indices)
        self._add_inner_bonds(indices, structure.bonds)
        self.built.n_free += 1
        self.built.used_labels.append(label)

    def _add_charge(self, label: LabelMark) -> None:
        place = center(label.bbox)
        nearest = min(
            range(len(self._points)), key=lambda index: math.dist(self._points[index], place), default=None
        )
        reach = CHARGE_REACH * self._graph.bond_length
        if nearest is None or math.dist(self._points[nearest], place) > reach:
            return
        mark = read_label(label, ()).atoms[0]
        atom = self.built.mol.GetAtomWithIdx(nearest)
        atom.SetFormalCharge(atom.GetFormalCharge() + mark.charge)
        if mark.radicals:
            atom.SetNumRadicalElectrons(mark.radicals)
        self.built.used_labels.append(label)
        if mark.charge > 0 and self._is_bare_cation(atom):
            self.built.problems.append("A positive charge stands at a carbon with a double bond.")

    def _is_bare_cation(self, atom: Atom) -> bool:
        """Whether an atom is a carbon that is not written and has a double bond: hardly a cation."""
        is_written = self.built.label_of[atom.GetIdx()] is not None
        orders = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
        return not is_written and atom.GetSymbol() == "C" and max(orders, default=0.0) > 1.0

    def finish(self) -> BuiltMolecule:
        """Write abbreviations out, and give the molecule its coordinates."""
        from rdkit import Chem
        from rdkit.Geometry import Point3D

        built = self.built
        for atom in built.mol.GetAtoms():
            if atom.GetNumRadicalElectrons() > 1:
                atom.SetNumRadicalElectrons(_unpaired(atom))
        for index, name in self._groups:
            self._expand(index, name)
        conformer = Chem.Conformer(built.mol.GetNumAtoms())
        conformer.Set3D(False)
        for index, (x, y) in enumerate(self._points):
            conformer.SetAtomPosition(index, Point3D(x, -y, 0.0))
        built.mol.AddConformer(conformer, assignId=True)
        return built

    def _expand(self, index: int, name: str) -> None:
        """Write an abbreviation out in place, turned away from its bond."""
        from rdkit import Chem

        built = self.built
        label = built.label_of[index]
        atom = built.mol.GetAtomWithIdx(index)
        bonds = [bond.GetBondType() for bond in atom.GetBonds()]
        if label is None or bonds != [Chem.BondType.SINGLE]:
            return
        built.labels[label] = built.labels[label].model_copy(update={"expanded": True})
        group = Chem.MolFromSmiles(GROUPS[name], sanitize=False)
        neighbor = atom.GetNeighbors()[0].GetIdx()
        layout = _layout_of(name)
        built.mol.ReplaceAtom(index, group.GetAtomWithIdx(0))
        places = [index]
        # The direction of the bond to the group, y down as all points here.
        x0, y0 = self._points[index]
        dx, dy = x0 - self._points[neighbor][0], y0 - self._points[neighbor][1]
        length = math.hypot(dx, dy)
        ux, uy = (dx / length, dy / length) if length > 1e-9 else (1.0, 0.0)
        for number, group_atom in enumerate(list(group.GetAtoms())[1:], start=1):
            places.append(int(built.mol.AddAtom(group_atom)))
            along, aside = layout[number]
            scale = self._graph.bond_length
            self._points.append(
                (x0 + scale * (along * ux - aside * uy), y0 + scale * (along * uy + aside * ux))
            )
            built.boxes.append(built.boxes[index])
            built.label_of.append(label)
        for bond in group.GetBonds():
            built.mol.AddBond(
                places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType()
            )
            made = built.mol.GetBondBetweenAtoms(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()])
            made.SetIsAromatic(bond.GetIsAromatic())


def _unpaired(atom: Atom) -> int:
    """Electrons of an atom with several dots that are unpaired; pairs of dots are lone pairs if they fit."""
    n_dots: int = atom.GetNumRadicalElectrons()
    n_bonds = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()) + atom.GetNumExplicitHs()
    usual = valence_options(atom.GetSymbol(), atom.GetFormalCharge())
    free = usual[0] - n_bonds if usual else 0
    if n_dots <= free and not (n_dots % 2 == 0 and atom.GetAtomicNum() > 6):
        return n_dots
    return n_dots % 2


@lru_cache(maxsize=256)
def _layout_of(name: str) -> tuple[tuple[float, float], ...]:
    """Coordinates of a group's atoms in bond lengths: the first at the origin, its bond from the left."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    mol = Chem.MolFromSmiles(f"*{GROUPS[name]}")
    rdDepictor.Compute2DCoords(mol)
    points = [(float(x), float(y)) for x, y, _ in mol.GetConformer().GetPositions()]
    (x0, y0), (x1, y1) = points[0], points[1]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    return tuple(
        (((x - x1) * ux + (y - y1) * uy) / length, ((y - y1) * ux - (x - x1) * uy) / length)
        for x, y in points[1:]
    )


def _kind_of(text: str) -> Literal["abbreviation", "r-group", "unknown"]:
    if R_GROUP.fullmatch(text):
        return "r-group"
    return "abbreviation" if text in GROUPS else "unknown"


def _letters_box(label: LabelMark | None, letters: Sequence[int]) -> BBox | None:
    if label is None:
        return None
    boxes = [label.letters[index].bbox for index in letters if index < len(label.letters)]
    return union(boxes) if boxes else label.bbox
