"""The regions of a page, found from its PDF or from its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import cast

import cv2
import numpy as np

from docai.geometry import (
    BBox,
    PageTransform,
    TurnedFrame,
    center,
    clip,
    contains_center,
    grow,
    union,
)
from docai.parsers.text import text_direction
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.check_boxes import CHECKED, UNCHECKED, place_sign
from docai.pipelines.layout import deskew
from docai.pipelines.layout.assign import assign_words, words_beside
from docai.pipelines.layout.combine import combine
from docai.pipelines.layout.drawn_notation import read_notation
from docai.pipelines.layout.form_boxes import find_form_boxes
from docai.pipelines.layout.hidden_words import compare_words
from docai.pipelines.layout.linework import read_line_drawing
from docai.pipelines.layout.note_marks import place_note_marks
from docai.pipelines.layout.order import lines_of, reading_order
from docai.pipelines.layout.origin import sources_of
from docai.pipelines.layout.paragraphs import split_paragraphs
from docai.pipelines.layout.picture import FONT_SIZE, TRANSFORM, USUAL_FONT_SIZES, gray_page, set_upright
from docai.pipelines.layout.scene_text import text_in_photographs
from docai.pipelines.layout.spread import split_spread
from docai.pipelines.layout.straighten import SeeWords, known_skew, turn_of_words
from docai.pipelines.layout.types import (
    Origin,
    PageLayout,
    Region,
    RegionCandidate,
    SeenWord,
    WordBox,
    quarter_turn,
)
from docai.pipelines.layout.watermark import find_watermarks
from docai.pipelines.pixels import binarize, parts_of
from docai.records import Point

MAX_PICTURE_SIDE = 1600
"""Pixels of the longer side of an image file up to which it may be a small picture of one thing."""


MAX_BOND = 30.0
"""Points of a bond where labels have the usual size; a picture of longer ones is made smaller."""

MIN_SEEN_CONFIDENCE = 0.5
"""Of an OCR engine in a word, from which it tells where text is."""


def find_regions(page: Page, *, use_text_layer: bool = True, see_words: SeeWords | None = None) -> PageLayout:
    """The regions of a page in reading order.

    On a born-digital page they are found from its text layer, drawings and images; on a scan, or where the
    text layer is not to be used, from its pixels. With ``use_text_layer`` each word of the text layer is in
    exactly one region, also where the layer is the invisible one of a scan.

    Args:
        see_words: asked for the words of a page that is read from its pixels; what it reads tells where text
            is. Without it, words are found as groups of letters.

    Raises:
        TooManyPixelsError, DamagedSourceError: as ``Page.words`` and ``Page.render``.
    """
    skew = known_skew(page)
    if see_words is None or not page.inside(wants_words, use_text_layer):
        return page.inside(_find_regions, use_text_layer, (), skew)
    return page.inside(_find_regions, use_text_layer, list(see_words(page)), skew)


def wants_words(page: Page, use_text_layer: bool) -> bool:
    """Whether the words in the picture of a page would tell where its regions are, for ``Page.inside``."""
    return sources_of(page, use_text_layer).is_read_from_pixels


def _find_regions(
    page: Page, use_text_layer: bool, seen: Sequence[SeenWord] = (), skew: float | None = None
) -> PageLayout:
    words, origin, is_from_pixels = sources_of(page, use_text_layer)
    if is_from_pixels:
        return _layout_from_pixels(page, words, origin, seen, skew)
    return _layout_from_pdf(page, words, origin)


def _layout_from_pdf(page: Page, words: list[PageWord], origin: Origin) -> PageLayout:
    # Imported here, since PyMuPDF loads its layout model on import, which takes a second.
    from docai.pipelines.layout.digital import (
        evidence_from_pdf,
        page_frame,
        shrink_to_letters,
        upright,
        visible_paths,
    )
    from docai.pipelines.layout.erase import erased

    watermarks = [[words[index] for index in group] for group in find_watermarks(words)]
    behind = {id(word) for group in watermarks for word in group}
    words = [word for word in words if id(word) not in behind]
    frame = page_frame(page, words)
    with erased(page.pdf, list(chain(*watermarks))) as clean, upright(clean, frame) as sheet:
        paths = visible_paths(sheet)
        form = find_form_boxes(paths, [(frame.from_page(word.bbox), word.text) for word in words])
        for box, is_ticked in form.squares:
            place_sign(words, frame.to_page(box), CHECKED if is_ticked else UNCHECKED)
        boxes = [frame.from_page(word.bbox) for word in words]
        evidence = evidence_from_pdf(sheet, words, boxes, frame.turn, paths, form)
        evidence = replace(evidence, notation=partial(read_notation, page, frame))
        candidates = combine(evidence)
        texts = [region for region in candidates if region.kind == "text"]
        for region, box in zip(
            texts, shrink_to_letters(sheet, [region.bbox for region in texts]), strict=True
        ):
            region.bbox = box
        ordered = reading_order(candidates, right_to_left=_is_right_to_left(words))
    regions = [
        _to_region(region, number, evidence.words, words, frame.to_page(region.bbox), None)
        for number, region in enumerate(ordered)
    ]
    regions += [_watermark(group, number) for number, group in enumerate(watermarks, start=len(regions))]
    return PageLayout(tuple(regions), origin, float(_degrees_turned(frame.turn)))


def _watermark(words: list[PageWord], number: int) -> Region:
    """The region of a watermark, its lines in the order of the file."""
    lines: dict[tuple[int, int], int] = {}
    for word in words:
        lines.setdefault((word.block, word.line), len(lines))
    in_region = tuple(word._replace(block=number, line=lines[word.block, word.line]) for word in words)
    evidence = (
        f"watermark: {words[0].size:.0f} pt, turned by {words[0].angle:.0f}°, across the text of the page",
    )
    box = union([word.bbox for word in words])
    return Region("text", box, 0.9, evidence, words=in_region, is_watermark=True)


def _layout_from_pixels(
    page: Page,
    words: list[PageWord],
    origin: Origin,
    seen: Sequence[SeenWord] = (),
    skew: float | None = None,
) -> PageLayout:
    from docai.pipelines.layout.raster import evidence_from_pixels

    if origin == "scan":
        words = [word._replace(is_ocr=True) for word in words]
    level = _DeskewedFrame(TurnedFrame(page.width, page.height, 0), 0.0)
    bond = _length_of_bonds(page)
    gray, scale = gray_page(page, _font_size(page, seen, level, bond))
    turn = 0 if page.is_straight or skew is not None else turn_of_words(page, words)
    # A drawing without words: what its strokes make is upright, whatever way its letters seem to run.
    displayed = TurnedFrame(page.width, page.height, 0)
    is_notation = origin == "born-digital" and bool(read_notation(page, displayed, page.bbox))
    # The lines of structures are level by chance alone.
    is_drawing = is_notation or bond is not None
    picture = set_upright(gray, 0 if is_drawing else turn, 0.0 if is_drawing else skew)
    if not picture.ink.any():
        return PageLayout((), "blank")
    turned = TurnedFrame(page.width, page.height, picture.turn, TRANSFORM.scale / scale)
    frame = _DeskewedFrame(turned, picture.skew)
    believed = {_seen_box(one.word, frame): one for one in seen if one.confidence >= MIN_SEEN_CONFIDENCE}
    evidence = evidence_from_pixels(picture, list(believed))
    if is_notation:
        evidence = replace(evidence, notation=partial(read_notation, page, turned))
    candidates = text_in_photographs(evidence, combine(evidence))
    candidates = place_note_marks(split_paragraphs(candidates, evidence.words), evidence.words)
    for region in candidates:
        if region.kind == "text":
            region.bbox = grow(region.bbox, 0, 1)
    shown = {id(region): [evidence.words[index] for index in region.word_indices] for region in candidates}
    word_boxes: list[WordBox] = []
    if words:
        word_boxes = [_word_box(word, frame)._replace(text="") for word in words]
        assign_words(replace(evidence, words=word_boxes), candidates, move=False)
    else:
        for region in candidates:
            region.word_indices = []
    is_right_to_left = _is_right_to_left(words)
    pages = split_spread(candidates, evidence.width, evidence.height)
    ordered = [
        region
        for on_page in (reversed(pages) if is_right_to_left else pages)
        for region in reading_order(on_page, right_to_left=is_right_to_left)
    ]
    in_texts = {
        id(region): [_around(frame.corners(word.bbox)) for word in shown[id(region)]]
        for region in ordered
        if region.kind == "text" and not words
    }
    regions = []
    for number, region in enumerate(ordered):
        corners = frame.corners(region.bbox)
        box = clip(_around(corners), page.width, page.height)
        polygon = corners if picture.skew else None
        found = _to_region(region, number, word_boxes, words, box, polygon)
        if region.kind == "figure" and not words:
            found = replace(found, seen=tuple(believed[word] for word in shown[id(region)] if word.text))
        if region.kind == "text" and seen and not words:
            groups = [frame.corners(word.bbox) for word in shown[id(region)] if not word.text]
            found = replace(found, unread=tuple(_around(corners) for corners in groups))
        if id(region) in in_texts:
            others = chain(*(boxes for key, boxes in in_texts.items() if key != id(region)))
            found = replace(found, beside=words_beside(found.bbox, in_texts[id(region)], others))
        regions.append(found)
    if seen and words:
        regions = [replace(one, words=compare_words(one.bbox, one.words, seen)) for one in regions]
    return PageLayout(tuple(regions), origin, float(_degrees_turned(picture.turn)) + picture.skew)


def _font_size(
    page: Page, seen: Sequence[SeenWord], frame: _DeskewedFrame, bond: float | None
) -> float | None:
    """Of most text, page points; None where the words seen do not tell it.

    In a small picture a few words tell it where they are large. A drawing of structures is measured by its
    bonds, unless these are short between large labels. To an engine notes are large words: those of staves
    do not count where the size is unusual.
    """
    from docai.pipelines.layout.facsimile import MIN_WORDS_TO_MEASURE, usual_size

    if len(seen) >= MIN_WORDS_TO_MEASURE:
        boxes = [_seen_box(one.word, frame) for one in seen]
        size = usual_size(boxes)
        if size is None or USUAL_FONT_SIZES[0] <= size <= USUAL_FONT_SIZES[1]:
            return size
        beside = _beside_staves(page, seen)
        if len(beside) == len(seen):
            return size
        is_enough = len(beside) >= MIN_WORDS_TO_MEASURE
        return usual_size([_seen_box(one.word, frame) for one in beside]) if is_enough else None
    if not _is_small_picture(page):
        return None
    sure = [_seen_box(one.word, frame) for one in seen if one.confidence >= MIN_SEEN_CONFIDENCE]
    size = usual_size(sure) or 0.0
    if bond is not None and bond >= size:
        size = bond / MAX_BOND * FONT_SIZE
    return size if size > USUAL_FONT_SIZES[1] else None


def _beside_staves(page: Page, seen: Sequence[SeenWord]) -> list[SeenWord]:
    """The words that stand in no passage of music."""
    from docai.pipelines.layout.raster import score_boxes

    gray, scale = gray_page(page)
    scores = score_boxes(gray, parts_of(binarize(gray)))
    zoom = PageTransform(0, 0, scale)
    return [
        one
        for one in seen
        if not any(contains_center(score, zoom.to_pixels(one.word.bbox)) for score in scores)
    ]


def _is_small_picture(page: Page) -> bool:
    """Whether a page is an image file without a resolution, whose points are pixels, of the size in which
    drawings and labels are seen on a screen."""
    size = page.image_size
    return size is not None and size == (page.width, page.height) and max(size) <= MAX_PICTURE_SIDE


def _length_of_bonds(page: Page) -> float | None:
    """In a small picture of structures, page points; None where there are none."""
    if not _is_small_picture(page):
        return None
    gray, scale = gray_page(page)
    drawing = read_line_drawing(gray, [], are_words_sure=False)
    return drawing.bond / scale if drawing is not None and drawing.structures else None


def _around(corners: Sequence[Point]) -> BBox:
    return union([(x, y, x, y) for x, y in corners])


def _is_right_to_left(words: list[PageWord]) -> bool:
    """Whether most of the text runs from right to left."""
    return text_direction("".join(word.text for word in words)) == "rtl"


def _degrees_turned(turn: int) -> int:
    """Degrees clockwise by which text is turned that ``turn`` quarters clockwise set upright."""
    return {0: 0, 1: -90, 2: 180, 3: 90}[turn]


class _DeskewedFrame:
    """Between points of the displayed page and those of its deskewed picture."""

    def __init__(self, turned: TurnedFrame, skew: float) -> None:
        self.turned = turned
        width, height = self.turned.size
        self.matrix = deskew.turn_matrix(width, height, skew)
        self.inverse = cv2.invertAffineTransform(self.matrix)

    def from_page(self, box: BBox) -> BBox:
        """A box of the displayed page in the frame: its center moves, its size stays."""
        x0, y0, x1, y1 = self.turned.from_page(box)
        x, y = self.matrix @ np.array([*center((x0, y0, x1, y1)), 1.0])
        return (
            float(x - (x1 - x0) / 2),
            float(y - (y1 - y0) / 2),
            float(x + (x1 - x0) / 2),
            float(y + (y1 - y0) / 2),
        )

    def corners(self, box: BBox) -> tuple[Point, ...]:
        """The corners of a box of the frame on the displayed page, clockwise from its top left."""
        x0, y0, x1, y1 = box
        points = np.array([[x0, y0, 1.0], [x1, y0, 1.0], [x1, y1, 1.0], [x0, y1, 1.0]]) @ self.inverse.T
        moved = [self.turned.to_page((float(x), float(y), float(x), float(y))) for x, y in points]
        return tuple((x, y) for x, y, _, _ in moved)


def _word_box(word: PageWord, frame: _DeskewedFrame) -> WordBox:
    box = frame.from_page(word.bbox)
    return WordBox(box, (word.block, word.line), len(word.text), text=word.text)


def _seen_box(word: PageWord, frame: _DeskewedFrame) -> WordBox:
    return _word_box(word, frame)._replace(turn=quarter_turn(word.angle + 90 * frame.turned.turn))


def _to_region(
    candidate: RegionCandidate,
    number: int,
    word_boxes: list[WordBox],
    words: list[PageWord],
    box: BBox,
    polygon: tuple[Point, ...] | None,
) -> Region:
    texts = [word.text for word in words]
    lines = lines_of(candidate.word_indices, word_boxes, texts)
    words_in_order = tuple(
        words[index]._replace(block=number, line=line)
        for line, indices in enumerate(lines)
        for index in indices
    )
    score = min(1.0, max(0.0, float(candidate.score)))
    bbox = cast(BBox, tuple(map(float, box)))
    evidence, label = tuple(candidate.evidence), candidate.label if candidate.kind == "text" else ""
    return Region(candidate.kind, bbox, score, evidence, polygon, words_in_order, label=label)
