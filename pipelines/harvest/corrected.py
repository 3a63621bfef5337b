"""Pairs from what a person accepted or corrected: the crop as the head saw it, and what is right.

Each result with corrections beside it (:mod:`docai.corrections`) gives the records that were accepted or
corrected; its source has to be at hand, since the crops are rendered from it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from docai.corrections import SUFFIX, Corrections
from docai.document import Document
from docai.errors import DatasetError, DocaiError
from docai.limits import Limits
from docai.models.heads import get_head
from docai.pipelines.crops.crop import make_crop
from docai.pipelines.harvest.certain import HEADS
from docai.pipelines.harvest.pairs import make_pair
from docai.pipelines.harvest.store import Store, explain_write_errors
from docai.pipelines.ingest import Source, open_source
from docai.pipelines.ingest.result_source import find_source, read_result
from docai.pipelines.synthesis.write import PAIRS_FILE
from docai.pipelines.training.datasets import NoTargetError
from docai.records import Record, Text

DATA_SETS: Final = {
    "table": "pubtabnet:{}",
    "molecule": "molscribe:{}/molecules.csv",
    "score": "grandstaff:{}",
    "text": "icdar2015:{}",
}
"""The pairs of each head as ``docai evaluate`` reads them; ``{}`` stands for the folder of the head."""


@dataclass
class CorrectedPairs:
    """What the corrections gave."""

    folder: Path
    pairs: Counter[str] = field(default_factory=Counter)
    """By head."""
    left_out: list[str] = field(default_factory=list)
    """A sentence for each record or result that gave none."""

    def of_head(self, head: str) -> Path:
        """The folder of its pairs, in the layout of ``docai synth``.

        Raises:
            DatasetError: there are none.
        """
        if not self.pairs[head]:
            why = "".join(f"\n  {line}" for line in self.left_out[:10])
            raise DatasetError(
                f"The corrections give no pair for the head {head}: accept or correct records of that kind "
                f"with `docai view RESULT --serve`.{why}"
            )
        return self.folder / head


def write_corrected_pairs(
    places: Sequence[Path],
    folder: Path,
    *,
    heads: Sequence[str] = HEADS,
    sources: Sequence[Path] = (),
    password: str | None = None,
    limits: Limits | None = None,
) -> CorrectedPairs:
    """Write the pairs of all corrections into ``folder``, one folder for each head in it, anew each time.

    Args:
        places: files ``….corrections.json``, and folders with all that is in them.
        heads: whose pairs are written.
        sources: where the documents are, besides beside the results.
        password: opens encrypted PDFs.
        limits: of reading the documents.

    Raises:
        DatasetError: there are no corrections in one of the places.
        SettingError: the folder cannot be used.
        DocaiError: writing failed.
    """
    files = [file for place in places for file in _corrections_in(place)]
    for head in heads:
        # What an earlier call wrote, and nothing else.
        if (folder / head / PAIRS_FILE).exists():
            shutil.rmtree(folder / head)
    store = Store.open(folder, tuple(heads))
    made = CorrectedPairs(folder)
    for file in files:
        try:
            document, result = _checked_document(file)
            made.left_out += [
                f"{file}: {issue.message}"
                for issue in document.issues
                if issue.code.startswith("correction-")
            ]
            source = find_source(document, result, sources)
            if source is None:
                made.left_out.append(f"{result}: {document.source.name} was not found; say where it is.")
                continue
            with (
                open_source(source, password=password, limits=limits) as opened,
                explain_write_errors(folder),
            ):
                _write_pairs(document, opened, store, made)
        except DocaiError as error:
            made.left_out.append(f"{file}: {error}")
    with explain_write_errors(folder):
        for head_folder in store.heads.values():
            head_folder.write_sheet()
    return made


def _corrections_in(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        files = [place] if place.name.endswith(SUFFIX) and place.is_file() else []
    else:
        files = sorted(place.rglob(f"*{SUFFIX}"))
    if not files:
        raise DatasetError(
            f"There are no corrections in {place}: `docai view RESULT --serve` writes them beside a result, "
            f"as NAME{SUFFIX}."
        )
    yield from files


def _checked_document(file: Path) -> tuple[Document, Path]:
    """The records that a person accepted or corrected, and the file of the result."""
    result = file.with_name(file.name.removesuffix(SUFFIX) + ".json")
    document = read_result(result).with_corrections(Corrections.read(file))
    checked = [record for record in document.records if record.evidence == ["person"]]
    return document.model_copy(update={"records": checked}), result


def _write_pairs(document: Document, source: Source, store: Store, made: CorrectedPairs) -> None:
    """Raises ``OSError``."""
    for record in document.records:
        if record.kind in store.heads and (reason := _write_pair(record, source, store)):
            made.left_out.append(f"{document.source.name}, page {record.page}, {record.kind}: {reason}")
        elif record.kind in store.heads:
            made.pairs[record.kind] += 1


def _write_pair(record: Record, source: Source, store: Store) -> str:
    """Why there is none; empty where there is."""
    folder = store.heads[record.kind]
    if isinstance(record, Text) and any(word.bbox is None for line in record.lines for word in line.words):
        # The head would learn to leave it out.
        return "a word has no box: leave as many words in a line as there are in the picture"
    try:
        with source.page(record.page) as page:
            crop = make_crop(page, record.bbox, size=get_head(record.kind).resolution)
            sample = make_pair(record, page, crop)
    except NoTargetError as error:
        return error.detail
    except DocaiError as error:
        return str(error)
    if folder.has(sample):
        return "the same drawing is there already"
    folder.add(sample, [], {"source": source.name, "page": record.page, "bbox": list(record.bbox)})
    return ""
