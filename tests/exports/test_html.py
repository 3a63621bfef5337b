"""HTML as lxml reads it: words, tables and pictures are those of the document, and it asks no network."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import pytest
from lxml import etree, html
from rdkit import Chem

from docai.document import Document
from docai.exports import export
from docai.exports.pictures import molecule_svg
from docai.records import Molecule

from . import made


def _shown(document: Document) -> html.HtmlElement:
    return html.document_fromstring(export(document, "out.html").decode())


@pytest.mark.parametrize("words", made.AWKWARD)
def test_text_and_cells_come_back(words: str) -> None:
    roles = ["title", "section-heading", "paragraph", "caption", "footnote", "code"]
    table = made.grid([["h", words], [words, "x"]])
    texts = [made.text(words, role=role) for role in roles]
    page = _shown(made.document(*texts, table))
    flat = " ".join(words.split())
    for record in texts:
        (element,) = page.xpath(f"//*[@id='{record.id}']")
        assert " ".join(element.text_content().split()) == flat
    for line_break in page.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    cells = [[cell.text_content() for cell in row] for row in page.iter("tr")]
    assert cells == [["h", words], [words, "x"]]


def test_nothing_of_a_document_becomes_markup_or_an_address() -> None:
    page = _shown(made.document(*(made.text(words) for words in made.AWKWARD), name='<script>"x".pdf'))
    assert not list(page.iter("script", "a", "link", "iframe", "object"))
    assert page.find(".//title").text == '<script>"x".pdf'


def test_it_asks_no_network() -> None:
    text = export(made.document(made.molecule("CCO"), made.score(), made.figure()), "out.html").decode()
    page = html.document_fromstring(text)
    assert all(image.get("src").startswith("data:") for image in page.iter("img"))
    assert len(list(page.iter("img"))) == 2
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|src=\"http", text)


def test_structure_and_music_are_pictures_that_can_be_opened() -> None:
    page = _shown(made.document(made.molecule("c1ccccc1O"), made.score()))
    for image in page.iter("img"):
        data = b64decode(image.get("src").partition(",")[2])
        assert etree.parse(io.BytesIO(data)).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert page.findtext(".//figcaption/code") == "Oc1ccccc1"
    assert page.findtext(".//details/pre").strip() == made.KERN.strip()


def test_spans_and_header_cells_are_those_of_the_table() -> None:
    rows = _shown(made.document(made.spanned())).findall(".//tr")
    assert [(cell.tag, cell.get("scope"), cell.get("rowspan")) for cell in rows[0]] == [
        ("th", "col", "2"),
        ("th", "colgroup", None),
    ]
    assert rows[2][0].text == "A|B"
    assert rows[2][1].get("align") == "right"


def test_a_name_of_the_first_row_that_extends_below_it_is_one_of_columns() -> None:
    table = made.spanned()
    cells = [cell.model_copy(update={"is_header": cell.row == 0}) for cell in table.cells]
    page = _shown(made.document(table.model_copy(update={"cells": cells})))
    assert [cell.get("scope") for cell in page.iter("th")] == ["col", "colgroup"]


def test_lists_are_one_list_with_their_numbers() -> None:
    items = ["• a", "• b", "3. c", "4. d"]
    page = _shown(made.document(*(made.text(item, role="list-item") for item in items)))
    assert [len(one) for one in page.iter("ul", "ol")] == [2, 2]
    assert [one.get("value") for one in page.iter("li")] == [None, None, "3", "4"]


def test_control_characters_become_replacement_characters() -> None:
    assert "a\ufffdb" in export(made.document(made.text("a\x00b")), "out.html").decode()


def test_a_structure_is_drawn_as_large_whatever_units_its_coordinates_have() -> None:
    def size(molecule: Molecule) -> tuple[float, float]:
        root = etree.fromstring((molecule_svg(molecule) or "").encode())
        _, _, width, height = map(float, root.get("viewBox").split())
        return width, height

    plain = made.molecule("c1ccccc1O")
    mol = Chem.MolFromMolBlock(plain.molblock)
    points = mol.GetConformer().GetPositions() * 20
    for index, (x, y, z) in enumerate(points):
        mol.GetConformer().SetAtomPosition(index, (x, y, z))
    on_page = plain.model_copy(update={"molblock": Chem.MolToMolBlock(mol)})
    assert size(on_page) == pytest.approx(size(plain), rel=0.05)
    assert max(size(plain)) < 250
