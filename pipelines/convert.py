"""One source into one :class:`~docai.document.Document`, page by page.

:func:`convert` reads a document, :class:`Conversion` page by page, :func:`read_page` one page as one region;
all take the steps of :mod:`docai.pipelines.page_reading`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType

from docai._version import __version__
from docai.base import counted
from docai.contents import Issue
from docai.document import Document, SourceInfo, Stats
from docai.errors import DocaiError, SettingError
from docai.issues import make_issue
from docai.models.engine import Engine, check_heads
from docai.models.heads import HEADS
from docai.options import Options
from docai.page_ranges import PageSelection
from docai.pipelines.evidence.hints import missing_reader_issues
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.ingest import Source
from docai.pipelines.layout.given import GivenRegions, whole_page
from docai.pipelines.page_reading import (
    PageResult,
    PageRun,
    ProgressCallback,
    no_progress,
    read_one_page,
    read_regions,
)
from docai.pipelines.structure import DocumentStructure
from docai.pipelines.structure.outline import OutlineEntry, read_outline
from docai.records import RecordBase


class Conversion:
    """The reading of one open source, page by page; use it in a ``with`` block.

    :func:`convert` takes all steps; a batch takes them one by one, so that it can stop between pages.

    What ``progress`` raises ends a step and is passed on.

    Raises:
        PageNotFoundError, TooManyPagesError: the selection does not fit the source.
        ConfigurationError: a head was asked for that cannot be had, or ``regions`` names a page that is not
            there.

    Attributes:
        numbers: of the chosen pages, ascending.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        options: Options,
        *,
        pages: PageSelection | None = None,
        regions: GivenRegions | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        check_heads(engine, options.heads)
        if missing := sorted(number for number in regions or {} if number > source.n_pages):
            raise SettingError(
                f"regions names page {missing[0]}, and {source.name} has {counted(source.n_pages, 'page')}."
            )
        self.numbers = source.numbers(pages)
        readers = ReaderPool.choose(options)
        self._run = PageRun(
            source, engine, options, readers, len(self.numbers), regions or {}, progress or no_progress
        )

    def __enter__(self) -> Conversion:
        self._run.readers.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.readers.__exit__(kind, error, trace)

    def read_page(self, number: int) -> PageResult:
        """Read one page. What goes wrong on it is an issue of the page.

        Raises:
            ConfigurationError: the engine is not set up.
        """
        self._run.seconds = {}
        result = read_one_page(self._run, number)
        result.seconds = {stage: round(value, 3) for stage, value in self._run.seconds.items()}
        result.device = self._run.engine.device
        return result

    def hints(self, records: Sequence[RecordBase]) -> list[Issue]:
        """What would have read the records better: issues of the document."""
        return missing_reader_issues(self._run.readers.missing(), records)

    def structure(self) -> DocumentStructure:
        """What settles the roles of the texts, once all pages are added to it."""
        return DocumentStructure(self._outline)

    def _outline(self) -> list[OutlineEntry]:
        """That of the file; none where the page that it is asked by cannot be opened."""
        if self._run.source.type != "pdf" or not self.numbers:
            return []
        try:
            with self._run.source.page(self.numbers[0]) as page:
                return page.inside(read_outline)
        except DocaiError:
            return []

    def document(self, pages: Iterable[PageResult]) -> Document:
        """The document that the pages make, in their order, with the roles of its texts."""
        run = self._run
        document = _open_document(run.source)
        seconds: Counter[str] = Counter()
        device = ""
        structure = self.structure()
        for page in pages:
            structure.add(page.info, page.records)
            document.pages.append(page.info)
            document.records += page.records
            document.issues += page.issues
            seconds.update(page.seconds)
            device = page.device or device
        if document.pages:
            document.issues += structure.settle()
            structure.apply(document.records)
        document.issues += self.hints(document.records)
        document.stats = Stats(
            docai_version=__version__,
            model=run.engine.name,
            device=device,
            n_regions=len(document.records),
            n_generated_tokens=sum(record.n_tokens for record in document.records),
            seconds_by_stage={stage: round(value, 3) for stage, value in seconds.items()},
        )
        return document


def convert(
    source: Source,
    engine: Engine,
    options: Options,
    *,
    pages: PageSelection | None = None,
    regions: GivenRegions | None = None,
    progress: ProgressCallback | None = None,
) -> Document:
    """Read the chosen pages of an open source.

    What ``progress`` raises ends the conversion and is passed on.

    Raises:
        PageNotFoundError, TooManyPagesError: the selection does not fit the source.
        ConfigurationError: a head was asked for that cannot be had, ``regions`` names a page that is not
            there, or the engine is not set up.
    """
    started = time.perf_counter()
    with Conversion(source, engine, options, pages=pages, regions=regions, progress=progress) as conversion:
        document = conversion.document(map(conversion.read_page, conversion.numbers))
    document.stats.seconds = round(time.perf_counter() - started, 3)
    return document


def read_page(
    source: Source,
    engine: Engine,
    options: Options,
    head: str,
    *,
    progress: ProgressCallback | None = None,
) -> RecordBase:
    """The first page of an open source as one region of the given head; ``options.heads`` is not looked at.

    Raises:
        InputError: the page cannot be read.
        ConfigurationError: there is no such head, or it has no weights.
    """
    check_heads(engine, [head])
    with source.page(1) as page, ReaderPool.choose(options) as readers:
        kind = HEADS[head].kind
        region = whole_page(page, kind, use_text_layer=options.text_layer != "ignore")
        given: GivenRegions = {page.number: [(kind, region.bbox)]}
        run = PageRun(source, engine, options, readers, given=given, progress=progress or no_progress)
        (record,) = read_regions(run, page, [region], time.perf_counter())
        hints = missing_reader_issues(readers.missing(), [record])
        record.issues += [hint.model_copy(update={"page": 1, "region": record.id}) for hint in hints]
        return record


def _open_document(source: Source) -> Document:
    """A document without pages yet."""
    info = SourceInfo(
        name=source.name,
        type=source.type,
        n_bytes=source.n_bytes,
        sha256=source.sha256,
        n_pages=source.n_pages,
    )
    document = Document(source=info)
    if source.repaired:
        message = f"{source.name} is damaged and was repaired on opening; something may be missing."
        document.issues.append(make_issue("source-repaired", message))
    return document
