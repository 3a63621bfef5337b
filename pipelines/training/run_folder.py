"""The folder of a fine-tuning run, which is also a checkpoint that ``process(model=…)`` takes.

    DIR/config.json, tokenizer, image processor     the base's, with the soft caps that were trained with
    DIR/*.safetensors                               the base's weights, hard links where the disk allows
    DIR/adapters/HEAD/                              the LoRA adapter
    DIR/docai.json                                  name, revision, base, and the head's entry
    DIR/training.json                               what was trained on what, and how far
    DIR/README.md                                   its card, written from training.json
    DIR/rejected.jsonl                              pairs that were not trained on, where there are any
    DIR/state/checkpoint-N/                         what a resumed run goes on from (see .states)
    DIR/state/tensorboard/                          curves, where tensorboard is installed
    DIR/state/best/                                 the weights that read the held-out pairs best

Heads that the base answers already stay, so that heads can be trained one after the other. A full fine-tune
changes the weights below them, so it keeps none: its DIR has weights of its own and no adapter, and the
base lies in ``DIR/state/base``.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docai.errors import SettingError
from docai.models.checkpoints import MANIFEST, Checkpoint

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

    from docai.pipelines.training.checks import Rejected

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


RUN_FILE = "training.json"

REJECTED_FILE = "rejected.jsonl"

CARD_FILE = "README.md"

BEST_FOLDER = f"{STATE_FOLDER}/best"

BASE_FOLDER = f"{STATE_FOLDER}/base"

BOARD_FOLDER = f"{STATE_FOLDER}/tensorboard"

_INDEX = "model.safetensors.index.json"

_SOFT_CAPS = ("attn_logit_softcapping", "final_logit_softcapping")


def open_run(folder: Path, identity: Mapping[str, object]) -> bool:
    """Make ``folder`` a run folder. True where it holds this run already.

    Args:
        folder: new, empty, or of an earlier run.
        identity: what a run cannot change on the way: head, base, data, rank, seed.

    Raises:
        SettingError: it cannot be written, or holds something else or another run.
    """
    path = folder / RUN_FILE
    if folder.is_file():
        raise SettingError(f"The run folder {folder} is a file; give a new or empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _require_same_run(path, identity)
            return True
        if any(folder.iterdir()):
            raise SettingError(
                f"The folder {folder} holds files that are not of a training; give a new or empty folder."
            )
        write_json(path, {"run": dict(identity)})
    except OSError as error:
        raise _unwritable(folder, error) from error
    return False


def _require_same_run(path: Path, identity: Mapping[str, object]) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["run"]
        differences = [
            f"{name} was {found.get(name)!r} and is now {value!r}"
            for name, value in identity.items()
            if found.get(name) != value
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(f"The file {path} is damaged; give a new folder.") from error
    if differences:
        raise SettingError(
            f"The folder {path.parent} holds another training: {'; '.join(differences)}. Give a new folder "
            "to start afresh, or the same settings to go on."
        )


def lay_base(base: Checkpoint, folder: Path, head: str, *, weights: bool = True) -> None:
    """Put the base's files into ``folder``, ready to be loaded: weights linked, the rest copied.

    Without ``weights`` there are none, and no adapters, which belong to them.

    A base without heads gets its soft caps switched off, in writing: PaliGemma 2 was transferred to its
    tasks without them (arXiv 2412.03555, section 3), and inference follows what config.json states. A base
    with heads keeps its own caps, or those heads would change.

    Raises:
        SettingError: the folder cannot be written.
    """
    config: dict[str, Any] = copy.deepcopy(dict(base.config))
    if not base.heads:
        config["text_config"].update(dict.fromkeys(_SOFT_CAPS))
    made_here = {"config.json", MANIFEST, RUN_FILE}
    kept = [entry.adapter for name, entry in base.heads.items() if entry.adapter and name != head]
    if not weights:
        made_here.add(_INDEX)
        kept = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", config)
        for path in sorted(base.folder.iterdir()):
            if path.suffix == ".safetensors":
                if weights:
                    _link(path.resolve(), folder / path.name)
            elif (path.suffix == ".json" and path.name not in made_here) or path.name == "tokenizer.model":
                _copy(path, folder / path.name)
        for adapter in kept:
            shutil.copytree(base.folder / adapter, folder / adapter, dirs_exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that a full disk leaves the one that was there."""
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _link(source: Path, target: Path) -> None:
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        # Another disk, or one without links.
        shutil.copyfile(source, partial)
    partial.replace(target)


def write_adapter(folder: Path, head: str, weights: Mapping[str, torch.Tensor], config: LoraConfig) -> Path:
    """Write a PEFT folder to ``adapters/HEAD`` and return it. The old one stays until this is complete.

    Raises:
        SettingError: the folder cannot be written.
    """
    from safetensors.torch import save_file

    target = folder / "adapters" / head
    partial = target.with_name(head + ".partial")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    config = copy.deepcopy(config)
    # PEFT puts this machine's path here. The base lies beside the adapter, and docai.json names it.
    config.base_model_name_or_path = None
    config.inference_mode = True
    with writing(target, folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(tensors, partial / "adapter_model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(str(partial))
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    return target


def write_weights(folder: Path, source: Path) -> None:
    """Give the checkpoint in ``folder`` the whole weights that lie in ``source``, linked.

    A manifest there is removed first: until :func:`write_manifest` the folder answers no head.

    Raises:
        SettingError: the folder cannot be written.
    """
    with writing(folder / "model.safetensors", folder):
        (folder / MANIFEST).unlink(missing_ok=True)
        for old in (*folder.glob("*.safetensors"), folder / _INDEX):
            old.unlink(missing_ok=True)
        for path in sorted(source.glob("*.safetensors")):
            _link(path, folder / path.name)
        if (source / _INDEX).exists():
            _copy(source / _INDEX, folder / _INDEX)


def write_manifest(folder: Path, base: Checkpoint, head: str, max_tokens: int, *, full: bool = False) -> None:
    """Write ``docai.json``. The revision is a hash of the weights that were trained."""
    adapter = None if full else f"adapters/{head}"
    heads: dict[str, object] = {}
    if not full:
        heads |= {name: entry.model_dump() for name, entry in base.heads.items()}
    heads[head] = {"adapter": adapter, "max_tokens": max_tokens}
    trained = sorted(folder.glob("*.safetensors" if full else f"{adapter}/adapter_model.safetensors"))
    manifest = {
        "name": f"{base.name}-{head}",
        "revision": _hash(trained),
        "base": base.id,
        "heads": heads,
    }
    with writing(folder / MANIFEST, folder):
        write_json(folder / MANIFEST, manifest)


def _hash(files: Sequence[Path]) -> str:
    """Of one file, or of several in their order; the first 12 hexadecimal digits of SHA-256."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()[:12]


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> None:
    """Write ``rejected.jsonl``, one object a line; no file where there is none."""
    path = folder / REJECTED_FILE
    path.unlink(missing_ok=True)
    if rejected:
        lines = [json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in rejected]
        path.write_text("".join(lines), encoding="utf-8")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write ``content`` so that a reader never sees half of it."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _unwritable(folder: Path, error: OSError) -> SettingError:
    return SettingError(f"The folder {folder} cannot be written: {error}; give another folder.")
