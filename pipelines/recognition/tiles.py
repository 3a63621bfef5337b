"""Words that two tiles of one region both show, read once.

Tiles of a text overlap where it has no gap to part it at (see
:func:`docai.pipelines.crops.tiling.tile_region`), so that a line which the border of one tile cuts stands
whole in the other. All boxes are page points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from docai.base import Content
from docai.contents import Cell, Issue, Line, ScoreContent, TableContent, TextContent, Word
from docai.geometry import BBox, area, grow, intersection_area, iou
from docai.issues import make_issue
from docai.parsers.base import IssueLog, Parsed
from docai.parsers.score import parse_score
from docai.parsers.table_grid import fill_grid, table_content
from docai.parsers.text import line_from_words

C = TypeVar("C", TextContent, TableContent, ScoreContent)

# What an interpretation is about, where a later one of the same kind takes its place.
_TOPIC = re.compile(r"\*(clef|k\[|MM|met\(|M(?=\d)|staff|part|I[\"'CG:]?|(?=[A-Ga-g][#-]?:))")


def join_contents(parts: Sequence[Parsed[Content]]) -> Parsed[Content]:
    """Join in order: text by lines, tables by rows, scores by systems. All parts are of one kind.

    The parts' issues say which tile they are about; what the join itself finds comes after them.

    Raises:
        TypeError: the kind is not one that is read in tiles, or the parts are of several.
    """
    issues = [
        issue.model_copy(update={"message": f"Tile {number} of {len(parts)}: {issue.message}"})
        for number, part in enumerate(parts, start=1)
        for issue in part.issues
    ]
    repaired = any(part.repaired for part in parts)
    contents = [part.content for part in parts]
    if texts := _all_of(TextContent, contents):
        return Parsed(_join_texts(texts), tuple(issues), repaired)
    if tables := _all_of(TableContent, contents):
        log = IssueLog()
        table = _join_tables(tables, log)
        return Parsed(table, (*issues, *log.issues()), repaired or log.repaired)
    if scores := _all_of(ScoreContent, contents):
        joined = parse_score(join_kern([score.kern for score in scores]))
        content = _with_confidence(joined.content, scores)
        return Parsed(content, (*issues, *_new(joined.issues, issues)), True)
    raise TypeError(f"{' and '.join({type(one).__name__ for one in contents})} are not read in tiles.")


def _with_confidence(joined: ScoreContent, parts: Sequence[ScoreContent]) -> ScoreContent:
    """How sure each measure is, by the systems; nothing where the join has parted or merged measures."""
    measures = [measure for part in parts for measure in part.measures]
    if len(measures) != len(joined.measures):
        return joined
    sure = [
        measure.model_copy(update={"confidence": own.confidence})
        for measure, own in zip(joined.measures, measures, strict=True)
    ]
    return joined.model_copy(update={"measures": sure})


def _all_of(kind: type[C], contents: Sequence[Content]) -> list[C]:
    """The contents where all are of that kind, else none."""
    found = [content for content in contents if isinstance(content, kind)]
    return found if len(found) == len(contents) else []


def _new(issues: Sequence[Issue], known: Sequence[Issue]) -> list[Issue]:
    """Issues whose codes no tile had: the others would be told twice."""
    codes = {issue.code for issue in known}
    return [issue for issue in issues if issue.code not in codes]


def _join_texts(parts: Sequence[TextContent]) -> TextContent:
    lines = [line for part in parts for line in part.lines]
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def _join_tables(parts: Sequence[TableContent], log: IssueLog) -> TableContent:
    """Row bands, one below the other. Rows that a later band calls its head are rows of the body."""
    widths = sorted({part.n_cols for part in parts if part.n_rows})
    if len(widths) > 1:
        log.add(
            "table-tiles-differ",
            f"The row bands of the table were read with {widths} columns; empty cells fill the narrower.",
        )
    cells: list[Cell] = []
    n_rows, n_cols = 0, max(widths, default=0)
    for part in parts:
        n_head = _head_rows(part) if n_rows else 0
        if n_head:
            log.add("table-tiles-headed", f"Row {n_rows + 1} was read as a head in the middle of the table.")
        for cell in part.cells:
            update: dict[str, object] = {"row": cell.row + n_rows}
            if cell.row < n_head:
                update["is_header"] = False
            cells.append(cell.model_copy(update=update))
        n_rows += part.n_rows
    return table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)


def _head_rows(part: TableContent) -> int:
    """Leading rows in which only header cells begin; a table that is all header has none."""
    body = [cell.row for cell in part.cells if not cell.is_header]
    return min(body, default=0)


def join_kern(parts: Sequence[str]) -> str:
    """One kern text from those of successive systems with the same spines.

    Every system opens with its exclusive interpretations, clefs, key and so on. Those of the later ones
    are dropped where they say what is in force already; the terminators stay at the end alone.
    """
    joined: list[str] = []
    in_force: dict[tuple[int, str], str] = {}
    terminator: str | None = None
    for index, part in enumerate(part for part in parts if part.strip()):
        opening = True
        for line in part.rstrip("\n").split("\n"):
            fields = line.split("\t")
            if set(fields) == {"*-"}:
                terminator = line
                continue
            opening = opening and line.startswith(("*", "!"))
            if index and opening and (line.startswith("**") or _says_nothing_new(fields, in_force)):
                continue
            for column, token in enumerate(fields):
                if topic := _TOPIC.match(token):
                    in_force[column, topic[0]] = token
            joined.append(line)
    if terminator is not None:
        joined.append(terminator)
    return "\n".join(joined) + "\n" if joined else ""


def _says_nothing_new(fields: Sequence[str], in_force: dict[tuple[int, str], str]) -> bool:
    for column, token in enumerate(fields):
        topic = _TOPIC.match(token)
        if token != "*" and (topic is None or in_force.get((column, topic[0])) != token):
            return False
    return True


SAME_PLACE: Final = 0.5
"""Intersection over union, or over the smaller box where the texts fit, from which two words are one."""

_AT_BORDER: Final = 0.25
"""Share of its height that a word may keep off the border of its tile and still count as cut by it."""

_INEXACT: Final = 0.15
"""Share of its height by which the box of a word may be off."""

_EXAMPLES: Final = 3

Place = tuple[int, int]
"""Line and word in a tile's content."""


class _Seen(NamedTuple):
    """One word in the stripe that both tiles show."""

    place: Place
    word: Word
    box: BBox
    is_cut: bool


@dataclass
class _Merge:
    """What is done to the words of an upper and a lower tile."""

    replaced: dict[Place, Word] = field(default_factory=dict)
    """Words of the upper tile that take the lower one's reading."""
    upper_dropped: set[Place] = field(default_factory=set)
    lower_dropped: set[Place] = field(default_factory=set)
    partners: dict[Place, Place] = field(default_factory=dict)
    """Words of the lower tile, and the word of the upper one that they are."""
    differing: list[tuple[str, str]] = field(default_factory=list)
    """Text that was kept, and the other reading of it."""


def merge_tiles(contents: Sequence[TextContent], tiles: Sequence[BBox]) -> tuple[TextContent, list[Issue]]:
    """One content from those of successive tiles, without what two of them show; and what was found.

    A word cut by the border of its tile gives way to the words of the other tile that cover it. Of two words
    at one place the one stays that holds the other's text, else the surer, else the larger one. Words of one
    line that only the lower tile has join it, and its next lines follow it. Words without a box, and those of
    tiles that do not overlap, are left as they are.

    Args:
        contents: of each tile, boxes in page points; at least one.
        tiles: box of the page that each was asked for, from top to bottom.
    """
    merged, n_merged = contents[0], 0
    differing: list[tuple[str, str]] = []
    for below, (upper, lower) in zip(contents[1:], pairwise(tiles), strict=True):
        found = _compare(merged, below, upper, lower) if lower[1] < upper[3] else _Merge()
        merged = _apply(found, merged, below)
        n_merged += len(found.upper_dropped) + len(found.lower_dropped)
        differing += found.differing
    issues = []
    if n_merged:
        message = f"{n_merged} words that two overlapping tiles show, some of them cut, were read once."
        issues.append(make_issue("text-tiles-merged", message))
    if differing:
        shown = "; ".join(f"{kept!r} over {other!r}" for kept, other in differing[:_EXAMPLES])
        message = f"{len(differing)} words were read in two ways where tiles overlap: {shown}."
        issues.append(make_issue("text-tiles-differ", message))
    return merged, issues


def _compare(above: TextContent, below: TextContent, upper: BBox, lower: BBox) -> _Merge:
    ones = list(_seen(above, lower[1], upper[3], border=upper[3]))
    others = list(_seen(below, lower[1], upper[3], border=lower[1]))
    merge = _Merge()
    # First what a border has cut, with whole words to cover it; then words that both tiles show whole.
    for cut in [one for one in ones if one.is_cut]:
        if cover := _cover(cut, others):
            merge.upper_dropped.add(cut.place)
            merge.partners.update((other.place, cut.place) for other in cover)
    for cut in [other for other in others if other.is_cut]:
        if cover := _cover(cut, ones):
            merge.lower_dropped.add(cut.place)
            merge.partners[cut.place] = cover[0].place
    ones = [one for one in ones if one.place not in merge.upper_dropped]
    others = [other for other in others if other.place not in merge.lower_dropped]
    _pair(ones, others, merge)
    return merge


def _seen(content: TextContent, top: float, bottom: float, *, border: float) -> Iterator[_Seen]:
    for row, line in enumerate(content.lines):
        for column, word in enumerate(line.words):
            box = word.bbox
            if box is None or _widened(box)[3] <= top or _widened(box)[1] >= bottom:
                continue
            near = _AT_BORDER * (box[3] - box[1])
            is_cut = box[3] > border - near if border == bottom else box[1] < border + near
            yield _Seen((row, column), word, box, is_cut)


def _cover(cut: _Seen, others: Sequence[_Seen]) -> list[_Seen]:
    """The whole words that lie over most of a cut one, the one with the largest share first.

    What the border leaves of a word may be thinner than boxes are exact, so the others are taken larger.
    """
    whole = [(intersection_area(cut.box, _widened(other.box)), other) for other in others if not other.is_cut]
    if sum(shared for shared, _ in whole) < SAME_PLACE * area(cut.box):
        return []
    return [other for shared, other in sorted(whole, key=lambda one: -one[0]) if shared > 0]


def _widened(box: BBox) -> BBox:
    return grow(box, _INEXACT * (box[3] - box[1]))


def _pair(ones: Sequence[_Seen], others: Sequence[_Seen], merge: _Merge) -> None:
    """Words that are one, the best match first; then what such a word holds as a part."""
    pairs = [
        (iou(one.box, other.box), one, other)
        for one in ones
        for other in others
        if intersection_area(one.box, other.box) > 0
    ]
    free_ones = {one.place: one for one in ones}
    free_others = {other.place: other for other in others}
    kept: list[tuple[Place, Word]] = []
    for _, one, other in sorted(pairs, key=lambda pair: -pair[0]):
        if one.place in free_ones and other.place in free_others and _are_one(one, other):
            del free_ones[one.place], free_others[other.place]
            best = _better(one.word, other.word)
            if best is other.word:
                merge.replaced[one.place] = best
            merge.lower_dropped.add(other.place)
            merge.partners[other.place] = one.place
            kept.append((one.place, best))
            if not _fit(one.word.text, other.word.text):
                lost = one.word if best is other.word else other.word
                merge.differing.append((best.text, lost.text))
    for part in free_others.values():
        if place := _holder(part, [*kept, *((one.place, one.word) for one in free_ones.values())]):
            merge.lower_dropped.add(part.place)
            merge.partners[part.place] = place
    for part in free_ones.values():
        if _holder(part, kept):
            merge.upper_dropped.add(part.place)


def _are_one(one: _Seen, other: _Seen) -> bool:
    shared = intersection_area(one.box, other.box)
    smaller = min(area(one.box), area(other.box))
    if _fit(one.word.text, other.word.text) and shared >= SAME_PLACE * smaller > 0:
        return True
    return iou(one.box, other.box) >= SAME_PLACE


def _fit(one: str, other: str) -> bool:
    return one in other or other in one


def _better(one: Word, other: Word) -> Word:
    if one.text == other.text:
        return one
    if _fit(one.text, other.text):
        return max(one, other, key=lambda word: len(word.text))
    if one.confidence is not None and other.confidence is not None and one.confidence != other.confidence:
        return max(one, other, key=lambda word: word.confidence or 0.0)
    return max(one, other, key=lambda word: area(word.bbox) if word.bbox else 0.0)


def _holder(part: _Seen, words: Sequence[tuple[Place, Word]]) -> Place | None:
    """The word that holds another one as a part of its text, at its place."""
    for place, word in words:
        inside = intersection_area(part.box, word.bbox) if word.bbox else 0.0
        if part.word.text in word.text and inside >= SAME_PLACE * area(part.box) > 0:
            return place
    return None


def _apply(merge: _Merge, above: TextContent, below: TextContent) -> TextContent:
    uppers = [
        [
            merge.replaced.get((row, column), word)
            for column, word in enumerate(line.words)
            if (row, column) not in merge.upper_dropped
        ]
        for row, line in enumerate(above.lines)
    ]
    changed = {row for row, _ in [*merge.replaced, *merge.upper_dropped]}
    behind: dict[int, list[Line]] = {}
    last = len(uppers) - 1
    for row, line in enumerate(below.lines):
        rest = [word for column, word in enumerate(line.words) if (row, column) not in merge.lower_dropped]
        homes = [merge.partners[row, c][0] for c in range(len(line.words)) if (row, c) in merge.partners]
        if homes:
            last = max(homes, key=homes.count)
            uppers[last] = _in_order(uppers[last], rest, line)
            changed.add(last)
        elif rest:
            behind.setdefault(last, []).append(line)
    lines = behind.get(-1, [])
    for row, words in enumerate(uppers):
        if words:
            lines.append(line_from_words(words) if row in changed else above.lines[row])
        lines += behind.get(row, [])
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def _in_order(words: list[Word], more: Sequence[Word], line: Line) -> list[Word]:
    """The words of a line with those that only the other tile has, each at its place."""
    if not words:
        return list(more)

    def along(word: Word) -> float:
        """How far along the line a word stands; at its end where nobody knows."""
        if word.bbox is None:
            return float("inf")
        return -word.bbox[0] - word.bbox[2] if line.direction == "rtl" else word.bbox[0] + word.bbox[2]

    for word in more:
        place = next((i for i, one in enumerate(words) if one.bbox and along(one) > along(word)), len(words))
        words = [*words[:place], word, *words[place:]]
    return words
