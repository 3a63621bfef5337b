"""An evaluation from the data set to the report."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docai import ScriptedEngine
from docai.errors import (
    DatasetError,
    HeadNotAvailableError,
    PredictionsError,
    SettingError,
    UnknownHeadError,
)
from docai.models.engine import Request
from docai.pipelines.evaluation.base import Item, Prediction, Sample
from docai.pipelines.evaluation.datasets import open_dataset
from docai.pipelines.evaluation.evaluator import EvaluationProgress, evaluate
from docai.pipelines.evaluation.report import read_report
from docai.pipelines.evaluation.statistics import corpus
from docai.pipelines.evaluation.tasks import get_task

pytestmark = pytest.mark.slow(seconds=10)

TRUTH = {"m1": "CCO", "m2": "c1ccccc1", "m3": "CC(=O)O", "m4": "CN"}
HTML = "<html><body><table><tbody><tr><td>a</td><td>b</td></tr></tbody></table></body></html>"


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (120, 80), "white")
    ImageDraw.Draw(image).line((20, 20, 100, 60), fill="black", width=3)
    image.save(path)


@pytest.fixture
def molecules(tmp_path: Path) -> str:
    """MolScribe's layout: four drawings."""
    folder = tmp_path / "molecules"
    for name in TRUTH:
        draw(folder / "images" / f"{name}.png")
    with (folder / "test.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image_id", "file_path", "SMILES"])
        rows.writerows([name, f"images/{name}.png", smiles] for name, smiles in TRUTH.items())
    return f"molscribe:{folder / 'test.csv'}"


@pytest.fixture
def tables(tmp_path: Path) -> str:
    """PubTabNet's layout: two tables."""
    folder = tmp_path / "tables"
    lines = []
    for name in ("t1.png", "t2.png"):
        draw(folder / "val" / name)
        cells = [{"tokens": ["a"], "bbox": [0, 0, 9, 9]}, {"tokens": ["b"], "bbox": [9, 0, 18, 9]}]
        tokens = ["<tbody>", "<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>", "</tbody>"]
        html = {"cells": cells, "structure": {"tokens": tokens}}
        lines.append(json.dumps({"filename": name, "split": "val", "imgid": 1, "html": html}))
    (folder / "PubTabNet_2.0.0.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"pubtabnet:{folder}"


def figure(folder: Path, task: str, measure: str) -> float | None:
    report = read_report(folder)
    (summary,) = [one for one in report.tasks if one.name == task]
    (found,) = [one for one in summary.measures if one.name == measure]
    return found.value


def headline(folder: Path) -> float | None:
    return read_report(folder).tasks[0].main.value


def written(folder: Path) -> list[Prediction]:
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Prediction.model_validate_json(line) for line in lines]


def test_a_head_reads_crops_and_all_is_written(molecules: str, tmp_path: Path) -> None:
    out = tmp_path / "report"
    engine = ScriptedEngine({"molecule": ["OCC", "C1=CC=CC=C1", "CC", "CN"]})
    evaluation = evaluate(molecules, engine=engine, out=out)
    assert [case.sample.id for case in evaluation.cases] == list(TRUTH)
    assert headline(out) == pytest.approx(0.75)
    assert evaluation.reader == "scripted (head molecule)"
    assert [one.id for one in written(out)] == list(TRUTH)
    assert {"report.json", "report.html", "predictions.jsonl", "run.json"} == {f.name for f in out.iterdir()}
    settings = read_report(out).settings
    assert settings["model"] == "scripted"
    assert settings["resolution"] == "896"
    assert evaluation.unknown_predictions == 0


def test_tables_of_a_perfect_head(tables: str, tmp_path: Path) -> None:
    engine = ScriptedEngine({"table": HTML})
    evaluate(tables, engine=engine, out=tmp_path / "report")
    assert figure(tmp_path / "report", "table", "teds") == pytest.approx(1.0)


def test_nothing_is_written_unless_asked_for(molecules: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    evaluation = evaluate(molecules, engine=ScriptedEngine({"molecule": "CCO"}))
    assert sorted(tmp_path.rglob("*")) == before
    assert evaluation.cases[0].scores["molecule"].id == "m1"


class Interrupting(ScriptedEngine):
    """Gives a few answers, and is then interrupted as by Ctrl-C."""

    def __init__(self, n: int) -> None:
        super().__init__({"molecule": self.next_answer})
        self.n_left = n

    def next_answer(self, request: Request) -> str:
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        return "CCO"


def test_an_interrupted_run_goes_on(molecules: str, tmp_path: Path) -> None:
    out = tmp_path / "report"
    with pytest.raises(KeyboardInterrupt):
        evaluate(molecules, engine=Interrupting(2), out=out)
    first = (out / "predictions.jsonl").read_bytes()
    assert [one.id for one in written(out)] == ["m1", "m2"]
    with (out / "predictions.jsonl").open("ab") as file:
        file.write(b'{"id":"m3"')
    engine = ScriptedEngine({"molecule": "CN"})
    seen: list[EvaluationProgress] = []
    evaluate(molecules, engine=engine, out=out, progress=seen.append)
    assert len(engine.requests) == 2
    assert (out / "predictions.jsonl").read_bytes().startswith(first)
    assert [one.id for one in written(out)] == list(TRUTH)
    # m1 by the first run, m4 by the second.
    assert headline(out) == pytest.approx(0.5)
    messages = [one.message for one in seen if one.message]
    assert messages == [
        "The last line of predictions.jsonl was half written and is dropped.",
        "2 of 4 samples were read before.",
    ]
    again = ScriptedEngine({"molecule": "CN"})
    evaluate(molecules, engine=again, out=out)
    assert again.requests == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"limit": 2}, "limit was none and is 2"),
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"text_layer": "ignore"}, "text_layer was prefer and is ignore"),
        ({"head": "molecule"}, "head was that of the kind and is molecule"),
        ({"find_regions": True}, "reads was crops and is pages"),
    ],
)
def test_a_run_with_other_settings_is_refused(
    molecules: str, tmp_path: Path, change: Mapping[str, object], what: str
) -> None:
    out = tmp_path / "report"
    script = {"molecule": "CCO"}
    evaluate(molecules, engine=ScriptedEngine(script), out=out)
    with pytest.raises(SettingError, match=what):
        evaluate(molecules, engine=ScriptedEngine(script), out=out, **change)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="model was scripted and is other"):
        evaluate(molecules, engine=ScriptedEngine(script, name="other"), out=out)


def test_a_sample_that_cannot_be_read_is_a_counted_failure(molecules: str, tmp_path: Path) -> None:
    (tmp_path / "molecules" / "images" / "m2.png").write_text("no picture")
    out = tmp_path / "report"
    seen: list[EvaluationProgress] = []
    evaluate(molecules, engine=ScriptedEngine({"molecule": "CCO"}), out=out, progress=seen.append)
    counts = read_report(out).counts
    assert (counts.samples, counts.failed, counts.predicted) == (4, 1, 3)
    assert headline(out) == pytest.approx(0.25)
    assert any("m2: " in (one.message or "") for one in seen)
    assert seen[-2].stage == "score"
    assert [one.n_failed for one in seen if one.stage == "read" and not one.message][-1] == 1


def test_a_picture_that_is_missing_is_a_counted_skip(molecules: str, tmp_path: Path) -> None:
    (tmp_path / "molecules" / "images" / "m2.png").unlink()
    evaluation = evaluate(molecules, engine=ScriptedEngine({"molecule": "CCO"}))
    assert [one.id for one in evaluation.skipped] == ["m2"]
    assert len(evaluation.cases) == 3


def test_a_limit_takes_the_same_samples_for_the_same_seed(molecules: str) -> None:
    def chosen(seed: int) -> list[str]:
        evaluation = evaluate(molecules, engine=ScriptedEngine({"molecule": "C"}), limit=2, seed=seed)
        return [case.sample.id for case in evaluation.cases]

    assert chosen(5) == chosen(5)
    assert len({tuple(chosen(seed)) for seed in range(8)}) > 1


def test_crops_through_the_whole_pipeline(tables: str, tmp_path: Path) -> None:
    engine = ScriptedEngine({"table": HTML, "text": "words", "molecule": "C", "score": "**kern\n*-\n"})
    evaluation = evaluate(tables, engine=engine, find_regions=True, out=tmp_path / "report")
    assert evaluation.reader == "docai pipeline, scripted"
    assert evaluation.dataset.protocol is None
    assert all(case.sample.unit == "page" for case in evaluation.cases)
    assert all(case.prediction and case.prediction.items for case in evaluation.cases)


# Another tool's answers


def test_answers_of_another_tool(tables: str, tmp_path: Path) -> None:
    file, out = tmp_path / "theirs.json", tmp_path / "report"
    file.write_text(json.dumps({"t1": HTML, "t9": HTML}), encoding="utf-8")
    seen: list[EvaluationProgress] = []
    evaluation = evaluate(tables, predictions=file, out=out, progress=seen.append)
    assert evaluation.reader == "theirs.json"
    assert evaluation.unknown_predictions == 1
    # The sample without a prediction is a miss, never left out.
    assert figure(out, "table", "teds") == pytest.approx(0.5)
    assert read_report(out).counts.missing == 1
    assert [one.id for one in written(out)] == ["t1.png"]
    messages = " ".join(one.message or "" for one in seen)
    assert "1 of 2 predictions are of no case of the data set: 't9'" in messages
    assert "1 of 2 samples have no prediction and count as missed: 't2.png'" in messages


def test_a_molscribe_csv(molecules: str, tmp_path: Path) -> None:
    file = tmp_path / "prediction.csv"
    rows = "".join(f"{name},bad,{smiles}\n" for name, smiles in TRUTH.items())
    file.write_text(f"image_id,SMILES,post_SMILES\n{rows}", encoding="utf-8")
    evaluate(molecules, predictions=file, out=tmp_path / "report")
    assert headline(tmp_path / "report") == pytest.approx(1.0)


def test_answers_need_no_pictures(tmp_path: Path, tables: str) -> None:
    for picture in (tmp_path / "tables" / "val").iterdir():
        picture.unlink()
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"t1": HTML, "t2": HTML}), encoding="utf-8")
    assert len(evaluate(tables, predictions=file).cases) == 2
    with pytest.raises(DatasetError, match="--predictions"):
        evaluate(tables, engine=ScriptedEngine({"table": HTML}))


def test_the_answers_of_one_run_can_be_scored_again(molecules: str, tmp_path: Path) -> None:
    evaluate(molecules, engine=ScriptedEngine({"molecule": "CCO"}), out=tmp_path / "one")
    evaluate(molecules, predictions=tmp_path / "one", out=tmp_path / "two")
    assert headline(tmp_path / "two") == headline(tmp_path / "one")
    with pytest.raises(SettingError, match="written over"):
        evaluate(molecules, predictions=tmp_path / "one" / "predictions.jsonl", out=tmp_path / "one")


def test_answers_of_another_kind(molecules: str, tmp_path: Path) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"m1": HTML}), encoding="utf-8")
    with pytest.raises(PredictionsError, match="of the kind table, and molscribe is labeled with: molecule"):
        evaluate(molecules, predictions=file)


def test_answers_and_a_model_exclude_each_other(molecules: str, tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_text(Prediction(id="m1", items=[Item(kind="molecule", text="C")]).model_dump_json() + "\n")
    with pytest.raises(SettingError, match="leave out head"):
        evaluate(molecules, predictions=file, head="molecule")


# Bad input


def test_settings_that_cannot_be_used(molecules: str, tables: str, tmp_path: Path) -> None:
    engine = ScriptedEngine({"molecule": "CCO", "table": HTML})
    with pytest.raises(SettingError, match="at least 1"):
        evaluate(molecules, engine=engine, limit=0)
    with pytest.raises(SettingError, match="reads a table, and molscribe is labeled with: molecule"):
        evaluate(molecules, engine=engine, head="table")
    with pytest.raises(UnknownHeadError):
        evaluate(molecules, engine=engine, head="tabel")
    with pytest.raises(SettingError, match="not measured by 'table'; its tasks are: molecule"):
        evaluate(molecules, engine=engine, tasks=["table"])
    with pytest.raises(SettingError, match="There is no task 'teds'"):
        evaluate(tables, engine=engine, tasks=["teds"])
    with pytest.raises(SettingError, match="No task"):
        evaluate(tables, engine=engine, tasks=[])
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be made"):
        evaluate(molecules, engine=engine, out=tmp_path / "file" / "report")


def test_a_head_without_weights_is_missed_before_anything_is_written(molecules: str, tmp_path: Path) -> None:
    out = tmp_path / "report"
    with pytest.raises(HeadNotAvailableError):
        evaluate(molecules, engine=ScriptedEngine({"table": HTML}), out=out)
    assert list(out.iterdir()) == []


def test_an_empty_set(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("image_id,file_path,SMILES\n")
    with pytest.raises(DatasetError):
        evaluate(f"molscribe:{file}", engine=ScriptedEngine({"molecule": "C"}))


def test_the_pages_of_a_pdf_are_measured_by_their_words(tmp_path: Path, make_pdf: object) -> None:
    assert callable(make_pdf)
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "a.pdf").write_bytes(make_pdf("First page", "Second page"))
    engine = ScriptedEngine({"text": "other"})
    evaluate(f"pdf-text:{tmp_path / 'pdfs'}", engine=engine, out=tmp_path / "report")
    assert headline(tmp_path / "report") in (0.0, 1.0)
    with pytest.raises(SettingError, match="leave the head out"):
        evaluate(f"pdf-text:{tmp_path / 'pdfs'}", engine=engine, head="text")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "folder", "best", "limit"),
    [
        ("pubtabnet", "tables/pubtabnet", 1.0, None),
        ("icdar2013", "tables/icdar2013-eu", 1.0, 8),
        ("molfiles", "molecules/usan", 1.0, 20),
        # A page takes seconds.
        ("kern-pages", "scores/mozart", 0.0, 1),
        ("icdar2015", "text/icdar2015", 1.0, None),
        ("pdf-text", "pdfs/pdfplumber", 1.0, None),
    ],
)
def test_the_truth_itself_is_the_best_answer(
    real_data: Path, tmp_path: Path, name: str, folder: str, best: float, limit: int | None
) -> None:
    data = open_dataset(f"{name}:{real_data / folder}")
    samples = [case for case in data if isinstance(case, Sample)]
    lines = [Prediction(id=one.id, items=list(one.truth)).model_dump_json() for one in samples]
    file = tmp_path / "truth.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    evaluation = evaluate(data, predictions=file, limit=limit)
    task = get_task(data.tasks[0])
    ratios = [case.scores[task.name].ratios[task.headline] for case in evaluation.cases]
    assert len(ratios) == (limit or len(samples)) > 0
    assert corpus(ratios) == pytest.approx(best)
