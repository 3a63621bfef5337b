"""One source into one document, with an engine that replays texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from PIL import Image, ImageDraw

from docai import Document, Limits, Pipeline, ScriptedEngine
from docai.errors import AdapterError, ConfigurationError, HeadNotAvailableError, SettingError
from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.models.scripted import Script
from docai.options import TextLayer
from docai.pipelines import page_reading
from docai.pipelines.ingest import Page, Source
from docai.pipelines.layout import PageLayout
from docai.pipelines.page_reading import REGIONS_AT_ONCE, Progress
from docai.records import Kind

pytestmark = pytest.mark.slow(seconds=10)

SAMPLE = Path(__file__).parents[2] / "samples" / "report.pdf"
TABLE = (
    "<table><thead><tr><td>a</td><td>b</td></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
)
KERN = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"
SCRIPT: dict[str, Script] = {"table": TABLE, "molecule": "CCO", "score": KERN, "text": "read words"}
BOX: BBox = (20, 20, 200, 120)
Given = dict[int, list[tuple[Kind, BBox]]]


def _engine(**script: Script) -> ScriptedEngine:
    return ScriptedEngine({**SCRIPT, **script})


def _codes(document: Document) -> list[str]:
    return [issue.code for issue in document.iter_issues()]


def _lines(n: int) -> bytes:
    """A page of ``n`` drawings that no two share, 20 points each."""
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=60 * n + 60)
        for i in range(n):
            page.draw_line((30, 60 * i + 30), (50, 60 * i + 50))
        return document.tobytes()


def _boxes(n: int, kind: Kind = "molecule") -> Given:
    return {1: [(kind, (20, 60 * i + 20, 60, 60 * i + 60)) for i in range(n)]}


@pytest.fixture(scope="module")
def sample() -> Document:
    return Pipeline(engine=_engine()).process(SAMPLE)


def test_the_sample_gives_every_kind(sample: Document) -> None:
    assert sample.tables
    assert sample.molecules
    assert sample.scores
    assert sample.texts
    assert {page.origin for page in sample.pages} >= {"born-digital", "scan"}
    assert [page.number for page in sample.pages] == list(range(1, sample.source.n_pages + 1))


def test_records_come_in_page_order_under_ids_of_their_own(sample: Document) -> None:
    pages = [record.page for record in sample.records]
    assert pages == sorted(pages)
    assert len({record.id for record in sample.records}) == len(sample.records)


def test_issues_of_a_record_name_it(sample: Document) -> None:
    for record in sample.records:
        assert {(issue.page, issue.region) for issue in record.issues} <= {(record.page, record.id)}


def test_the_document_goes_through_json(sample: Document) -> None:
    assert Document.from_json(sample.to_json()) == sample


def test_two_runs_differ_in_time_alone(sample: Document) -> None:
    again = Pipeline(engine=_engine()).process(SAMPLE)
    assert again.records == sample.records
    assert again.issues == sample.issues


def test_stats_add_up(sample: Document) -> None:
    stats = sample.stats
    assert (stats.model, stats.device) == ("scripted", "none")
    assert stats.n_regions == len(sample.records)
    assert stats.n_generated_tokens == sum(record.n_tokens for record in sample.records) > 0
    assert set(stats.seconds_by_stage) == {"ingest", "layout", "readers", "crop", "model", "parse"}
    assert sum(stats.seconds_by_stage.values()) <= stats.seconds + 0.01
    assert sum(page.seconds for page in sample.pages) <= stats.seconds + 0.01


def test_prose_comes_from_the_pdf_and_scans_from_the_model(sample: Document) -> None:
    scans = {page.number for page in sample.pages if page.origin == "scan"}
    for record in sample.texts:
        if record.page in scans:
            assert (record.raw, record.evidence, record.native_text) == ("read words", ["model"], None)
        else:
            assert (record.raw, record.evidence) == ("", ["text-layer"])


def test_ignore_reads_pixels_only() -> None:
    engine = _engine()
    document = Pipeline(engine=engine, text_layer="ignore", drawings="ignore").process(SAMPLE, pages=[1])
    assert document.texts
    for record in document.records:
        assert record.native_text is None
        assert set(record.evidence) <= {"model", "layout"}
        assert not record.alternatives


@pytest.mark.parametrize("layer", ["prefer", "verify", "ignore"])
def test_a_page_of_text_alone_is_read_whatever_the_text_layer_is_for(
    make_pdf: Callable[..., bytes], layer: TextLayer
) -> None:
    document = Pipeline(engine=_engine(), text_layer=layer).process(make_pdf("Hello world of words"))
    (record,) = document.texts
    assert record.text == ("read words" if layer == "ignore" else "Hello world of words")
    assert record.raw == ("" if layer == "prefer" else "read words")


def test_an_image_has_no_text_layer() -> None:
    image = Image.new("RGB", (600, 200), "white")
    ImageDraw.Draw(image).text((40, 60), "Some words in an image", fill="black", font_size=36)
    file = BytesIO()
    image.save(file, "PNG")
    document = Pipeline(engine=_engine()).process(file.getvalue())
    assert (document.source.type, document.pages[0].origin, document.pages[0].n_words) == ("png", "scan", 0)
    assert [record.raw for record in document.texts] == ["read words"] * len(document.texts) != []


def test_a_blank_page_has_no_records(make_pdf: Callable[..., bytes]) -> None:
    engine = _engine()
    document = Pipeline(engine=engine).process(make_pdf(""))
    assert (document.pages[0].origin, document.records, document.issues) == ("blank", [], [])
    assert not engine.requests
    assert document.stats.n_regions == 0


def test_a_blank_region_reaches_no_model() -> None:
    engine = _engine()
    document = Pipeline(engine=engine).process(_lines(1), regions={1: [("molecule", (100, 60, 200, 110))]})
    (record,) = document.molecules
    assert (record.finish_reason, record.raw, record.evidence) == ("blank", "", [])
    assert [(issue.code, issue.severity) for issue in record.issues] == [("model-blank-crop", "warning")]
    assert not engine.requests


def test_heads_restrict_what_is_read_and_that_is_said() -> None:
    engine = _engine()
    document = Pipeline(engine=engine, heads=["table"], text_layer="verify").process(SAMPLE, pages=[1])
    assert {record.kind for record in document.records} == {"table"}
    assert {request.head.name for request in engine.requests} == {"table"}
    assert [(issue.code, issue.page, issue.severity) for issue in document.issues] == [
        ("regions-not-asked-for", 1, "info")
    ]


def test_a_head_without_weights_is_an_issue_of_its_regions() -> None:
    document = Pipeline(engine=ScriptedEngine({"table": TABLE})).process(_lines(1), regions=_boxes(1))
    (record,) = document.records
    assert [(issue.code, issue.severity) for issue in record.issues] == [("head-not-available", "error")]


@pytest.mark.parametrize(("script", "heads"), [({"table": TABLE}, ["table", "score"]), ({}, None)])
def test_a_head_that_was_asked_for_and_is_missing_stops_at_once(
    make_pdf: Callable[..., bytes], script: dict[str, Script], heads: list[str] | None
) -> None:
    with pytest.raises(HeadNotAvailableError, match="docai train"):
        Pipeline(engine=ScriptedEngine(script), heads=heads).process(make_pdf())


def test_one_region_that_fails_leaves_the_others() -> None:
    asked = 0

    def read(request: Request) -> str:
        nonlocal asked
        asked += 1
        if asked in (1, 4):
            raise ValueError(f"odd tensor {asked}")
        return "CCO"

    document = Pipeline(engine=_engine(molecule=read), readback="off").process(_lines(3), regions=_boxes(3))
    # The first call fails as a batch; of the three that are then asked alone, the last fails again.
    assert [record.finish_reason for record in document.molecules] == ["stop", "stop", "error"]
    (issue,) = [*document.iter_issues()]
    assert (issue.code, issue.severity, issue.region) == ("model-failed", "error", document.records[2].id)
    assert "odd tensor 4" in issue.message


def test_an_adapter_that_fails_spoils_its_own_head_alone() -> None:
    def broken(request: Request) -> str:
        raise AdapterError("The adapter does not fit.")

    given: Given = {1: [("molecule", (20, 20, 60, 60)), ("score", (20, 80, 60, 120))]}
    document = Pipeline(engine=_engine(molecule=broken)).process(_lines(2), regions=given)
    assert [record.finish_reason for record in document.records] == ["error", "stop"]


def test_an_engine_that_is_set_up_wrongly_stops_the_run() -> None:
    with pytest.raises(ConfigurationError, match="no text left"):
        Pipeline(engine=_engine(molecule=["C"])).process(_lines(2), regions=_boxes(2))


def test_generations_keep_their_finish_and_checkpoint() -> None:
    def read(request: Request) -> Generation:
        return Generation("CC", "length", ("C", "C"), (-0.1, -0.1), "x@2", request.head.prompt)

    document = Pipeline(engine=_engine(molecule=read)).process(_lines(1), regions=_boxes(1))
    (record,) = document.molecules
    assert (record.finish_reason, record.checkpoint, record.smiles) == ("length", "x@2", "CC")
    assert _codes(document) == ["model-output-cut"]
    assert record.confidence.value == 0.0


def test_a_page_that_fails_leaves_the_others(
    make_pdf: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Source.page

    @contextmanager
    def page(self: Source, number: int) -> Iterator[Page]:
        with opened(self, number) as found:
            if number == 2:
                raise ZeroDivisionError("odd page")
            yield found

    monkeypatch.setattr(Source, "page", page)
    document = Pipeline(engine=_engine()).process(make_pdf("one", "two", "three"))
    assert [record.text for record in document.texts] == ["one", "three"]
    assert [info.origin for info in document.pages] == ["born-digital", "failed", "born-digital"]
    assert [(issue.code, issue.severity, issue.page) for issue in document.issues] == [
        ("page-failed", "error", 2)
    ]
    assert "odd page" in document.issues[0].message
    assert Document.from_json(document.to_json()) == document


def _fail(*_: object, **__: object) -> PageLayout:
    raise RuntimeError("odd drawing")


def test_a_layout_that_fails_leaves_the_words(
    make_pdf: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reading, "find_regions", _fail)
    document = Pipeline(engine=_engine()).process(make_pdf("Hello world"))
    assert [record.text for record in document.texts] == ["Hello world"]
    assert [(issue.code, issue.severity) for issue in document.issues] == [("layout-failed", "error")]


def test_a_layout_that_fails_where_there_are_no_words_fails_the_page(
    make_pdf: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reading, "find_regions", _fail)
    document = Pipeline(engine=_engine(), text_layer="ignore").process(make_pdf("Hello world"))
    assert not document.records
    assert _codes(document) == ["page-failed"]
    assert document.pages[0].origin == "failed"
    assert document.pages[0].width == 300


def test_regions_beyond_the_limit_are_not_put_to_the_model() -> None:
    engine = _engine()
    pipeline = Pipeline(engine=engine, limits=Limits(max_regions_per_page=2))
    document = pipeline.process(_lines(3), regions=_boxes(3))
    assert [record.finish_reason for record in document.records] == ["stop", "stop", "not-run"]
    assert [(issue.code, issue.severity) for issue in document.records[2].issues] == [
        ("region-limit", "error")
    ]
    assert len(engine.requests) == 2


def test_a_page_out_of_time_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def read(request: Request) -> str:
        asked.append(request)
        return "CCO"

    monkeypatch.setattr(page_reading, "_out_of_time", lambda started, limits: bool(asked))
    n = REGIONS_AT_ONCE + 2
    document = Pipeline(engine=_engine(molecule=read), readback="off").process(_lines(n), regions=_boxes(n))
    assert len(asked) == REGIONS_AT_ONCE
    assert [record.finish_reason for record in document.records[-3:]] == ["stop", "not-run", "not-run"]
    assert _codes(document) == ["page-time-limit"] * 2


def test_time_is_taken_from_the_limits() -> None:
    pipeline = Pipeline(engine=_engine(), readback="off", limits=Limits(max_seconds_per_page=1e-9))
    assert _codes(pipeline.process(_lines(1), regions=_boxes(1))) == ["page-time-limit"]
    pipeline = Pipeline(engine=_engine(), readback="off", limits=Limits(max_seconds_per_page=None))
    assert not _codes(pipeline.process(_lines(1), regions=_boxes(1)))


def test_the_time_limit_ends_an_answer_that_is_being_written() -> None:
    deadlines: list[float | None] = []

    class Slow(ScriptedEngine):
        def generate(self, requests: Sequence[Request]) -> list[Generation]:
            deadlines.extend(request.deadline for request in requests)
            return [Generation("half of", "deadline", ("half of",), (-0.1,), "m@1")] * len(requests)

    begin = time.monotonic()
    options: dict[str, Any] = {"engine": Slow({"molecule": ""}), "readback": "off", "retry": "auto"}
    document = Pipeline(**options, limits=Limits(max_seconds_per_page=50)).process(
        _lines(1), regions=_boxes(1)
    )
    (record,) = document.records
    assert (record.finish_reason, record.raw) == ("deadline", "half of")
    assert next(issue.code for issue in record.issues) == "model-output-cut"
    assert "--seconds-per-page" in record.issues[0].message
    (deadline,) = deadlines
    assert deadline is not None
    assert begin < deadline - 40 < time.monotonic() + 10
    Pipeline(**options, limits=Limits(max_seconds_per_page=None)).process(_lines(1), regions=_boxes(1))
    assert deadlines[1:] == [None]


def test_the_token_limit_reaches_the_engine() -> None:
    engine = _engine()
    Pipeline(engine=engine, limits=Limits(max_tokens_per_region=7)).process(_lines(1), regions=_boxes(1))
    assert [request.max_tokens for request in engine.requests] == [7]


def test_progress_counts_the_regions_that_a_model_reads() -> None:
    seen: list[Progress] = []
    n = REGIONS_AT_ONCE + 1
    given = _boxes(n)
    given[1].insert(0, ("figure", (100, 20, 160, 60)))
    Pipeline(engine=_engine()).process(_lines(n), regions=given, progress=seen.append)
    assert [(step.stage, step.page, step.n_pages, step.done, step.total) for step in seen] == [
        ("ingest", 1, 1, 0, 0),
        ("model", 1, 1, 0, n),
        ("model", 1, 1, n - 2, n),
        ("model", 1, 1, n, n),
    ]


@pytest.mark.parametrize("stage", ["ingest", "model"])
def test_a_caller_can_stop_the_run_from_its_callback(make_pdf: Callable[..., bytes], stage: str) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise StopError

    with pytest.raises(StopError):
        Pipeline(engine=_engine()).process(make_pdf(), progress=stop)


def test_given_regions_take_the_place_of_layout_on_their_page(make_pdf: Callable[..., bytes]) -> None:
    document = Pipeline(engine=_engine()).process(
        make_pdf("Hello world", "second page"), regions={1: [("text", (15, 20, 50, 50)), ("text", BOX)]}
    )
    assert [(record.page, record.text, record.bbox) for record in document.texts[:2]] == [
        (1, "Hello", (15, 20, 50, 50)),
        (1, "world", BOX),
    ]
    assert [record.text for record in document.texts[2:]] == ["second page"]
    assert document.records[0].region_evidence == ["given by the caller"]


def test_equal_regions_are_both_kept() -> None:
    document = Pipeline(engine=_engine()).process(_lines(1), regions={1: _boxes(1)[1] * 2})
    assert len({record.id for record in document.molecules}) == 2


@pytest.mark.parametrize(
    "region", [("picture", BOX), ("table", (10, 10, 10, 20)), ("table", (float("nan"), 0, 10, 20))]
)
def test_regions_that_cannot_be_read_are_refused(
    make_pdf: Callable[..., bytes], region: tuple[Kind, BBox]
) -> None:
    with pytest.raises(SettingError, match="page 1"):
        Pipeline(engine=_engine()).process(make_pdf(), regions={1: [region]})


def test_a_damaged_source_says_so(make_pdf: Callable[..., bytes]) -> None:
    data = make_pdf("Hello world")
    cut = data[: data.rindex(b"xref")]
    document = Pipeline(engine=_engine()).process(cut)
    assert [(issue.code, issue.severity, issue.page) for issue in document.issues] == [
        ("source-repaired", "warning", None)
    ]
    assert document.texts


@pytest.mark.real
def test_real_documents_convert_whole(real_data: Path) -> None:
    """The tables of a born-digital paper: the model, which makes all of them up, is asked where a grid is not
    sure, and never believed."""
    engine = _engine()
    document = Pipeline(engine=engine).process(real_data / "tables" / "icdar2013-eu" / "eu-002.pdf")
    assert document.tables
    for table in document.tables:
        assert "model" not in table.evidence
        assert table.n_cols > 2
        assert [other.source for other in table.alternatives] == (["model"] if table.raw else [])
    assert not [issue for issue in document.issues if issue.severity == "error"]
