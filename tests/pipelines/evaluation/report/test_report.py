"""report.json and report.html of whole evaluations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import html

from docai.errors import PredictionsError
from docai.pipelines.evaluation.base import Item, Prediction, Ratio, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.report import read_report, write_report
from docai.pipelines.evaluation.report.pictures import MAX_BYTES
from docai.records import Kind
from tests.pipelines.evaluation.report.evaluations import evaluation, noise, text_case, with_values

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text("utf-8")


def case_ids(page: str) -> list[str]:
    return [node.text_content() for node in html.fromstring(page).find_class("id")]


def test_confidence_of_every_unit_is_reported(tmp_path: Path) -> None:
    truth = Item(kind="molecule", text="CCO")
    cases = []
    for number, given in enumerate(("CCO", "CCN")):
        answer = Item(kind="molecule", text=given, confidence=0.75, parts=[0.9, 0.8, 0.3])
        name = str(number)
        cases.append((Sample(id=name, truth=(truth,)), Prediction(id=name, items=[answer])))
    report = write_report(tmp_path, evaluation("molecule", cases, kind="molecule"))
    task = read_report(tmp_path).tasks[0]
    assert task == report.tasks[0]
    assert [(one.unit, one.n) for one in task.calibrations] == [("record", 2), ("atom", 6)]
    assert task.calibrations[0].error == pytest.approx(0.25)
    # Of each kind of atom two: sure by 0.9 and 0.8 and always right, by 0.3 and right once.
    assert task.calibrations[1].error == pytest.approx((0.1 + 0.2 + 0.2) / 3)
    page = (tmp_path / "report.html").read_text()
    assert "confidence of each atom" in page
    assert "Expected calibration error 0.167 over 6 atoms" in page


def test_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    cases = [
        text_case("a", "one two", "one two"),
        text_case("b", "one two", "one"),
        text_case("c", "x", None),
    ]
    failed = Sample(id="d", truth=(Item(kind="text", text="x y"),)), Prediction(id="d", error="out of memory")
    report = write_report(
        tmp_path,
        evaluation(
            "words",
            [*cases, failed],
            kind="text",
            skipped=[Skipped("e", "No truth."), Skipped("f", "No truth.")],
        ),
    )
    assert read_report(tmp_path) == report
    assert read_report(tmp_path / "report.json") == report
    counts = report.counts
    assert (counts.samples, counts.predicted, counts.failed, counts.missing) == (4, 2, 1, 1)
    assert (counts.skipped, counts.unknown_predictions) == (2, 2)
    assert report.skipped == {"No truth.": 2}
    assert report.missing == ["c"]
    assert report.failures[0].error == "out of memory"
    main = report.tasks[0].main
    # 2 + 1 + 0 + 0 words of (2+2) + (1+2) + (0+1) + (0+2), twice as F1 counts them.
    assert main.value == pytest.approx(2 * 3 / 10)
    assert main.interval is not None
    assert main.interval.low <= 0.6 <= main.interval.high
    assert report.cases[1].values["words"]["word-f1"] == (2, 3)
    assert report.costs.seconds is not None
    assert report.costs.seconds.n == 2
    assert report.costs.peak_bytes is None
    assert report.versions["docai"]
    assert report.settings == {"seed": "0"}


def test_case_without_a_figure_is_told_apart(tmp_path: Path) -> None:
    report = write_report(tmp_path, with_values({"a": Ratio(1, 2), "b": Ratio(0, 0)}))
    assert (report.tasks[0].main.n, report.tasks[0].main.n_undefined) == (1, 1)
    assert case_ids(page_of(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no report, or damaged"),
        ("{", "no report, or damaged"),
        ("[]", "no report, or damaged"),
        ('{"format_version": 1}', "no report, or damaged"),
    ],
)
def test_damaged_report_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(PredictionsError, match=says):
        read_report(tmp_path)


def test_other_version_unknown_field_and_no_report_are_refused(tmp_path: Path) -> None:
    write_report(tmp_path, with_values({"a": Ratio(1, 2)}))
    file = tmp_path / "report.json"
    whole = file.read_text()
    file.write_text(whole.replace('"format_version": 1', '"format_version": 2', 1))
    with pytest.raises(PredictionsError, match="version 2"):
        read_report(file)
    file.write_text(whole.replace('"reader":', '"raeder": 1, "reader":', 1))
    with pytest.raises(PredictionsError, match="raeder"):
        read_report(file)
    file.write_text(whole[: len(whole) // 2])
    with pytest.raises(PredictionsError, match="damaged"):
        read_report(file)
    with pytest.raises(PredictionsError, match="no report at"):
        read_report(tmp_path / "nowhere")


def test_page_loads_nothing(tmp_path: Path) -> None:
    source = noise(tmp_path / "a.png", (60, 40))
    write_report(
        tmp_path,
        evaluation(
            "text-hiertext",
            [(Sample(id="a", truth=(Item(kind="text", words=[word("x")]),), source=source), None)],
            kind="text",
            protocol="icdar2015",
        ),
    )
    page = page_of(tmp_path)
    root = html.fromstring(page)
    assert all(url.startswith("data:") for url in root.xpath("//@src"))
    # Citations are links that a person follows; nothing else points anywhere.
    links = {url for url in root.xpath("//@href") if not url.startswith("#")}
    assert links == {"https://arxiv.org/abs/2412.03555"}
    assert not root.xpath("//script | //link | //iframe | //object | //embed")
    assert "@import" not in page
    assert not re.search(r"url\(", page)
    assert root.xpath("//img")


def word(text: str, x: float = 0.0, *, ignore: bool = False) -> SpottedWord:
    polygon = [(x, 0.0), (x + 9, 0.0), (x + 9, 9.0), (x, 9.0)]
    return SpottedWord(text=text, polygon=polygon, ignore=ignore)


@pytest.mark.parametrize(
    ("task", "kind", "truth"),
    [
        ("words", "text", "one two"),
        ("text-hiertext", "text", "one two"),
        ("table", "table", "<table><tr><td>1</td><td>2</td></tr></table>"),
        ("molecule", "molecule", "CCO"),
        ("score", "score", "**kern\n4c\n*-"),
    ],
)
def test_answers_never_become_markup(tmp_path: Path, task: str, kind: Kind, truth: str) -> None:
    given = truth.replace("1", ATTACK) if kind == "table" else ATTACK
    words = [SpottedWord(text=ATTACK, polygon=[(0, 0), (9, 0), (9, 9)])] if kind == "text" else []
    true_words = [word("one")] if words else []
    sample = Sample(id=f"case {ATTACK}", truth=(Item(kind=kind, text=truth, words=true_words),))
    answer = Prediction(id=sample.id, items=[Item(kind=kind, text=given, words=words)])
    failed = Prediction(id="b", error=ATTACK)
    other = Sample(id="b", truth=sample.truth)
    write_report(
        tmp_path,
        evaluation(
            task,
            [(sample, answer), (other, failed)],
            kind=kind,
            reader=f"reader {ATTACK}",
            settings={ATTACK: ATTACK},
            skipped=[Skipped("c", ATTACK)],
        ),
    )
    root = html.fromstring(page_of(tmp_path))
    assert not root.xpath("//script")
    assert not root.xpath("//@onerror")
    assert f"case {ATTACK}" in case_ids(page_of(tmp_path))


def test_worst_fifty_come_first_and_perfect_ones_not_at_all(tmp_path: Path) -> None:
    values = {f"case {n:02d}": Ratio(n, 60) for n in range(61)}
    values["weighs more"] = Ratio(10, 600)
    write_report(tmp_path, with_values(values))
    shown = case_ids(page_of(tmp_path))
    assert len(shown) == 50
    assert shown[:3] == ["case 00", "weighs more", "case 01"]
    assert "case 60" not in shown


def test_all_perfect_is_said(tmp_path: Path) -> None:
    write_report(tmp_path, with_values({"a": Ratio(1, 1)}))
    assert "No case is less than perfect" in page_of(tmp_path)


def test_pictures_are_bounded(tmp_path: Path) -> None:
    source = noise(tmp_path / "a.png")
    assert source.stat().st_size > 10 * MAX_BYTES
    write_report(tmp_path, evaluation("words", [text_case("a", "x", "y", source)], kind="text"))
    uris = re.findall(r'src="data:image/[a-z]+;base64,([^"]*)"', page_of(tmp_path))
    assert len(uris) == 1
    assert len(uris[0]) * 3 / 4 <= MAX_BYTES
    assert 0 < (tmp_path / "report.html").stat().st_size < 2 * MAX_BYTES


def test_source_that_cannot_be_shown_is_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    gone = tmp_path / "gone.png"
    cases = [text_case("a", "x", "y", broken), text_case("b", "x", "y", gone), text_case("c", "x", "y")]
    write_report(tmp_path, evaluation("words", cases, kind="text"))
    page = page_of(tmp_path)
    assert len(case_ids(page)) == 3
    assert page.count("No picture:") == 2
    assert "The data set has no picture of this sample." in page


def test_published_rows_stand_beside_their_own_task_with_a_warning(tmp_path: Path) -> None:
    case = Sample(id="a", truth=(Item(kind="text", words=[word("x")]),)), None
    write_report(tmp_path, evaluation("text-hiertext", [case], kind="text", protocol="icdar2015"))
    page = page_of(tmp_path)
    assert "PaliGemma 2 3B" in page
    assert "75.9" in page
    assert "only 1 sample" in page
    write_report(tmp_path, evaluation("text-rrc", [case], kind="text", protocol="icdar2015"))
    assert "PaliGemma" not in page_of(tmp_path)
    write_report(
        tmp_path, evaluation("text-hiertext", [case], kind="text", protocol="icdar2015", unit="page")
    )
    assert "PaliGemma" not in page_of(tmp_path)


def test_empty_evaluation_has_a_report(tmp_path: Path) -> None:
    report = write_report(tmp_path, evaluation("words", [], kind="text"))
    assert report.tasks[0].main.value is None
    assert read_report(tmp_path) == report


def test_broken_id_does_not_cost_the_report(tmp_path: Path) -> None:
    write_report(tmp_path, evaluation("words", [text_case("a\ud800", "x", "y\ud800z")], kind="text"))
    assert case_ids(page_of(tmp_path)) == ["a?"]
