"""How far the lines of a staff go, and how many there are."""

import numpy as np
import pytest

from docai.pipelines.tracing.score.line_count import LINES, drawn_out, n_lines
from docai.pipelines.tracing.score.staff_lines import Map, Staff

SPACE = 10


def lined(n_drawn: int = LINES) -> Map:
    """Lines from column 30 to 400, and on from 450 to 600, with a bracket at the left and a clef on them."""
    dark = np.zeros((140, 620), np.float32)
    for line in range(n_drawn):
        dark[40 + SPACE * line, 30:400] = dark[40 + SPACE * line, 450:600] = 1
    dark[30:95, 10:14] = 1
    dark[42:78, 40:75] = 1
    return dark


def staff_between(left: int, right: int) -> Staff:
    return Staff(np.full(620, 40, np.float32), SPACE, left, right, 1.0)


def test_lines_go_on_under_a_clef_and_end_at_a_break() -> None:
    staff = drawn_out(lined(), staff_between(120, 380))
    assert (staff.left, staff.right) == (30, 400)


def test_what_is_shorter_than_it_was_found_stays() -> None:
    assert drawn_out(np.zeros((140, 620), np.float32), staff_between(120, 380)).left == 120


@pytest.mark.parametrize("n_drawn", [5, 6])
def test_lines_are_counted(n_drawn: int) -> None:
    assert n_lines(lined(n_drawn), staff_between(30, 400)) == n_drawn
