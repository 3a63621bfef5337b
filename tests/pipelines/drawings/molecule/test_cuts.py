"""Structures that are cut off by the edge of the page or by what is painted over them."""

from __future__ import annotations

from typing import Any

import pymupdf
import pytest

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.cuts import find_cut
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.molecules import rdkit_pdf

IBUPROFEN = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"


@pytest.fixture(scope="module")
def page() -> Any:
    """The drawing in the middle of a page of its own."""
    drawn: Any = pymupdf.open(stream=rdkit_pdf(IBUPROFEN, seed=4).data, filetype="pdf")
    document: Any = pymupdf.open()
    box = drawn[0].rect
    page = document.new_page(width=box.width + 200, height=box.height + 200)
    page.show_pdf_page(pymupdf.Rect(100, 100, box.width + 100, box.height + 100), drawn, 0)
    return document


def _cuts(document: Any) -> list[bool]:
    """For each structure that is read whether it seems to be cut off."""
    with open_source(document.tobytes(), guarded=False) as source, source.page(1) as page:
        drawing = read_drawing(page)
        readings = read_molecules(drawing)
        return [find_cut(one.graph, drawing, page.bbox) is not None for one in readings if one.graph]


def _copy(document: Any) -> Any:
    return pymupdf.open(stream=document.tobytes(), filetype="pdf")


def _left_part(page: Any, share: float) -> BBox:
    return (100, 100, 100 + share * (page.rect.width - 200), page.rect.height - 100)


def test_a_whole_structure_is_not_cut_off(page: Any) -> None:
    assert _cuts(page) == [False]


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_one_that_the_crop_box_cuts_is(page: Any, share: float) -> None:
    document = _copy(page)
    _, _, x1, _ = _left_part(document[0], share)
    document[0].set_cropbox(pymupdf.Rect(x1, 0, document[0].rect.width, document[0].rect.height))
    assert any(_cuts(document))


@pytest.mark.parametrize("share", [0.5, 0.6])
def test_one_that_is_painted_over_is(page: Any, share: float) -> None:
    document = _copy(page)
    x0, y0, x1, y1 = _left_part(document[0], share)
    document[0].draw_rect(pymupdf.Rect(x0 - 5, y0 - 5, x1, y1 + 5), color=None, fill=(1, 1, 1))
    assert any(_cuts(document))


def test_one_that_stands_on_a_colored_ground_is_not(page: Any) -> None:
    document = _copy(page)
    document[0].draw_rect(
        pymupdf.Rect(_left_part(document[0], 1.0)), color=None, fill=(0.9, 0.95, 1), overlay=False
    )
    assert _cuts(document) == [False]
