"""The export seam: a :class:`Document` becomes the bytes of one format, chosen by file extension.

A new format is a new entry in :data:`EXPORTERS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final

from docai.errors import SettingError
from docai.records import Document

Exporter = Callable[[Document], bytes]


def to_json(document: Document) -> bytes:
    """The whole document as indented UTF-8 JSON; :meth:`Document.from_json` reads it back."""
    return (document.to_json() + "\n").encode()


EXPORTERS: Mapping[str, Exporter] = MappingProxyType({".json": to_json})


def exporter_for(path: str | PurePath) -> Exporter:
    """The exporter of the path's extension, in any case.

    Raises:
        SettingError: docai writes no format of that extension.
    """
    suffix = PurePath(path).suffix.lower()
    try:
        return EXPORTERS[suffix]
    except KeyError:
        known = ", ".join(EXPORTERS)
        raise SettingError(
            f"docai cannot write {PurePath(path).name!r}: there is no format for the extension "
            f"{suffix or '(none)'!r}; the extensions are: {known}."
        ) from None


_HEAD_BYTES: Final = 4096
"""Of a result: they hold its first two fields."""

_RESULT = re.compile(
    rb'\s*\{\s*"schema_version":\s*"[0-9.]+",\s*"source":\s*\{\s*"name":\s*("(?:[^"\\]|\\.)*")', re.DOTALL
)
"""How JSON of docai begins; its group is the name of the source, as JSON."""


def source_of_result(path: Path) -> str | None:
    """The name of the source of a file that docai wrote, told by its beginning; None: docai did not."""
    try:
        with path.open("rb") as file:
            found = _RESULT.match(file.read(_HEAD_BYTES))
        return None if found is None else str(json.loads(found[1]))
    except (OSError, ValueError):
        return None


def export(document: Document, path: str | PurePath) -> bytes:
    """The document in the format of the path's extension. Nothing is written.

    Raises:
        SettingError: docai writes no format of that extension.
    """
    return exporter_for(path)(document)
