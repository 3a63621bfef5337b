"""`docai train HEAD` with data sets of other layouts, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_tiny

from .conftest import Run

Train = Callable[..., tuple[int, str]]


@pytest.fixture
def train(run: Run) -> Train:
    """Runs `docai train` with these arguments: exit code, standard error on one line."""

    def call(*arguments: object) -> tuple[int, str]:
        code, out, err = run("train", *arguments)
        assert out == ""
        return code, " ".join(err.split())

    return call


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("base") / "tiny", image_size=896, patch_size=112)


@pytest.fixture
def molecules(tmp_path: Path) -> Path:
    """MolScribe's layout: two pictures, and a third that does not exist."""
    for name in ("a", "b"):
        Image.new("RGB", (80, 60), "white").save(tmp_path / f"{name}.png")
    (tmp_path / "train.csv").write_text("file_path,SMILES\na.png,CCO\nb.png,CCN\nc.png,CCF\n")
    return tmp_path / "train.csv"


def test_all_weights_are_trained_on_a_data_set(train: Train, base: Path, molecules: Path) -> None:
    options = ("--base", base, "--data", f"molscribe:{molecules}", "--full", "--device", "cpu", "-o", "out")
    short = ("--steps", 1, "--batch", 1, "--accumulate", 1)
    code, err = train("molecule", *options, *short)
    assert code == 2
    assert "1 of 3 pairs cannot be used (33%), more than the 20% that --max-rejected allows" in err
    assert Path("out/rejected.jsonl").read_text().count("\n") == 1
    code, err = train("molecule", *options, *short, "--max-rejected", 0.5)
    assert code == 0, err
    assert "1 steps, 1 pairs a step, rate 0.0001, cpu" in err
    assert PaliGemmaEngine.load("out", device="cpu").heads() == {"molecule"}


def test_data_that_cannot_be_used_is_exit_2(train: Train, base: Path, molecules: Path) -> None:
    wrong = [
        ("molscrib:x", "one of these formats"),
        ("molscribe:nowhere", "nothing at nowhere"),
        ("nowhere", "no data folder nowhere"),
    ]
    for data, message in wrong:
        code, err = train("molecule", "--base", base, "--data", data, "-o", "out")
        assert code == 2
        assert message in err
        assert not Path("out").exists()
    code, err = train("table", "--base", base, "--data", f"molscribe:{molecules}", "-o", "out")
    assert code == 2
    assert "nothing for the head 'table'" in err
