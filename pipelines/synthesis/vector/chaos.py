"""Drawings that mean nothing: any number of strokes and glyphs in any place, and sound drawings damaged."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import (
    Drawing,
    GlyphShape,
    PaintedImage,
    PaintedPath,
    PlacedGlyph,
    Subpath,
)

PAGE: Final[BBox] = (0.0, 0.0, 600.0, 800.0)
_BAD: Final = (math.nan, math.inf, -math.inf, 1e300, -1e30, 1e-300, 0.0, -0.0, 3.4e38, 1e9)
_TEXTS: Final = (
    *"CHNOSPFIBRXclr()[]+-·•0123456789",
    "",
    "\x00",
    "\ufffd",
    "\ue050",
    "\ue0a4",
    "\ue0a3",
    "\ue262",
    "\ue4e5",
    "\ue084",
    "ffi",
    "é",
    "\U0001d11e",
)
_NAMES: Final = (
    "",
    "noteheads.s2",
    "clefs.G",
    "rests.3",
    "accidentals.sharp",
    "C",
    "one",
    "glyph00005",
    "\x07",
)
_COLORS: Final = (None, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.9, 0.1, 0.1))

Floats = NDArray[np.float64]


def random_drawing(rng: random.Random, most: int = 120) -> Drawing:
    """Up to ``most`` paths, glyphs and images each, of one to three habits."""
    habits = [rng.choice(_HABITS) for _ in range(rng.randint(1, 3))]
    badness = rng.choice((0.0, 0.0, 0.02, 0.3))
    paths = tuple(
        _path(rng, order, rng.choice(habits), badness) for order in range(round(most * rng.random() ** 2))
    )
    n_glyphs = round(most * rng.random() ** 3)
    glyphs = tuple(_glyph(rng, len(paths) + order, badness) for order in range(n_glyphs))
    images = tuple(PaintedImage(rng.randrange(200), _box(_spots(rng, 2))) for _ in range(rng.randrange(3)))
    return Drawing(PAGE, paths, glyphs, images, rng.random() < 0.95)


def damaged(drawing: Drawing, rng: random.Random) -> Drawing:
    """A drawing of which some is lost, doubled, moved, scaled or worse."""
    paths, glyphs = list(drawing.paths), list(drawing.glyphs)
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(7)
        if kind == 0:
            paths = [path for path in paths if rng.random() < 0.7]
        elif kind == 1:
            glyphs = [glyph for glyph in glyphs if rng.random() < 0.6]
        elif kind == 2:
            paths += [path for path in paths if rng.random() < 0.5]
        elif kind == 3:
            size = rng.choice((0.01, 0.5, 3.0))
            paths = [_moved(path, 1.0, size, rng) for path in paths]
        elif kind == 4:
            scale = rng.choice((1e-6, 0.01, -1.0, 40.0, 1e6))
            paths = [_moved(path, scale, 0.0, rng) for path in paths]
        elif kind == 5:
            bad = rng.choice(_BAD)
            for _ in range(min(3, len(paths))):
                index = rng.randrange(len(paths))
                paths[index] = _moved(paths[index], bad, 0.0, rng)
        else:
            rng.shuffle(paths)
            paths = [replace(path, order=order) for order, path in enumerate(paths)]
    return replace(drawing, paths=tuple(paths), glyphs=tuple(glyphs))


def _moved(path: PaintedPath, scale: float, noise: float, rng: random.Random) -> PaintedPath:
    source = np.random.default_rng(rng.randrange(1 << 30))
    with np.errstate(all="ignore"):
        subpaths = tuple(
            part._replace(points=part.points * scale + source.normal(0, noise, part.points.shape))
            for part in path.subpaths
        )
        return replace(path, subpaths=subpaths, bbox=_box(np.concatenate([part.points for part in subpaths])))


def _box(points: Floats) -> BBox:
    if not len(points):
        return (0.0, 0.0, 0.0, 0.0)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _spots(rng: random.Random, count: int) -> Floats:
    return np.array([[rng.uniform(PAGE[0], PAGE[2]), rng.uniform(PAGE[1], PAGE[3])] for _ in range(count)])


def _anywhere(rng: random.Random) -> Floats:
    return _spots(rng, rng.choice((0, 1, 2, 2, 2, 3, 5, 40)))


def _on_grid(rng: random.Random) -> Floats:
    """Pieces along the axes between points of a grid."""
    step = rng.choice((5.0, 20.0))
    x, y = step * rng.randrange(30), step * rng.randrange(30)
    dx, dy = rng.choice(((step, 0.0), (0.0, step), (300.0, 0.0), (0.0, 40.0)))
    return np.array([[x, y], [x + dx, y + dy]])


def _bond_like(rng: random.Random) -> Floats:
    """A line of one length from a point of a lattice, in one of twelve directions; triangles, too."""
    x, y = 15 * rng.randrange(20) + 50.0, 13 * rng.randrange(20) + 50.0
    angle = math.pi / 6 * rng.randrange(12)
    end = [x + 15 * math.cos(angle), y + 15 * math.sin(angle)]
    if rng.random() < 0.2:
        across = [end[0] - 2 * math.sin(angle), end[1] + 2 * math.cos(angle)]
        return np.array([[x, y], end, across, [x, y]])
    return np.array([[x, y], end])


def _staff_like(rng: random.Random) -> Floats:
    """One of five lines, a stem, or a ring of curve pieces such as a notehead."""
    top = 60.0 + 90 * rng.randrange(4)
    kind = rng.random()
    if kind < 0.4:
        y = top + 5 * rng.randrange(5)
        return np.array([[40.0, y], [560.0, y]])
    x, y = 60 + 12.0 * rng.randrange(40), top + 2.5 * rng.randrange(-6, 14)
    if kind < 0.7:
        return np.array([[x, y], [x, y + rng.choice((-17.5, 17.5, 3.0, 60.0))]])
    turn = np.linspace(0, 2 * math.pi, 13)
    return np.column_stack([x + 3 * np.cos(turn), y + 2.2 * np.sin(turn)])


def _in_one_place(rng: random.Random) -> Floats:
    return np.full((rng.randint(1, 4), 2), 100.0)


_HABITS: Final = (_anywhere, _on_grid, _bond_like, _bond_like, _staff_like, _staff_like, _in_one_place)


def _path(
    rng: random.Random, order: int, habit: Callable[[random.Random], Floats], badness: float
) -> PaintedPath:
    subpaths = []
    for _ in range(rng.choice((1, 1, 1, 2, 6))):
        points = habit(rng).reshape(-1, 2)
        for index in range(len(points)):
            if rng.random() < badness:
                points[index, rng.randrange(2)] = rng.choice(_BAD)
        is_closed = len(points) > 2 and bool((points[0] == points[-1]).all())
        curved = np.full(max(0, len(points) - 1), rng.random() < 0.2)
        subpaths.append(Subpath(points, curved, is_closed))
    stroke, fill = rng.choice(_COLORS), rng.choice(_COLORS)
    width = rng.choice((0.0, 0.4, 0.5, 1.0, 1.0, 5.0, 40.0))
    return PaintedPath(
        order=order,
        subpaths=tuple(subpaths),
        stroke=stroke,
        fill=fill if stroke is not None else (0.0, 0.0, 0.0),
        width=rng.choice(_BAD) if rng.random() < badness else width,
        dashes=rng.choice(((), (), (), (3.0, 2.0), (0.0,), (0.0, 1e-9))),
        opacity=rng.choice((1.0, 1.0, 0.5, 0.0)),
        bbox=_box(np.concatenate([part.points for part in subpaths])),
        is_clipped=rng.random() < 0.1,
        cap=rng.choice(("butt", "round", "square")),
        is_shaded=rng.random() < 0.05,
    )


def _glyph(rng: random.Random, order: int, badness: float) -> PlacedGlyph:
    x, y = rng.uniform(0, 600), rng.uniform(0, 800)
    if rng.random() < 0.5:
        # At the ends of bonds and on staves.
        x, y = 15 * rng.randrange(20) + 50.0, 13 * rng.randrange(20) + 50.0
    size = rng.choice((0.0, 1e-6, 6.0, 10.0, 10.0, 20.0, 900.0))
    if rng.random() < badness:
        x, y, size = (rng.choice((*_BAD, 5.0)) for _ in range(3))
    outline = np.array([[0.0, 0.0], [rng.random(), 0.0], [rng.random(), rng.random()], [0.0, 0.0]])
    parts = (Subpath(outline, np.zeros(3, bool), True),) if rng.random() < 0.8 else ()
    shape = GlyphShape(
        rng.choice(("Helvetica", "Emmentaler-20", "Leland", "")), rng.randrange(9), rng.choice(_NAMES), parts
    )
    matrix = rng.choice(
        ((size, 0.0, 0.0, -size), (0.0, size, size, 0.0), (0.0, 0.0, 0.0, 0.0), (-size, 0.0, 0.0, size))
    )
    box = (x, y - size, x + size, y)
    return PlacedGlyph(order, rng.choice(_TEXTS), shape, (x, y), matrix, size, (0.0, 0.0, 0.0), 1.0, box)
