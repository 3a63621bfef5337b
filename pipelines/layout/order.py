"""Reading order of the regions of a page, and of the words of a region."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from docai.geometry import BBox, center, interval_overlap, overlap_ratio, union
from docai.parsers.text import text_direction
from docai.pipelines.layout.types import SKEWED, RegionCandidate, WordBox
from docai.pipelines.words import MAX_ROW_SHIFT

_MIN_COLUMN_SHARE = 0.7
"""Share of the width of a figure that must lie in a column for it to be read with that column."""

_MAX_CROSSING_HEIGHT = 0.2
"""Height of what crosses a gutter, in heights of the lower column beside it: titles do, and tables."""

_SLACK = 1.5
"""Points by which regions may overlap and still be apart."""


def reading_order(regions: list[RegionCandidate], *, right_to_left: bool = False) -> list[RegionCandidate]:
    """Regions in reading order: page headers first, footers last, between them by recursive X-Y cuts.

    Turned text in the margin comes after the body.

    The cuts are those of Nagy and Seth, "Hierarchical representation of optically scanned documents" (1984).
    A cut from left to right is made before a cut between columns only where the bands that it makes do not
    have the same columns. With ``right_to_left``, so runs the text, and columns follow each other in that
    direction.
    """
    if right_to_left:
        # The order from left to right of the mirrored page.
        mirrored = [replace(r, bbox=(-r.bbox[2], r.bbox[1], -r.bbox[0], r.bbox[3])) for r in regions]
        original = {id(image): region for image, region in zip(mirrored, regions, strict=True)}
        return [original[id(image)] for image in reading_order(mirrored)]
    headers = [r for r in regions if r.label == "page-header"]
    footers = [r for r in regions if r.label == "page-footer"]
    body = [r for r in regions if r.label not in ("page-header", "page-footer")]
    margins = _margins(body)
    body = [region for region in body if region not in margins]
    return [*_by_position(headers), *_xy_cut(body), *_by_position(margins), *_by_position(footers)]


def _margins(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    """Turned text beside everything level: a stamp, which is read after what the page is about."""
    level = [region.bbox for region in regions if not region.turn]
    if not level:
        return []
    x0, _, x1, _ = union(level)
    turned = [region for region in regions if region.turn]
    return [region for region in turned if region.bbox[2] <= x0 + _SLACK or region.bbox[0] >= x1 - _SLACK]


def _by_position(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    return sorted(regions, key=lambda r: (round(r.bbox[1] / 6), r.bbox[0]))


def _xy_cut(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    if len(regions) <= 1:
        return regions
    columns = _split_at_lanes(regions, 0)
    if len(columns) == 1:
        columns = _columns_of_text(regions)
    if len(columns) > 1:
        return [region for column in columns for region in _xy_cut(column)]
    rows = _split_at_lanes(regions, 1)
    if len(rows) > 1:
        return [
            region
            for band in _join_rows_with_columns(rows)
            for region in (_xy_cut(band) if len(band) < len(regions) else _read_rows(rows))
        ]
    return _by_precedence(regions)


def _columns_of_text(regions: list[RegionCandidate]) -> list[list[RegionCandidate]]:
    """The columns of the text regions, each with the other regions that lie mostly in it.

    Images have white margins, so their boxes may reach into the next column. Empty where there are no
    columns, or where a region lies across them.
    """
    columns = _split_at_lanes([region for region in regions if region.kind == "text"], 0)
    if len(columns) < 2:
        return []
    extents = [union(region.bbox for region in column) for column in columns]
    for region in regions:
        if region.kind == "text":
            continue
        x0, _, x1, _ = region.bbox
        shares = [interval_overlap(x0, x1, box[0], box[2]) / max(x1 - x0, 0.1) for box in extents]
        best = shares.index(max(shares))
        if shares[best] < _MIN_COLUMN_SHARE:
            return []
        columns[best].append(region)
    return columns


def _read_rows(rows: list[list[RegionCandidate]]) -> list[RegionCandidate]:
    return [region for row in rows for region in _xy_cut(row)]


def _join_rows_with_columns(rows: list[list[RegionCandidate]]) -> list[list[RegionCandidate]]:
    """Neighboring rows joined to bands where together they still have columns.

    Where most of the height has gutters, the columns are between those: white beside a short line is none. A
    heading alone in its row belongs to what follows, so it is never the last row of a band.
    """
    gutters = _gutters([region.bbox for row in rows for region in row])
    bands: list[list[list[RegionCandidate]]] = []
    for row in rows:
        band = [region for earlier in bands[-1] for region in earlier] if bands else []
        columns = _split_at_lanes([*band, *row], 0)
        if band and len(columns) > 1 and _are_at_gutters(columns, gutters) and _has_columns(band, row):
            bands[-1].append(row)
        else:
            bands.append([row])
    result = []
    for index, joined in enumerate(bands):
        headings: list[list[RegionCandidate]] = []
        while index < len(bands) - 1 and len(joined) > 1 and _is_heading(joined[-1]):
            headings.insert(0, joined.pop())
        result += [[region for row in joined for region in row], *headings]
    return result


def _gutters(boxes: list[BBox]) -> list[tuple[float, float]]:
    """Where columns are apart, as x from and to: few boxes cross there, and more are on either side."""
    edges = sorted({edge for box in boxes for edge in (box[0] + _SLACK, box[2] - _SLACK)})
    heights = []
    for left, right in pairwise(edges):
        over = [box for box in boxes if box[0] + _SLACK <= left and right <= box[2] - _SLACK]
        heights.append(_covered(over))
    gutters: list[tuple[float, float]] = []
    for index in range(1, len(heights) - 1):
        sides = min(max(heights[:index]), max(heights[index + 1 :]))
        if heights[index] <= _MAX_CROSSING_HEIGHT * sides:
            start = edges[index]
            if gutters and gutters[-1][1] == start:
                start = gutters.pop()[0]
            gutters.append((start, edges[index + 1]))
    return gutters


def _covered(boxes: list[BBox]) -> float:
    """Height over which there are boxes."""
    total, end = 0.0, float("-inf")
    for _, top, _, bottom in sorted(boxes, key=lambda box: box[1]):
        total += max(0.0, bottom - max(top, end))
        end = max(end, bottom)
    return total


def _are_at_gutters(columns: list[list[RegionCandidate]], gutters: list[tuple[float, float]]) -> bool:
    """Whether one of the lanes between columns is at a gutter; True where there are no gutters."""
    ends = [max(region.bbox[2] for region in column) for column in columns]
    starts = [min(region.bbox[0] for region in column) for column in columns]
    return not gutters or any(
        interval_overlap(end, start, *gutter) > 0
        for end, start in zip(ends, starts[1:], strict=False)
        for gutter in gutters
    )


def _is_heading(row: list[RegionCandidate]) -> bool:
    return len(row) == 1 and row[0].label in ("section-header", "title")


def _has_columns(band: list[RegionCandidate], row: list[RegionCandidate]) -> bool:
    """Whether one of the two has columns by itself; two single blocks, one below the other, are no
    columns."""
    return len(_split_at_lanes(band, 0)) > 1 or len(_split_at_lanes(row, 0)) > 1


def _split_at_lanes(regions: list[RegionCandidate], axis: int) -> list[list[RegionCandidate]]:
    """Groups that white lanes separate along an axis: 0 gives columns, 1 gives rows."""
    groups: list[list[RegionCandidate]] = []
    end = float("-inf")
    for region in sorted(regions, key=lambda r: r.bbox[axis]):
        if region.bbox[axis] >= end - _SLACK or not groups:
            groups.append([region])
        else:
            groups[-1].append(region)
        end = max(end, region.bbox[axis + 2])
    return groups


def _by_precedence(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    """Repeatedly the topmost region that no other one must precede, for regions without a cut between them.

    Compare Breuel, "High performance document layout analysis" (2003).
    """
    rest = sorted(regions, key=lambda r: (r.bbox[1], r.bbox[0]))
    ordered: list[RegionCandidate] = []
    while rest:
        first = next(
            (r for r in rest if not any(_precedes(o.bbox, r.bbox) for o in rest if o is not r)), rest[0]
        )
        rest.remove(first)
        ordered.append(first)
    return ordered


def _precedes(a: BBox, b: BBox) -> bool:
    """Whether ``a`` must be read before ``b``: above it in one column, or left of it at the same height."""
    if overlap_ratio(a[0], a[2], b[0], b[2]) > 0.1:
        return (a[1] + a[3]) < (b[1] + b[3]) and a[1] <= b[1]
    return a[2] <= b[0] + 2 and overlap_ratio(a[1], a[3], b[1], b[3]) > 0.1


def lines_of(indices: list[int], words: list[WordBox], texts: list[str] | None = None) -> list[list[int]]:
    """Words of one region as lines, from the top down, each in reading direction.

    Words at one height are a line, also where the file has them apart. In lines that run from right to left
    by ``texts``, the order of words of the file is kept. Turned words are lines of their own, ordered in the
    frame that sets them upright, and slanted ones those of the file; what begins higher on the page comes
    first.

    Args:
        indices: the words of the region, as indices into ``words`` and ``texts``.
    """
    groups: dict[int, list[int]] = {}
    for index in indices:
        groups.setdefault(words[index].turn, []).append(index)
    if set(groups) <= {0}:
        return _level_lines(indices, words, texts)
    upright = [word.upright() for word in words]
    ordered = sorted(
        groups.items(), key=lambda group: (min(words[index].bbox[1] for index in group[1]), group[0] != 0)
    )
    lines: list[list[int]] = []
    for turn, group in ordered:
        lines += _lines_of_file(group, words) if turn == SKEWED else _level_lines(group, upright, texts)
    return lines


def _lines_of_file(indices: list[int], words: list[WordBox]) -> list[list[int]]:
    """The lines of the file, in its order."""
    lines: dict[tuple[int, int], list[int]] = {}
    for index in sorted(indices):
        lines.setdefault(words[index].line, []).append(index)
    return list(lines.values())


def _level_lines(indices: list[int], words: list[WordBox], texts: list[str] | None) -> list[list[int]]:
    rows: list[tuple[BBox, list[int]]] = []
    for index in sorted(indices, key=lambda i: (words[i].bbox[1] + words[i].bbox[3], words[i].bbox[0])):
        box = words[index].bbox
        middle, height = center(box)[1], box[3] - box[1]
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            core = rows[at][0]
            if abs(middle - center(core)[1]) < MAX_ROW_SHIFT * max(
                height, core[3] - core[1]
            ) and _is_beside_others(index, rows[at][1], words):
                rows[at][1].append(index)
                if height > core[3] - core[1]:
                    rows[at] = (box, rows[at][1])
                break
        else:
            rows.append((box, [index]))
    return [_in_reading_direction(line, words, texts) for _, line in rows]


def _is_beside_others(index: int, line: list[int], words: list[WordBox]) -> bool:
    """Whether a word does not lie over words of another line of the file."""
    box, own_line = words[index].bbox, words[index].line
    return all(
        words[other].line == own_line
        or overlap_ratio(box[0], box[2], words[other].bbox[0], words[other].bbox[2]) < 0.5
        for other in line
    )


def _in_reading_direction(line: list[int], words: list[WordBox], texts: list[str] | None) -> list[int]:
    if texts is not None and text_direction("".join(texts[index] for index in line)) == "rtl":
        groups: dict[tuple[int, int], list[int]] = {}
        for index in sorted(line):
            groups.setdefault(words[index].line, []).append(index)
        ordered = sorted(groups.values(), key=lambda group: -max(words[i].bbox[2] for i in group))
        return [index for group in ordered for index in group]
    return sorted(line, key=lambda index: (words[index].bbox[0], index))
