"""One source into one :class:`~docai.records.Document`: page by page, region by region.

A page is laid out, its regions are cropped and put to their heads in one call of the engine, and each
answer becomes a record. What fails stays where it failed: in its region, or in its page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from docai._version import __version__
from docai.errors import DocaiError, HeadNotAvailableError
from docai.limits import Limits
from docai.models.engine import Engine, Request, answer
from docai.models.heads import HEADS, get_head
from docai.pipelines.assemble import Plan, TextLayer, finish_record, plan_region
from docai.pipelines.ingest import Page, Source
from docai.pipelines.layout import PageLayout, Region, find_regions
from docai.records import Document, Issue, PageInfo, RecordBase, SourceInfo, Stage, Stats

REGIONS_AT_ONCE = 8
"""Regions put to the engine in one call: enough to batch, few enough to report progress and stop in time."""


@dataclass(frozen=True)
class Progress:
    """How far a conversion is. ``done`` of ``total`` regions of page ``page`` are read."""

    stage: Stage
    page: int
    n_pages: int
    done: int = 0
    total: int = 0


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class Options:
    """What a conversion is asked for."""

    heads: frozenset[str] | None = None
    """Heads to use; None is all. Regions of other kinds are counted and left out."""
    text_layer: TextLayer = "prefer"
    limits: Limits = field(default_factory=Limits)


@dataclass
class _Run:
    """What one conversion keeps while it goes on."""

    source: Source
    engine: Engine
    options: Options
    progress: ProgressCallback
    document: Document
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def convert(
    source: Source,
    engine: Engine,
    options: Options,
    *,
    pages: str | Sequence[int] | None = None,
    progress: ProgressCallback | None = None,
) -> Document:
    """Read the chosen pages of an open source.

    Raises:
        PageNotFoundError, TooManyPagesError: the selection does not fit the source.
        UnknownHeadError, HeadNotAvailableError: a head was asked for by name that cannot be had.
    """
    check_heads(engine, options.heads)
    started = time.perf_counter()
    document = Document(
        source=SourceInfo(
            name=source.name,
            type=source.type,
            n_bytes=source.n_bytes,
            sha256=source.sha256,
            n_pages=source.n_pages,
        )
    )
    run = _Run(source, engine, options, progress or _silent, document)
    if source.repaired:
        document.issues.append(
            Issue(
                code="source-repaired",
                severity="warning",
                stage="ingest",
                message=f"{source.name} is damaged and was repaired on opening; something may be missing.",
            )
        )
    numbers = source.numbers(pages)
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
    """
    with source.page(1) as page:
        words = tuple(page.words()) if options.text_layer != "ignore" else ()
        region = Region(
            get_head(head).record.model_fields["kind"].default, page.bbox, 1.0, ("caller",), words=words
        )
        plan = plan_region(source.sha256, page, region, engine.heads(), options.text_layer)
        requests = [
            Request(HEADS[head], crop.image, options.limits.max_tokens_per_region) for crop in plan.crops
        ]
        generations = answer(engine, requests) if requests else []
        return finish_record(plan, page, generations, options.text_layer)


def check_heads(engine: Engine, heads: frozenset[str] | None) -> None:
    """Refuse heads that do not exist or have no weights before any page is read."""
    for name in sorted(heads or ()):
        get_head(name)
    missing = sorted((heads or frozenset()) - engine.heads())
    if missing or not engine.heads():
        wanted = missing[0] if missing else "table"
        raise HeadNotAvailableError(
            f"The model {engine.name} has no weights for {', '.join(missing) or 'any head'}: make them with "
            f"'docai train {wanted} --base {engine.name} -o DIR', or choose another model."
        )


def _silent(progress: Progress) -> None:
    """Progress nobody asked for."""


def _convert_page(run: _Run, number: int, n_pages: int) -> None:
    started = time.perf_counter()
    info = PageInfo(number=number, width=0, height=0, origin="failed")
    records: list[RecordBase] = []
    run.progress(Progress("ingest", number, n_pages))
    try:
        with run.source.page(number) as page:
            info = info.model_copy(
                update={
                    "width": page.width,
                    "height": page.height,
                    "rotation": page.rotation,
                    "dpi": page.dpi,
                }
            )
            with run.timed("layout"):
                layout = find_regions(page, use_text_layer=run.options.text_layer != "ignore")
            info = info.model_copy(update={"origin": layout.origin, "n_words": len(page.words())})
            records = _read_regions(run, page, layout, n_pages, started)
    except DocaiError as error:
        run.document.issues.append(page_issue(number, "page-failed", str(error)))
    except Exception as error:
        run.document.issues.append(
            page_issue(number, "page-failed", f"Page {number} failed: {type(error).__name__}: {error}")
        )
    info = info.model_copy(update={"seconds": round(time.perf_counter() - started, 3)})
    run.document.pages.append(info)
    run.document.records.extend(records)  # type: ignore[arg-type]


def _read_regions(
    run: _Run, page: Page, layout: PageLayout, n_pages: int, started: float
) -> list[RecordBase]:
    """One record for each region, in reading order."""
    options = run.options
    wanted = [region for region in layout.regions if options.heads is None or region.kind in options.heads]
    if len(wanted) < len(layout.regions):
        run.document.issues.append(
            page_issue(
                page.number,
                "regions-not-asked-for",
                f"{len(layout.regions) - len(wanted)} regions of other kinds were left out, as `heads` asks.",
                severity="info",
            )
        )
    with run.timed("crop"):
        plans = [
            plan_region(run.source.sha256, page, region, run.engine.heads(), options.text_layer)
            for region in wanted
        ]
    _stop_at_region_limit(plans, options.limits)
    total = sum(plan.is_asked for plan in plans)
    records: list[RecordBase] = []
    for start in range(0, len(plans), REGIONS_AT_ONCE):
        done = sum(plan.is_asked for plan in plans[:start])
        run.progress(Progress("model", page.number, n_pages, done, total))
        some = plans[start : start + REGIONS_AT_ONCE]
        if _out_of_time(started, options.limits):
            for plan in some:
                plan.refuse("page-time-limit", "Limits(max_seconds_per_page=...) was used up before it.")
        requests = [
            Request(HEADS[plan.region.kind], crop.image, options.limits.max_tokens_per_region)
            for plan in some
            for crop in plan.crops
        ]
        with run.timed("model"):
            generations = iter(answer(run.engine, requests) if requests else [])
        with run.timed("parse"):
            for plan in some:
                answers = list(islice(generations, len(plan.crops)))
                records.append(finish_record(plan, page, answers, options.text_layer))
    run.progress(Progress("model", page.number, n_pages, total, total))
    return records


def _stop_at_region_limit(plans: Sequence[Plan], limits: Limits) -> None:
    """Regions beyond the limit are not put to the model."""
    left = limits.max_regions_per_page
    if left is None:
        return
    for plan in plans:
        if plan.is_asked and left <= 0:
            plan.refuse("region-limit", "The page has more regions than Limits(max_regions_per_page=...).")
        left -= plan.is_asked


def _out_of_time(started: float, limits: Limits) -> bool:
    most = limits.max_seconds_per_page
    return most is not None and time.perf_counter() - started > most


def page_issue(
    number: int, code: str, message: str, *, severity: Literal["info", "warning", "error"] = "error"
) -> Issue:
    """An issue of one page."""
    return Issue(code=code, severity=severity, stage="ingest", message=message, page=number)
