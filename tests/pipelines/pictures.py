"""Pictures that tests of ingest make and look at."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from docai.pipelines.ingest import open_source

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(image: Image.Image, kind: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


def corners() -> Image.Image:
    """40 x 20: red, green over blue, white."""
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (0, 0, 20, 10))
    image.paste(GREEN, (20, 0, 40, 10))
    image.paste(BLUE, (0, 10, 20, 20))
    return image


def first_render(data: bytes, **render: Any) -> Image.Image:
    with open_source(data) as source, source.page(1) as page:
        return page.render(**render)


def near(found: Any, wanted: tuple[int, int, int], tolerance: int = 40) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))
