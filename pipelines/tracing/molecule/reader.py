"""Molecules of a picture: traced to strokes and letters, and read as those of a born-digital page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.tracing.molecule.tracer import Tracing, trace


@dataclass(slots=True, eq=False)
class TracedMolecules:
    """What a picture shows."""

    readings: list[MoleculeReading]
    """In points of the tracing's drawing."""
    tracing: Tracing | None


def read_picture(picture: NDArray[np.uint8]) -> TracedMolecules:
    """The structures of a picture ``(H, W)`` or ``(H, W, 3)``, ink on paper."""
    tracing = trace(picture)
    if tracing is None:
        return TracedMolecules([], None)
    return TracedMolecules(read_molecules(tracing.drawing, tracing.letters), tracing)
