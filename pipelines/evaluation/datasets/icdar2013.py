"""The table competition of ICDAR 2013: regions and cells in XML beside PDFs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docai.contents import Cell
from docai.geometry import BBox, union
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    files_below,
    nothing_found,
    require_folder,
)
from docai.pipelines.evaluation.datasets.pdf_frames import Frame, Frames
from docai.pipelines.evaluation.datasets.table_html import plain, table_from_cells

if TYPE_CHECKING:
    from lxml.etree import _Element

_STRUCTURE, _REGIONS = "-str.xml", "-reg.xml"
_EXPECTED = f"NAME{_STRUCTURE} files beside NAME.pdf, as the ICDAR 2013 table competition has them"
_SAME_SIZE = 3.0
"""Points by which a region may differ from the box around its cells."""

_Places = dict[tuple[str, str], BBox]
"""Boxes of regions by the ids of table and region, from the bottom left."""


def read_icdar2013(path: Path) -> Iterator[Sample | Skipped]:
    """ICDAR 2013 table competition, whole documents: ``NAME.pdf``, ``NAME-str.xml``, ``NAME-reg.xml``.

    ``document/table/region[@page]/cell[@start-row, @start-col, @end-row?, @end-col?]`` with ``bounding-box``
    and ``content``; a cell without end spans one row or column. A region is one item: a table that goes over
    several pages has several. Rows count from the region's first, so ``row-increment`` is not needed.
    Places that no cell covers are empty cells; the truth has no headers.

    Boxes are points from the bottom left of the page as displayed; on rotated pages some ``-str.xml`` count
    from the bottom of the page before its rotation, so cells are moved to where ``-reg.xml`` has the region.
    Source: https://github.com/tamirhassan/dataset-tools, M. Göbel et al., ICDAR 2013.

    Raises:
        DatasetError: no such files.
    """
    return _documents(_structures(path))


def read_icdar2013_crops(path: Path) -> Iterator[Sample | Skipped]:
    """The same files as :func:`read_icdar2013`; each region of a table is a sample of its own.

    Raises:
        DatasetError: no such files.
    """
    return _crops(_structures(path))


def _structures(path: Path) -> list[Path]:
    require_folder(path, f"a folder with {_EXPECTED}")
    files = [file for file in files_below(path) if file.name.lower().endswith((_STRUCTURE, ".pdf"))]
    if not any(file.name.lower().endswith(_STRUCTURE) for file in files):
        raise nothing_found(path, _EXPECTED)
    return files


def _documents(files: list[Path]) -> Iterator[Sample | Skipped]:
    structures = {file.with_name(_stem(file)): file for file in files if _is_structure(file)}
    pdfs = {file.with_suffix(""): file for file in files if not _is_structure(file)}
    with Frames() as frames:
        for stem in sorted(structures.keys() | pdfs.keys()):
            if stem not in structures:
                yield Skipped(stem.name, "The PDF has no -str.xml beside it.")
                continue
            if stem not in pdfs:
                yield Skipped(stem.name, "The -str.xml has no PDF beside it.")
                continue
            try:
                items = _read_tables(structures[stem], pdfs[stem], frames)
                yield Sample(id=stem.name, truth=tuple(items), unit="page", source=pdfs[stem])
            except MalformedError as error:
                yield Skipped(stem.name, str(error))


def _is_structure(file: Path) -> bool:
    return file.name.lower().endswith(_STRUCTURE)


def _stem(file: Path) -> str:
    return file.name[: -len(_STRUCTURE)]


def _crops(files: list[Path]) -> Iterator[Sample | Skipped]:
    for case in _documents(files):
        if isinstance(case, Skipped):
            yield case
            continue
        for number, item in enumerate(case.truth, 1):
            yield Sample(
                id=f"{case.id}#{number}",
                truth=(item,),
                source=case.source,
                page=item.page,
                bbox=item.bbox,
            )


def _read_tables(structure: Path, pdf: Path, frames: Frames) -> list[Item]:
    """All regions of a document, by page.

    Raises:
        MalformedError: a file cannot be read, or a table is not sound.
    """
    places = _read_places(structure.with_name(_stem(structure) + _REGIONS))
    items = []
    for table in _parse(structure).iter("table"):
        for region in table.iter("region"):
            page = _integer(region, "page")
            frame = frames.of(pdf, page)
            items.append(_region_item(region, page, frame, places.get(_ids(table, region))))
    return sorted(items, key=lambda item: item.page)


def _read_places(file: Path) -> _Places:
    if not file.is_file():
        return {}
    places: _Places = {}
    for table in _parse(file).iter("table"):
        for region in table.iter("region"):
            box = _box(region)
            if box is not None:
                places[_ids(table, region)] = box
    return places


def _ids(table: _Element, region: _Element) -> tuple[str, str]:
    return str(table.get("id")), str(region.get("id"))


class _Placed(NamedTuple):
    cell: Cell
    box: BBox | None


def _region_item(region: _Element, page: int, frame: Frame, place: BBox | None) -> Item:
    placed = [_cell(element) for element in region.iter("cell")]
    if not placed:
        raise MalformedError("A region has no cells.")
    first_row = min(entry.cell.row for entry in placed)
    first_col = min(entry.cell.col for entry in placed)
    boxes = [frame.from_bottom_left(entry.box) for entry in placed if entry.box is not None]
    bbox = None if place is None else frame.from_bottom_left(place)
    dx, dy = _shift(boxes, bbox)
    if bbox is None and boxes:
        bbox = union(boxes)
    cells = []
    for cell, box in placed:
        shown = None if box is None else frame.from_bottom_left(box)
        moved = None if shown is None else (shown[0] + dx, shown[1] + dy, shown[2] + dx, shown[3] + dy)
        place_in = {"row": cell.row - first_row, "col": cell.col - first_col, "bbox": moved}
        cells.append(cell.model_copy(update=place_in))
    html, filled = table_from_cells(cells)
    return Item(kind="table", text=html, page=page, bbox=bbox, cells=filled)


def _shift(boxes: list[BBox], region: BBox | None) -> tuple[float, float]:
    """From where the cells are to where their region is, if they fill it in another frame."""
    if region is None or not boxes:
        return 0.0, 0.0
    around = union(boxes)
    wide = (around[2] - around[0]) - (region[2] - region[0])
    high = (around[3] - around[1]) - (region[3] - region[1])
    if abs(wide) > _SAME_SIZE or abs(high) > _SAME_SIZE:
        return 0.0, 0.0
    return region[0] - around[0], region[1] - around[1]


def _cell(element: _Element) -> _Placed:
    row, col = _integer(element, "start-row"), _integer(element, "start-col")
    last_row = _integer(element, "end-row", default=row)
    last_col = _integer(element, "end-col", default=col)
    if last_row < row or last_col < col:
        raise MalformedError("A cell ends before it starts.")
    content = element.find("content")
    text = "" if content is None else plain("".join(str(part) for part in content.itertext()))
    cell = Cell(row=row, col=col, row_span=last_row - row + 1, col_span=last_col - col + 1, text=text)
    return _Placed(cell, _box(element))


def _box(element: _Element) -> BBox | None:
    box = element.find("bounding-box")
    if box is None:
        return None
    try:
        x0, y0, x1, y1 = (float(box.get(name) or "") for name in ("x1", "y1", "x2", "y2"))
    except ValueError:
        raise MalformedError("A box is not of four numbers.") from None
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _integer(element: _Element, name: str, *, default: int | None = None) -> int:
    value = element.get(name)
    if value is None and default is not None:
        return default
    if value is None or not value.strip().isdecimal():
        raise MalformedError(f"A {element.tag} has no number for {name}.")
    return int(value)


def _parse(file: Path) -> _Element:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.parse(str(file), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise MalformedError("Its XML cannot be read.") from error


FORMATS = (
    Format(
        name="icdar2013",
        read=read_icdar2013,
        unit="page",
        kinds=("table",),
        tasks=("table", "regions"),
        summary="ICDAR 2013 tables, whole PDFs: NAME.pdf with NAME-str.xml and NAME-reg.xml",
    ),
    Format(
        name="icdar2013-crop",
        read=read_icdar2013_crops,
        unit="crop",
        kinds=("table",),
        tasks=("table",),
        summary="ICDAR 2013 tables, one region at a time: NAME.pdf with NAME-str.xml and NAME-reg.xml",
    ),
)
