"""Words of a picture, read by the program ``tesseract`` (Debian package ``tesseract-ocr``).

Its output is the table that it calls TSV: https://tesseract-ocr.github.io/tessdoc/Command-Line-Usage.html.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external import programs
from docai.pipelines.external.programs import ReaderError

PROGRAM: Final = "tesseract"

LANGUAGE: Final = "eng"

DATA_VARIABLE: Final = "TESSDATA_PREFIX"
"""The environment variable by which Tesseract is told where its data is."""

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

DPI = 300
"""That Tesseract is told: about that of print whose letters have that height."""

_ONE_BLOCK = 6
"""Page segmentation mode (``--psm``) that takes the picture for one block of text. Left to find blocks,
Tesseract was seen to lose a third of the cells of tables, and one word in a hundred of paragraphs."""

OTSU = 0
"""Thresholding with one threshold for the whole picture, which is Tesseract's default."""

SAUVOLA = 2
"""Thresholding by the surroundings of each pixel: reads text on a gray ground beside white paper."""

_LIST_SECONDS = 60.0

_WORD_LEVEL = "5"
"""Of the lines of the output: 1 is a page, 2 a block, 3 a paragraph, 4 a line."""


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
    if reason := programs.missing(program, "tesseract-ocr"):
        return reason
    if LANGUAGE not in _languages(programs.find(program), os.environ.get(DATA_VARIABLE)):
        return (
            f"Tesseract's data {LANGUAGE}.traineddata is not found: install tesseract-ocr-{LANGUAGE}, or "
            f"name its folder in {DATA_VARIABLE}."
        )
    return None


def read_words(
    gray: NDArray[np.uint8],
    *,
    thresholding: int = OTSU,
    seconds: float = SECONDS,
    program: str = PROGRAM,
) -> list[OcrWord]:
    """The words of a gray picture ``(H, W)``, black on white, in Tesseract's reading order.

    Args:
        thresholding: :data:`OTSU` or :data:`SAUVOLA`.

    Raises:
        ReaderError: Tesseract is not installed, failed, crashed, or took longer than ``seconds``.
    """
    from PIL import Image

    path = programs.find(program)
    with tempfile.TemporaryDirectory(prefix="docai-") as folder:
        file = Path(folder) / "region.png"
        Image.fromarray(gray).save(file, compress_level=1)
        options = ["-l", LANGUAGE, "--psm", str(_ONE_BLOCK), "--dpi", str(DPI)]
        if thresholding != OTSU:
            options += ["-c", f"thresholding_method={thresholding}"]
        output = programs.run(
            [path, file, "stdout", *options, "tsv"], seconds=seconds, max_bytes=MAX_OUTPUT_BYTES
        )
    text = io.StringIO(output.decode("utf-8", "replace"))
    return [
        _word(row)
        for row in csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        if row["level"] == _WORD_LEVEL and (row.get("text") or "").strip()
    ]


def scale_letters(gray: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture with letters :data:`LETTER_HEIGHT_PX` high, and its pixels per pixel of ``gray``."""
    import cv2

    most = min(MAX_SCALE, (MAX_PIXELS / max(1, gray.size)) ** 0.5)
    scale = min(max(LETTER_HEIGHT_PX / letter_height(gray), 0.25), most)
    way = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    scaled = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=way)
    return np.asarray(scaled, dtype=np.uint8).copy(), scale


def letter_height(gray: NDArray[np.uint8]) -> float:
    """Median height, in pixels, of the parts of the ink that may be letters; 20 where there are none."""
    import cv2

    from docai.pipelines.pixels import parts_of

    _, ink = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    parts = parts_of(ink)
    may_be_letter = (parts.heights >= 3) & (parts.heights <= max(60, gray.shape[0] // 8)) & (parts.areas >= 4)
    return parts.median_height(may_be_letter) or 20.0


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
def _languages(path: str, data: str | None) -> frozenset[str]:
    """The languages that the program finds data of; ``data`` is that variable of the environment."""
    try:
        output = programs.run([path, "--list-langs"], seconds=_LIST_SECONDS, max_bytes=1 << 16)
    except ReaderError:
        return frozenset()
    return frozenset(output.decode("utf-8", "replace").splitlines()[1:])
