"""The table head: HTML as a model writes it, to a rectangular grid of cells.

The format, as the model is trained to write it::

    <table><thead><tr><td coords="<loc0012><loc0034><loc0050><loc0200>" colspan="2">text</td>…</tr></thead>
    <tbody>…</tbody></table>

``coords`` is the cell's text box as y0, x0, y1, x1 (see :mod:`docai.parsers.boxes`), on non-empty cells
only. Rows of ``<thead>`` and ``<th>`` cells anywhere are headers. Inline tags (``<b> <i> <sup> <sub>`` …)
are allowed in cells; their text is kept. Everything else HTML allows is read as HTML; what it does not
allow is repaired, and each repair is an issue of the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from typing import TYPE_CHECKING

from docai.parsers.base import Parsed
from docai.parsers.boxes import BoxFault, box_from_bins
from docai.parsers.cleaning import replace_unholdable_in, strip_fence
from docai.parsers.grid import MAX_COLS, MAX_ROW_SPAN, CellSpans, RawCell, lay_out, tidy
from docai.parsers.notes import Notes, quote
from docai.parsers.traced import Span, TracedText
from docai.records import BBox, Cell, TableContent

if TYPE_CHECKING:
    from lxml.etree import _Element

_LOOP_ROWS = 8
"""So many equal rows in a run are taken for a loop of the model."""

_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_CELLS = frozenset({"td", "th"})
_BREAKS = frozenset({"br", "p", "div", "li", "ul", "ol", "td", "th", "tr", "table", "hr"})
_TAGS = (
    "table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col|html|head|body|meta|title|style|script|"
    "b|i|u|s|em|strong|small|big|sup|sub|span|font|mark|code|tt|a|p|br|div|center|hr|img|ul|ol|li"
)
# A '<' that opens none of these is text: lxml would take '<y' of 'x <y' for a tag and lose it.
_RAW_LESS_THAN = re.compile(rf"<(?!/?(?:{_TAGS})(?:\s[^<>]*)?/?>|!--|!doctype)", re.IGNORECASE)
_LOCS = r"(?:<loc\d*>\s*)*"
_COORDS = re.compile(
    rf"(<t[dh]\b[^<>]*?)\bcoords\s*=\s*(?P<quote>[\"']?)\s*(?P<locs>{_LOCS})(?P<end>[^<>\"']*)[\"']?",
    re.IGNORECASE,
)
_SPAN_QUOTES = re.compile(r"(\s(?:col|row)span\s*=\s*)[\"']?(-?\w+)[\"']?(?=[\s/>])", re.IGNORECASE)
# Possessive and atomic parts keep each search linear: a model may write one endless tag.
_CUT_TAG = re.compile(
    r"<(?:t[dh]\b(?>[^<>]*?\bcoords\s*=)\s*[\"']?(?:<loc\d*>\s*)*+(?:<[loc]{0,3}+\d*+)?[^<>]*|/?[a-z!][^<>]*|/?)\Z",
    re.IGNORECASE,
)
_NUMBER = "docai-number"
# What may follow the name of a tag once every other '<' is text.
_REST_OF_TAG = r"(?:\s[^<>]*)?/?>"
_CELL_TAG = re.compile(rf"<t[dh](?={_REST_OF_TAG})", re.IGNORECASE)
_STRUCTURE = re.compile(
    rf"<(?P<slash>/?)(?P<tag>t[dhr]|thead|tbody|tfoot|table){_REST_OF_TAG}", re.IGNORECASE
)
_DIGITS = re.compile(r"\s*\+?(\d{1,9})")
_TEXT_LOCS = re.compile(r"<loc\d{1,6}>")
_BOX_FAULTS: dict[BoxFault, str] = {
    "count": "other than four location tokens",
    "range": "a location past 1023",
    "reversed": "its minimum after its maximum",
    "zero-area": "no area",
}


def parse_table(text: str) -> Parsed[TableContent]:
    """The table that the text describes. Cell boxes are fractions 0…1 of the crop."""
    notes = Notes()
    traced = _prepare(text, notes)
    root = _read_html(_numbered(traced.text), notes)
    content = TableContent(html="<table><tbody></tbody></table>")
    spans: CellSpans = {}
    if root is not None:
        content = lay_out(_read_groups(root, notes, _cell_spans(traced)), notes, spans)
    if not content.cells:
        notes.add("table-empty", "The text holds no table cell.")
    _note_loops(content.cells, notes)
    its_spans = tuple(spans.get((cell.row, cell.col)) for cell in content.cells)
    return Parsed(content, notes.issues(), notes.repaired, its_spans)


def _prepare(raw: str, notes: Notes) -> TracedText:
    """Make the text HTML that lxml reads as it was meant: no ``<`` in attributes or raw in text."""
    text = TracedText(raw)
    if strip_fence(text):
        notes.add("table-fenced", "A code fence around the HTML was taken off.")
    if n_bad := replace_unholdable_in(text):
        notes.add("table-bad-character", f"{n_bad} unreadable characters were replaced.")
    if "</table" not in text.text.lower():
        n_cut = text.replace(_CUT_TAG, "")
        if n_cut or "<table" in text.text.lower():
            notes.add("table-truncated", "The HTML ends before </table>: rows may be missing.")
    text.replace(_COORDS, _rewrite_coords)
    text.replace(_SPAN_QUOTES, lambda match: f'{match[1]}"{match[2]}"')
    n_raw = text.replace(_RAW_LESS_THAN, "&lt;")
    # A location token in a cell's text is met again, and noted, where the cell is read.
    n_raw -= len(_TEXT_LOCS.findall(text.text.replace("&lt;", "<"))) if n_raw else 0
    if n_raw > 0:
        notes.add("table-raw-less-than", "A '<' that opens no HTML tag was read as text.", count=n_raw)
    return text


def _numbered(html: str) -> str:
    """The same with a number in the tag of each cell, by which lxml's element leads back to the text."""
    numbers = count()
    return _CELL_TAG.sub(lambda match: f"{match[0]} {_NUMBER}={next(numbers)} ", html)


def _cell_spans(text: TracedText) -> list[Span]:
    """Where the text of each cell stands in the model's, by the number of its tag.

    A cell ends where the next part of its own table begins, or where it or its table is closed.
    """
    spans: list[Span] = []
    open_cells: list[int | None] = [None]

    def close(end: int) -> None:
        number, open_cells[-1] = open_cells[-1], None
        if number is None:
            return
        start = spans[number][0]
        inside = text.text[start:end]
        start += len(inside) - len(inside.lstrip())
        spans[number] = text.raw(start, start + len(inside.strip()))

    for match in _STRUCTURE.finditer(text.text):
        tag = match["tag"].lower()
        if tag == "table" and not match["slash"]:
            if open_cells[-1] is not None:
                open_cells.append(None)
            continue
        close(match.start())
        if tag == "table" and len(open_cells) > 1:
            open_cells.pop()
        elif tag in _CELLS and not match["slash"]:
            open_cells[-1] = len(spans)
            spans.append((match.end(), match.end()))
    while open_cells:
        close(len(text.text))
        open_cells.pop()
    return spans


def _rewrite_coords(match: re.Match[str]) -> str:
    bins = " ".join(re.findall(r"\d+|<loc>", match["locs"])).replace("<loc>", "none")
    rest = match["end"].strip() if match["quote"] else ""
    # Without quotes what follows the tokens is the tag's next attribute, not a part of the value.
    after = "" if match["quote"] else match["end"]
    return f'{match[1]}coords="{bins} {rest}" {after}'


def _read_html(html: str, notes: Notes) -> _Element | None:
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", recover=True, no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(html.encode(), parser)
    except etree.XMLSyntaxError:
        return None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        notes.add("table-too-deep", "Tags are nested too deep; what is inside them is lost.")
    return root


class _Reader:
    """Walks the elements of one document and gathers the cells of its first table."""

    def __init__(self, notes: Notes, spans: Sequence[Span], *, has_table: bool) -> None:
        self.notes = notes
        self._spans = spans
        self._numbers = frozenset(map(str, range(len(spans))))
        self.groups: list[list[list[RawCell]]] = []
        self._has_table = has_table
        self._table: _Element | None = None
        self._done = False
        self._nested = 0
        self._group: _Element | None = None
        self._open_group: object = self
        self._row: list[RawCell] | None = None
        self._row_element: _Element | None = None
        self._cell: RawCell | None = None
        self._cell_element: _Element | None = None
        self._texts: list[str] = []

    def start(self, element: _Element) -> None:
        tag = str(element.tag)
        if self._done:
            if tag == "table":
                self.notes.add("table-second-table", "More than one table was written; the first was read.")
        elif tag == "table" and self._table is None:
            self._table = element
        elif tag == "table" and self._cell is not None:
            self._nested += 1
            self.notes.add("table-nested-table", "A table inside a cell was read as text of that cell.")
        elif not self._nested and (self._table is not None or not self._has_table):
            self._start_structure(element, tag)
        if tag in _BREAKS:
            self._texts.append(" ")
        self.text(element.text)

    def end(self, element: _Element) -> None:
        tag = str(element.tag)
        if tag in _BREAKS:
            self._texts.append(" ")
        if tag == "table" and self._nested:
            self._nested -= 1
        elif element is self._cell_element:
            self._close_cell()
        elif element is self._row_element:
            self._close_row()
        elif element is self._group:
            self._close_row()
            self._group = None
        elif element is self._table:
            self._close_row()
            self._done = True
        self.text(element.tail)

    def text(self, text: str | None) -> None:
        if not text:
            return
        if self._cell is not None:
            self._texts.append(text)
        elif text.strip():
            inside = self._table is not None and not self._done
            code = "table-stray-text" if inside else "table-text-outside"
            self.notes.add(code, f"Left out: {quote(text)}.")

    def finish(self) -> None:
        self._close_row()

    def _start_structure(self, element: _Element, tag: str) -> None:
        if tag in _GROUPS:
            self._close_row()
            self._group = element
        elif tag == "tr":
            self._open_row()
            self._row_element = element
        elif tag in _CELLS:
            self._close_cell()
            if self._row is None:
                self.notes.add("table-row-without-tr", "Cells stand in no <tr>.")
                self._open_row()
            if self._table is None and "table-no-table-tag" not in self.notes:
                self.notes.add("table-no-table-tag", "The cells stand in no <table>.")
            self._cell_element = element
            self._cell = self._new_cell(element, tag)

    def _new_cell(self, element: _Element, tag: str) -> RawCell:
        in_head = self._group is not None and self._group.tag == "thead"
        coords = element.get("coords")
        number = element.get(_NUMBER)
        return RawCell(
            row_span=self._span(element, "rowspan", 0, MAX_ROW_SPAN),
            col_span=self._span(element, "colspan", 1, MAX_COLS),
            is_header=in_head or tag == "th",
            bbox=None if coords is None else self._box(coords.split()),
            span=self._spans[int(number)] if number in self._numbers else None,
        )

    def _open_row(self) -> None:
        self._close_row()
        self._row = []
        if self._open_group is not self._group or not self.groups:
            self.groups.append([])
            self._open_group = self._group
        self.groups[-1].append(self._row)

    def _close_row(self) -> None:
        self._close_cell()
        self._row = self._row_element = None

    def _close_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        text = "".join(self._texts)
        bins = _TEXT_LOCS.findall(text)
        if bins:
            text = _TEXT_LOCS.sub("", text)
            self.notes.add("table-stray-loc", f"Location tokens stood in the cell {quote(text)}.")
        self._cell.text = tidy(text)
        self._row.append(self._cell)
        self._cell = self._cell_element = None
        self._texts.clear()

    def _span(self, element: _Element, name: str, low: int, high: int) -> int:
        value = element.get(name)
        if value is None:
            return 1
        match = _DIGITS.match(value)
        number = int(match[1]) if match else 1
        span = min(max(number, low), high)
        if span != number or match is None or match.end() != len(value.rstrip()):
            self.notes.add("table-bad-span", f"{name}={quote(value)} was read as {span}.")
        return span

    def _box(self, bins: Sequence[str]) -> BBox | None:
        box, fault = box_from_bins([int(value) if value.isdecimal() else -1 for value in bins])
        if fault is None:
            return box
        self.notes.add("table-bad-box", f"The box of a cell has {_BOX_FAULTS[fault]}.")
        return None


def _read_groups(root: _Element, notes: Notes, spans: Sequence[Span]) -> Iterator[list[list[RawCell]]]:
    from lxml import etree

    reader = _Reader(notes, spans, has_table=next(root.iter("table"), None) is not None)
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            reader.start(element)
        else:
            reader.end(element)
    reader.finish()
    return iter(reader.groups)


def _note_loops(cells: Sequence[Cell], notes: Notes) -> None:
    rows = [
        tuple((cell.col, cell.row_span, cell.col_span, cell.text) for cell in row)
        for _, row in groupby(cells, key=lambda cell: cell.row)
    ]
    for row, run in groupby(rows):
        length = sum(1 for _ in run)
        if length >= _LOOP_ROWS and any(cell[-1] for cell in row):
            notes.add("table-repeated-rows", f"{length} equal rows follow each other.")
