"""An 8 over a clef may be the number of the measure, or make it an octave clef."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

import pytest

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.attributes import find_clefs
from docai.pipelines.drawings.score.measure_numbers import digits_beside_clefs
from docai.pipelines.drawings.score.reader import find_systems
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.drawings.score.types import Barline, Staff, Symbol, System
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing import Drawing, PlacedGlyph
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.scores import verovio_pdf

SPACE = 10.0


@cache
def engraved(clef: str, *begins: int) -> Drawing:
    """As many measures as the last number says, with systems that begin at those before."""
    pytest.importorskip("verovio")
    lines = ["**kern", clef, "*k[]", "*M4/4"]
    for number in range(1, begins[-1] + 1):
        lines += ["!!LO:LB:g=original"] * (number in begins[:-1])
        lines += [f"={number}", "4cc", "4dd", "4ee", "4ff"]
    data = verovio_pdf("\n".join([*lines, "==", "*-"]), breaks="encoded", pageHeight=20000).data
    with open_source(data) as source:
        drawing = next(iter(source.pages())).inside(read_drawing, None)
    assert len(find_systems(drawing)) == len(begins)
    return drawing


def clefs(drawing: Drawing) -> list[str]:
    """Of all systems, changes within them too."""
    return [
        line
        for one in read_systems(drawing)
        for line in one.content.kern.split("\n")
        if line.startswith("*clef")
    ]


def moved(glyph: PlacedGlyph, dx: float, dy: float = 0.0) -> PlacedGlyph:
    x0, y0, x1, y1 = glyph.bbox
    x, y = glyph.origin
    return replace(glyph, origin=(x + dx, y + dy), bbox=(x0 + dx, y0 + dy, x1 + dx, y1 + dy))


def over_clefs(drawing: Drawing, text: str) -> list[PlacedGlyph]:
    """Digits of the text font, centered over the clef of each system, as LilyPond sets them."""
    digits = {glyph.text: glyph for glyph in drawing.glyphs}
    placed = []
    for system in find_systems(drawing):
        staff = system.staves[0]
        for place, digit in enumerate(text):
            x0, _, x1, y1 = digits[digit].bbox
            dx = system.clefs[0].x - (x0 + x1) / 2 + (place - (len(text) - 1) / 2) * (x1 - x0)
            placed.append(moved(digits[digit], dx, staff.lines[0] - 1.5 * staff.space - y1))
    return placed


def with_glyphs(drawing: Drawing, glyphs: Iterable[PlacedGlyph]) -> Drawing:
    return replace(drawing, glyphs=tuple(replace(one, order=n) for n, one in enumerate(glyphs, 10**6)))


@pytest.mark.parametrize("begins", [(4, 8, 12, 14), (8, 15, 18)])
@pytest.mark.parametrize("clef", ["*clefG2", "*clefG^2", "*clefGv2", "*clefFv4", "*clefG^^2"])
def test_measure_numbers_of_verovio_make_no_octave_clef(clef: str, begins: tuple[int, ...]) -> None:
    assert clefs(engraved(clef, *begins)) == [clef] * len(begins)


def test_the_last_digit_of_a_measure_number_is_no_8_of_a_clef() -> None:
    assert clefs(engraved("*clefG2", 9, 18, 20)) == ["*clefG2"] * 3


def test_measure_numbers_right_over_the_clefs_make_no_octave_clef() -> None:
    """Where they stand in MuseScore and in older prints."""
    for begins in ((4, 8, 12, 14), (8, 15, 18), (8, 9)):
        drawing = engraved("*clefG2", *begins)
        shift = 1.8 * find_systems(drawing)[0].staves[0].space
        over = with_glyphs(drawing, [moved(glyph, shift) for glyph in drawing.glyphs])

        assert clefs(over) == ["*clefG2"] * len(begins)


@pytest.mark.parametrize(("text", "kern"), [("8", "*clefG^2"), ("15", "*clefG^^2")])
def test_an_octave_clef_with_digits_of_a_text_font_stays_one_beside_measure_numbers(
    text: str, kern: str
) -> None:
    drawing = engraved("*clefG2", 8, 15, 18)
    rise = -1.5 * find_systems(drawing)[0].staves[0].space
    numbers = [moved(glyph, 0.0, rise) for glyph in drawing.glyphs]
    octave = with_glyphs(drawing, [*numbers, *over_clefs(drawing, text)])

    assert clefs(octave) == [kern] * 3


def a_system(top: float, *, n_measures: int = 4, final: bool = False) -> System:
    staff = Staff(tuple(top + line * SPACE for line in range(5)), 0.0, 500.0)
    kinds = ["single"] * (n_measures - 1) + ["final" if final else "single"]
    bars = [Barline(kind, 500.0 * (n + 1) / n_measures, (0,)) for n, kind in enumerate(kinds)]  # type: ignore[arg-type]
    return System((0.0, top, 500.0, top + 4 * SPACE), [staff], barlines=bars)


def a_clef(top: float, x: float = 20.0, name: str = "gClef") -> Symbol:
    y = top + 3 * SPACE
    box = (x - 13.0, y - 4.4 * SPACE, x + 13.0, y + 2.6 * SPACE)
    return Symbol(name, box, (x - 13.0, y), 40.0, 0)


def digits(text: str, top: float, x: float = 20.0, y: float = -21.0) -> list[Letter]:
    """A number with its middle at a place, from the top line of a staff."""
    left = x - 2.5 * len(text)
    at = top + y
    return [
        Letter(one, (left + 5 * n, at - 5, left + 5 * n + 5, at + 5), 15.0, at + 5, 0)
        for n, one in enumerate(text)
    ]


TOPS = (100.0, 300.0, 500.0)


def kerns(
    numbers: Iterable[str],
    make: Callable[[float], System] = a_system,
    changes: Iterable[float] = (),
    y: float = -21.0,
) -> list[list[str]]:
    """Clefs of three systems with numbers over their first clefs; those at ``changes`` have 8 over them."""
    systems = [make(top) for top in TOPS]
    symbols = [[a_clef(top)] for top in TOPS]
    letters = [digits(text, top, y=y) for text, top in zip(numbers, TOPS, strict=True)]
    for top in changes:
        symbols[TOPS.index(top)].append(a_clef(top, 480.0))
        letters[TOPS.index(top)] += digits("8", top, 480.0)
    others = digits_beside_clefs(systems, symbols, letters)
    return [
        [clef.kern for clef, _ in find_clefs(own, system.staves, free, others)]
        for system, own, free in zip(systems, symbols, letters, strict=True)
    ]


@pytest.mark.parametrize(
    "numbers", [("8", "12", "16"), ("4", "8", "12"), ("11", "15", "19"), ("", "8", "12")]
)
@pytest.mark.parametrize("y", [-21.0, 64.0])
def test_a_number_that_goes_on_with_those_of_other_systems_is_of_the_measures(
    numbers: tuple[str, ...], y: float
) -> None:
    assert kerns(numbers, y=y) == [["*clefG2"]] * 3


def test_an_8_over_one_clef_of_many_is_of_the_measures() -> None:
    assert kerns(("8", "", "")) == kerns(("", "8", "")) == kerns(("", "", "15")) == [["*clefG2"]] * 3


def test_an_8_over_each_clef_is_an_octave() -> None:
    assert kerns(("8", "8", "8")) == [["*clefG^2"]] * 3
    assert kerns(("15", "15", "15")) == [["*clefG^^2"]] * 3
    assert kerns(("8", "8", "8"), y=64.0) == [["*clefGv2"]] * 3


def test_an_octave_clef_that_the_system_before_announces_is_one() -> None:
    assert kerns(("", "", "8"), changes=TOPS[1:2]) == [["*clefG2"], ["*clefG2", "*clefG^2"], ["*clefG^2"]]


def test_a_system_after_the_end_of_a_piece_may_have_another_clef() -> None:
    def piece(top: float) -> System:
        return a_system(top, final=True)

    assert kerns(("", "8", ""), piece) == [["*clefG2"], ["*clefG^2"], ["*clefG2"]]


@pytest.mark.parametrize(("below", "kern"), [(True, "*clefGv2"), (False, "*clefG2")])
def test_an_8_between_close_staves_is_of_the_nearer_clef(below: bool, kern: str) -> None:
    tops = (100.0, 190.0)
    staves = [a_system(top).staves[0] for top in tops]
    letters = digits("8", tops[0], y=64.0) + below * digits("8", tops[1], y=64.0)

    found = find_clefs([a_clef(top) for top in tops], staves, letters)

    assert [clef.kern for clef, _ in found] == ["*clefGv2", kern]


def test_the_8_of_a_music_font_is_always_of_the_clef() -> None:
    systems = [a_system(top) for top in TOPS]
    (eight,) = digits("8", TOPS[1])
    sign = Symbol("clef8", eight.bbox, (eight.bbox[0], eight.bbox[3]), 40.0, 0, glyph=7)
    symbols = [[a_clef(TOPS[0])], [a_clef(TOPS[1]), sign], [a_clef(TOPS[2])]]

    assert digits_beside_clefs(systems, symbols, [[], [], []]) == set()
    symbols[1][1] = replace(sign, name="tuplet8")
    assert digits_beside_clefs(systems, symbols, [[], [], []]) == {id(symbols[1][1])}
