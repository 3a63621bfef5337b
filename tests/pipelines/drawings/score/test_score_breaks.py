"""Ties over the breaks between systems."""

from __future__ import annotations

from docai.pipelines.drawings.score.reading import read_found_systems
from docai.pipelines.drawings.score.types import Curve, System
from tests.pipelines.drawings.score.hand_drawn import a_system, add_note


def open_curve(system: System, chord: int, *, is_out: bool, dy: float = 5) -> None:
    """A curve between a chord and the break, beside its lowest head."""
    box = system.chords[chord].heads[0].bbox
    y = (box[1] + box[3]) / 2 - dy
    if is_out:
        system.curves.append(Curve((box[2], y), (500, y), True, (0, 0, 0, 0), chord, None))
    else:
        system.curves.append(Curve((20, y), (box[0], y), True, (0, 0, 0, 0), None, chord))


def pair(position: int, accidental: str = "") -> list[System]:
    upper, lower = a_system(), a_system(meter=None)
    open_curve(upper, add_note(upper, 100, "4", 3, accidental="#"), is_out=True)
    open_curve(lower, add_note(lower, 100, "4", position, accidental=accidental), is_out=False)
    return [upper, lower]


def test_curves_between_equal_notes_are_a_tie_that_carries_the_accidental() -> None:
    first, second = read_found_systems(pair(3))
    assert "[1a#" in first.content.kern
    assert "1a#]" in second.content.kern


def test_curves_between_other_notes_are_a_slur() -> None:
    first, second = read_found_systems(pair(4))
    assert "(1a#" in first.content.kern
    assert "1b)" in second.content.kern


def test_a_note_between_the_curve_and_the_break_makes_it_a_slur() -> None:
    upper, lower = pair(3)
    add_note(upper, 300, "4", 3)
    first, second = read_found_systems([upper, lower])
    assert "(1a#" in first.content.kern
    assert "1a)" in second.content.kern


def test_at_the_end_of_a_page_a_curve_beside_its_head_is_a_tie() -> None:
    upper = pair(3)[0]
    assert "[1a#" in read_found_systems([upper])[0].content.kern
    above = a_system()
    open_curve(above, add_note(above, 100, "4", 3), is_out=True, dy=30)
    assert "(1a" in read_found_systems([above])[0].content.kern
