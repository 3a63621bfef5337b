"""CSV as Python's own reader and pandas read it."""

from __future__ import annotations

import csv
import io

import pandas
import pytest

from docai.errors import NothingToExportError
from docai.exports import ExportOptions, export

from . import made


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("words", made.AWKWARD)
def test_cells_come_back_as_they_were(words: str) -> None:
    assert _rows(export(made.document(made.grid([["h", words], [words, "x"]])), "a.csv")) == [
        ["h", words],
        [words, "x"],
    ]


@pytest.mark.parametrize("words", ["=1+1", "@SUM(A1)", "-cmd", "+a", "\tx"])
def test_what_a_spreadsheet_would_compute_is_told(words: str) -> None:
    file = export(made.document(made.grid([["h"], [words]])), "a.csv")
    assert [loss.code for loss in file.losses] == ["formula-cells"]


@pytest.mark.parametrize("words", ["-5", "+3.5", "-", "a=1", "-12 %"])
def test_numbers_and_dashes_are_no_formulas(words: str) -> None:
    assert not export(made.document(made.grid([["h"], [words]])), "a.csv").losses


def test_each_table_is_a_file_of_its_own() -> None:
    tables = [made.grid([["a"], [str(number)]]) for number in range(3)]
    file = export(made.document(*tables), "out.csv")
    assert list(file.files) == ["out-2.csv", "out-3.csv"]
    frames = [pandas.read_csv(io.BytesIO(data)) for data in (file, *file.files.values())]
    assert [list(frame["a"]) for frame in frames] == [[0], [1], [2]]


def test_in_one_file_tables_stand_below_each_other() -> None:
    tables = [made.grid([["a"], ["b"]]), made.grid([["c"]])]
    file = export(made.document(*tables), "out.csv", ExportOptions(files_beside=False))
    assert _rows(file) == [["a"], ["b"], [], ["c"]]


def test_molecules_are_rows_with_their_place_and_confidence() -> None:
    molecules = [made.molecule("OCC", page=2), made.molecule("C(((")]
    frame = pandas.read_csv(io.BytesIO(export(made.document(*molecules), "out.molecules.csv")))
    assert list(frame["smiles"].fillna("")) == ["CCO", ""]
    assert list(frame["page"]) == [2, 1]
    assert list(frame["is_valid"]) == [True, False]
    assert list(frame["raw"]) == ["OCC", "C((("]
    assert list(frame["confidence"]) == [0.75, 0.75]
    assert list(frame[["x0", "y0", "x1", "y1"]].iloc[0]) == [10, 20, 110, 70]


@pytest.mark.parametrize("name", ["out.csv", "out.molecules.csv"])
def test_without_records_there_is_nothing_to_write(name: str) -> None:
    with pytest.raises(NothingToExportError, match=r"made\.pdf has no"):
        export(made.document(), name)
