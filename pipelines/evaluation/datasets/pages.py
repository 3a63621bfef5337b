"""Whole documents: PDFs whose own words are the truth, and docai's own pages with a truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docai.contents import Cell
from docai.errors import (
    DatasetError,
    EncryptedSourceError,
    InputError,
    LimitError,
    PasswordRequiredError,
    SourceNotFoundError,
    WrongPasswordError,
)
from docai.geometry import BBox
from docai.pipelines.evaluation.base import Item, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    files_below,
    four_numbers,
    is_picture,
    load_json,
    nothing_found,
    read_text,
    require_folder,
    require_path,
)
from docai.pipelines.evaluation.datasets.table_html import table_from_cells, wrap
from docai.records import Kind

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page, PageWord
    from docai.pipelines.synthesis.pages import SyntheticPage

PASSWORDS_FILE = "passwords.txt"
_TRUTH = ".truth.json"
_EXPECTED = f"NAME{_TRUTH} files beside NAME.pdf or NAME.png"
_KINDS: tuple[Kind, ...] = ("table", "molecule", "score", "text", "figure")


class _Listed(NamedTuple):
    case: str
    path: Path
    password: str | None


def read_pdf_text(path: Path) -> Iterator[Sample | Skipped]:
    """Any PDFs: a folder or tree, one file, or a list of files; the truth is their own text layer.

    One item for each page with words, in the file's own order: the text, and the words with boxes in points
    as displayed. Words off the page, and copies drawn over one another, are left out. Passwords stand in
    ``passwords.txt`` in the folder, ``NAME<TAB>PASSWORD`` a line. A list is a ``.txt`` file with
    ``FILE`` or ``FILE<TAB>PASSWORD`` a line, relative to it. A PDF that is encrypted, damaged or without
    words is skipped.

    Raises:
        DatasetError: no PDF, or a line of the passwords or the list is broken.
    """
    expected = "PDF files, or a .txt list of them"
    require_path(path, expected)
    if path.is_file() and path.suffix.lower() == ".txt":
        named = _two_columns(path)
        return _text_layers([_Listed(name, path.parent / name, password) for name, password in named])
    if path.is_file():
        files = [path] if path.suffix.lower() == ".pdf" else []
        root, passwords = path.parent, {}
    else:
        files = [file for file in files_below(path) if file.suffix.lower() == ".pdf"]
        root, passwords = path, _passwords(path / PASSWORDS_FILE)
    if not files:
        raise nothing_found(path, expected)
    listed = []
    for file in files:
        case = file.relative_to(root).as_posix()
        listed.append(_Listed(case, file, passwords.get(case) or passwords.get(file.name)))
    return _text_layers(listed)


def _passwords(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    passwords = {}
    for name, password in _two_columns(file):
        if password is None:
            raise DatasetError(f"The line of {name} in {file} is not NAME<TAB>PASSWORD.")
        passwords[name] = password
    return passwords


def _two_columns(file: Path) -> list[tuple[str, str | None]]:
    try:
        lines = read_text(file).split("\n")
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
    columns = [line.partition("\t") for line in lines if line.strip()]
    return [(name, password if tab else None) for name, tab, password in columns]


def _text_layers(listed: Iterable[_Listed]) -> Iterator[Sample | Skipped]:
    for case, file, password in listed:
        try:
            items = _text_layer(file, password)
        except InputError as error:
            yield Skipped(case, _reason(error))
            continue
        if not items:
            yield Skipped(case, "It has no text layer.")
            continue
        yield Sample(id=case, truth=tuple(items), unit="page", source=file, password=password)


def _reason(error: InputError) -> str:
    if isinstance(error, PasswordRequiredError):
        return f"It is encrypted, and {PASSWORDS_FILE} has no password for it."
    if isinstance(error, WrongPasswordError):
        return "It is encrypted, and its password is wrong."
    if isinstance(error, EncryptedSourceError):
        return "It is encrypted in a way that no password opens."
    if isinstance(error, SourceNotFoundError):
        return "There is no such file."
    return "It is larger than the limits." if isinstance(error, LimitError) else "It cannot be read."


def _text_layer(file: Path, password: str | None) -> list[Item]:
    from docai.pipelines.ingest import open_source

    items = []
    with open_source(file, password=password) as source:
        for page in source.pages():
            item = _page_item(page)
            if item is not None:
                items.append(item)
            page.release()
    return items


def _page_item(page: Page) -> Item | None:
    words = page.words()
    if not words:
        return None
    lines = [" ".join(word.text for word in line) for _, line in groupby(words, _line_of)]
    spotted = [SpottedWord(text=word.text, polygon=_corners(word.bbox)) for word in words]
    return Item(kind="text", text="\n".join(lines), page=page.number, words=spotted)


def _line_of(word: PageWord) -> tuple[int, int]:
    return word.block, word.line


def _corners(box: BBox) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def read_docai_regions(path: Path) -> Iterator[Sample | Skipped]:
    """docai's own pages, where their regions are: ``NAME.pdf`` (or a picture) and ``NAME.truth.json``.

    ``{"pages": [[{"kind", "bbox", …}, …], …]}``: for each page its regions in reading order, ``kind`` being
    table, molecule, score, text or figure and ``bbox`` x0, y0, x1, y1 in points of the page as displayed
    (pixels of a picture). The content is optional here: see :func:`read_docai_content`.
    :func:`write_pages` writes this layout.

    Raises:
        DatasetError: no such files.
    """
    return _documents(path, needs_box=True)


def read_docai_content(path: Path) -> Iterator[Sample | Skipped]:
    """docai's own pages, what is on them: the files of :func:`read_docai_regions`, boxes being optional.

    A region's content is under ``html`` or ``rows`` (a list of rows of texts) of a table, ``smiles`` of a
    molecule, ``kern`` of a score, ``text`` or ``paragraphs`` (a list) of text; a figure has none. So is
    ``samples/report.truth.json``.

    Raises:
        DatasetError: no such files.
    """
    return _documents(path, needs_box=False)


def _documents(path: Path, *, needs_box: bool) -> Iterator[Sample | Skipped]:
    require_folder(path, f"a folder with {_EXPECTED}")
    files = files_below(path)
    truths = [file for file in files if file.name.endswith(_TRUTH)]
    if not truths:
        raise nothing_found(path, _EXPECTED)
    sources: dict[Path, list[Path]] = {}
    for file in files:
        if file.suffix.lower() == ".pdf" or is_picture(file):
            sources.setdefault(file.with_suffix(""), []).append(file)
    return _truths(path, truths, sources, needs_box)


def _truths(
    root: Path, truths: list[Path], sources: Mapping[Path, list[Path]], needs_box: bool
) -> Iterator[Sample | Skipped]:
    for file in truths:
        stem = file.with_name(file.name.removesuffix(_TRUTH))
        case = stem.relative_to(root).as_posix()
        candidates = sources.get(stem, [])
        if len(candidates) != 1:
            yield Skipped(case, "Several files have its name." if candidates else Sources.MISSING)
            continue
        try:
            items = list(_items(load_json(file, "regions of pages"), needs_box))
            yield Sample(id=case, truth=tuple(items), unit="page", source=candidates[0])
        except DatasetError:
            yield Skipped(case, "Its truth is not JSON.")
        except MalformedError as error:
            yield Skipped(case, str(error))


def _items(content: Any, needs_box: bool) -> Iterator[Item]:
    pages = content.get("pages") if isinstance(content, dict) else None
    if not isinstance(pages, list) or not all(isinstance(page, list) for page in pages):
        raise MalformedError("Its truth has no list of pages.")
    for number, page in enumerate(pages, 1):
        for region in page:
            if not isinstance(region, dict) or region.get("kind") not in _KINDS:
                raise MalformedError("A region of its truth has no known kind.")
            kind: Kind = region["kind"]
            bbox = four_numbers(region.get("bbox"))
            if needs_box and bbox is None:
                raise MalformedError("A region of its truth has no box.")
            text = _content(kind, region)
            if not needs_box and not text and kind != "figure":
                raise MalformedError("A region of its truth has no content.")
            yield Item(kind=kind, text=text, page=number, bbox=bbox)


def _content(kind: Kind, region: Mapping[str, Any]) -> str:
    if kind == "table":
        rows = region.get("rows")
        if isinstance(rows, list):
            return _rows_html(rows)
        html = _string(region, "html")
        return wrap(html) if html and "<body" not in html else html
    if kind == "text" and isinstance(region.get("paragraphs"), list):
        return "\n".join(str(paragraph) for paragraph in region["paragraphs"])
    return _string(region, {"molecule": "smiles", "score": "kern", "text": "text"}.get(kind, ""))


def _string(region: Mapping[str, Any], key: str) -> str:
    value = region.get(key, "")
    if not isinstance(value, str):
        raise MalformedError("A content of its truth is not text.")
    return value


def _rows_html(rows: list[Any]) -> str:
    cells = []
    for row, texts in enumerate(rows):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise MalformedError("A content of its truth is not text.")
        cells += [
            Cell(row=row, col=col, text=text, is_header=row == 0 and len(rows) > 1)
            for col, text in enumerate(texts)
        ]
    return table_from_cells(cells)[0]


def write_pages(folder: Path, pages: Iterable[SyntheticPage]) -> int:
    """Write synthetic pages in the layout of :func:`read_docai_regions`; how many there were.

    Raises ``OSError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for page in pages:
        stem = f"page_{page.seed:06d}"
        regions = [{"kind": region.kind, "bbox": list(region.bbox)} for region in page.truth]
        (folder / f"{stem}.pdf").write_bytes(page.pdf)
        (folder / f"{stem}{_TRUTH}").write_text(json.dumps({"pages": [regions]}) + "\n", encoding="utf-8")
        count += 1
    return count


FORMATS = (
    Format(
        name="pdf-text",
        read=read_pdf_text,
        unit="page",
        kinds=("text",),
        tasks=("words",),
        summary="any PDFs: their own text layer is the truth",
    ),
    Format(
        name="docai-regions",
        read=read_docai_regions,
        unit="page",
        kinds=_KINDS,
        tasks=("regions",),
        summary="docai's own pages with boxes: NAME.pdf and NAME.truth.json",
    ),
    Format(
        name="docai-content",
        read=read_docai_content,
        unit="page",
        kinds=("table", "molecule", "score", "text"),
        tasks=("table", "molecule", "score", "words"),
        summary="docai's own pages with content: NAME.pdf and NAME.truth.json",
    ),
)
