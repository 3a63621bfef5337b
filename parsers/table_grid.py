"""A rectangular grid from rows of cells with spans, and canonical HTML from the grid.

Cells are placed by the row processing algorithm of the HTML standard ("forming a table",
https://html.spec.whatwg.org/multipage/tables.html#forming-a-table). Where the standard lets cells overlap or
leaves positions empty, the grid is repaired and the repair is logged.

In canonical HTML every position of the grid is covered exactly once, spans are written only where they are
not 1, and ``<thead>`` contains ``<td>`` as in PubTabNet. Header cells below the head are ``<th>``, so that no
header flag is lost. Footnote marks are ``<sup>`` at the end of a cell, separated by commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from docai.contents import Cell, TableContent
from docai.geometry import BBox
from docai.parsers.base import IssueLog, Span, replace_invalid_chars
from docai.parsers.locations import write_bins
from docai.parsers.table_columns import describe_columns, find_head

MAX_COLS = 1000
"""Most columns of a grid; also the largest colspan of the HTML standard."""

MAX_ROW_SPAN = 65534
"""The largest rowspan of the HTML standard."""

MAX_PLACES = 1 << 16
"""Most positions (rows times columns) of a grid; no crop that a model can read shows more."""

_MAX_SINGLE_CELL_FILLERS = 4096
"""Above this number of missing positions, each gap gets one wide empty cell, which bounds the size."""

_CELL_TAG = re.compile(r"<t[dh]\b")

_HEAD_DETECTED_MESSAGE = (
    "The text marks no header; the first {} taken as header because columns of numbers start below."
)


@dataclass
class RawCell:
    """A cell as written, spans already in range; a ``row_span`` of 0 extends to the end of the row group."""

    text: str = ""
    row_span: int = 1
    col_span: int = 1
    is_header: bool = False
    bbox: BBox | None = None
    span: Span | None = None
    """The characters of the answer that its text was read from."""
    marks: Sequence[str] = ()
    """Footnote marks raised at its end."""


RowGroup = Sequence[Sequence[RawCell]]

CellSpans = dict[tuple[int, int], Span | None]
"""Row and column of a cell → the characters of the answer that it was read from."""


def build_table(
    groups: Iterable[RowGroup], log: IssueLog, spans: CellSpans | None = None, *, seek_head: bool = False
) -> TableContent:
    """Place the cells of each row group in turn and fill the gaps, so that the table is rectangular.

    Args:
        groups: row groups with their rows of cells.
        log: receives an issue for each repair.
        spans: receives an entry for each cell that was written; cells that fill gaps get none.
        seek_head: make headers of the rows that :func:`docai.parsers.table_columns.find_head` finds.
    """
    spans = {} if spans is None else spans
    cells: list[Cell] = []
    n_rows = 0
    for group in groups:
        cells += _place_group(group, n_rows, log, spans)
        n_rows += len(group)
    n_cols = _table_width(cells, n_rows, log)
    if n_cols == 0:
        return table_content((), 0, 0)
    if n_rows > MAX_PLACES // n_cols:
        n_rows = MAX_PLACES // n_cols
        log.add("table-too-large", f"The table is too large; rows after row {n_rows} were dropped.")
        cells = [cell for cell in cells if cell.row < n_rows]
        for cell in cells:
            cell.row_span = min(cell.row_span, n_rows - cell.row)
    cells = fill_grid(cells, n_rows, n_cols, log)
    if seek_head and (n_head := find_head(cells, n_rows, n_cols)):
        log.add(
            "table-header-detected",
            _HEAD_DETECTED_MESSAGE.format("row is" if n_head == 1 else f"{n_head} rows are"),
        )
        for cell in cells:
            cell.is_header = cell.row < n_head
    return table_content(cells, n_rows, n_cols)


def table_content(cells: Iterable[Cell], n_rows: int, n_cols: int) -> TableContent:
    """The table of a filled grid, with canonical HTML and columns derived from the cells."""
    cells = list(cells)
    rows = _group_by_row(cells, n_rows, n_cols)
    columns = describe_columns(cells, _count_head_rows(rows), n_cols)
    return TableContent(html=_write_html(rows), n_rows=n_rows, n_cols=n_cols, cells=cells, columns=columns)


def head_rows(content: TableContent) -> int:
    """Number of leading rows that consist of header cells only, none of which extends below them."""
    return _count_head_rows(_group_by_row(content.cells, content.n_rows, content.n_cols))


def fill_grid(cells: Iterable[Cell], n_rows: int, n_cols: int, log: IssueLog | None = None) -> list[Cell]:
    """The cells, which must not overlap, plus empty cells where positions are missing, in row order.

    An empty cell covers one position, or the whole gap in its row where thousands are missing. It is a header
    if all other cells that start in its row are.
    """
    ordered = sorted(cells, key=lambda cell: (cell.row, cell.col))
    gaps = list(_find_gaps(ordered, n_rows, n_cols))
    if not gaps:
        return ordered
    if log is not None:
        for row in dict.fromkeys(row for row, _, _ in gaps):
            log.add(
                "table-ragged-row",
                f"Row {row + 1} does not fill the {n_cols} columns of the table; empty cells were added.",
            )
    headers: dict[int, bool] = {}
    for cell in ordered:
        headers[cell.row] = cell.is_header and headers.get(cell.row, True)
    single = sum(width for _, _, width in gaps) <= _MAX_SINGLE_CELL_FILLERS
    for row, col, width in gaps:
        step = 1 if single else width
        ordered += [
            Cell(row=row, col=start, col_span=step, is_header=headers.get(row, False))
            for start in range(col, col + width, step)
        ]
    return sorted(ordered, key=lambda cell: (cell.row, cell.col))


def canonical_html(cells: Iterable[Cell], n_rows: int, n_cols: int) -> str:
    """Canonical HTML of a filled grid; :func:`docai.parsers.table.parse_table` gives the same cells back."""
    return _write_html(_group_by_row(cells, n_rows, n_cols))


def located_html(
    cells: Sequence[Cell], n_rows: int, n_cols: int, locate: Callable[[BBox], Sequence[int] | None]
) -> str:
    """As :func:`canonical_html`, with ``coords`` on the cells that have text and a box.

    Args:
        cells: by rows, from the left.
        n_rows: of the grid.
        n_cols: of the grid.
        locate: from a box to location bins ``y0 x0 y1 x1``; None: it is not in the crop.
    """
    # canonical_html writes the cells in this order: the n-th tag belongs to the n-th cell.
    cells_of_tags = iter(cells)

    def with_box(match: re.Match[str]) -> str:
        cell = next(cells_of_tags)
        bins = locate(cell.bbox) if cell.text and cell.bbox is not None else None
        return match[0] if bins is None else f'{match[0]} coords="{write_bins(bins)}"'

    return _CELL_TAG.sub(with_box, canonical_html(cells, n_rows, n_cols))


def plain_cells(cells: Iterable[Cell]) -> list[Cell]:
    """The cells with their footnote marks as part of the text, as ground truths write them."""
    return [
        cell.model_copy(update={"text": cell.printed, "marks": []}) if cell.marks else cell for cell in cells
    ]


def _group_by_row(cells: Iterable[Cell], n_rows: int, n_cols: int) -> list[list[Cell]]:
    """The cells grouped by the row in which they start."""
    rows: list[list[Cell]] = [[] for _ in range(n_rows)]
    for cell in cells:
        if cell.row < n_rows and cell.col < n_cols:
            rows[cell.row].append(cell)
    return rows


def _write_html(rows: Sequence[Sequence[Cell]]) -> str:
    n_head = _count_head_rows(rows)
    parts = ["<table>"]
    if n_head:
        parts += ["<thead>", *(_write_row(row, "td") for row in rows[:n_head]), "</thead>"]
    parts += ["<tbody>", *(_write_row(row, "th") for row in rows[n_head:]), "</tbody>", "</table>"]
    return "".join(parts)


def table_from_rows(rows: Sequence[Sequence[str | None]], *, header_rows: int = 1) -> TableContent:
    """A table from rows of texts, such as ``pymupdf.Table.extract()`` gives.

    None marks a position covered by another cell: the one to its left, or else the one above. The first
    ``header_rows`` rows are headers. Rows may differ in length.
    """
    n_rows, n_cols = len(rows), min(max((len(row) for row in rows), default=0), MAX_COLS)
    free = [[col < len(row) and row[col] is None for col in range(n_cols)] for row in rows]
    cells: list[Cell] = []
    for r, row in enumerate(rows):
        for c, text in enumerate(row[:n_cols]):
            if text is None:
                continue
            right = _end_of_run(free[r], c + 1)
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
    """A cell's text in canonical form: each run of white space is one space, and none is at the ends."""
    return " ".join(replace_invalid_chars(text)[0].split())


def _place_group(group: RowGroup, first_row: int, log: IssueLog, spans: CellSpans) -> Iterator[Cell]:
    """Cells of one row group. Occupied columns are bits of an integer, so that wide spans cost nothing."""
    busy = 0
    ending: dict[int, int] = {}
    last = first_row + len(group)
    for row, raw_cells in enumerate(group, start=first_row):
        busy &= ~ending.pop(row, 0)
        taken = busy
        col = 0
        for raw in raw_cells:
            col = _first_free_column(taken, col)
            if col >= MAX_COLS:
                log.add(
                    "table-too-large",
                    f"Row {row + 1} has more than {MAX_COLS} columns; the rest were dropped.",
                )
                break
            span = min(raw.col_span, MAX_COLS - col)
            blocked = (taken >> col) & ((1 << span) - 1)
            if blocked:
                span = _lowest_bit(blocked)
                log.add(
                    "table-overlap",
                    f"A cell of row {row + 1} overlaps one that spans down from above; it was narrowed.",
                )
            height = raw.row_span or last - row
            if row + height > last:
                height = last - row
                log.add(
                    "table-span-past-section",
                    f"A cell of row {row + 1} spans past the end of its row group; the span was cut.",
                )
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
                marks=list(raw.marks),
                is_header=raw.is_header,
                bbox=raw.bbox,
            )
            col += span


def _table_width(cells: Sequence[Cell], n_rows: int, log: IssueLog) -> int:
    """Number of columns, after cutting spans that are far too wide.

    By the standard a table is as wide as its widest row. If that would need more empty cells than there are
    cells, and the outer columns exist only because of spans, the spans are wrong, not the rows.
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
            log.add(
                "table-span-clipped",
                f"A cell of row {cell.row + 1} spans {cell.col_span} columns; the table has {anchored}.",
            )
            cell.col_span = anchored - cell.col
    return anchored


def _find_gaps(cells: Iterable[Cell], n_rows: int, n_cols: int) -> Iterator[tuple[int, int, int]]:
    """Runs of uncovered positions as (row, column, width), in row order."""
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


def _count_head_rows(rows: Sequence[Sequence[Cell]]) -> int:
    n_head = reach = 0
    for index, row in enumerate(rows):
        if not all(cell.is_header for cell in row) or (not row and reach <= index):
            break
        reach = max([reach, *(index + cell.row_span for cell in row)])
        if reach <= index + 1:
            n_head = index + 1
    return n_head


def _write_row(row: Iterable[Cell], header_tag: str) -> str:
    parts = []
    for cell in row:
        tag = header_tag if cell.is_header else "td"
        rowspan = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
        colspan = f' colspan="{cell.col_span}"' if cell.col_span > 1 else ""
        text = escape(cell.text, quote=False)
        if cell.marks:
            text += f"<sup>{escape(','.join(cell.marks), quote=False)}</sup>"
        parts.append(f"<{tag}{rowspan}{colspan}>{text}</{tag}>")
    return f"<tr>{''.join(parts)}</tr>"


def _first_free_column(taken: int, col: int) -> int:
    return col + _lowest_bit(~(taken >> col))


def _lowest_bit(bits: int) -> int:
    """Index of the lowest set bit; ``bits`` is not 0."""
    return (bits & -bits).bit_length() - 1


def _end_of_run(free: Sequence[bool], start: int) -> int:
    """The first index from ``start`` that is not free."""
    while start < len(free) and free[start]:
        start += 1
    return start
