"""Molecules as drawing instructions, and their drawing by OpenCV and Pillow, without RDKit.

A :class:`MoleculeDrawing` has no pixels: places of atoms, labels, and how each bond is drawn. Stroke weight,
letters, size, rotation and noise are chosen by :func:`draw`, so that one gives many pictures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import SIZE, Gray, Mark, Sample, UndrawableError, place, room, to_rgb
from docai.pipelines.synthesis.molecule.generator import MAX_BOND_PIXELS, SMILES_ATOM
from docai.pipelines.synthesis.noise import degrade, distort, follow, harsh

STEPS_PER_BOND = 48
"""Steps of the stored coordinates per bond length of RDKit's layout, 1.5 Å."""


class Stroke(IntEnum):
    """How a bond is drawn. Sides are seen from its first atom to its second, y downward."""

    SINGLE = 0
    DOUBLE = 1
    DOUBLE_LEFT = 2
    DOUBLE_RIGHT = 3
    TRIPLE = 4
    WEDGE = 5
    HASH = 6
    WAVY = 7


class Label(NamedTuple):
    """The text at an atom. A part begins with ``-`` on the line, ``_`` as subscript, ``^`` as superscript."""

    east: tuple[str, ...]
    """The parts where the bond is at the left end; the part at ``east_at`` is placed on the atom."""
    east_at: int
    west: tuple[str, ...]
    """The parts where the bond is at the right end."""
    west_at: int
    mark: str
    """Its symbol in the auxiliary task."""


class MoleculeDrawing(NamedTuple):
    """One molecule, laid out: A atoms, B bonds."""

    smiles: str
    places: NDArray[np.int16]
    """(A, 2) x and y in 1 / STEPS_PER_BOND of a bond length, y downward."""
    labels: NDArray[np.uint16]
    """(A,) index into the labels."""
    is_plain: NDArray[np.uint8]
    """(A,) 1 for a carbon that is usually not labeled."""
    bonds: NDArray[np.uint8]
    """(B, 3) first atom, second atom, stroke."""
    owners: NDArray[np.uint8]
    """For each atom of the SMILES, in its order, the atom that shows it."""


_SUBPIXEL_BITS = 4
"""Fractional bits of the coordinates given to OpenCV."""

_MIRRORED = {
    Stroke.DOUBLE_LEFT: Stroke.DOUBLE_RIGHT,
    Stroke.DOUBLE_RIGHT: Stroke.DOUBLE_LEFT,
    Stroke.WEDGE: Stroke.HASH,
    Stroke.HASH: Stroke.WEDGE,
}
"""In a mirror image sides and wedges change, so that the molecule stays the same."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class _Style:
    """How one molecule is drawn. Lengths in pixels."""

    bond: float
    line: float
    gap: float
    """Between the lines of a multiple bond."""
    wedge: float
    """Half the wide end of a wedge."""
    pad: float
    """Gap between a letter and the lines to it."""
    face: str
    size: int
    """Font size."""
    methyls: bool
    all_carbons: bool


def draw(drawing: MoleculeDrawing, labels: Sequence[Label], rng: random.Random, difficulty: float) -> Sample:
    """A picture of a molecule.

    Raises:
        UndrawableError: the labels leave no room for the bonds.
    """
    beyond = harsh(difficulty)
    points, strokes = _rotate(drawing, rng)
    free = room(rng, difficulty)
    extent = float(np.ptp(points, axis=0).max()) + 1.1
    bond = min(free / extent, rng.uniform(0.6, 1.0) * MAX_BOND_PIXELS)
    style = _pick_style(rng, difficulty, beyond, bond)
    points = points * bond
    points = points - points.min(axis=0)
    labeled = _labeled_atoms(drawing, style)
    boxes = {
        index: _lay_out_label(labels[drawing.labels[index]], points, drawing, index, style)
        for index in labeled
    }
    low, high = _bounds(points, boxes)
    wide, tall = high - low
    if max(wide, tall) > SIZE - 20:
        raise UndrawableError("The labels do not fit into the square.")
    corner = np.array(place(float(wide), float(tall), rng, difficulty))
    shift = corner - low
    points = points + shift
    square = np.full((SIZE, SIZE), 255, np.uint8)
    _draw_bonds(square, points, strokes, {i: box.moved(shift) for i, box in boxes.items()}, style)
    square = _draw_labels(square, {i: box.moved(shift) for i, box in boxes.items()}, style)
    if rng.random() < 0.4 * beyond:
        square, matrix = distort(square, rng, beyond)
        points = follow(matrix, points)
    image = to_rgb(degrade(square, rng, difficulty, detail=bond / 6))
    spans = [match.span() for match in SMILES_ATOM.finditer(drawing.smiles)]
    marks = tuple(
        Mark(float(points[owner][0]), float(points[owner][1]), labels[drawing.labels[owner]].mark, span)
        for owner, span in zip(drawing.owners.tolist(), spans, strict=True)
    )
    return Sample("molecule", image, drawing.smiles, marks, drawing.smiles)


def _pick_style(rng: random.Random, difficulty: float, beyond: float, bond: float) -> _Style:
    line = max(1.0, bond * rng.uniform(0.025, 0.045 + 0.045 * difficulty) / 1.5)
    return _Style(
        bond=bond,
        line=line,
        gap=bond * rng.uniform(0.11, 0.2),
        wedge=bond * rng.uniform(0.07, 0.12),
        pad=max(1.0, bond * rng.uniform(0.02, 0.08)),
        face=fonts.pick(rng, upright=rng.random() < 0.8, system=rng.random() < 0.7),
        size=max(8, round(bond * rng.uniform(0.5, 0.55 + 0.25 * difficulty) / 1.5)),
        methyls=rng.random() < 0.15 * difficulty,
        all_carbons=rng.random() < 0.05 * beyond,
    )


def _rotate(drawing: MoleculeDrawing, rng: random.Random) -> tuple[Points, list[tuple[int, int, Stroke]]]:
    """Places in bond lengths, rotated and sometimes mirrored, and the bonds as they are drawn then."""
    points = drawing.places.astype(np.float64) / STEPS_PER_BOND
    strokes = [(int(a), int(b), Stroke(int(kind))) for a, b, kind in drawing.bonds]
    if rng.random() < 0.5:
        points = points * (-1.0, 1.0)
        strokes = [(a, b, _MIRRORED.get(kind, kind)) for a, b, kind in strokes]
    angle = rng.choice((0.0, 0.0, math.pi / 6, math.pi / 2, rng.uniform(0, 2 * math.pi)))
    cosine, sine = math.cos(angle), math.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]]), strokes


def _labeled_atoms(drawing: MoleculeDrawing, style: _Style) -> list[int]:
    """Indices of the atoms that have a label."""
    degree = np.bincount(drawing.bonds[:, :2].ravel(), minlength=len(drawing.places))
    shown = drawing.is_plain == 0
    if style.methyls:
        shown = shown | (degree <= 1)
    return list(range(len(shown))) if style.all_carbons else np.flatnonzero(shown).tolist()


@dataclass(frozen=True)
class _PlacedLabel:
    """A label laid out: the places of its parts and the box around them, pixels."""

    parts: tuple[tuple[float, float, str, int], ...]
    """x, y of the top of the ascent, text, font size."""
    low: Points
    high: Points

    def moved(self, shift: Points) -> _PlacedLabel:
        parts = tuple((x + shift[0], y + shift[1], text, size) for x, y, text, size in self.parts)
        return _PlacedLabel(parts, self.low + shift, self.high + shift)


def _lay_out_label(
    label: Label, points: Points, drawing: MoleculeDrawing, index: int, style: _Style
) -> _PlacedLabel:
    """The label of an atom, with the anchor letter centered on the atom."""
    ends = drawing.bonds[:, :2]
    neighbors = [int(b if a == index else a) for a, b in ends.tolist() if index in (a, b)]
    offsets = [points[neighbor][0] - points[index][0] for neighbor in neighbors]
    to_west = bool(offsets) and min(offsets) > 0.1 * style.bond
    texts, anchor = (label.west, label.west_at) if to_west else (label.east, label.east_at)
    small = max(6, round(0.66 * style.size))
    pen, parts, center = 0.0, [], (0.0, 0.0)
    low, high = np.array([np.inf, np.inf]), np.array([-np.inf, -np.inf])
    for number, part in enumerate(texts):
        text, size = part[1:], small if part[0] in "_^" else style.size
        face = fonts.face(style.face, size)
        rise = {"-": 0.0, "_": 0.28 * style.size, "^": -0.3 * style.size}[part[0]]
        # Smaller letters are on the baseline of the large ones, then moved below or above it.
        top = fonts.face(style.face, style.size).ascent - face.ascent + rise
        x0, y0, x1, y1 = face.ink(text)
        parts.append((pen, top, text, size))
        if number == anchor:
            first = face.ink(text[0])
            center = (pen + (first[0] + first[2]) / 2, top + (y0 + y1) / 2)
        low = np.minimum(low, (pen + x0, top + y0))
        high = np.maximum(high, (pen + x1, top + y1))
        pen += face.advance(text)
    shift = points[index] - np.array(center)
    return _PlacedLabel(tuple(parts), low - style.pad, high + style.pad).moved(shift)


def _bounds(points: Points, boxes: dict[int, _PlacedLabel]) -> tuple[Points, Points]:
    lows = [points.min(axis=0), *(box.low for box in boxes.values())]
    highs = [points.max(axis=0), *(box.high for box in boxes.values())]
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _draw_labels(square: Gray, boxes: dict[int, _PlacedLabel], style: _Style) -> Gray:
    if not boxes:
        return square
    picture = Image.fromarray(square)
    pen = ImageDraw.Draw(picture)
    for box in boxes.values():
        for x, y, text, size in box.parts:
            pen.text((x, y), text, fill=0, font=fonts.face(style.face, size).font)
    return np.array(picture)


def _draw_bonds(
    square: Gray,
    points: Points,
    strokes: Sequence[tuple[int, int, Stroke]],
    boxes: dict[int, _PlacedLabel],
    style: _Style,
) -> None:
    for first, second, kind in strokes:
        start, end = points[first], points[second]
        length = float(np.hypot(*(end - start)))
        if length < 1:
            raise UndrawableError("Two atoms are at the same place.")
        along = (end - start) / length
        across = np.array([-along[1], along[0]])
        a = _label_end(start, end, boxes.get(first))
        b = 1.0 - _label_end(end, start, boxes.get(second))
        if b - a < 0.15:
            # Labels this close leave no visible bond between them.
            raise UndrawableError("A bond is hidden by its labels.")

        def at(
            share: float, side: float = 0.0, *, s: Points = start, e: Points = end, n: Points = across
        ) -> Points:
            return s + (e - s) * share + n * side

        if kind in (Stroke.SINGLE, Stroke.TRIPLE, Stroke.DOUBLE_LEFT, Stroke.DOUBLE_RIGHT):
            _draw_line(square, at(a), at(b), style.line)
        if kind == Stroke.DOUBLE:
            for side in (-0.5, 0.5):
                _draw_line(square, at(a, side * style.gap), at(b, side * style.gap), style.line)
        elif kind in (Stroke.DOUBLE_LEFT, Stroke.DOUBLE_RIGHT):
            side = style.gap if kind == Stroke.DOUBLE_RIGHT else -style.gap
            _draw_line(square, at(max(a, 0.12), side), at(min(b, 0.88), side), style.line)
        elif kind == Stroke.TRIPLE:
            for side in (-style.gap, style.gap):
                _draw_line(square, at(max(a, 0.06), side), at(min(b, 0.94), side), style.line)
        elif kind == Stroke.WEDGE:
            _fill_polygon(square, np.array([at(a), at(b, -style.wedge), at(b, style.wedge)]))
        elif kind == Stroke.HASH:
            steps = max(4, round(length * (b - a) / max(2.2 * style.line, 4.0)))
            for step in range(1, steps + 1):
                share = a + (b - a) * step / steps
                half = style.wedge * step / steps + style.line / 2
                _draw_line(square, at(share, -half), at(share, half), style.line)
        elif kind == Stroke.WAVY:
            waves = [at(a + (b - a) * t / 40, style.wedge * math.sin(t * math.pi / 5)) for t in range(41)]
            for wave_start, wave_end in pairwise(waves):
                _draw_line(square, wave_start, wave_end, style.line)


def _label_end(start: Points, end: Points, box: _PlacedLabel | None) -> float:
    """Share of the direction from ``start`` to ``end`` at which the label around ``start`` ends."""
    if box is None:
        return 0.0
    direction = end - start
    with np.errstate(divide="ignore"):
        shares = np.where(
            direction > 0,
            (box.high - start) / direction,
            np.where(direction < 0, (box.low - start) / direction, np.inf),
        )
    return float(min(1.0, max(0.0, shares.min())))


def _draw_line(square: Gray, start: Points, end: Points, width: float) -> None:
    """Draw a line with flat ends, its width a fraction of a pixel: OpenCV's own lines have integer widths."""
    direction = end - start
    length = float(np.hypot(*direction))
    if length < 0.1:
        return
    side = np.array([-direction[1], direction[0]]) / length * (width / 2)
    more = direction / length * (width / 4)
    _fill_polygon(
        square, np.array([start - more + side, end + more + side, end + more - side, start - more - side])
    )


def _fill_polygon(square: Gray, corners: Points) -> None:
    import cv2

    fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillConvexPoly(square, fixed, 0, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
