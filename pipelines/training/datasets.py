"""Training pairs from every layout that :mod:`docai.pipelines.evaluation.datasets` reads.

A crop of a data set is one pair. Of a set of whole pages each region with a box of its own is one. The
picture is cut by :func:`docai.pipelines.crops.crop.make_crop`, as for reading, and the boxes of the target go
through the same transform. Boxes of table cells are as the set has them, which for FinTabNet.c and
PubTables-1M is the cell's place in the grid; over a PDF they are drawn in to the words of its text layer.
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
from docai.parsers.table import parse_table
from docai.parsers.table_grid import canonical_html, tidy
from docai.pipelines.crops.crop import LOC_BINS, Bins, CropTransform, fit_square, make_crop
from docai.pipelines.evaluation.base import Item, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.dataset import FORMATS, open_dataset
from docai.pipelines.evaluation.datasets.formats import MalformedError
from docai.pipelines.evaluation.datasets.scores import kern_spines
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.training.checks import Rejected
from docai.pipelines.training.pairs import Pair

Locate = Callable[[BBox], Bins | None]
"""From a box in the units of the file to bins ``y0 x0 y1 x1``; None where the crop does not show it."""

_CELL_TAG = re.compile(r"<t[dh]\b")

_LOC = re.compile(r"<loc\d*>")

_MAX_GAP = 1.5
"""Gap between two words of one line, in heights of the lower one."""

_SHARED = 0.5
"""Of the lower word's height, by which two words of one line overlap."""


class NoTargetError(Exception):
    """The truth says too little, or nothing that the head can write. The first argument is a code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def has_boxes(item: Item) -> bool:
    """Whether the target of ``item`` will hold boxes."""
    return bool(item.words) or any(cell.bbox is not None for cell in item.cells)


def write_target(item: Item, locate: Locate, *, in_order: bool) -> str:
    """The target of one region.

    Args:
        item: its truth.
        locate: see :data:`Locate`.
        in_order: text whose words come in reading order, line by line; else they are put in order here.

    Raises:
        NoTargetError: ``structure``, cells overlap or leave holes; ``no-box``, words without boxes;
            ``empty``, there is nothing to write; ``kind``, no head writes that.
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
        raise NoTargetError("empty", "the truth says nothing of what is there")
    return target


def table_target(item: Item, locate: Locate) -> str:
    """HTML, with ``coords`` on the cells that hold text and have a box. Inline tags are left out.

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
        (cell.model_copy(update={"text": tidy(_LOC.sub("", cell.text))}) for cell in cells),
        key=lambda cell: (cell.row, cell.col),
    )
    n_rows, n_cols = _full_grid(ordered)
    # canonical_html writes the cells in this order, so the n-th tag is that of the n-th cell.
    tags = iter(ordered)

    def with_box(match: re.Match[str]) -> str:
        cell = next(tags)
        bins = locate(cell.bbox) if cell.text and cell.bbox is not None else None
        return match[0] if bins is None else f'{match[0]} coords="{write_bins(bins)}"'

    return _CELL_TAG.sub(with_box, canonical_html(ordered, n_rows, n_cols))


def _full_grid(cells: Sequence[Cell]) -> tuple[int, int]:
    """Rows and columns. As in the paper, a table that is not one whole grid is not trained on."""
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
        raise NoTargetError("structure", "some places of the table have no cell")
    return n_rows, n_cols


def score_target(text: str) -> str:
    """The ``**kern`` spines without comments and records; the rest of the text is left as it is.

    Raises:
        NoTargetError: a line does not fit the spines.
    """
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    kept = [line for line in lines if line and not line.startswith("!")]
    header = kept[0].split("\t") if kept else []
    if all(name == "**kern" for name in header):
        return "\n".join(kept)
    try:
        return kern_spines("\n".join(kept))
    except MalformedError as error:
        raise NoTargetError("structure", str(error)) from None


def text_target(item: Item, locate: Locate, *, in_order: bool) -> str:
    """Lines of words with boxes. Words that the truth does not ask for are left out.

    Raises:
        NoTargetError: see :func:`write_target`.
    """
    if not item.words:
        if item.text.strip():
            raise NoTargetError("no-box", "the words have no boxes, and the head writes them with boxes")
        raise NoTargetError("empty", "there is no word")
    asked = [word for word in item.words if not word.ignore and _label(word)]
    lines = []
    for line in lines_of(asked, in_order=in_order):
        placed = [(_label(word), locate(outline_box(word))) for word in line]
        words = [f"{write_bins(bins)} {label}" for label, bins in placed if bins is not None]
        if words:
            lines.append(" ; ".join(words))
    if not lines:
        raise NoTargetError("empty", "no word that is asked for lies in the crop")
    return "\n".join(lines)


def lines_of(words: Sequence[SpottedWord], *, in_order: bool) -> list[list[SpottedWord]]:
    """Words as lines.

    A word goes on a line where it stands beside the line's last word, at the same height and close by.
    In order, only the last line is gone on with. Else the words are taken from left to right, and the
    lines come out from top to bottom: with nothing said of columns, that is the order of a plain page.
    """
    lines: list[list[SpottedWord]] = []
    boxes: list[BBox] = []
    given = words if in_order else sorted(words, key=lambda word: outline_box(word)[0])
    for word in given:
        box = outline_box(word)
        candidates = range(max(len(lines) - 1, 0), len(lines)) if in_order else range(len(lines))
        fits = [index for index in candidates if _goes_on(boxes[index], box)]
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


def _goes_on(last: BBox, box: BBox) -> bool:
    height = min(last[3] - last[1], box[3] - box[1])
    shared = min(last[3], box[3]) - max(last[1], box[1])
    gap = box[0] - last[2]
    return height > 0 and shared > _SHARED * height and -_SHARED * height < gap < _MAX_GAP * height


def outline_box(word: SpottedWord) -> BBox:
    """The upright box around a word's outline."""
    xs, ys = zip(*word.polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _label(word: SpottedWord) -> str:
    return unicodedata.normalize("NFC", " ".join(_LOC.sub("", word.text).split()))


def write_bins(bins: Bins) -> str:
    """``<locY0><locX0><locY1><locX1>``; a box without area is given one bin of it."""
    y0, x0, y1, x1 = bins
    (y0, y1), (x0, x1) = _apart(y0, y1), _apart(x0, x1)
    return "".join(f"<loc{value:04d}>" for value in (y0, x0, y1, x1))


def _apart(low: int, high: int) -> tuple[int, int]:
    if low < high:
        return low, high
    return (low, low + 1) if low + 1 < LOC_BINS else (low - 1, low)


_IN_ORDER = frozenset({"hiertext", "pdf-text", "docai-content", "docai-regions"})
"""Layouts whose words come in reading order."""

_INSIDE = 0.5
"""Share of a box that has to lie in the crop, for it to be part of the target."""


@dataclass(frozen=True, slots=True)
class CropPair:
    """One region of a picture or PDF, cut when it is asked for."""

    name: str
    path: Path
    target: str
    page: int = 1
    bbox: BBox | None = None
    """In the units of the file; None is the whole page."""
    password: str | None = None

    @property
    def content(self) -> str:
        return self.target

    def draw(self, size: int) -> Pair:
        """The pair, its crop ``size`` pixels a side.

        Raises:
            InputError: the source cannot be read.
        """
        with _opened(self.path, self.page, self.bbox, self.password) as (page, box):
            return Pair(make_crop(page, box, size=size).image, self.target)


def is_dataset(spec: str) -> bool:
    """Whether ``spec`` is ``FORMAT:PATH`` of a layout that is known, and no folder of that name."""
    return spec.partition(":")[0] in FORMATS and ":" in spec


def read_dataset(spec: str, head: Head) -> tuple[list[CropPair], list[Rejected]]:
    """The pairs of a data set for one head, and its cases of which no pair can be made.

    Args:
        spec: ``FORMAT:PATH``.
        head: its name is the kind of region that is taken, and its resolution the size of the crops.

    Raises:
        DatasetError: see :func:`docai.pipelines.evaluation.datasets.dataset.open_dataset`.
        SettingError: the set holds nothing for that head.
    """
    dataset = open_dataset(spec)
    if head.name not in dataset.kinds:
        raise SettingError(
            f"The data set {spec} holds {' and '.join(dataset.kinds)} and nothing for the head {head.name!r}."
        )
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
                pairs.append(_pair(name, case, item, head.resolution, dataset.format in _IN_ORDER))
            except NoTargetError as error:
                rejected.append(Rejected(name, error.reason, error.detail))
            except DatasetError:
                raise
            except (DocaiError, OSError) as error:
                rejected.append(Rejected(name, "image", str(error)))
    return pairs, rejected


def _pair(name: str, case: Sample, item: Item, size: int, in_order: bool) -> CropPair:
    if case.source is None:
        raise NoTargetError("no-picture", "the data set has the truth alone")
    page, bbox = (case.page or 1, case.bbox) if case.unit == "crop" else (item.page, item.bbox)
    if case.unit == "page" and bbox is None:
        raise NoTargetError("no-box", "nothing says where on the page it is")
    if has_boxes(item):
        with _opened(case.source, page, bbox, case.password) as (opened, box):
            item = _drawn_in(item, opened)
            locate = locator(fit_square(box, size=size), box, 72 / opened.dpi)
            target = write_target(item, locate, in_order=in_order)
    else:
        target = write_target(item, lambda box: None, in_order=in_order)
    return CropPair(name, case.source, target, page, bbox, case.password)


def locator(transform: CropTransform, region: BBox, zoom: float) -> Locate:
    """To bins of the crop from boxes in the units of a file, ``zoom`` points each."""

    def locate(box: BBox) -> Bins | None:
        x0, y0, x1, y1 = (value * zoom for value in box)
        points = (x0, y0, x1, y1)
        return transform.to_loc(points) if share_inside(points, region) >= _INSIDE else None

    return locate


def _drawn_in(item: Item, page: Page) -> Item:
    """The item with the boxes of its cells drawn in to the words of the text layer that lie in them."""
    words = page.words() if item.cells else []
    if not words:
        return item
    cells = []
    for cell in item.cells:
        place = cell.bbox
        inside = [word.bbox for word in words if place and share_inside(word.bbox, place) > _INSIDE]
        cells.append(cell.model_copy(update={"bbox": union(inside)}) if inside else cell)
    return item.model_copy(update={"cells": cells})


@contextmanager
def _opened(path: Path, number: int, bbox: BBox | None, password: str | None) -> Iterator[tuple[Page, BBox]]:
    """The page, and the region in its points.

    Raises:
        InputError: it cannot be read, has no such page, or the region has no area on it.
    """
    with open_source(path, password=password) as source, source.page(number) as page:
        zoom = 72 / page.dpi
        box = page.bbox if bbox is None else (bbox[0] * zoom, bbox[1] * zoom, bbox[2] * zoom, bbox[3] * zoom)
        if not intersection_area(box, page.bbox):
            raise NoTargetError("no-box", f"the region {bbox} has no area on page {number}")
        yield page, box
