"""Straight lines of several bonds, split where the lines of a multiple bond beside them end."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from docai.pipelines.tracing.molecule.segments import Piece, Vector

_LONG: Final = 1.5
"""Length in bond lengths from which a straight line may be several bonds."""

_MAX_GAP: Final = 0.3
"""Distance of a line beside in bond lengths, at most."""

_PARALLEL: Final = 0.1
"""Sine of the angle between it and the straight line, at most."""

_LENGTHS: Final = (0.45, 1.2)
"""Its length in bond lengths."""

_MIN_PIECE: Final = 0.3
"""Length of what is split off, in bond lengths, at least."""


def split_straight(pieces: list[Piece], beside: list[tuple[Vector, Vector]], bond: float) -> list[Piece]:
    """Pieces, with long ones split at the ends of the bonds that lines beside them double.

    An atom with a triple bond or two double bonds stands on a straight line, where nothing else shows it.

    Args:
        beside: ends of other lines, among them those of bars.
        bond: length of the usual bond, pixels.
    """
    made: list[Piece] = []
    for piece in pieces:
        stops = _stops(piece, beside, bond) if piece.length > _LONG * bond else []
        places = [piece.begin, *(piece.begin + piece.unit * stop for stop in stops), piece.end]
        for index, (begin, end) in enumerate(pairwise(places)):
            made.append(
                Piece(
                    begin,
                    end,
                    piece.begin_radius,
                    piece.end_radius,
                    piece.begin_node if index == 0 else -1,
                    piece.end_node if index == len(places) - 2 else -1,
                    piece.is_even,
                )
            )
    return made


def _stops(piece: Piece, beside: list[tuple[Vector, Vector]], bond: float) -> list[float]:
    """Distances from the begin of a piece."""
    unit, span = piece.unit, piece.length
    found: list[float] = []
    for p, q in beside:
        length = float(np.hypot(*(q - p)))
        if not _LENGTHS[0] * bond <= length <= _LENGTHS[1] * bond:
            continue
        sine = abs(float(unit[0] * (q - p)[1] - unit[1] * (q - p)[0])) / length
        off = (p + q) / 2 - piece.begin
        middle, gap = float(off @ unit), abs(float(unit[0] * off[1] - unit[1] * off[0]))
        if sine > _PARALLEL or not 0.03 * bond < gap < _MAX_GAP * bond or not 0 < middle < span:
            continue
        for stop in (middle - 0.5 * max(bond, length), middle + 0.5 * max(bond, length)):
            is_inside = _MIN_PIECE * bond < stop < span - _MIN_PIECE * bond
            if is_inside and all(abs(stop - other) > 0.4 * bond for other in found):
                found.append(stop)
    return sorted(found)
