"""``docai process``: read documents and write what was found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli import options, outputs
from docai.cli.console import EXIT_CODES, INTERRUPTED, keep_output_clean, people
from docai.cli.runner import plan_jobs, run_jobs
from docai.errors import SettingError

if TYPE_CHECKING:
    from docai.api import Pipeline
    from docai.settings import Settings

_PART = r"\s*(\d+|\d+\s*-\s*\d*|-\s*\d+)\s*"
_PAGES = re.compile(f"{_PART}(,{_PART})*")


def register(app: typer.Typer) -> None:
    app.command("process", epilog=EXIT_CODES)(process)


def process(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN…", help="PDF or image files.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            help="A file for one input (its extension is the format), or a folder.",
        ),
    ] = None,
    pages: Annotated[
        str | None, typer.Option(metavar="RANGES", help="Pages, from 1: `1-3,7`. Default: all.")
    ] = None,
    heads: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these heads: `table,molecule`. Default: all.")
    ] = None,
    model: options.Model = None,
    device: options.Device = None,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens encrypted PDFs.")] = None,
    text_layer: options.TextLayer = None,
    witnesses: options.Witnesses = None,
    readback: options.ReadBack = None,
    download: options.Download = None,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="-", help="`--json -` writes JSON to standard output; several inputs: one per line."
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pages as PNG with regions, heads and confidences drawn."),
    ] = None,
) -> None:
    """Read documents into typed records: tables, molecules, scores, text and figures.

    Settings come from the flag, then DOCAI_… in the environment, then docai.toml, then the default.
    `docai doctor` shows each with its origin.
    """
    from docai.settings import load_settings

    if json not in (None, "-"):
        raise SettingError(f"--json takes only `-`, standard output; for a file use `-o {json}`.")
    if out is None and json is None:
        raise SettingError("Say where the result goes: `-o out.json`, `-o FOLDER`, or `--json -`.")
    if pages is not None and not _PAGES.fullmatch(pages):
        raise SettingError(f"--pages cannot be {pages!r}; write it like `1-3,7` or `5-`.")
    given = {
        "model": model,
        "device": device,
        "text_layer": text_layer,
        "witnesses": witnesses,
        "readback": readback,
        "download": download,
    }
    settings = load_settings(given, as_flags=True).values
    wanted = [name.strip() for name in heads.split(",") if name.strip()] if heads is not None else None
    keep_output_clean()
    files = outputs.unique_inputs(inputs)
    jobs = plan_jobs(files, out, overlay)
    try:
        code = run_jobs(
            make_pipeline(settings, wanted),
            jobs,
            pages=pages,
            password=password,
            limits=settings.limits,
            to_stdout=json is not None,
        )
    except KeyboardInterrupt:
        people().print("Interrupted; what was finished is written.")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code)


def make_pipeline(settings: Settings, heads: list[str] | None) -> Pipeline:
    """The pipeline that reads all inputs, its model loaded once."""
    from docai.api import Pipeline

    if settings.download:
        from docai.models.checkpoints import find_checkpoint

        find_checkpoint(settings.model, download=True)
    return Pipeline(
        model=settings.model,
        device=settings.device,
        heads=heads,
        text_layer=settings.text_layer,
        witnesses=settings.witnesses,
        readback=settings.readback,
        limits=settings.limits,
    )
