"""The letter O in pictures of few pixels: a ring, round or square, that other signs and digits look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from docai.geometry import touches
from docai.pipelines.drawings.letter import Letter
from docai.pipelines.ingest.drawing import PaintedPath
from docai.pipelines.tracing.molecule.candidates import Candidate

_RING_HEIGHT: Final = 0.85
"""Height of a ring that is an O in heights of the usual capital, at least."""

_RINGS: Final = frozenset("O0oQ°○")
"""What an O is taken for."""

_RING_SCORE: Final = 0.7
"""Probability of an O or what looks alike, from which a ring is one though nothing was read."""

_SCORE: Final = 0.55
"""Score that such a letter is given, at least."""


def as_capital(letter: Letter, height: float) -> Letter:
    """A letter; a ring that is as high as a capital, ``height``, is an O: no sign for degrees is."""
    if letter.text != "°" or letter.bbox[3] - letter.bbox[1] < _RING_HEIGHT * height:
        return letter
    return replace(letter, text="O", score=max(letter.score, _SCORE))


def missed_rings(
    candidates: Sequence[Candidate],
    paths: Sequence[PaintedPath],
    read: Sequence[Letter],
    scale: float,
    height: float,
) -> list[Letter]:
    """Rings that are likely an O by their outlines, and of which the reader of letters made nothing.

    Args:
        candidates: what may be letters, pixels of the ink.
        paths: their outlines in points of the drawing.
        read: the letters that were read of these.
        scale: points of the drawing per pixel.
        height: of a capital, points.
    """
    sizes = [letter.size for letter in read if letter.text.isupper()]
    if not sizes:
        return []
    size = float(np.median(sizes))
    middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in (path.bbox for path in paths)]
    found = []
    for ring in candidates:
        part = ring.part
        if ring.text not in _RINGS or ring.score < _RING_SCORE or part.height * scale < _RING_HEIGHT * height:
            continue
        x, y = (part.x + part.width / 2) * scale, (part.y + part.height / 2) * scale
        if any(touches(letter.bbox, (x, y, x, y)) for letter in read):
            continue
        index = min(range(len(paths)), key=lambda k: abs(middles[k][0] - x) + abs(middles[k][1] - y))
        box = paths[index].bbox
        found.append(Letter("O", box, size, box[3], index, _SCORE, paths=(index,)))
    return found
