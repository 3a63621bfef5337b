"""Crops: their geometry there and back, their looks, and how regions are parted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.errors import TooManyPixelsError
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.heads import HEADS
from docai.pipelines.crops import tiling
from docai.pipelines.crops.crop import CROP_SIZE, MARGIN, MAX_SCALE, Crop, CropTransform, make_crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.ingest import Page, open_source

finite = {"allow_nan": False, "allow_infinity": False}
transforms = st.builds(
    CropTransform,
    x0=st.floats(-5_000, 5_000, **finite),
    y0=st.floats(-5_000, 5_000, **finite),
    scale=st.floats(0.02, MAX_SCALE, **finite),
    size=st.sampled_from([224, 448, CROP_SIZE]),
)
units = st.tuples(*[st.floats(0, 1, **finite)] * 4)
bins = st.tuples(*[st.integers(0, 1023)] * 4)


@given(transforms, bins)
def test_loc_bins_survive_the_way_to_the_page_and_back(transform: CropTransform, loc: Any) -> None:
    assert transform.to_loc(transform.from_loc(loc)) == loc


@given(transforms, units)
def test_page_boxes_survive_loc_bins_to_within_one_bin(transform: CropTransform, unit: Any) -> None:
    box = transform.from_unit(unit)
    back = transform.from_loc(transform.to_loc(box))
    one_bin = transform.size / 1023 / transform.scale
    assert all(abs(a - b) <= one_bin for a, b in zip(box, back, strict=True))


@given(transforms, units)
def test_pixels_and_shares_are_exact_both_ways(transform: CropTransform, unit: Any) -> None:
    box = transform.from_unit(unit)
    assert transform.to_unit(box) == pytest.approx(unit, abs=1e-6)
    assert transform.to_page(transform.to_pixels(box)) == pytest.approx(box, abs=1e-6)


def test_loc_order_and_ends_are_those_of_paligemma() -> None:
    transform = CropTransform(x0=100, y0=200, scale=2, size=896)
    assert transform.to_loc((100, 200, 548, 648)) == (0, 0, 1023, 1023)
    # x at a quarter, y at a half of the square: y comes first, and round(v * 1023) decides.
    assert transform.to_loc((212, 424, 548, 648)) == (512, 256, 1023, 1023)
    assert transform.to_loc((-999, -999, 9999, 9999)) == (0, 0, 1023, 1023)


def page_with(draw: Any, width: float = 600, height: float = 800) -> bytes:
    with pymupdf.open() as document:
        draw(document.new_page(width=width, height=height))
        data: bytes = document.tobytes()
    return data


@pytest.fixture(scope="module")
def boxes() -> Iterator[Page]:
    """A page with a black box at 100..400 x 200..300 and gray around it."""

    def draw(page: Any) -> None:
        page.draw_rect(page.rect, color=None, fill=(0.5, 0.5, 0.5))
        page.draw_rect(pymupdf.Rect(100, 200, 400, 300), color=None, fill=(0, 0, 0))

    with open_source(page_with(draw)) as source, source.page(1) as page:
        yield page


def extent(image: Any, level: int = 64) -> BBox:
    ys, xs = np.nonzero(np.asarray(image.convert("L")) < level)
    return (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def test_a_crop_is_a_white_square_with_margin_and_the_region_in_its_middle(boxes: Page) -> None:
    crop = make_crop(boxes, (100, 200, 400, 300))
    assert (crop.image.size, crop.image.mode) == ((896, 896), "RGB")
    region = crop.transform.to_pixels((100, 200, 400, 300))
    assert extent(crop.image) == pytest.approx(region, abs=1)
    assert region == pytest.approx((20, 305.3, 876, 590.7), abs=0.1)
    pixels = np.asarray(crop.image.convert("L"))
    # Above the region: 20 px of the page as it is, and then padding.
    column = pixels[:, 448]
    assert (column[287:304] == 127).all()
    assert (column[:284] == 255).all()
    assert (pixels[448, :19] == 127).all()


@pytest.mark.parametrize(
    "bbox",
    [(0, 0, 600, 800), (50, 50, 52, 750), (0, 0, 600, 5), (100, 200, 103, 202), (550, 750, 700, 900)],
)
def test_the_margin_is_kept_and_nothing_is_magnified_absurdly(boxes: Page, bbox: BBox) -> None:
    crop = make_crop(boxes, bbox)
    x0, y0, x1, y1 = crop.transform.to_pixels(bbox)
    assert min(x0, y0, CROP_SIZE - x1, CROP_SIZE - y1) >= MARGIN - 1e-6
    assert crop.transform.scale <= MAX_SCALE
    assert math.isclose((x1 - x0) * (bbox[3] - bbox[1]), (y1 - y0) * (bbox[2] - bbox[0]), rel_tol=1e-6)
    fills = max(x1 - x0, y1 - y0) == pytest.approx(CROP_SIZE - 2 * MARGIN)
    assert fills or crop.transform.scale == MAX_SCALE


def test_outside_of_the_page_is_white(boxes: Page) -> None:
    crop = make_crop(boxes, (500, 700, 700, 900))
    x1, y1 = (math.ceil(v) for v in crop.transform.to_pixels((600, 800, 600, 800))[:2])
    pixels = np.asarray(crop.image.convert("L"))
    assert (pixels[y1 + 1 :, :] == 255).all()
    assert (pixels[:, x1 + 1 :] == 255).all()
    assert pixels[y1 - 5, x1 - 5] == 127


def test_degenerate_and_reversed_boxes(boxes: Page) -> None:
    assert make_crop(boxes, (400, 300, 100, 200)).bbox == (100, 200, 400, 300)
    assert make_crop(boxes, (50, 50, 50, 50)).image.size == (896, 896)
    assert np.asarray(make_crop(boxes, (9_000, 9_000, 9_100, 9_100)).image).min() == 255
    with pytest.raises(ValueError, match="no room"):
        make_crop(boxes, (0, 0, 10, 10), size=30)


def test_a_crop_is_drawn_from_the_pdf_and_not_from_a_raster_of_the_page() -> None:
    def draw(page: Any) -> None:
        for i in range(10):
            page.draw_line((100 + i, 100), (100 + i, 110), width=0.2)

    with open_source(page_with(draw)) as source, source.page(1) as page:
        row = np.asarray(make_crop(page, (98, 98, 112, 112)).image.convert("L"))[448]
    dark = row < 140
    assert np.count_nonzero(dark[1:] & ~dark[:-1]) == 10


def test_native_crop_shows_the_same_at_the_scale_of_its_evidence(boxes: Page) -> None:
    crop = make_crop(boxes, (100, 200, 400, 300))
    native = crop.native()
    scale = 300 / 72
    shown = crop.shown
    assert native.size == pytest.approx(((shown[2] - shown[0]) * scale, (shown[3] - shown[1]) * scale), abs=1)
    assert shown[0] == pytest.approx(100 - 20 / crop.transform.scale, abs=1)
    assert extent(native)[2] - extent(native)[0] == pytest.approx(300 * scale, abs=2)


def test_native_crop_stays_under_the_pixel_limit() -> None:
    with (
        open_source(page_with(lambda page: None), limits=Limits(max_pixels=900_000)) as source,
        source.page(1) as page,
    ):
        crop = make_crop(page, page.bbox)
        width, height = crop.native().size
        assert 800_000 < width * height <= 900_000
        with pytest.raises(TooManyPixelsError):
            page.render(scale=300 / 72)


# Tiles


def assert_tiles_cover(tiles: list[Crop], bbox: BBox) -> None:
    assert tiles[0].bbox[1] == bbox[1]
    assert tiles[-1].bbox[3] == bbox[3]
    for upper, lower in pairwise(tiles):
        assert upper.bbox[3] == lower.bbox[1]
    assert all((tile.bbox[0], tile.bbox[2]) == (bbox[0], bbox[2]) for tile in tiles)


def prose(size: float, step: float) -> bytes:
    def draw(page: Any) -> None:
        y = 40.0
        while y < 780:
            page.insert_text((40, y), "Words on a page, good type of every letter", fontsize=size)
            y += step

    return page_with(draw, width=260)


@pytest.mark.parametrize("use_words", [True, False])
def test_legible_text_is_one_crop_and_small_text_is_parted_between_lines(use_words: bool) -> None:
    with open_source(prose(14, 20)) as source, source.page(1) as page:
        words = page.words() if use_words else ()
        assert len(tile_region(page, "lines", page.bbox, words=words)) == 1
    with open_source(prose(5, 7)) as source, source.page(1) as page:
        bbox = (30.0, 30.0, 230.0, 785.0)
        tiles = tile_region(page, "lines", bbox, words=page.words() if use_words else ())
        assert len(tiles) > 1
        assert_tiles_cover(tiles, bbox)
        for tile in tiles:
            assert tile.transform.scale * 5 * 1.2 >= 8
        for cut in (tile.bbox[1] for tile in tiles[1:]):
            ink = page.render((30, cut - 0.2, 230, cut + 0.2), scale=4)
            assert np.asarray(ink).min() > 200, "a line is cut"


def test_no_line_is_shown_in_two_tiles() -> None:
    with open_source(prose(5, 7)) as source, source.page(1) as page:
        tiles = tile_region(page, "lines", (30.0, 30.0, 230.0, 785.0), words=page.words())
        shown = 0
        for tile in tiles:
            rows = (np.asarray(tile.image.convert("L")) < 160).any(axis=1)
            shown += np.count_nonzero(rows[1:] & ~rows[:-1])
        assert shown == len({round(word.bbox[1]) for word in page.words()})


def staggered(upright: bool = False) -> bytes:
    """Two columns of small print whose lines are half a line out of step: no gap runs through both."""

    def draw(page: Any) -> None:
        for line in range(100):
            y = 40 + 7.0 * line
            if upright:
                if line < 30:
                    page.insert_text(
                        (35 + 6.0 * line, 780), "Upright words run up the page", fontsize=5, rotate=90
                    )
                continue
            page.insert_text((35, y), f"left{line:02d} and so on", fontsize=5)
            page.insert_text((125, y + 3.5), f"right{line:02d} so on", fontsize=5)

    return page_with(draw, width=260)


@pytest.mark.parametrize("use_words", [True, False])
def test_text_without_a_gap_is_parted_into_tiles_that_overlap(use_words: bool) -> None:
    bbox = (30.0, 30.0, 230.0, 750.0)
    with open_source(staggered()) as source, source.page(1) as page:
        words = [word for word in page.words() if word.bbox[3] <= bbox[3]]
        tiles = tile_region(page, "lines", bbox, words=words if use_words else ())
        assert len(tiles) > 1
        assert (tiles[0].bbox[1], tiles[-1].bbox[3]) == (bbox[1], bbox[3])
        for upper, lower in pairwise(tiles):
            assert upper.bbox[3] - lower.bbox[1] > 2 * 7
            assert upper.shown[3] == pytest.approx(upper.bbox[3], abs=1 / upper.transform.scale)
        for word in words:
            assert any(tile.bbox[1] <= word.bbox[1] and word.bbox[3] <= tile.bbox[3] for tile in tiles)
        for tile in tiles:
            assert tile.transform.scale * 5 * 1.2 >= 8


def test_upright_words_are_never_cut() -> None:
    """Long as they are, they might be cut in both of two tiles that overlap."""
    bbox = (30.0, 30.0, 230.0, 785.0)
    with open_source(staggered(upright=True)) as source, source.page(1) as page:
        assert_tiles_cover(tile_region(page, "lines", bbox, words=page.words()), bbox)


@given(st.floats(0, 500, **finite), st.floats(1, 3_000, **finite), st.floats(10, 900), st.floats(0.5, 60))
def test_overlapping_bands_cover_all_and_share_what_they_should(
    top: float, high: float, most: float, overlap: float
) -> None:
    spans = tiling.overlapping_bands(top, top + high, most, overlap)
    assert (spans[0][0], spans[-1][1]) == (top, top + high)
    assert len(spans) == 1 or all(end - start <= most + 1e-6 for start, end in spans)
    for (_, end), (start, _) in pairwise(spans):
        assert end - start == pytest.approx(overlap)


def test_molecules_stay_whole() -> None:
    with open_source(prose(4, 5)) as source, source.page(1) as page:
        assert len(tile_region(page, HEADS["text"].tiling, page.bbox, words=page.words())) > 1
        assert len(tile_region(page, HEADS["molecule"].tiling, page.bbox, words=page.words())) == 1


def table(rules: bool) -> bytes:
    """A narrow, long table; each row has a first cell of one line and a second cell of two."""

    def draw(page: Any) -> None:
        for row in range(50):
            y = 20 + 15 * row
            page.insert_text((22, y + 5), f"row {row}", fontsize=5)
            page.insert_text((70, y + 5), "first line of a cell", fontsize=5)
            page.insert_text((70, y + 11), "and its second", fontsize=5)
            if rules:
                page.draw_line((20, y), (180, y), width=0.5)
        if rules:
            page.draw_rect(pymupdf.Rect(20, 20, 180, 770), width=0.5)
            page.draw_line((65, 20), (65, 770), width=0.5)

    return page_with(draw, width=200)


@pytest.mark.parametrize("rules", [True, False])
@pytest.mark.parametrize("use_words", [True, False])
def test_a_table_is_parted_between_rows_never_inside_one(rules: bool, use_words: bool) -> None:
    bbox = (20.0, 20.0, 180.0, 770.0)
    with open_source(table(rules)) as source, source.page(1) as page:
        words = page.words() if use_words else ()
        tiles = tile_region(page, "rows", bbox, words=words)
        assert len(tiles) > 1
        assert_tiles_cover(tiles, bbox)
        for tile in tiles[1:]:
            into_row = (tile.bbox[1] - 20) % 15
            # A row's ink spans 1..13 of its 15 points.
            assert into_row < 1.6 or into_row > 11.5, f"a row is cut at {into_row:.1f}"


def systems(n_systems: int, n_staves: int = 2, tilt: float = 0.0) -> bytes:
    """Systems of staves that are joined at their left, as every engraver draws them."""

    def draw(page: Any) -> None:
        for i in range(n_systems):
            top = 40.0 + 140 * i
            for staff in range(n_staves):
                for line in range(5):
                    y = top + 45 * staff + 5 * line
                    page.draw_line((40, y), (560, y + tilt), width=0.5)
            bottom = top + 45 * (n_staves - 1) + 20
            for x in (40, 200, 380, 560):
                lean = tilt * (x - 40) / 520
                page.draw_line((x, top + lean), (x, bottom + lean), width=0.7)
            for x in range(60, 540, 23):
                page.draw_circle((x, top + 10 + x % 7), 2.4, fill=(0, 0, 0))
                page.draw_line((x + 2.4, top + 10), (x + 2.4, top - 6), width=0.6)

    return page_with(draw)


@pytest.mark.parametrize("n_systems", [1, 2, 5])
@pytest.mark.parametrize(("n_staves", "tilt"), [(1, 0.0), (2, 0.0), (2, 4.0), (3, -3.0)])
def test_a_score_is_parted_between_its_systems(n_systems: int, n_staves: int, tilt: float) -> None:
    bbox = (30.0, 20.0, 570.0, 760.0)
    with open_source(systems(n_systems, n_staves, tilt)) as source, source.page(1) as page:
        tiles = tile_region(page, "systems", bbox)
        assert len(tiles) == n_systems
        assert_tiles_cover(tiles, bbox)
        for i, tile in enumerate(tiles[1:], start=1):
            above = 40 + 140 * (i - 1) + 45 * (n_staves - 1) + 20 + max(tilt, 0)
            below = 40 + 140 * i - 6 + min(tilt, 0)
            assert above < tile.bbox[1] < below


def test_a_score_region_without_staves_stays_whole(boxes: Page) -> None:
    assert len(tile_region(boxes, "systems", boxes.bbox)) == 1


gap_lists = st.lists(
    st.tuples(st.floats(0.01, 999.99, **finite), st.floats(0.1, 20, **finite)), max_size=60
).map(sorted)


@given(gap_lists, st.floats(20, 600, **finite))
def test_cuts_are_gaps_in_order_and_bands_are_as_low_as_the_gaps_allow(gaps: Any, most: float) -> None:
    cuts = tiling.choose_cuts(gaps, 0.0, 1000.0, most)
    assert cuts == sorted(set(cuts))
    middles = [middle for middle, _ in gaps]
    assert set(cuts) <= set(middles)
    for top, bottom in pairwise([0.0, *cuts, 1000.0]):
        inner = [middle for middle in middles if top + 1e-6 < middle < bottom - 1e-6]
        assert bottom - top <= most or not [middle for middle in inner if middle - top <= most]


def test_text_height_is_that_of_small_print_not_of_one_superscript() -> None:
    def draw(page: Any) -> None:
        for i in range(20):
            page.insert_text((40, 100 + 20 * i), "ordinary words of body text", fontsize=12)
        page.insert_text((300, 100), "2", fontsize=3)

    with open_source(page_with(draw)) as source, source.page(1) as page:
        from_words = tiling.text_height(page, page.bbox, page.words())
        from_pixels = tiling.text_height(page, page.bbox)
    assert from_words is not None
    assert from_pixels is not None
    assert 12 <= from_words <= 18
    assert from_pixels == pytest.approx(from_words, rel=0.3)


def test_text_height_of_a_blank_region_is_unknown() -> None:
    with open_source(page_with(lambda page: None)) as source, source.page(1) as page:
        assert tiling.text_height(page, page.bbox) is None
        assert len(tile_region(page, "lines", page.bbox)) == 1
