"""The whole way: the sample report through the embedded model."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
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
if sys.platform == "win32":
    peak = 0
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pickle.dump((document, peak), sys.stdout.buffer)
"""


@pytest.fixture(scope="module")
def read() -> tuple[docai.Document, int]:
    """The report as a process of its own reads it, and the most memory it took, in KiB."""
    done = subprocess.run([sys.executable, "-c", READ, str(REPORT)], check=True, stdout=subprocess.PIPE)
    document, peak = pickle.loads(done.stdout)
    return document, peak


@pytest.fixture(scope="module")
def document(read: tuple[docai.Document, int]) -> docai.Document:
    return read[0]


@pytest.mark.parametrize("kind", ["table", "molecule", "text"])
def test_the_model_reads_at_least_one_record_of_each_kind(document: docai.Document, kind: str) -> None:
    read = [record for record in document.records if record.kind == kind and record.raw]
    assert read
    for record in read:
        assert record.checkpoint is not None
        assert record.checkpoint.startswith("nano@")
        assert record.finish_reason in ("stop", "length", "loop")
        assert record.n_tokens > 0
        assert record.confidence.value is not None


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


def test_record_ids_are_stable_and_unique(document: docai.Document) -> None:
    engine = docai.ScriptedEngine(
        {head: lambda request: "" for head in ("table", "molecule", "score", "text")}
    )
    again = docai.Pipeline(engine=engine).process(REPORT)
    ids = [record.id for record in document.records]
    assert ids == [record.id for record in again.records]
    assert len(set(ids)) == len(ids)


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read through resource")
def test_the_report_is_read_in_less_than_4_gb(read: tuple[docai.Document, int]) -> None:
    document, peak = read
    assert {record.checkpoint for record in document.records if record.raw} != {None}
    assert 0 < peak * 1024 < 4e9
