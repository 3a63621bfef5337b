"""Sources: their types, the errors of bad ones, and good manners."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai import errors
from docai.limits import Limits
from docai.pipelines.ingest import Page, open_source, quiet_mupdf
from tests.pipelines.pictures import RED, WHITE, corners, encode, first_render, near

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


@pytest.mark.parametrize("data", [b"hello", b"BMW is a car maker", bytes(5000), b"PNG\r\n", b"\x89PN", b"II"])
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
