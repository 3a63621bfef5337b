"""Two reports held against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from docai.errors import PredictionsError
from docai.pipelines.evaluation.base import Item, Prediction, Ratio, Sample
from docai.pipelines.evaluation.report import Comparison, compare_reports, write_report
from tests.pipelines.evaluation.report.evaluations import evaluation, text_case, with_values


def test_counts_and_most_changed(tmp_path: Path) -> None:
    old = {"a": Ratio(1, 10), "b": Ratio(5, 10), "c": Ratio(5, 10), "d": Ratio(0, 0), "only old": Ratio(1, 1)}
    new = {"a": Ratio(9, 10), "b": Ratio(4, 10), "c": Ratio(5, 10), "d": Ratio(1, 2)}
    write_report(tmp_path / "old", with_values(old))
    write_report(tmp_path / "new", with_values(new))
    found = compare_reports(tmp_path / "old", tmp_path / "new" / "report.json", tmp_path / "out")
    main = found.main
    assert (main.better, main.worse, main.unchanged, main.undefined) == (1, 1, 1, 1)
    assert (main.old, main.new) == (pytest.approx(11 / 30), pytest.approx(19 / 32))
    assert main.difference == pytest.approx(19 / 32 - 11 / 30)
    assert main.p_value is not None
    assert (found.n, found.old.n_only_here, found.new.n_only_here) == (4, 1, 0)
    assert [change.id for change in found.most_changed] == ["a", "b"]
    assert Comparison.model_validate_json((tmp_path / "out" / "comparison.json").read_text()) == found
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "+80.00\u202fpp" in page
    assert "\u221210.00\u202fpp" in page


def test_lower_is_better_is_respected(tmp_path: Path) -> None:
    for name, given in (("old", "one"), ("new", "one two")):
        write_report(tmp_path / name, evaluation("words", [text_case("a", "one two", given)], kind="text"))
    found = compare_reports(tmp_path / "old", tmp_path / "new")
    errors = next(change for change in found.measures if change.name == "wer")
    assert (errors.better, errors.worse) == (1, 0)
    assert errors.difference == pytest.approx(-0.5)


def test_what_else_differs_is_listed(tmp_path: Path) -> None:
    cases = [text_case("a", "x", "x")]
    write_report(
        tmp_path / "old",
        evaluation("words", cases, kind="text", reader="A", settings={"seed": "0", "model": "m"}),
    )
    write_report(
        tmp_path / "new",
        evaluation("words", cases, kind="text", reader="B", settings={"seed": "1", "model": "m"}),
    )
    found = {
        (one.what, one.old, one.new)
        for one in compare_reports(tmp_path / "old", tmp_path / "new").differences
    }
    assert ("reader", "A", "B") in found
    assert ("setting seed", "0", "1") in found
    assert not any(what == "setting model" for what, *_ in found)


def test_case_whose_truth_changed_is_left_out(tmp_path: Path) -> None:
    write_report(
        tmp_path / "old",
        evaluation("words", [text_case("a", "x", "x"), text_case("b", "x", "x")], kind="text"),
    )
    write_report(
        tmp_path / "new",
        evaluation("words", [text_case("a", "x", "x"), text_case("b", "another", "x")], kind="text"),
    )
    found = compare_reports(tmp_path / "old", tmp_path / "new")
    assert (found.n, found.n_truth_changed) == (1, 1)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    write_report(tmp_path / "a", evaluation("words", [text_case("a", "x", "x")], kind="text"))
    write_report(tmp_path / "b", evaluation("words", [text_case("b", "x", "x")], kind="text"))
    write_report(tmp_path / "truth", evaluation("words", [text_case("a", "y", "x")], kind="text"))
    molecule = (
        Sample(id="a", truth=(Item(kind="molecule", text="C"),)),
        Prediction(id="a", items=[Item(kind="molecule", text="C")]),
    )
    write_report(tmp_path / "task", evaluation("molecule", [molecule], kind="molecule"))
    for other, says in (("b", "No id"), ("truth", "another truth"), ("task", "tasks")):
        with pytest.raises(PredictionsError, match=says):
            compare_reports(tmp_path / "a", tmp_path / other)
    with pytest.raises(PredictionsError, match="no report at"):
        compare_reports(tmp_path / "a", tmp_path / "nowhere")
