"""Two tables side by side: which cells differ, found by aligning rows, then the cells of each row.

Cells are rebuilt from what :func:`docai.parsers.table.parse_table` makes of an answer; the answer's own
HTML never gets into the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from docai.contents import Cell
from docai.parsers.table import parse_table
from docai.parsers.table_grid import plain_cells
from docai.pipelines.evaluation.base import Item, Prediction, Sample
from docai.pipelines.evaluation.report.alignment import align, outlined, pair_items
from docai.pipelines.evaluation.report.views import (
    Block,
    Entry,
    Grid,
    Look,
    Place,
    Remark,
    Sides,
    cut,
    entries,
    quoted,
)

MAX_ROWS = 60
MAX_COLS = 24
MAX_TABLES = 4
_MAX_HTML = 200_000
_MAX_CELL = 300
_MAX_CHARS = 16_000
"""Of all cells of a table together; each has its share, and a few at least."""
_MAX_ENTRIES = 20

_Row = list[Cell]
_Looks = dict[tuple[int, int], Look]


def compare_tables(sample: Sample, prediction: Prediction | None) -> Sides:
    """True and given tables, paired by where they lie."""
    truth = [item for item in sample.truth if item.kind == "table"]
    given = [item for item in prediction.items if item.kind == "table"] if prediction else []
    pairs = pair_items(truth, given)
    sides = Sides()
    for place, (true_item, given_item) in enumerate(pairs[:MAX_TABLES]):
        caption = f"Table {place + 1} of {len(pairs)}" if len(pairs) > 1 else ""
        _add(sides, true_item, given_item, caption)
    if len(pairs) > MAX_TABLES:
        sides.difference.append(Remark(f"{len(pairs) - MAX_TABLES} more tables are not shown."))
    if sample.unit == "page":
        sides.outlines += outlined(pairs)
    return sides


def _add(sides: Sides, truth: Item | None, given: Item | None, caption: str) -> None:
    old, new = _rows(truth), _rows(given)
    old_looks: _Looks = {}
    new_looks: _Looks = {}
    differences = list(_differences(old[:MAX_ROWS], new[:MAX_ROWS], old_looks, new_looks))
    sides.truth += _blocks(truth, old, old_looks, caption, "There is no such table in the truth.")
    sides.prediction += _blocks(given, new, new_looks, caption, "No table was given.")
    if truth is None or given is None:
        missing = "was invented" if truth is None else "was not given"
        sides.difference.append(Remark(f"{caption or 'The table'} {missing}."))
        return
    n_cells = sum(map(len, old))
    head = f"{caption}: " if caption else ""
    shape = (
        f"{_shape(old)} cells in the truth, {_shape(new)} given"
        if _shape(old) != _shape(new)
        else (f"{_shape(old)} cells on both sides")
    )
    sides.difference.append(Remark(f"{head}{shape}; {len(differences)} of {n_cells} differ."))
    if differences:
        sides.difference.append(entries(differences, _MAX_ENTRIES))


def _rows(item: Item | None) -> list[_Row]:
    """Cells by the row they begin in."""
    if item is None:
        return []
    cells: Sequence[Cell] = item.cells
    if item.text.strip():
        cells = parse_table(item.text[:_MAX_HTML], seek_head=False).content.cells
    rows: list[_Row] = [[] for _ in range(max((cell.row + 1 for cell in cells), default=0))]
    for cell in sorted(plain_cells(cells), key=lambda cell: (cell.row, cell.col)):
        rows[cell.row].append(cell)
    return rows


def _shape(rows: Sequence[_Row]) -> str:
    width = max((cell.col + cell.col_span for row in rows for cell in row), default=0)
    return f"{len(rows)} × {width}"


def _differences(
    old: Sequence[_Row], new: Sequence[_Row], old_looks: _Looks, new_looks: _Looks
) -> Iterator[Entry]:
    from rapidfuzz.fuzz import ratio

    def row_likeness(a: _Row, b: _Row) -> float:
        texts = [" ".join(cell.text for cell in row if cell.text) for row in (a, b)]
        return ratio(*texts) / 100 if any(texts) else 1.0

    def cell_likeness(a: Cell, b: Cell) -> float:
        same_place = 0.2 * (a.col == b.col)
        return 0.8 * (ratio(a.text, b.text) / 100 if a.text or b.text else 0.3) + same_place

    for i, j in align(old, new, row_likeness):
        left, right = old[i] if i is not None else [], new[j] if j is not None else []
        for k, m in align(left[:MAX_COLS], right[:MAX_COLS], cell_likeness):
            a = left[k] if k is not None else None
            b = right[m] if m is not None else None
            look, text = _verdict(a, b)
            if a is not None:
                old_looks[a.row, a.col] = look
            if b is not None:
                new_looks[b.row, b.col] = look
            if look != "same":
                cell = a or b
                assert cell is not None
                yield Entry(look, text, f"row {cell.row + 1}, column {cell.col + 1}")


def _verdict(a: Cell | None, b: Cell | None) -> tuple[Look, str]:
    if a is None or b is None:
        cell = a or b
        assert cell is not None
        return ("invented" if a is None else "missed"), quoted(cell.text)
    if a.text != b.text:
        return "misread", f"{quoted(a.text)} → {quoted(b.text)}"
    if (a.row_span, a.col_span) != (b.row_span, b.col_span):
        return "shape", f"spans {a.row_span} × {a.col_span} → {b.row_span} × {b.col_span}"
    if a.is_header != b.is_header:
        return "shape", "a header in the truth only" if a.is_header else "a header in the prediction only"
    return "same", ""


def _blocks(
    item: Item | None, rows: Sequence[_Row], looks: _Looks, caption: str, nothing: str
) -> Iterator[Block]:
    if item is None:
        yield Remark(nothing)
        return
    if not rows:
        yield Remark(f"{caption + ': ' if caption else ''}No cell could be read from the answer.")
        if item.text:
            yield Remark(f"It begins {quoted(item.text, 200)}")
        return
    n_shown = sum(len(row[:MAX_COLS]) for row in rows[:MAX_ROWS])
    most = min(_MAX_CELL, max(12, _MAX_CHARS // n_shown))
    yield Grid(
        [
            [
                Place(
                    cut(cell.text, most),
                    min(cell.row_span, MAX_ROWS - cell.row),
                    min(cell.col_span, MAX_COLS - cell.col),
                    cell.is_header,
                    looks.get((cell.row, cell.col), "same"),
                )
                for cell in row
                if cell.col < MAX_COLS
            ]
            for row in rows[:MAX_ROWS]
        ],
        caption,
    )
    if len(rows) > MAX_ROWS:
        yield Remark(f"{len(rows) - MAX_ROWS} more rows are not shown.")
    if any(cell.col >= MAX_COLS for row in rows for cell in row):
        yield Remark(f"Columns after column {MAX_COLS} are not shown.")
