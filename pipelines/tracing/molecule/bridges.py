"""Short pieces between others, which are no bonds: what joins the lines of a double bond, thick crossings."""

from __future__ import annotations

from typing import Final

import numpy as np

from docai.pipelines.drawings.molecule.points import components
from docai.pipelines.tracing.molecule.segments import Piece, Vector

_SHORT: Final = 0.3
"""Length of such a piece in bond lengths, at most."""

_MAX_EXTENT: Final = 0.5
"""Larger side of several that meet, in bond lengths, at most."""

_NEAR: Final = 1.3
"""Stroke widths within which ends of pieces meet."""

_REACH: Final = 0.35
"""Distance in bond lengths by which the crossing of lines may lie from such pieces."""

_PULL: Final = 0.02
"""Weight of the middle of such pieces beside one line that meets them."""


def drop_bridges(pieces: list[Piece], bond: float, width: float) -> list[Piece]:
    """The pieces without short ones between others, whose ends move to where their lines cross."""
    limit = max(_SHORT * bond, 2.0 * width)
    short = [piece for piece in pieces if piece.length <= limit]
    left = list(pieces)
    near = _NEAR * width
    # What has a free end is the rest of a bond before a letter.
    while True:
        inner = [piece for piece in short if _is_joined(piece, left, near)]
        if len(inner) == len(short):
            break
        short = inner
    links = [
        (i, j)
        for i, a in enumerate(short)
        for j, b in enumerate(short[:i])
        if any(_apart(p, q) <= near for p in (a.begin, a.end) for q in (b.begin, b.end))
    ]
    gone: list[Piece] = []
    for group in components(len(short), links):
        members = [short[index] for index in group]
        ends = np.array([end for piece in members for end in (piece.begin, piece.end)])
        if float(np.ptp(ends, axis=0).max()) > max(_MAX_EXTENT * bond, 2.5 * width):
            continue
        others = [
            (piece, is_end)
            for piece in pieces
            if piece not in short
            for is_end in (False, True)
            if min(_apart(end, piece.end if is_end else piece.begin) for end in ends) <= near
        ]
        if len(others) < 2:
            continue
        _move(others, ends.mean(axis=0), _REACH * bond)
        gone += members
    return [piece for piece in left if piece not in gone]


def _is_joined(piece: Piece, others: list[Piece], near: float) -> bool:
    return all(
        any(
            _apart(at, end) <= near
            for other in others
            if other is not piece
            for end in (other.begin, other.end)
        )
        for at in (piece.begin, piece.end)
    )


def _apart(a: Vector, b: Vector) -> float:
    return float(np.abs(a - b).max())


def _move(members: list[tuple[Piece, bool]], center: Vector, reach: float) -> None:
    """Move the ends of lines along them to the point that is nearest to all."""
    normals, offsets = _PULL * np.eye(2), _PULL * center
    for piece, _ in members:
        unit = piece.unit
        across = np.eye(2) - np.outer(unit, unit)
        normals = normals + across
        offsets = offsets + across @ piece.begin
    point = np.linalg.solve(normals, offsets)
    if float(np.hypot(*(point - center))) > reach:
        point = center
    for piece, is_end in members:
        fixed, unit = (piece.begin if is_end else piece.end), piece.unit
        moved = fixed + unit * float((point - fixed) @ unit)
        if is_end:
            piece.end = moved
        else:
            piece.begin = moved
