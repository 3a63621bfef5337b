"""What labels stand for: atoms, bonds, charges, and the atom that each bond is to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from rdkit import Chem

from docai.parsers.molecule_labels import GROUPS
from docai.pipelines.drawings.molecule.label_known import structure_smiles
from docai.pipelines.drawings.molecule.label_reader import (
    is_annotation,
    is_charge_only,
    read_free_label,
    read_label,
)
from docai.pipelines.drawings.molecule.label_text import group_names
from docai.pipelines.drawings.molecule.types import LabelStructure
from tests.pipelines.drawings.molecule.label_marks import from_left, from_right, label


def smiles_at_left(text: str) -> str:
    """What a label stands for whose bond is at its left, the bond as one to a marked dummy."""
    return structure_smiles(read_label(label(text), [from_left()]))


def smiles_at_right(text: str) -> str:
    mark = label(text)
    return structure_smiles(read_label(mark, [from_right(mark)]))


def marked(smiles: str) -> str:
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(f"[900*]{smiles}")))


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("OH", "O"),
        ("NH2", "N"),
        ("OCH3", "OC"),
        ("CO2H", "C(=O)O"),
        ("CO2Et", "C(=O)OCC"),
        ("CO2CH2CH3", "C(=O)OCC"),
        ("CONHCH3", "C(=O)NC"),
        ("OCOCH3", "OC(C)=O"),
        ("CHO", "C=O"),
        ("CN", "C#N"),
        ("N3", "N=[N+]=[N-]"),
        ("NO2", "[N+](=O)[O-]"),
        ("ONO2", "O[N+](=O)[O-]"),
        ("SO3H", "S(=O)(=O)O"),
        ("SO2CH3", "S(C)(=O)=O"),
        ("SOCH3", "S(C)=O"),
        ("OSO2CF3", "OS(=O)(=O)C(F)(F)F"),
        ("PO3H2", "P(=O)(O)O"),
        ("P(O)(OEt)2", "P(=O)(OCC)OCC"),
        ("Si(CH3)3", "[Si](C)(C)C"),
        ("C(CH3)3", "C(C)(C)C"),
        ("(CH2)3CH3", "CCCC"),
        ("CH2CH2OH", "CCO"),
        ("CH=CH2", "C=C"),
        ("C≡CH", "C#C"),
        ("N(CH3)2", "N(C)C"),
        ("NHBoc", "NC(=O)OC(C)(C)C"),
        ("CH2NHCO2tBu", "CNC(=O)OC(C)(C)C"),
        ("OTBDMS", "O[Si](C)(C)C(C)(C)C"),
        ("SnBu3", "[Sn](CCCC)(CCCC)CCCC"),
        ("MgBr", "[Mg]Br"),
        ("C6H5", "c1ccccc1"),
        ("PPh2", "P(c1ccccc1)c1ccccc1"),
        ("O^-", "[O-]"),
        ("NH3^+", "[NH3+]"),
        ("N^+(CH3)3", "[N+](C)(C)C"),
        ("NMe3^+", "[N+](C)(C)C"),
        ("CO2^-", "C(=O)[O-]"),
        ("N2^+", "[N+]#N"),
        ("^1^3CH3", "[13CH3]"),
        ("CD3", "C([2H])([2H])[2H]"),
        ("D", "[2H]"),
    ],
)
def test_a_label_is_read_from_its_bond_on(text: str, smiles: str) -> None:
    assert smiles_at_left(text) == marked(smiles)


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("HO", "O"),
        ("H2N", "N"),
        ("H3CO", "OC"),
        ("MeO", "OC"),
        ("EtO2C", "C(=O)OCC"),
        ("HOOC", "C(=O)O"),
        ("HOH2C", "CO"),
        ("HOCH2", "CO"),
        ("CH3CH2", "CC"),
        ("H3CH2C", "CC"),
        ("F3C", "C(F)(F)F"),
        ("O2N", "[N+](=O)[O-]"),
        ("NC", "C#N"),
        ("BocHN", "NC(=O)OC(C)(C)C"),
        ("(CH3)3C", "C(C)(C)C"),
        ("(H3C)3Si", "[Si](C)(C)C"),
        ("(EtO)2P(O)", "P(=O)(OCC)OCC"),
        ("PhO2S", "S(=O)(=O)c1ccccc1"),
        ("^-O2C", "C(=O)[O-]"),
        ("^+H3N", "[NH3+]"),
        ("D3C", "C([2H])([2H])[2H]"),
    ],
)
def test_a_label_whose_bond_is_at_its_right_is_read_from_there(text: str, smiles: str) -> None:
    assert smiles_at_right(text) == marked(smiles)


@pytest.mark.parametrize("name", [name for name in GROUPS if len(name) > 2])
def test_every_group_of_the_table_is_read_from_one_side(name: str) -> None:
    wanted = marked(GROUPS[name])
    assert wanted in (smiles_at_left(name), smiles_at_right(name))


def test_a_group_of_the_table_stays_a_label_to_be_expanded_later() -> None:
    (atom,) = read_label(label("CO2Et"), [from_left()]).atoms
    assert (atom.symbol, atom.label) == ("*", "CO2Et")


def test_a_group_of_the_table_set_from_its_wrong_side_is_that_group_and_doubtful() -> None:
    structure = read_label(label("MeO2C"), [from_left()])
    assert [atom.label for atom in structure.atoms] == ["MeO2C"]
    assert structure.score < 0.9


@pytest.mark.parametrize(
    ("text", "attached", "n_atoms"),
    [("O", [0, 0], 1), ("NH", [0, 0], 1), ("OCH2O", [0, 2], 3), ("CH2CH2", [0, 1], 2), ("SO2", [0, 0], 3)],
)
def test_a_label_within_a_chain_has_both_bonds(text: str, attached: list[int], n_atoms: int) -> None:
    mark = label(text)
    structure = read_label(mark, [from_left(), from_right(mark)])
    assert structure.attached == attached
    assert len(structure.atoms) == n_atoms


def test_a_repeated_group_within_a_chain_is_bonded_at_both_its_ends() -> None:
    mark = label("(CH2)3")
    structure = read_label(mark, [from_left(), from_right(mark)])
    assert [atom.n_hydrogens for atom in structure.atoms] == [2, 2, 2]
    assert structure.attached == [0, 2]


@pytest.mark.parametrize("text", ["R", "R1", "R^1", "R'", "X", "Ar", "Q", "Y"])
def test_what_stands_for_any_group_keeps_its_name(text: str) -> None:
    (atom,) = read_label(label(text), [from_left()]).atoms
    assert (atom.symbol, atom.label) == ("*", text.replace("^", ""))


def test_an_r_group_within_a_formula_is_an_atom_of_it() -> None:
    structure = read_label(label("CO2R"), [from_left()])
    assert [(atom.symbol, atom.label) for atom in structure.atoms] == [
        ("C", ""),
        ("O", ""),
        ("O", ""),
        ("*", "R"),
    ]


def test_hydrogens_that_are_written_are_counted_whatever_the_valence() -> None:
    (atom,) = read_label(label("CH2"), [from_left()]).atoms
    assert atom.n_hydrogens == 2
    (atom,) = read_label(label("N"), [from_left()]).atoms
    assert atom.n_hydrogens is None


def test_a_charge_alone_is_that_of_a_carbon_atom() -> None:
    mark = label("+")
    assert is_charge_only(mark)
    (atom,) = read_label(mark, []).atoms
    assert (atom.symbol, atom.charge) == ("C", 1)


def test_letters_that_look_alike_are_told_apart_by_chemistry() -> None:
    for wrong, text in (("CI", "Cl"), ("0H", "OH"), ("C|", "Cl")):
        mark = label(wrong)
        mark.scripts = [0] * len(wrong)
        mark.letters = [
            replace(one, others=("l",)) if one.text in "I|" else replace(one, others=("O",))
            for one in mark.letters
        ]
        assert structure_smiles(read_label(mark, [from_left()])) == smiles_at_left(text)


def test_a_label_that_is_nothing_known_is_kept_as_such_with_a_problem() -> None:
    structure = read_label(label("Qxz"), [from_left()])
    assert [(atom.symbol, atom.label) for atom in structure.atoms] == [("*", "Qxz")]
    assert structure.problems
    assert structure.score <= 0.5


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        ("HCl", "Cl"),
        ("2 HCl", "Cl.Cl"),
        ("H2O", "O"),
        ("Na^+", "[Na+]"),
        ("Ca^2^+", "[Ca+2]"),
        ("Cl^-", "[Cl-]"),
        ("BF4^-", "F[B-](F)(F)F"),
        ("PF6^-", "F[P-](F)(F)(F)(F)F"),
        ("ClO4^-", "[O-]Cl(=O)(=O)=O"),
        ("NO3^-", "O=[N+]([O-])[O-]"),
        ("SO4^2^-", "O=S(=O)([O-])[O-]"),
        ("H2SO4", "O=S(=O)(O)O"),
        ("HNO3", "O=[N+]([O-])O"),
        ("CF3CO2H", "O=C(O)C(F)(F)F"),
        ("NH4^+", "[NH4+]"),
        ("K2CO3", "O=C([O-])[O-].[K+].[K+]"),
        ("NaOH", "[OH-].[Na+]"),
        ("Et3N", "CCN(CC)CC"),
    ],
)
def test_a_formula_without_bonds_is_a_molecule_of_its_own(text: str, smiles: str) -> None:
    structure = read_free_label(label(text.replace(" ", "")))
    assert structure is not None
    assert free_smiles(structure) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def free_smiles(structure: LabelStructure) -> str:
    mol = Chem.RWMol()
    firsts = []
    for atom in structure.atoms:
        firsts.append(mol.GetNumAtoms())
        if atom.label:
            mol.InsertMol(Chem.MolFromSmiles(GROUPS[atom.label], sanitize=False))
            continue
        made = Chem.Atom(atom.symbol)
        made.SetFormalCharge(atom.charge)
        made.SetNumExplicitHs(atom.n_hydrogens or 0)
        made.SetNoImplicit(True)
        mol.AddAtom(made)
    for first, second, order in structure.bonds:
        mol.AddBond(firsts[first], firsts[second], Chem.BondType.values[order])
    Chem.SanitizeMol(mol)
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(mol))))


@pytest.mark.parametrize("text", ["1a", "12", "A", "C", "N", "In", "No", "Fig", "DMF", "(R)", "+", "rt"])
def test_captions_numbers_and_bare_symbols_are_no_molecules(text: str) -> None:
    assert read_free_label(label(text)) is None


def test_numbers_and_descriptors_of_stereo_are_annotations() -> None:
    assert all(is_annotation(label(text)) for text in ("7", "12", "3a", "(R)", "(E)", "abs", "&1", "or2"))
    assert not any(is_annotation(label(text)) for text in ("OH", "R", "N", "Et"))


def test_names_of_groups_are_those_that_are_no_formulas() -> None:
    names = group_names()
    assert {"Me", "Ph", "Boc", "TBDMS", "t-Bu", "Ac", "Bpin"} <= set(names)
    assert not {"OMe", "CO2H", "NO2", "CF3", "NHBoc"} & set(names)


def test_any_text_is_read_in_bounded_steps() -> None:
    rng = random.Random(3)
    signs = "CHONSPFBrlIi0123456789()+-=#*.'RXMe"
    for _ in range(40):
        text = "".join(rng.choice(signs) for _ in range(rng.randint(1, 20)))
        mark = label(text)
        if mark.letters:
            structure = read_label(mark, [from_left(), from_right(mark)])
            assert len(structure.attached) == 2
            assert all(place < len(structure.atoms) for place in structure.attached)
