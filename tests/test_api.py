"""The calls a user makes, with an engine that replays texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from io import BytesIO
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from PIL import Image, ImageDraw

import docai
from docai import Limits, Pipeline, ScriptedEngine
from docai.errors import (
    EmptySourceError,
    HeadNotAvailableError,
    NotADocumentError,
    PasswordRequiredError,
    SettingError,
    TooManyBytesError,
    UnknownHeadError,
)
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.page_reading import Progress
from docai.records import Molecule, RecordBase, Score, Table, Text

ENGINE = {"table": "<table><tr><td>a</td></tr></table>", "molecule": "OCC", "score": "", "text": "hi"}
MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
]


def _drawing(size: tuple[int, int] = (200, 120)) -> Image.Image:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).line((20, 20, 150, 90), fill=0, width=4)
    return image


def _in_mode(mode: str) -> Image.Image:
    gray = _drawing()
    if mode == "I;16":
        return Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    if mode == "I;16B":
        data = (np.asarray(gray).astype(">u2") * 257).tobytes()
        return Image.frombytes("I;16B", gray.size, data)
    if mode == "PA":
        return gray.convert("P").convert("PA")
    if mode in ("RGBa", "La"):
        return gray.convert("RGBA" if mode == "RGBa" else "LA").convert(mode)
    if mode == "LAB":
        lightness = gray.point(lambda value: value)
        flat = Image.new("L", gray.size, 128)
        return Image.merge("LAB", (lightness, flat, flat))
    return gray.convert("RGB").convert(mode) if mode in ("HSV", "CMYK", "YCbCr") else gray.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_read_takes_a_picture_of_any_mode(mode: str) -> None:
    image = _in_mode(mode)
    assert image.mode == mode
    engine = ScriptedEngine(ENGINE)
    record = Pipeline(engine=engine).read(image, "molecule")
    assert isinstance(record, Molecule)
    assert (record.smiles, record.finish_reason) == ("CCO", "stop")
    crop = np.asarray(engine.requests[0].image.convert("L"))
    assert crop.max() >= 250, "paper is white"
    assert crop.min() < 60, "ink is black"
    assert (crop > 200).mean() > 0.9, "and there is more paper than ink"


@pytest.mark.parametrize("factor", [1.0, 1 / 255, 10.0])
def test_numbers_without_a_range_are_read_from_black_to_white(factor: float) -> None:
    image = Image.fromarray(np.asarray(_drawing(), dtype=np.float32) * np.float32(factor))
    engine = ScriptedEngine(ENGINE)
    Pipeline(engine=engine).read(image, "molecule")
    crop = np.asarray(engine.requests[0].image.convert("L"))
    assert (crop.min() < 60, crop.max() >= 250) == (True, True)


def test_a_picture_and_its_file_give_the_same_crop(tmp_path: Path) -> None:
    """Also where the file says that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    _drawing().save(path, exif=exif)
    engine = ScriptedEngine(ENGINE)
    pipeline = Pipeline(engine=engine)
    with Image.open(path) as image:
        records = [pipeline.read(source, "molecule") for source in (image, path, path.read_bytes())]
    assert [record.bbox for record in records] == [(0, 0, 120, 200)] * 3
    assert len({request.image.tobytes() for request in engine.requests}) == 1


@pytest.mark.parametrize(
    ("head", "kind"), [("table", Table), ("molecule", Molecule), ("score", Score), ("text", Text)]
)
def test_read_gives_the_record_of_its_head(head: str, kind: type[RecordBase]) -> None:
    record = Pipeline(engine=ScriptedEngine(ENGINE)).read(_drawing(), head)
    assert isinstance(record, kind)
    assert (record.page, record.head, record.prompt) == (1, head, HEADS[head].prompt)
    assert (record.raw, record.checkpoint) == (ENGINE[head], "scripted@0")
    assert record.region_evidence == ["given by the caller"]


def test_read_takes_the_first_page_of_a_document(make_pdf: Callable[..., bytes]) -> None:
    engine = ScriptedEngine(ENGINE)
    record = Pipeline(engine=engine).read(make_pdf("first page", "second page"), "text")
    assert isinstance(record, Text)
    assert record.text == "first page"
    assert not engine.requests
    record = Pipeline(engine=engine, text_layer="ignore").read(make_pdf("first page"), "text")
    assert isinstance(record, Text)
    assert (record.text, record.native_text) == ("hi", None)


def test_a_blank_picture_reaches_no_model() -> None:
    engine = ScriptedEngine(ENGINE)
    record = Pipeline(engine=engine).read(Image.new("RGB", (50, 50), "white"), "score")
    assert (record.finish_reason, record.raw) == ("blank", "")
    assert not engine.requests


def test_read_refuses_what_it_cannot_read() -> None:
    pipeline = Pipeline(engine=ScriptedEngine({"text": "hi"}))
    with pytest.raises(UnknownHeadError, match="'chart'"):
        pipeline.read(_drawing(), "chart")
    with pytest.raises(HeadNotAvailableError, match="'table'"):
        pipeline.read(_drawing(), "table")
    with pytest.raises(EmptySourceError, match="no pixels"):
        pipeline.read(Image.new("RGB", (0, 5)), "text")
    with pytest.raises(NotADocumentError):
        pipeline.read(b"plain words", "text")


def test_a_bad_source_is_refused_before_the_model_is_loaded() -> None:
    with pytest.raises(NotADocumentError):
        docai.read(b"plain words", "text", model="/no/such/model")
    with pytest.raises(NotADocumentError):
        docai.process(b"plain words", model="/no/such/model")


HOSTILE = [
    "",
    " \n\t",
    "\x00\x01\x1b[31m",
    "\ud800\udfff\ud83d",
    "<loc9999>" * 50,
    "<table>" * 300,
    "<td " * 2000,
    "((((" * 500,
    "**kern\t**kern\n*^\n",
    "\t" * 3000,
    "﷽" * 500,
    "<table><tr><td rowspan='99999' colspan='99999'>x",
    "🙂" * 100,
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_parse_is_total(head: str, text: str) -> None:
    record = docai.parse(head, text)
    assert isinstance(record, HEADS[head].record)
    assert type(record).model_validate_json(record.model_dump_json()) == record
    assert {issue.region for issue in record.issues} <= {record.id}
    if text.isprintable():
        assert record.raw == text


def test_parse_gives_boxes_in_pixels_of_the_crop() -> None:
    record = docai.parse("text", "<loc0000><loc0000><loc1023><loc1023> word")
    assert isinstance(record, Text)
    assert record.bbox == record.lines[0].bbox == record.lines[0].words[0].bbox == (0, 0, 896, 896)
    assert record.finish_reason == "not-run"
    assert record.checkpoint is None
    assert record.evidence == ["model"]


def test_parse_is_what_process_makes_of_a_text() -> None:
    parsed = docai.parse("molecule", "OCC")
    read = Pipeline(engine=ScriptedEngine(ENGINE)).read(_drawing(), "molecule")
    assert isinstance(parsed, Molecule)
    assert isinstance(read, Molecule)
    assert (parsed.smiles, parsed.inchikey, parsed.formula) == (read.smiles, read.inchikey, read.formula)
    assert parsed.id == docai.parse("molecule", "OCC").id != docai.parse("molecule", "CCO").id


def test_parse_refuses_an_unknown_head() -> None:
    with pytest.raises(UnknownHeadError, match="table"):
        docai.parse("chart", "")


def test_settings_of_a_pipeline_are_checked_at_once() -> None:
    with pytest.raises(SettingError, match="'always'"):
        Pipeline(text_layer="always")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="a list such as"):
        Pipeline(heads="table")
    with pytest.raises(SettingError, match="empty"):
        Pipeline(heads=[])
    with pytest.raises(UnknownHeadError, match="'chart'"):
        Pipeline(heads=["table", "chart"])


def test_limits_reach_the_source(make_pdf: Callable[..., bytes]) -> None:
    pipeline = Pipeline(engine=ScriptedEngine(ENGINE), limits=Limits(max_bytes=10))
    with pytest.raises(TooManyBytesError):
        pipeline.process(make_pdf())


def test_sources_of_every_kind_give_the_same_document(make_pdf: Callable[..., bytes], tmp_path: Path) -> None:
    data = make_pdf("Hello world")
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    pipeline = Pipeline(engine=ScriptedEngine(ENGINE))
    documents = [pipeline.process(source) for source in (path, str(path), data, BytesIO(data))]
    assert len({document.model_dump_json(include={"records"}) for document in documents}) == 1
    assert documents[0].source.name == str(path)


def test_the_signature_of_process_is_the_promised_one() -> None:
    parameters = inspect.signature(docai.process).parameters
    defaults = {
        "pages": None,
        "password": None,
        "regions": None,
        "model": "nano",
        "device": "auto",
        "model_options": None,
        "heads": None,
        "text_layer": "prefer",
        "drawings": "prefer",
        "witnesses": "auto",
        "effort": "auto",
        "readback": "auto",
        "retry": "off",
        "limits": None,
        "engine": None,
        "progress": None,
    }
    assert {name: parameter.default for name, parameter in list(parameters.items())[1:]} == defaults
    assert {parameter.kind for parameter in list(parameters.values())[1:]} == {inspect.Parameter.KEYWORD_ONLY}


def test_process_read_and_pipeline_take_the_same_options_under_the_same_names() -> None:
    def options(call: Callable[..., object]) -> dict[str, object]:
        return {name: parameter.default for name, parameter in inspect.signature(call).parameters.items()}

    shared = {field.name for field in fields(Options)} | {"model", "device", "engine", "model_options"}
    pipeline = {name: default for name, default in options(Pipeline).items() if name in shared}
    assert set(pipeline) == shared
    assert {name: default for name, default in options(docai.process).items() if name in shared} == pipeline
    # It names its one head.
    read = {name: default for name, default in options(docai.read).items() if name in shared}
    assert read == {name: default for name, default in pipeline.items() if name != "heads"}
    methods = {name for name in options(Pipeline.process) if name != "self"}
    assert methods == set(options(docai.process)) - shared
    assert set(options(Pipeline.read)) - {"self"} == set(options(docai.read)) - shared


def test_read_opens_encrypted_documents_and_reports_progress(make_pdf: Callable[..., bytes]) -> None:
    data = make_pdf("Hello world", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="key", owner_pw="key")
    seen: list[Progress] = []
    record = docai.read(data, "text", engine=ScriptedEngine(ENGINE), password="key", progress=seen.append)
    assert isinstance(record, Text)
    assert record.text == "Hello world"
    assert [(step.stage, step.done) for step in seen] == [("model", 0), ("model", 0)]
    with pytest.raises(PasswordRequiredError):
        docai.read(data, "text", engine=ScriptedEngine(ENGINE))


def test_process_reads_regions_that_are_given(make_pdf: Callable[..., bytes]) -> None:
    document = docai.process(
        make_pdf("Hello world"), regions={1: [("text", (10, 20, 290, 60))]}, engine=ScriptedEngine(ENGINE)
    )
    assert [record.region_evidence for record in document.records] == [["given by the caller"]]


def test_a_pipeline_is_made_of_options_and_tells_them() -> None:
    options = Options(heads=["table"], text_layer="verify", retry="auto", limits=Limits(max_pages=3))
    pipeline = Pipeline.with_options(options, engine=ScriptedEngine(ENGINE))
    assert pipeline.options == options
    assert pipeline.options.heads == frozenset(["table"])
    assert Pipeline().options == Options()


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([("table", (0, 0, 10, 10))], "give them as"),
        ({0: [("table", (0, 0, 10, 10))]}, "names the page 0"),
        ({"1": [("table", (0, 0, 10, 10))]}, "names the page '1'"),
        ({1: [("table", (0, 0, 10))]}, "give them as"),
        ({1: ["table"]}, "give them as"),
        ({1: [("table", None)]}, "give them as"),
        ({1: [("table", (0, 0, float("inf"), 10))]}, "has no area"),
        ({9: [("table", (0, 0, 10, 10))]}, "regions names page 9, and <bytes> has 1 page"),
    ],
)
def test_regions_that_no_page_has_are_refused(
    make_pdf: Callable[..., bytes], regions: object, message: str
) -> None:
    pipeline = docai.Pipeline(engine=docai.ScriptedEngine({"text": ""}))
    with pytest.raises(SettingError, match=re.escape(message)):
        pipeline.process(make_pdf(), regions=regions)  # type: ignore[arg-type]


def test_limits_that_are_none_are_refused() -> None:
    with pytest.raises(SettingError, match="limits is 5; give docai"):
        docai.Pipeline(limits=5)  # type: ignore[arg-type]
