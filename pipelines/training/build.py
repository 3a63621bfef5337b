"""The model that a fine-tuning trains, and its loss."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig, PeftModel
from transformers import PaliGemmaForConditionalGeneration, set_seed

from docai.errors import DeviceError, MissingDependencyError
from docai.models.adapters import LORA_TARGETS, attach
from docai.models.checkpoints import Checkpoint
from docai.models.devices import choose_dtype
from docai.models.loading import load_base
from docai.pipelines.training.pairs import IGNORE
from docai.pipelines.training.settings import AdapterSettings

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig


def build_model(
    checkpoint: Checkpoint, settings: AdapterSettings, device: torch.device
) -> PeftModel | PaliGemmaForConditionalGeneration:
    """The base with everything that is trained in float32: a fresh adapter ``default``, or all of it.

    The guards of :mod:`docai.models.guards` are in ``load_base``: full attention in every layer, and the
    soft caps that the checkpoint states.

    Raises:
        CheckpointError: see :func:`docai.models.loading.load_base`.
        MissingDependencyError, DeviceError: see :func:`four_bit_config`.
    """
    set_seed(settings.seed)
    if settings.full:
        whole = load_base(checkpoint, torch.float32)
        whole.requires_grad_(True)
        _recompute(whole, settings, device)
        return whole
    quantization = four_bit_config(device) if settings.four_bit else None
    # Not through PEFT's prepare_model_for_kbit_training: it makes float32 of the embeddings and the vision
    # tower, 4 GB of a 3B base, and what a bfloat16 base needs beside 4 bits is done here.
    base = load_base(checkpoint, choose_dtype(None, device), quantization=quantization)
    _recompute(base, settings, device)
    config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=LORA_TARGETS)
    model = attach(base, config, "default")
    for parameter in model.parameters():
        if parameter.requires_grad:
            # Small steps would be lost in the 8 bits of a bfloat16.
            parameter.data = parameter.data.float()
    return model


def _recompute(
    model: PaliGemmaForConditionalGeneration, settings: AdapterSettings, device: torch.device
) -> None:
    """Switch gradient checkpointing on where it is wanted."""
    if not (device.type == "cuda" if settings.checkpointing is None else settings.checkpointing):
        return
    with warnings.catch_warnings():
        # transformers 5.23 has another name for it, which 5.17 has not.
        warnings.filterwarnings("ignore", r"`gradient_checkpointing_enable` is deprecated", FutureWarning)
        # The other kind gives no gradient where the first input, the frozen embedding, needs none.
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def four_bit_config(device: torch.device) -> BitsAndBytesConfig:
    """Nf4 with bfloat16 arithmetic for the decoder; the vision tower and the projector stay as they are.

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
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["vision_tower", "multi_modal_projector", "lm_head"],
    )


def smoothed_loss(smoothing: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy with label smoothing, a mean over the tokens of the whole step, for the Trainer.

    The Trainer's own smoothing does not shift the labels of a PaliGemma, so it would teach each position
    the token that it has just read.
    """

    def loss(
        outputs: Mapping[str, torch.Tensor],
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        logits = outputs["logits"][:, :-1].float()
        wanted = labels[:, 1:].to(logits.device)
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1),
            wanted.flatten(),
            ignore_index=IGNORE,
            label_smoothing=smoothing,
            reduction="sum",
        )
        return total / ((wanted != IGNORE).sum() if num_items_in_batch is None else num_items_in_batch)

    return loss
