"""hOCR: text recognition as XHTML, one page after the other.

The format: https://kba.github.io/hocr-spec/1.2/. Boxes are pixels, see :mod:`docai.exports.ocr_pages`.
Areas hold paragraphs, those lines, and those words, as programs expect that read Tesseract's files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree import ElementTree

from docai._version import __version__
from docai.exports.base import Export
from docai.exports.flow import printable
from docai.exports.ocr_pages import PlacedLine, PlacedPage, Region, placed_pages
from docai.geometry import union
from docai.records import Molecule, Table, Text

_XHTML: Final = "http://www.w3.org/1999/xhtml"

_DOCTYPE: Final = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
)

_CLASSES: Final = {
    "title": "ocr_title",
    "caption": "ocr_caption",
    "formula": "ocr_display",
    "page-header": "ocr_header",
    "page-footer": "ocr_footer",
}
"""Of hOCR for the role of a text; any other role stands in ``x_role``."""

_SECTIONS: Final = ("ocr_section", "ocr_subsection", "ocr_subsubsection")
"""By level; deeper headings have the last one."""

_CAPABILITIES: Final = (
    "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocr_title ocr_section ocr_subsection ocr_subsubsection "
    "ocr_caption ocr_display ocr_header ocr_footer ocr_table ocr_image ocr_linedrawing ocr_float ocr_chem "
    "ocrp_wconf ocrp_dir ocrp_poly"
)


def to_hocr(export: Export) -> bytes:
    """All pages as one XHTML file. The notes of scores are lost.

    Raises:
        NothingToExportError: no page could be read.
    """
    document = export.document
    pages = placed_pages(export)
    root = ElementTree.Element("html", {"xmlns": _XHTML})
    head = _sub(root, "head", {})
    _sub(head, "title", {}).text = printable(document.source.name) or "\n"
    _sub(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    for name, content in (
        ("ocr-system", f"docai {document.stats.docai_version or __version__}"),
        ("ocr-capabilities", _CAPABILITIES),
        ("ocr-number-of-pages", str(len(pages))),
    ):
        _sub(head, "meta", {"name": name, "content": printable(content)})
    body = _sub(root, "body", {})
    for page in pages:
        _write_page(body, page, export)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    parts = [declaration, _DOCTYPE, ElementTree.tostring(root, encoding="unicode"), ""]
    return "\n".join(parts).encode()


def _write_page(body: ElementTree.Element, page: PlacedPage, export: Export) -> None:
    name = printable(export.document.source.name).replace('"', "'")
    dpi = round(page.frame.dpi)
    about = [f'image "{name}"', f"bbox 0 0 {page.frame.width} {page.frame.height}"]
    about += [f"ppageno {page.info.number - 1}", f"scan_res {dpi} {dpi}"]
    parent = _element(body, "div", "ocr_page", about, f"page-{page.info.number}")
    if not page.regions:
        parent.text = "\n"
    for region in page.regions:
        _write_region(parent, region, export)


def _write_region(parent: ElementTree.Element, region: Region, export: Export) -> None:
    record = region.record
    if isinstance(record, Text):
        _write_text(parent, region, record)
    elif isinstance(record, Table):
        _write_table(parent, region, record)
    elif isinstance(record, Molecule):
        drawing = _element(parent, "div", "ocr_linedrawing", _place(region, "molecule"), region.id)
        formula = _element(drawing, "span", "ocr_chem", [_bbox(region.box)])
        formula.text = printable(record.smiles or "") or "\n"
    else:
        kinds = {"figure": "ocr_image", "score": "ocr_linedrawing"}
        place = _place(region, region.kind)
        area = _element(parent, "div", kinds.get(region.kind, "ocr_float"), place, region.id)
        _write_lines(area, region.lines, region.id)
        if region.kind != "figure":
            message = f"hOCR has only the place of the {region.kind} on page {record.page}."
            export.lose("no-content", message, record.id)


def _write_text(parent: ElementTree.Element, region: Region, text: Text) -> None:
    place = _place(region)
    name = _CLASSES.get(text.role, "ocr_carea")
    if text.role == "section-heading":
        level = text.level or 1
        name = _SECTIONS[min(level, len(_SECTIONS)) - 1]
        place.append(f"x_level {level}")
    elif text.role not in _CLASSES and text.role != "paragraph":
        place.append(f"x_role {text.role}")
    outer = _element(parent, "div", name, place, region.id)
    _write_lines(outer, region.lines, region.id)


def _write_table(parent: ElementTree.Element, region: Region, record: Table) -> None:
    if not region.cells:
        _element(parent, "div", "ocr_table", _place(region), region.id).text = "\n"
        return
    table = _element(parent, "table", "ocr_table", _place(region), region.id)
    for row in range(record.n_rows):
        line = _sub(table, "tr", {})
        line.text = "\n"
        for placed in region.cells:
            cell = placed.cell
            if cell.row != row:
                continue
            about = {"id": placed.id, "title": _bbox(placed.box)}
            for name, span in (("rowspan", cell.row_span), ("colspan", cell.col_span)):
                if span > 1:
                    about[name] = str(span)
            _write_lines(_sub(line, "th" if cell.is_header else "td", about), placed.lines, placed.id)


def _write_lines(parent: ElementTree.Element, lines: Sequence[PlacedLine], name: str) -> None:
    """One paragraph of lines. Without any, white space: HTML reads no end of an empty XML element."""
    if not lines:
        parent.text = "\n"
        return
    around = union([line.box for line in lines])
    paragraph = _element(parent, "p", "ocr_par", [_bbox(around)])
    paragraph.text = "\n"
    for number, line in enumerate(lines, 1):
        element = _element(paragraph, "span", "ocr_line", [_bbox(line.box)], f"{name}-line-{number}")
        if line.direction == "rtl":
            element.set("dir", "rtl")
        for word in line.words:
            about = [_bbox(word.box)]
            if word.confidence is not None:
                about.append(f"x_wconf {round(100 * word.confidence)}")
            span = _element(element, "span", "ocrx_word", about)
            span.text = word.text
            # Only here is white space between elements that of the text.
            span.tail = " " if word.space_after else None


def _place(region: Region, kind: str = "") -> list[str]:
    place = [_bbox(region.box)]
    if region.record.polygon:
        place.append("poly " + " ".join(f"{x} {y}" for x, y in region.corners))
    if region.record.confidence.value is not None:
        place.append(f"x_conf {100 * region.record.confidence.value:.0f}")
    if kind:
        place.append(f"x_kind {kind}")
    return place


def _bbox(box: Sequence[float]) -> str:
    return "bbox " + " ".join(f"{value:.0f}" for value in box)


def _element(
    parent: ElementTree.Element, tag: str, name: str, properties: Sequence[str], identifier: str = ""
) -> ElementTree.Element:
    about = {"class": name, "title": "; ".join(properties)}
    return _sub(parent, tag, {"id": identifier, **about} if identifier else about)


def _sub(parent: ElementTree.Element, tag: str, attributes: Mapping[str, str]) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, dict(attributes))
    element.tail = "\n"
    return element
