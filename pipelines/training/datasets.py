"""Training pairs from every layout that :mod:`docai.pipelines.evaluation.datasets` reads.

A crop of a data set is one pair. Of a set of whole pages each region with a box of its own is one. The
picture is cut by :func:`docai.pipelines.crops.make_crop`, as for reading, and the boxes of the target go
through the same transform. Boxes of table cells are as the set has them, which for FinTabNet.c and
PubTables-1M is the cell's place in the grid; over a PDF they are drawn in to the words of its text layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docai.errors import DatasetError, DocaiError, SettingError
from docai.models.heads import Head
from docai.pipelines.boxes import common, share_inside, union
from docai.pipelines.crops import Bins, CropTransform, fit_square, make_crop
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.dataset import FORMATS, open_dataset
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.training.checks import Rejected
from docai.pipelines.training.pairs import Pair
from docai.pipelines.training.targets import Locate, NoTargetError, has_boxes, write_target
from docai.records import BBox

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
        if not common(box, page.bbox):
            raise NoTargetError("no-box", f"the region {bbox} has no area on page {number}")
        yield page, box
