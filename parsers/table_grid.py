"""From rows of cells with spans to a rectangular grid, and from the grid to canonical HTML.

The placing follows the algorithm for processing rows of the HTML standard ("forming a table",
https://html.spec.whatwg.org/multipage/tables.html#forming-a-table). Where the standard lets cells
overlap or leaves places empty, the grid is repaired and the repair is noted.

Canonical HTML has every place of the grid covered once, writes spans only where they are not 1, and
``<td>`` in ``<thead>`` as PubTabNet does. Header cells below the head are ``<th>``: no flag is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from docai.contents import Cell, TableContent
from docai.geometry import BBox
from docai.parsers.base import Notes, Span, replace_unholdable
from docai.parsers.table_columns import describe_columns, find_head

MAX_COLS = 1000
"""Columns of a grid, and the largest colspan of the HTML standard."""

MAX_ROW_SPAN = 65534
"""The largest rowspan of the HTML standard."""

MAX_PLACES = 1 << 16
"""Rows times columns of a grid; no crop that a model can read holds more."""

_MAX_SINGLE_FILLERS = 4096
"""More missing places than this are filled by one empty cell per gap, so that size stays linear."""

_HEAD_FOUND = "The text marks no head; the first {} taken for it, as columns of numbers begin below."


@dataclass
class RawCell:
    """A cell as written: spans already in range, ``row_span`` 0 meaning to the end of the row group."""

    text: str = ""
    row_span: int = 1
    col_span: int = 1
    is_header: bool = False
    bbox: BBox | None = None
    span: Span | None = None
    """Where its text stands in the model's."""


RowGroup = Sequence[Sequence[RawCell]]

CellSpans = dict[tuple[int, int], Span | None]
"""Row and column of a cell to the characters that it was read from."""


def lay_out(
    groups: Iterable[RowGroup], notes: Notes, spans: CellSpans | None = None, *, seek_head: bool = False
) -> TableContent:
    """Place the cells of each row group in turn and fill what is missing: a rectangular table.

    ``spans`` is given an entry for each cell that was written; those that fill gaps have none. With
    ``seek_head`` the rows that :func:`docai.parsers.table_columns.find_head` takes for the head become
    headers.
    """
    spans = {} if spans is None else spans
    cells: list[Cell] = []
    n_rows = 0
    for group in groups:
        cells += _place_group(group, n_rows, notes, spans)
        n_rows += len(group)
    n_cols = _width(cells, n_rows, notes)
    if n_cols == 0:
        return table_content((), 0, 0)
    if n_rows > MAX_PLACES // n_cols:
        n_rows = MAX_PLACES // n_cols
        notes.add("table-too-large", f"Rows after row {n_rows} were left out.")
        cells = [cell for cell in cells if cell.row < n_rows]
        for cell in cells:
            cell.row_span = min(cell.row_span, n_rows - cell.row)
    cells = fill_grid(cells, n_rows, n_cols, notes)
    if seek_head and (n_head := find_head(cells, n_rows, n_cols)):
        notes.add(
            "table-header-detected", _HEAD_FOUND.format("row is" if n_head == 1 else f"{n_head} rows are")
        )
        for cell in cells:
            cell.is_header = cell.row < n_head
    return table_content(cells, n_rows, n_cols)


def table_content(cells: Iterable[Cell], n_rows: int, n_cols: int) -> TableContent:
    """The table of a filled grid: its canonical HTML and its columns are made from the cells."""
    cells = list(cells)
    rows = _rows(cells, n_rows, n_cols)
    columns = describe_columns(cells, _head_rows(rows), n_cols)
    return TableContent(html=_html(rows), n_rows=n_rows, n_cols=n_cols, cells=cells, columns=columns)


def head_rows(content: TableContent) -> int:
    """Leading rows that hold nothing but header cells, none of which reaches below them."""
    return _head_rows(_rows(content.cells, content.n_rows, content.n_cols))


def fill_grid(cells: Iterable[Cell], n_rows: int, n_cols: int, notes: Notes | None = None) -> list[Cell]:
    """The cells, which must not overlap, with empty ones where places are missing, in row order.

    An empty cell covers one place; where thousands are missing, it covers the whole gap in its row. It
    is a header where all other cells that begin in its row are.
    """
    ordered = sorted(cells, key=lambda cell: (cell.row, cell.col))
    gaps = list(_gaps(ordered, n_rows, n_cols))
    if not gaps:
        return ordered
    if notes is not None:
        for row in dict.fromkeys(row for row, _, _ in gaps):
            notes.add("table-ragged-row", f"Row {row + 1} does not fill the {n_cols} columns of the table.")
    headers: dict[int, bool] = {}
    for cell in ordered:
        headers[cell.row] = cell.is_header and headers.get(cell.row, True)
    single = sum(width for _, _, width in gaps) <= _MAX_SINGLE_FILLERS
    for row, col, width in gaps:
        step = 1 if single else width
        ordered += [
            Cell(row=row, col=start, col_span=step, is_header=headers.get(row, False))
            for start in range(col, col + width, step)
        ]
    return sorted(ordered, key=lambda cell: (cell.row, cell.col))


def canonical_html(cells: Iterable[Cell], n_rows: int, n_cols: int) -> str:
    """Canonical HTML of a filled grid; :func:`docai.parsers.table.parse_table` gives the cells back."""
    return _html(_rows(cells, n_rows, n_cols))


def _rows(cells: Iterable[Cell], n_rows: int, n_cols: int) -> list[list[Cell]]:
    """The cells by the row that they begin in."""
    rows: list[list[Cell]] = [[] for _ in range(n_rows)]
    for cell in cells:
        if cell.row < n_rows and cell.col < n_cols:
            rows[cell.row].append(cell)
    return rows


def _html(rows: Sequence[Sequence[Cell]]) -> str:
    n_head = _head_rows(rows)
    parts = ["<table>"]
    if n_head:
        parts += ["<thead>", *(_row_html(row, "td") for row in rows[:n_head]), "</thead>"]
    parts += ["<tbody>", *(_row_html(row, "th") for row in rows[n_head:]), "</tbody>", "</table>"]
    return "".join(parts)


def table_from_rows(rows: Sequence[Sequence[str | None]], *, header_rows: int = 1) -> TableContent:
    """A table from rows of texts, such as ``pymupdf.Table.extract()`` gives.

    None marks a place that another cell covers: the cell to its left, or else the one above it. The
    first ``header_rows`` rows are headers. Rows may differ in length.
    """
    n_rows, n_cols = len(rows), min(max((len(row) for row in rows), default=0), MAX_COLS)
    free = [[col < len(row) and row[col] is None for col in range(n_cols)] for row in rows]
    cells: list[Cell] = []
    for r, row in enumerate(rows):
        for c, text in enumerate(row[:n_cols]):
            if text is None:
                continue
            right = _run(free[r], c + 1)
            down = r + 1
            limit = header_rows if r < header_rows else n_rows
            while down < limit and all(free[down][c:right]):
                down += 1
            for covered in free[r:down]:
                covered[c:right] = [False] * (right - c)
            cells.append(
                Cell(
                    row=r,
                    col=c,
                    row_span=down - r,
                    col_span=right - c,
                    text=tidy(text),
                    is_header=r < header_rows,
                )
            )
    return table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)


def tidy(text: str) -> str:
    """A cell's text as the canonical form has it: runs of white space are one space, none at the ends."""
    return " ".join(replace_unholdable(text)[0].split())


def _place_group(group: RowGroup, first_row: int, notes: Notes, spans: CellSpans) -> Iterator[Cell]:
    """Cells of one row group. Occupied columns are the set bits of an integer: spans cost nothing."""
    busy = 0
    ending: dict[int, int] = {}
    last = first_row + len(group)
    for row, raw_cells in enumerate(group, start=first_row):
        busy &= ~ending.pop(row, 0)
        taken = busy
        col = 0
        for raw in raw_cells:
            col = _first_free(taken, col)
            if col >= MAX_COLS:
                notes.add("table-too-large", f"Row {row + 1} has more than {MAX_COLS} columns.")
                break
            span = min(raw.col_span, MAX_COLS - col)
            blocked = (taken >> col) & ((1 << span) - 1)
            if blocked:
                span = _lowest_bit(blocked)
                notes.add(
                    "table-overlap", f"A cell of row {row + 1} runs into one that reaches down from above."
                )
            height = raw.row_span or last - row
            if row + height > last:
                height = last - row
                notes.add("table-span-past-section", f"A cell of row {row + 1} spans past its row group.")
            mask = ((1 << span) - 1) << col
            taken |= mask
            if height > 1:
                busy |= mask
                ending[row + height] = ending.get(row + height, 0) | mask
            spans[row, col] = raw.span
            yield Cell(
                row=row,
                col=col,
                row_span=height,
                col_span=span,
                text=raw.text,
                is_header=raw.is_header,
                bbox=raw.bbox,
            )
            col += span


def _width(cells: Sequence[Cell], n_rows: int, notes: Notes) -> int:
    """Columns of the table, after a span that is far too wide was cut.

    The standard makes the table as wide as its widest row. When that would need more empty cells than
    there are cells, and the outer columns exist only because of spans, the spans are wrong, not the rows.
    """
    width = max((cell.col + cell.col_span for cell in cells), default=0)
    anchored = max((cell.col for cell in cells), default=-1) + 1
    covered = sum(
        cell.row_span * (cell.col + cell.col_span - max(cell.col, anchored))
        for cell in cells
        if cell.col + cell.col_span > anchored
    )
    if (width - anchored) * n_rows - covered <= len(cells):
        return width
    for cell in cells:
        if cell.col + cell.col_span > anchored:
            notes.add(
                "table-span-clipped",
                f"A cell of row {cell.row + 1} spans {cell.col_span} columns; the table has {anchored}.",
            )
            cell.col_span = anchored - cell.col
    return anchored


def _gaps(cells: Iterable[Cell], n_rows: int, n_cols: int) -> Iterator[tuple[int, int, int]]:
    """Uncovered runs as (row, col, width), in row order."""
    starting: dict[int, list[Cell]] = {}
    for cell in cells:
        starting.setdefault(cell.row, []).append(cell)
    ending: dict[int, int] = {}
    busy = 0
    full = (1 << n_cols) - 1
    for row in range(n_rows):
        busy &= ~ending.pop(row, 0)
        for cell in starting.get(row, ()):
            mask = ((1 << cell.col_span) - 1) << cell.col
            busy |= mask
            end = row + cell.row_span
            ending[end] = ending.get(end, 0) | mask
        missing = full & ~busy
        while missing:
            col = _lowest_bit(missing)
            run = _lowest_bit(~(missing >> col))
            yield row, col, run
            missing &= ~(((1 << run) - 1) << col)


def _head_rows(rows: Sequence[Sequence[Cell]]) -> int:
    n_head = reach = 0
    for index, row in enumerate(rows):
        if not all(cell.is_header for cell in row) or (not row and reach <= index):
            break
        reach = max([reach, *(index + cell.row_span for cell in row)])
        if reach <= index + 1:
            n_head = index + 1
    return n_head


def _row_html(row: Iterable[Cell], header_tag: str) -> str:
    parts = []
    for cell in row:
        tag = header_tag if cell.is_header else "td"
        rowspan = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
        colspan = f' colspan="{cell.col_span}"' if cell.col_span > 1 else ""
        parts.append(f"<{tag}{rowspan}{colspan}>{escape(cell.text, quote=False)}</{tag}>")
    return f"<tr>{''.join(parts)}</tr>"


def _first_free(taken: int, col: int) -> int:
    return col + _lowest_bit(~(taken >> col))


def _lowest_bit(bits: int) -> int:
    """Index of the lowest set bit; ``bits`` is not 0."""
    return (bits & -bits).bit_length() - 1


def _run(free: Sequence[bool], start: int) -> int:
    """The first index from ``start`` that is not free."""
    while start < len(free) and free[start]:
        start += 1
    return start
