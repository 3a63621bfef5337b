"""Which structure of a picture is believed, of the answers of its readers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer
from docai.pipelines.evidence.molecule_vote import join_molecules, reading_of_answers
from docai.pipelines.evidence.second_readers import is_doubtful, join_second_readers
from docai.records import Evidence

ASPIRIN, OTHER, ODD = "CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(N)=O", "*C(=O)Oc1ccccc1C(=O)O"


def _reading(source: Evidence, *smiles: str | None) -> Reading:
    answers = [
        MoleculeAnswer(one, f"number {number}", 0.99, 3.0 if source == "osra" else 0.0)
        for number, one in enumerate(smiles)
    ]
    return reading_of_answers(source, answers)


def _sure(*readings: Reading) -> float:
    joined, _ = join_molecules(readings)
    assert joined is not None
    assert joined.confidence.value is not None
    return joined.confidence.value


def test_a_structure_of_two_readers_is_surer_than_of_one() -> None:
    imago, osra = _reading("imago", *[ASPIRIN] * 4), _reading("osra", *[ASPIRIN] * 4)
    joined, rest = join_second_readers([imago, osra])
    assert joined is not None
    assert {joined.source, *joined.supporters} == {"imago", "osra"}
    assert joined.text == ASPIRIN
    assert not rest
    assert _sure(imago, osra) > max(_sure(imago), _sure(osra))
    assert not is_doubtful([imago, osra])


def test_preparations_that_differ_make_it_doubtful() -> None:
    steady, unsteady = _reading("imago", *[ASPIRIN] * 4), _reading("imago", ASPIRIN, OTHER, None, ODD)
    assert _sure(steady) > _sure(unsteady)
    assert is_doubtful([unsteady])


def test_methyl_where_the_picture_shows_an_i_is_doubtful() -> None:
    answers = [MoleculeAnswer("Cc1ccccc1", f"number {number}", 0.99) for number in range(3)]
    plain = reading_of_answers("imago", answers)
    shown = reading_of_answers("imago", [replace(one, n_stems=1) for one in answers])
    assert _sure(plain) > 0.8
    assert _sure(shown) < 0.5
    iodine = [MoleculeAnswer("Ic1ccccc1", f"number {number}", 0.99, n_stems=1) for number in range(3)]
    assert _sure(reading_of_answers("imago", iodine)) == pytest.approx(_sure(plain), abs=0.02)


def test_lines_that_imago_could_not_place_make_it_doubtful() -> None:
    answers = [MoleculeAnswer("C1CCCCC1", f"number {number}", 0.99, -3.0) for number in range(8)]
    assert is_doubtful([reading_of_answers("imago", answers)])
    assert _sure(reading_of_answers("imago", answers)) < _sure(
        reading_of_answers("imago", [replace(one, own=0.0) for one in answers])
    )


def test_another_structure_of_the_other_reader_is_an_alternative() -> None:
    joined, rest = join_molecules([_reading("imago", *[ASPIRIN] * 4), _reading("osra", ODD, ODD, OTHER)])
    assert joined is not None
    assert joined.text == ASPIRIN
    assert joined.opponents == ("osra",)
    assert [one.source for one in rest] == ["osra"]
    assert _sure(_reading("imago", *[ASPIRIN] * 4)) > _sure(
        _reading("imago", *[ASPIRIN] * 4), _reading("osra", OTHER, OTHER)
    )


def test_what_a_reader_saw_in_one_preparation_is_believed_where_the_other_confirms_it() -> None:
    joined, _ = join_molecules([_reading("imago", OTHER, ASPIRIN, ODD), _reading("osra", ASPIRIN, ASPIRIN)])
    assert joined is not None
    assert joined.text == ASPIRIN
    assert set(joined.supporters) == {"imago"}


def test_a_structure_with_unread_labels_is_not_complete() -> None:
    joined, _ = join_molecules([_reading("imago", ODD)])
    assert joined is not None
    assert not joined.complete


@pytest.mark.parametrize("readings", [[], [_reading("imago")], [_reading("imago", None), _reading("osra")]])
def test_readers_that_see_nothing_have_no_structure(readings: list[Reading]) -> None:
    joined, rest = join_molecules(readings)
    assert joined is None or joined.content is None
    assert not rest
    assert is_doubtful(readings)


def test_the_record_has_the_structure_its_readers_and_the_confidence_of_the_vote() -> None:
    readings = [_reading("imago", *[ASPIRIN] * 4), _reading("osra", ASPIRIN, OTHER)]
    decision = decide("molecule", None, readings)
    assert decision is not None
    assert set(decision.evidence) == {"imago", "osra"}
    assert decision.confidence.value == pytest.approx(_sure(*readings))


BETAINE, WITHOUT_SIGNS = "C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)O"


def _traced(smiles: str, own: float = 0.99, n_signs: int = 0) -> Reading:
    answer = MoleculeAnswer(smiles, "as it is", 1.0, own, n_signs=n_signs)
    return reading_of_answers("tracing", [answer])


def test_signs_that_a_program_overlooks_are_those_that_the_tracing_sees() -> None:
    overlooked = _reading("imago", *[WITHOUT_SIGNS] * 4)
    joined, rest = join_molecules([overlooked, _traced(BETAINE)])
    assert joined is not None
    assert joined.text == BETAINE
    assert {joined.source, *joined.supporters} == {"imago", "tracing"}
    assert not rest
    assert _sure(overlooked, _traced(BETAINE)) > 0.9


@pytest.mark.parametrize("traced", ["CN(C)CC(=O)[O-]", "C[N+](C)(C)CCC(=O)[O-]", "C[N+](C)(C)CC(=O)O"])
def test_another_structure_with_signs_changes_no_answer(traced: str) -> None:
    joined, _ = join_molecules([_reading("imago", *[WITHOUT_SIGNS] * 4), _traced(traced)])
    assert joined is not None
    assert joined.text in {WITHOUT_SIGNS, traced}


def test_what_the_tracing_hardly_made_out_changes_no_answer() -> None:
    readings = [_reading("imago", *[WITHOUT_SIGNS] * 4), _traced(BETAINE, own=0.1)]
    joined, rest = join_molecules(readings)
    assert joined is not None
    assert not joined.supporters
    assert len(rest) == 1
    assert is_doubtful(readings)


def test_a_structure_without_charges_where_the_picture_shows_a_plus_is_doubtful() -> None:
    glycine = "NCC(=O)O"
    imago = _reading("imago", *[glycine] * 4)
    assert _sure(imago, _traced("CCO", own=0.1)) > 0.4
    assert _sure(imago, _traced("CCO", own=0.1, n_signs=1)) < 0.15
