"""Tables whose cells cannot be placed are refused in words by every format but JSON."""

from __future__ import annotations

from typing import Any

import pytest

from docai.contents import Cell
from docai.document import Document
from docai.errors import ExportError
from docai.exports import FORMATS, export
from docai.exports.grids import check_tables
from docai.records import Table

from . import made


def _document(cells: list[dict[str, int]], n_rows: int = 2, n_cols: int = 2) -> Document:
    values: dict[str, Any] = made.about(n_rows=n_rows, n_cols=n_cols, cells=[Cell(**one) for one in cells])
    return made.document(Table.model_validate(values))


BAD = [
    ([{"row": 1_000_000_000, "col": 0, "col_span": 10_000_000}], "outside of its 2 x 2 cells"),
    ([{"row": 0, "col": 1, "col_span": 2}], "column 1 is outside"),
    ([{"row": 1, "col": 0, "row_span": 2}], "row 1, column 0 is outside"),
    ([{"row": 0, "col": 0, "row_span": 2}, {"row": 1, "col": 0}], "row 1, column 0 lies on another"),
    ([{"row": 0, "col": 1}, {"row": 0, "col": 0, "col_span": 2}], "row 0, column 0 lies on another"),
]


@pytest.mark.parametrize(("cells", "message"), BAD)
def test_cells_outside_of_the_grid_or_on_one_another_are_refused(
    cells: list[dict[str, int]], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        check_tables(_document(cells))


@pytest.mark.parametrize("suffix", [one for one in FORMATS if one not in (".json", ".svg", ".parquet")])
def test_every_format_but_json_refuses_such_a_table(suffix: str) -> None:
    with pytest.raises(ExportError, match="is no grid"):
        export(_document(BAD[0][0]), f"a{suffix}")


def test_json_holds_such_a_table_all_the_same() -> None:
    document = _document(BAD[0][0])
    assert Document.from_json(bytes(export(document, "a.json"))) == document


def test_a_grid_with_spans_and_gaps_is_one() -> None:
    check_tables(_document([]))
    check_tables(
        _document(
            [
                {"row": 2, "col": 0},
                {"row": 0, "col": 1, "row_span": 2, "col_span": 2},
                {"row": 0, "col": 0, "row_span": 2},
                {"row": 2, "col": 2},
            ],
            3,
            3,
        )
    )


def test_a_table_that_no_page_holds_is_refused() -> None:
    with pytest.raises(ExportError, match="more than 16,777,216"):
        check_tables(_document([], 1_000_000_000, 1))
