from __future__ import annotations

from docai.pipelines.drawings.score.key_signatures import find_keys
from docai.pipelines.drawings.score.types import Barline, Clef, Head, Staff, Symbol

SPACE = 10.0

STAFF = Staff((100.0, 110.0, 120.0, 130.0, 140.0), 0.0, 500.0)

TREBLE = Clef("*clefG2", 0, 20.0)

NAMES = {
    "#": "accidentalSharp",
    "-": "accidentalFlat",
    "n": "accidentalNatural",
    "##": "accidentalDoubleSharp",
}

SHARPS = (8, 5, 9, 6, 3, 7, 4)
"""Half spaces of the sharps of key signatures under a treble clef."""

FLATS = (4, 7, 3, 6, 2, 5, 1)


def sign(kind: str, position: int, x: float) -> Symbol:
    y = STAFF.lines[-1] - position * SPACE / 2
    return Symbol(NAMES[kind], (x, y - 13, x + 9, y + 13), (x, y), 40.0, 0)


def head(position: int, x: float) -> Head:
    y = STAFF.lines[-1] - position * SPACE / 2
    return Head("noteheadBlack", 0, position, (x, y - 5, x + 12, y + 5))


def keys(
    signs: list[Symbol], heads: list[Head] | None = None, barlines: tuple[float, ...] = ()
) -> list[list[tuple[str, int]]]:
    lines = [Barline("single", x, (0,)) for x in barlines]
    return [key.signs for key, _ in find_keys(signs, [STAFF], [TREBLE], lines, heads or [])]


def test_accidentals_after_the_clef_are_the_key() -> None:
    signs = [sign("#", position, 38 + 10 * n) for n, position in enumerate(SHARPS)]

    for count in range(1, 8):
        assert keys(signs[:count], [head(8, 160)]) == [[("#", position) for position in SHARPS[:count]]]
    assert keys([], [head(8, 60)]) == []


def test_an_accidental_right_before_a_head_at_its_height_belongs_to_it() -> None:
    assert keys([sign("#", 8, 45)], [head(8, 57)]) == []
    assert keys([sign("#", 8, 45)], [head(8, 90)]) == [[("#", 8)]]
    assert keys([sign("#", 8, 45)], [head(6, 57)]) == [[("#", 8)]]


def test_the_accidental_of_a_displaced_head_of_a_second_belongs_to_it() -> None:
    assert keys([sign("-", 6, 45)], [head(5, 57), head(6, 69)]) == []


def test_accidentals_of_the_first_chord_are_told_from_the_key_before_it() -> None:
    signs = [sign("-", 4, 38), sign("-", 7, 48), sign("#", 3, 75), sign("n", 6, 75)]

    assert keys(signs, [head(3, 87), head(6, 87)]) == [[("-", 4), ("-", 7)]]


def test_the_key_ends_where_the_first_note_has_an_accidental_without_a_gap() -> None:
    signs = [sign("-", 4, 38), sign("-", 7, 48), sign("n", 2, 59)]

    assert keys(signs, [head(2, 70)]) == [[("-", 4), ("-", 7)]]


def test_a_new_key_after_a_barline_may_begin_with_naturals() -> None:
    signs = [sign("n", 8, 208), sign("n", 5, 217), sign("-", 4, 228), sign("-", 7, 238)]

    assert keys(signs, [head(4, 300)], (200.0,)) == [[("n", 8), ("n", 5), ("-", 4), ("-", 7)]]


def test_accidentals_within_a_measure_are_no_key() -> None:
    assert keys([sign("#", 8, 300), sign("#", 5, 310)], [], (200.0,)) == []


def test_a_key_at_the_end_warns_of_the_next_system() -> None:
    assert keys([sign("#", 8, 505)], [head(4, 450)], (500.0,)) == [[("#", 8)]]


def test_a_key_says_which_accidentals_it_took() -> None:
    signs = [sign("-", 4, 38), sign("-", 7, 48), sign("#", 3, 75)]
    ((key, used),) = find_keys(signs, [STAFF], [TREBLE], [], [head(3, 87)])

    assert used == signs[:2]
    assert (key.staff, key.x) == (0, 38.0)
