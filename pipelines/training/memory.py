"""Whether a base can be trained on this machine, said before anything is loaded."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docai.errors import CheckpointError, DeviceError

if TYPE_CHECKING:
    import torch

_FULL: Final = 16.0
"""Bytes per weight of a full fine-tune: weight, gradient and Adam's two moments, each float32."""
_BFLOAT16: Final = 2.0
_FLOAT32: Final = 4.0
_FOUR_BIT: Final = 0.8
"""Nf4 with its scales, and the embeddings and vision tower in bfloat16."""
_FOR_A_CPU: Final = 1_000_000_000
"""Weights from which on ``auto`` does not settle for a CPU: a crop of a 3B model takes minutes there."""
_GIB: Final = 1 << 30


def count_weights(folder: Path) -> int:
    """Weights in the safetensors files of a checkpoint, read from their heads.

    Raises:
        CheckpointError: a file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(path), framework="pt") as file:
                total += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"The weights {path} cannot be read: {error}. Copy them again.") from error
    return total


def bytes_needed(n_weights: int, *, full: bool, four_bit: bool, on_gpu: bool) -> int:
    """Least memory of a training, bytes: weights, and what belongs to those that change. Not the crops."""
    if full:
        each = _FULL
    elif four_bit:
        each = _FOUR_BIT
    else:
        each = _BFLOAT16 if on_gpu else _FLOAT32
    return round(n_weights * each)


def require_room(folder: Path, device: torch.device, *, wanted: str, full: bool, four_bit: bool) -> None:
    """Raise unless the base can be trained on ``device``.

    Args:
        folder: with the base's weights.
        device: where it is to be trained.
        wanted: as the caller named it; with ``auto`` a large base is not trained on a CPU.
        full: all weights change.
        four_bit: the base is loaded in 4 bits.

    Raises:
        DeviceError: its memory is too small, or there is only a CPU for a large base.
        CheckpointError: the weights cannot be read.
    """
    n_weights = count_weights(folder)
    size = f"{n_weights / 1e9:.1f}B" if n_weights >= 1e8 else f"{n_weights / 1e6:.1f}M"
    needed = bytes_needed(n_weights, full=full, four_bit=four_bit, on_gpu=device.type == "cuda")
    if device.type == "cpu" and wanted == "auto" and n_weights >= _FOR_A_CPU:
        lora, whole = (
            bytes_needed(n_weights, full=whole, four_bit=False, on_gpu=True) / _GIB for whole in (False, True)
        )
        raise DeviceError(
            f"There is no CUDA device here, and the base has {size} weights: it takes a GPU with more than "
            f"{lora:.0f} GiB for an adapter and {whole:.0f} GiB for a full fine-tune. With --device cpu it "
            "is tried all the same, at minutes a crop."
        )
    there = _memory_of(device)
    if there is not None and needed > there:
        smaller = "leave out --full" if full else "use --four-bit" if not four_bit else "use a smaller base"
        raise DeviceError(
            f"The base has {size} weights, and training them so takes at least {needed / _GIB:.1f} GiB "
            f"before any crop; {device} has {there / _GIB:.1f} GiB: {smaller}, or take a larger machine."
        )


def _memory_of(device: torch.device) -> int | None:
    """Bytes in all; None where the system does not say."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
