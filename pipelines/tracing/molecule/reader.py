"""Molecules of a picture: traced to strokes and letters, and read as those of a born-digital page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import touches
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.grouping import formulas_alone
from docai.pipelines.drawings.molecule.points import grown
from docai.pipelines.drawings.molecule.reader import read_graphs
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.tracing.molecule.captions import find_captions, without
from docai.pipelines.tracing.molecule.tracer import Tracing, trace

_OTHER_SCALE: Final = (0.6, 1.6)
"""Bond length of a structure over that of the largest one within which it is drawn with it."""

_FAR: Final = 2.5
"""Bond lengths from a structure from where the reader of drawings takes nothing to it."""

_MIN_PART: Final = 0.02
"""Confidence of a structure beside a larger one below which it is a caption or dirt."""

_LEFT_OUT: Final = 0.9
"""Factor of the confidence for each structure that is left out beside what is read."""


_DOUBTFUL: Final = 0.9
"""Confidence below which a picture is traced again."""


@dataclass(slots=True, eq=False)
class TracedMolecules:
    """What a picture shows."""

    smiles: str = ""
    """Structures joined by dots, with the labels of open positions as written; empty where there is none."""
    confidence: float = 0.0
    """Probability that this is what is drawn, as the reader of drawings tells it."""
    method: str = "none"
    readings: list[MoleculeReading] = field(default_factory=list)
    """All that was read, also captions and dirt, in points of the tracing's drawing."""
    tracing: Tracing | None = None


def read_picture(picture: NDArray[np.uint8]) -> TracedMolecules:
    """The structures of a picture ``(H, W)`` or ``(H, W, 3)``, ink on paper, as one.

    A doubtful one is traced again, with letters that touch bonds looked for; the surer reading is taken.
    """
    return read_traced(picture, trace(picture))


def read_traced(picture: NDArray[np.uint8], tracing: Tracing | None) -> TracedMolecules:
    """The same of a picture that was traced once."""
    found = _of_tracing(tracing)
    if found.tracing is None or found.confidence >= _DOUBTFUL:
        return found
    again = _of_tracing(trace(picture, sees_touching=True))
    return again if again.confidence > found.confidence else found


def _of_tracing(tracing: Tracing | None) -> TracedMolecules:
    if tracing is None:
        return TracedMolecules()
    readings = _read(tracing)
    kept, n_left = _belonging(readings)
    kept += _formulas_beside(kept, tracing)
    if not kept:
        return TracedMolecules(readings=readings, tracing=tracing)
    texts = [
        reading.content.smiles_labelled or reading.content.smiles or ""
        for reading in kept
        if reading.content is not None
    ]
    confidence = min(reading.confidence for reading in kept) * _LEFT_OUT**n_left
    return TracedMolecules(".".join(texts), confidence, kept[0].method, readings, tracing)


def _read(tracing: Tracing) -> list[MoleculeReading]:
    """What the drawing shows, without captions."""
    graphs = read_graphs(tracing.drawing, tracing.letters)
    captions = find_captions(graphs)
    if captions:
        drawing, letters = without(tracing.drawing, tracing.letters, captions)
        graphs = read_graphs(drawing, letters)
    return [describe_graph(graph) for graph in graphs]


def _belonging(readings: list[MoleculeReading]) -> tuple[list[MoleculeReading], int]:
    """The largest structure and those drawn with it, and the number of others, such as captions."""
    valid = [reading for reading in readings if reading.content is not None and reading.content.smiles]
    if not valid:
        return [], 0
    main = max(valid, key=_size)
    kept = [reading for reading in valid if reading is main or _belongs(reading, main)]
    return kept, len(readings) - len(kept)


def _formulas_beside(kept: list[MoleculeReading], tracing: Tracing) -> list[MoleculeReading]:
    """Formulas far from the structure, as the acid of a salt behind a dot: a picture holds what belongs."""
    if not kept or kept[0].graph is None or not kept[0].graph.links:
        return []
    length = max(reading.graph.bond_length for reading in kept if reading.graph is not None)
    boxes = [grown(reading.bbox, _FAR * length) for reading in kept]
    letters = [
        letter
        for letter in tracing.letters
        if letter.text.isalnum() and not any(touches(letter.bbox, box) for box in boxes)
    ]
    return [
        reading
        for graph in formulas_alone(letters)
        for reading in [describe_graph(graph)]
        if reading.content is not None and "*" not in (reading.content.smiles or "*")
    ]


def _size(reading: MoleculeReading) -> tuple[int, int]:
    content, graph = reading.content, reading.graph
    return (len(graph.links) if graph is not None else 0, len(content.atoms) if content is not None else 0)


def _belongs(reading: MoleculeReading, main: MoleculeReading) -> bool:
    """Whether a structure is drawn with a larger one: the ion or the acid of a salt, or of its scale."""
    content, graph, other = reading.content, reading.graph, main.graph
    if content is None or graph is None or other is None or "*" in (content.smiles or "*"):
        return False
    if reading.confidence < _MIN_PART:
        return False
    if not other.links or not graph.links:
        return True
    low, high = _OTHER_SCALE
    return low * other.bond_length <= (graph.own_length or graph.bond_length) <= high * other.bond_length
