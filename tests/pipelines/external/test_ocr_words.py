"""Words of a line that was read: where they are cut, and the boxes around their ink."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docai.geometry import BBox
from docai.pipelines.external.ocr_words import Letter, cut_words


def line(ground: np.ndarray, ink: tuple[int, int, int]) -> tuple[np.ndarray, list[Letter], list[BBox]]:
    """ "Gate 7" on a ground ``(48, 200, 3)``, its letters as they are read, and the boxes of its words."""
    font = ImageFont.load_default(26)
    picture = Image.fromarray(ground)
    draw = ImageDraw.Draw(picture)
    letters, boxes = [], []
    x = 20.0
    for word in ("Gate", "7"):
        draw.text((x, 8), word, fill=ink, font=font)
        boxes.append(draw.textbbox((x, 8), word, font=font))
        for number, letter in enumerate(word):
            left, right = (x + font.getlength(word[: number + more]) for more in (0, 1))
            letters.append(Letter(letter, (left + right) / 2, 0.99, after_space=number == 0 and word == "7"))
        x += font.getlength(word) + 14
    return np.asarray(picture), letters, boxes


def sign() -> np.ndarray:
    """An orange sign on which light falls from the left: its print is as bright there as its ground here."""
    ground = np.full((48, 200, 3), (205, 120, 40), np.uint8)
    light = np.linspace(1.2, 0.3, 200)[None, :, None]
    return (ground * light).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("ground", "ink"),
    [
        (np.full((48, 200, 3), 240, np.uint8), (20, 20, 20)),
        (np.full((48, 200, 3), 30, np.uint8), (230, 230, 230)),
        (sign(), (250, 240, 230)),
        (sign(), (40, 60, 120)),
    ],
    ids=["print", "light on dark", "light on a sign", "dark on a sign"],
)
def test_boxes_are_tight_on_the_ink_of_print_and_of_signs(
    ground: np.ndarray, ink: tuple[int, int, int]
) -> None:
    picture, letters, boxes = line(ground, ink)
    words = cut_words(letters, picture)
    assert [word.text for word in words] == ["Gate", "7"]
    for word, box in zip(words, boxes, strict=True):
        assert word.box == pytest.approx(box, abs=3)


def test_a_letter_that_is_told_beyond_its_space_stays_with_its_word() -> None:
    picture, letters, boxes = line(np.full((48, 200, 3), 240, np.uint8), (20, 20, 20))
    letters[3] = replace(letters[3], x=boxes[1][0] - 1)
    words = cut_words(letters, picture)
    assert [word.text for word in words] == ["Gate", "7"]
    for word, box in zip(words, boxes, strict=True):
        assert word.box == pytest.approx(box, abs=3)
    letters[3:] = [replace(letters[3], x=boxes[0][2] - 6), replace(letters[4], x=boxes[0][2] - 1)]
    assert [word.text for word in cut_words(letters, picture)] == ["Gate", "7"]
