"""Labels of a SMILES into atoms: dummies before RDKit reads it, groups written out after.

RDKit would read ``[Ac]`` as actinium and refuse ``[Ph]``. So every label becomes a dummy atom first, with
an atom map number that stands for its text, and is what :mod:`docai.parsers.labels` says of it later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from docai.parsers.labels import (
    DOUBTFUL_ELEMENTS,
    GROUPS,
    LIKELY_GROUPS,
    R_GROUP,
    is_atom,
    is_label,
)
from docai.parsers.notes import Notes
from docai.parsers.traced import Span, TracedText
from docai.records import Label

if TYPE_CHECKING:
    from rdkit.Chem import Atom as RDKitAtom
    from rdkit.Chem import Mol

BRACKET = re.compile(r"\[([^\[\]]*)\]")
_MAP = re.compile(r":(\d{1,9})\]")
_DUMMY = re.compile(r"\[\d*\*:(\d+)\]")


class Origin(NamedTuple):
    """Where an atom comes from: its characters in the text, and the label that it was or is a part of."""

    span: Span | None = None
    label: int | None = None


@dataclass
class Labels:
    """The labels of one SMILES, in its order, and the atom map numbers that stand for them."""

    found: list[Label] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """One number for one text: so equal labels are equal to RDKit, and different ones are not."""


def replace_labels(traced: TracedText, notes: Notes) -> Labels:
    """Put a numbered dummy atom for each label, in place. R-groups also get their number as isotope."""
    smiles = traced.text
    kinds: dict[int, Label] = {}
    for match in BRACKET.finditer(smiles):
        before, after = smiles[: match.start()][-1:], smiles[match.end() :][:1]
        label = _label(match[1], before in ("", ".") and after in ("", "."), notes)
        if label is not None:
            kinds[match.start()] = label
    labels = Labels(list(kinds.values()))
    first = 1 + max((int(number) for number in _MAP.findall(smiles)), default=0)
    texts = sorted({label.text for label in labels.found})
    labels.numbers = {text: first + index for index, text in enumerate(texts)}

    def dummy(match: re.Match[str]) -> str:
        label = kinds.get(match.start())
        if label is None:
            return match[0]
        r_group = R_GROUP.fullmatch(label.text) if label.kind == "r-group" else None
        isotope = str(int(r_group[1])) if r_group and r_group[1] else ""
        return f"[{isotope}*:{labels.numbers[label.text]}]"

    if kinds:
        traced.replace(BRACKET, dummy)
    return labels


def _label(text: str, alone: bool, notes: Notes) -> Label | None:
    """What the inside of a bracket is where it is no atom. ``alone``: bonded to nothing."""
    if is_atom(text) and (alone or text not in LIKELY_GROUPS):
        if text in DOUBTFUL_ELEMENTS and not alone:
            notes.add("molecule-ambiguous-label", f"[{text}] was read as the element.")
        return None
    if R_GROUP.fullmatch(text):
        notes.add("molecule-r-group", f"[{text}] was read as an R-group.")
        return Label(text=text, kind="r-group")
    if text in LIKELY_GROUPS:
        notes.add("molecule-ambiguous-label", f"[{text}] was read as a group, not the element.")
    if text in GROUPS:
        return Label(text=text, kind="abbreviation")
    if is_label(text):
        notes.add("molecule-unknown-label", f"[{text}] names no known group and became *.")
        return Label(text=text, kind="unknown")
    return None


def labelled_smiles(mol: Mol, labels: Labels) -> str:
    """Canonical SMILES of the molecule before its labels are written out, with them as they were written."""
    from rdkit import Chem

    smiles: str = Chem.MolToSmiles(mol)
    texts = {str(number): text for text, number in labels.numbers.items()}
    return _DUMMY.sub(lambda match: f"[{texts[match[1]]}]" if match[1] in texts else match[0], smiles)


def owners(mol: Mol, labels: Labels) -> list[int | None]:
    """For each atom the index of the label that it stands for; SMILES has both in the same order."""
    numbers = set(labels.numbers.values())
    count = 0
    owned: list[int | None] = []
    for atom in mol.GetAtoms():
        is_label_atom = not atom.GetAtomicNum() and atom.GetAtomMapNum() in numbers
        owned.append(count if is_label_atom else None)
        count += is_label_atom
    return owned


def expanded_size(mol: Mol, labels: Labels) -> int:
    """Atoms that the molecule has once its labels are written out, at most."""
    n_atoms = {text: _n_atoms(GROUPS[text]) for text in labels.numbers if text in GROUPS}
    size: int = mol.GetNumAtoms()
    return size + sum(n_atoms[label.text] - 1 for label in labels.found if label.text in n_atoms)


def _n_atoms(smiles: str) -> int:
    from rdkit import Chem

    size: int = Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms()
    return size


def write_out(
    mol: Mol, labels: Labels, origins: Sequence[Origin], notes: Notes
) -> tuple[Mol | None, list[Origin]]:
    """Put the atoms of each abbreviation for its dummy atom. One with two bonds has no place for them.

    Each atom of a group comes from where its label was. ``labels`` learns which were written out.

    Raises:
        ValueError, RuntimeError: RDKit refuses what comes out.
    """
    from rdkit import Chem

    whole = Chem.RWMol(mol)
    comes_from = list(origins)
    for index, owner in enumerate(owners(mol, labels)):
        if owner is None:
            continue
        label = labels.found[owner]
        atom = whole.GetAtomWithIdx(index)
        atom.SetAtomMapNum(0)
        if label.kind != "abbreviation":
            continue
        bonds = [bond.GetBondType() for bond in atom.GetBonds()]
        if bonds != [Chem.BondType.SINGLE]:
            notes.add("molecule-unknown-label", f"[{label.text}] has not one single bond and became *.")
            continue
        notes.add("molecule-abbreviation", f"[{label.text}] was written out.")
        labels.found[owner] = label.model_copy(update={"expanded": True})
        group = Chem.MolFromSmiles(GROUPS[label.text], sanitize=False)
        # The dummy becomes the group's first atom in place, which leaves all stereo marks as they are.
        whole.ReplaceAtom(index, group.GetAtomWithIdx(0))
        places = [index, *(whole.AddAtom(other) for other in list(group.GetAtoms())[1:])]
        comes_from += [origins[index]] * (len(places) - 1)
        for bond in group.GetBonds():
            whole.AddBond(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType())
    Chem.SanitizeMol(whole)
    smiles = Chem.MolToSmiles(whole)
    in_order = [comes_from[index] for index in output_order(whole)]
    final = Chem.MolFromSmiles(smiles)
    if final is None:
        return None, []
    return final, of_kept(in_order, Chem.MolFromSmiles(smiles, sanitize=False), final)


def output_order(mol: Mol) -> list[int]:
    """The atoms of a molecule in the order in which they stand in the SMILES that was just made of it."""
    return list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])


def of_kept(origins: Sequence[Origin], written: Mol, kept: Mol) -> list[Origin]:
    """The origins of the atoms that are left of those of a SMILES: RDKit takes out plain hydrogens.

    All unknown where the atoms cannot be told apart.
    """
    lost = [Origin()] * kept.GetNumAtoms()
    if len(origins) != written.GetNumAtoms():
        return lost
    found: list[Origin] = []
    wanted = [_identity(atom) for atom in kept.GetAtoms()]
    for atom, origin in zip(written.GetAtoms(), origins, strict=True):
        if len(found) < len(wanted) and _identity(atom) == wanted[len(found)]:
            found.append(origin)
        elif atom.GetAtomicNum() != 1:
            return lost
    return found if len(found) == len(wanted) else lost


def _identity(atom: RDKitAtom) -> tuple[int, int, int]:
    return atom.GetAtomicNum(), atom.GetIsotope(), atom.GetAtomMapNum()
