"""A certain record and its page as a pair of crop and target, clean and as a scan would show it."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image

from docai.geometry import BBox, area, grow, share_inside, touches, union
from docai.pipelines.crops.crop import Crop
from docai.pipelines.evaluation.base import Item, SpottedWord
from docai.pipelines.ingest import Page
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.synthesis.base import Sample
from docai.pipelines.synthesis.noise import degrade
from docai.pipelines.training.datasets import make_locator, with_tight_boxes, write_target
from docai.records import Molecule, Record, Score, Table, Text

_PLACES: Final = re.compile(r"<loc\d{4}>| coords=\"[^\"]*\"")

_SCAN_STRENGTHS: Final = (0.15, 0.8)
"""Weakest and strongest noise of a scan, see :func:`docai.pipelines.synthesis.noise.degrade`."""

_MAX_TRIES: Final = 16
"""Times that noise is drawn, which leaves some pictures as they are, and that a box is grown."""

_AROUND: Final = 0.95
"""Share of a region inside the box of a mark from which the mark is its ground or frame."""

_EDGE: Final = 0.5
"""Points outside of a region at which its own marks may still end."""

_REACH: Final = 72.0
"""Points around a region in which marks are looked at."""

_MAX_GROWTH: Final = 1.6
"""Area of a grown region, in areas of the region."""


def make_pair(record: Record, page: Page, crop: Crop) -> Sample:
    """The pair of a record.

    Args:
        record: with the boxes of its words or cells in points of the page.
        page: that it stands on.
        crop: of its region.

    Raises:
        NoTargetError: no target can be made of it.
    """
    item = with_tight_boxes(_item(record), page)
    target = write_target(item, make_locator(crop.transform, record.bbox, 1.0), in_order=True)
    return Sample(record.kind, crop.image, target, (), content_key(record.kind, target))


def whole_box(box: BBox, drawing: Drawing) -> BBox | None:
    """A region, grown until nothing that is drawn is cut by its edges; None where that makes it another one.

    Args:
        box: points of the page.
        drawing: of the whole page.
    """
    grown = box
    marks = [path.bbox for path in drawing.paths]
    marks += [glyph.bbox for glyph in drawing.glyphs if glyph.shape.subpaths]
    # Backgrounds and frames go all around it.
    marks = [mark for mark in marks if share_inside(box, mark) < _AROUND and touches(mark, grow(box, _REACH))]
    for _ in range(_MAX_TRIES):
        cut = [mark for mark in marks if touches(mark, grow(grown, _EDGE)) and not _is_inside(mark, grown)]
        if not cut:
            return grown
        grown = union([grown, *cut])
        if area(grown) > _MAX_GROWTH * area(box):
            return None
    return None


def _is_inside(mark: BBox, box: BBox) -> bool:
    return mark[0] >= box[0] and mark[1] >= box[1] and mark[2] <= box[2] and mark[3] <= box[3]


def _item(record: Record) -> Item:
    match record:
        case Table():
            return Item(kind="table", page=record.page, bbox=record.bbox, cells=record.cells)
        case Molecule():
            return Item(kind="molecule", text=record.smiles or "", page=record.page, bbox=record.bbox)
        case Score():
            return Item(kind="score", text=record.kern, page=record.page, bbox=record.bbox)
        case Text():
            words = [
                SpottedWord(text=word.text, polygon=_corners(word.bbox))
                for line in record.lines
                for word in line.words
                if word.bbox is not None
            ]
            return Item(kind="text", text=record.text, page=record.page, bbox=record.bbox, words=words)
    return Item(kind="figure", page=record.page, bbox=record.bbox)


def _corners(box: BBox) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def content_key(head: str, target: str) -> str:
    """The same for equal contents wherever their parts stand: pairs of one key come into one split."""
    plain = _PLACES.sub("", target)
    return plain if head == "molecule" else f"{head}/{hashlib.sha256(plain.encode()).hexdigest()[:24]}"


def as_scanned(sample: Sample) -> Sample:
    """The pair as a scan shows it; the same for the same pair."""
    rng = random.Random(f"{sample.key}/{hashlib.sha256(sample.image.tobytes()).hexdigest()}")
    clean = np.asarray(sample.image.convert("RGB"))
    noisy = clean
    for _ in range(_MAX_TRIES):
        noisy = degrade(clean, rng, rng.uniform(*_SCAN_STRENGTHS), fax=sample.head != "table")
        if noisy is not clean and not np.array_equal(noisy, clean):
            break
    return replace(sample, image=Image.fromarray(noisy))
