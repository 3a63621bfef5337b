"""PubTabNet, and the layouts that share its form or its truth: SynthTabNet, ICDAR-2021 B, FinTabNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docai.errors import DatasetError
from docai.geometry import BBox
from docai.pipelines.evaluation.base import Item, Sample, Skipped
from docai.pipelines.evaluation.datasets.formats import (
    Entry,
    Format,
    MalformedError,
    Sources,
    four_numbers,
    json_lines,
    load_json,
    one_file,
    require_path,
)
from docai.pipelines.evaluation.datasets.pdf_frames import Frames
from docai.pipelines.evaluation.datasets.table_html import fill_structure, read_cell, wrap

_SUFFIXES = (".jsonl", ".jsonl.gz")
_EXPECTED = "a PubTabNet .jsonl file, or a folder with one"
_EXPECTED_SYNTH = "a SynthTabNet .jsonl file, or a folder with one"
_EXPECTED_FINTABNET = "a FinTabNet_1.0.0_cell_….jsonl file, or a folder with one"
_EXPECTED_PAIRS = "a JSON file {name: {html, …}}"

BoxOf = Callable[[Any], BBox | None]
"""From the value of a cell's ``bbox`` to a box in the sample's units; None where there is none."""


def read_pubtabnet(path: Path) -> Iterator[Sample | Skipped]:
    """PubTabNet 2.0.0: ``PubTabNet_2.0.0.jsonl``, pictures in ``<split>/<filename>`` or beside the file.

    One object a line: ``filename, split, imgid, html: {structure: {tokens}, cells: [{tokens, bbox?}]}``,
    boxes in pixels, none on empty cells. The set's own readme calls the key ``cell``; a file that has it is
    refused. ``path`` is the file, its folder, or the folder of one split beside it, which reads that split
    alone. Source: https://github.com/ibm-aur-nlp/PubTabNet. ``docai synth table`` writes this layout.

    Raises:
        DatasetError: no such file, or its first line is of another layout.
    """
    split = None
    require_path(path, _EXPECTED)
    if path.is_dir() and not _lists(path) and len(_lists(path.parent)) == 1:
        split, path = path.name, path.parent
    file = one_file(path, _SUFFIXES, _EXPECTED)
    return _pictured_tables(file, split, lambda part: (file.parent / part, file.parent), four_numbers)


def read_synthtabnet(path: Path) -> Iterator[Sample | Skipped]:
    """SynthTabNet: one style's folder with a ``.jsonl`` file and ``images/<split>/<filename>``.

    As PubTabNet, with ``cell_id, is_header, span`` on cells and a fifth number in ``bbox``: 1 on an empty
    cell, 2 on a full one. The boxes of empty cells are left out, as PubTabNet has none. Version 2 has broken
    lines, which are skipped. Source: https://github.com/IBM/SynthTabNet.

    Raises:
        DatasetError: no such file, or its first line is of another layout.
    """
    file = one_file(path, _SUFFIXES, _EXPECTED_SYNTH)
    root = file.parent
    return _pictured_tables(
        file, None, lambda part: (root / "images" / part, root / part, root / "images", root), _full_box
    )


def _full_box(value: Any) -> BBox | None:
    is_empty = isinstance(value, list) and len(value) == 5 and value[4] == 1
    return None if is_empty else four_numbers(value)


def _lists(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.name.lower().endswith(_SUFFIXES)]


def _pictured_tables(
    file: Path, split: str | None, folders: Callable[[str], tuple[Path, ...]], box: BoxOf
) -> Iterator[Sample | Skipped]:
    places: dict[str, Sources] = {}
    is_first = True
    for entry in json_lines(file):
        if isinstance(entry, Skipped):
            yield entry
            continue
        if is_first:
            _require_layout(file, entry, is_pdf=False)
            is_first = False
        part = entry.value.get("split")
        part = part if isinstance(part, str) and part.isidentifier() else ""
        if split is not None and part != split:
            continue
        if part not in places:
            places[part] = Sources(*folders(part))
        name = entry.value.get("filename")
        if not isinstance(name, str) or not name:
            yield Skipped(f"line {entry.line}", "The line has no filename.")
            continue
        if name.lower().endswith(".pdf"):
            yield Skipped(name, "It is of a PDF, as in FinTabNet's layout.")
            continue
        try:
            item = html_item(entry.value.get("html"), box)
            yield Sample(id=name, truth=(item,), source=places[part].require(name))
        except MalformedError as error:
            yield Skipped(name, str(error))


def _require_layout(file: Path, entry: Entry, *, is_pdf: bool) -> None:
    """Raise unless the line's ``html`` has the key ``cells``, and its file is a PDF or is none.

    Raises:
        DatasetError: it has not; the message knows the readme's ``cell``.
    """
    html = entry.value.get("html")
    if not isinstance(html, dict) or "cells" not in html:
        if isinstance(html, dict) and "cell" in html:
            raise DatasetError(
                f"Line {entry.line} of {file} has the key 'cell', as the readme of PubTabNet says; the set's "
                "files have 'cells': rename the key."
            )
        raise DatasetError(
            f"Line {entry.line} of {file} has no html.cells; it is not in PubTabNet's form "
            f"(it has: {', '.join(list(entry.value)[:6]) or 'nothing'})."
        )
    name = str(entry.value.get("filename"))
    if name.lower().endswith(".pdf") != is_pdf:
        other = "pubtabnet or synthtabnet" if is_pdf else "fintabnet"
        raise DatasetError(f"Line {entry.line} of {file} is of {name}; read this file as {other}.")


def html_item(html: Any, box: BoxOf, *, bbox: BBox | None = None, page: int = 1) -> Item:
    """The truth of one table in PubTabNet's form, ``html`` being the value of that key.

    Raises:
        MalformedError: it is not in that form.
    """
    if not isinstance(html, dict) or not isinstance(html.get("structure"), dict):
        raise MalformedError("The table has no structure.")
    cells = html.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise MalformedError("The table has no list of cells.")
    contents = [read_cell(cell.get("tokens"), box(cell.get("bbox"))) for cell in cells]
    text, placed = fill_structure(html["structure"].get("tokens"), contents)
    return Item(kind="table", text=text, cells=placed, bbox=bbox, page=page)


def read_fintabnet(path: Path) -> Iterator[Sample | Skipped]:
    """FinTabNet 1.0.0: ``FinTabNet_1.0.0_cell_<split>.jsonl`` over one-page PDFs in ``pdf/<filename>``.

    As PubTabNet, with ``table_id`` and ``bbox`` on the table. All boxes are PDF points from the bottom left
    of the page's media box; they become points from the top left of the page as displayed. A sample is one
    table of its page. Without the PDFs the truth stands alone, without boxes. The frame is that of
    ``adjust_bbox_coordinates`` in https://github.com/microsoft/table-transformer, process_fintabnet.py.

    Raises:
        DatasetError: no such file, or its first line is of another layout.
    """
    return _fintabnet(one_file(path, _SUFFIXES, _EXPECTED_FINTABNET))


def _fintabnet(file: Path) -> Iterator[Sample | Skipped]:
    root = file.parent
    sources = Sources(root / "pdf", root, root.parent / "pdf", suffixes=frozenset({".pdf"}))
    is_first = True
    with Frames() as frames:
        for entry in json_lines(file):
            if isinstance(entry, Skipped):
                yield entry
                continue
            if is_first:
                _require_layout(file, entry, is_pdf=True)
                is_first = False
            number = entry.value.get("table_id")
            name = entry.value.get("filename")
            if not isinstance(name, str) or not isinstance(number, int | str):
                yield Skipped(f"line {entry.line}", "The line has no filename and table_id.")
                continue
            case = f"{name}#{number}"
            try:
                yield _pdf_table(case, entry.value, sources.require(name), frames)
            except MalformedError as error:
                yield Skipped(case, str(error))


def _pdf_table(case: str, value: dict[str, Any], source: Path | None, frames: Frames) -> Sample:
    if source is None:
        return Sample(id=case, truth=(html_item(value.get("html"), lambda _: None),))
    frame = frames.of(source, 1)
    place = four_numbers(value.get("bbox"))
    if place is None:
        raise MalformedError("The table has no box.")

    def displayed(raw: Any) -> BBox | None:
        numbers = four_numbers(raw)
        return None if numbers is None else frame.from_media_box(numbers)

    bbox = frame.from_media_box(place)
    item = html_item(value.get("html"), displayed, bbox=bbox)
    return Sample(id=case, truth=(item,), source=source, page=1, bbox=bbox)


def read_icdar2021_b(path: Path) -> Iterator[Sample | Skipped]:
    """ICDAR 2021 Task B: ``final_eval.json``, ``{filename: {html, type}}``, truth without pictures.

    Pictures are used where they lie beside the file or in a folder there. Source:
    https://github.com/ajjimeno/icdar-task-b.

    Raises:
        DatasetError: no such file, or it is of another layout.
    """
    return _html_by_name(one_file(path, ("final_eval.json",), _EXPECTED_PAIRS))


def read_teds_pairs(path: Path) -> Iterator[Sample | Skipped]:
    """The pairs that PubTabNet's TEDS comes with: ``sample_gt.json``, ``{filename: {html, type, …}}``.

    Truth without pictures. Source: https://github.com/ibm-aur-nlp/PubTabNet, folder ``src``.

    Raises:
        DatasetError: no such file, or it is of another layout.
    """
    if path.is_file():
        return _html_by_name(one_file(path, (".json",), _EXPECTED_PAIRS))
    return _html_by_name(one_file(path, ("gt.json",), _EXPECTED_PAIRS))


def _html_by_name(file: Path) -> Iterator[Sample | Skipped]:
    content = load_json(file, _EXPECTED_PAIRS)
    if not isinstance(content, dict):
        raise DatasetError(f"{file} holds no JSON object; expected {_EXPECTED_PAIRS}.")
    sources = Sources(file.parent, file.parent / file.stem)
    for name, value in content.items():
        html = value.get("html") if isinstance(value, dict) else None
        if not isinstance(html, str) or "<table" not in html:
            yield Skipped(name, "The entry has no html with a table.")
            continue
        text = html if "<body" in html else wrap(html)
        yield Sample(id=name, truth=(Item(kind="table", text=text),), source=sources.find(name))


def _crop(name: str, read: Any, summary: str, protocol: str | None = None) -> Format:
    return Format(
        name=name,
        read=read,
        unit="crop",
        kinds=("table",),
        tasks=("table",),
        summary=summary,
        protocol=protocol,
    )


FORMATS = (
    _crop(
        "pubtabnet",
        read_pubtabnet,
        "PubTabNet 2.0.0: a .jsonl file with html.cells, and pictures",
        "pubtabnet",
    ),
    _crop("synthtabnet", read_synthtabnet, "one style of SynthTabNet: a .jsonl file, and images/<split>"),
    _crop("fintabnet", read_fintabnet, "FinTabNet 1.0.0: a .jsonl file over PDFs in pdf/", "fintabnet"),
    _crop("icdar2021-b", read_icdar2021_b, "ICDAR 2021 Task B: final_eval.json"),
    _crop("teds-pairs", read_teds_pairs, "the truth of PubTabNet's own example pairs: sample_gt.json"),
)
