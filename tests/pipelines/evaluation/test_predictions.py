"""Files of predictions: each form, its broken ones, and which sample each prediction belongs to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from docai.errors import PredictionsError, SettingError
from docai.pipelines.evaluation.base import Item, Prediction
from docai.pipelines.evaluation.prediction_files import read_predictions
from docai.pipelines.evaluation.predictions import (
    Given,
    PredictionLog,
    keep_kinds,
    match,
    write_predictions,
)

HTML = "<html><body><table><tr><td>ä</td></tr></table></body></html>"
SETTINGS = {"model": "scripted@0", "seed": "0"}


def item(text: str = "CCO") -> Item:
    return Item(kind="molecule", text=text)


def prediction(identifier: str, text: str = "CCO") -> Prediction:
    return Prediction(id=identifier, items=[item(text)], seconds=0.5, n_tokens=3)


def given(*identifiers: str) -> list[Given]:
    return [Given(prediction(name), f"line {number}") for number, name in enumerate(identifiers, 1)]


def lines(*predictions: Prediction) -> str:
    return "".join(one.model_dump_json() + "\n" for one in predictions)


def read(path: Path) -> list[Prediction]:
    return [one.prediction for one in read_predictions(path)]


# The forms


def test_own_lines(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    written = [prediction("a"), Prediction(id="b", error="No.")]
    file.write_text("\n" + lines(*written), encoding="utf-8-sig")
    assert read(file) == written
    (tmp_path / "predictions.jsonl").write_text(lines(prediction("in a report")), encoding="utf-8")
    assert [one.id for one in read(tmp_path)] == ["in a report"]


@pytest.mark.parametrize("answer", [HTML, {"html": HTML, "type": "simple"}])
@pytest.mark.parametrize("indent", [None, 1])
def test_html_by_file_name(tmp_path: Path, answer: object, indent: int | None) -> None:
    file = tmp_path / "pred.json"
    file.write_text(json.dumps({"PMC1.png": answer}, indent=indent), encoding="utf-8")
    assert read(file) == [Prediction(id="PMC1.png", items=[Item(kind="table", text=HTML)])]


def test_molscribe_takes_its_final_answer(tmp_path: Path) -> None:
    file = tmp_path / "prediction.csv"
    file.write_bytes(
        b'image_id,SMILES,node_coords,post_SMILES\r\n7,CC,"[[0, 1],\n[2, 3]]",CCO\r\n8,C,[],\r\n'
    )
    assert [(one.id, one.items[0].text) for one in read(file)] == [("7", "CCO"), ("8", "")]
    file.write_text("SMILES,image_id\nCC,7\n", encoding="utf-8-sig")
    assert [(one.id, one.items[0].text) for one in read(file)] == [("7", "CC")]


@pytest.fixture(params=["folder", "zip"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder, or a zip, of files."""

    def make(files: dict[str, bytes]) -> Path:
        if request.param == "zip":
            path = tmp_path / "answers.zip"
            with ZipFile(path, "w") as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
            return path
        path = tmp_path / "answers"
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return path

    return make


def test_kern_files(bundle: Callable[..., Path]) -> None:
    path = bundle({"haydn/op1.krn": "**kern\n4c\n*-\n".encode("utf-8-sig"), "haydn/op1.png": b"\x89PNG"})
    assert read(path) == [Prediction(id="haydn/op1", items=[Item(kind="score", text="**kern\n4c\n*-\n")])]


def test_icdar_files(bundle: Callable[..., Path]) -> None:
    path = bundle(
        {
            "res_img_1.txt": b"\xef\xbb\xbf0,0,9,0,9,5,0,5,a,b\r\n\r\n1,1,2,1,2,2,1,2,c\r\n",
            "res_img_2.txt": b"",
        }
    )
    first, second = read(path)
    assert (first.id, second) == ("img_1", Prediction(id="img_2"))
    (text,) = first.items
    assert [(word.text, word.polygon) for word in text.words] == [
        ("a,b", [(0, 0), (9, 0), (9, 5), (0, 5)]),
        ("c", [(1, 1), (2, 1), (2, 2), (1, 2)]),
    ]


def test_a_broken_line_of_icdar_is_named(bundle: Callable[..., Path]) -> None:
    with pytest.raises(PredictionsError, match=r"res_img_1\.txt in .*, line 2, is not x1,y1"):
        read(bundle({"res_img_1.txt": b"0,0,9,0,9,5,0,5,a\n0,0,9,0,9\n"}))


def test_two_forms_in_one_folder(bundle: Callable[..., Path]) -> None:
    with pytest.raises(PredictionsError, match="two forms"):
        read(bundle({"a.krn": b"**kern\n*-", "res_img_1.txt": b""}))


def test_a_folder_of_other_things(bundle: Callable[..., Path]) -> None:
    with pytest.raises(PredictionsError, match=r"neither .krn files nor .*'notes\.md'"):
        read(bundle({"notes.md": b"", "__MACOSX/a.krn": b"", ".b.krn": b""}))


def hiertext(words: list[object]) -> dict[str, object]:
    return {"annotations": [{"image_id": "i1", "paragraphs": [{"lines": [{"words": words}]}]}]}


def test_hiertext_packed_or_not(tmp_path: Path) -> None:
    word = {"text": "Hi", "vertices": [[0, 0], [4, 0], [4, 2]]}
    text = json.dumps(hiertext([word]))
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_text(text, encoding="utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    for file in (plain, packed):
        (found,) = read(file)
        assert found.id == "i1"
        assert found.items[0].words[0].polygon == [(0, 0), (4, 0), (4, 2)]


# Broken ones


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines(prediction("a")) + '{"id": "b", "items": [', "Line 2 of .* is no prediction"),
        (lines(prediction("a")) + '{"filename": "b", "html": ""}\n', "Line 2 of .*extra|Line 2 of .*id"),
        ('{"id": "a", "items": [{"kind": "tabel"}]}\n', "Line 1 of .*items.0.kind"),
        ('{"a.png": "<table>", "a.png": ""}', "'a.png' is there twice"),
        ('{"a.png": 3}', "'a.png' is neither HTML nor"),
        ('{"a.png": "<table>"', "is not JSON"),
        ("[1, 2]", "no predictions in a known form"),
        ("hello\n", "no predictions in a known form"),
        ("", "is empty"),
        ("image_id,smiles\n1,C\n", "columns image_id, smiles"),
        ("image_id,SMILES\n1,C\n2\n", "line 3: it has not as many fields"),
        ("image_id,SMILES\n1,C,C\n", "line 2: it has not as many fields"),
        (json.dumps(hiertext([{"text": "Hi"}])), "annotation 1 is not in HierText's form"),
        (json.dumps(hiertext([{"text": "Hi", "vertices": [[0, 0], [1, 1]]}])), "a word has 2 corners"),
    ],
)
def test_broken_files(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "answers"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(PredictionsError, match=message):
        read(file)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff", b"\x1f\x8b broken", b"PK\x05\x06" + bytes(18)])
def test_files_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "answers"
    file.write_bytes(content)
    with pytest.raises(PredictionsError):
        read(file)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="does not exist"):
        read(tmp_path / "none.json")


# Which sample it is


def test_ids_match_exactly_then_by_stem() -> None:
    known = ["val/1.png", "val/2.png", "3"]
    found = match(given("1", "val/2.jpg", "3.png", "4"), known, known, "p")
    assert {key: one.id for key, one in found.by_id.items()} == {name: name for name in known}
    assert found.unknown == ("4",)


def test_an_exact_id_wins_over_a_stem() -> None:
    known = ["a/1.png", "1"]
    assert list(match(given("1"), known, known, "p").by_id) == ["1"]


def test_dots_in_ids_are_no_file_endings() -> None:
    known = ["US07.1-C1", "US07.1-C2"]
    assert match(given("US07.1-C3", "US07.1-C1"), known, known, "p").unknown == ("US07.1-C3",)


@pytest.mark.parametrize(
    ("identifiers", "known", "message"),
    [
        (["1"], ["a/1.png", "b/1.png"], "'1' in p .* fits 2 cases"),
        (["a", "a"], ["a"], r"two predictions of 'a': line 1 .* and line 2"),
        (["a.png", "a"], ["a"], r"two predictions of 'a': line 1 \('a.png'\) and line 2 \('a'\)"),
        (["x", "x"], ["a"], "two predictions of 'x'"),
        (["x", "y"], ["a"], "None of the 2 predictions"),
        ([], ["a"], "no predictions"),
    ],
)
def test_ids_that_cannot_be_matched(identifiers: list[str], known: list[str], message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        match(given(*identifiers), known, known, "p")


def test_cases_that_were_not_chosen_are_not_unknown() -> None:
    found = match(given("a", "b", "c"), ["a"], ["a", "b"], "p")
    assert (list(found.by_id), found.unknown, found.n_not_chosen) == (["a"], ("c",), 1)
    with pytest.raises(PredictionsError, match="the limit left out"):
        match(given("b"), ["a"], ["a", "b"], "p")


def test_items_of_other_kinds_are_dropped() -> None:
    both = Prediction(id="a", items=[item(), Item(kind="table", text=HTML)])
    assert [one.kind for one in keep_kinds(both, ("table",)).items] == ["table"]


# The run's own file


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    ids = ["a", "b", "c"]
    with PredictionLog.open(tmp_path, SETTINGS, ids) as log:
        assert log.finished == {}
        log.append(prediction("a"))
        # On the disk already, before the file is closed.
        assert read(tmp_path) == [prediction("a")]
        log.append(prediction("b"))
    file = tmp_path / "predictions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id": "c", "it')
    with PredictionLog.open(tmp_path, SETTINGS, ids) as log:
        assert log.finished == {"a": prediction("a"), "b": prediction("b")}
        assert log.dropped
        log.append(prediction("c"))
    assert read(tmp_path) == [prediction("a"), prediction("b"), prediction("c")]
    with PredictionLog.open(tmp_path, SETTINGS, ids) as log:
        assert not log.dropped


def test_a_run_with_other_settings_is_not_mixed_in(tmp_path: Path) -> None:
    with PredictionLog.open(tmp_path, SETTINGS, ["a"]) as log:
        log.append(prediction("a"))
    before = (tmp_path / "predictions.jsonl").read_bytes()
    other = {"model": "scripted@1", "seed": "0", "head": "table"}
    with pytest.raises(
        SettingError, match=r"model was scripted@0 and is scripted@1; head was not set"
    ) as raised:
        PredictionLog.open(tmp_path, other, ["a"])
    assert "To start afresh, remove" in str(raised.value)
    with pytest.raises(SettingError, match="other settings"):
        write_predictions(tmp_path, other, [prediction("b")])
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


def test_a_run_that_never_began_binds_nobody(tmp_path: Path) -> None:
    PredictionLog.open(tmp_path, SETTINGS, ["a"]).__exit__(None, None, None)
    with PredictionLog.open(tmp_path, {"model": "other"}, ["a"]) as log:
        assert log.finished == {}


def test_a_data_set_that_changed(tmp_path: Path) -> None:
    with PredictionLog.open(tmp_path, SETTINGS, ["a"]) as log:
        log.append(prediction("a"))
    with pytest.raises(SettingError, match="it has changed since"):
        PredictionLog.open(tmp_path, SETTINGS, ["b"])


def test_predictions_of_nobody_knows_whom(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text(lines(prediction("a")), encoding="utf-8")
    with pytest.raises(SettingError, match=r"no run\.json"):
        PredictionLog.open(tmp_path, SETTINGS, ["a"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (b"{}\n", "Line 2 of .* is no prediction"),
        (lines(prediction("a")).encode(), "Line 2 .* second of 'a'"),
    ],
)
def test_a_damaged_run(tmp_path: Path, damage: bytes, message: str) -> None:
    with PredictionLog.open(tmp_path, SETTINGS, ["a"]) as log:
        log.append(prediction("a"))
    file = tmp_path / "predictions.jsonl"
    file.write_bytes(file.read_bytes() + damage)
    with pytest.raises(PredictionsError, match=message):
        PredictionLog.open(tmp_path, SETTINGS, ["a"])


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_run_file(tmp_path: Path, content: str) -> None:
    with PredictionLog.open(tmp_path, SETTINGS, ["a"]) as log:
        log.append(prediction("a"))
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(SettingError, match="To start afresh"):
        PredictionLog.open(tmp_path, SETTINGS, ["a"])
