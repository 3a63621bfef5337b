"""Short pieces between others, which are no bonds: what joins the lines of double bonds, and thick crossings."""

from __future__ import annotations

from typing import Final

import numpy as np

from docai.pipelines.tracing.molecule.segments import Piece, Vector

_SHORT: Final = 0.3
"""Length of such a piece in bond lengths, at most."""

_NEAR: Final = 1.3
"""Stroke widths within which ends of pieces meet."""


def drop_bridges(pieces: list[Piece], bond: float, width: float) -> list[Piece]:
    """The pieces without short ones between others, whose ends are moved along them to where these were."""
    left = list(pieces)
    for piece in sorted(pieces, key=lambda p: p.length):
        if piece.length > max(_SHORT * bond, 2.0 * width):
            break
        others = [other for other in left if other is not piece]
        at_begin = _ends_at(others, piece.begin, width)
        at_end = _ends_at(others, piece.end, width)
        if not at_begin or not at_end:
            continue
        middle = (piece.begin + piece.end) / 2
        for other, is_end in at_begin + at_end:
            if other.length < 0.3 * bond:
                continue
            fixed, unit = (other.begin if is_end else other.end), other.unit
            moved = fixed + unit * float((middle - fixed) @ unit)
            if is_end:
                other.end = moved
            else:
                other.begin = moved
        left = others
    return left


def _ends_at(pieces: list[Piece], point: Vector, width: float) -> list[tuple[Piece, bool]]:
    near = _NEAR * width
    return [
        (piece, is_end)
        for piece in pieces
        for is_end in (False, True)
        if float(np.abs((piece.end if is_end else piece.begin) - point).max()) <= near
    ]
