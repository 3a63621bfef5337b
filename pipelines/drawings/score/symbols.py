"""The music symbols of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from docai.pipelines.drawings.score.symbol_names import symbol_name
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing


def find_symbols(drawing: Drawing) -> list[Symbol]:
    """The music symbols of a drawing by their names in SMuFL, in the order of painting.

    Letters and numbers of text fonts are none, nor are staff lines, stems, beams and slurs.
    """
    names: dict[tuple[int, str], str] = {}
    symbols = []
    for index, glyph in enumerate(drawing.glyphs):
        key = (id(glyph.shape), glyph.text)
        name = names.get(key)
        if name is None:
            name = names[key] = symbol_name(glyph.shape, glyph.text)
        if name:
            symbols.append(Symbol(name, glyph.bbox, glyph.origin, glyph.size, glyph.order, glyph=index))
    return symbols
