"""Uneven light on drawn pages is found as it was put there, and what is dark by itself is no shade."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.layout.light import find_light
from docai.pipelines.pixels import Gray, even_out

SHAPE = (1200, 850)
ROWS, COLUMNS = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32) / SHAPE[0]

LIGHTS = {
    "lamp at one side": 1 - 0.5 * COLUMNS,
    "shadow of a corner": 1 - 0.6 * np.exp(-((COLUMNS - 0.7) ** 2 + (ROWS - 1) ** 2) / 0.1),
    "soft edge": 1 - 0.5 / (1 + np.exp(-(ROWS + 0.4 * COLUMNS - 0.7) / 0.02)),
    "fold": 1 - 0.5 * np.exp(-(((ROWS - 0.5) / 0.05) ** 2)),
}


def print_of_words() -> Gray:
    page = np.full(SHAPE, 245, np.uint8)
    for y in range(80, SHAPE[0] - 60, 20):
        cv2.putText(
            page,
            "Letters of a page that is read in even or uneven light",
            (60, y),
            0,
            0.6,
            (20,),
            1,
            cv2.LINE_AA,
        )
    return page


def shaded(page: Gray, light: NDArray[np.float32]) -> Gray:
    noise = np.random.default_rng(1).normal(0, 3, page.shape)
    return np.asarray((page * light + noise).clip(0, 255), np.uint8)


def whole(light: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(light, SHAPE[::-1]), np.float32)


@pytest.mark.parametrize("name", LIGHTS)
def test_light_is_found_between_the_letters(name: str) -> None:
    light = LIGHTS[name]
    page = print_of_words()
    found = find_light(shaded(page, light))
    assert found is not None
    relative = light / light.max()
    off = np.abs(whole(found) - relative)
    assert off.mean() < 0.02
    # On the steepest slopes, between lines of print.
    assert off.max() < 0.15
    evened = even_out(shaded(page, light), whole(found))
    assert np.abs(evened[page > 240].astype(int) - 245).mean() < 8
    assert evened[page < 30].mean() < 45


@pytest.mark.parametrize("level", [255, 200, 120])
def test_even_light_is_none(level: int) -> None:
    page = print_of_words()
    assert find_light(shaded(page, np.full(SHAPE, level / 255, np.float32))) is None


def with_photograph(page: Gray) -> Gray:
    page = page.copy()
    y, x = np.mgrid[0:400, 0:500].astype(np.float32)
    page[300:700, 200:700] = np.asarray(110 + 60 * np.sin(x / 60) * np.cos(y / 45), np.uint8)
    return page


def test_a_photograph_and_a_tint_are_no_shade() -> None:
    page = with_photograph(print_of_words())
    page[800:900, 60:800] = np.minimum(page[800:900, 60:800], 190)
    assert find_light(page) is None


def test_a_photograph_in_shade_stays_as_dark_as_it_is() -> None:
    page = with_photograph(print_of_words())
    light = LIGHTS["lamp at one side"]
    found = find_light(shaded(page, light))
    assert found is not None
    inside = (slice(310, 690), slice(210, 690))
    evened = even_out(shaded(page, light), whole(found))
    assert np.abs(evened[inside].astype(int) - page[inside]).mean() < 20


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((300, 300), np.uint8),
        np.full((3, 900), 200, np.uint8),
        np.tile(np.linspace(0, 255, 30, dtype=np.uint8), (300, 20)),
        np.random.default_rng(1).integers(0, 255, (500, 400)).astype(np.uint8),
    ],
    ids=["black", "strip", "stripes", "noise"],
)
def test_what_is_no_page_has_no_light(picture: Gray) -> None:
    assert find_light(picture) is None
