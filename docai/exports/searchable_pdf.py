"""A searchable PDF: the source as it was, with the words that docai read on its pictures as invisible text.

Pages of a PDF stay as they are: of a scan the words are added, of a page with words of its own only those of
its pictures. Images become pages that show them. See :mod:`docai.exports.invisible_text`.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docai.errors import ExportError, InputError
from docai.exports.base import Export
from docai.exports.hidden_words import HiddenWord, hidden_words
from docai.exports.invisible_text import InvisibleFont, add_words
from docai.geometry import BBox, contains_center
from docai.records import Molecule, Score

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page, Source

_JPEG_ORIENTATION: Final = 0x0112
"""EXIF tag: how the picture is to be turned."""


def to_searchable_pdf(export: Export) -> bytes:
    """The source with its words, as PDF.

    Raises:
        ExportError: the source is not at hand, is another file, or cannot be written.
    """
    from docai.pipelines.ingest import quiet_mupdf

    with export.open_source() as source:
        if source is None:
            why = export.losses.pop().message.removeprefix("Pictures are left out")
            why = why.removeprefix(", since ").removeprefix(": ")
            raise ExportError(f"A searchable PDF is the source with its words, and {why}")
        words = {page.number: hidden_words(export.document, page) for page in export.document.pages}
        try:
            with quiet_mupdf():
                data = _written(export, source, words)
        except _mupdf_errors() as error:
            raise ExportError(
                f"{source.name} cannot be written as a searchable PDF ({error}): repair it, for example with "
                "`qpdf`, read it again, and export that."
            ) from error
    for record in export.document.records:
        if isinstance(record, (Molecule, Score)):
            message = (
                f"The {record.kind} on page {record.page} is seen, and not found: a PDF has words alone."
            )
            export.lose("no-content", message, record.id)
    return data


def _mupdf_errors() -> tuple[type[BaseException], ...]:
    from docai.pipelines.ingest.pdf import MUPDF_ERRORS

    return MUPDF_ERRORS


def _written(export: Export, source: Source, words: dict[int, list[HiddenWord]]) -> bytes:
    import pymupdf

    numbers = [info.number for info in export.document.pages if info.origin != "failed"]
    if source.type == "pdf":
        pdf, places = _opened_pdf(export), {number: number - 1 for number in numbers}
    else:
        pdf, places = _pdf_of_images(export, source, numbers)
    with pdf:
        if pdf.get_sigflags() > 0:
            export.lose("signature", "The digital signature of the PDF does not cover the added text.")
        pages = {number: pdf[place] for number, place in places.items() if words[number]}
        new = {number: _not_there(page, words[number]) for number, page in pages.items()}
        characters = {one for page_words in new.values() for word in page_words for one in word.text}
        font = InvisibleFont(characters)
        for number, page in pages.items():
            if new[number]:
                add_words(page, new[number], font)
        # The protection of the source stays; garbage=1 leaves out what nothing refers to.
        data: bytes = pdf.tobytes(garbage=1, deflate=True, encryption=pymupdf.PDF_ENCRYPT_KEEP)
    return data


def _opened_pdf(export: Export) -> Any:
    import pymupdf

    from docai.pipelines.ingest.mending import mend_page_tree

    pdf = pymupdf.open(stream=_bytes_of(export), filetype="pdf")
    if pdf.needs_pass:
        pdf.authenticate(export.options.password or "")
    mend_page_tree(pdf)
    return pdf


def _bytes_of(export: Export) -> bytes:
    given = export.options.source
    return given if isinstance(given, bytes) else Path(given or "").read_bytes()


def _pdf_of_images(export: Export, source: Source, numbers: Sequence[int]) -> tuple[Any, dict[int, int]]:
    """A PDF with a page for each image that was read, and page number → its place there."""
    import pymupdf

    pdf, places = pymupdf.open(), dict[int, int]()
    for number in numbers:
        try:
            with source.page(number) as page:
                picture = _jpeg_as_it_is(export, source, page) or _packed(page)
                shown = pdf.new_page(width=page.width, height=page.height)
                shown.insert_image(shown.rect, stream=picture)
        except InputError as error:
            export.lose("failed-page", f"Page {number} is left out: {error}")
            continue
        places[number] = len(places)
    if not places:
        raise ExportError(f"No page of {source.name} was read, so there is nothing to make a PDF of.")
    return pdf, places


def _jpeg_as_it_is(export: Export, source: Source, page: Page) -> bytes | None:
    """The bytes of a JPEG that is displayed as it is stored, which lose nothing by being packed anew."""
    if source.type != "jpeg":
        return None
    from PIL.JpegImagePlugin import JpegImageFile

    data = _bytes_of(export)
    # Not `Image.open`, which has a limit of its own: this one was read under docai's.
    with JpegImageFile(io.BytesIO(data)) as image:
        is_upright = image.getexif().get(_JPEG_ORIENTATION, 1) == 1
        size = round(page.width * page.dpi / 72), round(page.height * page.dpi / 72)
        return data if is_upright and image.mode in ("L", "RGB") and image.size == size else None


def _packed(page: Page) -> bytes:
    """The page's pixels as PNG, in gray or black and white where it has no color."""
    from PIL import Image

    picture = page.render(scale=page.fit_scale(page.dpi / 72))
    red, green, blue = picture.split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        picture = red
        if sum(red.histogram()[1:-1]) == 0:
            picture = red.convert("1", dither=Image.Dither.NONE)
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()


def _not_there(page: Any, words: Sequence[HiddenWord]) -> list[HiddenWord]:
    """The words that the page does not have itself at their places."""
    import pymupdf

    own: defaultdict[str, list[BBox]] = defaultdict(list)
    for x0, y0, x1, y1, text, *_ in page.get_text("words"):
        own[text].append(tuple(pymupdf.Rect(x0, y0, x1, y1) * page.rotation_matrix))
    return [word for word in words if not any(contains_center(word.bbox, box) for box in own[word.text])]
