"""Pictures that show no chemical structure, but may be mistaken for one."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from docai.pipelines.readback.ink import Gray

SIZE_PX = 896

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def decoy(rng: random.Random) -> Gray:
    """A square of :data:`SIZE_PX` pixels: a logo, a photograph, a chart, curves, lines of text, or shapes."""
    return rng.choice((_logo, _photograph, _chart, _curves, _text, _shapes))(rng)


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (SIZE_PX, SIZE_PX), 255)
    return image, ImageDraw.Draw(image)


def _word(rng: random.Random, longest: int = 9) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, longest)))


def _logo(rng: random.Random) -> Gray:
    """Filled and outlined shapes inside each other, often with a name below."""
    image, draw = _blank()
    x, y, reach = rng.uniform(350, 550), rng.uniform(300, 500), rng.uniform(120, 280)
    for level in range(rng.randint(1, 4)):
        part = reach * (1 - 0.25 * level)
        shade = 255 if level % 2 else rng.randint(0, 120)
        if rng.random() < 0.5:
            draw.ellipse((x - part, y - part, x + part, y + part), fill=shade)
        else:
            turn, n = rng.uniform(0, 6), rng.randint(3, 8)
            corners = [
                (x + part * math.cos(turn + 6.283 * i / n), y + part * math.sin(turn + 6.283 * i / n))
                for i in range(n)
            ]
            draw.polygon(corners, fill=shade)
    if rng.random() < 0.6:
        draw.text((x - reach, y + reach + 20), _word(rng), font=ImageFont.load_default(rng.randint(40, 110)))
    return np.asarray(image, np.uint8)


def _photograph(rng: random.Random) -> Gray:
    """Smooth patches under grain."""
    noise = np.random.default_rng(rng.randrange(2**32))
    side = rng.choice((6, 14, 40, SIZE_PX))
    coarse = noise.integers(0, 256, (side, side)).astype(np.uint8)
    smooth = cv2.resize(coarse, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    grain = noise.normal(0, rng.uniform(0, 25), smooth.shape)
    return np.asarray(np.clip(smooth + grain, 0, 255), np.uint8)


def _axes(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    draw.line((100, 90, 100, 790, 820, 790), fill=0, width=rng.randint(2, 5))
    for i in range(rng.randint(0, 6)):
        draw.text((30, 120 + 100 * i), _word(rng, 3), font=ImageFont.load_default(28), fill=0)


def _chart(rng: random.Random) -> Gray:
    image, draw = _blank()
    _axes(draw, rng)
    n = rng.randint(2, 9)
    for i in range(n):
        left, width = 120 + 680 * i / n, 680 / n * rng.uniform(0.4, 0.9)
        shade = rng.choice((None, 60, 160))
        draw.rectangle((left, rng.uniform(120, 760), left + width, 790), outline=0, fill=shade, width=3)
    return np.asarray(image, np.uint8)


def _curves(rng: random.Random) -> Gray:
    image, draw = _blank()
    _axes(draw, rng)
    for _ in range(rng.randint(1, 3)):
        slow, fast, high = rng.uniform(4, 30), rng.uniform(0.5, 4), rng.uniform(50, 250)
        points = [
            (100 + 7 * i, 450 + high * math.sin(i / slow) + rng.uniform(0, 40) * math.sin(i * fast))
            for i in range(100)
        ]
        draw.line(points, fill=0, width=rng.randint(2, 6))
    return np.asarray(image, np.uint8)


def _text(rng: random.Random) -> Gray:
    image, draw = _blank()
    size = rng.randint(18, 90)
    for row in range(rng.randint(1, 700 // (2 * size) + 1)):
        line = " ".join(_word(rng) for _ in range(rng.randint(1, max(1, 1000 // (5 * size)))))
        draw.text((60, 80 + 1.6 * size * row), line, font=ImageFont.load_default(size), fill=0)
    return np.asarray(image, np.uint8)


def _shapes(rng: random.Random) -> Gray:
    """Circles, boxes and lines of any length, as in diagrams."""
    image, draw = _blank()
    for _ in range(rng.randint(1, 12)):
        x, y, w, h = rng.uniform(50, 700), rng.uniform(50, 700), rng.uniform(20, 300), rng.uniform(20, 300)
        width = rng.randint(2, 9)
        match rng.randrange(3):
            case 0:
                draw.ellipse((x, y, x + w, y + w), outline=0, width=width)
            case 1:
                draw.rectangle((x, y, x + w, y + h), outline=0, width=width)
            case _:
                draw.line((x, y, x + rng.uniform(-1, 1) * w, y + h), fill=0, width=width)
    return np.asarray(image, np.uint8)
