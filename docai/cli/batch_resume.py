"""A run that goes on: what it was begun with is in its folder, and is not asked for again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from docai.files import expand_home
from docai.pipelines.batch.folder import is_run_folder, settings_of


def run_named(inputs: list[str] | None, out: str | None) -> tuple[list[str] | None, str | None]:
    """Inputs and folder of a run that goes on: ``--resume RUN`` names the folder in the place of an input."""
    if out is None and inputs is not None and len(inputs) == 1 and is_run_folder(expand_home(inputs[0])):
        return None, inputs[0]
    return inputs, out


@dataclass(frozen=True)
class Begun:
    """What the command line said when a run was begun; of a new one nothing.

    Attributes:
        settings: by the names of :class:`docai.settings.Settings`.
        heads, formats, workers: None: nothing was said.
        cluster: arguments of :class:`docai.RayCluster`; None: it was read on one machine.
    """

    settings: Mapping[str, Any]
    heads: Collection[str] | None = None
    formats: Collection[str] | None = None
    workers: int | None = None
    cluster: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Of the run in a folder."""
        known = settings_of(folder)
        begun = None if known is None else known.get("begun")
        if known is None or begun is None:
            return cls({})
        from docai.settings import Settings

        values: dict[str, Any] = known["settings"]
        limits = {name: "none" if value is None else value for name, value in values["limits"].items()}
        said = {**values, **limits, **begun}
        return cls(
            settings={name: said[name] for name in Settings.model_fields if name in said},
            heads=values["heads"],
            formats=[f".{name}" for name in values["formats"]],
            workers=begun["workers"],
            cluster=begun["cluster"],
        )

    def under(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, with what is given now over them."""
        return {**self.settings, **{name: value for name, value in given.items() if value is not None}}

    def on(self, engine: str | None) -> tuple[str, Mapping[str, Any]]:
        """Where it goes on: the engine, and what it was told of its cluster."""
        if engine is None:
            engine = "local" if self.cluster is None else "ray"
        return engine, (self.cluster or {}) if engine == "ray" else {}
