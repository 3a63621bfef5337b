"""What layout returns, and what its steps pass to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, PageTransform, TurnedFrame, contains_center, touches
from docai.pipelines.ingest import PageWord
from docai.records import Evidence, Kind, Point, Role

Origin = Literal["born-digital", "scan", "mixed", "blank"]


@dataclass(frozen=True)
class Region:
    """One text block, table, molecule, score or figure on a page.

    Attributes:
        kind: what it is.
        bbox: points of the displayed page, sides parallel to those of the page.
        score: how sure layout is of it, 0…1.
        evidence: what it was found by, as sentences for people.
        polygon: its outline, points of the displayed page, where the page is skewed; else None.
        words: the words of the text layer that belong to it, in reading order. Their ``block`` is the place
            of the region in the reading order of the page, and their ``line`` the line in the region, both
            from 0.
        is_watermark: it is text that lies across the page and is no part of what it says.
        seen: of a figure on a page that is read from its pixels, the words that an OCR engine sees in it.
        unread: of a text on such a page, boxes of groups of letters in which that engine sees no word,
            points of the displayed page; None where no engine looked.
        beside: of a text on such a page, boxes of words of other texts that reach into it, in the same
            points.
        label: of a text, the class that the layout model has for it, such as ``section-header``.
        role, level: of a text, what page and file say of it; see :class:`docai.records.Text`.
    """

    kind: str
    """One of :func:`docai.models.heads.region_kinds`; layout finds those of :data:`docai.records.Kind`."""
    bbox: BBox
    score: float
    evidence: tuple[str, ...]
    polygon: tuple[Point, ...] | None = None
    words: tuple[PageWord, ...] = ()
    is_watermark: bool = False
    seen: tuple[SeenWord, ...] = ()
    unread: tuple[BBox, ...] | None = None
    beside: tuple[BBox, ...] = ()
    label: str = ""
    role: Role = "paragraph"
    level: int | None = None


@dataclass(frozen=True)
class PageLayout:
    """The regions of a page in reading order.

    ``skew`` is the angle, in degrees clockwise, by which lines of text are turned on the displayed page.
    """

    regions: tuple[Region, ...]
    origin: Origin
    skew: float = 0.0


SKEWED = -1
"""Turn of a word that runs at an angle, neither along nor across the lines of the page."""

_MAX_SKEW = 20.0
"""Degrees from a quarter turn up to which a line counts as turned by it; pages may be scanned askew."""


class WordBox(NamedTuple):
    """The box of a word of the text layer, or of one found in the pixels, in the upright frame."""

    bbox: BBox
    line: tuple[int, int]
    """Block and line; words of one line have the same."""
    n_chars: int
    turn: int = 0
    """Quarters (0 to 3) clockwise by which its line is turned, or :data:`SKEWED`."""
    text: str = ""
    """Empty where it was found in the pixels."""
    joined_to: int | None = None
    """Of a drop cap: the word, as index, whose region it belongs to."""

    def upright(self) -> WordBox:
        """The word in a frame that sets it upright, with any origin; a skewed one as it is."""
        if self.turn in (0, SKEWED):
            return self
        return self._replace(bbox=TurnedFrame(0, 0, 4 - self.turn).from_page(self.bbox))


def quarter_turn(angle: float) -> int:
    """Degrees clockwise as quarter turns, 0 to 3, or :data:`SKEWED`."""
    quarters = round(angle / 90)
    return quarters % 4 if abs(angle - 90 * quarters) <= _MAX_SKEW else SKEWED


class SeenWord(NamedTuple):
    """A word that an OCR engine reads in the picture of a page; its box is tight on the ink."""

    word: PageWord
    confidence: float
    """The engine's own, 0…1."""
    source: Evidence = "ppocr"
    """The engine."""
    is_calibrated: bool = False
    """The confidence is the probability that the word is right."""


class LabeledBox(NamedTuple):
    """A box that PyMuPDF's layout model found, and the model's class for it."""

    bbox: BBox
    label: str


class DrawnNotation(NamedTuple):
    """A system of music or a structure, by its strokes."""

    kind: Literal["score", "molecule"]
    bbox: BBox
    space: float = 0.0
    """Of a system: points between two lines of its staves."""


@dataclass(frozen=True)
class PageEvidence:
    """Everything known about a page, in points of its upright frame, in which text runs from left to
    right."""

    width: float
    height: float
    words: list[WordBox]
    model_boxes: list[LabeledBox]
    graphics: list[BBox]
    """Drawings and images, without thin rules."""
    rules: list[BBox]
    """Thin straight lines."""
    gray: Callable[[BBox], NDArray[np.uint8]]
    """Gray levels (height, width) of a box, at the resolution that the classification of figures needs."""
    scores: list[BBox] = field(default_factory=list)
    """Passages of music; only where the whole page has been searched for staves."""
    strokes: list[BBox] = field(default_factory=list)
    """Straight horizontal and vertical strokes, also those that :attr:`graphics` contain; none of a scan."""
    fields: list[BBox] = field(default_factory=list)
    """Boxes of a form for a line of text, which are no graphics; none of a scan."""
    grounds: list[BBox] = field(default_factory=list)
    """Those of :attr:`graphics` that are only filled boxes behind words, with rules at most; none of a
    scan."""
    notation: Callable[[BBox], list[DrawnNotation]] | None = None
    """What the strokes in a box make; None of a scan, and where nobody asks."""
    from_pixels: bool = False
    """Whether the words were found in the pixels: the layout model is then less reliable."""

    def picture_of(self, box: BBox) -> tuple[NDArray[np.uint8], PageTransform]:
        """:attr:`gray` of a box, and between points of the page and its pixels."""
        gray = self.gray(box)
        return gray, PageTransform(box[0] - 1, box[1] - 1, gray.shape[1] / (box[2] - box[0] + 2))

    def is_ground(self, box: BBox) -> bool:
        """Whether all that is drawn in a box is :attr:`grounds`: what else is seen there are letters."""
        inside = [graphic for graphic in self.graphics if touches(box, graphic)]
        return bool(inside) and all(graphic in self.grounds for graphic in inside)

    def word_boxes_in(self, box: BBox) -> list[BBox]:
        """Boxes of the words whose centers lie in ``box``."""
        return [word.bbox for word in self.words if contains_center(box, word.bbox)]


@dataclass
class RegionCandidate:
    """A region that may still change, in the upright frame."""

    kind: Kind
    bbox: BBox
    score: float
    evidence: list[str]
    word_indices: list[int] = field(default_factory=list)
    """Its words, as indices into :attr:`PageEvidence.words`."""
    label: str = ""
    """The layout model's class, of text."""
    ruled_box: BBox | None = None
    """Of a table: extent of its rules."""
    model_box: BBox | None = None
    """Of a table: the box of the layout model, where it found one."""
    is_grid: bool = False
    """Of a table: whether its pixels alone show one."""
    turn: int = 0
    """Of text: that of its words."""
