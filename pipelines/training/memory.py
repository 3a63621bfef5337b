"""Whether a base can be trained on this machine, said before anything is loaded.

What is counted is what stands in memory from the first step to the last, bytes per weight:

=====================  ======================================================================  ==
trained                itself, its gradient and Adam's two moments, each float32               16
frozen, GPU            bfloat16                                                                 2
frozen, CPU            float32                                                                  4
frozen, ``--four-bit`` nf4 with a float32 scale for each 64, for the decoder's projections;   0.5625
                       the embeddings and the vision tower stay in bfloat16                     2
=====================  ======================================================================  ==

Sources: Rajbhandari et al. 2020 (arXiv 1910.02054, section 3.1) for 16 bytes with Adam; Dettmers et al. 2023
(arXiv 2305.14314, section 3) for nf4 in blocks of 64. A full fine-tune trains every weight, an adapter the
two matrices of rank r beside each projection of the decoder: r (inputs + outputs) weights each.

Measured on a CPU with a random base of 72M weights and small crops, one at a time, above what the process
held with its libraries loaded: after each of three steps, 1,216 to 1,245 MB of a full fine-tune for 1,152
counted, and 409 to 445 MB with an adapter of rank 16 for 323. So it is what it says, the least. On a GPU, and
with a base in 4 bits, it has not been measured.

What the crops of a batch take comes on top, a few GB for each one in a 3B model at 896 px. It depends on the
longest answer, since the scores of 257,152 words for each of its tokens stand there in float32.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from docai.errors import CheckpointError, DeviceError

if TYPE_CHECKING:
    import torch

_TRAINED: Final = 16.0
_BFLOAT16: Final = 2.0
_FLOAT32: Final = 4.0
_NF4: Final = 0.5 + 4 / 64
_FOR_A_CPU: Final = 1_000_000_000
"""Weights from which on ``auto`` does not settle for a CPU: a crop of a 3B model takes minutes there."""
_GIB: Final = 1 << 30
_PROJECTION: Final = re.compile(
    r"language_model\.(model\.)?layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.weight$"
)


class Weights(NamedTuple):
    """How many weights a base has."""

    total: int
    projections: int = 0
    """Those of them that ``--four-bit`` holds in 4 bits."""
    sides: int = 0
    """Inputs and outputs of the projections: weights of an adapter of rank 1."""


def measure_weights(folder: Path) -> Weights:
    """Count the weights in the safetensors files of a checkpoint, from their heads.

    Raises:
        CheckpointError: a file cannot be read.
    """
    total = projections = sides = 0
    for name, shape in _shapes(folder):
        count = math.prod(shape)
        total += count
        if _PROJECTION.search(name):
            projections += count
            sides += sum(shape)
    return Weights(total, projections, sides)


def _shapes(folder: Path) -> Iterator[tuple[str, list[int]]]:
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(path), framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    yield name, file.get_slice(name).get_shape()
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"The weights {path} cannot be read: {error}. Copy them again.") from error


def bytes_needed(weights: Weights, *, full: bool, four_bit: bool, on_gpu: bool, rank: int = 16) -> int:
    """Least memory of a training, bytes, without its crops: see the module."""
    if full:
        return round(weights.total * _TRAINED)
    adapter = weights.sides * rank * _TRAINED
    if four_bit:
        rest = weights.total - weights.projections
        return round(weights.projections * _NF4 + rest * _BFLOAT16 + adapter)
    return round(weights.total * (_BFLOAT16 if on_gpu else _FLOAT32) + adapter)


def require_room(
    folder: Path,
    device: torch.device,
    *,
    wanted: str,
    full: bool,
    four_bit: bool,
    rank: int = 16,
    processes: int = 1,
) -> None:
    """Raise unless the base can be trained on ``device``.

    Args:
        folder: with the base's weights.
        device: where it is to be trained.
        wanted: as the caller named it; with ``auto`` a large base is not trained on a CPU.
        full: all weights change.
        four_bit: the base is loaded in 4 bits.
        rank: of the adapter.
        processes: that train at the same time; those on a CPU share its memory.

    Raises:
        DeviceError: its memory is too small, or there is only a CPU for a large base.
        CheckpointError: the weights cannot be read.
    """
    weights = measure_weights(folder)
    n = weights.total
    size = f"{n / 1e9:.1f}B" if n >= 1e8 else f"{n / 1e6:.1f}M"
    on_gpu = device.type == "cuda"
    if not on_gpu and wanted == "auto" and n >= _FOR_A_CPU:
        whole, lora, small = (
            bytes_needed(weights, full=full, four_bit=four_bit, on_gpu=True, rank=rank) / _GIB
            for full, four_bit in ((True, False), (False, False), (False, True))
        )
        raise DeviceError(
            f"There is no CUDA device here, and the base has {size} weights. Before any crop it takes a GPU "
            f"with {whole:.0f} GiB for a full fine-tune, {lora:.1f} GiB for an adapter, or {small:.1f} GiB "
            "with --four-bit; the crops of a batch take a few GiB each. With --device cpu it is tried all "
            "the same, at minutes a crop."
        )
    needed = bytes_needed(weights, full=full, four_bit=four_bit, on_gpu=on_gpu, rank=rank)
    if not on_gpu:
        needed *= processes
    there = _memory_of(device)
    if there is not None and needed > there:
        smaller = "leave out --full" if full else "use a smaller base"
        if on_gpu and not full and not four_bit:
            smaller = "use --four-bit"
        shared = f" by {processes} processes" if processes > 1 and not on_gpu else ""
        raise DeviceError(
            f"The base has {size} weights, and training them so{shared} takes at least "
            f"{needed / _GIB:.1f} GiB before any crop; {device} has {there / _GIB:.1f} GiB: {smaller}, or "
            "take a larger machine."
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
