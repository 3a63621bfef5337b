"""HTML as models write it, to the rows of cells that it names.

lxml reads it (libxml2's forgiving HTML parser); before, what lxml would lose is made text: a raw ``<``, and
the location tokens in attributes. Each cell keeps the place of its text in the model's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from docai.geometry import BBox
from docai.parsers.base import Notes, Span, TracedText, quote
from docai.parsers.locations import BOX_FAULTS, LOC, box_from_bins, without_locs
from docai.parsers.table_grid import MAX_COLS, MAX_ROW_SPAN, RawCell, RowGroup, tidy

if TYPE_CHECKING:
    from lxml.etree import _Element

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

_CELL_TAGS = re.compile(r"(<t[dh]\s)([^<>]*)", re.IGNORECASE)

_SPAN_QUOTES = re.compile(r"\b((?:col|row)span\s*=\s*)[\"']?(-?\w+)[\"']?(?=[\s/]|\Z)", re.IGNORECASE)

# Possessive and atomic parts keep each search linear: a model may write one endless tag.
_CUT_TAG = re.compile(
    r"<(?:t[dh]\b(?>[^<>]*?\bcoords\s*=)\s*+[\"']?+(?:<loc\d*>\s*)*+(?:<[loc]{0,3}+\d*+)?[^<>]*|/?[a-z!][^<>]*|/?)\Z",
    re.IGNORECASE,
)

_ATTRIBUTES = re.compile(r"(?:\A|\s)(coords|colspan|rowspan)\s*=", re.IGNORECASE)

_NUMBER = "docai-number"

# What may follow the name of a tag once every other '<' is text.
_REST_OF_TAG = r"(?:\s[^<>]*)?/?>"

_CELL_TAG = re.compile(rf"<t[dh](?={_REST_OF_TAG})", re.IGNORECASE)

_STRUCTURE = re.compile(
    rf"<(?P<slash>/?)(?P<tag>t[dhr]|thead|tbody|tfoot|table){_REST_OF_TAG}", re.IGNORECASE
)

_DIGITS = re.compile(r"\s*\+?(\d{1,9})")


def read_html(text: TracedText, notes: Notes) -> tuple[list[RowGroup], bool]:
    """The row groups of the first table, and whether the text says which rows are its head.

    It does where there is a ``<th>`` or any row group: ``<tbody>`` without ``<thead>`` says that none are.
    """
    _prepare(text, notes)
    root = _parse(_numbered(text.text), notes)
    if root is None:
        return [], True
    return _read_groups(root, notes, _cell_spans(text))


def _prepare(text: TracedText, notes: Notes) -> None:
    """Make the text HTML that lxml reads as it was meant: no ``<`` in attributes or raw in text."""
    if "</table" not in text.text.lower():
        n_cut = text.replace(_CUT_TAG, "")
        if n_cut or "<table" in text.text.lower():
            notes.add("table-truncated", "The HTML ends before </table>: rows may be missing.")
    text.replace(_COORDS, _rewrite_coords)
    for match in _CELL_TAGS.finditer(text.text):
        names = [name.lower() for name in _ATTRIBUTES.findall(match[2])]
        if len(set(names)) < len(names):
            notes.add("table-repeated-attribute", f"An attribute stands twice in {quote(match[0])}.")
    text.replace(_CELL_TAGS, lambda match: match[1] + _SPAN_QUOTES.sub(r'\1"\2"', match[2]))
    n_raw = text.replace(_RAW_LESS_THAN, "&lt;")
    # A location token in a cell's text is met again, and noted, where the cell is read.
    n_raw -= len(LOC.findall(text.text.replace("&lt;", "<"))) if n_raw else 0
    if n_raw > 0:
        notes.add("table-raw-less-than", "A '<' that opens no HTML tag was read as text.", count=n_raw)


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


def _parse(html: str, notes: Notes) -> _Element | None:
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
    # An end tag that HTML lets be left out is no mismatch.
    for entry in parser.error_log:
        if entry.type_name == "ERR_TAG_NAME_MISMATCH":
            notes.add("table-tag-mismatch", f"{entry.message}.")
    return root


class _Reader:
    """Walks the elements of one document and gathers the cells of its first table."""

    def __init__(self, notes: Notes, spans: Sequence[Span], *, has_table: bool) -> None:
        self.notes = notes
        self._spans = spans
        self._numbers = frozenset(map(str, range(len(spans))))
        self.groups: list[list[list[RawCell]]] = []
        self.declares_head = False
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
        elif tag == "table" and self._cell is None:
            self.notes.add("table-tag-mismatch", "A <table> stands in a <table>, and in no cell.")
        elif tag == "table":
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
        self.declares_head |= tag in _GROUPS or tag == "th"
        if tag in _GROUPS:
            if self._group is not None:
                self.notes.add("table-tag-mismatch", f"A <{tag}> stands in a <{self._group.tag}>.")
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
        if LOC.search(text):
            text = without_locs(text)
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
        numbers = [int(value) if len(value) == 4 and value.isdecimal() else -1 for value in bins]
        box, fault = box_from_bins(numbers)
        if fault is None:
            return box
        self.notes.add("table-bad-box", f"The box of a cell has {BOX_FAULTS[fault]}.")
        return None


def _read_groups(root: _Element, notes: Notes, spans: Sequence[Span]) -> tuple[list[RowGroup], bool]:
    from lxml import etree

    reader = _Reader(notes, spans, has_table=next(root.iter("table"), None) is not None)
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            reader.start(element)
        else:
            reader.end(element)
    reader.finish()
    return list(reader.groups), reader.declares_head
