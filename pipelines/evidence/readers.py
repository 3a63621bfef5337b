"""The readers there are, and asking them while the model reads."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from docai.errors import DocaiError
from docai.geometry import BBox
from docai.issues import make_issue
from docai.options import Effort, Options
from docai.pipelines.evidence.base import PIXELS, Need, Reader, ReaderInput, Reading
from docai.pipelines.evidence.drawing import DrawingReader, DrawnPart
from docai.pipelines.evidence.first_pass import FirstPass
from docai.pipelines.evidence.imago import Imago
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.ppocr import PageReader, PpOcr
from docai.pipelines.evidence.scanned_tables import PpOcrTables, ScannedTables
from docai.pipelines.evidence.second_readers import is_doubtful
from docai.pipelines.evidence.slanet import SlanetTables
from docai.pipelines.evidence.table_decision import TableFinder
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.evidence.text_layer import TextLayer
from docai.pipelines.evidence.traced_scores import TracedScores
from docai.pipelines.evidence.tracing import Tracing
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page
from docai.pipelines.layout.straighten import SeeWords
from docai.pipelines.layout.types import SeenWord
from docai.records import Evidence

MAX_THREADS: Final = 4
"""Regions that are read beside each other: each takes a processor, and the model wants some, too."""

_WORDS_ALONE: Final[frozenset[Need]] = frozenset(("words",))


def known_readers() -> tuple[Reader, ...]:
    """All readers, installed or not: the PDF's own words and drawings, then the second readers."""
    pages = PageReader()
    return (
        TextLayer(),
        DrawingReader(),
        TableFinder(),
        PpOcrTables(pages),
        SlanetTables(pages),
        ScannedTables(),
        Imago(),
        Tracing(),
        Osra(),
        TracedScores(),
        PpOcr(pages),
        Tesseract(),
    )


class ReaderPool:
    """The readers of one run; use it in a ``with`` block.

    What needs pixels alone is read in threads of its own, and what fails is an issue of its region.
    """

    def __init__(self, readers: Sequence[Reader] = (), effort: Effort = "auto") -> None:
        self._effort = effort
        problems = [(reader, reader.available()) for reader in readers]
        self._readers = [reader for reader, problem in problems if problem is None]
        self._first_pass = None if effort == "best" else _first_pass(self._readers)
        self._missing = [(reader, problem) for reader, problem in problems if problem is not None]
        workers = max(1, min(MAX_THREADS, (os.cpu_count() or 2) // 2))
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="docai-reader")

    @classmethod
    def choose(cls, options: Options) -> ReaderPool:
        """The readers that options ask for: with ``witnesses="off"`` those of what the PDF itself holds."""
        readers = known_readers()
        if options.witnesses == "off":
            readers = tuple(one for one in readers if not one.needs <= PIXELS)
        return cls(readers, options.effort)

    def names(self) -> list[Evidence]:
        """Those that are here, in the order in which they are asked."""
        return [reader.name for reader in self._readers]

    def missing(self) -> dict[str, frozenset[str]]:
        """Why readers of pictures cannot be used here, and how to get them → the kinds that they would read.

        Kinds that another reader of pictures reads here are left out; of several missing readers of one kind
        the first is named, which is the easiest to get.
        """
        covered = {kind for one in self._readers if one.needs <= PIXELS for kind in one.kinds or ()}
        found: dict[str, frozenset[str]] = {}
        for reader, problem in self._missing:
            if reader.needs <= PIXELS and (kinds := (reader.kinds or frozenset()) - covered):
                found[problem] = found.get(problem, frozenset()) | kinds
                covered |= kinds
        return found

    @property
    def eyes(self) -> SeeWords | None:
        """The OCR engine that tells layout which words a page shows, boxes tight on the ink; None where there
        is none. Where it fails it shows none, and the regions say why."""
        reader = next((one for one in self._readers if isinstance(one, PpOcr)), None)
        if reader is None:
            return None

        def see_words(page: Page) -> list[SeenWord]:
            region = ReaderInput(page, page.bbox)
            with suppress(DocaiError):
                words = None if self._first_pass is None else self._first_pass.seen(region)
                if words is not None:
                    return [SeenWord(one.word, one.confidence, "tesseract", True) for one in words]
                return [SeenWord(one.word, one.confidence) for one in reader.pages.seen(region)]
            return []

        return see_words

    @property
    def glance(self) -> SeeWords | None:
        """As :attr:`eyes`, of which way up a page is: some of its lines do, where it has many."""
        first_pass, see_words = self._first_pass, self.eyes
        if first_pass is None or see_words is None:
            return see_words

        def see_some_words(page: Page) -> Sequence[SeenWord]:
            words = first_pass.glance(ReaderInput(page, page.bbox))
            return see_words(page) if words is None else [SeenWord(one.word, one.confidence) for one in words]

        return see_some_words

    def read_words(self, kind: str, region: ReaderInput) -> Reading | None:
        """The PDF's own words of a region; None where it has none. Other readers are asked after that."""
        for reader in self._readers:
            if reader.needs == _WORDS_ALONE and _reads(reader, kind) and region.words:
                return ask(reader, region)
        return None

    def read_drawing(
        self, page: Page, boxes: Sequence[BBox], others: Sequence[BBox]
    ) -> tuple[list[DrawnPart], Reading | None]:
        """What a page draws, from the top, and the failure of whoever should have said.

        See :meth:`~docai.pipelines.evidence.drawing.DrawingReader.read_page`.
        """
        for reader in self._readers:
            if isinstance(reader, DrawingReader):
                try:
                    return reader.read_page(page, boxes, others), None
                except Exception as error:
                    # As in ask(): whatever it is, the regions are read by others.
                    return [], _failed(reader, f"{type(error).__name__}: {error}")
        return [], None

    def read_page(self, kind: str, region: ReaderInput) -> list[Reading]:
        """What second readers make of the page itself, which costs next to nothing: they are asked before a
        model is."""
        return [
            ask(one, region) for one in self._readers if _suits(one, kind, region) and not one.needs <= PIXELS
        ]

    def submit(
        self, kind: str, region: ReaderInput, *, in_time: bool = True, asked: Collection[Evidence] = ()
    ) -> list[Future[list[Reading]]]:
        """Ask the second readers of that kind of region, but those that were ``asked`` before.

        Readers of pixels are asked in turn, until what they read is enough for the effort that is to be made
        (:class:`~docai.options.Options`), or all at once for ``best``.

        The picture is drawn here and now, and what needs the page is read so: pages are not to be used from
        other threads.

        Args:
            kind: of the region.
            region: its words are those that can be believed.
            in_time: False where a limit was reached: no reader of pixels is asked, as those may be programs.
        """
        readers = [one for one in self._readers if one.name not in asked and _suits(one, kind, region)]
        of_pixels = [one for one in readers if one.needs <= PIXELS]
        others = [_done([ask(one, region)]) for one in readers if not one.needs <= PIXELS]
        if not in_time:
            return others
        if self._effort == "best":
            return [*others, *(self._start([reader], region) for reader in of_pixels)]
        return [*others, self._start(of_pixels, region)] if of_pixels else others

    def _start(self, readers: Sequence[Reader], region: ReaderInput) -> Future[list[Reading]]:
        """Ask readers of pixels in turn, in a thread, until what they read is enough."""
        if self._first_pass is not None and any("text" in (reader.kinds or ()) for reader in readers):
            if self._first_pass.is_unsuited(region.page):
                readers = [one for one in readers if not isinstance(one, Tesseract)]
            readers = [self._first_pass, *readers]
        needs = {need for reader in readers for need in reader.needs}
        try:
            if "picture" in needs:
                region.picture  # noqa: B018 - drawn and kept
            if "page" in needs:
                region.page_picture  # noqa: B018 - drawn and kept
        except DocaiError as error:
            return _done([_failed(readers[0], str(error))])
        return self._threads.submit(self._ask_in_turn, readers, region)

    def _ask_in_turn(self, readers: Sequence[Reader], region: ReaderInput) -> list[Reading]:
        readings: list[Reading] = []
        for reader in readers:
            has_read = {
                name for one in readings if not one.is_nothing for name in (one.source, *one.supporters)
            }
            if reader.name not in has_read:
                readings.append(ask(reader, region))
                if self.is_enough(readings):
                    break
        return readings

    def is_enough(self, readings: Sequence[Reading]) -> bool:
        """Whether nobody else need be asked about a region, by the effort that is to be made."""
        if self._effort == "best":
            return False
        if self._effort == "fast":
            return any(not one.is_nothing for one in readings)
        return not is_doubtful(readings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)


def _first_pass(readers: Sequence[Reader]) -> FirstPass | None:
    """The reader of whole pages that two of those make together; None where one of them is missing."""
    ppocr = next((one for one in readers if isinstance(one, PpOcr)), None)
    tesseract = next((one for one in readers if isinstance(one, Tesseract)), None)
    return None if ppocr is None or tesseract is None else FirstPass(ppocr.pages, tesseract)


def _reads(reader: Reader, kind: str) -> bool:
    return reader.kinds is None or kind in reader.kinds


def _suits(reader: Reader, kind: str, region: ReaderInput) -> bool:
    """Whether it is a second reader of such a region."""
    if not _reads(reader, kind) or reader.needs == _WORDS_ALONE or isinstance(reader, DrawingReader):
        return False
    if region.words:
        return not reader.yields_to_words
    return "words" not in reader.needs


def _done(readings: list[Reading]) -> Future[list[Reading]]:
    future: Future[list[Reading]] = Future()
    future.set_result(readings)
    return future


def ask(reader: Reader, region: ReaderInput) -> Reading:
    """What a reader makes of a region. Its failure is an issue: it must not take the model's answer along."""
    try:
        return reader.read(region)
    except ReaderError as error:
        return _failed(reader, str(error))
    except Exception as error:
        return _failed(reader, f"{type(error).__name__}: {error}")


def _failed(reader: Reader, why: str) -> Reading:
    message = f"The second reader {reader.name} failed: {why}."
    return Reading(reader.name, issues=(make_issue("witness-failed", message),), complete=False)
