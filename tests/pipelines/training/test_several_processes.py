"""Two processes on one machine, started by torchrun, train what one process trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from docai.errors import StoppedElsewhereError
from docai.models.heads import Head
from docai.pipelines.training import distributed, prepare
from docai.pipelines.training.distributed import ProcessGroup, join_process_group
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.settings import complete

from .conftest import write_pairs_folder
from .two_processes import SETTINGS, STOPPED_AT

pytestmark = pytest.mark.slow(seconds=20)

SCRIPT = Path(__file__).with_name("two_processes.py")
TARGETS = ("C", "CC", "CCC", "CCCC", "N", "NC", "NCC", "NCCC", "O", "OC", "OCC")
"""Three are held out, which leaves two steps of four pairs to a pass."""


def test_two_processes_train_what_one_does(
    tiny_base: Path, molecule: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_pairs_folder(tmp_path / "data", TARGETS)
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[3])}
    done = subprocess.run(
        [*launch, str(SCRIPT), str(tiny_base), str(data), str(shared), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    main, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert main["ends"] == [[STOPPED_AT, True, True], [6, False, True]], "both stop where one had to"
    assert second["ends"] == [[STOPPED_AT, True, False], [6, False, False]]
    assert second["lines"] == [], "only the main process reports"
    assert "6 steps, 4 pairs a step by 2 processes, rate 0.01, cpu" in main["lines"]

    monkeypatch.setattr(prepare, "_HELD_OUT_SHARE", 1.0)
    lines: list[str] = []
    train_adapter(molecule, tiny_base, alone, replace(SETTINGS, batch=4), data=[data], report=lines.append)
    single, double = (json.loads((folder / "training.json").read_text()) for folder in (alone, shared))
    trained = load_file(alone / "adapters/molecule/adapter_model.safetensors")
    for name, tensor in load_file(shared / "adapters/molecule/adapter_model.safetensors").items():
        torch.testing.assert_close(tensor, trained[name], rtol=1e-3, atol=1e-5)
    assert [row["loss"] for row in double["losses"]] == pytest.approx(
        [row["loss"] for row in single["losses"]], rel=1e-4
    )
    assert double["curve"] == single["curve"]
    assert double["result"]["held_out"] == single["result"]["held_out"]
    assert double["result"]["pairs"] == single["result"]["pairs"] == 24
    assert [part["to_step"] for part in double["parts"]] == [STOPPED_AT, 6]
    assert {part["processes"] for part in double["parts"]} == {2}

    # The first pass; what is fetched ahead of a stop is fetched again.
    first_pass = main["trained"][:4] + second["trained"][:4]
    assert len(first_pass) == len(set(first_pass)) == 8


def test_a_step_is_as_large_with_any_number_of_processes(molecule: Head) -> None:
    for processes in (1, 2, 8):
        recipe = complete(molecule, full=False, batch=4, processes=processes)
        assert recipe.step_size == 256
    assert complete(molecule, full=False, batch=4, accumulate=3, processes=2).step_size == 24


def test_shares_of_the_processes_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    things = list("abcdefg")
    shares = [[things[i] for i in ProcessGroup(rank, 3).own_indices(len(things))] for rank in range(3)]
    monkeypatch.setattr(
        distributed.dist, "all_gather_object", lambda parts, own: parts.__setitem__(slice(3), shares)
    )
    assert ProcessGroup(1, 3).gather(shares[1]) == things


def test_one_process_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = join_process_group()
    assert (alone.rank, alone.count, alone.is_main) == (0, 1, True)
    assert alone.run_on_main(lambda: 3) == 3
    assert alone.any_true(True, False) == (True, False)
    with pytest.raises(ValueError, match="own"):
        alone.run_on_all(lambda: int("own"))


def test_a_process_stops_with_the_main_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed.dist, "broadcast_object_list", lambda result: None)
    with pytest.raises(StoppedElsewhereError):
        ProcessGroup(1, 2).run_on_main(lambda: pytest.fail("not its work"))
    with pytest.raises(ValueError, match="own"):
        ProcessGroup(0, 2).run_on_main(lambda: int("own"))
