"""Pieces engraved by LilyPond: the notes it tells are those it draws."""

from __future__ import annotations

import shutil

import pytest

from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector import lilypond

pytestmark = [
    pytest.mark.slow(seconds=4),
    pytest.mark.skipif(shutil.which("lilypond") is None, reason="the program lilypond is not installed"),
]


def test_lilypond_tells_as_many_notes_as_it_draws_noteheads() -> None:
    path = next(path for path in lilypond.pieces() if path.stem == "bwv272")
    piece = lilypond.draw_piece(path)
    drawn = 0
    with open_source(piece.data) as source:
        for page in source.pages():
            glyphs = page.inside(read_drawing, None).glyphs
            drawn += sum(glyph.shape.name.startswith("noteheads.") for glyph in glyphs)
    assert len(piece.notes) == 4
    assert drawn == sum(map(len, piece.notes))
