"""From corrections to a head: pairs of what a person said, trained on, measured by, and used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from docai.corrections import Correction, Corrections, Verdict, content_text
from docai.document import Document
from docai.errors import DatasetError
from docai.pipelines.harvest.corrected import DATA_SETS, write_corrected_pairs
from tests.models.tiny import build_tiny

pytestmark = pytest.mark.slow(seconds=30)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def corrected(folder: Path, document: Document) -> Path:
    """The results, with a table that was corrected, a text and a molecule that were accepted."""
    (table,) = document.tables
    said: list[tuple[str, Verdict, str | None]] = [
        (table.id, "corrected", content_text(table).replace("7.l", "7.1")),
        (document.texts[0].id, "accepted", None),
        (document.molecules[0].id, "accepted", None),
        (document.texts[1].id, "rejected", None),
    ]
    texts = {record.id: content_text(record) for record in document.records}
    Corrections(
        source_name=document.source.name,
        source_sha256=document.source.sha256,
        corrections=[
            Correction(record=record, verdict=verdict, original=texts[record], content=content)
            for record, verdict, content in said
        ],
    ).write(folder / "own.corrections.json")
    return folder


def _targets(folder: Path) -> list[str]:
    lines = (folder / "pairs.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["target"] for line in lines]


def test_what_was_accepted_or_corrected_is_a_pair_with_the_crop_that_the_head_saw(
    corrected: Path, tmp_path: Path
) -> None:
    made = write_corrected_pairs([corrected], tmp_path / "pairs")
    assert dict(made.pairs) == {"table": 1, "text": 1, "molecule": 1}
    assert made.left_out == []
    (target,) = _targets(made.of_head("table"))
    assert ">7.1</td>" in target
    assert 'coords="<loc' in target
    assert _targets(made.of_head("molecule")) == ["CCO"]
    (picture,) = (made.of_head("table") / "train").glob("*.png")
    with Image.open(picture) as crop:
        assert crop.size == (896, 896)
    # Again, and there is none twice.
    assert write_corrected_pairs([corrected], tmp_path / "pairs").pairs == made.pairs
    with pytest.raises(DatasetError, match="no pair for the head score"):
        made.of_head("score")


def test_a_document_that_is_gone_leaves_its_pairs_out_and_is_named(corrected: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (corrected / "own.pdf").rename(elsewhere / "own.pdf")
    made = write_corrected_pairs([corrected], tmp_path / "pairs")
    assert "own.pdf was not found" in made.left_out[0]
    there = write_corrected_pairs([corrected], tmp_path / "pairs", sources=[elsewhere])
    assert there.pairs["table"] == 1


def test_a_word_without_a_box_gives_no_pair(corrected: Path, document: Document, tmp_path: Path) -> None:
    path = corrected / "own.corrections.json"
    made = Corrections.read(path)
    text = document.texts[0]
    more = Correction(record=text.id, verdict="corrected", original="", content=f"{text.text} and more words")
    made.corrections.append(more)
    made.write(path)
    pairs = write_corrected_pairs([path], tmp_path / "pairs", heads=["text"])
    assert not pairs.pairs
    assert "page 1, text: a word has no box" in pairs.left_out[0]


def test_corrections_that_cannot_be_applied_cost_that_result_alone(corrected: Path, tmp_path: Path) -> None:
    (corrected / "other.json").write_text("{}", "utf-8")
    (corrected / "other.corrections.json").write_text("[]", "utf-8")
    made = write_corrected_pairs([corrected], tmp_path / "pairs")
    assert made.pairs["table"] == 1
    assert "other.corrections.json" in made.left_out[0]


def test_a_correction_that_cannot_be_is_named_and_gives_no_pair(corrected: Path, tmp_path: Path) -> None:
    path = corrected / "own.corrections.json"
    made = Corrections.read(path)
    table = made.corrections[0]
    made.corrections.append(table.model_copy(update={"content": "no table"}))
    made.write(path)
    pairs = write_corrected_pairs([path], tmp_path / "pairs")
    assert not pairs.pairs["table"]
    assert "cannot be the content" in pairs.left_out[0]


def test_a_place_without_corrections_is_refused(folder: Path, tmp_path: Path) -> None:
    for place in (folder, folder / "own.json", tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match="no corrections in"):
            write_corrected_pairs([place], tmp_path / "pairs")


def test_a_head_is_trained_on_corrections_measured_by_them_and_used(
    run: Run, corrected: Path, tmp_path: Path
) -> None:
    base = build_tiny(tmp_path / "base", image_size=896, patch_size=112)
    options = ("--corrections", corrected, "-o", "trained", "--base", base, "--full", "--device", "cpu")
    short = ("--steps", 1, "--batch", 1, "--accumulate", 1, "--held-out", 0)
    code, _, err = run("train", "table", *options, *short)
    assert code == 0, err
    assert "1 pair of table from corrections, in trained-corrections/table" in err
    measured = ("--corrections", corrected, "--head", "table", "--model", "trained", "-o", "report")
    code, _, err = run("evaluate", *measured)
    assert code == 0, err
    assert json.loads(Path("report/report.json").read_text("utf-8"))["counts"]["samples"] == 1
    code, _, err = run("process", corrected / "own.pdf", "--model", "trained", "-o", "next.json")
    assert code in (0, 3), err
    assert Document.from_json(Path("next.json").read_bytes()).stats.model.startswith("base-table@")


def test_corrections_are_used_by_convert_where_it_is_told_to(run: Run, corrected: Path) -> None:
    for options, is_right in (((), False), (("--corrected",), True)):
        code, out, err = run("convert", corrected / "own.json", "-o", "-", "--to", "csv", *options)
        assert code == 0
        assert ("7.1" in out, "7.l" in out) == (is_right, not is_right)
        assert ("--corrected" in err) is not is_right


def test_a_head_to_measure_has_to_be_named(run: Run, corrected: Path) -> None:
    code, _, err = run("evaluate", "--corrections", corrected, "-o", "report")
    assert code == 2
    assert f"--head, {', '.join(DATA_SETS)}" in " ".join(err.split())
