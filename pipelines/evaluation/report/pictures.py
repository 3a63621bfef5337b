"""Pictures of samples, small enough to stand in a page by the dozen."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from types import MappingProxyType
from typing import Literal

from PIL import Image, ImageDraw

from docai.errors import InputError
from docai.geometry import BBox, PageTransform
from docai.pipelines.evaluation.base import Sample
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.page import Page
from docai.records import Point

MAX_SIDE = 1000
"""Pixels of a picture's longer side."""
MAX_BYTES = 90_000
"""Of one picture, before it becomes a data URI, which is a third longer."""
MAX_ALL_BYTES = 11_000_000
"""Of all data URIs of a page; what comes after is left out, and the page says so."""
MAX_PAGES = 2
"""Pages that are shown of one sample."""

_QUALITIES = (82, 70, 58, 46)
_SHRINK = 0.75
_MIN_SIDE = 80

Mark = Literal["hit", "misread", "missed", "invented", "ignored"]
COLORS: Mapping[Mark, tuple[int, int, int]] = MappingProxyType(
    {
        "ignored": (140, 140, 140),
        "hit": (0, 128, 96),
        "misread": (200, 120, 0),
        "invented": (0, 87, 200),
        "missed": (204, 51, 17),
    }
)
"""In the order they are drawn. Apart from each other for color-blind readers too; missed ones are also
thicker."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A shape to be drawn on a page, in the units of the sample's file."""

    points: Sequence[Point]
    mark: Mark
    page: int = 1
    label: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it stands in the page."""

    uri: str
    width: int
    height: int
    caption: str = ""


@dataclass(slots=True)
class Album:
    """Makes the pictures of one page of HTML and keeps count of their bytes."""

    n_bytes: int = 0
    n_left_out: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    """Sample id, and why it has no picture."""

    def add(self, data: bytes, media: str, size: tuple[int, int], caption: str = "") -> Picture | None:
        """The bytes as a data URI, or None where the page is full."""
        uri = f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
        if self.n_bytes + len(uri) > MAX_ALL_BYTES:
            self.n_left_out += 1
            return None
        self.n_bytes += len(uri)
        return Picture(uri, *size, caption)

    def image(self, image: Image.Image, caption: str = "") -> Picture | None:
        """An image within :data:`MAX_SIDE` and :data:`MAX_BYTES`."""
        data, media, size = encode(image)
        return self.add(data, media, size, caption)

    def sample(self, sample: Sample, outlines: Sequence[Outline] = ()) -> list[Picture]:
        """What the reader saw, with outlines on it: at most :data:`MAX_PAGES` pages, those with outlines
        first. Empty, with the reason in :attr:`problems`, where the source cannot be shown."""
        if sample.source is None:
            self.problems[sample.id] = "The data set has no picture of this sample."
            return []
        try:
            with open_source(sample.source, password=sample.password) as source:
                shown = []
                for number in _pages(sample, outlines, source.n_pages):
                    with source.page(number) as page:
                        image = _draw(page, sample, outlines)
                    caption = f"page {number} of {source.n_pages}" if source.n_pages > 1 else ""
                    shown.append((caption, image))
        except InputError as error:
            self.problems[sample.id] = f"No picture: {error}"
            return []
        return [picture for caption, image in shown if (picture := self.image(image, caption)) is not None]


def encode(image: Image.Image) -> tuple[bytes, str, tuple[int, int]]:
    """Bytes, media type and size of a copy within the bounds: PNG for line art that fits, else JPEG."""
    image = image.convert("RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    png = BytesIO()
    image.quantize(32).save(png, "PNG", optimize=True)
    if _is_drawing(image) and png.tell() <= MAX_BYTES:
        return png.getvalue(), "image/png", image.size
    while True:
        for quality in _QUALITIES:
            buffer = BytesIO()
            image.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= MAX_BYTES:
                return buffer.getvalue(), "image/jpeg", image.size
        image = image.resize([max(1, round(side * _SHRINK)) for side in image.size], Image.Resampling.LANCZOS)


def _is_drawing(image: Image.Image) -> bool:
    """Most of it is one color, as of print on paper."""
    histogram = image.convert("L").resize((128, 128)).histogram()
    return max(sum(histogram[low : low + 12]) for low in range(0, 256, 4)) > 0.6 * 128 * 128


def _pages(sample: Sample, outlines: Sequence[Outline], n_pages: int) -> list[int]:
    if sample.page is not None:
        return [sample.page]
    wanted = {outline.page for outline in outlines if outline.mark not in ("hit", "ignored")}
    wanted |= set() if wanted else {outline.page for outline in outlines}
    wanted |= set() if wanted else {item.page for item in sample.truth}
    chosen = sorted(number for number in wanted or {1} if 1 <= number <= n_pages)
    return (chosen or [1])[:MAX_PAGES]


def _draw(page: Page, sample: Sample, outlines: Sequence[Outline]) -> Image.Image:
    # Boxes of a PDF are points; those of an image are its pixels.
    unit = 1.0 if page.image_size is None else 72 / page.dpi
    box = _clip(sample.bbox, unit, page)
    x0, y0, x1, y1 = box
    # Twice the size that is shown: the thumbnail is then smooth, and so are the outlines.
    scale = page.fit_scale(min(2 * MAX_SIDE / max(x1 - x0, y1 - y0), 8.0, _finest(page, box)), box)
    image = page.render(box, scale=scale)
    mine = [
        outline
        for outline in outlines
        if outline.page == page.number
        and len(outline.points) >= 2
        and all(math.isfinite(value) for point in outline.points for value in point)
    ]
    if not mine:
        return image
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    # From units of the file, in which the outlines are given.
    transform = PageTransform(x0 / unit, y0 / unit, unit * image.width / (x1 - x0))
    draw = ImageDraw.Draw(image, "RGBA")
    width = max(2, max(image.size) // 330)
    for outline in sorted(mine, key=lambda outline: list(COLORS).index(outline.mark)):
        color = COLORS[outline.mark]
        pixels = (transform.point_to_pixels(x, y) for x, y in outline.points)
        points = [(_near(x), _near(y)) for x, y in pixels]
        thick = width + 1 if outline.mark == "missed" else width
        draw.polygon(points, fill=(*color, 26), outline=(*color, 255), width=thick)
        if outline.label:
            _label(draw, points, outline.label, color, max(10, max(image.size) // 80))
    return image


def _near(value: float) -> float:
    """Pillow counts in 32 bits; what lies far off the picture is not seen anyway."""
    return min(max(value, -10.0 * MAX_SIDE), 10.0 * MAX_SIDE)


def _label(
    draw: ImageDraw.ImageDraw,
    points: Sequence[tuple[float, float]],
    text: str,
    color: tuple[int, int, int],
    size: int,
) -> None:
    x, y = min(point[0] for point in points), min(point[1] for point in points)
    left, top, right, bottom = draw.textbbox((x, max(0.0, y - size - 2)), text, font_size=size)
    draw.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=(*color, 230))
    draw.text((x, max(0.0, y - size - 2)), text, fill=(255, 255, 255, 255), font_size=size)


def _clip(bbox: BBox | None, unit: float, page: Page) -> BBox:
    """The region in points, inside its page; the whole page where nothing of it is."""
    if bbox is None:
        return page.bbox
    x0, y0, x1, y1 = (value * unit for value in bbox)
    box = (max(0.0, x0), max(0.0, y0), min(page.width, x1), min(page.height, y1))
    return box if box[2] - box[0] >= 1 and box[3] - box[1] >= 1 else page.bbox


def _finest(page: Page, box: BBox) -> float:
    """Pixels per point past which a scan only gets blurred; small crops are still shown enlarged."""
    longest = max(box[2] - box[0], box[3] - box[1])
    return max(page.native_scale(box), min(4 * _MIN_SIDE / longest, 4 * page.native_scale(box)))
