"""Rows of cells from a table in OTSL, the optimized table structure language of docling's models and data
sets.

One token describes each position of the grid, row by row; ``nl`` ends a row
(https://arxiv.org/abs/2305.03393):

====================  ==================================================================
``fcel`` ``ecel``     a cell with text, an empty cell
``ched`` ``rhed``     a column header, a row header (DocTags)
``srow``              the cell of a section row (DocTags); not a header here
``lcel`` ``ucel``     continues the cell to the left, the cell above
``xcel``              continues a cell that spans rows and columns
====================  ==================================================================

Tokens are in angle brackets (also ``<fcel/>``), each followed by its text, often inside ``<otsl>``; the data
sets use the bare names without text. Four location tokens before a cell's text are its box: ``<loc_12>`` is
x0, y0, x1, y1 in 500ths of the image, as in DocTags; ``<loc0012>`` is as in HTML (see
:mod:`docai.parsers.locations`). Location tokens before the first cell belong to the whole table and are
ignored, because the record already has a box. A span of rows and columns may be written with ``lcel`` and
``ucel`` at its edges or with ``xcel`` throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from docai.geometry import BBox
from docai.parsers.base import IssueLog, Span, TrackedText, quote
from docai.parsers.locations import BOX_FAULTS, BoxFault, box_from_bins, remove_locations
from docai.parsers.table_grid import RawCell, RowGroup, tidy

CELL_TOKENS = frozenset(("fcel", "ecel", "ched", "rhed", "srow"))
"""Tokens that start a cell."""

HEADER_TOKENS = frozenset(("ched", "rhed"))

_RIGHT_SPAN_TOKENS = frozenset(("lcel", "xcel"))

_DOWN_SPAN_TOKENS = frozenset(("ucel", "xcel"))

SPAN_TOKENS = _RIGHT_SPAN_TOKENS | _DOWN_SPAN_TOKENS
"""Tokens of positions that a cell extends into."""

ROW_END = "nl"

_NAMES = "|".join(sorted(CELL_TOKENS | SPAN_TOKENS)) + f"|{ROW_END}"

_TOKEN = re.compile(rf"<(?P<close>/?)\s?(?P<name>{_NAMES})\s?/?>", re.IGNORECASE)

_BARE = re.compile(rf"(?<![^\s,\[\]\"'])(?P<close>)(?P<name>{_NAMES})(?![^\s,\[\]\"'])", re.IGNORECASE)

_BARE_START = re.compile(rf"[\s\[\"']*(?:{_NAMES})(?![^\s,\[\]\"'])", re.IGNORECASE)

_IS_HTML = re.compile(r"<(?:table|thead|tbody|tr|td|th)[\s>]", re.IGNORECASE)

_WRAPPER = re.compile(r"<(?P<close>/?)otsl>", re.IGNORECASE)

# Tags that DocTags put around a table.
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
    """Position and span of a cell in the grid of tokens; ``token`` is the name of its first token."""

    row: int
    col: int
    row_span: int
    col_span: int
    token: str


@dataclass
class _Token:
    """One token of the grid with the text and box that follow it."""

    name: str
    text: str = ""
    bbox: BBox | None = None
    span: Span = (0, 0)


@dataclass
class _Rows:
    """Collects tokens into rows."""

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
    """Whether the text has an OTSL token, in brackets or bare, before any tag of an HTML table."""
    html = _IS_HTML.search(text)
    token = _TOKEN.search(text) or _WRAPPER.search(text)
    if token is not None:
        # DocTags may wrap <otsl> in their own <table>.
        return html is None or token.start() < html.start() or _is_doctag_table(text, html.start())
    return html is None and _BARE_START.match(text) is not None


def _is_doctag_table(text: str, start: int) -> bool:
    return (
        re.match(r"<table>\s*(?:<loc_?\d+>\s*)*<otsl>", text[start : start + 120], re.IGNORECASE) is not None
    )


def read_otsl(text: TrackedText, log: IssueLog) -> tuple[list[RowGroup], bool]:
    """The rows of the first table, and whether a token marks header cells."""
    text.replace(_END, "")
    text.replace(_AROUND, "")
    n_cut = 0 if re.search("</otsl>", text.text, re.IGNORECASE) else text.replace(_CUT_TOKEN, "")
    start, end, is_closed = _find_table(text.text, log)
    pattern = _TOKEN if _TOKEN.search(text.text) else _BARE
    tokens = _read_tokens(text, pattern, start, end, log)
    rows = _Rows()
    for token in tokens:
        if token.name == ROW_END:
            rows.end_row()
        else:
            rows.add(token)
    if n_cut or is_closed is False or (is_closed is None and not rows.is_ended):
        log.add("table-truncated", "The OTSL ends in the middle of a row, so rows may be missing.")
    placed = list(_raw_cell_rows(rows.finish(), log))
    return [placed], any(token.name in HEADER_TOKENS for token in tokens)


def place_cells(rows: Sequence[Sequence[str]]) -> tuple[list[Place], list[tuple[int, int]]]:
    """The cells of a grid of tokens, and the positions (row, column) of span tokens that continue no cell.

    A cell extends right over ``lcel`` and ``xcel``, and down as long as all its columns continue. Every other
    position belongs to exactly one cell or continues none. Rows may differ in length.
    """
    free = [[name not in CELL_TOKENS for name in row] for row in rows]
    places = []
    for r, row in enumerate(rows):
        for c, name in enumerate(row):
            if name not in CELL_TOKENS:
                continue
            right = c + 1
            while right < len(row) and row[right] in _RIGHT_SPAN_TOKENS and free[r][right]:
                right += 1
            down = r + 1
            while down < len(rows) and _continues(rows[down], free[down], c, right):
                down += 1
            for covered in free[r:down]:
                covered[c:right] = [False] * (right - c)
            places.append(Place(r, c, down - r, right - c, name))
    return places, [(r, c) for r, row in enumerate(free) for c, is_free in enumerate(row) if is_free]


def _continues(row: Sequence[str], free: Sequence[bool], start: int, end: int) -> bool:
    return len(row) >= end and row[start] in _DOWN_SPAN_TOKENS and all(free[start:end])


def _find_table(text: str, log: IssueLog) -> tuple[int, int, bool | None]:
    """Start and end of the first table, and whether its ``<otsl>`` is closed (None without ``<otsl>``)."""
    marks = list(_WRAPPER.finditer(text))
    opening = next((mark for mark in marks if not mark["close"]), None)
    start = 0 if opening is None else opening.end()
    # DocTags may omit <otsl>, and the opening tag may be lost.
    last = next((mark for mark in marks if mark.start() >= start), None)
    end = len(text) if last is None else last.start()
    is_closed = None if opening is None and last is None else bool(last and last["close"])
    if opening is not None:
        _log_ignored_text(text[: opening.start()], "table-text-outside", log)
    after = text[end:]
    if _TOKEN.search(after):
        log.add("table-second-table", "The answer has more than one table; only the first was read.")
    else:
        _log_ignored_text(after, "table-text-outside", log)
    return start, end, is_closed


def _log_ignored_text(text: str, code: str, log: IssueLog) -> None:
    if not text.strip():
        return
    ignored = _WRAPPER.sub("", text)
    if _LOC.search(ignored):
        ignored = _LOC.sub("", ignored)
        log.add("table-own-location", "Location tokens of the whole table were ignored.")
    if ignored.strip():
        log.add(code, f"Text outside the table cells was ignored: {quote(ignored)}.")


def _read_tokens(
    text: TrackedText, pattern: re.Pattern[str], start: int, end: int, log: IssueLog
) -> list[_Token]:
    """The tokens between two positions of the text, each with the text up to the next token."""
    matches = list(pattern.finditer(text.text, start, end))
    first = matches[0].start() if matches else end
    before = text.text[start:first]
    if not _LIST_MARKS.match(before):
        _log_ignored_text(before, "table-stray-text", log)
    tokens: list[_Token] = []
    for index, match in enumerate(matches):
        stop = matches[index + 1].start() if index + 1 < len(matches) else end
        name = match["name"].lower()
        inside = _without_caption(text.text[match.end() : stop], log)
        if pattern is _BARE and _LIST_MARKS.match(inside):
            inside = ""
        if match["close"] or name == ROW_END:
            if not match["close"]:
                tokens.append(_Token(ROW_END))
            _log_ignored_text(inside, "table-stray-text", log)
            continue
        tokens.append(_read_cell(text, name, match.end(), inside, log))
    return tokens


def _without_caption(text: str, log: IssueLog) -> str:
    """The text before a caption. In DocTags the caption comes last: nothing of the table follows it."""
    match = _CAPTION.search(text)
    if match is None:
        return text
    _log_ignored_text(match["text"] + text[match.end() :], "table-stray-text", log)
    return text[: match.start()]


def _read_cell(text: TrackedText, name: str, start: int, inside: str, log: IssueLog) -> _Token:
    bbox = None
    if match := _LOCS.match(inside):
        bbox = _box(match[0], log)
        start += match.end()
        inside = inside[match.end() :]
    start += len(inside) - len(inside.lstrip())
    span = text.raw(start, start + len(inside.strip()))
    written = unescape(_BREAK.sub(" ", _INLINE.sub("", _LOC.sub("", inside))))
    shown = tidy(remove_locations(written))
    if _LOC.search(inside) or shown != tidy(written):
        log.add("table-stray-loc", f"Location tokens in the text of the cell {quote(inside)} were removed.")
    if shown and name not in CELL_TOKENS - {"ecel"}:
        log.add(
            "table-otsl-text",
            f"The token {name} takes no text, but is followed by {quote(shown)}; it was read as a cell.",
        )
        name = "fcel"
    return _Token(name, shown, bbox, span)


def _box(locs: str, log: IssueLog) -> BBox | None:
    tokens = _LOC.findall(locs)
    # DocTags write any number of digits; the model's own location tokens always have four.
    bins = [int(number) if scale or len(number) == 4 else -1 for scale, number in tokens]
    box: BBox | None
    fault: BoxFault | None
    if all(scale for scale, _ in tokens):
        box, fault = _box_of_doctags(bins)
    else:
        box, fault = box_from_bins(bins)
    if fault is None:
        return box
    log.add("table-bad-box", f"A cell's box has {BOX_FAULTS[fault]} and was dropped.")
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


def _raw_cell_rows(rows: Sequence[Sequence[_Token]], log: IssueLog) -> Iterator[list[RawCell]]:
    """The cells of each row as in HTML, with an empty cell where a token continues no cell."""
    places, orphans = place_cells([[token.name for token in row] for row in rows])
    for row, col in orphans:
        name = rows[row][col].name
        log.add(
            "table-otsl-span",
            f"{name} in row {row + 1}, column {col + 1} continues no cell; it was read as an empty cell.",
        )
    for place in places:
        if (place.row_span > 1) != (place.col_span > 1) and "xcel" in _token_names(rows, place):
            message = (
                f"An xcel token continues a cell of row {place.row + 1} that spans in one direction only."
            )
            log.add("table-otsl-span", message)
    spans = {(place.row, place.col): place for place in places}
    empty_positions = set(orphans)
    for r, tokens in enumerate(rows):
        yield list(_cells(r, tokens, spans, empty_positions))


def _token_names(rows: Sequence[Sequence[_Token]], place: Place) -> set[str]:
    return {
        token.name
        for row in rows[place.row : place.row + place.row_span]
        for token in row[place.col : place.col + place.col_span]
    }


def _cells(
    r: int, row: Iterable[_Token], spans: dict[tuple[int, int], Place], empty: set[tuple[int, int]]
) -> Iterator[RawCell]:
    for c, token in enumerate(row):
        if place := spans.get((r, c)):
            yield RawCell(
                text=token.text,
                row_span=place.row_span,
                col_span=place.col_span,
                is_header=token.name in HEADER_TOKENS,
                bbox=token.bbox,
                span=token.span,
            )
        elif (r, c) in empty:
            yield RawCell(span=None)
