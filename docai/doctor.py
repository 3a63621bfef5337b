"""What this installation can do: versions, device, memory, heads and their weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docai.environment import memory, versions
from docai.errors import DocaiError
from docai.options import ModelOptions

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "pymupdf",
    "opencv-python-headless",
    "rdkit",
    "music21",
    "pillow",
    "numpy",
    "pydantic",
)


@dataclass(frozen=True)
class ModelReport:
    """One model, as ``docai.json`` of its folder describes it."""

    name: str
    checkpoint: str | None
    """``name@revision``; None where it cannot be opened."""
    heads: Mapping[str, str | None]
    """Head → where its weights are (``base`` or the adapter's folder); None: it has none."""
    folder: Path | None = None
    n_bytes: int = 0
    problem: str | None = None
    """Why it cannot be opened, in one sentence."""


@dataclass(frozen=True)
class SecondReaderReport:
    """A second reader beside the model. None of them is required."""

    name: str
    head: str
    """The head whose regions it reads, too."""
    problem: str | None
    """Why it cannot be used here, in one sentence."""


@dataclass(frozen=True)
class ReadBackReport:
    """What renders the records of a head for comparison with their crops. None of it is required."""

    head: str
    renderer: str
    problem: str | None
    """Why it cannot be used here, in one sentence: records of the head are not read back."""


@dataclass(frozen=True)
class Diagnosis:
    """All that ``docai doctor`` shows, apart from the settings."""

    versions: Mapping[str, str | None]
    """Distribution → installed version; None: not installed."""
    device: str | None
    """What the wanted device is; None where it cannot be used."""
    device_problem: str | None
    devices: tuple[str, ...]
    """Every device of this machine, with its memory."""
    memory_total: int | None
    """Bytes; None where the system does not say."""
    memory_available: int | None
    models: tuple[ModelReport, ...]
    """The configured model first, then the other embedded ones."""
    second_readers: tuple[SecondReaderReport, ...] = ()
    readback: tuple[ReadBackReport, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """The configured device and model can be used."""
        return (
            self.device_problem is None
            and self.models[0].problem is None
            and None not in self.versions.values()
        )


def diagnose(model: str = "nano", device: str = "auto", options: ModelOptions | None = None) -> Diagnosis:
    """Look at this machine and at ``model`` as it is to be run by ``options``.

    Loads torch, and no weights; never goes to the network.
    """
    from docai.models.checkpoints import embedded_models

    chosen, problem, devices = _devices(device)
    total, available = memory()
    names = [model, *(name for name in embedded_models() if name != model)]
    return Diagnosis(
        versions=versions(PACKAGES),
        device=chosen,
        device_problem=problem,
        devices=devices,
        memory_total=total,
        memory_available=available,
        models=(_model(model, options), *(_model(name) for name in names[1:])),
        second_readers=_second_readers(),
        readback=_readback(),
    )


def _devices(wanted: str) -> tuple[str | None, str | None, tuple[str, ...]]:
    import torch

    from docai.models.loading import choose_device

    devices = [f"cpu: {os.cpu_count()} cores, {torch.get_num_threads()} threads used"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(f"cuda:{index}: {properties.name}, {gigabytes(properties.total_memory)}")
    try:
        return str(choose_device(wanted)), None, tuple(devices)
    except DocaiError as error:
        return None, str(error), tuple(devices)


def _second_readers() -> tuple[SecondReaderReport, ...]:
    from docai.pipelines.evidence.readers import known_readers
    from docai.pipelines.external import ppocr

    # What is installed may not load all the same.
    unloadable = None if ppocr.missing() else ppocr.load_problem()
    return tuple(
        SecondReaderReport(
            reader.name,
            kind,
            reader.available() or (unloadable if reader.name in ("ppocr", "slanet") else None),
        )
        for reader in known_readers()
        for kind in sorted(reader.kinds or ())
    )


def _readback() -> tuple[ReadBackReport, ...]:
    from docai.pipelines.readback.compare import COMPARISONS, missing_renderer

    return tuple(
        ReadBackReport(kind, comparison.renderer, missing_renderer(kind))
        for kind, comparison in COMPARISONS.items()
    )


def _model(name: str, options: ModelOptions | None = None) -> ModelReport:
    from docai.models.checkpoints import find_checkpoint
    from docai.models.client_address import is_server, parse_servers
    from docai.models.heads import HEADS
    from docai.models.selection import describe_model

    adapters = {} if options is None else options.adapters
    try:
        describe_model(name, options=options)
        if is_server(name):
            servers = parse_servers(name)
            return ModelReport(name, servers.name, {head: servers.model_of(head) for head in HEADS})
        checkpoint = find_checkpoint(name)
    except DocaiError as error:
        return ModelReport(name, None, dict.fromkeys(HEADS), problem=str(error))
    in_checkpoint = {
        head: weights.adapter or "base" for head, weights in checkpoint.heads.items() if head in HEADS
    }
    return ModelReport(
        name,
        checkpoint.id,
        dict.fromkeys(HEADS) | in_checkpoint | {head: str(folder) for head, folder in adapters.items()},
        checkpoint.folder,
        sum(path.stat().st_size for path in checkpoint.folder.rglob("*.safetensors")),
    )


def gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
