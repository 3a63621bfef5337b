"""A run that goes on: what it was begun with is in its folder, and is not asked for again."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from docai.errors import RunFolderError, SettingError
from docai.files import expand_home
from docai.pipelines.batch.folder import has_manifest, is_run_folder, no_run, settings_of


def run_named(inputs: list[str] | None, out: str | None) -> tuple[list[str] | None, str | None]:
    """Inputs and folder of a run that goes on: ``--resume RUN`` names the folder in the place of an input.

    Raises:
        RunFolderError: none of what is named is a run.
        SettingError: nothing is named, or several runs are.
    """
    if out is not None:
        if not inputs and not is_run_folder(expand_home(out)):
            raise no_run(expand_home(out))
        return inputs, out
    # A run is never an input of another, so that the one among the inputs is the one to go on with.
    runs = [name for name in inputs or [] if is_run_folder(expand_home(name))]
    if inputs and not runs:
        if lost := [name for name in inputs if has_manifest(expand_home(name))]:
            raise no_run(expand_home(lost[0]))
        raise RunFolderError(
            f"There is no run in {', '.join(inputs)}: check the path. A run is named with -o beside its "
            f"inputs: docai batch {shlex.join(inputs)} --resume -o RUN."
        )
    if not inputs or len(runs) != 1:
        raise SettingError(
            "Say which run is to go on: docai batch --resume RUN, or with inputs docai batch IN --resume "
            "-o RUN."
        )
    return [name for name in inputs if name != runs[0]] or None, runs[0]


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
