"""Powers in the cells of a table, which look like numbers with footnote marks."""

from __future__ import annotations

from docai.contents import Cell, TableContent
from docai.parsers.marks import are_powers, superscript
from docai.parsers.table_grid import head_rows, table_content


def keep_powers(content: TableContent) -> TableContent:
    """The table with the powers of a column whole: no marks apart from their numbers."""
    n_head = head_rows(content)
    body: dict[int, list[Cell]] = {}
    for cell in content.cells:
        if cell.row >= n_head and cell.text:
            body.setdefault(cell.col, []).append(cell)
    columns = {col for col, cells in body.items() if are_powers(map(_written, cells))}
    if not columns:
        return content
    cells = [
        cell.model_copy(update={"text": _written(cell), "marks": []})
        if cell.row >= n_head and cell.col in columns
        else cell
        for cell in content.cells
    ]
    return table_content(cells, content.n_rows, content.n_cols)


def _written(cell: Cell) -> str:
    return cell.text + ",".join(superscript(mark) for mark in cell.marks)
