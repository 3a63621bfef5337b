from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import docai
from docai.base import MAX_REPR
from docai.contents import FigureContent, Line, MoleculeContent, ScoreContent, TableContent, TextContent, Word
from docai.document import Document, SourceInfo
from docai.errors import NotAResultError
from docai.records import Confidence, Figure, Molecule, Table, Text

from .documents import full_document


def test_json_round_trip_is_lossless() -> None:
    document = full_document()
    assert Document.from_json(document.to_json()) == document
    assert Document.from_json(document.to_json(indent=None).encode()) == document


@given(st.text(), st.floats(0, 1), st.floats(-1e6, 1e6))
def test_any_text_and_number_survives(text: str, confidence: float, x: float) -> None:
    document = full_document()
    record = document.texts[0].model_copy(update={"raw": text, "bbox": (x, 0.0, math.pi, 1e-9)})
    record.confidence.value = confidence
    document.records = [record]
    assert Document.from_json(document.to_json()) == document


def test_records_come_back_as_their_own_type() -> None:
    document = Document.from_json(full_document().to_json())
    assert [len(part) for part in (document.tables, document.molecules, document.scores)] == [1, 1, 1]
    assert [type(record) for record in document.texts] == [Text]


def test_results_without_roles_are_read_with_paragraphs() -> None:
    stored = json.loads(full_document().to_json()) | {"schema_version": "1.6"}
    for record in stored["records"]:
        for field in ("role", "level", "belongs_to"):
            record.pop(field, None)
    document = Document.from_json(json.dumps(stored))
    roles = [(text.role, text.level, text.belongs_to) for text in document.texts]
    assert roles == [("paragraph", None, None)]


@pytest.mark.parametrize(("field", "value"), [("role", "headline"), ("level", 0), ("belongs_to", 3)])
def test_a_role_level_or_tie_that_is_none_is_refused(field: str, value: object) -> None:
    stored = json.loads(full_document().to_json())
    (text,) = (record for record in stored["records"] if record["kind"] == "text")
    text[field] = value
    with pytest.raises(NotAResultError, match=field):
        Document.from_json(json.dumps(stored))


def test_unknown_field_is_refused() -> None:
    with pytest.raises(NotAResultError, match="colour"):
        Document.from_json(full_document().to_json().replace('"n_rows"', '"colour"'))


def test_all_issues_are_found() -> None:
    assert [issue.code for issue in full_document().iter_issues()] == ["page-slow", "table-open"]


def test_a_document_and_its_records_print_as_one_line() -> None:
    document = full_document()
    assert repr(document) == "<Document résumé.pdf: 2 pages, 5 records, 2 issues>"
    assert str(document) == repr(document)
    assert [repr(record) for record in document.records[:2]] == [
        "<Table t1: page 1, 1 x 1 cells, confidence 0.12>",
        "<Molecule m1: page 1, C2H7NO>",
    ]
    assert str(document.records[0]) == repr(document.records[0])
    assert repr(docai.parse("text", "")).endswith(": page 1, 0 words>")
    assert repr(Figure(id="f", page=3, bbox=(0, 0, 1, 1))) == "<Figure f: page 3>"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (TableContent(n_rows=4, n_cols=3), "<TableContent: 4 x 3 cells>"),
        (MoleculeContent(formula="C9H8O4", is_valid=True), "<MoleculeContent: C9H8O4>"),
        (MoleculeContent(), "<MoleculeContent: no valid structure>"),
        (ScoreContent(n_measures=1, is_valid=True), "<ScoreContent: 1 measure>"),
        (ScoreContent(n_measures=2), "<ScoreContent: 2 measures, not valid>"),
        (TextContent(text="a b", lines=[Line(text="a b", words=[Word(text="a"), Word(text="b")])]), None),
        (FigureContent(), "<FigureContent>"),
        (FigureContent(text="Fig. 1"), "<FigureContent: 2 words>"),
    ],
)
def test_a_content_prints_as_one_line(content: docai.base.Content, text: str | None) -> None:
    assert repr(content) == str(content) == (text or "<TextContent: 2 words>")


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_name_makes_a_repr_longer_than_a_line(name: str, formula: str) -> None:
    record = Molecule(id=name, page=1, bbox=(0, 0, 1, 1), formula=formula, confidence=Confidence(value=0.5))
    source = SourceInfo(name=name, type="pdf", n_bytes=0, sha256="", n_pages=1)
    for shown in (repr(record), repr(Document(source=source, records=[record])), repr(docai.Pipeline(name))):
        assert len(shown) <= MAX_REPR
        assert "\n" not in shown
        assert (shown[0], shown[-1]) == ("<", ">")


def test_a_pipeline_prints_what_it_is_set_to() -> None:
    nano = docai.Pipeline(device="cpu")
    assert repr(nano) == "<Pipeline nano on cpu, text_layer='prefer', drawings='prefer'>"
    scripted = docai.Pipeline(engine=docai.ScriptedEngine({}), text_layer="verify")
    assert repr(scripted) == "<Pipeline scripted on none, text_layer='verify', drawings='prefer'>"


def test_an_empty_content_says_so() -> None:
    for head, text in (
        ("table", "<table><tr><td>a</td></tr></table>"),
        ("molecule", "CC"),
        ("text", "a"),
        ("score", "**kern\n4c\n*-"),
    ):
        full, empty = docai.parse(head, text), docai.parse(head, "")
        assert isinstance(full, docai.base.Content)
        assert isinstance(empty, docai.base.Content)
        assert (full.is_empty, empty.is_empty) == (False, True), head
    assert FigureContent().is_empty
    assert not FigureContent(text="a").is_empty


def test_a_record_read_in_place_of_another_kind_is_refused() -> None:
    with pytest.raises(NotAResultError, match="kind"):
        Document.from_json(full_document().to_json().replace('"kind": "table"', '"kind": "tabel"'))


def test_the_parts_within_a_box_are_those_whose_center_it_holds() -> None:
    box = "<loc0100><loc0100><loc0200><loc0200>"
    text = docai.parse("text", f"{box} a ; <loc0100><loc0800><loc0200><loc0900> b")
    table = docai.parse("table", f'<table><tr><td coords="{box}">a</td><td>b</td></tr></table>')
    assert isinstance(text, Text)
    assert isinstance(table, Table)
    assert [word.text for word in text.parts_within((0, 0, 448, 448)).parts()] == ["a"]
    assert [word.text for word in text.parts_within((0, 0, 896, 896)).parts()] == ["a", "b"]
    assert [cell.text for cell in table.parts_within((0, 0, 448, 448)).parts()] == ["a"]
    assert table.parts_within((200, 0, 448, 448)).parts() == []
    molecule = MoleculeContent(smiles="C", is_valid=True)
    assert molecule.parts_within((0, 0, 0, 0)) == molecule
