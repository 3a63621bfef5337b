"""A document with every kind of record and every field filled, for tests of what is done with it."""

from __future__ import annotations

from docai.contents import Cell, Issue, Line, Word
from docai.document import Document, PageInfo, SourceInfo, Stats
from docai.records import Alternative, Confidence, Figure, Molecule, Score, Table, Text


def full_document() -> Document:
    """Two pages, five records, no error-level issue."""
    return Document(
        source=SourceInfo(name="résumé.pdf", type="pdf", n_bytes=12, sha256="ab" * 32, n_pages=2),
        pages=[
            PageInfo(number=1, width=595.28, height=841.89, origin="born-digital", n_words=3, seconds=0.1),
            PageInfo(number=2, width=612, height=792, rotation=90, origin="scan", dpi=200),
        ],
        records=[
            Table(
                id="t1",
                page=1,
                bbox=(50.1, 60.2, 300.3, 160.7),
                polygon=[(50, 60), (300, 61), (300, 160)],
                head="table",
                checkpoint="nano@1",
                prompt="table to html",
                raw="<table>\n<tr><td>α</td></tr>",
                finish_reason="length",
                n_tokens=12,
                confidence=Confidence(value=0.123456789012345, method="mean-token-probability"),
                evidence=["model", "text-layer"],
                alternatives=[Alternative(source="table-finder", content="<table/>", reason="Fewer rows.")],
                native_text="α β",
                issues=[Issue(code="table-open", severity="warning", stage="parser", message="Cut.", page=1)],
                repaired=True,
                region_score=0.9,
                region_evidence=["ruled grid"],
                html="<table><tr><td>α</td></tr></table>",
                n_rows=1,
                n_cols=1,
                cells=[Cell(row=0, col=0, text="α", is_header=True, bbox=(51, 61, 70, 71), confidence=1 / 3)],
            ),
            Molecule(
                id="m1",
                page=1,
                bbox=(50, 200, 200, 300),
                head="molecule",
                smiles="C[C@H](N)O",
                inchi="InChI=1S/C2H7NO",
                inchikey="K",
                formula="C2H7NO",
                molblock="\n  RDKit\n\n",
                is_valid=True,
            ),
            Score(
                id="s1",
                page=1,
                bbox=(50, 310, 500, 400),
                head="score",
                kern="**kern\n*-",
                n_spines=1,
                n_measures=2,
            ),
            Text(
                id="x1",
                page=2,
                bbox=(50, 50, 400, 80),
                text="Hello\u2028world\u00a0…",
                lines=[Line(text="Hello", bbox=(1, 2, 3, 4), words=[Word(text="Hello", confidence=0.1)])],
                evidence=["text-layer"],
            ),
            Figure(id="f1", page=2, bbox=(50, 100, 400, 300), text="Fig"),
        ],
        issues=[Issue(code="page-slow", severity="info", stage="ingest", message="Slow.", page=2)],
        stats=Stats(
            docai_version="0", model="nano@1", device="cpu", seconds=1.5, seconds_by_stage={"model": 1.0}
        ),
    )
