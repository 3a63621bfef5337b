"""A fused attention for Gemma 2 decoders without soft caps, and the choice of attention for a checkpoint.

transformers refuses fused attention for Gemma 2 by a class flag, because fused kernels cannot cap the
scores, and falls back to writing them all out: at 896 px about 0.8 GB per layer and crop for the 3B. A
checkpoint trained without the cap needs none of that. :func:`register` adds the fused kernel under a name
of our own, through transformers' own registries of attention and mask functions.

flash-attention 2 is never chosen: it ignores the mask, so an answer in training would see its own end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from docai.errors import CheckpointError
from docai.models.guards import text_config

if TYPE_CHECKING:
    import torch
    from transformers import PaliGemmaConfig

FUSED = "docai_fused"
"""Name of our attention in transformers' registries."""

AttentionChoice = Literal["auto", "eager", "fused"]


def choose_attention(config: PaliGemmaConfig, wanted: AttentionChoice = "auto") -> dict[str, str]:
    """``attn_implementation`` for ``from_pretrained``, with :func:`register` done where it is needed.

    The decoder gets the fused kernel where its scores are not capped, and eager attention where they are.
    The SigLIP tower has no cap and no mask, so it keeps transformers' own fused attention.

    Raises:
        CheckpointError: ``fused`` was asked for and the checkpoint caps its scores.
    """
    cap = text_config(config).attn_logit_softcapping
    capped = cap is not None
    if wanted == "fused" and capped:
        raise CheckpointError(
            "Fused attention was asked for, but this checkpoint caps its attention scores "
            f"(attn_logit_softcapping = {cap}); use attention='auto'."
        )
    if wanted == "eager" or capped:
        return {"": "eager", "text_config": "eager", "vision_config": "sdpa"}
    register()
    return {"": FUSED, "text_config": FUSED, "vision_config": "sdpa"}


def register() -> None:
    """Make :data:`FUSED` known to transformers. Does nothing the second time."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(FUSED, fused_attention)
    AttentionMaskInterface.register(FUSED, fused_mask)


def fused_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """PyTorch's scaled dot-product attention, for scores without a cap.

    Args:
        module: the decoder's attention layer.
        query: (batch, heads, queries, head width).
        key: (batch, key-value heads, keys, head width).
        value: as ``key``.
        attention_mask: boolean, (batch, 1, queries, keys), True where a query sees a key; None: all.
        softcap: must be None; a fused kernel cannot apply it, and leaving it out would be silently wrong.
        **kwargs: what else transformers hands to attention functions; it goes on to its own.

    Raises:
        ValueError: ``softcap`` is set.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if softcap is not None:
        raise ValueError("fused attention cannot cap its scores; build the model with eager attention")
    # No mask means no restriction here (see fused_mask), never "causal", whatever the layer would assume.
    kwargs["is_causal"] = False
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def fused_mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """The boolean mask of transformers' ``sdpa``; None where it hides nothing.

    That is the common case here: prompts of equal length see each other in both directions, and so does
    every step of decoding. Without a mask the faster kernels apply.
    """
    from transformers.masking_utils import sdpa_mask

    kwargs["allow_is_causal_skip"] = False
    mask = sdpa_mask(*args, **kwargs)
    return None if mask is None or bool(mask.all()) else mask
