"""Chunks: nothing is lost, none is too large, and each says where it is from."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.document import Document
from docai.errors import SettingError
from docai.exports import ExportOptions, export
from docai.records import Confidence

from . import made


def _chunks(document: Document, size: int = 1000, **options: Any) -> list[dict[str, Any]]:
    data = export(document, "out.jsonl", ExportOptions(chunk_size=size, **options))
    return [json.loads(line) for line in data.decode().splitlines()]


def _letters(text: str) -> str:
    """Without white space, and without hyphens: those at the ends of lines are undone."""
    return re.sub("[\\s\\-\N{SOFT HYPHEN}\N{HYPHEN}]+", "", text)


def test_a_heading_begins_a_chunk_and_is_its_path() -> None:
    chunks = _chunks(
        made.document(
            made.text("Title", role="title"),
            made.text("Intro"),
            made.text("One", role="section-heading", level=1),
            made.text("Sub", role="section-heading", level=2),
            made.text("Body", page=2),
            made.text("Two", role="section-heading", level=1),
            made.text("End", page=2),
        )
    )
    assert [chunk["text"] for chunk in chunks] == ["Title\n\nIntro", "One\n\nSub\n\nBody", "Two\n\nEnd"]
    assert [chunk["headings"] for chunk in chunks] == [["Title"], ["Title", "One", "Sub"], ["Title", "Two"]]
    assert [chunk["pages"] for chunk in chunks] == [[1], [1, 2], [1, 2]]


def test_a_chunk_says_where_it_is_from_and_how_sure_its_least_sure_record_is() -> None:
    sure = made.text("A.", confidence=Confidence(value=0.9, method="m"))
    unsure = made.text("B.", confidence=Confidence(value=0.4, method="m"), page=2, bbox=(1.0, 2.0, 3.0, 4.0))
    unknown = made.text("C.")
    (chunk,) = _chunks(made.document(sure, unsure, unknown))
    assert chunk["confidence"] == 0.4
    assert chunk["records"][1] == {"id": unsure.id, "kind": "text", "page": 2, "bbox": [1.0, 2.0, 3.0, 4.0]}
    assert (chunk["size"], chunk["unit"]) == (len("A.\n\nB.\n\nC."), "characters")
    assert chunk["id"] == "abababababab-00000"


def test_long_text_is_cut_between_sentences() -> None:
    chunks = _chunks(made.document(made.text("First one here. Second one there! Third?")), 18)
    assert [chunk["text"] for chunk in chunks] == ["First one here.", "Second one there!", "Third?"]


def test_a_long_table_is_cut_between_rows_with_its_head_above_each_part() -> None:
    table = made.grid([["name", "n"], *([f"row {number}", str(number)] for number in range(30))])
    chunks = _chunks(made.document(table), 120)
    assert len(chunks) > 3
    rows = []
    for chunk in chunks:
        head, rule, *body = chunk["text"].split("\n")
        assert (head, rule) == ("| name | n |", "| --- | ---: |")
        rows += body
        assert chunk["size"] <= 120
        assert [record["id"] for record in chunk["records"]] == [table.id]
    assert rows == [f"| row {number} | {number} |" for number in range(30)]


def test_molecules_music_and_figures_are_text() -> None:
    (chunk,) = _chunks(made.document(made.molecule("CCO"), made.score(), made.figure("a chart")))
    assert "SMILES: CCO" in chunk["text"]
    assert made.KERN.strip() in chunk["text"]
    assert chunk["text"].endswith("a chart")


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co"]), max_size=80), max_size=6
    ),
    st.integers(1, 60),
)
def test_nothing_is_lost_and_no_chunk_is_too_large(words: list[str], size: int) -> None:
    document = made.document(*(made.text(text) for text in words if text.strip()))
    chunks = _chunks(document, size)
    assert all(len(chunk["text"]) == chunk["size"] <= size for chunk in chunks)
    assert _letters("".join(chunk["text"] for chunk in chunks)) == _letters("".join(words))


def test_tokens_of_a_tokenizer_size_the_chunks(tmp_path: Any) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    document = made.document(made.text("a b c d e f g h"))
    for given_tokenizer in (tmp_path, tmp_path / "tokenizer.json", str.split):
        chunks = _chunks(document, 3, tokenizer=given_tokenizer)
        assert [(chunk["text"], chunk["size"]) for chunk in chunks] == [
            ("a b c", 3),
            ("d e f", 3),
            ("g h", 2),
        ]
        assert {chunk["unit"] for chunk in chunks} == {"tokens"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"chunk_size": 0}, "size of chunks is 0"), ({"tokenizer": "nowhere.json"}, "give a tokenizer.json")],
)
def test_a_bad_setting_says_what_to_give(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        export(made.document(made.text("a")), "o.jsonl", ExportOptions(**options))
