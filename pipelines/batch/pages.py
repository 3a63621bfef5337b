"""The pages of a document that is not finished, on disk: what was read is not read again after a stop.

Each page is a small document of its own, written when it was read. At the end they become one: as JSON page
by page, so that a document of many thousand pages takes no more memory than one of ten.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, NamedTuple, Self

from pydantic import BaseModel

from docai.base import one_line
from docai.contents import Issue
from docai.document import Document, PageInfo, SourceInfo, Stats
from docai.errors import NotAResultError
from docai.files import write_atomically, write_durably
from docai.geometry import BBox
from docai.pipelines.evidence.hints import is_read_badly
from docai.pipelines.page_reading import PageResult
from docai.records import Record, kind_of

_ABOUT: Final = "about.json"

MODEL_FAILED: Final = "model-failed"
"""The issue of a region about which the model gave no answer, which it may give another time."""

N_BINS: Final = 10
"""Of the distribution of confidences, 0 to 1."""

N_DOUBTFUL: Final = 3
"""Records of a document that are least sure, which are kept for the report."""

MAX_IN_MEMORY: Final = 8 << 20
"""Bytes of one list of a document that are kept in memory while it is put together."""


class Doubtful(NamedTuple):
    """A record that is not sure."""

    confidence: float
    kind: str
    page: int
    bbox: BBox
    """Points of the page."""
    content: str
    """What was read, in a line."""


class PageStore:
    """The pages of one document that were read, in a folder of their own.

    Args:
        sha256: of the document; pages of other bytes are thrown away.
        key: of the settings that they were read with; those of others are thrown away.
        joins: another process has begun the folder, and reads the same document: nothing is thrown away.

    Raises:
        NotAResultError: with ``joins``, the folder is not begun, or of another document.
    """

    def __init__(self, folder: Path, sha256: str, key: str, *, joins: bool = False) -> None:
        self._folder = folder
        self._sha256 = sha256
        self._about = json.dumps({"key": f"{sha256} {key}"}).encode()
        self._is_begun = False
        with suppress(OSError):
            self._is_begun = (folder / _ABOUT).read_bytes() == self._about
        if joins and not self._is_begun:
            raise NotAResultError(f"{folder} holds no pages of this document")
        if not self._is_begun:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, source: SourceInfo, page: PageResult) -> None:
        """Write a page. Raises OSError."""
        if not self._is_begun:
            # Most documents have one page, and need no folder.
            write_durably(self._folder / _ABOUT, self._about)
            self._is_begun = True
        document = Document(
            source=source,
            pages=[page.info],
            records=page.records,
            issues=page.issues,
            stats=Stats(device=page.device, seconds_by_stage=page.seconds),
        )
        # A page that a power cut takes is read again; waiting for the disk at each would cost more.
        write_atomically(self._path(page.info.number), document.to_json(indent=None).encode())

    def load(self, number: int) -> PageResult:
        """A page that was kept. Raises :class:`NotAResultError` where it is damaged, OSError."""
        document = Document.from_json(self._path(number).read_bytes())
        if len(document.pages) != 1:
            raise NotAResultError(f"{self._path(number)} holds no single page")
        if document.source.sha256 != self._sha256:
            # Whoever helped had opened the file before it changed.
            raise NotAResultError(f"{self._path(number)} is of another version of the document")
        stats = document.stats
        return PageResult(
            document.pages[0], document.records, document.issues, stats.seconds_by_stage, stats.device
        )

    def numbers(self, *, with_failed: bool = True) -> frozenset[int]:
        """The pages that are here. Damaged ones are dropped, and on request those that could not be read, or
        in which the model failed."""
        kept = set()
        for path in self._folder.glob("*.json"):
            if path.name == _ABOUT:
                continue
            try:
                page = self.load(int(path.stem))
                is_good = with_failed or not (
                    page.info.origin == "failed" or n_unanswered(page.issues, page.records)
                )
            except (NotAResultError, OSError, ValueError):
                is_good = False
            if is_good:
                kept.add(int(path.stem))
            else:
                path.unlink(missing_ok=True)
        return frozenset(kept)

    def discard(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"


class Assembly:
    """A document made of its pages, one at a time; use it in a ``with`` block.

    Args:
        start: the document without pages.
        keep_times: seconds of pages and stages, which differ from run to run: without them results can be
            compared.

    Attributes:
        n_records, n_pages: of it.
        n_unanswered: regions about which the model gave no answer.
        failed_pages: numbers of those that could not be read.
        severities: how many issues of each severity there are.
        first_problem: the first issue that is an error.
        confidences: kind of record → how many have a confidence of 0.0…, 0.1…, …, 0.9….
        doubtful: the records that are least sure, first the least.
    """

    def __init__(self, start: Document, *, keep_times: bool = False) -> None:
        self._start = start
        self._keep_times = keep_times
        self._seconds: Counter[str] = Counter()
        self._parts = {name: _List(name) for name in ("pages", "records", "issues")}
        self._badly_read: dict[str, Record] = {}
        self.n_pages = 0
        self.n_unanswered = 0
        self.failed_pages: list[int] = []
        self.severities: Counter[str] = Counter()
        self.first_problem: Issue | None = None
        self.confidences: dict[str, list[int]] = {}
        self.doubtful: list[Doubtful] = []
        start.stats.n_regions = start.stats.n_generated_tokens = 0
        for issue in start.issues:
            self._add_issue(issue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts.values():
            part.close()

    @property
    def n_records(self) -> int:
        return self._start.stats.n_regions

    def add(self, page: PageResult) -> None:
        """The next page."""
        self.n_pages += 1
        self.n_unanswered += n_unanswered(page.issues, page.records)
        if page.info.origin == "failed":
            self.failed_pages.append(page.info.number)
        if self._keep_times:
            self._seconds.update(page.seconds)
            self._parts["pages"].add(page.info)
        else:
            self._parts["pages"].add(page.info.model_copy(update={"seconds": 0.0}))
        for issue in page.issues:
            self._add_issue(issue)
        stats = self._start.stats
        stats.device = page.device or stats.device
        for record in page.records:
            stats.n_regions += 1
            stats.n_generated_tokens += record.n_tokens
            self._measure(record)
            if is_read_badly(record):
                self._badly_read.setdefault(kind_of(type(record)), record)
            for issue in record.issues:
                self._count(issue)
            self._parts["records"].add(record)

    def end(self, hints: Callable[[Sequence[Record]], list[Issue]], seconds: float = 0.0) -> None:
        """After the last page.

        Args:
            hints: the issues that follow from records that were read badly, one of each kind.
            seconds: that the whole took; for ``keep_times``.
        """
        if self._keep_times:
            self._start.stats.seconds = round(seconds, 3)
            self._start.stats.seconds_by_stage = {
                stage: round(value, 3) for stage, value in self._seconds.items()
            }
        for issue in hints(list(self._badly_read.values())):
            self._add_issue(issue)

    def write_json(self, file: BinaryIO) -> None:
        """The bytes that :func:`docai.exports.to_json` gives for the document."""
        head = self._start.model_dump_json(include={"schema_version", "source"}, indent=2)
        file.write(head.removesuffix("\n}").encode())
        for part in self._parts.values():
            part.write_to(file)
        stats = self._start.stats.model_dump_json(indent=2).replace("\n", "\n  ")
        file.write(f',\n  "stats": {stats}\n}}\n'.encode())

    def _measure(self, record: Record) -> None:
        value = record.confidence.value
        if value is None:
            return
        counts = self.confidences.setdefault(record.kind, [0] * N_BINS)
        counts[min(int(value * N_BINS), N_BINS - 1)] += 1
        if len(self.doubtful) < N_DOUBTFUL or value < self.doubtful[-1].confidence:
            one = Doubtful(value, record.kind, record.page, record.bbox, one_line(record.describe(), 200))
            self.doubtful = sorted([*self.doubtful, one])[:N_DOUBTFUL]

    def _add_issue(self, issue: Issue) -> None:
        self._count(issue)
        self._parts["issues"].add(issue)

    def _count(self, issue: Issue) -> None:
        self.severities[issue.severity] += 1
        if issue.severity == "error" and self.first_problem is None:
            self.first_problem = issue


class _List:
    """A field of a document that is a list, as indented JSON; a long one is on the disk."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_empty = True
        self._file = SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115 - it lives as long as this

    def add(self, item: BaseModel) -> None:
        # As pydantic indents it; strings hold no line breaks in JSON.
        text = item.model_dump_json(indent=2, serialize_as_any=True).replace("\n", "\n    ")
        self._file.write((("\n    " if self._is_empty else ",\n    ") + text).encode())
        self._is_empty = False

    def write_to(self, file: BinaryIO) -> None:
        file.write(f',\n  "{self._name}": ['.encode())
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)
        file.write(b"]" if self._is_empty else b"\n  ]")

    def close(self) -> None:
        self._file.close()


def n_unanswered(issues: Iterable[Issue], records: Iterable[Record]) -> int:
    """Regions about which the model gave no answer, since it failed."""
    return sum(issue.code == MODEL_FAILED for issue in issues) + sum(
        any(issue.code == MODEL_FAILED for issue in record.issues) for record in records
    )


def failed_page(number: int, issue: Issue) -> PageResult:
    """What stands for a page that could not be read."""
    return PageResult(PageInfo(number=number, width=0, height=0, origin="failed"), issues=[issue])
