"""The saved state of a training. A missing file is noticed, and a full disk leaves the last state as it was.

``DIR/state/state.json`` has the progress and names the shards, safetensors files of at most 15 MB. It is
replaced last and atomically: before that the old state is valid, after it the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docai.errors import CheckpointError, SettingError

if TYPE_CHECKING:
    import torch

    from docai.pipelines.training.nano.step import Learner

INDEX = "state.json"
SHARD_BYTES = 14_500_000
_LAYOUT_VERSION = 1
_WEIGHT_PREFIX = "weight/"
_AVERAGE_PREFIX = "average/"
_AVERAGE_STEPS = "average_steps"
_MOMENTS = {"AdamW": ("exp_avg", "exp_avg_sq", "step"), "Muon": ("momentum_buffer",)}
"""Optimizer → what it knows of a weight; saved under these names, before that of the weight."""


@dataclass
class Progress:
    """How far a training is, over all sessions."""

    minutes: float = 0.0
    step: int = 0
    samples: int = 0
    interrupted: bool = False
    """Whether Ctrl-C ended the last session; it is resumed like any other."""
    base: str | None = None
    """``name@revision`` of the checkpoint that the training started from; None: random weights."""


@dataclass(frozen=True)
class SavedState:
    """A state on disk, with all its files, as far as can be seen without reading them."""

    path: Path
    """Path of ``state.json``."""
    progress: Progress
    total_minutes: float
    has_optimizer: bool
    rounding: float
    """Largest relative error of the weights by their number format, 0 for fp32."""
    shards: tuple[Path, ...] = ()


def find_state(folder: Path) -> SavedState | None:
    """The state in a run's folder; None where there is none.

    Raises:
        CheckpointError: a file is missing or cut off.
    """
    path = folder / "state" / INDEX
    if not path.is_file():
        shards = sorted((folder / "state").glob("*.safetensors"))
        if shards:
            raise CheckpointError(
                f"{folder / 'state'} holds {len(shards)} shards without their {INDEX}: the state is half "
                "written or half copied. Copy the whole folder again."
            )
        if (folder / "state.pt").exists():
            raise CheckpointError(
                f"{folder / 'state.pt'} is a state of an early version, which is not read any more: go on "
                "from its checkpoint, --base DIR/checkpoint, with another -o."
            )
        return None
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["layout"] != _LAYOUT_VERSION:
            raise ValueError(f"layout {index['layout']}")
        progress = Progress(**index["progress"])
        sizes = {path.with_name(name): int(size) for name, size in index["shards"].items()}
        saved = SavedState(
            *(path, progress, float(index["total_minutes"])),
            *(bool(index["optimizer"]), float(index["rounding"]), tuple(sizes)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}): the state is damaged or of another version. Copy it again."
        ) from error
    for shard, size in sizes.items():
        if not shard.is_file() or shard.stat().st_size != size:
            what = "is cut off" if shard.is_file() else "is missing"
            raise CheckpointError(
                f"{shard} {what}: the state is half written or half copied. Copy all {len(sizes)} shards."
            )
    return saved


def require_state(folder: Path) -> SavedState:
    """As :func:`find_state`. Raises :class:`docai.errors.SettingError` where there is none."""
    saved = find_state(folder)
    if saved is None:
        raise SettingError(
            f"There is no state to go on from in {folder}: no state/{INDEX}. "
            "Give the folder of an earlier session to --resume, or start a new training with -o only."
        )
    return saved


def load_state(saved: SavedState, learner: Learner) -> Progress:
    """Load the weights, and the optimizer where it was saved, into the learner.

    Raises:
        CheckpointError: the files are damaged, or of another architecture.
    """
    import torch

    tensors = {name: tensor for shard in saved.shards for name, tensor in _read(shard)}
    parameters = dict(_parameters(learner, learner.model))
    weights = {
        name.removeprefix(_WEIGHT_PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(_WEIGHT_PREFIX)
    }
    wrong = parameters.keys() ^ weights.keys()
    wrong = wrong or {name for name, tensor in parameters.items() if tensor.shape != weights[name].shape}
    if wrong:
        raise CheckpointError(
            f"The state in {saved.path.parent} is of another architecture: {len(wrong)} tensors are missing, "
            f"superfluous or of another shape, such as {min(wrong)}."
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])
            optimizer = learner.optimizer_of(parameter)
            moments = {moment: f"{moment}/{name}" for moment in _MOMENTS[type(optimizer).__name__]}
            if all(stored in tensors for stored in moments.values()):
                optimizer.state[parameter] = {
                    moment: tensors[stored].to(learner.device) for moment, stored in moments.items()
                }
            else:
                # Those of another optimizer say nothing to this one.
                every = {f"{moment}/{name}" for kind in _MOMENTS.values() for moment in kind}
                learner.has_lost_moments |= not every.isdisjoint(tensors)
        if learner.average is not None:
            # A session without an average leaves none: it begins with the weights.
            for name, parameter in learner.average.module.named_parameters():
                stored = f"{_AVERAGE_PREFIX}model.{name}"
                parameter.copy_(tensors.get(stored, weights[f"model.{name}"]))
            if _AVERAGE_STEPS in tensors:
                learner.average.n_averaged.copy_(tensors[_AVERAGE_STEPS])
    return Progress(**asdict(saved.progress))


def save_state(
    folder: Path,
    learner: Learner,
    progress: Progress,
    *,
    total_minutes: float,
    keep_optimizer: bool = True,
    half: bool = False,
) -> int:
    """Write ``folder/state`` and return its bytes.

    ``half`` writes the weights in bf16, with their largest relative error. Without ``keep_optimizer`` the
    weights are those that are shipped, the running average where there is one.

    Raises:
        CheckpointError: the state could not be written; the one before is unchanged.
    """
    import torch

    home = folder / "state"
    tensors: dict[str, torch.Tensor] = {}
    rounding = 0.0
    for name, parameter in _parameters(learner, learner.model if keep_optimizer else learner.shipped):
        weight = parameter.detach().cpu()
        if half:
            rounded = weight.to(torch.bfloat16)
            error = (rounded.float() - weight).abs() / weight.abs().clamp(min=1e-12)
            rounding = max(rounding, float(error.max()))
            weight = rounded
        tensors[_WEIGHT_PREFIX + name] = weight.contiguous()
        moments = learner.moments_of(parameter) if keep_optimizer else {}
        for moment, value in moments.items():
            tensors[f"{moment}/{name}"] = value.detach().cpu().contiguous()
    if learner.average is not None and keep_optimizer:
        for name, parameter in learner.average.module.named_parameters():
            tensors[f"{_AVERAGE_PREFIX}model.{name}"] = parameter.detach().cpu().contiguous()
        tensors[_AVERAGE_STEPS] = learner.average.n_averaged.detach().cpu()
    groups = list(_shards(tensors))
    # The names differ from those of the last state: neither overwrites the other.
    stamp = f"step-{progress.step}-{os.urandom(3).hex()}"
    written: dict[str, int] = {}
    index = home / INDEX
    try:
        home.mkdir(parents=True, exist_ok=True)
        for number, group in enumerate(groups, start=1):
            name = f"{stamp}-{number:02d}-of-{len(groups):02d}.safetensors"
            written[name] = 0
            written[name] = _write(home / name, group)
        text = json.dumps(
            {
                "layout": _LAYOUT_VERSION,
                "progress": asdict(progress),
                "total_minutes": total_minutes,
                "optimizer": keep_optimizer,
                "weights": "bfloat16" if half else "float32",
                "rounding": rounding,
                "shards": written,
            },
            indent=2,
        )
        partial = index.with_suffix(".partial")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(index)
    except OSError as error:
        for name in (*written, f"{index.stem}.partial"):
            (home / name).unlink(missing_ok=True)
        raise CheckpointError(
            f"The state at step {progress.step} could not be saved in {home}: {error.strerror}. The state "
            "saved there before is complete: free some space, and the same command resumes from it."
        ) from error
    for path in home.glob("*.safetensors"):
        if path.name not in written:
            path.unlink()
    return sum(written.values())


def _parameters(learner: Learner, model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """The weights of the model and of the head of the auxiliary task; tied ones once."""
    yield from ((f"model.{name}", tensor) for name, tensor in model.named_parameters())
    yield from ((f"symbols.{name}", tensor) for name, tensor in learner.symbols.named_parameters())


def _shards(tensors: dict[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    """Groups of at most SHARD_BYTES; a larger tensor is a group of its own."""
    group: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if group and size + tensor.nbytes > SHARD_BYTES:
            yield group
            group, size = {}, 0
        group[name] = tensor
        size += tensor.nbytes
    yield group


def _write(path: Path, tensors: dict[str, torch.Tensor]) -> int:
    """Write a shard; its bytes. Serialized in memory, so that a full disk raises Python's own error."""
    from safetensors.torch import save

    return path.write_bytes(save(tensors))


def _read(shard: Path) -> Iterable[tuple[str, torch.Tensor]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(shard).items()
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{shard} is damaged ({error}); copy it again.") from error
