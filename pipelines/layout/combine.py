"""Join what the layout model, the drawings, the images and the words say into regions.

Drawings and images that show something are judged by their pixels. The layout model is believed on text,
and on tables unless the pixels say otherwise. Words that nobody claims become text regions of their own,
so that each word is in exactly one region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from docai.geometry import (
    BBox,
    area,
    common,
    grow,
    holds,
    iou,
    join_touching,
    overlap,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.classify import is_ruled_grid, judge
from docai.pipelines.layout.tables import is_tabular, model_tables, parted, ruled_tables, without_notes
from docai.pipelines.layout.types import Clues, Found

LABEL_REACH = 5.0
"""Points within which a short word belongs to a drawing: atom labels, axis labels."""
SMALLEST = 10.0
"""Points: a drawing smaller than this both ways is a bullet or an ornament."""


def combine(clues: Clues) -> list[Found]:
    """Regions with their words, in no particular order."""
    tables = [box for box, label in clues.model if label == "table"]
    shown = _graphics(clues)
    found = [Found("score", box, 0.95, ["five-line staves on the page"]) for box in clues.scores]
    for box in shown:
        found += _judged(clues, box, tables)
    found = _joined_scores(found)
    parted(clues, found)
    found += model_tables(clues, found)
    found += ruled_tables(clues, found)
    found = _without_overlaps(found)
    for region in found:
        if region.kind == "table":
            without_notes(clues, region)
    found += _texts(clues, found)
    assign(clues, found)
    return [region for region in found if region.kind != "text" or region.items]


def _graphics(clues: Clues) -> list[BBox]:
    """Drawings and images, joined where they overlap or where a label stands between them."""
    prose = _prose(clues)
    labels = [item.bbox for item in clues.items if item.n_chars <= 5 and item.line not in prose]
    seeds = _join(_seeds(clues), _paragraphs(clues), 1.0)
    reach = LABEL_REACH
    near = [label for label in labels if any(touches(grow(seed, reach), label) for seed in seeds)]
    joined = _join([*seeds, *near], _paragraphs(clues), 2.5)
    return [box for box in joined if any(share_inside(seed, box) > 0.5 for seed in seeds)]


def _seeds(clues: Clues) -> list[BBox]:
    seeds = [box for box in clues.graphics if max(box[2] - box[0], box[3] - box[1]) >= SMALLEST]
    return seeds + [box for box, label in clues.model if label == "picture"]


def _paragraphs(clues: Clues) -> list[BBox]:
    """Boxes of running text of two lines or more, which no figure may swallow by being joined."""
    found = []
    for box, label in clues.model:
        if label in ("text", "list-item") and box[3] - box[1] > 18 and box[2] - box[0] > 150:
            found.append(box)
    return found


def _join(boxes: list[BBox], paragraphs: list[BBox], reach: float) -> list[BBox]:
    """Unite near boxes. One that already lies over paragraphs, a frame or a background, stays alone."""

    def swallows(box: BBox) -> bool:
        return any(share_inside(paragraph, box) > 0.3 for paragraph in paragraphs)

    over = [box for box in boxes if swallows(box)]
    free = [box for box in boxes if not swallows(box)]
    joined = join_touching(free, reach)
    kept = [box for box in joined if not swallows(box)]
    for big in (box for box in joined if swallows(box)):
        kept += _join_short_of(swallows, [box for box in free if share_inside(box, big) > 0.9], reach)
    return [*over, *kept]


def _join_short_of(swallows: Callable[[BBox], bool], boxes: list[BBox], reach: float) -> list[BBox]:
    """Unite near boxes one pair at a time, but for unions that would lie over a paragraph."""
    groups: list[BBox] = []
    for box in sorted(boxes, key=area, reverse=True):
        current, others = box, groups
        merged = True
        while merged:
            merged = False
            for other in others:
                both = union([current, other])
                if touches(grow(current, reach), other) and not swallows(both):
                    current, others, merged = both, [group for group in others if group != other], True
                    break
        groups = [*others, current]
    return groups


def _prose(clues: Clues) -> set[tuple[int, int]]:
    """Native lines long enough that their short words are not labels."""
    widths: dict[tuple[int, int], int] = defaultdict(int)
    for item in clues.items:
        widths[item.line] += item.n_chars + 1
    return {line for line, chars in widths.items() if chars > 14}


def _judged(clues: Clues, box: BBox, tables: list[BBox]) -> list[Found]:
    """The region of a drawing; where it only lies under much text, those of its parts that do not."""
    inside = sum(holds(box, item.bbox) for item in clues.items)
    pictures = [other for other, label in clues.model if label == "picture"]
    region = _judge_graphic(clues, box, tables)
    spread = area(box) > 0.2 * clues.width * clues.height and inside > 30
    lies_under = spread and not any(iou(box, picture) > 0.5 for picture in pictures)
    if region is not None and not (region.kind == "figure" and lies_under):
        return [region]
    if not lies_under:
        return []
    parts = [
        seed
        for seed in _seeds(clues)
        if share_inside(seed, box) > 0.95
        and area(seed) < 0.5 * area(box)
        and sum(holds(seed, item.bbox) for item in clues.items) < 10
    ]
    judged = (_judge_graphic(clues, part, tables) for part in join_touching(parts, 1.0))
    return [part for part in judged if part is not None]


def _judge_graphic(clues: Clues, box: BBox, tables: list[BBox]) -> Found | None:
    """A region for one drawing or image, or None where it only frames or underlays text."""
    inside = [item for item in clues.items if holds(box, item.bbox)]
    lines: dict[tuple[int, int], int] = defaultdict(int)
    for item in inside:
        lines[item.line] += 1
    kind, score, evidence = judge(clues.gray(box), len(inside))
    table = max(tables, key=lambda other: common(other, box), default=None)
    drawn = _drawn(clues, box)
    if table is not None and common(table, box) > 0.5 * min(area(table), area(box)):
        larger = area(box) > 2.5 * area(table)
        doubted = clues.seen and kind == "figure" and score > 0.85
        if kind in ("table", "figure") and not larger and not doubted:
            return Found(
                "table",
                union([table, drawn]),
                0.95,
                ["layout model: table", *evidence],
                drawn=drawn,
                named=table,
                is_grid=kind == "table",
            )
        if kind == "figure" and larger and inside:
            return None
    if kind == "table" and inside and not clues.seen and not _is_table_of_words(clues, box):
        kind, score = "figure", 0.6
        evidence = (*evidence, "but its words do not stand in cells")
    if kind == "table":
        return Found(kind, drawn, score, list(evidence), drawn=drawn)
    if kind == "figure" and inside:
        text_share = sum(area(item.bbox) for item in inside) / max(1.0, area(box))
        long_lines = sum(count for count in lines.values() if count >= 5)
        if long_lines > 0.6 * len(inside) and len(inside) >= 8 and text_share > 0.12:
            return None
    if kind == "figure" and len(inside) <= 3 and inside:
        words = union([item.bbox for item in inside])
        if share_inside(box, grow(words, 6)) > 0.9:
            return None
    return Found(kind, box, score, list(evidence))


def _is_table_of_words(clues: Clues, box: BBox) -> bool:
    """Whether the words of a drawing bear out that it is a table.

    What the layout model, which sees the words, calls a picture must be a ruled grid: the axes of charts
    side by side stand in rows and columns too.
    """
    if not is_tabular([item.bbox for item in clues.items if holds(box, item.bbox)]):
        return False
    pictured = any(label == "picture" and iou(box, other) > 0.5 for other, label in clues.model)
    return not pictured or is_ruled_grid(clues.gray(box))


def _drawn(clues: Clues, box: BBox) -> BBox:
    """A joined box without the labels around it: short words near a ruled table are no part of it."""
    return union([seed for seed in _seeds(clues) if share_inside(seed, box) > 0.5] or [box])


def _joined_scores(found: list[Found]) -> list[Found]:
    """Systems of one passage, one below the other, as one region."""
    scores = sorted((region for region in found if region.kind == "score"), key=lambda r: r.bbox[1])
    joined: list[Found] = []
    for region in scores:
        for other in joined:
            gap = region.bbox[1] - other.bbox[3]
            high = region.bbox[3] - region.bbox[1]
            if (
                overlap(other.bbox[0], other.bbox[2], region.bbox[0], region.bbox[2]) > 0.7
                and gap < 0.6 * high
            ):
                other.bbox = union([other.bbox, region.bbox])
                other.evidence.append("joined with the next system")
                break
        else:
            joined.append(region)
    return [region for region in found if region.kind != "score"] + joined


def _without_overlaps(found: list[Found]) -> list[Found]:
    """One region where two say much the same; the surer and larger one stays."""
    kept: list[Found] = []
    for region in sorted(found, key=lambda r: (r.kind == "figure", -area(r.bbox))):
        if all(share_inside(region.bbox, other.bbox) < 0.6 for other in kept):
            kept.append(region)
    return kept


def _texts(clues: Clues, found: list[Found]) -> list[Found]:
    texts = []
    for box, label in clues.model:
        if label in ("table", "picture") or any(share_inside(box, other.bbox) > 0.6 for other in found):
            continue
        texts.append(Found("text", box, 0.9, [f"layout model: {label}"], label=label))
    return texts


def assign(clues: Clues, found: list[Found], *, move: bool = True) -> None:
    """Give each word to one region, and make text regions of those that are left.

    ``move``: text regions and tables take the extent of their words.
    """
    for region in found:
        region.items = []
    drawn = [region for region in found if region.kind != "text"]
    texts = [region for region in found if region.kind == "text"]
    left: list[int] = []
    for index, item in enumerate(clues.items):
        home = _home(item.bbox, drawn, 0.5) or _home(item.bbox, texts, 0.3)
        if home is None:
            left.append(index)
        else:
            home.items.append(index)
    for region in texts if move else ():
        if region.items:
            region.bbox = union([clues.items[index].bbox for index in region.items])
    for region in drawn if move else ():
        if region.items and region.kind == "table":
            region.bbox = union([region.bbox, *(clues.items[index].bbox for index in region.items)])
    found += _left_over(clues, left, texts)


def _home(box: BBox, regions: list[Found], least: float) -> Found | None:
    best = max(regions, key=lambda region: share_inside(box, region.bbox), default=None)
    return best if best is not None and share_inside(box, best.bbox) >= least else None


def _left_over(clues: Clues, left: list[int], texts: list[Found]) -> list[Found]:
    """Words in no box: back to the region that has the rest of their line, else blocks of near lines."""
    owners = {clues.items[index].line: region for region in texts for index in region.items}
    lines: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in left:
        item = clues.items[index]
        owner = owners.get(item.line)
        high = item.bbox[3] - item.bbox[1]
        if owner is not None and touches(grow(owner.bbox, 1.5 * high, 0), item.bbox):
            owner.items.append(index)
            owner.bbox = union([owner.bbox, item.bbox])
        else:
            lines[item.line].append(index)
    added: list[Found] = []
    for indices in lines.values():
        box = union([clues.items[index].bbox for index in indices])
        high = box[3] - box[1]
        for region in added:
            last = clues.items[region.items[-1]].bbox
            if (
                touches(grow(region.bbox, high, 0.6 * high), box)
                and 0.6 < high / max(last[3] - last[1], 0.1) < 1.7
            ):
                region.items += indices
                region.bbox = union([region.bbox, box])
                break
        else:
            added.append(
                Found("text", box, 0.6, ["words outside the layout model's boxes"], items=list(indices))
            )
    return added
