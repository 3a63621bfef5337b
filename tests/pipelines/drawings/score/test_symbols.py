"""Symbols of scores that Verovio engraves, with their glyphs in each of the ways that programs write them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from docai.pipelines.drawings.score.symbol_training import symbol_label
from docai.pipelines.drawings.score.symbols import find_symbols
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.ingest.source import open_source
from docai.pipelines.synthesis.vector.scores import verovio_pdf

pytest.importorskip("verovio")

pytestmark = pytest.mark.slow(seconds=10)

KERN = """**kern	**kern
*clefF4	*clefG2
*k[b-e-]	*k[b-e-]
*M4/4	*M4/4
=1	=1
2CC	8cc'L
.	8dd#J
4D	16ee-
.	16ffn
.	8r
4r	4g;
=2	=2
1C	2.b
.	4rr
=3	=3
1r	16r
.	32r
.	32cc
.	8cc#
.	4ff##
.	2r
==	==
*-	*-
"""

EXPECTED = {
    "noteheadBlack": 9,
    "noteheadHalf": 2,
    "noteheadWhole": 1,
    "gClef": 1,
    "fClef": 1,
    "accidentalFlat": 4,
    "accidentalSharp": 2,
    "accidentalDoubleSharp": 1,
    "timeSig4": 4,
    "restWhole": 1,
    "restHalf": 1,
    "restQuarter": 2,
    "rest8th": 1,
    "rest16th": 1,
    "rest32nd": 1,
    "fermataAbove": 1,
}
"""How many of each; naturals, flags and the dot of a dotted note come with them."""


def drawing_of(pdf: bytes) -> Drawing:
    with open_source(pdf) as source, source.page(1) as page:
        return page.inside(read_drawing, None)


@cache
def drawn(glyphs: str, font: str = "Bravura") -> Drawing:
    return drawing_of(verovio_pdf(KERN, glyphs, font=font).data)  # type: ignore[arg-type]


def counted(symbols: list[Symbol]) -> Counter[str]:
    return Counter(symbol_label(symbol.name) or symbol.name for symbol in symbols)


def as_one_path(drawing: Drawing) -> Drawing:
    """All that is filled as one path, as some converters write it."""
    filled = [path for path in drawing.paths if path.fill is not None]
    parts = tuple(part for path in filled for part in path.subpaths)
    boxes = np.array([path.bbox for path in filled])
    whole = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    lines = [path for path in drawing.paths if path.fill is None]
    return replace(drawing, paths=(*lines, replace(filled[0], subpaths=parts, bbox=whole)))


@pytest.mark.parametrize("font", ["Bravura", "Leland", "Petaluma"])
@pytest.mark.parametrize("glyphs", ["smufl", "names", "ids", "outlines"])
def test_every_symbol_is_read_however_the_glyphs_are_written(glyphs: str, font: str) -> None:
    found = counted(find_symbols(drawn(glyphs, font)))

    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert found["augmentationDot"] == 2  # of the note and of the staccato


def test_outlines_have_the_places_and_sizes_of_the_glyphs() -> None:
    named = [s for s in find_symbols(drawn("smufl")) if s.name in EXPECTED and not s.name.startswith("rest")]
    outlined = [s for s in find_symbols(drawn("outlines")) if s.name in EXPECTED]

    for symbol in named:
        same = min(outlined, key=lambda other: float(np.abs(np.subtract(other.bbox, symbol.bbox)).max()))
        space = symbol.size / 4
        assert same.name == symbol.name
        assert np.allclose(same.origin, symbol.origin, atol=0.1 * space)
        assert same.size == pytest.approx(symbol.size, rel=0.15)


def test_one_path_of_all_outlines_is_taken_apart() -> None:
    drawing = drawn("outlines", "Leland")

    assert counted(find_symbols(as_one_path(drawing))) == counted(find_symbols(drawing))


def test_outlines_are_read_at_any_scale() -> None:
    drawing = drawn("outlines", "Leipzig")
    expected = counted(find_symbols(drawing))

    for factor in (0.2, 1.7):
        paths = tuple(
            replace(
                path,
                subpaths=tuple(part._replace(points=part.points * factor + 50) for part in path.subpaths),
                width=path.width * factor,
                bbox=tuple(value * factor + 50 for value in path.bbox),
            )
            for path in drawing.paths
        )
        scaled = replace(drawing, paths=paths, glyphs=())
        assert counted(find_symbols(scaled)) == expected


def test_symbols_come_in_the_order_of_painting_and_say_what_they_are_made_of() -> None:
    drawing = drawn("outlines")
    symbols = find_symbols(drawing)

    assert [symbol.order for symbol in symbols] == sorted(symbol.order for symbol in symbols)
    for symbol in symbols:
        assert symbol.path is not None
        assert drawing.paths[symbol.path].order == symbol.order


def test_letters_of_a_text_font_are_no_symbols() -> None:
    kern = KERN.replace("*-	*-", "!!LO:TX:a:t=Allegro spianato b n o p 1 2 3\n*-	*-")
    drawing = drawing_of(verovio_pdf(kern, "smufl", font="Leland").data)

    texts = [
        drawing.glyphs[symbol.glyph].text for symbol in find_symbols(drawing) if symbol.glyph is not None
    ]

    assert len(texts) > 30
    assert min(texts) >= "\ue000"


def test_without_staves_outlines_are_nothing() -> None:
    drawing = drawn("outlines")
    symbols_only = replace(drawing, paths=tuple(path for path in drawing.paths if path.stroke is None))

    assert find_symbols(symbols_only, []) == []
    assert find_symbols(Drawing((0, 0, 100, 100))) == []


def test_broken_and_countless_outlines_do_no_harm() -> None:
    drawing = drawn("outlines")
    expected = counted(find_symbols(drawing))
    rng = np.random.default_rng(0)

    def path(points: object, order: int) -> PaintedPath:
        places = np.array(points, float)
        box = (*places.min(axis=0).tolist(), *places.max(axis=0).tolist())
        part = Subpath(places, np.zeros(len(places) - 1, bool), True)
        return PaintedPath(order, (part,), None, (0, 0, 0), 0, (), 1.0, box)

    far = [path([(1e30, 0), (1e30, 5), (1e30, 0)], 9000), path([(0, 0), (0, 0)], 9001)]
    odd = [path([(nan, 1), (2, inf), (3, 1)], 9002)]
    many = [path(rng.normal(5000, 3, (5, 2)), 9100 + n) for n in range(3000)]
    loaded = replace(drawing, paths=(*drawing.paths, *far, *odd, *many))

    assert counted(find_symbols(loaded)) == expected


@pytest.mark.real
def test_scores_of_musescore_have_the_notes_that_they_should(real_data: Path) -> None:
    pdf = real_data / "vectors" / "scores" / "rests_and_flags.pdf"
    found = counted(find_symbols(drawing_of(pdf.read_bytes())))

    assert found["rest16th"] == found["rest32nd"] == 8
    assert found["flag32ndDown"] == 8
    assert found["noteheadBlack"] == 17
