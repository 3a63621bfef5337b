"""LoRA adapters: the target modules of all heads, and loading that verifies that every tensor arrived."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

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
"""Modules that the adapters of all heads change, as a regular expression over full module names (PEFT's
``target_modules``). A list such as ``["q_proj", "v_proj"]`` would match the SigLIP tower as well."""

_RENAMED: Final = (
    ("base_model.model.language_model.model.", "base_model.model.model.language_model."),
    ("base_model.model.multi_modal_projector.", "base_model.model.model.multi_modal_projector."),
    ("base_model.model.vision_tower.", "base_model.model.model.vision_tower."),
)
"""Beginnings of the names of tensors until transformers 4.51, and those of today."""


def attach_adapter(model: PreTrainedModel, config: LoraConfig, name: str) -> PeftModel:
    """``model`` with a new adapter ``name``, in the model's own number format."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT 0.21 uses a name of transformers that is deprecated in transformers 5.23.
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
    present = {name for name, _ in model.named_modules()}
    for name, folder in folders.items():
        config = read_adapter_config(folder)
        # By the names in the file: those of the configuration may be of another version of transformers.
        targets = adapted_modules(read_weights(folder))
        if targets and targets <= present:
            config.target_modules = targets
        if peft_model is None:
            peft_model = attach_adapter(model, config, name)
        else:
            peft_model.add_adapter(name, config, autocast_adapter_dtype=False)
        load_adapter(peft_model, name, folder)
    if peft_model is None:
        raise ValueError("load_adapters() needs at least one adapter.")
    peft_model.requires_grad_(False)
    peft_model.eval()
    return peft_model


def load_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Load the adapter ``name`` of ``model`` from ``folder``, and verify that it was loaded.

    Adapters have been dropped silently because modules were renamed, which left the bare base model. So the
    tensors of the file are compared with those that the model expects and with those that it has afterwards.

    Raises:
        AdapterError: the file is damaged; a tensor is missing, unexpected or of the wrong shape; or the
            adapter does nothing because its ``lora_B`` is zero.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    def state() -> Tensors:
        # By default PEFT looks up the base named by adapter_config.json on the hub.
        tensors: Tensors = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
        return tensors

    weights = read_weights(folder)
    require_fit(weights, state(), folder)
    set_peft_model_state_dict(model, weights, adapter_name=name)
    require_arrived(weights, state(), folder)


def require_fit(weights: Tensors, expected: Tensors, folder: Path) -> None:
    """Raise :class:`AdapterError` unless the file has exactly the tensors that the model expects."""
    missing, unexpected = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing or unexpected:
        lacks = f"it lacks {len(missing)} tensors such as {missing[0]}" if missing else ""
        extra = f"it has {len(unexpected)} unexpected tensors such as {unexpected[0]}" if unexpected else ""
        raise AdapterError(
            f"The adapter in {folder} does not fit the base model: "
            f"{'; '.join(filter(None, (lacks, extra)))}. "
            "Use the base model that it was trained on, or train it again with this version of docai."
        )
    for key, tensor in weights.items():
        if tensor.shape != expected[key].shape:
            raise AdapterError(
                f"The adapter in {folder} does not fit the base model: {key} has the shape "
                f"{tuple(tensor.shape)}, but the base model expects {tuple(expected[key].shape)}. "
                "Use the base model that it was trained on."
            )


def require_arrived(weights: Tensors, loaded: Tensors, folder: Path) -> None:
    """Raise :class:`AdapterError` unless the file's values are in the model and change its output."""
    for key, tensor in weights.items():
        if not bool((loaded[key].cpu() == tensor.to(loaded[key].dtype)).all()):
            raise AdapterError(
                f"The adapter in {folder} was not loaded: {key} has other values in the model. "
                "This is a bug of docai or of PEFT; please report it."
            )
    if not any(bool(tensor.any()) for key, tensor in loaded.items() if "lora_B" in key):
        raise AdapterError(
            f"The adapter in {folder} does nothing: all of its lora_B tensors are zero, so it was saved "
            "before training. Train it again."
        )


def adapted_modules(weights: Tensors) -> set[str]:
    """Full names of the modules that an adapter changes, from the names of its tensors."""
    prefix = "base_model.model."
    return {key.removeprefix(prefix).rpartition(".lora_")[0] for key in weights if ".lora_" in key}


def read_adapter_config(folder: Path) -> LoraConfig:
    """The LoRA configuration in ``folder``. Raises :class:`AdapterError`."""
    from peft import LoraConfig, PeftConfig

    if not (folder / "adapter_config.json").is_file():
        raise AdapterError(
            f"The folder {folder} is not a LoRA adapter: it has no adapter_config.json. "
            "Use a folder that `docai train` wrote."
        )
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AdapterError(
            f"The adapter_config.json in {folder} cannot be read: {error}. Copy the adapter again."
        ) from error
    if not isinstance(config, LoraConfig):
        raise AdapterError(
            f"The adapter in {folder} is of type {config.peft_type}; docai supports LoRA only."
        )
    config.inference_mode = True
    return config


def read_weights(folder: Path) -> Tensors:
    """The tensors of the adapter in ``folder`` by their names in this version of transformers.

    Raises:
        AdapterError: the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "adapter_model.safetensors"
    try:
        return {_current_name(key): tensor for key, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise AdapterError(
            f"The weights in {path} cannot be read: {error}. Copy the adapter again."
        ) from error


def _current_name(key: str) -> str:
    """The name of a tensor as transformers 4.52 and later have it: the decoder moved into ``model`` then."""
    for old, new in _RENAMED:
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key
