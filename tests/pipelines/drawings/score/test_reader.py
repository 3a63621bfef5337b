"""Systems of music from drawings by Verovio."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pymupdf
import pytest

from docai.geometry import BBox
from docai.pipelines.drawings.score.reader import find_systems
from docai.pipelines.drawings.score.types import Chord, System
from docai.pipelines.external import engraving
from docai.pipelines.ingest.drawing import Drawing, PaintedPath
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.ingest.source import open_source
from docai.pipelines.synthesis.vector.scores import GlyphKind, verovio_pdf
from docai.pipelines.synthesis.vector.svg_pdf import svg_to_pdf

PIANO = """**kern	**kern
*clefF4	*clefG2
*k[f#]	*k[f#]
*M3/4	*M3/4
=1	=1
4GG 4BB 4D	8.g#L
.	16f#Jk
4r	[4a
4G'	4a]
=2:|!|:	=2:|!|:
2.C	12cL
.	12d
.	12eJ
.	8.f;
.	16g
.	4en
==	==
*-	*-"""

VOICES = """**kern
*clefG2
*k[]
*M4/4
=1
*^
(4cc	8eL
.	8fJ
8ddqL	.
8eeqJ	.
4b	8.e
.	16f
2g)	2g
*v	*v
=||
1a 1b
==
*-"""


@cache
def page(kern: str, glyphs: GlyphKind = "outlines", **options: float | str) -> Drawing:
    if options:
        svg = engraving.engrave(kern, options)
        assert svg is not None
        data = svg_to_pdf(svg).data
    else:
        data = verovio_pdf(kern, glyphs).data
    with open_source(data) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def system_of(kern: str, glyphs: GlyphKind = "outlines") -> System:
    (system,) = find_systems(page(kern, glyphs))
    return system


def positions(chord: Chord) -> list[int]:
    return [head.position for head in chord.heads]


@pytest.mark.parametrize("glyphs", ["outlines", "smufl", "names", "ids"])
def test_staves_barlines_and_signs_of_a_piano_are_read_from_any_kind_of_glyphs(glyphs: GlyphKind) -> None:
    system = system_of(PIANO, glyphs)
    assert len(system.staves) == 2
    assert [line.kind for line in system.barlines] == ["repeat-both", "final"]
    assert all(line.staves == (0, 1) for line in system.barlines)
    assert sorted((clef.staff, clef.kern) for clef in system.clefs) == [(0, "*clefG2"), (1, "*clefF4")]
    assert sorted((key.staff, key.signs) for key in system.keys) == [(0, [("#", 8)]), (1, [("#", 6)])]
    assert [meter.kern for meter in system.meters] == [("*M3/4",), ("*M3/4",)]
    assert system.unexplained == []


def test_chords_stand_on_their_staves_with_stems_dots_and_accidentals() -> None:
    system = system_of(PIANO)
    upper = [chord for chord in system.chords if chord.staff == 0]
    lower = [chord for chord in system.chords if chord.staff == 1]
    assert [positions(chord) for chord in upper] == [[2], [1], [3], [3], [-2], [-1], [0], [1], [2], [0]]
    assert [positions(chord) for chord in lower] == [[0, 2, 4], [7], [3]]
    assert [chord.stem for chord in upper[:4]] == ["up"] * 4
    assert upper[0].heads[0].accidental == "#"
    assert upper[-1].heads[0].accidental == "n"
    assert [chord.heads[0].n_dots for chord in upper] == [1, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert lower[-1].heads[0].n_dots == 1
    assert lower[-1].heads[0].name == "noteheadHalf"


def test_beams_are_counted_on_both_sides_of_their_stems() -> None:
    system = system_of(PIANO)
    upper = [chord for chord in system.chords if chord.staff == 0]
    assert [(chord.beams_left, chord.beams_right) for chord in upper[:4]] == [(0, 1), (2, 0), (0, 0), (0, 0)]
    groups = [chord.beam_group for chord in upper]
    assert groups[0] == groups[1] is not None
    assert groups[2:4] == [None, None]
    assert groups[4] == groups[5] == groups[6] not in (None, groups[0])


def test_a_tuplet_at_a_beam_names_its_group() -> None:
    system = system_of(PIANO)
    (tuplet,) = system.tuplets
    members = [chord for chord in system.chords if chord.beam_group == tuplet.beam_group]
    assert tuplet.numbers == (3,)
    assert [positions(chord) for chord in members] == [[-2], [-1], [0]]


def test_a_tie_joins_heads_and_marks_are_at_their_notes() -> None:
    system = system_of(PIANO)
    (tie,) = [curve for curve in system.curves if curve.tied]
    assert tie.first is not None
    assert tie.last is not None
    assert positions(system.chords[tie.first]) == positions(system.chords[tie.last]) == [3]
    marks = {mark.name: chord for chord in system.chords for mark in chord.marks}
    staccato = next(
        chord for name, chord in marks.items() if name.startswith(("articStaccato", "augmentation"))
    )
    assert positions(staccato) == [7]
    assert staccato.heads[0].n_dots == 0
    assert positions(marks["fermataAbove"]) == [1]


def test_two_voices_are_told_by_their_stems_and_share_a_head() -> None:
    system = system_of(VOICES)
    first = [chord for chord in system.chords if not chord.is_grace and chord.x < system.barlines[0].x]
    ups = [positions(chord) for chord in first if chord.stem == "up"]
    downs = [positions(chord) for chord in first if chord.stem == "down"]
    assert ups == [[5], [4], [2]]
    assert downs == [[0], [1], [0], [1], [2]]
    shared = [chord for chord in first if positions(chord) == [2]]
    assert shared[0].heads[0].bbox == shared[1].heads[0].bbox


def test_grace_notes_are_told_by_their_size() -> None:
    system = system_of(VOICES)
    graces = [chord for chord in system.chords if chord.is_grace]
    assert [positions(chord) for chord in graces] == [[6], [7]]
    assert [(chord.beams_left, chord.beams_right) for chord in graces] == [(0, 1), (1, 0)]


def test_whole_notes_side_by_side_are_one_chord() -> None:
    system = system_of(VOICES)
    assert [line.kind for line in system.barlines] == ["double", "final"]
    last = system.chords[-1]
    assert positions(last) == [3, 4]
    assert last.stem == "none"
    assert {head.name for head in last.heads} == {"noteheadWhole"}


def test_a_slur_joins_its_first_and_last_chord() -> None:
    system = system_of(VOICES)
    (slur,) = [curve for curve in system.curves if not curve.tied]
    assert slur.is_above
    assert slur.first is not None
    assert slur.last is not None
    assert positions(system.chords[slur.first]) == [5]
    assert positions(system.chords[slur.last]) == [2]


def test_systems_come_from_the_top_and_slurs_go_on_in_the_next() -> None:
    bars = ["8cL", "8d", "8e", "8fJ", "4g", "4a"]
    lines = [line for number in range(1, 9) for line in (f"={number}", *bars)]
    # Over the break between the systems, wherever it is.
    lines[1], lines[-1] = "(8cL", "4a)"
    kern = "\n".join(["**kern", "*clefG2", "*M4/4", *lines, "==", "*-", ""])
    drawing = page(kern, breaks="auto", pageWidth=1100, adjustPageHeight=True)
    systems = find_systems(drawing)
    assert len(systems) > 1
    assert [system.bbox[1] for system in systems] == sorted(system.bbox[1] for system in systems)
    assert sum(len(system.chords) for system in systems) == 48
    ends = [(curve.first, curve.last) for system in systems for curve in system.curves]
    assert [first is None for first, _ in ends] == [False] + [True] * (len(systems) - 1)
    assert [last is None for _, last in ends] == [True] * (len(systems) - 1) + [False]


def test_a_part_of_a_page_has_the_system_that_is_in_it() -> None:
    drawing = page(PIANO)
    x0, y0, x1, y1 = drawing.bbox
    part: BBox = (x0, y0, (x0 + x1) / 2, y1)
    (system,) = find_systems(drawing.within(part))
    assert len(system.staves) == 2


def test_what_is_no_music_has_no_systems() -> None:
    assert find_systems(Drawing((0, 0, 100, 100))) == []


def test_a_mark_that_is_no_music_is_not_explained() -> None:
    drawing = page(PIANO)
    stroke = drawing.paths[0]
    (system,) = find_systems(drawing)
    middle = (system.staves[0].x0 + system.staves[0].x1) / 2
    top, bottom = system.staves[0].lines[0], system.staves[0].lines[-1]
    shape = stroke.subpaths[0]._replace(
        points=np.array([[middle, top + 1], [middle + 17, bottom - 3]]),
        is_curve=np.zeros(1, bool),
        is_closed=False,
    )
    scrawl = PaintedPath(
        10**6, (shape,), (0, 0, 0), None, 2.0, (), 1.0, (middle, top + 1, middle + 17, bottom - 3)
    )
    (marked,) = find_systems(replace(drawing, paths=(*drawing.paths, scrawl)))
    assert marked.unexplained == [scrawl.bbox]


CHORDS = """**kern
*clefG2
*k[]
*M4/4
=1
2cc 2ee
[2f# [2g [2cc
=2
2f#] 2g] 2cc]
16ccc/LL
16d/
16g/
16a/JJ
4qqb
4a
=:|!
*-"""


def test_ties_of_a_chord_join_each_head_once() -> None:
    system = system_of(CHORDS)
    pairs = [pair for curve in system.curves for pair in curve.tied]
    assert sorted(pairs) == [(0, 0), (1, 1), (2, 2)]


def test_dots_of_a_repeat_lengthen_no_note() -> None:
    system = system_of(CHORDS)
    assert [line.kind for line in system.barlines] == ["single", "repeat-end"]
    assert all(head.n_dots == 0 for chord in system.chords for head in chord.heads)
    assert all(not chord.marks for chord in system.chords)


def test_staff_lines_that_go_on_beyond_the_page_are_a_problem() -> None:
    drawing = page(PIANO)
    assert find_systems(drawing)[0].problems == []
    x0, y0, x1, y1 = drawing.bbox
    for cut in ((x0, y0, (x0 + x1) / 2, y1), ((x0 + x1) / 2, y0, x1, y1)):
        assert find_systems(drawing.within(cut))[0].problems


def tablature(letters: str, dx: float = 0.0) -> Drawing:
    """Six lines with barlines, numbers, and letters one below the other at the left."""
    with pymupdf.open() as document:
        sheet = document.new_page(width=400, height=200)
        for number in range(6):
            sheet.draw_line((30, 60 + 7 * number), (370, 60 + 7 * number), width=0.4)
        for x in (30, 200, 370):
            sheet.draw_line((x, 60), (x, 95), width=0.8)
        for index, letter in enumerate(letters):
            sheet.insert_text((36 + index * dx, 72 + 9 * index), letter, fontsize=10)
        for number in range(8):
            sheet.insert_text((60 + 35 * number, 76), str(number), fontsize=7)
        data = document.tobytes()
    with open_source(data) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def test_tablature_is_known_by_its_sign() -> None:
    (system,) = find_systems(tablature("TAB"))
    assert [staff.is_tablature for staff in system.staves] == [True]
    assert system.chords == []


@pytest.mark.parametrize(("letters", "dx"), [("", 0.0), ("TAX", 0.0), ("TAB", 12.0)])
def test_six_lines_with_numbers_alone_are_a_table(letters: str, dx: float) -> None:
    assert find_systems(tablature(letters, dx)) == []


@pytest.mark.real
def test_tablature_beside_notes_is_left_out(real_data: Path) -> None:
    with open_source(real_data / "vectors" / "scores" / "tuplet_and_tie.pdf") as source:
        systems = find_systems(next(iter(source.pages())).inside(read_drawing, None))
    assert [[staff.is_tablature for staff in system.staves] for system in systems] == [[False, True]] * 2
    assert [len(system.chords) for system in systems] == [20, 6]
    assert [len(system.tuplets) for system in systems] == [2, 0]
    assert all(head.staff == 0 for system in systems for chord in system.chords for head in chord.heads)
    assert [system.unexplained for system in systems] == [[], []]
