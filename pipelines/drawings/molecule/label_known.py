"""Labels that a table knows as a group, and formulas that stand alone as molecules or ions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from docai.parsers.molecule_labels import GROUPS
from docai.pipelines.drawings.molecule.label_formula import Unit, numbered_units, reverse_units, solve_formula
from docai.pipelines.drawings.molecule.label_structure import as_structure, distance_along
from docai.pipelines.drawings.molecule.label_text import Reading
from docai.pipelines.drawings.molecule.types import Attachment, LabelAtom, LabelMark, LabelStructure

DOUBTFUL_SCORE: Final = 0.85
"""Score of a label that the table and its geometry read differently."""

FREE_NAMES: Final = {"TFA": "CF3CO2H"}
"""Names of acids beside a structure that is their salt → formula."""

_ALKALI: Final = ("Li", "Na", "K", "Rb", "Cs")


def group_of_table(
    text: str, structure: LabelStructure | None, label: LabelMark, attachment: Attachment
) -> LabelStructure | None:
    """The label as one group of the table; None where it is one atom.

    Programs that set a name from the left wherever its bond is make it look like something else: then the
    table is believed, and the label is doubtful.

    Args:
        text: of the label, which the table has.
        structure: what was read of it as a formula.
        label: the label.
        attachment: its only bond.
    """
    if attachment.order != 1 or _n_heavy(GROUPS[text]) < 2:
        return None
    score = 1.0
    if structure is not None:
        alone = structure.atoms[0].symbol == "*" and len(structure.atoms) == 1
        if not alone and structure_smiles(structure) != _group_smiles(GROUPS[text]):
            score = DOUBTFUL_SCORE
    # Its place is that of the atom that the bond is to.
    words = [index for index, letter in enumerate(label.letters) if letter.text.isalpha()]
    nearest = min(words, key=lambda index: distance_along(label.letters[index], attachment))
    letters: tuple[int, ...] = (nearest,)
    if structure is not None and score == 1.0:
        letters = structure.atoms[structure.attached[0]].letters
    return LabelStructure([LabelAtom("*", label=text, letters=letters)], attached=[0], score=score)


@lru_cache(maxsize=512)
def _n_heavy(smiles: str) -> int:
    from rdkit import Chem

    return int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())


@lru_cache(maxsize=512)
def _group_smiles(smiles: str) -> str:
    """Canonical SMILES of a group with its open bond to a marked dummy."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(f"[900*]{smiles}")
    return str(Chem.MolToSmiles(mol)) if mol else ""


def structure_smiles(structure: LabelStructure) -> str:
    """The same of what was read of a label; groups in it are written out."""
    from rdkit import Chem, rdBase

    mol = Chem.RWMol()
    firsts = []
    for atom in structure.atoms:
        if atom.symbol == "*" and atom.label in GROUPS:
            group = Chem.MolFromSmiles(GROUPS[atom.label], sanitize=False)
            start = mol.GetNumAtoms()
            mol.InsertMol(group)
            firsts.append(start)
            continue
        made = Chem.Atom(0 if atom.symbol == "*" else atom.symbol)
        made.SetFormalCharge(atom.charge)
        made.SetIsotope(atom.isotope)
        firsts.append(mol.AddAtom(made))
    for first, second, order in structure.bonds:
        mol.AddBond(firsts[first], firsts[second], Chem.BondType.values[order])
    dummy = Chem.Atom(0)
    dummy.SetIsotope(900)
    mol.AddBond(mol.AddAtom(dummy), firsts[structure.attached[0]], Chem.BondType.SINGLE)
    log_block = rdBase.BlockLogs()
    try:
        Chem.SanitizeMol(mol)
    except (Chem.MolSanitizeException, ValueError, RuntimeError):
        return "?"
    finally:
        del log_block
    return str(Chem.MolToSmiles(mol))


def free_structure(reading: Reading) -> LabelStructure | None:
    """The molecules or ions of a formula without bonds; None where it is none."""
    units = list(reading.units)
    # The acidic hydrogens of HNO3 are written first, and are on the oxygens.
    while len(units) > 1 and units[0].symbol == "H" and not units[0].isotope:
        units.append(units.pop(0))
    if any(unit.symbol == "*" and unit.label not in GROUPS for unit in numbered_units(units)):
        return None
    structure = _solve_free(units)
    ions = [unit for unit in units if unit.symbol in _ALKALI]
    anion = [unit for unit in units if unit.symbol not in _ALKALI]
    if ions and anion and all(unit.symbol for unit in units):
        n_ions = sum(unit.count for unit in ions)
        salt = _solve_free([*anion, Unit("", charge=-n_ions)])
        if salt is not None and not any(atom.charge and atom.symbol in ("C", "H") for atom in salt.atoms):
            metals = [LabelAtom(unit.symbol, 1, unit.isotope, 0, letters=unit.letters) for unit in ions]
            copies = [metal for unit, metal in zip(ions, metals, strict=True) for _ in range(unit.count)]
            structure = LabelStructure([*salt.atoms, *copies], salt.bonds)
    return structure and _repeated(structure, reading.multiple)


def _solve_free(units: Sequence[Unit]) -> LabelStructure | None:
    orders = (units, reverse_units(units, turn_parts=False))
    formulas = [formula for order in orders if (formula := solve_formula(order, {})) is not None]
    if not formulas:
        return None
    structure, _ = as_structure(min(formulas, key=lambda formula: formula.cost))
    bonded = {index for bond in structure.bonds for index in bond[:2]}
    for index, atom in enumerate(structure.atoms):
        # A symbol alone is more likely a number of a compound or a word than a bare atom.
        if index not in bonded and not atom.charge and not atom.n_hydrogens:
            return None
    return structure


def _repeated(structure: LabelStructure, times: int) -> LabelStructure:
    atoms, bonds = list(structure.atoms), list(structure.bonds)
    for _ in range(times - 1):
        shift = len(atoms)
        atoms += structure.atoms
        bonds += [(first + shift, second + shift, order) for first, second, order in structure.bonds]
    return LabelStructure(atoms, bonds)
