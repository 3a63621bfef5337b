"""From a picture of music to its systems as kern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.content import PieceState, SystemReading
from docai.pipelines.drawings.score.reader import systems_of_sheet
from docai.pipelines.drawings.score.reading import read_found_systems
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.bows import find_bows
from docai.pipelines.tracing.score.doubts import (
    SeenPicture,
    covered,
    find_doubts,
    left_out,
    with_measure_doubts,
)
from docai.pipelines.tracing.score.false_heads import heads_at_far_ends
from docai.pipelines.tracing.score.ink import Ink, Mask, read_ink
from docai.pipelines.tracing.score.ledgers import find_ledgers, heads_with_gaps, heads_without_ledgers
from docai.pipelines.tracing.score.picture_sheet import (
    SheetBuilder,
    in_pixels,
    painted,
    slab_line,
    solid_mask,
    staff_in_points,
    upright_line,
)
from docai.pipelines.tracing.score.slabs import (
    Stroke,
    find_beams,
    find_bracket_lines,
    heads_on_beams,
)
from docai.pipelines.tracing.score.slashes import find_slashes
from docai.pipelines.tracing.score.staff_lines import Gray
from docai.pipelines.tracing.score.straighten import COARSE_SPACE_PX, SPACE_PX, StraightPicture, straighten
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol, find_symbols
from docai.pipelines.tracing.score.uprights import Bar, find_barlines, find_stems, heads_beside

Finder = Callable[[NDArray[np.uint8], float], list[PictureSymbol]]

MIN_SCORES: Final = {
    "noteheadBlack": 0.4,
    "augmentationDot": 0.4,
    "articStaccatoAbove": 0.4,
    "repeatDot": 0.4,
}
"""Least score of what is seen by mistake more often than others: heads where stems cross beams, dots at
the tips of flags."""

CLEF: Final = re.compile(r"Clef|^timeSig")
"""What stands on the lines of a staff: letters of dynamics and titles look alike."""

PLACE_SPACES: Final = 0.5
"""How far from its place a percussion clef or a digit of a meter is at most, in staff spaces."""

CLEF_SPACES: Final = 3.0
"""How far from the middle of the staff the middle of another clef is at most, in staff spaces."""

METER_SPACES: Final = 2.5
"""Distance of the digits of a meter over each other at most, in staff spaces."""

CHORD_SPACES: Final = 4.0
"""Distance of a whole note from what may be two more of its chord at most, in staff spaces."""

EDGE_SPACES: Final = 0.75
"""How far the ends of a staff are from its first and last barline at most, in staff spaces."""

GROWN_PX: Final = 3.0
"""By which symbols are taken for larger where bows are looked for."""

EIGHT_SPACES: Final = (1.9, 2.45)
"""Below the lowest line, in staff spaces: where the 8 of a clef has ink, and the clef itself has none."""

EIGHT_INK: Final = (0.15, 0.75)
"""Share of ink in that place."""

FULL_EIGHT: Final = 0.85
"""Share of the rows of that place that have ink."""

HEAD_HEIGHTS: Final = (0.7, 1.25)
"""Least and greatest height of the ink of a head that nothing touches, in staff spaces at its size."""

MAX_SHIFT_SPACES: Final = 0.35
"""By how much a head is moved at most, in staff spaces."""

HOOK_SPACES: Final = 0.25
"""Distance of a short beam from its stem at most, in staff spaces."""

STEMLESS_SPACES: Final = 0.5
"""How far beyond the end of its stem the middle of a half note is at most, in staff spaces."""

DOUBTFUL: Final = 0.5
"""Mean confidence of its systems below which a picture is read at the coarse scale, too."""

COARSER: Final = 0.85
"""Share of the scale of the first reading that the coarse one has at most: else both are the same."""

DOTS: Final = ("augmentationDot", "articStaccatoAbove", "articStaccatoBelow", "repeatDot")

OPEN: Final = ("notehead", "flag", "augmentationDot", "articStaccato", "repeatDot")
"""How names of symbols begin that stems may run along or through."""


def read_picture(
    gray: Gray, state: PieceState | None = None, finder: Finder = find_symbols
) -> list[SystemReading]:
    """The systems of music that a picture shows, from the top, with boxes in its pixels.

    A doubtful picture is read once more at the coarse scale, and the reading with more confidence counts.

    Args:
        gray: (h, w), dark on light or light on dark.
        state: what the picture before hands over, such as the meter; it is changed to what this one does.
        finder: finds the symbols.
    """
    picture = straighten(gray)
    if picture is None:
        return []
    state = state or PieceState()
    before = deepcopy(state)
    readings = _read(picture, state, finder)
    if _mean_confidence(readings) >= DOUBTFUL or COARSER * picture.traced_space < COARSE_SPACE_PX:
        return readings
    coarse = straighten(gray, COARSE_SPACE_PX)
    if coarse is None or len(coarse.staves) < len(picture.staves):
        return readings
    others = _read(coarse, before, finder)
    if _mean_confidence(others) <= _mean_confidence(readings):
        return readings
    for one in fields(state):
        setattr(state, one.name, getattr(before, one.name))
    return others


def _mean_confidence(readings: Sequence[SystemReading]) -> float:
    return sum(one.confidence for one in readings) / max(1, len(readings))


def _read(picture: StraightPicture, state: PieceState, finder: Finder) -> list[SystemReading]:
    """The systems of a straightened picture; ``state`` is changed to what it hands over."""
    seen = see_picture(picture, finder(picture.gray, float(SPACE_PX)))
    staves = [staff_in_points(staff) for staff in seen.staves]
    systems = systems_of_sheet(seen.sheet, staves, has_letters=False)
    readings = read_found_systems(systems, state)
    doubts = find_doubts(seen, systems)
    return [
        replace(
            one,
            bbox=picture.to_source(in_pixels(one.bbox)),
            content=with_measure_doubts(one.content, doubt.measures),
            confidence=one.confidence * doubt.factor,
            issues=(*one.issues, *doubt.issues),
        )
        for one, doubt in zip(readings, doubts, strict=True)
    ]


def _believed(ink: Ink, symbols: Sequence[PictureSymbol], staves: Sequence[Staff]) -> list[PictureSymbol]:
    """Symbols without those that are too doubtful or out of place, and without heads that are none."""
    sure = [
        symbol
        for symbol in symbols
        if symbol.score >= MIN_SCORES.get(symbol.name, 0.0)
        and (not CLEF.search(symbol.name) or _stands_on_staff(symbol, staves))
    ]
    sure = _without_false_eights(sure)
    others = [symbol.box for symbol in sure if not symbol.name.startswith(OPEN)]
    heads = [symbol for symbol in sure if symbol.name.startswith("notehead")]
    solid = solid_mask(ink.mask.shape, others)
    boxes = [head.box for head in heads]
    places = [
        *heads_on_beams(ink, solid, boxes),
        *heads_at_far_ends(ink, boxes, solid),
        *heads_without_ledgers(ink, staves, boxes),
    ]
    gone = {id(heads[place]) for place in places}
    kept = [symbol for symbol in sure if id(symbol) not in gone]
    kept = [
        _with_octave(symbol, ink.bare, kept, staves) if symbol.name == "gClef" else symbol for symbol in kept
    ]
    return [_centered(symbol, ink.bare) if symbol.name == "noteheadBlack" else symbol for symbol in kept]


def _without_false_eights(symbols: Sequence[PictureSymbol]) -> list[PictureSymbol]:
    """Whole notes a third apart, which look like an 8 together, as two heads.

    The 8 of a meter has another digit over or under it, and no whole note.
    """
    digits = [symbol for symbol in symbols if symbol.name.startswith("timeSig")]
    wholes = [symbol for symbol in symbols if symbol.name == "noteheadWhole"]
    kept: list[PictureSymbol] = []
    for symbol in symbols:
        if (
            symbol.name != "timeSig8"
            or any(_is_in_column(symbol, other, METER_SPACES) for other in digits if other is not symbol)
            or not any(_is_in_column(symbol, other, CHORD_SPACES) for other in wholes)
        ):
            kept.append(symbol)
            continue
        x0, y0, x1, y1 = symbol.box
        middle, half = (y0 + y1) / 2, SPACE_PX / 2
        for y in (middle - half, middle + half):
            head = replace(symbol, name="noteheadWhole", box=(x0, y - half, x1, y + half), scale=1.0)
            if not any(_is_in_column(head, other, 0.75) for other in wholes):
                kept.append(head)
    return kept


def _is_in_column(one: PictureSymbol, other: PictureSymbol, spaces: float) -> bool:
    """Whether the middles of two symbols are over each other, not farther apart than some staff spaces."""
    (a, b, c, d), (x0, y0, x1, y1) = one.box, other.box
    return abs(a + c - x0 - x1) <= SPACE_PX and abs(b + d - y0 - y1) <= 2 * spaces * SPACE_PX


def _with_octave(
    clef: PictureSymbol, bare: Mask, symbols: Sequence[PictureSymbol], staves: Sequence[Staff]
) -> PictureSymbol:
    """A treble clef with the 8 that stands under it, where ink of one does and no other symbol."""
    x0, y0, x1, y1 = clef.box
    staff = min(staves, key=lambda staff: abs(staff.lines[2] - (y0 + y1) / 2))
    top, bottom = (round(staff.lines[-1] + share * SPACE_PX) for share in EIGHT_SPACES)
    middle, half = (x0 + x1) / 2, 0.6 * SPACE_PX
    left, right = max(0, round(middle - half)), max(1, round(middle + half))
    others = (one for one in symbols if one is not clef and not one.name.startswith("tuplet"))
    if any(_meet(one.box, (left, top, right, bottom)) for one in others):
        return clef
    part = bare[top:bottom, left:right]
    low, high = EIGHT_INK
    if not part.size or not low <= float(part.mean()) <= high or not part.any(axis=1).mean() >= FULL_EIGHT:
        return clef
    line = staff.lines[-2]
    box = (x0, line - 4.4 * SPACE_PX, x1, line + 3.5 * SPACE_PX)
    return replace(clef, name="gClef8vb", box=box)


def _meet(one: BBox, other: BBox) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _centered(head: PictureSymbol, bare: Mask) -> PictureSymbol:
    """A head moved up or down to the middle of its ink, where nothing else touches that."""
    x0, y0, x1, y1 = head.box
    middle, third = (y0 + y1) / 2, (x1 - x0) / 6
    tops, bottoms = [], []
    for column in range(
        max(0, round((x0 + x1) / 2 - third)), min(bare.shape[1], round((x0 + x1) / 2 + third) + 1)
    ):
        first = last = min(max(round(middle), 0), len(bare) - 1)
        if not bare[first, column]:
            continue
        while first > 0 and bare[first - 1, column]:
            first -= 1
        while last + 1 < len(bare) and bare[last + 1, column]:
            last += 1
        tops.append(first)
        bottoms.append(last)
    if not tops:
        return head
    top, bottom = float(np.median(tops)), float(np.median(bottoms))
    low, high = (share * head.scale * SPACE_PX for share in HEAD_HEIGHTS)
    shift = (top + bottom) / 2 - middle
    if not low <= bottom - top + 1 <= high or abs(shift) > MAX_SHIFT_SPACES * SPACE_PX:
        return head
    return replace(head, box=(x0, y0 + shift, x1, y1 + shift))


def _is_hook(symbol: PictureSymbol, stems: Sequence[Bar]) -> bool:
    """Whether what looks like a half or whole rest adjoins a stem, as a short beam does and no rest."""
    if symbol.name not in ("restHalf", "restWhole"):
        return False
    x0, y0, x1, y1 = symbol.box
    near = HOOK_SPACES * SPACE_PX
    return any(
        min(abs(stem.x - x0), abs(stem.x - x1)) <= near and stem.y0 <= y0 and y1 <= stem.y1 for stem in stems
    )


def _stemless_as_whole(symbol: PictureSymbol, stems: Sequence[Bar]) -> PictureSymbol:
    """What looks like a half note and has no stem is a whole note: some fonts draw both heads alike."""
    if symbol.name != "noteheadHalf":
        return symbol
    near = STEMLESS_SPACES * SPACE_PX
    if any(True for stem in stems for _ in heads_beside(stem, [symbol.box], near)):
        return symbol
    return replace(symbol, name="noteheadWhole")


def _off_ledgers(symbols: Sequence[PictureSymbol], ledgers: Sequence[Stroke]) -> list[PictureSymbol]:
    """Symbols without dots that are ends of ledger lines."""
    near = 0.2 * SPACE_PX

    def is_end(box: BBox) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return any(abs(y - line.y0) <= near and line.x0 <= x <= line.x1 + 2 * near for line in ledgers)

    return [symbol for symbol in symbols if not (symbol.name in DOTS and is_end(symbol.box))]


def _stands_on_staff(symbol: PictureSymbol, staves: Sequence[Staff]) -> bool:
    """Whether a clef or digit of a meter is at its place: percussion clefs and digits have a fixed one."""
    x, y = (symbol.box[0] + symbol.box[2]) / 2, (symbol.box[1] + symbol.box[3]) / 2
    for staff in staves:
        from_middle = abs(y - staff.lines[2]) / SPACE_PX
        if not staff.x0 - 0.5 * SPACE_PX <= x <= staff.x1:
            continue
        if symbol.name.startswith("unpitched"):
            is_placed = from_middle <= PLACE_SPACES
        elif symbol.name.startswith("timeSig"):
            is_placed = min(from_middle, abs(from_middle - 1)) <= PLACE_SPACES
        else:
            is_placed = from_middle <= CLEF_SPACES
        if is_placed:
            return True
    return False


def _aligned(staves: Sequence[Staff], bars: Sequence[Bar]) -> tuple[Staff, ...]:
    """Staves that begin and end at the barlines there: their lines are followed a little less far."""
    aligned = []
    for staff in staves:
        xs = [bar.x for bar in bars if bar.y0 <= staff.lines[2] <= bar.y1]
        x0, x1 = (
            min((x for x in xs if abs(x - edge) <= EDGE_SPACES * SPACE_PX), key=_distance(edge), default=edge)
            for edge in (staff.x0, staff.x1)
        )
        aligned.append(replace(staff, x0=x0, x1=x1))
    return tuple(aligned)


def _distance(edge: float) -> Callable[[float], float]:
    return lambda x: abs(x - edge)


def see_picture(picture: StraightPicture, symbols: Sequence[PictureSymbol]) -> SeenPicture:
    """What a straightened picture shows: its strokes beside the symbols found, and what is of neither."""
    ink = read_ink(picture.dark, picture.staves)
    shape = ink.mask.shape
    found = symbols
    symbols = _believed(ink, symbols, picture.staves)
    heads = [symbol.box for symbol in symbols if symbol.name.startswith("notehead")]
    flags = [symbol.box for symbol in symbols if symbol.name.startswith("flag")]
    closed = solid_mask(shape, [symbol.box for symbol in symbols if not symbol.name.startswith(OPEN)])
    bars = find_barlines(ink, picture.staves, heads, closed)
    staves = _aligned(picture.staves, bars)
    stems = find_stems(ink, heads, flags, closed, bars)
    symbols = [_stemless_as_whole(symbol, stems) for symbol in symbols if not _is_hook(symbol, stems)]
    closed = solid_mask(shape, [symbol.box for symbol in symbols if not symbol.name.startswith(OPEN)])
    solid = closed | solid_mask(shape, heads, inset=0.0)
    beams = find_beams(ink, solid, stems)
    ledgers = find_ledgers(ink, staves, heads)
    symbols = _off_ledgers(symbols, ledgers)
    solid |= solid_mask(shape, [symbol.box for symbol in symbols], inset=0.0)
    clefs = [symbol.box for symbol in symbols if CLEF.search(symbol.name)]
    solid |= solid_mask(shape, clefs, inset=-GROWN_PX)
    solid |= painted(
        shape,
        [*(upright_line(bar) for bar in (*bars, *stems)), *(slab_line(slab) for slab in (*beams, *ledgers))],
    )
    left = ink.bare & ~solid
    left[:, : max(0, round(min(staff.x0 for staff in staves)))] = False
    numbers = [symbol.box for symbol in symbols if symbol.name.startswith("tuplet")]
    brackets = find_bracket_lines(left, numbers)
    bows = find_bows(left)
    builder = SheetBuilder(shape[1], shape[0])
    for bar in (*bars, *stems):
        builder.add_upright(bar)
    for slab in (*beams, *ledgers, *brackets):
        builder.add_slab(slab)
    for outline in bows:
        builder.add_bow(outline)
    for symbol in (*symbols, *find_slashes(ink.bare, symbols, stems)):
        builder.add_symbol(symbol)
    left &= ~painted(shape, [slab_line(slab) for slab in brackets]) & ~covered(shape, bows)
    return SeenPicture(
        sheet=builder.sheet(),
        staves=staves,
        symbols=tuple(symbols),
        left_out=left_out(found, symbols),
        gaps=tuple(heads[place] for place in heads_with_gaps(ink, staves, heads)),
        ink=ink.mask,
        rest=left,
    )
