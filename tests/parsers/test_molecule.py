"""The molecule parser: valid structures described, each kind of failure with its own code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from docai.parsers.base import Parsed
from docai.parsers.labels import ABBREVIATIONS
from docai.parsers.molecule import parse_molecule
from docai.records import MoleculeContent


def codes(parsed: Parsed[MoleculeContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def test_a_structure_is_described() -> None:
    parsed = parse_molecule("OC(=O)[C@@H](N)C")
    content = parsed.content
    assert parsed.issues == ()
    assert not parsed.repaired
    assert content.is_valid
    assert content.smiles == "C[C@H](N)C(=O)O"
    assert content.inchi == "InChI=1S/C3H7NO2/c1-2(4)3(5)6/h2H,4H2,1H3,(H,5,6)/t2-/m0/s1"
    assert content.inchikey == "QNAYBMKLOCPYGJ-REOHCLBHSA-N"
    assert content.formula == "C3H7NO2"
    assert content.molblock is not None
    assert "V2000" in content.molblock
    mol = Chem.MolFromMolBlock(content.molblock)
    assert Chem.MolToSmiles(mol) == content.smiles
    assert len({tuple(mol.GetConformer().GetAtomPosition(i)) for i in range(mol.GetNumAtoms())}) == 6


@pytest.mark.parametrize(
    ("smiles", "code"),
    [
        ("", "molecule-empty"),
        ("  \n", "molecule-empty"),
        ("C(C)(C)(C)(C)C", "molecule-valence"),
        ("c1cccc1", "molecule-kekulisation"),
        ("C1CC", "molecule-ring-closure"),
        ("C11", "molecule-ring-closure"),
        ("CC>>CO", "molecule-reaction"),
        ("CC>O>CO", "molecule-reaction"),
        ("CC)", "molecule-syntax"),
        ("C(", "molecule-syntax"),
        ("C==C", "molecule-syntax"),
        ("CXC", "molecule-unknown-atom"),
        ("C[C@@@]", "molecule-unknown-atom"),
        ("[]", "molecule-unknown-atom"),
        ("C" * 301, "molecule-too-long"),
        ("C" * 70_000, "molecule-too-long"),
    ],
)
def test_each_kind_of_failure_has_its_code(smiles: str, code: str) -> None:
    parsed = parse_molecule(smiles)
    assert codes(parsed) == {code}
    assert parsed.issues[0].severity == "error"
    assert parsed.content == MoleculeContent()


def test_rdkit_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    for smiles in ("C1CC", "c1cccc1", "C(C)(C)(C)(C)C", "C[Ph"):
        parse_molecule(smiles)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["```smiles\nCCO\n```", "`CCO`", '"CCO"', "SMILES: CCO", "smiles=`CCO`"])
def test_wrapping_comes_off(text: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.smiles == "CCO"
    assert codes(parsed) == {"molecule-fenced"}


@pytest.mark.parametrize("text", ["CC |$R1;;$|", "CC ethane", "CC\nCO"])
def test_only_the_first_token_is_read_and_the_rest_is_told(text: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.smiles == "CC"
    assert codes(parsed) == {"molecule-extra-text"}


def test_a_trailing_space_is_nothing() -> None:
    assert parse_molecule(" CCO \n").issues == ()


def test_a_unicode_minus_is_a_minus() -> None:
    parsed = parse_molecule("[Na+].[Cl−]")
    assert parsed.content.smiles == "[Cl-].[Na+]"
    assert codes(parsed) == {"molecule-bad-character"}


@pytest.mark.parametrize(
    ("text", "smiles"),
    [("C[R1]", "[1*]C"), ("C[R]", "*C"), ("C[R12]", "[12*]C"), ("C[R']", "*C")],
)
def test_r_groups_are_numbered_dummies(text: str, smiles: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.smiles == smiles
    assert codes(parsed) == {"molecule-r-group", "molecule-no-inchi"}
    assert parsed.content.is_valid
    assert parsed.content.inchi is None
    assert parsed.content.molblock


@pytest.mark.parametrize("label", ABBREVIATIONS)
def test_each_abbreviation_is_written_out(label: str) -> None:
    parsed = parse_molecule(f"C[{label}]")
    assert parsed.content.smiles == Chem.CanonSmiles(f"C({ABBREVIATIONS[label]})")
    assert "molecule-abbreviation" in codes(parsed)
    assert parsed.repaired


def test_abbreviations_keep_the_stereo_of_what_they_stand_on() -> None:
    assert parse_molecule("F/C=C/[Ph]").content.smiles == Chem.CanonSmiles("F/C=C/c1ccccc1")
    assert parse_molecule("[Boc]N[C@@H](C)[CO2Me]").content.smiles == Chem.CanonSmiles(
        "CC(C)(C)OC(=O)N[C@@H](C)C(=O)OC"
    )
    assert parse_molecule("C[C@]([OMe])(F)[Ph]").content.smiles == Chem.CanonSmiles("C[C@](OC)(F)c1ccccc1")


def test_a_label_with_two_bonds_is_not_written_out() -> None:
    parsed = parse_molecule("C[Ph]C")
    assert parsed.content.smiles == "C*C"
    assert "molecule-unknown-label" in codes(parsed)


@pytest.mark.parametrize("text", ["C[X]", "C[Foo]", "C[Ar]"])
def test_unknown_labels_become_dummies(text: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.smiles == "*C"
    assert "molecule-unknown-label" in codes(parsed)


def test_labels_that_are_element_symbols() -> None:
    acetyl = parse_molecule("C[Ac]")
    assert acetyl.content.smiles == "CC(C)=O"
    assert "molecule-ambiguous-label" in codes(acetyl)
    yttrium = parse_molecule("C[Y]")
    assert yttrium.content.smiles == "[CH3][Y]"
    assert codes(yttrium) == {"molecule-ambiguous-label"}
    assert parse_molecule("[Ac+3]").issues == ()
    assert parse_molecule("[Ar]").content.smiles == "[Ar]"


@pytest.mark.parametrize(
    "smiles", ["O.[Na+].[Cl-]", "[2H]OC", "[H][H]", "C[N+](=O)[O-]", "F/C=C\\F", "[13CH4]"]
)
def test_fragments_isotopes_charges_and_stereo_pass(smiles: str) -> None:
    parsed = parse_molecule(smiles)
    assert parsed.issues == ()
    assert parsed.content.smiles == Chem.CanonSmiles(smiles)


def test_dative_bonds_are_no_reaction() -> None:
    parsed = parse_molecule("N->[Pt](<-N)(Cl)Cl")
    assert parsed.content.is_valid
    assert "->" in (parsed.content.smiles or "")
    assert codes(parsed) == {"molecule-no-inchi", "molecule-no-molblock"}


@given(st.text(st.sampled_from("CNOcn1234()[]=#@+-/\\.%RPhBoc*HS> "), max_size=30))
@settings(max_examples=200, deadline=None)
def test_valid_and_only_valid_answers_have_a_smiles(text: str) -> None:
    content = parse_molecule(text).content
    assert content.is_valid == (content.smiles is not None)
    if content.smiles:
        again = parse_molecule(content.smiles).content
        assert again.is_valid
