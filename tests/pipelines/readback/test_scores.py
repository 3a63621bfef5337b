"""Scores read back from bad pictures: turned, bent, unevenly lit, blurred, in two systems; and from none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.contents import ScoreContent
from docai.pipelines.readback import read_back
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.score.staves import observe_score
from docai.pipelines.tracing.score.staff_lines import darkness, find_staves

Gray = NDArray[np.uint8]

HEAD = "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M4/4\t*M4/4\n"
FIRST = "=1\t=1\n4F\t4cc 4ff\n4A\t4a\n2C\t8g\n.\t8a\n.\t4b-\n=2\t=2\n1F\t2a\n.\t2f\n"
SECOND = "=3\t=3\n2B-\t4dd\n.\t4b-\n2F\t2cc\n=4\t=4\n4C\t4e\n4D\t4f\n2F\t2a\n"
END = "==\t==\n*-\t*-"
KERN = HEAD + FIRST + SECOND + END


def picture(kern: str, width: int = 880) -> Gray:
    """Engraved in another face and wider than what it is compared with."""
    pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    resvg_py = pytest.importorskip("resvg_py", reason="drawings are rasterised with resvg")
    from docai.pipelines.external.engraving import engrave

    svg = engrave(kern + "\n", {"spacingLinear": 0.35, "font": "Bravura"})
    assert svg is not None
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", width=width, skip_system_fonts=True)
    return np.asarray(cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def spoiled(clean: Gray, how: str) -> Gray:
    height, width = clean.shape
    if how == "turned":
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0.8, 1.0)
        return np.asarray(cv2.warpAffine(clean, matrix, (width, height), borderValue=255), np.uint8)
    if how == "bent":
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        bent = y + 3 * np.sin(x / width * np.pi).astype(np.float32)
        return np.asarray(cv2.remap(clean, x, bent, cv2.INTER_LINEAR, borderValue=255), np.uint8)
    if how == "shaded":
        light = np.linspace(0.4, 1.0, width)[None, :] * np.linspace(1.0, 0.7, height)[:, None]
        return np.asarray(clean * light, np.uint8)
    if how == "shining through":
        back = cv2.GaussianBlur(np.ascontiguousarray(clean[:, ::-1]), (0, 0), 1.5).astype(np.float64)
        return np.asarray(clean * (1 - 0.25 * (1 - back / 255)), np.uint8)
    blurred = cv2.GaussianBlur(clean, (0, 0), 1.3).astype(np.float64) * 0.5 + 110
    grain = np.random.default_rng(0).normal(0, 14, clean.shape)
    return np.asarray(np.clip(blurred + grain, 0, 255), np.uint8)


def similarity(kern: str, image: Gray) -> float:
    value = read_back(ScoreContent(kern=kern, is_valid=True), image).similarity
    assert value is not None
    return value


@pytest.mark.parametrize("how", ["turned", "bent", "shaded", "shining through", "blurred and grainy"])
def test_a_right_score_is_told_from_wrong_ones_in_a_bad_scan(how: str) -> None:
    image = spoiled(picture(KERN), how)
    assert len(observe_score(to_gray(image))) == 2
    right = similarity(KERN, image)
    assert right > 0.5
    for wrong in (KERN.replace("4a\n2C", "4g\n2C"), KERN.replace(SECOND, "")):
        assert similarity(wrong, image) < right - 0.3
    for less in (KERN.replace("4cc 4ff", "4ff"), KERN.replace("4dd\n", "4r\n")):
        assert similarity(less, image) < right - 0.02


def test_systems_below_each_other_are_read_as_one_after_the_other() -> None:
    upper, lower = picture(HEAD + FIRST + END), picture(HEAD + SECOND + END)
    both = np.concatenate([upper, np.full((30, 880), 255, np.uint8), lower])
    assert len(observe_score(to_gray(both))) == 4
    right = similarity(KERN, both)
    assert right > 0.3
    assert similarity(HEAD + SECOND + FIRST + END, both) < right / 3


def test_silent_music_is_compared_by_its_rests() -> None:
    silent = "**kern\n*clefG2\n*M3/4\n=1\n2r\n4r\n=2\n4r\n2r\n==\n*-"
    assert similarity(silent, picture(silent)) > 0.3
    assert similarity(silent, picture(KERN)) < 0.1


@pytest.mark.parametrize("what", ["logo", "lines of text", "grain", "ruled paper"])
def test_what_is_no_score_is_not_like_one(what: str) -> None:
    picture(KERN)
    image = np.full((400, 600), 255, np.uint8)
    if what == "logo":
        cv2.circle(image, (300, 200), 90, 0, 12)
        cv2.putText(image, "ACME", (180, 370), cv2.FONT_HERSHEY_DUPLEX, 3, 0, 6)
    elif what == "lines of text":
        for y in range(40, 390, 24):
            cv2.putText(image, "the quick brown fox jumps over", (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 1)
    elif what == "grain":
        image = np.asarray(np.random.default_rng(1).normal(128, 40, image.shape).clip(0, 255), np.uint8)
    else:
        image[20::30] = 0
    assert similarity(KERN, image) < 0.2


def test_lines_are_followed_to_a_fraction_of_their_distance() -> None:
    """Of a bent staff of known course."""
    image = np.full((300, 800), 255, np.uint8)
    for i in range(5):
        image[120 + 12 * i : 122 + 12 * i, 40:760] = 0
    x, y = np.meshgrid(np.arange(800, dtype=np.float32), np.arange(300, dtype=np.float32))
    course = 4 * np.sin(x[0] / 800 * 2 * np.pi).astype(np.float32)
    bent = cv2.remap(image, x, y - course[None, :], cv2.INTER_LINEAR, borderValue=255)
    (staff,) = find_staves(darkness(np.asarray(bent, np.uint8)))
    assert staff.space == pytest.approx(12, abs=0.2)
    assert abs(staff.left - 40) < 20
    assert abs(staff.right - 760) < 20
    assert np.abs(staff.top[60:740] - (120.5 + course[60:740])).max() < 2.5
