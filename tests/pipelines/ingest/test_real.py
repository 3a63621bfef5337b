"""The real documents open, show, and say where their words are; or they raise what they should."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from docai import errors
from docai.pipelines.crops.crop import make_crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.ingest import Page, open_source

pytestmark = pytest.mark.real

PASSWORDS = {"password-example.pdf": "test", "encrypted_2206.01062_pg3.pdf": "1234"}
IMAGES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}


def share_on_ink(page: Page) -> float:
    """Share of the words with something drawn under their box."""
    scale = page.fit_scale(2.0)
    pixels = np.asarray(page.render(scale=scale).convert("L")).astype(int)
    hits = 0
    for word in page.words():
        x0, y0, x1, y1 = (round(value * scale) for value in word.bbox)
        part = pixels[y0 : y1 + 1, x0 : x1 + 1]
        hits += part.size > 0 and part.max() - part.min() > 40
    return hits / len(page.words())


def test_every_pdf_opens_and_its_words_lie_where_they_are_drawn(real_data: Path) -> None:
    files = sorted(real_data.glob("pdfs/*/*.pdf"))
    assert len(files) >= 28
    n_pages = n_words = 0
    for path in files:
        if path.name == "empty.pdf":
            continue
        with open_source(path, password=PASSWORDS.get(path.name)) as source:
            assert source.type == "pdf"
            for page in source.pages("1-2" if source.n_pages > 1 else None):
                n_pages += 1
                n_words += len(page.words())
                if page.words():
                    assert share_on_ink(page) > 0.9, (path.name, page.number)
                    assert all(
                        0 <= x0 <= x1 <= page.width and 0 <= y0 <= y1 <= page.height
                        for x0, y0, x1, y1 in (word.bbox for word in page.words())
                    )
                assert make_crop(page, page.bbox).image.size == (896, 896)
    assert n_pages >= 35
    assert n_words > 8_000


def test_words_are_all_that_the_page_says(real_data: Path) -> None:
    """Against PyMuPDF's plain text, for files that draw nothing twice."""
    for name in (
        "docling/multi_page.pdf",
        "docling/right_to_left_01.pdf",
        "pdfplumber/senate-expenditures.pdf",
    ):
        with open_source(real_data / "pdfs" / name, guarded=False) as source:
            for page in source.pages():
                said = normalize("NFKC", "".join(word.text for word in page.words()))
                plain = normalize("NFKC", "".join(page.pdf.get_text().split()))
                assert sorted(said) == sorted(plain)


def test_characters_drawn_twice_are_read_once(real_data: Path) -> None:
    with open_source(real_data / "pdfs/pdfplumber/issue-71-duplicate-chars.pdf") as source:
        texts = [word.text for word in next(source.pages()).words()]
    assert "本科" in texts
    assert texts.count("计算机科学与技术（应用技术）") == 1


def test_errors_of_real_files(real_data: Path) -> None:
    folder = real_data / "pdfs"
    with pytest.raises(errors.EmptySourceError):
        open_source(folder / "pdfplumber/empty.pdf")
    for name in PASSWORDS:
        (path,) = folder.glob(f"*/{name}")
        with pytest.raises(errors.PasswordRequiredError):
            open_source(path)
        with pytest.raises(errors.WrongPasswordError):
            open_source(path, password="not this")
    with pytest.raises(errors.NotADocumentError):
        open_source(next(real_data.glob("scores/mozart/*.krn")))


def test_every_image_opens_and_shows_something(real_data: Path) -> None:
    files = [path for path in real_data.rglob("*") if path.suffix.lower() in IMAGES]
    assert len(files) > 250
    for path in files:
        with open_source(path) as source:
            for page in source.pages():
                scale = min(1.0, 400 / max(page.width, page.height))
                pixels = np.asarray(page.render(scale=scale).convert("L"))
                assert pixels.min() < 128 < pixels.max(), path.name


def test_real_scores_are_parted_into_their_systems(real_data: Path) -> None:
    """The numbers of systems were counted by eye."""
    wanted = {"sonata06-3a": 3, "sonata06-3b": 4, "sonata06-3f": 3, "sonata11-1a": 3}
    for name, n_systems in wanted.items():
        with open_source(real_data / "scores/mozart" / f"{name}.pdf") as source, source.page(1) as page:
            assert len(tile_region(page, "systems", page.bbox)) == n_systems


def test_a_scan_keeps_its_resolution_when_its_page_is_turned(real_data: Path) -> None:
    pages = []
    for name in ("ocr_test.pdf", "ocr_test_rotated_90.pdf"):
        with open_source(real_data / "text/scans" / name) as source, source.page(1) as page:
            pages.append((page.width, page.height, page.native_scale(page.bbox)))
    (width, height, scale), (turned_width, turned_height, turned_scale) = pages
    assert (width, height) == pytest.approx((turned_height, turned_width))
    assert scale == pytest.approx(turned_scale) == pytest.approx(600 / 72, rel=0.01)
