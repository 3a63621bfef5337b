"""The states of a run on disk: which one is the last, whether there is room, and what a full disk leaves.

``DIR/state/checkpoint-N/`` is what transformers' Trainer writes after step N: the weights that are trained
(float32), Adam's two moments, the schedule, the random numbers, and ``trainer_state.json`` last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from docai.errors import SettingError

STATE_FOLDER: Final = "state"
KEPT_STATES: Final = 2
_STATE_FILE = "trainer_state.json"
_PER_WEIGHT: Final = 12
"""Bytes per trained weight: itself and Adam's two moments, each float32."""
_ADAPTER_WEIGHT: Final = 4
_PYTORCH_WRITES: Final = ("PytorchStreamWriter", "inline_container", "iostream error")
"""In the messages of what torch.save raises where a file cannot be written."""


def latest_state(folder: Path) -> Path | None:
    """The last complete state of the run in ``folder``. What a killed run was writing is passed over."""
    found = sorted(
        (folder / STATE_FOLDER).glob(f"checkpoint-*/{_STATE_FILE}"), key=lambda path: -step_of(path.parent)
    )
    return next((path.parent for path in found if step_of(path.parent) >= 0 and _is_whole(path)), None)


def step_of(state: Path) -> int:
    """The step after which a state was written; -1 where its name is no state's."""
    number = state.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(path: Path) -> bool:
    try:
        return "global_step" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def state_bytes(n_trained: int) -> int:
    """Bytes of one state."""
    return n_trained * _PER_WEIGHT


def require_disk(folder: Path, n_trained: int, kept: int | None, report: Callable[[str], None]) -> None:
    """Raise unless one state and the best weights fit on the disk; report where all that is kept does not.

    Args:
        folder: of the run.
        n_trained: weights that change.
        kept: bytes of the weights that the run ends with; None for those of an adapter.
        report: gets a line for a person.

    Raises:
        SettingError: there is too little room.
    """
    n_states = len(list((folder / STATE_FOLDER).glob(f"checkpoint-*/{_STATE_FILE}")))
    best = n_trained * _ADAPTER_WEIGHT if kept is None else kept
    one = state_bytes(n_trained)
    free = shutil.disk_usage(folder).free
    # What is there stays until the next one is complete. The weights that the run ends with are written as
    # the best so far, and an adapter once more.
    least = one + 2 * best
    most = (KEPT_STATES + 1 - min(n_states, KEPT_STATES)) * one + 2 * best
    if free < least:
        raise SettingError(
            f"The disk of {folder} has {in_bytes(free)} free, and a state of this run with its weights "
            f"takes {in_bytes(least)} ({in_bytes(most)} in all): {in_bytes(least - free)} are missing. "
            "Make room, or give a folder on another disk."
        )
    if free < most:
        report(
            f"the disk of {folder} has {in_bytes(free)} free, and the run writes up to {in_bytes(most)}: "
            "it may not reach its end without more room"
        )


@contextmanager
def writing(target: Path, folder: Path, *, needs: int | None = None) -> Iterator[None]:
    """Say what a full or broken disk left, where ``target`` of the run in ``folder`` cannot be written.

    Args:
        target: file or folder that is written.
        folder: of the run.
        needs: its bytes, where they are known.

    Raises:
        SettingError: writing failed, whichever library did it.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _not_written(target, folder, str(error).splitlines()[0].rstrip("."), needs) from error
    except RuntimeError as error:
        # PyTorch has no error class for a file that it cannot write, and its words name a line of C++;
        # others are not ours to explain.
        if not any(sign in str(error) for sign in _PYTORCH_WRITES):
            raise
        raise _not_written(target, folder, "not all of it could be written", needs) from error


def _not_written(target: Path, folder: Path, reason: str, needs: int | None) -> SettingError:
    state = latest_state(folder)
    left = "there is no state yet to go on from" if state is None else f"{state} is whole"
    takes = "" if needs is None else f" It takes {in_bytes(needs)}."
    try:
        free = f" {in_bytes(shutil.disk_usage(folder).free)} are free on that disk;"
    except OSError:
        free = ""
    return SettingError(
        f"{target} cannot be written: {reason}.{takes}{free} {left}. Make room, and give the same command "
        "again."
    )


def in_bytes(n: int) -> str:
    """For people: ``12.3 GB``, ``4 MB``."""
    if n >= 1e9:
        return f"{n / 1e9:.1f} GB"
    return f"{n / 1e6:.0f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"
