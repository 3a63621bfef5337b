"""The glyphs of a page's drawing: places, outlines, names and characters."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pymupdf
import pytest

from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing

from .pdf_content import drawn, open_page, stream

HELVETICA = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"

TYPE3 = (
    "/Font<</T<</Type/Font/Subtype/Type3/FontBBox[0 0 10 10]/FontMatrix[.1 0 0 .1 0 0]"
    "/CharProcs<</a 5 0 R/b 6 0 R>>/Encoding<</Differences[97/a/b]>>"
    "/FirstChar 97/LastChar 98/Widths[10 10]/Resources<<>>>>>>"
)

AREA = stream("10 0 0 0 5 5 d1 0 0 5 5 re f")

STROKE = stream("10 0 0 0 10 10 d1 2 w 0 5 m 10 5 l S")


def texts(drawing: Drawing) -> str:
    return "".join(glyph.text for glyph in drawing.glyphs)


def test_a_glyph_has_its_origin_size_color_and_outline() -> None:
    (glyph,) = drawn("0 0 1 rg BT /F 20 Tf 30 40 Td (H) Tj ET", HELVETICA).glyphs

    assert (glyph.text, glyph.size, glyph.color, glyph.opacity) == ("H", 20, (0, 0, 1), 1)
    assert glyph.origin == (30, 60)
    x0, y0, x1, y1 = glyph.bbox
    assert y1 == pytest.approx(60, abs=0.1)
    assert 13.5 < y1 - y0 < 15
    assert 30 < x0 < 33 < 41 < x1 < 45
    outline = np.concatenate([part.points for part in glyph.outline()])
    assert np.allclose([*outline.min(axis=0), *outline.max(axis=0)], glyph.bbox, atol=1e-6)


def test_turned_glyphs_have_boxes_around_their_ink() -> None:
    (glyph,) = drawn("BT /F 20 Tf .7071 .7071 -.7071 .7071 50 50 Tm (l) Tj ET", HELVETICA).glyphs
    outline = np.concatenate([part.points for part in glyph.outline()])

    assert glyph.size == pytest.approx(20, rel=1e-3)
    assert np.allclose([*outline.min(axis=0), *outline.max(axis=0)], glyph.bbox)


def test_glyphs_of_one_kind_share_their_shape() -> None:
    first, other, last = drawn("BT /F 20 Tf 30 40 Td (aba) Tj ET", HELVETICA).glyphs

    assert first.shape is last.shape
    assert first.shape is not other.shape


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_filled_and_stroked_text_is_there_once(mode: int) -> None:
    assert texts(drawn(f"BT /F 20 Tf {mode} Tr 30 40 Td (ab) Tj ET", HELVETICA)) == "ab"


def test_invisible_text_is_not_there() -> None:
    assert texts(drawn("BT /F 20 Tf 30 40 Td 3 Tr (ab) Tj 0 Tr (c) Tj ET", HELVETICA)) == "c"


def test_text_that_its_clip_hides_is_not_there() -> None:
    assert texts(drawn("q 0 0 45 100 re W n BT /F 20 Tf 30 40 Td (aMM) Tj ET Q", HELVETICA)) == "aM"


def test_text_below_an_opaque_rectangle_is_not_there() -> None:
    assert texts(drawn("BT /F 20 Tf 30 40 Td (ab) Tj ET 1 g 25 30 17 40 re f", HELVETICA)) == "b"


def test_text_filled_with_a_gradient_has_its_mean_color() -> None:
    gradient = (
        "/Pattern<</G<</PatternType 2/Shading<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 200 0]"
        "/Function<</FunctionType 2/Domain[0 1]/C0[1 0 0]/C1[1 0 0]/N 1>>/Extend[true true]>>>>>>"
    )
    drawing = drawn("/Pattern cs /G scn BT /F 20 Tf 30 40 Td (ab) Tj ET", HELVETICA + gradient)

    assert texts(drawing) == "ab"
    assert np.allclose(drawing.glyphs[0].color, (1, 0, 0), atol=0.05)


def test_a_glyph_of_a_type_3_font_has_the_outline_that_it_draws() -> None:
    (glyph,) = drawn("BT /T 20 Tf 30 40 Td (a) Tj ET", TYPE3, (AREA, STROKE)).glyphs

    assert np.allclose(glyph.bbox, (30, 50, 40, 60))


def test_a_stroke_of_a_type_3_font_is_there_too() -> None:
    drawing = drawn("BT /T 20 Tf 30 40 Td (b) Tj ET", TYPE3, (AREA, STROKE))
    boxes = [path.bbox for path in drawing.paths] + [glyph.bbox for glyph in drawing.glyphs]

    assert boxes
    assert np.allclose(boxes[0][::2], (30, 50))


def font_with_names(kind: str) -> bytes:
    """A font of one square, which is the sharp of LilyPond's."""
    builder: Any = pytest.importorskip("fontTools.fontBuilder")
    pen_of: Any = pytest.importorskip("fontTools.pens.t2CharStringPen").T2CharStringPen
    font = builder.FontBuilder(1000, isTTF=kind != "cff")
    names = [".notdef", "accidentals.sharp"]
    font.setupGlyphOrder(names)
    font.setupCharacterMap({0xE262: "accidentals.sharp"})

    def square(pen: Any) -> Any:
        pen.moveTo((0, 0))
        for corner in ((500, 0), (500, 500), (0, 500)):
            pen.lineTo(corner)
        pen.closePath()
        return pen

    if kind == "cff":
        shapes = {name: square(pen_of(600, None)).getCharString() for name in names}
        font.setupCFF("Named", {}, shapes, {})
    else:
        from fontTools.pens.ttGlyphPen import TTGlyphPen

        font.setupGlyf({name: square(TTGlyphPen(None)).glyph() for name in names})
    font.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Named", "styleName": "Regular", "psName": "Named-Regular"})
    font.setupOS2()
    font.setupPost(keepGlyphNames=kind != "nameless")
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"), [("cff", "accidentals.sharp"), ("truetype", "accidentals.sharp"), ("nameless", "")]
)
def test_names_are_those_of_the_embedded_font_or_none(kind: str, name: str) -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=200, height=100)
        page.insert_font(fontname="F0", fontbuffer=font_with_names(kind))
        page.insert_text((30, 60), "\ue262", fontname="F0", fontsize=20)
        data = document.tobytes()
    (glyph,) = read_drawing(open_page(data)).glyphs

    assert (glyph.shape.name, glyph.text) == (name, "\ue262")
    assert np.allclose(glyph.bbox, (30, 50, 40, 60), atol=0.01)


def test_a_ligature_is_one_glyph_of_several_characters() -> None:
    to_unicode = stream(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
        "1 begincodespacerange <00> <FF> endcodespacerange "
        "1 beginbfchar <61> <00660069> endbfchar endcmap end end"
    )
    font = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 5 0 R>>>>"
    ligature, _ = drawn("BT /F 20 Tf 30 40 Td (ab) Tj ET", font, (to_unicode,)).glyphs

    assert ligature.text == "fi"
