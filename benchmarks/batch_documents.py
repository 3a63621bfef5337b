"""Documents of many kinds, drawn with a seed, and every kind of bad file: what batches are measured on."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import pymupdf
from PIL import Image, ImageDraw
from scans import PRINT, draw_table

BAD_SHARE: Final = 0.2
"""Of the documents with a text layer."""

PAGES: Final = (*(1,) * 18, 2, 5)
"""Numbers of pages of the documents, each as likely as its share here."""

FAILED: Final = frozenset(("failed",))
READ: Final = frozenset(("done",))
EITHER: Final = frozenset(("done", "failed", "partial"))
"""What MuPDF makes of a damaged file is not known before."""

BAD_STATES: Final = (
    FAILED,  # 0: empty
    EITHER,  # 1: cut off
    FAILED,  # 2: nothing but a header is right
    FAILED,  # 3: a PNG that ends after its signature
    FAILED,  # 4: encrypted, without its password
    FAILED,  # 5: a ZIP file
    FAILED,  # 6: a text
    FAILED,  # 7: more pixels than are allowed
    FAILED,  # 8: a link to itself
    FAILED,  # 9: a link to what is not there
    EITHER,  # 10: bytes changed
    EITHER,  # 11: more pages are told than there are
    READ,  # 12: a very long name
    READ,  # 13: names that differ in case alone
)
"""The states that a bad file of each kind may have in the end."""


def words(rng: random.Random, n_words: int) -> str:
    """A text of that length."""
    return " ".join(rng.choice(PRINT.split()) for _ in range(n_words))


def write_pdf(path: Path, rng: random.Random, n_pages: int, n_words: int = 120, **save: object) -> None:
    """A PDF with a text layer; three pages of ten have a ruled table, too."""
    with pymupdf.open() as document:
        for number in range(n_pages):
            page = document.new_page()
            page.insert_textbox((60, 60, 535, 500), f"Page {number + 1}. {words(rng, n_words)}", fontsize=11)
            if rng.random() < 0.3:
                draw_table(page, rng)
        document.save(path, **save)


def write_picture(path: Path, rng: random.Random) -> None:
    """A page as a picture, 150 dpi."""
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_textbox((60, 60, 535, 300), words(rng, 60), fontsize=12)
        page.get_pixmap(dpi=150).save(path)


def write_bad(folder: Path, number: int, rng: random.Random) -> None:
    """One bad file; the kinds of :data:`BAD_STATES` take turns, and are a folder each."""
    kind = number % len(BAD_STATES)
    inner = folder / f"bad-{kind:02}"
    inner.mkdir(exist_ok=True)
    path = inner / f"{number:04}"
    whole = folder / f".whole-{number}.pdf"
    write_pdf(whole, rng, 2)
    data = whole.read_bytes()
    whole.unlink()
    match kind:
        case 0:
            path.with_suffix(".pdf").touch()
        case 1:
            path.with_suffix(".pdf").write_bytes(data[: len(data) // 3])
        case 2:
            path.with_suffix(".pdf").write_bytes(b"%PDF-1.7\n" + rng.randbytes(2000))
        case 3:
            path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + rng.randbytes(500))
        case 4:
            write_pdf(
                path.with_suffix(".pdf"), rng, 1, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret"
            )
        case 5:
            path.with_suffix(".jpg").write_bytes(b"PK\x03\x04" + rng.randbytes(200))
        case 6:
            path.with_suffix(".tiff").write_text("This is no picture.", "utf-8")
        case 7:
            Image.new("1", (30_000, 30_000)).save(path.with_suffix(".png"))
        case 8:
            path.with_suffix(".pdf").symlink_to(path.with_suffix(".pdf"))
        case 9:
            path.with_suffix(".pdf").symlink_to(folder / "gone.pdf")
        case 10:
            broken = bytearray(data)
            for _ in range(40):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            path.with_suffix(".pdf").write_bytes(broken)
        case 11:
            path.with_suffix(".pdf").write_bytes(data.replace(b"/Count 2", b"/Count 9"))
        case 12:
            (inner / f"{number}-{'é' * 110}.pdf").write_bytes(data)
        case 13:
            twins = inner / f"{number}"
            twins.mkdir()
            (twins / "Report.pdf").write_bytes(data)
            (twins / "report.pdf").write_bytes(data)
            ImageDraw.Draw(picture := Image.new("L", (300, 100), "white")).text((10, 40), "Report", fill=0)
            picture.save(twins / "report.png")


def draw_documents(folder: Path, n_texts: int, n_pictures: int, seed: int) -> tuple[Path, Path]:
    """Folders of documents with a text layer, with the bad ones among them, and of pictures of pages."""
    rng = random.Random(seed)
    texts, pictures = folder / "text", folder / "pictures"
    texts.mkdir(parents=True)
    pictures.mkdir()
    n_bad = int(BAD_SHARE * n_texts)
    for number in range(n_texts - n_bad):
        inner = texts / f"{number % 17:02}"
        inner.mkdir(exist_ok=True)
        write_pdf(inner / f"{number:04}.pdf", rng, rng.choice(PAGES))
    for number in range(n_bad):
        write_bad(texts, number, rng)
    for number in range(n_pictures):
        write_picture(pictures / f"{number:04}.png", rng)
    return texts, pictures


def states_of(name: str) -> Collection[str]:
    """The states that the input of this name, relative to the folder of texts, may have in the end."""
    kind, _, _ = name.partition("/")
    return BAD_STATES[int(kind[4:])] if kind.startswith("bad-") else READ


def awkward_pdfs(real: Path) -> Iterator[Path]:
    """The PDFs among the real documents that were kept for being awkward."""
    yield from sorted(real.glob("pdfs/*/*.pdf"))
    yield from sorted(real.glob("cases/*.pdf*"))
