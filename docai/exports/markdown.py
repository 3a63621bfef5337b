"""Markdown: CommonMark with the tables of GitHub (https://github.github.com/gfm/).

Tables with spans or several header rows are HTML, as Markdown has none. Structures and scores are pictures
beside the file, with SMILES and kern as text; figures are pictures where the source is at hand. Text that
Markdown would take for markup is escaped, so that it reads as it was printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from docai.base import Content, counted
from docai.exports.base import Export
from docai.exports.flow import Block, blocks, is_picture, name_of, printable, running_text, words_of
from docai.exports.html_table import html_table
from docai.exports.pictures import cut_from_pages, molecule_svg, score_svg
from docai.parsers.table_grid import head_rows
from docai.records import Molecule, RecordBase, Score
from docai.table_formats import TableExports

_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|~$]|&(?=#?\w+;)|!(?=\[)")
"""Where a renderer may see markup inside of a line; ``$`` begins formulas at GitHub."""

_LINE_START: Final = re.compile(r"([#+=-]|\d{1,9}(?=[.)]))")
"""What makes a line a heading, an item, a rule or an underline."""

_LINKS: Final = re.compile(
    r"(?<![A-Za-z0-9])(https?|ftp|mailto|xmpp)(?=:)|\bwww(?=\.)|(?<=[\w.+-])@(?=[\w-])"
)
"""What GitHub makes links of by itself; a printed address may be cut, so none is made."""


def to_markdown(export: Export) -> bytes:
    """The document as Markdown, UTF-8."""
    pictures = _Pictures(export)
    parts: list[str] = []
    was_item = False
    for block in blocks(export):
        is_item = block.kind == "list-item"
        part = "\n\n".join(_parts(block, pictures))
        if parts:
            # Items stand close together; a comment keeps a list from what would go on with it.
            parts.append("\n" if was_item and is_item else "\n\n")
        parts.append(part)
        was_item = is_item
    return "".join([*parts, "\n"] if parts else []).encode()


def _parts(block: Block, pictures: _Pictures) -> Iterator[str]:
    if block.kind == "title":
        yield f"# {escaped(block.text)}"
    elif block.kind == "heading":
        yield f"{'#' * min(block.depth, 6)} {escaped(block.text)}"
    elif block.kind == "list-item":
        yield f"{block.marker or '-'} {escaped(block.text)}"
    elif block.kind == "caption":
        yield f"*{escaped(block.text)}*"
    elif block.kind == "code":
        yield fenced(block.text)
    elif block.kind == "record":
        yield from _record(block, pictures)
    else:
        yield escaped(block.text)


def _record(block: Block, pictures: _Pictures) -> Iterator[str]:
    record = block.record
    if is_picture(record):
        yield from pictures.of_region(record)
    elif block.table is not None:
        yield markdown_table(block.table)
    elif isinstance(record, Molecule):
        yield from pictures.of_molecule(record)
        yield f"SMILES: {code_span(record.smiles or '')}"
    elif isinstance(record, Score):
        yield from pictures.of_score(record) or [fenced(printable(record.kern.rstrip("\n")))]
    elif isinstance(record, Content):
        yield escaped(running_text([record.describe()]))


def markdown_table(table: TableExports) -> str:
    """A pipe table; HTML where cells span several places or the head has several rows."""
    is_plain = all(cell.row_span == cell.col_span == 1 for cell in table.cells) and head_rows(table) <= 1
    return printable(table.to_markdown()).rstrip("\n") if is_plain else html_table(table)


def escaped(text: str) -> str:
    """Text of one line that a renderer shows as it is."""
    text = _MARKUP.sub(r"\\\g<0>", text)
    # A reference of HTML is text to what looks for links, and shows as the character.
    text = _LINKS.sub(lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", text)
    return _LINE_START.sub(_escaped_start, text, count=1) if _LINE_START.match(text) else text


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdecimal() else f"\\{found[0]}"


def code_span(text: str) -> str:
    """Text as code inside of a line, whatever backticks it has."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str) -> str:
    """Lines of code, whatever backticks they have."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


class _Pictures:
    """The pictures of one Markdown file, beside it in a folder of its own."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._n = 0
        self._regions: Mapping[str, bytes] = {}
        shown = [record for record in export.document.records if is_picture(record)]
        if export.options.files_beside:
            self._regions = cut_from_pages(export, shown)
        elif shown:
            export.lose(
                "no-files",
                f"{counted(len(shown), 'figure')} left out, as Markdown has pictures in files of their own.",
            )

    def of_molecule(self, molecule: Molecule) -> list[str]:
        svg = molecule_svg(molecule) if self._export.options.files_beside else None
        return [] if svg is None else [self._shown(molecule, self._add(molecule, svg.encode(), "svg"))]

    def of_score(self, score: Score) -> list[str]:
        """Empty where there is no picture."""
        svg = score_svg(self._export, score) if self._export.options.files_beside else None
        if svg is None:
            return []
        picture = self._shown(score, self._add(score, svg.encode(), "svg"))
        kern = self._export.beside(f"{self._n:03d}-score.krn", score.kern.encode())
        return [picture, f"[Humdrum kern]({kern})"]

    def of_region(self, record: RecordBase) -> list[str]:
        """See :func:`docai.exports.flow.is_picture`."""
        picture = self._regions.get(record.id)
        words = words_of(record)
        if picture is not None:
            return [self._shown(record, self._add(record, picture, "png"), words)]
        return [escaped(f"[{name_of(record)}{': ' + words if words else ''}]")]

    def _add(self, record: RecordBase, data: bytes, suffix: str) -> str:
        self._n += 1
        kind = str(getattr(record, "kind", "picture"))
        return self._export.beside(f"{self._n:03d}-{kind}.{suffix}", data)

    def _shown(self, record: RecordBase, link: str, words: str = "") -> str:
        return f"![{escaped(name_of(record) + (': ' + words if words else ''))}]({link})"
