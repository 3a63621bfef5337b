"""A result that is looked at: its page, its pictures when they are asked for, and its corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from docai.base import Content
from docai.corrections import Correction, Corrections, content_text, corrected_content, corrections_path
from docai.errors import CorrectionsError
from docai.limits import Limits
from docai.pipelines.ingest.result_source import find_source, read_result
from docai.records import RecordBase
from docai.viewer.data import view_data
from docai.viewer.page import NO_SOURCE, render_page
from docai.viewer.pictures import PictureBook, draw_content

WEBP: Final = "image/webp"
SVG: Final = "image/svg+xml"


class OpenedResult:
    """A result with its source open; to be closed.

    Args:
        path: of a file that ``docai process`` wrote.
        places: where its source is, besides beside it.
        password: opens an encrypted PDF.
        limits: of reading the source.

    Raises:
        NotAResultError: ``path`` cannot be read, or is no result.
    """

    _lock_of_files = Lock()

    def __init__(
        self,
        path: Path,
        places: Sequence[Path] = (),
        *,
        password: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.path = path
        self.document = read_result(path)
        self.records: dict[str, RecordBase] = {record.id: record for record in self.document.records}
        source = find_source(self.document, path, places)
        self._missing = NO_SOURCE.format(name=self.document.source.name) if source is None else ""
        self._book = None if source is None else PictureBook(source, password=password, limits=limits)

    def close(self) -> None:
        if self._book is not None:
            self._book.close()

    def page(self, token: str) -> bytes:
        """The viewer's page, which asks its server for pictures and gives it corrections.

        Args:
            token: that the server wants with each correction.

        Raises:
            CorrectionsError: those that are there cannot be read.
        """
        data = view_data(self.document, self.corrections(), serves=True, missing=self._missing)
        return render_page(Path(self.document.source.name).name, data, {}, token)

    def picture(self, name: str) -> tuple[str, bytes]:
        """Media type and data of ``page-NUMBER``, ``crop-RECORD`` or ``drawing-RECORD``.

        Raises:
            KeyError: there is no such picture. InputError: the source cannot be read.
        """
        what, _, which = name.partition("-")
        if what == "drawing":
            record = self.records[which]
            drawing = draw_content(record) if isinstance(record, Content) else None
            if drawing is None:
                raise KeyError(name)
            return SVG, drawing.encode()
        if self._book is None:
            raise KeyError(name)
        if what == "page" and which.isdecimal():
            return WEBP, self._book.page(int(which))
        if what == "crop":
            return WEBP, self._book.crop(self.records[which])
        raise KeyError(name)

    def corrections(self) -> Corrections:
        """Those that are kept beside the result. Raises CorrectionsError."""
        path = corrections_path(self.path)
        if path.exists():
            return Corrections.read(path)
        source = self.document.source
        return Corrections(source_name=source.name, source_sha256=source.sha256)

    def correct(self, correction: Correction) -> Correction:
        """Keep a correction, with its content as docai writes it. Raises CorrectionsError, OSError."""
        record = self.records.get(correction.record)
        if record is None or not isinstance(record, Content):
            raise CorrectionsError(f"There is no record {correction.record!r} in this result.")
        original = content_text(record)
        if (correction.content is not None) != (correction.verdict == "corrected"):
            raise CorrectionsError("A correction has a content, and nothing else has one.")
        content = correction.content
        if content is not None:
            content = content_text(corrected_content(record, content))
        correction = correction.model_copy(update={"original": original, "content": content})
        with self._lock_of_files:
            made = self.corrections()
            made.corrections.append(correction)
            made.write(corrections_path(self.path))
        return correction

    def drawn(self, record: str, text: str) -> dict[str, str]:
        """A content of a record that is being edited, drawn, or why it cannot be. Raises KeyError."""
        read = self.records[record]
        if not isinstance(read, Content):
            raise KeyError(record)
        try:
            content = corrected_content(read, text)
        except CorrectionsError as error:
            return {"error": str(error), "drawing": "", "brief": ""}
        return {"error": "", "drawing": draw_content(content) or "", "brief": content.brief()}
