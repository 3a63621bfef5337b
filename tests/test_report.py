"""The whole way: the sample report as it is, and its scanned page through the embedded model."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import docai

pytestmark = pytest.mark.slow(seconds=80)

REPORT = Path(__file__).parents[1] / "samples" / "report.pdf"
TRUTH = json.loads(REPORT.with_suffix(".truth.json").read_text(encoding="utf-8"))


READ = """
import pickle, sys
import docai
document = docai.process(sys.argv[1])
by_model = docai.process(sys.argv[1], pages="3", effort="best")
if sys.platform == "win32":
    peak = 0
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pickle.dump((document, by_model, peak), sys.stdout.buffer)
"""


@pytest.fixture(scope="module")
def read() -> tuple[docai.Document, docai.Document, int]:
    """The report as a process of its own reads it, its scan by all readers, and the most memory, in KiB."""
    done = subprocess.run([sys.executable, "-c", READ, str(REPORT)], check=True, stdout=subprocess.PIPE)
    document, by_model, peak = pickle.loads(done.stdout)
    return document, by_model, peak


@pytest.fixture(scope="module")
def document(read: tuple[docai.Document, docai.Document, int]) -> docai.Document:
    return read[0]


@pytest.mark.parametrize("kind", ["table", "molecule", "text"])
def test_the_model_reads_at_least_one_record_of_each_kind_where_all_are_asked(
    read: tuple[docai.Document, docai.Document, int], kind: str
) -> None:
    by_model = [record for record in read[1].records if record.kind == kind and record.raw]
    assert by_model
    for record in by_model:
        assert record.checkpoint is not None
        assert record.checkpoint.startswith("nano@")
        assert record.finish_reason in ("stop", "length", "loop")
        assert record.n_tokens > 0
        assert record.confidence.value is not None


@pytest.mark.skipif(find_spec("rapidocr") is None, reason="no PP-OCR")
def test_the_scan_is_right_without_a_model(document: docai.Document) -> None:
    page = TRUTH["pages"][2]
    texts = [text.text for text in document.texts if text.page == 3]
    wanted = [text for item in page if item["kind"] == "text" for text in item["paragraphs"]]
    assert " ".join(texts).split() == " ".join(wanted).split()
    (table,) = [table for table in document.tables if table.page == 3]
    rows = [[cell.text for cell in table.cells if cell.row == row] for row in range(table.n_rows)]
    assert [rows] == [item["rows"] for item in page if item["kind"] == "table"]
    if find_spec("imago") is not None:
        (molecule,) = [molecule for molecule in document.molecules if molecule.page == 3]
        assert [molecule.smiles] == [item["smiles"] for item in page if item["kind"] == "molecule"]
    assert not [record for record in document.records if record.page == 3 and record.raw]


def test_what_the_pages_draw_is_right_without_a_model(document: docai.Document) -> None:
    drawn = [record for record in document.records if record.evidence == ["drawing"]]
    assert [(record.page, record.kind) for record in drawn] == [
        (1, "molecule"),
        (2, "molecule"),
        (2, "score"),
    ]
    smiles = [record.smiles for record in document.molecules if record in drawn]
    wanted = [item for page in TRUTH["pages"] for item in page if item["kind"] == "molecule"]
    assert smiles == [item["smiles"] for item in wanted[:2]]
    (kern,) = [item["kern"] for page in TRUTH["pages"] for item in page if item["kind"] == "score"]
    assert document.scores[0].kern.strip() == kern.strip()
    for record in drawn:
        assert (record.confidence.value or 0) > 0.95
        assert not record.raw


def test_the_prose_of_the_born_digital_pages_is_complete_and_in_order(document: docai.Document) -> None:
    for number, page in enumerate(TRUTH["pages"][:2], start=1):
        wanted = [text for item in page if item["kind"] == "text" for text in item["paragraphs"]]
        found = [" ".join(text.text.split()) for text in document.texts if text.page == number]
        assert found == [" ".join(text.split()) for text in wanted]


def test_the_born_digital_tables_are_right(document: docai.Document) -> None:
    wanted = [item["rows"] for page in TRUTH["pages"][:2] for item in page if item["kind"] == "table"]
    found = [
        [[cell.text for cell in table.cells if cell.row == row] for row in range(table.n_rows)]
        for table in document.tables
        if table.page < 3
    ]
    assert found == wanted


def test_every_page_is_accounted_for_and_no_page_failed(document: docai.Document) -> None:
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert [page.origin for page in document.pages] == ["born-digital", "born-digital", "scan"]
    assert not [issue for issue in document.issues if issue.severity == "error"]


def test_the_json_gives_the_document_back(document: docai.Document) -> None:
    assert docai.Document.from_json(document.to_json()) == document


def test_record_ids_are_stable_and_unique(read: tuple[docai.Document, docai.Document, int]) -> None:
    document, _, _ = read
    ids = [record.id for record in document.records]
    assert len(set(ids)) == len(ids)
    again = docai.process(REPORT, pages=2)
    assert [record.id for record in document.records if record.page == 2] == [
        record.id for record in again.records
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read through resource")
def test_the_report_is_read_in_less_than_4_gb(read: tuple[docai.Document, docai.Document, int]) -> None:
    assert 0 < read[2] * 1024 < 4e9
