"""Pages: limits, selections, laziness, words and pixels."""

from __future__ import annotations

import gc
import io
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai import errors
from docai.limits import Limits
from docai.pipelines.ingest import open_source


def encode(image: Image.Image, kind: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


# Limits


def test_bytes_are_limited_before_they_are_read(tmp_path: Path, make_pdf: Any) -> None:
    data = make_pdf()
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    limits = Limits(max_bytes=len(data) - 1)

    class Endless(io.RawIOBase):
        taken = 0

        def read(self, n: int = -1) -> bytes:
            assert 0 < n <= 1 << 20, "an unbounded read"
            self.taken += n
            return bytes(n)

    endless = Endless()
    for source in (path, data, io.BytesIO(data), endless):
        with pytest.raises(errors.TooManyBytesError):
            open_source(source, limits=limits)  # type: ignore[arg-type]
    assert endless.taken <= 2 << 20
    with open_source(path, limits=Limits(max_bytes=len(data))) as opened:
        assert opened.n_pages == 1


def test_pages_are_limited_after_the_selection(make_pdf: Any) -> None:
    with open_source(make_pdf("a", "b", "c"), limits=Limits(max_pages=2)) as source:
        with pytest.raises(errors.TooManyPagesError, match="3 pages"):
            next(source.pages())
        assert [page.number for page in source.pages("2-3")] == [2, 3]


def png_bomb(width: int, height: int) -> bytes:
    """A PNG whose header declares a size that its few bytes of data do not hold."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_600, 10_001, 60_000])
def test_pixels_are_limited_before_decoding(side: int) -> None:
    """Also around and above the sizes at which Pillow's own guard warns (89 M) and raises (179 M)."""
    limits = Limits(max_pixels=90_000_000)
    with pytest.raises(errors.TooManyPixelsError, match=f"{side} x {side}"):
        open_source(png_bomb(side, side), limits=limits)


def test_a_raised_pixel_limit_is_not_stopped_by_pillow() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with open_source(png_bomb(20_000, 20_000), limits=Limits(max_pixels=None)) as source:
        assert next(source.pages()).image_size == (20_000, 20_000)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_big_frame_of_a_tiff_fails_alone() -> None:
    frames = [Image.new("L", size, 255) for size in ((10, 10), (200, 200), (10, 10))]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with open_source(data, limits=Limits(max_pixels=1_000)) as source:
        with pytest.raises(errors.TooManyPixelsError, match="Page 2"), source.page(2):
            pass
        with source.page(3) as page:
            assert page.render().size == (10, 10)


def test_render_and_embedded_images_respect_the_pixel_limit() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=100, height=100)
        page.insert_image((0, 0, 50, 50), pixmap=pymupdf.Pixmap(pymupdf.csGRAY, (0, 0, 300, 300)))
        document.new_page(width=14_000, height=14_000)
        data = document.tobytes()
    with open_source(data, limits=Limits(max_pixels=20_000)) as source:
        with pytest.raises(errors.TooManyPixelsError, match="300 x 300"), source.page(1) as small:
            small.render()
        with source.page(2) as huge:
            with pytest.raises(errors.TooManyPixelsError, match="14000 x 14000"):
                huge.render()
            scale = huge.fit_scale(1.0)
            width, height = huge.render(scale=scale).size
            assert 15_000 < width * height <= 20_000
            assert huge.fit_scale(4.0, (0, 0, 10, 10)) == 4.0


# Page selections


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (None, [1, 2, 3, 4, 5]),
        ("1-3,5", [1, 2, 3, 5]),
        ("4-", [4, 5]),
        ("-2", [1, 2]),
        (" 5 , 1 - 2 ", [1, 2, 5]),
        ("3,2-3,3", [2, 3]),
        ([4, 1, 4], [1, 4]),
        (range(2, 4), [2, 3]),
        ((5,), [5]),
        (5, [5]),
        (np.int64(2), [2]),
        ({5, 1}, [1, 5]),
        ((number for number in (2, 1)), [1, 2]),
    ],
)
def test_page_selections_are_read_in_page_order(selection: Any, wanted: list[int], make_pdf: Any) -> None:
    with open_source(make_pdf(*"abcde")) as source:
        numbers = source.numbers(selection)
        assert list(numbers) == wanted
        assert [page.number for page in source.pages(numbers)] == wanted


@pytest.mark.parametrize(
    "selection",
    [
        "0",
        "3-1",
        "a",
        "1-2-3",
        "1;2",
        "",
        " , ",
        "1,,2",
        "1,",
        "1 2",
        "-",
        "-0",
        "1.5",
        "٣",
        "1-" + "9" * 5000,
        0,
        -1,
        1.0,
        True,
        b"1",
        [0],
        [-1],
        [1, True],
        [],
        ["1"],
        object(),
    ],
    ids=lambda selection: repr(selection)[:12],
)
def test_selections_without_a_meaning_are_refused_with_what_to_write(selection: Any, make_pdf: Any) -> None:
    with open_source(make_pdf(*"abcde")) as source, pytest.raises(errors.SettingError, match="'1-3,7'"):
        source.numbers(selection)


@pytest.mark.parametrize("selection", ["6", "2-9", "9-", 6, [1, 6], range(4, 7)])
def test_pages_that_the_source_does_not_have(selection: Any, make_pdf: Any) -> None:
    counted = "has 5 pages, counted from 1"
    with open_source(make_pdf(*"abcde")) as source, pytest.raises(errors.PageNotFoundError, match=counted):
        source.numbers(selection)


def test_a_huge_range_is_refused_without_being_counted_out(make_pdf: Any) -> None:
    with open_source(make_pdf("a")) as source, pytest.raises(errors.PageNotFoundError, match="1 page"):
        source.numbers("1-99999999999999")


# Laziness


@pytest.fixture
def nothing_old() -> None:
    """Garbage is looked for among what comes from now on, not in all that other tests have left."""
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("nothing_old")
def test_pages_are_released_after_their_turn(make_pdf: Any) -> None:
    with open_source(make_pdf(*["x"] * 2_000), guarded=False) as source:
        assert source.n_pages == 2_000
        handles = []
        for page in source.pages("1-5,1000,1996-"):
            page.words()
            page.render(scale=0.5)
            handles.append(weakref.ref(page.pdf))
            gc.collect()
            assert sum(handle() is not None for handle in handles) == 1
        assert len(handles) == 11


@pytest.mark.usefixtures("nothing_old")
def test_frames_of_a_tiff_are_held_one_at_a_time() -> None:
    """Twelve frames of a megabyte, decoded one by one, must not add up."""
    frames = [Image.effect_noise((1000, 1000), 50) for _ in range(12)]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    frames.clear()
    with open_source(data) as source:
        numbers = []
        for page in source.pages():
            page.render(scale=0.1)
            numbers.append(page.number)
            gc.collect()
            alive = gc.get_objects()
            assert sum(type(thing) is Image.Image and thing.size == (1000, 1000) for thing in alive) == 1
            del alive
    assert numbers == list(range(1, 13))


def test_a_page_kept_beyond_its_turn_is_read_again(make_pdf: Any) -> None:
    with open_source(make_pdf("one", "two")) as source:
        pages = list(source.pages())
        assert [page.words()[0].text for page in pages] == ["one", "two"]
        assert pages[0].render().size == (300, 200)
    with pytest.raises(ValueError, match="after its source was closed"):
        pages[0].render()


@pytest.mark.parametrize("broken", [b"null", b"(not a page)"])
def test_one_bad_page_leaves_the_others_readable(broken: bytes, make_pdf: Any) -> None:
    data = make_pdf("one", "two", "three")
    with pymupdf.open(stream=data) as document:
        start = data.index(b"%d 0 obj" % document[1].xref) + len(b"%d 0 obj" % document[1].xref)
    end = data.index(b"endobj", start)
    data = data[:start] + b" " + broken.ljust(end - start - 2) + b"\n" + data[end:]
    with open_source(data) as source:
        with pytest.raises(errors.DamagedSourceError, match="Page 2 of <bytes>"), source.page(2):
            pass
        for number, text in ((1, "one"), (3, "three")):
            with source.page(number) as page:
                assert page.words()[0].text == text


# What a page shows


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_words_and_pixels_agree_on_rotated_and_cropped_pages(rotation: int) -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        page.insert_text((120, 80), "Inside")
        page.insert_text((10, 190), "Outside")
        page.set_cropbox(pymupdf.Rect(100, 50, 250, 150))
        page.set_rotation(rotation)
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as shown:
        upright = rotation in (0, 180)
        assert (shown.width, shown.height) == ((150, 100) if upright else (100, 150))
        assert shown.rotation == rotation
        (word,) = shown.words()
        assert word.text == "Inside"
        x0, y0, x1, y1 = word.bbox
        assert (x1 - x0 > y1 - y0) == upright
        ink = np.asarray(shown.render(scale=3).convert("L")) < 128
        outside = ink.copy()
        outside[round(y0 * 3) : round(y1 * 3), round(x0 * 3) : round(x1 * 3)] = False
        assert ink.sum() > 200
        assert not outside.any()


def test_fake_bold_gives_each_word_once_and_repeats_stay() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        for shift in (0.0, 0.4):
            page.insert_text((20 + shift, 40), "really bold")
        page.insert_text((20, 100), "bold bold")
        page.insert_text((20, 120), "bold")
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as shown:
        assert [word.text for word in shown.words()] == ["really", "bold", "bold", "bold", "bold"]


def test_words_keep_the_order_blocks_and_spelling_of_the_pdf() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        page.insert_text((20, 150), "below")
        page.insert_text((20, 40), "e\u0301t\u00e9 hyphen-\nated")
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as shown:
        words = shown.words()
        assert words[0].text == "below"
        assert words[0].block != words[1].block
        assert [word.text for word in words[-2:]] == ["hyphen-", "ated"]
        assert words[-1].line == words[-2].line + 1


def test_render_of_a_part_is_where_it_should_be() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=100, height=100)
        page.draw_rect(pymupdf.Rect(40, 40, 60, 60), color=None, fill=(0, 0, 0))
        data = document.tobytes()
    picture = Image.new("L", (100, 100), 255)
    picture.paste(0, (40, 40, 60, 60))
    for source_bytes in (data, encode(picture, "PNG")):
        with open_source(source_bytes) as source, source.page(1) as shown:
            part = np.asarray(shown.render((30, 35, 90, 70), scale=2).convert("L"))
            assert part.shape == (70, 120)
            ys, xs = np.nonzero(part < 128)
            assert (xs.min(), xs.max(), ys.min(), ys.max()) == (20, 59, 10, 49)
            # Half outside of the page: what is outside is white, and nothing moves.
            over = np.asarray(shown.render((-20, -10, 50, 50), scale=1).convert("L"))
            ys, xs = np.nonzero(over < 128)
            assert over.shape == (60, 70)
            assert (xs.min(), xs.max(), ys.min(), ys.max()) == (60, 69, 50, 59)
            assert np.asarray(shown.render((200, 200, 210, 210))).min() == 255


def test_native_scale_is_that_of_the_scan_or_of_print() -> None:
    scan = pymupdf.Pixmap(pymupdf.csGRAY, (0, 0, 400, 400))
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        page.insert_image((0, 0, 200, 200), pixmap=scan)
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as shown:
        assert shown.native_scale((10, 10, 190, 190)) == pytest.approx(2.0)
        assert shown.native_scale((210, 10, 290, 190)) == pytest.approx(300 / 72)
