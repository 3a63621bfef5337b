"""Which outlines of a drawing are letters of labels, and which are bonds that look like letters."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.polygons import measure_polygon
from docai.pipelines.drawings.molecule.stroke_reader import visible_paths
from docai.pipelines.ingest.drawing import Drawing, PaintedPath

_SURE: Final = 0.5
"""Score of a filled outline from which it is a letter."""

_SURE_PLUS: Final = 0.4
"""The same of a plus, which no bond looks like."""

_SURE_STROKED: Final = 0.8
"""The same of one that is only stroked, as of a plotter's font."""

_SIZES: Final = (0.3, 2.2)
"""Smallest and largest size of an outline in sizes of the usual letter."""

_HEIGHTS: Final = (0.75, 1.35)
"""Height of an upright stroke in heights of a capital that is a letter."""

_UPRIGHT: Final = frozenset("lI1|i")

_CAPITALS: Final = frozenset("ABCDEFGHKLMNOPQRSTUVWXYZ")

_MINUSES: Final = frozenset("-−–—‐‑")

_BROAD: Final = frozenset("ABCDEGHKMNOPQRSUWXZabcdeghkmnopqsuwxz0234568")
"""What no bar is taken for."""

_BRACKETS: Final = frozenset("()[]{}+*±⊕⊖")
_DOTS: Final = frozenset(".·•:")
_PRIMES: Final = frozenset("'’′\"″")
"""Marks of labels."""

_RINGS: Final = frozenset("°oº○◦")

_MAX_DOT: Final = 0.5
"""Height of a dot in heights of a capital, at most; not of two above each other."""

_BAR_ASPECT: Final = 0.4
"""Width over length of a bar, at most."""

_BAR_TAPER: Final = 0.5
"""Width of a bar at one end over that at the other, at least."""

_MAX_SLANT: Final = math.sin(math.radians(22))
"""Sine of the angle from the upright of an ``l`` or ``I`` in italics, at most."""


def choose_letters(drawing: Drawing, letters: Sequence[Letter]) -> list[Letter]:
    """Glyphs of fonts, and the outlines that are letters for their size and company."""
    glyphs = [letter for letter in letters if not letter.paths]
    visible = visible_paths(drawing)
    outlines = [
        letter
        for letter in letters
        if letter.paths and visible.issuperset(letter.paths)
        if letter.score >= (_SURE_PLUS if letter.text == "+" else _SURE)
    ]
    if not outlines:
        return glyphs
    outlines = _with_capital_rings(outlines, glyphs)
    plain = [
        letter
        for letter in (*glyphs, *outlines)
        if letter.text.isalnum() and letter.text not in _UPRIGHT and letter.size > 0
    ]
    if not plain:
        return glyphs + _lone_bars(drawing, outlines, visible)
    size = median(letter.size for letter in plain)
    capitals = [letter.bbox[3] - letter.bbox[1] for letter in plain if letter.text in _CAPITALS]
    height = median(capitals) if capitals else 0.7 * size
    n_stroked = sum(_is_stroked(drawing.paths[index]) for index in visible)
    bonds_are_stroked = n_stroked > 0.3 * max(len(visible) - sum(len(letter.paths) for letter in outlines), 1)
    chosen = []
    for letter in outlines:
        paths = [drawing.paths[index] for index in letter.paths]
        if letter.text in _MINUSES:
            if bonds_are_stroked and _is_lone_minus(letter, outlines, drawing, size):
                chosen.append(replace(letter, text="−", size=size))
            continue
        is_usual = _SIZES[0] * size <= letter.size <= _SIZES[1] * size
        if not is_usual and (letter.text.isalnum() or letter.bbox[3] - letter.bbox[1] > size):
            continue
        if all(_is_stroked(path) for path in paths) and (
            letter.score < _SURE_STROKED or not letter.text.isalnum() or letter.text in _UPRIGHT
        ):
            continue
        bars = [_as_bar(path) for path in paths] if letter.text not in _BROAD else [None]
        if not any(bar is None for bar in bars):
            slant = max(bar for bar in bars if bar is not None)
            if len(bars) > 1 or not _is_upright_letter(letter, slant, plain, height, bonds_are_stroked):
                continue
        is_disc = letter.text in _DOTS - {":"} and letter.bbox[3] - letter.bbox[1] > _MAX_DOT * height
        if is_disc or not (letter.text.isalnum() or _is_mark(letter, paths, bonds_are_stroked)):
            continue
        chosen.append(letter)
    return glyphs + chosen


def _lone_bars(drawing: Drawing, outlines: Sequence[Letter], visible: Collection[int]) -> list[Letter]:
    """Filled bars that are ``I`` among bonds that are only stroked, where no other letter gives the size."""
    own = {index for letter in outlines for index in letter.paths}
    bonds = [drawing.paths[index] for index in visible if index not in own]
    if not bonds or not all(map(_is_stroked, bonds)):
        return []
    return [
        letter
        for letter in outlines
        if letter.text in _UPRIGHT
        for slant in [_as_bar(drawing.paths[letter.paths[0]])]
        if len(letter.paths) == 1 and not _is_stroked(drawing.paths[letter.paths[0]])
        if slant is not None and slant <= _MAX_SLANT
    ]


def _with_capital_rings(outlines: Sequence[Letter], glyphs: Sequence[Letter]) -> list[Letter]:
    """Outlines where each ring as high as the capitals is an ``O``, which a lone one does not show."""
    known = [letter for letter in (*glyphs, *outlines) if letter.text in _CAPITALS and letter.size > 0]
    rings = [letter for letter in outlines if letter.text in _RINGS]
    if not known:
        height = max((letter.bbox[3] - letter.bbox[1] for letter in rings), default=0.0)
        size = 1.4 * height
    else:
        height = median(letter.bbox[3] - letter.bbox[1] for letter in known)
        size = median(letter.size for letter in known)
    return [
        replace(letter, text="O", size=size, baseline=letter.bbox[3], others=("0", "o"))
        if letter.text in _RINGS and 0.85 * height < letter.bbox[3] - letter.bbox[1] < 1.2 * height
        else letter
        for letter in outlines
    ]


def _is_stroked(path: PaintedPath) -> bool:
    return path.fill is None and path.stroke is not None


def _is_lone_minus(letter: Letter, outlines: Sequence[Letter], drawing: Drawing, size: float) -> bool:
    """Whether a level bar is filled, small, and none of a row, where bonds are stroked."""
    x0, y0, x1, _ = letter.bbox
    path = drawing.paths[letter.paths[0]]
    if len(letter.paths) > 1 or _is_stroked(path) or not 0.15 * size < x1 - x0 < 0.85 * size:
        return False
    slant = _as_bar(path)
    return (
        slant is not None
        and slant > 0.99
        and not any(
            other is not letter
            and other.text in _MINUSES
            and math.dist((x0, y0), other.bbox[:2]) < 0.8 * size
            for other in outlines
        )
    )


def _is_mark(letter: Letter, paths: Sequence[PaintedPath], bonds_are_stroked: bool) -> bool:
    """Whether an outline is a mark of labels; dots are round."""
    if letter.text in _BRACKETS:
        return True
    if letter.text in _DOTS:
        return all(len(part.points) > 7 for path in paths for part in path.subpaths)
    return letter.text in _PRIMES and bonds_are_stroked


def _as_bar(path: PaintedPath) -> float | None:
    """Sine of the angle from the upright of what is one straight bar; None of any other outline."""
    if len(path.subpaths) != 1:
        return None
    part = path.subpaths[0]
    if path.fill is None:
        if len(part.points) != 2:
            return None
        (x0, y0), (x1, y1) = part.points.tolist()
        return abs(float(x1 - x0)) / max(math.dist((x0, y0), (x1, y1)), 1e-9)
    measured = measure_polygon(part.points[:-1] if part.is_closed else part.points)
    if measured is None:
        return None
    begin, end, begin_width, end_width, is_even = measured
    length = math.dist(begin, end)
    if not is_even or max(begin_width, end_width) > _BAR_ASPECT * length:
        return None
    if min(begin_width, end_width) < _BAR_TAPER * max(begin_width, end_width):
        return None
    return abs(end[0] - begin[0]) / max(length, 1e-9)


def _is_upright_letter(
    letter: Letter, slant: float, others: Sequence[Letter], height: float, bonds_are_stroked: bool
) -> bool:
    """Whether a bar is an ``l`` or ``I``: as high as a capital, and beside one or unlike bonds."""
    x0, y0, x1, y1 = letter.bbox
    if slant > _MAX_SLANT or not _HEIGHTS[0] * height <= y1 - y0 <= _HEIGHTS[1] * height:
        return False
    if letter.text not in _UPRIGHT and not _UPRIGHT.intersection(letter.others):
        return False
    return bonds_are_stroked or any(
        abs(other.bbox[3] - y1) < 0.25 * height
        and min(abs(other.bbox[2] - x0), abs(other.bbox[0] - x1)) < 0.35 * height
        for other in others
    )
