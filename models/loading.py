"""Loading the base model and the processor of a checked checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from docai.errors import CheckpointError
from docai.models import guards
from docai.models.attention import AttentionChoice, choose_attention
from docai.models.checkpoints import Checkpoint

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor


def load_base(
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    attention: AttentionChoice = "auto",
    *,
    quantization: BitsAndBytesConfig | None = None,
) -> PaliGemmaForConditionalGeneration:
    """The base model on the CPU, ready for inference, without decoding settings from its files.

    With ``quantization`` it is on the first CUDA device, where bitsandbytes puts it.

    Raises:
        CheckpointError: the weights do not match the configuration, or the configuration is incomplete.
    """
    from safetensors import SafetensorError
    from transformers import GenerationConfig, PaliGemmaConfig, PaliGemmaForConditionalGeneration

    folder = str(checkpoint.folder)
    config = PaliGemmaConfig.from_pretrained(folder, local_files_only=True)
    config = guards.apply_stated_soft_caps(
        config, checkpoint.config, required=checkpoint.has_manifest, folder=folder
    )
    config = guards.prepare_config(config)
    try:
        with no_progress_bars():
            loaded: Any = PaliGemmaForConditionalGeneration.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                quantization_config=quantization,
                attn_implementation=choose_attention(config, attention),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The weights in {folder} cannot be loaded: {error}. Copy the checkpoint again."
        ) from error
    model: PaliGemmaForConditionalGeneration
    model, report = loaded
    wrong = describe_wrong_tensors(report)
    if wrong:
        raise CheckpointError(
            f"The weights in {folder} do not match its config.json: {wrong}. Copy the whole checkpoint again."
        )
    # generate() takes unset options from here; a file in the checkpoint must not turn on sampling.
    model.generation_config = GenerationConfig()
    model.requires_grad_(False)
    model.eval()
    return model


def describe_wrong_tensors(report: Mapping[str, Iterable[object]]) -> str | None:
    """The tensors that did not match, in words; None if all did. ``from_pretrained`` itself does not raise.

    Args:
        report: the loading info of ``from_pretrained(..., output_loading_info=True)``.
    """
    wrong = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
    if not wrong:
        return None
    return f"{len(wrong)} tensors are missing, unexpected or of the wrong shape, such as {wrong[0]}"


def load_processor(checkpoint: Checkpoint) -> PaliGemmaProcessor:
    """The checkpoint's processor, set to pad on the left.

    Raises:
        CheckpointError: the processor and the model have different image sizes.
    """
    from transformers import PaliGemmaProcessor

    folder = str(checkpoint.folder)
    processor = PaliGemmaProcessor.from_pretrained(folder, local_files_only=True)
    size = processor.image_processor.size
    if (size["height"], size["width"]) != (checkpoint.image_size, checkpoint.image_size):
        raise CheckpointError(
            f"The image processor in {folder} makes images of {size['width']} x {size['height']} px, "
            f"but the model reads {checkpoint.image_size} px: 448 and 896 checkpoints are different weights. "
            "Use the processor files that came with the weights."
        )
    if processor.image_seq_length != checkpoint.n_image_tokens:
        raise CheckpointError(
            f"The image processor in {folder} expects {processor.image_seq_length} image tokens, "
            f"but the model has {checkpoint.n_image_tokens}. "
            "Use the processor files that came with the weights."
        )
    guards.set_left_padding(processor)
    return processor


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Turn off the progress bars of transformers, which it shows even for a model that loads in no time."""
    from transformers.utils import logging

    if not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
