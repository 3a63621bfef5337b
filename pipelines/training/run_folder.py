"""The folder of a fine-tuning run, which is also a checkpoint that ``process(model=…)`` takes.

    DIR/config.json, tokenizer, image processor     the base's, with the soft caps used in training
    DIR/*.safetensors                               the base's weights, as hard links where possible
    DIR/adapters/HEAD/                              the LoRA adapter
    DIR/docai.json                                  name, revision, base, and the head's entry
    DIR/training.json                               head, base, data, settings and results of the run
    DIR/README.md                                   the model card, written from training.json
    DIR/rejected.jsonl                              pairs that cannot be used, where there are any
    DIR/state/checkpoint-N/                         the training state after step N
    DIR/state/tensorboard/                          curves, where tensorboard is installed
    DIR/state/best/                                 the weights that read the held-out pairs best

Heads that the base has already are kept, so that heads can be trained one after the other. A full fine-tune
changes the weights that they depend on, so it keeps none: its DIR has weights of its own and no adapter, and
the base is in ``DIR/state/base``.

``DIR/state/checkpoint-N/`` is what transformers' Trainer writes after step N: the weights that are trained
(float32), Adam's two moments, the schedule, the random number generators, and ``trainer_state.json`` last.
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

MAX_STATES: Final = 2
"""Training states kept on disk."""

_STATE_FILE = "trainer_state.json"

_STATE_BYTES_PER_WEIGHT: Final = 12
"""Bytes of a training state per trained weight: the weight and Adam's two moments, each float32."""

_ADAPTER_BYTES_PER_WEIGHT: Final = 4

_PYTORCH_WRITE_ERRORS: Final = ("PytorchStreamWriter", "inline_container", "iostream error")
"""Parts of the messages of ``torch.save`` where a file cannot be written."""


def latest_state(folder: Path) -> Path | None:
    """The last complete training state of the run in ``folder``; None where there is none.

    A state that a killed run left half written is passed over.
    """
    paths = sorted(
        (folder / STATE_FOLDER).glob(f"checkpoint-*/{_STATE_FILE}"), key=lambda path: -step_of(path.parent)
    )
    return next((path.parent for path in paths if step_of(path.parent) >= 0 and _is_complete(path)), None)


def step_of(state: Path) -> int:
    """The step after which a training state was written; -1 where the folder's name is another."""
    number = state.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_complete(path: Path) -> bool:
    try:
        return "global_step" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def state_bytes(n_trained: int) -> int:
    """Bytes of one training state."""
    return n_trained * _STATE_BYTES_PER_WEIGHT


def require_disk(
    folder: Path, n_trained: int, weight_bytes: int | None, report: Callable[[str], None]
) -> None:
    """Raise unless one state and the best weights fit on the disk; report where all of the run may not.

    Args:
        folder: of the run.
        n_trained: weights that change.
        weight_bytes: bytes of the weights that the run ends with; None for an adapter.
        report: gets a line for a person.

    Raises:
        SettingError: the disk has too little free space.
    """
    n_states = len(list((folder / STATE_FOLDER).glob(f"checkpoint-*/{_STATE_FILE}")))
    best = n_trained * _ADAPTER_BYTES_PER_WEIGHT if weight_bytes is None else weight_bytes
    state = state_bytes(n_trained)
    free = shutil.disk_usage(folder).free
    # An old state is removed only when the next one is complete. The weights that the run ends with are
    # written twice: as the best so far, and as the result.
    least = state + 2 * best
    most = (MAX_STATES + 1 - min(n_states, MAX_STATES)) * state + 2 * best
    if free < least:
        raise SettingError(
            f"The disk of {folder} has {format_bytes(free)} free, and a state of this run with its weights "
            f"takes {format_bytes(least)} ({format_bytes(most)} in all): {format_bytes(least - free)} are "
            "missing. Free some space, or give a folder on another disk."
        )
    if free < most:
        report(
            f"the disk of {folder} has {format_bytes(free)} free, and the run writes up to "
            f"{format_bytes(most)}: it may not finish without more space"
        )


@contextmanager
def explaining_write_errors(target: Path, folder: Path, *, needs: int | None = None) -> Iterator[None]:
    """Turn errors of writing ``target`` into one that says why, and which state is left to resume from.

    Args:
        target: file or folder that is written.
        folder: of the run.
        needs: bytes of the target, where they are known.

    Raises:
        SettingError: writing failed, whichever library did it.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        raise _not_written(target, folder, str(error).splitlines()[0].rstrip("."), needs) from error
    except RuntimeError as error:
        # PyTorch has no error class for a file that it cannot write, and its message names a line of C++.
        # Other runtime errors are passed on.
        if not any(part in str(error) for part in _PYTORCH_WRITE_ERRORS):
            raise
        raise _not_written(target, folder, "not all of it could be written", needs) from error


def _not_written(target: Path, folder: Path, reason: str, needs: int | None) -> SettingError:
    state = latest_state(folder)
    left = "there is no state yet to resume from" if state is None else f"{state} is complete"
    takes = "" if needs is None else f" It takes {format_bytes(needs)}."
    try:
        free = f" {format_bytes(shutil.disk_usage(folder).free)} are free on that disk;"
    except OSError:
        free = ""
    return SettingError(
        f"{target} cannot be written: {reason}.{takes}{free} {left}. Free some space, and run the same "
        "command again."
    )


def format_bytes(n: int) -> str:
    """For messages: ``12.3 GB``, ``4 MB``, ``7 kB``."""
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

_OF_WEIGHTS: Final = frozenset(("config.json", _INDEX, MANIFEST, RUN_FILE))
"""Files of a checkpoint that say what its weights are."""

_SOFT_CAPS = ("attn_logit_softcapping", "final_logit_softcapping")


def open_run(folder: Path, identity: Mapping[str, object]) -> bool:
    """Make ``folder`` a run folder. Returns whether it holds this run already.

    Args:
        folder: new, empty, or of an earlier run.
        identity: the settings that a resumed run cannot change: head, base, data, rank, seed.

    Raises:
        SettingError: the folder cannot be written, or holds other files or another run.
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
                f"The folder {folder} holds files that are not of a training run; give a new or empty folder."
            )
        write_json(path, {"run": dict(identity)})
    except OSError as error:
        raise _unwritable(folder, error) from error
    return False


def _require_same_run(path: Path, identity: Mapping[str, object]) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["run"]
        differences = [
            f"{name} was {before.get(name)!r} and is now {value!r}"
            for name, value in identity.items()
            if before.get(name) != value
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(f"The file {path} is damaged; give a new folder.") from error
    if differences:
        raise SettingError(
            f"The folder {path.parent} holds another training: {'; '.join(differences)}. Give a new folder "
            "to start a new run, or the same settings to resume this one."
        )


def write_base(base: Checkpoint, folder: Path, head: str, *, weights: bool = True) -> None:
    """Write the base's files to ``folder``, ready to be loaded: weights linked, the rest copied.

    Without ``weights``, neither weights nor adapters, which depend on them, are written.

    For a base without heads the soft caps are switched off in config.json: PaliGemma 2 was transferred to its
    tasks without them (arXiv 2412.03555, section 3), and inference follows what config.json states. A base
    with heads keeps its own caps, or those heads would change.

    Raises:
        SettingError: the folder cannot be written.
    """
    config: dict[str, Any] = copy.deepcopy(dict(base.config))
    if not base.heads:
        config["text_config"].update(dict.fromkeys(_SOFT_CAPS))
    adapters = [entry.adapter for name, entry in base.heads.items() if entry.adapter and name != head]
    if not weights:
        adapters = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", config)
        copy_processor(base.folder, folder)
        if weights:
            for path in sorted(base.folder.glob("*.safetensors")):
                _link(path.resolve(), folder / path.name)
            if (base.folder / _INDEX).is_file():
                _copy(base.folder / _INDEX, folder / _INDEX)
        for adapter in adapters:
            shutil.copytree(base.folder / adapter, folder / adapter, dirs_exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def copy_processor(source: Path, target: Path) -> None:
    """Copy what a checkpoint has beside its weights and their configuration. Raises ``OSError``."""
    for path in sorted(source.iterdir()):
        is_json = path.suffix == ".json" and path.name not in _OF_WEIGHTS
        if is_json or path.name == "tokenizer.model":
            _copy(path, target / path.name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file. Where the disk is full, the old file is left as it was."""
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
        # Another disk, or a file system without hard links.
        shutil.copyfile(source, partial)
    partial.replace(target)


def write_adapter(folder: Path, head: str, weights: Mapping[str, torch.Tensor], config: LoraConfig) -> Path:
    """Write a PEFT folder to ``adapters/HEAD`` and return it. The old one stays until this one is complete.

    Raises:
        SettingError: the folder cannot be written.
    """
    from safetensors.torch import save_file

    target = folder / "adapters" / head
    partial = target.with_name(head + ".partial")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    config = copy.deepcopy(config)
    # PEFT puts a path of this machine here. The base is in the same folder, and docai.json names it.
    config.base_model_name_or_path = None
    config.inference_mode = True
    with explaining_write_errors(target, folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(tensors, partial / "adapter_model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(str(partial))
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    return target


def write_weights(folder: Path, source: Path) -> None:
    """Link the whole weights in ``source`` into the checkpoint in ``folder``.

    Its manifest is removed first: the folder has no head again until :func:`write_manifest`.

    Raises:
        SettingError: the folder cannot be written.
    """
    with explaining_write_errors(folder / "model.safetensors", folder):
        (folder / MANIFEST).unlink(missing_ok=True)
        for old in (*folder.glob("*.safetensors"), folder / _INDEX):
            old.unlink(missing_ok=True)
        for path in sorted(source.glob("*.safetensors")):
            _link(path, folder / path.name)
        if (source / _INDEX).exists():
            _copy(source / _INDEX, folder / _INDEX)


def write_manifest(
    folder: Path, base: Checkpoint, head: str, entry: Mapping[str, object], *, full: bool = False
) -> None:
    """Write ``docai.json``. The revision is a hash of the trained weights.

    ``entry`` is what to write of the head beside the place of its weights.

    Raises:
        SettingError: the file cannot be written.
    """
    adapter = None if full else f"adapters/{head}"
    heads: dict[str, object] = {}
    if not full:
        heads |= {name: entry.model_dump() for name, entry in base.heads.items()}
    heads[head] = {"adapter": adapter, **entry}
    trained = sorted(folder.glob("*.safetensors" if full else f"{adapter}/adapter_model.safetensors"))
    manifest = {
        "name": f"{base.name}-{head}",
        "revision": hash_files(trained),
        "base": base.id,
        "heads": heads,
    }
    with explaining_write_errors(folder / MANIFEST, folder):
        write_json(folder / MANIFEST, manifest)


def hash_files(files: Sequence[Path]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()[:12]


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> None:
    """Write ``rejected.jsonl``, one object per line; no file where no pair was rejected."""
    path = folder / REJECTED_FILE
    path.unlink(missing_ok=True)
    if rejected:
        lines = [json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in rejected]
        path.write_text("".join(lines), encoding="utf-8")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write ``content`` so that a reader never sees a half-written file."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` so that a reader never sees a half-written file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _unwritable(folder: Path, error: OSError) -> SettingError:
    return SettingError(f"The folder {folder} cannot be written: {error}; give another folder.")
