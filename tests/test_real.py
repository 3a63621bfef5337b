"""The real documents convert: every page is accounted for, and their own words come out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import docai

pytestmark = [pytest.mark.real, pytest.mark.slow(seconds=100)]

PASSWORDS = {"password-example.pdf": "test", "encrypted_2206.01062_pg3.pdf": "1234"}
MAX_PAGES = 2
"""Pages read of each document, so that the tests stay quick."""


@pytest.fixture(scope="module")
def pipeline() -> docai.Pipeline:
    """Every head answers nothing: what comes out is what the document itself gives."""
    heads = ("table", "molecule", "score", "text")
    return docai.Pipeline(engine=docai.ScriptedEngine({head: lambda request: "" for head in heads}))


def words_in(document: docai.Document) -> Counter[str]:
    """All words of all records, each once: a table's cells hold the words its ``native_text`` repeats."""
    found: Counter[str] = Counter()
    for record in document.records:
        found.update((record.native_text or "").split())
    return found


def test_every_pdf_converts_with_all_its_words(
    real_data: Path, pipeline: docai.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docai.pipelines import page_reading
    from docai.pipelines.ingest import Page, open_source
    from docai.pipelines.layout import PageLayout, find_regions
    from docai.pipelines.layout.straighten import SeeWords

    laid_out = 0
    wrong: list[object] = []

    def checked(page: Page, *, use_text_layer: bool, see_words: SeeWords | None = None) -> PageLayout:
        """The regions of a page, and that each of its words is in just one of them."""
        nonlocal laid_out
        found = find_regions(page, use_text_layer=use_text_layer, see_words=see_words)
        held = Counter((word.text, word.bbox) for region in found.regions for word in region.words)
        lost = Counter((word.text, word.bbox) for word in page.words())
        lost.subtract(held)
        wrong.extend((path.name, page.number, word) for word, number in lost.items() if number)
        laid_out += 1
        return found

    monkeypatch.setattr(page_reading, "find_regions", checked)
    files = sorted(real_data.glob("pdfs/*/*.pdf"))
    assert len(files) >= 28
    missing = total = 0
    for path in files:
        password = PASSWORDS.get(path.name)
        if path.name == "empty.pdf":
            with pytest.raises(docai.errors.EmptySourceError):
                pipeline.process(path)
            continue
        with open_source(path, password=password) as source:
            pages = list(range(1, min(source.n_pages, MAX_PAGES) + 1))
            native: Counter[str] = Counter()
            for page in source.pages(pages):
                native.update(word for item in page.words() for word in item.text.split())
        document = pipeline.process(path, pages=pages, password=password)
        assert [page.number for page in document.pages] == pages, path.name
        assert not [issue for issue in document.issues if issue.code == "page-failed"], path.name
        assert docai.Document.from_json(document.to_json()) == document
        missing += (native - words_in(document)).total()
        total += native.total()
    assert laid_out >= 36
    assert not wrong
    assert total > 8_000
    assert missing <= 0.005 * total


@pytest.mark.parametrize("folder", ["text/scans", "text/icdar2015", "molecules/other", "scores/mozart"])
def test_every_picture_converts(real_data: Path, pipeline: docai.Pipeline, folder: str) -> None:
    kinds = (".png", ".jpg", ".jpeg", ".tif", ".pdf")
    files = sorted(path for path in (real_data / folder).rglob("*") if path.suffix.lower() in kinds)
    assert files
    for path in files:
        document = pipeline.process(path, pages=[1])
        assert [page.origin for page in document.pages] != ["failed"], path.name
        assert not [issue for issue in document.issues if issue.severity == "error"], path.name


def test_a_scanned_score_is_found_as_a_score(real_data: Path, pipeline: docai.Pipeline) -> None:
    path = sorted((real_data / "scores/mozart").glob("*.pdf"))[0]
    document = pipeline.process(path, pages=[1])
    assert document.scores


def test_molecule_pictures_are_read_as_molecules(real_data: Path, pipeline: docai.Pipeline) -> None:
    files = sorted(real_data.glob("molecules/uspto/*.TIF"))[:5]
    assert files
    for path in files:
        record = pipeline.read(path, head="molecule")
        assert isinstance(record, docai.Molecule)
        assert record.finish_reason == "stop"
