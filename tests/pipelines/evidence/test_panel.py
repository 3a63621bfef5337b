"""Which witnesses are asked, and what becomes of one that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from docai.contents import TextContent
from docai.errors import DamagedSourceError
from docai.pipelines.evidence.base import Case, Statement
from docai.pipelines.evidence.panel import Panel, known_witnesses
from docai.pipelines.external.programs import WitnessError
from docai.pipelines.ingest import Page, open_source
from docai.records import Evidence


@dataclass
class Reader:
    """A witness that says what it is told to, or raises it."""

    says: Statement | Exception
    missing: str | None = None
    name: Evidence = "tesseract"
    head: str = "text"
    reads_pictures: bool = True
    wants_words: bool | None = None
    threads: list[str] = field(default_factory=list)

    def available(self) -> str | None:
        return self.missing

    def read(self, case: Case) -> Statement:
        self.threads.append(threading.current_thread().name)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


TOLD = Statement("tesseract", TextContent(text="Hello"), "Hello")


@pytest.fixture(scope="module")
def page(make_pdf: object) -> Iterator[Page]:
    with open_source(make_pdf()) as source, source.page(1) as opened:  # type: ignore[operator]
        yield opened


def test_there_is_one_witness_for_each_kind_of_region_and_none_for_scores() -> None:
    assert {(witness.head, witness.wants_words): witness.name for witness in known_witnesses()} == {
        ("table", True): "table-finder",
        ("table", False): "tesseract",
        ("molecule", None): "osra",
        ("text", False): "tesseract",
    }


def test_off_asks_no_programs() -> None:
    with Panel.choose("off") as panel:
        assert panel.heads() == {"table"}


def test_auto_asks_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there, missing = Reader(TOLD), Reader(TOLD, missing="It is not installed.", head="molecule")
    monkeypatch.setattr("docai.pipelines.evidence.panel.known_witnesses", lambda: (there, missing))
    with Panel.choose("auto") as panel:
        assert panel.heads() == {"text"}


def test_one_that_is_not_installed_is_not_asked(page: Page) -> None:
    with Panel([Reader(TOLD, missing="It is not installed.")]) as panel:
        assert panel.begin("text", Case(page, page.bbox)) is None


def test_pictures_are_read_beside_the_model_and_pages_are_not(page: Page) -> None:
    pictures, pages = Reader(TOLD), Reader(TOLD, head="table", reads_pictures=False)
    with Panel([pictures, pages]) as panel:
        for head in ("text", "table"):
            hearing = panel.begin(head, Case(page, page.bbox))
            assert hearing is not None
            assert hearing() == TOLD
    assert pictures.threads[0].startswith("docai-witness")
    assert pages.threads == [threading.current_thread().name]


@pytest.mark.parametrize("error", [WitnessError("it fell"), ValueError("it fell"), MemoryError("it fell")])
def test_what_a_witness_raises_is_an_issue(page: Page, error: Exception) -> None:
    with Panel([Reader(error)]) as panel:
        hearing = panel.begin("text", Case(page, page.bbox))
        assert hearing is not None
        told = hearing()
    assert told.content is None
    assert [issue.code for issue in told.issues] == ["witness-failed"]
    assert "it fell" in told.issues[0].message


def test_a_region_that_cannot_be_drawn_is_an_issue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DamagedSourceError("Its image is damaged.", source="x.pdf")

    monkeypatch.setattr(type(page), "render", broken)
    reader = Reader(TOLD)
    with Panel([reader]) as panel:
        hearing = panel.begin("text", Case(page, page.bbox))
        assert hearing is not None
        assert "Its image is damaged." in hearing().issues[0].message
    assert not reader.threads
