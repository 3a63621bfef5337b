"""The seam that every witness fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from docai.base import Content
from docai.contents import Issue, TableContent
from docai.geometry import BBox, PageTransform, grow
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.recognition.answer import Answer
from docai.pipelines.words import plain
from docai.records import Alternative, Confidence, Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 2.0
"""Points of the page that a picture shows around its region: boxes of regions may touch the ink."""

PADDING = 20
"""White pixels around that, because programs take ink at the edge of a picture for its frame."""

MAX_PIXELS = 9_000_000
"""A picture for a witness is not larger: a letter page at 300 dpi, which is what these programs were made
for. A page scanned at 500 dpi took Tesseract three times as long, for the same words."""


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


@dataclass(frozen=True)
class Case:
    """What is put before a witness: one region of a page whose source is open."""

    page: Page
    bbox: BBox
    """The region, displayed page points."""
    words: Sequence[PageWord] = ()
    """The PDF's own words in the region, where they can be believed."""

    @cached_property
    def picture(self) -> Picture:
        """The region at native resolution, drawn when it is first asked for.

        Raises:
            TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
        """
        from PIL import ImageOps

        around = grow(self.bbox, MARGIN)
        wide, high = around[2] - around[0], around[3] - around[1]
        scale = self.page.fit_scale(self.page.native_scale(self.bbox), around)
        scale = min(scale, (MAX_PIXELS / max(wide * high, 1e-9)) ** 0.5)
        image = ImageOps.expand(self.page.render(around, scale=scale), PADDING, "white")
        return Picture(image, scale, around[0] - PADDING / scale, around[1] - PADDING / scale)


@dataclass(frozen=True)
class Statement:
    """What a witness says of one region."""

    source: Evidence
    content: Content | None = None
    """Boxes are page points. None: it sees nothing there, or could not say."""
    text: str = ""
    """The same in the text format of the head, as alternatives of a record are kept."""
    issues: tuple[Issue, ...] = ()
    is_clear: bool = True
    """It made out all of what it saw. Else it is kept, and never believed."""


class Witness(Protocol):
    """A reader of one kind of region."""

    @property
    def name(self) -> Evidence:
        """As records name it in ``evidence``."""
        ...

    @property
    def head(self) -> str:
        """The head beside which it reads."""
        ...

    @property
    def reads_pictures(self) -> bool:
        """It needs nothing but :attr:`Case.picture`, and is safe to call from another thread."""
        ...

    @property
    def wants_words(self) -> bool | None:
        """It reads regions with words of the PDF's own that can be believed, or those without; None: both."""
        ...

    def available(self) -> str | None:
        """None where it can be used here, else why not, in one sentence."""
        ...

    def read(self, case: Case) -> Statement:
        """What it sees.

        Raises:
            WitnessError: it failed, gave up, or took too long.
        """
        ...


def same_grid(one: TableContent, other: TableContent) -> bool:
    """Both have the same cells in the same places; boxes and headers apart."""
    return _places(one) == _places(other)


def _places(content: TableContent) -> list[tuple[int, int, int, int, str]]:
    return sorted(
        (cell.row, cell.col, cell.row_span, cell.col_span, plain(cell.text)) for cell in content.cells
    )


@dataclass(frozen=True)
class Weighed:
    """The content of a record after its evidence was weighed."""

    content: Content
    evidence: tuple[Evidence, ...]
    confidence: Confidence
    alternatives: tuple[Alternative, ...] = ()
    issues: tuple[Issue, ...] = ()
    repaired: bool = False


def unweighed(answer: Answer) -> Weighed:
    """The model's answer where there is nothing to hold it against."""
    return Weighed(answer.content, ("model",) if answer.raw.strip() else (), answer.confidence)
