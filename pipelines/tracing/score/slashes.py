"""The slashes of short grace notes: thin strokes through stem and flag, which no symbol of the net has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.tracing.score.ink import Mask
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol
from docai.pipelines.tracing.score.uprights import Bar

SMALL_SCALE: Final = 0.93
"""Scale of the head of a grace note at most."""

BESIDE_SPACES: Final = (0.06, 0.4)
"""From the left edge of the stem to the left, in staff spaces: where a slash has ink and a flag has none."""

MAX_HEIGHT_SPACES: Final = 0.5
"""Height of the ink of a slash in one column at most, in staff spaces."""

AT_SPACES: Final = 0.45
"""Distance of a head or a flag from its stem at most, in staff spaces."""


def find_slashes(bare: Mask, symbols: Iterable[PictureSymbol], stems: Sequence[Bar]) -> list[PictureSymbol]:
    """Slashes at stems with one flag and a small head.

    Args:
        bare: (h, w), ink without the lines of staves.
        symbols: found in the picture.
        stems: of the picture.
    """
    symbols = list(symbols)
    heads = [one.box for one in symbols if one.name.startswith("noteheadBlack") and one.scale <= SMALL_SCALE]
    flags = [one for one in symbols if one.name in ("flag8thUp", "flag8thDown")] if heads else []
    found = []
    for flag in flags:
        is_up = flag.name.endswith("Up")
        near = AT_SPACES * SPACE_PX
        for stem in stems:
            if abs(flag.box[0] - stem.x) > near or stem.y0 > flag.box[3] or stem.y1 < flag.box[1]:
                continue
            head = next((box for box in heads if _is_at(box, stem, is_up, near)), None)
            if head is not None and (box := _slash(bare, stem, head, is_up)) is not None:
                name = f"graceNoteSlashStem{'Up' if is_up else 'Down'}"
                found.append(PictureSymbol(name, box, flag.score, flag.scale))
                break
    return found


def _is_at(head: BBox, stem: Bar, is_up: bool, near: float) -> bool:
    side, end = (head[2], stem.y1) if is_up else (head[0], stem.y0)
    return abs(side - stem.x) <= near and head[1] - near <= end <= head[3] + near


def _slash(bare: Mask, stem: Bar, head: BBox, is_up: bool) -> BBox | None:
    """The part of a slash left of a stem: thin ink that leans toward the head."""
    gap = 0.15 * SPACE_PX
    y0, y1 = (stem.y0, head[1] - gap) if is_up else (head[3] + gap, stem.y1)
    edge = stem.x - stem.thickness / 2
    x0, x1 = (round(edge - share * SPACE_PX) for share in reversed(BESIDE_SPACES))
    part = bare[max(0, round(y0)) : max(0, round(y1)), max(0, x0) : max(0, x1)]
    columns = [np.flatnonzero(column) for column in part.T]
    middles = [float(rows.mean()) for rows in columns if rows.size]
    if len(middles) < 3 or any(np.ptp(rows) > MAX_HEIGHT_SPACES * SPACE_PX for rows in columns if rows.size):
        return None
    lean = middles[0] - middles[-1] if is_up else middles[-1] - middles[0]
    if not 1.0 <= lean <= SPACE_PX:
        return None
    middle = y0 + sum(middles) / len(middles)
    return stem.x - 0.4 * SPACE_PX, middle - 0.4 * SPACE_PX, stem.x + 0.4 * SPACE_PX, middle + 0.4 * SPACE_PX
