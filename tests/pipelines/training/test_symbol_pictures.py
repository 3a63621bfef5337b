"""Pictures of music that the symbol finder learns from: their boxes are where the ink is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from docai.pipelines.drawings.score.symbol_training import verovio_glyphs
from docai.pipelines.tracing.score.symbol_classes import CLASSES
from docai.pipelines.tracing.score.symbol_net import CELL
from docai.pipelines.training.symbol_glyphs import GlyphBank
from docai.pipelines.training.symbol_pictures import SymbolPicture, draw_picture
from docai.pipelines.training.symbols import SIDE, crop_of, targets_of

pytest.importorskip("verovio", reason="music is engraved with Verovio")


@pytest.fixture(scope="module")
def picture() -> SymbolPicture:
    bank = GlyphBank()
    bank.add("Leipzig", verovio_glyphs("Leipzig"))
    bank.letters = bank.symbols["gClef"]["Leipzig"]
    rng = random.Random(4)
    while (drawn := draw_picture(bank, rng)) is None or len(drawn.labels) < 20:
        pass
    return drawn


def test_every_box_has_ink(picture: SymbolPicture) -> None:
    for label, *box in picture.labels:
        x0, y0, x1, y1 = np.rint(box).astype(int)
        ink = 255 - picture.gray[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1].astype(float)
        assert ink.mean() > 20, CLASSES[int(label)]


def test_noteheads_are_about_a_staff_space_high(picture: SymbolPicture) -> None:
    is_head = picture.labels[:, 0] == CLASSES.index("noteheadBlack")
    heights = picture.labels[is_head, 4] - picture.labels[is_head, 2]
    assert 0.8 < np.median(heights) / picture.space < 1.4


def test_targets_are_where_the_symbol_is() -> None:
    targets = targets_of(np.array([7]), np.array([[50.0, 90.0]]), np.array([[24.0, 48.0]]))
    (row,), (column,) = np.nonzero(targets.hills == 1.0)
    assert (row, column) == (90 // CELL, 50 // CELL)
    dx, dy, width, height = targets.boxes[:, row, column]
    assert (column + 0.5 + dx) * CELL == pytest.approx(50)
    assert (row + 0.5 + dy) * CELL == pytest.approx(90)
    assert (np.exp(width), np.exp(height)) == pytest.approx((2, 4))
    assert targets.labels[row, column] == 7
    assert (targets.labels >= 0).sum() < 12


def test_crops_show_the_symbols_that_are_asked_for(picture: SymbolPicture) -> None:
    rng = np.random.default_rng(2)
    crop, targets = crop_of(picture, rng)
    assert crop.shape == (SIDE, SIDE)
    assert 0 <= crop.min() <= crop.max() <= 1
    middles = np.argwhere(targets.hills == 1.0)
    assert len(middles)
    dark = [crop[4 * row - 8 : 4 * row + 12, 4 * column - 8 : 4 * column + 12] for row, column in middles]
    assert np.mean([part.mean() for part in dark if part.size]) > crop.mean()
