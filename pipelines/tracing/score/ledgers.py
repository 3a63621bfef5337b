"""Ledger lines of a picture of music, and heads that ought to have some. Lengths are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from docai.geometry import BBox
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.ink import Ink, Mask
from docai.pipelines.tracing.score.slabs import Stroke
from docai.pipelines.tracing.score.straighten import SPACE_PX

LEDGER_SPACES: Final = 0.3
"""Thickness of a ledger line at most, in staff spaces."""

OUT_SPACES: Final = 0.25
"""How far a ledger line stands out beside the box of its head, in staff spaces."""

SHORT_OUT_SPACES: Final = 0.125
"""The same where the box is wider than the head."""

MAX_LEDGERS: Final = 9

BESIDE_SPACES: Final = 0.75
"""How far the middle of a head without ledger lines is from its staff at most, in staff spaces."""


def find_ledgers(ink: Ink, staves: Sequence[Staff], heads: Sequence[BBox]) -> list[Stroke]:
    """Ledger lines at heads: level strokes at their places that stand out on both sides of a head."""
    found: dict[tuple[int, int], Stroke] = {}
    out = 0.3 * SPACE_PX
    for head in heads:
        x0, _, x1, _ = head
        for y in chain(*_rows_by_staff(staves, head, 0.0)):
            if _ledger_row(ink.mask, y, _flanks(x0, x1, OUT_SPACES)) is not None:
                key = (round(y), round((x0 + x1) / 2 / SPACE_PX))
                found[key] = Stroke(x0 - out, y, x1 + out, y, ink.line_px)
    return list(found.values())


def heads_without_ledgers(ink: Ink, staves: Sequence[Staff], heads: Sequence[BBox]) -> list[int]:
    """Places of those heads that are of no staff: they stand off all staves, and no ledger line leads there.

    So do the notes of tempo marks, and letters that look like heads.
    """
    return [
        place
        for place, head in enumerate(heads)
        if (rows := _rows_by_staff(staves, head)) and not any(_has_line(ink, y, head) for y in chain(*rows))
    ]


def heads_with_gaps(ink: Ink, staves: Sequence[Staff], heads: Sequence[BBox]) -> list[int]:
    """Places of those heads that stand off all staves, and of whose ledger lines one at least is not seen.

    Between two staves a head is of that to which fewer are missing.
    """
    found = []
    for place, head in enumerate(heads):
        missing = [sum(not _has_line(ink, y, head) for y in rows) for rows in _rows_by_staff(staves, head)]
        if missing and min(missing) > 0:
            found.append(place)
    return found


def _rows_by_staff(staves: Sequence[Staff], head: BBox, beside: float = BESIDE_SPACES) -> list[list[float]]:
    """Rows of the ledger lines between a head and the staves above and below it; none of one at a staff, or
    no more than so many staff spaces beside it."""
    middle = (head[1] + head[3]) / 2
    reach = beside * SPACE_PX
    if any(staff.lines[0] - reach <= middle <= staff.lines[-1] + reach for staff in staves):
        return []
    above = [staff for staff in staves if staff.lines[-1] < middle][-1:]
    below = [staff for staff in staves if staff.lines[0] > middle][:1]
    return [_places(staff, middle) for staff in (*above, *below)]


def _has_line(ink: Ink, y: float, head: BBox) -> bool:
    """Whether a line stands out beside a head at a row.

    What touches the head may hide it at one side, and boxes are a little wide or narrow.
    """
    flanks = (flank for out in (SHORT_OUT_SPACES, OUT_SPACES) for flank in _flanks(head[0], head[2], out))
    return any(_ledger_row(ink.mask, y, (flank,)) is not None for flank in flanks)


def _places(staff: Staff, middle: float) -> list[float]:
    """Rows of the ledger lines between a staff and a head."""
    top, bottom = staff.lines[0], staff.lines[-1]
    slack = 0.3 * SPACE_PX
    places = []
    for step in range(1, MAX_LEDGERS + 1):
        for y in (top - step * SPACE_PX, bottom + step * SPACE_PX):
            inside = middle - slack <= y <= top if y < top else bottom <= y <= middle + slack
            if inside:
                places.append(y)
    return places


def _flanks(x0: float, x1: float, out_spaces: float) -> tuple[range, range]:
    """Columns beside a head, on its left and on its right."""
    out = round(out_spaces * SPACE_PX)
    return range(round(x0) - out, round(x0)), range(round(x1), round(x1) + out)


def _ledger_row(mask: Mask, y: float, flanks: Sequence[range]) -> int | None:
    """The row at which ink stands out beside a head and there is paper above and below it."""
    h, w = mask.shape
    columns = [column for flank in flanks for column in flank if 0 <= column < w]
    if not columns:
        return None
    for offset in (0, 1, -1, 2, -2):
        row = round(y) + offset
        near = round(LEDGER_SPACES * SPACE_PX)
        if not near <= row < h - near:
            continue
        if mask[row, columns].mean() >= 0.7:
            clear = min(mask[row - near, columns].mean(), mask[row + near, columns].mean())
            if clear <= 0.5:
                return row
    return None
