"""A searchable PDF: the source as it was, with the words that docai read on its pictures as invisible text.

Pages of a PDF stay as they are: of a scan the words are added, of a page with words of its own only those of
its pictures. Images become pages that show them. See :mod:`docai.exports.invisible_text`.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from docai.contents import Line
from docai.errors import ExportError, InputError
from docai.exports.base import Export
from docai.exports.flow import printable
from docai.exports.invisible_text import Direction, HiddenWord, InvisibleFont, add_words
from docai.exports.ocr_pages import spaces_after
from docai.geometry import BBox, center, contains_center
from docai.pipelines.ingest import Page, Source, quiet_mupdf
from docai.records import Document, Figure, Molecule, RecordBase, Score, Table, Text

_JPEG_ORIENTATION: Final = 0x0112
"""EXIF tag: how the picture is to be turned."""

_OPPOSITE: Final[dict[Direction, Direction]] = {"right": "left", "left": "right", "down": "up", "up": "down"}


def to_searchable_pdf(export: Export) -> bytes:
    """The source with its words, as PDF.

    Raises:
        ExportError: the source is not at hand, is another file, or cannot be written.
    """
    with export.open_source() as source:
        if source is None:
            why = export.losses.pop().message.removeprefix("Pictures are left out")
            why = why.removeprefix(", since ").removeprefix(": ")
            raise ExportError(f"A searchable PDF is the source with its words, and {why}")
        words = {page.number: _words_of_page(export.document, page.number) for page in export.document.pages}
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

    pdf, places = pymupdf.open(), {}
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
    from PIL import Image

    data = _bytes_of(export)
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        is_upright = image.getexif().get(_JPEG_ORIENTATION, 1) == 1
        size = round(page.width * page.dpi / 72), round(page.height * page.dpi / 72)
        return data if is_upright and image.mode in ("L", "RGB") and image.size == size else None


def _packed(page: Page) -> bytes:
    """The page's pixels as PNG, in gray or black and white where it has no color."""
    picture = page.render(scale=page.fit_scale(page.dpi / 72))
    red, green, blue = picture.split()
    if red.tobytes() == green.tobytes() == blue.tobytes():
        picture = red
        if sum(red.histogram()[1:-1]) == 0:
            picture = red.convert("1", dither=0)
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


def _words_of_page(document: Document, number: int) -> list[HiddenWord]:
    records = [record for record in document.records if record.page == number]
    texts = [record for record in records if isinstance(record, Text)]
    main = _direction([line for text in texts for line in text.lines]) or "right"
    return [
        word
        for record in records
        # Words of the text layer are on the page.
        if "text-layer" not in record.evidence
        for word in _words_of_record(record, main)
    ]


def _words_of_record(record: RecordBase, main: Direction) -> Iterator[HiddenWord]:
    """The words of a record; ``main`` is where most text of its page runs."""
    if isinstance(record, Text):
        direction = _direction(record.lines) or main
        unplaced = [line for line in record.lines if line.bbox is None]
        for line in record.lines:
            if line.bbox is not None:
                yield from _words_of_line(line, direction)
        yield from _words_in_box("\n".join(line.text for line in unplaced), record.bbox, direction)
    elif isinstance(record, Table):
        for cell in record.cells:
            yield from _words_in_box(cell.printed, cell.bbox or record.bbox, main)
    elif isinstance(record, Figure):
        yield from _words_in_box(record.text, record.bbox, main)


def _words_of_line(line: Line, direction: Direction) -> Iterator[HiddenWord]:
    if any(word.bbox is None for word in line.words) or not line.words:
        yield from _words_in_box(line.text, line.bbox, direction)
        return
    spaces = spaces_after([word.text for word in line.words], line.text)
    for word, space in zip(line.words, spaces, strict=True):
        if word.bbox is not None and (text := _one_line(word.text)):
            yield HiddenWord(text, word.bbox, direction, space)


def _words_in_box(text: str, box: BBox | None, direction: Direction) -> Iterator[HiddenWord]:
    """Words whose own places nobody gave: the lines share the box, and the words of a line its length."""
    lines = [line.split() for line in printable(text).split("\n") if line.strip()]
    if box is None or not lines:
        return
    for number, words in enumerate(lines):
        n_letters = sum(map(len, words)) + len(words) - 1
        begin = 0
        for word in words:
            share = begin / n_letters, (begin + len(word)) / n_letters
            down = number / len(lines), (number + 1) / len(lines)
            is_last = word is words[-1]
            yield HiddenWord(word, _part(box, share, down, direction), direction, not is_last)
            begin += len(word) + 1


def _part(box: BBox, along: tuple[float, float], across: tuple[float, float], direction: Direction) -> BBox:
    """A part of a box, by shares of its length along the text and across it, from where reading begins."""
    if direction in ("left", "up"):
        along = 1 - along[1], 1 - along[0]
    if direction in ("left", "down"):
        across = 1 - across[1], 1 - across[0]
    (u0, u1), (v0, v1) = (along, across) if direction in ("right", "left") else (across, along)
    x0, y0, x1, y1 = box
    return x0 + u0 * (x1 - x0), y0 + v0 * (y1 - y0), x0 + u1 * (x1 - x0), y0 + v1 * (y1 - y0)


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())


def _direction(lines: Sequence[Line]) -> Direction | None:
    """Where most of the text runs, told by how words follow each other; None where no two do."""
    votes: Counter[Direction] = Counter()
    for line in lines:
        boxes = [word.bbox for word in line.words if word.bbox is not None]
        for before, after in pairwise(boxes):
            (ax, ay), (bx, by) = center(before), center(after)
            dx, dy = bx - ax, by - ay
            if abs(dx) == abs(dy):
                continue
            runs: Direction = "right" if dx > 0 else "left"
            if abs(dy) > abs(dx):
                runs = "down" if dy > 0 else "up"
            votes[_OPPOSITE[runs] if line.direction == "rtl" else runs] += 1
    return votes.most_common(1)[0][0] if votes else None
