"""A document cut into chunks for retrieval, each with where it comes from, as lines of JSON.

A chunk holds whole paragraphs, items, tables and pictures as long as they have room; it never goes over a
heading, which begins the next one. What is too long by itself is cut: text between sentences, then words;
tables between rows, with their head above each part; music between lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from docai.base import Content
from docai.errors import SettingError
from docai.exports.base import Export
from docai.exports.flow import Block, blocks, is_picture, printable, running_text, words_of
from docai.records import Molecule, RecordBase, Score
from docai.table_formats import TableExports

Counter = Callable[[str], int]
"""Text → its size, in characters or tokens."""

_BETWEEN: Final = "\n\n"

_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+")

_SPACE: Final = re.compile(r"\s+")

_LINES: Final = (re.compile(r"\n"), _SPACE)
_PROSE: Final = (_SENTENCE, _SPACE)
"""Where text is cut, the best places first."""


@dataclass(frozen=True)
class Chunk:
    """A piece of a document, as a search index takes it."""

    text: str
    index: int
    """Place in the document, from 0."""
    records: tuple[RecordBase, ...]
    """Those that its text is from, in their order."""
    headings: tuple[str, ...]
    """Title and headings that it stands under, its own included."""
    size: int
    """Of the text, in characters or tokens."""

    @property
    def confidence(self) -> float | None:
        """That of its least sure record; None: of none it was measured."""
        values = [one.confidence.value for one in self.records if one.confidence.value is not None]
        return min(values, default=None)

    @property
    def pages(self) -> list[int]:
        """Numbers, from 1, in the order of its records."""
        return list(dict.fromkeys(record.page for record in self.records))


@dataclass(frozen=True)
class _Piece:
    """Text of one block that is not cut any more."""

    text: str
    block: Block


def to_jsonl(export: Export) -> bytes:
    """A line of JSON for each chunk, UTF-8."""
    about = export.document.source
    lines = []
    for chunk in chunks(export):
        values: dict[str, Any] = {
            "id": f"{about.sha256[:12]}-{chunk.index:05d}",
            "text": chunk.text,
            "source": about.name,
            "sha256": about.sha256,
            "index": chunk.index,
            "headings": chunk.headings,
            "pages": chunk.pages,
            "records": [
                {"id": one.id, "kind": getattr(one, "kind", ""), "page": one.page, "bbox": list(one.bbox)}
                for one in chunk.records
            ],
            "confidence": chunk.confidence,
            "size": chunk.size,
            "unit": "characters" if export.options.tokenizer is None else "tokens",
        }
        lines.append(json.dumps(values, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8", "replace")


def chunks(export: Export) -> Iterator[Chunk]:
    """The document's chunks, none larger than ``options.chunk_size``.

    Raises:
        SettingError: the size is not above 0, or the tokenizer cannot be used.
    """
    size = export.options.chunk_size
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise SettingError(f"The size of chunks is {size!r}; give a number from 1.")
    count = _counter(export)
    for index, pieces in enumerate(_grouped(_pieces(export, size, count), size, count)):
        text = _BETWEEN.join(piece.text for piece in pieces)
        records = {record.id: record for piece in pieces for record in piece.block.records}
        last = pieces[-1].block
        headings = (*last.headings, last.text) if last.kind in ("title", "heading") else last.headings
        yield Chunk(text, index, tuple(records.values()), headings, count(text))


def _counter(export: Export) -> Counter:
    tokenizer = export.options.tokenizer
    if tokenizer is None:
        return len
    if callable(tokenizer):
        return lambda text: len(tokenizer(text))
    from tokenizers import Tokenizer

    path = Path(tokenizer)
    try:
        loaded = Tokenizer.from_file(str(path / "tokenizer.json" if path.is_dir() else path))
    except Exception as error:  # The library raises no type of its own.
        raise SettingError(
            f"The tokenizer {path} cannot be loaded ({error}): give a tokenizer.json, or a folder with one."
        ) from None
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)


def _grouped(pieces: Iterator[_Piece], size: int, count: Counter) -> Iterator[list[_Piece]]:
    """Pieces that make a chunk together."""
    group: list[_Piece] = []
    for piece in pieces:
        is_heading = piece.block.kind in ("title", "heading")
        has_body = any(one.block.kind not in ("title", "heading") for one in group)
        fits = count(_BETWEEN.join(one.text for one in (*group, piece))) <= size
        if group and (not fits or (is_heading and has_body)):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _pieces(export: Export, size: int, count: Counter) -> Iterator[_Piece]:
    for block in blocks(export):
        for text in _texts(block, size, count):
            if text.strip():
                yield _Piece(text, block)


def _texts(block: Block, size: int, count: Counter) -> Iterator[str]:
    record = block.record
    if block.table is not None and not is_picture(record):
        yield from _table_parts(block.table, size, count)
        return
    if block.kind == "record":
        text = _described(record)
    else:
        text = f"{block.marker or '-'} {block.text}" if block.kind == "list-item" else block.text
    keeps_lines = block.kind == "code" or isinstance(record, Score)
    yield from _cut(text, size, count, _LINES if keeps_lines else _PROSE)


def _described(record: RecordBase) -> str:
    if is_picture(record):
        return words_of(record)
    if isinstance(record, Molecule):
        facts = [f"SMILES: {record.smiles}", record.formula, record.inchikey]
        return "Molecule. " + "; ".join(fact for fact in facts if fact)
    if isinstance(record, Score):
        return printable(record.kern.strip("\n"))
    return running_text([record.describe()]) if isinstance(record, Content) else ""


def _table_parts(table: TableExports, size: int, count: Counter) -> Iterator[str]:
    """A pipe table, or several with the same head; a row that is too long by itself is cut as text."""
    lines = printable(table.to_markdown()).rstrip("\n").split("\n")
    head, rows = lines[:2], lines[2:]
    part: list[str] = []
    for row in rows:
        if part and count("\n".join([*head, *part, row])) > size:
            yield from _cut("\n".join([*head, *part]), size, count, _LINES)
            part = []
        part.append(row)
    yield from _cut("\n".join([*head, *part]), size, count, _LINES)


def _cut(text: str, size: int, count: Counter, places: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """The text in parts that are not larger than ``size``, cut at the first of ``places`` that will do."""
    if count(text) <= size:
        yield text
        return
    if not places:
        yield from _hard_cut(text, size, count)
        return
    start = end = next_start = 0
    cuts = [(found.start(), found.end()) for found in places[0].finditer(text)]
    for stop, following in [*cuts, (len(text), len(text))]:
        if end > start and count(text[start:stop]) > size:
            yield from _cut(text[start:end], size, count, places[1:])
            start = next_start
        end, next_start = stop, following
    if end > start:
        yield from _cut(text[start:end], size, count, places[1:])


def _hard_cut(text: str, size: int, count: Counter) -> Iterator[str]:
    """Parts of a word that is too long: as many characters as fit, at least one."""
    while text:
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if count(text[:middle]) <= size else (low, middle - 1)
        yield text[:low]
        text = text[low:]
