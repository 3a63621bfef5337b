"""Parquet: a row for each record, with what can be asked for as columns and the whole record as JSON."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from docai.base import Content
from docai.exports.base import Export
from docai.records import Molecule, RecordBase, Score, Table, Text
from docai.table_formats import grid_of_texts

if TYPE_CHECKING:
    import pyarrow


def to_parquet(export: Export) -> bytes:
    """All records of the document; its source and pages are in the metadata of the schema, as JSON."""
    import pyarrow
    import pyarrow.parquet

    document = export.document
    about = document.model_dump_json(exclude={"records"})
    schema = _schema().with_metadata({"docai": about, "schema_version": document.schema_version})
    rows = [_row(document.source.name, order, record) for order, record in enumerate(document.records)]
    packed = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), packed, compression="zstd")
    return packed.getvalue()


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    issue = pa.struct([("code", pa.string()), ("severity", pa.string()), ("message", pa.string())])
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            pa.field("order", pa.int32(), nullable=False),
            pa.field("id", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("page", pa.int32(), nullable=False),
            *(pa.field(name, pa.float64(), nullable=False) for name in ("x0", "y0", "x1", "y1")),
            pa.field("confidence", pa.float64()),
            pa.field("confidence_method", pa.string()),
            pa.field("evidence", pa.list_(pa.string())),
            pa.field("issues", pa.list_(issue)),
            pa.field("text", pa.string()),
            pa.field("role", pa.string()),
            pa.field("level", pa.int32()),
            pa.field("belongs_to", pa.string()),
            pa.field("html", pa.string()),
            pa.field("n_rows", pa.int32()),
            pa.field("n_cols", pa.int32()),
            pa.field("smiles", pa.string()),
            pa.field("inchikey", pa.string()),
            pa.field("formula", pa.string()),
            pa.field("molblock", pa.string()),
            pa.field("kern", pa.string()),
            pa.field("musicxml", pa.string()),
            pa.field("n_measures", pa.int32()),
            pa.field("record", pa.string(), nullable=False),
        ]
    )


def _row(source: str, order: int, record: RecordBase) -> dict[str, Any]:
    whole = record.model_dump_json()
    x0, y0, x1, y1 = record.bbox
    row: dict[str, Any] = {
        "source": source,
        "order": order,
        "id": record.id,
        "kind": json.loads(whole)["kind"],
        "page": record.page,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "confidence": record.confidence.value,
        "confidence_method": record.confidence.method,
        "evidence": list(record.evidence),
        "issues": [
            {"code": one.code, "severity": one.severity, "message": one.message} for one in record.issues
        ],
        "text": record.describe() if isinstance(record, Content) else None,
        "record": whole,
    }
    return row | _own(record)


def _own(record: RecordBase) -> dict[str, Any]:
    """The columns of one kind of record."""
    if isinstance(record, Text):
        return {"role": record.role, "level": record.level, "belongs_to": record.belongs_to}
    if isinstance(record, Table):
        text = "\n".join("\t".join(row) for row in grid_of_texts(record))
        return {"text": text, "html": record.to_html(), "n_rows": record.n_rows, "n_cols": record.n_cols}
    if isinstance(record, Molecule):
        facts = {name: getattr(record, name) for name in ("smiles", "inchikey", "formula", "molblock")}
        return {"text": record.smiles} | facts
    if isinstance(record, Score):
        return {"text": record.kern} | {
            name: getattr(record, name) for name in ("kern", "musicxml", "n_measures")
        }
    return {}
