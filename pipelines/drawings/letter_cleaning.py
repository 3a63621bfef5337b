"""Letters that are no letters after all, by the letters around them, and those painted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from docai.geometry import area, intersection_area
from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM
from docai.pipelines.ingest.drawing import Drawing

_PEN_SIZES: Final = (0.5, 1.7)
"""Smallest and largest size of a letter drawn by a pen, in sizes of the letters of other kinds."""

_MIN_SIZES: Final = 2
"""Letters of other kinds from which their sizes tell that of letters drawn by a pen."""

_GROUND: Final = 0.5
"""Share of the height of an outline up to which a letter inside of it stands on it."""

_MIN_REPEATED: Final = 0.8
"""Share of two boxes of one letter that they have in common where it is painted twice."""


def without_stray_strokes(
    drawing: Drawing, letters: Sequence[Letter], glyphs: Sequence[Letter]
) -> list[Letter]:
    """Leave out strokes of a pen that are smaller or larger than the letters that are no such strokes."""
    by_pen = [bool(letter.paths) and drawing.paths[letter.paths[0]].fill is None for letter in letters]
    others = [letter for letter, pen in zip(letters, by_pen, strict=True) if not pen and letter.score > 0.5]
    sizes = [letter.size for letter in (*glyphs, *others)]
    if len(sizes) < _MIN_SIZES:
        return list(letters)
    low, high = (
        factor * CAP_HEIGHT_EM for factor in (min(sizes) * _PEN_SIZES[0], max(sizes) * _PEN_SIZES[1])
    )
    return [
        letter
        for letter, pen in zip(letters, by_pen, strict=True)
        if not pen or low <= letter.bbox[3] - letter.bbox[1] <= high
    ]


def without_grounds(outlines: Sequence[Letter], glyphs: Sequence[Letter]) -> list[Letter]:
    """The outlines in whose boxes no other letter stands: those are what letters are painted on."""
    if not outlines:
        return []
    boxes = np.array([letter.bbox for letter in (*outlines, *glyphs)])
    boxes = boxes[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")]
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    heights = boxes[:, 3] - boxes[:, 1]
    own = np.array([letter.bbox for letter in outlines])
    first, last = np.searchsorted(x, own[:, 0], "right"), np.searchsorted(x, own[:, 2], "left")
    found = []
    for letter, begin, end in zip(outlines, first.tolist(), last.tolist(), strict=True):
        _, y0, _, y1 = letter.bbox
        rows = slice(begin, end)
        inside = (y[rows] > y0) & (y[rows] < y1) & (heights[rows] < _GROUND * (y1 - y0))
        if not inside.any():
            found.append(letter)
    return found


def without_repeated(letters: Sequence[Letter]) -> list[Letter]:
    """Letters painted twice, as a halo and as a letter, once, with the paths of both."""
    groups: list[list[Letter]] = []
    places: dict[tuple[str, int, int], int] = {}
    for letter in letters:
        x, y = round((letter.bbox[0] + letter.bbox[2]) / 2), round((letter.bbox[1] + letter.bbox[3]) / 2)
        near = ((letter.text, x + dx, y + dy) for dx in (0, -1, 1) for dy in (0, -1, 1))
        place = next((places[cell] for cell in near if cell in places), None)
        if place is not None and _is_repeated(groups[place][0], letter):
            groups[place].append(letter)
        else:
            places[letter.text, x, y] = len(groups)
            groups.append([letter])
    return [group[0] if len(group) == 1 else _joined(group) for group in groups]


def _is_repeated(first: Letter, second: Letter) -> bool:
    common = intersection_area(first.bbox, second.bbox)
    return common >= _MIN_REPEATED * max(area(first.bbox), area(second.bbox), 1e-9)


def _joined(letters: Sequence[Letter]) -> Letter:
    return replace(
        max(letters, key=lambda letter: letter.score),
        order=max(letter.order for letter in letters),
        paths=tuple(dict.fromkeys(index for letter in letters for index in letter.paths)),
    )
