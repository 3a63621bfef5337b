"""Training states on disk, and what is left where the disk gets full during a run."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from docai.errors import SettingError
from docai.models.checkpoints import open_checkpoint
from docai.models.heads import Head
from docai.pipelines.training import finetune, run_folder
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.run_folder import (
    explaining_write_errors,
    format_bytes,
    latest_state,
    require_disk,
    write_base,
)
from docai.pipelines.training.settings import AdapterSettings

FAST = AdapterSettings(
    steps=3,
    batch=2,
    accumulate=1,
    learning_rate=1e-2,
    label_smoothing=0.0,
    rank=4,
    seed=1,
    device="cpu",
    held_out=0,
    save_minutes=0.0,
    report_steps=1,
)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@contextmanager
def small_files() -> Iterator[list[int]]:
    """Set the first item of what this gives to the bytes that a file may have from then on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Limit(list[int]):
        def append(self, size: int) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    try:
        yield Limit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("failing", ["adapter_model.safetensors", "optimizer.pt"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_full_disk_leaves_the_last_state_and_the_same_call_goes_on(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path, failing: str
) -> None:
    folder = tmp_path / "run"
    with small_files() as limit:

        def fill(line: str) -> None:
            if line.startswith("step 2 "):
                size = (folder / "state/checkpoint-1" / failing).stat().st_size
                limit.append(size - 4096)

        with pytest.raises(
            SettingError, match=r"checkpoint-2 cannot be written: .*It takes .* free"
        ) as error:
            train_adapter(molecule, tiny_base, folder, FAST, data=[pairs_folder], report=fill)
    assert f"{folder / 'state/checkpoint-1'} is complete" in str(error.value)
    assert not (folder / "state/checkpoint-2").exists(), "the half state takes no room"
    lines: list[str] = []
    run = train_adapter(molecule, tiny_base, folder, FAST, data=[pairs_folder], report=lines.append)
    assert run.step == 3
    assert f"resumed from {folder / 'state/checkpoint-1'}" in lines
    about = json.loads((folder / "training.json").read_text())
    assert [(part["from_step"], part["to_step"], part["ended"]) for part in about["parts"]] == [
        (0, 1, "running"),
        (1, 3, "finished"),
    ]


def test_a_disk_that_is_full_at_the_end_keeps_the_old_adapter(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    folder, settings = tmp_path / "run", replace(FAST, steps=2)
    train_adapter(molecule, tiny_base, folder, settings, data=[pairs_folder], report=lambda line: None)
    path = folder / "adapters/molecule/adapter_model.safetensors"
    before = path.read_bytes()
    with small_files() as limit:

        def fill(line: str) -> None:
            if line.startswith("resumed from"):
                limit.append(len(before) - 4096)

        with pytest.raises(SettingError, match="adapters/molecule cannot be written"):
            train_adapter(molecule, tiny_base, folder, settings, data=[pairs_folder], report=fill)
    assert path.read_bytes() == before


def test_too_little_room_is_reported_before_the_first_step(
    molecule: Head, tiny_base: Path, pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda path: Usage(10, 10, 0))
    monkeypatch.setattr(finetune, "trainer_arguments", lambda *args: pytest.fail("too late"))
    with pytest.raises(SettingError, match=r"has 0 kB free, and a state .* are missing"):
        train_adapter(
            molecule, tiny_base, tmp_path / "run", FAST, data=[pairs_folder], report=lambda line: None
        )


def test_room_is_counted_as_states_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    # A state is 12 bytes a weight, the best adapter and the one of the checkpoint 4 each.
    for free, n_lines in ((20_000, 1), (43_999, 1), (44_000, 0)):
        lines.clear()
        monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda path, free=free: Usage(0, 0, free))
        require_disk(tmp_path, 1000, None, lines.append)
        assert len(lines) == n_lines, free
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda path: Usage(0, 0, 19_000))
    with pytest.raises(SettingError, match="1 kB are missing"):
        require_disk(tmp_path, 1000, None, lines.append)
    require_disk(tmp_path, 1000, 2000, lines.append)


def test_a_cut_state_is_passed_over(tmp_path: Path) -> None:
    assert latest_state(tmp_path) is None
    for step, text in (
        (9, '{"global_step": 9}'),
        (10, '{"global_step": 1'),
        (100, ""),
        (2, '{"global_step": 2}'),
    ):
        state = tmp_path / f"state/checkpoint-{step}"
        state.mkdir(parents=True)
        (state / "trainer_state.json").write_text(text)
    state_found = latest_state(tmp_path)
    assert state_found is not None
    assert state_found.name == "checkpoint-9"
    shutil.rmtree(state_found)
    state_found = latest_state(tmp_path)
    assert state_found is not None
    assert state_found.name == "checkpoint-2"


def test_errors_that_are_not_of_the_disk_go_on_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), explaining_write_errors(tmp_path / "x", tmp_path):
        raise RuntimeError("shapes do not fit")
    with pytest.raises(SettingError, match="no state yet"), explaining_write_errors(tmp_path / "x", tmp_path):
        raise OSError(28, "No space left on device")


def test_sizes_for_people() -> None:
    assert [format_bytes(n) for n in (0, 4_000, 2_500_000, 36_400_000_000)] == [
        "0 kB",
        "4 kB",
        "2 MB",
        "36.4 GB",
    ]


def test_a_full_disk_leaves_the_files_of_the_base_whole(tiny_base: Path, tmp_path: Path) -> None:
    base = open_checkpoint(tiny_base)
    write_base(base, tmp_path, "molecule")
    before = (tmp_path / "tokenizer.json").read_bytes()
    with small_files() as limit:
        limit.append(1000)
        with pytest.raises(SettingError, match="cannot be written"):
            write_base(base, tmp_path, "molecule")
    assert (tmp_path / "tokenizer.json").read_bytes() == before
