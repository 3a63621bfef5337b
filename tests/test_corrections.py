"""Corrections of a person: their file, and the document that they make."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from docai.contents import Cell, Line, Word
from docai.corrections import (
    Correction,
    Corrections,
    Verdict,
    content_text,
    corrected_content,
    corrections_path,
)
from docai.document import Document, SourceInfo
from docai.errors import CorrectionsError
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table_grid import table_content
from docai.records import Figure, Molecule, Score, Table, Text

KERN = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"


def _document() -> Document:
    cells = [
        Cell(row=0, col=0, text="Name", is_header=True, bbox=(0, 0, 10, 5), confidence=0.9),
        Cell(row=0, col=1, text="Mass", is_header=True, bbox=(10, 0, 20, 5), confidence=0.5),
        Cell(row=1, col=0, text="Tea", bbox=(0, 5, 10, 10)),
        Cell(row=1, col=1, text="7.l", marks=["a"], bbox=(10, 5, 20, 10)),
    ]
    words = [
        Word(text=text, bbox=(20.0 * at, 30, 20.0 * at + 15, 40), confidence=0.4)
        for at, text in enumerate(("Paid", "ln", "full"))
    ]
    return Document(
        source=SourceInfo(name="a.pdf", type="pdf", n_bytes=1, sha256="ab" * 32, n_pages=1),
        records=[
            Table(id="table", page=1, bbox=(0, 0, 20, 10), **dict(table_content(cells, 2, 2))),
            Text(
                id="text",
                page=1,
                bbox=(0, 30, 60, 40),
                evidence=["tesseract"],
                text="Paid ln full",
                lines=[Line(text="Paid ln full", words=words)],
            ),
            Molecule(id="molecule", page=1, bbox=(0, 50, 60, 90), **dict(parse_molecule("CCO").content)),
            Score(id="score", page=1, bbox=(0, 100, 60, 120), **dict(parse_score(KERN).content)),
            Figure(id="figure", page=1, bbox=(0, 130, 60, 150)),
        ],
    )


def _corrections(*said: tuple[str, Verdict, str | None]) -> Corrections:
    document = _document()
    texts = {record.id: content_text(record) for record in document.records}
    return Corrections(
        source_name="a.pdf",
        source_sha256=document.source.sha256,
        corrections=[
            Correction(
                record=record, verdict=verdict, original=texts.get(record, ""), content=content, who="Ada"
            )
            for record, verdict, content in said
        ],
    )


def test_a_file_of_corrections_is_read_back_unchanged(tmp_path: Path) -> None:
    path = corrections_path(tmp_path / "a.json")
    assert path.name == "a.corrections.json"
    made = _corrections(("text", "corrected", "Paid in full"), ("table", "accepted", None))
    made.write(path)
    assert Corrections.read(path) == made
    assert made.corrections[0].when.tzinfo is not None


def test_the_last_word_about_a_record_counts_and_undone_takes_one_back() -> None:
    valid = _corrections(
        ("text", "corrected", "one"),
        ("text", "corrected", "two"),
        ("text", "undone", None),
        ("table", "accepted", None),
        ("table", "undone", None),
        ("table", "undone", None),
    ).valid()
    assert {record: one.content for record, one in valid.items()} == {"text": "one"}


def test_an_accepted_record_is_sure_and_says_who_says_so() -> None:
    table = _document().with_corrections(_corrections(("table", "accepted", None))).tables[0]
    assert (table.confidence.value, table.evidence) == (1.0, ["person"])
    assert {cell.confidence for cell in table.cells} == {1.0}
    assert table.html == _document().tables[0].html


def test_a_corrected_table_keeps_the_boxes_of_cells_in_their_places_and_what_was_read() -> None:
    html = content_text(_document().tables[0]).replace("7.l", "7.1 &lt;b&gt;")
    table = _document().with_corrections(_corrections(("table", "corrected", html))).tables[0]
    assert [cell.text for cell in table.cells] == ["Name", "Mass", "Tea", "7.1 <b>"]
    assert table.cells[3].marks == ["a"]
    assert [cell.bbox for cell in table.cells] == [cell.bbox for cell in _document().tables[0].cells]
    assert "7.l" in table.alternatives[-1].content


def test_a_cell_of_another_size_has_no_box() -> None:
    html = "<table><tr><td colspan='2'>Head</td></tr><tr><td>Tea</td><td>7.1</td></tr></table>"
    table = _document().with_corrections(_corrections(("table", "corrected", html))).tables[0]
    assert [cell.bbox is None for cell in table.cells] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("Paid in full", [0, 20, 40]),
        ("Paid infull", [0, None]),
        ("Paid\nin full", [0, 20, 40]),
        ("Well Paid ln full", [None, 0, 20, 40]),
    ],
)
def test_words_keep_the_boxes_of_those_in_whose_place_they_are(text: str, boxes: list[int | None]) -> None:
    record = _document().with_corrections(_corrections(("text", "corrected", text))).texts[0]
    words = [word for line in record.lines for word in line.words]
    assert record.text == text
    assert [None if word.bbox is None else word.bbox[0] for word in words] == boxes


def test_molecules_and_scores_are_checked_as_those_of_heads() -> None:
    kern = KERN.replace("4f", "4g")
    said = _corrections(("molecule", "corrected", "OC(=O)c1ccccc1"), ("score", "corrected", kern))
    document = _document().with_corrections(said)
    assert document.molecules[0].formula == "C7H6O2"
    assert document.scores[0].events[-1].pitch == "G4"


def test_a_rejected_record_is_left_out() -> None:
    document = _document().with_corrections(_corrections(("molecule", "rejected", None)))
    assert not document.molecules
    assert len(document.records) == len(_document().records) - 1


def test_a_caption_of_what_was_rejected_belongs_to_nothing() -> None:
    document = _document()
    caption = document.texts[0].model_copy(update={"role": "caption", "belongs_to": "table"})
    document = document.model_copy(update={"records": [document.records[0], caption]})
    assert document.with_corrections(_corrections(("table", "accepted", None))).texts[0].belongs_to == "table"
    assert document.with_corrections(_corrections(("table", "rejected", None))).texts[0].belongs_to is None


def test_the_document_itself_is_not_changed() -> None:
    document = _document()
    document.with_corrections(
        _corrections(("text", "corrected", "Paid in full"), ("table", "rejected", None))
    )
    assert document == _document()


@pytest.mark.parametrize(
    ("record", "content", "message"),
    [
        ("molecule", "C1CC", "cannot be the content"),
        ("table", "no table", "cannot be the content"),
        ("score", "", "cannot be the content"),
        ("text", " \n ", "reject it"),
        ("figure", "x", "cannot be corrected"),
    ],
)
def test_a_content_that_cannot_be_is_refused(record: str, content: str, message: str) -> None:
    (found,) = (one for one in _document().records if one.id == record)
    with pytest.raises(CorrectionsError, match=message):
        corrected_content(found, content)
    document = _document().with_corrections(
        _corrections((record, "corrected", content), ("molecule", "rejected", None))
    )
    if record != "molecule":
        (issue,) = document.issues
        assert (issue.code, issue.region, issue.page) == ("correction-refused", record, 1)
        assert not document.molecules
        assert [one for one in document.records if one.id == record] == [found]


def test_corrections_of_another_source_are_refused() -> None:
    made = _corrections().model_copy(update={"source_sha256": "cd" * 32})
    with pytest.raises(CorrectionsError, match="other bytes"):
        _document().with_corrections(made)


def test_a_correction_of_no_record_and_an_acceptance_of_another_reading_are_issues() -> None:
    made = _corrections(("gone", "accepted", None), ("text", "accepted", None))
    made.corrections[1] = made.corrections[1].model_copy(update={"original": "Paid in full"})
    document = _document().with_corrections(made)
    assert [issue.code for issue in document.issues] == ["correction-unplaced", "correction-outdated"]
    assert document.issues[1].region == "text"
    assert document.texts[0].evidence == ["tesseract"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"corrections_version": "2.0", "source_name": "a", "source_sha256": "b"}', "\udcff"],
)
def test_what_is_no_list_of_corrections_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.corrections.json"
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(CorrectionsError, match=r"a\.corrections\.json"):
        _document().with_corrections(path)
    with pytest.raises(CorrectionsError, match="cannot be read"):
        Corrections.read(tmp_path / "missing.corrections.json")


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone"):
        Correction(record="a", verdict="accepted", original="", when=datetime(2026, 1, 1))
    assert Correction(record="a", verdict="accepted", original="", when=datetime.now(UTC))
