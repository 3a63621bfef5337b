"""The molecule parser: valid structures described, each kind of failure with its own code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdAbbreviations, rdDepictor

from docai.contents import Fragment, Label, MoleculeContent, Stereo
from docai.parsers.base import Parsed
from docai.parsers.molecule import parse_molecule
from docai.parsers.molecule_labels import DOUBTFUL_ELEMENTS, ELEMENTS, GROUPS, LIKELY_GROUPS


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
    assert content.weight == pytest.approx(89.094, abs=0.001)
    assert content.exact_mass == pytest.approx(89.047678, abs=1e-6)
    assert content.charge == 0
    assert content.stereo == Stereo(centres=1, centres_specified=1)
    assert content.fragments == [Fragment(smiles=content.smiles, role="main")]
    assert content.labels == []
    assert content.smiles_labelled == content.smiles
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


@pytest.mark.parametrize("label", GROUPS)
def test_each_abbreviation_is_written_out(label: str) -> None:
    parsed = parse_molecule(f"C[{label}]")
    assert parsed.content.smiles == Chem.CanonSmiles(f"C({GROUPS[label]})")
    assert "molecule-abbreviation" in codes(parsed)
    assert parsed.repaired


def test_the_label_table_agrees_with_that_of_rdkit() -> None:
    theirs = {one.label: Chem.MolToSmiles(one.mol) for one in rdAbbreviations.GetDefaultAbbreviations()}
    # RDKit's iBu is the sec-butyl group, and its NC the isocyanide that no drawing means by "NC-".
    both = set(theirs) & set(GROUPS) - {"iBu", "NC"}
    assert len(both) > 20
    for label in both:
        assert Chem.CanonSmiles(f"*{GROUPS[label]}") == Chem.CanonSmiles(theirs[label]), label


def test_abbreviations_keep_the_stereo_of_what_they_stand_on() -> None:
    assert parse_molecule("F/C=C/[Ph]").content.smiles == Chem.CanonSmiles("F/C=C/c1ccccc1")
    assert parse_molecule("[Boc]N[C@@H](C)[CO2Me]").content.smiles == Chem.CanonSmiles(
        "CC(C)(C)OC(=O)N[C@@H](C)C(=O)OC"
    )
    assert parse_molecule("C[C@]([OMe])(F)[Ph]").content.smiles == Chem.CanonSmiles("C[C@](OC)(F)c1ccccc1")


def test_raw_labelled_and_expanded_smiles_are_all_kept() -> None:
    content = parse_molecule("[Boc]N[C@@H](C)C(=O)[R1]").content
    assert content.smiles == Chem.CanonSmiles("CC(C)(C)OC(=O)N[C@@H](C)C(=O)[1*]")
    assert content.smiles_labelled == "C[C@H](N[Boc])C(=O)[R1]"
    boc, r_group = content.labels
    assert (boc.text, boc.kind, boc.expanded, len(boc.atoms)) == ("Boc", "abbreviation", True, 7)
    assert (r_group.text, r_group.kind, r_group.expanded, len(r_group.atoms)) == ("R1", "r-group", False, 1)


@pytest.mark.parametrize("text", ["CC([Ph])[X]", "[Ph]C([X])C", "C([X])([Ph])C"])
def test_the_labelled_smiles_is_canonical(text: str) -> None:
    assert parse_molecule(text).content.smiles_labelled == "CC([Ph])[X]"


@given(st.permutations(["[Ph]", "[Ts]", "[R1]", "[X]", "C", "[2H]"]))
@settings(max_examples=40, deadline=None)
def test_the_labelled_smiles_is_read_as_what_it_came_from(parts: list[str]) -> None:
    content = parse_molecule("C({})({})C({})({})N({}){}".format(*parts)).content
    again = parse_molecule(content.smiles_labelled or "").content
    assert (again.smiles, again.smiles_labelled) == (content.smiles, content.smiles_labelled)
    assert sorted(label.text for label in again.labels) == sorted(label.text for label in content.labels)


def test_labels_point_to_their_atoms_of_the_mol_block() -> None:
    content = parse_molecule("[Ph]CN([R2])[CO2Et]").content
    mol = Chem.MolFromMolBlock(content.molblock, sanitize=False)
    symbols = [
        sorted(mol.GetAtomWithIdx(number - 1).GetSymbol() for number in label.atoms)
        for label in content.labels
    ]
    assert [label.text for label in content.labels] == ["Ph", "R2", "CO2Et"]
    assert symbols == [["C"] * 6, ["R"], ["C", "C", "C", "O", "O"]]


def test_a_label_with_two_bonds_is_not_written_out() -> None:
    parsed = parse_molecule("C[Ph]C")
    assert parsed.content.smiles == "C*C"
    assert parsed.content.smiles_labelled == "C[Ph]C"
    assert parsed.content.labels == [Label(text="Ph", kind="abbreviation", atoms=[2])]
    assert "molecule-unknown-label" in codes(parsed)


@pytest.mark.parametrize("text", ["C[X]", "C[Foo]", "C[Ar]"])
def test_unknown_labels_become_dummies(text: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.smiles == "*C"
    assert "molecule-unknown-label" in codes(parsed)
    assert parsed.content.smiles_labelled == text
    assert [(label.text, label.kind) for label in parsed.content.labels] == [(text[2:-1], "unknown")]
    assert parsed.content.weight is None


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


@pytest.mark.parametrize("label", ["Y", "Ra", "Rb", "Th", "Am", "Np", "No", "Os", "W", "U", "Nd", "Yb", "Lu"])
def test_a_label_that_is_an_element_is_never_taken_for_one_in_silence(label: str) -> None:
    assert label in DOUBTFUL_ELEMENTS & ELEMENTS
    parsed = parse_molecule(f"C[{label}]")
    assert codes(parsed) >= {"molecule-ambiguous-label"}
    assert label in (parsed.content.smiles or "")


@pytest.mark.parametrize("label", ["Ac", "Pr", "Ar", "Ts"])
def test_a_group_that_is_an_element_is_a_group_where_it_is_bonded(label: str) -> None:
    assert label in LIKELY_GROUPS & ELEMENTS
    parsed = parse_molecule(f"C[{label}]")
    assert codes(parsed) >= {"molecule-ambiguous-label"}
    assert f"[{label}]" not in (parsed.content.smiles or "")
    assert [found.text for found in parsed.content.labels] == [label]
    assert parse_molecule(f"[{label}]").content.labels == []


def test_dative_bonds_are_no_reaction() -> None:
    parsed = parse_molecule("N->[Pt](<-N)(Cl)Cl")
    assert parsed.content.is_valid
    assert (parsed.content.smiles or "").count("->") == 1
    assert (parsed.content.smiles or "").count("<-") == 1
    assert codes(parsed) == {"molecule-no-inchi", "molecule-dative-bond"}
    assert "V3000" in (parsed.content.molblock or "")
    mol = Chem.MolFromMolBlock(parsed.content.molblock)
    assert Chem.MolToSmiles(mol) == parsed.content.smiles


def test_a_bond_to_a_metal_that_only_a_dative_one_can_be() -> None:
    parsed = parse_molecule("c1ccn([Pt])cc1")
    assert codes(parsed) == {"molecule-kekulisation", "molecule-dative-missing"}
    assert parse_molecule("c1ccn(->[Pt])cc1").content.is_valid
    assert codes(parse_molecule("C[N](C)(C)[Pt]")) == {"molecule-dative-bond", "molecule-no-inchi"}
    assert codes(parse_molecule("C(C)(C)(C)(C)C[Pt]")) == {"molecule-valence"}


@pytest.mark.parametrize(
    ("smiles", "roles"),
    [
        ("CCN.Cl", {"CCN": "main", "Cl": "counter-ion"}),
        ("CC(=O)[O-].[Na+]", {"CC(=O)[O-]": "main", "[Na+]": "counter-ion"}),
        ("O.[Na+].[Cl-]", {"O": "solvent", "[Na+]": "counter-ion", "[Cl-]": "counter-ion"}),
        ("c1ccccc1C.C1CCOC1", {"Cc1ccccc1": "main", "C1CCOC1": "solvent"}),
        ("CC(C)=O.CO", {"CC(C)=O": "main", "CO": "solvent"}),
        ("CCCCCCCN.CCCCN", {"CCCCCCCN": "main", "CCCCN": "other"}),
    ],
)
def test_salts_and_solvents_are_told_from_the_main_fragment(smiles: str, roles: dict[str, str]) -> None:
    content = parse_molecule(smiles).content
    assert {part.smiles: part.role for part in content.fragments} == roles
    assert sum(part.charge for part in content.fragments) == content.charge


def test_each_copy_of_a_fragment_is_listed_in_canonical_order() -> None:
    first, second = (parse_molecule(text).content for text in ("CCN.OS(O)(=O)=O.CCN", "OS(=O)(=O)O.CCN.NCC"))
    assert [part.smiles for part in first.fragments] == ["CCN", "CCN", "O=S(=O)(O)O"]
    assert first.smiles == second.smiles
    assert first.fragments == second.fragments


def test_stereo_is_counted() -> None:
    content = parse_molecule("C[C@H](N)C(O)/C=C/C(F)=CCl").content
    assert content.stereo == Stereo(centres=2, centres_specified=1, bonds=2, bonds_specified=1)


@pytest.mark.parametrize(
    ("smiles", "dropped"),
    [
        ("C[C@H](C)C", 1),
        ("CC=[C@]=CC", 1),
        ("F/C=CF", 1),
        ("F/C(F)=C/F", 1),
        ("C1/C=C/CCC1", 1),
        ("C/C", 1),
        ("C[C@](F)([Ph])[Ph]", 1),
        ("C[C@H](C)/C=C(/C)C", 2),
    ],
)
def test_stereo_is_never_dropped_unsaid(smiles: str, dropped: int) -> None:
    parsed = parse_molecule(smiles)
    assert parsed.content.is_valid
    assert "molecule-stereo-dropped" in codes(parsed)
    assert parsed.repaired
    assert parsed.content.stereo is not None
    assert parsed.content.stereo.dropped == dropped


@pytest.mark.parametrize(
    "smiles",
    [
        "F/C=C/C=C/C=C",
        "F/C=C/[Ph]",
        "C/C=N/O",
        "[H]/C(F)=C/F",
        "C[S@](=O)CC",
        "C[C@H]1CC[C@@H](C)CC1",
        "[H][C@](C)(F)Cl",
        "[Ph][C@](C)(F)[Ts]",
        "C/1=C/CCCCCCCC1",
    ],
)
def test_stereo_that_holds_is_kept(smiles: str) -> None:
    parsed = parse_molecule(smiles)
    assert "molecule-stereo-dropped" not in codes(parsed)
    stereo = parsed.content.stereo
    assert stereo is not None
    assert stereo.dropped == 0
    assert stereo.centres_specified + stereo.bonds_specified > 0


def test_configurations_are_wedges_of_the_mol_block() -> None:
    content = parse_molecule("C[C@H](N)/C=C/[C@@H](F)Cl").content
    assert Chem.MolToSmiles(Chem.MolFromMolBlock(content.molblock)) == content.smiles


def test_an_isotope_counts_in_the_weight_and_a_charge_in_the_charge() -> None:
    heavy = parse_molecule("[2H]C([2H])([2H])O").content
    assert heavy.weight == pytest.approx(35.06, abs=0.01)
    assert parse_molecule("C[N+](C)(C)C").content.charge == 1


def test_a_structure_that_cannot_be_laid_out_keeps_its_smiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(mol: Chem.Mol) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(rdDepictor, "Compute2DCoords", refuse)
    parsed = parse_molecule("CCO")
    assert codes(parsed) == {"molecule-no-molblock"}
    assert (parsed.content.smiles, parsed.content.molblock) == ("CCO", None)


def test_labels_are_not_written_out_beyond_the_largest_structure() -> None:
    assert codes(parse_molecule("C([TBDPS])" * 30)) == {"molecule-too-long"}
    assert parse_molecule("C([TBDPS])" * 10).content.is_valid


@given(st.text(st.sampled_from("CNOcn1234()[]=#@+-/\\.%RPhBoc*HS> "), max_size=30))
@settings(max_examples=200, deadline=None)
def test_valid_and_only_valid_answers_have_a_smiles(text: str) -> None:
    content = parse_molecule(text).content
    assert content.is_valid == (content.smiles is not None)
    if content.smiles:
        again = parse_molecule(content.smiles).content
        assert again.is_valid
