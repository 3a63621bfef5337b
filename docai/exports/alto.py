"""ALTO 4.4: layout and text of pages as XML, as libraries and archives keep it.

The format: https://www.loc.gov/standards/alto/. Boxes are pixels, see :mod:`docai.exports.ocr_pages`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree import ElementTree

from docai._version import __version__
from docai.exports.base import Export
from docai.exports.flow import printable
from docai.exports.ocr_pages import (
    PixelBox,
    PlacedCell,
    PlacedLine,
    PlacedPage,
    Region,
    placed_pages,
)
from docai.geometry import union
from docai.records import Figure, Molecule, Table, Text

_ALTO: Final = "http://www.loc.gov/standards/alto/ns-v4#"

_ROOT: Final = {
    "xmlns": _ALTO,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{_ALTO} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd",
    "SCHEMAVERSION": "4.4",
}

Tag = Callable[[str, str], str]
"""Type and label of a tag → its id; made where it is not there yet."""


def to_alto(export: Export) -> bytes:
    """All pages as one ALTO file. The notes of scores are lost, and which cells of a table span others.

    Raises:
        NothingToExportError: no page could be read.
    """
    pages = placed_pages(export)
    root = ElementTree.Element("alto", _ROOT)
    _describe(root, export)
    tags = ElementTree.SubElement(root, "Tags")
    order = ElementTree.SubElement(root, "ReadingOrder")
    layout = ElementTree.SubElement(root, "Layout")
    known: dict[tuple[str, str], str] = {}

    def tag(kind: str, label: str) -> str:
        if (kind, label) not in known:
            known[kind, label] = f"tag-{len(known) + 1}"
            ElementTree.SubElement(
                tags,
                "StructureTag" if kind == "role" else "OtherTag",
                {"ID": known[kind, label], "TYPE": kind, "LABEL": printable(label)},
            )
        return known[kind, label]

    for page in pages:
        _write_page(layout, order, page, tag, export)
    for part in (tags, order):
        if not len(part):
            root.remove(part)
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data


def _describe(root: ElementTree.Element, export: Export) -> None:
    about, stats = export.document.source, export.document.stats
    description = ElementTree.SubElement(root, "Description")
    ElementTree.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ElementTree.SubElement(description, "sourceImageInformation")
    ElementTree.SubElement(source, "fileName").text = printable(about.name)
    ElementTree.SubElement(source, "documentIdentifier").text = f"sha256:{about.sha256}"
    processing = ElementTree.SubElement(description, "Processing", {"ID": "docai"})
    ElementTree.SubElement(processing, "processingCategory").text = "contentGeneration"
    software = ElementTree.SubElement(processing, "processingSoftware")
    ElementTree.SubElement(software, "softwareName").text = "docai"
    ElementTree.SubElement(software, "softwareVersion").text = printable(stats.docai_version or __version__)
    if stats.model:
        ElementTree.SubElement(software, "applicationDescription").text = printable(f"model {stats.model}")


def _write_page(
    layout: ElementTree.Element, order: ElementTree.Element, page: PlacedPage, tag: Tag, export: Export
) -> None:
    frame, number = page.frame, page.info.number
    element = ElementTree.SubElement(
        layout,
        "Page",
        {
            "ID": f"page-{number}",
            "PHYSICAL_IMG_NR": str(number),
            "WIDTH": str(frame.width),
            "HEIGHT": str(frame.height),
        },
    )
    # Running heads and page numbers are no part of the print space; margins come before it.
    for space, role in (("TopMargin", "page-header"), ("BottomMargin", "page-footer"), ("PrintSpace", "")):
        regions = [region for region in page.regions if _margin_role(region) == role]
        if not regions and role:
            continue
        box = _around(regions) or (0, 0, frame.width, frame.height)
        parent = ElementTree.SubElement(element, space, _place(box))
        for region in regions:
            _write_region(parent, region, tag, export)
    if page.regions:
        group = ElementTree.SubElement(order, "OrderedGroup", {"ID": f"order-{number}"})
        for region in page.regions:
            ElementTree.SubElement(group, "ElementRef", {"ID": f"order-{region.id}", "REF": region.id})


def _margin_role(region: Region) -> str:
    role = region.record.role if isinstance(region.record, Text) else ""
    return role if role in ("page-header", "page-footer") else ""


def _around(regions: Sequence[Region]) -> PixelBox | None:
    if not regions:
        return None
    x0, y0, x1, y1 = union([region.box for region in regions])
    return int(x0), int(y0), int(x1), int(y1)


def _write_region(parent: ElementTree.Element, region: Region, tag: Tag, export: Export) -> None:
    record = region.record
    if isinstance(record, Text):
        about = {"ID": region.id, **_place(region.box), "TAGREFS": tag("role", _role(record))}
        _write_lines(_shaped(parent, "TextBlock", about, region), region.lines, region.id)
    elif isinstance(record, Table):
        block = _shaped(parent, "ComposedBlock", _typed(region, "table"), region)
        _write_table(block, region, record, export)
    elif isinstance(record, Molecule):
        about = _typed(region, "molecule")
        if record.smiles:
            about["TAGREFS"] = tag("SMILES", record.smiles)
        _shaped(parent, "Illustration", about, region)
    elif isinstance(record, Figure) and region.lines:
        block = _shaped(parent, "ComposedBlock", _typed(region, "figure"), region)
        ElementTree.SubElement(block, "Illustration", {"ID": f"{region.id}-picture", **_place(region.box)})
        text = ElementTree.SubElement(block, "TextBlock", {"ID": f"{region.id}-text", **_place(region.box)})
        _write_lines(text, region.lines, f"{region.id}-text")
    else:
        _shaped(parent, "Illustration", _typed(region, region.kind), region)
        if not isinstance(record, Figure):
            message = f"ALTO has only the place of the {region.kind} on page {record.page}."
            export.lose("no-content", message, record.id)


def _role(text: Text) -> str:
    return f"{text.role}-{text.level}" if text.level else text.role


def _write_table(block: ElementTree.Element, region: Region, table: Table, export: Export) -> None:
    if any(cell.row_span > 1 or cell.col_span > 1 for cell in table.cells):
        message = f"ALTO does not say which cells of the table on page {table.page} span others."
        export.lose("no-spans", message, table.id)
    for row in range(table.n_rows):
        cells = [placed for placed in region.cells if placed.cell.row == row]
        if not cells:
            continue
        about = {"ID": f"{region.id}-row-{row}", **_place(_around_cells(cells)), "TYPE": "row"}
        parent = ElementTree.SubElement(block, "ComposedBlock", about)
        for placed in cells:
            cell = ElementTree.SubElement(parent, "TextBlock", {"ID": placed.id, **_place(placed.box)})
            _write_lines(cell, placed.lines, placed.id)


def _around_cells(cells: Sequence[PlacedCell]) -> PixelBox:
    x0, y0, x1, y1 = union([placed.box for placed in cells])
    return int(x0), int(y0), int(x1), int(y1)


def _write_lines(block: ElementTree.Element, lines: Sequence[PlacedLine], name: str) -> None:
    for number, line in enumerate(lines, 1):
        if not line.words:
            continue
        about = {"ID": f"{name}-line-{number}", **_place(line.box)}
        if line.direction == "rtl":
            about["BASEDIRECTION"] = "rtl"
        element = ElementTree.SubElement(block, "TextLine", about)
        for word in line.words:
            entry = {**_place(word.box), "CONTENT": word.text}
            if word.confidence is not None:
                entry["WC"] = f"{word.confidence:.4f}"
            ElementTree.SubElement(element, "String", entry)
            if word.space_after:
                ElementTree.SubElement(element, "SP")


def _shaped(
    parent: ElementTree.Element, tag: str, about: dict[str, str], region: Region
) -> ElementTree.Element:
    """A block; where its page is skewed, with the outline of its region."""
    element = ElementTree.SubElement(parent, tag, about)
    if region.record.polygon:
        shape = ElementTree.SubElement(element, "Shape")
        points = " ".join(f"{x},{y}" for x, y in region.corners)
        ElementTree.SubElement(shape, "Polygon", {"POINTS": points})
    return element


def _typed(region: Region, kind: str) -> dict[str, str]:
    return {"ID": region.id, **_place(region.box), "TYPE": printable(kind)}


def _place(box: PixelBox) -> dict[str, str]:
    x0, y0, x1, y1 = box
    return {"HPOS": str(x0), "VPOS": str(y0), "WIDTH": str(x1 - x0), "HEIGHT": str(y1 - y0)}
