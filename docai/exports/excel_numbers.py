"""Numbers of tables for spreadsheets: their value, and the format code that shows them as they were printed.

Format codes: ECMA-376 part 1, 18.8.31 (numFmts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from docai.contents import Cell, TableContent
from docai.parsers.marks import superscript
from docai.parsers.numbers import Convention, Numeral, read_numeral
from docai.parsers.table_columns import read_columns
from docai.parsers.table_grid import head_rows

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


def typed_cells(table: TableContent) -> dict[tuple[int, int], TypedCell]:
    """Row and column → number, of the cells below the head in columns that are numeric as a whole."""
    n_head = head_rows(table)
    body: list[list[Cell]] = [[] for _ in range(table.n_cols)]
    for cell in table.cells:
        if cell.row >= n_head and cell.col < table.n_cols:
            body[cell.col].append(cell)
    typed = {}
    columns = read_columns([[cell.text for cell in column] for column in body])
    for cells, column in zip(body, columns, strict=True):
        for cell, value in zip(cells, column.values, strict=True):
            numeral = read_numeral(cell.text)
            if value is None or numeral is None or not column.is_numeric:
                continue
            if (number := _typed(cell, numeral, value)) is not None:
                typed[cell.row, cell.col] = number
    return typed


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
