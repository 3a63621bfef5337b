"""The committed JSON Schema is the format's contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import docai.schema
from docai.records import SCHEMA_VERSION, Document
from docai.schema import build_schema, read_schema, schema_version, write_schema


def test_committed_schema_is_that_of_the_records() -> None:
    assert json.loads(read_schema()) == json.loads(build_schema()), (
        "The records changed and docai/schema.json did not. If that is wanted, raise SCHEMA_VERSION in "
        "docai/records.py, run `make schema`, and say so in CHANGELOG.md."
    )


def test_schema_and_documents_carry_the_same_version() -> None:
    assert schema_version(read_schema()) == SCHEMA_VERSION
    assert Document.model_fields["schema_version"].default == SCHEMA_VERSION


def test_a_changed_schema_is_written_only_with_a_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schema.json"
    write_schema(path)
    changed = build_schema().replace('"n_rows"', '"rows"')
    path.write_text(changed, "utf-8")
    with pytest.raises(ValueError, match="SCHEMA_VERSION"):
        write_schema(path)
    assert path.read_text("utf-8") == changed
    monkeypatch.setattr(docai.schema, "SCHEMA_VERSION", "99.0")
    write_schema(path)
    assert schema_version(path.read_text("utf-8")) == "99.0"


FIXED_NAMES = {
    "Document": {"schema_version", "source", "pages", "records", "issues", "stats"},
    "Table": {"html", "n_rows", "n_cols", "cells", "columns"},
    "Molecule": {"smiles", "inchi", "inchikey", "formula", "molblock", "is_valid"},
    "Score": {"kern", "musicxml", "n_spines", "n_measures", "is_valid"},
    "Text": {"text", "lines"},
    "Cell": {"row", "col", "row_span", "col_span", "text", "is_header", "bbox"},
    "Column": {"name", "kind", "unit", "n_read", "n_missing", "n_unread"},
    "Line": {"text", "bbox", "words"},
    "Word": {"text", "bbox", "confidence"},
    "Confidence": {"value", "method"},
}
OF_EVERY_RECORD = {
    *("id", "kind", "page", "bbox", "head", "checkpoint", "prompt", "raw", "finish_reason"),
    *("confidence", "evidence", "issues", "repaired"),
}


@pytest.mark.parametrize("name", FIXED_NAMES)
def test_names_that_are_promised(name: str) -> None:
    schema = json.loads(read_schema())
    properties = set((schema if name == "Document" else schema["$defs"][name])["properties"])
    assert properties >= FIXED_NAMES[name]


@pytest.mark.parametrize("name", ["Table", "Molecule", "Score", "Text", "Figure"])
def test_names_that_every_record_has(name: str) -> None:
    assert set(json.loads(read_schema())["$defs"][name]["properties"]) >= OF_EVERY_RECORD


def test_records_are_told_apart_by_kind() -> None:
    items = json.loads(read_schema())["properties"]["records"]["items"]
    assert items["discriminator"]["propertyName"] == "kind"
    assert set(items["discriminator"]["mapping"]) == {"table", "molecule", "score", "text", "figure"}
