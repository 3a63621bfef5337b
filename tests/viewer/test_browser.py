"""The viewer in a real browser, by keyboard alone, up to the pair that a correction becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docai.corrections import Corrections
from docai.document import Document
from docai.pipelines.harvest.corrected import write_corrected_pairs
from docai.viewer import ViewServer, write_view
from tests.viewer.conftest import HOSTILE

pytestmark = pytest.mark.slow(seconds=30)


@pytest.fixture
def page(folder: Path, document: Document) -> Path:
    path = folder / "own.view.html"
    path.write_bytes(write_view(document, folder / "own.pdf"))
    return path


def _press(tab: Any, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def _is_shown(tab: Any, selector: str, text: str) -> None:
    tab.locator(selector, has_text=text).first.wait_for(timeout=30_000)


def test_a_page_opens_from_the_disk_and_shows_pages_boxes_and_records(tab: Any, page: Path) -> None:
    tab.goto(page.as_uri())
    _is_shown(tab, "#counts", "1 doubtful")
    assert tab.locator(".page img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1400
    assert tab.locator(".box").count() == 4
    _press(tab, "n")
    _is_shown(tab, "#record h2", "molecule on page 1")
    _is_shown(tab, ".box[aria-current=true]", "")
    drawing = tab.locator("img.drawing")
    assert drawing.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    _press(tab, "o")
    assert tab.locator(".picture svg").count() == 1


def test_what_a_document_says_is_shown_as_text(tab: Any, page: Path) -> None:
    tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
    tab.goto(page.as_uri())
    _press(tab, "k", "k")
    _is_shown(tab, "#record", HOSTILE)
    assert tab.locator("img[src='x']").count() == 0


def test_a_page_alone_saves_corrections_as_a_file(tab: Any, page: Path, document: Document) -> None:
    tab.goto(page.as_uri())
    _press(tab, "n", "r")
    _is_shown(tab, "#counts", "not saved")
    with tab.expect_download() as download:
        _press(tab, "s")
    assert download.value.suggested_filename == "own.corrections.json"
    made = Corrections.from_json(Path(download.value.path()).read_bytes())
    assert not document.with_corrections(made).molecules


def test_a_table_is_corrected_by_keyboard_and_becomes_a_pair(
    tab: Any, server: ViewServer, folder: Path, document: Document
) -> None:
    tab.goto(server.url)
    _press(tab, "j", "j")
    _is_shown(tab, "#record h2", "table on page 1")
    _press(tab, "e")
    cell = tab.get_by_label("Row 3, column 2")
    tab.get_by_label("Row 1, column 1").wait_for()
    _press(tab, "Alt+ArrowDown", "Alt+ArrowDown", "Alt+ArrowRight")
    assert cell.evaluate("cell => cell === document.activeElement")
    _press(tab, "Control+a")
    tab.keyboard.type("=7.1 <b>|")
    _press(tab, "Control+Enter")
    _is_shown(tab, "#counts", "1 checked")
    corrected = document.with_corrections(folder / "own.corrections.json")
    assert corrected.tables[0].cells[-1].text == "=7.1 <b>|"
    pairs = write_corrected_pairs([folder], folder / "pairs")
    (line,) = (pairs.of_head("table") / "pairs.jsonl").read_text("utf-8").splitlines()
    assert "=7.1 &lt;b&gt;|" in json.loads(line)["target"]
    _press(tab, "u")
    _is_shown(tab, "#counts", "0 checked")
    assert document.with_corrections(folder / "own.corrections.json") == document


def test_accepting_does_not_throw_a_correction_away(
    tab: Any, server: ViewServer, folder: Path, document: Document
) -> None:
    tab.goto(server.url)
    _press(tab, "n", "e", "Control+a")
    tab.keyboard.type("c1ccccc1")
    _press(tab, "Control+Enter")
    _is_shown(tab, "#record .verdict", "corrected")
    _press(tab, "a")
    _is_shown(tab, "#message", "It was corrected")
    assert document.with_corrections(folder / "own.corrections.json").molecules[0].smiles == "c1ccccc1"


def test_rows_columns_and_spans_are_edited(
    tab: Any, server: ViewServer, folder: Path, document: Document
) -> None:
    tab.goto(server.url)
    _press(tab, "j", "j", "e")
    tab.get_by_label("Row 1, column 1").wait_for()
    tab.get_by_role("button", name="Join right").click()
    tab.get_by_label("Row 3, column 1").focus()
    for name in ("Row below", "Column right"):
        tab.get_by_role("button", name=name).click()
    tab.get_by_label("Row 2, column 3").fill("new")
    tab.get_by_label("Row 2, column 1").focus()
    tab.get_by_role("button", name="Delete row").click()
    _press(tab, "Control+Enter")
    _is_shown(tab, "#counts", "1 checked")
    (table,) = document.with_corrections(folder / "own.corrections.json").tables
    assert (table.n_rows, table.n_cols) == (3, 3)
    placed = {(cell.row, cell.col): (cell.col_span, cell.text) for cell in table.cells}
    # The joined heading was beside the place of the new column, which it does not cross.
    assert placed[0, 0] == (2 if (0, 2) in placed else 3, "Sample Mass")
    assert placed[1, 0] == (1, "Tea")
    assert placed[1, 2] == (1, "7.l")
    assert placed[2, 0] == (1, "")


def test_a_structure_is_drawn_as_it_is_typed_and_refused_where_it_is_none(
    tab: Any, server: ViewServer, folder: Path, document: Document
) -> None:
    tab.goto(server.url)
    _press(tab, "n", "e", "Control+a")
    tab.keyboard.type("c1ccccc1")
    _is_shown(tab, "#record", "C6H6")
    _press(tab, "Control+a")
    tab.keyboard.type("c1ccc")
    _is_shown(tab, "#record", "cannot be the content")
    _press(tab, "Control+Enter")
    _is_shown(tab, "#message", "cannot be the content")
    # What was typed is still there.
    assert tab.locator("#record textarea").input_value() == "c1ccc"
    _press(tab, "Escape", "a")
    _is_shown(tab, "#record .verdict", "accepted")
    _press(tab, "n")
    _is_shown(tab, "#message", "Nothing doubtful is left")
    assert document.with_corrections(folder / "own.corrections.json").molecules[0].confidence.value == 1.0


def test_a_long_document_has_pictures_on_demand(tab: Any, folder: Path, document: Document) -> None:
    (info,) = document.pages
    many = [info.model_copy(update={"number": number}) for number in range(1, 301)]
    records = [
        record.model_copy(update={"id": f"{record.id}-{page.number}", "page": page.number})
        for page in many
        for record in document.records
    ]
    long = document.model_copy(update={"pages": many, "records": records})
    path = folder / "long.html"
    path.write_bytes(write_view(long, None))
    tab.goto(path.as_uri())
    _is_shown(tab, "#counts", "1200 records")
    assert tab.locator(".box").count() < 100
    _press(tab, "k")
    _is_shown(tab, "#record h2", "on page 300")
    assert tab.locator("#page-300 .box").count() == 4
