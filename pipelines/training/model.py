"""The model that a fine-tuning trains: whether it fits this machine, its weights, and its loss.

:func:`require_memory` runs before anything is loaded. It counts what is in memory from the first step to the
last, bytes per weight:

=====================  ======================================================================  ==
trained                weight, gradient and Adam's two moments, each float32                   16
frozen, GPU            bfloat16                                                                 2
frozen, CPU            float32                                                                  4
frozen, ``--four-bit`` nf4 with a float32 scale per 64, for the projections of the decoder;    0.5625
                       the embeddings and the vision tower stay in bfloat16                     2
=====================  ======================================================================  ==

Sources: Rajbhandari et al. 2020 (arXiv 1910.02054, section 3.1) for 16 bytes with Adam; Dettmers et al. 2023
(arXiv 2305.14314, section 3) for nf4 in blocks of 64. A full fine-tune trains every weight, an adapter the
two matrices of rank r beside each projection of the decoder: r (inputs + outputs) weights each.

Measured on a CPU with a random base of 72M weights and small crops, one at a time, above what the process
used with its libraries loaded: after each of three steps, 1,216 to 1,245 MB of a full fine-tune for 1,152
counted, and 409 to 445 MB with an adapter of rank 16 for 323. So the count is a lower bound. It has not been
measured on a GPU, nor with a base in 4 bits.

The crops of a batch come on top, a few GB each in a 3B model at 896 px. That depends on the longest answer,
since the scores of 257,152 words for each of its tokens are in memory in float32.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from peft import LoraConfig, PeftModel
from transformers import PaliGemmaForConditionalGeneration, set_seed

from docai.errors import CheckpointError, DeviceError, MissingDependencyError
from docai.models.adapters import LORA_TARGETS, attach_adapter
from docai.models.checkpoints import Checkpoint
from docai.models.loading import choose_dtype, load_base, nf4_config
from docai.pipelines.training.pairs import IGNORE
from docai.pipelines.training.settings import AdapterSettings

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

_TRAINED_BYTES: Final = 16.0

_BFLOAT16_BYTES: Final = 2.0

_FLOAT32_BYTES: Final = 4.0

_NF4_BYTES: Final = 0.5 + 4 / 64

_MAX_CPU_WEIGHTS: Final = 1_000_000_000
"""Weights above which ``auto`` does not choose a CPU: a crop of a 3B model takes minutes there."""

_GIB: Final = 1 << 30

_PROJECTION: Final = re.compile(
    r"language_model\.(model\.)?layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.weight$"
)


class Weights(NamedTuple):
    """Numbers of weights of a base."""

    total: int
    projections: int = 0
    """Of them, those that ``--four-bit`` loads in 4 bits."""
    sides: int = 0
    """Inputs and outputs of the projections, summed: the weights of an adapter of rank 1."""


def measure_weights(folder: Path) -> Weights:
    """Count the weights in the safetensors files of a checkpoint, from the headers.

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
    """Least memory of a training without its crops, bytes; see the table at the top."""
    if full:
        return round(weights.total * _TRAINED_BYTES)
    adapter = weights.sides * rank * _TRAINED_BYTES
    if four_bit:
        rest = weights.total - weights.projections
        return round(weights.projections * _NF4_BYTES + rest * _BFLOAT16_BYTES + adapter)
    return round(weights.total * (_BFLOAT16_BYTES if on_gpu else _FLOAT32_BYTES) + adapter)


def require_memory(
    folder: Path,
    device: torch.device,
    *,
    requested: str,
    full: bool,
    four_bit: bool,
    rank: int = 16,
    processes: int = 1,
) -> None:
    """Raise unless the base can be trained on ``device``.

    Args:
        folder: with the base's weights.
        device: where it is to be trained.
        requested: the device as the caller named it; ``auto`` does not train a large base on a CPU.
        full: whether all weights are trained.
        four_bit: whether the base is loaded in 4 bits.
        rank: of the adapter.
        processes: number of them that train at the same time; those on a CPU share its memory.

    Raises:
        DeviceError: its memory is too small, or there is only a CPU for a large base.
        CheckpointError: the weights cannot be read.
    """
    weights = measure_weights(folder)
    n = weights.total
    size = f"{n / 1e9:.1f}B" if n >= 1e8 else f"{n / 1e6:.1f}M"
    on_gpu = device.type == "cuda"
    if not on_gpu and requested == "auto" and n >= _MAX_CPU_WEIGHTS:
        whole, lora, small = (
            bytes_needed(weights, full=full, four_bit=four_bit, on_gpu=True, rank=rank) / _GIB
            for full, four_bit in ((True, False), (False, False), (False, True))
        )
        raise DeviceError(
            f"There is no CUDA device here, and the base has {size} weights. It takes a GPU with at least "
            f"{whole:.0f} GiB for a full fine-tune, {lora:.1f} GiB for an adapter, or {small:.1f} GiB with "
            "--four-bit, and a few GiB more for each crop of a batch. --device cpu trains it anyway, at "
            "minutes per crop."
        )
    needed = bytes_needed(weights, full=full, four_bit=four_bit, on_gpu=on_gpu, rank=rank)
    if not on_gpu:
        needed *= processes
    available = _memory_of(device)
    if available is not None and needed > available:
        smaller = "leave out --full" if full else "use a smaller base"
        if on_gpu and not full and not four_bit:
            smaller = "use --four-bit"
        shared = f" by {processes} processes" if processes > 1 and not on_gpu else ""
        raise DeviceError(
            f"The base has {size} weights, and training it{shared} takes at least {needed / _GIB:.1f} GiB "
            f"besides the crops; {device} has {available / _GIB:.1f} GiB: {smaller}, or use a larger machine."
        )


def _memory_of(device: torch.device) -> int | None:
    """Bytes of memory of the device; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def build_model(
    checkpoint: Checkpoint, settings: AdapterSettings, device: torch.device
) -> PeftModel | PaliGemmaForConditionalGeneration:
    """The base with a new adapter ``default``, or with all weights trainable; what is trained is float32.

    ``load_base`` applies the guards of :mod:`docai.models.guards`: full attention in every layer, and the
    soft caps that the checkpoint states.

    Raises:
        CheckpointError: see :func:`docai.models.loading.load_base`.
        MissingDependencyError, DeviceError: see :func:`four_bit_config`.
    """
    set_seed(settings.seed)
    if settings.full:
        whole = load_base(checkpoint, torch.float32)
        whole.requires_grad_(True)
        _set_checkpointing(whole, settings, device)
        return whole
    quantization = four_bit_config(device) if settings.four_bit else None
    # Not by PEFT's prepare_model_for_kbit_training: it turns the embeddings and the vision tower into
    # float32, 4 GB in a 3B base. What a base in bfloat16 needs for 4 bits is done here.
    base = load_base(checkpoint, choose_dtype(None, device), quantization=quantization)
    _set_checkpointing(base, settings, device)
    config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=LORA_TARGETS)
    model = attach_adapter(base, config, "default")
    for parameter in model.parameters():
        if parameter.requires_grad:
            # Small updates would be lost in the 8 bits of a bfloat16.
            parameter.data = parameter.data.float()
    return model


def _set_checkpointing(
    model: PaliGemmaForConditionalGeneration, settings: AdapterSettings, device: torch.device
) -> None:
    """Switch gradient checkpointing on where the settings or the device ask for it."""
    if not (device.type == "cuda" if settings.checkpointing is None else settings.checkpointing):
        return
    with warnings.catch_warnings():
        # transformers 5.23 has another name for it, which 5.17 has not.
        warnings.filterwarnings("ignore", r"`gradient_checkpointing_enable` is deprecated", FutureWarning)
        # The reentrant kind gives no gradient where the first input, the frozen embedding, needs none.
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def four_bit_config(device: torch.device) -> BitsAndBytesConfig:
    """nf4 with bfloat16 arithmetic for the decoder; the vision tower and the projector stay as they are.

    Raises:
        MissingDependencyError: bitsandbytes is not installed.
        DeviceError: the device is not a CUDA device.
    """
    if device.type != "cuda":
        raise DeviceError(
            "A base in 4 bits needs a CUDA device, and PyTorch finds none here; leave out --four-bit, or "
            "train on a machine with a GPU."
            if not torch.cuda.is_available()
            else f"A base in 4 bits needs a CUDA device, not {device}; leave out --four-bit or --device."
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError(
            "A base in 4 bits needs the package bitsandbytes: pip install 'docai[train]', or leave out "
            "--four-bit."
        )
    return nf4_config()


def smoothed_loss(smoothing: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy with label smoothing, a mean over the tokens of the whole step, for the Trainer.

    The Trainer's own smoothing does not shift the labels of a PaliGemma: each position would learn to repeat
    the token before it.
    """

    def loss(
        outputs: Mapping[str, torch.Tensor],
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        logits = outputs["logits"][:, :-1].float()
        targets = labels[:, 1:].to(logits.device)
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORE,
            label_smoothing=smoothing,
            reduction="sum",
        )
        return total / ((targets != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch)

    return loss
