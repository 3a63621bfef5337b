"""Groups drawn as text (``Ph``, ``CO2Et``), and labels of the open positions of a generic structure."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from docai.parsers.molecule_labels import ABBREVIATIONS

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol, SubstanceGroup
    from rdkit.Chem.rdAbbreviations import AbbreviationDefinition

SOURCE = "_synthSource"
"""Atom property of a condensed molecule: the atom's index in the whole one."""
MEMBERS = "_synthMembers"
"""Property of a labeled atom: indices of all atoms that it stands for, separated by spaces."""
LABEL = "_synthLabel"
"""Property of a labeled atom: the text where the bond is at its left end."""
LABEL_WEST = "_synthLabelWest"
"""Property of a labeled atom: the text where the bond is at its right end."""

_FIRST_LABEL_ISOTOPE = 900
"""Labels have isotope numbers from here on, which are not drawn; lower ones are R-groups and isotopes."""
_SUBSCRIPT = re.compile(r"(?<=[A-Za-z])\d+")
_REVERSED = {
    "Me": "H3C",
    "CHO": "OHC",
    "CN": "NC",
    "NO2": "O2N",
    "CF3": "F3C",
    "OCF3": "F3CO",
    "OMe": "MeO",
    "OEt": "EtO",
    "OAc": "AcO",
    "OBn": "BnO",
    "OMs": "MsO",
    "OTs": "TsO",
    "OTf": "TfO",
    "SMe": "MeS",
    "NMe2": "Me2N",
    "NHBoc": "BocHN",
    "SO3H": "HO3S",
    "CO2H": "HO2C",
    "COOH": "HOOC",
    "CO2Me": "MeO2C",
    "COOMe": "MeO2C",
    "CO2Et": "EtO2C",
    "COOEt": "EtO2C",
}
"""Labels whose text differs where the bond comes from the right."""
_FLIPPED = frozenset(_REVERSED.values()) - {"Me"}
_GENERIC = ("R", "R", "R'", "X", "Y", "Z", "Ar", "A", "Q")
"""Labels of ``*``: all of them are read as ``*``."""


def subscripted(label: str) -> str:
    """RDKit's mark-up of a condensed formula: ``CO2Et`` → ``CO<sub>2</sub>Et``."""
    return _SUBSCRIPT.sub(lambda match: f"<sub>{match[0]}</sub>", label)


@lru_cache(maxsize=1)
def groups() -> tuple[str, ...]:
    """SMILES of the groups that have a label; their first atom has the bond."""
    return tuple(dict.fromkeys(ABBREVIATIONS.values()))


@lru_cache(maxsize=1)
def _labels() -> dict[str, tuple[str, ...]]:
    """The labels of each group, without reversed ones."""
    labels_of: dict[str, list[str]] = {}
    for label, smiles in ABBREVIATIONS.items():
        if label not in _FLIPPED:
            labels_of.setdefault(smiles, []).append(label)
    return {smiles: tuple(labels) for smiles, labels in labels_of.items()}


@lru_cache(maxsize=1)
def _marks() -> dict[str, int]:
    return {smiles: index for index, smiles in enumerate(groups())}


@lru_cache(maxsize=1)
def _definitions() -> tuple[AbbreviationDefinition, ...]:
    """One definition per group, the largest first: where two match, the first is used."""
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    def size(smiles: str) -> int:
        return int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())

    ordered = sorted(_labels(), key=lambda smiles: (-size(smiles), smiles))
    return tuple(rdAbbreviations.ParseAbbreviations("\n".join(f"{smiles} {smiles}" for smiles in ordered)))


def condense(molecule: Mol, rng: random.Random, share: float) -> Mol | None:
    """A copy in which groups are single atoms with a label; each is abbreviated with probability ``share``.

    The remaining atoms keep their order. None where nothing is abbreviated.
    """
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    # Large groups should not always hide the smaller ones inside: Boc contains tBu, OTs contains Ts.
    definitions = [definition for definition in _definitions() if rng.random() < 0.75]
    whole = Chem.Mol(molecule)
    for atom in whole.GetAtoms():
        atom.SetIntProp(SOURCE, atom.GetIdx())
    labeled = rdAbbreviations.LabelMolAbbreviations(whole, definitions, 0.8)
    candidates = [group for group in Chem.GetMolSubstanceGroups(labeled) if group.HasProp("LABEL")]
    chosen = [
        (group.GetProp("LABEL"), tuple(group.GetAtoms()), group.GetAttachPoints()[0].aIdx)
        for group in candidates
        if _is_complete(labeled, group) and rng.random() < share
    ]
    Chem.ClearMolSubstanceGroups(labeled)
    if not chosen:
        return None
    return _shrink(labeled, chosen, rng)


def _is_complete(molecule: Mol, group: SubstanceGroup) -> bool:
    """Whether the label describes all of the group: matching ignores charges, isotopes and stereo."""
    atoms = [molecule.GetAtomWithIdx(index) for index in group.GetAtoms()]
    return (
        len(group.GetAttachPoints()) == 1
        and sum(atom.GetFormalCharge() for atom in atoms) == 0
        and not any(
            atom.GetIsotope() or atom.GetNumRadicalElectrons() or atom.HasProp("_CIPCode") for atom in atoms
        )
    )


def _shrink(whole: Mol, chosen: list[tuple[str, tuple[int, ...], int]], rng: random.Random) -> Mol:
    """Reduce each group to its first atom, in place, so that the stereo around it is unchanged."""
    from rdkit import Chem

    condensed = Chem.RWMol(whole)
    styles: dict[str, str] = {}
    condensed.BeginBatchEdit()
    for smiles, members, first in chosen:
        label = styles.setdefault(smiles, rng.choice(_labels()[smiles]))
        atom = condensed.GetAtomWithIdx(first)
        atom.SetAtomicNum(0)
        # Different labels must count as different substituents of a stereo center.
        atom.SetIsotope(_FIRST_LABEL_ISOTOPE + _marks()[smiles])
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetNumExplicitHs(0)
        atom.SetNoImplicit(True)
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        atom.SetProp(MEMBERS, " ".join(map(str, members)))
        set_label(atom, label, _REVERSED.get(label, label))
        for member in members:
            if member != first:
                condensed.RemoveAtom(member)
    condensed.CommitBatchEdit()
    mol = condensed.GetMol()
    Chem.SanitizeMol(mol)
    return mol


def set_label(atom: Atom, label: str, west: str) -> None:
    """Have an atom drawn as text, ``west`` where its bond comes from the right."""
    atom.SetProp(LABEL, label)
    atom.SetProp(LABEL_WEST, west)


def label_open_positions(molecule: Mol, rng: random.Random) -> None:
    """Label dummy atoms: ``[3*]`` as R3, ``*`` as one of the generic labels."""
    generic = rng.choice(_GENERIC)
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 0 and not atom.HasProp(LABEL):
            label = f"R{atom.GetIsotope()}" if atom.GetIsotope() else generic
            set_label(atom, label, label)
