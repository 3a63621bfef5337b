"""A result with its document beside it, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pymupdf
import pytest

import docai
from docai import ScriptedEngine
from docai.document import Document
from docai.models.heads import HEADS
from docai.parsers.molecule import parse_molecule
from docai.records import Confidence, Molecule
from docai.viewer import ViewServer

HOSTILE = "</script><img src=x onerror=alert(1)>"
"""What a document may say."""


@pytest.fixture(scope="session")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PDF with texts, a ruled table and a drawing of nothing, and its result."""
    folder = tmp_path_factory.mktemp("view")
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        page.insert_text((30, 40), "Dry mass of three samples", fontsize=14)
        rows = (("Sample", "Mass"), ("Willow", "12.5"), ("Tea", "7.l"))
        for row, texts in enumerate(rows):
            for col, text in enumerate(texts):
                page.draw_rect(pymupdf.Rect(30 + 90 * col, 60 + 20 * row, 120 + 90 * col, 80 + 20 * row))
                page.insert_text((36 + 90 * col, 74 + 20 * row), text, fontsize=10)
        page.insert_text((30, 160), f"It was weighed twice {HOSTILE}", fontsize=10)
        document.save(folder / "own.pdf")
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=1.0)
    read = docai.process(folder / "own.pdf", engine=engine, witnesses="off", readback="off")
    molecule = Molecule(
        id="p1-molecule-0123456789",
        page=1,
        bbox=(30, 180, 200, 280),
        confidence=Confidence(value=0.4, method="made for tests"),
        **dict(parse_molecule("CCO").content),
    )
    document = read.model_copy(update={"records": [*read.records, molecule]})
    (folder / "own.json").write_text(document.to_json(), "utf-8")
    return folder


@pytest.fixture
def folder(read_once: Path, tmp_path: Path) -> Path:
    """The same for one test."""
    return Path(shutil.copytree(read_once, tmp_path / "results"))


@pytest.fixture
def document(folder: Path) -> Document:
    return Document.from_json((folder / "own.json").read_bytes())


@pytest.fixture
def server(folder: Path) -> Iterator[ViewServer]:
    server = ViewServer([folder])
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window; skipped where it is not installed. Playwright has an event loop in this
    thread as long as it is there, beside which no other test could have one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        # The sandbox of Chromium refuses to run as root, as continuous integration does.
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab that must have no error of its script, and ask nobody but this machine."""
    errors: list[str] = []
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.on("pageerror", lambda error: errors.append(str(error)))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    tab.close()
    assert not errors
    assert all(url.startswith(("file:", "blob:", "data:", "http://127.0.0.1:")) for url in asked)
