"""The layouts of PubTables-1M: cells over PDFs (FinTabNet.c, too), and objects on pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from docai.contents import Cell
from docai.errors import DatasetError
from docai.geometry import BBox, area, intersection_area, union
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    files_below,
    four_numbers,
    load_json,
    nothing_found,
    require_path,
)
from docai.pipelines.evaluation.datasets.table_html import plain, table_from_cells

_TABLES = "_tables.json"
_EXPECTED_PDF = f"DOCUMENT{_TABLES} files, as FinTabNet.c and PubTables-1M-PDF have them"
_EXPECTED_VOC = "TABLE.xml files in PASCAL VOC form, as PubTables-1M-Structure has them"
_TEXT_KEYS = ("json_text_content", "xml_text_content", "pdf_text_content")
_HALF = 0.5
"""Share of a row's height, or a column's width, that a spanning cell has to cover."""


def read_fintabnet_c(path: Path) -> Iterator[Sample | Skipped]:
    """FinTabNet.c and PubTables-1M over PDFs: ``DOCUMENT_tables.json`` with PDFs in ``pdf/`` or beside.

    A list of tables with ``cells: [{row_nums, column_nums, json_text_content, pdf_bbox,
    is_column_header}]``, ``rows``, ``pdf_table_bbox, pdf_full_page_bbox, pdf_page_index, structure_id,
    exclude_for_structure``; points from the top left. A cell's box is its place in the grid, not its text.
    Skipped are what the set excludes itself, and what the script that made it rejects: cells that share a
    place, missing places, no body, a box that is none or leaves its page. Source:
    https://github.com/microsoft/table-transformer, scripts/process_fintabnet.py.

    Raises:
        DatasetError: no such files.
    """
    require_path(path, _EXPECTED_PDF)
    files = [path] if path.is_file() else [f for f in files_below(path) if f.name.endswith(_TABLES)]
    if not files or not files[0].name.endswith(_TABLES):
        raise nothing_found(path, _EXPECTED_PDF)
    return _documents(files)


def _documents(files: list[Path]) -> Iterator[Sample | Skipped]:
    sources: dict[Path, Sources] = {}
    for file in files:
        folder = file.parent
        if folder not in sources:
            beside = (folder / "pdf", folder, folder.parent / "pdf")
            sources[folder] = Sources(*beside, beyond=folder.parent, suffixes=frozenset({".pdf"}))
        try:
            content = load_json(file, _EXPECTED_PDF)
        except DatasetError:
            yield Skipped(file.name, "The file is not JSON.")
            continue
        if not isinstance(content, list):
            yield Skipped(file.name, "The file holds no list of tables.")
            continue
        for number, table in enumerate(content):
            case = f"{file.name.removesuffix(_TABLES)}#{number}"
            if not isinstance(table, dict):
                yield Skipped(case, "A table is not an object.")
                continue
            name = table.get("structure_id")
            case = name if isinstance(name, str) and name else case
            try:
                yield _pdf_table(case, table, sources[folder])
            except MalformedError as error:
                yield Skipped(case, str(error))


def _pdf_table(case: str, table: Mapping[str, Any], sources: Sources) -> Sample:
    if table.get("exclude_for_structure"):
        raise MalformedError("The set excludes it for structure.")
    bbox, sheet = four_numbers(table.get("pdf_table_bbox")), four_numbers(table.get("pdf_full_page_bbox"))
    if (
        bbox is None
        or area(bbox) == 0
        or (sheet is not None and intersection_area(bbox, sheet) < 0.99 * area(bbox))
    ):
        raise MalformedError("Bad table bbox.")
    index = table.get("pdf_page_index", 0)
    if not isinstance(index, int) or index < 0:
        raise MalformedError("The table has no page.")
    cells = table.get("cells")
    if not isinstance(cells, list):
        raise MalformedError("The table has no list of cells.")
    html, filled = table_from_cells([_pdf_cell(cell) for cell in cells])
    if len(filled) != len(cells):
        raise MalformedError("Some places of the grid have no cell.")
    if all(cell.is_header for cell in filled):
        raise MalformedError("No table body.")
    item = Item(kind="table", text=html, page=index + 1, bbox=bbox, cells=filled)
    file, folder = str(table.get("pdf_file_name") or ""), str(table.get("pdf_folder") or "")
    source = sources.require(f"{folder}{file}", file) if file else None
    if source is None:
        return Sample(id=case, truth=(item,))
    return Sample(id=case, truth=(item,), source=source, page=index + 1, bbox=bbox)


def _pdf_cell(value: Any) -> Cell:
    if not isinstance(value, dict):
        raise MalformedError("A cell is not an object.")
    row, row_span = _run(value.get("row_nums"))
    col, col_span = _run(value.get("column_nums"))
    return Cell(
        row=row,
        col=col,
        row_span=row_span,
        col_span=col_span,
        text=next((plain(value[key]) for key in _TEXT_KEYS if isinstance(value.get(key), str)), ""),
        is_header=bool(value.get("is_column_header")),
        bbox=four_numbers(value.get("pdf_bbox")),
    )


def _run(numbers: Any) -> tuple[int, int]:
    """First and length of a list of consecutive numbers."""
    if not isinstance(numbers, list) or not numbers or not all(type(number) is int for number in numbers):
        raise MalformedError("A cell has no rows or no columns.")
    ordered = sorted(set(numbers))
    if ordered[0] < 0 or ordered[-1] - ordered[0] + 1 != len(ordered):
        raise MalformedError("A cell's rows or columns are not consecutive.")
    return ordered[0], len(ordered)


def read_pubtables1m(path: Path) -> Iterator[Sample | Skipped]:
    """PubTables-1M-Structure: ``<split>/TABLE.xml``, ``images/TABLE.jpg``, ``words/TABLE_words.json``.

    PASCAL VOC objects ``table row``, ``table column``, ``table column header``, ``table projected row
    header`` and ``table spanning cell``, in pixels; words ``[{bbox, text, block_num, line_num, span_num}]``.
    A cell is where a row and a column meet; a spanning cell or projected row header joins the rows and
    columns of which it covers half, and a word belongs to the cell that holds most of it. ``path`` is the
    set, or one split. Source: https://github.com/microsoft/table-transformer.

    Raises:
        DatasetError: no such files.
    """
    require_path(path, _EXPECTED_VOC)
    files = [path] if path.is_file() else files_below(path)
    files = [file for file in files if file.suffix.lower() == ".xml"]
    if not files:
        raise nothing_found(path, _EXPECTED_VOC)
    return _pictured(files)


class _Places(NamedTuple):
    images: Sources
    words: tuple[Path, ...]


def _pictured(files: list[Path]) -> Iterator[Sample | Skipped]:
    places: dict[Path, _Places] = {}
    for file in files:
        folder = file.parent
        if folder not in places:
            places[folder] = _Places(
                Sources(folder.parent / "images", folder / "images", folder),
                (folder.parent / "words", folder / "words", folder),
            )
        try:
            yield _voc_table(file, places[folder])
        except MalformedError as error:
            yield Skipped(file.stem, str(error))


def _voc_table(file: Path, places: _Places) -> Sample:
    words_name = f"{file.stem}_words.json"
    words_file = next((f / words_name for f in places.words if (f / words_name).is_file()), None)
    if words_file is None:
        raise MalformedError("Its words (_words.json) are missing.")
    html, cells = table_from_cells(_grid_cells(_objects(file), _words(words_file)))
    source = places.images.require(f"{file.stem}.jpg", f"{file.stem}.png")
    return Sample(id=file.stem, truth=(Item(kind="table", text=html, cells=cells),), source=source)


def _objects(file: Path) -> dict[str, list[BBox]]:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root = etree.parse(str(file), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise MalformedError("Its XML cannot be read.") from error
    boxes: dict[str, list[BBox]] = {}
    for element in root.iter("object"):
        try:
            numbers = [float(element.findtext(f"bndbox/{name}", "")) for name in _VOC_CORNERS]
        except ValueError:
            raise MalformedError("A box is not of four numbers.") from None
        box = four_numbers(numbers)
        if box is None:
            raise MalformedError("A box is not of four numbers.")
        boxes.setdefault((element.findtext("name") or "").strip(), []).append(box)
    if not boxes.get("table row") or not boxes.get("table column"):
        raise MalformedError("It has no rows and columns; it may be a truth for detection.")
    return boxes


_VOC_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _TableWord(NamedTuple):
    bbox: BBox
    text: str


def _words(file: Path) -> list[_TableWord]:
    """In reading order."""
    try:
        content = load_json(file, "a list of words")
    except DatasetError as error:
        raise MalformedError("Its words are not JSON.") from error
    content = content.get("words") if isinstance(content, dict) else content
    if not isinstance(content, list):
        raise MalformedError("Its words are no list.")
    numbered: list[tuple[list[int], _TableWord]] = []
    for index, word in enumerate(content):
        box = four_numbers(word.get("bbox")) if isinstance(word, dict) else None
        text = word.get("text") if isinstance(word, dict) else None
        if box is None or not isinstance(text, str):
            raise MalformedError("A word has no box or no text.")
        order = [word.get(key) for key in ("block_num", "line_num", "span_num")]
        numbers = [number if isinstance(number, int) else 0 for number in order]
        numbered.append(([*numbers, index], _TableWord(box, text)))
    return [word for _, word in sorted(numbered)]


def _grid_cells(objects: Mapping[str, list[BBox]], words: list[_TableWord]) -> list[Cell]:
    rows = sorted(objects["table row"], key=lambda box: box[1] + box[3])
    columns = sorted(objects["table column"], key=lambda box: box[0] + box[2])
    headers = objects.get("table column header", [])
    in_header = [any(_share(row, header, axis=1) >= _HALF for header in headers) for row in rows]
    spans = [*objects.get("table spanning cell", []), *objects.get("table projected row header", [])]
    taken: set[tuple[int, int]] = set()
    cells: list[Cell] = []

    def add(row: range, col: range) -> None:
        places = {(r, c) for r in row for c in col}
        if places & taken:
            raise MalformedError("Two cells cover the same place of the grid.")
        taken.update(places)
        high = union(rows[row.start : row.stop])
        wide = union(columns[col.start : col.stop])
        cells.append(
            Cell(
                row=row.start,
                col=col.start,
                row_span=len(row),
                col_span=len(col),
                is_header=all(in_header[r] for r in row),
                bbox=(wide[0], high[1], wide[2], high[3]),
            )
        )

    for span in spans:
        row, col = _covered(rows, span, axis=1), _covered(columns, span, axis=0)
        if row and col and len(row) * len(col) > 1:
            add(row, col)
    for r in range(len(rows)):
        for c in range(len(columns)):
            if (r, c) not in taken:
                add(range(r, r + 1), range(c, c + 1))
    return _with_words(cells, words)


def _share(box: BBox, other: BBox, *, axis: int) -> float:
    """The part of a row's height (axis 1) or a column's width (axis 0) that another box covers."""
    low, high = max(box[axis], other[axis]), min(box[axis + 2], other[axis + 2])
    length = box[axis + 2] - box[axis]
    return max(0.0, high - low) / length if length > 0 else 0.0


def _covered(boxes: list[BBox], span: BBox, *, axis: int) -> range:
    hit = [index for index, box in enumerate(boxes) if _share(box, span, axis=axis) >= _HALF]
    return range(hit[0], hit[-1] + 1) if hit else range(0)


def _with_words(cells: list[Cell], words: list[_TableWord]) -> list[Cell]:
    texts: list[list[str]] = [[] for _ in cells]
    for word in words:
        shares = [intersection_area(word.bbox, cell.bbox) for cell in cells if cell.bbox is not None]
        best = max(range(len(cells)), key=shares.__getitem__)
        if shares[best] > 0:
            texts[best].append(word.text)
    return [
        cell.model_copy(update={"text": plain(" ".join(text))})
        for cell, text in zip(cells, texts, strict=True)
    ]


FORMATS = (
    Format(
        name="fintabnet-c",
        read=read_fintabnet_c,
        unit="crop",
        kinds=("table",),
        tasks=("table",),
        summary="FinTabNet.c or PubTables-1M over PDFs: DOCUMENT_tables.json, PDFs in pdf/",
    ),
    Format(
        name="pubtables1m",
        read=read_pubtables1m,
        unit="crop",
        kinds=("table",),
        tasks=("table",),
        summary="PubTables-1M-Structure: VOC .xml, images/ and words/",
    ),
)
