"""Word documents as python-docx reads them."""

from __future__ import annotations

import io
from typing import Any

import docx
import pytest

from docai.document import Document
from docai.exports import export

from . import made


def _word(document: Document) -> Any:
    return docx.Document(io.BytesIO(export(document, "out.docx")))


@pytest.mark.parametrize("words", made.AWKWARD)
def test_text_and_cells_come_back(words: str) -> None:
    word = _word(made.document(made.text(words), made.grid([["h", words], [words, "x"]])))
    assert word.paragraphs[0].text == " ".join(words.split())
    assert [[cell.text for cell in row.cells] for row in word.tables[0].rows] == [["h", words], [words, "x"]]


def test_roles_are_styles_of_word() -> None:
    word = _word(
        made.document(
            made.text("T", role="title"),
            made.text("A", role="section-heading", level=1),
            made.text("B", role="section-heading", level=3),
            made.text("• one", role="list-item"),
            made.text("2. two", role="list-item"),
            made.text("C", role="caption"),
            made.text("x = 1\ny = 2", role="code"),
            made.text("P"),
        )
    )
    found = [(paragraph.style.name, paragraph.text) for paragraph in word.paragraphs]
    assert found == [
        ("Title", "T"),
        ("Heading 1", "A"),
        ("Heading 3", "B"),
        ("List Bullet", "one"),
        ("List", "2. two"),
        ("Caption", "C"),
        ("No Spacing", "x = 1\ny = 2"),
        ("Normal", "P"),
    ]


def test_spans_are_merged_cells() -> None:
    table = _word(made.document(made.spanned())).tables[0]
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    # python-docx gives a merged cell at each of its places.
    assert texts == [
        ["Group", "Mass", "Mass"],
        ["Group", "before", "after"],
        ["A|B", "1.5a", "2.25"],
        ["A|B", "3.0", "4.00"],
    ]
    assert table.cell(0, 0)._tc is table.cell(1, 0)._tc or table.cell(0, 0).text == table.cell(1, 0).text
    assert table.cell(2, 1).paragraphs[0].runs[1].font.superscript
    assert "tblHeader" in table.rows[1]._tr.xml
    assert "tblHeader" not in table.rows[2]._tr.xml


def test_structures_and_music_are_pictures_with_a_description() -> None:
    word = _word(made.document(made.molecule("CCO"), made.score()))
    assert len(word.inline_shapes) == 2
    about = [shape._inline.docPr.get("descr") for shape in word.inline_shapes]
    assert about == ["Molecule on page 1", "Score on page 1"]
    assert "SMILES: CCO" in [paragraph.text for paragraph in word.paragraphs]


def test_a_table_that_word_cannot_open_is_lines_of_text_with_a_loss() -> None:
    file = export(made.document(made.grid([["a"] * 64, ["b"] * 64])), "out.docx")
    assert [loss.code for loss in file.losses] == ["too-wide"]
    word = docx.Document(io.BytesIO(file))
    assert not word.tables
    assert word.paragraphs[0].text == "\t".join(["a"] * 64) + "\n" + "\t".join(["b"] * 64)


def test_characters_that_xml_forbids_are_replaced() -> None:
    assert _word(made.document(made.text("a\x0bb\x00c"))).paragraphs[0].text == "a\ufffdb\ufffdc"
