from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docai.models.blank import is_blank

SIDE = 896


def paper(tone: int = 255) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), (tone, tone, tone))


def speckled(image: Image.Image, sigma: float, seed: int = 0) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels + np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def padded_paper() -> Image.Image:
    """A blank region of a scan: yellowish paper on the white square of the crop."""
    image = paper()
    image.paste((238, 234, 222), (20, 300, SIDE - 20, 520))
    return image


def shaded() -> Image.Image:
    ramp = np.linspace(200, 255, SIDE, dtype=np.float32)
    pixels = np.broadcast_to((ramp[:, None] + ramp[None]) / 2, (SIDE, SIDE))
    return Image.fromarray(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8))


def dusty() -> Image.Image:
    image = paper(250)
    points = np.random.default_rng(1).integers(0, SIDE - 3, (40, 2))
    for x, y in points.tolist():
        ImageDraw.Draw(image).rectangle((x, y, x + 2, y + 2), fill=(90, 90, 90))
    return image


@pytest.mark.parametrize(
    "make",
    [
        paper,
        lambda: paper(0),
        lambda: paper(128),
        lambda: speckled(paper(245), 3),
        lambda: speckled(paper(200), 8),
        lambda: as_jpeg(speckled(paper(240), 4)),
        padded_paper,
        lambda: speckled(padded_paper(), 3),
        lambda: as_jpeg(speckled(padded_paper(), 3)),
        shaded,
        lambda: as_jpeg(speckled(shaded(), 2)),
        dusty,
        lambda: as_jpeg(dusty(), 50),
    ],
)
def test_blank(make: Callable[[], Image.Image]) -> None:
    assert is_blank(make())


def hexagon(color: tuple[int, int, int], width: int = 1, tone: int = 255) -> Image.Image:
    image = paper(tone)
    angles = np.arange(7) * np.pi / 3
    points = [(448 + 120 * np.cos(a), 448 + 120 * np.sin(a)) for a in angles]
    ImageDraw.Draw(image).line(points, fill=color, width=width)
    return image


def letter(size: int, fill: int, tone: int) -> Image.Image:
    image = paper(tone)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((400, 400), "I", font=font, fill=(fill,) * 3, anchor="mm")
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda: hexagon((0, 0, 0)),
        lambda: hexagon((225, 225, 225)),
        lambda: hexagon((235, 235, 255)),
        lambda: as_jpeg(hexagon((200, 200, 200)), 75),
        lambda: as_jpeg(speckled(hexagon((150, 150, 150), tone=240), 4)),
        lambda: hexagon((255, 255, 255), tone=0),
        lambda: hexagon((130, 130, 130)).filter(ImageFilter.GaussianBlur(1.5)),
        lambda: letter(24, 0, 255),
        lambda: letter(300, 0, 255),
        lambda: letter(700, 0, 255),
        lambda: letter(300, 255, 20),
        lambda: speckled(letter(40, 60, 230), 6),
        lambda: Image.effect_noise((SIDE, SIDE), 120).convert("RGB"),
    ],
)
def test_not_blank(make: Callable[[], Image.Image]) -> None:
    assert not is_blank(make())


@pytest.mark.parametrize("side", [14, 56, 100])
def test_small_crops(side: int) -> None:
    image = Image.new("RGB", (side, side), "white")
    assert is_blank(image)
    ImageDraw.Draw(image).line((1, side // 2, side - 2, side // 2), fill="black")
    assert not is_blank(image)
