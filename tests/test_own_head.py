"""A head of a user's own, registered in ten lines: it is in all that docai does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image, ImageDraw

import docai
from docai import Document, Pipeline, ScriptedEngine
from docai.base import Content
from docai.errors import SettingError, UnknownHeadError
from docai.exports import export
from docai.geometry import BBox
from docai.models.heads import HEADS, Head, get_head, region_kinds, register, unregister
from docai.parsers.base import Parsed
from docai.pipelines.overlay import draw_document
from docai.records import Molecule, RecordBase

from .conftest import Run


class SealContent(Content):
    number: str = ""

    def describe(self) -> str:
        return f"seal no. {self.number}"


class Seal(RecordBase, SealContent):
    kind: Literal["seal"] = "seal"


SEAL = Head(
    "seal", "seal to number", lambda text: Parsed(SealContent(number=text.strip())), Seal, max_tokens=64
)

BOX: BBox = (40, 40, 260, 160)


class SealPipeline(Pipeline):
    """Gives its regions itself, as the command line cannot."""

    def __init__(self) -> None:
        super().__init__(engine=ScriptedEngine({"seal": " 4711\n"}))

    def process(self, source: Any, **options: Any) -> Document:
        return super().process(
            source, regions={1: [("seal", BOX), ("figure", (40, 200, 260, 290))]}, **options
        )


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    register(SEAL)
    yield
    unregister("seal")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An image of 300 by 300 points with a cross in the region."""
    image = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(image).line((60, 60, 240, 140), fill="black", width=5)
    path = tmp_path / "deed.png"
    image.save(path, dpi=(72, 72))
    return path


def test_process_reads_the_given_region_and_json_gives_the_record_back(scan: Path) -> None:
    document = SealPipeline().process(scan)
    assert [record.kind for record in document.records] == ["seal", "figure"]
    (seal,) = document.of_type(Seal)
    assert (seal.number, seal.head, seal.prompt, seal.raw) == ("4711", "seal", "seal to number", " 4711\n")
    assert (seal.bbox, seal.evidence, seal.issues) == (BOX, ["model"], [])
    assert seal.confidence.value is not None
    assert json.loads(export(document, "deed.json"))["records"][0]["number"] == "4711"
    assert Document.from_json(document.to_json()) == document
    assert Document.from_json(document.to_json()).of_type(Seal) == [seal]


@pytest.mark.parametrize("options", [{"retry": "auto"}, {"text_layer": "verify"}, {"heads": ["seal"]}])
def test_no_option_stops_it(scan: Path, options: dict[str, Any]) -> None:
    pipeline = Pipeline(engine=ScriptedEngine({"seal": "1"}), **options)
    document = pipeline.process(scan, regions={1: [("seal", BOX)]})
    assert [seal.number for seal in document.of_type(Seal)] == ["1"]
    assert list(document.iter_issues()) == []


def test_read_and_parse_give_its_record(scan: Path) -> None:
    record = Pipeline(engine=ScriptedEngine({"seal": "12"})).read(scan, "seal")
    assert isinstance(record, Seal)
    assert (record.number, record.page, record.raw) == ("12", 1, "12")
    parsed = docai.parse("seal", " 13 ")
    assert isinstance(parsed, Seal)
    assert (parsed.number, parsed.raw) == ("13", " 13 ")


def test_its_color_is_on_the_picture_of_the_page(scan: Path) -> None:
    unregister("seal")
    register(replace(SEAL, color=(1, 2, 3)))
    document = SealPipeline().process(scan)
    ((_, picture),) = draw_document(document, scan, long_side=300)
    assert picture.getpixel((39, 100)) == (1, 2, 3)
    assert picture.getpixel((39, 250)) != (1, 2, 3)


def test_the_command_line_says_what_was_read(
    run: Run, use_pipeline: Callable[[object], None], scan: Path, tmp_path: Path
) -> None:
    use_pipeline(SealPipeline())
    code, _, shown = run("process", scan, "-o", tmp_path / "out.json")
    assert code == 0
    assert "1 seal, 1 figure" in shown
    assert "seal no. 4711" in shown


def test_doctor_says_whether_it_can_run(run: Run) -> None:
    code, shown, _ = run("doctor", "--device", "cpu")
    assert code == 0
    assert "head seal      no weights" in shown


def test_repr_is_one_line_without_more_to_say() -> None:
    assert repr(docai.parse("seal", "1")).startswith("<Seal p1-seal-")
    assert repr(SealContent(number="1")) == "<SealContent>"


def test_a_registered_head_is_gone_once_it_is_taken_back(scan: Path) -> None:
    text = SealPipeline().process(scan).to_json()
    unregister("seal")
    assert "seal" not in region_kinds()
    with pytest.raises(UnknownHeadError, match="'seal'"):
        get_head("seal")
    with pytest.raises(SettingError, match="kind 'seal'"):
        SealPipeline().process(scan)
    with pytest.raises(ValueError, match="'seal'"):
        Document.from_json(text)
    register(SEAL)
    assert Document.from_json(text).of_type(Seal)[0].number == "4711"


def test_records_of_a_kind_that_nobody_registered_are_kept_and_written(scan: Path) -> None:
    document = SealPipeline().process(scan)
    unregister("seal")
    again = Document(source=document.source, records=list(document.records))
    assert again.records == document.records
    assert json.loads(again.to_json())["records"][0]["number"] == "4711"
    register(SEAL)


class Unkind(RecordBase, SealContent):
    """Says no kind."""


class Bare(RecordBase):
    """Is no content."""

    kind: Literal["bare"] = "bare"


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (SEAL, "'seal' already"),
        (replace(SEAL, name="figure"), "'figure' already"),
        (replace(SEAL, name="stamp"), 'kind: Literal\\["stamp"\\]'),
        (replace(SEAL, name="stamp", record=Unkind), 'kind: Literal\\["stamp"\\]'),
        (replace(SEAL, name="molecule-2", record=Molecule), 'Literal\\["molecule-2"\\]'),
        (replace(SEAL, name="bare", record=Bare), "subclass"),
    ],
)
def test_what_cannot_be_a_head_is_refused(head: Head, why: str) -> None:
    before = dict(HEADS)
    with pytest.raises(SettingError, match=why):
        register(head)
    assert dict(HEADS) == before


def test_docais_own_heads_stay() -> None:
    with pytest.raises(SettingError, match="own"):
        unregister("table")
    with pytest.raises(UnknownHeadError):
        unregister("stamp")
    assert list(HEADS)[:4] == ["table", "molecule", "score", "text"]
