"""Where a picture of anything has staves."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from docai.pipelines.tracing.score.page_staves import find_page_staves

Gray = NDArray[np.uint8]


def drawn_lines(rows: list[int], x0: int = 20, x1: int = 480) -> Gray:
    page = np.full((200, 500), 255, np.uint8)
    for row in rows:
        page[row : row + 2, x0:x1] = 0
    return page


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([40, 50, 60, 70, 80], 1),
        ([40, 50, 60, 70], 0),
        ([40, 50, 60, 70, 80, 90], 0),
        ([40, 50, 60, 75, 85], 0),
        ([40, 50, 60, 70, 80, 120, 130, 140, 150, 160], 2),
    ],
    ids=["staff", "four", "six", "uneven", "two staves"],
)
def test_a_staff_is_five_equaldrawn_lines(rows: list[int], expected: int) -> None:
    assert len(find_page_staves(drawn_lines(rows), 200)) == expected


def test_a_staff_of_one_column_is_found_beside_print() -> None:
    page = Image.new("L", (1100, 700), 255)
    draw = ImageDraw.Draw(page)
    for row in range(30):
        words = " ".join(("lorem", "ipsum", "dolor", "sit", "amet")[(row + i) % 5] for i in range(9))
        draw.text((20, 20 + 22 * row), words, fill=0, font_size=16)
    for line in range(5):
        draw.line((620, 300 + 10 * line, 1080, 300 + 10 * line), fill=0, width=1)
    (staff,) = find_page_staves(np.asarray(page), 90)
    assert staff.bbox == pytest.approx((620, 300, 1080, 340), abs=12)
    assert staff.space == pytest.approx(10, abs=0.3)


def test_a_staff_of_a_page_askew_is_found() -> None:
    level = np.full((400, 1400), 255, np.uint8)
    for line in range(5):
        level[180 + 10 * line : 182 + 10 * line, 60:1340] = 0
    turn = cv2.getRotationMatrix2D((700, 200), 0.8, 1.0)
    askew = cv2.warpAffine(level, turn, (1400, 400), borderValue=255)
    assert len(find_page_staves(np.asarray(askew, np.uint8), 90)) == 1


def test_long_beams_hide_no_lines() -> None:
    page = drawn_lines([80, 90, 100, 110, 120])
    for left in range(40, 420, 90):
        page[97:103, left : left + 75] = 0
        for x in range(left, left + 76, 25):
            page[70:100, x : x + 2] = 0
            page[66:75, x - 8 : x + 2] = 0
    assert len(find_page_staves(page, 200)) == 1


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (8, 900), (900, 8)])
def test_tiny_pictures_have_none(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, size).astype(np.uint8)
    assert find_page_staves(noise, 90) == []


def test_narrow_pictures_with_lines_are_looked_at_whole() -> None:
    for width in range(24, 140):
        page = np.full((120, width), 255, np.uint8)
        for row in (40, 48, 56, 64, 72):
            page[row : row + 2] = 0
        find_page_staves(page, 10)
