"""OTSL, the optimised table structure language, as docling's models and the data sets for them write it.

A token names each place of the grid, row by row, each row ended by ``nl`` (https://arxiv.org/abs/2305.03393):

====================  ==================================================================
``fcel`` ``ecel``     a cell with and without text
``ched`` ``rhed``     a cell that is a header of its column, of its row (DocTags)
``srow``              the cell of a section's row (DocTags); no header here
``lcel`` ``ucel``     the cell to the left, the one above reaches here
``xcel``              a cell that spans rows and columns reaches here
====================  ==================================================================

Tokens stand in angle brackets (also ``<fcel/>``), each with its text after it, often inside ``<otsl>``; the
data sets have the bare names without text. Four location tokens before a cell's text are its box:
``<loc_12>`` is x0, y0, x1, y1 in 500ths of the picture, as DocTags have it, ``<loc0012>`` as in HTML (see
:mod:`docai.parsers.locations`). Those before the first cell are the table's own and are left out, as the
record has a box. A span of rows and columns may be written with ``lcel`` and ``ucel`` at its edges or with
``xcel`` all over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from docai.geometry import BBox
from docai.parsers.base import Notes, Span, TracedText, quote
from docai.parsers.locations import BOX_FAULTS, BoxFault, box_from_bins, without_locs
from docai.parsers.table_grid import RawCell, RowGroup, tidy

FIRST = frozenset(("fcel", "ecel", "ched", "rhed", "srow"))
"""Tokens with which a cell begins."""

HEADERS = frozenset(("ched", "rhed"))

_RIGHT = frozenset(("lcel", "xcel"))

_DOWN = frozenset(("ucel", "xcel"))

CONTINUED = _RIGHT | _DOWN
"""Tokens of places into which a cell reaches."""

ROW_END = "nl"

_NAMES = "|".join(sorted(FIRST | CONTINUED)) + f"|{ROW_END}"

_TOKEN = re.compile(rf"<(?P<close>/?)\s?(?P<name>{_NAMES})\s?/?>", re.IGNORECASE)

_BARE = re.compile(rf"(?<![^\s,\[\]\"'])(?P<close>)(?P<name>{_NAMES})(?![^\s,\[\]\"'])", re.IGNORECASE)

_BARE_START = re.compile(rf"[\s\[\"']*(?:{_NAMES})(?![^\s,\[\]\"'])", re.IGNORECASE)

_IS_HTML = re.compile(r"<(?:table|thead|tbody|tr|td|th)[\s>]", re.IGNORECASE)

_WRAPPER = re.compile(r"<(?P<close>/?)otsl>", re.IGNORECASE)

# What DocTags put around a table, and the special tokens that end an answer.
_AROUND = re.compile(r"</?(?:doctag|chart|table|page_break)\s?/?>", re.IGNORECASE)

_END = re.compile(r"(?:<end_of_utterance>|</s>|<\|[a-z_]+\|>)\s*\Z", re.IGNORECASE)

_CAPTION = re.compile(r"<caption>(?P<text>[^<]*(?:<(?!/caption>)[^<]*)*)(?:</caption>|\Z)", re.IGNORECASE)

_LOC = re.compile(r"<loc(?P<scale>_?)(?P<bin>\d{1,6})>")

_LOCS = re.compile(r"\s*(?:<loc_?\d{1,6}>\s*)+")

_INLINE = re.compile(
    r"</?(?:b|i|u|s|em|strong|small|sup|sub|span|code|formula|text|paragraph|bold|italic)\s?>", re.IGNORECASE
)

_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)

_STARTS = "|".join(
    sorted({name[:end] for name in (*_NAMES.split("|"), "/otsl", "loc_") for end in range(1, len(name) + 1)})
)

_CUT_TOKEN = re.compile(rf"<(?:{_STARTS}|loc_?\d*)?/?\Z", re.IGNORECASE)

_LIST_MARKS = re.compile(r"[\s,\[\]\"']*\Z")

_DOCTAG_BINS = 500


class Place(NamedTuple):
    """A cell on the grid of its tokens, without its text; ``token`` is the one that it begins with."""

    row: int
    col: int
    row_span: int
    col_span: int
    token: str


@dataclass
class _Token:
    """One token of the grid with what follows it."""

    name: str
    text: str = ""
    bbox: BBox | None = None
    span: Span = (0, 0)


@dataclass
class _Rows:
    """Rows of tokens while they are read."""

    rows: list[list[_Token]] = field(default_factory=lambda: [[]])
    is_ended: bool = True

    def add(self, token: _Token) -> None:
        self.rows[-1].append(token)
        self.is_ended = False

    def end_row(self) -> None:
        self.rows.append([])
        self.is_ended = True

    def finish(self) -> list[list[_Token]]:
        return self.rows[:-1] if not self.rows[-1] else self.rows


def is_otsl(text: str) -> bool:
    """The text begins with OTSL, in angle brackets or bare, before any tag of an HTML table."""
    html = _IS_HTML.search(text)
    token = _TOKEN.search(text) or _WRAPPER.search(text)
    if token is not None:
        # DocTags may put their own <table> around an <otsl>.
        return html is None or token.start() < html.start() or _is_doctag_table(text, html.start())
    return html is None and _BARE_START.match(text) is not None


def _is_doctag_table(text: str, start: int) -> bool:
    return (
        re.match(r"<table>\s*(?:<loc_?\d+>\s*)*<otsl>", text[start : start + 120], re.IGNORECASE) is not None
    )


def read_otsl(text: TracedText, notes: Notes) -> tuple[list[RowGroup], bool]:
    """The rows of the first table, and whether a token says which cells are headers."""
    text.replace(_END, "")
    text.replace(_AROUND, "")
    n_cut = 0 if re.search("</otsl>", text.text, re.IGNORECASE) else text.replace(_CUT_TOKEN, "")
    start, end, is_closed = _bounds(text.text, notes)
    pattern = _TOKEN if _TOKEN.search(text.text) else _BARE
    tokens = _gather(text, pattern, start, end, notes)
    rows = _Rows()
    for token in tokens:
        if token.name == ROW_END:
            rows.end_row()
        else:
            rows.add(token)
    if n_cut or is_closed is False or (is_closed is None and not rows.is_ended):
        notes.add("table-truncated", "The OTSL ends before its last row does: rows may be missing.")
    placed = list(_raw_rows(rows.finish(), notes))
    return [placed], any(token.name in HEADERS for token in tokens)


def place_cells(rows: Sequence[Sequence[str]]) -> tuple[list[Place], list[tuple[int, int]]]:
    """Cells of the tokens of each row, and the places of tokens that continue no cell.

    A cell reaches right over ``lcel`` and ``xcel``, and down as far as all its columns go on. Each of the
    other places belongs to exactly one cell or is one that continues none. Rows may differ in length.
    """
    free = [[name not in FIRST for name in row] for row in rows]
    places = []
    for r, row in enumerate(rows):
        for c, name in enumerate(row):
            if name not in FIRST:
                continue
            right = c + 1
            while right < len(row) and row[right] in _RIGHT and free[r][right]:
                right += 1
            down = r + 1
            while down < len(rows) and _goes_on(rows[down], free[down], c, right):
                down += 1
            for covered in free[r:down]:
                covered[c:right] = [False] * (right - c)
            places.append(Place(r, c, down - r, right - c, name))
    return places, [(r, c) for r, row in enumerate(free) for c, is_free in enumerate(row) if is_free]


def _goes_on(row: Sequence[str], free: Sequence[bool], start: int, end: int) -> bool:
    return len(row) >= end and row[start] in _DOWN and all(free[start:end])


def _bounds(text: str, notes: Notes) -> tuple[int, int, bool | None]:
    """Where the first table's tokens stand, and whether its ``<otsl>`` is closed; None where it has none."""
    marks = list(_WRAPPER.finditer(text))
    opening = next((mark for mark in marks if not mark["close"]), None)
    start = 0 if opening is None else opening.end()
    # A table of the DocTags may do without <otsl>, and the tag that opens it may be lost.
    last = next((mark for mark in marks if mark.start() >= start), None)
    end = len(text) if last is None else last.start()
    is_closed = None if opening is None and last is None else bool(last and last["close"])
    if opening is not None:
        _note_outside(text[: opening.start()], "table-text-outside", notes)
    after = text[end:]
    if _TOKEN.search(after):
        notes.add("table-second-table", "More than one table was written; the first was read.")
    else:
        _note_outside(after, "table-text-outside", notes)
    return start, end, is_closed


def _note_outside(text: str, code: str, notes: Notes) -> None:
    if not text.strip():
        return
    left = _WRAPPER.sub("", text)
    if _LOC.search(left):
        left = _LOC.sub("", left)
        notes.add("table-own-location", "Location tokens of the table itself were left out.")
    if left.strip():
        notes.add(code, f"Left out: {quote(left)}.")


def _gather(text: TracedText, pattern: re.Pattern[str], start: int, end: int, notes: Notes) -> list[_Token]:
    """The tokens between two places of the text, each with the text up to the next."""
    matches = list(pattern.finditer(text.text, start, end))
    first = matches[0].start() if matches else end
    before = text.text[start:first]
    if not _LIST_MARKS.match(before):
        _note_outside(before, "table-stray-text", notes)
    tokens: list[_Token] = []
    for index, match in enumerate(matches):
        stop = matches[index + 1].start() if index + 1 < len(matches) else end
        name = match["name"].lower()
        inside = _without_caption(text.text[match.end() : stop], notes)
        if pattern is _BARE and _LIST_MARKS.match(inside):
            inside = ""
        if match["close"] or name == ROW_END:
            if not match["close"]:
                tokens.append(_Token(ROW_END))
            _note_outside(inside, "table-stray-text", notes)
            continue
        tokens.append(_read_cell(text, name, match.end(), inside, notes))
    return tokens


def _without_caption(text: str, notes: Notes) -> str:
    """The text before a caption. DocTags put it last, so that nothing of the table follows."""
    match = _CAPTION.search(text)
    if match is None:
        return text
    _note_outside(match["text"] + text[match.end() :], "table-stray-text", notes)
    return text[: match.start()]


def _read_cell(text: TracedText, name: str, start: int, inside: str, notes: Notes) -> _Token:
    bbox = None
    if match := _LOCS.match(inside):
        bbox = _box(match[0], notes)
        start += match.end()
        inside = inside[match.end() :]
    start += len(inside) - len(inside.lstrip())
    span = text.raw(start, start + len(inside.strip()))
    written = unescape(_BREAK.sub(" ", _INLINE.sub("", _LOC.sub("", inside))))
    shown = tidy(without_locs(written))
    if _LOC.search(inside) or shown != tidy(written):
        notes.add("table-stray-loc", f"Location tokens stood in the cell {quote(inside)}.")
    if shown and name not in FIRST - {"ecel"}:
        notes.add("table-otsl-text", f"{quote(shown)} follows {name}, which takes no text; it was kept.")
        name = "fcel"
    return _Token(name, shown, bbox, span)


def _box(locs: str, notes: Notes) -> BBox | None:
    found = _LOC.findall(locs)
    # Of DocTags' numbers as many digits as they have, of the model's own tokens four.
    bins = [int(number) if scale or len(number) == 4 else -1 for scale, number in found]
    box: BBox | None
    fault: BoxFault | None
    if all(scale for scale, _ in found):
        box, fault = _box_of_doctags(bins)
    else:
        box, fault = box_from_bins(bins)
    if fault is None:
        return box
    notes.add("table-bad-box", f"The box of a cell has {BOX_FAULTS[fault]}.")
    return None


def _box_of_doctags(bins: Sequence[int]) -> tuple[BBox | None, BoxFault | None]:
    if len(bins) != 4:
        return None, "count"
    if max(bins) > _DOCTAG_BINS:
        return None, "range"
    x0, y0, x1, y1 = (value / _DOCTAG_BINS for value in bins)
    if x0 > x1 or y0 > y1:
        return None, "reversed"
    return ((x0, y0, x1, y1), None) if x0 < x1 and y0 < y1 else (None, "zero-area")


def _raw_rows(rows: Sequence[Sequence[_Token]], notes: Notes) -> Iterator[list[RawCell]]:
    """The cells as HTML's rows would have them, an empty one where a token continues no cell."""
    places, orphans = place_cells([[token.name for token in row] for row in rows])
    for row, col in orphans:
        name = rows[row][col].name
        notes.add("table-otsl-span", f"{name} in row {row + 1}, column {col + 1} continues no cell.")
    for place in places:
        if (place.row_span > 1) != (place.col_span > 1) and "xcel" in _names_in(rows, place):
            message = f"xcel continues a cell of row {place.row + 1} that spans in one direction only."
            notes.add("table-otsl-span", message)
    spans = {(place.row, place.col): place for place in places}
    lost = set(orphans)
    for r, tokens in enumerate(rows):
        yield list(_cells(r, tokens, spans, lost))


def _names_in(rows: Sequence[Sequence[_Token]], place: Place) -> set[str]:
    return {
        token.name
        for row in rows[place.row : place.row + place.row_span]
        for token in row[place.col : place.col + place.col_span]
    }


def _cells(
    r: int, row: Iterable[_Token], spans: dict[tuple[int, int], Place], lost: set[tuple[int, int]]
) -> Iterator[RawCell]:
    for c, token in enumerate(row):
        if place := spans.get((r, c)):
            yield RawCell(
                text=token.text,
                row_span=place.row_span,
                col_span=place.col_span,
                is_header=token.name in HEADERS,
                bbox=token.bbox,
                span=token.span,
            )
        elif (r, c) in lost:
            yield RawCell(span=None)
