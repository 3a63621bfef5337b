"""How many answers a device has memory for at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from docai.environment import memory
from docai.models.guards import text_config

if TYPE_CHECKING:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

MAX_SLOTS: Final = 64
"""More gain little: a step reads the weights once for all of them, and from there on mostly their caches."""

CPU_SLOTS: Final = 8
"""More gain little on a processor, whose steps take time for each row."""

_USABLE: Final = 0.92
"""Share of the free memory that is used: kernels, fragments and other processes take the rest."""


def slot_bytes(config: PaliGemmaConfig, n_positions: int, item_bytes: int) -> int:
    """Keys and values of one answer with its image and prompt, in all layers."""
    text = text_config(config)
    width = text.num_key_value_heads * text.head_dim
    return 2 * text.num_hidden_layers * width * n_positions * item_bytes


def reading_bytes(config: PaliGemmaConfig, n_positions: int, item_bytes: int) -> int:
    """What is in memory beside weights and slots while a crop is read: mostly the widest layers.

    Four tensors of the width of the decoder's MLP, and four of the hidden states in float32. With fake
    tensors (``python benchmarks/engine_memory.py``) the peak is below this.
    """
    text = text_config(config)
    return n_positions * (4 * text.intermediate_size * item_bytes + 4 * text.hidden_size * 4)


def slots_that_fit(config: PaliGemmaConfig, n_positions: int, item_bytes: int, free: int) -> int:
    """Number of slots for a device with so much memory beside the weights; 1 to :data:`MAX_SLOTS`.

    Args:
        config: of the model.
        n_positions: of the longest answer with its image and prompt.
        item_bytes: of a number.
        free: bytes.
    """
    # The logits of a step, in float32, with what is made of them.
    logits = 3 * 4 * text_config(config).vocab_size
    room = _USABLE * free - reading_bytes(config, n_positions, item_bytes)
    fit = int(room // (slot_bytes(config, n_positions, item_bytes) + logits))
    return max(1, min(MAX_SLOTS, fit))


def default_slots(model: PaliGemmaForConditionalGeneration, n_image: int, budgets: Sequence[int]) -> int:
    """Number of slots for a model whose weights are on its device: on a processor, of half of what is free.

    Args:
        model: on its device.
        n_image: image tokens of a crop.
        budgets: most tokens of the answers of its heads.
    """
    import torch

    context = text_config(model.config).max_position_embeddings
    # Prompts have few tokens beside those of the image.
    n_positions = min(context, n_image + 32 + max(budgets, default=context))
    if model.device.type != "cuda":
        _, available = memory()
        half = 1 << 62 if available is None else available // 2
        return min(CPU_SLOTS, slots_that_fit(model.config, n_positions, model.dtype.itemsize, half))
    free, _ = torch.cuda.mem_get_info(model.device)
    return slots_that_fit(model.config, n_positions, model.dtype.itemsize, free)
