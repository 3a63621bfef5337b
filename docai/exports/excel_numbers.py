"""Numbers of tables for spreadsheets: their value, and the format code that shows them as they were printed.

Format codes: ECMA-376 part 1, 18.8.31 (numFmts).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from docai.contents import Cell, TableContent
from docai.parsers.marks import are_powers, superscript
from docai.parsers.numbers import DECIMAL_MARKS, Convention, Numeral, is_missing, read_numeral
from docai.parsers.table_columns import read_columns
from docai.parsers.table_grid import head_rows
from docai.parsers.touched_numbers import touched_numbers

MIN_NUMBERS: Final = 2
"""Of a column with other cells, too, that make it one of numbers."""

MAX_DIGITS: Final = 15
"""Spreadsheets keep no more; a longer number stays text."""

_MAX_CODE: Final = 250
"""Characters of a format code; Excel takes 255."""

_ASCII_DIGITS: Final = frozenset("0123456789")


@dataclass(frozen=True)
class TypedCell:
    """A cell that is a number."""

    value: float
    """Percents divided by 100, as spreadsheets have them."""
    format: str
    """Format code."""


@dataclass(frozen=True)
class TypedTable:
    """What of a table is numbers."""

    cells: Mapping[tuple[int, int], TypedCell]
    """Row and column → number, of the cells below the head in columns of numbers."""
    n_text: int
    """Cells of these columns that stay text; labels of totals and marks of missing values do not count."""


def typed_cells(table: TableContent) -> TypedTable:
    """The numbers of a table.

    A column is of numbers where it is so as a whole (:mod:`docai.parsers.table_columns`), and where most of
    its cells are, in one notation. Those that are not stay text then.
    """
    n_head = head_rows(table)
    body: list[list[Cell]] = [[] for _ in range(table.n_cols)]
    for cell in table.cells:
        if cell.row >= n_head and cell.col < table.n_cols:
            body[cell.col].append(cell)
    columns = read_columns([[cell.text for cell in column] for column in body])
    last_numbers = _last_numbers(body)
    parts = [
        _Part() if column.is_numeric else _number_part(cells, last_numbers)
        for cells, column in zip(body, columns, strict=True)
    ]
    texts = [
        ["" if index in part.others else cell.text for index, cell in enumerate(cells)]
        for cells, part in zip(body, parts, strict=True)
    ]
    again = read_columns(texts) if any(part.others for part in parts) else columns
    shows_notation = any(len(one.conventions) == 1 for one in _numerals(cell for c in body for cell in c))
    typed: dict[tuple[int, int], TypedCell] = {}
    n_text = 0
    for cells, whole, part, rest in zip(body, columns, parts, again, strict=True):
        column = whole
        if part.others and (shows_notation or not part.is_ambiguous):
            column = rest
        if not column.is_numeric:
            continue
        n_text += part.n_text
        for cell, value in zip(cells, column.values, strict=True):
            numeral = read_numeral(cell.text)
            if value is None or numeral is None:
                continue
            if (number := _typed(cell, numeral, value)) is not None:
                typed[cell.row, cell.col] = number
    return TypedTable(typed, n_text)


@dataclass(frozen=True)
class _Part:
    """What of a column is no number as most of its cells are."""

    others: frozenset[int] = frozenset()
    """Their indexes; none where the column is numeric as a whole, or no column of numbers."""
    n_text: int = 0
    is_ambiguous: bool = False
    """The numbers among the rest do not tell their notation."""


def _number_part(cells: Sequence[Cell], last_numbers: Mapping[int, int]) -> _Part:
    """Parts a column that is not numeric as a whole."""
    texts = [cell.text for cell in cells]
    numerals = [read_numeral(text) for text in texts]
    if are_powers(texts) or touched_numbers(numerals):
        return _Part()
    read = [one for one in numerals if one is not None]
    alone = Counter(next(iter(one.conventions)) for one in read if len(one.conventions) == 1)
    notation = max(alone, key=lambda one: alone[one], default=None)
    # A minus beside parentheses: these may mean something else.
    has_minus = any(one.has_minus for one in read)
    kept = set()
    for index, one in enumerate(numerals):
        if one is None or (notation is not None and notation not in one.conventions):
            continue
        # Beside numbers of another notation, 1.234 is one or the other.
        is_doubtful = len(alone) > 1 and one.is_ambiguous and DECIMAL_MARKS[notation or "point"] in one.body
        if not is_doubtful and not (has_minus and one.in_parentheses):
            kept.add(index)
    present = {index for index, text in enumerate(texts) if not is_missing(text)}
    labels = set(_labels(cells, numerals, last_numbers))
    if len(kept) < MIN_NUMBERS or 2 * len(kept) <= len(present - labels):
        return _Part()
    rest = [one for index in kept if (one := numerals[index]) is not None]
    is_ambiguous = any(one.is_ambiguous for one in rest) and all(len(one.conventions) > 1 for one in rest)
    return _Part(frozenset(present - kept), len(present - kept - labels), is_ambiguous)


def _labels(
    cells: Sequence[Cell], numerals: Sequence[Numeral | None], last_numbers: Mapping[int, int]
) -> Iterator[int]:
    """The cells at the foot of a column that name a number to their right: ``Net``, ``VAT``, ``Total``."""
    for index in reversed(range(len(cells))):
        cell = cells[index]
        if is_missing(cell.text):
            continue
        if numerals[index] is not None or last_numbers.get(cell.row, -1) <= cell.col:
            return
        yield index


def _last_numbers(body: Sequence[Sequence[Cell]]) -> dict[int, int]:
    """Row → its last column with a number."""
    return {cell.row: cell.col for cells in body for cell in cells if read_numeral(cell.text) is not None}


def _numerals(cells: Iterable[Cell]) -> Iterator[Numeral]:
    return (one for cell in cells if (one := read_numeral(cell.text)) is not None)


def _typed(cell: Cell, numeral: Numeral, value: int | float) -> TypedCell | None:
    digits = "".join(char for char in numeral.body if char in _ASCII_DIGITS)
    if len(digits.lstrip("0")) > MAX_DIGITS or not math.isfinite(value):
        return None
    code = _code(cell, numeral, value)
    if code is None or len(code) > _MAX_CODE:
        code = "General"
    number = float(Decimal(repr(value)) / 100) if numeral.unit_kind == "percent" else float(value)
    return TypedCell(number, code)


def _code(cell: Cell, numeral: Numeral, value: int | float) -> str | None:
    """None where the number is not printed as a spreadsheet can show it, such as with ``× 10``."""
    before, body, after = cell.text.strip().partition(numeral.body)
    if not body or numeral.exponent is not None:
        return None
    # Of the notations that give the value; an integer has no decimals in any.
    is_comma = _is_value(numeral, "comma", value) and not _is_value(numeral, "point", value)
    mark = "," if is_comma else "."
    whole, _, decimals = body.partition(mark) if isinstance(value, float) else (body, "", "")
    digits = [char for char in whole if char in _ASCII_DIGITS]
    core = ("#,##0" if len(digits) < len(whole) else "0") if digits else ""
    if decimals:
        core += "." + "0" * len(decimals)
    is_percent = numeral.unit_kind == "percent"
    after += superscript(",".join(cell.marks))
    code = _literal(before, is_percent) + core + _literal(after, is_percent)
    if value < 0:
        positive = core + ("%" if is_percent else "")
        return f"{positive};{code}"
    return code


def _is_value(numeral: Numeral, convention: Convention, value: int | float) -> bool:
    return convention in numeral.conventions and numeral.value(convention) == value


def _literal(text: str, is_percent: bool) -> str:
    """Text in a format code; a percent sign outside of quotes multiplies by 100."""
    if is_percent:
        return "%".join(_quoted(part) for part in text.split("%"))
    return _quoted(text)


def _quoted(text: str) -> str:
    if not text:
        return ""
    # Inside of quotes everything is itself but the quote.
    return '\\"'.join(f'"{part}"' if part else "" for part in text.split('"'))
