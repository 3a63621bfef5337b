"""Total-Text: curved words as polygons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.base import Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    files_below,
    nothing_found,
    read_text,
    require_folder,
)
from docai.pipelines.evaluation.datasets.icdar_text import beside, pictures_by_stem, spotted

DONT_CARE = "#"
_EXPECTED = "poly_gt_NAME.txt (or .mat) files of Total-Text"
_GT = re.compile(r"(?:poly_)?gt_(.+)\.(txt|mat)", re.IGNORECASE)
# A text may hold any bracket: a record ends where the next one, or the file, begins.
_RECORD = re.compile(
    r"\s*x:\s*\[\[([^\[\]]*)\]\]\s*,\s*y:\s*\[\[([^\[\]]*)\]\]\s*,\s*ornt:\s*\[([^\[\]]*)\]\s*,"
    r"\s*transcriptions:\s*\[(.*?)\]\s*(?=x:\s*\[\[|\Z)",
    re.DOTALL,
)
_BROKEN = "A record of its truth is not as the format says."


def read_total_text(path: Path) -> Iterator[Sample | Skipped]:
    """Total-Text: ``poly_gt_NAME.txt`` (or ``.mat``) and the picture ``NAME.jpg`` in one tree.

    A record a word, which may go over several lines: ``x: [[259 313 …]], y: [[542 …]], ornt: [u'c'],
    transcriptions: [u'PAUL']``, in pixels. ``#`` is don't-care; polygons are kept as drawn, also those that
    cross themselves. ``.mat`` needs SciPy, and is read where there is no text file. Source:
    https://github.com/cs-chan/Total-Text-Dataset.

    Raises:
        DatasetError: no such files.
        MissingDependencyError: there are only ``.mat`` files, and no SciPy.
    """
    require_folder(path, f"a folder with {_EXPECTED}")
    files = files_below(path)
    truths = [(match[1], file) for file in files if (match := _GT.fullmatch(file.name))]
    texts = [(stem, file) for stem, file in truths if file.suffix.lower() == ".txt"]
    if not truths:
        raise nothing_found(path, _EXPECTED)
    if not texts:
        _require_scipy()
    return _pictures(texts or truths, pictures_by_stem(files))


def _require_scipy() -> None:
    from importlib.util import find_spec

    if find_spec("scipy") is None:
        raise MissingDependencyError(
            "Reading Total-Text's .mat files needs the package scipy: pip install 'docai[eval]', "
            "or give the .txt files."
        )


def _pictures(truths: list[tuple[str, Path]], pictures: dict[str, list[Path]]) -> Iterator[Sample | Skipped]:
    for stem, file in truths:
        try:
            words = _mat_words(file) if file.suffix.lower() == ".mat" else text_words(read_text(file))
            yield spotted(stem, words, beside(file, stem, pictures))
        except OSError:
            yield Skipped(stem, "Its truth cannot be read.")
        except MalformedError as error:
            yield Skipped(stem, str(error))


def text_words(text: str) -> list[SpottedWord]:
    """The words of one text file.

    Raises:
        MalformedError: something is not a record, or a record has no polygon.
    """
    words = []
    end = 0
    for match in _RECORD.finditer(text):
        if text[end : match.start()].strip():
            raise MalformedError(_BROKEN)
        end = match.end()
        xs, ys, _, literal = match.groups()
        words.append(_word(_numbers(xs), _numbers(ys), _text(literal)))
    if text[end:].strip():
        raise MalformedError(_BROKEN)
    return words


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.replace(",", " ").split()]
    except ValueError:
        raise MalformedError(_BROKEN) from None


def _text(literal: str) -> str:
    """The content of ``u'PAUL'``, as Python 2 printed it; an empty list is an empty text."""
    literal = literal.strip()
    if not literal:
        return ""
    try:
        value = ast.literal_eval(literal.replace("\n", " "))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        # Some texts hold their own quote, unescaped.
        match = re.fullmatch(r"u?(['\"])(.*)\1", literal, re.DOTALL)
        if match is None:
            raise MalformedError(_BROKEN) from None
        return match[2]
    if not isinstance(value, str):
        raise MalformedError(_BROKEN)
    return value


def _word(xs: list[float], ys: list[float], text: str) -> SpottedWord:
    if len(xs) != len(ys) or len(xs) < 3:
        raise MalformedError("A polygon has too few corners, or not as many x as y.")
    return SpottedWord(text=text, polygon=list(zip(xs, ys, strict=True)), ignore=text in ("", DONT_CARE))


def _mat_words(file: Path) -> list[SpottedWord]:
    """The words of one MATLAB file: rows of ``x:, xs, y:, ys, text, orientation``."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(file)
    except (MatReadError, ValueError, TypeError, NotImplementedError) as error:
        raise MalformedError("Its truth cannot be read.") from error
    rows = next((value for key, value in content.items() if key in ("polygt", "gt")), None)
    if rows is None or rows.ndim != 2 or (len(rows) and rows.shape[1] < 5):
        raise MalformedError(_BROKEN)
    return [_mat_word(row) for row in rows]


def _mat_word(row: Any) -> SpottedWord:
    import numpy as np

    try:
        xs, ys = (np.ravel(row[index]).astype(float).tolist() for index in (1, 3))
    except (ValueError, TypeError):
        raise MalformedError(_BROKEN) from None
    transcription = np.ravel(row[4])
    return _word(xs, ys, str(transcription[0]) if transcription.size else "")


FORMATS = (
    Format(
        name="total-text",
        read=read_total_text,
        unit="crop",
        kinds=("text",),
        tasks=("text-hiertext", "text-rrc"),
        summary="Total-Text: poly_gt_NAME.txt and NAME.jpg",
        protocol="total-text",
    ),
)
