"""Columns of a table: their names, and which of them are numbers throughout.

A column is typed by the cells below the head. It is one of numbers only where every cell that says something
is a number, in one way of writing and with one unit; else it is text, and the counts say how many cells could
be read. What a column leaves open the others decide: ``1,234`` is 1.234 in a table whose other columns write
``0,5``, and 1234 in every other. A table that shows both ways keeps its commas as text. The text of the cells
is never changed. ``1.234`` beside whole numbers (``56``) in a table that shows neither way stays text too.

Not seen are units that only the head names (``Weight (kg)``), and scales such as "in thousands".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from docai.contents import Cell, Column, ColumnKind
from docai.parsers.numbers import Convention, Numeral, is_missing, read_numeral

_MAX_HEAD = 3

_MAX_YEAR_STEP = 10

_SYMBOLS = frozenset("%‰€$£¥#№°")


def find_head(cells: Sequence[Cell], n_rows: int, n_cols: int) -> int:
    """Number of leading rows of a filled grid that are its head by the rule above; 0 where none are.

    ``cells`` are in row order.
    """
    if n_cols < 2:
        return 0
    top = min(_MAX_HEAD, n_rows - 2)
    upper: list[list[Cell]] = [[] for _ in range(max(top, 0))]
    for cell in cells:
        if cell.row >= top:
            break
        upper[cell.row].append(cell)
    found = reach = 0
    for index, row in enumerate(upper):
        if not _is_wordy(row, is_first=index == 0) or (
            index and not _is_second_level(row, upper[index - 1], n_cols)
        ):
            break
        reach = max([reach, *(cell.row + cell.row_span for cell in row)])
        if reach <= index + 1 and _stands_over_numbers(cells, row, index + 1, n_cols):
            found = index + 1
    return found


def _is_wordy(row: Sequence[Cell], *, is_first: bool) -> bool:
    """No cell is a number, unless all numbers are years that follow each other evenly."""
    numerals = [numeral for cell in row if (numeral := read_numeral(cell.text)) is not None]
    if not numerals:
        return True
    first = row[0]
    starts_late = first.col > 0 or read_numeral(first.text) is None
    return starts_late and _are_even_years(numerals, may_repeat=not is_first)


def _are_even_years(numerals: Sequence[Numeral], *, may_repeat: bool) -> bool:
    if len(numerals) < 2 or not all(numeral.is_year for numeral in numerals):
        return False
    years = sorted({int(numeral.body) for numeral in numerals})
    steps = {later - earlier for earlier, later in pairwise(years)}
    return (not steps and may_repeat) or (len(steps) == 1 and max(steps) <= _MAX_YEAR_STEP)


def _is_second_level(row: Sequence[Cell], above: Sequence[Cell], n_cols: int) -> bool:
    is_below_title = len(above) == 1 and above[0].col_span == n_cols
    starts_empty = not row or row[0].col > 0 or not row[0].text
    return is_below_title or starts_empty


def _stands_over_numbers(cells: Sequence[Cell], last: Sequence[Cell], n_head: int, n_cols: int) -> bool:
    """Columns of numbers begin below, each with a name of its own, and the last row names one of them."""
    texts: list[list[str]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head:
            texts[cell.col].append(cell.text)
    columns = read_columns(texts)
    numeric = [index for index, column in enumerate(columns) if _is_evidence(column)]
    n_numbers = [columns[index].n_read for index in numeric]
    if not numeric or (len(numeric) == 1 and n_numbers[0] < 4):
        return False
    names = column_names(cells, n_head, n_cols)
    named = [names[index] for index in numeric]
    if len(set(named)) < len(named) or not all(map(_is_name, named)):
        return False
    return any(
        cell.col_span < n_cols
        and _is_name(cell.text)
        and any(cell.col <= index < cell.col + cell.col_span for index in numeric)
        for cell in last
    )


def _is_evidence(column: ColumnValues) -> bool:
    if not column.holds_numbers or column.n_read < 2:
        return False
    if not column.is_numeric:
        return True
    return not all(
        value is None or (isinstance(value, int) and 1900 <= value <= 2100) for value in column.values
    )


def _is_name(text: str) -> bool:
    """Words or a symbol, not what a cell of data may be: ``-``, ``12.3a``, ``<0.05``, ``1 (2)``."""
    if is_missing(text):
        return False
    n_letters = sum(char.isalpha() for char in text)
    numeral = read_numeral(text)
    if numeral is not None and numeral.is_year:
        return True
    if text[0].isalpha():
        return True
    return n_letters >= 2 or bool(_SYMBOLS.intersection(text) and not any(char.isdecimal() for char in text))


NAME_SEPARATOR = " / "
"""Between the texts of several header rows over one column."""


@dataclass(frozen=True)
class ColumnValues:
    """What the cells of one column come to. ``values`` has one for each text: None where it is no number."""

    kind: ColumnKind
    unit: str | None
    values: tuple[int | float | None, ...]
    n_read: int
    n_missing: int
    n_unread: int
    holds_numbers: bool
    """Every cell that says something is a number, all with one unit; how to read them may be open."""

    @property
    def is_numeric(self) -> bool:
        return self.kind not in ("text", "empty")


def describe_columns(cells: Sequence[Cell], n_head: int, n_cols: int) -> list[Column]:
    """Name and type of each column of a filled grid whose first ``n_head`` rows are its head.

    A cell that spans columns counts for the first of them, one that spans rows counts once.
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
    """The texts of the header rows over each column, from the top, joined by :data:`NAME_SEPARATOR`.

    A title over the whole width is left out where other texts stand over a column.
    """
    parts: list[list[str]] = [[] for _ in range(n_cols)]
    titles: list[list[str]] = [[] for _ in range(n_cols)]
    for cell in cells:
        if cell.row >= n_head or not cell.text:
            continue
        into = titles if cell.col_span >= n_cols > 1 else parts
        for col in range(cell.col, min(cell.col + cell.col_span, n_cols)):
            into[col].append(cell.text)
    return [NAME_SEPARATOR.join(own or title) for own, title in zip(parts, titles, strict=True)]


def read_columns(columns: Sequence[Sequence[str]]) -> list[ColumnValues]:
    """The columns of one table, given as the texts of their cells below the head."""
    read = [[read_numeral(text) for text in texts] for texts in columns]
    allowed = [_shared(numerals) for numerals in read]
    shown = {next(iter(ways)) for ways in allowed if len(ways) == 1}
    open_way: Convention = "comma" if shown == {"comma"} else "point"
    values = []
    for texts, numerals, ways in zip(columns, read, allowed, strict=True):
        way = open_way if open_way in ways else next(iter(ways), None)
        if not shown and _may_be_thousands(numerals):
            way = None
        if len(shown) == 2 and ways == {"comma"}:
            way = None
        values.append(_column(texts, numerals, way))
    return values


def _shared(numerals: Sequence[Numeral | None]) -> frozenset[Convention]:
    """Ways of writing that all numbers of a column allow."""
    ways: frozenset[Convention] = frozenset(("point", "comma"))
    for numeral in numerals:
        if numeral is not None:
            ways &= numeral.conventions
    return ways


def _may_be_thousands(numerals: Sequence[Numeral | None]) -> bool:
    """Points before three digits, and whole numbers beside: decimals of so uneven a length are rare."""
    found = [numeral for numeral in numerals if numeral is not None and numeral.body != "0"]
    has_points = any(numeral.is_open and "." in numeral.body for numeral in found)
    return has_points and any(numeral.body.isdecimal() for numeral in found)


def _column(texts: Sequence[str], numerals: Sequence[Numeral | None], way: Convention | None) -> ColumnValues:
    found = [numeral for numeral in numerals if numeral is not None]
    n_missing = sum(
        numeral is None and is_missing(text) for text, numeral in zip(texts, numerals, strict=True)
    )
    n_unread = len(texts) - len(found) - n_missing
    kind: ColumnKind = "text"
    unit: str | None = None
    values: tuple[int | float | None, ...] = (None,) * len(texts)
    holds_numbers = bool(found) and not n_unread and _agree(found)
    if not found and not n_unread:
        kind = "empty"
    elif holds_numbers and way is not None:
        values = tuple(None if numeral is None else numeral.value(way) for numeral in numerals)
        kind, unit = _kind(found, values)
    return ColumnValues(kind, unit, values, len(found), n_missing, n_unread, holds_numbers)


def _kind(found: Sequence[Numeral], values: Sequence[int | float | None]) -> tuple[ColumnKind, str | None]:
    marked = next((numeral for numeral in found if numeral.unit), None)
    unit = marked.unit if marked is not None else None
    if marked is not None and marked.unit_kind in ("percent", "currency"):
        return ("percent" if marked.unit_kind == "percent" else "currency"), unit
    whole = all(value is None or isinstance(value, int) for value in values)
    return ("integer" if whole else "number"), unit


def _agree(found: Sequence[Numeral]) -> bool:
    """The numbers have one unit, and brackets that can only mean a minus."""
    units = {numeral.unit for numeral in found}
    # Accounts put the currency on the first and the last row only; any other unit is on all or none.
    money = all(numeral.unit_kind in ("currency", "none") for numeral in found)
    if len(units - {""}) > 1 or (len(units) > 1 and not money):
        return False
    bracketed = [numeral.in_parentheses for numeral in found]
    if not any(bracketed):
        return True
    if all(bracketed) or any(numeral.has_minus for numeral in found):
        return False
    return not _are_spreads(found)


def _are_spreads(found: Sequence[Numeral]) -> bool:
    """Each number in brackets stands below one without, as standard errors do, and none looks like money."""
    below = [one.in_parentheses for one in found]
    pairs = sum(below)
    paired = pairs > 1 and all(
        not inner or (index > 0 and not below[index - 1]) for index, inner in enumerate(below)
    )
    accounts = any(one.unit_kind == "currency" or "," in one.body or " " in one.body for one in found)
    return paired and 2 * pairs >= len(found) - 2 and not accounts
