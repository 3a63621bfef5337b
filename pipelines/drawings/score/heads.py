"""Noteheads: the staff and the line or space on which each stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from docai.pipelines.drawings.score.sheet import Sheet, Slab
from docai.pipelines.drawings.score.types import Staff, Symbol

MAX_LEDGER_SPACES: Final = 0.34
"""Thickness of a ledger line at most, in staff spaces."""

MAX_LEDGERS: Final = 9
"""Ledger lines between a head and its staff at most."""

LEDGER_OFF_SPACES: Final = 0.2
"""How far a ledger line may lie from its place, in staff spaces."""

SMALL_SHARE: Final = 0.84
"""Height of a head of a grace note or cue against the others at most."""


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
    ledgers = _ledger_candidates(sheet, staves)
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
        position = round(position_at(staves[staff], middle))
        heads.append(HeadMark(symbol, staff, position, staves[staff].space))
        sheet.use(symbol)
    heads.sort(key=lambda head: head.x)
    heads = _without_copies(heads)
    _mark_small(heads)
    return heads


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


def _ledger_candidates(sheet: Sheet, staves: Sequence[Staff]) -> list[Slab]:
    if not staves:
        return []
    space = max(staff.space for staff in staves)
    return [
        slab
        for slab in sheet.slabs
        if slab.thickness <= MAX_LEDGER_SPACES * space
        and 0.5 * space <= slab.length
        and abs(slab.y1 - slab.y0) <= 0.02 * slab.length
    ]


def _ledger_places(staff: Staff, symbol: Symbol) -> list[float]:
    """y of the ledger lines that a head needs."""
    middle = (symbol.bbox[1] + symbol.bbox[3]) / 2
    half = staff.space / 2
    position = round(position_at(staff, middle))
    top = round(position_at(staff, staff.lines[0]))
    if position > top:
        return [staff.lines[-1] - half * step for step in range(top + 2, position + 1, 2)]
    return [staff.lines[-1] - half * step for step in range(-2, position - 1, -2)]


def _own_ledgers(staff: Staff, symbol: Symbol, ledgers: Sequence[Slab]) -> list[Slab]:
    places = _ledger_places(staff, symbol)
    if not places:
        return []
    near = LEDGER_OFF_SPACES * staff.space
    x = (symbol.bbox[0] + symbol.bbox[2]) / 2
    return [
        slab
        for slab in ledgers
        if slab.x0 <= x <= slab.x1 and any(abs(slab.y0 - place) <= near for place in places)
    ]


def _missing_ledgers(staff: Staff, symbol: Symbol, ledgers: Sequence[Slab]) -> tuple[int, float]:
    places = _ledger_places(staff, symbol)
    near = LEDGER_OFF_SPACES * staff.space
    own = _own_ledgers(staff, symbol, ledgers)
    missing = sum(all(abs(slab.y0 - place) > near for slab in own) for place in places)
    middle = (symbol.bbox[1] + symbol.bbox[3]) / 2
    away = max(staff.lines[0] - middle, middle - staff.lines[-1], 0.0)
    return missing, away


def _mark_small(heads: Sequence[HeadMark]) -> None:
    """Tell heads of grace notes from the others by their height."""
    shares = sorted(head.height / head.space for head in heads)
    if not shares:
        return
    # Most heads of a page are of full size, even where grace notes are many.
    usual = min(max(shares[len(shares) * 3 // 4], 0.85), 1.2)
    for head in heads:
        head.is_small = head.height < SMALL_SHARE * usual * head.space
