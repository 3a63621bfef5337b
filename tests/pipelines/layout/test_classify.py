"""What one crop shows."""

import random

import pymupdf
import pytest
from PIL import Image, ImageDraw

from docai.pipelines.layout import classify_image
from docai.pipelines.synthesis.pages.figures import picture

DPI = 150


def drawn(kind, seed: int) -> Image.Image:
    made = picture(kind, random.Random(seed), 460)
    with pymupdf.open("pdf", made.pdf) as document:
        pixels = document[0].get_pixmap(dpi=DPI, clip=made.ink)
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


@pytest.mark.parametrize("kind", ["table", "molecule", "score", "figure"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kind_is_seen(kind, seed: int) -> None:
    found, score, evidence = classify_image(drawn(kind, seed))
    assert found == kind, evidence
    assert 0.5 < score <= 1
    assert evidence
    assert all(evidence)


def test_transparent_paper_is_white() -> None:
    opaque = drawn("molecule", 1)
    alpha = opaque.convert("L").point(lambda value: 255 - value)
    clear = Image.new("RGBA", opaque.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=alpha)
    assert classify_image(clear)[0] == "molecule"


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (40, 40)])
def test_blank_or_tiny_is_a_figure(size) -> None:
    kind, score, _ = classify_image(Image.new("RGB", size, "white"))
    assert kind == "figure"
    assert 0 <= score <= 1


def test_ruled_table_of_five_lines_is_no_staff() -> None:
    image = Image.new("L", (600, 260), 255)
    draw = ImageDraw.Draw(image)
    for row in range(5):
        draw.line((10, 10 + 50 * row, 590, 10 + 50 * row), fill=0, width=2)
    for row in range(4):
        for column in range(4):
            draw.text((20 + 150 * column, 22 + 50 * row), f"value {row * 4 + column}", fill=0, font_size=20)
    assert classify_image(image)[0] == "table"


@pytest.mark.real
def test_real_molecules(real_data) -> None:
    paths = sorted((real_data / "molecules" / "uspto").glob("*.[Tt][Ii][Ff]"))[::8]
    assert len(paths) >= 15
    seen = [classify_image(Image.open(path))[0] for path in paths]
    assert seen.count("molecule") >= 0.9 * len(seen)
