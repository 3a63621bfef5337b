"""LoRA adapters: one pattern of target modules for all heads, and loading that cannot go wrong silently."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from docai.errors import AdapterError

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

    Tensors: TypeAlias = dict[str, torch.Tensor]

LORA_TARGETS = (
    r"model\.language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
    r"|model\.multi_modal_projector\.linear"
)
"""Modules that every head's adapter changes, as a regular expression over full module names (for PEFT's
``target_modules``). A list such as ``["q_proj", "v_proj"]`` would hit the SigLIP tower as well."""


def attach(model: PreTrainedModel, config: LoraConfig, name: str) -> PeftModel:
    """``model`` with a fresh adapter ``name``, in the model's own number format."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers by a name that transformers 5.23 calls deprecated.
        warnings.filterwarnings("ignore", r"`is_gradient_checkpointing` is deprecated", FutureWarning)
        return PeftModel(model, config, adapter_name=name, autocast_adapter_dtype=False)


def load_adapters(model: PreTrainedModel, folders: Mapping[str, Path]) -> PeftModel:
    """``model`` with one LoRA adapter per head, named by the head. None is active afterwards.

    Args:
        model: the base; its modules are wrapped in place.
        folders: head → folder with ``adapter_config.json`` and ``adapter_model.safetensors``; not empty.

    Raises:
        AdapterError: see :func:`load_adapter`.
    """
    peft_model: PeftModel | None = None
    for name, folder in folders.items():
        config = read_adapter_config(folder)
        if peft_model is None:
            peft_model = attach(model, config, name)
        else:
            peft_model.add_adapter(name, config, autocast_adapter_dtype=False)
        load_adapter(peft_model, name, folder)
    if peft_model is None:
        raise ValueError("load_adapters needs at least one adapter")
    peft_model.requires_grad_(False)
    peft_model.eval()
    return peft_model


def load_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Fill the adapter ``name`` of ``model`` from ``folder``, and prove that it arrived.

    Renamed modules have more than once made an adapter fall off silently, leaving the bare base. So the
    tensors of the file, the room in the model, and what is in the model afterwards are compared here.

    Raises:
        AdapterError: the file is damaged; a tensor is missing, left over or of the wrong shape; or the
            adapter does nothing because its ``lora_B`` is zero.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    def state() -> Tensors:
        # By default PEFT asks the hub for the base that adapter_config.json names.
        found: Tensors = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
        return found

    weights = read_weights(folder)
    require_fit(weights, state(), folder)
    set_peft_model_state_dict(model, weights, adapter_name=name)
    require_arrived(weights, state(), folder)


def require_fit(weights: Tensors, room: Tensors, folder: Path) -> None:
    """Raise :class:`AdapterError` unless the file has exactly the tensors that the model has room for."""
    missing, unexpected = sorted(room.keys() - weights.keys()), sorted(weights.keys() - room.keys())
    if missing or unexpected:
        lacks = f"it lacks {len(missing)} tensors such as {missing[0]}" if missing else ""
        extra = (
            f"{len(unexpected)} of its tensors have no place, such as {unexpected[0]}" if unexpected else ""
        )
        raise AdapterError(
            f"The adapter in {folder} does not fit its base: {'; '.join(filter(None, (lacks, extra)))}. "
            "Use the base it was trained on, or train it again with this version of docai."
        )
    for key, tensor in weights.items():
        if tensor.shape != room[key].shape:
            raise AdapterError(
                f"The adapter in {folder} does not fit its base: {key} is {tuple(tensor.shape)}, the base "
                f"has room for {tuple(room[key].shape)}. Use the base it was trained on."
            )


def require_arrived(weights: Tensors, loaded: Tensors, folder: Path) -> None:
    """Raise :class:`AdapterError` unless the file's values are in the model and change its output."""
    for key, tensor in weights.items():
        if not bool((loaded[key].cpu() == tensor.to(loaded[key].dtype)).all()):
            raise AdapterError(f"The adapter in {folder} was not loaded: {key} differs in the model.")
    if not any(bool(tensor.any()) for key, tensor in loaded.items() if "lora_B" in key):
        raise AdapterError(
            f"The adapter in {folder} does nothing: its lora_B is zero everywhere, so it was never trained "
            "or was saved before training. Train it again."
        )


def read_adapter_config(folder: Path) -> LoraConfig:
    """The LoRA configuration in ``folder``. Raises :class:`AdapterError`."""
    from peft import LoraConfig, PeftConfig

    if not (folder / "adapter_config.json").is_file():
        raise AdapterError(f"The folder {folder} is not an adapter: it has no adapter_config.json.")
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AdapterError(f"The adapter_config.json of {folder} cannot be read: {error}") from error
    if not isinstance(config, LoraConfig):
        raise AdapterError(f"The adapter in {folder} is {config.peft_type}; docai reads LoRA adapters.")
    config.inference_mode = True
    return config


def read_weights(folder: Path) -> Tensors:
    """The tensors of the adapter in ``folder``. Raises :class:`AdapterError`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "adapter_model.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"The weights {path} cannot be read: {error}. Copy the adapter again.") from error
