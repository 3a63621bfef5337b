"""Music glyphs of many designs, for pictures that the symbol finder learns from.

The designs are those of the fonts in Verovio's wheel and, where its folder is given, of LilyPond's
Emmentaler, all under the SIL Open Font License 1.1. Old prints differ from both: glyphs are stretched,
slanted and made bolder at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.score.symbol_outlines import outline_bbox
from docai.pipelines.drawings.score.symbol_training import (
    EM,
    FONTS,
    LILYPOND_SIZES,
    KnownGlyph,
    letter_glyphs,
    lilypond_glyphs,
    verovio_glyphs,
)
from docai.pipelines.ingest.drawing import Subpath
from docai.pipelines.tracing.score.symbol_classes import CLASSES, class_of

HANDWRITTEN: Final = "Petaluma"
"""A font like handwriting, which is rarer in print."""

HANDWRITTEN_SHARE: Final = 0.12

_SPACE: Final = EM / 4


@dataclass(frozen=True)
class Shape:
    """One glyph as drawn: lengths are staff spaces, y down, around its origin."""

    path: str
    """As the ``d`` of an SVG path."""
    box: tuple[float, float, float, float]
    stroke: float
    """Width of the line around it, which makes it bolder."""


@dataclass
class GlyphBank:
    """Outlines by symbol and by font."""

    symbols: dict[str, dict[str, list[KnownGlyph]]] = field(default_factory=dict)
    letters: list[KnownGlyph] = field(default_factory=list)
    signs: list[KnownGlyph] = field(default_factory=list)
    """Music that is not found, such as dynamics."""
    fonts: tuple[str, ...] = ()

    def add(self, font: str, glyphs: Iterable[KnownGlyph]) -> None:
        """The glyphs of one font."""
        self.fonts = (*self.fonts, font)
        for glyph in glyphs:
            index = class_of(glyph.name)
            if index is not None:
                self.symbols.setdefault(CLASSES[index], {}).setdefault(font, []).append(glyph)
            elif glyph.name.startswith("dynamic"):
                self.signs.append(glyph)

    def pick_font(self, rng: random.Random) -> str:
        """One of the fonts of print, seldom one like handwriting."""
        if HANDWRITTEN in self.fonts and rng.random() < HANDWRITTEN_SHARE:
            return HANDWRITTEN
        return rng.choice([font for font in self.fonts if font != HANDWRITTEN])

    def pick(self, name: str, font: str, rng: random.Random) -> KnownGlyph | None:
        """A glyph of that symbol, of the font where it has one; None of a symbol that no font has."""
        if name in _PLAIN:
            return KnownGlyph(name, (_plain(name, rng),))
        by_font = self.symbols.get(name)
        if by_font is None:
            return None
        return rng.choice(by_font.get(font) or by_font[rng.choice(sorted(by_font))])


def load_bank(lilypond: Path | None, without: Sequence[str] = ()) -> GlyphBank:
    """All fonts that are at hand.

    Args:
        lilypond: the folder of Emmentaler as SVG.
        without: fonts that are left out, to be measured with.
    """
    bank = GlyphBank()
    for font in FONTS:
        if font in without:
            continue
        bank.add(font, verovio_glyphs(font))
    for size in LILYPOND_SIZES if lilypond is not None else ():
        assert lilypond is not None
        bank.add(f"Emmentaler {size}", lilypond_glyphs(lilypond, size))
    bank.letters = letter_glyphs()
    return bank


@dataclass(frozen=True)
class Style:
    """How one print draws its glyphs."""

    font: str
    mix: float
    """Share of symbols that are of another font."""
    bold: float
    """Staff spaces added around all glyphs."""
    stretch: float
    """How far proportions may differ from the font's."""
    sizes: float = 0.0
    """How far sizes may, of what is not a notehead."""


def random_style(bank: GlyphBank, rng: random.Random) -> Style:
    """Of one print: often a font as it is, else one whose symbols vary."""
    if rng.random() < 0.35:
        return Style(bank.pick_font(rng), 0.0, 0.0, 0.0)
    bold = rng.choice((0.0, rng.uniform(0, 0.08), rng.uniform(0, 0.14)))
    mix, sizes = rng.choice((0.0, 0.3, 1.0)), rng.choice((0.0, 0.0, 0.25))
    return Style(bank.pick_font(rng), mix, bold, rng.uniform(0.0, 0.14), sizes)


def draw_shape(glyph: KnownGlyph, style: Style, rng: random.Random) -> Shape:
    """The glyph as that print draws it."""
    dx, dy = (1 + rng.uniform(-style.stretch, style.stretch) for _ in range(2))
    slant = rng.uniform(-style.stretch, style.stretch) * 0.8
    if glyph.name.startswith("notehead"):
        dx *= 1 + rng.uniform(-0.3, 0.6) * style.stretch
    else:
        size = 1 + rng.uniform(-style.sizes, 0.4 * style.sizes)
        dx, dy = dx * size, dy * size
    matrix = np.array([[dx, slant], [0.0, dy]]) / _SPACE
    x0, y0, x1, y1 = outline_bbox(glyph.outline)
    center = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    # Around the middle, so that notes stay on their lines; what hangs on a stem stays there.
    fixed = np.zeros(2) if glyph.name.startswith("flag") else center
    pieces = [(part.points - fixed) @ matrix.T + fixed / _SPACE for part in glyph.outline]
    bold = style.bold * rng.uniform(0.6, 1.2) if style.bold else 0.0
    points = np.concatenate(pieces)
    low, high = points.min(axis=0) - bold / 2, points.max(axis=0) + bold / 2
    path = "".join(_path(piece) for piece in pieces)
    return Shape(path, (float(low[0]), float(low[1]), float(high[0]), float(high[1])), bold)


def word(letters: Sequence[KnownGlyph], rng: random.Random) -> list[tuple[KnownGlyph, float]]:
    """Letters of a word, each with its distance to the right in staff spaces."""
    x, placed = 0.0, []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4, 6))):
        letter = rng.choice(letters)
        placed.append((letter, x))
        x0, _, x1, _ = outline_bbox(letter.outline)
        x += (x1 - x0) / _SPACE + 0.15
    return placed


def _path(points: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in points) + "Z"


def _ellipse(radius: float, squash: float) -> Subpath:
    angles = np.linspace(0, 2 * np.pi, 17)
    points = np.column_stack([np.cos(angles), squash * np.sin(angles)]) * radius * _SPACE
    return Subpath(points, np.ones(16, bool), True)


def _bar(x0: float, y0: float, x1: float, y1: float) -> Subpath:
    points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]) * _SPACE
    return Subpath(points, np.zeros(4, bool), True)


_PLAIN: Final = frozenset(
    ("restWhole", "restHalf", "restDoubleWhole", "articTenutoAbove", "articStaccatoAbove", "repeatDot")
)
"""Bars and dots, which are drawn here."""


def _plain(name: str, rng: random.Random) -> Subpath:
    if name in ("articStaccatoAbove", "repeatDot"):
        return _ellipse(rng.uniform(0.15, 0.26), rng.uniform(0.85, 1.15))
    if name == "articTenutoAbove":
        return _bar(0.0, 0.0, rng.uniform(1.0, 1.5), rng.uniform(0.1, 0.22))
    if name == "restDoubleWhole":
        return _bar(0.0, -1.0, rng.uniform(0.45, 0.8), 0.0)
    width, height = rng.uniform(0.95, 1.5), rng.uniform(0.42, 0.68)
    return _bar(0.0, 0.0, width, height) if name == "restWhole" else _bar(0.0, -height, width, 0.0)
