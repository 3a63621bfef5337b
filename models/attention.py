"""Fused attention for Gemma 2 decoders without soft caps, and the choice of attention for a checkpoint.

transformers disables fused attention for Gemma 2 by a class flag, because fused kernels cannot cap the
scores, and materializes all scores instead: at 896 px about 0.8 GB per layer and crop for the 3B model. A
checkpoint trained without the cap does not need that. :func:`register` adds the fused kernel under a name of
its own to transformers' registries of attention and mask functions.

flash-attention 2 is never chosen: it ignores the mask, so that in training an answer would see its own end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from docai.errors import CheckpointError
from docai.models.guards import text_config

if TYPE_CHECKING:
    import torch
    from transformers import PaliGemmaConfig

FUSED = "docai_fused"
"""Name of this attention in transformers' registries."""

AttentionChoice = Literal["auto", "eager", "fused"]


def choose_attention(config: PaliGemmaConfig, wanted: AttentionChoice = "auto") -> dict[str, str]:
    """``attn_implementation`` for ``from_pretrained``. Calls :func:`register` if needed.

    The decoder uses the fused kernel if its scores are not capped, otherwise eager attention. The SigLIP
    tower has no cap and no mask, so it keeps transformers' own fused attention.

    Raises:
        CheckpointError: ``wanted`` is ``fused`` and the checkpoint caps its scores.
    """
    cap = text_config(config).attn_logit_softcapping
    is_capped = cap is not None
    if wanted == "fused" and is_capped:
        raise CheckpointError(
            "Fused attention was requested, but this checkpoint caps its attention scores "
            f"(attn_logit_softcapping = {cap}), which fused kernels cannot do; use attention='auto'."
        )
    if wanted == "eager" or is_capped:
        return {"": "eager", "text_config": "eager", "vision_config": "sdpa"}
    register()
    return {"": FUSED, "text_config": FUSED, "vision_config": "sdpa"}


def register() -> None:
    """Register :data:`FUSED` with transformers. Further calls have no effect."""
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
        softcap: must be None: a fused kernel cannot apply it, and ignoring it would silently change results.
        **kwargs: further arguments of attention functions, passed on to transformers' own.

    Raises:
        ValueError: ``softcap`` is set.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if softcap is not None:
        raise ValueError("Fused attention cannot cap its scores; build the model with eager attention.")
    # No mask means no restriction (see fused_mask); the layer must not assume a causal mask.
    kwargs["is_causal"] = False
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def fused_mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """The boolean mask of transformers' ``sdpa``; None if it masks nothing.

    That is the common case: the tokens of prompts of equal length attend to each other in both directions,
    and so does each step of decoding. Without a mask, faster kernels are used.
    """
    from transformers.masking_utils import sdpa_mask

    kwargs["allow_is_causal_skip"] = False
    mask = sdpa_mask(*args, **kwargs)
    return None if mask is None or bool(mask.all()) else mask
