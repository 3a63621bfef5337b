"""Outlines to learn letters from: each in versions, and shapes that are no letters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter_classes import NONE
from docai.pipelines.drawings.letter_outlines import Outline, join, nest
from docai.pipelines.training.drawn_letter_glyphs import UNITS_PER_EM, Lines, hershey_letters, music_glyphs

N_VERSIONS: Final = (7, 4)
"""Of each letter or digit of each face, and of each other character."""


def as_outline(contours: Lines) -> Outline | None:
    """The contours of one glyph as one outline; None where nothing of it has an extent."""
    shapes = [shape for shape in nest(contours) if max(shape.width, shape.height) > 0]
    if not shapes:
        return None
    return shapes[0] if len(shapes) == 1 else join(shapes)


def vary(contours: Lines, rng: np.random.Generator) -> Lines:
    """Contours slanted, turned, stretched, and rounded as programs round coordinates."""
    slant = rng.normal(0, 0.06) if rng.random() < 0.6 else rng.uniform(-0.1, 0.35)
    turn = rng.normal(0, 0.02)
    stretch = np.exp(rng.normal(0, 0.1))
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.array(
        [[1, 0], [-slant, 1]]
    )
    matrix = matrix * (stretch, 1)
    grain = UNITS_PER_EM / 10 ** rng.uniform(1.6, 3)
    return [np.rint(contour @ matrix / grain + rng.random(2)) * grain for contour in contours]


def letter_samples(
    glyphs: Mapping[tuple[str, str], Lines], rng: np.random.Generator
) -> Iterator[tuple[Outline, str]]:
    """Each glyph as it is, and in versions."""
    for (_, character), contours in glyphs.items():
        is_plain = character.isascii() and character.isalnum()
        for version in range(N_VERSIONS[0 if is_plain else 1]):
            outline = as_outline(vary(contours, rng) if version else contours)
            if outline is not None:
                yield outline, character[0]


def stroke_samples(folder: Path | None, rng: np.random.Generator) -> Iterator[tuple[Outline, str]]:
    """Letters of a pen, in versions with wide and narrow nibs, and zigzags and polygons that are none."""
    for path in sorted(folder.glob("*.jhf")) if folder else ():
        if not re.match(r"futura|roman|rowman|times|script", path.stem):
            continue
        for character, lines in hershey_letters(path.read_text(encoding="latin-1")):
            for _ in range(30):
                yield _pen_outline(vary(lines, rng), rng), character
    if folder is None:
        return
    for _ in range(6000):
        n = int(rng.integers(3, 9))
        if rng.random() < 0.5:
            angles = np.arange(n) / n * 2 * np.pi + rng.random() * 6
            line = np.stack([np.cos(angles), np.sin(angles)], 1)
            line = np.concatenate([line, line[:1]]) if rng.random() < 0.8 else line
        else:
            angles = rng.choice([-0.52, 0.52, 1.57, 2.6, 3.67, -1.57], n)
            line = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), axis=0)
        if np.ptp(line, axis=0).max() > 0:
            yield _pen_outline([line * 300], rng, thin=True), NONE


def _pen_outline(lines: Lines, rng: np.random.Generator, *, thin: bool = False) -> Outline:
    points = np.concatenate(lines)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    pen = max(x1 - x0, y1 - y0) * rng.uniform(0.01, 0.05 if thin else 0.2)
    return Outline(lines, [0] * len(lines), (x0, y0, x1, y1), (0,), is_stroked=True, pen=float(pen))


def note_samples(rng: np.random.Generator) -> Iterator[tuple[Outline, str]]:
    """What is no letter: notes, clefs, rests and the like."""
    for contours in music_glyphs():
        for version in range(6):
            outline = as_outline(vary(contours, rng) if version else contours)
            if outline is not None:
                yield outline, NONE


def shape_samples(rng: np.random.Generator, count: int = 20_000) -> Iterator[tuple[Outline, str]]:
    """What is no letter: shapes of bonds, arrows, beams, slurs and markers."""
    for _ in range(count):
        outline = as_outline([_shape(rng)])
        if outline is not None and len(outline.contours[0]) > 4:
            yield outline, NONE


def _shape(rng: np.random.Generator) -> NDArray[np.float64]:
    """One contour that drawings have and alphabets do not."""
    kind = int(rng.integers(7))
    t = np.linspace(0, 1, 12)
    if kind == 0:
        # A tapered or curved band: slurs, hairs, wavy pieces.
        bend, thick = rng.uniform(0.1, 0.6), rng.uniform(0.02, 0.1)
        upper = np.stack([t, bend * np.sin(np.pi * t)], 1)
        lower = np.stack([t[::-1], (bend - thick) * np.sin(np.pi * t[::-1])], 1)
        points = np.concatenate([upper, lower])
    elif kind == 1:
        # An arrowhead with a notch.
        points = np.array([(0, 0), (1, rng.uniform(0.2, 0.5)), (0, 1), (rng.uniform(0, 0.5), 0.5), (0, 0)])
    elif kind == 2:
        # A regular polygon or a star.
        n = int(rng.integers(5, 9))
        radii = np.tile([1, 1.0 if n < 7 and rng.random() < 0.5 else rng.uniform(0.3, 0.8)], n)
        angles = np.arange(2 * n) / n * np.pi
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    elif kind == 3:
        # A slanted ellipse: heads of notes.
        angles = np.linspace(0, 2 * np.pi, 32)
        points = np.stack([np.cos(angles), rng.uniform(0.3, 0.7) * np.sin(angles)], 1)
    elif kind == 4:
        # A bar with an end cut askew, or with a bend.
        thick = rng.uniform(0.03, 0.15)
        points = np.array(
            [(0, 0), (1, 0), (1 + rng.uniform(0, 0.2), thick / 2), (1, thick), (0, thick), (0, 0)]
        )
    elif kind == 5:
        # A full arrow.
        s, h, w = rng.uniform(0.01, 0.1), rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.5)
        points = np.array([(0, s), (1 - w, s), (1 - w, h), (1, 0), (1 - w, -h), (1 - w, -s), (0, -s)])
    else:
        # A coast: any closed line.
        angles = np.sort(rng.random(int(rng.integers(6, 40)))) * 2 * np.pi
        radii = rng.uniform(0.3, 1, len(angles))
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(points @ matrix * (np.exp(rng.normal(0, 0.2)), 1) * 400, np.float64)
