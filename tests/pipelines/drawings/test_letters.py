from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pymupdf
import pytest

from docai.pipelines.drawings.letter_glyphs import glyph_text, is_music_glyph
from docai.pipelines.drawings.letters import Letter, read_letters
from docai.pipelines.ingest.drawing import Drawing, GlyphShape, PaintedPath, PlacedGlyph, Subpath
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.ingest.source import open_source

BOX = (0.0, 0.0, 600.0, 800.0)

FONTS = ["helv", "tiro", "cour", "hebo", "tiit"]


def drawing_of(pdf: bytes) -> Drawing:
    with open_source(pdf) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def written(text: str, *, font: str = "helv", size: float = 12, turn: int = 0) -> Drawing:
    """A page with a text at (50, 100)."""
    document: Any = pymupdf.open()
    document.new_page(width=600, height=800).insert_text(
        (50, 100), text, fontname=font, fontsize=size, rotate=turn
    )
    return drawing_of(document.tobytes())


def path_of(subpaths: Sequence[Subpath], order: int = 0, **changes: Any) -> PaintedPath:
    points = np.concatenate([part.points for part in subpaths])
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    path = PaintedPath(order, tuple(subpaths), None, (0, 0, 0), 0, (), 1.0, (x0, y0, x1, y1))
    return replace(path, **changes)


def painted(glyphs: Sequence[PlacedGlyph]) -> Drawing:
    """Glyphs as paths, one each."""
    return Drawing(BOX, tuple(path_of(glyph.outline(), i) for i, glyph in enumerate(glyphs)))


def replace_size(glyph: PlacedGlyph, factor: float, to: tuple[float, float]) -> PlacedGlyph:
    """A glyph of :func:`written` in another size, and its text begun elsewhere."""
    a, b, c, d = (factor * value for value in glyph.matrix)
    x, y = glyph.origin
    return replace(glyph, matrix=(a, b, c, d), origin=(to[0] + factor * (x - 50), to[1] + factor * (y - 100)))


def polygon(*points: tuple[float, float]) -> Subpath:
    corners = np.array([*points, points[0]], float)
    return Subpath(corners, np.zeros(len(points), bool), True)


def text_of(letters: Sequence[Letter]) -> str:
    return "".join(letter.text for letter in sorted(letters, key=lambda letter: letter.bbox[0]))


class TestGlyphs:
    def test_a_glyph_of_a_font_is_its_text_with_size_and_base_line(self) -> None:
        letters = read_letters(written("CO H"))
        assert text_of(letters) == "COH"
        first = letters[0]
        assert (first.size, first.score, first.glyph) == (pytest.approx(12), 1.0, 0)
        assert first.baseline == pytest.approx(100, abs=0.01)
        assert 50 < first.bbox[0] < first.bbox[2] < 60
        assert 90 < first.bbox[1] < first.bbox[3] < 101

    @pytest.mark.parametrize(("turn", "angle"), [(0, 0), (90, -90), (270, 90)])
    def test_a_turned_letter_tells_its_angle(self, turn: int, angle: int) -> None:
        letter = read_letters(written("R", turn=turn))[0]
        assert letter.angle == pytest.approx(angle, abs=0.01)

    @pytest.mark.parametrize(
        ("text", "name", "font", "character"),
        [
            ("", "alpha", "Any", "α"),
            ("\ufffd", "uni03B2", "Any", "β"),
            ("\x02", "plusminus", "Any", "±"),
            ("\uf061", "g12", "SymbolMT", "α"),
            ("\uf061", "g12", "Any", ""),
            ("\ue00a", "1", "Any", ""),
            ("ﬁ", "fi", "Any", "fi"),
            ("N", "1", "Any", "N"),
        ],
    )
    def test_a_code_without_meaning_gives_way_to_the_name(
        self, text: str, name: str, font: str, character: str
    ) -> None:
        assert glyph_text(GlyphShape(font, 1, name, ()), text) == character

    @pytest.mark.parametrize(
        ("font", "name", "text", "is_music"),
        [
            ("Leland", "5", "\ue0a4", True),
            ("Unknown", "5", "\ue0a4", True),
            ("Emmentaler-20", "noteheads.s2", "", True),
            ("Maestro", "oe", "œ", True),
            ("MuseJazz Text", "a", "a", False),
            ("Opus Text", "a", "a", False),
            ("Helvetica", "a", "a", False),
            ("SymbolMT", "a", "\uf061", False),
        ],
    )
    def test_music_is_no_letter(self, font: str, name: str, text: str, is_music: bool) -> None:
        assert is_music_glyph(GlyphShape(font, 1, name, ()), text) is is_music

    def test_glyphs_without_code_and_name_are_read_from_their_outlines(self) -> None:
        drawing = written("NHCOBr")
        bare = [
            replace(glyph, text="", shape=replace(glyph.shape, name=f"g{i}"))
            for i, glyph in enumerate(drawing.glyphs)
        ]
        letters = read_letters(replace(drawing, glyphs=tuple(bare)))
        assert text_of(letters) == "NHCOBr"
        assert all(letter.glyph is not None for letter in letters)

    def test_a_font_that_shows_other_letters_than_its_codes_is_read_from_its_outlines(self) -> None:
        drawing = written("BENZYLamide24")
        shapes: dict[int, GlyphShape] = {}
        moved = []
        for glyph in drawing.glyphs:
            shape = shapes.setdefault(glyph.shape.gid, replace(glyph.shape, name="g1"))
            moved.append(replace(glyph, text=chr(ord(glyph.text) + 3), shape=shape))
        assert text_of(read_letters(replace(drawing, glyphs=tuple(moved)))) == "BENZYLamide24"

    @pytest.mark.parametrize("font", FONTS)
    def test_the_text_of_honest_fonts_is_kept(self, font: str) -> None:
        text = string.ascii_letters + string.digits
        assert text_of(read_letters(written(text, font=font, size=6))) == text


class TestOutlines:
    @pytest.mark.parametrize("font", FONTS)
    @pytest.mark.parametrize("words", ["NHBoc CO2Me", "SiMe3 OTBDMS", "PPh2 CF3 SO3H", "quick brown fox"])
    def test_words_without_a_font_are_read(self, font: str, words: str) -> None:
        letters = read_letters(painted([g for g in written(words, font=font).glyphs if g.text != " "]))
        assert text_of(letters) == words.replace(" ", "")
        assert all(letter.paths and letter.glyph is None for letter in letters)

    def test_an_outline_tells_size_base_line_and_look_alikes(self) -> None:
        letters = read_letters(painted(written("HO", size=20).glyphs))
        assert letters[0].size == pytest.approx(20, rel=0.08)
        assert letters[0].baseline == pytest.approx(100, abs=0.1)
        assert (letters[1].text, {"0", "o"} <= set(letters[1].others)) == ("O", True)

    @pytest.mark.parametrize(
        ("words", "read"), [("OH", "OH"), ("to", "to"), ("Cl", "Cl"), ("HI", "HI"), ("501", "501")]
    )
    def test_what_looks_alike_is_told_by_its_neighbors(self, words: str, read: str) -> None:
        assert text_of(read_letters(painted(written(words).glyphs))) == read

    def test_capital_and_small_letters_are_told_by_the_sizes_elsewhere(self) -> None:
        far = [replace(glyph, origin=(300.0, 300.0)) for glyph in written("S").glyphs]
        letters = read_letters(painted([*written("NH").glyphs, *far]))
        assert letters[-1].text == "S"

    def test_letters_of_one_path_are_told_apart(self) -> None:
        glyphs = written("NiPr2 Si=O").glyphs
        path = path_of([part for glyph in glyphs for part in glyph.outline()])
        letters = read_letters(Drawing(BOX, (path,)))
        assert text_of(letters) == "NiPr2Si=O"
        assert {letter.paths for letter in letters} == {(0,)}

    def test_the_smallest_print_keeps_its_dots(self) -> None:
        assert text_of(read_letters(painted(written("SiMe", size=2.5).glyphs))) == "SiMe"

    def test_a_sign_has_the_size_of_the_letters_that_it_goes_with(self) -> None:
        small = [replace_size(glyph, 0.5, (51.0, 112.0)) for glyph in written("(4)").glyphs]
        letters = read_letters(painted([*written("O").glyphs, *small]))
        assert [letter.text for letter in letters] == ["O", "(", "4", ")"]
        assert [round(letter.size / letters[0].size, 1) for letter in letters] == [1, 0.5, 0.5, 0.5]

    def test_a_letter_of_two_paths_is_one(self) -> None:
        h, i = written("Hi").glyphs
        paths = [path_of(h.outline()), *(path_of([part], k) for k, part in enumerate(i.outline(), 1))]
        letters = read_letters(Drawing(BOX, tuple(paths)))
        assert text_of(letters) == "Hi"
        assert sorted(letters[1].paths) == [1, 2]

    def test_both_rules_of_filling_give_the_same(self) -> None:
        outline = written("B").glyphs[0].outline()
        turned = tuple(
            part._replace(points=part.points[::-1]) if i else part for i, part in enumerate(outline)
        )
        for subpaths in (outline, turned):
            assert text_of(read_letters(Drawing(BOX, (path_of(subpaths),)))) == "B"

    def test_a_letter_painted_twice_is_one_with_both_paths(self) -> None:
        outline = written("N").glyphs[0].outline()
        letters = read_letters(Drawing(BOX, (path_of(outline, 0, fill=(1, 1, 1)), path_of(outline, 1))))
        assert [(letter.text, letter.paths, letter.order) for letter in letters] == [("N", (0, 1), 1)]

    def test_a_letter_of_which_only_the_edge_is_drawn_is_read(self) -> None:
        paths = [
            path_of(glyph.outline(), i, fill=None, stroke=(0, 0, 0), width=0.3)
            for i, glyph in enumerate(written("OBD", size=20).glyphs)
        ]
        assert text_of(read_letters(Drawing(BOX, tuple(paths)))) == "OBD"

    def test_a_drawing_of_rdkit_is_read(self) -> None:
        chem: Any = pytest.importorskip("rdkit.Chem")
        draw: Any = pytest.importorskip("rdkit.Chem.Draw.rdMolDraw2D")
        canvas = draw.MolDraw2DSVG(400, 300)
        canvas.DrawMolecule(chem.MolFromSmiles("NCC(=O)OCCS(=O)(=O)c1ccc(Br)cc1"))
        canvas.FinishDrawing()
        svg: Any = pymupdf.open(stream=canvas.GetDrawingText().encode(), filetype="svg")
        letters = [letter for letter in read_letters(drawing_of(svg.convert_to_pdf())) if letter.score > 0.6]
        assert sorted(text_of(letters)) == sorted("H2NOOOSOBr")


class TestNoLetters:
    @pytest.mark.parametrize(
        "points",
        [
            [(0, 0), (30, 4), (30, -4)],
            [(0, 0), (30, 17), (31, 16), (1, -1)],
            [(0, 0), (10, 4), (0, 8), (3, 4)],
            [(0, 0), (40, 6), (40, 11), (0, 5)],
        ],
        ids=["wedge", "bond", "arrowhead", "beam"],
    )
    def test_shapes_of_drawings_score_low(self, points: list[tuple[float, float]]) -> None:
        shape = polygon(*((x + 100, y + 100) for x, y in points))
        assert all(letter.score <= 0.5 for letter in read_letters(Drawing(BOX, (path_of([shape]),))))

    def test_bars_and_dots_alone_score_low(self) -> None:
        bar = polygon((0, 0), (1, 0), (1, 12), (0, 12))
        dot = polygon((50, 0), (52, 0), (52, 2), (50, 2))
        letters = read_letters(Drawing(BOX, (path_of([bar]), path_of([dot], 1))))
        assert letters
        assert all(letter.score <= 0.5 for letter in letters)

    def test_chains_of_bonds_score_low(self) -> None:
        line = np.array([(0, 0), (12, 20), (24, 0), (36, 20)], float)
        path = path_of([Subpath(line, np.zeros(3, bool), False)], fill=None, stroke=(0, 0, 0), width=1)
        assert all(letter.score <= 0.5 for letter in read_letters(Drawing(BOX, (path,))))

    def test_large_shapes_are_none(self) -> None:
        glyphs = written("N", size=400).glyphs
        assert not read_letters(painted(glyphs))

    @pytest.mark.parametrize(
        "points",
        [
            [(0, 0), (0, 0), (0, 0)],
            [(0, 0), (1e300, 5), (3, 1e300)],
            [(nan, 0), (5, nan), (3, 3)],
            [(5, 0), (5, 9), (5, 4)],
            [(1e7, 1e7), (1e7 + 5, 1e7), (1e7 + 3, 1e7 + 8), (1e7, 1e7 + 4)],
        ],
    )
    @pytest.mark.parametrize("paint", ["fill", "stroke"])
    def test_degenerate_outlines_break_nothing(self, points: list[tuple[float, float]], paint: str) -> None:
        path = path_of([polygon(*points), polygon(*points)], fill=None, stroke=None)
        read_letters(Drawing(BOX, (replace(path, **{paint: (0, 0, 0)}),)))

    def test_many_outlines_in_one_place_are_read(self) -> None:
        outline = written("e").glyphs[0].outline()
        paths = tuple(path_of(outline, i) for i in range(3000))
        assert [letter.text for letter in read_letters(Drawing(BOX, paths))] == ["e"]
