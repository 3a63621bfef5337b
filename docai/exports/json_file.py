"""JSON: the whole document, which :meth:`docai.Document.from_json` reads back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from docai.exports.base import Export

_HEAD_BYTES: Final = 4096
"""Of a result: they hold its first two fields."""

_RESULT = re.compile(
    rb'\s*\{\s*"schema_version":\s*"[0-9.]+",\s*"source":\s*\{\s*"name":\s*("(?:[^"\\]|\\.)*")', re.DOTALL
)
"""How JSON of docai begins; its group is the name of the source, as JSON."""


def to_json(export: Export) -> bytes:
    """The whole document as indented UTF-8 JSON."""
    return (export.document.to_json() + "\n").encode()


def source_of_result(path: Path) -> str | None:
    """The name of the source of a file that docai wrote, told by its beginning; None: docai did not."""
    try:
        with path.open("rb") as file:
            found = _RESULT.match(file.read(_HEAD_BYTES))
        return None if found is None else str(json.loads(found[1]))
    except (OSError, ValueError):
        return None
