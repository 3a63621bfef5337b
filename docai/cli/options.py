"""Options that several commands take, in one wording; their defaults are those of the settings."""

from __future__ import annotations

from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Embedded name, folder, or hub id@revision. Default: nano."),
]
Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1. Default: auto.")]
TextLayer = Annotated[
    str | None,
    typer.Option(
        metavar="USE",
        help="Use of the PDF's own words: prefer, verify (by the model) or ignore. Default: prefer.",
    ),
]
Witnesses = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Ask second readers that are installed (OSRA, Tesseract), or none. Default: auto.",
    ),
]
ReadBack = Annotated[
    str | None,
    typer.Option(
        metavar="auto|off",
        help="Draw each record again, compare it with the page and say how alike they are. Default: auto.",
    ),
]
Download = Annotated[
    bool | None,
    typer.Option("--download/--offline", help="Fetch weights that are not here. Default: offline."),
]
