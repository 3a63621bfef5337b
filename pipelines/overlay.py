"""Pages with what was found drawn on them: each record's box in its kind's color, with a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from docai.document import Document
from docai.geometry import BBox, PageTransform
from docai.limits import Limits
from docai.models.heads import HEADS, Color
from docai.pipelines.ingest import open_source
from docai.records import Record

FIGURE_COLOR: Final[Color] = (200, 90, 0)
"""Of what no head reads; see also :attr:`docai.models.heads.Head.color`."""

LONG_SIDE: Final = 1600
"""Pixels of the longer side of a page picture."""
_SOFTWARE: Final = "docai"
"""What the pictures say in their PNG field ``Software``, by which docai knows them again."""
_FILE_NAME: Final = re.compile(r".*-page-\d{3,}\.png", re.IGNORECASE | re.DOTALL)
_FILL_ALPHA: Final = 28
"""Of 255."""


def draw_document(
    document: Document,
    source: str | Path | bytes | BinaryIO,
    *,
    password: str | None = None,
    limits: Limits | None = None,
    long_side: int = LONG_SIDE,
) -> Iterator[tuple[int, Image.Image]]:
    """Page number and picture of every page of ``document`` that could be read, one at a time.

    Args:
        document: what was read from ``source``.
        source: the same source again; its pages are rendered anew.
        long_side: of each picture, pixels.

    Raises:
        InputError: the source cannot be opened any more.
    """
    numbers = [page.number for page in document.pages if page.origin != "failed"]
    if not numbers:
        return
    with open_source(source, password=password, limits=limits or Limits()) as pages:
        for page in pages.pages(numbers):
            scale = page.fit_scale(long_side / max(page.width, page.height, 1.0))
            records = [record for record in document.records if record.page == page.number]
            yield page.number, draw_overlay(page.render(scale=scale), records, scale)


def write_picture(picture: Image.Image, stem: Path, page: int) -> Path:
    """Write the picture of a page to ``<stem>-page-<number>.png``, and say where. Raises ``OSError``."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", _SOFTWARE)
    path = stem.with_name(f"{stem.name}-page-{page:03d}.png")
    picture.save(path, pnginfo=info)
    return path


def write_overlays(
    document: Document,
    source: str | Path | bytes,
    stem: Path,
    *,
    password: str | None = None,
    limits: Limits | None = None,
) -> None:
    """Draw every page of a document, and write it; see :func:`draw_document` and :func:`write_picture`."""
    for number, picture in draw_document(document, source, password=password, limits=limits):
        write_picture(picture, stem, number)


def is_own_picture(path: Path) -> bool:
    """Whether :func:`write_picture` wrote that file."""
    if not (_FILE_NAME.fullmatch(path.name) and path.is_file()):
        return False
    try:
        # Not `Image.open`, which refuses large pictures, whatever they are.
        with PngImagePlugin.PngImageFile(path) as picture:
            return bool(picture.info.get("Software") == _SOFTWARE)
    except (OSError, ValueError, SyntaxError):
        return False


def draw_overlay(page_image: Image.Image, records: Sequence[Record], scale: float) -> Image.Image:
    """A copy of ``page_image`` with the records drawn on it, in RGB.

    Args:
        page_image: the page.
        records: those of this page; boxes in points.
        scale: pixels of ``page_image`` per point.
    """
    picture = page_image.convert("RGB")
    size = max(11, round(max(picture.size) / 110))
    font = ImageFont.load_default(size)
    width = max(2, size // 6)
    draw = ImageDraw.Draw(picture, "RGBA")
    transform = PageTransform(0, 0, scale)
    boxes = [_around(transform.to_pixels(record.bbox), width) for record in records]
    for record, box in zip(records, boxes, strict=True):
        color = color_of(record.kind)
        if record.polygon and len(record.polygon) > 2:
            corners = [transform.point_to_pixels(x, y) for x, y in record.polygon]
            draw.polygon(corners, outline=color, width=width)
        draw.rectangle(box, fill=(*color, _FILL_ALPHA), outline=color, width=width)
    taken: list[tuple[float, float, float, float]] = []
    for record, box in zip(records, boxes, strict=True):
        text = label(record)
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        margin = width
        extent = (right - left + 2 * margin, bottom - top + 2 * margin)
        place = _free_place(box, extent, picture.size, taken)
        taken.append(place)
        draw.rectangle(place, fill=color_of(record.kind))
        draw.text((place[0] + margin - left, place[1] + margin - top), text, fill=(255, 255, 255), font=font)
    return picture


def color_of(kind: str) -> Color:
    """Color of the records of one kind: that of its head."""
    return HEADS[kind].color if kind in HEADS else FIGURE_COLOR


def label(record: Record) -> str:
    """Kind, head, confidence, and a mark where something is wrong: ``table · table 0.87 !``."""
    words = [record.kind, "·", record.head or "no head"]
    if record.confidence.value is not None:
        words.append(f"{record.confidence.value:.2f}")
    if any(issue.severity == "error" for issue in record.issues):
        words.append("!")
    return " ".join(words)


def _around(box: BBox, width: int) -> BBox:
    """A box in pixels, larger by the width of its line, so that the line covers nothing inside it."""
    x0, y0, x1, y1 = box
    return min(x0, x1) - width, min(y0, y1) - width, max(x0, x1) + width, max(y0, y1) + width


def _free_place(
    box: tuple[float, float, float, float],
    extent: tuple[float, float],
    page: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Where the label goes: above the box, else below, else inside; on the page and over no other label."""
    width, height = extent
    x0, y0, x1, y1 = box
    for x, y in (
        (x0, y0 - height),
        (x1 - width, y0 - height),
        (x0, y1),
        (x1 - width, y1),
        (x0, y0),
        (x0, y0 - height),
    ):
        x = min(max(x, 0.0), max(page[0] - width, 0.0))
        y = min(max(y, 0.0), max(page[1] - height, 0.0))
        place = (x, y, x + width, y + height)
        if not any(_overlap(place, label_box) for label_box in taken):
            return place
    return place


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
