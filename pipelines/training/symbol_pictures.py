"""Pictures of music with the box of each symbol, which the symbol finder learns from.

Verovio engraves random passages; their glyphs are drawn in other designs, and rare symbols, letters and
dynamics are strewn between them. Nothing of real documents is in them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray

from docai.pipelines.drawings.score.symbol_names import base_name, smufl_names
from docai.pipelines.external import engraving
from docai.pipelines.synthesis.score import generator
from docai.pipelines.tracing.score.symbol_classes import CLASSES, class_of
from docai.pipelines.training.symbol_glyphs import (
    GlyphBank,
    Shape,
    Style,
    draw_shape,
    random_style,
    word,
)

SPACE_UNITS: Final = 180.0
"""Staff space in Verovio's units."""

FULL_SCALE: Final = 0.72
"""Of glyphs of the normal size in Verovio's drawing."""

STREWN_SHARE: Final = 0.16
"""Symbols strewn in for each one of the passage."""

SMALL_HEAD_SHARE: Final = 0.12
"""Of heads as small as those of grace notes among what is strewn in."""

_USE: Final = re.compile(
    r'<use xlink:href="#(E[0-9A-F]{3})-\w+" '
    r'transform="translate\((-?[\d.]+), (-?[\d.]+)\) scale\(([\d.]+), ([\d.]+)\)" />'
)
_ELLIPSE: Final = re.compile(r'<ellipse cx="(-?\d+)" cy="(-?\d+)" rx="(\d+)" ry="(\d+)" />')
_MARGIN: Final = re.compile(r'class="page-margin" transform="translate\((-?[\d.]+), (-?[\d.]+)\)">')
_VIEW: Final = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
_STAFF_LINE: Final = re.compile(r'<path d="M(-?\d+) (-?\d+) L(-?\d+) \2" stroke-width="[\d.]+" />')

_COMMON: Final = frozenset(("noteheadBlack", "noteheadHalf", "noteheadWhole", "augmentationDot"))
"""Symbols of which passages have enough."""


_KINDS: Final = (
    (tuple(f"timeSig{digit}" for digit in range(10)), 0.7),
    (("timeSigCommon", "timeSigCutCommon"), 0.5),
    (("gClef", "gClef8vb"), 0.3),
    (("fClef", "cClef", "gClef"), 0.15),
    (("accidentalSharp", "accidentalFlat", "accidentalNatural", "accidentalDoubleFlat"), 0.25),
    (("noteheadBlack", "noteheadHalf", "noteheadDiamondBlack", "noteheadXBlack"), 0.08),
    (("noteheadWhole", "noteheadDoubleWhole"), 0.2),
    (("rest16th", "rest32nd", "rest64th"), 0.3),
    (("flag16thUp", "flag32ndUp", "flag8thUp"), 0.4),
    (("flag16thDown", "flag32ndDown", "flag8thDown"), 0.4),
    (("restWhole", "restHalf"), 0.3),
    (("ornamentTrill", "ornamentTurn", "ornamentShortTrill", "ornamentMordent"), 0.4),
)
"""Symbols that stand in for one another, and how often each does."""


@dataclass(frozen=True)
class SymbolPicture:
    """One engraved passage."""

    gray: NDArray[np.uint8]
    """(h, w), black on white."""
    space: float
    """Pixels of a staff space."""
    labels: NDArray[np.float32]
    """(n, 5): index of the class, and x0, y0, x1, y1 in pixels."""


class _Placed(NamedTuple):
    """A shape in Verovio's units."""

    name: str
    """Empty for what is not found."""
    shape: Shape
    x: float
    y: float
    scale: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        size = SPACE_UNITS * self.scale
        x0, y0, x1, y1 = self.shape.box
        return (self.x + x0 * size, self.y + y0 * size, self.x + x1 * size, self.y + y1 * size)

    def svg(self) -> str:
        size = SPACE_UNITS * self.scale
        stroke = f"stroke:#000;stroke-width:{self.shape.stroke:.3f}" if self.shape.stroke else "stroke:none"
        place = f"translate({self.x:.1f},{self.y:.1f}) scale({size:.2f})"
        return f'<path transform="{place}" style="{stroke};stroke-linejoin:round" d="{self.shape.path}"/>'


def draw_picture(bank: GlyphBank, rng: random.Random) -> SymbolPicture | None:
    """A random passage in a random style; None where Verovio refuses it."""
    difficulty = rng.uniform(0.3, 1.0)
    plan = generator.compose(rng, difficulty)
    request = generator.engraving_request(plan.content, rng, difficulty)
    options = dict(request.options) | {
        "staffLineWidth": rng.uniform(0.1, 0.32),
        "stemWidth": rng.uniform(0.14, 0.34),
        "ledgerLineThickness": rng.uniform(0.16, 0.42),
        "spacingLinear": rng.uniform(0.16, 0.34),
        "spacingStaff": rng.randint(4, 11),
    }
    svg = engraving.engrave(request.source, options)
    if svg is None or _VIEW.search(svg) is None or _MARGIN.search(svg) is None:
        return None
    style = random_style(bank, rng)
    svg, placed, dots = _redrawn(svg, bank, style, rng)
    strewn = _strewn(svg, [item.box for item in placed], bank, style, rng)
    marks = "".join(item.svg() for item in [*placed, *strewn])
    svg = _MARGIN.sub(lambda match: match[0] + marks, svg, count=1)
    boxes = [(item.name, item.box) for item in [*placed, *strewn] if item.name] + dots
    return _rasterized(svg, boxes, rng)


def _redrawn(
    svg: str, bank: GlyphBank, style: Style, rng: random.Random
) -> tuple[str, list[_Placed], list[tuple[str, tuple[float, float, float, float]]]]:
    """The drawing without its glyphs, these in the style, and the boxes of dots, which stay."""
    shapes: dict[str, Shape | None] = {}
    exchanged = _exchanges(rng)
    placed = []
    kept = set()
    for match in _USE.finditer(svg):
        name = base_name(smufl_names().get(int(match[1], 16), ""))
        index = class_of(name)
        if index is None:
            continue
        name = exchanged.get(CLASSES[index], CLASSES[index])
        if name not in shapes:
            font = bank.pick_font(rng) if rng.random() < style.mix else style.font
            glyph = bank.pick(name, font, rng)
            shapes[name] = None if glyph is None else draw_shape(glyph, style, rng)
        shape = shapes[name]
        if shape is None:
            continue
        kept.add(match.span())
        x, y, scale = float(match[2]), float(match[3]), float(match[4]) / FULL_SCALE
        if name.startswith("timeSig"):
            # Digits of LilyPond's font stand on their base line, others are around it.
            y -= (shape.box[1] + shape.box[3]) / 2 * SPACE_UNITS * scale
        placed.append(_Placed(name, shape, x, y, scale))
    pieces, end = [], 0
    for begin, stop in sorted(kept):
        pieces.append(svg[end:begin])
        end = stop
    dots = [
        ("augmentationDot", (x - rx, y - ry, x + rx, y + ry))
        for x, y, rx, ry in (map(float, match.groups()) for match in _ELLIPSE.finditer(svg))
        if rx < 60 and x > 0
    ]
    return "".join([*pieces, svg[end:]]), placed, dots


def _exchanges(rng: random.Random) -> dict[str, str]:
    """Symbols of one picture that are drawn as others of their kind, so that rare ones are not rare."""
    exchanged: dict[str, str] = {}
    for kind, share in _KINDS:
        for name in kind:
            if rng.random() < share:
                exchanged[name] = rng.choice(kind)
    return exchanged


def _strewn(
    svg: str,
    taken: list[tuple[float, float, float, float]],
    bank: GlyphBank,
    style: Style,
    rng: random.Random,
) -> list[_Placed]:
    """Symbols, words and dynamics at random places near the staves where nothing else stands."""
    lines = [(float(m[1]), float(m[2]), float(m[3])) for m in _STAFF_LINE.finditer(svg)]
    lines = [line for line in lines if line[2] - line[0] > 8 * SPACE_UNITS]
    if not lines:
        return []
    rare = [name for name in CLASSES if name not in _COMMON]
    placed: list[_Placed] = []
    for _ in range(6 + round(STREWN_SHARE * len(taken))):
        x0, y0, x1 = rng.choice(lines)
        x = rng.uniform(x0, x1)
        kind = rng.random()
        if kind < 0.7:
            near = rng.random() < 0.75
            name = rng.choice(rare)
            glyph = bank.pick(name, bank.pick_font(rng) if rng.random() < 0.3 else style.font, rng)
            if glyph is None:
                continue
            y = y0 + SPACE_UNITS / 2 * rng.randint(-7, 7) if near else y0 + SPACE_UNITS * rng.uniform(-7, 7)
            if name in ("restWhole", "restHalf"):
                # Only which side of a line they are on tells them apart.
                y = y0
            scale = rng.choice((1.0, 1.0, 1.0, rng.uniform(0.6, 0.85)))
            if rng.random() < SMALL_HEAD_SHARE:
                name, scale = "noteheadBlack", rng.uniform(0.6, 0.8)
                glyph = bank.pick(name, style.font, rng) or glyph
            group = [_Placed(name, draw_shape(glyph, style, rng), x, y, scale)]
        else:
            y = y0 + SPACE_UNITS * rng.uniform(-8, 8)
            scale = rng.uniform(0.8, 1.5)
            source = bank.letters if kind < 0.9 else bank.signs
            group = [
                _Placed("", draw_shape(letter, style, rng), x + dx * SPACE_UNITS * scale, y, scale)
                for letter, dx in word(source, rng)
            ]
        boxes = [item.box for item in group]
        if any(_overlap(box, other) for box in boxes for other in taken):
            continue
        taken += boxes
        placed += group
    return placed


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    gap = 20.0
    return (
        box[0] < other[2] + gap
        and other[0] < box[2] + gap
        and box[1] < other[3] + gap
        and other[1] < box[3] + gap
    )


def _rasterized(
    svg: str, boxes: list[tuple[str, tuple[float, float, float, float]]], rng: random.Random
) -> SymbolPicture | None:
    view, margin = _VIEW.search(svg), _MARGIN.search(svg)
    assert view is not None
    assert margin is not None
    dx, dy = float(margin[1]), float(margin[2])
    space = rng.choice((10.0, 12.0, 14.0, 16.0, 20.0))
    width = round(float(view[1]) * space / SPACE_UNITS)
    if not 100 <= width <= 6000:
        return None
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", width=width, skip_system_fonts=True)
    gray = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    scale = gray.shape[1] / float(view[1])
    rows = [
        (class_of(name), (x0 + dx) * scale, (y0 + dy) * scale, (x1 + dx) * scale, (y1 + dy) * scale)
        for name, (x0, y0, x1, y1) in boxes
    ]
    labels = np.array(rows, np.float32).reshape(-1, 5)
    return SymbolPicture(np.asarray(gray, np.uint8), SPACE_UNITS * scale, labels)


def draw_pictures(bank: GlyphBank, seed: int) -> Iterator[SymbolPicture]:
    """Endless pictures, the same for a seed."""
    rng = random.Random(f"symbols/{seed}")
    while True:
        picture = draw_picture(bank, rng)
        if picture is not None and len(picture.labels):
            yield picture
