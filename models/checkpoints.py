"""Finding and checking the checkpoint folder of a model, without loading torch.

A model is named in one of three ways:

* an embedded model, such as ``nano``: a subpackage of ``docai.models`` with a ``docai.json``;
* a folder;
* ``organisation/name@revision`` on the Hugging Face hub, where the revision is a commit, tag or branch.
  Only files that are already on this machine are used unless the caller allows a download.

A folder is a standard Hugging Face PaliGemma 2 checkpoint: ``config.json``, safetensors weights, tokenizer
and image processor. In addition, ``docai.json`` lists the heads for which it has weights::

    {"name": "nano", "revision": "1",
     "heads": {"table": {"adapter": null, "max_tokens": 1024},
               "score": {"adapter": "adapters/score", "max_tokens": 512}}}

``adapter`` is a LoRA folder inside the checkpoint, or null if the head uses the base weights.
``calibration``, if fitted, is described in :mod:`docai.models.calibration`. A folder without ``docai.json``
(an official pretrained checkpoint) has no heads.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, Field, ValidationError

from docai.base import Unit
from docai.errors import AdapterError, CheckpointError, HeadNotAvailableError, UnknownModelError
from docai.models.calibration import CalibrationMap

MANIFEST = "docai.json"
# Defaults of PaliGemmaConfig.
DEFAULT_IMAGE_SIZE = 224
DEFAULT_PATCH_SIZE = 14

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_DOWNLOAD_PATTERNS = ["*.json", "*.safetensors", "tokenizer.model", "adapters/**"]


class HeadWeights(BaseModel):
    """The entry of one head in ``docai.json``."""

    adapter: str | None = Field(default=None, description="LoRA folder inside the checkpoint.")
    max_tokens: int | None = Field(
        default=None, gt=0, description="Most tokens of the answers it was trained on."
    )
    constrained: bool = Field(default=False, description="Decode with the head's grammar.")
    causal_prompt: bool = Field(
        default=False,
        description="The prompt sees only what is before it, as on servers; see docai train --causal-prompt.",
    )
    accuracy: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Measured share of its answers about real documents that are right; None: not measured. "
        "The head is not asked where other readers are likelier right.",
    )
    calibration: dict[Unit, CalibrationMap] | None = Field(
        default=None, description="Calibration maps of its confidences, by unit; see docai calibrate."
    )


class Manifest(BaseModel):
    """The content of ``docai.json``. Unknown fields are ignored, so that later versions can add some."""

    name: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    base: str | None = Field(
        default=None, description="Checkpoint that its adapters were trained on, ``name@revision``."
    )
    heads: dict[str, HeadWeights] = Field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A folder that passed the checks of :func:`open_checkpoint`."""

    folder: Path
    name: str
    revision: str
    heads: Mapping[str, HeadWeights]
    config: Mapping[str, Any]
    """The content of ``config.json``, before transformers fills in defaults."""
    has_manifest: bool

    @property
    def id(self) -> str:
        """``name@revision``, as in records."""
        return f"{self.name}@{self.revision}"

    @property
    def image_size(self) -> int:
        """Side of the crops it reads, in pixels."""
        return int(self.config["vision_config"].get("image_size", DEFAULT_IMAGE_SIZE))

    @property
    def patch_size(self) -> int:
        """Side of the patch of one image token, in pixels."""
        return int(self.config["vision_config"].get("patch_size", DEFAULT_PATCH_SIZE))

    @property
    def n_image_tokens(self) -> int:
        """Number of image tokens of one crop."""
        return (self.image_size // self.patch_size) ** 2

    def require_head(self, head: str) -> HeadWeights:
        """The head's entry. Raises :class:`HeadNotAvailableError` with the command that trains the head."""
        try:
            return self.heads[head]
        except KeyError:
            raise head_not_available(head, self.heads, self.id, self.base) from None

    @property
    def base(self) -> str:
        """What ``docai train --base`` takes to train more heads on it."""
        return str(self.folder)


def head_not_available(
    head: str, heads: Mapping[str, Any], model: str, base: str | None
) -> HeadNotAvailableError:
    """The error for a head without weights.

    Args:
        head: name of the head.
        heads: names of the heads that the model has.
        model: id of the model.
        base: the model as the training command takes it, a name or folder; None: it takes none.
    """
    has = ", ".join(heads) or "none"
    on_it = "" if base is None else f" --base {base} -o DIR"
    return HeadNotAvailableError(
        f"The model {model} has no weights for the head {head!r} (it has: {has}). "
        f"Train them with `docai train {head}{on_it}`, or choose another model."
    )


def embedded_models() -> dict[str, Path]:
    """Name → folder of the checkpoints that are part of the package."""
    folders = Path(str(files("docai.models")))
    return {path.parent.name: path.parent for path in sorted(folders.glob(f"*/{MANIFEST}"))}


def find_checkpoint(model: str | Path, *, download: bool = False) -> Checkpoint:
    """Find a checkpoint by its name and check it.

    Args:
        model: an embedded name, a folder, or ``organisation/name@revision``.
        download: allow downloading missing files from the hub.

    Raises:
        UnknownModelError: there is no such model on this machine.
        CheckpointError: the folder is incomplete, damaged, or not a PaliGemma 2.
    """
    embedded = embedded_models()
    if str(model).lower().startswith(("http:", "https:")):
        raise UnknownModelError(
            "The model is named by the address of a server, and weights on this machine are needed here: "
            f"give an embedded model ({_join_names(embedded)}), a folder, or a hub id."
        )
    if isinstance(model, str) and model in embedded:
        return open_checkpoint(embedded[model])
    if str(model) and Path(model).is_dir():
        return open_checkpoint(Path(model))
    repository, _, revision = str(model).partition("@")
    if isinstance(model, Path) or not _HUB_ID.fullmatch(repository):
        raise UnknownModelError(
            f"There is no model {str(model)!r}: it is neither an embedded model ({_join_names(embedded)}), "
            "nor a folder, nor a hub id such as google/paligemma2-3b-pt-896@<revision>."
        )
    if not revision:
        raise UnknownModelError(
            f"The hub model {repository} needs a revision, so that records can name the exact weights: "
            f"write {repository}@<commit or tag>."
        )
    folder = _hub_folder(repository, revision, download=download)
    return open_checkpoint(folder, default_name=repository, default_revision=folder.name)


def _hub_folder(repository: str, revision: str, *, download: bool) -> Path:
    """The local snapshot of a hub repository; the name of the folder is the commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=_DOWNLOAD_PATTERNS,
                local_files_only=not download,
            )
        )
    except LocalEntryNotFoundError as error:
        remedy = (
            "The hub could not be reached; check the network."
            if download
            else "docai does not download by default: run `docai process --download`, or copy the folder."
        )
        raise UnknownModelError(
            f"The model {repository}@{revision} is not complete on this machine. {remedy} "
            f"Embedded models: {_join_names(embedded_models())}."
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise UnknownModelError(
            f"The hub refused {repository}@{revision}: {str(error).splitlines()[0]} "
            "Check the name and the revision, and that the account logged in here has accepted the license."
        ) from error


@dataclass(frozen=True)
class AdapterFolder:
    """A LoRA adapter in a folder of its own, as ``docai train`` writes it."""

    folder: Path
    weights: HeadWeights
    revision: str
    base: str | None = None
    """The checkpoint that it was trained on, as its folder states it; None: it states none."""

    def require_base(self, checkpoint: Checkpoint) -> None:
        """Raise :class:`AdapterError` where it was trained on another checkpoint.

        The base is compared by ``name@revision``, or by name where either has no revision. The path of a
        folder says nothing: the same weights may be in another folder.
        """
        if self.base is None or self.base == checkpoint.id:
            return
        name, _, revision = self.base.partition("@")
        own, _, _ = checkpoint.name.partition("@")
        is_path = not revision and not _HUB_ID.fullmatch(name)
        # Official checkpoints are known by their name, wherever they are.
        ours, theirs = own.rsplit("/", 1)[-1], name.rsplit("/", 1)[-1]
        is_known = all(one.startswith("paligemma2-") for one in (ours, theirs))
        if (is_path and not is_known) or (not revision and (ours == theirs or not is_known)):
            return
        raise AdapterError(
            f"The adapter in {self.folder} was trained on {self.base}, not on {checkpoint.id}, for which it "
            "would be wrong without a sign of it. Use the base model that it was trained on."
        )


def open_adapter(folder: Path, head: str) -> AdapterFolder:
    """The adapter of ``head`` in ``folder``: a PEFT folder, or one whose ``docai.json`` lists it.

    Raises:
        AdapterError: the folder has no adapter for the head.
        CheckpointError: ``docai.json`` is invalid.
    """
    manifest = _read_manifest(folder) if (folder / MANIFEST).is_file() else None
    weights = manifest.heads.get(head, HeadWeights()) if manifest else HeadWeights()
    adapter_folder = folder / (weights.adapter or ".")
    files_needed = (adapter_folder / "adapter_config.json", adapter_folder / "adapter_model.safetensors")
    for path in files_needed:
        if not path.is_file():
            raise AdapterError(
                f"The folder {folder} has no adapter for the head {head!r}: {path.name} is missing; "
                "use a folder that `docai train` wrote."
            )
    revision = manifest.revision if manifest else _fingerprint(files_needed[0], [files_needed[1]])
    base = manifest.base if manifest else None
    if base is None:
        # PEFT's own word for it: a hub id, or the path of a folder.
        try:
            stated = _read_json(files_needed[0]).get("base_model_name_or_path")
        except CheckpointError as error:
            raise AdapterError(f"{error} Copy the adapter again.") from error
        base = stated if isinstance(stated, str) and stated else None
    return AdapterFolder(adapter_folder, weights, revision, base)


def open_checkpoint(
    folder: Path, *, default_name: str | None = None, default_revision: str | None = None
) -> Checkpoint:
    """Read and check the checkpoint in ``folder``.

    Args:
        folder: the folder with the files. default_name: name for records if there is no ``docai.json``; None
        is the folder's name. default_revision: revision in the same case; None is a hash of the configuration
        and the weight headers.

    Raises:
        CheckpointError: as for :func:`find_checkpoint`.
    """
    config = _read_json(folder / "config.json")
    _check_config(config, folder)
    weights = _weight_files(folder)
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer.model").is_file():
        _reject(folder, "it has neither tokenizer.json nor tokenizer.model")
    if not any((folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
        _reject(folder, "it has neither preprocessor_config.json nor processor_config.json")

    has_manifest = (folder / MANIFEST).is_file()
    if has_manifest:
        manifest = _read_manifest(folder)
    else:
        manifest = Manifest(
            name=default_name or folder.resolve().name,
            revision=default_revision or _fingerprint(folder / "config.json", weights),
        )
    for head, entry in manifest.heads.items():
        if entry.adapter is not None and not (folder / entry.adapter / "adapter_config.json").is_file():
            _reject(folder, f"the adapter {entry.adapter!r} of the head {head!r} is missing")
    return Checkpoint(folder, manifest.name, manifest.revision, manifest.heads, config, has_manifest)


def _check_config(config: Mapping[str, Any], folder: Path) -> None:
    """Reject what is not PaliGemma 2, which has a Gemma 2 decoder (version 1: Gemma) and a SigLIP tower."""
    model_type = config.get("model_type")
    text, vision = config.get("text_config"), config.get("vision_config")
    if model_type != "paligemma" or not isinstance(text, dict) or not isinstance(vision, dict):
        _reject(folder, f"it is not a PaliGemma 2 (model_type is {model_type!r}, expected 'paligemma')")
    if text.get("model_type") != "gemma2":
        decoder = text.get("model_type", "gemma")
        _reject(folder, f"it is not a PaliGemma 2 (its decoder is {decoder!r}, expected 'gemma2')")
    if vision.get("model_type", "siglip_vision_model") != "siglip_vision_model":
        _reject(folder, f"it is not a PaliGemma 2 (its image tower is {vision['model_type']!r})")
    width = text.get("hidden_size", 2304)
    projected = config.get("projection_dim", vision.get("projection_dim", width))
    if projected != width:
        _reject(folder, f"its image tokens have {projected} dimensions, but its decoder {width}")
    size, patch = vision.get("image_size", DEFAULT_IMAGE_SIZE), vision.get("patch_size", DEFAULT_PATCH_SIZE)
    if size % patch:
        _reject(folder, f"its image size of {size} px is not a multiple of its patch size of {patch} px")


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = _read_json(index).get("weight_map", {})
        paths = [folder / name for name in sorted(set(shards.values()))]
    else:
        paths = [folder / "model.safetensors"]
    missing = [path.name for path in paths if not path.is_file()]
    if missing or not paths:
        _reject(folder, f"its weights are missing: {', '.join(missing) or index.name}")
    return paths


def _fingerprint(config: Path, weights: list[Path]) -> str:
    """A hash of configuration, tensor tables and file sizes: identifies the weights without reading them."""
    digest = hashlib.sha256(config.read_bytes())
    for path in weights:
        with path.open("rb") as file:
            head = file.read(8)
            digest.update(head + file.read(min(int.from_bytes(head, "little"), 1 << 24)))
            digest.update(file.read(1 << 16))
        digest.update(str(path.stat().st_size).encode())
    return digest.hexdigest()[:12]


def _read_manifest(folder: Path) -> Manifest:
    try:
        return Manifest.model_validate(_read_json(folder / MANIFEST))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(
            f"The {MANIFEST} in {folder} is invalid: {where}: {first['msg']}. Correct that field."
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(_unusable_folder(path.parent, f"{path.name} is missing")) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            _unusable_folder(path.parent, f"{path.name} cannot be read: {error}")
        ) from error
    if not isinstance(content, dict):
        _reject(path.parent, f"{path.name} is not a JSON object")
    return content


def _unusable_folder(folder: Path, problem: str) -> str:
    return (
        f"The folder {folder} is not a usable checkpoint: {problem}. "
        "Use the folder of a complete PaliGemma 2 checkpoint with safetensors weights."
    )


def _reject(folder: Path, problem: str) -> NoReturn:
    raise CheckpointError(_unusable_folder(folder, problem))


def _join_names(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "none here"
