"""Molecules whose region ends in the midst of their drawing: what is read there lacks what is beyond it.

The picture of a region shows a little more than the region. Ink of a structure that reaches the edge of
that picture goes on beyond it, unless the page ends there, or shows nothing but paper next to it. A straight
line along the drawing or across it is a rule or a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from docai.contents import Issue, MoleculeContent
from docai.errors import InputError
from docai.geometry import grow, share_inside
from docai.issues import make_issue
from docai.pipelines.evidence.base import MARGIN_POINTS, PADDING_PIXELS, Decision, ReaderInput
from docai.pipelines.evidence.molecule_picture import GROUP_GAP, Ink, ink_of

Side = Literal["left", "top", "right", "bottom"]

EDGE_PIXELS: Final = 2
"""Outermost pixels of the picture that are looked at: its last row may be lighter than the ink."""

MIN_CUT_SIZE: Final = 4.0
"""Stroke widths: larger side of connected ink that is no speck."""

BLUR_PIXELS: Final = 1
"""Next to the picture, which are not looked at: the edge of the ink that it shows."""

MIN_RULE_LENGTH: Final = 0.5
"""Length of a rule or of a side of a frame as a share of the picture's side: a level or plumb line."""

CUT_TRUST: Final = 0.3
"""Factor of the confidence of a structure whose drawing is cut: it is whole only where what is beyond is none
of it, as a line by which it is joined to something else."""


def check_cut(decision: Decision, region: ReaderInput) -> tuple[Decision, list[Issue]]:
    """The decision on a region, less sure where it is a molecule of a picture that is cut, and what is to be
    said then."""
    if not isinstance(decision.content, MoleculeContent) or "drawing" in decision.evidence:
        return decision, []
    if share_inside(region.page.bbox, region.bbox) == 1:
        return decision, []
    try:
        sides = cut_sides(region)
    except InputError:
        return decision, []  # It cannot be drawn, which those who should have read it have said.
    if not sides:
        return decision, []
    issue = make_issue(
        "molecule-cut",
        f"The drawing goes on beyond its region ({', '.join(sides)}), and what is there was not read: give "
        "the whole of it as the region.",
    )
    return decision.doubted(CUT_TRUST, f"{CUT_TRUST} because the drawing is cut"), [issue]


def cut_sides(region: ReaderInput) -> tuple[Side, ...]:
    """The sides at which the structures of a region go on beyond it.

    Raises:
        TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
    """
    import cv2

    drawn = region.molecule_picture
    if not drawn.stroke:
        return ()
    wide, high = (side - 2 * PADDING_PIXELS for side in region.picture.image.size)
    # Of the picture without its white border, in pixels of the ink.
    left, top = (PADDING_PIXELS - origin for origin in drawn.origin)
    columns, rows = np.arange(drawn.ink.shape[1]) - left, np.arange(drawn.ink.shape[0]) - top
    lines = [np.ones((1, max(2, round(MIN_RULE_LENGTH * wide))), np.uint8)]
    lines += [np.ones((max(2, round(MIN_RULE_LENGTH * high)), 1), np.uint8)]
    rules = [cv2.morphologyEx(drawn.ink, cv2.MORPH_OPEN, line) for line in lines]
    ink = np.where(cv2.dilate(np.bitwise_or(*rules), np.ones((3, 3), np.uint8)), np.uint8(0), drawn.ink)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    sizes = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    counts = sizes >= MIN_CUT_SIZE * drawn.stroke
    counts[0] = False
    is_drawn = counts[pieces]
    at_edge: dict[Side, NDArray[np.bool_]] = {
        "left": is_drawn[:, columns < EDGE_PIXELS].any(axis=1),
        "top": is_drawn[rows < EDGE_PIXELS].any(axis=0),
        "right": is_drawn[:, columns >= wide - EDGE_PIXELS].any(axis=1),
        "bottom": is_drawn[rows >= high - EDGE_PIXELS].any(axis=0),
    }
    reached: dict[Side, tuple[int, int]] = {}
    for side, edge in at_edge.items():
        if edge.any():
            along = (rows if side in ("left", "right") else columns)[edge]
            reached[side] = int(along.min()), int(along.max()) + 1
    return _going_on(region, reached, drawn.stroke)


def _going_on(
    region: ReaderInput, reached: Mapping[Side, tuple[int, int]], stroke: float
) -> tuple[Side, ...]:
    """The sides next to which the page has ink, as near as a bond and its label are.

    Args:
        reached: where along each side ink stands at it, pixels.
    """
    if not reached:
        return ()
    from PIL import ImageOps

    picture = region.picture
    depth = BLUR_PIXELS + max(1, round(GROUP_GAP * stroke))
    around = grow(region.bbox, MARGIN_POINTS + depth / picture.scale)
    seen = region.page.render(around, scale=picture.scale)
    ink = ink_of(ImageOps.expand(seen, PADDING_PIXELS, "white"))[1]
    ink = ink[PADDING_PIXELS:-PADDING_PIXELS, PADDING_PIXELS:-PADDING_PIXELS]
    # As seen with the side on top; rows of a picture that is turned so.
    turned: dict[Side, Ink] = {"left": ink.T, "top": ink, "right": ink.T[::-1], "bottom": ink[::-1]}
    found = []
    for side, (first, last) in reached.items():
        beyond = turned[side][: depth - BLUR_PIXELS, first : last + 2 * depth]
        if np.count_nonzero(beyond) > stroke * stroke:
            found.append(side)
    return tuple(found)
