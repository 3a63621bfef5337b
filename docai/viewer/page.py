"""The viewer as one file of HTML, which needs nothing beside it and no network."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from docai.base import Content
from docai.corrections import Corrections, corrections_path
from docai.document import Document
from docai.errors import DocaiError
from docai.limits import Limits
from docai.records import RecordBase, Text
from docai.viewer.data import is_doubtful, view_data
from docai.viewer.pictures import PictureBook, draw_content

MAX_PICTURES_BYTES: Final = 96 << 20
"""Of all pictures in a file; pages come first. A browser takes a second for so many, and what is beyond is
shown by the picture of its page, or not at all."""

_HEAD_BYTES: Final = 2048

NO_SOURCE: Final = "The file {name} was not found, so there are no pictures: name it with --source."


def write_view(
    document: Document,
    source: Path | None,
    *,
    result: Path | None = None,
    corrections: Corrections | None = None,
    password: str | None = None,
    limits: Limits | None = None,
) -> bytes:
    """The page of a document.

    Args:
        document: what was read.
        source: from which file; None where it is not at hand: the page says so, and shows the records.
        result: its file, which its corrections are named after; None for the name of the source.
        corrections: that were made before.
        password: opens an encrypted PDF.
        limits: of reading the source.
    """
    missing = NO_SOURCE.format(name=document.source.name) if source is None else ""
    pictures: dict[str, str] = {}
    book = nullcontext() if source is None else PictureBook(source, password=password, limits=limits)
    with book as opened:
        try:
            total = 0
            for name, picture in _pictures(document, opened):
                total += len(picture)
                if total > MAX_PICTURES_BYTES:
                    missing = "There are too many pictures for one file: docai view --serve shows all."
                    break
                pictures[name] = base64.b64encode(picture).decode()
        except DocaiError as error:
            missing = str(error)
    data = view_data(document, corrections, serves=False, missing=missing)
    beside = result or Path(document.source.name).with_suffix(".json")
    data["corrections_name"] = corrections_path(beside).name
    return render_page(Path(document.source.name).name, data, pictures)


def _pictures(document: Document, book: PictureBook | None) -> Iterator[tuple[str, bytes]]:
    """Name and data of each picture that is put into a file."""
    if book is not None:
        for page in document.pages:
            if page.origin != "failed":
                yield f"page-{page.number}", book.page(page.number)
    for record in document.records:
        if book is not None and (is_doubtful(record) or not isinstance(record, Text)):
            yield f"crop-{record.id}", book.crop(record)
        yield from _drawing(record)


def _drawing(record: RecordBase) -> Iterable[tuple[str, bytes]]:
    drawing = draw_content(record) if isinstance(record, Content) else None
    return [] if drawing is None else [(f"drawing-{record.id}", drawing.encode())]


def render_page(title: str, data: Mapping[str, Any], pictures: Mapping[str, str], token: str = "") -> bytes:
    """The HTML.

    Args:
        title: of the page.
        data: see :func:`docai.viewer.data.view_data`.
        pictures: WebP or SVG as base64, by name.
        token: that the server behind the page wants with each change; empty without one.
    """
    from jinja2 import Environment

    folder = files("docai.viewer")
    names = ("viewer.html", "viewer.css", "viewer.js", "grid.js")
    page, style, *scripts = ((folder / name).read_text("utf-8") for name in names)
    template = Environment(autoescape=True).from_string(page)
    text = template.render(
        title=title,
        style=style,
        script="\n".join((*scripts, "start();")),
        data=_in_script(data),
        pictures=pictures,
        token=token,
        serves=bool(token),
    )
    return text.encode("utf-8", "replace")


def is_own_page(path: Path) -> bool:
    """Whether a file is a page that :func:`render_page` made, told by its beginning."""
    try:
        with path.open("rb") as file:
            return b'<meta name="docai-token"' in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _in_script(data: Mapping[str, Any]) -> str:
    """JSON that no text in it can end the element of."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
