"""Scores from drawings: the systems of a page, each as kern."""

from __future__ import annotations

from collections.abc import Sequence

from docai.pipelines.drawings.score.breaks import find_open_ties
from docai.pipelines.drawings.score.content import PieceState, SystemReading, read_system
from docai.pipelines.drawings.score.reader import find_systems
from docai.pipelines.drawings.score.types import System
from docai.pipelines.ingest.drawing import Drawing


def read_systems(drawing: Drawing, state: PieceState | None = None) -> list[SystemReading]:
    """The systems of music that a page draws, from the top.

    Args:
        drawing: what the page draws.
        state: what the page before hands over, such as the meter; it is changed to what this one does.
    """
    return read_found_systems(find_systems(drawing), state)


def read_found_systems(systems: Sequence[System], state: PieceState | None = None) -> list[SystemReading]:
    """Read systems in the order in which they are played."""
    state = state or PieceState()
    return [
        read_system(system, state, ties)
        for system, ties in zip(systems, find_open_ties(systems), strict=True)
    ]
