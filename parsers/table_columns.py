"""Names and types of a table's columns, and its header rows where the model did not mark them.

**Types.** A column is typed by the cells below the head. It is numeric only if every cell that is not empty
or a mark for a missing value is a number, all in one notation and with one unit; otherwise it is text, and
the counts say how many cells could be read. The other columns resolve an ambiguous notation: ``1,234`` is
1.234 in a table whose other columns contain ``0,5``, and 1234 in any other table. A table that uses both
notations keeps its decimal commas as text. ``1.234`` beside whole numbers (``56``) in a table that shows
neither notation stays text too. A number that a footnote mark may have become a digit of
(:mod:`docai.parsers.touched_numbers`) counts as unread, so that its column is text. The text of the cells is
never changed. Units that only the header names (``Weight (kg)``) and scales such as "in thousands" are not
recognized.

**Header rows.** The rule is for tables of numbers: the first rows contain no number, and columns of numbers
start below them. Rows ``0 … k-1`` are the head if

- none of their cells is a number, except evenly spaced years in a row (``2019 | 2018 | 2017``), or one year
  repeated in a row after the first;
- no cell of theirs extends below them, and at least two rows follow;
- each row after the first is a second level: its first column is empty or covered from above, or the row
above is
  a title over the whole width;
- there are numeric columns below, two with two numbers each or one with four; each of them has a text in the
  head, and these texts differ.

The largest such ``k`` up to 3 is used. The rule misses a head over text alone, a head of numbers (sizes,
doses, unevenly spaced years), a head above fewer numbers than that, and row headers. It is wrong about a
first row of data that consists of words where the other rows have numbers (``Lead | trace | low``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from docai.contents import Cell, Column, ColumnKind
from docai.parsers.marks import are_powers
from docai.parsers.numbers import Convention, Numeral, is_missing, read_numeral
from docai.parsers.touched_numbers import touched_numbers

_MAX_HEAD_ROWS = 3

_MAX_YEAR_STEP = 10

_NAME_SYMBOLS = frozenset("%‰€$£¥#№°")


def find_head(cells: Sequence[Cell], n_rows: int, n_cols: int) -> int:
    """Number of leading rows of a filled grid that are its head by the rule in the module's docstring.

    ``cells`` are in row order.
    """
    if n_cols < 2:
        return 0
    top = min(_MAX_HEAD_ROWS, n_rows - 2)
    upper: list[list[Cell]] = [[] for _ in range(max(top, 0))]
    for cell in cells:
        if cell.row >= top:
            break
        upper[cell.row].append(cell)
    n_head = reach = 0
    for index, row in enumerate(upper):
        if not _has_no_numbers(row, is_first=index == 0) or (
            index and not _continues_head(row, upper[index - 1], n_cols)
        ):
            break
        reach = max([reach, *(cell.row + cell.row_span for cell in row)])
        if reach <= index + 1 and _is_above_numbers(cells, row, index + 1, n_cols):
            n_head = index + 1
    return n_head


def _has_no_numbers(row: Sequence[Cell], *, is_first: bool) -> bool:
    """Whether no cell is a number, evenly spaced years aside."""
    numerals = [numeral for cell in row if (numeral := read_numeral(cell.text)) is not None]
    if not numerals:
        return True
    first = row[0]
    starts_with_text = first.col > 0 or read_numeral(first.text) is None
    return starts_with_text and _are_even_years(numerals, may_repeat=not is_first)


def _are_even_years(numerals: Sequence[Numeral], *, may_repeat: bool) -> bool:
    if len(numerals) < 2 or not all(numeral.is_year for numeral in numerals):
        return False
    years = sorted({int(numeral.body) for numeral in numerals})
    steps = {later - earlier for earlier, later in pairwise(years)}
    return (not steps and may_repeat) or (len(steps) == 1 and max(steps) <= _MAX_YEAR_STEP)


def _continues_head(row: Sequence[Cell], above: Sequence[Cell], n_cols: int) -> bool:
    is_below_title = len(above) == 1 and above[0].col_span == n_cols
    starts_empty = not row or row[0].col > 0 or not row[0].text
    return is_below_title or starts_empty


def _is_above_numbers(cells: Sequence[Cell], last: Sequence[Cell], n_head: int, n_cols: int) -> bool:
    """Whether numeric columns start below, each with a name of its own, one of them named by the last row."""
    texts: list[list[str]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head:
            texts[cell.col].append(cell.text)
    columns = read_columns(texts)
    numeric = [index for index, column in enumerate(columns) if _shows_numbers(column)]
    n_numbers = [columns[index].n_read for index in numeric]
    if not numeric or (len(numeric) == 1 and n_numbers[0] < 4):
        return False
    names = column_names(cells, n_head, n_cols)
    named = [names[index] for index in numeric]
    if len(set(named)) < len(named) or not all(map(_looks_like_name, named)):
        return False
    return any(
        cell.col_span < n_cols
        and _looks_like_name(cell.text)
        and any(cell.col <= index < cell.col + cell.col_span for index in numeric)
        for cell in last
    )


def _shows_numbers(column: ColumnValues) -> bool:
    """Whether the column is evidence for a head: two numbers or more, not all of them years."""
    if not column.holds_numbers or column.n_read < 2:
        return False
    if not column.is_numeric:
        return True
    return not all(
        value is None or (isinstance(value, int) and 1900 <= value <= 2100) for value in column.values
    )


def _looks_like_name(text: str) -> bool:
    """Whether the text is words or a symbol, not data such as ``-``, ``12.3a``, ``<0.05`` or ``1 (2)``."""
    if is_missing(text):
        return False
    n_letters = sum(char.isalpha() for char in text)
    numeral = read_numeral(text)
    if numeral is not None and numeral.is_year:
        return True
    if text[0].isalpha():
        return True
    return n_letters >= 2 or bool(
        _NAME_SYMBOLS.intersection(text) and not any(char.isdecimal() for char in text)
    )


NAME_SEPARATOR = " / "
"""Joins the texts of several header rows into the name of one column."""


@dataclass(frozen=True)
class ColumnValues:
    """Type and values of one column. ``values`` has one entry for each cell, None if it is not a number."""

    kind: ColumnKind
    unit: str | None
    values: tuple[int | float | None, ...]
    n_read: int
    n_missing: int
    n_unread: int
    holds_numbers: bool
    """Every cell that is not missing is a number, all with one unit; their notation may be ambiguous."""

    @property
    def is_numeric(self) -> bool:
        return self.kind not in ("text", "empty")


def describe_columns(cells: Sequence[Cell], n_head: int, n_cols: int) -> list[Column]:
    """Name and type of each column of a filled grid whose first ``n_head`` rows are its head.

    A cell that spans columns counts for the first of them; a cell that spans rows counts once.
    """
    texts: list[list[str]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head and cell.col < n_cols:
            texts[cell.col].append(cell.text)
    names = column_names(cells, n_head, n_cols)
    return [
        Column(
            name=name,
            kind=column.kind,
            unit=column.unit,
            n_read=column.n_read,
            n_missing=column.n_missing,
            n_unread=column.n_unread,
        )
        for name, column in zip(names, read_columns(texts), strict=True)
    ]


def column_names(cells: Iterable[Cell], n_head: int, n_cols: int) -> list[str]:
    """The texts of the header rows above each column, from the top, joined by :data:`NAME_SEPARATOR`.

    A title over the whole width is omitted where a column has other header texts.
    """
    parts: list[list[str]] = [[] for _ in range(n_cols)]
    titles: list[list[str]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head or not cell.text:
            continue
        target = titles if cell.col_span >= n_cols > 1 else parts
        for col in range(cell.col, min(cell.col + cell.col_span, n_cols)):
            target[col].append(cell.text)
    return [NAME_SEPARATOR.join(own or title) for own, title in zip(parts, titles, strict=True)]


def read_columns(columns: Sequence[Sequence[str]]) -> list[ColumnValues]:
    """Type and values of each column of one table, given the texts of its cells below the head."""
    numerals_of = [
        _untouched([None if are_powers(texts) else read_numeral(text) for text in texts]) for texts in columns
    ]
    allowed = [_common_conventions(numerals) for numerals in numerals_of]
    shown = {next(iter(conventions)) for conventions in allowed if len(conventions) == 1}
    default: Convention = "comma" if shown == {"comma"} else "point"
    values = []
    for texts, numerals, conventions in zip(columns, numerals_of, allowed, strict=True):
        convention = default if default in conventions else next(iter(conventions), None)
        if not shown and _may_be_thousands(numerals):
            convention = None
        if len(shown) == 2 and conventions == {"comma"}:
            convention = None
        values.append(_read_column(texts, numerals, convention))
    return values


def _untouched(numerals: Sequence[Numeral | None]) -> list[Numeral | None]:
    """The numbers of one column, None in place of those that a footnote mark may have become a digit of."""
    touched = touched_numbers(numerals)
    return [None if index in touched else numeral for index, numeral in enumerate(numerals)]


def touched_cells(cells: Iterable[Cell], n_head: int, n_cols: int) -> list[Cell]:
    """The cells below the head that :func:`read_columns` does not believe, by column, then by row."""
    body: list[list[Cell]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head and cell.col < n_cols:
            body[cell.col].append(cell)
    return [
        column[index]
        for column in body
        for index in sorted(touched_numbers([read_numeral(cell.text) for cell in column]))
    ]


def _common_conventions(numerals: Sequence[Numeral | None]) -> frozenset[Convention]:
    """The notations that all numbers of a column allow."""
    conventions: frozenset[Convention] = frozenset(("point", "comma"))
    for numeral in numerals:
        if numeral is not None:
            conventions &= numeral.conventions
    return conventions


def _may_be_thousands(numerals: Sequence[Numeral | None]) -> bool:
    """Whether points stand before three digits beside whole numbers: decimals are rarely so uneven."""
    read = [numeral for numeral in numerals if numeral is not None and numeral.body != "0"]
    has_points = any(numeral.is_ambiguous and "." in numeral.body for numeral in read)
    return has_points and any(numeral.body.isdecimal() for numeral in read)


def _read_column(
    texts: Sequence[str], numerals: Sequence[Numeral | None], convention: Convention | None
) -> ColumnValues:
    read = [numeral for numeral in numerals if numeral is not None]
    n_missing = sum(
        numeral is None and is_missing(text) for text, numeral in zip(texts, numerals, strict=True)
    )
    n_unread = len(texts) - len(read) - n_missing
    kind: ColumnKind = "text"
    unit: str | None = None
    values: tuple[int | float | None, ...] = (None,) * len(texts)
    holds_numbers = bool(read) and not n_unread and _agree_in_unit_and_sign(read)
    if not read and not n_unread:
        kind = "empty"
    elif holds_numbers and convention is not None:
        values = tuple(None if numeral is None else numeral.value(convention) for numeral in numerals)
        kind, unit = _kind_and_unit(read, values)
    return ColumnValues(kind, unit, values, len(read), n_missing, n_unread, holds_numbers)


def _kind_and_unit(
    numerals: Sequence[Numeral], values: Sequence[int | float | None]
) -> tuple[ColumnKind, str | None]:
    marked = next((numeral for numeral in numerals if numeral.unit), None)
    unit = marked.unit if marked is not None else None
    if marked is not None and marked.unit_kind in ("percent", "currency"):
        return ("percent" if marked.unit_kind == "percent" else "currency"), unit
    whole = all(value is None or isinstance(value, int) for value in values)
    return ("integer" if whole else "number"), unit


def _agree_in_unit_and_sign(numerals: Sequence[Numeral]) -> bool:
    """Whether the numbers have one unit, and parentheses, if any, can only mean a minus sign."""
    units = {numeral.unit for numeral in numerals}
    # Accounts write the currency in the first and the last row only; any other unit is in all rows or none.
    is_money = all(numeral.unit_kind in ("currency", "none") for numeral in numerals)
    if len(units - {""}) > 1 or (len(units) > 1 and not is_money):
        return False
    in_parentheses = [numeral.in_parentheses for numeral in numerals]
    if not any(in_parentheses):
        return True
    if all(in_parentheses) or any(numeral.has_minus for numeral in numerals):
        return False
    return not _are_standard_errors(numerals)


def _are_standard_errors(numerals: Sequence[Numeral]) -> bool:
    """Whether each number in parentheses is below one without, as standard errors are, and none is money."""
    enclosed = [numeral.in_parentheses for numeral in numerals]
    n_enclosed = sum(enclosed)
    are_paired = n_enclosed > 1 and all(
        not is_enclosed or (index > 0 and not enclosed[index - 1])
        for index, is_enclosed in enumerate(enclosed)
    )
    look_like_accounts = any(
        numeral.unit_kind == "currency" or "," in numeral.body or " " in numeral.body for numeral in numerals
    )
    return are_paired and 2 * n_enclosed >= len(numerals) - 2 and not look_like_accounts
