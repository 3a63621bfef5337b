"""Scores from the drawings of pages, by engravers."""

from __future__ import annotations

from pathlib import Path

import pytest

from docai.parsers.score import parse_score
from docai.pipelines.drawings.score.content import PieceState
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.notes import notes_of_kern, notes_of_musicxml
from docai.pipelines.synthesis.vector.scores import GlyphKind, verovio_pdf

pytest.importorskip("verovio")

PIECE = """\
**kern	**kern
*clefF4	*clefG2
*k[b-]	*k[b-]
*M3/4	*M3/4
=1	=1
*	*^
2.FF	(8ccL	[2.a
.	8b-J	.
.	12ddL	.
.	12b-	.
.	12ccJ)	.
.	4r	.
=2	=2	=2
.	8bnq	.
4C 4E	4cc	4a]
8D^L	8ddL	2f
8E^J	16ff#L	.
.	16ggJJ	.
4F;	4aa	.
*	*v	*v
==	==
*-	*-
"""


@pytest.mark.parametrize("glyphs", ["outlines", "smufl", "names", "ids"])
def test_a_passage_engraved_by_verovio_is_read_as_it_was_written(glyphs: GlyphKind) -> None:
    kern = PIECE
    with open_source(verovio_pdf(kern, glyphs).data) as source:
        drawing = next(iter(source.pages())).inside(read_drawing, None)
    (reading,) = read_systems(drawing)
    assert reading.content.kern == kern
    assert reading.confidence > 0.9
    assert not [issue for issue in reading.issues if issue.severity != "info"]


def test_a_page_without_staves_has_no_system(make_pdf) -> None:  # type: ignore[no-untyped-def]
    with open_source(make_pdf()) as source:
        drawing = next(iter(source.pages())).inside(read_drawing, None)
    assert read_systems(drawing) == []


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["notation_only", "two_voices", "volta", "tuplet_and_tie", "rests_and_flags"]
)
def test_scores_of_musescore_have_the_notes_of_their_musicxml(real_data: Path, name: str) -> None:
    from lxml import etree

    folder = real_data / "vectors" / "scores"
    if not folder.is_dir():
        pytest.skip(f"no scores at {folder}")
    truth = notes_of_musicxml(etree.parse(folder / f"{name}.musicxml").getroot())
    state, notes = PieceState(), [[] for _ in truth]
    with open_source((folder / f"{name}.pdf").read_bytes()) as source:
        for page in source.pages():
            for reading in read_systems(page.inside(read_drawing, None), state):
                assert parse_score(reading.content.kern).content.is_valid
                for staff, own in zip(notes, notes_of_kern(reading.content.kern), strict=True):
                    staff += own
    assert [[note.token for note in staff] for staff in notes] == [
        [note.token for note in staff] for staff in truth
    ]
