"""The JSON Schema of :class:`docai.Document`, committed as ``docai/schema.json``.

``python -m docai.schema`` writes it again after a change of the records. A change of the structure needs a
new ``SCHEMA_VERSION`` in ``docai/document.py``: readers rely on one version meaning one format. Descriptions
may change at any time.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from docai.document import SCHEMA_VERSION, Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "schema.json"


def build_schema() -> str:
    """The schema of what docai writes, generated from the records. Ends with a newline."""
    schema = {
        "$schema": DIALECT,
        "title": f"docai Document {SCHEMA_VERSION}",
        **{
            key: value
            for key, value in Document.model_json_schema(mode="serialization").items()
            if key != "title"
        },
    }
    schema["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    schema = json.loads(json.dumps(schema), object_hook=_without_example)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _without_example(node: dict[str, Any]) -> dict[str, Any]:
    """Descriptions are docstrings; their Python examples say nothing to a reader of JSON."""
    if isinstance(node.get("description"), str):
        node["description"] = node["description"].partition("\n\n>>>")[0]
    return node


def read_schema() -> str:
    """The schema that this version of docai ships."""
    return files("docai").joinpath(FILE_NAME).read_text("utf-8")


def schema_version(schema: str) -> str:
    """The format version a schema text describes."""
    version: str = json.loads(schema)["properties"]["schema_version"]["const"]
    return version


def structure(schema: str) -> Any:
    """What a schema text demands of a document: its JSON without the descriptions."""
    return json.loads(schema, object_hook=_without_description)


def _without_description(node: dict[str, Any]) -> dict[str, Any]:
    # A field that is called so has an object here, never a text.
    return {key: value for key, value in node.items() if key != "description" or isinstance(value, dict)}


def write_schema(path: Path) -> None:
    """Write the generated schema to ``path``.

    Raises:
        ValueError: the schema there has another structure and the same version.
    """
    new = build_schema()
    if path.exists():
        old = path.read_text("utf-8")
        if structure(old) != structure(new) and schema_version(old) == SCHEMA_VERSION:
            raise ValueError(
                f"The records changed, and SCHEMA_VERSION is still {SCHEMA_VERSION}: raise it in "
                "docai/document.py (the second number for an addition, the first where old readers break), "
                "say so in CHANGELOG.md, and run this again."
            )
    path.write_text(new, "utf-8")


if __name__ == "__main__":
    try:
        write_schema(Path(__file__).with_name(FILE_NAME))
    except ValueError as refused:
        sys.exit(str(refused))
