"""Draws a described molecule by OpenCV and Pillow."""

from __future__ import annotations

import math
import random
import re
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
from docai.pipelines.synthesis.noise import degrade, distort, follow, harsh

UNIT = 48
"""Steps of the kept coordinates in one bond length of RDKit's layout, 1.5 Å."""

SMILES_ATOM = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops*]")
"""One atom in RDKit's SMILES."""


class Stroke(IntEnum):
    """How a bond is drawn. Sides are seen from its first atom to its second, y downwards."""

    SINGLE = 0
    DOUBLE = 1
    DOUBLE_LEFT = 2
    DOUBLE_RIGHT = 3
    TRIPLE = 4
    WEDGE = 5
    HASH = 6
    WAVY = 7


class Label(NamedTuple):
    """What is written at an atom. Parts are marked ``-`` on the line, ``_`` below it, ``^`` above it."""

    east: tuple[str, ...]
    """With the bond at its left end; the part at ``east_at`` stands on the atom."""
    east_at: int
    west: tuple[str, ...]
    west_at: int
    mark: str
    """What the auxiliary task calls it."""


class Described(NamedTuple):
    """One molecule: A atoms, B bonds."""

    smiles: str
    places: NDArray[np.int16]
    """(A, 2) in 1 / UNIT of a bond, y downwards."""
    labels: NDArray[np.uint16]
    """(A,) index into the labels."""
    is_plain: NDArray[np.uint8]
    """(A,) 1 for a carbon that is usually not written."""
    bonds: NDArray[np.uint8]
    """(B, 3) first atom, second atom, stroke."""
    owners: NDArray[np.uint8]
    """For each atom of the SMILES, in its order, the atom that shows it."""


MAX_BOND_PIXELS = 150.0

_SUBPIXELS = 4
"""Bits of a pixel's fraction that OpenCV takes."""

_MIRRORED = {
    Stroke.DOUBLE_LEFT: Stroke.DOUBLE_RIGHT,
    Stroke.DOUBLE_RIGHT: Stroke.DOUBLE_LEFT,
    Stroke.WEDGE: Stroke.HASH,
    Stroke.HASH: Stroke.WEDGE,
}
"""In a mirror sides change, and so does what comes towards the reader: the molecule stays the same."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class _Look:
    """Lengths in pixels."""

    bond: float
    line: float
    gap: float
    """Between the lines of a multiple bond."""
    wedge: float
    """Half the wide end of a wedge."""
    pad: float
    """Between a letter and the lines to it."""
    face: str
    size: int
    """Of the letters."""
    methyls: bool
    all_carbons: bool


def draw(described: Described, labels: Sequence[Label], rng: random.Random, difficulty: float) -> Sample:
    """One picture. Raises :class:`UndrawableError` where the letters leave no room for the bonds."""
    beyond = harsh(difficulty)
    points, strokes = _turned(described, rng)
    free = room(rng, difficulty)
    extent = float(np.ptp(points, axis=0).max()) + 1.1
    bond = min(free / extent, rng.uniform(0.6, 1.0) * MAX_BOND_PIXELS)
    look = _pick(rng, difficulty, beyond, bond)
    points = points * bond
    points = points - points.min(axis=0)
    written = _written(described, look)
    boxes = {
        index: _lay(labels[described.labels[index]], points, described, index, look) for index in written
    }
    low, high = _bounds(points, boxes)
    wide, tall = high - low
    if max(wide, tall) > SIZE - 20:
        raise UndrawableError("The labels reach over the square.")
    corner = np.array(place(float(wide), float(tall), rng, difficulty))
    shift = corner - low
    points = points + shift
    square = np.full((SIZE, SIZE), 255, np.uint8)
    _draw_bonds(square, points, strokes, {i: box.moved(shift) for i, box in boxes.items()}, look)
    square = _draw_labels(square, {i: box.moved(shift) for i, box in boxes.items()}, look)
    if rng.random() < 0.4 * beyond:
        square, matrix = distort(square, rng, beyond)
        points = follow(matrix, points)
    image = to_rgb(degrade(square, rng, difficulty, detail=bond / 6))
    spans = [match.span() for match in SMILES_ATOM.finditer(described.smiles)]
    marks = tuple(
        Mark(float(points[owner][0]), float(points[owner][1]), labels[described.labels[owner]].mark, span)
        for owner, span in zip(described.owners.tolist(), spans, strict=True)
    )
    return Sample("molecule", image, described.smiles, marks, described.smiles)


def _pick(rng: random.Random, difficulty: float, beyond: float, bond: float) -> _Look:
    line = max(1.0, bond * rng.uniform(0.025, 0.045 + 0.045 * difficulty) / 1.5)
    return _Look(
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


def _turned(described: Described, rng: random.Random) -> tuple[Points, list[tuple[int, int, Stroke]]]:
    """Places in bond lengths, turned and sometimes mirrored, and the bonds as they are then drawn."""
    points = described.places.astype(np.float64) / UNIT
    strokes = [(int(a), int(b), Stroke(int(kind))) for a, b, kind in described.bonds]
    if rng.random() < 0.5:
        points = points * (-1.0, 1.0)
        strokes = [(a, b, _MIRRORED.get(kind, kind)) for a, b, kind in strokes]
    angle = rng.choice((0.0, 0.0, math.pi / 6, math.pi / 2, rng.uniform(0, 2 * math.pi)))
    cosine, sine = math.cos(angle), math.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]]), strokes


def _written(described: Described, look: _Look) -> list[int]:
    """The atoms that are written out."""
    degree = np.bincount(described.bonds[:, :2].ravel(), minlength=len(described.places))
    shown = described.is_plain == 0
    if look.methyls:
        shown = shown | (degree <= 1)
    return list(range(len(shown))) if look.all_carbons else np.flatnonzero(shown).tolist()


@dataclass(frozen=True)
class _Box:
    """A label laid out: its parts with their pens, and what it covers, pixels."""

    parts: tuple[tuple[float, float, str, int], ...]
    """x, y of the top of the ascent, text, letter size."""
    low: Points
    high: Points

    def moved(self, by: Points) -> _Box:
        parts = tuple((x + by[0], y + by[1], text, size) for x, y, text, size in self.parts)
        return _Box(parts, self.low + by, self.high + by)


def _lay(label: Label, points: Points, described: Described, index: int, look: _Look) -> _Box:
    """The label with the letter that stands on the atom centred there."""
    ends = described.bonds[:, :2]
    near = [int(b if a == index else a) for a, b in ends.tolist() if index in (a, b)]
    to_west = bool(near) and min(points[other][0] - points[index][0] for other in near) > 0.1 * look.bond
    texts, anchor = (label.west, label.west_at) if to_west else (label.east, label.east_at)
    small = max(6, round(0.66 * look.size))
    pen, parts, centre = 0.0, [], (0.0, 0.0)
    low, high = np.array([np.inf, np.inf]), np.array([-np.inf, -np.inf])
    for number, part in enumerate(texts):
        text, size = part[1:], small if part[0] in "_^" else look.size
        face = fonts.face(look.face, size)
        rise = {"-": 0.0, "_": 0.28 * look.size, "^": -0.3 * look.size}[part[0]]
        # Smaller letters stand on the same line as the large ones, and then below or above it.
        top = fonts.face(look.face, look.size).ascent - face.ascent + rise
        x0, y0, x1, y1 = face.ink(text)
        parts.append((pen, top, text, size))
        if number == anchor:
            first = face.ink(text[0])
            centre = (pen + (first[0] + first[2]) / 2, top + (y0 + y1) / 2)
        low = np.minimum(low, (pen + x0, top + y0))
        high = np.maximum(high, (pen + x1, top + y1))
        pen += face.advance(text)
    by = points[index] - np.array(centre)
    return _Box(tuple(parts), low - look.pad, high + look.pad).moved(by)


def _bounds(points: Points, boxes: dict[int, _Box]) -> tuple[Points, Points]:
    lows = [points.min(axis=0), *(box.low for box in boxes.values())]
    highs = [points.max(axis=0), *(box.high for box in boxes.values())]
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _draw_labels(square: Gray, boxes: dict[int, _Box], look: _Look) -> Gray:
    if not boxes:
        return square
    picture = Image.fromarray(square)
    pen = ImageDraw.Draw(picture)
    for box in boxes.values():
        for x, y, text, size in box.parts:
            pen.text((x, y), text, fill=0, font=fonts.face(look.face, size).font)
    return np.array(picture)


def _draw_bonds(
    square: Gray,
    points: Points,
    strokes: Sequence[tuple[int, int, Stroke]],
    boxes: dict[int, _Box],
    look: _Look,
) -> None:
    for first, second, kind in strokes:
        start, end = points[first], points[second]
        length = float(np.hypot(*(end - start)))
        if length < 1:
            raise UndrawableError("Two atoms lie on each other.")
        along = (end - start) / length
        across = np.array([-along[1], along[0]])
        a = _leaves(start, end, boxes.get(first))
        b = 1.0 - _leaves(end, start, boxes.get(second))
        if b - a < 0.15:
            # Letters that stand this close leave no bond to be seen.
            raise UndrawableError("A bond lies under its labels.")

        def at(
            share: float, side: float = 0.0, *, s: Points = start, e: Points = end, n: Points = across
        ) -> Points:
            return s + (e - s) * share + n * side

        if kind in (Stroke.SINGLE, Stroke.TRIPLE, Stroke.DOUBLE_LEFT, Stroke.DOUBLE_RIGHT):
            _line(square, at(a), at(b), look.line)
        if kind == Stroke.DOUBLE:
            for side in (-0.5, 0.5):
                _line(square, at(a, side * look.gap), at(b, side * look.gap), look.line)
        elif kind in (Stroke.DOUBLE_LEFT, Stroke.DOUBLE_RIGHT):
            side = look.gap if kind == Stroke.DOUBLE_RIGHT else -look.gap
            _line(square, at(max(a, 0.12), side), at(min(b, 0.88), side), look.line)
        elif kind == Stroke.TRIPLE:
            for side in (-look.gap, look.gap):
                _line(square, at(max(a, 0.06), side), at(min(b, 0.94), side), look.line)
        elif kind == Stroke.WEDGE:
            _fill(square, np.array([at(a), at(b, -look.wedge), at(b, look.wedge)]))
        elif kind == Stroke.HASH:
            steps = max(4, round(length * (b - a) / max(2.2 * look.line, 4.0)))
            for step in range(1, steps + 1):
                share = a + (b - a) * step / steps
                half = look.wedge * step / steps + look.line / 2
                _line(square, at(share, -half), at(share, half), look.line)
        elif kind == Stroke.WAVY:
            waves = [at(a + (b - a) * t / 40, look.wedge * math.sin(t * math.pi / 5)) for t in range(41)]
            for one, other in pairwise(waves):
                _line(square, one, other, look.line)


def _leaves(start: Points, end: Points, box: _Box | None) -> float:
    """Share of the way from ``start`` to ``end`` at which the label around ``start`` ends."""
    if box is None:
        return 0.0
    way = end - start
    with np.errstate(divide="ignore"):
        shares = np.where(
            way > 0, (box.high - start) / way, np.where(way < 0, (box.low - start) / way, np.inf)
        )
    return float(min(1.0, max(0.0, shares.min())))


def _line(square: Gray, start: Points, end: Points, width: float) -> None:
    """With flat ends, to a fraction of a pixel: OpenCV's own lines have whole widths."""
    way = end - start
    length = float(np.hypot(*way))
    if length < 0.1:
        return
    side = np.array([-way[1], way[0]]) / length * (width / 2)
    more = way / length * (width / 4)
    _fill(square, np.array([start - more + side, end + more + side, end + more - side, start - more - side]))


def _fill(square: Gray, corners: Points) -> None:
    import cv2

    fixed = np.round(corners * (1 << _SUBPIXELS)).astype(np.int32)
    cv2.fillConvexPoly(square, fixed, 0, lineType=cv2.LINE_AA, shift=_SUBPIXELS)
