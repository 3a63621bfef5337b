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


def learner(seed: int) -> Learner:
    torch.manual_seed(seed)
    processor = build_processor()
    made = Learner.create(
        *(build_model(processor), processor, torch.device("cpu")), learning_rate=1e-3, weight_decay=0.0
    )
    for parameter in made.model.parameters():
        parameter.grad = torch.randn_like(parameter)
    made.optimizer.step()
    return made


@pytest.fixture(scope="module")
def first() -> Learner:
    return learner(1)


@pytest.fixture(scope="module")
def second() -> Learner:
    return learner(2)


def weights(learner: Learner) -> torch.Tensor:
    parts = [*learner.model.parameters(), *learner.symbols.parameters()]
    return torch.cat([part.detach().flatten() for part in parts])


def test_what_is_saved_comes_back_in_small_shards(first: Learner, second: Learner, tmp_path: Path) -> None:
    progress = Progress(minutes=2.5, step=9, samples=72)
    size = save_state(tmp_path, first, progress, total_minutes=60.0)
    shards = list((tmp_path / "state").glob("*.safetensors"))
    assert sum(path.stat().st_size for path in shards) == size
    assert all(path.stat().st_size < 15_000_000 for path in shards)
    assert load_state(require_state(tmp_path), second) == progress
    assert torch.equal(weights(second), weights(first))
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    for parameter, parameter_back in pairs:
        for name, moment in first.optimizer.state[parameter].items():
            assert torch.equal(moment, second.optimizer.state[parameter_back][name]), name


def test_half_the_bytes_are_off_by_what_is_said(first: Learner, second: Learner, tmp_path: Path) -> None:
    whole = save_state(tmp_path, first, Progress(), total_minutes=1.0, keep_optimizer=False)
    half = save_state(tmp_path, first, Progress(), total_minutes=1.0, keep_optimizer=False, half=True)
    assert half == pytest.approx(whole / 2, rel=0.01)
    assert len(list((tmp_path / "state").iterdir())) == 3, "two shards and their index: the old ones are gone"
    saved = require_state(tmp_path)
    load_state(saved, second)
    off = ((weights(second) - weights(first)).abs() / weights(first).abs().clamp(min=1e-12)).max()
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


def test_a_damaged_old_state_is_one_sentence(first: Learner, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(CheckpointError, match=r"state\.pt cannot be used"):
        load_state(require_state(tmp_path), first)
