"""Letters that touch bonds, cut off from them."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from docai.pipelines.tracing.molecule.candidates import Candidate, look_at
from docai.pipelines.tracing.molecule.ink import Mask
from docai.pipelines.tracing.molecule.parts import Part, parts_of
from docai.pipelines.tracing.molecule.segments import Piece, chain_pieces
from docai.pipelines.tracing.molecule.skeletons import skeleton_of
from docai.pipelines.tracing.molecule.splitting import split_letters

_LONG: Final = (1.25, 0.9)
"""Length of what is surely no stroke of a letter in heights of a capital, at least; in the first pass and in
the second, which looks for letters between short bonds."""

_SIZES: Final = (0.55, 1.4)
"""Height of a letter in heights of a capital."""

_MAX_ROW: Final = 4.0
"""Width of letters that touch in heights of a capital, at most."""

_SURE: Final = 0.6
"""Probability of a letter from which it is cut off."""

_INSIDE: Final = 0.6
"""Stroke widths by which a bond ends before the middle of the stroke that it touches."""

_NOT_CUT: Final = frozenset("Il1|i!jftrLTVvyYXx/\\\\.,:;'*-+=<>()[]{}^~_°Z7kKJ")
"""Letters that bonds which meet look like."""


def cut_letters(parts: list[Part], height: float, width: float) -> tuple[list[Candidate], list[Part]]:
    """Letters that are cut off from line work, and the line work without them.

    Args:
        height: of a capital, pixels of the ink.
        width: of the usual stroke.
    """
    letters: list[Candidate] = []
    for long in _LONG:
        rest: list[Part] = []
        for part in parts:
            found, left = _cut(part, height, width, long * height)
            letters += found
            rest += left
        parts = rest
    return letters, parts


def _cut(part: Part, height: float, width: float, long: float) -> tuple[list[Candidate], list[Part]]:
    if max(part.width, part.height) < 1.2 * height:
        return [], [part]
    graph = skeleton_of(part, width)
    # Ends where the pixels meet: those of lines that cross may lie within the letter.
    pieces = [
        piece
        for chain in graph.chains.values()
        for piece in chain_pieces(chain, width)
        if piece.length >= long
    ]
    if not pieces:
        return [], [part]
    rest = part.mask.copy()
    for piece in pieces:
        _erase(rest, piece, part, width)
    low, high = _SIZES
    fitting = [
        piece
        for piece in parts_of(rest, part.x, part.y, 0.5 * width**2)
        if low * height <= piece.height <= high * height
        if 0.35 * height <= piece.width <= _MAX_ROW * height
    ]
    looks = split_letters(look_at(fitting), height, width)
    found = [look for look in looks if look.letter_score >= _SURE and _is_cut(look.text)]
    if not found:
        return [], [part]
    left = part.mask.copy()
    for look in found:
        x, y = look.part.x - part.x, look.part.y - part.y
        area = left[y : y + look.part.height, x : x + look.part.width]
        area[look.part.mask > 0] = 0
    return found, parts_of(left, part.x, part.y, 0.3 * width**2)


def _is_cut(text: str) -> bool:
    """Whether a letter may stand in a label, and is none that bonds which meet look like."""
    return text.isascii() and text.isalnum() and text not in _NOT_CUT


def _erase(mask: Mask, piece: Piece, part: Part, width: float) -> None:
    """Take the stroke of a bond out of the ink, but for its ends, which may be strokes of letters."""
    unit = piece.unit
    cut = min(_INSIDE * width, 0.3 * piece.length)
    begin = piece.begin + cut * unit - (part.x, part.y)
    end = piece.end - cut * unit - (part.x, part.y)
    half = max(piece.begin_radius, piece.end_radius, 0.5 * width) + 0.25 * width
    normal = np.array([-unit[1], unit[0]]) * half
    corners = np.array([begin + normal, end + normal, end - normal, begin - normal])
    cv2.fillConvexPoly(mask, np.rint((corners - 0.5) * 16).astype(np.int32), 0, shift=4)
