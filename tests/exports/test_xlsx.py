"""Workbooks as openpyxl reads them: cells, spans, numbers with their formats."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from docai.document import Document
from docai.errors import NothingToExportError
from docai.exports import ExportOptions, export
from docai.exports.xlsx import MAX_SHEETS

from . import made


def _book(document: Document, **options: Any) -> Any:
    data = export(document, "out.xlsx", ExportOptions(**options))
    return openpyxl.load_workbook(io.BytesIO(data), rich_text=True)


@pytest.mark.parametrize("words", made.AWKWARD)
def test_a_text_stays_that_text(words: str) -> None:
    sheet = _book(made.document(made.grid([["h", "k"], [words, "y"], ["x", words]]))).worksheets[0]
    for cell in (sheet["A2"], sheet["B3"]):
        assert cell.value == words
        assert cell.data_type == "s"
        assert cell.hyperlink is None


def test_a_control_character_becomes_a_replacement_character() -> None:
    assert _book(made.document(made.grid([["a\x01b"]]))).worksheets[0]["A1"].value == "a\ufffdb"


@pytest.mark.parametrize(
    ("words", "value", "code"),
    [
        ("12", 12, "0"),
        ("1,234", 1234, "#,##0"),
        ("12.50", 12.5, "0.00"),
        ("-3.5", -3.5, '0.0;"-"0.0'),
        ("−3.5", -3.5, '0.0;"−"0.0'),
        ("(42)", -42, '0;"("0")"'),
        ("14.7%", 0.147, "0.0%"),
        ("14.7 %", 0.147, '0.0" "%'),
        ("$1,200.00", 1200, '"$"#,##0.00'),
        ("3.2 kg", 3.2, '0.0" kg"'),
        (".5", 0.5, ".0"),
    ],
)
def test_a_number_is_a_number_with_a_format_that_shows_it(words: str, value: float, code: str) -> None:
    other = words.strip("()").replace("2", "3").replace("7", "8")
    sheet = _book(made.document(made.grid([["name", "value"], ["a", words], ["b", other]]))).worksheets[0]
    assert sheet["B2"].value == pytest.approx(value, abs=0)
    assert sheet["B2"].number_format == code


def test_decimal_commas_are_read_as_the_table_writes_them() -> None:
    table = made.grid([["name", "a", "b"], ["x", "0,5", "1.234,5"], ["y", "1,25", "2.000,0"]])
    sheet = _book(made.document(table)).worksheets[0]
    assert [cell.value for cell in sheet[2]] == ["x", 0.5, 1234.5]
    assert [cell.number_format for cell in sheet[2]] == ["@", "0.0", "#,##0.0"]


def _column(*texts: str) -> tuple[list[Any], list[str]]:
    """What a column of the texts holds beside a column of words, and the messages of what is lost."""
    document = made.document(made.grid([["name", "value"], *([f"row {text}", text] for text in texts)]))
    file = export(document, "out.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(file)).worksheets[0]
    return [cell.value for cell in sheet["B"][1:]], [str(loss) for loss in file.losses]


def test_a_cell_in_another_notation_alone_stays_text_in_a_column_of_numbers() -> None:
    values, losses = _column("1,250.00", "-340.55", "-1.234,56", "7,000.10")
    assert values == [1250, -340.55, "-1.234,56", 7000.1]
    assert losses == ["Page 1: 1 cell of columns of numbers stays text."]
    values, losses = _column("1.250,00", "340,55", "1,234.56", "n/a", "<5", "7.000,10", "3,5")
    assert values == [1250, 340.55, "1,234.56", "n/a", "<5", 7000.1, 3.5]
    assert losses == ["Page 1: 2 cells of columns of numbers stay text."]


def test_what_may_be_either_notation_beside_both_stays_text() -> None:
    assert _column("1,250.00", "-1.234,56", "1.234", "12.50", "2,345")[0] == [
        1250,
        "-1.234,56",
        "1.234",
        12.5,
        2345,
    ]
    assert _column("1.234", "2.345", "3.456", "none of it")[0] == ["1.234", "2.345", "3.456", "none of it"]


@pytest.mark.parametrize(
    "texts",
    [
        ("12", "words", "more words", "13"),
        ("12", "words"),
        ("1.50", "2,50", "3.50", "4,50"),
        ("12 kg", "13 m", "words", "14 kg"),
    ],
)
def test_a_column_that_is_not_of_numbers_for_the_most_part_stays_text(texts: tuple[str, ...]) -> None:
    assert _column(*texts) == (list(texts), [])


def test_parentheses_beside_a_minus_stay_text() -> None:
    assert _column("12.50", "-3.00", "(4.00)", "5.00")[0] == [12.5, -3, "(4.00)", 5]


def test_labels_of_totals_at_the_foot_of_a_column_leave_its_numbers() -> None:
    rows = [["a", "price", "amount"], ["x", "2.50", "5.00"], ["y", "3.00", "3.00"]]
    rows += [["", "Net", "8.00"], ["", "VAT", "1.52"], ["", "Total", "9.52"]]
    file = export(made.document(made.grid(rows)), "out.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(file)).worksheets[0]
    assert [cell.value for cell in sheet["B"][1:]] == [2.5, 3, "Net", "VAT", "Total"]
    assert list(file.losses) == []


def test_what_is_more_than_a_spreadsheet_keeps_stays_text() -> None:
    table = made.grid([["name", "account"], ["a", "12345678901234567890"], ["b", "12345678901234567891"]])
    assert _book(made.document(table)).worksheets[0]["B2"].value == "12345678901234567890"


def test_spans_are_merged_cells_and_marks_are_raised() -> None:
    sheet = _book(made.document(made.spanned())).worksheets[0]
    assert sorted(str(one) for one in sheet.merged_cells.ranges) == ["A1:A2", "A3:A4", "B1:C1"]
    assert [cell.value for cell in sheet[1]] == ["Group", "Mass", None]
    assert [cell.value for cell in sheet[4]] == [None, 3.0, 4.0]
    # The mark is in the format: the cell stays a number.
    assert (sheet["B3"].value, sheet["B3"].number_format) == (1.5, '0.0"ᵃ"')
    table = made.grid([["a"], ["b"]])
    table.cells[1].marks = ["1"]
    text = _book(made.document(table)).worksheets[0]["A2"].value
    assert [str(part) for part in text] == ["b", "1"]
    assert text[1].font.vertAlign == "superscript"


def test_names_of_sheets_are_legal_and_unique() -> None:
    tables = [made.grid([["a"]]) for _ in range(4)]
    words = ["Sales [2024]: a/b\\c?*", "'quoted'", "a" * 60, ""]
    captions = [
        made.text(caption, role="caption", belongs_to=table.id)
        for table, caption in zip(tables, words, strict=True)
        if caption
    ]
    book = _book(made.document(*tables, *captions))
    assert book.sheetnames == ["1 Sales 2024 a b c", "2 'quoted", "3 " + "a" * 29, "Table 4", "Sources"]


def test_the_last_sheet_says_where_tables_are_from() -> None:
    table = made.grid([["a"]], page=3, bbox=(1.0, 2.0, 3.0, 4.5))
    rows = list(_book(made.document(table))["Sources"].iter_rows(values_only=True))
    assert rows[1][:7] == ("Table 1", table.id, 3, 1, 2, 3, 4.5)


def test_ten_thousand_tables_go_into_several_workbooks() -> None:
    table = made.grid([["a", "b"]])
    tables = [table.model_copy(update={"id": f"t{number}"}) for number in range(3 * MAX_SHEETS + 1)]
    file = export(made.document(*tables), "out.xlsx")
    assert list(file.files) == ["out-2.xlsx", "out-3.xlsx", "out-4.xlsx"]
    books = [openpyxl.load_workbook(io.BytesIO(data)) for data in (file, *file.files.values())]
    names = [name for book in books for name in book.sheetnames if name != "Sources"]
    assert names == [f"Table {number}" for number in range(1, len(tables) + 1)]
    assert not file.losses
    alone = export(made.document(*tables), "out.xlsx", ExportOptions(files_beside=False))
    assert [loss.code for loss in alone.losses] == ["further-tables"]
    assert f"{2 * MAX_SHEETS + 1} tables" in str(alone.losses[0])


def test_a_text_longer_than_a_cell_is_cut_with_a_loss() -> None:
    file = export(made.document(made.grid([["a" * 40_000]])), "out.xlsx")
    assert [loss.code for loss in file.losses] == ["long-cell"]


def test_without_tables_there_is_nothing_to_write() -> None:
    with pytest.raises(NothingToExportError, match="has no tables"):
        export(made.document(made.text("a")), "out.xlsx")


def test_a_table_that_goes_on_over_pages_is_one_sheet() -> None:
    parts = [
        made.grid([["name", "n"], [f"row {page}", str(page)]], page=page, bbox=(10.0, 20.0, 110.0, 180.0))
        for page in (1, 2)
    ]
    book = _book(made.document(*parts))
    assert book.sheetnames == ["Table 1", "Sources"]
    rows = list(book["Table 1"].iter_rows(values_only=True))
    assert rows == [("name", "n"), ("row 1", 1), ("row 2", 2)]
    assert book["Sources"]["B2"].value == " ".join(part.id for part in parts)
