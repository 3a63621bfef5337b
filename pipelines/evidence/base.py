"""The contract of whoever reads a region: what it is given, what it gives, and what is decided from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from docai.base import Content
from docai.contents import Issue, TableContent
from docai.geometry import BBox, PageTransform, clip, contains_center, grow
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.words import plain
from docai.records import Alternative, Confidence, Evidence, FinishReason

if TYPE_CHECKING:
    from PIL.Image import Image

    from docai.pipelines.evidence.molecule_answers import MoleculeAnswer
    from docai.pipelines.evidence.molecule_picture import MoleculePicture


MARGIN_POINTS = 2.0
"""Points of the page that a picture shows around its region: boxes of regions may touch the ink."""

PADDING_PIXELS = 20
"""White pixels around that, because programs take ink at the edge of a picture for its frame."""

MAX_PIXELS = 9_000_000
"""A picture for a second reader is not larger: a letter page at 300 dpi, which is what these programs were
made for. A page scanned at 500 dpi took Tesseract three times as long, for the same words."""

PAPER = 90
"""Percentile of the levels of a picture of text that is its paper."""

Need = Literal["picture", "page", "words", "strokes"]
"""What a reader reads: the native ``picture``, the picture of the whole
page (``page_picture``), the PDF's own ``words``, or the drawing commands (strokes) of the open ``page``; each
is an attribute of :class:`ReaderInput`."""

PIXELS: frozenset[Need] = frozenset(("picture", "page"))
"""A reader that needs nothing else is safe to call from another thread: pages are not."""


@dataclass(frozen=True)
class Picture:
    """One region at the resolution it has.

    Attributes:
        image: RGB, on white.
        scale: its pixels per point of the page.
        x0, y0: page point of the outer corner of pixel (0, 0).
    """

    image: Image
    scale: float
    x0: float = 0.0
    y0: float = 0.0

    def to_page(self, box: BBox) -> BBox:
        """Pixels to page points."""
        return PageTransform(self.x0, self.y0, self.scale).to_page(box)

    def without(self, boxes: Sequence[BBox]) -> Picture:
        """The picture with boxes of the page, points, in the color of its paper."""
        from PIL import ImageDraw

        if not boxes:
            return self
        image, transform = self.image.copy(), PageTransform(self.x0, self.y0, self.scale)
        paper = tuple(round(float(level)) for level in np.percentile(np.asarray(image), PAPER, axis=(0, 1)))
        draw = ImageDraw.Draw(image)
        for box in boxes:
            draw.rectangle(transform.to_pixels(box), fill=paper)
        return replace(self, image=image)

    def part(self, box: BBox) -> Picture:
        """What it shows in a box of the page, points, with the same border."""
        from PIL import ImageOps

        pixels = PageTransform(self.x0, self.y0, self.scale).to_pixels(box)
        left, top, right, bottom = (round(value) for value in clip(pixels, *self.image.size))
        part = self.image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
        border = PADDING_PIXELS / self.scale
        x0, y0 = self.x0 + left / self.scale - border, self.y0 + top / self.scale - border
        return Picture(ImageOps.expand(part, PADDING_PIXELS, "white"), self.scale, x0, y0)


@dataclass(frozen=True)
class ReaderInput:
    """One region of a page whose source is open."""

    page: Page
    bbox: BBox
    """The region, displayed page points."""
    words: Sequence[PageWord] = ()
    """The PDF's own words in the region; a second reader gets them only where they can be believed."""
    is_first: bool = True
    """No region of its kind comes before it on its page: what the page before left open goes on here."""
    beside: Sequence[BBox] = ()
    """Boxes of words that reach into the region and belong to others, displayed page points."""

    def holds(self, word: BBox) -> bool:
        """Whether a word of the page is one of the region, to whose margin it may reach."""
        is_inside = contains_center(grow(self.bbox, MARGIN_POINTS), word)
        return is_inside and not any(contains_center(box, word) for box in self.beside)

    @cached_property
    def picture(self) -> Picture:
        """The region at native resolution without the words of others, drawn when it is first asked for.

        Raises:
            TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
        """
        around = grow(self.bbox, MARGIN_POINTS)
        picture = _draw(self.page, around)
        return picture.without([box for box in self.beside if contains_center(around, box)])

    @cached_property
    def molecule_picture(self) -> MoleculePicture:
        """The structures of :attr:`picture` without what is written beside them, found once for all readers.

        Raises:
            TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
        """
        from docai.pipelines.evidence.molecule_picture import part_picture

        return part_picture(self.picture.image)

    @cached_property
    def page_picture(self) -> Picture:
        """The whole page in the same way, drawn once for all of its regions.

        Raises:
            TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
        """
        picture = _PAGE_PICTURES.get(self.page)
        if picture is None:
            picture = _PAGE_PICTURES[self.page] = _draw(self.page, self.page.bbox)
        return picture


_PAGE_PICTURES: WeakKeyDictionary[Page, Picture] = WeakKeyDictionary()


def _draw(page: Page, around: BBox) -> Picture:
    """A box of the page at native resolution with a border."""
    from PIL import ImageOps

    wide, high = around[2] - around[0], around[3] - around[1]
    scale = page.fit_scale(page.native_scale(around), around)
    scale = min(scale, (MAX_PIXELS / max(wide * high, 1e-9)) ** 0.5)
    image = ImageOps.expand(page.render(around, scale=scale), PADDING_PIXELS, "white")
    return Picture(image, scale, around[0] - PADDING_PIXELS / scale, around[1] - PADDING_PIXELS / scale)


@dataclass(frozen=True)
class Reading:
    """What one reader makes of one region. The head of the model and all other readers give the same.

    The fields from ``repaired`` on are the model's; no other reader sets them.
    """

    source: Evidence
    content: Content | None = None
    """Boxes are page points. None: it sees nothing there, or it failed."""
    text: str = ""
    """The same in the text format of the head, as alternatives of a record are kept; of the model its raw
    text."""
    issues: tuple[Issue, ...] = ()
    complete: bool = True
    """It made out all that it saw. Of the model: it ended by itself and its text parsed without an error. Of
    the PDF's words: they look like text."""
    confidence: Confidence = field(default_factory=Confidence)
    """How sure the reader itself is, where it says so."""
    is_calibrated: bool = False
    """That confidence comes true as often as it says."""
    quality: float | None = None
    """How well a second reader thinks that it read, 0…1, in its own measure, such as the mean of its word
    confidences; :mod:`docai.pipelines.evidence.trust` tells how often such a reading is right. The
    confidences of the words of its content are its own as well."""
    supporters: tuple[Evidence, ...] = ()
    """Other second readers that say the same."""
    opponents: tuple[Evidence, ...] = ()
    """Other second readers that say something else."""
    left_out: tuple[Alternative, ...] = ()
    """What it read there, too, and its content cannot hold."""
    molecules: tuple[MoleculeAnswer, ...] = ()
    """Of a reader that reads several preparations of a picture of a molecule, its answer to each."""
    repaired: bool = False
    finish_reason: FinishReason = "not-run"
    n_tokens: int = 0
    checkpoint: str | None = None
    prompt: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Nothing was seen, or nothing could be made of it."""
        return self.content is None or self.content.is_empty


class Reader(Protocol):
    """Whoever reads regions of some kinds.

    The PaliGemma 2 head of a region gives a :class:`Reading`, too, but is no ``Reader``: it reads the crops
    of many regions in one call of an engine, and is asked again where its answer does not hold
    (:mod:`docai.pipelines.recognition`).
    """

    @property
    def name(self) -> Evidence:
        """As records name it in ``evidence``."""
        ...

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of regions that it reads; None: all, those of heads that are registered later, too."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What it reads. One that needs words is not asked where there are none to believe."""
        ...

    @property
    def yields_to_words(self) -> bool:
        """It is not asked where the PDF's own words can be believed: they are better."""
        ...

    def available(self) -> str | None:
        """None where it can be used here, else why not and how to get it, in one sentence."""
        ...

    def read(self, region: ReaderInput) -> Reading:
        """What it sees.

        Raises:
            ReaderError: it failed, gave up, or took too long.
        """
        ...


@dataclass(frozen=True)
class Decision:
    """What a record holds, decided from all readings of its region."""

    content: Content
    evidence: tuple[Evidence, ...]
    confidence: Confidence
    alternatives: tuple[Alternative, ...] = ()
    issues: tuple[Issue, ...] = ()
    repaired: bool = False

    def doubted(self, factor: float, why: str) -> Decision:
        """The same with a confidence times ``factor``, where it has one; ``why`` ends its method."""
        if (value := self.confidence.value) is None:
            return self
        method = f"{self.confidence.method}; times {why}"
        return replace(
            self, confidence=self.confidence.model_copy(update={"value": value * factor, "method": method})
        )


def alone(reading: Reading) -> Decision:
    """The model's reading where there is nothing to compare it with."""
    return Decision(content_of(reading), ("model",) if reading.text.strip() else (), reading.confidence)


def content_of(reading: Reading) -> Content:
    """The content of a reading that has one, as the model's always has.

    Raises:
        ValueError: it has none.
    """
    if reading.content is None:
        raise ValueError(f"{reading.source} read nothing.")
    return reading.content


def same_grid(table: TableContent, other: TableContent) -> bool:
    """Both have the same cells in the same places; boxes and headers apart."""
    return _places(table) == _places(other)


def _places(content: TableContent) -> list[tuple[int, int, int, int, str]]:
    return sorted(
        (cell.row, cell.col, cell.row_span, cell.col_span, plain(cell.printed)) for cell in content.cells
    )
