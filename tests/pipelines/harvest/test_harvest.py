"""Pairs from a born-digital document: what is taken, what is left out, and that nothing comes twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai.contents import Cell, Issue, Line, TableContent, Word
from docai.document import PageInfo
from docai.errors import SettingError, UnknownHeadError
from docai.geometry import BBox
from docai.parsers.table import parse_table
from docai.pipelines.evidence import readers
from docai.pipelines.harvest import Certainty, Harvest, HarvestedSource, harvest
from docai.pipelines.harvest.pairs import as_scanned, content_key
from docai.pipelines.harvest.store import is_same_picture, small_picture
from docai.pipelines.synthesis.base import Sample
from docai.pipelines.training.pairs import FilePair, read_pairs
from docai.records import Confidence, Evidence, Molecule, Record, Score, Table, Text

REPORT = Path(__file__).resolve().parents[3] / "samples" / "report.pdf"

ACETYLSALICYLIC_ACID = "CC(=O)Oc1ccccc1C(=O)O"

BOX: BBox = (10.0, 20.0, 110.0, 80.0)


def first_page(path: Path, *, shift: float = 0) -> Path:
    """The first page of the sample document, moved down by points."""
    source: Any = pymupdf.open(REPORT)
    document: Any = pymupdf.open()
    box = source[0].rect
    page = document.new_page(width=box.width, height=box.height + shift)
    page.show_pdf_page(pymupdf.Rect(0, shift, box.width, box.height + shift), source, 0)
    document.save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def _drawings() -> Iterator[None]:
    """Drawings are read here, as the text layer and tables are in all tests."""
    chosen = (readers.TextLayer(), readers.DrawingReader(), readers.TableFinder())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "known_readers", lambda: chosen)
        yield


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HarvestedSource]:
    """A folder with the pairs of one page."""
    folder = tmp_path_factory.mktemp("harvest")
    path = first_page(folder / "page.pdf")
    how = Harvest(folder / "pairs", certainty=Certainty(0.85), with_scans=True)
    (result,) = harvest([path], how)
    return folder, result


@pytest.fixture
def folder(harvested: tuple[Path, HarvestedSource], tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(harvested[0], tmp_path / "harvest"))


def again(folder: Path, *paths: Path) -> list[HarvestedSource]:
    return list(harvest(paths, Harvest(folder / "pairs", certainty=Certainty(0.85), with_scans=True)))


def listed(folder: Path, head: str) -> list[FilePair]:
    return read_pairs(folder / "pairs" / head)


class TestPairs:
    def test_a_molecule_is_a_crop_and_its_smiles_twice_with_its_scan(
        self, harvested: tuple[Path, HarvestedSource]
    ) -> None:
        folder, result = harvested
        pairs = listed(folder, "molecule")
        assert [pair.target for pair in pairs] == [ACETYLSALICYLIC_ACID] * 2
        assert len({pair.key for pair in pairs}) == 1
        pictures = [np.asarray(Image.open(pair.path)) for pair in pairs]
        assert [picture.shape for picture in pictures] == [(896, 896, 3)] * 2
        assert not np.array_equal(*pictures)
        assert result.pairs["molecule"] == 2

    def test_a_table_has_the_words_of_the_page_with_boxes(
        self, harvested: tuple[Path, HarvestedSource]
    ) -> None:
        target = listed(harvested[0], "table")[0].target
        content = parse_table(target, seek_head=False).content
        assert isinstance(content, TableContent)
        truth = json.loads(REPORT.with_name("report.truth.json").read_text("utf-8"))["pages"][0]
        rows = next(region["rows"] for region in truth if region["kind"] == "table")
        assert [cell.text for cell in content.cells] == [text for row in rows for text in row]
        assert target.count("coords=") == sum(bool(text) for row in rows for text in row)

    def test_a_text_has_its_words_with_boxes_in_reading_order(
        self, harvested: tuple[Path, HarvestedSource]
    ) -> None:
        first = listed(harvested[0], "text")[0].target
        assert [word.split("> ")[-1] for word in first.split(" ; ")][:2] == ["Field", "Report:"]
        assert first.startswith("<loc")

    def test_every_pair_says_where_it_is_from(self, harvested: tuple[Path, HarvestedSource]) -> None:
        lines = (harvested[0] / "pairs" / "text" / "pairs.jsonl").read_text("utf-8").splitlines()
        origins = [json.loads(line) for line in lines]
        assert {(Path(origin["source"]).name, origin["page"]) for origin in origins} == {("page.pdf", 1)}
        assert all(len(origin["bbox"]) == 4 for origin in origins)

    def test_the_layouts_have_their_own_lists_and_a_contact_sheet(
        self, harvested: tuple[Path, HarvestedSource]
    ) -> None:
        pairs = harvested[0] / "pairs"
        assert (pairs / "molecule" / "molecules.csv").read_text("utf-8").count(ACETYLSALICYLIC_ACID) == 2
        assert len((pairs / "table" / "PubTabNet_2.0.0.jsonl").read_text("utf-8").splitlines()) == 2
        for head in ("molecule", "table", "text"):
            with Image.open(pairs / head / "contact-sheet.png") as sheet:
                assert sheet.width == 4 * 320


class TestGoingOn:
    def test_what_is_finished_is_not_read_again(self, folder: Path) -> None:
        before = (folder / "pairs" / "text" / "pairs.jsonl").read_bytes()
        (result,) = again(folder, folder / "page.pdf")
        assert result.was_finished
        assert (folder / "pairs" / "text" / "pairs.jsonl").read_bytes() == before

    def test_the_same_drawing_in_another_document_is_left_out(self, folder: Path) -> None:
        n_before = {head: len(listed(folder, head)) for head in ("molecule", "table", "text")}
        (result,) = again(folder, first_page(folder / "moved.pdf", shift=30))
        assert not result.pairs
        assert result.left_out["molecule", "repeat"] == result.left_out["table", "repeat"] == 1
        assert {head: len(listed(folder, head)) for head in n_before} == n_before

    def test_a_stopped_run_goes_on_without_a_pair_twice(self, folder: Path) -> None:
        pairs = folder / "pairs"
        (pairs / "sources.jsonl").unlink()
        whole = (pairs / "text" / "pairs.jsonl").read_bytes()
        lines = whole.splitlines(keepends=True)
        (pairs / "text" / "pairs.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:20])
        (result,) = again(folder, folder / "page.pdf")
        assert result.pairs == {"text": len(lines) - 4}
        assert [pair.target for pair in listed(folder, "text")] == [
            json.loads(line)["target"] for line in lines
        ]

    def test_a_document_that_cannot_be_read_stops_no_other(self, folder: Path) -> None:
        (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
        results = again(folder, folder / "broken.pdf", folder / "missing.pdf", folder / "page.pdf")
        assert [bool(result.error) for result in results] == [True, True, False]
        assert results[2].was_finished

    def test_a_list_that_is_none_is_an_error(self, folder: Path) -> None:
        (folder / "pairs" / "text" / "pairs.jsonl").write_text("no object\n")
        with pytest.raises(SettingError, match=r"Line 1 of .* is no object"):
            again(folder, folder / "page.pdf")

    @pytest.mark.parametrize(
        ("heads", "confidence", "error"),
        [(("figure",), 0.9, UnknownHeadError), (("table",), 1.5, SettingError)],
    )
    def test_settings_that_cannot_be_are_errors(
        self, tmp_path: Path, heads: tuple[str, ...], confidence: float, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            Harvest(tmp_path, heads, Certainty(confidence))


def page_info(origin: Any = "born-digital") -> PageInfo:
    return PageInfo(number=1, width=600, height=800, origin=origin)


def provenance(*evidence: Evidence, confidence: float | None = 0.95, **changes: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "page": 1,
        "bbox": BOX,
        "evidence": list(evidence),
        "confidence": Confidence(value=confidence, method="test"),
        **changes,
    }


def written(text: str) -> Text:
    words = [Word(text=word, bbox=BOX) for word in text.split()]
    return Text(**provenance("text-layer"), text=text, lines=[Line(text=text, words=words)])


ISSUE = Issue(code="molecule-valence", severity="warning", stage="parser", message="Doubtful.")

CERTAIN = Molecule(**provenance("drawing"), smiles="CO", is_valid=True)


class TestDoubts:
    @pytest.mark.parametrize(
        "record",
        [
            CERTAIN,
            Molecule(**provenance("drawing"), smiles="[1*]CO", is_valid=True),
            Score(**provenance("drawing"), kern="**kern\n4c\n*-", is_valid=True, n_measures=1),
            written("a + b > 5 for Schüler"),
        ],
    )
    def test_what_is_certain_is_taken(self, record: Record) -> None:
        assert Certainty().doubt(record, page_info()) is None

    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            (Molecule(**provenance("model"), smiles="CO", is_valid=True), "not-from-page"),
            (Molecule(**provenance("drawing", "model"), smiles="CO", is_valid=True), "not-from-page"),
            (Molecule(**provenance("drawing", issues=[ISSUE]), smiles="CO", is_valid=True), "issues"),
            (Molecule(**provenance("drawing", confidence=0.8), smiles="CO", is_valid=True), "low-confidence"),
            (
                Molecule(**provenance("drawing", confidence=None), smiles="CO", is_valid=True),
                "low-confidence",
            ),
            (Molecule(**provenance("drawing"), smiles="*CO", is_valid=True), "open-label"),
            (Molecule(**provenance("drawing"), smiles="C(C)(C)(C)(C)C", is_valid=False), "empty"),
            (Score(**provenance("drawing")), "empty"),
            (Table(**provenance("text-layer")), "not-from-page"),
            (Text(**provenance("text-layer"), lines=[Line(text="a", words=[Word(text="a")])]), "no-box"),
            (written("∂ρ"), "formula"),
            (written("Sch¨uler"), "formula"),
            (
                Table(
                    **provenance("text-layer", "table-finder"),
                    cells=[Cell(row=0, col=0, text="a"), Cell(row=1, col=1, text="b")],
                ),
                "no-box",
            ),
        ],
    )
    def test_what_is_not_is_left_out_with_its_reason(self, record: Record, reason: str) -> None:
        doubt = Certainty().doubt(record, page_info())
        assert doubt is not None
        assert doubt.reason == reason

    def test_nothing_of_a_scanned_page_is_certain(self) -> None:
        doubt = Certainty().doubt(CERTAIN, page_info("scan"))
        assert doubt is not None
        assert doubt.reason == "not-from-page"


class TestPictures:
    def square(self, *lines: tuple[tuple[int, int], tuple[int, int]]) -> Image.Image:
        import cv2

        canvas = np.full((896, 896, 3), 255, np.uint8)
        for start, end in lines:
            cv2.line(canvas, start, end, (0, 0, 0), 6)
        return Image.fromarray(canvas)

    def test_a_drawing_moved_by_two_pixels_is_the_same(self) -> None:
        one = self.square(((100, 100), (700, 300)), ((700, 300), (400, 800)))
        other = self.square(((102, 101), (702, 301)), ((702, 301), (402, 801)))
        assert is_same_picture(small_picture(one), small_picture(other))

    def test_another_drawing_is_another(self) -> None:
        one = self.square(((100, 100), (700, 300)), ((700, 300), (400, 800)))
        other = self.square(((100, 300), (700, 100)), ((700, 100), (500, 800)))
        assert not is_same_picture(small_picture(one), small_picture(other))

    def test_contents_are_equal_wherever_their_parts_stand(self) -> None:
        one, other = "<loc0001><loc0002><loc0003><loc0004> a", "<loc0009><loc0002><loc0013><loc0004> a"
        assert content_key("text", one) == content_key("text", other) != content_key("text", one + "b")

    def test_the_scan_of_a_pair_is_always_the_same(self) -> None:
        sample = Sample("molecule", self.square(((100, 100), (700, 300))), "CO", (), "CO")
        first, second = as_scanned(sample), as_scanned(sample)
        assert first.image.tobytes() == second.image.tobytes() != sample.image.tobytes()
        assert (first.target, first.key) == (sample.target, sample.key)
