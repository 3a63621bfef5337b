"""What layout gives and what its steps hand to one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.records import Kind, Point

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord

Origin = Literal["born-digital", "scan", "mixed", "blank"]


@dataclass(frozen=True)
class Region:
    """One thing on a page. ``bbox`` is upright, in displayed page points; ``polygon`` is its true outline
    where the page is skewed.

    ``words`` are the native words that belong to it, in reading order. Their ``block`` is the region's
    place in the page's reading order and their ``line`` counts the region's lines from 0, so that words of
    one visual line share both.
    """

    kind: str
    """One of :func:`docai.models.heads.region_kinds`; layout finds those of :data:`docai.records.Kind`."""
    bbox: BBox
    score: float
    evidence: tuple[str, ...]
    polygon: tuple[Point, ...] | None = None
    words: tuple[PageWord, ...] = ()


@dataclass(frozen=True)
class PageLayout:
    """The regions of a page in reading order.

    ``skew`` is the angle, in degrees clockwise, by which the text lines are turned as the page is displayed.
    """

    regions: tuple[Region, ...]
    origin: Origin
    skew: float = 0.0


class Item(NamedTuple):
    """One word, real or seen in pixels, in the upright frame."""

    bbox: BBox
    line: tuple[int, int]
    """Words of one native line share this."""
    n_chars: int


class Labelled(NamedTuple):
    """A box of the layout model."""

    bbox: BBox
    label: str


@dataclass(frozen=True)
class Clues:
    """Everything known about a page in its upright frame, where lines of text run left to right."""

    width: float
    height: float
    items: list[Item]
    model: list[Labelled]
    """Boxes of PyMuPDF's layout model."""
    graphics: list[BBox]
    """Drawings and images, apart from thin rules."""
    rules: list[BBox]
    gray: Callable[[BBox], NDArray[np.uint8]]
    """Gray pixels of a box, at a resolution fit for judging it."""
    scores: list[BBox] = field(default_factory=list)
    """Passages of music, where the whole page has been searched for staves."""
    seen: bool = False
    """The words were seen in pixels, not read: what the layout model makes of them is less sure."""


@dataclass
class Found:
    """A region in the making, in the upright frame; ``items`` are indices into :attr:`Clues.items`."""

    kind: Kind
    bbox: BBox
    score: float
    evidence: list[str]
    items: list[int] = field(default_factory=list)
    label: str = ""
    drawn: BBox | None = None
    """Tables: extent of their rules."""
    named: BBox | None = None
    """Tables: the layout model's box, where it saw one there."""
    is_grid: bool = False
    """Tables: the pixels alone show one."""
