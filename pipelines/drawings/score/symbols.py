"""The music symbols of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.score.strokes import Strokes, find_strokes
from docai.pipelines.drawings.score.symbol_bars import read_bar_symbols
from docai.pipelines.drawings.score.symbol_compounds import (
    join_cut_times,
    join_stacked_rests,
    read_stroked_rests,
)
from docai.pipelines.drawings.score.symbol_glyphs import may_be_music, read_nameless_glyphs
from docai.pipelines.drawings.score.symbol_marks import read_stroked_marks
from docai.pipelines.drawings.score.symbol_names import symbol_name
from docai.pipelines.drawings.score.symbol_paths import read_painted_symbols
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing

MAX_GLYPHS: Final = 40_000
"""Glyphs of a page above which those without a name are not looked at."""


def find_symbols(
    drawing: Drawing, staves: Sequence[Staff] | None = None, strokes: Strokes | None = None
) -> list[Symbol]:
    """The music symbols of a drawing by their names in SMuFL, in the order of painting.

    Letters and numbers of text fonts are none, nor are staff lines, stems, beams and slurs. Where only the
    outline tells what a symbol is, a name may stand for what looks alike: any dot is an ``augmentationDot``.

    Args:
        drawing: of a page or a part of it.
        staves: its staves, if they are known; without any, outlines say nothing.
        strokes: its straight strokes, all of them, if they are known.
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
    if staves is None:
        strokes = find_strokes(drawing) if strokes is None else strokes
        staves = find_staves(drawing, strokes)
    if staves:
        named_fonts = {
            drawing.glyphs[symbol.glyph].shape.font for symbol in symbols if symbol.glyph is not None
        }
        if any(symbol.name.startswith("notehead") for symbol in symbols):
            # The music has names: glyphs that say a letter are letters.
            nameless = [index for index in nameless if may_be_music(drawing.glyphs[index], named_fonts)]
        if len(nameless) <= MAX_GLYPHS:
            symbols += read_nameless_glyphs(drawing, nameless, staves, named_fonts)
        painted = read_painted_symbols(drawing, staves)
        strokes = find_strokes(drawing) if strokes is None else strokes
        strokes = _other_strokes(drawing, strokes, painted.symbols)
        symbols = join_cut_times([*symbols, *painted.symbols], strokes)
        drawn = read_stroked_rests(drawing, strokes, painted.unread, staves)
        drawn += read_stroked_marks(drawing, staves)
        symbols += drawn
        taken = np.array(sorted(_paths(drawn)), np.intp)
        strokes = strokes.take(~np.isin(strokes.path, taken))
        symbols += read_bar_symbols(drawing, strokes, painted.blocks, staves, symbols)
    return sorted(join_stacked_rests(symbols), key=lambda symbol: symbol.order)


def _other_strokes(drawing: Drawing, strokes: Strokes, painted: Sequence[Symbol]) -> Strokes:
    """Straight strokes that are no part of symbols, which one path may hold together with others."""
    whole = {
        symbol.path
        for symbol in painted
        if symbol.path is not None and _about_equal(drawing.paths[symbol.path].bbox, symbol.bbox)
    }
    gone = whole.union(*(symbol.more_paths for symbol in painted))
    strokes = strokes.take(~np.isin(strokes.path, np.array(sorted(gone), np.intp)))
    middle = (strokes.ends[:, :2] + strokes.ends[:, 2:]) / 2
    is_free = np.ones(len(strokes), bool)
    for symbol in painted:
        if symbol.path is not None and symbol.path not in whole:
            x0, y0, x1, y1 = symbol.bbox
            inside = (middle >= (x0, y0)).all(axis=1) & (middle <= (x1, y1)).all(axis=1)
            is_free &= ~(inside & (strokes.path == symbol.path))
    return strokes.take(is_free)


def _about_equal(box: BBox, other: BBox) -> bool:
    size = max(box[2] - box[0], box[3] - box[1])
    return all(abs(a - b) <= 0.02 * size for a, b in zip(box, other, strict=True))


def _paths(symbols: Sequence[Symbol]) -> set[int]:
    """Indices of all paths that symbols are made of."""
    whole = {symbol.path for symbol in symbols if symbol.path is not None}
    return whole.union(*(symbol.more_paths for symbol in symbols))
