"""Parquet as pyarrow and pandas read it: each record comes back whole."""

from __future__ import annotations

import io
import json

import pyarrow.parquet

from docai.document import Document
from docai.exports import export

from . import made


def test_records_come_back_from_their_rows() -> None:
    document = made.document(
        made.text("a\x01|=1", role="title"),
        made.spanned(),
        made.molecule("CCO"),
        made.score(),
        made.figure("words", page=2),
    )
    table = pyarrow.parquet.read_table(io.BytesIO(export(document, "out.parquet")))
    rows = table.to_pylist()
    about = json.loads(table.schema.metadata[b"docai"])
    assert (
        Document.model_validate({**about, "records": [json.loads(row["record"]) for row in rows]}) == document
    )
    assert [row["kind"] for row in rows] == ["text", "table", "molecule", "score", "figure"]
    assert [row["page"] for row in rows] == [1, 1, 1, 1, 2]
    assert rows[0]["role"] == "title"
    assert rows[1]["text"].startswith("Group\tMass\t\n")
    assert (rows[2]["smiles"], rows[2]["confidence"]) == ("CCO", 0.75)
    assert rows[3]["kern"] == made.KERN


def test_pandas_reads_it_and_a_document_without_records_has_the_same_columns() -> None:
    frame = pyarrow.parquet.read_table(
        io.BytesIO(export(made.document(made.text("a")), "o.parquet"))
    ).to_pandas()
    empty = pyarrow.parquet.read_table(io.BytesIO(export(made.document(), "o.parquet")))
    assert list(frame.columns) == empty.schema.names
    assert empty.num_rows == 0
