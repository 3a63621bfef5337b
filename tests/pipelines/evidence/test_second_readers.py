"""Several second readers of one region: what they say together."""

from __future__ import annotations

import pytest

from docai.models.heads import HEADS
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.second_readers import join_second_readers
from docai.pipelines.evidence.trust import MOLECULE_COINCIDENCE, TRUST, agreed, contradicted, trust_in
from docai.records import Evidence

BENZENE, PYRIDINE = "c1ccccc1", "c1ccncc1"

OSRA, IMAGO = TRUST["osra"].record, TRUST["imago"].record


def _reading(source: Evidence, smiles: str, *, complete: bool = True) -> Reading:
    return Reading(source, HEADS["molecule"].parser(smiles).content, smiles, complete=complete)


def test_two_that_say_the_same_are_trusted_more_than_either() -> None:
    joined, rest = join_second_readers([_reading("imago", BENZENE), _reading("osra", BENZENE)])
    assert joined is not None
    assert (joined.source, joined.supporters) == ("osra", ("imago",))
    assert trust_in(joined).record == pytest.approx(agreed(OSRA, IMAGO, MOLECULE_COINCIDENCE))
    assert not rest


def test_two_that_differ_are_trusted_less_than_either() -> None:
    joined, rest = join_second_readers([_reading("imago", PYRIDINE), _reading("osra", BENZENE)])
    assert joined is not None
    assert (joined.source, joined.opponents) == ("osra", ("imago",))
    assert trust_in(joined).record == pytest.approx(contradicted(OSRA, IMAGO))
    assert [(one.source, one.content) for one in rest] == [("imago", PYRIDINE)]


def test_a_complete_answer_comes_before_one_that_is_not() -> None:
    joined, _ = join_second_readers([_reading("osra", BENZENE, complete=False), _reading("imago", PYRIDINE)])
    assert joined is not None
    assert (joined.source, joined.opponents) == ("imago", ())


def test_who_sees_nothing_neither_speaks_for_an_answer_nor_against_it() -> None:
    joined, rest = join_second_readers([Reading("osra"), _reading("imago", PYRIDINE)])
    assert joined is not None
    assert (joined.source, joined.supporters, joined.opponents) == ("imago", (), ())
    assert not rest


def test_the_record_names_all_who_said_it_and_keeps_what_the_others_said() -> None:
    both = decide("molecule", None, [_reading("imago", BENZENE), _reading("osra", BENZENE)])
    assert both is not None
    assert both.evidence == ("osra", "imago")
    one = decide("molecule", None, [_reading("imago", PYRIDINE), _reading("osra", BENZENE)])
    assert one is not None
    assert one.evidence == ("osra",)
    assert [alternative.source for alternative in one.alternatives] == ["imago"]
    assert one.confidence.value == pytest.approx(contradicted(OSRA, IMAGO))
