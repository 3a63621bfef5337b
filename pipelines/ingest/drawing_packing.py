"""A drawing as a few large arrays, for the way between two processes.

Thousands of small arrays would take most of the time of that way.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

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


class PackedSubpaths(NamedTuple):
    """Subpaths of many paths, one after the other."""

    points: NDArray[np.float64]
    is_curve: NDArray[np.bool_]
    sizes: list[int]
    """Points of each subpath."""
    is_closed: list[bool]
    counts: list[int]
    """Subpaths of each path."""


class PackedDrawing(NamedTuple):
    """See :class:`Drawing`; what is left of paths, shapes and glyphs has no subpaths."""

    bbox: BBox
    paths: list[tuple[Any, ...]]
    path_subpaths: PackedSubpaths
    shapes: list[tuple[Any, ...]]
    shape_subpaths: PackedSubpaths
    glyphs: list[tuple[Any, ...]]
    images: list[tuple[Any, ...]]
    is_complete: bool


def pack_drawing(drawing: Drawing) -> PackedDrawing:
    """A drawing as data that is quick to pickle."""
    shapes = list({id(glyph.shape): glyph.shape for glyph in drawing.glyphs}.values())
    index = {id(shape): number for number, shape in enumerate(shapes)}
    return PackedDrawing(
        drawing.bbox,
        [_values(path, "subpaths") for path in drawing.paths],
        _pack([path.subpaths for path in drawing.paths]),
        [_values(shape, "subpaths") for shape in shapes],
        _pack([shape.subpaths for shape in shapes]),
        [(index[id(glyph.shape)], *_values(glyph, "shape")) for glyph in drawing.glyphs],
        [_values(image) for image in drawing.images],
        drawing.is_complete,
    )


def unpack_drawing(packed: PackedDrawing) -> Drawing:
    """The drawing that was packed."""
    path_parts = _unpack(packed.path_subpaths)
    shape_parts = _unpack(packed.shape_subpaths)
    shapes = [
        GlyphShape(font, gid, name, parts)
        for (font, gid, name), parts in zip(packed.shapes, shape_parts, strict=True)
    ]
    return Drawing(
        packed.bbox,
        tuple(
            PaintedPath(order, parts, *rest)
            for (order, *rest), parts in zip(packed.paths, path_parts, strict=True)
        ),
        tuple(PlacedGlyph(order, text, shapes[shape], *rest) for shape, order, text, *rest in packed.glyphs),
        tuple(PaintedImage(*values) for values in packed.images),
        packed.is_complete,
    )


def _values(thing: Any, left_out: str = "") -> tuple[Any, ...]:
    return tuple(getattr(thing, name) for name in type(thing).__slots__ if name != left_out)


def _pack(paths: Sequence[tuple[Subpath, ...]]) -> PackedSubpaths:
    parts = [part for path in paths for part in path]
    return PackedSubpaths(
        np.concatenate([part.points for part in parts]) if parts else np.zeros((0, 2)),
        np.concatenate([part.is_curve for part in parts]) if parts else np.zeros(0, bool),
        [len(part.points) for part in parts],
        [bool(part.is_closed) for part in parts],
        [len(path) for path in paths],
    )


def _unpack(packed: PackedSubpaths) -> Iterator[tuple[Subpath, ...]]:
    parts = _parts(packed)
    for count in packed.counts:
        yield tuple(islice(parts, count))


def _parts(packed: PackedSubpaths) -> Iterator[Subpath]:
    points, is_curve = packed.points, packed.is_curve
    begin = begin_piece = 0
    for size, is_closed in zip(packed.sizes, packed.is_closed, strict=True):
        n_pieces = max(size - 1, 0)
        yield Subpath(points[begin : begin + size], is_curve[begin_piece : begin_piece + n_pieces], is_closed)
        begin += size
        begin_piece += n_pieces


def _reduce(drawing: Drawing) -> tuple[Callable[..., Drawing], tuple[PackedDrawing]]:
    return unpack_drawing, (pack_drawing(drawing),)


def pack_by_arrays() -> None:
    """Make all drawings of this process go to others so."""
    copyreg.pickle(Drawing, _reduce)
