"""Captions and the tables, molecules, scores and figures that they name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from docai.geometry import BBox
from docai.pipelines.structure.blocks import Block, PageBlocks, Thing, in_one_column
from docai.pipelines.structure.patterns import caption_name

_KINDS: Final = {
    "table": ("table", "figure"),
    "figure": ("figure", "molecule", "score", "table"),
    "scheme": ("molecule", "figure"),
    "example": ("score", "figure"),
    "listing": ("code", "figure", "table"),
}
"""What a caption calls a thing → kinds of records it can be, the likeliest first."""

MAX_LINES_AWAY: Final = 6.0
"""Lines between a caption and what it names."""

_ABOVE, _BELOW = 1.0, 0.6
"""What the distance counts on the side where captions of a kind do not stand, and where they do."""


class _Pair(NamedTuple):
    cost: float
    caption: Block
    thing: Thing


def find_captions(pages: Sequence[PageBlocks]) -> None:
    """Give captions their role, and the record that they name."""
    named: set[str] = set()
    for page in pages:
        for block in page.blocks:
            if block.role in ("paragraph", "list-item", "section-heading") and _is_caption(block, page):
                block.role, block.level = "caption", None
        named |= _tie(page)
    for before, page in pairwise(pages):
        if page.number == before.number + 1:
            _tie_over_break(before, page, named)


def _is_caption(block: Block, page: PageBlocks) -> bool:
    """Whether a block begins with the name of a thing, and such a thing is near."""
    name = caption_name(block.text)
    if name is None or not (name.is_set_off or block.n_lines == 1):
        return False
    return any(_distance(block, thing.bbox) is not None for thing in _fitting(block, page.things))


def _fitting(caption: Block, things: Sequence[Thing]) -> list[Thing]:
    """Things of the kinds that a caption can be of."""
    name = caption_name(caption.text)
    if name is None:
        return [thing for thing in things if thing.kind != "code"]
    return [thing for thing in things if thing.kind in _KINDS[name.kind]]


def _tie(page: PageBlocks) -> set[str]:
    """Tie the captions of a page to its things, the nearest first. Returns what has a caption with a name."""
    things = [*page.things, *(Thing(one.id, "code", one.bbox) for one in page.blocks if one.role == "code")]
    pairs = []
    for block in page.blocks:
        if block.role == "caption" and block.belongs_to is None:
            for thing in _fitting(block, things):
                if (cost := _cost(block, thing)) is not None:
                    pairs.append(_Pair(cost, block, thing))
    taken: set[str] = set()
    names = {pair.caption.id: caption_name(pair.caption.text) for pair in pairs}
    for _, block, thing in sorted(pairs, key=lambda pair: (names[pair.caption.id] is None, pair.cost)):
        has_name = names[block.id] is not None
        if block.belongs_to is None and not (has_name and thing.id in taken):
            block.belongs_to = thing.id
            if has_name:
                taken.add(thing.id)
    return taken


def _cost(caption: Block, thing: Thing) -> float | None:
    away = _distance(caption, thing.bbox)
    if away is None:
        return None
    name = caption_name(caption.text)
    is_above = caption.top < thing.bbox[1]
    # Captions of tables stand above them more often, all others below.
    weight = _BELOW if is_above == (thing.kind == "table") else _ABOVE
    unlikely = 0 if name is None else _KINDS[name.kind].index(thing.kind)
    return weight * away + MAX_LINES_AWAY * caption.pitch * unlikely


def _distance(caption: Block, box: BBox) -> float | None:
    """Points between a caption and a box above, below or beside it; None where it is too far."""
    x0, y0, x1, y1 = caption.bbox
    if in_one_column(caption.bbox, box, 0.3):
        away = max(box[1] - y1, y0 - box[3], 0.0)
    elif y0 < box[3] and box[1] < y1:
        away = max(box[0] - x1, x0 - box[2], 0.0)
    else:
        return None
    return away if away <= MAX_LINES_AWAY * caption.pitch else None


def _tie_over_break(before: PageBlocks, page: PageBlocks, named: set[str]) -> None:
    """A caption without its thing on its own page: a thing that fills the page before, or the one after."""
    for here, there, is_first in ((page, before, True), (before, page, False)):
        blocks = [b for b in here.blocks if b.role not in ("page-header", "page-footer", "footnote")]
        edge = blocks[:1] if is_first else blocks[-1:]
        for block in edge:
            if block.role != "caption" or block.belongs_to is not None or not caption_name(block.text):
                continue
            free = [thing for thing in _fitting(block, there.things) if thing.id not in named]
            if free:
                thing = free[-1] if is_first else free[0]
                block.belongs_to = thing.id
                named.add(thing.id)
