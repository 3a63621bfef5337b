"""Tesseract, through PyMuPDF, as a second reader of text on scans."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docai.contents import TextContent
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.external.ocr_worker import PROCESSES, OcrError
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import lines_from_words
from docai.records import Evidence

SECONDS = 60.0
"""For one region, and the start of the process that reads it. A whole page of print takes about five."""

LANGUAGE = "eng"

TESSDATA = "TESSDATA_PREFIX"
"""The environment variable by which Tesseract itself is told where its data is."""

CLEAR = 0.9
"""Share of characters in regular words from which a text is what Tesseract can read. Of English print it was
seen to be 0.9 to 1; of photographs, of pages on their side and of other scripts, out of which it makes Latin
letters all the same, 0.2 to 0.85. Short texts of codes and numbers may fall below: they decide nothing."""

_REGULAR = re.compile(
    r"""[("'\[“‘«]*
    (?:[A-Z]?[a-z]+(?:['’-][A-Za-z]+)*|[A-Z]{2,}(?:['’]?s)?(?:-[A-Z]+)*|[$€£#]?\d+(?:[.,:/%-]*\d+)*%?)
    [.,;:!?)"'\]”’»]*""",
    re.VERBOSE,
)
"""A word in one case, capitalised or not, or a number, with punctuation around it."""

_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/opt/local/share/tessdata",
)


class Tesseract:
    """Reads English print. PyMuPDF has Tesseract built in; what has to be installed is its data."""

    name: Final[Evidence] = "tesseract"
    kinds: Final[frozenset[str]] = frozenset(("text",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = True

    def __init__(self, *, tessdata: Path | None = None, seconds: float = SECONDS) -> None:
        self._tessdata = tessdata
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        if self._data() is None:
            return (
                f"Tesseract's data {LANGUAGE}.traineddata is not found: install tesseract-ocr, or name its "
                f"folder in {TESSDATA}."
            )
        return None

    def read(self, region: ReaderInput) -> Reading:
        """Its words as lines with boxes, in its reading order. It tells nothing of how sure it is."""
        data = self._data()
        if data is None:
            raise ReaderError("its data is gone")
        picture = region.picture
        image = picture.image
        try:
            found = PROCESSES.read(
                image.tobytes(),
                *image.size,
                max(1, round(72 * picture.scale)),
                tessdata=data,
                language=LANGUAGE,
                seconds=self._seconds,
            )
        except OcrError as error:
            raise ReaderError(str(error)) from error
        words = [
            PageWord(text, picture.to_page((x0, y0, x1, y1)), block, line)
            for x0, y0, x1, y1, text, block, line in found
        ]
        lines = lines_from_words(words)
        if not lines:
            return Reading(self.name)
        content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
        return Reading(self.name, content, content.text, complete=regular_share(content.text) >= CLEAR)

    def _data(self) -> Path | None:
        folders = _tessdata_folders() if self._tessdata is None else iter([self._tessdata])
        return next((path for path in folders if (path / f"{LANGUAGE}.traineddata").is_file()), None)


def regular_share(text: str) -> float:
    """Share of the characters of a text that stand in regular words of two characters or more, 0…1."""
    words = text.split()
    regular = sum(len(word) for word in words if _REGULAR.fullmatch(word) and sum(map(str.isalnum, word)) > 1)
    return regular / max(1, sum(map(len, words)))


def _tessdata_folders() -> Iterator[Path]:
    """Where Tesseract's data may be: as it is told itself, beside its program, in the usual places."""
    if told := os.environ.get(TESSDATA):
        yield Path(told)
        yield Path(told) / "tessdata"
    if program := shutil.which("tesseract"):
        home = Path(program).resolve().parent
        yield home / "tessdata"
        yield home.parent / "share" / "tessdata"
    for pattern in _FOLDERS:
        path = Path(pattern)
        yield from sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))), reverse=True)
