"""A model by its name: weights that run here, or a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docai.errors import SettingError
from docai.models.checkpoints import find_checkpoint, open_adapter
from docai.models.client_address import is_server, parse_servers
from docai.models.engine import Engine
from docai.models.heads import get_head
from docai.options import ModelOptions


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


def describe_model(
    model: str | Path, *, options: ModelOptions | None = None, download: bool = False
) -> Description:
    """A model as its files or its address describe it. No server is asked.

    Args:
        model: as for :func:`load_engine`.
        options: how it is run; None: the defaults.
        download: allow downloading missing files from the hub.

    Raises:
        UnknownModelError, CheckpointError: see :func:`docai.models.checkpoints.find_checkpoint`.
        AdapterError, UnknownHeadError: an adapter cannot be used with it.
        SettingError, UnknownHeadError: see :func:`docai.models.client_address.parse_servers`.
    """
    options = options or ModelOptions()
    if is_server(model):
        _check_server(model, options)
        servers = parse_servers(str(model))
        return Description(servers.name, servers.heads())
    checkpoint = find_checkpoint(model, download=download)
    heads = {head: weights.accuracy for head, weights in checkpoint.heads.items()}
    for head, folder in options.adapters.items():
        adapter = open_adapter(Path(folder), get_head(head).name)
        adapter.require_base(checkpoint)
        heads[head] = adapter.weights.accuracy
    return Description(checkpoint.id, heads, checkpoint.image_size, checkpoint.base)


def load_engine(
    model: str | Path,
    *,
    device: str = "auto",
    options: ModelOptions | None = None,
    download: bool = False,
) -> Engine:
    """The engine of a model.

    Args:
        model: an embedded name, a folder, ``organisation/name@revision``, or ``http://HOST:PORT#NAME``.
        device: where it runs; a server has its own.
        options: how it is run; None: the defaults.
        download: allow downloading missing files from the hub.

    Raises:
        UnknownModelError, CheckpointError, AdapterError, DeviceError: the model cannot be loaded.
        ServerError, SettingError, UnknownHeadError: the server, or an option, cannot be used.
    """
    options = options or ModelOptions()
    if is_server(model):
        _check_server(model, options)
        from docai.models.client import ServerEngine

        engine = ServerEngine(str(model))
        engine.connect()
        return engine
    from docai.models.paligemma import PaliGemmaEngine

    return PaliGemmaEngine.load(
        model,
        device=device,
        dtype=None if options.dtype == "auto" else options.dtype,
        batch_size=options.batch,
        adapters={get_head(head).name: folder for head, folder in options.adapters.items()},
        quantization=None if options.quantization == "none" else options.quantization,
        download=download,
    )


def _check_server(model: str | Path, options: ModelOptions) -> None:
    """Raise :class:`SettingError` for what only a model that runs here can be told."""
    if changed := options.changed():
        raise SettingError(
            f"The model is on a server, {model}, which is told its {changed[0]} where it is started: leave "
            f"{' and '.join(changed)} out."
        )
