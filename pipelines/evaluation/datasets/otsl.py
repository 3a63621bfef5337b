"""Tables in OTSL, as the docling-project's ``*_OTSL`` sets have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docai.contents import Cell
from docai.errors import DatasetError, MissingDependencyError
from docai.parsers.table_otsl import CELL_TOKENS, HEADER_TOKENS, ROW_END, SPAN_TOKENS, place_cells
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Entry,
    Format,
    MalformedError,
    Sources,
    json_lines,
    load_json,
    nothing_found,
    require_path,
)
from docai.pipelines.evaluation.datasets.table_html import (
    TokenCell,
    fill_structure,
    read_cell,
    table_from_cells,
)

_EXPECTED = "rows with otsl and cells: a .jsonl, .json or .parquet file, or a folder of them"
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet")


def read_otsl(path: Path) -> Iterator[Sample | Skipped]:
    """OTSL sets: rows with ``filename, split, otsl, cells, html_restored`` in JSON Lines, JSON or parquet.

    ``otsl`` is a list of ``fcel ecel lcel ucel xcel nl`` (and ``ched rhed srow``), ``cells`` the contents in
    order as ``[[{tokens}]]``, ``html_restored`` the structure as tokens. Rows that are not rectangular, whose
    spans are broken, or whose HTML says another grid are skipped. Boxes are not read: the sets made from PDFs
    count from the bottom left and do not give the page's height. Parquet needs pyarrow, and its pictures are
    not unpacked: they are looked for as ``images/<filename>`` or ``<filename>`` beside the file. Source:
    https://huggingface.co/datasets/docling-project/PubTabNet_OTSL, arXiv 2305.03393.

    Raises:
        DatasetError: no such files, or a parquet file cannot be read.
        MissingDependencyError: there is parquet, and no pyarrow.
    """
    require_path(path, _EXPECTED)
    files = [path] if path.is_file() else sorted(path.iterdir())
    files = [file for file in files if file.name.lower().endswith(_SUFFIXES)]
    if not files:
        raise nothing_found(path, _EXPECTED)
    kinds = {file.suffix.lower() for file in files}
    if len(kinds) > 1:
        raise DatasetError(f"{path} mixes {' and '.join(sorted(kinds))} files; give one of them.")
    if kinds == {".parquet"}:
        _require_pyarrow()
    return _tables(files)


def _require_pyarrow() -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise MissingDependencyError(
            "Reading parquet needs the package pyarrow: pip install pyarrow, or give the rows as JSON Lines."
        )


def _tables(files: list[Path]) -> Iterator[Sample | Skipped]:
    for file in files:
        sources = Sources(file.parent / "images", file.parent)
        for entry in _rows(file):
            if isinstance(entry, Skipped):
                yield entry
                continue
            name = entry.value.get("filename")
            if not isinstance(name, str) or not name:
                yield Skipped(f"{file.name}, row {entry.line}", "The row has no filename.")
                continue
            try:
                item = _item(entry.value)
                yield Sample(id=name, truth=(item,), source=sources.require(name))
            except MalformedError as error:
                yield Skipped(name, str(error))


def _rows(file: Path) -> Iterator[Entry | Skipped]:
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(file)
    elif suffix == ".json":
        content = load_json(file, _EXPECTED)
        if not isinstance(content, list):
            raise DatasetError(f"{file} holds no list of rows; expected {_EXPECTED}.")
        for number, row in enumerate(content, 1):
            if isinstance(row, dict):
                yield Entry(number, row)
            else:
                yield Skipped(f"{file.name}, row {number}", "The row is not an object.")
    else:
        yield from json_lines(file)


def _parquet_rows(file: Path) -> Iterator[Entry]:
    from importlib import import_module

    # By name, as pyarrow is an option that not every type checker's environment has.
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    number = 0
    try:
        with parquet.ParquetFile(file) as opened:
            wanted = [name for name in opened.schema_arrow.names if name != "image"]
            for batch in opened.iter_batches(batch_size=64, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield Entry(number, row)
    except (OSError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{file} cannot be read after row {number}: {error}.") from error


def _item(row: dict[str, Any]) -> Item:
    grid = _grid(row.get("otsl"))
    places = _cells(grid)
    contents = _contents(row.get("cells"))
    restored = row.get("html_restored")
    if restored is not None:
        html, cells = fill_structure(restored, contents)
        if [_place(cell) for cell in cells] != [_place(cell) for cell in places]:
            raise MalformedError("Its OTSL and its HTML say different grids.")
        return Item(kind="table", text=html, cells=cells)
    if len(contents) != len(places):
        raise MalformedError("The structure has another number of cells than the list of cells.")
    filled = [
        cell.model_copy(update={"text": content.text.strip()})
        for cell, content in zip(places, contents, strict=True)
    ]
    html, filled = table_from_cells(filled)
    return Item(kind="table", text=html, cells=filled)


def _place(cell: Cell) -> tuple[int, int, int, int]:
    return cell.row, cell.col, cell.row_span, cell.col_span


def _contents(value: Any) -> list[TokenCell]:
    """Cells come as one list, or as a list that holds it."""
    if isinstance(value, list) and value and all(isinstance(part, list) for part in value):
        value = [cell for part in value for cell in part]
    if not isinstance(value, list) or not all(isinstance(cell, dict) for cell in value):
        raise MalformedError("The table has no list of cells.")
    return [read_cell(cell.get("tokens"), None) for cell in value]


def _grid(tokens: Any) -> list[list[str]]:
    if not isinstance(tokens, list) or not tokens:
        raise MalformedError("The row has no OTSL.")
    rows: list[list[str]] = [[]]
    for token in tokens:
        name = token.strip().strip("<>") if isinstance(token, str) else ""
        if name == ROW_END:
            rows.append([])
        elif name in CELL_TOKENS or name in SPAN_TOKENS:
            rows[-1].append(name)
        else:
            raise MalformedError("Its OTSL holds an unknown token.")
    if not rows[-1]:
        rows.pop()
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise MalformedError("Its OTSL is not rectangular.")
    return rows


def _cells(rows: list[list[str]]) -> list[Cell]:
    """Cells without text of a rectangular OTSL grid, in row order."""
    places, orphans = place_cells(rows)
    if orphans:
        raise MalformedError("The spans of its OTSL are broken.")
    return [
        Cell(
            row=place.row,
            col=place.col,
            row_span=place.row_span,
            col_span=place.col_span,
            is_header=place.token in HEADER_TOKENS,
        )
        for place in places
    ]


FORMATS = (
    Format(
        name="otsl",
        read=read_otsl,
        unit="crop",
        kinds=("table",),
        tasks=("table",),
        summary="an OTSL set: .jsonl, .json or .parquet rows with otsl and cells",
    ),
)
