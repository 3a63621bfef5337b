from __future__ import annotations

from dataclasses import replace

import numpy as np

from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.score.symbol_strokes import split_notes, unfold_bars
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing, GlyphShape, PlacedGlyph, Subpath

PAGE = (0.0, 0.0, 300.0, 200.0)


def bar(x0: float, y0: float, x1: float, y1: float) -> Subpath:
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    return Subpath(corners, np.zeros(4, bool), True)


STAFF_PIECE = GlyphShape("Old", 1, "", tuple(bar(0, y / 4, 2.5, y / 4 + 0.02) for y in range(5)))

ROUND = GlyphShape(
    "Old",
    2,
    "",
    (
        Subpath(
            np.array([(np.cos(a) / 8, np.sin(a) / 8) for a in np.linspace(0, 6.3, 20)]),
            np.ones(19, bool),
            True,
        ),
    ),
)


def place(shape: GlyphShape, x: float, y: float, order: int, text: str = "\ufffd") -> PlacedGlyph:
    size = 20.0
    glyph = PlacedGlyph(order, text, shape, (x, y), (size, 0, 0, -size), size, (0, 0, 0), 1.0, PAGE)
    points = np.concatenate([part.points for part in glyph.outline()])
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    return replace(glyph, bbox=box)


def test_a_staff_of_glyphs_is_a_staff() -> None:
    glyphs = tuple(place(STAFF_PIECE, 20 + 50 * n, 100, n) for n in range(4))
    drawing = Drawing(PAGE, glyphs=(*glyphs, place(ROUND, 60, 90, 9)))

    unfolded = unfold_bars(drawing)

    assert find_staves(drawing) == []
    (staff,) = find_staves(unfolded)
    assert (len(staff.lines), round(staff.space, 2), staff.x0, staff.x1) == (5, 5.0, 20.0, 220.0)
    assert [glyph.shape for glyph in unfolded.glyphs] == [ROUND]


def test_bars_that_are_letters_stay_letters() -> None:
    upright = GlyphShape("Helvetica", 1, "bar", (bar(0, 0, 0.05, 1),))
    drawing = Drawing(PAGE, glyphs=(place(upright, 50, 100, 0, "|"),))

    assert unfold_bars(drawing) is drawing
    of_music = Drawing(PAGE, glyphs=(place(replace(upright, font="Maestro"), 50, 100, 0, "|"),))
    assert len(unfold_bars(of_music).paths) == 1


def test_a_whole_note_is_its_head_its_flag_and_its_stem() -> None:
    glyph = place(ROUND, 50, 100, 3)
    drawing = Drawing(PAGE, glyphs=(glyph,))
    note = Symbol("metNote8thUp", (50, 80, 60, 100), (50, 97), 20.0, 3, glyph=0)

    split, symbols = split_notes(drawing, [note])

    assert [symbol.name for symbol in symbols] == ["noteheadBlack", "flag8thUp"]
    assert symbols[0].bbox == (50, 95, 56.25, 100)
    (stem,) = split.paths
    assert stem.bbox[1::2] == (80, 97.5)
    assert 55 < stem.bbox[0] < stem.bbox[2] <= 56.25


def test_a_note_with_its_stem_down_has_its_head_above() -> None:
    drawing = Drawing(PAGE, glyphs=(place(ROUND, 50, 100, 3),))
    split, symbols = split_notes(
        drawing, [Symbol("noteHalfDown", (50, 80, 56, 100), (50, 82), 20.0, 3, glyph=0)]
    )

    assert [(symbol.name, symbol.bbox) for symbol in symbols] == [("noteheadHalf", (50, 80, 56, 85))]
    assert split.paths[0].bbox[1::2] == (82.5, 100)


def test_notes_of_metronome_marks_stay_whole() -> None:
    named = replace(ROUND, name="uniECA5")
    drawing = Drawing(PAGE, glyphs=(place(named, 50, 100, 3),))
    note = Symbol("metNoteQuarterUp", (50, 80, 56, 100), (50, 97), 20.0, 3, glyph=0)

    assert split_notes(drawing, [note]) == (drawing, [note])
