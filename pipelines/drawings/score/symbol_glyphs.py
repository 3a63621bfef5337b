"""Music symbols among the glyphs of fonts whose codes and names say nothing, told by their outlines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from docai.pipelines.drawings.score.symbol_bars import bar_name
from docai.pipelines.drawings.score.symbol_names import is_music_font, sonata_name
from docai.pipelines.drawings.score.symbol_outlines import (
    MIN_BAR_FILL,
    SURE_DISTANCE,
    Match,
    measure_outlines,
    outline_table,
)
from docai.pipelines.drawings.score.symbol_places import (
    MAX_BRACE_DISTANCE,
    StaffPlaces,
    brace_symbol,
    matched_symbol,
    may_be_brace,
)
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing, PlacedGlyph, place_subpaths

FONT_DISTANCE: Final = 0.09
"""Distance from the known outlines at most of a glyph of a music font, which is some symbol surely."""

FONT_LEAD: Final = 1.1
"""How many times as far the next symbol must be then."""

MIN_SURE_SYMBOLS: Final = 2
"""Different symbols by which a font is found to hold music."""

MAX_SHAPES: Final = 1_500
"""Different shapes of one page above which those of fonts with letters are not compared."""

_SURE_NAMES: Final = (
    "noteheadBlack",
    "noteheadHalf",
    "gClef",
    "fClef",
    "cClef",
    "rest",
    "flag",
    "accidentalNatural",
    "accidentalSharp",
    "timeSigCommon",
    "brace",
)
"""How names begin of symbols that are like no letter."""


class _Look(NamedTuple):
    """What a glyph is like."""

    match: Match
    symbol: Match
    """Among music symbols alone."""
    brace: float
    """Distance from a brace."""
    is_bar: bool


def read_nameless_glyphs(
    drawing: Drawing, nameless: Sequence[int], staves: Sequence[Staff], named_fonts: Collection[str]
) -> list[Symbol]:
    """Symbols among the glyphs of given indices.

    Args:
        nameless: indices in ``Drawing.glyphs``.
        named_fonts: fonts of which other glyphs are known symbols by their codes or names.
    """
    places = StaffPlaces(staves)
    glyphs = [drawing.glyphs[index] for index in nameless]
    near = places.nearest(np.array([glyph.bbox for glyph in glyphs]).reshape(-1, 4)).tolist()
    keys = []
    first: dict[tuple[int, ...], int] = {}
    for number, (glyph, staff) in enumerate(zip(glyphs, near, strict=True)):
        key = _key(glyph, places.space(staff)) if staff >= 0 else ()
        keys.append(key)
        if key:
            first.setdefault(key, number)
    chosen = list(first.values())
    if len(chosen) > MAX_SHAPES:
        chosen = [number for number in chosen if _is_music_by_font(glyphs[number], named_fonts)][:MAX_SHAPES]
    outlines = [
        place_subpaths(glyphs[number].shape.subpaths, glyphs[number].matrix, (0.0, 0.0)) for number in chosen
    ]
    features = measure_outlines(outlines, [places.space(near[number]) for number in chosen])
    matches = outline_table().match(features)
    braces = outline_table().picture_distance(features, "brace").tolist()
    is_bar = (features.pictures.mean(axis=1) >= MIN_BAR_FILL).tolist()
    symbols_only = outline_table().match(features, only_symbols=True)
    looks = {
        keys[number]: _Look(*look)
        for number, *look in zip(chosen, matches, symbols_only, braces, is_bar, strict=True)
    }
    music = _music_fonts([(glyphs[number], looks[keys[number]].match) for number in chosen], named_fonts)
    symbols = []
    for index, glyph, staff, key in zip(nameless, glyphs, near, keys, strict=True):
        look = looks.get(key)
        if look is not None and (glyph.shape.font in music or says_nothing(glyph.text)):
            symbol = _symbol(index, glyph, look, staves[staff], is_music=glyph.shape.font in music)
            if symbol is not None:
                symbols.append(symbol)
    return symbols


def _symbol(index: int, glyph: PlacedGlyph, look: _Look, staff: Staff, *, is_music: bool) -> Symbol | None:
    match = look.symbol if is_music else look.match
    if may_be_brace(glyph.bbox, staff) and look.brace <= MAX_BRACE_DISTANCE:
        return brace_symbol(glyph.bbox, look.brace, glyph.order, glyph=index)
    if is_music and look.is_bar:
        name = bar_name(glyph.bbox, staff)
        if name:
            return Symbol(name, glyph.bbox, glyph.origin, glyph.size, glyph.order, 0.9, glyph=index)
    if is_music:
        is_good = match.is_good or (match.distance <= FONT_DISTANCE and match.lead >= FONT_LEAD)
    else:
        is_good = match.is_good and match.distance <= SURE_DISTANCE
    if not is_good:
        name = sonata_name(glyph.text) if is_music_font(glyph.shape.font) else ""
        if not name:
            return None
        return Symbol(name, glyph.bbox, glyph.origin, glyph.size, glyph.order, 0.6, glyph=index)
    return matched_symbol(match, glyph.bbox, staff.space, glyph.order, glyph=index)


def _key(glyph: PlacedGlyph, space: float) -> tuple[int, ...]:
    """The same for glyphs of one shape at about one size."""
    return (id(glyph.shape), *(round(20 * value / space) for value in glyph.matrix))


def says_nothing(text: str) -> bool:
    """Whether the text layer has no character for a glyph, or one without a meaning."""
    return not text or text == "�" or not text.isprintable() or "\ue000" <= text <= "\uf8ff"


def may_be_music(glyph: PlacedGlyph, named_fonts: Collection[str]) -> bool:
    """Whether the font or the code of a glyph suggests music."""
    return says_nothing(glyph.text) or _is_music_by_font(glyph, named_fonts)


def _is_music_by_font(glyph: PlacedGlyph, named_fonts: Collection[str]) -> bool:
    return glyph.shape.font in named_fonts or is_music_font(glyph.shape.font)


def _music_fonts(matched: Sequence[tuple[PlacedGlyph, Match]], named_fonts: Collection[str]) -> set[str]:
    """Names of the fonts that hold music: by their names, by known glyphs, or by several sure outlines."""
    sure: defaultdict[str, set[str]] = defaultdict(set)
    music = set()
    for glyph, match in matched:
        font = glyph.shape.font
        if _is_music_by_font(glyph, named_fonts):
            music.add(font)
        elif match.distance <= SURE_DISTANCE and match.name.startswith(_SURE_NAMES):
            sure[font].add(match.name)
    for font, names in sure.items():
        if len(names) >= MIN_SURE_SYMBOLS or not names.isdisjoint(("gClef", "fClef", "cClef")):
            music.add(font)
    return music
