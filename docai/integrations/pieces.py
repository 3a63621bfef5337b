"""Documents cut into pieces for retrieval, with metadata that every vector store takes.

Stores filter by metadata and most of them hold plain values alone, so there are no lists in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docai.api import Pipeline
from docai.document import Document
from docai.errors import SourceNotFoundError
from docai.exports import Export, ExportOptions, source_of_result
from docai.exports.chunks import chunks

Source = str | Path | Document
"""A PDF or image to read, the JSON of one that docai has read, or a document at hand."""

Value = str | int | float

NOT_FOR_MODELS: Final = ("sha256", "pages", "chunk", "records", "kinds", "boxes", "confidence")
"""Metadata that says nothing to a language model, and is left out of what it and an embedding are given."""


@dataclass(frozen=True)
class Piece:
    """One chunk of a document.

    Its metadata: ``source`` (path or name), ``sha256`` of its bytes, ``page`` (the first, from 1) and
    ``pages`` (``3,4``), ``chunk`` (its number, from 0), ``headings`` (joined by `` > ``), ``records`` (ids),
    ``kinds`` (in the same order, separated by spaces), ``boxes`` (JSON: page, x0, y0, x1, y1 in points of
    each record), ``confidence`` (of its least sure record; absent where none was measured).
    """

    id: str
    text: str
    metadata: dict[str, Value]


def pieces(
    source: Source, *, pipeline: Pipeline | None, password: str | None, options: ExportOptions
) -> Iterator[Piece]:
    """The chunks of one document, none larger than ``options.chunk_size``.

    Args:
        source: see :data:`Source`; a file is told by what is in it.
        pipeline: reads what is not read yet; None: one with the default settings.
        password: opens an encrypted PDF.

    Raises:
        InputError: the source cannot be read.
        NotAResultError: it is JSON of docai that this version does not read.
        SettingError: the size of chunks or the tokenizer cannot be used.
    """
    if isinstance(source, Document):
        document, name = source, source.source.name
    else:
        document, name = _read(Path(source), pipeline, password), str(source)
    about = document.source
    for chunk in chunks(Export(document, Path(about.name).stem, options)):
        metadata: dict[str, Value] = {
            "source": name,
            "sha256": about.sha256,
            "page": chunk.pages[0],
            "pages": ",".join(map(str, chunk.pages)),
            "chunk": chunk.index,
            "headings": " > ".join(chunk.headings),
            "records": " ".join(record.id for record in chunk.records),
            "kinds": " ".join(str(getattr(record, "kind", "record")) for record in chunk.records),
            "boxes": json.dumps([[record.page, *record.bbox] for record in chunk.records]),
        }
        if chunk.confidence is not None:
            metadata["confidence"] = chunk.confidence
        yield Piece(f"{about.sha256[:12]}-{chunk.index:05d}", chunk.text, metadata)


def _read(path: Path, pipeline: Pipeline | None, password: str | None) -> Document:
    if source_of_result(path) is None:
        return (pipeline or Pipeline()).process(path, password=password)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceNotFoundError(
            f"{path} cannot be read ({error.strerror}): check its permissions.", source=str(path)
        ) from error
    return Document.from_json(data)
