"""Which samples are chosen, what docai reads in them, and how cases are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docai import ScriptedEngine
from docai.errors import (
    ConfigurationError,
    DatasetError,
    HeadNotAvailableError,
    MissingDependencyError,
    SettingError,
)
from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.models.scripted import Script
from docai.options import MODEL_ALONE
from docai.pipelines.evaluation import scoring
from docai.pipelines.evaluation.base import (
    CaseScore,
    Item,
    Measure,
    Prediction,
    Ratio,
    Sample,
    Skipped,
    Task,
)
from docai.pipelines.evaluation.datasets import DataSet
from docai.pipelines.evaluation.running import SampleReader, as_pages, readable, select
from docai.pipelines.evaluation.scoring import score_cases
from docai.records import Kind
from tests.conftest import MakePdf

TABLE = "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>"
SPOTTED = "<loc0000><loc0000><loc0512><loc1023> word"


def dataset(*cases: Sample | Skipped, unit: str = "crop") -> DataSet:
    def read(path: Path) -> Iterator[Sample | Skipped]:
        return iter(cases)

    assert unit in ("crop", "page")
    return DataSet(
        format="made",
        path=Path("nowhere"),
        unit="crop" if unit == "crop" else "page",
        kinds=("molecule",),
        tasks=("molecule",),
        protocol="made",
        read=read,
    )


def sample(identifier: str, source: Path | None = Path("x.png"), kind: Kind = "molecule") -> Sample:
    return Sample(id=identifier, truth=(Item(kind=kind, text="C"),), source=source)


# Choosing


def test_the_same_seed_chooses_the_same_samples_in_any_order() -> None:
    samples = [sample(f"s{number}") for number in range(40)]
    chosen = select(dataset(*samples), limit=10, seed=3)
    names = [one.id for one in chosen.samples]
    assert len(names) == 10
    # In the order of the data set.
    assert names == sorted(names, key=lambda name: int(name[1:]))
    turned = select(dataset(*reversed(samples)), limit=10, seed=3)
    assert {one.id for one in turned.samples} == set(names)
    assert {one.id for one in select(dataset(*samples), limit=10, seed=4).samples} != set(names)
    assert set(names) < {one.id for one in select(dataset(*samples), limit=20, seed=3).samples}
    assert chosen.ids == {one.id for one in samples}


def test_every_sample_is_as_likely_as_another() -> None:
    samples = [sample(f"s{number}") for number in range(20)]
    counts = dict.fromkeys((one.id for one in samples), 0)
    for seed in range(200):
        for one in select(dataset(*samples), limit=5, seed=seed).samples:
            counts[one.id] += 1
    # 50 on average, with a standard deviation of 6.
    assert min(counts.values()) > 25
    assert max(counts.values()) < 75


def test_without_a_limit_all_are_chosen_and_what_was_skipped_is_kept() -> None:
    lost = Skipped("b", "Its picture is missing.")
    found = select(dataset(sample("c"), lost, sample("a")))
    assert [one.id for one in found.samples] == ["c", "a"]
    assert found.skipped == (lost,)
    assert select(dataset(sample("c"), lost, sample("a")), limit=9).samples == found.samples


def test_an_id_that_no_file_can_hold_is_skipped() -> None:
    found = select(dataset(sample("a"), sample("b\udcff")))
    assert [one.id for one in found.samples] == ["a"]
    assert [one.id for one in found.skipped] == ["b\\udcff"]


def test_samples_without_a_source_cannot_be_read() -> None:
    found = readable(select(dataset(sample("a"), sample("b", None))))
    assert [one.id for one in found.samples] == ["a"]
    assert [one.id for one in found.skipped] == ["b"]
    with pytest.raises(DatasetError, match="--predictions"):
        readable(select(dataset(sample("b", None))))


def test_crops_as_pages() -> None:
    part = replace(sample("part"), bbox=(0, 0, 5, 5))
    found = as_pages(dataset(sample("a"), part, Skipped("b", "Why.")))
    cases = list(found)
    assert (found.unit, found.protocol) == ("page", None)
    assert [(type(case), case.id) for case in cases] == [(Sample, "a"), (Skipped, "part"), (Skipped, "b")]
    assert isinstance(cases[0], Sample)
    assert cases[0].unit == "page"
    with pytest.raises(SettingError, match="whole pages"):
        as_pages(found)


# Reading


def reader(head: str | None = None, heads: frozenset[str] | None = None, **script: Script) -> SampleReader:
    answers: dict[str, Script] = {
        "molecule": "CCO",
        "table": TABLE,
        "score": "**kern\n4c\n*-\n",
        "text": SPOTTED,
    }
    return SampleReader(ScriptedEngine({**answers, **script}), replace(MODEL_ALONE, heads=heads), head)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """400 x 200 pixels at 144 dpi: 200 x 100 points."""
    image = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(image).line((40, 40, 360, 160), fill="black", width=5)
    path = tmp_path / "drawing.png"
    image.save(path, dpi=(144, 144))
    return path


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("molecule", "CCO"),
        ("table", f"<html><body>{TABLE}</body></html>"),
        ("score", "**kern\n4c\n*-\n"),
        ("text", "word"),
    ],
)
def test_a_crop_is_read_by_the_head_of_its_kind(picture: Path, kind: Kind, text: str) -> None:
    found = reader().read(sample("a", picture, kind))
    assert found.error is None
    (item,) = found.items
    assert (item.kind, item.text.strip()) == (kind, text.strip())
    assert item.confidence == pytest.approx(0.905, abs=0.01)
    assert found.n_tokens
    assert found.seconds is not None
    assert found.peak_bytes is None or found.peak_bytes > 1 << 20


def test_boxes_of_pictures_are_pixels(picture: Path) -> None:
    found = reader().read(sample("a", picture, "text"))
    (item,) = found.items
    assert item.bbox == pytest.approx((0, 0, 400, 200))
    (word,) = item.words
    xs, ys = [x for x, _ in word.polygon], [y for _, y in word.polygon]
    # The word lies over the upper half of the square, whose middle is the picture's; crops have a margin.
    assert (min(xs), max(xs)) == pytest.approx((0, 400), abs=12)
    assert max(ys) == pytest.approx(100, abs=2)
    assert word.text == "word"
    assert word.confidence is not None or item.confidence is not None


def test_boxes_of_cells_are_pixels(picture: Path) -> None:
    html = '<table><tbody><tr><td coords="<loc0512><loc0512><loc0600><loc1023>">a</td></tr></tbody></table>'
    (item,) = reader(table=html).read(sample("a", picture, "table")).items
    assert item.cells[0].bbox is not None
    assert item.cells[0].bbox[0] == pytest.approx(200, abs=4)
    assert item.cells[0].bbox[1] == pytest.approx(100, abs=4)


def test_what_the_model_said_stays_where_it_is_no_molecule(picture: Path) -> None:
    (item,) = reader(molecule="C1CC").read(sample("a", picture)).items
    assert item.text == "C1CC"


def test_a_region_of_a_pdf(tmp_path: Path, make_pdf: MakePdf) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("first", "second page"))
    box: BBox = (10, 20, 200, 60)
    asked = replace(sample("a", path, "text"), page=2, bbox=box)
    (item,) = reader().read(asked).items
    assert (item.page, item.text) == (2, "second page")
    assert item.bbox == pytest.approx(box)
    assert item.words[0].polygon[0][1] > 20


def test_a_region_of_a_picture(picture: Path) -> None:
    box: BBox = (100, 50, 300, 150)
    (item,) = reader().read(replace(sample("a", picture), bbox=box)).items
    assert item.bbox == pytest.approx(box)


@pytest.mark.parametrize("box", [(500, 500, 600, 600), (10, 10, 10, 50)])
def test_a_region_that_is_not_on_the_page(picture: Path, box: BBox) -> None:
    found = reader().read(replace(sample("a", picture), bbox=box))
    assert found.error is not None
    assert "has no area on page 1" in found.error


def test_pages_go_through_the_whole_pipeline(tmp_path: Path, make_pdf: MakePdf) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("first", "second page"))
    page = replace(sample("a", path, "text"), unit="page")
    assert [(item.page, item.text) for item in reader().read(page).items] == [
        (1, "first"),
        (2, "second page"),
    ]
    assert [item.page for item in reader().read(replace(page, page=2)).items] == [2]
    assert reader().heads([page]) is None
    assert reader().heads([page, sample("b")]) == {"molecule"}


def test_passwords(tmp_path: Path, make_pdf: MakePdf) -> None:
    import pymupdf

    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf("hidden", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="open", owner_pw="o"))
    page = replace(sample("a", path, "text"), unit="page")
    failed = reader().read(page)
    assert failed.items == []
    assert "password" in (failed.error or "")
    assert reader().read(replace(page, password="open")).items[0].text == "hidden"


def broken(request: Request) -> str:
    raise ValueError("inside the model")


def cut(request: Request) -> Generation:
    return Generation("CC", "length", tokens=("CC",), logprobs=(-0.1,), prompt=request.head.prompt)


def test_failures_stay_with_their_sample(tmp_path: Path, picture: Path) -> None:
    text = tmp_path / "a.png"
    text.write_text("no picture")
    for one in (sample("a", tmp_path / "none.png"), sample("a", text), sample("a", None)):
        found = reader().read(one)
        assert found.error
        assert found.items == []
        assert found.seconds is not None
    failed = reader(molecule=broken).read(sample("a", picture))
    assert "inside the model" in (failed.error or "")
    assert failed.issues == {"model-failed": 1}


def test_a_bug_costs_one_sample(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("inside docai")

    monkeypatch.setattr("docai.pipelines.evaluation.running.convert", fail)
    assert reader().read(sample("a", picture)).error == "ZeroDivisionError: inside docai"


def test_faults_that_all_would_have_are_raised(picture: Path) -> None:
    scripted = SampleReader(ScriptedEngine({"table": TABLE}), MODEL_ALONE, None)
    with pytest.raises(HeadNotAvailableError):
        scripted.read(sample("a", picture))
    with pytest.raises(ConfigurationError):
        reader(molecule=[]).read(sample("a", picture))


def test_error_level_issues_are_counted(picture: Path) -> None:
    found = reader(molecule=cut).read(sample("a", picture))
    assert found.error is None
    assert found.items[0].text == "CC"
    assert found.issues == {"model-output-cut": 1}


# Scoring


def _score(sample: Sample, prediction: Prediction | None) -> CaseScore:
    if sample.id == "bug":
        raise ZeroDivisionError("in the metric")
    if sample.id == "missing":
        raise MissingDependencyError("needs a package")
    n = len(prediction.items) if prediction else 0
    return CaseScore(sample.id, {"items": Ratio(n, 1)})


def find_task(name: str) -> Task:
    return Task(name, (Measure("items", "Items", "made"),), _score, "items")


def cases(*names: str) -> list[tuple[Sample, Prediction | None]]:
    items = [Item(kind="molecule", text="C"), Item(kind="figure")]
    return [(sample(name), Prediction(id=name, items=items)) for name in names]


def scored(asked: Sequence[tuple[Sample, Prediction | None]], task: str = "made") -> list[CaseScore]:
    return [scores[task] for scores in score_cases(asked, [task], ("molecule",), find_task=find_task)]


def test_kinds_without_labels_are_held_against_nobody() -> None:
    assert [score.ratios["items"] for score in scored(cases("a"))] == [Ratio(1, 1)]
    # Words are those of the whole page, figures and all.
    assert [score.ratios["items"] for score in scored(cases("a"), "words")] == [Ratio(2, 1)]


def test_missing_predictions_are_scored_too() -> None:
    assert [score.ratios["items"] for score in scored([(sample("a"), None)])] == [Ratio(0, 1)]


def test_a_metric_that_fails_says_so_and_stops_nothing() -> None:
    first, second, third = scored(cases("a", "bug", "b"))
    assert second.ratios == {"items": Ratio(0, 0)}
    assert second.notes == ("not scored: the metric failed, ZeroDivisionError: in the metric",)
    assert (first.id, third.id) == ("a", "b")


def test_a_missing_package_is_no_score() -> None:
    with pytest.raises(MissingDependencyError):
        scored(cases("missing"))


def test_processes_give_what_one_gives() -> None:
    pytest.importorskip("rdkit", reason="the molecule task needs it")
    truths = [replace(sample(f"{n}"), truth=(Item(kind="molecule", text="C" * n),)) for n in range(1, 6)]
    answers = [Prediction(id=one.id, items=[Item(kind="molecule", text="CCC")]) for one in truths]
    asked = list(zip(truths, answers, strict=True))
    alone = list(score_cases(asked, ["molecule"], ("molecule",)))
    together = list(score_cases(asked, ["molecule"], ("molecule",), jobs=2, seconds_alone=0))
    assert together == alone
    assert [scores["molecule"].id for scores in together] == ["1", "2", "3", "4", "5"]


def test_a_process_that_dies_takes_one_case_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def outcomes(
        function: object, items: Sequence[tuple[Sample, Prediction | None]], processes: int
    ) -> Iterator[object]:
        for one, prediction in items:
            yield scoring.WorkerDied() if one.id == "b" else {"made": _score(one, prediction)}

    monkeypatch.setattr(scoring, "each_in_process", outcomes)
    monkeypatch.setattr(scoring, "can_start_processes", lambda: True)
    found = list(
        score_cases(
            cases("a", "b", "c"), ["made"], ("molecule",), jobs=2, find_task=find_task, seconds_alone=0
        )
    )
    assert [scores["made"].notes for scores in found] == [(), (scoring.DIED,), ()]
    assert found[1]["made"].ratios == {"items": Ratio(0, 0)}


def test_where_no_process_can_be_started_this_one_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "can_start_processes", lambda: False)
    found = list(
        score_cases(cases("a", "b"), ["made"], ("molecule",), jobs=2, find_task=find_task, seconds_alone=0)
    )
    assert [scores["made"].id for scores in found] == ["a", "b"]
