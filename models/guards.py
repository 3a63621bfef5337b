"""Conditions under which PaliGemma 2 gives the output that it was trained to give.

Each function guards against one mistake that silently gives wrong output. They are small and separate so that
a test can show the effect of each by removing it. Training and inference call the same
:func:`prepare_config`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from docai.errors import CheckpointError, GenerationError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import BatchFeature, Gemma2Config, PaliGemmaConfig, PaliGemmaProcessor

MAX_SEQUENCE = 8192
"""Positions that Gemma 2 was trained on: the maximum of image tokens, prompt and answer together."""


def text_config(config: PaliGemmaConfig) -> Gemma2Config:
    """The decoder's configuration, which transformers does not type."""
    return cast("Gemma2Config", config.text_config)


def prepare_config(config: PaliGemmaConfig) -> PaliGemmaConfig:
    """A copy of ``config`` to build the model from, with full attention in every decoder layer.

    PaliGemma 2 was trained with full attention. Converted checkpoints keep Gemma 2's window of 4,096 tokens
    in half of the layers, which is exactly the number of image tokens at 896 px: each generated token would
    hide one more image token, until the end of a long table would be written without seeing the image. Must
    be called *before* the model is built, because its layers read the configuration only once.
    """
    config = copy.deepcopy(config)
    text = text_config(config)
    text.layer_types = ["full_attention"] * text.num_hidden_layers
    # Used by engines that ignore layer_types, and by the mask of sliding layers, of which none are left.
    text.sliding_window = max(text.sliding_window or 0, 2 * MAX_SEQUENCE)
    return config


def without_soft_caps(config: PaliGemmaConfig) -> PaliGemmaConfig:
    """A copy of ``config`` without Gemma 2's two soft caps, for training a head.

    PaliGemma 2 was fine-tuned to its tasks without them (arXiv 2412.03555, section 3). Inference must not use
    them either, which :func:`apply_stated_soft_caps` ensures.
    """
    config = copy.deepcopy(config)
    text_config(config).attn_logit_softcapping = None
    text_config(config).final_logit_softcapping = None
    return config


def apply_stated_soft_caps(
    config: PaliGemmaConfig, written: Mapping[str, Any], *, required: bool, folder: str
) -> PaliGemmaConfig:
    """A copy of ``config`` with the soft caps stated in the checkpoint's ``config.json``.

    Where the file states none, transformers uses caps of 50 and 30. That does not change greedy text but
    shifts all log-probabilities, so a checkpoint with heads must state what it was trained with.

    Args:
        config: the configuration as transformers read it.
        written: the content of ``config.json``.
        required: whether the caps must be stated, because the checkpoint has heads of its own.
        folder: the checkpoint, for the error message.

    Raises:
        CheckpointError: a cap is required but not stated.
    """
    config = copy.deepcopy(config)
    stated = written["text_config"]
    for cap in ("attn_logit_softcapping", "final_logit_softcapping"):
        if cap in stated:
            setattr(text_config(config), cap, stated[cap])
        elif required:
            raise CheckpointError(
                f"The config.json of {folder} does not state text_config.{cap}; "
                "add the value that it was trained with (null for heads trained by docai)."
            )
    return config


def set_left_padding(processor: PaliGemmaProcessor) -> None:
    """Make the processor pad on the left, because a decoder continues the last position.

    With padding on the right, ``generate`` would continue after the padding and silently give a different
    answer.
    """
    processor.tokenizer.padding_side = "left"


def require_token_types(inputs: BatchFeature) -> None:
    """Raise :class:`GenerationError` without ``token_type_ids``: the prompt would become causal, silently."""
    if "token_type_ids" not in inputs:
        raise GenerationError(
            "The processor returned no token_type_ids, without which PaliGemma reads its prompt causally; "
            "use the checkpoint's own PaliGemmaProcessor."
        )


def make_prompt_causal(inputs: BatchFeature, image_token: int) -> None:
    """Let each token of the text see only the image and the text before it, in place.

    PaliGemma's own mask lets image and prompt see each other in both directions. Servers keep that for the
    image alone: vLLM marks the positions of the image as bidirectional (``is_mm_prefix_lm``) and leaves the
    prompt causal. A head whose ``docai.json`` says ``causal_prompt`` is trained and read with that mask.

    Args:
        inputs: with ``input_ids``, ``attention_mask`` and ``token_type_ids``, each (batch, tokens). The type
            of the text becomes 1, which is causal; that of image tokens and padding is 0.
        image_token: id of the image token.
    """
    is_text = (inputs["attention_mask"] == 1) & (inputs["input_ids"] != image_token)
    inputs["token_type_ids"] = is_text.to(inputs["token_type_ids"].dtype)


def drop_labels(inputs: BatchFeature) -> None:
    """Remove ``labels``: the processor adds them even without an answer, all of them -100."""
    inputs.pop("labels", None)


def require_ends_with_text(attention_mask: torch.Tensor | NDArray[Any]) -> None:
    """Raise :class:`GenerationError` if a row ends in padding: a second check of :func:`set_left_padding`."""
    if not bool(attention_mask[:, -1].all()):
        raise GenerationError(
            "A batch was padded on the right, for which PaliGemma gives wrong answers; pad it on the left."
        )
