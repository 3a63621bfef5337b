"""Page in, regions out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from docai.geometry import BBox, Frame, area, clip, grow, union
from docai.parsers.text import text_direction
from docai.pipelines.layout import deskew
from docai.pipelines.layout.combine import assign, combine
from docai.pipelines.layout.order import lines_of, reading_order
from docai.pipelines.layout.types import Clues, Found, Item, Origin, PageLayout, Region
from docai.records import Point

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page, PageWord

FULL_PAGE = 0.8
"""Share of a page that an image must cover to make it a scan."""


def find_regions(page: Page, *, use_text_layer: bool = True) -> PageLayout:
    """The regions of a page in reading order.

    A born-digital page is read from its text layer, drawings and images; a page that shows an image of
    itself, or one whose text layer is not to be used, from its pixels. With ``use_text_layer`` each native
    word is in exactly one region, also where it is the invisible layer of a scan.

    Raises what ``Page.words`` and ``Page.render`` raise.
    """
    words = page.words() if use_text_layer else []
    origin = _origin(page, words)
    if origin == "blank":
        if use_text_layer:
            return PageLayout((), "blank")
        # Text is all that such a page can show, and it was not looked at.
        origin = "born-digital"
    if words and (origin == "born-digital" or (origin == "mixed" and not _text_in_image(page, words))):
        return _from_pdf(page, words, origin)
    return _from_pixels(page, words, origin)


def _origin(page: Page, words: list[PageWord]) -> Origin:
    if page.pdf is None:
        return "scan"
    images = [clip(tuple(info["bbox"]), *page.pdf.rect.br) for info in page.pdf.get_image_info()]
    covered = max((area(box) for box in images), default=0.0) / max(1.0, page.width * page.height)
    if covered >= FULL_PAGE or (images and not words and not page.pdf.get_drawings()):
        return "mixed" if words and not _invisible(page) else "scan"
    if words or page.pdf.get_drawings():
        return "born-digital"
    return "scan" if images else "blank"


def _invisible(page: Page) -> bool:
    """Whether most of the text layer is not painted (render mode 3), as OCR writes it."""
    spans = [(span["type"], len(span["chars"])) for span in page.pdf.get_texttrace()]
    hidden = sum(n for kind, n in spans if kind == 3)
    return hidden > 0.5 * sum(n for _, n in spans)


def _text_in_image(page: Page, words: list[PageWord]) -> bool:
    """Whether most of what a page shows lies outside of its visible words: a stamp on a scan."""
    from docai.pipelines.layout.pixels import binarise

    scale = 100 / 72
    ink = binarise(np.asarray(page.render(scale=scale).convert("L"))) > 0
    total = int(ink.sum())
    for word in words:
        x0, y0, x1, y1 = (max(0, round(value * scale)) for value in word.bbox)
        ink[y0 : y1 + 1, x0 : x1 + 1] = False
    return int(ink.sum()) > 0.6 * total


def _from_pdf(page: Page, words: list[PageWord], origin: Origin) -> PageLayout:
    # Where they are used: PyMuPDF loads its layout model at once, which takes a second.
    from docai.pipelines.layout.digital import digital_clues, text_turn, to_letters, upright

    turn = text_turn(page.pdf)
    frame = Frame(page.width, page.height, turn)
    with upright(page.pdf, turn) as sheet:
        clues = digital_clues(sheet, words, [frame.enter(word.bbox) for word in words])
        found = combine(clues)
        texts = [region for region in found if region.kind == "text"]
        for region, box in zip(texts, to_letters(sheet, [region.bbox for region in texts]), strict=True):
            region.bbox = box
        found = reading_order(found, right_to_left=_right_to_left(words))
    regions = [
        _region(region, number, clues.items, words, frame.leave(region.bbox), None)
        for number, region in enumerate(found)
    ]
    return PageLayout(tuple(regions), origin, float(_signed(turn)))


def _from_pixels(page: Page, words: list[PageWord], origin: Origin) -> PageLayout:
    from docai.pipelines.layout.raster import SCALE, raster_clues, set_upright

    seen = set_upright(np.asarray(page.render(scale=SCALE).convert("L")))
    if not seen.ink.any():
        return PageLayout((), "blank")
    clues = raster_clues(seen)
    found = combine(clues)
    for region in found:
        if region.kind == "text":
            region.bbox = grow(region.bbox, 0, 1)
    placing = _Placing(page, seen.turn, seen.skew)
    items: list[Item] = []
    if words:
        items = [Item(placing.enter(w.bbox), (w.block, w.line), len(w.text)) for w in words]
        native = Clues(clues.width, clues.height, items, [], [], [], clues.gray)
        assign(native, found, move=False)
    else:
        for region in found:
            region.items = []
    ordered = reading_order(found, right_to_left=_right_to_left(words))
    regions = []
    for number, region in enumerate(ordered):
        corners = placing.corners(region.bbox)
        box = clip(union([(x, y, x, y) for x, y in corners]), page.width, page.height)
        polygon = corners if seen.skew else None
        regions.append(_region(region, number, items, words, box, polygon))
    return PageLayout(tuple(regions), origin, float(_signed(seen.turn)) + seen.skew)


def _right_to_left(words: list[PageWord]) -> bool:
    """Whether most of a page's text runs from right to left."""
    return text_direction("".join(word.text for word in words)) == "rtl"


def _signed(turn: int) -> int:
    """Degrees clockwise by which the text is turned, where ``turn`` quarters clockwise set it upright."""
    return {0: 0, 1: -90, 2: 180, 3: 90}[turn]


class _Placing:
    """Between displayed points and the deskewed frame of a page of pixels."""

    def __init__(self, page: Page, turn: int, skew: float) -> None:
        self.frame = Frame(page.width, page.height, turn)
        width, height = self.frame.size
        self.matrix = deskew.turn_matrix(width, height, skew)
        self.inverse = cv2.invertAffineTransform(self.matrix)

    def enter(self, box: BBox) -> BBox:
        """A displayed box in the frame: its centre moves, its size stays."""
        x0, y0, x1, y1 = self.frame.enter(box)
        x, y = self.matrix @ np.array([(x0 + x1) / 2, (y0 + y1) / 2, 1.0])
        return (
            float(x - (x1 - x0) / 2),
            float(y - (y1 - y0) / 2),
            float(x + (x1 - x0) / 2),
            float(y + (y1 - y0) / 2),
        )

    def corners(self, box: BBox) -> tuple[Point, ...]:
        """A frame's box as the four displayed corners, clockwise from its top left."""
        x0, y0, x1, y1 = box
        points = np.array([[x0, y0, 1.0], [x1, y0, 1.0], [x1, y1, 1.0], [x0, y1, 1.0]]) @ self.inverse.T
        moved = [self.frame.leave((float(x), float(y), float(x), float(y))) for x, y in points]
        return tuple((x, y) for x, y, _, _ in moved)


def _region(
    found: Found,
    number: int,
    items: list[Item],
    words: list[PageWord],
    box: BBox,
    polygon: tuple[Point, ...] | None,
) -> Region:
    texts = [word.text for word in words]
    lines = lines_of(found.items, items, texts)
    placed = tuple(
        words[index]._replace(block=number, line=line)
        for line, indices in enumerate(lines)
        for index in indices
    )
    score = min(1.0, max(0.0, float(found.score)))
    return Region(
        found.kind, cast(BBox, tuple(map(float, box))), score, tuple(found.evidence), polygon, placed
    )
