"""Training of the embedded checkpoint in sessions."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.errors import CheckpointError, DeviceError, SettingError, UnknownModelError
from docai.models.engine import Request
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.synthesis import samples
from docai.pipelines.training.nano import loop
from docai.pipelines.training.nano.feed import cut_sample
from docai.pipelines.training.nano.loop import train_nano
from docai.pipelines.training.nano.measure import HeldOut
from docai.pipelines.training.nano.model import build_model, build_processor
from docai.pipelines.training.nano.patches import SparseSample
from docai.pipelines.training.nano.settings import NANO_MAX_TOKENS, NanoSettings
from docai.pipelines.training.nano.state import Progress, find_state
from docai.pipelines.training.nano.step import (
    Learner,
    answer_loss,
    learning_rate_at,
    micro_batches,
    pointer_loss,
)

SETTINGS = NanoSettings(
    total_minutes=600.0,
    weights={"molecule": 1.0},
    batch_samples=2,
    tower_share=0.0,
    report_minutes=0.0,
    first_difficulty=0.0,
    difficulty=0.0,
    n_answered=0,
    device="cpu",
    max_steps=1,
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
    starts: list[int]

    def __init__(self, stock: Sequence[SparseSample]) -> None:
        self.stock, self.n_drawn, self.n_taken, self.starts, self.waited = stock, 0, 0, [], 0.0

    def __call__(self, settings: object, *, workers: int, reuse: float) -> FakeFeed:
        self.starts.append(settings.start)  # type: ignore[attr-defined]
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
    """A session without drawing: its samples, its held-out samples and its patches are at hand."""
    return put_at_hand(monkeypatch, cut)


def put_at_hand(patch: pytest.MonkeyPatch, cut: list[SparseSample]) -> FakeFeed:
    fake = FakeFeed(cut)
    patch.setattr(loop, "Feed", fake)
    whole = list(islice(samples("molecule", 8, difficulty=0.0), 1))
    pairs = HeldOut({"molecule": cut[-1:]}, {"molecule": whole})
    patch.setattr(loop, "draw_held_out", lambda *arguments, **options: pairs)
    patch.setattr(loop, "draw_inked_patches", lambda source, seed: None)
    patch.setattr(loop, "build_model", shallow_model)
    return fake


@pytest.fixture(scope="module")
def first(
    cut: list[SparseSample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Progress, list[str]]:
    """A session of one step: its folder, not to be changed, where it ended, and what it reported."""
    folder, lines = tmp_path_factory.mktemp("first") / "run", []
    with pytest.MonkeyPatch.context() as patch:
        feed = put_at_hand(patch, cut)
        progress = train_nano(folder, 10.0, SETTINGS, lines.append)
    assert feed.starts == [0]
    return folder, progress, lines


@pytest.fixture
def begun(first: tuple[Path, Progress, list[str]], tmp_path: Path) -> Path:
    """A folder in which that step was taken."""
    return shutil.copytree(first[0], tmp_path / "begun")


def shallow_model(processor: PaliGemmaProcessor, patches: None) -> PaliGemmaForConditionalGeneration:
    """The embedded architecture with one layer of each kind, so that a step takes little."""
    model = build_model(processor, patches)
    tower, decoder = model.model.vision_tower, model.model.language_model
    tower.encoder.layers = tower.encoder.layers[:1]
    decoder.layers = decoder.layers[:1]
    tower.config.num_hidden_layers = decoder.config.num_hidden_layers = 1
    decoder.config.layer_types = decoder.config.layer_types[:1]
    return model


def saved_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a saved state."""
    saved = find_state(folder)
    assert saved is not None
    return {name: tensor for shard in saved.shards for name, tensor in load_file(shard).items()}


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def quiet(line: str) -> None:
    pass


def test_a_session_is_resumed_and_its_checkpoint_reads(
    feed: FakeFeed, first: tuple[Path, Progress, list[str]], begun: Path
) -> None:
    _, before, lines = first
    assert (before.step, before.samples, before.interrupted) == (1, 2, False)
    assert len(lines) == 2
    folder, lines = begun, []
    second = train_nano(folder, 10.0, replace(SETTINGS, total_minutes=None), lines.append)
    assert (second.step, second.samples) == (2, 4)
    assert second.minutes > before.minutes
    assert feed.starts == [2], "a resumed session draws other samples"
    saved = find_state(folder)
    assert saved is not None
    assert saved.total_minutes == 600.0, "the schedule is the first session's"

    steps = {float(tensor) for name, tensor in saved_tensors(folder).items() if name.startswith("step/")}
    assert steps == {2.0}
    log = rows(folder)
    assert [row["step"] for row in log] == [1, 1, 2, 2]
    assert len(lines) == 2
    assert 0.0 <= log[0]["molecule_accuracy"] <= 1.0
    assert log[0]["answer"] > 0
    assert log[0]["hardware"]
    assert log[0]["versions"]["torch"] == torch.__version__
    assert log[0]["samples_per_second"] > 0
    assert log[0]["waiting_share"] == 0.0

    engine = PaliGemmaEngine.load(folder / "checkpoint", device="cpu")
    assert engine.name == "nano@step-2"
    assert engine.heads() == set(NANO_MAX_TOKENS)
    crop = next(samples("molecule", 8, difficulty=0.0)).image
    (answer,) = engine.generate([Request(HEADS["molecule"], crop, max_tokens=2)])
    assert answer.n_tokens <= 2


def test_the_weights_of_a_checkpoint_are_a_start(
    feed: FakeFeed, first: tuple[Path, Progress, list[str]], tmp_path: Path
) -> None:
    base = first[0] / "checkpoint"
    # From nothing the tower learns alone at first; what has learned to answer goes on with that.
    settings = replace(SETTINGS, base=str(base), tower_share=0.5, learning_rate=0.0)
    progress = train_nano(tmp_path / "second", 10.0, settings, quiet)
    assert (progress.step, progress.samples, progress.base) == (2, 2, "nano@step-1")
    assert "answer" in rows(tmp_path / "second")[0]
    before, after = (
        load_file(folder / "model.safetensors") for folder in (base, tmp_path / "second/checkpoint")
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)

    resumed = train_nano(tmp_path / "second", 10.0, settings, quiet)
    assert (resumed.step, resumed.samples, resumed.base) == (3, 4, "nano@step-1"), "its own state comes first"


def test_a_start_of_another_architecture_is_refused(feed: FakeFeed, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"another architecture than nano: [0-9]+ tensors differ"):
        train_nano(tmp_path, 10.0, replace(SETTINGS, base="nano"), quiet)
    with pytest.raises(UnknownModelError):
        train_nano(tmp_path, 10.0, replace(SETTINGS, base="nanno"), quiet)
    assert not list(tmp_path.iterdir())


def test_whole_squares_are_answered_at_the_end(first: tuple[Path, Progress, list[str]]) -> None:
    assert rows(first[0])[-1]["molecule_exact"] == "0/1"


def test_steps_teach_and_ctrl_c_keeps_them(feed: FakeFeed, tmp_path: Path) -> None:
    feed.stop_after = 6
    progress = train_nano(tmp_path, 10.0, replace(SETTINGS, max_steps=None), quiet)
    assert (progress.step, progress.interrupted) == (5, True)
    answers = [row["answer"] for row in rows(tmp_path) if "answer" in row]
    assert answers[-1] < answers[0]
    saved = find_state(tmp_path)
    assert saved is not None
    assert saved.progress == progress
    assert (tmp_path / "checkpoint/docai.json").exists()


def test_the_tower_learns_first_and_the_decoder_waits(feed: FakeFeed, begun: Path) -> None:
    before = saved_tensors(begun)
    assert train_nano(begun, 10.0, replace(SETTINGS, tower_share=0.5), quiet).step == 2
    after = saved_tensors(begun)
    changed = {
        name
        for name in after
        if name.startswith("weight/model") and not torch.equal(after[name], before[name])
    }
    assert any("vision_tower.encoder" in name for name in changed)
    assert all("vision_tower" in name for name in changed)
    last = rows(begun)[-2]
    assert "answer" not in last
    assert last["symbol"] > 0


def test_a_schedule_that_is_over_takes_no_step(feed: FakeFeed, begun: Path) -> None:
    assert train_nano(begun, 10.0, replace(SETTINGS, total_minutes=1e-7), quiet).step == 1


def test_weights_alone_are_carried_and_the_optimizer_is_rebuilt(feed: FakeFeed, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    train_nano(there, 10.0, replace(SETTINGS, keep_optimizer=False), quiet)
    assert not (there / "checkpoint").exists()
    assert all(name.startswith("weight/") for name in saved_tensors(there))
    assert all(path.stat().st_size <= 15_000_000 for path in (there / "state").iterdir())
    rates = []
    original = loop.training_step

    def watch(learner: Learner, *arguments: Any) -> dict[str, torch.Tensor]:
        rates.append(learner.optimizers[0].param_groups[0]["lr"])
        return original(learner, *arguments)

    loop.training_step = watch
    try:
        settings = replace(SETTINGS, max_steps=5, rebuild_steps=3, warmup_share=1e-9)
        assert train_nano(back, 10.0, settings, quiet, resume=there).step == 6
    finally:
        loop.training_step = original
    peak = SETTINGS.learning_rate
    assert rates == pytest.approx([peak / 4, peak / 2, peak * 3 / 4, peak, peak], rel=1e-3)
    assert "rebuilt over 3 steps" in rows(back)[0]["optimizer"]
    assert any(name.startswith("exp_avg/") for name in saved_tensors(back))


def test_too_few_minutes_and_no_state_are_said_at_once(feed: FakeFeed, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"0\.05 minutes are too short: .* set --minutes to at least \d+"):
        train_nano(tmp_path / "run", 0.05, SETTINGS, quiet)
    with pytest.raises(SettingError, match="no state to go on from in"):
        train_nano(tmp_path / "run", 1.0, SETTINGS, quiet, resume=tmp_path)
    with pytest.raises(DeviceError, match="finds no CUDA device"):
        train_nano(tmp_path / "run", 1.0, replace(SETTINGS, device="cuda"), quiet)
    assert not (tmp_path / "run").exists()


def test_micro_batches_hold_every_sample_within_their_size(cut: list[SparseSample]) -> None:
    for tokens in (1, 200, 400, 100_000):
        groups = micro_batches(cut, tokens)
        assert sorted(id(s) for group in groups for s in group) == sorted(id(s) for s in cut)
        for group in groups:
            assert len(group) == 1 or len(group) * max(s.length for s in group) <= tokens
    assert len(micro_batches(cut, 100_000)) == 1


def test_the_rate_rises_then_falls() -> None:
    shares = (0.0, 0.015, 0.03, 0.5, 1.0, 1.2)
    rates = [learning_rate_at(share, peak=1e-3, warmup=0.03) for share in shares]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1e-3)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(1e-5)
    assert rates[5] == rates[4]


def test_progress_starts_at_nothing() -> None:
    assert Progress() == Progress(minutes=0.0, step=0, samples=0, interrupted=False)


def test_the_pointing_head_is_paid_for_looking_at_the_right_patch() -> None:
    attention = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]])
    pointers = torch.tensor([[0, 1, -1]])
    assert pointer_loss(attention, pointers).item() == pytest.approx(math.log(2))
    assert pointer_loss(attention, torch.tensor([[1, 0, -1]])).item() > 10


def test_a_location_near_the_right_one_costs_less_than_one_far_off_and_a_letter_costs_its_cross_entropy() -> (
    None
):
    first = 10

    def loss(said: int, label: int) -> float:
        logits = torch.full((1, first + 1024), -4.0)
        logits[0, said] = 8.0
        return answer_loss(logits, torch.tensor([label]), first).item()

    assert loss(first + 500, first + 500) < loss(first + 501, first + 500) < loss(first + 520, first + 500)
    # At the last bin the spread is cut off: what would lie beyond counts for the bin itself.
    assert loss(first + 1023, first + 1023) < loss(first + 900, first + 1023)
    logits = torch.randn(1, first + 1024)
    exact = torch.nn.functional.cross_entropy(logits, torch.tensor([3]))
    assert answer_loss(logits, torch.tensor([3]), first).item() == pytest.approx(exact.item(), rel=1e-5)
