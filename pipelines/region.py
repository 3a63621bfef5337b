"""One region on its way to a record: ``crop → recognize → gather evidence → decide → verify → record``.

A :class:`RegionTask` carries a region through these steps, which are its methods in that order; what each of
them finds is kept in the fields of :class:`~docai.pipelines.found_region.FoundRegion`. Only the model is
asked for several regions at a time (:func:`recognize`): an engine reads a batch much faster than one crop
after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import islice

from docai.contents import TextContent
from docai.issues import make_issue
from docai.models.engine import Engine, Request, answer, crop_size
from docai.options import Options
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.drawn_regions import drawn_regions
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Decision, ReaderInput
from docai.pipelines.evidence.cut_molecules import check_cut
from docai.pipelines.evidence.drawing import DrawingReader
from docai.pipelines.evidence.drawing import is_sound as is_drawn_soundly
from docai.pipelines.evidence.figure_words import read_seen_words
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.second_readers import join_second_readers
from docai.pipelines.evidence.table_decision import is_sure
from docai.pipelines.evidence.text_vote import LIKELY_WORD
from docai.pipelines.evidence.trust import trust_against, with_fitted_confidence, within_accuracy
from docai.pipelines.evidence.unread_print import (
    MAX_WRITTEN_SHARE,
    MIN_READ_SHARE,
    UNKNOWN_LETTERS,
    UNKNOWN_SCRIPT,
    read_share,
    written_share,
)
from docai.pipelines.found_region import FoundRegion, record_id
from docai.pipelines.ingest import Page
from docai.pipelines.layout import Region
from docai.pipelines.readback.compare import with_read_back
from docai.pipelines.recognition.answer import region_reading
from docai.pipelines.recognition.drafts import draft_of
from docai.records import ReadBackResult, RecordBase


class RegionTask(FoundRegion):
    """The steps of one region."""

    @cached_property
    def shown(self) -> ReaderInput:
        """What second readers are shown: its pictures are drawn once for all who look at them."""
        region = self.region
        return ReaderInput(self.page, region.bbox, self.words, self.is_first, region.beside)

    def plan(self, readers: ReaderPool, available: Collection[str]) -> None:
        """Read what the PDF itself holds, and settle with it whether the head, if ``available``, is asked.

        Where the PDF's words are preferred, no head is asked for a text that has them, nor for a table whose
        grid is sure; where drawings are, not for a molecule or score that is read soundly from its strokes.
        """
        kind, text_layer = self.region.kind, self.options.text_layer
        if text_layer != "ignore":
            words = ReaderInput(self.page, self.region.bbox, self.region.words)
            self.native = readers.read_words(kind, words)
        if self.native is not None:
            self.readings.append(self.native)
            if not self._is_drawn_soundly:
                # Symbols of music are no words: that nobody believes them says nothing then.
                self.issues += self.native.issues
        if self.drawn is not None:
            self.readings.append(self.drawn)
        if self.region.seen:
            self.readings.append(read_seen_words(self.region.seen))
        if self.region.is_watermark:
            message = "The text lies across the page as a watermark; it is no part of what the page says."
            self.issues.append(make_issue("text-watermark", message))
        if self.head is None or (text_layer == "prefer" and self.words and self._needs_no_head(readers)):
            return
        if self._is_drawn_soundly:
            self.notes.append("read soundly from the drawing itself: nobody else asked")
            return
        self.is_asked = True
        if kind not in available:
            self.refuse("head-not-available", f"the model has no weights for the {kind} head.")

    @property
    def _is_drawn_soundly(self) -> bool:
        """The drawing is enough: no picture of it is read."""
        return self.options.drawings == "prefer" and is_drawn_soundly(self.drawn)

    def _needs_no_head(self, readers: ReaderPool) -> bool:
        """Whether the PDF's words, and what second readers see on the page beside them, are enough."""
        if self.region.kind == "text":
            return True
        found = readers.read_page(self.region.kind, self.shown)
        self.readings += found
        sure = [one.confidence.value for one in found if self.region.kind == "table" and is_sure(one)]
        self.notes += [f"grid of rules and words sure by {value:.2f}: no model asked" for value in sure]
        return bool(sure)

    def refuse(self, code: str, message: str) -> None:
        """Do not ask the model, and say why."""
        self.is_asked = False
        self.issues.append(make_issue(code, f"The region was not read by a model: {message}"))

    def spare_head(self, engine: Engine) -> None:
        """Do not ask the head where it would change nothing, see :attr:`docai.options.Options.effort`.

        Waits for the second readers where that hangs on them: of a head whose accuracy nobody measured, which
        is asked in any case, they read while it does.
        """
        effort, head = self.options.effort, self.head
        if not self.is_asked or head is None or effort == "best":
            return
        accuracy = engine.accuracy(head.name)
        if effort == "auto" and accuracy is None:
            return
        self.gather_evidence()
        of_pixels = [one for one in self.readings if one.source not in ("text-layer", "table-finder")]
        second, _ = join_second_readers(of_pixels)
        if second is None or second.is_nothing:
            return
        if effort == "fast" or (accuracy is not None and trust_against(second).record > accuracy):
            self.is_asked = False
            self.notes.append(f"read by {second.source}: no model asked")

    def crop(self, engine: Engine) -> None:
        """Draw the crops that are put to the head; none where it is not asked, or they cannot be drawn."""
        if self.head is None or not self.is_asked:
            return
        self.crop_size = crop_size(engine, self.head)
        tiling, bbox = self.head.tiling, self.region.bbox
        try:
            self.crops = tile_region(self.page, tiling, bbox, size=self.crop_size, words=self.words)
        except Exception as error:
            # Whatever the cause, it is this region's: the others are read.
            self.refuse("crop-failed", f"it could not be drawn ({type(error).__name__}: {error}).")

    def submit(self, readers: ReaderPool, *, in_time: bool = True) -> None:
        """Ask the second readers, which read while the model does.

        Where a limit was reached, which ``in_time`` False says too, no program is asked.
        """
        if self._is_drawn_soundly:
            return
        at_limit = not in_time or any(
            issue.code in ("region-limit", "page-time-limit") for issue in self.issues
        )
        asked = [reading.source for reading in self.readings]
        self.pending = readers.submit(self.region.kind, self.shown, in_time=not at_limit, asked=asked)
        self.is_picture_read = bool(self.pending)

    def requests(self) -> list[Request]:
        """What the head is asked: each crop, within the caller's limit on tokens."""
        if self.head is None:
            return []
        # The grid of a born-digital table is there at once; readers of pixels may still be at work.
        ready = [reading for future in self.pending if future.done() for reading in future.result()]
        known = [*self.readings, *ready]
        return [
            Request(
                self.head,
                crop.image,
                self.options.limits.max_tokens_per_region,
                draft=draft_of(known, crop),
                deadline=self.deadline,
            )
            for crop in self.crops
        ]

    def parse(self) -> None:
        """Make a reading of the head's answers."""
        if self.head is None or not self.generations:
            return
        try:
            self.reading = region_reading(self.head, self.crops, self.generations)
        except Exception as error:
            self.fail(error)

    def gather_evidence(self) -> None:
        """Wait for the second readers, once."""
        self.readings += [reading for future in self.pending for reading in future.result()]
        self.pending = []

    def decide(self) -> None:
        """Settle what is believed, by the rule in :mod:`docai.pipelines.evidence.arbiter`."""
        self.decision = decide(
            self.region.kind,
            self.reading,
            self.readings,
            words=self.words,
            prefer_words=self.options.text_layer == "prefer",
        )

    def verify(self) -> None:
        """Render what is believed again, compare it with the crops, and say how sure it is in the end."""
        if self.decision is None:
            return
        if self.options.readback != "off":
            if self._is_sure_text(self.decision):
                self.readback_skipped = ReadBackResult(reason="its words are sure enough", method="none")
            else:
                self.prepare_readback()
            self.decision, result = with_read_back(self.decision, self.readback_crops)
            self.read_back = result or self.readback_skipped
        self.decision = with_fitted_confidence(self.region.kind, self.decision)
        self.decision = within_accuracy(self.decision, self.head_accuracy)

    def _is_sure_text(self, decision: Decision) -> bool:
        """Whether a text that readers alone have read is so sure that its picture would tell nothing more:
        its confidence is that of its words, whatever it looks like."""
        if self.options.effort == "best" or self.crops or self.words or not self.is_picture_read:
            return False
        return isinstance(decision.content, TextContent) and (decision.confidence.value or 0.0) >= LIKELY_WORD

    def check_unread_print(self) -> None:
        """Say so where most of the print of a text is none of the words that were read."""
        content = None if self.decision is None else self.decision.content
        unread = self.region.unread
        if unread is None or not (content is None or isinstance(content, TextContent)):
            return
        share, problem = read_share(content, unread), UNKNOWN_SCRIPT
        if share >= MIN_READ_SHARE:
            share, problem = self._written_share(), UNKNOWN_LETTERS
            if share > MAX_WRITTEN_SHARE:
                return
        self.issues.append(make_issue("text-unread", problem.format(read=share, unread=1 - share)))
        if self.decision is not None:
            self.decision = self.decision.doubted(share, "the share of the print that was read")

    def check_cut_molecule(self) -> None:
        """Say so where the drawing of a molecule that was read from its picture goes on beyond its region."""
        if self.decision is not None:
            self.decision, issues = check_cut(self.decision, self.shown)
            self.issues += issues

    def _written_share(self) -> float:
        """The share of the words of a doubtful text that have no accents but those they were read with."""
        decision = self.decision
        if decision is None or not isinstance(decision.content, TextContent) or not self.is_picture_read:
            return 1.0
        if self._is_sure_text(decision) or decision.content.is_empty:
            return 1.0
        return written_share(decision.content, self.shown.picture)

    def prepare_readback(self) -> None:
        """Take the crops of the head, or draw new ones where a second reader alone has read."""
        self.readback_crops = self.crops
        if self.crops or self.head is None or not self.is_picture_read or self.words:
            return
        try:
            self.readback_crops = tile_region(self.page, self.head.tiling, self.region.bbox)
        except Exception as error:
            message = f"it could not be drawn for reading back ({type(error).__name__}: {error})"
            self.readback_skipped = ReadBackResult(reason=message, method="none")

    def finish(self) -> RecordBase:
        """Gather evidence, decide, verify and record.

        Never fails: what goes wrong is an issue, and the model's raw text and the PDF's words are kept.
        """
        try:
            if not self.has_failed:
                self.gather_evidence()
                self.decide()
                self.verify()
                self.check_unread_print()
                self.check_cut_molecule()
                return self.record()
        except Exception as error:
            self.fail(error)
        return self.bare_record()

    def fail(self, error: Exception) -> None:
        """A step raised, which is a fault of docai: say so, and leave it at that."""
        message = f"The region could not be made a record: {type(error).__name__}: {error}"
        self.issues.append(make_issue("record-failed", message))
        self.has_failed = True


def plan_tasks(
    source_sha256: str,
    page: Page,
    regions: Sequence[Region],
    options: Options,
    readers: ReaderPool,
    available: Collection[str],
    *,
    may_change: bool = True,
) -> list[RegionTask]:
    """A task for each region of one page; no two have the same id.

    Args:
        available: heads that have weights.
        may_change: what is drawn as a whole may take the place of regions, see
            :mod:`docai.pipelines.drawn_regions`.
    """
    ids: Counter[str] = Counter()
    tasks: list[RegionTask] = []
    wanted = frozenset(options.heads or DrawingReader.kinds) if options.drawings != "ignore" else frozenset()
    for region, drawn in drawn_regions(page, regions, readers, wanted, may_change=may_change):
        name = record_id(source_sha256, page.number, region.kind, region.bbox)
        ids[name] += 1
        name = name if ids[name] == 1 else f"{name}-{ids[name]}"
        is_first = all(task.region.kind != region.kind for task in tasks)
        task = RegionTask(name, page, region, options, drawn=drawn, is_first=is_first)
        task.plan(readers, available)
        tasks.append(task)
    return tasks


def recognize(tasks: Sequence[RegionTask], engine: Engine) -> None:
    """Put the crops of all tasks to their heads in one call of the engine.

    Raises:
        ConfigurationError: the engine is not set up. Any other failure is the answer to its crop.
    """
    for task in tasks:
        task.head_accuracy = None if task.head is None else engine.accuracy(task.head.name)
    generations = iter(answer(engine, [request for task in tasks for request in task.requests()]))
    for task in tasks:
        task.generations = list(islice(generations, len(task.crops)))
