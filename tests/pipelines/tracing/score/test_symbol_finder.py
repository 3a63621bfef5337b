"""Music symbols found in pictures of Verovio's drawings, which say what they show."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.drawings.score.symbol_names import smufl_names
from docai.pipelines.external import engraving
from docai.pipelines.tracing.score.symbol_classes import CLASSES, DOTS, class_of
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol, find_symbols

SPACE = 16.0

PIANO = """**kern\t**kern
*clefF4\t*clefG2
*k[f#]\t*k[f#]
*M3/4\t*M3/4
=1\t=1
4C# 4E\t8ccL
.\t8dd#J
4r\t4b-
8GL\t8ff
8AnJ\t16r
.\t16gg
=2\t=2
2.GG\t4.cc
.\t8r
.\t4dd;
=3\t=3
2D 2F#\tqq8g
.\t2a
4r\t8e
.\t8r
==\t==
*-\t*-
"""

Picture = NDArray[np.uint8]


@cache
def drawn(font: str = "Bravura", space: float = SPACE) -> tuple[Picture, Counter[str]]:
    """The passage in a picture, and how many symbols of each class are in it."""
    resvg = pytest.importorskip("resvg_py", reason="resvg is not installed")
    svg = engraving.engrave(PIANO, {"font": font})
    if svg is None:
        pytest.skip("Verovio is not installed")
    found = re.search(r'viewBox="0 0 (\d+) \d+"', svg)
    assert found is not None
    width = round(int(found[1]) * space / 180)
    png = bytes(resvg.svg_to_bytes(svg_string=svg, background="white", width=width))
    gray = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    names = [smufl_names().get(int(code, 16), "") for code in re.findall(r'<use xlink:href="#(E\w{3})-', svg)]
    truth = Counter(CLASSES[index] for name in names if (index := class_of(name)) is not None)
    # Dots of notes are ellipses there.
    truth["augmentationDot"] = len(re.findall(r'<ellipse cx="\d\d+', svg))
    assert gray is not None
    return np.asarray(gray, np.uint8), truth


def names(symbols: list[PictureSymbol]) -> Counter[str]:
    """How many there are of each class, dots together."""
    return Counter("augmentationDot" if symbol.name in DOTS else symbol.name for symbol in symbols)


@pytest.mark.parametrize("font", ["Bravura", "Leipzig", "Leland"])
@pytest.mark.parametrize("space", [10.0, 20.0])
def test_the_symbols_of_a_drawing_are_found(font: str, space: float) -> None:
    gray, truth = drawn(font, space)
    found = names(find_symbols(gray, space))
    assert (found - truth).total() + (truth - found).total() <= 2


def test_black_and_white_will_do() -> None:
    gray, truth = drawn()
    found = names(find_symbols(np.where(gray < 140, 0, 255).astype(np.uint8), SPACE))
    assert (found - truth).total() + (truth - found).total() <= 2


def test_boxes_are_around_the_symbol_in_pixels_of_the_picture() -> None:
    gray, _ = drawn()
    moved = np.full((gray.shape[0] + 50, gray.shape[1] + 80), 255, np.uint8)
    moved[50:, 80:] = gray
    clefs = [symbol for symbol in find_symbols(moved, SPACE) if symbol.name == "gClef"]
    assert len(clefs) == 1
    x0, y0, x1, y1 = clefs[0].box
    assert 80 < x0 < 80 + 6 * SPACE
    assert 6 * SPACE < y1 - y0 < 8 * SPACE
    assert 2 * SPACE < x1 - x0 < 3.5 * SPACE


def test_grace_notes_are_smaller() -> None:
    gray, _ = drawn()
    heads = [symbol.scale for symbol in find_symbols(gray, SPACE) if symbol.name == "noteheadBlack"]
    assert sum(scale < 0.93 for scale in heads) == 1


def test_a_long_sheet_is_seen_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    gray, truth = drawn()
    sheet = np.concatenate([gray] * 3)
    monkeypatch.setattr("docai.pipelines.tracing.score.symbol_finder.MAX_PIXELS", 1)
    found = names(find_symbols(sheet, SPACE))
    expected = Counter({name: 3 * count for name, count in truth.items()})
    assert (found - expected).total() + (expected - found).total() <= 6


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 900), (900, 2), (400, 400)])
def test_white_paper_holds_nothing(shape: tuple[int, int]) -> None:
    assert find_symbols(np.full(shape, 255, np.uint8), SPACE) == []


def test_noise_and_black_are_no_music() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400)).astype(np.uint8)
    assert len(find_symbols(noise, SPACE)) < 20
    assert len(find_symbols(np.zeros((300, 300), np.uint8), SPACE)) < 5
