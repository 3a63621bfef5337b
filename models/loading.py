"""Loading the base model and the processor of a checked checkpoint, on the device and in the format it runs
in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

from docai.errors import CheckpointError, DeviceError, MissingDependencyError, SettingError
from docai.models import guards
from docai.models.attention import AttentionChoice, choose_attention
from docai.models.checkpoints import Checkpoint

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

DTYPES = ("float32", "bfloat16")

Quantization = Literal["nf4"]
"""How the decoder's weights are stored. On one task nf4 cost 1.3 points of the 3B model at 224 px
(published); at 896 px nobody has published it, and here it is not measured yet."""


def choose_device(wanted: str = "auto") -> torch.device:
    """The device of that name. ``auto`` is the first CUDA device if there is one, otherwise the CPU.

    Raises:
        DeviceError: the device is unknown or not present on this machine.
    """
    import torch

    if wanted == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(f"There is no device {wanted!r}; use auto, cpu, cuda or cuda:<number>.") from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError(
                f"The device {wanted!r} was requested, but PyTorch finds no CUDA device; use cpu."
            )
        device = torch.device("cuda", device.index or 0)
        if device.index >= torch.cuda.device_count():
            raise DeviceError(
                f"The device {wanted!r} was requested, but this machine has only "
                f"{torch.cuda.device_count()} CUDA device(s), numbered from 0."
            )
    elif device.type != "cpu":
        raise DeviceError(f"docai does not run on {wanted!r}; use auto, cpu, cuda or cuda:<number>.")
    return device


def choose_dtype(wanted: str | None, device: torch.device) -> torch.dtype:
    """The number format of that name. None is bfloat16 on a CUDA device that supports it, otherwise float32.

    float16 is rejected: Gemma 2's activations exceed its range, which silently gives wrong answers. On a CPU
    float32 is the default because few CPUs have bfloat16 arithmetic, and without it bfloat16 is slower.

    Raises:
        SettingError: the format is unknown or rejected.
    """
    import torch

    if wanted is None:
        fast = device.type == "cuda" and has_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    if wanted not in DTYPES:
        raise SettingError(
            f"The number format {wanted!r} does not work with PaliGemma 2; use {' or '.join(DTYPES)}."
        )
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has bfloat16 arithmetic in hardware.

    Emulated bfloat16 is forty times slower than float32 on a CPU with AVX2 only.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


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
        MissingDependencyError: the weights are quantized by a library that is not installed.
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
    except ImportError as error:
        method = checkpoint.config.get("quantization_config", {}).get("quant_method", "its quantization")
        raise MissingDependencyError(
            f"The weights in {folder} are quantized by {method}, for which a package is missing: "
            f"{' '.join(str(error).split())}"
        ) from error
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


def nf4_config() -> BitsAndBytesConfig:
    """nf4 with bfloat16 arithmetic for the decoder; the vision tower and the projector stay as they are."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["vision_tower", "multi_modal_projector", "lm_head"],
    )


def choose_quantization(wanted: Quantization | None, device: torch.device) -> BitsAndBytesConfig | None:
    """The quantization of that name; None: the weights are as they are.

    Raises:
        SettingError: there is none of that name.
        DeviceError: the device is not a CUDA device.
        MissingDependencyError: bitsandbytes is not installed.
    """
    if wanted is None:
        return None
    if wanted not in get_args(Quantization):
        raise SettingError(f"There is no quantization {wanted!r}; use {' or '.join(get_args(Quantization))}.")
    if device.type != "cuda":
        raise DeviceError(f"Weights in 4 bits need a CUDA device, not {device}; leave the quantization out.")
    if find_spec("bitsandbytes") is None:
        raise MissingDependencyError(
            "Weights in 4 bits need the package bitsandbytes: pip install 'docai[train]', or leave the "
            "quantization out."
        )
    return nf4_config()


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
