"""SMILES against SMILES: the reference's values, the traps of the format, and pairing on pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from docai.geometry import BBox
from docai.pipelines.evaluation.base import Belief, CaseScore, Item, Prediction, Sample
from docai.pipelines.evaluation.metrics import molecules
from docai.pipelines.evaluation.metrics.molecules import (
    MOLECULE,
    SmilesMatch,
    molscribe_canonical,
    smiles_match,
)

# What MolScribe's evaluate.py (its canonicalize_smiles with SmilesPE 0.0.3) gives for an answer and a truth:
# canon_smiles, graph.
MOLSCRIBE = [
    ("OCC", "CCO", True, True),
    ("", "C", False, False),
    ("", "", False, False),
    ("C", "", False, False),
    ("<empty>", "", False, False),
    ("   ", "C", False, False),
    ("CC ", "CC", True, True),
    ("CC\n", "CC", True, True),
    ("C C", "CC", True, True),
    ("Cxx", "C", True, True),
    ("CC[", "CC", True, True),
    ("[]C", "C", True, True),
    ("CC |$R1;;$|", "CC", False, False),
    ("N->[Pt](<-N)(Cl)Cl", "N->[Pt](<-N)(Cl)Cl", True, True),
    ("N[Pt](N)(Cl)Cl", "N->[Pt](<-N)(Cl)Cl", False, False),
    ("N->[Pt](<-N)(Cl)Cl", "[NH3][Pt]([NH3])(Cl)Cl", False, False),
    ("[Ar]C", "[Ar]C", True, True),
    ("[Ar]C", "*C", False, False),
    ("[R1]CC", "[1*]CC", True, True),
    ("[R12]C", "[12*]C", True, True),
    ("[R1]CC", "[R2]CC", False, True),
    ("[R]CC", "*CC", True, True),
    ("[R1a]C", "[R2b]C", True, True),
    ("[R²]C", "*C", False, False),
    ("[Ph]CC", "[Me]CC", True, True),
    ("[Ph]CC", "CCc1ccccc1", False, False),
    ("[Na+].[Cl-]", "[Cl-].[Na+]", True, True),
    ("[Na]Cl", "[Na+].[Cl-]", False, False),
    ("CC[O−]", "CC[O-]", False, False),
    ("CC[O−]", "CC*", True, True),
    ("Oc1ccncc1", "O=c1cc[nH]cc1", False, False),
    ("CC>>CO", "CC>>CO", True, True),
    ("CC>>CO", "CO>>CC", False, False),
    ("C1CC", "C1CC ", True, True),
    ("c1cccc1", "c1cccc1", True, True),
    ("F/C=C/F", r"F/C=C\F", True, True),
    ("F/C=C/F", "FC=CF", True, True),
    ("C[C@H](N)O", "C[C@@H](N)O", False, True),
    ("C[C@H](N)O", "CC(N)O", False, True),
    ("[2H]C", "C", False, False),
    ("[13CH4]", "C", False, True),
    ("[1*]C", "[2*]C", False, True),
    ("[Y]CC", "CC*", False, False),
    ("C%(100)CCC%(100)", "C1CCC1", False, False),
    ("[H]C", "C", True, True),
    ("C[N+](=O)[O-]", "CN(=O)=O", True, True),
    ("*C", "[*]C", True, True),
    ("[C@@@H]C", "*C", True, True),
]


@pytest.mark.parametrize(("pred", "truth", "canon_smiles", "graph"), MOLSCRIBE)
def test_both_figures_of_molscribe_are_those_of_its_own_code(
    pred: str, truth: str, canon_smiles: bool, graph: bool
) -> None:
    match = smiles_match(pred, truth)
    assert (match.exact_no_ez, match.graph) == (canon_smiles, graph)


@pytest.mark.parametrize(
    ("smiles", "canonical"),
    [
        ("N->[Pt](<-N)(Cl)Cl", "[NH2][Pt](<-[NH3])([Cl])[Cl]"),
        ("CC |$R1;;$|", "CC$1$"),
        ("   ", ""),
        ("[Ar]C", "[Ar]C"),
        ("<empty>", "p>"),
        ("C1CC ", "C1CC"),
        ("[Ph]C[R3]", "*C[3*]"),
        (r"C/C=C/[C@H](F)Cl", "CC=C[C@H](F)Cl"),
    ],
)
def test_molscribe_canonical_is_the_text_that_molscribe_compares(smiles: str, canonical: str) -> None:
    assert molscribe_canonical(smiles) == canonical


def outcome(match: SmilesMatch) -> tuple[bool | None, bool | None, bool]:
    return match.exact, match.inchikey, match.valid


@pytest.mark.parametrize(
    ("pred", "truth", "expected"),
    [
        ("OCC", "CCO", (True, True, True)),
        ("CCN", "CCO", (False, False, True)),
        ("", "C", (False, False, False)),
        ("   ", "C", (False, False, False)),
        ("CC ", "CC", (True, True, True)),
        ("\tCC\r\n", "CC", (True, True, True)),
        ("CC |$R1;;$|", "CC", (True, True, True)),
        ("CC ethane", "CC", (True, True, True)),
        ("N->[Pt](<-N)(Cl)Cl", "Cl[Pt](<-N)(<-N)Cl", (True, None, True)),
        ("[Ar]C", "CC", (False, False, False)),
        ("[Y]CC", "CCC", (False, False, True)),
        ("[Na+].[Cl-]", "[Cl-].[Na+]", (True, True, True)),
        ("[Na]Cl", "[Na+].[Cl-]", (False, True, True)),
        ("Oc1ccncc1", "O=c1cc[nH]cc1", (False, True, True)),
        ("CC[O−]", "CC[O-]", (False, False, False)),
        ("C−", "C", (False, False, False)),
        ("CC>>CO", "CC", (False, False, False)),
        ("C1CC", "C1CC1", (False, False, False)),
        ("c1cccc1", "C1CCCC1", (False, False, False)),
        ("F/C=C/F", r"F/C=C\F", (False, False, True)),
        ("C[C@H](N)O", "C[C@@H](N)O", (False, False, True)),
        ("[2H]C", "C", (False, False, True)),
        ("c1ccccc1", "C1=CC=CC=C1", (True, True, True)),
        ("C%(100)CCC%(100)", "C1CCC1", (True, True, True)),
        ("[C@@@H]C", "CC", (False, False, False)),
        ("\ud800", "C", (False, False, False)),
    ],
)
def test_exact_inchikey_and_validity(
    pred: str, truth: str, expected: tuple[bool | None, bool | None, bool]
) -> None:
    assert outcome(smiles_match(pred, truth)) == expected


@pytest.mark.parametrize(
    ("pred", "truth", "exact"),
    [
        ("[R1]CC", "[1*]CC", True),
        ("[R1]CC", "[R2]CC", False),
        ("[R]CC", "*CC", True),
        ("[Ph]CC", "CC[Ph]", True),
        ("[Ph]CC", "[Me]CC", False),
        ("[Ph]CC[Me]", "[Me]CC[Ph]", True),
        ("[Ph]CC(O)[Me]", "[Me]CC(O)[Ph]", False),
        ("[Ph]CC", "*CC", False),
    ],
)
def test_a_label_equals_itself_alone_and_there_is_no_inchikey(pred: str, truth: str, exact: bool) -> None:
    match = smiles_match(pred, truth)
    assert outcome(match) == (exact, None, True)
    assert molecules.NO_INCHI in match.notes


def test_a_group_that_is_written_as_its_label_is_not_the_group() -> None:
    assert outcome(smiles_match("[Ph]CC", "CCc1ccccc1")) == (False, False, True)


@pytest.mark.parametrize("truth", ["", "  ", "C1CC", "[Ar]C", "CC>>CO"])
def test_an_invalid_truth_leaves_molscribes_two_figures_and_validity(truth: str) -> None:
    match = smiles_match("CC", truth)
    assert (match.exact, match.inchikey, match.tanimoto) == (None, None, None)
    assert match.notes == (molecules.INVALID_TRUTH,)
    assert match.valid
    assert not match.exact_no_ez


def test_tanimoto_is_that_of_morgan_bits_of_radius_2() -> None:
    # Ethanol has 6 environments, ethylamine 6; CH3, CH2 and CH3 beside CH2 are in both: 3 / (6 + 6 - 3).
    assert smiles_match("CCO", "CCN").tanimoto == pytest.approx(1 / 3)
    assert smiles_match("C[C@H](N)O", "C[C@@H](N)O").tanimoto == 1
    assert smiles_match("nonsense", "CCN").tanimoto == 0


def test_what_follows_the_smiles_is_noted() -> None:
    assert smiles_match("CC ethane", "CC").notes == (molecules.EXTRA_TEXT,)


def test_an_endless_chain_is_invalid_and_does_not_crash() -> None:
    match = smiles_match("C" * 30_000, "CC")
    assert outcome(match) == (False, False, False)
    assert not match.exact_no_ez


def test_rdkit_says_nothing_and_its_log_is_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = rdBase.LogStatus()
    smiles_match("C1CC", "c1cccc1")
    assert capfd.readouterr().err == ""
    assert rdBase.LogStatus() == before


SMILES = st.sampled_from(
    [
        "C[C@H](N)C(=O)O",
        r"CC/C=C\CO",
        "[Na+].[O-]C(=O)c1ccccc1",
        "[1*]c1ccc([2*])cc1",
        "C1CC2CCC1C2",
        r"C/C(=N\O)/C",
        "[13CH3]O[2H]",
        "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
        "C[N+](C)(C)CC([O-])=O",
        "[C@H]1(F)CC[C@@H](Cl)CC1",
        "CS(=O)(=O)Nc1ccc2[nH]ccc2c1",
        "*CC*",
    ]
)


@given(SMILES, st.integers(0, 2**20))
def test_every_spelling_of_a_molecule_matches_it(smiles: str, seed: int) -> None:
    spelling = Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 1, randomSeed=seed)[0]
    match = smiles_match(spelling, smiles)
    assert (match.exact, match.exact_no_ez, match.graph, match.valid) == (True, True, True, True)
    assert match.inchikey is (None if "*" in smiles else True)
    assert match.tanimoto == 1


@given(SMILES, SMILES)
def test_a_match_and_tanimoto_are_the_same_both_ways(one: str, other: str) -> None:
    there, back = smiles_match(one, other), smiles_match(other, one)
    assert (there.exact, there.exact_no_ez, there.graph) == (back.exact, back.exact_no_ez, back.graph)
    assert there.tanimoto is not None
    assert there.tanimoto == back.tanimoto
    assert 0 <= there.tanimoto <= 1
    assert there.exact is (there.tanimoto == 1 and one == other)


@settings(max_examples=200)
@given(st.text(alphabet="CNOcn()[]=#12/\\@HR+-.*>|% −\ud800", max_size=24), SMILES)
def test_every_text_is_an_answer_and_a_truth(text: str, smiles: str) -> None:
    assert smiles_match(text, smiles).exact in (True, False)
    assert smiles_match(smiles, text).valid
    assert smiles_match(text, text).exact in (True, None)


LEFT: BBox = (0, 0, 10, 10)
RIGHT: BBox = (20, 0, 30, 10)


def item(smiles: str, bbox: BBox | None = None, *, page: int = 1, confidence: float | None = None) -> Item:
    return Item(kind="molecule", text=smiles, bbox=bbox, page=page, confidence=confidence)


def on_page(truths: list[Item], preds: list[Item]) -> CaseScore:
    sample = Sample(id="a", truth=tuple(truths), unit="page")
    return MOLECULE.score(sample, Prediction(id="a", items=preds))


def shares(score: CaseScore, *names: str) -> list[tuple[float, float]]:
    return [tuple(score.ratios[name]) for name in names]


def test_atoms_are_held_against_those_of_the_canonical_truth() -> None:
    sample = Sample(id="a", truth=(item("C(C)N"),))
    sure = item("CCO").model_copy(update={"parts": [0.9, None, 0.2]})
    score = MOLECULE.score(sample, Prediction(id="a", items=[sure]))
    assert score.part_beliefs == {"atom": (Belief(0.9, True), Belief(0.2, False))}
    other = sure.model_copy(update={"parts": [0.9]})
    assert MOLECULE.score(sample, Prediction(id="a", items=[other])).part_beliefs == {}


def test_a_crop_has_one_answer_and_all_measures() -> None:
    sample = Sample(id="a", truth=(item("CCO"),))
    score = MOLECULE.score(sample, Prediction(id="a", items=[item("OCC", confidence=0.9)]))
    assert list(score.ratios) == [measure.name for measure in MOLECULE.measures]
    assert set(score.ratios.values()) == {(1, 1)}
    assert score.beliefs == (Belief(0.9, True),)
    assert score.notes == ()


@pytest.mark.parametrize(
    "prediction",
    [
        None,
        Prediction(id="a"),
        Prediction(id="a", error="it broke"),
        Prediction(id="a", items=[Item(kind="table", text="CCO")]),
    ],
)
def test_no_answer_counts_as_wrong_and_is_noted(prediction: Prediction | None) -> None:
    score = MOLECULE.score(Sample(id="a", truth=(item("CCO"),)), prediction)
    assert (
        shares(score, "exact", "exact-no-ez", "graph", "inchikey", "tanimoto", "valid", "found")
        == [(0, 1)] * 7
    )
    assert shares(score, "precise") == [(0, 0)]
    assert score.notes == (molecules.MISSING,)


def test_what_is_not_defined_has_a_denominator_of_0() -> None:
    score = MOLECULE.score(Sample(id="a", truth=(item("C1CC"),)), Prediction(id="a", items=[item("C1CC")]))
    assert shares(score, "exact", "inchikey", "tanimoto") == [(0, 0)] * 3
    assert shares(score, "exact-no-ez", "valid") == [(1, 1), (0, 1)]
    assert molecules.INVALID_TRUTH in score.notes


def test_on_a_page_boxes_say_what_belongs_together() -> None:
    score = on_page([item("CCO", LEFT), item("CCN", RIGHT)], [item("CCN", RIGHT), item("CCO", LEFT)])
    assert shares(score, "exact", "found", "precise") == [(2, 2)] * 3
    assert score.notes == ()


def test_a_truth_is_matched_once_and_the_rest_are_inventions() -> None:
    shifted = (1.0, 0.0, 11.0, 10.0)
    score = on_page(
        [item("CCO", LEFT), item("CCN", RIGHT)],
        [item("C", shifted, confidence=0.4), item("CCO", LEFT, confidence=0.8), item("CCN", RIGHT, page=2)],
    )
    assert shares(score, "exact", "found", "precise") == [(1, 2), (1, 2), (1, 3)]
    assert score.notes == (molecules.MISSING, molecules.SURPLUS)
    assert set(score.beliefs) == {Belief(0.8, True), Belief(0.4, False)}


@pytest.mark.parametrize(("width", "n_found"), [(5.0, 1), (4.9, 0)])
def test_half_an_overlap_is_a_match_and_less_is_none(width: float, n_found: int) -> None:
    score = on_page([item("CCO", LEFT)], [item("CCO", (0, 0, width, 10))])
    assert shares(score, "exact", "found", "precise") == [(n_found, 1)] * 3


def test_without_boxes_reading_order_pairs_and_that_is_noted() -> None:
    score = on_page([item("CCO"), item("CCN")], [item("CCO", LEFT), item("CCN"), item("C")])
    assert shares(score, "exact", "precise") == [(2, 2), (2, 3)]
    assert molecules.NO_BOXES in score.notes


def test_inventions_on_a_page_without_molecules_cost_precision_alone() -> None:
    score = on_page([], [item("CCO", LEFT)])
    assert shares(score, "precise", "exact", "found") == [(0, 1), (0, 0), (0, 0)]
