"""What of a drawing can be measured: a drawing may come from anywhere, and readers of it need not care."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.ingest.drawing import Drawing, PaintedPath, PlacedGlyph

MAX_COORDINATE: Final = 1e6
"""Points; farther away nothing is drawn, and squares of distances still are numbers."""


def sound_drawing(drawing: Drawing) -> Drawing:
    """The drawing without what has no place: subpaths of fewer than two points, and numbers that are none.

    It is the same object where there is nothing to leave out, as in all that
    :func:`~docai.pipelines.ingest.drawing_reader.read_drawing` gives.
    """
    paths = tuple(_sound_paths(drawing.paths))
    glyphs = tuple(glyph for glyph in drawing.glyphs if _is_sound_glyph(glyph))
    if len(glyphs) == len(drawing.glyphs) and paths == drawing.paths:
        return drawing
    return replace(drawing, paths=paths, glyphs=glyphs)


def _sound_paths(paths: tuple[PaintedPath, ...]) -> list[PaintedPath]:
    sound = []
    for path in paths:
        numbers = (*path.bbox, path.width, path.opacity, *path.dashes)
        if not all(abs(value) <= MAX_COORDINATE for value in numbers) or path.width < 0:
            continue
        parts = [part for part in path.subpaths if _has_place(part.points)]
        if len(parts) == len(path.subpaths) > 0:
            sound.append(path)
        elif parts:
            points = np.concatenate([part.points for part in parts])
            (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            sound.append(replace(path, subpaths=tuple(parts), bbox=(x0, y0, x1, y1)))
    return sound


def _has_place(points: NDArray[np.float64]) -> bool:
    # A number that is none is not within a limit either.
    return len(points) > 1 and bool(np.abs(points).max() <= MAX_COORDINATE)


def _is_sound_glyph(glyph: PlacedGlyph) -> bool:
    numbers = (*glyph.bbox, *glyph.origin, *glyph.matrix, glyph.size, glyph.opacity)
    return all(abs(value) <= MAX_COORDINATE for value in numbers)
