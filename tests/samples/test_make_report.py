"""The sample can be made again, and its content is that of its truth file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from docai.contents import MoleculeContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.tracing import Tracing
from docai.pipelines.ingest import open_source

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("verovio", reason="needs the synth extra")
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, str(SAMPLES / "make_report.py"), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def truth() -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = json.loads((SAMPLES / "report.truth.json").read_text("utf-8"))[
        "pages"
    ]
    return pages


def _texts(path: Path) -> list[str]:
    with pymupdf.open(path) as pdf:
        return [page.get_text() for page in pdf]


def test_making_it_again_changes_nothing(remade: Path) -> None:
    assert _texts(remade / "report.pdf") == _texts(SAMPLES / "report.pdf")
    assert (remade / "report.truth.json").read_text() == (SAMPLES / "report.truth.json").read_text()


def test_pictures_are_made_the_same_again(remade: Path) -> None:
    with pymupdf.open(remade / "report.pdf") as new, pymupdf.open(SAMPLES / "report.pdf") as old:
        assert new.page_count == old.page_count
        for left, right in zip(new, old, strict=True):
            assert len(left.get_drawings()) == len(right.get_drawings())
            assert len(left.get_images()) == len(right.get_images())


def test_the_picture_of_a_molecule_is_read(remade: Path) -> None:
    assert (remade / "aspirin.png").read_bytes() == (SAMPLES / "aspirin.png").read_bytes()
    with open_source(SAMPLES / "aspirin.png") as source, source.page(1) as page:
        reading = Tracing().read(ReaderInput(page, page.bbox))
    assert isinstance(reading.content, MoleculeContent)
    assert reading.content.smiles == "CC(=O)Oc1ccccc1C(=O)O"


def test_the_words_are_those_of_the_truth_file(truth: list[list[dict[str, Any]]]) -> None:
    for text, items in zip(_texts(SAMPLES / "report.pdf"), truth, strict=True):
        words = " ".join(text.split())
        if not words:
            continue
        for item in items:
            for part in item.get("paragraphs", []) + [cell for row in item.get("rows", []) for cell in row]:
                assert part in words


def test_each_kind_is_there_in_each_look(truth: list[list[dict[str, Any]]]) -> None:
    looks = {(item["kind"], item["look"]) for page in truth for item in page if "look" in item}
    assert looks >= {
        ("table", "ruled"),
        ("table", "borderless"),
        ("table", "scan"),
        ("molecule", "vector"),
        ("molecule", "bitmap"),
        ("molecule", "scan"),
        ("score", "vector"),
    }


def test_vectors_are_vectors_and_the_scan_is_only_an_image() -> None:
    with pymupdf.open(SAMPLES / "report.pdf") as pdf:
        first, second, scan = pdf
        assert len(first.get_images()) == 0
        assert len(first.get_drawings()) > 20
        assert len(second.get_images()) == 1
        assert len(second.get_drawings()) > 100
        assert (scan.get_text(), scan.get_drawings(), len(scan.get_images())) == ("", [], 1)
        (image,) = scan.get_image_info()
        assert image["width"] / (scan.rect.width / 72) == pytest.approx(200, abs=1)
