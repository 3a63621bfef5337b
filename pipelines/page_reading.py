"""One page through all its steps, to its records.

    page → straightened → layout: regions
        → RegionTask (crop → recognize → gather evidence → decide → verify → record)

The regions of a page become tasks (:mod:`docai.pipelines.region`), some of which are put to the engine in one
call, and each task becomes a record. What fails stays where it failed: in its region, or in its page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import cast

from docai.base import Content
from docai.contents import Cell, Issue, Stage
from docai.document import PageInfo
from docai.errors import DocaiError
from docai.geometry import center, contains_center
from docai.issues import make_issue
from docai.limits import Limits, raise_limit
from docai.models.engine import Engine
from docai.options import Options
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.ingest import Page, Source
from docai.pipelines.ingest.straight import StraightPage
from docai.pipelines.layout import PageLayout, Region, find_regions
from docai.pipelines.layout.given import GivenRegions, given_layout, whole_page
from docai.pipelines.layout.straighten import straight_page
from docai.pipelines.region import RegionTask, plan_tasks, recognize
from docai.pipelines.retry import retry_regions
from docai.pipelines.structure import find_page_roles
from docai.records import CellPlace, Molecule, Record, RecordBase, Table

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


def no_progress(progress: Progress) -> None:
    """Progress nobody asked for."""


@dataclass
class PageResult:
    """What was read of one page."""

    info: PageInfo
    records: list[Record] = field(default_factory=list)
    """In reading order."""
    issues: list[Issue] = field(default_factory=list)
    """Of the page itself; a record has its own."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each stage."""
    device: str = ""
    """What the model ran on; empty where no region was put to it."""


@dataclass
class PageRun:
    """What all pages of one call share."""

    source: Source
    engine: Engine
    options: Options
    readers: ReaderPool
    n_pages: int = 1
    given: GivenRegions = field(default_factory=dict)
    progress: ProgressCallback = no_progress
    seconds: dict[str, float] = field(default_factory=dict)
    """Spent in each stage of the page that is read."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def read_one_page(run: PageRun, number: int) -> PageResult:
    """Take one page through all steps. What goes wrong is an issue of it."""
    started = time.perf_counter()
    info = PageInfo(number=number, width=0, height=0, origin="failed")
    result = PageResult(info)
    run.progress(Progress("ingest", number, run.n_pages))
    with ExitStack() as stack:
        try:
            with run.timed("ingest"):
                page = stack.enter_context(run.source.page(number))
                info.width, info.height = page.width, page.height
                info.rotation, info.dpi = page.rotation, page.dpi
                info.n_words = len(page.words())
            with run.timed("layout"):
                page = _straight_page(run, result, page)
                layout = _find_layout(run, result, page)
        except Exception as error:
            # Damaged pages are seen to raise anything; it is kept, and the other pages are read.
            failure = f"Page {number} failed: {type(error).__name__}: {error}"
            message = str(error) if isinstance(error, DocaiError) else failure
            result.issues.append(make_issue("page-failed", message, page=number))
        else:
            info.origin = layout.origin
            layout = _find_roles(result, page, layout)
            regions = _wanted_regions(run, result, page, layout)
            records = read_regions(run, page, regions, started)
            _place_in_cells(records)
            result.records = cast(list[Record], [as_displayed(record, page) for record in records])
    info.seconds = round(time.perf_counter() - started, 3)
    return result


def _straight_page(run: PageRun, result: PageResult, page: Page) -> Page:
    """The page as all steps see it: a scan that does not lie straight, or not in even light, is seen so."""
    use_text_layer = run.options.text_layer != "ignore"
    straight = straight_page(page, use_text_layer=use_text_layer, see_words=run.readers.glance)
    if isinstance(straight, StraightPage):
        done = straight.straightening.describe()
        if done:
            message = f"The scanned page does not lie straight; to be read it was {done}."
            result.issues.append(make_issue("page-straightened", message, page=page.number))
        light = straight.straightening.light
        if light is not None:
            message = (
                f"The light on the scanned page is uneven, down to {light.min():.0%} of the brightest; it "
                "was read in even light."
            )
            result.issues.append(make_issue("uneven-light", message, page=page.number))
    return straight


def as_displayed(record: RecordBase, page: Page) -> RecordBase:
    """The record with all boxes in points of the displayed page, where ``page`` is seen straight."""
    if not isinstance(page, StraightPage):
        return record
    moved = record.map_boxes(page.to_displayed) if isinstance(record, Content) else record
    polygon = None if page.straightening.is_turned_only else list(page.outline(record.bbox))
    return moved.model_copy(update={"bbox": page.to_displayed(record.bbox), "polygon": polygon})


def _find_layout(run: PageRun, result: PageResult, page: Page) -> PageLayout:
    """The regions that the caller gives, else those that layout finds, else the page's words as one text."""
    use_text_layer = run.options.text_layer != "ignore"
    if page.number in run.given:
        given = run.given[page.number]
        if isinstance(page, StraightPage):
            given = [(kind, page.from_displayed(box)) for kind, box in given]
        return given_layout(page, given, use_text_layer=use_text_layer)
    try:
        return find_regions(page, use_text_layer=use_text_layer, see_words=run.readers.eyes)
    except Exception as error:
        if not use_text_layer or not page.words():
            raise
        failure = f"{type(error).__name__}: {error}"
    message = (
        f"The regions of page {page.number} could not be found ({failure}); its words are kept as one text."
    )
    result.issues.append(make_issue("layout-failed", message, page=page.number))
    return PageLayout((whole_page(page, "text", use_text_layer=True),), "born-digital")


def _find_roles(result: PageResult, page: Page, layout: PageLayout) -> PageLayout:
    """The layout with the roles that the page by itself gives its texts."""
    try:
        return find_page_roles(page, layout)
    except Exception as error:
        # A broken structure tree, say; the regions are read in any case.
        failure = f"{type(error).__name__}: {error}"
    message = f"The roles of the texts of page {page.number} could not be told ({failure})."
    result.issues.append(make_issue("structure-failed", message, page=page.number))
    return layout


def _wanted_regions(run: PageRun, result: PageResult, page: Page, layout: PageLayout) -> list[Region]:
    """The regions of the kinds that ``heads`` names, all where it names none."""
    heads = run.options.heads
    wanted = [region for region in layout.regions if heads is None or region.kind in heads]
    if n_left_out := len(layout.regions) - len(wanted):
        message = f"{n_left_out} regions of other kinds were left out, as `heads` asks."
        result.issues.append(make_issue("regions-not-asked-for", message, page=page.number))
    return wanted


def read_regions(run: PageRun, page: Page, regions: Sequence[Region], started: float) -> list[RecordBase]:
    """One record for each region, in reading order, by a page whose reading began at ``started``.

    Some are read at a time: crops are large.
    """
    limits = run.options.limits
    tasks = plan_tasks(
        run.source.sha256,
        page,
        regions,
        run.options,
        run.readers,
        run.engine.heads(),
        may_change=page.number not in run.given,
    )
    _stop_at_region_limit(tasks, limits)
    if limits.max_seconds_per_page is not None:
        left = limits.max_seconds_per_page - (time.perf_counter() - started)
        for task in tasks:
            task.deadline = time.monotonic() + left
    total, done = sum(task.is_asked for task in tasks), 0
    records = []
    for first in range(0, len(tasks), REGIONS_AT_ONCE):
        run.progress(Progress("model", page.number, run.n_pages, done, total))
        batch = tasks[first : first + REGIONS_AT_ONCE]
        done += sum(task.is_asked for task in batch)
        records += _read_batch(run, batch, lambda: not _out_of_time(started, limits))
    run.progress(Progress("model", page.number, run.n_pages, total, total))
    return records


def _place_in_cells(records: Sequence[RecordBase]) -> None:
    """Record on the molecules of a page in which cell of which table they are drawn."""
    tables = [record for record in records if isinstance(record, Table)]
    for molecule in (record for record in records if isinstance(record, Molecule)):
        table = next((table for table in tables if contains_center(table.bbox, molecule.bbox)), None)
        if table is not None:
            x, y = center(molecule.bbox)
            row, col = _nearest_line(table.cells, y, is_row=True), _nearest_line(table.cells, x, is_row=False)
            molecule.in_cell = CellPlace(table=table.id, row=row, col=col)


def _nearest_line(cells: Sequence[Cell], position: float, *, is_row: bool) -> int | None:
    """The row, or column, whose cells are nearest: an empty cell has no box, so its neighbors tell."""
    gaps: dict[int, float] = {}
    for cell in cells:
        number, span = (cell.row, cell.row_span) if is_row else (cell.col, cell.col_span)
        if cell.bbox is not None and span == 1:
            start, end = cell.bbox[is_row], cell.bbox[2 + is_row]
            gap = max(start - position, position - end, 0.0)
            gaps[number] = min(gap, gaps.get(number, gap))
    return min(gaps, key=lambda number: gaps[number]) if gaps else None


def _read_batch(run: PageRun, tasks: Sequence[RegionTask], in_time: Callable[[], bool]) -> list[RecordBase]:
    """Take some tasks of one page through all steps, to their records."""
    is_in_time = in_time()
    if not is_in_time:
        _stop_at_time_limit(tasks)
    with run.timed("crop"):
        for task in tasks:
            task.submit(run.readers, in_time=is_in_time)
    with run.timed("readers"):
        for task in tasks:
            task.spare_head(run.engine)
    with run.timed("crop"):
        for task in tasks:
            task.crop(run.engine)
    with run.timed("model"):
        recognize(tasks, run.engine)
    with run.timed("parse"):
        for task in tasks:
            task.parse()
    if run.options.retry == "auto":
        with run.timed("model"):
            retry_regions(tasks, run.engine, in_time=in_time)
    with run.timed("parse"):
        return [task.finish() for task in tasks]


def _stop_at_region_limit(tasks: Sequence[RegionTask], limits: Limits) -> None:
    """Regions beyond the limit are not put to the model."""
    limit = limits.max_regions_per_page
    if limit is None:
        return
    for task in [task for task in tasks if task.is_asked][limit:]:
        task.refuse("region-limit", f"the page has more than {limit}; {raise_limit('max_regions_per_page')}.")


def _stop_at_time_limit(tasks: Sequence[RegionTask]) -> None:
    """No more regions of the page are put to the model."""
    for task in tasks:
        if task.is_asked:
            task.refuse(
                "page-time-limit",
                f"the time for a page was used up before it; {raise_limit('max_seconds_per_page')}.",
            )


def _out_of_time(started: float, limits: Limits) -> bool:
    limit = limits.max_seconds_per_page
    return limit is not None and time.perf_counter() - started > limit
