"""The last layer of a Gemma 2 decoder, where only the last position is asked for.

What follows the prompt is chosen by the last position alone. The other positions of the last layer are needed
as keys and values, and neither as queries nor in its MLP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from docai.models.slots import SlotCache


@contextmanager
def last_position_alone(decoder: Any) -> Iterator[None]:
    """Have the decoder, a ``Gemma2Model``, give the hidden state of the last position, (batch, 1, width)."""
    layer = decoder.layers[decoder.config.num_hidden_layers - 1]
    # Of the object, so that the class and the names of the weights stay as they are.
    layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        del layer.forward


def _forward(
    layer: Any,
    hidden_states: torch.Tensor,
    *,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None,
    past_key_values: SlotCache,
    **_: Any,
) -> torch.Tensor:
    """As ``Gemma2DecoderLayer.forward``, its last position.

    Args:
        layer: the ``Gemma2DecoderLayer``.
        hidden_states: (batch, positions, width).
        position_embeddings: cosines and sines, (batch or 1, positions, head width).
        attention_mask: what is added to the scores, (1, 1, positions, positions); None: all see all.
        past_key_values: takes the keys and values of all positions.
    """
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward, rotate_half

    attention, last = layer.self_attn, hidden_states[:, -1:]
    cosines, sines = (part[:, None] for part in position_embeddings)

    def by_heads(projected: torch.Tensor) -> torch.Tensor:
        return projected.view(*projected.shape[:2], -1, attention.head_dim).transpose(1, 2)

    normed = layer.input_layernorm(hidden_states)
    query = by_heads(attention.q_proj(normed[:, -1:]))
    query = query * cosines[:, :, -1:] + rotate_half(query) * sines[:, :, -1:]
    key = by_heads(attention.k_proj(normed))
    key = key * cosines + rotate_half(key) * sines
    key, value = past_key_values.update(key, by_heads(attention.v_proj(normed)), attention.layer_idx)
    attend = ALL_ATTENTION_FUNCTIONS.get_interface(
        attention.config._attn_implementation, eager_attention_forward
    )
    mixed, _ = attend(
        attention,
        query,
        key,
        value,
        None if attention_mask is None else attention_mask[:, :, -1:],
        dropout=0.0,
        scaling=attention.scaling,
        sliding_window=attention.sliding_window,
        softcap=attention.attn_logit_softcapping,
    )
    mixed = attention.o_proj(mixed.reshape(*last.shape[:2], -1).contiguous())
    hidden = last + layer.post_attention_layernorm(mixed)
    out: torch.Tensor = hidden + layer.post_feedforward_layernorm(
        layer.mlp(layer.pre_feedforward_layernorm(hidden))
    )
    return out
