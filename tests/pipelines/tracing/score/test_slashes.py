"""Short grace notes in pictures have a slash through stem and flag."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.external import engraving
from docai.pipelines.tracing.score.reader import read_picture
from docai.pipelines.tracing.score.slashes import find_slashes
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol
from docai.pipelines.tracing.score.uprights import Bar

SPACE = float(SPACE_PX)
HEAD = PictureSymbol("noteheadBlack", (100 - 0.9 * SPACE, 100.0, 100.0, 100 + 0.8 * SPACE), 0.9, 0.8)
STEM = Bar(100.0, 100 - 2 * SPACE, 100 + 0.4 * SPACE, 2.0)
FLAG = PictureSymbol("flag8thUp", (100.0, 100 - 2 * SPACE, 100 + SPACE, 100.0), 0.9, 1.0)

GRACE = """**kern
*clefG2
*k[]
*M4/4
=1
8{0}dd
4cc
8{0}g
4a
8{0}aa
4gg
4b
==
*-
"""


def stroke(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.bool_]:
    """Ink of a line from the middle of the stem, in staff spaces, beside that of the stem."""
    mask = np.zeros((200, 200), np.uint8)
    cv2.line(mask, (100, round(STEM.y0)), (100, round(STEM.y1)), 1, 2)
    middle = 100 - 1.2 * SPACE
    ends = [(round(100 + x * SPACE), round(middle + y * SPACE)) for x, y in ((x0, y0), (x1, y1))]
    cv2.line(mask, ends[0], ends[1], 1, 2)
    return mask.astype(bool)


RISING = stroke(-0.5, 0.5, 0.6, -0.5)


def test_a_rising_stroke_through_stem_and_flag_is_a_slash() -> None:
    (slash,) = find_slashes(RISING, [HEAD, FLAG], [STEM])
    assert slash.name == "graceNoteSlashStemUp"
    assert slash.box[0] < STEM.x < slash.box[2]


@pytest.mark.parametrize(
    "ink",
    [
        stroke(0, 0, 0.8, 0.8),
        stroke(-0.5, 0, 0.6, 0),
        stroke(-0.5, -0.5, 0.6, 0.5),
        stroke(-0.2, -0.8, -0.2, 0.8),
    ],
    ids=["flag", "level", "falling", "upright"],
)
def test_other_ink_at_the_stem_is_none(ink: NDArray[np.bool_]) -> None:
    assert find_slashes(ink, [HEAD, FLAG], [STEM]) == []


def test_heads_of_the_normal_size_and_stems_without_a_flag_have_none() -> None:
    assert find_slashes(RISING, [replace(HEAD, scale=1.0), FLAG], [STEM]) == []
    assert find_slashes(RISING, [HEAD], [STEM]) == []
    assert find_slashes(RISING, [HEAD, FLAG], []) == []


@pytest.mark.parametrize("mark", ["q", "qq"])
def test_grace_notes_engraved_by_verovio_have_a_slash_or_none(mark: str) -> None:
    resvg = pytest.importorskip("resvg_py", reason="resvg is not installed")
    svg = engraving.engrave(GRACE.format(mark), {"font": "Leipzig"})
    if svg is None:
        pytest.skip("Verovio is not installed")
    found = re.search(r'viewBox="0 0 (\d+) \d+"', svg)
    assert found is not None
    width = round(int(found[1]) * 16 / 180)
    png = bytes(resvg.svg_to_bytes(svg_string=svg, background="white", width=width))
    gray = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    (system,) = read_picture(np.asarray(gray, np.uint8))
    graces = [line for line in system.content.kern.split("\n") if "q" in line]
    assert graces == [f"8{pitch}{mark}" for pitch in ("dd", "g", "aa")]
