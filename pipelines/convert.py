"""One source into one :class:`~docai.records.Document`: page by page, region by region.

A page is laid out, its regions are cropped and put to their heads, some in one call of the engine, and
each answer becomes a record. What fails stays where it failed: in its region, or in its page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from docai._version import __version__
from docai.contents import Stage
from docai.errors import DocaiError
from docai.issues import make_issue
from docai.limits import Limits
from docai.models.engine import Engine, Generation, Request, ask, check_heads
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.crops.crop import Crop
from docai.pipelines.evidence.panel import Panel
from docai.pipelines.ingest import Page, Source
from docai.pipelines.layout import PageLayout, Region, find_regions
from docai.pipelines.layout.given import GivenRegions, given_layout, whole_page
from docai.pipelines.recognition.retry import Reading, climb
from docai.pipelines.region import Plan, begin_hearing, crop_region, finish_record, look_again, plan_regions
from docai.records import Document, PageInfo, RecordBase, SourceInfo, Stats

if TYPE_CHECKING:
    from PIL.Image import Image

Answered = tuple[Sequence[Crop], Sequence[Generation]]
"""The crops of one region and the answer to each."""

REGIONS_AT_ONCE = 8
"""Regions put to the engine in one call: enough to batch, few enough to report progress and stop in time."""


@dataclass(frozen=True)
class Progress:
    """How far a conversion is. ``done`` of the ``total`` regions that a model reads on ``page`` are read."""

    stage: Stage
    page: int
    n_pages: int
    done: int = 0
    total: int = 0


ProgressCallback = Callable[[Progress], None]


@dataclass
class _Run:
    """What one conversion keeps while it goes on."""

    source: Source
    engine: Engine
    options: Options
    progress: ProgressCallback
    document: Document
    given: GivenRegions | None
    panel: Panel
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def note(self, code: str, message: str, page: int) -> None:
        self.document.issues.append(make_issue(code, message, page=page))


def convert(
    source: Source,
    engine: Engine,
    options: Options,
    *,
    pages: str | Sequence[int] | None = None,
    regions: GivenRegions | None = None,
    progress: ProgressCallback | None = None,
) -> Document:
    """Read the chosen pages of an open source.

    What ``progress`` raises ends the conversion and is passed on.

    Raises:
        PageNotFoundError, TooManyPagesError: the selection does not fit the source.
        ConfigurationError: a head was asked for that cannot be had, or the engine is not set up.
    """
    check_heads(engine, options.heads)
    started = time.perf_counter()
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
    numbers = source.numbers(pages)
    with Panel.choose(options.witnesses) as panel:
        run = _Run(source, engine, options, progress or _silent, document, regions, panel)
        for number in numbers:
            _convert_page(run, number, len(numbers))
    document.stats = Stats(
        docai_version=__version__,
        model=engine.name,
        device=engine.device,
        seconds=round(time.perf_counter() - started, 3),
        n_regions=len(document.records),
        n_generated_tokens=sum(record.n_tokens for record in document.records),
        seconds_by_stage={stage: round(value, 3) for stage, value in run.seconds.items()},
    )
    return document


def read_whole_page(source: Source, engine: Engine, options: Options, head: str) -> RecordBase:
    """The first page of a source as one region of the given head.

    Raises:
        InputError: the page cannot be read.
        ConfigurationError: there is no such head, or it has no weights.
    """
    check_heads(engine, frozenset([head]))
    with source.page(1) as page, Panel.choose(options.witnesses) as panel:
        kind = HEADS[head].kind
        region = whole_page(page, kind, use_text_layer=options.text_layer != "ignore")
        plans = plan_regions(source.sha256, page.number, [region], engine.heads(), options.text_layer)
        crops = crop_region(plans[0], page)
        requests = [_request(plans[0], crop.image, options.limits) for crop in crops]
        hearing = begin_hearing(plans[0], page, panel)
        answered: list[Answered] = [(crops, ask(engine, requests))]
        if options.retry == "auto":
            answered = _ask_again(engine, options, page, plans, answered, time.perf_counter())
        if options.readback == "auto":
            look_again(plans[0], page, answered[0][0], hearing)
        return finish_record(plans[0], *answered[0], options.text_layer, hearing)


def _silent(progress: Progress) -> None:
    """Progress nobody asked for."""


def _convert_page(run: _Run, number: int, n_pages: int) -> None:
    started = time.perf_counter()
    info = PageInfo(number=number, width=0, height=0, origin="failed")
    run.document.pages.append(info)
    run.progress(Progress("ingest", number, n_pages))
    with ExitStack() as stack:
        try:
            with run.timed("ingest"):
                page = stack.enter_context(run.source.page(number))
                info.width, info.height = page.width, page.height
                info.rotation, info.dpi = page.rotation, page.dpi
                info.n_words = len(page.words())
            with run.timed("layout"):
                layout = _lay_out(run, page)
        except DocaiError as error:
            run.note("page-failed", str(error), number)
        except Exception as error:
            # Damaged pages are seen to raise anything; it is kept, and the other pages are read.
            run.note("page-failed", f"Page {number} failed: {type(error).__name__}: {error}", number)
        else:
            info.origin = layout.origin
            _read_regions(run, page, layout, n_pages, started)
    info.seconds = round(time.perf_counter() - started, 3)


def _lay_out(run: _Run, page: Page) -> PageLayout:
    use_text_layer = run.options.text_layer != "ignore"
    if run.given is not None and page.number in run.given:
        return given_layout(page, run.given[page.number], use_text_layer=use_text_layer)
    try:
        return find_regions(page, use_text_layer=use_text_layer)
    except Exception as error:
        if not use_text_layer or not page.words():
            raise
        failure = f"{type(error).__name__}: {error}"
    run.note(
        "layout-failed",
        f"The regions of page {page.number} could not be found ({failure}); its words are kept as one text.",
        page.number,
    )
    return PageLayout((whole_page(page, "text", use_text_layer=True),), "born-digital")


def _read_regions(run: _Run, page: Page, layout: PageLayout, n_pages: int, started: float) -> None:
    """Add one record for each region, in reading order. Crops are made a few at a time: they are large."""
    options = run.options
    wanted = _asked_for(run, page, layout)
    plans = plan_regions(run.source.sha256, page.number, wanted, run.engine.heads(), options.text_layer)
    _stop_at_region_limit(plans, options.limits)
    total, done = sum(plan.is_asked for plan in plans), 0
    for start in range(0, len(plans), REGIONS_AT_ONCE):
        run.progress(Progress("model", page.number, n_pages, done, total))
        some = plans[start : start + REGIONS_AT_ONCE]
        done += sum(plan.is_asked for plan in some)
        is_late = _out_of_time(started, options.limits)
        if is_late:
            for plan in some:
                if plan.is_asked:
                    plan.refuse("page-time-limit", "Limits(max_seconds_per_page=...) was used up before it.")
        with run.timed("crop"):
            crops = [crop_region(plan, page) for plan in some]
            # They read while the model does.
            hearings = [begin_hearing(plan, page, run.panel, in_time=not is_late) for plan in some]
        requests = [
            _request(plan, crop.image, options.limits)
            for plan, its_crops in zip(some, crops, strict=True)
            for crop in its_crops
        ]
        with run.timed("model"):
            answers = iter(ask(run.engine, requests))
            answered: list[Answered] = [
                (its_crops, list(islice(answers, len(its_crops)))) for its_crops in crops
            ]
            if options.retry == "auto":
                answered = _ask_again(run.engine, options, page, some, answered, started)
        with run.timed("parse"):
            for plan, (its_crops, its_answers), hearing in zip(some, answered, hearings, strict=True):
                if options.readback == "auto":
                    look_again(plan, page, its_crops, hearing)
                record = finish_record(plan, its_crops, its_answers, options.text_layer, hearing)
                run.document.records.append(record)  # type: ignore[arg-type]
    run.progress(Progress("model", page.number, n_pages, total, total))


def _ask_again(
    engine: Engine,
    options: Options,
    page: Page,
    plans: Sequence[Plan],
    answered: Sequence[Answered],
    started: float,
) -> list[Answered]:
    """What was asked and answered after the ladder of each head has done what it can; plans hear of it."""
    for plan, (crops, generations) in zip(plans, answered, strict=True):
        words = plan.region.words if plan.is_believed else ()
        try:
            if generations:
                head = HEADS[plan.region.kind]
                plan.reading = Reading.of(head, plan.region.bbox, words, crops, generations)
        except Exception:
            # Making the record meets it again, and says so there.
            plan.reading = None
    climb(
        [plan.reading for plan in plans if plan.reading is not None],
        page,
        partial(ask, engine),
        max_tokens=options.limits.max_tokens_per_region,
        in_time=lambda: not _out_of_time(started, options.limits),
    )
    return [
        (plan.reading.crops, plan.reading.generations) if plan.reading else given
        for plan, given in zip(plans, answered, strict=True)
    ]


def _asked_for(run: _Run, page: Page, layout: PageLayout) -> list[Region]:
    heads = run.options.heads
    wanted = [region for region in layout.regions if heads is None or region.kind in heads]
    if n_left_out := len(layout.regions) - len(wanted):
        message = f"{n_left_out} regions of other kinds were left out, as `heads` asks."
        run.note("regions-not-asked-for", message, page.number)
    return wanted


def _request(plan: Plan, image: Image, limits: Limits) -> Request:
    return Request(HEADS[plan.region.kind], image, limits.max_tokens_per_region)


def _stop_at_region_limit(plans: Sequence[Plan], limits: Limits) -> None:
    """Regions beyond the limit are not put to the model."""
    left = limits.max_regions_per_page
    if left is None:
        return
    for plan in [plan for plan in plans if plan.is_asked][left:]:
        plan.refuse("region-limit", "the page has more regions than Limits(max_regions_per_page=...).")


def _out_of_time(started: float, limits: Limits) -> bool:
    most = limits.max_seconds_per_page
    return most is not None and time.perf_counter() - started > most
