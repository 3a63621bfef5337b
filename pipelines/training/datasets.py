"""Training pairs from every format that :mod:`docai.pipelines.evaluation.datasets` reads.

Each crop of a data set is a pair; of a set of whole pages, each region with a box. The picture is cut by
:func:`docai.pipelines.crops.crop.make_crop`, as for reading, and the boxes of the target go through the same
transform. Boxes of table cells are those of the set. In FinTabNet.c and PubTables-1M these are the cells of
the grid; over a PDF they are shrunk to the words of its text layer.

The target is the truth as a head writes it: HTML with boxes, SMILES, kern, words with boxes, in the formats
of :mod:`docai.parsers.table`, ``.molecule``, ``.score`` and ``.text``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docai.contents import Cell, TableContent
from docai.errors import DatasetError, DocaiError, SettingError
from docai.geometry import BBox, intersection_area, share_inside, union
from docai.models.heads import Head
from docai.parsers.locations import write_bins
from docai.parsers.table import parse_table
from docai.parsers.table_grid import located_html, plain_cells, tidy
from docai.pipelines.crops.crop import Bins, CropTransform, fit_square, make_crop
from docai.pipelines.evaluation.base import Item, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.dataset import FORMATS, open_dataset
from docai.pipelines.evaluation.datasets.formats import MalformedError
from docai.pipelines.evaluation.datasets.scores import kern_spines
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.training.checks import Rejected
from docai.pipelines.training.pairs import Pair

Locate = Callable[[BBox], Bins | None]
"""From a box in units of the file to ``<loc>`` bins ``y0 x0 y1 x1``; None where it is not in the crop."""

_LOC = re.compile(r"<loc\d*>")

_MAX_WORD_GAP = 1.5
"""Widest gap between two words of a line, in heights of the lower word."""

_MIN_LINE_OVERLAP = 0.5
"""Least vertical overlap of two words of a line, as a share of the lower word's height."""

_FORMATS_IN_READING_ORDER = frozenset({"hiertext", "pdf-text", "docai-content", "docai-regions"})
"""Formats whose words are in reading order."""

_MIN_SHARE_INSIDE = 0.5
"""Least share of a box inside the crop for the box to be part of the target."""


class NoTargetError(Exception):
    """No target can be made of the truth.

    Args:
        reason: a stable code, see :mod:`docai.pipelines.training.checks`.
        detail: a sentence for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def has_boxes(item: Item) -> bool:
    """Whether the target of ``item`` has boxes."""
    return bool(item.words) or any(cell.bbox is not None for cell in item.cells)


def write_target(item: Item, locate: Locate, *, in_order: bool) -> str:
    """The target of one region.

    Args:
        item: the truth.
        locate: see :data:`Locate`.
        in_order: whether the words of a text are in reading order, line by line; else they are sorted here.

    Raises:
        NoTargetError: ``structure``: cells overlap or leave holes; ``no-box``: words without boxes;
            ``empty``: there is nothing to write; ``kind``: no head writes this kind.
    """
    match item.kind:
        case "table":
            return table_target(item, locate)
        case "molecule":
            target = item.text.strip()
        case "score":
            target = score_target(item.text)
        case "text":
            return text_target(item, locate, in_order=in_order)
        case _:
            raise NoTargetError("kind", f"no head writes a {item.kind}")
    if not target:
        raise NoTargetError("empty", "the truth is empty")
    return target


def table_target(item: Item, locate: Locate) -> str:
    """HTML, with ``coords`` on the cells that have text and a box. Inline tags are left out.

    Raises:
        NoTargetError: see :func:`write_target`.
    """
    cells: Sequence[Cell] = item.cells
    if not cells:
        content = parse_table(item.text, seek_head=False).content
        cells = content.cells if isinstance(content, TableContent) else []
    if not cells:
        raise NoTargetError("empty", "the table has no cells")
    ordered = sorted(
        (cell.model_copy(update={"text": tidy(_LOC.sub("", cell.text))}) for cell in plain_cells(cells)),
        key=lambda cell: (cell.row, cell.col),
    )
    n_rows, n_cols = _full_grid(ordered)
    return located_html(ordered, n_rows, n_cols, locate)


def _full_grid(cells: Sequence[Cell]) -> tuple[int, int]:
    """Numbers of rows and columns. As in the paper, only tables with a complete grid are trained on."""
    n_rows = max(cell.row + cell.row_span for cell in cells)
    n_cols = max(cell.col + cell.col_span for cell in cells)
    covered = sum(cell.row_span * cell.col_span for cell in cells)
    if covered > n_rows * n_cols:
        raise NoTargetError("structure", "cells of the table overlap")
    places = {
        (row, col)
        for cell in cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    }
    if len(places) < covered:
        raise NoTargetError("structure", "cells of the table overlap")
    if covered < n_rows * n_cols:
        raise NoTargetError("structure", "some places of the grid have no cell")
    return n_rows, n_cols


def score_target(text: str) -> str:
    """The ``**kern`` spines without comments and reference records; the rest is unchanged.

    Raises:
        NoTargetError: a line does not fit the spines.
    """
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    music = [line for line in lines if line and not line.startswith("!")]
    header = music[0].split("\t") if music else []
    if all(name == "**kern" for name in header):
        return "\n".join(music)
    try:
        return kern_spines("\n".join(music))
    except MalformedError as error:
        raise NoTargetError("structure", str(error)) from None


def text_target(item: Item, locate: Locate, *, in_order: bool) -> str:
    """Lines of words with boxes. Words that the truth marks as ignored are left out.

    Raises:
        NoTargetError: see :func:`write_target`.
    """
    if not item.words:
        if item.text.strip():
            raise NoTargetError("no-box", "the words have no boxes, and the head writes them with boxes")
        raise NoTargetError("empty", "there is no word")
    read_words = [word for word in item.words if not word.ignore and _label(word)]
    lines = []
    for line in group_into_lines(read_words, in_order=in_order):
        placed = [(_label(word), locate(outline_box(word))) for word in line]
        words = [f"{write_bins(bins)} {label}" for label, bins in placed if bins is not None]
        if words:
            lines.append(" ; ".join(words))
    if not lines:
        raise NoTargetError("empty", "no word that is to be read is in the crop")
    return "\n".join(lines)


def group_into_lines(words: Sequence[SpottedWord], *, in_order: bool) -> list[list[SpottedWord]]:
    """Group words into lines.

    A word continues a line where it is right of the line's last word, at the same height and close to it.
    With ``in_order`` only the last line can be continued. Else the words are taken from left to right, and
    the lines are sorted from top to bottom: where columns are unknown, that is the order of a plain page.
    """
    lines: list[list[SpottedWord]] = []
    boxes: list[BBox] = []
    in_turn = words if in_order else sorted(words, key=lambda word: outline_box(word)[0])
    for word in in_turn:
        box = outline_box(word)
        candidates = range(max(len(lines) - 1, 0), len(lines)) if in_order else range(len(lines))
        fits = [index for index in candidates if _continues(boxes[index], box)]
        if fits:
            best = max(fits, key=lambda index: boxes[index][2])
            lines[best].append(word)
            boxes[best] = box
        else:
            lines.append([word])
            boxes.append(box)
    if in_order:
        return lines
    return sorted(lines, key=lambda line: union(outline_box(word) for word in line)[1::-1])


def _continues(last: BBox, box: BBox) -> bool:
    height = min(last[3] - last[1], box[3] - box[1])
    shared = min(last[3], box[3]) - max(last[1], box[1])
    gap = box[0] - last[2]
    lowest_gap, highest_gap = -_MIN_LINE_OVERLAP * height, _MAX_WORD_GAP * height
    return height > 0 and shared > _MIN_LINE_OVERLAP * height and lowest_gap < gap < highest_gap


def outline_box(word: SpottedWord) -> BBox:
    """The axis-parallel box around a word's outline."""
    xs, ys = zip(*word.polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _label(word: SpottedWord) -> str:
    return unicodedata.normalize("NFC", " ".join(_LOC.sub("", word.text).split()))


@dataclass(frozen=True, slots=True)
class CropPair:
    """One region of a picture or PDF, cut when it is drawn."""

    name: str
    path: Path
    target: str
    page: int = 1
    bbox: BBox | None = None
    """In the units of the file; None for the whole page."""
    password: str | None = None

    @property
    def content(self) -> str:
        return self.target

    def draw(self, size: int) -> Pair:
        """The pair, with a crop of ``size`` x ``size`` pixels.

        Raises:
            InputError: the source cannot be read.
        """
        with _open_region(self.path, self.page, self.bbox, self.password) as (page, box):
            return Pair(make_crop(page, box, size=size).image, self.target)


def is_dataset(spec: str) -> bool:
    """Whether ``spec`` is ``FORMAT:PATH`` of a known format, and not the name of a folder."""
    return spec.partition(":")[0] in FORMATS and ":" in spec


def read_dataset(spec: str, head: Head) -> tuple[list[CropPair], list[Rejected]]:
    """The pairs of a data set for one head, and the cases that no pair can be made of.

    Args:
        spec: ``FORMAT:PATH``.
        head: its name is the kind of the regions, and its resolution the size of the crops.

    Raises:
        DatasetError: see :func:`docai.pipelines.evaluation.datasets.dataset.open_dataset`.
        SettingError: the set has nothing for that head.
    """
    dataset = open_dataset(spec)
    if head.name not in dataset.kinds:
        raise SettingError(
            f"The data set {spec} holds {' and '.join(dataset.kinds)} and nothing for the head {head.name!r}."
        )
    in_order = dataset.format in _FORMATS_IN_READING_ORDER
    pairs: list[CropPair] = []
    rejected: list[Rejected] = []
    for case in dataset:
        if isinstance(case, Skipped):
            rejected.append(Rejected(f"{spec} {case.id}", "skipped", case.reason))
            continue
        for number, item in enumerate(case.truth, 1):
            if item.kind != head.name:
                continue
            name = f"{spec} {case.id}" + (f"#{number}" if len(case.truth) > 1 else "")
            try:
                pairs.append(_make_pair(name, case, item, head.resolution, in_order))
            except NoTargetError as error:
                rejected.append(Rejected(name, error.reason, error.detail))
            except DatasetError:
                raise
            except (DocaiError, OSError) as error:
                rejected.append(Rejected(name, "image", str(error)))
    return pairs, rejected


def _make_pair(name: str, case: Sample, item: Item, size: int, in_order: bool) -> CropPair:
    if case.source is None:
        raise NoTargetError("no-picture", "the data set has no picture for it")
    page, bbox = (case.page or 1, case.bbox) if case.unit == "crop" else (item.page, item.bbox)
    if case.unit == "page" and bbox is None:
        raise NoTargetError("no-box", "its place on the page is unknown")
    if has_boxes(item):
        with _open_region(case.source, page, bbox, case.password) as (opened, box):
            item = with_tight_boxes(item, opened)
            locate = make_locator(fit_square(box, size=size), box, 72 / opened.dpi)
            target = write_target(item, locate, in_order=in_order)
    else:
        target = write_target(item, lambda box: None, in_order=in_order)
    return CropPair(name, case.source, target, page, bbox, case.password)


def make_locator(transform: CropTransform, region: BBox, zoom: float) -> Locate:
    """A :data:`Locate` for a crop of ``region``, in points; a unit of the file is ``zoom`` points."""

    def locate(box: BBox) -> Bins | None:
        x0, y0, x1, y1 = (value * zoom for value in box)
        points = (x0, y0, x1, y1)
        return transform.to_loc(points) if share_inside(points, region) >= _MIN_SHARE_INSIDE else None

    return locate


def with_tight_boxes(item: Item, page: Page) -> Item:
    """The item with the boxes of its cells shrunk to the words of the text layer inside them."""
    words = page.words() if item.cells else []
    if not words:
        return item
    cells = []
    for cell in item.cells:
        box = cell.bbox
        words_inside = [
            word.bbox for word in words if box and share_inside(word.bbox, box) > _MIN_SHARE_INSIDE
        ]
        cells.append(cell.model_copy(update={"bbox": union(words_inside)}) if words_inside else cell)
    return item.model_copy(update={"cells": cells})


@contextmanager
def _open_region(
    path: Path, number: int, bbox: BBox | None, password: str | None
) -> Iterator[tuple[Page, BBox]]:
    """The page, and the region in points of the page.

    Raises:
        InputError: the file cannot be read or has no such page.
        NoTargetError: the region has no area on the page.
    """
    with open_source(path, password=password) as source, source.page(number) as page:
        zoom = 72 / page.dpi
        box = page.bbox if bbox is None else (bbox[0] * zoom, bbox[1] * zoom, bbox[2] * zoom, bbox[3] * zoom)
        if not intersection_area(box, page.bbox):
            raise NoTargetError("no-box", f"the region {bbox} has no area on page {number}")
        yield page, box
