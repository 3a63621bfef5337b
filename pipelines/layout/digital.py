"""Clues from a PDF page: its layout model, drawings, images and words, in the frame where text is upright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pymupdf
from numpy.typing import NDArray

from docai.geometry import BBox, area, clip, grow, join_touching, share_inside
from docai.pipelines.layout.types import Clues, Item, Labelled

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord

MOST_PATHS = 3000
"""Above this many drawings PyMuPDF's clustering, quadratic in their number, is too slow."""
JUDGED_PIXELS = 900
"""Long side of a box that is judged by its pixels."""


def text_turn(page: pymupdf.Page) -> int:
    """Quarter turns clockwise that set most of the page's text upright, as the page is displayed."""
    votes = [0, 0, 0, 0]
    flags = pymupdf.TEXTFLAGS_WORDS & ~pymupdf.TEXT_PRESERVE_IMAGES
    for block in page.get_text("dict", flags=flags)["blocks"]:
        for line in block.get("lines", ()):
            x, y = line["dir"]
            is_level = abs(x) >= abs(y)
            run = (0 if x > 0 else 2) if is_level else (1 if y > 0 else 3)
            votes[run] += sum(len(span["text"]) for span in line["spans"])
    # Direction 1 is downwards: text turned clockwise by a quarter, to which the page's own rotation adds.
    turned = (votes.index(max(votes)) + int(page.rotation) // 90) % 4
    return (4 - turned) % 4


@contextmanager
def upright(page: pymupdf.Page, turn: int) -> Iterator[pymupdf.Page]:
    """A page whose own coordinates are those of the displayed page turned by ``turn`` quarters clockwise."""
    if turn == 0 and page.rotation == 0:
        yield page
        return
    with pymupdf.open() as copy, pymupdf.open() as document:
        # On a copy, since show_pdf_page mistakes the size of a page with a rotation of its own.
        copy.insert_pdf(page.parent, from_page=page.number, to_page=page.number, annots=False, links=False)
        quarters = (turn + page.rotation // 90) % 4
        copy[0].set_rotation(0)
        width, height = copy[0].rect.width, copy[0].rect.height
        if quarters % 2:
            width, height = height, width
        sheet = document.new_page(width=width, height=height)
        sheet.show_pdf_page(sheet.rect, copy, 0, rotate=-90 * quarters)
        yield sheet


def digital_clues(page: pymupdf.Page, words: list[PageWord], boxes: list[BBox]) -> Clues:
    """Everything a born-digital page says about itself. ``boxes`` are the words' boxes in its coordinates."""
    width, height = page.rect.width, page.rect.height
    items = [
        Item(box, (word.block, word.line), len(word.text)) for word, box in zip(words, boxes, strict=True)
    ]
    graphics, rules = drawings(page)
    images = [clip(tuple(info["bbox"]), width, height) for info in page.get_image_info()]
    under = _background(images, width, height) if items else []
    graphics += [box for box in images if box not in under]

    def gray(box: BBox) -> NDArray[np.uint8]:
        return pixels(page, grow(box, 1))

    return Clues(width, height, items, model_boxes(page), [g for g in graphics if area(g) > 0], rules, gray)


def _background(images: list[BBox], width: float, height: float) -> list[BBox]:
    """Images that lie under nearly the whole page, alone or as tiles that touch."""
    tiled = [box for box in join_touching(images, 1) if area(box) > 0.85 * width * height]
    tiles = [box for box in images if any(share_inside(box, whole) > 0.99 for whole in tiled)]
    covers = sum(area(box) for box in tiles) > 0.8 * width * height
    return [box for box in tiles if covers or area(box) > 0.85 * width * height]


def model_boxes(page: pymupdf.Page) -> list[Labelled]:
    """Boxes of PyMuPDF's layout model, in its order. Empty where the page has no text."""
    page.get_layout()
    return [Labelled((x0, y0, x1, y1), label) for x0, y0, x1, y1, label in page.layout_information or ()]


def pixels(page: pymupdf.Page, box: BBox) -> NDArray[np.uint8]:
    """A box of the page in gray, its long side about ``JUDGED_PIXELS``, between 150 and 400 dpi."""
    longest = max(box[2] - box[0], box[3] - box[1], 1.0)
    scale = min(max(JUDGED_PIXELS / longest, 150 / 72), 400 / 72)
    found = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), clip=box, colorspace=pymupdf.csGRAY)
    samples = np.frombuffer(found.samples, np.uint8)
    return samples.reshape(found.height, found.stride)[:, : found.width].copy()


def to_letters(page: pymupdf.Page, boxes: list[BBox]) -> list[BBox]:
    """Boxes of text drawn in to the letters they show: fonts declare far more room above than they use."""
    scale = 2.0
    found = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(found.samples, np.uint8).reshape(found.height, found.stride)
    trimmed = []
    for box in boxes:
        x0, y0, x1, y1 = (max(0, round(value * scale)) for value in box)
        crop = gray[y0:y1, x0:x1]
        rows = np.flatnonzero((crop.max(axis=1) - crop.min(axis=1)) > 60) if crop.size else np.array([])
        if len(rows):
            top, low = (y0 + rows[0]) / scale - 1, (y0 + rows[-1] + 1) / scale + 1
            box = (box[0], max(box[1], top), box[2], min(box[3], low))
        trimmed.append(box)
    return trimmed


def drawings(page: pymupdf.Page) -> tuple[list[BBox], list[BBox]]:
    """Clusters of visible vector drawings, and apart from them thin rules that stand alone."""
    page_box = tuple(page.rect)
    paths = [path for path in page.get_drawings() if _shows(path, page_box)]
    if len(paths) > MOST_PATHS:
        clusters = _coarse_clusters(paths, page.rect.width, page.rect.height)
    elif paths:
        found = page.cluster_drawings(drawings=paths, x_tolerance=3, y_tolerance=3, final_filter=False)
        clusters = [tuple(box) for box in found]
    else:
        clusters = []
    clusters = [clip(box, page.rect.width, page.rect.height) for box in clusters]
    rules = [box for box in clusters if min(box[2] - box[0], box[3] - box[1]) < 3]
    return [box for box in clusters if box not in rules], rules


def _shows(path: dict[str, Any], page_box: tuple[float, ...]) -> bool:
    """Whether a path is seen on white paper and is no background of the whole page."""
    box = pymupdf.Rect(path["rect"])
    if box.is_infinite or not touching(box, page_box):
        return False
    if abs(box.width) > 0.9 * page_box[2] and abs(box.height) > 0.9 * page_box[3]:
        return False
    white = all(value is None or min(value) > 0.97 for value in (path.get("color"), path.get("fill")))
    return not white and not (path.get("color") is None and path.get("fill") is None)


def touching(box: pymupdf.Rect, page_box: tuple[float, ...]) -> bool:
    return bool(box.x1 >= 0 and box.y1 >= 0 and box.x0 <= page_box[2] and box.y0 <= page_box[3])


def _coarse_clusters(paths: list[dict[str, Any]], width: float, height: float) -> list[BBox]:
    """Clusters by painting the paths' boxes on a grid of one point: linear in the number of paths."""
    import cv2

    canvas = np.zeros((int(height) + 2, int(width) + 2), np.uint8)
    for path in paths:
        x0, y0, x1, y1 = (int(v) for v in clip(tuple(pymupdf.Rect(path["rect"])), width, height))
        canvas[y0 : y1 + 1, x0 : x1 + 1] = 1
    canvas = cv2.dilate(canvas, np.ones((4, 4), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(canvas)
    boxes = [(float(x + 1), float(y + 1), float(x + w - 1), float(y + h - 1)) for x, y, w, h, _ in stats[1:]]
    return join_touching(boxes, 0)
