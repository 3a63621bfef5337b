"""Reading order of regions, and of the words inside one region."""

from __future__ import annotations

from dataclasses import replace

from docai.geometry import BBox, overlap
from docai.parsers.text import text_direction
from docai.pipelines.layout.types import Found, Item

_MOSTLY = 0.7
"""Share of its width that a figure must have in a column to be read with it."""


def reading_order(regions: list[Found], *, right_to_left: bool = False) -> list[Found]:
    """Regions as they are read: heads first, feet last, between them by recursive cuts (Nagy's X-Y cut).

    A cut across the page, through white from edge to edge, comes before a cut between columns only where
    the bands it makes do not share one column structure. ``right_to_left``: the text runs so, and columns
    follow each other so as well.
    """
    if right_to_left:
        # The order of what a mirror shows.
        mirrored = [replace(r, bbox=(-r.bbox[2], r.bbox[1], -r.bbox[0], r.bbox[3])) for r in regions]
        own = {id(image): region for image, region in zip(mirrored, regions, strict=True)}
        return [own[id(image)] for image in reading_order(mirrored)]
    heads = [r for r in regions if r.label == "page-header"]
    feet = [r for r in regions if r.label == "page-footer"]
    body = [r for r in regions if r.label not in ("page-header", "page-footer")]
    return [*_simple(heads), *_cut(body), *_simple(feet)]


def _simple(regions: list[Found]) -> list[Found]:
    return sorted(regions, key=lambda r: (round(r.bbox[1] / 6), r.bbox[0]))


def _cut(regions: list[Found]) -> list[Found]:
    if len(regions) <= 1:
        return regions
    columns = _split(regions, 0)
    if len(columns) == 1:
        columns = _columns_of_text(regions)
    if len(columns) > 1:
        return [region for column in columns for region in _cut(column)]
    rows = _split(regions, 1)
    if len(rows) > 1:
        return [
            region
            for band in _bands(rows)
            for region in (_cut(band) if len(band) < len(regions) else _rows(rows))
        ]
    return _by_precedence(regions)


def _columns_of_text(regions: list[Found]) -> list[list[Found]]:
    """The columns that the text falls into, with what else lies for the most part in one of them.

    Images have margins that nobody sees: their boxes may reach into the next column. One column where
    something lies across.
    """
    columns = _split([region for region in regions if region.kind == "text"], 0)
    if len(columns) < 2:
        return []
    spans = [
        (min(region.bbox[0] for region in column), max(region.bbox[2] for region in column))
        for column in columns
    ]
    for region in regions:
        if region.kind == "text":
            continue
        x0, _, x1, _ = region.bbox
        shares = [(min(x1, right) - max(x0, left)) / max(x1 - x0, 0.1) for left, right in spans]
        best = shares.index(max(shares))
        if shares[best] < _MOSTLY:
            return []
        columns[best].append(region)
    return columns


def _rows(rows: list[list[Found]]) -> list[Found]:
    return [region for row in rows for region in _cut(row)]


def _bands(rows: list[list[Found]]) -> list[list[Found]]:
    """Neighbouring rows joined where together they still fall into columns.

    A heading alone in its row begins what follows: it is never the last row of a band.
    """
    bands: list[list[list[Found]]] = []
    for row in rows:
        band = [region for earlier in bands[-1] for region in earlier] if bands else []
        if band and len(_split([*band, *row], 0)) > 1 and _shares_lane(band, row):
            bands[-1].append(row)
        else:
            bands.append([row])
    parted = []
    for index, joined in enumerate(bands):
        headings: list[list[Found]] = []
        while index < len(bands) - 1 and len(joined) > 1 and _is_heading(joined[-1]):
            headings.insert(0, joined.pop())
        parted += [[region for row in joined for region in row], *headings]
    return parted


def _is_heading(row: list[Found]) -> bool:
    return len(row) == 1 and row[0].label in ("section-header", "title")


def _shares_lane(band: list[Found], row: list[Found]) -> bool:
    """Whether one of the two has columns already: two stacked single blocks are no columns."""
    return len(_split(band, 0)) > 1 or len(_split(row, 0)) > 1


def _split(regions: list[Found], axis: int) -> list[list[Found]]:
    """Groups separated by a white lane along an axis: 0 gives columns, 1 gives rows."""
    slack = 1.5
    groups: list[list[Found]] = []
    end = float("-inf")
    for region in sorted(regions, key=lambda r: r.bbox[axis]):
        if region.bbox[axis] >= end - slack or not groups:
            groups.append([region])
        else:
            groups[-1].append(region)
        end = max(end, region.bbox[axis + 2])
    return groups


def _by_precedence(regions: list[Found]) -> list[Found]:
    """Where no cut exists: repeatedly the topmost region that no other must precede (Breuel 2003)."""
    rest = sorted(regions, key=lambda r: (r.bbox[1], r.bbox[0]))
    ordered: list[Found] = []
    while rest:
        first = next(
            (r for r in rest if not any(_before(o.bbox, r.bbox) for o in rest if o is not r)), rest[0]
        )
        rest.remove(first)
        ordered.append(first)
    return ordered


def _before(a: BBox, b: BBox) -> bool:
    """Whether a must be read before b: above it in one column, or wholly left of it at one height."""
    if overlap(a[0], a[2], b[0], b[2]) > 0.1:
        return (a[1] + a[3]) < (b[1] + b[3]) and a[1] <= b[1]
    return a[2] <= b[0] + 2 and overlap(a[1], a[3], b[1], b[3]) > 0.1


def lines_of(indices: list[int], items: list[Item], texts: list[str] | None = None) -> list[list[int]]:
    """Words of one region as visual lines, top to bottom, each in reading direction.

    Words on one baseline make a line, also where the file wrote them apart. ``texts`` tells which lines run
    right to left: there the file's own order of words is kept.
    """
    rows: list[tuple[BBox, list[int]]] = []
    for index in sorted(indices, key=lambda i: (items[i].bbox[1] + items[i].bbox[3], items[i].bbox[0])):
        box = items[index].bbox
        middle, high = (box[1] + box[3]) / 2, box[3] - box[1]
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            core = rows[at][0]
            if abs(middle - (core[1] + core[3]) / 2) < 0.45 * max(high, core[3] - core[1]) and _room(
                index, rows[at][1], items
            ):
                rows[at][1].append(index)
                if high > core[3] - core[1]:
                    rows[at] = (box, rows[at][1])
                break
        else:
            rows.append((box, [index]))
    return [_in_line(line, items, texts) for _, line in rows]


def _room(index: int, line: list[int], items: list[Item]) -> bool:
    """Whether a word does not lie on top of words of another native line."""
    box, native = items[index].bbox, items[index].line
    return all(
        items[other].line == native
        or overlap(box[0], box[2], items[other].bbox[0], items[other].bbox[2]) < 0.5
        for other in line
    )


def _in_line(line: list[int], items: list[Item], texts: list[str] | None) -> list[int]:
    if texts is not None and text_direction("".join(texts[index] for index in line)) == "rtl":
        groups: dict[tuple[int, int], list[int]] = {}
        for index in sorted(line):
            groups.setdefault(items[index].line, []).append(index)
        ordered = sorted(groups.values(), key=lambda group: -max(items[i].bbox[2] for i in group))
        return [index for group in ordered for index in group]
    return sorted(line, key=lambda index: (items[index].bbox[0], index))
