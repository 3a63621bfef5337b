"""A table as HTML, CSV, Markdown and DataFrame: what the methods of :class:`docai.Table` do.

Each starts from the cells alone, so that a table whose cells were changed comes out as it is now. Places that
no cell covers are empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from docai.contents import TableContent
from docai.errors import needs
from docai.parsers.marks import superscript
from docai.parsers.table_columns import column_names, read_columns
from docai.parsers.table_grid import canonical_html, fill_grid, head_rows

if TYPE_CHECKING:
    import pandas

# Where CommonMark or GFM would see markup; an underscore inside a word is none.
_MARKUP = re.compile(r"[\\|`*~\[\]]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_BREAKS = re.compile(r"\r\n|\r|\n")


def to_html(table: TableContent) -> str:
    """See :meth:`TableExports.to_html`."""
    cells = fill_grid(table.cells, table.n_rows, table.n_cols)
    return canonical_html(cells, table.n_rows, table.n_cols)


def to_csv(table: TableContent, *, delimiter: str = ",", repeat_spans: bool = False) -> str:
    """See :meth:`TableExports.to_csv`."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(grid_of_texts(table, repeat_spans=repeat_spans))
    return text.getvalue()


def to_markdown(table: TableContent, *, repeat_spans: bool = False) -> str:
    """See :meth:`TableExports.to_markdown`. Ends with a newline; empty without columns.

    GFM tables: https://github.github.com/gfm/#tables-extension-. They have one header row always, which is
    empty where the table has no head.
    """
    if not table.n_cols:
        return ""
    n_head = head_rows(table)
    texts = grid_of_texts(table, repeat_spans=repeat_spans)[n_head:]
    columns = read_columns(list(zip(*texts, strict=True)) if texts else [()] * table.n_cols)
    rows = grid_of_texts(table, repeat_spans=repeat_spans, with_marks=True)[n_head:]
    rule = ["---:" if column.is_numeric else "---" for column in columns]
    names = column_names(table.cells, n_head, table.n_cols)
    lines = [map(_escaped, names), rule, *(map(_escaped, row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_dataframe(table: TableContent, *, typed: bool = True, repeat_spans: bool = False) -> pandas.DataFrame:
    """See :meth:`TableExports.to_dataframe`.

    Raises:
        MissingDependencyError: pandas is not installed.
    """
    with needs("pandas", "A DataFrame"):
        import pandas
    n_head = head_rows(table)
    rows = grid_of_texts(table, repeat_spans=repeat_spans)[n_head:]
    texts = [[row[col] for row in rows] for col in range(table.n_cols)]
    labels: Sequence[str | int] = range(table.n_cols)
    if n_head:
        labels = _unique(column_names(table.cells, n_head, table.n_cols))
    series = []
    units: dict[str | int, str] = {}
    for label, words, column in zip(labels, texts, read_columns(texts), strict=True):
        if not (typed and column.is_numeric):
            values = pandas.array([word or None for word in words], dtype="string")
        elif all(value is None or isinstance(value, int) for value in column.values):
            values = pandas.array(list(column.values), dtype="Int64")
        else:
            values = pandas.array(list(column.values), dtype="Float64")
        series.append(pandas.Series(values))
        if typed and column.unit is not None:
            units[label] = column.unit
    frame = pandas.concat(series, axis=1) if series else pandas.DataFrame()
    frame.columns = pandas.Index(labels)
    frame.attrs["units"] = units
    return frame


def grid_of_texts(
    table: TableContent, *, repeat_spans: bool = False, with_marks: bool = False
) -> list[list[str]]:
    """The texts by row and column: at the top left of each cell, or at all places that it covers.

    ``with_marks`` puts the footnote marks of a cell behind its text, as superscripts of Unicode.
    """
    grid = [[""] * table.n_cols for _ in range(table.n_rows)]
    for cell in table.cells:
        n_down, n_right = (cell.row_span, cell.col_span) if repeat_spans else (1, 1)
        text = cell.text + (superscript(",".join(cell.marks)) if with_marks else "")
        for row in grid[cell.row : cell.row + n_down]:
            for col in range(cell.col, min(cell.col + n_right, table.n_cols)):
                row[col] = text
    return grid


def _escaped(text: str) -> str:
    return _BREAKS.sub("<br>", _MARKUP.sub(r"\\\g<0>", text.strip()))


def _unique(names: Sequence[str]) -> list[str]:
    """The names, those that came before with ``.1``, ``.2``, … behind them, as pandas' readers do."""
    taken = set(names)
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        number = seen.get(name, -1) + 1
        label = name if number == 0 else f"{name}.{number}"
        while number and label in taken:
            number += 1
            label = f"{name}.{number}"
        seen[name] = number
        taken.add(label)
        unique.append(label)
    return unique


class TableExports(TableContent):
    """A table's content with the formats it can be written in, as methods."""

    def to_html(self) -> str:
        """The cells as canonical HTML, as ``html`` has them unless they were changed since."""
        return to_html(self)

    def to_csv(self, *, delimiter: str = ",", repeat_spans: bool = False) -> str:
        """All rows as CSV (RFC 4180, lines end in CR LF), header rows first as they stand.

        The text of a cell that spans several places stands at its top left, or with ``repeat_spans`` at each.
        Footnote marks are left out.
        """
        return to_csv(self, delimiter=delimiter, repeat_spans=repeat_spans)

    def to_markdown(self, *, repeat_spans: bool = False) -> str:
        """A pipe table of GitHub Flavored Markdown: the names of the columns, then the rows below the head.

        Columns of numbers are aligned to the right; text that Markdown would take for markup is escaped.
        """
        return to_markdown(self, repeat_spans=repeat_spans)

    def to_dataframe(self, *, typed: bool = True, repeat_spans: bool = False) -> pandas.DataFrame:
        """The rows below the head as a pandas DataFrame, with the names of the columns.

        A name that comes again is numbered as pandas does (``n``, ``n.1``); a table without a head has the
        numbers 0, 1, … in their place. Columns of numbers are ``Int64`` or ``Float64``, missing ones NA, all
        others ``string``; percents are not divided. ``DataFrame.attrs["units"]`` has the units by name.
        With ``typed`` False every column is ``string``.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        return to_dataframe(self, typed=typed, repeat_spans=repeat_spans)
