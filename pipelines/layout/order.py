"""Reading order of the regions of a page, and of the words of a region."""

from __future__ import annotations

from dataclasses import replace

from docai.geometry import BBox, center, interval_overlap, overlap_ratio, union
from docai.parsers.text import text_direction
from docai.pipelines.layout.gutters import SLACK, covered_height, find_gutters
from docai.pipelines.layout.types import SKEWED, RegionCandidate, WordBox
from docai.pipelines.words import MAX_ROW_SHIFT

_MIN_COLUMN_SHARE = 0.7
"""Share of the width of a figure that must lie in a column for it to be read with that column."""

_MAX_OFF_CENTER = 0.03
"""Widths of all columns by which a heading may be off their middle."""

_MAX_NOTE_WIDTH = 0.5
"""Width of the column of notes in a margin, in widths of the text; other columns are more alike."""

_MAX_NOTE_HEIGHT = 0.35
"""Height of all notes, in heights of the text."""


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
    return [region for region in turned if region.bbox[2] <= x0 + SLACK or region.bbox[0] >= x1 - SLACK]


def _by_position(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    return sorted(regions, key=lambda r: (round(r.bbox[1] / 6), r.bbox[0]))


def _xy_cut(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    if len(regions) <= 1:
        return regions
    columns = _split_at_lanes(regions, 0)
    if len(columns) == 1:
        columns = _columns_of_text(regions)
    if len(columns) > 2:
        bands = _at_centered_headings(regions, columns[0])
        if len(bands) > 1:
            return [region for band in bands for region in _xy_cut(band)]
    if len(columns) == 2 and _are_notes(*columns):
        return _with_notes(*map(_xy_cut, columns))
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


def _at_centered_headings(
    regions: list[RegionCandidate], first_column: list[RegionCandidate]
) -> list[list[RegionCandidate]]:
    """The regions cut at headings that stand alone over the middle of several columns.

    A short one over three columns is no wider than the one in the middle, and heads all of them.
    """
    x0, _, x1, _ = union(region.bbox for region in regions)
    bands: list[list[RegionCandidate]] = [[]]
    for row in _split_at_lanes(regions, 1):
        off = abs(center(row[0].bbox)[0] - (x0 + x1) / 2)
        if _is_heading(row) and off <= _MAX_OFF_CENTER * (x1 - x0) and row[0] not in first_column:
            bands += [row, []]
        else:
            bands[-1] += row
    return [band for band in bands if band]


def _are_notes(left: list[RegionCandidate], main: list[RegionCandidate]) -> bool:
    """Whether what is left of the text are notes in its margin, or numbers of its paragraphs."""
    if any(region.kind != "text" for region in left):
        return False
    (x0, top, x1, _), (main_x0, _, main_x1, _) = (union(r.bbox for r in side) for side in (left, main))
    return (
        x1 - x0 <= _MAX_NOTE_WIDTH * (main_x1 - main_x0)
        and covered_height([r.bbox for r in left])
        <= _MAX_NOTE_HEIGHT * covered_height([r.bbox for r in main])
        and any(region.bbox[3] <= top + SLACK for region in main)
    )


def _with_notes(notes: list[RegionCandidate], main: list[RegionCandidate]) -> list[RegionCandidate]:
    """The text, each note before what it stands beside."""
    ordered = list(main)
    for note in notes:
        beside = next((region for region in main if region.bbox[3] > note.bbox[1] + SLACK), None)
        ordered.insert(len(ordered) if beside is None else ordered.index(beside), note)
    return ordered


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
    regions = [region for row in rows for region in row]
    # A tall figure over all columns hides what the text below it shows.
    gutters = find_gutters([region.bbox for region in regions]) or find_gutters(
        [region.bbox for region in regions if region.kind == "text"]
    )
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
        if region.bbox[axis] >= end - SLACK or not groups:
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
    frame that sets them upright, and slanted ones those of the file; what ends higher on the page comes
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
        groups.items(), key=lambda group: (max(words[index].bbox[3] for index in group[1]), group[0] != 0)
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
