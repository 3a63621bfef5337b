"""PAGE XML of 2019: layout and text of one page, as programs for historical print and ground truth use it.

The format: https://github.com/PRImA-Research-Lab/PAGE-XML. Boxes are pixels, see
:mod:`docai.exports.ocr_pages`. A file holds one page: of a document with more, the first is the main file,
and the others lie beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from docai._version import __version__
from docai.base import counted
from docai.exports.base import Export
from docai.exports.flow import printable
from docai.exports.ocr_pages import PlacedLine, PlacedPage, Region, placed_pages
from docai.records import Figure, Molecule, Score, Table, Text

_PAGE: Final = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"

_ROOT: Final = {
    "xmlns": _PAGE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{_PAGE} {_PAGE}/pagecontent.xsd",
}

_TYPES: Final = {
    "title": "heading",
    "section-heading": "heading",
    "paragraph": "paragraph",
    "caption": "caption",
    "footnote": "footnote",
    "page-header": "header",
    "page-footer": "footer",
}
"""Of PAGE for the role of a text; any other is ``other``, and stands in ``custom``."""

_REGIONS: Final = {
    "table": "TableRegion",
    "molecule": "ChemRegion",
    "score": "MusicRegion",
    "figure": "ImageRegion",
    "text": "TextRegion",
}
"""By the kind of a record; one of a user's own head is a ``CustomRegion``."""

Corners = Sequence[tuple[int, int]]


def to_page_xml(export: Export) -> bytes:
    """The first page as the main file, each other one as ``<stem>-page-002.page.xml`` beside it.

    Raises:
        NothingToExportError: no page could be read.
    """
    first, *others = placed_pages(export)
    if export.options.files_beside:
        for page in others:
            export.add_file(f"{export.stem}-page-{page.info.number:03d}.page.xml", _page_file(page, export))
    elif others:
        export.lose("more-pages", f"PAGE XML holds one page a file: {counted(len(others), 'page')} left out.")
    return _page_file(first, export)


def _page_file(page: PlacedPage, export: Export) -> bytes:
    root = ElementTree.Element("PcGts", _ROOT)
    _describe(root, export)
    frame = page.frame
    element = _sub(
        root,
        "Page",
        {
            "imageFilename": printable(export.document.source.name),
            "imageWidth": str(frame.width),
            "imageHeight": str(frame.height),
            "imageXResolution": f"{frame.dpi:g}",
            "imageYResolution": f"{frame.dpi:g}",
            "imageResolutionUnit": "PPI",
            "custom": f"page {{number:{page.info.number};}}",
        },
    )
    if page.regions:
        order = _sub(_sub(element, "ReadingOrder", {}), "OrderedGroup", {"id": "order"})
        for index, region in enumerate(page.regions):
            _sub(order, "RegionRefIndexed", {"index": str(index), "regionRef": region.id})
    _write_relations(element, page.regions)
    for region in page.regions:
        _write_region(element, region)
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data


def _describe(root: ElementTree.Element, export: Export) -> None:
    stats = export.document.stats
    metadata = _sub(root, "Metadata", {})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    creator = f"docai {stats.docai_version or __version__}"
    for name, text in (("Creator", creator), ("Created", now), ("LastChange", now)):
        _sub(metadata, name, {}).text = printable(text)
    if stats.model:
        about = {"type": "processingStep", "name": "model", "value": printable(stats.model)}
        _sub(metadata, "MetadataItem", about)


def _write_relations(page: ElementTree.Element, regions: Sequence[Region]) -> None:
    """Captions and footnotes with what they belong to, where that is on the same page."""
    ids = {region.record.id: region.id for region in regions}
    pairs = [
        (region.id, ids[region.record.belongs_to])
        for region in regions
        if isinstance(region.record, Text) and region.record.belongs_to in ids
    ]
    if not pairs:
        return
    relations = _sub(page, "Relations", {})
    for number, (source, target) in enumerate(pairs, 1):
        relation = _sub(relations, "Relation", {"id": f"link-{number}", "type": "link"})
        _sub(relation, "SourceRegionRef", {"regionRef": source})
        _sub(relation, "TargetRegionRef", {"regionRef": target})


def _write_region(parent: ElementTree.Element, region: Region) -> None:
    record = region.record
    about = {"id": region.id}
    if isinstance(record, Text) and record.role == "formula":
        formula = _sub(parent, "MathsRegion", about)
        _coords(formula, region.corners, record.confidence.value)
        _write_text(formula, f"{region.id}-text", region.corners, region.lines, {"type": "other"})
        return
    if isinstance(record, Text):
        about["type"] = _TYPES.get(record.role, "other")
        about["custom"] = f"structure {{type:{record.role};}}"
        if record.level:
            about["custom"] = f"structure {{type:{record.role}; level:{record.level};}}"
        _write_text(parent, region.id, region.corners, region.lines, about, record.confidence.value)
        return
    element = _sub(parent, _REGIONS.get(region.kind, "CustomRegion"), about)
    if region.kind not in _REGIONS:
        element.set("type", printable(region.kind))
    _coords(element, region.corners, record.confidence.value)
    if isinstance(record, Table):
        element.set("rows", str(record.n_rows))
        element.set("columns", str(record.n_cols))
        _write_cells(element, region)
    elif isinstance(record, Molecule):
        _attributes(element, {"smiles": record.smiles, "inchi": record.inchi, "molblock": record.molblock})
    elif isinstance(record, Score):
        _attributes(element, {"kern": record.kern})
    elif isinstance(record, Figure):
        if region.lines:
            _write_text(element, f"{region.id}-text", region.corners, region.lines, {})
    else:
        _attributes(element, {"json": record.model_dump_json()})


def _write_cells(table: ElementTree.Element, region: Region) -> None:
    for placed in region.cells:
        cell = placed.cell
        x0, y0, x1, y1 = placed.box
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        role = {
            "rowIndex": str(cell.row),
            "columnIndex": str(cell.col),
            "rowSpan": str(cell.row_span),
            "colSpan": str(cell.col_span),
            "header": str(cell.is_header).lower(),
        }
        _write_text(table, placed.id, corners, placed.lines, {}, cell.confidence, role)


def _write_text(
    parent: ElementTree.Element,
    name: str,
    corners: Corners,
    lines: Sequence[PlacedLine],
    about: Mapping[str, str],
    confidence: float | None = None,
    cell: Mapping[str, str] | None = None,
) -> None:
    element = _sub(parent, "TextRegion", {"id": name, **about})
    _coords(element, corners)
    if cell is not None:
        _sub(_sub(element, "Roles", {}), "TableCellRole", cell)
    for number, line in enumerate(lines, 1):
        _write_line(element, line, f"{name}-line-{number}")
    _text(element, "\n".join(line.text for line in lines), confidence)


def _write_line(parent: ElementTree.Element, line: PlacedLine, name: str) -> None:
    element = _sub(parent, "TextLine", {"id": name})
    if line.direction == "rtl":
        element.set("readingDirection", "right-to-left")
    _box(element, line.box)
    for number, word in enumerate(line.words, 1):
        entry = _sub(element, "Word", {"id": f"{name}-word-{number}"})
        _box(entry, word.box)
        _text(entry, word.text, word.confidence)
    _text(element, line.text, None)


def _text(parent: ElementTree.Element, text: str, confidence: float | None) -> None:
    element = _sub(parent, "TextEquiv", {} if confidence is None else {"conf": f"{confidence:.4f}"})
    _sub(element, "Unicode", {}).text = text


def _box(parent: ElementTree.Element, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    _coords(parent, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _coords(parent: ElementTree.Element, corners: Corners, confidence: float | None = None) -> None:
    points = " ".join(f"{x},{y}" for x, y in corners)
    _sub(
        parent,
        "Coords",
        {"points": points} if confidence is None else {"points": points, "conf": f"{confidence:.4f}"},
    )


def _attributes(parent: ElementTree.Element, values: Mapping[str, str | None]) -> None:
    known = {name: value for name, value in values.items() if value}
    if not known:
        return
    element = _sub(parent, "UserDefined", {})
    for name, value in known.items():
        about = {"name": name, "type": "xsd:string", "value": printable(value)}
        _sub(element, "UserAttribute", about)


def _sub(parent: ElementTree.Element, tag: str, attributes: Mapping[str, str]) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, dict(attributes))
