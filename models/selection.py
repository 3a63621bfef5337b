"""A model by its name: weights that run here, or a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docai.models.checkpoints import find_checkpoint
from docai.models.client_address import is_server, parse_servers
from docai.models.engine import Engine


@dataclass(frozen=True)
class Description:
    """What is known of a model that is not loaded."""

    name: str
    heads: Mapping[str, float | None]
    """For which it has weights, each with its measured accuracy."""
    side: int | None = None
    """Of the crops that it reads, pixels; None: that of each head."""
    base: str | None = None
    """What ``docai train --base`` takes to train more heads on it; None: nothing."""


def describe_model(model: str | Path, *, download: bool = False) -> Description:
    """A model as its files or its address describe it. No server is asked.

    Args:
        model: as for :func:`load_engine`.
        download: allow downloading missing files from the hub.

    Raises:
        UnknownModelError, CheckpointError: see :func:`docai.models.checkpoints.find_checkpoint`.
        SettingError, UnknownHeadError: see :func:`docai.models.client_address.parse_servers`.
    """
    if is_server(model):
        servers = parse_servers(str(model))
        return Description(servers.name, servers.heads())
    checkpoint = find_checkpoint(model, download=download)
    heads = {head: weights.accuracy for head, weights in checkpoint.heads.items()}
    return Description(checkpoint.id, heads, checkpoint.image_size, checkpoint.base)


def load_engine(model: str | Path, *, device: str = "auto", download: bool = False) -> Engine:
    """The engine of a model.

    Args:
        model: an embedded name, a folder, ``organisation/name@revision``, or ``http://HOST:PORT#NAME``.
        device: where it runs; a server has its own.
        download: allow downloading missing files from the hub.

    Raises:
        UnknownModelError, CheckpointError, AdapterError, DeviceError: the model cannot be loaded.
        ServerError, SettingError, UnknownHeadError: the server cannot be used.
    """
    if is_server(model):
        from docai.models.client import ServerEngine

        engine = ServerEngine(str(model))
        engine.connect()
        return engine
    from docai.models.paligemma import PaliGemmaEngine

    return PaliGemmaEngine.load(model, device=device, download=download)
