"""Noteheads: the staff and the line or space on which each stands."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from docai.pipelines.drawings.score.sheet import Sheet, Slab
from docai.pipelines.drawings.score.types import Staff, Symbol

MAX_LEDGER_SPACES: Final = 0.34
"""Thickness of a ledger line at most, in staff spaces."""

MAX_LEDGER_LENGTH_SPACES: Final = 12.0
"""Length of a ledger line under several notes at most, in staff spaces."""

MAX_LEDGERS: Final = 9
"""Ledger lines between a head and its staff at most."""

LEDGER_OFF_SPACES: Final = 0.2
"""How far a ledger line may lie from its place, in staff spaces."""

SURE_STEPS: Final = 0.2
"""How far, in half spaces, a head lies from its place at most before its ledger lines are counted."""

SMALL_SHARE: Final = 0.86
"""Size of a head of a grace note or cue against the others at most."""


@dataclass(slots=True, eq=False)
class HeadMark:
    """A notehead as drawn."""

    symbol: Symbol
    staff: int
    """Index among the staves of the page."""
    position: int
    """Half spaces above the bottom line."""
    space: float
    """Of the staff, points."""
    is_small: bool = False

    @property
    def x(self) -> float:
        """Of its middle."""
        return (self.symbol.bbox[0] + self.symbol.bbox[2]) / 2

    @property
    def y(self) -> float:
        """Of its middle."""
        return (self.symbol.bbox[1] + self.symbol.bbox[3]) / 2

    @property
    def height(self) -> float:
        """Of its ink."""
        return self.symbol.bbox[3] - self.symbol.bbox[1]

    @property
    def width(self) -> float:
        """Of its ink."""
        return self.symbol.bbox[2] - self.symbol.bbox[0]


def position_at(staff: Staff, y: float) -> float:
    """Half spaces above the bottom line, not rounded."""
    space = staff.space
    return 2 * (staff.lines[-1] - y) / space if space else 0.0


def find_heads(sheet: Sheet, staves: Sequence[Staff]) -> list[HeadMark]:
    """Noteheads on staves with notes, by x."""
    symbols = [symbol for symbol in sheet.symbols if symbol.name.startswith("notehead")]
    ledgers = _Ledgers(sheet, staves)
    heads = []
    for symbol in symbols:
        middle = (symbol.bbox[1] + symbol.bbox[3]) / 2
        x = (symbol.bbox[0] + symbol.bbox[2]) / 2
        near = _near_staves(staves, x, middle)
        if not near:
            continue
        staff = near[0]
        if len(near) > 1 and not staves[staff].lines[0] <= middle <= staves[staff].lines[-1]:
            # Between two staves the ledger lines tell: as many as there must be.
            staff = min(near, key=lambda index: _missing_ledgers(staves[index], symbol, ledgers))
        own = _own_ledgers(staves[staff], symbol, ledgers)
        sheet.used_paths.update(slab.path for slab in own)
        position = _position(staves[staff], middle, own, ledgers.over(x))
        heads.append(HeadMark(symbol, staff, position, staves[staff].space))
        sheet.use(symbol)
    heads.sort(key=lambda head: head.x)
    heads = _without_copies(heads)
    _mark_small(heads)
    return heads


def _position(staff: Staff, y: float, own: Sequence[Slab], over: Sequence[Slab]) -> int:
    """Half spaces of a head above the bottom line; where it lies between two, its ledger lines tell.

    On a line there is a ledger line through the head; in a space the last one is at its edge.
    """
    exact = position_at(staff, y)
    position = round(exact)
    top = 2 * (len(staff.lines) - 1)
    if abs(exact - position) <= SURE_STEPS or -1 < exact < top + 1 or not own:
        return position
    other = position + (1 if exact > position else -1)
    even = position if position % 2 == 0 else other
    near = LEDGER_OFF_SPACES * staff.space
    place = staff.lines[-1] - even * staff.space / 2
    return even if any(abs(slab.y0 - place) <= near for slab in over) else position + other - even


def _without_copies(heads: Sequence[HeadMark]) -> list[HeadMark]:
    """Heads without those drawn again in the same place, as for two voices in unison."""
    kept: list[HeadMark] = []
    for head in heads:
        for other in reversed(kept[-12:]):
            near = 0.12 * head.space
            if (
                abs(head.x - other.x) <= near
                and abs(head.y - other.y) <= near
                and head.symbol.name == other.symbol.name
            ):
                break
        else:
            kept.append(head)
    return kept


def _near_staves(staves: Sequence[Staff], x: float, y: float) -> list[int]:
    """Staves with notes to which a head may belong, nearest first."""
    found = []
    for index, staff in enumerate(staves):
        space = staff.space
        if staff.is_tablature or not staff.x0 - space <= x <= staff.x1 + space:
            continue
        away = max(staff.lines[0] - y, y - staff.lines[-1], 0.0) / space
        if away <= MAX_LEDGERS + 1:
            found.append((away, index))
    return [index for _, index in sorted(found)[:3]]


class _Ledgers:
    """Short level strokes that may be ledger lines, by x."""

    def __init__(self, sheet: Sheet, staves: Sequence[Staff]) -> None:
        space = max((staff.space for staff in staves), default=0.0)
        self._reach = MAX_LEDGER_LENGTH_SPACES * space
        self._slabs = [
            slab
            for slab in sheet.slabs
            if slab.thickness <= MAX_LEDGER_SPACES * space
            and 0.5 * space <= slab.length <= self._reach
            and abs(slab.y1 - slab.y0) <= 0.02 * slab.length
        ]
        self._xs = [slab.x0 for slab in self._slabs]

    def over(self, x: float) -> list[Slab]:
        """Those that go on over an x."""
        first, last = bisect_left(self._xs, x - self._reach), bisect_right(self._xs, x)
        return [slab for slab in self._slabs[first:last] if slab.x1 >= x]


def _ledger_places(staff: Staff, symbol: Symbol) -> list[float]:
    """y of the ledger lines that a head needs."""
    middle = (symbol.bbox[1] + symbol.bbox[3]) / 2
    half = staff.space / 2
    position = round(position_at(staff, middle))
    top = round(position_at(staff, staff.lines[0]))
    if position > top:
        return [staff.lines[-1] - half * step for step in range(top + 2, position + 1, 2)]
    return [staff.lines[-1] - half * step for step in range(-2, position - 1, -2)]


def _own_ledgers(staff: Staff, symbol: Symbol, ledgers: _Ledgers) -> list[Slab]:
    places = _ledger_places(staff, symbol)
    if not places:
        return []
    near = LEDGER_OFF_SPACES * staff.space
    x = (symbol.bbox[0] + symbol.bbox[2]) / 2
    return [slab for slab in ledgers.over(x) if any(abs(slab.y0 - place) <= near for place in places)]


def _missing_ledgers(staff: Staff, symbol: Symbol, ledgers: _Ledgers) -> tuple[int, float]:
    places = _ledger_places(staff, symbol)
    near = LEDGER_OFF_SPACES * staff.space
    own = _own_ledgers(staff, symbol, ledgers)
    missing = sum(all(abs(slab.y0 - place) > near for slab in own) for place in places)
    middle = (symbol.bbox[1] + symbol.bbox[3]) / 2
    away = max(staff.lines[0] - middle, middle - staff.lines[-1], 0.0)
    return missing, away


def _mark_small(heads: Sequence[HeadMark]) -> None:
    """Tell heads of grace notes from the others by the size of their font, or by their height."""
    for of_font in (True, False):
        own = [
            head
            for head in heads
            if (head.symbol.glyph is not None) == of_font and (of_font or not _is_diamond(head.symbol))
        ]
        sizes = [(head.symbol.size if of_font else head.height) / head.space for head in own]
        if not sizes:
            continue
        # Most heads of a page are of full size, even where grace notes are many.
        usual = min(max(sorted(sizes)[len(sizes) * 3 // 4], 3.4 if of_font else 0.8), 5.0)
        for head, size in zip(own, sizes, strict=True):
            head.is_small = size < SMALL_SHARE * usual


def _is_diamond(symbol: Symbol) -> bool:
    """Whether a head is of a harmonic: fonts disagree on how high it is, and it is no grace note."""
    return symbol.name.startswith("noteheadDiamond")
