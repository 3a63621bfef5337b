"""What a run reports: its card, its numbers over several parts, and its curves."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from docai.models.heads import Head
from docai.pipelines.evaluation.base import Ratio
from docai.pipelines.training import prepare
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.metrics import interval_of, metric_for
from docai.pipelines.training.report import card_text
from docai.pipelines.training.settings import AdapterSettings

from .conftest import write_pairs_folder

SETTINGS = AdapterSettings(
    steps=6,
    batch=2,
    accumulate=2,
    learning_rate=1e-2,
    label_smoothing=0.1,
    rank=4,
    seed=1,
    device="cpu",
    held_out=3,
    measure_steps=2,
    max_tokens=8,
    max_rejected=0.5,
    report_steps=1,
)
TARGETS = ("C", "CC", "CCC", "CCCC", "N", "NC", "NCC", "NCCC", "O", "OC", "OCC")


@pytest.fixture(scope="module")
def reported(
    tiny_base: Path, molecule: Head, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The folder and training.json of a run that was stopped once, on two sources."""
    place = tmp_path_factory.mktemp("reported")
    first = write_pairs_folder(place / "one", TARGETS)
    second = write_pairs_folder(place / "two", ("C1CC", "S", "CCCCCCCCCCCCCCC", "nonsense"))
    folder = place / "run"

    def stop(line: str) -> None:
        if line.startswith("step 3 "):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "_HELD_OUT_SHARE", 1.0)
        for report, command in ((stop, "docai train molecule"), (lambda line: None, "docai train again")):
            train_adapter(
                molecule,
                tiny_base,
                folder,
                SETTINGS,
                data=[first, second],
                report=report,
                command=command,
            )
    return folder, json.loads((folder / "training.json").read_text())


def test_the_numbers_are_those_of_the_run(reported: tuple[Path, dict[str, Any]]) -> None:
    folder, about = reported
    first, second = about["data"]["sources"]
    assert (first["n_train"] + first["n_held_out"], first["rejected"]) == (11, {})
    assert second["rejected"] == {"parser": 2, "too-long": 1}
    assert first["n_held_out"] + second["n_held_out"] == about["result"]["n_held_out"] == 3
    # Nine pairs are five batches, so every third step of two batches has one pair.
    assert about["result"]["pairs"] == 18
    assert [(part["from_step"], part["to_step"], part["ended"]) for part in about["parts"]] == [
        (0, 3, "interrupted"),
        (3, 6, "finished"),
    ]
    assert about["result"]["seconds"] == sum(part["seconds"] for part in about["parts"]) > 0
    assert [row["step"] for row in about["curve"]] == [2, 4, 6]
    assert [row["step"] for row in about["losses"]] == [1, 2, 3, 4, 5, 6]
    best = about["result"]["held_out"]
    values = {row["step"]: row["exact_SMILES"] for row in about["curve"]}
    assert values[best["step"]] == best["value"] == max(values.values())
    assert best["n"] == 3
    assert best["low"] <= best["value"] <= best["high"]
    assert about["base"]["weights"] > about["base"]["trained"] > 0
    assert {"docai", "torch", "transformers", "peft", "python"} <= about["versions"].keys()
    assert (folder / "README.md").read_text() == card_text(about)


def test_the_card_says_what_a_reader_needs(reported: tuple[Path, dict[str, Any]]) -> None:
    folder, about = reported
    card = (folder / "README.md").read_text()
    for part in (
        f"`{about['run']['base']}`",
        "`molecule to smiles`",
        "A LoRA adapter of rank 4",
        "parser: 2, too-long: 1",
        "95 % interval",
        "| label_smoothing | 0.1 |",
        "| steps | 6 of 6 |",
        "| pairs seen | 18 |",
        "    docai train molecule\n    docai train again",
        "docai process paper.pdf --model DIR",
        "hash of their content",
        f"| torch | {about['versions']['torch']} |",
    ):
        assert part in card, part
    assert "not finished" not in card
    header = yaml.safe_load(card.split("---")[1])
    assert header["pipeline_tag"] == "image-text-to-text"
    assert "base_model" not in header, "the base was a folder, not a model of the hub"
    (result,) = header["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == round(about["result"]["held_out"]["value"], 4)


def test_the_card_of_an_official_base_and_of_an_unfinished_run(reported: tuple[Path, dict[str, Any]]) -> None:
    about = copy.deepcopy(reported[1])
    about["base"]["name"] = "google/paligemma2-3b-pt-896"
    about["run"]["full"] = True
    about["result"] |= {"step": 4, "held_out": None}
    about["data"]["sources"][0]["name"] = "pubtabnet:/a|b"
    card = card_text(about)
    header = yaml.safe_load(card.split("---")[1])
    assert header["base_model"] == "google/paligemma2-3b-pt-896"
    assert (header["base_model_relation"], header["license"]) == ("finetune", "gemma")
    assert "model-index" not in header
    assert "not finished**: step 4 of 6" in card
    assert "how well they read is unknown" in card
    assert "pubtabnet:/a\\|b" in card


def test_no_curves_without_tensorboard_and_that_is_reported_once(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else find(name, *rest)
    )
    lines: list[str] = []
    settings = replace(SETTINGS, steps=1, held_out=0)
    train_adapter(molecule, tiny_base, tmp_path / "run", settings, data=[pairs_folder], report=lines.append)
    assert sum("pip install 'docai[train]'" in line for line in lines) == 1
    assert not (tmp_path / "run/state/tensorboard").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_for_tensorboard(
    molecule: Head, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="curves need tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr(prepare, "_HELD_OUT_SHARE", 1.0)
    data = write_pairs_folder(tmp_path / "data", TARGETS)
    train_adapter(molecule, tiny_base, tmp_path / "run", SETTINGS, data=[data], report=lambda line: None)
    events = EventAccumulator(str(tmp_path / "run/state/tensorboard"))
    events.Reload()
    about = json.loads((tmp_path / "run/training.json").read_text())
    assert [(row.step, row.value) for row in events.Scalars("train/loss")] == [
        (row["step"], pytest.approx(row["loss"])) for row in about["losses"]
    ]
    assert [row.step for row in events.Scalars("eval/exact_SMILES")] == [2, 4, 6]
    assert events.Scalars("train/learning_rate")


def test_intervals() -> None:
    shares = [Ratio(1, 1)] * 45 + [Ratio(0, 1)] * 5
    low, high = interval_of(shares) or (0, 0)
    # Wilson's interval of 45 of 50, as in statsmodels' proportion_confint(45, 50, method="wilson").
    assert (low, high) == (pytest.approx(0.786398, abs=1e-5), pytest.approx(0.956520, abs=1e-5))
    none_right = interval_of([Ratio(0, 1)] * 50)
    assert none_right == (0.0, pytest.approx(0.071348, abs=1e-5))
    low, high = interval_of([Ratio(i, 100) for i in range(50)]) or (0, 0)
    assert 0.18 < low < 0.245 < high < 0.31
    assert interval_of([Ratio(1, 7)]) is None


def test_a_metric_gives_its_step_its_pairs_and_its_interval(molecule: Head) -> None:
    measured = metric_for(molecule).measured(molecule.parser, [("OCC", "CCO"), ("C", "N")], 7)
    assert (measured.step, measured.value, measured.exact, measured.n) == (7, 0.5, 0.0, 2)
    assert measured.low is not None
    assert measured.high is not None
    assert measured.low < 0.5 < measured.high
