"""The pages that layout is measured on: repeatable, with truth that lies where the ink is."""

import numpy as np
import pymupdf
import pytest

from docai.pipelines.synthesis.pages import scanned, synthetic_page

SEEDS = (1003, 1009)


@pytest.fixture(scope="module")
def pages():
    return {seed: synthetic_page(seed) for seed in SEEDS}


def _gray(pdf: bytes) -> np.ndarray:
    with pymupdf.open("pdf", pdf) as document:
        found = document[0].get_pixmap(dpi=144, colorspace=pymupdf.csGRAY)
    return np.frombuffer(found.samples, np.uint8).reshape(found.height, found.stride)[:, : found.width]


def test_a_seed_gives_one_page(pages) -> None:
    again = synthetic_page(SEEDS[0])
    assert again.truth == pages[SEEDS[0]].truth
    assert np.array_equal(_gray(again.pdf), _gray(pages[SEEDS[0]].pdf))
    assert pages[SEEDS[0]].truth != pages[SEEDS[1]].truth


@pytest.mark.parametrize("seed", SEEDS)
def test_ink_and_truth_agree(pages, seed: int) -> None:
    page = pages[seed]
    ink = _gray(page.pdf) < 160
    outside = ink.copy()
    for region in page.truth:
        x0, y0, x1, y1 = (round(2 * value) for value in region.bbox)
        assert ink[y0:y1, x0:x1].any(), region
        outside[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] = False
    assert outside.sum() < 0.002 * ink.sum()


def test_true_regions_do_not_overlap(pages) -> None:
    for page in pages.values():
        for index, (_, a) in enumerate((r.kind, r.bbox) for r in page.truth):
            for b in (r.bbox for r in page.truth[index + 1 :]):
                wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                assert min(wide, high) <= 1.0


def test_kinds_of_all_heads_appear(pages) -> None:
    wanted = {"text", "table", "molecule", "score", "figure"}
    kinds = {region.kind for page in pages.values() for region in page.truth}
    for seed in set(range(1000, 1010)) - set(SEEDS):
        if kinds >= wanted:
            break
        kinds |= {region.kind for region in synthetic_page(seed).truth}
    assert kinds == wanted


def test_a_scan_has_no_words_and_its_truth_turns_with_it(pages) -> None:
    page = pages[SEEDS[0]]
    scan = scanned(page)
    with pymupdf.open("pdf", scan.pdf) as document:
        assert document[0].get_text().strip() == ""
        assert len(document[0].get_images()) == 1
    assert [r.kind for r in scan.truth] == [r.kind for r in page.truth]
    moved = [abs(a.bbox[1] - b.bbox[1]) for a, b in zip(page.truth, scan.truth, strict=True)]
    assert 0 < max(moved) < 15
