"""From a picture of music to its systems as kern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.score.content import PieceState, SystemReading
from docai.pipelines.drawings.score.reader import systems_of_sheet
from docai.pipelines.drawings.score.reading import read_found_systems
from docai.pipelines.drawings.score.sheet import Sheet
from docai.pipelines.drawings.score.types import System
from docai.pipelines.tracing.score.bows import find_bows
from docai.pipelines.tracing.score.ink import Ink, read_ink
from docai.pipelines.tracing.score.picture_sheet import (
    SheetBuilder,
    in_pixels,
    painted,
    slab_line,
    solid_mask,
    staff_in_points,
    upright_line,
)
from docai.pipelines.tracing.score.slabs import (
    find_beams,
    find_bracket_lines,
    find_ledgers,
    heads_on_beams,
)
from docai.pipelines.tracing.score.staff_lines import Gray
from docai.pipelines.tracing.score.straighten import SPACE_PX, StraightPicture, straighten
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol, find_symbols
from docai.pipelines.tracing.score.uprights import find_barlines, find_stems

Finder = Callable[[NDArray[np.uint8], float], list[PictureSymbol]]

MIN_SCORES: Final = {
    "noteheadBlack": 0.4,
    "augmentationDot": 0.4,
    "articStaccatoAbove": 0.4,
    "repeatDot": 0.4,
}
"""Least score of what is seen by mistake more often than others: heads where stems cross beams, dots at
the tips of flags."""

OPEN: Final = ("notehead", "flag", "augmentationDot", "articStaccato", "repeatDot")
"""How names of symbols begin that stems may run along or through."""


def read_picture(
    gray: Gray, state: PieceState | None = None, finder: Finder = find_symbols
) -> list[SystemReading]:
    """The systems of music that a picture shows, from the top, with boxes in its pixels.

    Args:
        gray: (h, w), dark on light.
        state: what the picture before hands over, such as the meter; it is changed to what this one does.
        finder: finds the symbols.
    """
    picture = straighten(gray)
    if picture is None:
        return []
    systems = find_picture_systems(picture, finder(picture.gray, float(SPACE_PX)))
    readings = read_found_systems(systems, state)
    return [replace(one, bbox=picture.to_source(in_pixels(one.bbox))) for one in readings]


def find_picture_systems(picture: StraightPicture, symbols: Sequence[PictureSymbol]) -> list[System]:
    """The systems of a straightened picture in the points of its sheet.

    Args:
        picture: of the music.
        symbols: of it.
    """
    staves = [staff_in_points(staff) for staff in picture.staves]
    return systems_of_sheet(picture_sheet(picture, symbols), staves, has_letters=False)


def _believed(ink: Ink, symbols: Sequence[PictureSymbol]) -> list[PictureSymbol]:
    """Symbols without those that are too doubtful, and without heads that are pieces of beams."""
    sure = [symbol for symbol in symbols if symbol.score >= MIN_SCORES.get(symbol.name, 0.0)]
    others = [symbol.box for symbol in sure if not symbol.name.startswith(OPEN)]
    heads = [symbol for symbol in sure if symbol.name.startswith("notehead")]
    solid = solid_mask(ink.mask.shape, others)
    gone = {id(heads[place]) for place in heads_on_beams(ink, solid, [head.box for head in heads])}
    return [symbol for symbol in sure if id(symbol) not in gone]


def picture_sheet(picture: StraightPicture, symbols: Sequence[PictureSymbol]) -> Sheet:
    """What a straightened picture shows, its strokes beside the symbols found."""
    ink = read_ink(picture.dark, picture.staves)
    shape = ink.mask.shape
    symbols = _believed(ink, symbols)
    heads = [symbol.box for symbol in symbols if symbol.name.startswith("notehead")]
    flags = [symbol.box for symbol in symbols if symbol.name.startswith("flag")]
    closed = solid_mask(shape, [symbol.box for symbol in symbols if not symbol.name.startswith(OPEN)])
    bars = find_barlines(ink, picture.staves, heads, closed)
    stems = find_stems(ink, heads, flags, closed, bars)
    solid = closed | solid_mask(shape, heads, inset=0.0)
    beams = find_beams(ink, solid, stems)
    ledgers = find_ledgers(ink, picture.staves, heads)
    solid |= solid_mask(shape, [symbol.box for symbol in symbols], inset=0.0)
    solid |= painted(
        shape,
        [*(upright_line(bar) for bar in (*bars, *stems)), *(slab_line(slab) for slab in (*beams, *ledgers))],
    )
    left = ink.bare & ~solid
    left[:, : max(0, round(min(staff.x0 for staff in picture.staves)))] = False
    numbers = [symbol.box for symbol in symbols if symbol.name.startswith("tuplet")]
    brackets = find_bracket_lines(left, numbers)
    builder = SheetBuilder(shape[1], shape[0])
    for bar in (*bars, *stems):
        builder.add_upright(bar)
    for slab in (*beams, *ledgers, *brackets):
        builder.add_slab(slab)
    for outline in find_bows(left):
        builder.add_bow(outline)
    for symbol in symbols:
        builder.add_symbol(symbol)
    return builder.sheet()
