from __future__ import annotations

import pytest

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.attributes import find_clefs, find_meters, find_rests
from docai.pipelines.drawings.score.types import Staff, Symbol

SPACE = 10.0

TREBLE = Staff((100.0, 110.0, 120.0, 130.0, 140.0), 0.0, 500.0)

BASS = Staff((200.0, 210.0, 220.0, 230.0, 240.0), 0.0, 500.0)


def symbol(
    name: str, x: float, y: float, width: float = 1.0, height: float = 1.0, size: float = 40.0
) -> Symbol:
    """A symbol around (x, y), which is its origin too; width and height in staff spaces."""
    w, h = width * SPACE / 2, height * SPACE / 2
    return Symbol(name, (x - w, y - h, x + w, y + h), (x - w, y), size, 0)


def letter(text: str, x: float, y: float, height: float = 1.0) -> Letter:
    h = height * SPACE / 2
    return Letter(text, (x - 0.4 * h, y - h, x + 0.4 * h, y + h), 3 * h, y + h, 0)


def meter(upper: str, lower: str, x: float = 60.0) -> list[Symbol]:
    digits = []
    for text, y in ((upper, 110.0), (lower, 130.0)):
        start = x - 7 * (len(text) - 1)
        digits += [symbol(f"timeSig{d}", start + 14 * n, y, 1.4, 2.0) for n, d in enumerate(text)]
    return digits


@pytest.mark.parametrize(
    ("name", "y", "kern"),
    [
        ("gClef", 130, "*clefG2"),
        ("gClef", 140, "*clefG1"),
        ("gClef8vb", 130, "*clefGv2"),
        ("gClef8va", 130, "*clefG^2"),
        ("gClef15mb", 130, "*clefGvv2"),
        ("gClef8vbOld", 130, "*clefGv2"),
        ("fClef", 110, "*clefF4"),
        ("fClef", 120, "*clefF3"),
        ("cClef", 120, "*clefC3"),
        ("cClef", 110, "*clefC4"),
        ("cClef", 140, "*clefC1"),
        ("cClef", 111.5, "*clefC4"),
        ("unpitchedPercussionClef1", 120, "*clefX"),
    ],
)
def test_a_clef_says_its_line(name: str, y: float, kern: str) -> None:
    ((clef, marks),) = find_clefs([symbol(name, 20, y, 2.6, 4)], [TREBLE])

    assert clef.kern == kern
    assert len(marks) == 1


def test_a_later_clef_of_a_staff_is_a_change() -> None:
    clefs = [
        symbol("fClef", 300, 110, 2, 3, 32),
        symbol("gClef", 20, 130, 2.6, 7),
        symbol("fClef", 20, 210, 2.6, 3),
    ]

    assert [(clef.kern, clef.staff, clef.is_change) for clef, _ in find_clefs(clefs, [TREBLE, BASS])] == [
        ("*clefG2", 0, False),
        ("*clefF4", 1, False),
        ("*clefF4", 0, True),
    ]


def test_a_small_eight_under_or_over_a_clef_shifts_it_by_an_octave() -> None:
    clef = symbol("gClef", 20, 130, 2.6, 7)
    low, high = letter("8", 20, 172), letter("8", 20, 88)

    assert [(c.kern, marks) for c, marks in find_clefs([clef], [TREBLE], [low])] == [
        ("*clefGv2", [clef, low])
    ]
    assert find_clefs([clef], [TREBLE], [high])[0][0].kern == "*clefG^2"
    assert (
        find_clefs([clef], [TREBLE], [letter("1", 17, 172), letter("5", 22, 172)])[0][0].kern == "*clefGvv2"
    )
    assert find_clefs([clef], [TREBLE], [letter("8", 60, 172)])[0][0].kern == "*clefG2"
    assert find_clefs([clef], [TREBLE], [letter("3", 20, 172)])[0][0].kern == "*clefG2"


@pytest.mark.parametrize(
    ("upper", "lower", "kern"),
    [("3", "4", "*M3/4"), ("12", "8", "*M12/8"), ("7", "16", "*M7/16"), ("4", "2", "*M4/2")],
)
def test_numbers_over_each_other_are_a_meter(upper: str, lower: str, kern: str) -> None:
    ((found, marks),) = find_meters(meter(upper, lower), [TREBLE])

    assert found.kern == (kern,)
    assert found.staff == 0
    assert len(marks) == len(upper + lower)


def test_numbers_of_a_text_font_and_large_ones_are_a_meter_too() -> None:
    text = [letter("6", 60, 110, 2), letter("8", 60, 130, 2)]
    large = [symbol("timeSig4", 60, 102, 2, 3.5), symbol("timeSig4", 60, 138, 2, 3.5)]

    assert find_meters([], [TREBLE], text)[0][0].kern == ("*M6/8",)
    assert find_meters(large, [TREBLE])[0][0].kern == ("*M4/4",)


def test_added_beats_and_letters_are_meters() -> None:
    added = [*meter("3", "8", 60), symbol("timeSigPlus", 72, 110, 1, 1), symbol("timeSig2", 84, 110, 1.4, 2)]

    assert find_meters(added, [TREBLE])[0][0].kern == ("*M3+2/8",)
    assert find_meters([symbol("timeSigCommon", 60, 120, 1.7, 2)], [TREBLE])[0][0].kern == (
        "*met(c)",
        "*M4/4",
    )
    assert find_meters([symbol("timeSigCutCommon", 60, 120, 1.7, 3)], [TREBLE])[0][0].kern == (
        "*met(c|)",
        "*M2/2",
    )


def test_numbers_elsewhere_are_no_meter() -> None:
    finger = [symbol("timeSig3", 60, 90, 0.7, 1)]
    measure_number = [letter("1", 5, 85, 1.5), letter("2", 12, 85, 1.5)]
    one_alone = [symbol("timeSig4", 60, 110, 1.4, 2)]
    apart = [symbol("timeSig4", 60, 110, 1.4, 2), symbol("timeSig4", 160, 130, 1.4, 2)]
    small = [symbol("timeSig4", 60, 110, 0.7, 1), symbol("timeSig4", 60, 130, 0.7, 1)]
    odd_unit = meter("4", "3")

    for symbols in (finger, one_alone, apart, small, odd_unit):
        assert find_meters(symbols, [TREBLE]) == []
    assert find_meters([], [TREBLE], measure_number) == []


def test_rests_belong_to_the_nearest_staff_and_keep_their_height() -> None:
    symbols = [symbol("restQuarterOld", 90, 220, 1, 3), symbol("rest8th", 50, 115, 1, 2)]

    assert [(rest.name, rest.staff, rest.position) for rest, _ in find_rests(symbols, [TREBLE, BASS])] == [
        ("rest8th", 0, 5.0),
        ("restQuarter", 1, 4.0),
    ]


def test_a_number_over_a_bar_counts_the_measures_of_rest() -> None:
    bar = symbol("restHBar", 200, 120, 8, 2)
    number = [symbol("timeSig1", 193, 85, 1.4, 2), symbol("timeSig7", 207, 85, 1.4, 2)]

    ((rest, marks),) = find_rests([bar, *number], [TREBLE])

    assert (rest.n_measures, rest.name) == (17, "restWhole")
    assert len(marks) == 3


def test_old_rests_of_several_measures_are_added_up_where_the_number_agrees() -> None:
    rests = [symbol("restLonga", 200, 120, 0.5, 2), symbol("restWhole", 215, 112.5, 1.2, 0.5)]
    five, six = letter("5", 207, 85, 1.5), letter("6", 207, 85, 1.5)

    assert [rest.n_measures for rest, _ in find_rests(rests, [TREBLE], [five])] == [5]
    assert [rest.n_measures for rest, _ in find_rests(rests, [TREBLE], [six])] == [0, 0]
    assert [rest.n_measures for rest, _ in find_rests(rests, [TREBLE])] == [0, 0]
