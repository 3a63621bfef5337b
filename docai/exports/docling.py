"""DoclingDocument: the JSON of docling-core, which its chunkers, serializers and indexes take.

The format: https://docling-project.github.io/docling/concepts/docling_document/. It is written by its schema,
without docling-core, whose pins do not fit those of docai. The ``meta`` of an item may hold other fields, but
docling prints them into its Markdown: only the kern of scores stands there, as ``docai__kern``.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from docai.base import Content
from docai.contents import Cell
from docai.document import Document, PageInfo
from docai.exports.base import Export
from docai.exports.flow import Block, blocks, printable, running_text
from docai.exports.pictures import MARGIN, cut_from_pages
from docai.geometry import BBox
from docai.records import Figure, Molecule, RecordBase, Score, Table, Text

SCHEMA_VERSION: Final = "1.8.0"
"""Of DoclingDocument: the first with ``meta``. docling-core reads older versions, and refuses newer ones."""

_LABELS: Final = {
    "title": "title",
    "section-heading": "section_header",
    "paragraph": "text",
    "list-item": "list_item",
    "caption": "caption",
    "footnote": "footnote",
    "page-header": "page_header",
    "page-footer": "page_footer",
    "formula": "formula",
    "reference": "reference",
    "code": "code",
}
"""Role of a text → label of its item."""

_FURNITURE: Final = ("page-header", "page-footer")

_MAX_LEVEL: Final = 100

_MIME_TYPES: Final = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
}
"""Of sources; docling-core refuses that of WebP under Python 3.12 and older."""

Item = dict[str, Any]


def to_docling(export: Export) -> bytes:
    """The document as indented UTF-8 JSON. Pictures of regions are in it where the source is at hand."""
    document = export.document
    pictured = [record for record in document.records if isinstance(record, (Figure, Molecule, Score))]
    pictures = cut_from_pages(export, pictured)
    # Running heads are no part of the flow, but of this format.
    flow = Export(document, export.stem)
    by_id = {block.record.id: block for block in blocks(flow)}
    export.losses += [loss for loss in flow.losses if loss.code != "running-heads"]
    tree = _Tree(pictures)
    for record in document.records:
        if isinstance(record, Table):
            # An item of a table has one page: one that goes on is not joined.
            tree.add(Block("record", (record,)))
        elif block := by_id.get(record.id):
            tree.add(block)
        elif isinstance(record, Text) and record.role in _FURNITURE:
            tree.add(Block("paragraph", (record,), text=running_text(record.text.split("\n"))))
    tree.tie_captions()
    if any(record.confidence.value is not None for record in document.records):
        export.lose("no-confidence", "DoclingDocument has the confidence of molecules alone.")
    values = {
        "schema_name": "DoclingDocument",
        "version": SCHEMA_VERSION,
        "name": printable(export.stem),
        **_origin(document),
        "furniture": _group("#/furniture", None, "_root_", "unspecified", layer="furniture"),
        "body": tree.body,
        **tree.items,
        "key_value_items": [],
        "form_items": [],
        "pages": {str(page.number): _page(page) for page in document.pages},
    }
    return (json.dumps(values, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def _origin(document: Document) -> Item:
    about = document.source
    if about.type not in _MIME_TYPES:
        return {}
    # As docling does: the last 64 bits of the hash.
    number = int(about.sha256, 16) & 0xFFFF_FFFF_FFFF_FFFF
    return {
        "origin": {
            "mimetype": _MIME_TYPES[about.type],
            "binary_hash": number,
            "filename": printable(about.name),
        }
    }


def _page(page: PageInfo) -> Item:
    return {"size": {"width": page.width, "height": page.height}, "page_no": page.number}


class _Tree:
    """The items of a document and the tree that they make."""

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        self.body = _group("#/body", None, "_root_", "unspecified")
        self.items: dict[str, list[Item]] = {"groups": [], "texts": [], "pictures": [], "tables": []}
        self._pictures = pictures
        self._of_record: dict[str, Item] = {}
        self._ties: list[tuple[Item, Text]] = []
        self._list: Item | None = None

    def add(self, block: Block) -> None:
        """One record, at the end of the body."""
        record = block.record
        if block.kind != "list-item":
            self._list = None
        if isinstance(record, Text):
            self._add_text(
                record, block, "\n".join(one.text for one in block.records if isinstance(one, Text))
            )
        elif isinstance(record, Table):
            self._add_table(record)
        elif isinstance(record, (Molecule, Score, Figure)):
            self._add_picture(record)
        else:
            described = record.describe() if isinstance(record, Content) else ""
            self._add("texts", self.body, record, "text", **_texts(described, described))

    def tie_captions(self) -> None:
        """Captions and footnotes of tables and pictures become their children."""
        for item, text in self._ties:
            target = self._of_record.get(text.belongs_to or "")
            key = "captions" if text.role == "caption" else "footnotes"
            if target is None or key not in target:
                continue
            reference = {"$ref": item["self_ref"]}
            self.body["children"].remove(reference)
            item["parent"] = {"$ref": target["self_ref"]}
            target["children"].append(reference)
            target[key].append(reference)

    def _add_text(self, record: Text, block: Block, original: str) -> None:
        fields: Item = _texts(block.text, original)
        parent = self.body
        if record.role == "section-heading":
            fields["level"] = min(record.level or 1, _MAX_LEVEL)
        elif record.role == "code":
            fields |= {"captions": [], "references": [], "footnotes": [], "code_language": "unknown"}
        elif record.role == "list-item":
            if self._list is None:
                self._list = _group(f"#/groups/{len(self.items['groups'])}", self.body, "list", "list")
                self.items["groups"].append(self._list)
            parent = self._list
            fields |= {"enumerated": bool(block.marker), "marker": block.marker or "-"}
        layer = "furniture" if record.role in _FURNITURE else "body"
        item = self._add("texts", parent, record, _LABELS[record.role], layer=layer, **fields)
        # A paragraph that goes on in another column or on another page is one item with several places.
        item["prov"] += [_place(one, len(block.text)) for one in block.records[1:]]
        if record.role in ("caption", "footnote") and record.belongs_to:
            self._ties.append((item, record))

    def _add_table(self, record: Table) -> None:
        n_head = _header_rows(record)
        data = {
            "table_cells": [_cell(cell, n_head) for cell in record.cells],
            "num_rows": record.n_rows,
            "num_cols": record.n_cols,
        }
        self._add("tables", self.body, record, "table", **_floating(), data=data)

    def _add_picture(self, record: Molecule | Score | Figure) -> None:
        meta: Item = {}
        confidence = {} if record.confidence.value is None else {"confidence": record.confidence.value}
        if isinstance(record, Molecule):
            meta["classification"] = _class("chemistry_structure", record)
            if record.smiles:
                by = {"created_by": f"docai {'+'.join(record.evidence) or record.head or ''}".strip()}
                meta["molecule"] = {"smi": record.smiles, **confidence, **by}
        elif isinstance(record, Score):
            meta["classification"] = _class("music", record)
            meta["docai__kern"] = record.kern
        item = self._add("pictures", self.body, record, "picture", meta=meta, **_floating())
        if picture := self._pictures.get(record.id):
            item["image"] = _image(picture, record)
        if isinstance(record, Figure) and record.text.strip():
            inside = running_text(record.text.split("\n"))
            self._add("texts", item, record, "text", **_texts(inside, record.text))
            self._of_record[record.id] = item

    def _add(
        self,
        kind: str,
        parent: Item,
        record: RecordBase,
        label: str,
        *,
        layer: str = "body",
        meta: Item | None = None,
        **fields: Any,
    ) -> Item:
        reference = f"#/{kind}/{len(self.items[kind])}"
        item: Item = {
            "self_ref": reference,
            "parent": {"$ref": parent["self_ref"]},
            "children": [],
            "content_layer": layer,
            "label": label,
            "prov": [_place(record, len(fields.get("text", "")))],
            **fields,
        }
        if meta:
            item["meta"] = meta
        self.items[kind].append(item)
        parent["children"].append({"$ref": reference})
        self._of_record[record.id] = item
        return item


def _group(reference: str, parent: Item | None, name: str, label: str, layer: str = "body") -> Item:
    item: Item = {"self_ref": reference, "children": [], "content_layer": layer, "name": name, "label": label}
    if parent is not None:
        item["parent"] = {"$ref": parent["self_ref"]}
        parent["children"].append({"$ref": reference})
    return item


def _place(record: RecordBase, length: int) -> Item:
    return {"page_no": record.page, "bbox": _bbox(record.bbox), "charspan": [0, length]}


def _class(name: str, record: RecordBase) -> Item:
    score = {} if record.region_score is None else {"confidence": record.region_score}
    return {"predictions": [{"class_name": name, **score}]}


def _texts(text: str, original: str) -> Item:
    return {"orig": printable(original), "text": printable(text)}


def _floating() -> Item:
    return {"captions": [], "references": [], "footnotes": []}


def _header_rows(table: Table) -> int:
    """Rows at the top in which all cells that have text are headers."""
    for row in range(table.n_rows):
        cells = [cell for cell in table.cells if cell.row == row and cell.text]
        if not all(cell.is_header for cell in cells):
            return row
    return table.n_rows


def _cell(cell: Cell, n_head: int) -> Item:
    item: Item = {} if cell.bbox is None else {"bbox": _bbox(cell.bbox)}
    return item | {
        "row_span": cell.row_span,
        "col_span": cell.col_span,
        "start_row_offset_idx": cell.row,
        "end_row_offset_idx": cell.row + cell.row_span,
        "start_col_offset_idx": cell.col,
        "end_col_offset_idx": cell.col + cell.col_span,
        "text": printable(cell.printed),
        "column_header": cell.is_header and cell.row < n_head,
        "row_header": cell.is_header and cell.row >= n_head,
    }


def _bbox(box: BBox | Sequence[float]) -> Item:
    left, top, right, bottom = box
    return {"l": left, "t": top, "r": right, "b": bottom, "coord_origin": "TOPLEFT"}


def _image(png: bytes, record: RecordBase) -> Item:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
    uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    dpi = round(72 * width / (record.bbox[2] - record.bbox[0] + 2 * MARGIN))
    return {
        "mimetype": "image/png",
        "dpi": max(1, dpi),
        "size": {"width": width, "height": height},
        "uri": uri,
    }
