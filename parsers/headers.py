"""Which rows of a table are its head, where the model did not say.

The rule is about tables of numbers: the first rows hold no number, and columns of nothing but numbers begin
below them. In full, rows ``0 … k-1`` are the head where

- none of their cells is a number, except years in a row of evenly spaced ones (``2019 | 2018 | 2017``), or
  one year again and again in a row after the first;
- no cell of theirs reaches below them, and at least two rows follow;
- each row after the first is a second level: its first column is empty, or covered from above, or the row
  above is a title over the whole width;
- there are columns that are numbers throughout below (see :mod:`docai.parsers.columns`), two with two numbers
  each, or one with four; each of them has a text in the head, and these texts differ.

The largest such ``k`` up to 3 is taken. What it cannot see: a head over text alone, one of numbers (sizes,
doses, years of uneven steps), one above fewer numbers than that, and row headers. What it gets wrong: a first
row of data that is words where the other rows have numbers (``Lead | trace | low``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from docai.parsers.columns import ColumnValues, column_names, read_columns
from docai.parsers.numbers import Numeral, is_missing, read_numeral
from docai.records import Cell

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
