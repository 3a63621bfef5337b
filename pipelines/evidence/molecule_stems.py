"""Letters of a molecule's picture that programs take for bonds: the I of iodine is a mere stroke.

An answer that has fewer iodine atoms than the picture shows such letters has a methyl group in their place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from docai.pipelines.evidence.molecule_picture import Ink, MoleculePicture

if TYPE_CHECKING:
    from docai.pipelines.tracing.molecule.tracer import Tracing

_ASPECT: Final = 2.5
"""Height over width of an upright stroke, at least."""

_WIDTH: Final = 2.2
"""Width of its box in stroke widths, at most."""

_BESIDE: Final = 0.5
"""Distance of other ink at the same height in heights of the stroke, up to which it is a letter of a word,
such as ``Cl``, or a line of a double bond."""

_IODINE: Final = re.compile(r"I(?![nr])")


@lru_cache(maxsize=4)
def traced(picture: MoleculePicture) -> Tracing | None:
    """A picture as strokes and letters, traced once for all who read it."""
    from docai.pipelines.tracing.molecule.tracer import trace

    return trace(picture.gray)


def count_stems(picture: MoleculePicture) -> int:
    """Upright strokes that stand as letters at the ends of bonds, see :mod:`docai.pipelines.tracing`."""
    if not _may_have_stems(picture.ink, picture.stroke):
        return 0
    tracing = traced(picture)
    return 0 if tracing is None else tracing.n_stems


def count_iodines(smiles: str) -> int:
    """Iodine atoms of a SMILES."""
    return len(_IODINE.findall(smiles))


def _may_have_stems(ink: Ink, stroke: float) -> bool:
    """Whether some connected ink is an upright stroke with nothing at its sides: cheap, and seldom."""
    import cv2

    n_pieces, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    for x, y, wide, high, _ in stats[1:n_pieces].tolist():
        if high < _ASPECT * wide or wide > _WIDTH * stroke + 1 or high < 2 * stroke:
            continue
        reach = round(_BESIDE * high)
        middle = slice(y + high // 4, y + high - high // 4)
        left = ink[middle, max(0, x - reach) : x]
        right = ink[middle, x + wide : x + wide + reach]
        # A bond from the side ends at it, on one side.
        if not (np.any(left) and np.any(right)) and _is_clear(left, right, high):
            return True
    return False


def _is_clear(left: Ink, right: Ink, high: int) -> bool:
    """Whether what is at the sides is no letter or line of that height: ink in a few rows alone."""
    rows = sum(int(side.any(axis=1).sum()) for side in (left, right) if side.size)
    return rows <= 0.35 * high
