"""A base and the adapter of one head merged into a checkpoint without adapters, as model servers load them.

    DIR/config.json         full attention in every decoder layer and the soft caps stated, for engines that
                            do not know what docai knows (see :mod:`docai.models.guards`)
    DIR/*.safetensors       the merged weights, in the number format of the base
    DIR/docai.json          the head's entry, the base, and the adapter with its revision
    DIR/…                   tokenizer and image processor of the base

The adapter is added in float32 and the sum rounded once. Other heads of the base are not in DIR: its weights
are not theirs any more.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from docai.errors import AdapterError, CheckpointError, SettingError
from docai.models.adapters import load_adapters
from docai.models.checkpoints import (
    MANIFEST,
    AdapterFolder,
    Checkpoint,
    find_checkpoint,
    open_adapter,
    open_checkpoint,
)
from docai.models.guards import text_config
from docai.models.heads import HEADS, get_head
from docai.models.loading import load_base, load_processor
from docai.pipelines.training.run_folder import (
    copy_processor,
    explaining_write_errors,
    hash_files,
    write_json,
)

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration

_SHARD_BYTES: Final = "5GB"
"""As Google's checkpoints."""

_HEADER_BYTES: Final = 1 << 24

_SAMPLE_BYTES: Final = 1 << 16
"""Of the end of a file of weights, by which two are compared."""

_OFFICIAL_NAMES: Final = (
    ("model.language_model.", "language_model.model."),
    ("model.vision_tower.vision_model.", "vision_tower.vision_model."),
    ("model.vision_tower.", "vision_tower.vision_model."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
)
"""Beginnings of names in transformers' model, and in Google's files."""

_CONFIG: Final = "config.json"


@dataclass(frozen=True)
class Merged:
    """A merged checkpoint that was written."""

    folder: Path
    id: str
    """``name@revision``, as in records."""
    head: str


def merge_adapter(
    base: str | Path,
    adapter: Path,
    folder: Path,
    *,
    head: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Merged:
    """Merge the adapter of a head into its base, and write the checkpoint to ``folder``.

    Args:
        base: an embedded name, a folder, or a hub id whose files are on this machine.
        adapter: a run folder of ``docai train``, or a PEFT folder.
        folder: is made; where anything fails there is none.
        head: whose adapter it is; None where the folder has one head and says so.
        report: gets lines of progress, for people.

    Raises:
        SettingError: ``folder`` exists or cannot be written, or it is not clear which head is meant.
        UnknownHeadError: there is no such head.
        UnknownModelError, CheckpointError: the base is not on this machine, not a PaliGemma 2, or quantized.
        AdapterError: the adapter is missing, damaged, does nothing, or was trained on another base.
    """
    if folder.exists() or folder.is_symlink():
        raise SettingError(f"The folder {folder} exists already; give one that does not.")
    name = _head_of(adapter, head)
    source = find_checkpoint(base)
    if "quantization_config" in source.config:
        raise CheckpointError(
            f"The base {source.id} is quantized, and an adapter can be merged into whole weights only: give "
            "the base in bfloat16 or float32."
        )
    opened = open_adapter(adapter, name)
    _require_its_base(source, adapter, opened)
    # What the adapter was trained with, the soft caps above all, is in the configuration beside it.
    trained_with = _json(adapter / _CONFIG) if (adapter / _CONFIG).is_file() else source.config
    report(f"merging {name} ({opened.revision}) into {source.id}")
    model = load_base(replace(source, config=trained_with), torch.float32, "eager")
    merged = _merge(model, opened, name)
    merged.to(_stored_dtype(source))  # type: ignore[arg-type]
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        with explaining_write_errors(folder, folder.parent):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _write(merged, source, partial)
            manifest = _manifest(source, opened, name, partial)
            write_json(partial / MANIFEST, manifest)
            load_processor(open_checkpoint(partial))
            partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Merged(folder, open_checkpoint(folder).id, name)


def _head_of(adapter: Path, wanted: str | None) -> str:
    """The head whose adapter is meant."""
    if wanted is not None:
        get_head(wanted)
    if not adapter.is_dir():
        raise AdapterError(f"There is no folder {adapter}; give a run folder of `docai train`.")
    manifest = _json(adapter / MANIFEST) if (adapter / MANIFEST).is_file() else {}
    entries = manifest.get("heads")
    entries = entries if isinstance(entries, dict) else {}
    heads = [name for name, entry in entries.items() if isinstance(entry, dict) and entry.get("adapter")]
    if wanted is not None:
        return wanted
    if len(heads) == 1:
        return get_head(heads[0]).name
    has = f"has adapters of {', '.join(heads)}" if heads else "does not say which head its adapter is of"
    raise SettingError(f"The folder {adapter} {has}: name one with --head ({', '.join(HEADS)}).")


def _require_its_base(base: Checkpoint, adapter: Path, opened: AdapterFolder) -> None:
    """Raise :class:`AdapterError` where anything says that the adapter was trained on another base.

    Shapes are compared when it is loaded: those of two bases of one size are equal.
    """
    own = _weights_of(adapter)
    if own is not None:
        if own != _weights_of(base.folder):
            raise AdapterError(
                f"The adapter in {adapter} was trained on other weights than those of {base.id}: its base "
                "is in its folder, so give that folder as the base."
            )
        return
    opened.require_base(base)


def _weights_of(folder: Path) -> str | None:
    """A hash of tensor tables, sizes and ends of the weights in a folder; None where there are none."""
    paths = sorted(folder.glob("model*.safetensors"))
    if not paths:
        return None
    digest = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = file.read(8)
            digest.update(length + file.read(min(int.from_bytes(length, "little"), _HEADER_BYTES)))
            file.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(file.read() + str(size).encode())
    return digest.hexdigest()


def _merge(
    model: PaliGemmaForConditionalGeneration, adapter: AdapterFolder, head: str
) -> PaliGemmaForConditionalGeneration:
    peft_model = load_adapters(model, {head: adapter.folder})
    try:
        merged: PaliGemmaForConditionalGeneration = peft_model.merge_and_unload(
            safe_merge=True, adapter_names=[head]
        )
    except ValueError as error:
        raise AdapterError(
            f"The adapter in {adapter.folder} cannot be merged: {str(error).splitlines()[0]} Train it again."
        ) from error
    return merged


def _stored_dtype(base: Checkpoint) -> torch.dtype:
    """bfloat16 where the base's weights are; float32 holds any other format exactly."""
    from safetensors import safe_open

    first = sorted(base.folder.glob("model*.safetensors"))[0]
    with safe_open(str(first), framework="pt") as file:
        name = min(file.keys())
        dtype: str = file.get_slice(name).get_dtype()
    return torch.bfloat16 if dtype == "BF16" else torch.float32


def _write(model: PaliGemmaForConditionalGeneration, base: Checkpoint, folder: Path) -> None:
    from huggingface_hub import save_torch_state_dict

    weights = {_official_name(name): tensor for name, tensor in model.state_dict().items()}
    # The output layer is the embedding again (tie_word_embeddings), and Google's files have it once.
    weights.pop("lm_head.weight", None)
    save_torch_state_dict(weights, folder, max_shard_size=_SHARD_BYTES, metadata={"format": "pt"})
    copy_processor(base.folder, folder)
    config = copy.deepcopy(dict(base.config))
    decoder = text_config(model.config)
    # Not left to defaults, which differ between engines.
    for field in ("layer_types", "sliding_window", "attn_logit_softcapping", "final_logit_softcapping"):
        config["text_config"][field] = getattr(decoder, field)
    write_json(folder / _CONFIG, config)


def _official_name(name: str) -> str:
    """The name of a tensor in Google's checkpoints, which other engines know best.

    transformers 5 has other names in memory and writes a third kind.
    """
    for own, official in _OFFICIAL_NAMES:
        if name.startswith(own):
            return official + name.removeprefix(own)
    return name


def _manifest(base: Checkpoint, adapter: AdapterFolder, head: str, folder: Path) -> dict[str, Any]:
    entry = adapter.weights.model_dump(exclude_none=True, exclude_defaults=True) | {"adapter": None}
    return {
        "name": f"{base.name}-{head}-merged",
        "revision": hash_files(sorted(folder.glob("*.safetensors"))),
        "base": base.id,
        "merged": {"head": head, "adapter": adapter.revision},
        "heads": {head: entry},
    }


def _json(path: Path) -> Mapping[str, Any]:
    """Raises :class:`AdapterError` where the file is no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(f"The file {path} cannot be read: {error}. Copy the folder again.") from error
    if not isinstance(content, dict):
        raise AdapterError(f"The file {path} is not a JSON object. Copy the folder again.")
    return content
