"""Second readers beside a model, from a page to its records."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest

from docai import Limits, Pipeline, ScriptedEngine
from docai.contents import Line, TextContent, Word
from docai.document import Document
from docai.errors import SettingError
from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence import readers
from docai.pipelines.evidence.base import ReaderInput, Reading
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.external.programs import ReaderError
from docai.records import Evidence, Kind, Molecule, RecordBase, Text

MOLECULE: BBox = (20, 20, 130, 100)
TEXT: BBox = (20, 120, 280, 150)


@dataclass
class Chemist(Osra):
    """OSRA's place, without its program."""

    smiles: str = "c1ccncc1"

    def available(self) -> str | None:
        return None

    def read(self, region: ReaderInput) -> Reading:
        if not self.smiles:
            raise ReaderError("it crashed")
        assert region.picture.image.mode == "RGB"
        return Reading("osra", parse_molecule(self.smiles).content, self.smiles)


@dataclass
class Typist(Tesseract):
    """Tesseract's place, without its data."""

    text: str = "two readers"

    def available(self) -> str | None:
        return None

    def read(self, region: ReaderInput) -> Reading:
        words = [Word(text=word, bbox=region.bbox) for word in self.text.split()]
        content = TextContent(text=self.text, lines=[Line(text=self.text, words=words)])
        return Reading("tesseract", content, self.text)


@pytest.fixture
def scan() -> bytes:
    """A page without words of its own, with ink in both regions."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (600, 400), 255)
    draw = ImageDraw.Draw(picture)
    draw.line([(60, 60), (200, 160)], 0, 4)
    draw.rectangle((60, 260, 500, 280), 0)
    data = io.BytesIO()
    picture.save(data, "PNG", dpi=(144, 144))
    return data.getvalue()


@pytest.fixture(autouse=True)
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        readers, "known_readers", lambda: (readers.TextLayer(), readers.TableFinder(), Chemist(), Typist())
    )


def _says(text: str) -> object:
    def reply(request: Request) -> Generation:
        return Generation(text, "stop", tokens=(text,), logprobs=(-0.1,))

    return reply


def _read(
    source: bytes, molecule: str = "c1ccccc1", text: str = "tvvo readers", **options: object
) -> Document:
    engine = ScriptedEngine({"molecule": _says(molecule), "text": _says(text)})  # type: ignore[dict-item]
    regions: dict[int, list[tuple[Kind, BBox]]] = {1: [("molecule", MOLECULE), ("text", TEXT)]}
    return Pipeline(engine=engine, **options).process(source, regions=regions)  # type: ignore[arg-type]


def _codes(record: RecordBase) -> list[str]:
    return [issue.code for issue in record.issues if issue.stage == "evidence"]


def test_both_answers_are_on_the_record(scan: bytes) -> None:
    molecule, text = _read(scan).records
    assert isinstance(molecule, Molecule)
    assert isinstance(text, Text)
    assert (molecule.smiles, text.text) == ("c1ccccc1", "tvvo readers")
    assert _codes(molecule) == _codes(text) == ["witness-disagrees"]
    assert [(one.source, one.content) for one in molecule.alternatives] == [("osra", "c1ccncc1")]
    assert [(one.source, one.content) for one in text.alternatives] == [("tesseract", "two readers")]


def test_an_invalid_answer_gives_way_and_its_own_faults_no_longer_count(scan: bytes) -> None:
    molecule = _read(scan, molecule="C1CC").records[0]
    assert isinstance(molecule, Molecule)
    assert molecule.smiles == "c1ccncc1"
    assert (molecule.raw, molecule.evidence, molecule.repaired) == ("C1CC", ["osra"], True)
    assert not [issue for issue in molecule.issues if issue.severity == "error"]
    assert _codes(molecule) == ["witness-believed"]


def test_a_model_without_the_head_leaves_the_region_to_the_second_reader(scan: bytes) -> None:
    engine = ScriptedEngine({"table": lambda request: ""})
    regions: dict[int, list[tuple[Kind, BBox]]] = {1: [("molecule", MOLECULE)]}
    (molecule,) = Pipeline(engine=engine).process(scan, regions=regions).records
    assert isinstance(molecule, Molecule)
    assert (molecule.smiles, molecule.evidence) == ("c1ccncc1", ["osra"])
    assert {issue.severity for issue in molecule.issues} == {"warning"}


def test_off_leaves_the_model_alone(scan: bytes) -> None:
    for record in _read(scan, witnesses="off").records:
        assert record.evidence == ["model"]
        assert not record.alternatives
        assert not _codes(record)


def test_where_a_limit_is_reached_no_program_is_started(scan: bytes) -> None:
    document = _read(scan, limits=Limits(max_regions_per_page=1))
    assert [record.evidence for record in document.records] == [["model"], []]
    assert _codes(document.records[0]) == ["witness-disagrees"]
    assert [issue.code for issue in document.records[1].issues] == ["region-limit"]


def test_words_of_the_pdf_need_no_second_reader(make_pdf: object) -> None:
    source: bytes = make_pdf("two readers agree")  # type: ignore[operator]
    regions: dict[int, list[tuple[Kind, BBox]]] = {1: [("text", (10, 20, 290, 60))]}
    engine = ScriptedEngine({"text": _says("tvvo")})  # type: ignore[dict-item]
    (text,) = Pipeline(engine=engine, text_layer="verify").process(source, regions=regions).records
    assert "tesseract" not in text.evidence
    assert [one.source for one in text.alternatives] == ["model"]


def test_a_second_reader_that_fails_is_named_and_the_rest_is_whole(
    scan: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "known_readers", lambda: (Chemist(smiles=""), Typist()))
    molecule, text = _read(scan).records
    assert isinstance(molecule, Molecule)
    assert (molecule.smiles, molecule.evidence) == ("c1ccccc1", ["model"])
    assert _codes(molecule) == ["witness-failed"]
    assert _codes(text) == ["witness-disagrees"]


def test_one_picture_read_as_one_region_has_its_second_reader_too(scan: bytes) -> None:
    engine = ScriptedEngine({"molecule": _says("c1ccncc1")})  # type: ignore[dict-item]
    names: list[Evidence] = ["model", "osra"]
    assert Pipeline(engine=engine).read(scan, "molecule").evidence == names


def test_another_setting_is_refused() -> None:
    with pytest.raises(SettingError, match="'auto' or 'off'"):
        Pipeline(witnesses="on")  # type: ignore[arg-type]
