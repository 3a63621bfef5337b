"""A picture of molecules as a drawing: filled outlines of what may be letters, and strokes of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.letters import read_letters
from docai.pipelines.drawings.molecule.curves import as_circle, as_wave
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath
from docai.pipelines.tracing.molecule.bridges import drop_bridges
from docai.pipelines.tracing.molecule.broken_letters import join_stems
from docai.pipelines.tracing.molecule.candidates import Candidate, letter_height
from docai.pipelines.tracing.molecule.cutting import cut_letters
from docai.pipelines.tracing.molecule.dashes import dashes_as_bars, stubs_as_bars
from docai.pipelines.tracing.molecule.hashes import complete_rows, level_rows
from docai.pipelines.tracing.molecule.ink import Ink, find_ink
from docai.pipelines.tracing.molecule.parts import Part, find_parts
from docai.pipelines.tracing.molecule.plus_signs import PlusSign, find_crosses, signs_of, without_signs
from docai.pipelines.tracing.molecule.rings import as_capital, missed_rings
from docai.pipelines.tracing.molecule.segments import Piece, Vector, read_pieces
from docai.pipelines.tracing.molecule.skeleton import Chain, Skeleton
from docai.pipelines.tracing.molecule.skeletons import skeleton_of
from docai.pipelines.tracing.molecule.sorting import USUAL_HEIGHT, Sorted, sort_parts
from docai.pipelines.tracing.molecule.stems import as_letter, find_iodines
from docai.pipelines.tracing.molecule.straight import split_straight
from docai.pipelines.tracing.molecule.touching import take_letters

MAX_PIECES: Final = 1_500
"""Straight pieces above which a picture is no drawing of molecules."""

BOND_POINTS: Final = 18.0
"""Length that the usual bond is given in the drawing, whose readers take lengths for points."""

_TAPER: Final = 1.5
"""Width at the wide end of a wedge over that at its narrow end, at least."""

_TAPER_WIDTH: Final = 1.7
"""Width at the wide end of a wedge, in stroke widths, at least."""

_MAX_DOT: Final = 2.6
"""Larger side of a dot in stroke widths, at most."""

_MIN_SWING: Final = 1.5
"""Stroke widths by which a wavy bond swings to both sides together, at least."""

_MAX_TURN: Final = 0.45
"""Length of a turn of a wavy bond in bond lengths, at most."""

_MIN_SCORE: Final = 0.25
"""Score from which an outline is taken for the letter that it looks like most."""

_LEAST_SCORE: Final = 0.55
"""Score that such a letter is given, at least: the reader of drawings leaves out those below a half."""

_BLACK: Final = (0.0, 0.0, 0.0)


@dataclass(slots=True, eq=False)
class Tracing:
    """What a picture draws, in points of a drawing."""

    drawing: Drawing
    letters: list[Letter]
    scale: float
    """Points of the drawing per pixel of the picture."""
    x0: float
    y0: float
    """``x_picture = x_drawing / scale + x0``."""
    n_stems: int = 0
    """Upright strokes at the ends of bonds that are an I."""
    n_plus_signs: int = 0
    """Plus signs beside letters."""


@dataclass(slots=True, eq=False)
class _Traced:
    """Line work, pixels of the ink."""

    pieces: list[Piece] = field(default_factory=list)
    circles: list[NDArray[np.float64]] = field(default_factory=list)
    waves: list[NDArray[np.float64]] = field(default_factory=list)


def trace(picture: NDArray[np.uint8], *, sees_touching: bool = False) -> Tracing | None:
    """The drawing that a picture ``(H, W)`` or ``(H, W, 3)`` shows; None where it shows none.

    Args:
        picture: dark ink on light paper, or light on dark.
        sees_touching: letters that touch bonds are looked for by :mod:`.touching`, and None is returned where
            none is seen.
    """
    ink = find_ink(picture)
    parts = None if ink is None else find_parts(ink)
    if ink is None or not parts:
        return None
    bond = _bond_length(parts, ink.width)
    if bond <= 0:
        return None
    found = sort_parts(parts, bond, ink.width)
    parts, found, signs = _take_plus_signs(ink, parts, found, bond)
    seen: list[Candidate] = []
    if sees_touching:
        height = found.height or USUAL_HEIGHT * bond
        seen, parts = take_letters(parts, found.letters, ink, height, ink.width)
        if not seen:
            return None
        found = sort_parts(parts, bond, ink.width)
    _cut_letters(found, bond, ink.width)
    found.letters += seen
    # Where all letters touch bonds, none was there to tell their height.
    found.height = found.height or letter_height(found.letters)
    found.letters, found.bars = join_stems(found.letters, found.bars, found.height)
    found.letters, found.bars = complete_rows(found.letters, found.bars, ink.width)
    found.bars = level_rows(found.bars, ink.width)
    traced = _trace_lines(found.lines, ink.width, bond)
    if len(traced.pieces) > MAX_PIECES:
        return None
    traced.pieces = drop_bridges(traced.pieces, bond, ink.width)
    beside = [((bar[0] + bar[3]) / 2, (bar[1] + bar[2]) / 2) for bar in found.bars]
    beside += [(piece.begin, piece.end) for piece in traced.pieces]
    found.bars = dashes_as_bars(found.bars, traced.pieces, bond, ink.width)
    found.bars, traced.pieces = stubs_as_bars(found.bars, traced.pieces, bond, ink.width)
    iodines = find_iodines(found.bars, traced.pieces, found.letters, found.height, bond, ink.width)
    stems = [found.bars[index] for index in iodines]
    found.bars = [bar for index, bar in enumerate(found.bars) if index not in iodines]
    traced.pieces = split_straight(traced.pieces, beside, bond)
    return _as_drawing(ink, found, traced, bond, stems, signs)


def _take_plus_signs(
    ink: Ink, parts: list[Part], found: Sorted, bond: float
) -> tuple[list[Part], Sorted, list[PlusSign]]:
    """Plus signs beside letters, and the parts and what they may be without them."""
    crosses = find_crosses(ink, found.height or USUAL_HEIGHT * bond)
    if not crosses:
        return parts, found, []
    # A letter that its sign or a bond touches is seen without them.
    without = sort_parts(find_parts(without_signs(ink, crosses)) or [], bond, ink.width)
    _cut_letters(without, bond, ink.width)
    signs = signs_of(crosses, without.letters)
    if not signs:
        return parts, found, []
    parts = find_parts(without_signs(ink, signs)) or []
    return parts, sort_parts(parts, bond, ink.width), signs


def _cut_letters(found: Sorted, bond: float, width: float) -> None:
    """Letters that touch bonds; what is left of these is sorted again."""
    letters, lines = cut_letters(found.lines, found.height or USUAL_HEIGHT * bond, width)
    if not letters:
        return
    found.letters += letters
    changed = [part for part in lines if part not in found.lines]
    again = sort_parts(changed, bond, width)
    found.letters += again.letters
    found.bars += again.bars
    found.lines = [part for part in lines if part not in changed] + again.lines


def _trace_lines(parts: list[Part], width: float, bond: float) -> _Traced:
    found = _Traced()
    for part in parts:
        graph = skeleton_of(part, width)
        _take_curves(graph, found, width, bond)
        found.pieces += read_pieces(graph, width)
    return found


def _take_curves(graph: Skeleton, found: _Traced, width: float, bond: float) -> None:
    """Take circles and waves out of a skeleton."""
    for key, chain in list(graph.chains.items()):
        points = chain.points
        if len(points) < 6 * width:
            continue
        if chain.begin == chain.end:
            if as_circle(points[:-1], np.ones(len(points) - 1, bool)) is not None:
                found.circles.append(points)
                del graph.chains[key]
        elif _swings(chain, width, bond):
            found.waves.append(points)
            del graph.chains[key]


def _swings(chain: Chain, width: float, bond: float) -> bool:
    """Whether a line is a wavy bond: it swings to and fro, and a chain of bonds does so more slowly."""
    points = chain.points
    smooth = points[:: max(int(width / 2), 1)]
    chord = points[-1] - points[0]
    length = float(np.hypot(*chord))
    if len(smooth) < 7 or length <= 0:
        return False
    across = (points - points[0]) @ np.array([-chord[1], chord[0]]) / length
    swing = across - (across.max() + across.min()) / 2
    sides = np.sign(swing[np.abs(swing) > 0.25 * float(np.ptp(across))])
    n_turns = int((np.diff(sides) != 0).sum())
    if float(np.ptp(across)) < _MIN_SWING * width or length > _MAX_TURN * bond * (n_turns + 1):
        return False
    return as_wave(smooth) is not None


def _bond_length(parts: list[Part], width: float) -> float:
    """Pixels: the middle length of the long straight pieces of line work, weighted by their lengths."""
    lengths = []
    large = sorted(parts, key=lambda part: -max(part.width, part.height))[:40]
    tall = max(large[0].width, large[0].height)
    for part in large:
        if max(part.width, part.height) < max(0.15 * tall, 4 * width):
            break
        lengths += [piece.length for piece in read_pieces(skeleton_of(part, width), width)]
    lengths = [length for length in lengths if length > 4 * width]
    if not lengths:
        return 0.0
    order = np.sort(np.array(lengths))
    # By their squares: pieces of letters and of uneven lines are many, and short.
    heavy = np.cumsum(order**2)
    return float(order[int(np.searchsorted(heavy, heavy[-1] / 2))])


# The drawing.


def _as_drawing(
    ink: Ink, found: Sorted, traced: _Traced, bond: float, stems: list[Vector], signs: list[PlusSign]
) -> Tracing:
    scale = BOND_POINTS / bond
    paths: list[PaintedPath] = []
    for contours, is_with_next in _ordered(found, ink.width):
        paths.append(_filled([contour * scale for contour in contours], len(paths)))
        if not is_with_next:
            # Shapes that follow each other may be read as one letter, as a bar above an O.
            paths.append(replace(paths[-1], opacity=0.0))
    n_letters = len(paths)
    for piece in traced.pieces:
        if piece.length > 0:
            paths.append(_filled([_quadrangle(piece, ink.width) * scale], len(paths)))
    for curve, is_closed in [(c, True) for c in traced.circles] + [(w, False) for w in traced.waves]:
        step = max(int(ink.width / 2), 1)
        points = curve[:-1:step] if is_closed else curve[::step]
        points = np.concatenate([points, points[:1] if is_closed else curve[-1:]]) * scale
        paths.append(_stroked(points, is_closed, ink.width * scale, len(paths)))
    height, width = ink.mask.shape
    box = (0.0, 0.0, width * scale, height * scale)
    drawing = Drawing(box, tuple(paths))
    cap = (found.height or USUAL_HEIGHT * bond) * scale
    read = [
        # Outlines of pixels look less like letters than those of fonts: there is nothing else it could be.
        replace(letter, score=max(letter.score, _LEAST_SCORE)) if letter.text.isalnum() else letter
        for letter in (as_capital(one, cap) for one in read_letters(Drawing(box, tuple(paths[:n_letters]))))
        if letter.score >= _MIN_SCORE
    ]
    read += [as_letter(stem, scale) for stem in stems] + [sign.as_letter(scale) for sign in signs]
    read += missed_rings(found.letters, paths[:n_letters], read, scale, cap)
    x0, y0 = ink.x0 / ink.scale, ink.y0 / ink.scale
    return Tracing(drawing, read, scale * ink.scale, x0, y0, len(stems), len(signs))


def _ordered(found: Sorted, width: float) -> Iterator[tuple[list[NDArray[np.float64]], bool]]:
    """What may be letters, each with whether the next is a part of it: a dot above its stem."""
    dots = [c for c in found.letters if max(c.part.width, c.part.height) < _MAX_DOT * width]
    yield from (([*c.contours], False) for c in found.letters if c not in dots)
    for bar in found.bars:
        top, middle = float(bar[:, 1].min()), float(bar[:, 0].mean())
        height = float(np.ptp(bar[:, 1]))
        above = [
            dot
            for dot in dots
            if abs(dot.part.x + dot.part.width / 2 - middle) < width
            and 0 < top - dot.part.y - dot.part.height < 0.5 * height < found.height
        ]
        yield [bar], len(above) == 1
        if len(above) == 1:
            dots.remove(above[0])
            yield above[0].contours, False
    yield from ((dot.contours, False) for dot in dots)


def _quadrangle(piece: Piece, width: float) -> NDArray[np.float64]:
    """A straight piece as a filled shape, closed: a bar of even width, or a taper."""
    r0, r1 = piece.begin_radius, piece.end_radius
    wide, narrow = max(r0, r1), min(r0, r1)
    is_taper = piece.is_even and wide > _TAPER * narrow and 2 * wide > _TAPER_WIDTH * width
    if not is_taper:
        middle = (r0 + r1) / 2
        r0 = r1 = middle if 2 * middle > 1.6 * width else 0.5 * width
    unit = piece.unit
    normal = np.array([-unit[1], unit[0]])
    corners = [piece.begin + r0 * normal, piece.end + r1 * normal]
    corners += [piece.end - r1 * normal, piece.begin - r0 * normal]
    return np.array([*corners, corners[0]])


def _filled(contours: list[NDArray[np.float64]], order: int) -> PaintedPath:
    parts = tuple(Subpath(points, np.zeros(len(points) - 1, bool), True) for points in contours)
    every = np.concatenate(contours)
    (x0, y0), (x1, y1) = every.min(axis=0).tolist(), every.max(axis=0).tolist()
    return PaintedPath(order, parts, None, _BLACK, 0.0, (), 1.0, (x0, y0, x1, y1))


def _stroked(points: NDArray[np.float64], is_closed: bool, width: float, order: int) -> PaintedPath:
    part = Subpath(points, np.ones(len(points) - 1, bool), is_closed)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return PaintedPath(order, (part,), _BLACK, None, width, (), 1.0, (x0, y0, x1, y1))
