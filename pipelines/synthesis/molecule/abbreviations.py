"""Groups drawn as text (``Ph``, ``CO2Et``), and what stands at the open places of a general structure."""

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
"""Of a label's atom: indices, parted by spaces, of all the atoms it stands for."""
LABEL = "_synthLabel"
"""Of a label's atom: the text, as read from left to right with the bond at its left end."""
LABEL_WEST = "_synthLabelWest"
"""The same with the bond at its right end."""

_FIRST_MARK = 900
"""Isotope numbers, which are not drawn, tell labels apart; those below are R-groups and real isotopes."""
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
"""How a label is written where its bond comes from the right; others are written the same way."""
_FLIPPED = frozenset(_REVERSED.values()) - {"Me"}
_GENERIC = ("R", "R", "R'", "X", "Y", "Z", "Ar", "A", "Q")
"""Texts at a ``*``: all are read as ``*``."""


def subscripted(label: str) -> str:
    """RDKit's mark-up of a condensed formula: ``CO2Et`` → ``CO<sub>2</sub>Et``."""
    return _SUBSCRIPT.sub(lambda match: f"<sub>{match[0]}</sub>", label)


@lru_cache(maxsize=1)
def groups() -> tuple[str, ...]:
    """SMILES of the groups that have a label, whose first atom takes the bond."""
    return tuple(dict.fromkeys(ABBREVIATIONS.values()))


@lru_cache(maxsize=1)
def _labels() -> dict[str, tuple[str, ...]]:
    """The labels of each group, without those that are another one's mirror image."""
    found: dict[str, list[str]] = {}
    for label, smiles in ABBREVIATIONS.items():
        if label not in _FLIPPED:
            found.setdefault(smiles, []).append(label)
    return {smiles: tuple(labels) for smiles, labels in found.items()}


@lru_cache(maxsize=1)
def _marks() -> dict[str, int]:
    return {smiles: index for index, smiles in enumerate(groups())}


@lru_cache(maxsize=1)
def _definitions() -> tuple[AbbreviationDefinition, ...]:
    """One definition per group, the largest first: where two match, the first is taken."""
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    def size(smiles: str) -> int:
        return int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())

    ordered = sorted(_labels(), key=lambda smiles: (-size(smiles), smiles))
    return tuple(rdAbbreviations.ParseAbbreviations("\n".join(f"{smiles} {smiles}" for smiles in ordered)))


def condense(molecule: Mol, rng: random.Random, share: float) -> Mol | None:
    """A copy in which groups are single atoms with a label; each is taken with chance ``share``.

    The copy keeps the order of the atoms that stay. None where nothing is abbreviated.
    """
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    # One size of group is not to hide all smaller ones in it: Boc holds tBu, OTs holds Ts.
    definitions = [one for one in _definitions() if rng.random() < 0.75]
    whole = Chem.Mol(molecule)
    for atom in whole.GetAtoms():
        atom.SetIntProp(SOURCE, atom.GetIdx())
    labelled = rdAbbreviations.LabelMolAbbreviations(whole, definitions, 0.8)
    found = [group for group in Chem.GetMolSubstanceGroups(labelled) if group.HasProp("LABEL")]
    taken = [
        (group.GetProp("LABEL"), tuple(group.GetAtoms()), group.GetAttachPoints()[0].aIdx)
        for group in found
        if _says_all(labelled, group) and rng.random() < share
    ]
    Chem.ClearMolSubstanceGroups(labelled)
    if not taken:
        return None
    return _shrink(labelled, taken, rng)


def _says_all(molecule: Mol, group: SubstanceGroup) -> bool:
    """Whether the label would leave nothing out: matches know nothing of charges, isotopes and stereo."""
    atoms = [molecule.GetAtomWithIdx(index) for index in group.GetAtoms()]
    return (
        len(group.GetAttachPoints()) == 1
        and sum(atom.GetFormalCharge() for atom in atoms) == 0
        and not any(
            atom.GetIsotope() or atom.GetNumRadicalElectrons() or atom.HasProp("_CIPCode") for atom in atoms
        )
    )


def _shrink(whole: Mol, taken: list[tuple[str, tuple[int, ...], int]], rng: random.Random) -> Mol:
    """Each group becomes its first atom, in place: that leaves the stereo marks around it as they are."""
    from rdkit import Chem

    condensed = Chem.RWMol(whole)
    styles: dict[str, str] = {}
    condensed.BeginBatchEdit()
    for smiles, members, first in taken:
        label = styles.setdefault(smiles, rng.choice(_labels()[smiles]))
        atom = condensed.GetAtomWithIdx(first)
        atom.SetAtomicNum(0)
        # Two labels that are not alike are not to count as one substituent of a stereo centre.
        atom.SetIsotope(_FIRST_MARK + _marks()[smiles])
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
    """Have an atom drawn as a text, ``west`` where its bond comes from the right."""
    atom.SetProp(LABEL, label)
    atom.SetProp(LABEL_WEST, west)


def name_open_places(molecule: Mol, rng: random.Random) -> None:
    """Texts for dummy atoms: ``[3*]`` is drawn R3, ``*`` one of the letters that stand for anything."""
    generic = rng.choice(_GENERIC)
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 0 and not atom.HasProp(LABEL):
            label = f"R{atom.GetIsotope()}" if atom.GetIsotope() else generic
            set_label(atom, label, label)
