"""Which lines of a picture PP-OCR reads, in full or in part, without its networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.geometry import BBox
from docai.pipelines.external import ppocr_engine
from docai.pipelines.external.ocr_letters import find_letters
from docai.pipelines.external.ocr_lines import MIDDLE_RATIO, Quad, is_long, middle_of, size_of
from docai.pipelines.external.ppocr_engine import OcrWord

PICTURE = np.full((40, 40, 3), 255, np.uint8)


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return np.asarray([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def test_the_middle_of_a_line_lies_in_it() -> None:
    line = quad(100, 50, 1100, 90)
    assert is_long(line)
    assert size_of(middle_of(line)) == (40 * MIDDLE_RATIO, 40)
    assert middle_of(line).tolist() == quad(400, 50, 800, 90).tolist()
    short = quad(100, 50, 300, 90)
    assert not is_long(short)
    assert middle_of(short).tolist() == short.tolist()


@pytest.mark.parametrize(("mean", "n_in_full"), [(0.0, 8), (0.9, 24)], ids=["unknown letters", "known ones"])
def test_of_a_page_in_unknown_letters_only_some_lines_are_read_in_full(
    monkeypatch: pytest.MonkeyPatch, mean: float, n_in_full: int
) -> None:
    widths = []

    def read_way(picture: object, line: Quad, quarters: int) -> tuple[float, list[OcrWord]]:
        widths.append(size_of(line)[0])
        return mean, []

    monkeypatch.setattr(ppocr_engine, "_read_way", read_way)
    lines = [quad(0, 50 * n, 1000, 50 * n + 40) for n in range(24)]
    with ThreadPoolExecutor(1) as pool:
        readings = ppocr_engine._read_level(PICTURE, lines, pool)
    assert [reading[0] for reading in readings] == [mean] * 24
    assert widths.count(1000) == n_in_full


def test_a_line_upside_down_is_told_by_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_way(picture: object, line: Quad, quarters: int) -> tuple[float, list[OcrWord]]:
        is_turned = quarters == 2 or bool(line[0][0] > line[1][0])
        return (0.95 if is_turned else 0.4), []

    monkeypatch.setattr(ppocr_engine, "_read_way", read_way)
    mean, quarters, _ = ppocr_engine._read_line(PICTURE, quad(0, 0, 1000, 40))
    assert (mean, quarters) == (0.95, 2)


def print_of(lines: list[str]) -> tuple[NDArray[np.uint8], list[BBox]]:
    """Lines of print, and their boxes."""
    image = Image.new("L", (900, 60 * len(lines) + 60), 255)
    draw, font, boxes = ImageDraw.Draw(image), ImageFont.load_default(26), []
    for number, line in enumerate(lines):
        draw.text((40, 30 + 60 * number), line, fill=0, font=font)
        boxes.append(draw.textbbox((40, 30 + 60 * number), line, font=font))
    return np.asarray(image), boxes


def missed(monkeypatch: pytest.MonkeyPatch, n_read: int, confidence: float) -> list[OcrWord]:
    """What is found beside the first lines of some."""
    gray, boxes = print_of(["several lines of print", "of which an engine", "does not find all"] * 2)
    read = [OcrWord("word", box, number, 0.99) for number, box in enumerate(boxes[:n_read])]

    def read_given(picture: object, lines: list[BBox]) -> list[list[OcrWord]]:
        return [[OcrWord("found", line, 0, confidence)] for line in lines]

    monkeypatch.setattr(ppocr_engine, "read_given", read_given)
    return ppocr_engine._missed_words(PICTURE, find_letters(gray), 20.0, read)


def test_lines_that_were_not_found_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found = missed(monkeypatch, 5, 0.9)
    assert [word.text for word in found] == ["found"]
    assert found[0].line == 5
    assert missed(monkeypatch, 6, 0.9) == []
    assert missed(monkeypatch, 5, 0.5) == [], "no text"
    assert missed(monkeypatch, 2, 0.9) == [], "most of the page is not read"
