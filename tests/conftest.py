"""Fixtures that all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

MakePdf = Callable[..., bytes]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real documents: DOCAI_REAL_DATA, by default ``../shared/real`` beside the project."""
    default = Path(__file__).resolve().parents[2] / "shared" / "real"
    folder = Path(os.environ.get("DOCAI_REAL_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real documents at {folder}: set DOCAI_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    """A function that makes a PDF: one page for each text, 300 x 200 points by default."""

    def make(*texts: str, width: float = 300, height: float = 200, **save: object) -> bytes:
        import pymupdf

        with pymupdf.open() as document:
            for text in texts or ("Hello world",):
                page = document.new_page(width=width, height=height)
                page.insert_text((20, 40), text, fontsize=12)
            data: bytes = document.tobytes(**save)
        return data

    return make
