"""What must hold for PaliGemma 2 to give the output it was trained to give.

Each function here is one trap that has silently cost somebody wrong output. They are small and separate
so that each can be tested by taking it out. Training calls the same :func:`prepare_config` as inference.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from docai.errors import CheckpointError, GenerationError

if TYPE_CHECKING:
    import torch
    from transformers import BatchFeature, Gemma2Config, PaliGemmaConfig, PaliGemmaProcessor

MAX_SEQUENCE = 8192
"""Positions that Gemma 2 was trained on, so the longest sequence: image tokens, prompt and answer."""


def text_config(config: PaliGemmaConfig) -> Gemma2Config:
    """The decoder's part, whose type transformers leaves open."""
    return cast("Gemma2Config", config.text_config)


def prepare_config(config: PaliGemmaConfig) -> PaliGemmaConfig:
    """A copy of ``config`` to build the model from: full attention in every decoder layer.

    PaliGemma 2 was trained with full attention. Converted checkpoints keep Gemma 2's window of 4,096 in
    half of the layers, which is exactly the number of image tokens at 896 px: every token written would
    hide one more image token, until a long table no longer sees its image. Must be called *before* the
    model is built, because the layers read the configuration once.
    """
    config = copy.deepcopy(config)
    text = text_config(config)
    text.layer_types = ["full_attention"] * text.num_hidden_layers
    # Read by engines that ignore layer_types, and by the mask for sliding layers, which nobody uses now.
    text.sliding_window = max(text.sliding_window or 0, 2 * MAX_SEQUENCE)
    return config


def without_soft_caps(config: PaliGemmaConfig) -> PaliGemmaConfig:
    """A copy of ``config`` with both of Gemma 2's soft caps off, for training a head.

    PaliGemma 2 was transferred to its tasks without them (arXiv 2412.03555, section 3). They must be off
    in inference as well, which :func:`explicit_soft_caps` sees to.
    """
    config = copy.deepcopy(config)
    text_config(config).attn_logit_softcapping = None
    text_config(config).final_logit_softcapping = None
    return config


def explicit_soft_caps(
    config: PaliGemmaConfig, written: Mapping[str, Any], *, required: bool, folder: str
) -> PaliGemmaConfig:
    """A copy of ``config`` with the soft caps that the checkpoint's ``config.json`` states.

    transformers fills in caps of 50 and 30 where the file is silent. That leaves greedy text as it is and
    shifts every log-probability, so a checkpoint with heads has to say what it was trained with.

    Args:
        config: as transformers read it.
        written: ``config.json`` as it stands.
        required: the checkpoint has heads of its own, so silence is an error.
        folder: for the message.

    Raises:
        CheckpointError: a cap is required and not stated.
    """
    config = copy.deepcopy(config)
    stated = written["text_config"]
    for cap in ("attn_logit_softcapping", "final_logit_softcapping"):
        if cap in stated:
            setattr(text_config(config), cap, stated[cap])
        elif required:
            raise CheckpointError(
                f"The config.json of {folder} does not state text_config.{cap}; "
                "write the value it was trained with (null for heads trained by docai)."
            )
    return config


def left_padding(processor: PaliGemmaProcessor) -> None:
    """Pad on the left: a decoder continues the last position, which must not be padding.

    Padded on the right, ``generate`` continues after the padding and gives another answer, silently.
    """
    processor.tokenizer.padding_side = "left"


def require_token_types(inputs: BatchFeature) -> None:
    """Raise unless ``token_type_ids`` go to the model: without them the prompt becomes causal, silently."""
    if "token_type_ids" not in inputs:
        raise GenerationError(
            "The processor gave no token_type_ids, without which PaliGemma reads its prompt causally; "
            "use the checkpoint's own PaliGemmaProcessor."
        )


def drop_labels(inputs: BatchFeature) -> None:
    """Take out ``labels``: the processor makes them even where there is no answer, all of them -100."""
    inputs.pop("labels", None)


def require_ends_with_text(attention_mask: torch.Tensor) -> None:
    """Raise where a row of a batch ends in padding: the second lock on :func:`left_padding`."""
    if not bool(attention_mask[:, -1].all()):
        raise GenerationError("A batch was padded on the right, which PaliGemma answers wrongly; pad left.")
