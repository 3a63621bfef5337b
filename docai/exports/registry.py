"""The formats by file extension. A new one is a module of this package and a line in ``_ALL``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from docai.document import Document
from docai.errors import NothingToExportError, SettingError
from docai.exports.alto import to_alto
from docai.exports.base import Export, ExportedFile, ExportOptions, Format
from docai.exports.chunks import to_jsonl
from docai.exports.csv_file import to_csv, to_molecule_csv
from docai.exports.docling import to_docling
from docai.exports.docx_file import to_docx
from docai.exports.grids import check_tables
from docai.exports.hocr import to_hocr
from docai.exports.html import to_html
from docai.exports.json_file import to_json
from docai.exports.markdown import to_markdown
from docai.exports.music import to_kern, to_midi, to_musicxml, to_svg
from docai.exports.page_xml import to_page_xml
from docai.exports.parquet import to_parquet
from docai.exports.sdf import to_sdf
from docai.exports.searchable_pdf import to_searchable_pdf
from docai.exports.xlsx import to_xlsx

if TYPE_CHECKING:
    from docai.pipelines.batch.worker import Original

_ALL: Final = (
    Format(".json", "JSON of docai", to_json),
    Format(".md", "Markdown", to_markdown),
    Format(".html", "HTML", to_html),
    Format(".docx", "Word", to_docx, is_text=False),
    Format(".xlsx", "Excel, of tables", to_xlsx, is_text=False),
    Format(".csv", "CSV of tables", to_csv),
    Format(".jsonl", "chunks for retrieval", to_jsonl),
    Format(".parquet", "Parquet of all records", to_parquet, is_text=False, packages=("pyarrow",)),
    Format(".sdf", "SDF of molecules", to_sdf),
    Format(".molecules.csv", "CSV of molecules", to_molecule_csv),
    Format(".musicxml", "MusicXML of scores", to_musicxml),
    Format(".mid", "MIDI of scores", to_midi, is_text=False),
    Format(".svg", "SVG of scores", to_svg, packages=("verovio",)),
    Format(".krn", "Humdrum kern of scores", to_kern),
    Format(".pdf", "searchable PDF", to_searchable_pdf, is_text=False),
    Format(".hocr", "hOCR", to_hocr),
    Format(".alto.xml", "ALTO", to_alto),
    Format(".page.xml", "PAGE XML", to_page_xml),
    Format(".docling.json", "DoclingDocument", to_docling),
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.suffix: one for one in _ALL})
"""Extension → format."""


def split_name(name: str) -> tuple[str, str]:
    """Stem and extension of a file name; the longest extension that is a format: ``a.b.alto.xml`` is ``a.b``.

    An extension that is none of a format is that behind the last dot, or empty.
    """
    path = PurePath(name)
    for parts in (path.suffixes[-2:], path.suffixes[-1:]):
        suffix = "".join(parts)
        if suffix.lower() in FORMATS:
            return path.name[: -len(suffix)], suffix.lower()
    return path.stem, path.suffix.lower()


def format_for(path: str | PurePath) -> Format:
    """The format of the path's extension, in any case.

    Raises:
        SettingError: docai writes no format of that extension.
    """
    name = PurePath(path).name
    suffix = split_name(name)[1]
    try:
        return FORMATS[suffix]
    except KeyError:
        raise SettingError(
            f"docai cannot write {name!r}: there is no format for the extension {suffix or '(none)'!r}; the "
            f"extensions are: {', '.join(FORMATS)}."
        ) from None


def format_named(name: str) -> Format:
    """The format of a list such as ``md,html``: its extension, with or without the dot.

    Raises:
        SettingError: there is none of that name.
    """
    suffix = f".{name.strip().removeprefix('.').lower()}"
    try:
        return FORMATS[suffix]
    except KeyError:
        known = ", ".join(one.removeprefix(".") for one in FORMATS)
        raise SettingError(f"There is no format {name.strip()!r}; the formats are: {known}.") from None


def export(document: Document, path: str | PurePath, options: ExportOptions | None = None) -> ExportedFile:
    """The document in the format of the path's extension. Nothing is written.

    Args:
        path: names the format, and begins the names of files beside it.

    Raises:
        SettingError: docai writes no format of that extension.
        ExportError: the document has nothing that the format holds, or it cannot be written: a table in it
            is no grid, which JSON alone holds.
        MissingDependencyError: a library that writes the format is not installed.
    """
    one = format_for(path)
    one.check()
    if one.suffix != ".json":
        check_tables(document)
    task = Export(document, split_name(PurePath(path).name)[0], options or ExportOptions())
    return task.result(one.write(task))


def export_alone(document: Document, original: Original, *, suffix: str) -> bytes:
    """The document as one file of the format with that extension: what a batch writes.

    Empty where the document has nothing that the format holds; see :attr:`ExportOptions.files_beside`.

    Raises:
        SettingError, ExportError, MissingDependencyError: as :func:`export`.
    """
    options = ExportOptions(
        source=original.content, password=original.password, limits=original.limits, files_beside=False
    )
    try:
        return export(document, f"document{suffix}", options)
    except NothingToExportError:
        return b""
