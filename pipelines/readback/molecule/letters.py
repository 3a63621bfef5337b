"""Which letter a small piece of ink is most like: enough to tell ``N`` from ``O`` at an atom.

The picture's font is unknown, so each letter is drawn in the faces of the PDF's standard fonts (Helvetica,
Times, Courier, with their slanted and bold forms), which PyMuPDF brings along, and the nearest counts.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.pipelines.readback.base import Gray

LETTERS = "CNOSFPBIHRXYZAM23"

FACES = ("helv", "heit", "hebo", "tiro", "tiit", "tibo", "cour", "coit")

SIDE = 16
"""Rows and columns that two shapes are compared on."""

_EM = 48

_WIDEST = 1.6
"""Width by height of a shape beyond which it is no single letter."""

Margins = NDArray[np.float64]


def _vector(shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """A shape on one grid, blurred a little, its own proportion beside it, of length 1."""
    small = cv2.resize(shape, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    flat = cv2.GaussianBlur(small, (3, 3), 0).ravel()
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(faces, letters, SIDE²) and the logs of width by height, (faces, letters)."""
    import pymupdf

    shapes = np.zeros((len(FACES), len(LETTERS), SIDE * SIDE), np.float32)
    ratios = np.zeros((len(FACES), len(LETTERS)))
    for i, name in enumerate(FACES):
        face = ImageFont.truetype(io.BytesIO(pymupdf.Font(name).buffer), _EM)
        for j, letter in enumerate(LETTERS):
            image = Image.new("L", (2 * _EM, 2 * _EM), 0)
            ImageDraw.Draw(image).text((_EM // 2, _EM // 2), letter, fill=255, font=face)
            drawn = np.asarray(np.asarray(image.crop(image.getbbox()), np.float32) / 255, np.float32)
            shapes[i, j] = _vector(drawn)
            ratios[i, j] = np.log(drawn.shape[1] / drawn.shape[0])
    return shapes, ratios


def likenesses(ink: Gray, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(boxes, letters): correlation with the nearest face, less what differs in proportion.

    NaN where a box is too wide to be one letter. ``boxes``: (n, 4) as x, y, w, h.
    """
    shapes, ratios = _templates()
    found = np.full((len(boxes), len(LETTERS)), np.nan)
    for index, (x, y, w, h) in enumerate(boxes.tolist()):
        if w > _WIDEST * h or min(w, h) < 2:
            continue
        own = _vector(ink[y : y + h, x : x + w].astype(np.float32))
        alike = shapes @ own - 0.5 * np.abs(ratios - np.log(w / h))
        found[index] = alike.max(axis=0)
    return found


def margin(alike: NDArray[np.float64], wanted: Collection[str], beside: Sequence[str] = ()) -> float:
    """How much more a piece is like one of the wanted letters than like any other, at the best of the pieces.

    ``alike`` as :func:`likenesses` gives it; letters in ``beside`` may be there as well and count neither
    way. NaN where there is no piece to look at, or no wanted
    letter in :data:`LETTERS`.
    """
    known = alike[~np.isnan(alike).any(axis=1)]
    if not len(known):
        return float("nan")
    is_wanted = np.array([letter in wanted for letter in LETTERS])
    if not is_wanted.any():
        return float("nan")
    is_other = ~is_wanted & np.array([letter not in beside for letter in LETTERS])
    return float((known[:, is_wanted].max(axis=1) - known[:, is_other].max(axis=1)).max())
