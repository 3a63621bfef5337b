from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from docai.records import Document, Text

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


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Document.from_json(full_document().to_json().replace('"n_rows"', '"colour"'))


def test_all_issues_are_found() -> None:
    assert [issue.code for issue in full_document().iter_issues()] == ["page-slow", "table-open"]
