"""Attention for Gemma 2 decoders, with and without soft caps, and the choice of it for a checkpoint.

transformers disables fused attention for Gemma 2 by a class flag, because fused kernels cannot cap the
scores, and materializes all scores instead: at 896 px about 0.8 GB per layer and crop for the 3B model. A
checkpoint trained without the cap does not need that, and with it the scores of a part of the queries at a
time are enough. Neither repeats the keys and values of a head for the queries that share them.
:func:`register` adds both under names of their own to transformers' registries of attention and mask
functions.

flash-attention 2 is never chosen: it ignores the mask, so that in training an answer would see its own end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from docai.errors import CheckpointError
from docai.models.guards import text_config

if TYPE_CHECKING:
    import torch
    from transformers import PaliGemmaConfig

FUSED = "docai_fused"
"""Name of attention without a cap in transformers' registries."""

CAPPED = "docai_capped"
"""Name of attention with a cap."""

MAX_SCORES: Final = 1 << 25
"""Scores that attention with a cap has in memory at a time: 128 MB in float32."""

MAX_PACKED: Final = 16
"""Queries up to which those that share a head of keys and values are packed together."""

AttentionChoice = Literal["auto", "eager", "fused"]


def choose_attention(config: PaliGemmaConfig, wanted: AttentionChoice = "auto") -> dict[str, str]:
    """``attn_implementation`` for ``from_pretrained``. Calls :func:`register` if needed.

    The decoder uses the fused kernel if its scores are not capped, otherwise :func:`capped_attention`.
    ``eager`` is transformers' own. The SigLIP tower has no cap and no mask, so it keeps transformers' own
    fused attention.

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
    if wanted == "eager":
        return {"": "eager", "text_config": "eager", "vision_config": "sdpa"}
    register()
    own = CAPPED if is_capped else FUSED
    return {"": own, "text_config": own, "vision_config": "sdpa"}


def register() -> None:
    """Register :data:`FUSED` and :data:`CAPPED` with transformers. Further calls have no effect."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(FUSED, fused_attention)
    AttentionInterface.register(CAPPED, capped_attention)
    AttentionMaskInterface.register(FUSED, fused_mask)
    AttentionMaskInterface.register(CAPPED, fused_mask)


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
        attention_mask: (batch, 1, queries, keys), boolean, True where a query sees a key, or what is added to
            the scores; None: all.
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
    n_shared, n_queries = key.shape[1], query.shape[2]
    if attention_mask is not None and 1 < n_queries <= MAX_PACKED and query.shape[1] > n_shared:
        # transformers would repeat the keys and values of all positions. For a single query it does not.
        batch, n_heads, _, width = query.shape
        n_each = n_heads // n_shared
        packed = query.reshape(batch, n_shared, n_each * n_queries, width)
        mask = attention_mask.repeat(1, 1, n_each, 1)
        mixed, _ = sdpa_attention_forward(_NoGroups(), packed, key, value, mask, **kwargs)  # type: ignore[arg-type]
        unpacked = mixed.transpose(1, 2).reshape(batch, n_heads, n_queries, width)
        return unpacked.transpose(1, 2), None
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


class _NoGroups:
    """Stands for an attention layer whose queries share no heads any more."""


def capped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as Gemma 2's own, with capped scores, for as many queries at a time as memory is for.

    The queries that share a head of keys and values are rows of one product.

    Args:
        module: the decoder's attention layer.
        query: (batch, heads, queries, head width).
        key: (batch, key-value heads, keys, head width).
        value: as ``key``.
        attention_mask: as for :func:`fused_attention`.
        scaling: factor on the products of queries and keys.
        softcap: scores are ``softcap * tanh(score / softcap)``; None: they are not capped.
        dropout: of the weights, in training.
    """
    import torch

    batch, n_heads, n_queries, width = query.shape
    n_shared, n_keys = key.shape[1], key.shape[2]
    # The rows of one product: queries of one position stand together by heads.
    grouped = query.reshape(batch, n_shared, n_heads // n_shared, n_queries, width)
    step = max(1, MAX_SCORES // (batch * n_heads * n_keys))
    keys = key.transpose(2, 3)
    parts = []
    for start in range(0, n_queries, step):
        chosen = grouped[:, :, :, start : start + step]
        scores = torch.matmul(chosen.reshape(batch, n_shared, -1, width), keys) * scaling
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        scores = scores.view(*chosen.shape[:4], n_keys)
        if attention_mask is not None:
            mask = attention_mask[:, :, None, start : start + step]
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        weights = torch.nn.functional.dropout(weights, p=dropout, training=module.training)
        mixed = torch.matmul(weights.view(batch, n_shared, -1, n_keys), value)
        parts.append(mixed.view(batch, n_heads, -1, width))
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def fused_mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """The boolean mask of transformers' ``sdpa``; None if it masks nothing.

    That is the common case: the tokens of prompts of equal length attend to each other in both directions,
    and so does each step of decoding. Without a mask, faster kernels are used.
    """
    from transformers.masking_utils import sdpa_mask

    kwargs["allow_is_causal_skip"] = False
    mask = sdpa_mask(*args, **kwargs)
    return None if mask is None or bool(mask.all()) else mask
