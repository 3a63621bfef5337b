"""Noise: what it may change, what it may not, and where points go when the sheet is moved."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.synthesis import noise
from docai.pipelines.synthesis.base import SIZE, Box
from docai.pipelines.synthesis.noise import (
    EDGE,
    MILD,
    degrade,
    distort,
    distortion,
    follow,
    harsh,
    tilt,
    warp,
)

DOTS = np.array([[60, 300], [830, 310], [100, 600], [820, 590], [448, 450]], dtype=np.float64)


def dotted() -> NDArray[np.uint8]:
    picture = np.full((SIZE, SIZE), 255, np.uint8)
    for x, y in DOTS.astype(int):
        picture[y - 6 : y + 6, x - 6 : x + 6] = 0
    return picture


def striped() -> NDArray[np.uint8]:
    """Strokes three pixels wide, six apart, as those of small print."""
    picture = np.full((SIZE, SIZE), 255, np.uint8)
    for offset in range(3):
        picture[200:700, 100 + offset : 800 : 9] = 0
    return picture


def colored(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([gray, np.maximum(gray, 60), gray], axis=2)


@pytest.mark.parametrize("strength", [0.2, 0.6, 1.0])
@pytest.mark.parametrize("in_color", [False, True])
def test_values_change_but_not_along_the_edge_of_the_square(strength: float, in_color: bool) -> None:
    picture = striped()
    picture[2:10, 2:10] = 0
    picture = colored(picture) if in_color else picture
    before = picture.copy()
    changed = 0
    for seed in range(40):
        noisy = degrade(picture, random.Random(seed), strength)
        assert noisy.shape == picture.shape
        assert noisy.dtype == np.uint8
        changed += not np.array_equal(noisy, picture)
        for edge in (np.s_[:EDGE], np.s_[-EDGE:], np.s_[:, :EDGE], np.s_[:, -EDGE:]):
            assert np.array_equal(noisy[edge], picture[edge])
    assert changed > 4
    assert np.array_equal(picture, before), "the picture that was given is left as it was"


def test_no_strength_no_noise() -> None:
    picture = striped()
    assert degrade(picture, random.Random(1), 0.0) is picture
    assert distort(picture, random.Random(1), 0.0)[0] is picture


def test_white_squares_stay_white() -> None:
    blank = np.full((SIZE, SIZE), 255, np.uint8)
    for seed in range(20):
        assert degrade(blank, random.Random(seed), 1.0) is blank
        assert np.array_equal(distort(blank, random.Random(seed), 1.0)[1], np.eye(3))


def test_the_same_state_makes_the_same_noise() -> None:
    for seed in range(25):
        first = degrade(striped(), random.Random(seed), 1.0)
        assert np.array_equal(first, degrade(striped(), random.Random(seed), 1.0))


@pytest.mark.parametrize("color", [(200,), (255, 210, 255)])
def test_a_tinted_sheet_is_not_widened(color: tuple[int, ...]) -> None:
    sheet = np.full((SIZE, SIZE, len(color)), 255, np.uint8)
    sheet[300:600, 100:800] = color
    sheet[400:420, 200:700] = 30
    picture = sheet[:, :, 0].copy() if len(color) == 1 else sheet
    for seed in range(40):
        noisy = degrade(picture, random.Random(seed), 1.0)
        assert noisy[:300].min() == noisy[600:].min() == noisy[:, :100].min() == 255


def test_noise_grows_with_its_strength() -> None:
    picture = striped().astype(int)
    change = [
        np.mean([np.abs(degrade(striped(), random.Random(seed), s) - picture).mean() for seed in range(60)])
        for s in (0.1, 0.4, 0.7, 1.0)
    ]
    assert change == sorted(change)
    assert change[3] > 2 * change[1]


def test_harsh_noise_begins_where_mild_noise_ends() -> None:
    assert harsh(0.0) == harsh(MILD) == 0.0
    assert 0 < harsh(0.6) < harsh(0.9) < harsh(1.0) == pytest.approx(1.0)


def test_strokes_of_small_print_can_still_be_told_apart() -> None:
    picture = striped()
    inside = (slice(220, 680), slice(110, 790))
    for seed in range(150):
        noisy = degrade(picture, random.Random(seed), 1.0, detail=9)
        profile = noisy[inside].astype(float).mean(axis=0)
        likeness = np.corrcoef(profile, picture[inside].astype(float).mean(axis=0))[0, 1]
        assert likeness > 0.5, seed


def test_full_black_stays_darker_than_paper_however_faded() -> None:
    for seed in range(150):
        assert degrade(dotted(), random.Random(seed), 1.0).min() < 150, seed


def test_some_hard_pictures_are_black_and_white_like_a_fax() -> None:
    shaded = dotted()
    shaded[440:446, 300:600] = 130
    levels = (np.unique(degrade(shaded, random.Random(seed), 1.0)).tolist() for seed in range(200))
    assert any(grays == [0, 255] for grays in levels)


@pytest.mark.parametrize("in_color", [False, True])
def test_points_follow_the_sheet(in_color: bool) -> None:
    picture = dotted()
    moved_at_all = 0.0
    for seed in range(25):
        moved, matrix = distort(colored(picture) if in_color else picture, random.Random(seed), 1.0)
        dark = moved if moved.ndim == 2 else moved[:, :, 0]
        for dot, (x, y) in zip(DOTS, follow(matrix, DOTS), strict=True):
            top, left = round(y) - 14, round(x) - 14
            rows, columns = np.nonzero(dark[top : top + 28, left : left + 28] < 128)
            assert abs(rows.mean() + 0.5 + top - y) < 1
            assert abs(columns.mean() + 0.5 + left - x) < 1
            moved_at_all = max(moved_at_all, abs(x - dot[0]), abs(y - dot[1]))
        ink = np.argwhere(dark < 250)
        assert ink.min() >= EDGE
        assert ink.max() < SIZE - EDGE
    assert moved_at_all > 8


def test_tilted_points_follow_the_matrix_of_two_rows() -> None:
    moved, matrix = tilt(dotted(), random.Random(4), 3.0)
    assert matrix.shape == (2, 3)
    for x, y in follow(matrix, DOTS):
        assert moved[round(y), round(x)] < 60


def test_a_full_square_is_not_moved_out_of_itself() -> None:
    content = Box(20, 20, SIZE - 20, SIZE - 20)
    corners = np.array([[20, 20], [SIZE - 20, 20], [SIZE - 20, SIZE - 20], [20, SIZE - 20]], np.float64)
    for seed in range(50):
        moved = follow(distortion(content, random.Random(seed), 1.0), corners)
        assert moved.min() >= EDGE
        assert moved.max() <= SIZE - EDGE


def test_moving_by_whole_pixels_changes_no_value() -> None:
    picture = dotted()
    moved = warp(picture, np.array([[1, 0, 5], [0, 1, -7], [0, 0, 1]], np.float64))
    assert np.array_equal(moved[300:500, 105:800], picture[307:507, 100:795])


def test_what_shows_through_never_turns_as_black_as_the_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    fax, through = noise._fax, noise._show_through
    monkeypatch.setattr(noise, "_fax", lambda *a, **k: (seen.append(True), fax(*a, **k))[1])
    monkeypatch.setattr(noise, "_show_through", lambda *a: (seen.append(False), through(*a))[1])
    gray = np.full((896, 896), 255, np.uint8)
    gray[300:600, 100:400:20] = 0
    runs = []
    for seed in range(400):
        seen.clear()
        noise.degrade(gray, random.Random(seed), 1.0)
        runs.append(tuple(seen))
    assert {(), (False,), (True,)} == set(runs)
