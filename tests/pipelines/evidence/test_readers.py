"""Which readers are asked, and what becomes of one that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from docai.contents import Line, MoleculeContent, TextContent, Word
from docai.errors import DamagedSourceError
from docai.options import Effort, Options
from docai.pipelines.evidence import readers
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.scanned_tables import ScannedTables
from docai.pipelines.evidence.table_decision import TableFinder
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.evidence.text_layer import TextLayer
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.records import Evidence, Kind

PICTURE: frozenset[Need] = frozenset(("picture",))
PAGE: frozenset[Need] = frozenset(("strokes",))
TEXT: frozenset[Kind] = frozenset(("text",))
WORD = PageWord("a", (0, 0, 9, 9), 0, 0)


@dataclass
class Scripted:
    """A reader that says what it is told to, or raises it."""

    says: Reading | Exception
    missing: str | None = None
    name: Evidence = "tesseract"
    kinds: frozenset[Kind] = TEXT
    needs: frozenset[Need] = PICTURE
    yields_to_words: bool = False
    threads: list[str] = field(default_factory=list)

    def available(self) -> str | None:
        return self.missing

    def read(self, region: ReaderInput) -> Reading:
        self.threads.append(threading.current_thread().name)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


HELLO = Reading("tesseract", TextContent(text="Hello"), "Hello")


@pytest.fixture(scope="module")
def page(make_pdf: object) -> Iterator[Page]:
    with open_source(make_pdf()) as source, source.page(1) as opened:  # type: ignore[operator]
        yield opened


@pytest.mark.parametrize("has_words", [True, False])
@pytest.mark.parametrize(
    ("kind", "with_words", "without"),
    [
        ("table", "table-finder", "tesseract"),
        ("molecule", "osra", "osra"),
        ("text", None, "tesseract"),
        ("score", None, None),
        ("figure", None, None),
    ],
)
def test_readers_of_pictures_yield_to_the_words_of_the_pdf(
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    with_words: str | None,
    without: str | None,
    has_words: bool,
) -> None:
    known = (TextLayer(), TableFinder(), ScannedTables(), Osra(), Tesseract())
    for reader in known:
        monkeypatch.setattr(type(reader), "available", lambda self: None)
        monkeypatch.setattr(type(reader), "read", lambda self, region: Reading(self.name))
    with ReaderPool(known) as pool:
        region = ReaderInput(page, page.bbox, (WORD,) if has_words else ())
        names = [one.source for future in pool.submit(kind, region) for one in future.result()]
        native = pool.read_words(kind, region)
    expected = with_words if has_words else without
    assert names == ([] if expected is None else [expected])
    assert (native is not None) is has_words


def test_off_asks_no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    known = (TextLayer(), TableFinder(), Scripted(HELLO), Scripted(HELLO, needs=PAGE, name="osra"))
    monkeypatch.setattr(readers, "known_readers", lambda: known)
    with ReaderPool.choose(Options(witnesses="off")) as pool:
        assert pool.names() == ["text-layer", "table-finder", "osra"]


def test_auto_asks_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there, missing = Scripted(HELLO), Scripted(HELLO, missing="It is not installed.", name="osra")
    monkeypatch.setattr(readers, "known_readers", lambda: (there, missing))
    with ReaderPool.choose(Options()) as pool:
        assert pool.names() == ["tesseract"]


def test_one_that_is_not_installed_is_not_asked(page: Page) -> None:
    with ReaderPool([Scripted(HELLO, missing="It is not installed.")]) as pool:
        assert not pool.submit("text", ReaderInput(page, page.bbox))


def test_where_a_limit_is_reached_only_what_the_pdf_holds_is_read(page: Page) -> None:
    with ReaderPool([Scripted(HELLO), Scripted(HELLO, needs=PAGE)]) as pool:
        assert len(pool.submit("text", ReaderInput(page, page.bbox))) == 2
        assert len(pool.submit("text", ReaderInput(page, page.bbox), in_time=False)) == 1


def test_pictures_are_read_beside_the_model_and_pages_are_not(page: Page) -> None:
    pictures, pages = Scripted(HELLO), Scripted(HELLO, needs=PAGE)
    with ReaderPool([pictures, pages]) as pool:
        futures = pool.submit("text", ReaderInput(page, page.bbox))
        assert [reading for future in futures for reading in future.result()] == [HELLO, HELLO]
    assert pictures.threads[0].startswith("docai-reader")
    assert pages.threads == [threading.current_thread().name]


@pytest.mark.parametrize(
    "error", [ReaderError("it crashed"), ValueError("it crashed"), MemoryError("it crashed")]
)
def test_what_a_reader_raises_is_an_issue(page: Page, error: Exception) -> None:
    with ReaderPool([Scripted(error)]) as pool:
        (future,) = pool.submit("text", ReaderInput(page, page.bbox))
        (reading,) = future.result()
    assert reading.content is None
    assert [issue.code for issue in reading.issues] == ["witness-failed"]
    assert "it crashed" in reading.issues[0].message


def test_a_region_that_cannot_be_drawn_is_an_issue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DamagedSourceError("Its image is damaged.", source="x.pdf")

    monkeypatch.setattr(type(page), "render", broken)
    reader = Scripted(HELLO)
    with ReaderPool([reader]) as pool:
        (future,) = pool.submit("text", ReaderInput(page, page.bbox))
        (reading,) = future.result()
        assert "Its image is damaged." in reading.issues[0].message
    assert not reader.threads


MOLECULE: frozenset[Kind] = frozenset(("molecule",))
SURE = Word(text="Hello", bbox=(0, 0, 9, 9), confidence=0.999)
CLEAR = Reading(
    "ppocr", TextContent(text="Hello", lines=[Line(text="Hello", bbox=(0, 0, 9, 9), words=[SURE])]), "Hello"
)
ETHANOL = Reading("imago", MoleculeContent(smiles="CCO", is_valid=True), "CCO")


@pytest.mark.parametrize(
    ("effort", "first", "asked"),
    [
        ("fast", ETHANOL, 1),
        ("fast", Reading("imago"), 2),
        ("auto", ETHANOL, 2),
        ("auto", CLEAR, 1),
        ("auto", HELLO, 2),
        ("best", CLEAR, 2),
    ],
)
def test_the_next_reader_is_asked_where_the_first_is_not_enough(
    page: Page, effort: Effort, first: Reading, asked: int
) -> None:
    second = Scripted(replace(first, source="osra"), kinds=MOLECULE | TEXT)
    with ReaderPool([Scripted(first, kinds=MOLECULE | TEXT), second], effort) as pool:
        kind = "molecule" if isinstance(first.content, MoleculeContent) else "text"
        futures = pool.submit(kind, ReaderInput(page, page.bbox))
        assert len([reading for future in futures for reading in future.result()]) == asked
