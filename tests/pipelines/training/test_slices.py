"""Training of the embedded checkpoint in slices."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.models.engine import Request
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.synthesis import samples
from docai.pipelines.training import slices
from docai.pipelines.training.feed import cut_sample
from docai.pipelines.training.nano import build_model, build_processor
from docai.pipelines.training.patches import SparseSample
from docai.pipelines.training.slices import (
    NANO_MAX_TOKENS,
    Progress,
    SliceSettings,
    learning_rate_at,
    micro_batches,
    pointer_loss,
    train_slice,
)

SETTINGS = SliceSettings(
    total_minutes=600.0,
    weights={"molecule": 1.0},
    batch_samples=2,
    tower_share=0.0,
    report_minutes=0.0,
    difficulty=0.0,
)


@pytest.fixture(scope="module")
def cut() -> list[SparseSample]:
    """Easy molecules, as the feed hands them out."""
    tokenizer, generator = build_processor().tokenizer, np.random.default_rng(0)
    return [
        cut_sample(sample, tokenizer, generator)
        for sample in islice(samples("molecule", 8, difficulty=0.0), 6)
    ]


class FakeFeed:
    """Hands out the same samples at once. ``stop_after``: Ctrl-C at that batch."""

    stop_after: int | None = None
    seeds: list[int]

    def __init__(self, stock: Sequence[SparseSample]) -> None:
        self.stock, self.n_drawn, self.n_taken, self.seeds = stock, 0, 0, []

    def __call__(self, settings: object, *, workers: int) -> FakeFeed:
        self.seeds.append(settings.seed)  # type: ignore[attr-defined]
        return self

    def __enter__(self) -> FakeFeed:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def set_difficulty(self, value: float) -> None:
        assert value == 0.0

    def set_whole(self, share: float) -> None:
        assert 0.0 <= share <= 1.0

    def take(self, count: int) -> list[SparseSample]:
        self.n_taken += 1
        if self.n_taken == self.stop_after:
            raise KeyboardInterrupt
        return list(self.stock[:count])


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch, cut: list[SparseSample]) -> FakeFeed:
    """A slice without drawing: its samples, its held-out samples and its patches are at hand."""
    fake = FakeFeed(cut)
    monkeypatch.setattr(slices, "Feed", fake)
    monkeypatch.setattr(slices, "held_out_samples", lambda **options: {"molecule": cut[-1:]})
    monkeypatch.setattr(slices, "patch_statistics", lambda seed: None)
    monkeypatch.setattr(slices, "build_model", shallow_model)
    return fake


def shallow_model(processor: PaliGemmaProcessor, patches: None) -> PaliGemmaForConditionalGeneration:
    """The embedded architecture with one layer of each kind, so that a step takes little."""
    model = build_model(processor, patches)
    tower, decoder = model.model.vision_tower, model.model.language_model
    tower.encoder.layers = tower.encoder.layers[:1]
    decoder.layers = decoder.layers[:1]
    tower.config.num_hidden_layers = decoder.config.num_hidden_layers = 1
    decoder.config.layer_types = decoder.config.layer_types[:1]
    return model


def state(folder: Path) -> dict[str, object]:
    loaded: dict[str, object] = torch.load(folder / "state.pt", weights_only=True)
    return loaded


def test_a_slice_is_resumed_and_its_checkpoint_reads(feed: FakeFeed, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    lines: list[str] = []
    first = train_slice(folder, 1e-6, SETTINGS, lines.append)
    assert (first.step, first.samples, first.interrupted) == (1, 2, False)
    second = train_slice(folder, 1e-6, SETTINGS, lines.append)
    assert (second.step, second.samples) == (2, 4)
    assert second.minutes > first.minutes
    assert feed.seeds[0] != feed.seeds[1], "a resumed slice draws other samples"

    optimizer = state(folder)["optimizer"]
    assert {float(entry["step"]) for entry in optimizer["state"].values()} == {2.0}  # type: ignore[index]
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert len(lines) == 2
    assert 0.0 <= rows[0]["molecule_accuracy"] <= 1.0
    assert rows[0]["answer"] > 0

    engine = PaliGemmaEngine.load(folder / "checkpoint", device="cpu")
    assert engine.name == "nano@step-2"
    assert engine.heads() == set(NANO_MAX_TOKENS)
    crop = next(samples("molecule", 8, difficulty=0.0)).image
    (answer,) = engine.generate([Request(HEADS["molecule"], crop, max_tokens=2)])
    assert answer.n_tokens <= 2


def test_steps_teach_and_ctrl_c_keeps_them(feed: FakeFeed, tmp_path: Path) -> None:
    feed.stop_after = 9
    progress = train_slice(tmp_path, 10.0, SETTINGS, lambda line: None)
    assert (progress.step, progress.interrupted) == (8, True)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    answers = [row["answer"] for row in rows]
    assert answers[-1] < answers[0]
    assert state(tmp_path)["progress"]["step"] == 8  # type: ignore[index]
    assert (tmp_path / "checkpoint/docai.json").exists()


def test_the_tower_learns_first_and_the_decoder_waits(feed: FakeFeed, tmp_path: Path) -> None:
    train_slice(tmp_path, 1e-6, SETTINGS, lambda line: None)
    before = state(tmp_path)["model"]
    tower_first = replace(SETTINGS, tower_share=0.5)
    assert train_slice(tmp_path, 1e-6, tower_first, lambda line: None).step == 2
    after = state(tmp_path)["model"]
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}  # type: ignore[attr-defined, index]
    assert any("vision_tower.encoder" in name for name in changed)
    assert all("vision_tower" in name for name in changed)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert "answer" not in last
    assert last["symbol"] > 0


def test_a_schedule_that_is_over_takes_no_step(feed: FakeFeed, tmp_path: Path) -> None:
    assert train_slice(tmp_path, 1e-6, SETTINGS, lambda line: None).step == 1
    over = SliceSettings(total_minutes=1e-7, weights={"molecule": 1.0}, difficulty=0.0)
    assert train_slice(tmp_path, 5.0, over, lambda line: None).step == 1


def test_micro_batches_hold_every_sample_within_their_size(cut: list[SparseSample]) -> None:
    for tokens in (1, 200, 400, 100_000):
        groups = micro_batches(cut, tokens)
        assert sorted(id(s) for group in groups for s in group) == sorted(id(s) for s in cut)
        for group in groups:
            assert len(group) == 1 or len(group) * max(s.length for s in group) <= tokens
    assert len(micro_batches(cut, 100_000)) == 1


def test_the_rate_rises_then_falls() -> None:
    rates = [learning_rate_at(share, SETTINGS) for share in (0.0, 0.015, 0.03, 0.5, 1.0, 1.2)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(SETTINGS.learning_rate)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.01 * SETTINGS.learning_rate)
    assert rates[5] == rates[4]


def test_progress_starts_at_nothing() -> None:
    assert Progress() == Progress(minutes=0.0, step=0, samples=0, interrupted=False)


def test_the_pointing_head_is_paid_for_looking_at_the_right_patch() -> None:
    attention = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]])
    pointers = torch.tensor([[0, 1, -1]])
    assert pointer_loss(attention, pointers).item() == pytest.approx(math.log(2))
    assert pointer_loss(attention, torch.tensor([[1, 0, -1]])).item() > 10
