"""Which letters make one label, and what is raised, lowered or on another line."""

from __future__ import annotations

import math
import random

import pytest

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.labels import group_labels, without_notes
from docai.pipelines.drawings.molecule.types import LabelMark
from tests.pipelines.drawings.molecule.label_marks import CAP, EM, letter, row


def texts(marks: list[LabelMark]) -> list[str]:
    return ["".join(one.text for one in mark.letters) for mark in marks]


def scripts(mark: LabelMark) -> str:
    return "".join("_0^"[script + 1] for script in mark.scripts)


@pytest.mark.parametrize("size", [3.0, 10.0, 40.0])
@pytest.mark.parametrize(
    ("written", "expected"),
    [("OH", "00"), ("CO_2H", "00_0"), ("NH_3^+", "00_^"), ("^1^3CH_3", "^^00_"), ("SO_3^-", "00_^")],
)
def test_letters_of_one_line_are_one_label_at_any_size(written: str, expected: str, size: float) -> None:
    (mark,) = group_labels(row(written, size=size), 2 * size, [])
    assert texts([mark]) == [written.replace("_", "").replace("^", "")]
    assert scripts(mark) == expected


def test_letters_far_apart_are_labels_of_their_own() -> None:
    marks = group_labels([*row("OH"), *row("NH", x=40.0), *row("O", y=40.0)], 20.0, [])
    assert sorted(texts(marks)) == ["NH", "O", "OH"]


def test_a_number_of_the_same_size_is_lowered_by_its_base_line() -> None:
    marks = group_labels([letter("C", 0.0), letter("F", 7.0), letter("3", 14.0, 3.0)], 20.0, [])
    assert [scripts(mark) for mark in marks] == ["00_"]


def test_hydrogens_above_and_below_an_atom_are_of_its_label() -> None:
    for y in (-9.5, 9.5):
        nitrogen = letter("N", 0.0)
        ends = [((-2.0, -CAP / 2), (1.0, 0.0)), ((8.0, -CAP / 2), (-1.0, 0.0))]
        (mark,) = group_labels([nitrogen, *row("H_2", y=y)], 20.0, ends)
        assert sorted(texts([mark])[0]) == ["2", "H", "N"]
        assert len(set(mark.lines)) == 2
        assert mark.lines[mark.letters.index(nitrogen)] == (1 if y < 0 else 0)


def test_atoms_above_each_other_with_a_bond_each_are_two_labels() -> None:
    letters = [letter("O", 0.0), letter("N", 0.0, 11.0)]
    ends = [((-2.0, -CAP / 2), (1.0, 0.0)), ((-2.0, 11.0 - CAP / 2), (1.0, 0.0))]
    assert sorted(texts(group_labels(letters, 20.0, ends))) == ["N", "O"]


def test_a_bond_between_two_letters_parts_them() -> None:
    letters = [letter("N", 0.0), letter("N", 9.0)]
    assert texts(group_labels(letters, 12.0, [])) == ["NN"]
    ends = [((6.5, -CAP / 2), (-1.0, 0.0)), ((8.5, -CAP / 2), (1.0, 0.0))]
    assert texts(group_labels(letters, 12.0, ends)) == ["N", "N"]


def test_a_lowered_number_stays_with_the_letter_before_it_where_the_next_label_is_near() -> None:
    crowded = [*row("CH_3"), letter("O", 14.5, 9.0)]
    ends = [((-2.0, -CAP / 2), (1.0, 0.0)), ((17.0, 12.0), (0.0, -1.0))]
    assert sorted(texts(group_labels(crowded, 20.0, ends))) == ["CH3", "O"]


def test_a_charge_set_apart_belongs_to_the_nearest_atom() -> None:
    marks = group_labels([letter("O", 0.0), letter("−", 7.0, -6.0), letter("N", 40.0)], 20.0, [])
    assert sorted(texts(marks)) == ["N", "O−"]


def test_turned_letters_and_shapes_larger_than_letters_are_left_out() -> None:
    turned = letter("O", 0.0, angle=90.0)
    background = Letter(".", (0.0, 0.0, 300.0, 300.0), EM, 0.0, 0)
    broken = Letter("N", (math.nan, 0.0, 5.0, 5.0), EM, 0.0, 0)
    assert group_labels([turned, background, broken], 20.0, []) == []
    assert group_labels([], 20.0, []) == []


def test_any_number_of_letters_anywhere_is_grouped() -> None:
    rng = random.Random(7)
    letters = [letter(rng.choice("CHON23+-"), rng.uniform(0, 300), rng.uniform(0, 300)) for _ in range(800)]
    ends = [((rng.uniform(0, 300), rng.uniform(0, 300)), (1.0, 0.0)) for _ in range(300)]
    marks = group_labels(letters, 20.0, ends)
    in_marks = [one for mark in marks for one in mark.letters]
    assert len(in_marks) == len({id(one) for one in in_marks})
    assert all(any(one is other for other in letters) for one in in_marks)
    assert len(in_marks) > 700


def test_numbers_of_atoms_and_descriptors_of_stereo_are_no_labels_of_atoms() -> None:
    label, number, descriptor = row("OH"), row("12", x=60.0, size=6.0), row("(R)", x=120.0, size=6.0)
    assert texts(group_labels([*label, *number, *descriptor], 20.0, [])) == ["OH"]
    assert without_notes([*label, *number, *descriptor]) == label


def test_a_number_right_at_a_label_may_be_of_it() -> None:
    number = letter("3", -4.5, 5.0, size=6.0)
    assert sorted(texts(group_labels([*row("OH"), number], 20.0, []))) in (["3", "OH"], ["3OH"])
