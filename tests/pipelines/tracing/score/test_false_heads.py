"""What looks like a head and is none is told by its stem."""

from __future__ import annotations

import numpy as np
import pytest

from docai.geometry import BBox
from docai.pipelines.tracing.score.false_heads import heads_at_far_ends
from docai.pipelines.tracing.score.ink import read_ink
from docai.pipelines.tracing.score.straighten import SPACE_PX

STEM_X, TOP, BOTTOM = 100, 60, 140


def head(right: bool, y: float) -> BBox:
    """The box of a head at a side of the stem."""
    width = 1.2 * SPACE_PX
    x0 = STEM_X if right else STEM_X - width
    return x0, y - SPACE_PX / 2, x0 + width, y + SPACE_PX / 2


def found(*heads: BBox) -> list[int]:
    dark = np.zeros((200, 200), np.float32)
    dark[TOP:BOTTOM, STEM_X - 1 : STEM_X + 1] = 1
    for x0, y0, x1, y1 in heads:
        dark[round(y0) : round(y1), round(x0) : round(x1)] = 1
    return heads_at_far_ends(read_ink(dark, []), heads, np.zeros(dark.shape, bool))


@pytest.mark.parametrize("down", [True, False])
def test_a_hook_near_the_end_of_a_stem_is_no_head(down: bool) -> None:
    first, hook = (TOP, BOTTOM - SPACE_PX) if down else (BOTTOM, TOP + SPACE_PX)
    assert found(head(down, first), head(not down, hook)) == [1]


def test_a_step_stands_at_the_other_side_of_its_stem() -> None:
    assert found(head(True, TOP), head(False, TOP + SPACE_PX / 2)) == []


def test_stems_of_two_voices_in_one_line_have_their_heads() -> None:
    assert found(head(True, TOP), head(False, BOTTOM)) == []
