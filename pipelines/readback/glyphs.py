"""What a text looks like in a font that is always at hand, Pillow's own.

The picture's font is another, so only what fonts share is compared: the proportions of a word, and roughly
where its ink lies.
"""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Shape = NDArray[np.float32]
"""(h, w) ink, 0..1."""

ROWS = 12
"""Rows that two shapes are compared on."""
_EM, _HEIGHT, _BASE = 32, 56, 36
_SPACE = 8
_MISSING = "\U0010fffd"


@cache
def _face() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_EM)


@lru_cache(maxsize=4096)
def _glyph(letter: str) -> Shape | None:
    """One letter with its side bearings; None where the face lacks it."""
    if letter.isspace():
        return np.zeros((_HEIGHT, _SPACE), np.float32)
    drawn = _drawn(letter)
    missing = _drawn(_MISSING)
    if drawn is None or (missing is not None and np.array_equal(drawn, missing)):
        return None
    return drawn


def _drawn(letter: str) -> Shape | None:
    face = _face()
    if not isinstance(face, ImageFont.FreeTypeFont):
        return None
    width = max(1, round(face.getlength(letter)))
    image = Image.new("L", (width, _HEIGHT), 0)
    ImageDraw.Draw(image).text((0, _BASE), letter, fill=255, font=face, anchor="ls")
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


@lru_cache(maxsize=4096)
def draw_text(text: str) -> Shape | None:
    """A line of text, cut to its ink; None where the face has no glyph for a letter, or shows nothing."""
    parts = [_glyph(letter) for letter in text.strip()]
    if not parts or any(part is None for part in parts):
        return None
    line = np.concatenate([part for part in parts if part is not None], axis=1)
    ys, xs = np.nonzero(line > 0.3)
    if not len(ys):
        return None
    return np.asarray(line[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], np.float32)


def text_width(text: str) -> float:
    """Width of a line of text, pixels of :func:`draw_text`; strange letters are as wide as an n."""
    return float(sum(_letter_width(letter) for letter in text))


@lru_cache(maxsize=4096)
def _letter_width(letter: str) -> int:
    glyph = _glyph(letter)
    return 18 if glyph is None else glyph.shape[1]


def likeness(drawn: Shape, seen: Shape) -> float:
    """Correlation, -1..1, of two shapes brought to one size and blurred a little; 0 where one is flat."""
    columns = int(min(max(ROWS * seen.shape[1] / max(seen.shape[0], 1), 4), 60 * ROWS))
    a, b = (
        cv2.blur(cv2.resize(shape, (columns, ROWS), interpolation=cv2.INTER_AREA), (3, 3)).ravel()
        for shape in (drawn, seen)
    )
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0
