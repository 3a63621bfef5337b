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
    raise TypeError(
        f"{' and '.join({type(content).__name__ for content in contents})} are not read in tiles."
    )


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
    matching = [content for content in contents if isinstance(content, kind)]
    return matching if len(matching) == len(contents) else []


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


MIN_OVERLAP: Final = 0.5
"""Intersection over union, or over the smaller box where the texts fit, from which two words are one."""

_BORDER_SHARE: Final = 0.25
"""Share of its height that a word may keep off the border of its tile and still count as cut by it."""

_BOX_ERROR_SHARE: Final = 0.15
"""Share of its height by which the box of a word may be off."""

_MAX_EXAMPLES: Final = 3

Place = tuple[int, int]
"""Line and word in a tile's content."""


class _TiledWord(NamedTuple):
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
        merge = _compare(merged, below, upper, lower) if lower[1] < upper[3] else _Merge()
        merged = _apply(merge, merged, below)
        n_merged += len(merge.upper_dropped) + len(merge.lower_dropped)
        differing += merge.differing
    issues = []
    if n_merged:
        message = f"{n_merged} words that two overlapping tiles show, some of them cut, were read once."
        issues.append(make_issue("text-tiles-merged", message))
    if differing:
        shown = "; ".join(f"{text!r} over {rejected!r}" for text, rejected in differing[:_MAX_EXAMPLES])
        message = f"{len(differing)} words were read in two ways where tiles overlap: {shown}."
        issues.append(make_issue("text-tiles-differ", message))
    return merged, issues


def _compare(above: TextContent, below: TextContent, upper: BBox, lower: BBox) -> _Merge:
    upper_words = list(_words_in_stripe(above, lower[1], upper[3], border=upper[3]))
    lower_words = list(_words_in_stripe(below, lower[1], upper[3], border=lower[1]))
    merge = _Merge()
    # First what a border has cut, with whole words to cover it; then words that both tiles show whole.
    for cut in [word for word in upper_words if word.is_cut]:
        if cover := _cover(cut, lower_words):
            merge.upper_dropped.add(cut.place)
            merge.partners.update((word.place, cut.place) for word in cover)
    for cut in [word for word in lower_words if word.is_cut]:
        if cover := _cover(cut, upper_words):
            merge.lower_dropped.add(cut.place)
            merge.partners[cut.place] = cover[0].place
    upper_words = [word for word in upper_words if word.place not in merge.upper_dropped]
    lower_words = [word for word in lower_words if word.place not in merge.lower_dropped]
    _pair(upper_words, lower_words, merge)
    return merge


def _words_in_stripe(
    content: TextContent, top: float, bottom: float, *, border: float
) -> Iterator[_TiledWord]:
    for row, line in enumerate(content.lines):
        for column, word in enumerate(line.words):
            box = word.bbox
            if box is None or _widened(box)[3] <= top or _widened(box)[1] >= bottom:
                continue
            near = _BORDER_SHARE * (box[3] - box[1])
            is_cut = box[3] > border - near if border == bottom else box[1] < border + near
            yield _TiledWord((row, column), word, box, is_cut)


def _cover(cut: _TiledWord, words: Sequence[_TiledWord]) -> list[_TiledWord]:
    """The whole words that lie over most of a cut one, the one with the largest share first.

    What the border leaves of a word may be thinner than boxes are exact, so the words are taken larger.
    """
    whole = [(intersection_area(cut.box, _widened(word.box)), word) for word in words if not word.is_cut]
    if sum(shared for shared, _ in whole) < MIN_OVERLAP * area(cut.box):
        return []
    return [word for shared, word in sorted(whole, key=lambda pair: -pair[0]) if shared > 0]


def _widened(box: BBox) -> BBox:
    return grow(box, _BOX_ERROR_SHARE * (box[3] - box[1]))


def _pair(upper_words: Sequence[_TiledWord], lower_words: Sequence[_TiledWord], merge: _Merge) -> None:
    """Words that are one, the best match first; then what such a word holds as a part."""
    pairs = [
        (iou(upper.box, lower.box), upper, lower)
        for upper in upper_words
        for lower in lower_words
        if intersection_area(upper.box, lower.box) > 0
    ]
    free_upper = {upper.place: upper for upper in upper_words}
    free_lower = {lower.place: lower for lower in lower_words}
    chosen: list[tuple[Place, Word]] = []
    for _, upper, lower in sorted(pairs, key=lambda pair: -pair[0]):
        if upper.place in free_upper and lower.place in free_lower and _are_one(upper, lower):
            del free_upper[upper.place], free_lower[lower.place]
            best = _better(upper.word, lower.word)
            if best is lower.word:
                merge.replaced[upper.place] = best
            merge.lower_dropped.add(lower.place)
            merge.partners[lower.place] = upper.place
            chosen.append((upper.place, best))
            if not _fit(upper.word.text, lower.word.text):
                rejected = upper.word if best is lower.word else lower.word
                merge.differing.append((best.text, rejected.text))
    for part in free_lower.values():
        if place := _holder(part, [*chosen, *((upper.place, upper.word) for upper in free_upper.values())]):
            merge.lower_dropped.add(part.place)
            merge.partners[part.place] = place
    for part in free_upper.values():
        if _holder(part, chosen):
            merge.upper_dropped.add(part.place)


def _are_one(upper: _TiledWord, lower: _TiledWord) -> bool:
    shared = intersection_area(upper.box, lower.box)
    smaller = min(area(upper.box), area(lower.box))
    if _fit(upper.word.text, lower.word.text) and shared >= MIN_OVERLAP * smaller > 0:
        return True
    return iou(upper.box, lower.box) >= MIN_OVERLAP


def _fit(text: str, other_text: str) -> bool:
    return text in other_text or other_text in text


def _better(upper: Word, lower: Word) -> Word:
    if upper.text == lower.text:
        return upper
    if _fit(upper.text, lower.text):
        return max(upper, lower, key=lambda word: len(word.text))
    if upper.confidence is not None and lower.confidence is not None and upper.confidence != lower.confidence:
        return max(upper, lower, key=lambda word: word.confidence or 0.0)
    return max(upper, lower, key=lambda word: area(word.bbox) if word.bbox else 0.0)


def _holder(part: _TiledWord, words: Sequence[tuple[Place, Word]]) -> Place | None:
    """The word that holds another one as a part of its text, at its place."""
    for place, word in words:
        inside = intersection_area(part.box, word.bbox) if word.bbox else 0.0
        if part.word.text in word.text and inside >= MIN_OVERLAP * area(part.box) > 0:
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
        place = next((i for i, own in enumerate(words) if own.bbox and along(own) > along(word)), len(words))
        words = [*words[:place], word, *words[place:]]
    return words
