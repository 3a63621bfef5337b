"""The export seam: a :class:`Document` becomes the bytes of one format, chosen by file extension.

A new format is a new entry in :data:`EXPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

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


def export(document: Document, path: str | PurePath) -> bytes:
    """The document in the format of the path's extension. Nothing is written.

    Raises:
        SettingError: docai writes no format of that extension.
    """
    return exporter_for(path)(document)
