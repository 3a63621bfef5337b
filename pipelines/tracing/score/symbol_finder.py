"""Finds the music symbols in a picture of staves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.tracing.score.symbol_classes import CLASSES, DOTS, NORMAL_HEIGHTS

MIN_SCORE: Final = 0.3
"""Probability below which nothing is found; of drawn pictures the best for rare symbols."""

MIN_COMMON_SCORE: Final = 0.4
"""The same for common symbols, of which the network is surer and which specks are taken for."""

COMMON: Final = frozenset(("noteheadBlack", "noteheadHalf", "accidentalSharp", "accidentalFlat", *DOTS))

MAX_OVERLAP: Final = 0.45
"""Intersection over union from which the less probable of two symbols is left out."""

MAX_PIXELS: Final = 3_000_000
"""Of the picture that the network sees at a time; a larger one is seen in bands."""

BAND_MARGIN: Final = 144
"""Pixels that bands overlap, so that no symbol is cut: twelve staff spaces."""

SCALES: Final = (0.5, 1.2)
"""Sizes of symbols, as shares of the normal one, that are believed."""


@dataclass(frozen=True, slots=True)
class PictureSymbol:
    """One symbol in a picture."""

    name: str
    """In SMuFL."""
    box: BBox
    """Around its ink, pixels of the picture."""
    score: float
    """0…1."""
    scale: float
    """1 for the normal size, less for grace notes, cues and changes of clef, 0.6 to 0.8 in print; of heads
    on stems it is estimated too near to 1: below 0.93 they are small."""


def find_symbols(gray: NDArray[np.uint8], space: float) -> list[PictureSymbol]:
    """The symbols of a picture, from the left.

    Args:
        gray: (h, w), dark ink on light paper, the staff lines in it and about level.
        space: distance of two staff lines, pixels.
    """
    if min(gray.shape) == 0 or space <= 0:
        return []
    ink, zoom = _ink(gray, space)
    found: list[PictureSymbol] = []
    for top, bottom in _bands(*ink.shape):
        found += _seen(ink[top:bottom], top, zoom, (top > 0, bottom < len(ink)))
    return sorted(_without_doubles(found), key=lambda symbol: symbol.box[0])


def _ink(gray: NDArray[np.uint8], space: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The picture as the network sees it, and the pixels of ``gray`` to one of it along x and y."""
    import cv2

    from docai.pipelines.tracing.score.symbol_net import SPACE_PIXELS

    zoom = SPACE_PIXELS / space
    height, width = gray.shape
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    small = cv2.resize(gray, size, interpolation=method).astype(np.float32)
    white, black = np.percentile(small, 80), small.min()
    ink = np.clip((white - small) / max(white - black, 64.0), 0, 1)
    return ink.astype(np.float32), np.array([width / size[0], height / size[1]])


def _bands(height: int, width: int) -> list[tuple[int, int]]:
    """Rows of the picture that are seen at a time."""
    rows = max(4 * BAND_MARGIN, MAX_PIXELS // max(1, width))
    if height <= rows:
        return [(0, height)]
    tops = range(0, height - BAND_MARGIN, rows - BAND_MARGIN)
    return [(top, min(height, top + rows)) for top in tops]


def _seen(
    ink: NDArray[np.float32], top: int, zoom: NDArray[np.float64], is_cut: tuple[bool, bool]
) -> list[PictureSymbol]:
    """Symbols of one band, boxes in pixels of the whole picture."""
    from docai.pipelines.tracing.score.symbol_net import CELL, SPACE_PIXELS, STRIDE, see

    height, width = ink.shape
    padded = np.pad(ink, ((0, -height % STRIDE), (0, -width % STRIDE)))
    maps = see(padded)
    rows, columns = _peaks(maps.middles)
    logits = maps.classes[:, rows, columns].T
    odds = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    odds /= odds.sum(axis=1, keepdims=True)
    boxes = maps.boxes[:, rows, columns].T.astype(np.float64)
    middles = (np.column_stack([columns, rows]) + 0.5 + boxes[:, :2]) * CELL
    sizes = np.exp(np.clip(boxes[:, 2:], -3, 4)) * SPACE_PIXELS
    found = []
    for chances, probability, middle, size in zip(
        odds, maps.middles[rows, columns], middles, sizes, strict=True
    ):
        best = int(chances.argmax())
        name = CLASSES[best]
        # That it is a dot is sure even where its meaning is not.
        share = chances[_DOT_INDICES].sum() if name in DOTS else chances[best]
        score = float(probability * share)
        # What lies at the cut is seen whole in the next band.
        inside = (not is_cut[0] or middle[1] > BAND_MARGIN / 2) and (
            not is_cut[1] or middle[1] <= height - BAND_MARGIN / 2
        )
        if score < (MIN_COMMON_SCORE if name in COMMON else MIN_SCORE) or not inside:
            continue
        (x0, y0), (x1, y1) = (middle - size / 2 + (0, top)) * zoom, (middle + size / 2 + (0, top)) * zoom
        scale = _scale(name, float(size[1]) / SPACE_PIXELS)
        found.append(PictureSymbol(name, (float(x0), float(y0), float(x1), float(y1)), score, scale))
    return found


_DOT_INDICES: Final = [CLASSES.index(name) for name in DOTS]


def _peaks(middles: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of cells that are more probable than their neighbors."""
    import cv2

    highest = cv2.dilate(middles, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((middles >= highest) & (middles >= MIN_SCORE))
    return rows, columns


def _scale(name: str, height: float) -> float:
    normal = NORMAL_HEIGHTS.get(name)
    return float(np.clip(height / normal, *SCALES)) if normal else 1.0


def _without_doubles(symbols: list[PictureSymbol]) -> list[PictureSymbol]:
    """The most probable of those on one place."""
    kept: list[PictureSymbol] = []
    boxes = np.array([symbol.box for symbol in symbols]).reshape(-1, 4)
    order = sorted(range(len(symbols)), key=lambda index: -symbols[index].score)
    taken: list[int] = []
    for index in order:
        if not taken or _overlaps(boxes[index], boxes[taken]).max() < MAX_OVERLAP:
            taken.append(index)
            kept.append(symbols[index])
    return kept


def _overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of a box with others."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(0.0, high - low), axis=1)
    area = float(np.prod(box[2:] - box[:2]))
    union = area + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float64)
