"""One region into one record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from docai.contents import TextContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.engine import Generation
from docai.models.scripted import ScriptedEngine
from docai.options import Effort, Options, TextLayer
from docai.pipelines import region as regions
from docai.pipelines.evidence.base import Decision, Need, ReaderInput, Reading
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.table_decision import TableFinder
from docai.pipelines.found_region import record_id
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.pipelines.layout import Region
from docai.pipelines.region import RegionTask, plan_tasks
from docai.pipelines.words import lines_from_words
from docai.records import Confidence, Evidence, Figure, Kind, Molecule, RecordBase, Table, Text

BOX: BBox = (20, 20, 280, 60)
ALL = ("table", "molecule", "score", "text")
WORDS = (PageWord("Hello", (20, 30, 50, 42), 0, 0), PageWord("world", (54, 30, 84, 42), 0, 0))
BROKEN = tuple(word._replace(text="\ue000\ue001\ue002") for word in WORDS)


@pytest.fixture(scope="module")
def page(make_pdf: object) -> Iterator[Page]:
    """The third page of a document."""
    data: bytes = make_pdf("", "", "Hello world")  # type: ignore[operator]
    with open_source(data, limits=Limits()) as source, source.page(3) as opened:
        yield opened


def _region(kind: Kind, words: tuple[PageWord, ...] = (), box: BBox = BOX) -> Region:
    return Region(kind, box, 0.75, ("ruled grid",), ((1, 2), (3, 4), (5, 6)), words)


def _tasks(
    page: Page, *regions: Region, layer: TextLayer = "prefer", heads: tuple[str, ...] = ALL
) -> list[RegionTask]:
    options = Options(text_layer=layer, readback="off")
    return plan_tasks("ab", page, regions, options, ReaderPool.choose(Options(witnesses="off")), heads)


def _record(
    page: Page,
    region: Region,
    *answers: Generation,
    layer: TextLayer = "prefer",
    heads: tuple[str, ...] = ALL,
) -> RecordBase:
    (task,) = _tasks(page, region, layer=layer, heads=heads)
    task.crop(ScriptedEngine({}))
    task.submit(ReaderPool.choose(Options(witnesses="off")))
    task.generations = answers
    task.parse()
    return task.finish()


def _codes(record: RecordBase) -> list[str]:
    return [issue.code for issue in record.issues]


def test_ids_are_stable_and_differ_by_source_page_kind_and_box() -> None:
    one = record_id("ab", 1, "text", BOX)
    assert one == record_id("ab", 1, "text", (20.2, 20, 279.9, 60))
    others = [
        record_id("ac", 1, "text", BOX),
        record_id("ab", 2, "text", BOX),
        record_id("ab", 1, "table", BOX),
        record_id("ab", 1, "text", (21, 20, 280, 60)),
    ]
    assert len({one, *others}) == 5
    assert one.startswith("p1-text-")


def test_equal_regions_of_a_page_get_different_ids(page: Page) -> None:
    region = _region("figure")
    tasks = _tasks(page, region, _region("text"), region, region)
    ids = [task.id for task in tasks]
    assert len(set(ids)) == 4
    assert ids == [task.id for task in _tasks(page, *(task.region for task in tasks))]


@pytest.mark.parametrize(
    ("kind", "words", "layer", "asked", "native"),
    [
        ("text", WORDS, "prefer", False, True),
        ("text", WORDS, "verify", True, True),
        ("text", WORDS, "ignore", True, False),
        ("text", (), "prefer", True, False),
        ("text", BROKEN, "prefer", True, True),
        ("table", WORDS, "prefer", True, True),
        ("table", WORDS, "ignore", True, False),
        ("figure", WORDS, "prefer", False, True),
        ("figure", WORDS, "ignore", False, False),
        ("molecule", (), "prefer", True, False),
    ],
)
def test_who_reads_a_region(
    page: Page, kind: Kind, words: tuple[PageWord, ...], layer: TextLayer, asked: bool, native: bool
) -> None:
    (task,) = _tasks(page, _region(kind, words), layer=layer)
    assert (task.is_asked, task.native is not None) == (asked, native)


TABLE_BOX: BBox = (40, 40, 300, 150)


@pytest.fixture(scope="module")
def table_page() -> Iterator[Page]:
    """A ruled table of three rows and columns."""
    import pymupdf

    with pymupdf.open() as document:
        sheet = document.new_page(width=400, height=300)
        for i in range(4):
            sheet.draw_line((50, 50 + 30 * i), (290, 50 + 30 * i))
            sheet.draw_line((50 + 80 * i, 50), (50 + 80 * i, 140))
        for row in range(3):
            for col in range(3):
                sheet.insert_text((60 + 80 * col, 70 + 30 * row), f"r{row}c{col}", fontsize=11)
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as opened:
        yield opened


@pytest.mark.parametrize(("layer", "asked"), [("prefer", False), ("verify", True), ("ignore", True)])
def test_no_model_is_asked_for_a_table_whose_grid_is_sure(
    table_page: Page, layer: TextLayer, asked: bool
) -> None:
    (task,) = _tasks(table_page, _region("table", tuple(table_page.words()), TABLE_BOX), layer=layer)
    assert task.is_asked is asked


def test_a_table_read_without_a_model_has_no_issue_of_one(table_page: Page) -> None:
    record = _record(table_page, _region("table", tuple(table_page.words()), TABLE_BOX), heads=())
    assert isinstance(record, Table)
    assert (record.n_rows, record.n_cols, record.finish_reason) == (3, 3, "not-run")
    assert record.evidence == ["text-layer", "table-finder"]
    assert not record.issues
    assert "rules, lanes, lines and columns" in record.confidence.method
    assert record.region_evidence[-1].endswith("no model asked")
    assert 0.7 < (record.confidence.value or 0) < 1


def test_the_table_finder_is_asked_once(table_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Page] = []
    monkeypatch.setattr(
        TableFinder, "read", lambda self, region: asked.append(region.page) or Reading(self.name)
    )
    record = _record(table_page, _region("table", tuple(table_page.words()), TABLE_BOX))
    assert len(asked) == 1
    assert record.kind == "table"


def test_a_record_says_where_it_was_and_what_made_it_so(page: Page) -> None:
    record = _record(
        page,
        _region("molecule"),
        Generation("OCC", "stop", ("O", "C", "C"), (-0.1,) * 3, "nano@1", "molecule to smiles"),
    )
    assert isinstance(record, Molecule)
    assert (record.page, record.bbox, record.polygon) == (3, BOX, [(1, 2), (3, 4), (5, 6)])
    assert (record.region_score, record.region_evidence) == (0.75, ["ruled grid"])
    assert (record.head, record.checkpoint, record.prompt) == ("molecule", "nano@1", "molecule to smiles")
    assert (record.raw, record.finish_reason, record.n_tokens) == ("OCC", "stop", 3)
    assert (record.smiles, record.is_valid, record.evidence) == ("CCO", True, ["model"])
    assert record.confidence.value == pytest.approx(0.905, abs=1e-3)


def test_native_text_needs_no_model(page: Page) -> None:
    record = _record(page, _region("text", WORDS))
    assert isinstance(record, Text)
    assert record.text == record.native_text == "Hello world"
    assert [word.bbox for word in record.lines[0].words] == [word.bbox for word in WORDS]
    assert (record.evidence, record.finish_reason, record.checkpoint) == (["text-layer"], "not-run", None)
    assert record.confidence.value == 1.0
    assert not record.issues


def test_broken_words_are_kept_beside_the_models_reading(page: Page) -> None:
    record = _record(page, _region("text", BROKEN), Generation("as read", "stop"))
    assert isinstance(record, Text)
    assert record.text == "as read"
    assert record.native_text == "\ue000\ue001\ue002 \ue000\ue001\ue002"
    assert [other.source for other in record.alternatives] == ["text-layer"]
    assert "text-layer-not-believed" in _codes(record)


@pytest.mark.parametrize("kind", ["text", "table", "figure", "molecule"])
def test_ignore_lets_nothing_of_the_text_layer_in(page: Page, kind: Kind) -> None:
    raw = {"text": "read", "table": "<table><tr><td>x</td></tr></table>", "molecule": "C", "figure": ""}[kind]
    answers = [Generation(raw, "stop", ("x",), (-0.1,))] if raw else []
    record = _record(page, _region(kind, WORDS), *answers, layer="ignore")
    assert record.native_text is None
    assert "text-layer" not in record.evidence
    assert "table-finder" not in record.evidence
    assert not record.alternatives
    assert "Hello" not in record.model_dump_json()
    assert "words" not in record.confidence.method


def test_print_that_nobody_read_is_told(page: Page) -> None:
    unread = tuple((20.0 + 40 * n, 30.0, 55.0 + 40 * n, 40.0) for n in range(5))
    record = _record(page, replace(_region("text"), unread=unread))
    assert "text-unread" in _codes(record)
    record = _record(page, replace(_region("text"), unread=()))
    assert "text-unread" not in _codes(record)


def test_a_figure_keeps_the_pdfs_words(page: Page) -> None:
    record = _record(page, _region("figure", WORDS))
    assert isinstance(record, Figure)
    assert (record.text, record.head, record.evidence) == ("Hello world", None, ["layout", "text-layer"])


def test_a_head_without_weights_is_said(page: Page) -> None:
    record = _record(page, _region("molecule"), heads=("text",))
    assert isinstance(record, Molecule)
    assert [(issue.code, issue.severity, issue.region) for issue in record.issues] == [
        ("head-not-available", "error", record.id)
    ]
    assert (record.finish_reason, record.evidence, record.is_valid) == ("not-run", [], False)


def test_what_other_evidence_gives_softens_that_no_model_read(page: Page) -> None:
    record = _record(page, _region("text", WORDS), layer="verify", heads=())
    assert isinstance(record, Text)
    assert record.text == "Hello world"
    assert [(issue.code, issue.severity) for issue in record.issues] == [("head-not-available", "warning")]


def test_a_crop_that_fails_is_an_issue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(regions, "tile_region", broken)
    record = _record(page, _region("score"))
    assert _codes(record) == ["crop-failed"]
    assert "no font" in record.issues[0].message


def test_a_parser_that_fails_keeps_the_raw_text(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(regions, "region_reading", broken)
    record = _record(
        page, _region("table", WORDS), Generation("<table>", "stop", ("<table>",), (-0.1,), "n@1")
    )
    assert isinstance(record, Table)
    assert (record.raw, record.n_tokens, record.checkpoint, record.finish_reason) == (
        "<table>",
        1,
        "n@1",
        "stop",
    )
    assert _codes(record) == ["record-failed"]
    assert record.native_text == "Hello world"
    assert record.confidence.value == 0.0


def test_the_models_faults_do_not_spoil_what_the_pdf_says(page: Page) -> None:
    record = _record(
        page, _region("text", WORDS), Generation("", "error", error="No memory."), layer="verify"
    )
    assert isinstance(record, Text)
    assert record.text == "Hello world"
    (issue,) = record.issues
    assert (issue.code, issue.severity) == ("model-failed", "info")
    assert issue.message.startswith("In the model's other answer: ")
    assert record.evidence == ["text-layer"]


@pytest.mark.parametrize("kind", ["table", "molecule", "score", "text", "figure"])
def test_every_record_goes_through_json(page: Page, kind: Kind) -> None:
    answers = [Generation("\ud800<table>\x00", "stop")] if kind != "figure" else []
    record = _record(page, _region(kind), *answers)
    assert type(record).model_validate_json(record.model_dump_json()) == record


class _Says:
    """A reader of pictures that says one thing about texts."""

    name: Evidence = "ppocr"
    kinds = frozenset(("text",))
    needs: frozenset[Need] = frozenset(("picture",))
    yields_to_words = True

    def __init__(self, text: str) -> None:
        self._text = text

    def available(self) -> None:
        return None

    def read(self, region: ReaderInput) -> Reading:
        if not self._text:
            return Reading(self.name)
        lines = lines_from_words([PageWord(self._text, BOX, 0, 0)])
        return Reading(self.name, TextContent(text=self._text, lines=lines), self._text)


@pytest.mark.parametrize(
    ("effort", "accuracy", "text", "asks"),
    [
        ("auto", None, "Hello", True),
        ("auto", 0.0, "Hello", False),
        ("auto", 0.0, "", True),
        ("auto", 0.99, "Hello", True),
        ("fast", None, "Hello", False),
        ("fast", None, "", True),
        ("best", 0.0, "Hello", True),
    ],
)
def test_a_model_that_was_measured_to_be_worse_than_the_readers_is_not_asked(
    page: Page, effort: Effort, accuracy: float | None, text: str, asks: bool
) -> None:
    options = Options(readback="off", effort=effort)
    with ReaderPool([_Says(text)], effort) as pool:
        (task,) = plan_tasks("ab", page, [_region("text")], options, pool, ALL)
        task.submit(pool)
        task.spare_head(ScriptedEngine({"text": "x"}, accuracy=accuracy))
        assert task.is_asked is asks
        record = task.finish()
    assert record.evidence == (["ppocr"] if text else [])
    assert isinstance(record, Text)
    assert record.text == text


@pytest.mark.parametrize(
    ("confidence", "effort", "is_compared"),
    [(0.95, "auto", False), (0.8, "auto", True), (0.95, "best", True)],
)
def test_a_text_that_readers_are_sure_of_is_not_rendered_again(
    page: Page, confidence: float, effort: Effort, is_compared: bool
) -> None:
    lines = lines_from_words(WORDS)
    content = TextContent(text="Hello world", lines=lines)
    task = RegionTask("a", page, _region("text"), Options(effort=effort), is_picture_read=True)
    task.decision = Decision(content, ("ppocr",), Confidence(value=confidence, method="its words"))
    task.verify()
    assert task.read_back is not None
    assert bool(task.readback_crops) == is_compared
    assert is_compared or "sure enough" in task.read_back.reason
    assert task.decision.confidence.value == confidence
