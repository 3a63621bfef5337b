"""Beams, tremolos and slashes of grace notes: the slabs at stems."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.score.sheet import Sheet, Slab
from docai.pipelines.drawings.score.stems import Stem

BEAM_SPACES: Final = (0.22, 1.0)
"""Least and greatest thickness of a beam, in staff spaces at the size of its notes."""

TOUCH_SPACES: Final = 0.3
"""Distance between the end of a beam and a stem that it touches at most, in staff spaces."""

LEVEL_SPACES: Final = 0.35
"""Distance of two beams one above the other at least, in staff spaces."""

SIDE_SPACES: Final = 0.35
"""How far beside a stem its beams are counted, in staff spaces."""

MAX_SLASH_SPACES: Final = 3.5
"""Length of the slash through the stem of a grace note at most, in staff spaces."""


def find_beams(sheet: Sheet, stems: Sequence[Stem]) -> None:
    """Count beams, tremolos and slashes at stems, and number the groups of beamed stems.

    Args:
        sheet: the page; slabs of beams are accounted for.
        stems: its stems by x.
    """
    xs = [stem.x for stem in stems]
    if not stems:
        return
    widest = TOUCH_SPACES * max(stem.scale for stem in stems)
    parent = list(range(len(stems)))
    at_stem: dict[int, list[Slab]] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for slab in sheet.slabs:
        near = range(bisect_left(xs, slab.x0 - widest), bisect_right(xs, slab.x1 + widest))
        touched = [index for index in near if _touches(slab, stems[index])]
        thick = [index for index in touched if _is_thick(slab, stems[index])]
        if not thick:
            if len(touched) == 1 and _crosses(slab, stems[touched[0]]):
                stem = stems[touched[0]]
                stem.has_slash = True
                sheet.used_paths.add(slab.path)
            continue
        sheet.used_paths.add(slab.path)
        if len(thick) == 1 and _crosses(slab, stems[thick[0]]):
            stem = stems[thick[0]]
            if all(head.is_small for head, _ in stem.heads):
                stem.has_slash = True
            else:
                stem.n_tremolos += 1
            continue
        for index in thick:
            at_stem.setdefault(index, []).append(slab)
            parent[root(index)] = root(thick[0])
    numbers: dict[int, int] = {}
    for index, slabs in sorted(at_stem.items()):
        stem = stems[index]
        stem.beam_group = numbers.setdefault(root(index), len(numbers))
        stem.beams_left = _count(slabs, stem, -SIDE_SPACES * stem.scale)
        stem.beams_right = _count(slabs, stem, SIDE_SPACES * stem.scale)


def _is_thick(slab: Slab, stem: Stem) -> bool:
    low, high = BEAM_SPACES
    return low * stem.scale <= slab.thickness <= high * stem.heads[0][0].space


def _touches(slab: Slab, stem: Stem) -> bool:
    """It meets the stem between its free end and the nearest head."""
    near = TOUCH_SPACES * stem.scale
    if not slab.x0 - near <= stem.x <= slab.x1 + near:
        return False
    y = slab.y_at(min(max(stem.x, slab.x0), slab.x1))
    reach = near + slab.thickness / 2
    if not stem.y0 - reach <= y <= stem.y1 + reach:
        return False
    ys = [head.y for head, _ in stem.heads]
    clear = 0.75 * stem.scale
    return y < min(ys) - clear if stem.is_up else y > max(ys) + clear


def _crosses(slab: Slab, stem: Stem) -> bool:
    """It is short, and the stem is not at one of its ends: a tremolo, or the slash of a grace note."""
    beside = 0.2 * stem.scale
    left, right = stem.x - slab.x0, slab.x1 - stem.x
    return min(left, right) > beside and slab.length <= MAX_SLASH_SPACES * stem.scale


def _count(slabs: Sequence[Slab], stem: Stem, offset: float) -> int:
    """Beams one above the other at some distance from a stem."""
    x = stem.x + offset
    slack = 0.1 * stem.scale
    heights = sorted(slab.y_at(x) for slab in slabs if slab.x0 - slack <= x <= slab.x1 + slack)
    count = 0
    last = float("-inf")
    for y in heights:
        if y - last > LEVEL_SPACES * stem.scale:
            count += 1
            last = y
    return count
