"""``docai harvest``: pairs from a person's own born-digital PDFs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.base import counted
from docai.cli.common import (
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    keep_output_clean,
    make_folder,
    show_error,
    stderr_console,
)
from docai.cli.inputs import find_inputs
from docai.errors import needs

if TYPE_CHECKING:
    from rich.console import Console

    from docai.pipelines.harvest import HarvestedSource


def register(app: typer.Typer) -> None:
    app.command("harvest", epilog=EXIT_CODES)(harvest)


def harvest(
    pdfs: Annotated[
        list[str],
        typer.Argument(metavar="PDF…", help="Born-digital PDFs, folders of them, or quoted patterns."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Folder for the pairs, with one for each head in it."
        ),
    ],
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="HEAD", help="table, molecule, score or text; can be repeated. Default: all."),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(metavar="P", min=0.0, max=1.0, help="Leave out what is less sure.")
    ] = 0.9,
    scans: Annotated[
        bool, typer.Option("--scans/--no-scans", help="Write each pair a second time, as a scan shows it.")
    ] = False,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Also the subfolders of folders.")
    ] = False,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens encrypted PDFs.")] = None,
) -> None:
    """Take the pairs of 896 px crop and target that are certain from your own born-digital PDFs.

    Molecules and scores come from what the page draws, tables and texts from the PDF's own words; no model is
    asked. What has issues, is less sure, or, drawn again, does not match its picture, is left out, as is a
    drawing that is in the folder already. `docai train HEAD --data DIR/HEAD` reads the pairs. The same
    command goes on where it was stopped.
    """
    keep_output_clean()
    console = stderr_console()
    inputs = find_inputs(pdfs, recursive=recursive)
    for error in inputs.errors:
        show_error(error, console=console)
    with needs("docai[synth]", "docai harvest"):
        from docai.pipelines.harvest import HEADS, Certainty, Harvest
        from docai.pipelines.harvest import harvest as harvest_documents

        how = Harvest(
            make_folder(out),
            tuple(dict.fromkeys(head)) if head else HEADS,
            Certainty(min_confidence),
            with_scans=scans,
            password=password,
        )
        done: list[HarvestedSource] = []
        try:
            for source in harvest_documents([document.path for document in inputs.documents], how):
                done.append(source)
                _print_source(source, console)
        except KeyboardInterrupt:
            verb = "is" if len(done) == 1 else "are"
            console.print(
                f"Interrupted; {counted(len(done), 'document')} {verb} finished. The same command goes on.",
                markup=False,
                soft_wrap=True,
            )
            raise typer.Exit(INTERRUPTED) from None
    _print_total(done, out, console)
    if inputs.errors or any(source.error for source in done):
        raise typer.Exit(FAILED)


def _print_source(source: HarvestedSource, console: Console) -> None:
    if source.error:
        text = f"Not read: {source.error}"
    elif source.was_finished:
        text = f"{source.path.name}: harvested before"
    else:
        n_left_out = sum(source.left_out.values())
        text = f"{source.path.name}: {_pairs(source.pairs)}, {counted(n_left_out, 'region')} left out"
        if source.n_failed_pages:
            text += f", {counted(source.n_failed_pages, 'page')} not read"
    console.print(text, markup=False, soft_wrap=True)


def _pairs(pairs: Counter[str]) -> str:
    if not pairs:
        return "no pairs"
    return ", ".join(f"{counted(count, f'{head} pair')}" for head, count in sorted(pairs.items()))


def _print_total(done: list[HarvestedSource], out: Path, console: Console) -> None:
    """What came of all documents, and why regions were left out."""
    from docai.pipelines.harvest import REASONS

    pairs = sum((source.pairs for source in done), Counter[str]())
    left_out = sum((source.left_out for source in done), Counter[tuple[str, str]]())
    lines = [f"{_pairs(pairs)} in {out}"]
    for (head, reason), count in sorted(left_out.items(), key=lambda entry: (entry[0][0], -entry[1])):
        lines.append(f"  {head}: {count} left out, {REASONS.get(reason, reason)}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
