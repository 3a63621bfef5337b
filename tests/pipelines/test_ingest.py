"""Sources into pages: types, limits, errors, coordinates, and what a page looks like."""

from __future__ import annotations

import gc
import io
import warnings
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from PIL import Image, ImageCms

from docai import errors
from docai.limits import Limits
from docai.pipelines.ingest import Page, open_source, quiet_mupdf

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(image: Image.Image, kind: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


def corners() -> Image.Image:
    """40 x 20: red, green over blue, white."""
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (0, 0, 20, 10))
    image.paste(GREEN, (20, 0, 40, 10))
    image.paste(BLUE, (0, 10, 20, 20))
    return image


def first_render(data: bytes, **render: Any) -> Image.Image:
    with open_source(data) as source, source.page(1) as page:
        return page.render(**render)


def near(found: Any, wanted: tuple[int, int, int], tolerance: int = 40) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


# Types


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("how", ["path", "str", "bytes", "file", "stream"])
def test_every_image_type_opens_from_every_kind_of_source(kind: str, how: str, tmp_path: Path) -> None:
    data = encode(corners(), kind)
    # The name lies: the type must come from the bytes.
    path = tmp_path / "picture.pdf"
    path.write_bytes(data)
    given: Any = {"path": path, "str": str(path), "bytes": data, "stream": io.BytesIO(data)}.get(how)
    with path.open("rb") as stream, open_source(given or stream) as source:
        assert (source.type, source.n_pages, source.n_bytes) == (kind.lower(), 1, len(data))
        (page,) = source.pages()
        assert page.pdf is None
        assert page.words() == []
        assert page.image_size == (40, 20)
        image = page.render(scale=page.native_scale(page.bbox))
        assert (image.mode, image.size) == ("RGB", (40, 20))
        assert near(image.getpixel((4, 4)), RED)
        assert near(image.getpixel((35, 15)), WHITE)


@pytest.mark.parametrize("prefix", [b"", b"junk from a mail program\r\n", b"%!PS-Adobe-3.0\n"])
def test_pdf_opens_also_behind_junk(prefix: bytes, make_pdf: Any) -> None:
    with open_source(prefix + make_pdf("Hello")) as source:
        assert source.type == "pdf"
        assert [word.text for word in next(source.pages()).words()] == ["Hello"]


def test_pdf_without_its_first_bytes_is_repaired(make_pdf: Any) -> None:
    with open_source(make_pdf("Hello")[9:]) as source:
        assert source.repaired
        assert [word.text for word in next(source.pages()).words()] == ["Hello"]


def test_source_tells_what_it_read(make_pdf: Any, tmp_path: Path) -> None:
    import hashlib

    data = make_pdf("one", "two")
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    with open_source(path) as from_path, open_source(data) as from_bytes:
        assert from_path.name == str(path)
        assert from_bytes.name == "<bytes>"
        assert from_path.sha256 == from_bytes.sha256 == hashlib.sha256(data).hexdigest()
        assert from_path.n_pages == 2
        assert not from_path.repaired


def test_a_file_object_stays_open(make_pdf: Any) -> None:
    stream = io.BytesIO(make_pdf())
    with open_source(stream) as source:
        next(source.pages()).render()
    assert not stream.closed


# Errors


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (zipped("word/document.xml"), "Word document"),
        (zipped("xl/workbook.xml"), "Excel workbook"),
        (zipped("ppt/presentation.xml"), "PowerPoint"),
        (zipped("other.txt"), "ZIP archive"),
        (encode(corners(), "GIF"), "GIF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\n  <!DOCTYPE html><title>Log in</title>", "HTML"),
        (b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 1 1", "PostScript"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office"),
        (b"{\\rtf1\\ansi hello}", "RTF"),
        (b"\x1f\x8b\x08\x00" + bytes(30), "gzip"),
    ],
)
def test_known_types_that_are_not_read_are_named(data: bytes, what: str) -> None:
    with pytest.raises(errors.UnsupportedTypeError, match=what):
        open_source(data)


@pytest.mark.parametrize(
    "data", [b"hello", b"BMW is a car maker", bytes(5000), b"PNG\r\n", b"\x89PN", b"II"]
)
def test_bytes_of_no_known_type_are_not_a_document(data: bytes) -> None:
    with pytest.raises(errors.NotADocumentError, match="neither a PDF nor"):
        open_source(data)


def test_missing_empty_and_odd_paths(tmp_path: Path) -> None:
    with pytest.raises(errors.SourceNotFoundError, match=r"nothing\.pdf does not exist"):
        open_source(tmp_path / "nothing.pdf")
    with pytest.raises(errors.SourceNotFoundError, match="download it first"):
        open_source("https://example.org/a.pdf")
    with pytest.raises(errors.SourceNotFoundError):
        open_source("a\0b")
    with pytest.raises(errors.SourceNotFoundError, match="is a folder"):
        open_source(tmp_path)
    with pytest.raises(errors.SourceNotFoundError, match="not a regular file"):
        open_source("/dev/null")
    with pytest.raises(errors.InputError, match="x" * 100):
        open_source("x" * 5000)
    empty = tmp_path / "empty.pdf"
    empty.touch()
    for source in (empty, b"", io.BytesIO()):
        with pytest.raises(errors.EmptySourceError):
            open_source(source)


def test_things_that_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(errors.NotADocumentError, match="binary mode"):
        open_source(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="not int"):
        open_source(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 20])
def test_a_pdf_without_pages_is_damaged(data: bytes) -> None:
    with pytest.raises(errors.DamagedSourceError, match="no page can be read"):
        open_source(data)


def test_a_pdf_cut_off_early_is_damaged_and_cut_off_late_is_repaired(make_pdf: Any) -> None:
    data = make_pdf(*[f"page {i}" for i in range(20)])
    with pytest.raises(errors.DamagedSourceError):
        open_source(data[:200])
    with open_source(data[: -len(data) // 10]) as source:
        assert source.repaired
        assert source.n_pages > 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_cut_image_is_damaged(kind: str) -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encode(noise, kind)
    for n_bytes in (30, len(data) // 2):
        with pytest.raises(errors.DamagedSourceError, match="<bytes> cannot be decoded"):
            first_render(data[:n_bytes])


def test_encrypted_pdf(make_pdf: Any) -> None:
    protected = make_pdf("secret", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="open", owner_pw="own")
    with pytest.raises(errors.PasswordRequiredError, match="no password was given"):
        open_source(protected)
    for wrong in ("", "shut"):
        with pytest.raises(errors.WrongPasswordError):
            open_source(protected, password=wrong)
    for right in ("open", "own"):
        with open_source(protected, password=right) as source:
            assert next(source.pages()).words()[0].text == "secret"
    free = make_pdf("free", encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="own")
    with open_source(free) as source:
        assert next(source.pages()).words()[0].text == "free"
    with open_source(make_pdf("plain"), password="unneeded") as source:
        assert source.n_pages == 1


def test_messages_name_the_input_and_errors_carry_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(errors.NotADocumentError, match=r"notes\.txt") as caught:
        open_source(path)
    assert caught.value.source == str(path)


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
        (" 5 , 1 - 2 ,", [1, 2, 5]),
        ("3,2-3,3", [2, 3]),
        ([4, 1, 4], [1, 4]),
        (range(2, 4), [2, 3]),
        ((5,), [5]),
    ],
)
def test_page_selections_are_read_in_page_order(selection: Any, wanted: list[int], make_pdf: Any) -> None:
    with open_source(make_pdf(*"abcde")) as source:
        assert list(source.numbers(selection)) == wanted
        assert [page.number for page in source.pages(selection)] == wanted


@pytest.mark.parametrize(
    "selection",
    [
        "0",
        "6",
        "2-9",
        "9-",
        "3-1",
        "a",
        "1-2-3",
        "1;2",
        "",
        " , ",
        "-",
        "-0",
        "1.5",
        "٣",
        [0],
        [6],
        [-1],
        [],
        ["1"],
    ],
)
def test_impossible_selections(selection: Any, make_pdf: Any) -> None:
    with open_source(make_pdf(*"abcde")) as source, pytest.raises(errors.PageNotFoundError):
        source.numbers(selection)


def test_a_huge_range_is_refused_without_being_counted_out(make_pdf: Any) -> None:
    with open_source(make_pdf("a")) as source, pytest.raises(errors.PageNotFoundError, match="1 page"):
        source.numbers("1-99999999999999")


# Laziness


def test_pages_are_released_after_their_turn(make_pdf: Any) -> None:
    with open_source(make_pdf(*["x"] * 2_000)) as source:
        assert source.n_pages == 2_000
        handles = []
        for page in source.pages("1-5,1000,1996-"):
            page.words()
            page.render(scale=0.5)
            handles.append(weakref.ref(page.pdf))
            gc.collect()
            assert sum(handle() is not None for handle in handles) == 1
        assert len(handles) == 11


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


# Images


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners().transpose(undo[orientation]) if orientation in undo else corners()
    exif = Image.Exif()
    exif[274] = orientation
    with open_source(encode(stored, kind, exif=exif)) as source, source.page(1) as page:
        assert page.image_size == (40, 20)
        assert (page.width, page.height) == (40, 20)
        image = page.render()
    assert image.size == (40, 20)
    points = ((5, 3), RED), ((34, 3), GREEN), ((5, 16), BLUE), ((34, 16), WHITE)
    assert all(near(image.getpixel(point), color, 60) for point, color in points)


def test_broken_exif_is_ignored() -> None:
    data = encode(corners(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\xff\xff")
    assert first_render(data).size == (40, 20)


@pytest.mark.parametrize(
    ("image", "kind", "save"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG", {}),
        (Image.new("LA", (8, 8), (0, 0)), "PNG", {}),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "WEBP", {"lossless": True}),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "TIFF", {}),
        (Image.new("P", (8, 8), 0), "PNG", {"transparency": 0}),
        (Image.new("RGB", (8, 8), "black"), "PNG", {"transparency": (0, 0, 0)}),
        (Image.new("L", (8, 8), 0), "PNG", {"transparency": 0}),
        (Image.new("1", (8, 8), 1), "PNG", {}),
        (Image.new("1", (8, 8), 1), "TIFF", {"compression": "group4"}),
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", {}),
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "TIFF", {}),
        (Image.new("I;16", (8, 8), 65535), "PNG", {}),
        (Image.new("I;16", (8, 8), 65535), "TIFF", {}),
        (Image.new("F", (8, 8), 1.0), "TIFF", {}),
        (Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF", {}),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_what_should_be_white_is_white(image: Image.Image, kind: str, save: dict[str, Any]) -> None:
    rendered = first_render(encode(image, kind, **save))
    assert rendered.mode == "RGB"
    assert np.asarray(rendered).min() >= 250


def test_half_transparent_ink_is_blended_with_white() -> None:
    rendered = first_render(encode(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG"))
    assert near(rendered.getpixel((4, 4)), (127, 127, 127), 2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_its_middle_tones(kind: str) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    rendered = np.asarray(first_render(encode(Image.fromarray(ramp), kind)))[..., 0]
    assert np.abs(rendered.astype(int) - (ramp // 257)).max() <= 1


def test_palette_and_cmyk_colors() -> None:
    palette = corners().quantize(8)
    assert near(first_render(encode(palette, "PNG")).getpixel((4, 4)), RED, 4)
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert near(first_render(encode(cmyk, "TIFF")).getpixel((4, 4)), RED, 60)


def test_an_icc_profile_that_does_not_fit_is_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cmyk = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    assert np.asarray(first_render(encode(cmyk, "TIFF", icc_profile=profile))).min() >= 250


@pytest.mark.parametrize(
    ("dpi", "wanted"), [((300, 300), 300), ((1, 1), 72), ((99999, 99999), 72), ((0, 0), 72), (None, 72)]
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_points_follow_a_sane_resolution(kind: str, dpi: Any, wanted: float) -> None:
    data = encode(Image.new("L", (300, 150), 255), kind, **({"dpi": dpi} if dpi else {}))
    with open_source(data) as source, source.page(1) as page:
        assert page.dpi == pytest.approx(wanted, rel=0.01)
        assert page.width == pytest.approx(300 * 72 / wanted, rel=0.01)
        assert page.native_scale(page.bbox) == page.dpi / 72


def test_oblong_pixels_of_a_fax_become_square() -> None:
    fax = Image.new("L", (204, 98), 255)
    with open_source(encode(fax, "TIFF", dpi=(204, 98))) as source, source.page(1) as page:
        assert page.width == pytest.approx(72, abs=0.5)
        assert page.height == pytest.approx(72, abs=0.5)
        assert page.render(scale=page.native_scale(page.bbox)).size == page.image_size


def test_frames_of_a_tiff_are_pages_and_other_frames_are_not() -> None:
    frames = [Image.new("RGB", (10 + i, 10), color) for i, color in enumerate((RED, GREEN, BLUE))]
    more = {"save_all": True, "append_images": frames[1:]}
    with open_source(encode(frames[0], "TIFF", **more)) as source:
        shown = [(page.image_size, page.render().getpixel((5, 5))) for page in source.pages()]
    assert shown == [((10, 10), RED), ((11, 10), GREEN), ((12, 10), BLUE)]
    same = [Image.new("RGB", (10, 10), color) for color in (RED, GREEN)]
    for kind in ("PNG", "WEBP", "MPO"):
        with open_source(encode(same[0], kind, save_all=True, append_images=same[1:])) as source:
            assert source.n_pages == 1


def test_a_tiff_cut_off_keeps_its_first_pages() -> None:
    frames = [Image.effect_noise((50, 50), 80) for _ in range(4)]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with open_source(data[: len(data) // 2]) as source:
        assert 1 <= source.n_pages < 4
        with source.page(1) as page:
            assert page.render().size == (50, 50)


# Manners


def test_nothing_is_printed_and_no_global_switch_is_left(
    capfd: pytest.CaptureFixture[str], make_pdf: Any, tmp_path: Path
) -> None:
    tools = pymupdf.TOOLS
    before = tools.mupdf_display_errors()
    tools.mupdf_display_errors(True)
    damaged = make_pdf("a", "b")[:-200].replace(b"endstream", b"endstraem")
    try:
        for data in (damaged, b"%PDF-1.4\nnothing"):
            try:
                with open_source(data) as source:
                    for page in source.pages():
                        page.words()
                        page.render()
            except errors.InputError:
                pass
        assert tools.mupdf_display_errors()
        with quiet_mupdf():
            assert not tools.mupdf_display_errors()
    finally:
        tools.mupdf_display_errors(before)
    assert capfd.readouterr() == ("", "")


def test_opening_an_image_loads_no_pdf_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, io; from PIL import Image; from docai.pipelines.ingest import open_source;"
        "b = io.BytesIO(); Image.new('L', (4, 4)).save(b, 'PNG');"
        "s = open_source(b.getvalue()); next(s.pages()).render();"
        "assert 'pymupdf' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_page_is_abstract() -> None:
    with pytest.raises(TypeError):
        Page("x", Limits())  # type: ignore[abstract]


def test_no_warning_reaches_the_caller() -> None:
    data = encode(Image.new("L", (9_600, 9_600), 255), "PNG")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first_render(data, bbox=(0, 0, 9_599, 9_599), scale=0.01)
    assert not caught
