"""The music symbols of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.score.strokes import find_strokes
from docai.pipelines.drawings.score.symbol_bars import read_bar_symbols
from docai.pipelines.drawings.score.symbol_glyphs import read_nameless_glyphs
from docai.pipelines.drawings.score.symbol_names import symbol_name
from docai.pipelines.drawings.score.symbol_paths import read_painted_symbols
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing

MAX_GLYPHS: Final = 40_000
"""Glyphs of a page above which those without a name are not looked at."""


def find_symbols(drawing: Drawing, staves: Sequence[Staff] | None = None) -> list[Symbol]:
    """The music symbols of a drawing by their names in SMuFL, in the order of painting.

    Letters and numbers of text fonts are none, nor are staff lines, stems, beams and slurs. Where only the
    outline tells what a symbol is, a name may stand for what looks alike: any dot is an ``augmentationDot``.

    Args:
        drawing: of a page or a part of it.
        staves: its staves, if they are known; without any, outlines say nothing.
    """
    names: dict[tuple[int, str], str] = {}
    symbols = []
    nameless = []
    for index, glyph in enumerate(drawing.glyphs):
        key = (id(glyph.shape), glyph.text)
        name = names.get(key)
        if name is None:
            name = names[key] = symbol_name(glyph.shape, glyph.text)
        if name:
            symbols.append(Symbol(name, glyph.bbox, glyph.origin, glyph.size, glyph.order, glyph=index))
        elif glyph.shape.subpaths:
            nameless.append(index)
    staves = find_staves(drawing) if staves is None else staves
    if staves:
        named_fonts = {
            drawing.glyphs[symbol.glyph].shape.font for symbol in symbols if symbol.glyph is not None
        }
        if len(nameless) <= MAX_GLYPHS:
            symbols += read_nameless_glyphs(drawing, nameless, staves, named_fonts)
        painted = read_painted_symbols(drawing, staves)
        symbols += painted
        strokes = find_strokes(
            drawing, without={symbol.path for symbol in painted if symbol.path is not None}
        )
        symbols += read_bar_symbols(drawing, strokes, staves, symbols)
    return sorted(symbols, key=lambda symbol: symbol.order)
