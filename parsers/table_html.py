"""Rows of cells from a table in HTML, as a model writes it.

lxml parses it (libxml2's forgiving HTML parser). Before that, what lxml would lose is turned into plain text:
a raw ``<``, and the location tokens in attributes. Each cell keeps the span of its text in the model's
answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from docai.geometry import BBox
from docai.parsers.base import IssueLog, Span, TrackedText, quote
from docai.parsers.locations import BOX_FAULTS, LOC, box_from_bins, remove_locations
from docai.parsers.marks import is_footnote_mark, split_marks
from docai.parsers.table_grid import MAX_COLS, MAX_ROW_SPAN, RawCell, RowGroup, tidy

if TYPE_CHECKING:
    from lxml.etree import _Element

_GROUP_TAGS = frozenset({"thead", "tbody", "tfoot"})

_CELL_TAG_NAMES = frozenset({"td", "th"})

_BREAK_TAGS = frozenset({"br", "p", "div", "li", "ul", "ol", "td", "th", "tr", "table", "hr"})

_KNOWN_TAGS = (
    "table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col|html|head|body|meta|title|style|script|"
    "b|i|u|s|em|strong|small|big|sup|sub|span|font|mark|code|tt|a|p|br|div|center|hr|img|ul|ol|li"
)

# A '<' that opens none of these tags is text: lxml would read the '<y' of 'x <y' as a tag and drop it.
_RAW_LESS_THAN = re.compile(rf"<(?!/?(?:{_KNOWN_TAGS})(?:\s[^<>]*)?/?>|!--|!doctype)", re.IGNORECASE)

_LOCATIONS = r"(?:<loc\d*>\s*)*"

_COORDS_ATTRIBUTE = re.compile(
    rf"(<t[dh]\b[^<>]*?)\bcoords\s*=\s*(?P<quote>[\"']?)\s*(?P<locs>{_LOCATIONS})(?P<end>[^<>\"']*)[\"']?",
    re.IGNORECASE,
)

_CELL_ATTRIBUTES = re.compile(r"(<t[dh]\s)([^<>]*)", re.IGNORECASE)

_SPAN_QUOTES = re.compile(r"\b((?:col|row)span\s*=\s*)[\"']?(-?\w+)[\"']?(?=[\s/]|\Z)", re.IGNORECASE)

# Possessive and atomic groups keep the search linear: a model may write a tag that never ends.
_CUT_TAG = re.compile(
    r"<(?:t[dh]\b(?>[^<>]*?\bcoords\s*=)\s*+[\"']?+(?:<loc\d*>\s*)*+(?:<[loc]{0,3}+\d*+)?[^<>]*|/?[a-z!][^<>]*|/?)\Z",
    re.IGNORECASE,
)

_ATTRIBUTE_NAMES = re.compile(r"(?:\A|\s)(coords|colspan|rowspan)\s*=", re.IGNORECASE)

_NUMBER_ATTRIBUTE = "docai-number"

# What may follow a tag's name once every other '<' has been escaped.
_REST_OF_TAG = r"(?:\s[^<>]*)?/?>"

_CELL_OPENING = re.compile(rf"<t[dh](?={_REST_OF_TAG})", re.IGNORECASE)

_STRUCTURE_TAG = re.compile(
    rf"<(?P<slash>/?)(?P<tag>t[dhr]|thead|tbody|tfoot|table){_REST_OF_TAG}", re.IGNORECASE
)

_SPAN_NUMBER = re.compile(r"\s*\+?(\d{1,9})")


def read_html(text: TrackedText, log: IssueLog) -> tuple[list[RowGroup], bool]:
    """The row groups of the first table, and whether the text marks its header rows.

    A ``<th>`` or any row group marks them: ``<tbody>`` without ``<thead>`` means that there are none.
    """
    _clean_html(text, log)
    root = _parse(_number_cells(text.text), log)
    if root is None:
        return [], True
    return _read_groups(root, log, _find_cell_spans(text))


def _clean_html(text: TrackedText, log: IssueLog) -> None:
    """Rewrite the text so that lxml reads it as intended: no ``<`` in attribute values, none unescaped."""
    if "</table" not in text.text.lower():
        n_cut = text.replace(_CUT_TAG, "")
        if n_cut or "<table" in text.text.lower():
            log.add("table-truncated", "The HTML ends before </table>, so rows may be missing.")
    text.replace(_COORDS_ATTRIBUTE, _rewrite_coords)
    for match in _CELL_ATTRIBUTES.finditer(text.text):
        names = [name.lower() for name in _ATTRIBUTE_NAMES.findall(match[2])]
        if len(set(names)) < len(names):
            log.add("table-repeated-attribute", f"An attribute occurs twice in {quote(match[0])}.")
    text.replace(_CELL_ATTRIBUTES, lambda match: match[1] + _SPAN_QUOTES.sub(r'\1"\2"', match[2]))
    n_raw = text.replace(_RAW_LESS_THAN, "&lt;")
    # A location token in a cell's text is logged later, where the cell is read.
    n_raw -= len(LOC.findall(text.text.replace("&lt;", "<"))) if n_raw else 0
    if n_raw > 0:
        log.add("table-raw-less-than", "A '<' that does not start an HTML tag was read as text.", count=n_raw)


def _number_cells(html: str) -> str:
    """The HTML with a number in each cell's tag, which links lxml's element to its place in the text."""
    numbers = count()
    return _CELL_OPENING.sub(lambda match: f"{match[0]} {_NUMBER_ATTRIBUTE}={next(numbers)} ", html)


def _find_cell_spans(text: TrackedText) -> list[Span]:
    """The span of each cell's text in the model's answer, in the order of the cells' tags.

    A cell ends where the next cell, row or group of its own table begins, or where it or its table is closed.
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

    for match in _STRUCTURE_TAG.finditer(text.text):
        tag = match["tag"].lower()
        if tag == "table" and not match["slash"]:
            if open_cells[-1] is not None:
                open_cells.append(None)
            continue
        close(match.start())
        if tag == "table" and len(open_cells) > 1:
            open_cells.pop()
        elif tag in _CELL_TAG_NAMES and not match["slash"]:
            open_cells[-1] = len(spans)
            spans.append((match.end(), match.end()))
    while open_cells:
        close(len(text.text))
        open_cells.pop()
    return spans


def _rewrite_coords(match: re.Match[str]) -> str:
    bins = " ".join(re.findall(r"\d+|<loc>", match["locs"])).replace("<loc>", "none")
    rest = match["end"].strip() if match["quote"] else ""
    # Without quotes, what follows the tokens is the tag's next attribute, not part of the value.
    after = "" if match["quote"] else match["end"]
    return f'{match[1]}coords="{bins} {rest}" {after}'


def _parse(html: str, log: IssueLog) -> _Element | None:
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", recover=True, no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(html.encode(), parser)
    except etree.XMLSyntaxError:
        return None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        log.add("table-too-deep", "Tags are nested too deeply; their content was lost.")
    # libxml2 does not report end tags that HTML allows to be omitted.
    for entry in parser.error_log:
        if entry.type_name == "ERR_TAG_NAME_MISMATCH":
            log.add("table-tag-mismatch", f"{entry.message}.")
    return root


class _TableWalker:
    """Visits the elements of one document and collects the cells of its first table."""

    def __init__(self, log: IssueLog, spans: Sequence[Span], *, has_table: bool) -> None:
        self.log = log
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
        self._raised: list[int] = []
        """Where in the texts the last ``<sup>`` of the cell begins, and where it ends."""

    def start(self, element: _Element) -> None:
        tag = str(element.tag)
        if self._done:
            if tag == "table":
                self.log.add(
                    "table-second-table", "The answer has more than one table; only the first was read."
                )
        elif tag == "table" and self._table is None:
            self._table = element
        elif tag == "table" and self._cell is None:
            self.log.add("table-tag-mismatch", "A <table> is inside another <table> but not in a cell.")
        elif tag == "table":
            self._nested += 1
            self.log.add("table-nested-table", "A table inside a cell was read as the text of that cell.")
        elif not self._nested and (self._table is not None or not self._has_table):
            self._start_structure(element, tag)
        if tag in _BREAK_TAGS:
            self._texts.append(" ")
        if tag == "sup":
            self._raised = [len(self._texts)]
        self.text(element.text)

    def end(self, element: _Element) -> None:
        tag = str(element.tag)
        if tag in _BREAK_TAGS:
            self._texts.append(" ")
        if tag == "sup" and len(self._raised) == 1:
            self._raised.append(len(self._texts))
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
            self.log.add(code, f"Text outside the table cells was ignored: {quote(text)}.")

    def finish(self) -> None:
        self._close_row()

    def _start_structure(self, element: _Element, tag: str) -> None:
        self.declares_head |= tag in _GROUP_TAGS or tag == "th"
        if tag in _GROUP_TAGS:
            if self._group is not None:
                self.log.add("table-tag-mismatch", f"A <{tag}> is inside a <{self._group.tag}>.")
            self._close_row()
            self._group = element
        elif tag == "tr":
            self._open_row()
            self._row_element = element
        elif tag in _CELL_TAG_NAMES:
            self._close_cell()
            if self._row is None:
                self.log.add("table-row-without-tr", "Cells were outside any <tr>; a row was added for them.")
                self._open_row()
            if self._table is None and "table-no-table-tag" not in self.log:
                self.log.add(
                    "table-no-table-tag", "The cells were outside any <table>; a table was added around them."
                )
            self._cell_element = element
            self._cell = self._new_cell(element, tag)

    def _new_cell(self, element: _Element, tag: str) -> RawCell:
        in_head = self._group is not None and self._group.tag == "thead"
        coords = element.get("coords")
        number = element.get(_NUMBER_ATTRIBUTE)
        return RawCell(
            row_span=self._read_span(element, "rowspan", 0, MAX_ROW_SPAN),
            col_span=self._read_span(element, "colspan", 1, MAX_COLS),
            is_header=in_head or tag == "th",
            bbox=None if coords is None else self._read_box(coords.split()),
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
            text = remove_locations(text)
            self.log.add(
                "table-stray-loc", f"Location tokens in the text of the cell {quote(text)} were removed."
            )
        self._cell.text, self._cell.marks = tidy(text), ()
        if len(self._raised) == 2 and not "".join(self._texts[self._raised[1] :]).strip():
            base = tidy("".join(self._texts[: self._raised[0]]))
            mark = tidy("".join(self._texts[slice(*self._raised)]))
            if base and not LOC.search(base) and is_footnote_mark(base, mark):
                self._cell.text, self._cell.marks = base, split_marks(mark)
        self._row.append(self._cell)
        self._cell = self._cell_element = None
        self._texts.clear()
        self._raised = []

    def _read_span(self, element: _Element, name: str, low: int, high: int) -> int:
        value = element.get(name)
        if value is None:
            return 1
        match = _SPAN_NUMBER.match(value)
        number = int(match[1]) if match else 1
        span = min(max(number, low), high)
        if span != number or match is None or match.end() != len(value.rstrip()):
            self.log.add("table-bad-span", f"{name}={quote(value)} was read as {span}.")
        return span

    def _read_box(self, bins: Sequence[str]) -> BBox | None:
        numbers = [int(value) if len(value) == 4 and value.isdecimal() else -1 for value in bins]
        box, fault = box_from_bins(numbers)
        if fault is None:
            return box
        self.log.add("table-bad-box", f"A cell's box has {BOX_FAULTS[fault]} and was dropped.")
        return None


def _read_groups(root: _Element, log: IssueLog, spans: Sequence[Span]) -> tuple[list[RowGroup], bool]:
    from lxml import etree

    reader = _TableWalker(log, spans, has_table=next(root.iter("table"), None) is not None)
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            reader.start(element)
        else:
            reader.end(element)
    reader.finish()
    return list(reader.groups), reader.declares_head
