"""HTML in one file: opens from the disk, asks nothing of any network, runs no script.

Pictures are in it: figures as PNG where the source is at hand, structures and scores as SVG.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docai._version import __version__
from docai.base import Content
from docai.exports.base import Export
from docai.exports.flow import (
    Block,
    blocks,
    file_name,
    is_picture,
    name_of,
    printable,
    running_text,
    words_of,
)
from docai.exports.html_table import html_table
from docai.exports.pictures import cut_from_pages, molecule_svg, score_svg
from docai.records import Molecule, Score

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE: Final = "document.html"


@dataclass(frozen=True)
class _Shown:
    """A block as the template takes it."""

    block: Block
    name: str
    picture: str = ""
    """Address that holds the picture itself."""
    table: str = ""
    """HTML."""
    code: str = ""
    """SMILES or kern."""
    words: str = ""
    """Of a figure, or of a record of another kind."""


def to_html(export: Export) -> bytes:
    """The document as one HTML file, UTF-8."""
    figures = cut_from_pages(export, [record for record in export.document.records if is_picture(record)])
    shown = [_shown(export, block, figures) for block in blocks(export)]
    title = next((one.block.text for one in shown if one.block.kind == "title"), "")
    page = _template().render(
        title=title or file_name(export.document),
        name=file_name(export.document),
        document=export.document,
        version=__version__,
        groups=_groups(shown),
    )
    return page.encode()


def _groups(shown: list[_Shown]) -> list[list[_Shown]]:
    """Items of lists that follow each other, in one kind of list, together; each other block alone."""
    groups: list[list[_Shown]] = []
    for one in shown:
        above = groups[-1][-1].block if groups else None
        is_item = one.block.kind == "list-item"
        if is_item and above and above.kind == "list-item" and bool(above.marker) == bool(one.block.marker):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _shown(export: Export, block: Block, figures: Mapping[str, bytes]) -> _Shown:
    record = block.record
    name = name_of(record)
    if block.kind != "record":
        return _Shown(block, name)
    if is_picture(record):
        picture = _address(figures.get(record.id), "image/png")
        return _Shown(block, name, picture, words=words_of(record))
    if block.table is not None:
        return _Shown(block, name, table=html_table(block.table))
    if isinstance(record, Molecule):
        svg = molecule_svg(record)
        return _Shown(block, name, _address(svg, "image/svg+xml"), code=record.smiles or "")
    if isinstance(record, Score):
        svg = score_svg(export, record)
        return _Shown(block, name, _address(svg, "image/svg+xml"), code=printable(record.kern))
    words = running_text([record.describe()]) if isinstance(record, Content) else ""
    return _Shown(block, name, words=words)


def _address(data: str | bytes | None, media_type: str) -> str:
    if data is None:
        return ""
    packed = b64encode(data.encode() if isinstance(data, str) else data).decode()
    return f"data:{media_type};base64,{packed}"


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(Path(__file__).with_name(TEMPLATE).read_text("utf-8"))
