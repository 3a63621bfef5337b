"""Evidence on a page from the PDF: its layout model, drawings, images and words, in the upright frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pymupdf
from numpy.typing import NDArray

from docai.geometry import (
    BBox,
    PageTransform,
    TurnedFrame,
    area,
    clip,
    grow,
    join_touching,
    share_inside,
    touches,
)
from docai.pipelines.ingest.mending import copy_page
from docai.pipelines.layout.drop_caps import set_drop_caps
from docai.pipelines.layout.form_boxes import FormBoxes
from docai.pipelines.layout.ruling_strokes import all_strokes, grids_apart, grounds_among
from docai.pipelines.layout.types import LabeledBox, PageEvidence, WordBox, quarter_turn

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page, PageWord

WORD_HEIGHT = 12.0
"""Points: height of the box of a word in text of the usual size, 10 points."""

USUAL_WORD_HEIGHTS = (7.0, 24.0)
"""Points; pages with words of other heights are measured by these."""

MIN_WORDS_TO_MEASURE = 30
"""Words by which a page can be measured; a title page has fewer."""

MAX_PATHS = 3000
"""Drawings above which PyMuPDF's clustering, quadratic in their number, is too slow."""

MAX_AREA = 25_000_000.0
"""Square points of a page, 5,000 a side: the layout model draws it with a pixel for each, in three colors."""

FIGURE_SIDE = 900
"""Longer side, in pixels, of the picture by which a figure is classified."""


def text_turn(page: pymupdf.Page) -> int:
    """Quarter turns clockwise (0 to 3) that set most of the text of the displayed page upright."""
    votes = [0, 0, 0, 0]
    flags = pymupdf.TEXTFLAGS_WORDS & ~pymupdf.TEXT_PRESERVE_IMAGES
    for block in page.get_text("dict", flags=flags)["blocks"]:
        for line in block.get("lines", ()):
            x, y = line["dir"]
            is_horizontal = abs(x) >= abs(y)
            direction = (0 if x > 0 else 2) if is_horizontal else (1 if y > 0 else 3)
            votes[direction] += sum(len(span["text"]) for span in line["spans"])
    # Direction 1 is down the page, text turned clockwise by a quarter; the rotation of the page comes on top.
    turned = (votes.index(max(votes)) + int(page.rotation) // 90) % 4
    return (4 - turned) % 4


def letter_unit(heights: Sequence[float]) -> float:
    """Points of a page for one point of a page whose text has the usual size, from its words' heights.

    Pages have no size that can be relied on: a slide may be 13 inches or 2 meters wide, and a page picture
    may have a point for each of its pixels. Text of the usual sizes, and too few words to tell, give 1.
    """
    if len(heights) < MIN_WORDS_TO_MEASURE:
        return 1.0
    height = float(np.median(heights))
    return 1.0 if USUAL_WORD_HEIGHTS[0] <= height <= USUAL_WORD_HEIGHTS[1] else height / WORD_HEIGHT


def page_frame(page: Page, words: Sequence[PageWord]) -> TurnedFrame:
    """The frame in which most words of a PDF's page run from left to right and have the usual size, or one
    of :data:`MAX_AREA` where that is smaller."""
    turn = text_turn(page.pdf)
    sides = 0 if turn % 2 == 0 else 1
    heights = [word.bbox[3 - sides] - word.bbox[1 - sides] for word in words]
    least = math.sqrt(page.width * page.height / MAX_AREA)
    unit = max(letter_unit(heights), least)
    return TurnedFrame(page.width, page.height, turn, unit)


@contextmanager
def upright(page: pymupdf.Page, frame: TurnedFrame) -> Iterator[pymupdf.Page]:
    """A page like the displayed one, turned and scaled to the frame; its coordinates are those of the
    frame."""
    turn = frame.turn
    if turn == 0 and page.rotation == 0 and frame.unit == 1.0:
        yield page
        return
    with pymupdf.open() as copy, pymupdf.open() as document:
        # A copy without rotation, since show_pdf_page gets the size of a rotated page wrong.
        copy_page(page, copy, annots=False, links=False)
        quarters = (turn + page.rotation // 90) % 4
        copy[0].set_rotation(0)
        width, height = frame.size
        sheet = document.new_page(width=width, height=height)
        sheet.show_pdf_page(sheet.rect, copy, 0, rotate=-90 * quarters)
        yield sheet


def evidence_from_pdf(
    page: pymupdf.Page,
    words: list[PageWord],
    boxes: list[BBox],
    turn: int = 0,
    paths: list[dict[str, Any]] | None = None,
    form: FormBoxes | None = None,
) -> PageEvidence:
    """What a born-digital page contains, in its own coordinates, in which ``boxes`` of ``words`` are given.

    Args:
        turn: number of quarters clockwise from the displayed page to this one.
        paths: of :func:`visible_paths`; None: not known yet.
        form: which of them are boxes of a form, and no graphics.
    """
    width, height = page.rect.width, page.rect.height
    word_boxes = [
        WordBox(box, (word.block, word.line), len(word.text), quarter_turn(word.angle + 90 * turn), word.text)
        for word, box in zip(words, boxes, strict=True)
    ]
    word_boxes = set_drop_caps(word_boxes, words)
    paths = visible_paths(page) if paths is None else paths
    graphics, rules = drawings(page, paths if form is None else form.others)
    images = [clip(tuple(info["bbox"]), width, height) for info in page.get_image_info()]
    background = _background(images, width, height) if word_boxes else []
    grounds = grounds_among(graphics, paths, [word.bbox for word in word_boxes])
    grounds = [ground for ground in grounds if not any(touches(ground, image) for image in images)]
    graphics += [box for box in images if box not in background]

    def gray(box: BBox) -> NDArray[np.uint8]:
        return gray_pixels(page, grow(box, 1))

    return PageEvidence(
        width,
        height,
        word_boxes,
        model_boxes(page),
        [g for g in graphics if area(g) > 0],
        rules,
        gray,
        strokes=list(all_strokes(paths)),
        fields=[] if form is None else form.fields,
        grounds=grounds,
    )


def _background(images: list[BBox], width: float, height: float) -> list[BBox]:
    """Images that cover nearly the whole page, alone or as tiles that touch."""
    tiled = [box for box in join_touching(images, 1) if area(box) > 0.85 * width * height]
    tiles = [box for box in images if any(share_inside(box, whole) > 0.99 for whole in tiled)]
    covers = sum(area(box) for box in tiles) > 0.8 * width * height
    return [box for box in tiles if covers or area(box) > 0.85 * width * height]


def model_boxes(page: pymupdf.Page) -> list[LabeledBox]:
    """Boxes that PyMuPDF's layout model finds, in its order; empty where the page has no text."""
    # The raw form has the grids of tables, too, which the model finds in any case.
    try:
        page.get_layout(return_raw=True)
    except (SystemError, UnicodeDecodeError):
        # PyMuPDF lists no field where the name of one is no text; the model asks for boxes to check.
        page.widgets = lambda *args, **kwargs: iter(())
        page.get_layout(return_raw=True)
    groups = page.layout_information or ()
    return [LabeledBox(_group_box(group), group["class_name"]) for group in groups]


def model_grids(page: pymupdf.Page) -> list[tuple[BBox, tuple[int, int]]]:
    """Boxes of the tables that the layout model found, with their rows and columns; none before
    :func:`model_boxes` has asked it."""
    grids = []
    for group in page.layout_information or ():
        if group["class_name"] == "table":
            grid = group.get("table_grid")
            size = (0, 0) if grid is None else (len(grid.h_lines) + 1, len(grid.v_lines) + 1)
            grids.append((_group_box(group), size))
    return grids


def _group_box(group: dict[str, Any]) -> BBox:
    x0, y0, x1, y1 = map(float, group["group_bbox"][:4])
    return x0, y0, x1, y1


def gray_pixels(page: pymupdf.Page, box: BBox) -> NDArray[np.uint8]:
    """Gray levels (height, width) of a box of the page, its longer side about ``FIGURE_SIDE``, between 150
    and 400 dpi."""
    longest = max(box[2] - box[0], box[3] - box[1], 1.0)
    scale = min(max(FIGURE_SIDE / longest, 150 / 72), 400 / 72)
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), clip=box, colorspace=pymupdf.csGRAY)
    samples = np.frombuffer(pixmap.samples, np.uint8)
    return samples.reshape(pixmap.height, pixmap.stride)[:, : pixmap.width].copy()


def shrink_to_letters(page: pymupdf.Page, boxes: list[BBox]) -> list[BBox]:
    """Boxes of text reduced in height to the ink in them: fonts declare far more height than letters have."""
    transform = PageTransform(0, 0, 2)
    matrix = pymupdf.Matrix(transform.scale, transform.scale)
    pixmap = page.get_pixmap(matrix=matrix, colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(pixmap.samples_mv, np.uint8).reshape(pixmap.height, pixmap.stride)
    trimmed = []
    for box in boxes:
        x0, y0, x1, y1 = (max(0, round(value)) for value in transform.to_pixels(box))
        crop = gray[y0:y1, x0:x1]
        rows = np.flatnonzero((crop.max(axis=1) - crop.min(axis=1)) > 60) if crop.size else np.array([])
        if len(rows):
            top = transform.row_to_page(y0 + rows[0]) - 1
            bottom = transform.row_to_page(y0 + rows[-1] + 1) + 1
            box = (box[0], max(box[1], top), box[2], min(box[3], bottom))
        trimmed.append(box)
    return trimmed


def visible_paths(page: pymupdf.Page) -> list[dict[str, Any]]:
    """The vector drawings that are visible on white paper and no background of the whole page."""
    page_box = tuple(page.rect)
    return [path for path in page.get_drawings() if _is_visible(path, page_box)]


def drawings(page: pymupdf.Page, paths: list[dict[str, Any]]) -> tuple[list[BBox], list[BBox]]:
    """Boxes of clusters of the visible paths, and of thin rules outside of those."""
    parts = [{"rect": pymupdf.Rect(box)} for path in paths for box in grids_apart(path)]
    if len(parts) > MAX_PATHS:
        clusters = _coarse_clusters(parts, page.rect.width, page.rect.height)
    elif parts:
        boxes = page.cluster_drawings(drawings=parts, x_tolerance=3, y_tolerance=3, final_filter=False)
        clusters = [tuple(box) for box in boxes]
    else:
        clusters = []
    clusters = [clip(box, page.rect.width, page.rect.height) for box in clusters]
    rules = [box for box in clusters if min(box[2] - box[0], box[3] - box[1]) < 3]
    return [box for box in clusters if box not in rules], rules


def _is_visible(path: dict[str, Any], page_box: tuple[float, ...]) -> bool:
    """Whether a path is visible on white paper and is not the background of the whole page."""
    box = pymupdf.Rect(path["rect"])
    if box.is_infinite or not touches(tuple(box), (0.0, 0.0, page_box[2], page_box[3])):
        return False
    if abs(box.width) > 0.9 * page_box[2] and abs(box.height) > 0.9 * page_box[3]:
        return False
    white = all(value is None or min(value) > 0.97 for value in (path.get("color"), path.get("fill")))
    return not white and not (path.get("color") is None and path.get("fill") is None)


def _coarse_clusters(paths: list[dict[str, Any]], width: float, height: float) -> list[BBox]:
    """Clusters found by painting the boxes of the paths on a grid of one point: linear in their number."""
    import cv2

    canvas = np.zeros((int(height) + 2, int(width) + 2), np.uint8)
    for path in paths:
        x0, y0, x1, y1 = (int(v) for v in clip(tuple(pymupdf.Rect(path["rect"])), width, height))
        canvas[y0 : y1 + 1, x0 : x1 + 1] = 1
    canvas = cv2.dilate(canvas, np.ones((4, 4), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(canvas)
    boxes = [(float(x + 1), float(y + 1), float(x + w - 1), float(y + h - 1)) for x, y, w, h, _ in stats[1:]]
    return join_touching(boxes, 0)
