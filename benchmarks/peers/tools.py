"""The tools themselves. Nothing of docai is imported here, and a tool's own packages only when it is opened.

Boxes come out as docai writes them: points of the displayed page for a PDF, pixels for an image, origin top
left. A tool keeps its own defaults unless a comment says why not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import grid
from grid import Box, Item

POINTS = 72.0
RULE_MARGIN = 6.0
"""Points by which a region is given larger to a tool that cuts the page to it: the boxes of tables are often
those of their words, and the rules around them tell such a tool where a table is."""
OCR_DPI = 300  # of the pages of a PDF, for a tool that reads images


class UnavailableError(Exception):
    """The tool is not installed; the message says what is missing."""


@dataclass(frozen=True)
class Request:
    """What is to be read: a whole file, one page, or one region of a page."""

    source: str
    kind: str
    unit: str = "page"
    page: int | None = None
    bbox: Box | None = None
    password: str | None = None


class Reader(Protocol):
    version: str

    def read(self, request: Request) -> list[Item]: ...


def _packages(*names: str) -> str:
    """Versions of installed packages, the first one alone in front.

    Raises:
        UnavailableError: one is not installed.
    """
    try:
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        raise UnavailableError(f"the package {names[0]} is not installed (make peers-env)") from None


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"the program {name} is not installed (Debian package {package})")
    return path


def _run(*command: str) -> str:
    """Standard output. Raises RuntimeError with the end of standard error where the program fails."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else ""
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {last}")
    return done.stdout.decode("utf-8", "replace")


class Osra:
    """OSRA. Each line it prints is one structure: SMILES and the box it was found in."""

    _shared = Path("/usr/share/osra")
    _line = re.compile(r"^(\S+)\s+(-?\d+)x(-?\d+)-(-?\d+)x(-?\d+)")

    def __init__(self) -> None:
        self._program = _program("osra", "osra")
        output = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=False)
        self.version = output.stdout.strip().rpartition(" ")[2]
        dictionaries = (("-l", self._shared / "spelling.txt"), ("-a", self._shared / "superatom.txt"))
        self._options = [word for flag, path in dictionaries if path.is_file() for word in (flag, str(path))]

    def read(self, request: Request) -> list[Item]:
        output = _run(self._program, "-f", "can", "-c", *self._options, request.source)
        matches = [match for match in map(self._line.match, output.splitlines()) if match]
        if request.unit == "crop":
            # One picture is one answer: structures found beside each other are its fragments.
            smiles = ".".join(match[1] for match in matches)
            return [{"kind": "molecule", "text": smiles}] if smiles else []
        return [
            {
                "kind": "molecule",
                "text": match[1],
                "bbox": [float(match[place]) for place in (2, 3, 4, 5)],
            }
            for match in matches
        ]


class Tesseract:
    """Tesseract's words with their boxes. Street photos are read as sparse text, since there is no page."""

    def __init__(self) -> None:
        self._program = _program("tesseract", "tesseract-ocr")
        self.version = _run(self._program, "--version").split()[1]

    def read(self, request: Request) -> list[Item]:
        if not request.source.lower().endswith(".pdf"):
            return [self._item(request.source, 1, 1.0, "11" if request.unit == "crop" else "3")]
        with tempfile.TemporaryDirectory() as folder:
            return [
                self._item(str(image), number, POINTS / OCR_DPI, "3")
                for number, image in _render_pages(request, Path(folder))
            ]

    def _item(self, image: str, page: int, scale: float, mode: str) -> Item:
        lines: dict[tuple[str, ...], list[str]] = {}
        words = []
        output = _run(self._program, image, "stdout", "--psm", mode, "tsv")
        for row in output.splitlines()[1:]:
            # level, page, block, paragraph, line, word, left, top, width, height, confidence, text
            fields = row.split("\t", 11)
            if len(fields) < 12 or fields[0] != "5" or not fields[11].strip():
                continue
            left, top, width, height = (float(value) * scale for value in fields[6:10])
            x1, y1 = left + width, top + height
            words.append(
                {
                    "text": fields[11].strip(),
                    "polygon": [[left, top], [x1, top], [x1, y1], [left, y1]],
                    "confidence": min(1.0, max(0.0, float(fields[10]) / 100)),
                }
            )
            lines.setdefault(tuple(fields[1:5]), []).append(fields[11].strip())
        text = "\n".join(" ".join(line) for line in lines.values())
        return {"kind": "text", "text": text, "page": page, "words": words}


def _render_pages(request: Request, folder: Path) -> Iterator[tuple[int, Path]]:
    """Page numbers and pictures of the pages that are asked for."""
    try:
        import pymupdf
    except ModuleNotFoundError:
        raise RuntimeError("a PDF has to be drawn for this tool, and pymupdf is not installed") from None

    with _mupdf(request) as document:
        for number in _wanted(request, document.page_count):
            path = folder / f"{number}.png"
            document[number - 1].get_pixmap(dpi=OCR_DPI, colorspace=pymupdf.csRGB).save(path)
            yield number, path


def _wanted(request: Request, n_pages: int) -> Iterable[int]:
    return [request.page] if request.page else range(1, n_pages + 1)


def _mupdf(request: Request) -> Any:
    import pymupdf

    document = pymupdf.open(request.source)
    if document.needs_pass and not document.authenticate(request.password or ""):
        raise RuntimeError("the password does not open the document")
    return document


def _widened(box: Box) -> Box:
    return (box[0] - RULE_MARGIN, box[1] - RULE_MARGIN, box[2] + RULE_MARGIN, box[3] + RULE_MARGIN)


class PyMuPDF:
    """``Page.find_tables`` with its defaults, which use PyMuPDF's layout model; ``Page.get_text``."""

    def __init__(self, **options: Any) -> None:
        self.version = _packages("pymupdf")
        import pymupdf

        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        self._options = options

    def read(self, request: Request) -> list[Item]:
        with _mupdf(request) as document:
            numbers = _wanted(request, document.page_count)
            if request.kind == "text":
                return [
                    {"kind": "text", "page": number, "text": document[number - 1].get_text()}
                    for number in numbers
                ]
            return [
                item for number in numbers for item in self._tables(document[number - 1], number, request)
            ]

    def _tables(self, page: Any, number: int, request: Request) -> Iterator[Item]:
        clip = {} if request.bbox is None else {"clip": _widened(request.bbox)}
        for table in page.find_tables(**clip, **self._options).tables:
            boxes = [
                (tuple(box), text)
                for row, texts in zip(table.rows, table.extract(), strict=True)
                for box, text in zip(row.cells, texts, strict=True)
                if box is not None
            ]
            if boxes:
                yield grid.table(grid.from_boxes(boxes), number, tuple(table.bbox))


class PdfPlumber:
    """``Page.find_tables`` and ``Page.extract_text``."""

    def __init__(self) -> None:
        self.version = _packages("pdfplumber")
        import pdfplumber

        self._open = pdfplumber.open

    def read(self, request: Request) -> list[Item]:
        items: list[Item] = []
        with self._open(request.source, password=request.password) as document:
            for number in _wanted(request, len(document.pages)):
                page = document.pages[number - 1]
                if request.kind == "text":
                    items.append({"kind": "text", "page": number, "text": page.extract_text()})
                else:
                    items += self._tables(page, number, request.bbox)
                page.close()
        return items

    def _tables(self, page: Any, number: int, area: Box | None) -> Iterator[Item]:
        # Its boxes are those of the media box; the crop box is what is displayed.
        dx, dy = _cut_off(page.rotation, page.page_obj.mediabox, page.page_obj.cropbox)
        if area is not None:
            x0, y0, x1, y1 = _widened(area)
            left, top, right, bottom = page.bbox
            page = page.crop(
                (max(left, x0 + dx), max(top, y0 + dy), min(right, x1 + dx), min(bottom, y1 + dy))
            )
        for table in page.find_tables():
            boxes = [
                ((box[0] - dx, box[1] - dy, box[2] - dx, box[3] - dy), text)
                for row, texts in zip(table.rows, table.extract(), strict=True)
                for box, text in zip(row.cells, texts, strict=True)
                if box is not None
            ]
            if boxes:
                x0, y0, x1, y1 = table.bbox
                yield grid.table(grid.from_boxes(boxes), number, (x0 - dx, y0 - dy, x1 - dx, y1 - dy))


def _cut_off(rotation: int, media: Box, crop: Box) -> tuple[float, float]:
    """What the crop box takes away at the left and at the top of a page as displayed. The boxes are those
    of the file: before the rotation, from the bottom."""
    left, bottom = crop[0] - media[0], crop[1] - media[1]
    right, top = media[2] - crop[2], media[3] - crop[3]
    return {90: (bottom, left), 180: (right, bottom), 270: (top, right)}.get(rotation, (left, top))


class Camelot:
    """One flavor of ``camelot.read_pdf``. To it the media box is the page, so its boxes on a page with a
    smaller crop box are off by the difference."""

    _region_option: Mapping[str, str] = MappingProxyType(
        # Lattice finds the rules of a region, and next to nothing when told that the words' box is the table.
        {"stream": "table_areas", "lattice": "table_regions"}
    )

    def __init__(self, flavor: str) -> None:
        self.version = _packages("camelot-py")
        import camelot

        self._read_pdf = camelot.read_pdf
        self._flavor = flavor

    def read(self, request: Request) -> list[Item]:
        import playa

        options: dict[str, Any] = {}
        if request.bbox is not None:
            with playa.open(request.source, password=request.password or "", space="page") as document:
                height = document.pages[(request.page or 1) - 1].height
            x0, y0, x1, y1 = request.bbox
            options[self._region_option[self._flavor]] = [f"{x0},{height - y0},{x1},{height - y1}"]
        tables = self._read_pdf(
            request.source,
            pages=str(request.page or "all"),
            password=request.password,
            flavor=self._flavor,
            suppress_stdout=True,
            **options,
        )
        return [self._item(table) for table in tables]

    def _item(self, table: Any) -> Item:
        upright = _upright(table.rotation, *table.pdf_size)
        cells = grid.from_borders(
            [[cell.text for cell in row] for row in table.cells],
            [[upright(cell.x1, cell.y1, cell.x2, cell.y2) for cell in row] for row in table.cells],
            [[not cell.right for cell in row] for row in table.cells],
            [[not cell.bottom for cell in row] for row in table.cells],
        )
        return grid.table(cells, table.page, upright(*table._bbox))


def _upright(rotation: str, width: float, height: float) -> Callable[[float, float, float, float], Box]:
    """From the page as camelot turned it (its size given; origin bottom left) to the page as displayed."""

    def box(x0: float, y0: float, x1: float, y1: float) -> Box:
        if rotation == "clockwise":
            return (y0, x0, y1, x1)
        if rotation == "anticlockwise":
            return (height - y1, width - x1, height - y0, width - x0)
        return (x0, height - y1, x1, height - y0)

    return box


class Img2Table:
    """img2table with Tesseract for images and with a PDF's own text. Tables without rules are asked for,
    which is not the default but what most of these tables are."""

    _enlargement = 3
    """Of pictures: letters of the table pictures here are 8 px high, and Tesseract wants 20 and more."""
    _pdf_dpi = 200
    """At which it draws the pages of a PDF, in whose pixels its boxes are."""

    def __init__(self) -> None:
        self.version = _packages("img2table")
        from img2table.document import PDF, Image
        from img2table.ocr import TesseractOCR

        _program("tesseract", "tesseract-ocr")
        self._pdf, self._image, self._ocr = PDF, Image, TesseractOCR(n_threads=1, lang="eng")

    def read(self, request: Request) -> list[Item]:
        if request.source.lower().endswith(".pdf"):
            pages = None if request.page is None else [request.page - 1]
            by_page = self._pdf(request.source, pages=pages).extract_tables(borderless_tables=True)
            scale = POINTS / self._pdf_dpi
            return [
                self._item(table, page + 1, scale) for page, tables in by_page.items() for table in tables
            ]
        picture = self._image(_enlarged(request.source, self._enlargement))
        tables = picture.extract_tables(ocr=self._ocr, borderless_tables=True)
        return [self._item(table, 1, 1 / self._enlargement) for table in tables]

    def _item(self, table: Any, page: int, scale: float) -> Item:
        # A cell that spans positions is given once for each of them.
        boxes: dict[Box, str | None] = {}
        for row in table.content.values():
            for cell in row:
                boxes[_scaled(cell.bbox, scale)] = cell.value
        return grid.table(grid.from_boxes(list(boxes.items())), page, _scaled(table.bbox, scale))


def _enlarged(path: str, times: int) -> bytes:
    """A picture as PNG."""
    import cv2

    picture = cv2.imread(path)
    if picture is None:
        raise RuntimeError("the picture cannot be decoded")
    larger = cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".png", larger)[1])


def _scaled(bbox: Any, scale: float) -> Box:
    return (bbox.x1 * scale, bbox.y1 * scale, bbox.x2 * scale, bbox.y2 * scale)


def _docai() -> Reader:
    import own

    return own.Docai()


TOOLS: dict[str, Callable[[], Reader]] = {
    "osra": Osra,
    "tesseract": Tesseract,
    "camelot-stream": lambda: Camelot("stream"),
    "camelot-lattice": lambda: Camelot("lattice"),
    "pdfplumber": PdfPlumber,
    "pymupdf": PyMuPDF,
    "pymupdf-lines": lambda: PyMuPDF(use_layout=False),
    "img2table": Img2Table,
    "docai": _docai,
}


def open_tool(name: str) -> Reader:
    """Raises UnavailableError where it is not installed."""
    return TOOLS[name]()
