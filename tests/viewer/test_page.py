"""The page of a result: what is in it, and what a document cannot put into it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from PIL import Image

from docai.corrections import Correction, Corrections, content_text
from docai.document import Document
from docai.pipelines.ingest.result_source import find_source
from docai.viewer import page as pages
from docai.viewer import write_view
from docai.viewer.data import view_data
from docai.viewer.pictures import draw_content
from tests.viewer.conftest import HOSTILE

Run = Any


def _data(page: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(html.fromstring(page).get_element_by_id("data").text)
    return data


def _pictures(page: bytes) -> dict[str, bytes]:
    tree = html.fromstring(page)
    return {
        element.get("id").removeprefix("picture-"): base64.b64decode(element.text)
        for element in tree.xpath("//script[@type='text/plain']")
    }


def test_a_page_has_the_records_and_pictures_of_pages_crops_and_drawings(
    folder: Path, document: Document
) -> None:
    page = write_view(document, folder / "own.pdf")
    assert [record["id"] for record in _data(page)["records"]] == [record.id for record in document.records]
    pictures = _pictures(page)
    with Image.open(io.BytesIO(pictures["page-1"])) as picture:
        assert picture.size == (1400, 1050)
    (table,) = document.tables
    (molecule,) = document.molecules
    with Image.open(io.BytesIO(pictures[f"crop-{table.id}"])) as picture:
        assert picture.size == (896, 896)
    assert b"<svg" in pictures[f"drawing-{molecule.id}"]
    assert not any(f"crop-{text.id}" in pictures for text in document.texts)


def test_what_a_document_says_is_no_markup_of_the_page(folder: Path, document: Document) -> None:
    assert any(HOSTILE in text.text for text in document.texts)
    page = write_view(document, folder / "own.pdf")
    tree = html.fromstring(page)
    assert not tree.xpath("//img")
    assert HOSTILE.encode() not in page
    assert HOSTILE in json.dumps(_data(page), ensure_ascii=False)


def test_a_page_loads_nothing_and_runs_only_its_own_script(folder: Path, document: Document) -> None:
    tree = html.fromstring(write_view(document, folder / "own.pdf"))
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy
    assert not tree.xpath("//*[starts-with(@src, 'http') or starts-with(@href, 'http')]")


def test_without_its_source_a_page_says_so_and_shows_the_records(document: Document) -> None:
    page = write_view(document, None)
    data = _data(page)
    assert "own.pdf was not found" in data["missing"]
    assert len(data["records"]) == len(document.records)
    assert set(_pictures(page)) == {f"drawing-{document.molecules[0].id}"}


def test_a_source_that_cannot_be_read_any_more_costs_the_pictures_alone(
    folder: Path, document: Document
) -> None:
    (folder / "own.pdf").write_bytes(b"%PDF-1.7 no more")
    data = _data(write_view(document, folder / "own.pdf"))
    assert "own.pdf" in data["missing"]
    assert data["records"]


def test_more_pictures_than_a_browser_takes_are_left_out_and_told(
    folder: Path, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PICTURES_BYTES", 10)
    page = write_view(document, folder / "own.pdf")
    assert not _pictures(page)
    assert "--serve" in _data(page)["missing"]


def test_corrections_that_were_made_are_in_the_page(folder: Path, document: Document) -> None:
    (table,) = document.tables
    made = Corrections(
        source_name=document.source.name,
        source_sha256=document.source.sha256,
        corrections=[Correction(record=table.id, verdict="accepted", original=content_text(table))],
    )
    (shown,) = _data(write_view(document, None, corrections=made))["corrections"]
    assert (shown["record"], shown["verdict"]) == (table.id, "accepted")


def test_a_correction_that_cannot_be_is_told(document: Document) -> None:
    (molecule,) = document.molecules
    made = Corrections(
        source_name=document.source.name,
        source_sha256=document.source.sha256,
        corrections=[Correction(record=molecule.id, verdict="corrected", original="CCO", content="C1CC(")],
    )
    assert "not valid SMILES" in view_data(document, made, serves=False)["refused"][molecule.id]


def test_a_record_is_doubtful_where_it_is_not_sure_or_broken(document: Document) -> None:
    doubtful = {
        record["id"]: record["is_doubtful"] for record in view_data(document, None, serves=False)["records"]
    }
    assert doubtful[document.molecules[0].id]
    assert not doubtful[document.texts[0].id]


def test_atoms_and_bonds_are_told_by_their_numbers(document: Document) -> None:
    records = view_data(document, None, serves=False)["records"]
    (molecule,) = (record for record in records if record["kind"] == "molecule")
    assert [atom["symbol"] for atom in molecule["atoms"]] == ["C", "C", "O"]
    assert molecule["bonds"] == [(1, 2), (2, 3)]


def test_an_atom_that_is_not_sure_is_marked(document: Document) -> None:
    (molecule,) = document.molecules
    sure, unsure = (draw_content(molecule.with_confidences([1.0, 1.0, value])) for value in (0.9, 0.5))
    assert sure is not None
    assert unsure is not None
    assert "<ellipse" not in sure
    assert unsure.count("<ellipse") == 1


def test_the_source_is_known_by_its_bytes(folder: Path, document: Document, tmp_path: Path) -> None:
    result = folder / "own.json"
    assert find_source(document, result) == folder / "own.pdf"
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (folder / "own.pdf").rename(elsewhere / "own.pdf")
    (folder / "own.pdf").write_bytes(b"%PDF another")
    assert find_source(document, result) is None
    assert find_source(document, result, [tmp_path / "elsewhere"]) == elsewhere / "own.pdf"
    assert find_source(document, result, [elsewhere / "own.pdf"]) == elsewhere / "own.pdf"


def test_a_name_in_a_result_leads_nowhere(folder: Path, document: Document) -> None:
    source = document.source.model_copy(update={"name": "../../results/own.pdf"})
    found = find_source(document.model_copy(update={"source": source}), folder / "own.json")
    assert found == folder / "own.pdf"


def test_the_command_writes_a_file_beside_the_result(run: Run, folder: Path) -> None:
    code, out, err = run("view", folder / "own.json")
    assert (code, out) == (0, "")
    assert err.strip().endswith("own.view.html")
    assert _data((folder / "own.view.html").read_bytes())["missing"] == ""


def test_a_page_is_written_again_and_over_nothing_else(run: Run, folder: Path) -> None:
    for _ in range(2):
        assert run("view", folder / "own.json")[0] == 0
    for other in ("own.pdf", "own.json", "."):
        before = (folder / "own.pdf").read_bytes()
        code, _, err = run("view", folder / "own.json", "-o", folder / other)
        assert code == 2
        assert "no page of docai view" in " ".join(err.split())
        assert (folder / "own.pdf").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["own.pdf"], "docai process own.pdf"),
        (["missing.json"], "cannot be read"),
        (["."], "--serve"),
        (["own.json", "own.json"], "--serve"),
        (["own.pdf", "--serve"], "is no result of docai"),
        (["own.json", "--serve", "-o", "x.html"], "leave out -o"),
    ],
)
def test_bad_calls_say_what_to_do(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    code, _, err = run("view", *words)
    assert code in (1, 2)
    assert message in " ".join(err.split())
    assert not list(folder.glob("*.html"))
