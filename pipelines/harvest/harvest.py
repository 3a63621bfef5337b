"""Read documents, take the pairs that are certain, and say what was left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from docai.document import Document, PageInfo
from docai.errors import DocaiError, SettingError
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.engine import Generation, Request
from docai.models.heads import HEADS as ALL_HEADS
from docai.models.heads import get_head
from docai.options import Options
from docai.pipelines.convert import convert
from docai.pipelines.crops.crop import make_crop
from docai.pipelines.harvest.certain import HEADS, Certainty, Doubt
from docai.pipelines.harvest.pairs import as_scanned, make_pair, whole_box
from docai.pipelines.harvest.store import Store, explain_write_errors
from docai.pipelines.ingest import Page, Source, open_source
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.training.datasets import NoTargetError
from docai.records import Record

_TRAINED: Final = frozenset(HEADS)


class _NoModel:
    """Stands for a model and reads nothing: what only a model can read is not certain."""

    name = "none"
    device = ""

    def heads(self) -> frozenset[str]:
        return frozenset(ALL_HEADS)

    def accuracy(self, head: str) -> float | None:
        return None

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        return [Generation("", "blank", prompt=request.head.prompt) for request in requests]


@dataclass
class HarvestedSource:
    """What one document gave."""

    path: Path
    pairs: Counter[str] = field(default_factory=Counter)
    """By head; a pair and its scanned version are two."""
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Regions by head and reason, see :data:`docai.pipelines.harvest.certain.REASONS`."""
    error: str | None = None
    """Why the document could not be read; its other pages were not harvested."""
    n_failed_pages: int = 0
    was_finished: bool = False
    """An earlier call finished it, with the same settings; nothing was read."""


@dataclass(frozen=True)
class Harvest:
    """How documents are harvested.

    Raises:
        UnknownHeadError: ``heads`` has a name that there is no head of.
        SettingError: a head whose pairs cannot be harvested, or a confidence that is none.
    """

    folder: Path
    heads: tuple[str, ...] = HEADS
    certainty: Certainty = field(default_factory=Certainty)
    with_scans: bool = False
    """Whether each pair comes a second time, as a scan shows it."""
    password: str | None = None
    """Opens encrypted documents."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for head in self.heads:
            if get_head(head).name not in _TRAINED:
                raise SettingError(
                    f"No pairs are harvested for the head {head!r}; there are {', '.join(HEADS)}."
                )
        if not 0 <= self.certainty.min_confidence <= 1:
            raise SettingError(
                f"The confidence is {self.certainty.min_confidence}; it has to be from 0 to 1."
            )

    def options(self) -> Options:
        """How documents are read: nobody is asked but the page."""
        return Options(heads=self.heads, witnesses="off", readback="off", limits=self.limits)

    def key(self, data: bytes) -> str:
        """Of a document harvested in this way."""
        settings = f"{sorted(self.heads)} {self.certainty.min_confidence} {self.with_scans}"
        return hashlib.sha256(hashlib.sha256(data).digest() + settings.encode()).hexdigest()


def harvest(paths: Sequence[Path], how: Harvest) -> Iterator[HarvestedSource]:
    """Harvest documents one after the other; what an earlier call finished is not read again.

    A document that cannot be read is reported, and the next one has its turn. After the last one, each head
    has a contact sheet.

    Raises:
        SettingError: the folder cannot be used.
        DocaiError: writing failed; what is listed until then is complete.
    """
    store = Store.open(how.folder, how.heads)
    for path in paths:
        yield _harvest_one(path, how, store)
    with explain_write_errors(how.folder):
        for head in store.heads.values():
            head.write_sheet()


def _harvest_one(path: Path, how: Harvest, store: Store) -> HarvestedSource:
    result = HarvestedSource(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        result.error = f"{path} cannot be read: {error.strerror or error}."
        return result
    key = how.key(data)
    if key in store.finished:
        result.was_finished = True
        return result
    try:
        opened = open_source(data, password=how.password, limits=how.limits)
    except DocaiError as error:
        result.error = f"{path.name}: {error}"
        return result
    with opened as source:
        try:
            document = convert(source, _NoModel(), how.options())
        except DocaiError as error:
            result.error = f"{path.name}: {error}"
            return result
        with explain_write_errors(how.folder):
            for page in document.pages:
                _harvest_page(document, page, source, how, store, result)
            result.n_failed_pages = sum(page.origin == "failed" for page in document.pages)
            line = {"source": str(path), "pairs": dict(result.pairs), "left_out": _as_lines(result.left_out)}
            store.finish(key, line)
    return result


def _harvest_page(
    document: Document, info: PageInfo, source: Source, how: Harvest, store: Store, result: HarvestedSource
) -> None:
    records: list[Record] = [
        record for record in document.records if record.page == info.number and record.kind in how.heads
    ]
    doubts = [how.certainty.doubt(record, info) for record in records]
    certain = [record for record, doubt in zip(records, doubts, strict=True) if doubt is None]
    if certain:
        with source.page(info.number) as page:
            looked_at = {record.id: _harvest_record(record, page, how, store, result) for record in certain}
        doubts = [doubt or looked_at[record.id] for record, doubt in zip(records, doubts, strict=True)]
    for record, doubt in zip(records, doubts, strict=True):
        if doubt is None:
            continue
        result.left_out[record.kind, doubt.reason] += 1
        store.left_out(
            {
                "source": str(result.path),
                "page": record.page,
                "bbox": list(record.bbox),
                "kind": record.kind,
                "reason": doubt.reason,
                "detail": doubt.detail,
            }
        )


def _harvest_record(
    record: Record, page: Page, how: Harvest, store: Store, result: HarvestedSource
) -> Doubt | None:
    """Write the pair of a record; or why there is none. Raises ``OSError``."""
    box: BBox | None = record.bbox
    if "drawing" in record.evidence:
        box = whole_box(record.bbox, page.inside(read_drawing, None))
    if box is None:
        return Doubt("cut", "it goes on beyond the box, or something else crosses its edge")
    try:
        crop = make_crop(page, box, size=get_head(record.kind).resolution)
        sample = make_pair(record, page, crop)
    except NoTargetError as error:
        return Doubt(error.reason, error.detail)
    except DocaiError as error:
        return Doubt("no-picture", str(error))
    folder = store.heads[record.kind]
    if folder.has(sample):
        return Doubt("repeat", f"{sample.key[:80]} is in {folder.path}")
    if doubt := how.certainty.doubt_of_picture(record, crop):
        return doubt
    versions = [as_scanned(sample)] if how.with_scans else []
    origin = {"source": str(result.path), "page": record.page, "bbox": [round(v, 2) for v in record.bbox]}
    result.pairs[record.kind] += folder.add(sample, versions, origin)
    return None


def _as_lines(left_out: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    lines: dict[str, dict[str, int]] = {}
    for (head, reason), count in sorted(left_out.items()):
        lines.setdefault(head, {})[reason] = count
    return lines
