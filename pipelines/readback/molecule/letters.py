"""Which letter a small piece of ink is most like: enough to tell ``N`` from ``O`` at an atom.

The picture's font is unknown, so each letter is drawn in the PDF's standard fonts (Helvetica, Times, Courier,
with their slanted and bold forms), which PyMuPDF brings along, and the nearest counts.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.pipelines.readback.ink import Gray

LETTERS = "CNOSFPBIHRXYZAM23"

FONTS = ("helv", "heit", "hebo", "tiro", "tiit", "tibo", "cour", "coit")
"""PyMuPDF's names."""

COMPARED_SIDE_PX = 16
"""Rows and columns that two shapes are scaled to before they are compared."""

_FONT_SIZE_PX = 48

_MAX_LETTER_ASPECT = 1.6
"""Width over height; what is wider is not a single letter."""


def letter_correlations(ink: Gray, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(boxes, letters): correlation with the nearest font, less half the difference of log aspect ratios.

    NaN where a box is too wide to be one letter. ``boxes``: (n, 4) as x, y, w, h.
    """
    shapes, log_aspects = _templates()
    correlations = np.full((len(boxes), len(LETTERS)), np.nan)
    for index, (x, y, w, h) in enumerate(boxes.tolist()):
        if w > _MAX_LETTER_ASPECT * h or min(w, h) < 2:
            continue
        shape = _normalized(ink[y : y + h, x : x + w].astype(np.float32))
        by_font = shapes @ shape - 0.5 * np.abs(log_aspects - np.log(w / h))
        correlations[index] = by_font.max(axis=0)
    return correlations


def letter_margin(correlations: NDArray[np.float64], expected: Collection[str]) -> float:
    """How much better one of the expected letters fits than any other, at the best of several pieces of ink.

    ``correlations`` as :func:`letter_correlations` gives them. NaN where there is no readable piece, or no
    expected letter in :data:`LETTERS`.
    """
    readable = correlations[~np.isnan(correlations).any(axis=1)]
    is_expected = np.array([letter in expected for letter in LETTERS])
    if not len(readable) or not is_expected.any():
        return float("nan")
    margins = readable[:, is_expected].max(axis=1) - readable[:, ~is_expected].max(axis=1)
    return float(margins.max())


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(fonts, letters, COMPARED_SIDE_PX²) and the logs of width over height, (fonts, letters)."""
    import pymupdf

    shapes = np.zeros((len(FONTS), len(LETTERS), COMPARED_SIDE_PX**2), np.float32)
    log_aspects = np.zeros((len(FONTS), len(LETTERS)))
    for i, name in enumerate(FONTS):
        font = ImageFont.truetype(io.BytesIO(pymupdf.Font(name).buffer), _FONT_SIZE_PX)
        for j, letter in enumerate(LETTERS):
            image = Image.new("L", (2 * _FONT_SIZE_PX, 2 * _FONT_SIZE_PX), 0)
            ImageDraw.Draw(image).text((_FONT_SIZE_PX // 2, _FONT_SIZE_PX // 2), letter, fill=255, font=font)
            drawn = np.asarray(np.asarray(image.crop(image.getbbox()), np.float32) / 255, np.float32)
            shapes[i, j] = _normalized(drawn)
            log_aspects[i, j] = np.log(drawn.shape[1] / drawn.shape[0])
    return shapes, log_aspects


def _normalized(shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """A shape scaled to one grid and blurred a little, as a vector of mean 0 and length 1."""
    small = cv2.resize(shape, (COMPARED_SIDE_PX, COMPARED_SIDE_PX), interpolation=cv2.INTER_AREA)
    flat = cv2.GaussianBlur(small, (3, 3), 0).ravel()
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)
