"""The committed JSON Schema is the format's contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import docai.schema
from docai.document import SCHEMA_VERSION, Document
from docai.schema import build_schema, read_schema, schema_version, structure, write_schema


def test_committed_schema_is_that_of_the_records() -> None:
    assert structure(read_schema()) == structure(build_schema()), (
        "The records changed and docai/schema.json did not. If that is wanted, raise SCHEMA_VERSION in "
        "docai/document.py, run `make schema`, and say so in CHANGELOG.md."
    )
    assert json.loads(read_schema()) == json.loads(build_schema()), (
        "Descriptions changed, and docai/schema.json has the old ones: run `make schema`."
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


def test_descriptions_may_change_without_a_new_version(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    write_schema(path)
    right = path.read_text("utf-8")
    description = json.loads(right)["$defs"]["Cell"]["properties"]["row"]["description"]
    path.write_text(right.replace(description, "Another sentence."), "utf-8")
    assert structure(path.read_text("utf-8")) == structure(right)
    write_schema(path)
    assert path.read_text("utf-8") == right


def test_structure_is_everything_but_descriptions() -> None:
    for old, new in (
        ('"minimum": 0', '"minimum": 1'),
        ('"title": "Row"', '"title": "Line"'),
        ("n_rows", "rows"),
    ):
        assert structure(build_schema().replace(old, new, 1)) != structure(build_schema())
    field = '{"properties": {"description": {"type": "string", "description": "Words."}}}'
    assert structure(field) == {"properties": {"description": {"type": "string"}}}


def test_every_record_and_field_is_described() -> None:
    schema = json.loads(read_schema())
    for name, definition in [("Document", schema), *schema["$defs"].items()]:
        assert definition["description"], name
        fields = definition["properties"].items()
        assert [f"{name}.{field}" for field, value in fields if not value.get("description")] == []


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
