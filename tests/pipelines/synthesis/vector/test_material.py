"""Drawings with truth: that they draw what they say, as vectors, and the same for the same seed."""

from __future__ import annotations

from fractions import Fraction

import pymupdf
import pytest
from lxml import etree

from docai.pipelines.synthesis.vector.decoys import DECOYS, draw_decoy
from docai.pipelines.synthesis.vector.molecules import Program, draw_molecule, indigo_pdf, rdkit_pdf
from docai.pipelines.synthesis.vector.notes import notes_of_kern, notes_of_lilypond, notes_of_musicxml
from docai.pipelines.synthesis.vector.scores import GlyphKind, draw_score, verovio_pdf

SCALE = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-"


def page_of(data: bytes) -> tuple[list[dict[str, object]], str]:
    with pymupdf.open(stream=data) as document:
        assert not document[0].get_images(), "vectors only"
        return document[0].get_drawings(), document[0].get_text()


@pytest.mark.parametrize("program", ["rdkit", "indigo"])
def test_a_structure_is_the_same_for_the_same_seed_and_has_vectors_only(program: Program) -> None:
    drawn = [draw_molecule(program, 5, 0.2) for _ in range(2)]
    assert drawn[0].smiles == drawn[1].smiles
    assert drawn[0].options == drawn[1].options
    first, second = (page_of(one.data)[0] for one in drawn)
    assert len(first) == len(second) > 3


def test_passages_of_every_difficulty_are_drawn() -> None:
    for difficulty in (0.0, 0.5, 1.0):
        drawn = draw_score(3, difficulty)
        assert drawn.difficulty == difficulty
        assert any(notes_of_kern(drawn.kern))


def test_rdkit_writes_letters_as_text_or_as_outlines() -> None:
    outlines, no_text = page_of(rdkit_pdf("CCO", as_text=False, legend="").data)
    lines, text = page_of(rdkit_pdf("CCO", as_text=True, legend="").data)
    assert not no_text.strip()
    assert "".join(text.split()) in ("OH", "HO")
    assert len(outlines) > len(lines)


def test_atoms_stand_where_their_letters_do() -> None:
    drawn = rdkit_pdf("CCO", seed=1, as_text=True, legend="", explicitMethyl=False)
    with pymupdf.open(stream=drawn.data) as document:
        oxygen = next(word for word in document[0].get_text("words") if "O" in word[4])
    x, y = drawn.places[2]
    assert oxygen[0] < x < oxygen[2]
    assert oxygen[1] < y < oxygen[3]


def test_indigo_draws_rings_with_circles_and_letters_of_a_font() -> None:
    drawn = indigo_pdf("Oc1ccccc1", render_output_format="pdf", aromatic=True, render_coloring=False)
    paths, text = page_of(drawn.data)
    assert any(item[0] == "c" for path in paths for item in path["items"])  # type: ignore[attr-defined]
    assert "O" in text


@pytest.mark.parametrize("kind", ["outlines", "smufl", "names", "ids"])
def test_music_glyphs_are_outlines_or_of_a_font_of_the_kind_that_is_asked_for(kind: GlyphKind) -> None:
    drawn = verovio_pdf(SCALE, kind)
    with pymupdf.open(stream=drawn.data) as document:
        text, fonts = document[0].get_text(), document[0].get_fonts()
    assert bool(fonts) == (kind != "outlines")
    assert ("\ue0a4" in text) == (kind == "smufl")
    assert len(drawn.systems) == 1
    assert [note.token for note in notes_of_kern(drawn.kern)[0]] == [
        (28 + step, 0, Fraction(1)) for step in range(4)
    ]


def test_a_font_draws_what_the_outlines_draw() -> None:
    pictures = []
    for kind in ("outlines", "ids"):
        with pymupdf.open(stream=verovio_pdf(SCALE, kind).data) as document:  # type: ignore[arg-type]
            pixels = document[0].get_pixmap(dpi=100, colorspace=pymupdf.csGRAY)
            pictures.append(bytes(pixels.samples))
    different = sum(abs(a - b) > 100 for a, b in zip(*pictures, strict=True))
    assert different < 0.002 * len(pictures[0]), "outlines are stroked with a hair line, too"


def test_a_passage_of_several_systems_names_its_systems_from_the_top() -> None:
    line = "".join(f"={bar}\n8cL\n8d\n8e\n8fJ\n8gL\n8a\n8b\n8ccJ\n" for bar in range(1, 7))
    kern = f"**kern\n*clefG2\n*M4/4\n{line}==\n*-"
    drawn = verovio_pdf(kern, breaks="auto", pageWidth=1100, adjustPageWidth=False)
    assert len(drawn.systems) == 3
    tops = [box[1] for box in drawn.systems]
    assert tops == sorted(tops)


@pytest.mark.parametrize("kind", list(DECOYS))
def test_a_decoy_is_one_page_of_vectors_and_varies_with_its_seed(kind: str) -> None:
    one, same, other = (page_of(draw_decoy(kind, seed)) for seed in (1, 1, 2))
    assert one[0]
    assert one[1] == same[1]
    assert str(one) != str(other)


def test_notes_of_kern_follow_voices_chords_and_grace_notes() -> None:
    kern = (
        "**kern\t**kern\n*clefF4\t*clefG2\n*^\t*\n4C\t2E-\t4cc 4ee-\n4D\t.\t8qb\n.\t.\t4a\n"
        "*v\t*v\t*\n=\t=\n1CC\t1c#\n*-\t*-"
    )
    treble, bass = notes_of_kern(kern)
    assert [note.token for note in treble] == [
        (35, 0, 1),
        (37, -1, 1),
        (34, 0, 0),
        (33, 0, 1),
        (28, 1, 4),
    ]
    assert [note.token for note in bass] == [(21, 0, 1), (23, -1, 2), (22, 0, 1), (14, 0, 4)]
    assert [note.onset for note in bass] == [0, 0, 1, 2]


def test_notes_of_musicxml_are_as_long_as_they_are_written() -> None:
    def note(step: str, inside: str) -> str:
        return f"<note><pitch><step>{step}</step><octave>4</octave></pitch>{inside}</note>"

    third = (
        "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    )
    text = (
        "<score-partwise><part><measure><attributes><divisions>2</divisions></attributes>"
        + note("C", "<duration>2</duration><type>quarter</type>")
        + "<backup><duration>2</duration></backup>"
        + note("B", f"<duration>9</duration><type>eighth</type><dot/>{third}<staff>2</staff>")
        + "</measure></part></score-partwise>"
    )
    upper, lower = notes_of_musicxml(etree.fromstring(text))
    assert [n.token for n in upper] == [(28, 0, 1)]
    assert [n.token for n in lower] == [(34, 0, Fraction(1, 2))]


def test_notes_of_lilypond_are_read_from_what_its_engraver_tells() -> None:
    lines = ["Interpreting", "DRAWN 1 1/4 0 0 3 1/2 2 1 2/3", "DRAWN 0 0 -1/8 -1 6 -1/2 3 0 1"]
    upper, lower = notes_of_lilypond(lines)
    assert [n.token for n in upper] == [(27, -1, 0)]
    assert [n.token for n in lower] == [(31, 1, Fraction(1))]
    assert lower[0].onset == 1
