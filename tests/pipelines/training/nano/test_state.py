"""A state on the disk: its shards, and what happens to it when something goes wrong."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch

from docai.errors import CheckpointError
from docai.pipelines.training.nano import state
from docai.pipelines.training.nano.model import build_model, build_processor
from docai.pipelines.training.nano.state import Progress, find_state, load_state, require_state, save_state
from docai.pipelines.training.nano.step import Learner


def learner(seed: int, *, muon: bool = True) -> Learner:
    torch.manual_seed(seed)
    processor = build_processor()
    made = Learner.create(
        *(build_model(processor), processor, torch.device("cpu")),
        learning_rate=1e-3,
        weight_decay=0.0,
        muon=muon,
        average_decay=0.9,
    )
    assert made.average is not None
    for _ in range(2):
        for parameter in [*made.model.parameters(), *made.symbols.parameters()]:
            parameter.grad = torch.randn_like(parameter)
        for optimizer in made.optimizers:
            optimizer.step()
        made.average.update_parameters(made.model)
    return made


@pytest.fixture(scope="module")
def first() -> Learner:
    return learner(1)


@pytest.fixture(scope="module")
def second() -> Learner:
    return learner(2)


def weights(learner: Learner, *, shipped: bool = False) -> torch.Tensor:
    model = learner.shipped if shipped else learner.model
    parts = [*model.parameters(), *learner.symbols.parameters()]
    return torch.cat([part.detach().flatten() for part in parts])


def test_what_is_saved_comes_back_in_small_shards(first: Learner, second: Learner, tmp_path: Path) -> None:
    progress = Progress(minutes=2.5, step=9, samples=72)
    size = save_state(tmp_path, first, progress, total_minutes=60.0)
    shards = list((tmp_path / "state").glob("*.safetensors"))
    assert sum(path.stat().st_size for path in shards) == size
    assert all(path.stat().st_size < 15_000_000 for path in shards)
    assert load_state(require_state(tmp_path), second) == progress
    assert torch.equal(weights(second), weights(first))
    pairs = zip(first.model.named_parameters(), second.model.parameters(), strict=True)
    kinds = set()
    for (name, parameter), parameter_back in pairs:
        moments = first.moments_of(parameter)
        kinds.add(tuple(moments))
        assert moments.keys() == second.moments_of(parameter_back).keys(), name
        for moment, value in moments.items():
            assert torch.equal(value, second.moments_of(parameter_back)[moment]), (name, moment)
    assert kinds == {("momentum_buffer",), ("step", "exp_avg", "exp_avg_sq")}
    averages = zip(first.shipped.parameters(), second.shipped.parameters(), strict=True)
    assert all(torch.equal(average, average_back) for average, average_back in averages)
    assert not torch.equal(next(first.shipped.parameters()), next(first.model.parameters()))


def test_moments_of_another_optimizer_are_left(tmp_path: Path) -> None:
    save_state(tmp_path, learner(1, muon=False), Progress(), total_minutes=1.0)
    torch.manual_seed(2)
    processor = build_processor()
    back = Learner.create(
        *(build_model(processor), processor, torch.device("cpu")),
        learning_rate=1e-3,
        weight_decay=0.0,
        muon=True,
    )
    load_state(require_state(tmp_path), back)
    matrix = back.model.model.language_model.layers[0].mlp.up_proj.weight
    assert not back.moments_of(matrix)
    assert back.moments_of(back.model.get_input_embeddings().weight)
    assert back.has_lost_moments


def test_an_early_state_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="early version"):
        find_state(tmp_path)


def test_weights_alone_are_those_that_are_shipped(tmp_path: Path) -> None:
    one, back = learner(1), learner(2)
    save_state(tmp_path, one, Progress(), total_minutes=1.0, keep_optimizer=False)
    load_state(require_state(tmp_path), back)
    pairs = zip(one.shipped.parameters(), back.model.parameters(), strict=True)
    assert all(torch.equal(average, weight) for average, weight in pairs)


def test_half_the_bytes_are_off_by_what_is_said(first: Learner, second: Learner, tmp_path: Path) -> None:
    whole = save_state(tmp_path, first, Progress(), total_minutes=1.0, keep_optimizer=False)
    half = save_state(tmp_path, first, Progress(), total_minutes=1.0, keep_optimizer=False, half=True)
    assert half == pytest.approx(whole / 2, rel=0.01)
    assert len(list((tmp_path / "state").iterdir())) == 3, "two shards and their index: the old ones are gone"
    saved = require_state(tmp_path)
    load_state(saved, second)
    true = weights(first, shipped=True)
    off = ((weights(second) - true).abs() / true.abs().clamp(min=1e-12)).max()
    assert 0 < off.item() <= saved.rounding * 1.001 < 0.005


def test_a_full_disk_leaves_the_state_before(
    first: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path, first, Progress(step=1), total_minutes=1.0, keep_optimizer=False)
    before = sorted(path.name for path in (tmp_path / "state").iterdir())
    write, calls = state._write, []

    def full(path: Path, tensors: dict[str, torch.Tensor]) -> int:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, tensors)

    monkeypatch.setattr(state, "_write", full)
    with pytest.raises(CheckpointError, match=r"step 2 could not be saved in .*: No space left on device"):
        save_state(tmp_path, first, Progress(step=2), total_minutes=1.0, keep_optimizer=False)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == before
    saved = require_state(tmp_path)
    assert saved.progress is not None
    assert saved.progress.step == 1


def test_half_a_state_is_told_from_none_and_from_a_whole_one(first: Learner, tmp_path: Path) -> None:
    assert find_state(tmp_path) is None
    save_state(tmp_path, first, Progress(), total_minutes=1.0, keep_optimizer=False)
    index = tmp_path / "state/state.json"
    text = index.read_text()
    shard = index.with_name(next(iter(json.loads(text)["shards"])))
    content = shard.read_bytes()
    shard.write_bytes(content[:1000])
    with pytest.raises(CheckpointError, match="is cut off: the state is half written or half copied"):
        find_state(tmp_path)
    shard.write_bytes(bytes(len(content)))
    with pytest.raises(CheckpointError, match="is damaged"):
        load_state(require_state(tmp_path), first)
    shard.unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        find_state(tmp_path)
    index.write_text(text[:40])
    with pytest.raises(CheckpointError, match="cannot be read"):
        find_state(tmp_path)
    index.unlink()
    with pytest.raises(CheckpointError, match=r"without their state\.json"):
        find_state(tmp_path)


def test_the_average_does_not_hang_on_its_first_steps() -> None:
    torch.manual_seed(1)
    processor = build_processor()
    made = Learner.create(
        *(build_model(processor), processor, torch.device("cpu")),
        learning_rate=1e-3,
        weight_decay=0.0,
        average_decay=0.998,
    )
    assert made.average is not None
    assert made.shipped is made.model, "no step was taken"
    weight = made.model.get_input_embeddings().weight
    with torch.no_grad():
        for step in range(100):
            weight.fill_(float(step))
            made.average.update_parameters(made.model)
    shipped = made.shipped.get_input_embeddings().weight
    # A constant decay of 0.998 would leave it at 9.
    assert 80 < shipped.mean().item() < 99
