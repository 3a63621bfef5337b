"""The molecules of a drawing: strokes and letters to structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.pipelines.drawings.letters import Letter, read_letters
from docai.pipelines.drawings.molecule.bond_strokes import Strokes
from docai.pipelines.drawings.molecule.bonds import Bonds, read_bonds
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.graph import wire
from docai.pipelines.drawings.molecule.grouping import find_structures, formulas_alone
from docai.pipelines.drawings.molecule.joints import find_facing, find_joints
from docai.pipelines.drawings.molecule.label_dots import take_dots
from docai.pipelines.drawings.molecule.labels import without_notes
from docai.pipelines.drawings.molecule.letter_choice import choose_letters
from docai.pipelines.drawings.molecule.plausibility import drop_other_linework
from docai.pipelines.drawings.molecule.signs import plain_signs, take_signs
from docai.pipelines.drawings.molecule.stroke_reader import read_strokes
from docai.pipelines.drawings.molecule.types import DrawnGraph, MoleculeReading
from docai.pipelines.drawings.sound import sound_drawing
from docai.pipelines.ingest.drawing import Drawing

_SURE_LETTER: Final = 0.55
"""Score of an outline above which it is a letter and no stroke."""

_MANY_LETTERS: Final = 300
"""Letters of a drawing from where those far from any bond are left out first."""

_LABEL_REACH: Final = 3.0
"""Distance of letters from bonds, in bond lengths, up to which they may be of the structure."""

_OTHER_SCALE: Final = 1.2
"""Bond length of a structure over that of the whole drawing from where it is read again by itself."""


def read_molecules(drawing: Drawing, letters: list[Letter] | None = None) -> list[MoleculeReading]:
    """The structures of a drawing, in reading order; none where it draws none.

    Fragments near each other, as of a salt, are one reading, unless an arrow or a plus stands between.

    Args:
        drawing: of a page, or of a region of it.
        letters: those of the drawing; None reads them.
    """
    return [describe_graph(graph) for graph in read_graphs(drawing, letters)]


def read_graphs(drawing: Drawing, letters: list[Letter] | None = None) -> list[DrawnGraph]:
    """The structures of a drawing as drawn, before their chemistry."""
    drawing = sound_drawing(drawing)
    if letters is None:
        letters = read_letters(drawing)
    sure = plain_signs(without_notes(choose_letters(drawing, letters)))
    strokes = read_strokes(drawing, {path for letter in sure for path in letter.paths})
    if not strokes.is_complete:
        return []
    sure += take_signs(drawing, strokes, sure)
    sure += take_dots(drawing, strokes, sure)
    graphs = _read(strokes, sure)
    scale = max((graph.bond_length for graph in graphs), default=0.0)
    again: list[DrawnGraph] = []
    for graph in graphs:
        own = graph.own_length
        if len(graphs) > 1 and own > 0 and not 1 / _OTHER_SCALE < own / scale < _OTHER_SCALE:
            part = strokes.within(graph.bbox, 0.5 * own)
            again += _read(part, [letter for letter in sure if _is_near(letter, graph, own)]) or [graph]
        else:
            again.append(graph)
    return sorted(again, key=lambda graph: (graph.bbox[1], graph.bbox[0]))


def _is_near(letter: Letter, graph: DrawnGraph, margin: float) -> bool:
    x, y = (letter.bbox[0] + letter.bbox[2]) / 2, (letter.bbox[1] + letter.bbox[3]) / 2
    x0, y0, x1, y1 = graph.bbox
    return x0 - margin <= x <= x1 + margin and y0 - margin <= y <= y1 + margin


def _read(strokes: Strokes, letters: Sequence[Letter]) -> list[DrawnGraph]:
    bonds = read_bonds(strokes, letters)
    if not bonds.marks:
        return formulas_alone(letters)
    joints = find_joints(bonds.marks, letters, bonds.length, bonds.width)
    faces = find_facing(bonds.marks, letters, bonds.length)
    paths = {path for mark in bonds.marks for path in mark.paths}
    bonds.marks, joints, brackets = drop_other_linework(bonds.marks, joints, faces, bonds.length, bonds.width)
    if not bonds.marks:
        return []
    letters = _near_bonds(letters, bonds)
    wiring = wire(bonds.marks, joints, letters, strokes.circles, bonds.length)
    wiring.brackets = brackets
    wiring.left_out = paths - {path for mark in bonds.marks for path in mark.paths}
    return find_structures(strokes, bonds, wiring, letters)


def _near_bonds(letters: Sequence[Letter], bonds: Bonds) -> list[Letter]:
    """Letters that may be of a structure or beside one: on a page of text they are few."""
    if len(letters) < _MANY_LETTERS:
        return list(letters)
    margin = _LABEL_REACH * bonds.length
    ends = np.array([(mark.begin, mark.end) for mark in bonds.marks], float)
    low, high = ends.min(axis=1) - margin, ends.max(axis=1) + margin
    kept = []
    for letter in letters:
        x0, y0, x1, y1 = letter.bbox
        if ((low[:, 0] < x1) & (high[:, 0] > x0) & (low[:, 1] < y1) & (high[:, 1] > y0)).any():
            kept.append(letter)
    return kept
