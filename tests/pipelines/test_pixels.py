"""Measurements on pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from docai.pipelines.pixels import gray_levels

YELLOW = (204, 204, 0)


def test_thin_strokes_of_a_light_color_are_dark() -> None:
    image = Image.new("RGB", (200, 100), "white")
    pen = ImageDraw.Draw(image)
    pen.line((20, 50, 180, 50), fill=YELLOW, width=3)
    pen.line((20, 80, 180, 80), fill="black", width=3)
    gray = gray_levels(image)
    assert np.asarray(image.convert("L"))[50, 100] > 170
    assert gray[50, 100] == 0
    assert gray[80, 100] == 0
    assert gray[20, 100] == 255


def test_fills_and_marked_text_stay_light() -> None:
    image = Image.new("RGB", (200, 100), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 180, 60), fill=(255, 255, 0))
    pen.line((40, 40, 160, 40), fill="black", width=3)
    gray = gray_levels(image)
    assert (gray == np.asarray(image.convert("L"))).all()
    assert gray[30, 100] > 200
    assert gray[40, 100] == 0


def test_a_gray_picture_is_as_it_is() -> None:
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    assert (gray_levels(image) == np.asarray(image)).all()
