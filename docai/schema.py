"""The JSON Schema of :class:`docai.Document`, committed as ``docai/schema.json``.

``python -m docai.schema`` writes it again after a change of the records, which needs a new
``SCHEMA_VERSION`` in ``docai/records.py``: readers rely on one version meaning one format.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

from docai.records import SCHEMA_VERSION, Document

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
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def read_schema() -> str:
    """The schema that this version of docai ships."""
    return files("docai").joinpath(FILE_NAME).read_text("utf-8")


def schema_version(schema: str) -> str:
    """The format version a schema text describes."""
    version: str = json.loads(schema)["properties"]["schema_version"]["const"]
    return version


def write_schema(path: Path) -> None:
    """Write the generated schema to ``path``.

    Raises:
        ValueError: the schema there differs and has the same version.
    """
    new = build_schema()
    if path.exists():
        old = path.read_text("utf-8")
        if old != new and schema_version(old) == SCHEMA_VERSION:
            raise ValueError(
                f"The records changed, and SCHEMA_VERSION is still {SCHEMA_VERSION}: raise it in "
                "docai/records.py (the second number for an addition, the first where old readers break), "
                "say so in CHANGELOG.md, and run this again."
            )
    path.write_text(new, "utf-8")


if __name__ == "__main__":
    try:
        write_schema(Path(__file__).with_name(FILE_NAME))
    except ValueError as refused:
        sys.exit(str(refused))
