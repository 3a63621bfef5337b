"""The data sets of the folder of real documents, as crops and as pages, with their measures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset
from docai.pipelines.evaluation.datasets.dataset import DataSet
from docai.records import Kind

PASSWORDS = {"password-example.pdf": "test", "encrypted_2206.01062_pg3.pdf": "1234"}
"""Of the files that are encrypted on purpose."""


@dataclass(frozen=True)
class Column:
    """One measure of a task; ``heading`` where the measure's own label says too little."""

    task: str
    measure: str
    heading: str | None = None


@dataclass(frozen=True)
class Suite:
    """One section of the results."""

    name: str
    title: str
    text: str
    """What is asked, in a sentence or two."""
    kind: Kind
    open: Callable[[Path, Path], DataSet]
    """From the folder of real documents and one for notes of our own."""
    columns: tuple[Column, ...] = ()
    """None where there is no truth."""
    without: tuple[str, ...] = ()
    """Tools that it asks nothing of."""
    limit: int | None = None
    """Cases at most, so that all sets together take minutes; chosen by the run's seed."""

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column.task for column in self.columns))


def _folder(form: str, below: str) -> Callable[[Path, Path], DataSet]:
    return lambda data, notes: open_dataset(f"{form}:{data / below}")


def _whole_pictures(data: Path, notes: Path) -> DataSet:
    """Pictures of molecules as pages on which the molecule has to be found first."""
    crops = open_dataset(f"molfiles:{data / 'molecules'}")

    def read(path: Path) -> Iterator[Sample | Skipped]:
        for case in crops.read(path):
            yield replace(case, unit="page") if isinstance(case, Sample) else case

    return replace(crops, unit="page", read=read)


def _pdfs(data: Path, notes: Path) -> DataSet:
    """The PDFs with their passwords, which do not lie beside them."""
    notes.mkdir(parents=True, exist_ok=True)
    listed = notes / "pdfs.txt"
    lines = []
    for path in sorted((data / "pdfs").rglob("*.pdf")):
        name = os.path.relpath(path, notes)
        lines.append(f"{name}\t{PASSWORDS[path.name]}" if path.name in PASSWORDS else name)
    if not lines:
        raise DatasetError(f"There are no PDFs below {data / 'pdfs'}.")
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_dataset(f"pdf-text:{listed}")


def _scans(data: Path, notes: Path) -> DataSet:
    """Files without any truth: what they cost."""

    def read(path: Path) -> Iterator[Sample | Skipped]:
        for file in sorted(path.iterdir()):
            yield Sample(id=file.name, truth=(), unit="page", source=file)

    folder = data / "text" / "scans"
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    return DataSet("files", folder, "page", ("text",), (), None, read)


_SEEN = (
    "docai's rules for tables were developed with these documents in view, the peers' were not; some of the "
    "peers' settings (see Tools) were chosen on half of them."
)
_TEDS = (
    Column("table", "teds"),
    Column("table", "s-teds"),
    Column("table", "teds-canonical"),
    Column("table", "s-teds-canonical"),
)
_GRITS = (Column("table", "grits-con"), Column("table", "grits-top"))
_MOLECULE = tuple(
    Column("molecule", name) for name in ("exact", "exact-no-ez", "graph", "inchikey", "tanimoto", "valid")
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="pubtabnet",
        title="Table pictures (PubTabNet), crop in",
        text="TEDS by the reference, and of canonical HTML on both sides.",
        kind="table",
        open=_folder("pubtabnet", "tables/pubtabnet"),
        columns=(*_TEDS, *_GRITS),
    ),
    Suite(
        name="icdar2013-crop",
        title="Table regions of born-digital PDFs (ICDAR 2013, EU half), crop in",
        text="The region is given, the PDF's own text may be used. " + _SEEN,
        kind="table",
        open=_folder("icdar2013-crop", "tables/icdar2013-eu"),
        columns=(*_GRITS, Column("table", "grits-con-macro"), Column("table", "teds-canonical")),
    ),
    Suite(
        name="icdar2013",
        title="Tables of born-digital PDFs (ICDAR 2013, EU half), pages in",
        text="Tables have to be found first; the PDF's own text may be used. " + _SEEN,
        kind="table",
        open=_folder("icdar2013", "tables/icdar2013-eu"),
        columns=(
            *_GRITS,
            Column("table", "grits-con-macro"),
            Column("table", "teds-canonical"),
            Column("table", "tables-found"),
            Column("table", "tables-precise"),
        ),
    ),
    *(
        Suite(
            name=folder.lower(),
            title=f"Structure drawings ({title}), crop in",
            text="One picture, one SMILES.",
            kind="molecule",
            open=_folder("molfiles", f"molecules/{folder}"),
            columns=_MOLECULE,
        )
        for folder, title in (
            ("uspto", "USPTO"),
            ("clef2012", "CLEF 2012"),
            ("usan", "USAN"),
            ("testSet1", "testSet1"),
        )
    ),
    Suite(
        name="molecule-pages",
        title="Structure drawings, pages in",
        text="The same pictures as pages: the structure has to be found first, and nothing says it is one.",
        kind="molecule",
        open=_whole_pictures,
        columns=(
            *(Column("molecule", name) for name in ("exact", "valid", "found")),
            Column("molecule", "precise"),
        ),
        limit=40,
    ),
    Suite(
        name="icdar2015",
        title="Words in street photos (ICDAR 2015), crop in",
        text="Whole photos; without a lexicon, by two protocols.",
        kind="text",
        open=_folder("icdar2015", "text/icdar2015"),
        columns=(
            Column("text-rrc", "f1", "RRC end-to-end F1"),
            Column("text-rrc", "det-f1", "RRC detection F1"),
            Column("text-hiertext", "f1", "HierText end-to-end F1"),
            Column("text-hiertext", "det-f1", "HierText detection F1"),
        ),
    ),
    Suite(
        name="pdfs",
        title="Words of awkward PDFs, pages in",
        text=(
            "The truth is the PDFs' own text layer as docai reads it through MuPDF, so PyMuPDF is measured "
            "against its own engine."
        ),
        kind="text",
        open=_pdfs,
        columns=tuple(
            Column("words", name) for name in ("word-recall", "word-precision", "word-f1", "order")
        ),
    ),
    Suite(
        name="scans",
        title="Scanned pages, pages in",
        text="There is no truth for these: what they cost.",
        kind="text",
        open=_scans,
        without=("pdfplumber", "pymupdf"),
    ),
    Suite(
        name="mozart",
        title="Scanned scores (Mozart), pages in",
        text="No tool but docai reads scores here.",
        kind="score",
        open=_folder("kern-pages", "scores/mozart"),
        columns=tuple(Column("score", name) for name in ("cer", "ser", "ler", "omr-ned")),
    ),
)
