"""The type of a source, told by its bytes; its name, which may be wrong, is not used.

Signatures: PDF 32000-1 annex H (the header may be anywhere in the first 1,024 bytes), the PNG, TIFF 6
and RIFF/WebP specifications, and the list at https://en.wikipedia.org/wiki/List_of_file_signatures.
"""

from __future__ import annotations

import struct
from typing import Final

from docai.errors import NotADocumentError, UnsupportedTypeError

HEAD_BYTES: Final = 4096
TAIL_BYTES: Final = 1024

_SAVE_AS_PDF = "save or print it as PDF and give docai that file"
_SAVE_AS_PNG = "convert it to PNG or TIFF first"
_UNPACK = "unpack it and give docai the files inside"

_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)

_UNSUPPORTED: Final = (
    (b"GIF87a", "a GIF image", _SAVE_AS_PNG),
    (b"GIF89a", "a GIF image", _SAVE_AS_PNG),
    (b"8BPS", "a Photoshop file", _SAVE_AS_PNG),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image", _SAVE_AS_PNG),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image", _SAVE_AS_PNG),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image", _SAVE_AS_PNG),
    (b"\xff\x0a", "a JPEG XL image", _SAVE_AS_PNG),
    (b"\x97JB2\r\n", "a JBIG2 image", _SAVE_AS_PNG),
    (b"AT&TFORM", "a DjVu document", "convert it to PDF first, for example with ddjvu"),
    (b"%!PS-Adobe", "a PostScript file", "convert it to PDF first, for example with ps2pdf"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file", "convert it to PDF first, for example with epstopdf"),
    (b"{\\rtf", "an RTF document", _SAVE_AS_PDF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (doc, xls, ppt or msg)", _SAVE_AS_PDF),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
)

_ZIPPED: Final = (
    (b"word/", "a Word document (docx)"),
    (b"xl/", "an Excel workbook (xlsx)"),
    (b"ppt/", "a PowerPoint presentation (pptx)"),
    (b"mimetypeapplication/epub", "an EPUB book"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file"),
    (b"Index/Document.iwa", "an Apple iWork document"),
    (b"FixedDocSeq", "an XPS document"),
)

_ISO_BRANDS: Final = {
    b"heic": "a HEIC image",
    b"heix": "a HEIC image",
    b"heim": "a HEIC image",
    b"hevc": "a HEIC image",
    b"mif1": "a HEIF image",
    b"msf1": "a HEIF image",
    b"avif": "an AVIF image",
    b"avis": "an AVIF image",
}


def detect_type(head: bytes, tail: bytes, *, source: str) -> str:
    """The type of a source: ``pdf``, ``png``, ``jpeg``, ``tiff``, ``webp`` or ``bmp``.

    Args:
        head: the first :data:`HEAD_BYTES` bytes, or all where there are fewer.
        tail: the last :data:`TAIL_BYTES` bytes, or all where there are fewer.
        source: its name, for error messages.

    Raises:
        UnsupportedTypeError: the type is known, and docai does not read it.
        NotADocumentError: the type is not known.
    """
    for signature, name in _IMAGES:
        if head.startswith(signature):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if _is_bmp(head):
        return "bmp"
    if head.startswith(b"%PDF-"):
        return "pdf"
    known = _known_but_unread(head)
    if known is not None:
        what, hint = known
        raise UnsupportedTypeError(f"{source} is {what}, which docai does not read: {hint}.", source=source)
    # A PDF whose header is missing or comes after other bytes can still be repaired from its end.
    if b"%PDF-" in head[:1024] or b"startxref" in tail:
        return "pdf"
    raise NotADocumentError(
        f"{source} is neither a PDF nor a PNG, JPEG, TIFF, WebP or BMP image (judged by its bytes, "
        "not by its name): check that it is the file you meant and that it was not cut or re-encoded.",
        source=source,
    )


def _is_bmp(head: bytes) -> bool:
    """Text can start with "BM" as well, so the size of the header that follows is checked."""
    if not head.startswith(b"BM") or len(head) < 18:
        return False
    header_size: int = struct.unpack("<I", head[14:18])[0]
    return header_size in (12, 16, 40, 52, 56, 64, 108, 124)


def _known_but_unread(head: bytes) -> tuple[str, str] | None:
    for signature, what, hint in _UNSUPPORTED:
        if head.startswith(signature):
            # Illustrator and some printers write a PostScript line before a whole PDF.
            if signature == b"%!PS-Adobe" and b"%PDF-" in head[:1024]:
                return None
            return what, hint
    if head.startswith(b"PK\x03\x04"):
        for mark, what in _ZIPPED:
            if mark in head:
                return what, _SAVE_AS_PDF
        return "a ZIP archive or a zipped document", "save the document as PDF, or unpack the archive"
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12], "a video or audio file"), _SAVE_AS_PNG
    if head[128:132] == b"DICM":
        return "a DICOM file", _SAVE_AS_PNG
    return _known_markup(head)


def _known_markup(head: bytes) -> tuple[str, str] | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page", "print it to PDF first (a download that needed a log-in often gives HTML)"
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return "an SVG drawing", "convert it to PDF or PNG first"
    if start.startswith(b"<?xml"):
        return "an XML file", _SAVE_AS_PDF
    return None
