"""The record of a drawn structure: its chemistry checked by RDKit, its atoms with their places."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from docai.contents import Issue, Label, MoleculeContent
from docai.geometry import BBox, center
from docai.issues import make_issue
from docai.parsers.base import IssueLog
from docai.parsers.molecule_labels import DOUBTFUL_ELEMENTS, Labels, Origin, labeled_smiles, smiles_atom_order
from docai.parsers.molecule_structure import StereoMarks, describe_molecule, needs_dative
from docai.pipelines.drawings.molecule.chemistry import METALS, BuiltMolecule, build_molecule
from docai.pipelines.drawings.molecule.confidence import METHOD, Findings, confidence_of
from docai.pipelines.drawings.molecule.label_groups import gap_between
from docai.pipelines.drawings.molecule.label_reader import (
    is_annotation,
    is_charge_only,
    join_hyphened_names,
    label_text,
    read_label,
)
from docai.pipelines.drawings.molecule.points import components
from docai.pipelines.drawings.molecule.types import DrawnGraph, LabelMark, MoleculeReading

if TYPE_CHECKING:
    from rdkit.Chem import Mol, RWMol

MAX_LIGANDS: Final = 9
"""Atoms bonded to a metal, at most."""

MAX_NEIGHBORS: Final = 6
"""Atoms bonded to any other atom, at most."""

BROKEN_BOND: Final = 1.06
"""Distance of two parts of a structure, in bond lengths, up to which they were bonded."""

_BRACKETS: Final = frozenset("()[]{}")
_REPEATS: Final = ("n", "m", "x")

MAX_ATOMS: Final = 300
"""As of the parser of the molecule head: no drawing of one region shows a larger structure."""


@dataclass(slots=True, eq=False)
class _Checked:
    """A molecule that RDKit accepts, and what was odd about it."""

    mol: Mol
    boxes: list[BBox]
    label_of: list[int | None]
    n_centers: int = 0
    """Atoms with a wedge or hash."""
    n_dropped: int = 0
    """Those of them that have no configuration."""
    odd: list[str] = field(default_factory=list)
    """Atoms whose bonds and hydrogens do not make a usual valence."""


def describe_graph(graph: DrawnGraph) -> MoleculeReading:
    """The structure of a graph, with confidence and issues; no content where it is no molecule."""
    from rdkit import rdBase

    # RDKit logs problems to standard error; they are reported as issues instead.
    log_block = rdBase.BlockLogs()
    try:
        return _describe(graph)
    finally:
        del log_block


def _describe(graph: DrawnGraph) -> MoleculeReading:
    from rdkit import Chem

    log = IssueLog()
    findings = Findings(used=graph.used)
    join_hyphened_names(graph)
    content: MoleculeContent | None = None
    try:
        built = build_molecule(graph)
        findings.problems = [*graph.problems, *built.problems]
        if _has_broken_bond(graph):
            findings.problems.append("Two parts of the structure are as near each other as a bond is long.")
        if 0 < built.mol.GetNumAtoms() <= MAX_ATOMS:
            checked = _check(built, findings)
            if checked is not None:
                content = _content(graph, built, checked, log)
                findings.n_atoms = checked.mol.GetNumAtoms()
                findings.n_dropped = checked.n_dropped
                findings.odd += checked.odd
                for symbol in findings.doubtful:
                    log.add(
                        "molecule-ambiguous-label", f"[{symbol}] may be a label; it was read as the element."
                    )
    except (Chem.MolSanitizeException, ValueError, RuntimeError, OverflowError) as error:
        findings.errors.append(f"RDKit rejects the drawn structure: {error}.")
        built = None
    _note_labels(graph, built, findings)
    confidence = confidence_of(findings) if content is not None else 0.0
    return MoleculeReading(
        bbox=graph.bbox,
        content=content,
        confidence=confidence,
        method=METHOD,
        issues=[*log.issues(), *_issues(graph, findings)],
        graph=graph,
        used=graph.used,
    )


def _note_labels(graph: DrawnGraph, built: BuiltMolecule | None, findings: Findings) -> None:
    findings.n_bonds = len(graph.links)
    findings.n_labels = sum(
        node.structure is not None and not node.structure.problems for node in graph.nodes
    )
    for node in graph.nodes:
        if node.structure is not None:
            findings.label_scores.append(node.structure.score)
            findings.unread += node.structure.problems
    used = {id(label) for label in built.used_labels} if built is not None else set()
    loose = [label for label in graph.loose if id(label) not in used]
    findings.unplaced = [label_text(label) for label in loose if _seems_part(label, graph)]
    findings.unexplained = len(graph.unexplained)


def _has_broken_bond(graph: DrawnGraph) -> bool:
    """Whether two parts with bonds of their own are so near that a bond between them was missed."""
    parts = components(len(graph.nodes), ((link.begin, link.end) for link in graph.links))
    parts = [part for part in parts if len(part) > 1]
    if len(parts) < 2:
        return False
    places = [np.array([graph.nodes[index].point for index in part], float) for part in parts]
    reach = BROKEN_BOND * graph.bond_length
    return any(
        bool((np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)) < reach).any())
        for index, a in enumerate(places)
        for b in places[:index]
    )


def _seems_part(label: LabelMark, graph: DrawnGraph) -> bool:
    """Whether a label that nothing was made of is likely of the structure.

    spots = [(*node.point, *node.point) for node in graph.nodes]
    nearest = min((gap_between(label.bbox, spot) for spot in spots), default=math.inf)
    or the number of its repeats.
    """
    text = label_text(label)
    if is_charge_only(label):
        return True
    if text.isdigit():
        # Numbers that are apart from labels are left out before.
        return any(
            gap_between(label.bbox, node.label.bbox) < label.letters[0].size
            for node in graph.nodes
            if node.label is not None
        )
    nearest = min(
        (gap_between(label.bbox, (*node.point, *node.point)) for node in graph.nodes), default=math.inf
    )
    if is_annotation(label) or nearest > graph.bond_length:
        return False
    return set(text) <= _BRACKETS or text in _REPEATS or not read_label(label, ()).problems


def _check(built: BuiltMolecule, findings: Findings) -> _Checked | None:
    """Sanitize the molecule and find its stereo; None, with the reasons, where RDKit cannot."""
    from rdkit import Chem

    mol = built.mol
    findings.odd += [_named("N", built.boxes[index]) for index in _odd_nitrogen(mol)]
    for atom in mol.GetAtoms():
        if atom.GetDegree() > (MAX_LIGANDS if atom.GetSymbol() in METALS else MAX_NEIGHBORS):
            findings.odd.append(_named(atom.GetSymbol(), built.boxes[atom.GetIdx()]))
        elif atom.GetSymbol() in DOUBTFUL_ELEMENTS and atom.GetDegree():
            findings.doubtful.append(atom.GetSymbol())
    if problems := Chem.DetectChemistryProblems(mol):
        if needs_dative(mol):
            mol = _with_dative(mol)
        else:
            for problem in problems:
                findings.errors.append(_place_problem(problem.Message(), built))
            return None
    findings.odd += _odd_hydrogens(mol, built)
    n_centers = len(built.wedges)
    Chem.AssignChiralTypesFromBondDirs(mol)
    for index in range(mol.GetNumAtoms()):
        mol.GetAtomWithIdx(index).SetIntProp("_drawn", index)
    plain = Chem.RemoveHs(mol)
    for bond in plain.GetBonds():
        if bond.GetBondType() == Chem.BondType.SINGLE and bond.GetBondDir() != Chem.BondDir.UNKNOWN:
            bond.SetBondDir(Chem.BondDir.NONE)
    Chem.DetectBondStereochemistry(plain)
    Chem.AssignStereochemistry(plain, cleanIt=True, force=True)
    smiles = Chem.MolToSmiles(plain)
    order = smiles_atom_order(plain)
    final = Chem.MolFromSmiles(smiles)
    if final is None or final.GetNumAtoms() != len(order):
        final, order = plain, list(range(plain.GetNumAtoms()))
    else:
        final.AddConformer(_reordered_conformer(plain, order), assignId=True)
    drawn = [plain.GetAtomWithIdx(index).GetIntProp("_drawn") for index in order]
    checked = _Checked(
        final, [built.boxes[index] for index in drawn], [built.label_of[index] for index in drawn], n_centers
    )
    n_kept = sum(atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED for atom in final.GetAtoms())
    checked.n_dropped = max(0, n_centers - n_kept)
    for atom in plain.GetAtoms():
        drawn_atom = built.mol.GetAtomWithIdx(atom.GetIntProp("_drawn"))
        if (
            atom.GetNumRadicalElectrons()
            and not drawn_atom.GetNumRadicalElectrons()
            and _is_main_group(atom.GetAtomicNum())
        ):
            checked.odd.append(_named(atom.GetSymbol(), built.boxes[atom.GetIntProp("_drawn")]))
    return checked


def _odd_hydrogens(mol: RWMol, built: BuiltMolecule) -> list[str]:
    """Atoms that need hydrogens and have none written, where other labels have theirs.

    Where a bond or a charge was missed, they are one too few, and RDKit would add them without a word. Where
    no label has any, only what hydrogens hardly ever are at counts: sulfur and phosphorus with many bonds.
    """
    mol.UpdatePropertyCache(strict=False)
    writes = any(atom.GetNumExplicitHs() for atom in mol.GetAtoms() if atom.GetAtomicNum() != 6)
    found = []
    for atom in mol.GetAtoms():
        number = atom.GetAtomicNum()
        is_crowded = number in (15, 16, 34) and atom.GetDegree() > 2
        is_bare = writes and number in (7, 8, 15, 16, 34) and not atom.GetIsAromatic() and atom.GetDegree()
        if atom.GetNumImplicitHs() and (is_crowded or is_bare) and built.label_of[atom.GetIdx()] is None:
            found.append(_named(atom.GetSymbol(), built.boxes[atom.GetIdx()]))
    return found


def _odd_nitrogen(mol: RWMol) -> list[int]:
    """Nitrogen atoms with five bonds that are none of a nitro, azide or diazo group."""
    found = []
    for atom in mol.GetAtoms():
        orders = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
        is_full = sum(orders) + atom.GetNumExplicitHs() >= 5
        is_known = orders.count(2.0) > 1 or 3.0 in orders
        if atom.GetAtomicNum() == 7 and not atom.GetFormalCharge() and is_full and not is_known:
            found.append(atom.GetIdx())
    return found


def _is_main_group(number: int) -> bool:
    return number in (5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)


def _reordered_conformer(mol: Mol, order: Sequence[int]) -> object:
    from rdkit import Chem

    old = mol.GetConformer()
    conformer = Chem.Conformer(len(order))
    conformer.Set3D(False)
    for new, index in enumerate(order):
        conformer.SetAtomPosition(new, old.GetAtomPosition(index))
    return conformer


def _with_dative(mol: RWMol) -> RWMol:
    """The same with the plain bonds between metals and donors dative; the order of bonds at atoms is kept."""
    from rdkit import Chem
    from rdkit.Chem import rdqueries

    metals = {atom.GetIdx() for atom in mol.GetAtomsMatchingQuery(rdqueries.MAtomQueryAtom())}
    changed = Chem.RWMol(mol)
    for bond in list(mol.GetBonds()):
        pair = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        ends = [index for index in pair if index in metals]
        if len(ends) != 1 or bond.GetBondType() != Chem.BondType.SINGLE:
            continue
        donor = pair[0] if pair[1] == ends[0] else pair[1]
        if mol.GetAtomWithIdx(donor).GetAtomicNum() in (7, 8, 15, 16, 33, 34) and _is_overfull(mol, donor):
            changed.RemoveBond(*pair)
            changed.AddBond(donor, ends[0], Chem.BondType.DATIVE)
    return changed


def _is_overfull(mol: RWMol, index: int) -> bool:
    """Whether a donor has one bond more than it can have."""
    atom = mol.GetAtomWithIdx(index)
    usual = {7: 3, 15: 3, 33: 3}.get(atom.GetAtomicNum(), 2)
    total = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()) + atom.GetNumExplicitHs()
    return bool(total > usual + atom.GetFormalCharge())


def _place_problem(message: str, built: BuiltMolecule) -> str:
    match = re.search(r"atom # (\d+)", message)
    if match is None:
        return f"{message}."
    index = int(match[1])
    return f"{message}; it is {_named(built.mol.GetAtomWithIdx(index).GetSymbol(), built.boxes[index])}."


def _named(symbol: str, box: BBox) -> str:
    x, y = center(box)
    return f"{symbol} at ({x:.0f}, {y:.0f})"


def _content(graph: DrawnGraph, built: BuiltMolecule, checked: _Checked, log: IssueLog) -> MoleculeContent:
    labels: list[Label] = built.labels
    for label in labels:
        if label.kind == "r-group":
            log.add("molecule-r-group", f"[{label.text}] was read as an R-group.")
        elif label.kind == "unknown":
            log.add(
                "molecule-unknown-label", f"[{label.text}] is not a known group; it became the dummy atom *."
            )
        elif label.expanded:
            log.add("molecule-abbreviation", f"[{label.text}] was expanded to atoms.")
        else:
            log.add(
                "molecule-unknown-label",
                f"[{label.text}] does not have exactly one single bond; it became the dummy atom *.",
            )
    labeled = _labeled(graph) if labels else None
    origins = [Origin(label=label) for label in checked.label_of]
    written = StereoMarks(checked.n_centers, 0, 0)
    return describe_molecule(checked.mol, labeled, labels, origins, written, log, checked.boxes)


def _labeled(graph: DrawnGraph) -> str | None:
    """Canonical SMILES with the labels as drawn; None where RDKit cannot make one."""
    built = build_molecule(graph, expands=False)
    numbers = {
        built.labels[label].text: built.mol.GetAtomWithIdx(index).GetAtomMapNum()
        for index, label in enumerate(built.label_of)
        if label is not None
    }
    checked = _check(built, Findings())
    if checked is None:
        return None
    return labeled_smiles(checked.mol, Labels(built.labels, numbers))


def _issues(graph: DrawnGraph, findings: Findings) -> list[Issue]:
    found = [make_issue("drawing-valence", message) for message in findings.errors]
    found += [
        make_issue("drawing-valence", f"{odd} has more or fewer bonds than usual.", severity="warning")
        for odd in findings.odd[:3]
    ]
    found += [make_issue("drawing-unsure", problem) for problem in findings.problems]
    found += [
        make_issue("drawing-unsure", f"{text!r} beside the structure belongs to no atom.")
        for text in findings.unplaced
    ]
    if findings.n_dropped:
        found.append(
            make_issue(
                "drawing-stereo",
                f"{findings.n_dropped} wedges or hashed bonds are at atoms without a configuration.",
            )
        )
    if graph.unexplained:
        x, y = center(graph.unexplained[0])
        found.append(
            make_issue(
                "drawing-unexplained",
                f"{len(graph.unexplained)} strokes or letters are no part of the structure, the first at "
                f"({x:.0f}, {y:.0f}).",
            )
        )
    return found
