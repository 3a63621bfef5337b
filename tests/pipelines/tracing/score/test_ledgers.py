"""A note off its staff is told by its ledger lines."""

from __future__ import annotations

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.ink import Ink, read_ink
from docai.pipelines.tracing.score.ledgers import heads_with_gaps, heads_without_ledgers
from docai.pipelines.tracing.score.straighten import SPACE_PX

TOP = 200
STAFF = Staff(tuple(float(TOP + line * SPACE_PX) for line in range(5)), 20.0, 380.0)


def head(steps_above_top: int, x: float = 200) -> BBox:
    """The box of a head, so many half spaces above the top line."""
    y = TOP - steps_above_top * SPACE_PX / 2
    return x - 0.6 * SPACE_PX, y - SPACE_PX / 2, x + 0.6 * SPACE_PX, y + SPACE_PX / 2


def picture(box: BBox, ledgers: tuple[int, ...]) -> Ink:
    """A staff, a head and ledger lines at so many spaces above it."""
    dark = np.zeros((400, 400), np.float32)
    for y in STAFF.lines:
        dark[round(y) - 1 : round(y) + 1, 20:380] = 1
    x0, y0, x1, y1 = (round(edge) for edge in box)
    dark[y0:y1, x0:x1] = 1
    for spaces in ledgers:
        y = TOP - spaces * SPACE_PX
        dark[y - 1 : y + 1, x0 - 5 : x1 + 5] = 1
    return read_ink(dark, [STAFF])


def test_a_head_far_above_its_staff_without_ledger_lines_is_none() -> None:
    box = head(6)
    assert heads_without_ledgers(picture(box, ()), [STAFF], [box]) == [0]


def test_heads_with_ledger_lines_and_those_beside_the_staff_are_notes() -> None:
    for steps, ledgers in ((6, (1, 2, 3)), (3, (1,)), (2, (1,)), (1, ()), (-3, ())):
        box = head(steps)
        ink = picture(box, ledgers)
        assert heads_without_ledgers(ink, [STAFF], [box]) == []
        assert heads_with_gaps(ink, [STAFF], [box]) == []


def test_a_missing_ledger_line_makes_a_head_doubtful() -> None:
    box = head(6)
    ink = picture(box, (2, 3))
    assert heads_without_ledgers(ink, [STAFF], [box]) == []
    assert heads_with_gaps(ink, [STAFF], [box]) == [0]
