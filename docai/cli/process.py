"""``docai process``: read documents and write what was found."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli import common
from docai.cli.common import (
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    ISSUES,
    keep_output_clean,
    show_error,
    stderr_console,
)
from docai.cli.exporting import described, formats_of, write_targets
from docai.cli.inputs import Inputs, find_inputs
from docai.cli.outputs import Job, check_outputs, plan_jobs
from docai.cli.reading import OverlayWorker, read_here, read_in_workers
from docai.cli.summary import missing_readers, print_hints, print_line, print_records
from docai.errors import SETUP_ERRORS, DocaiError, SettingError
from docai.exports import ExportOptions
from docai.page_ranges import page_ranges

if TYPE_CHECKING:
    from docai.document import Document
    from docai.settings import Settings


def finish_jobs(
    readings: Iterable[tuple[Job, Document | Exception]],
    n_jobs: int,
    *,
    draw: Callable[[Document, Job], None],
    to_stdout: bool,
    options: ExportOptions | None = None,
    overwrite: bool = False,
    n_missing: int = 0,
) -> int:
    """Write the results of every input; one that fails does not stop the others.

    Args:
        readings: each input with what was read of it, or why it was not.
        draw: makes the overlay pictures of a document.
        options: of exports; the source of each is added.
        overwrite: replace files beside a result, too.
        n_missing: inputs beside the jobs that are not there.

    Returns:
        The exit code: 0, ``FAILED`` or ``ISSUES``.

    Raises:
        ConfigurationError, CheckpointError, AdapterError: the fault is not the input's, and all would fail.
    """
    console = stderr_console()
    n_inputs = n_jobs + n_missing
    n_failed, n_flawed = n_missing, 0
    hints: dict[str, None] = {}
    for job, document in readings:
        try:
            if isinstance(document, Exception):
                raise document
            source = job.source.path if job.source.data is None else job.source.data
            given = replace(options or ExportOptions(), source=source)
            written, errors = write_targets(
                document, job.targets, given, console, overwrite=overwrite, is_named=job.is_named
            )
            if to_stdout:
                _write_stdout(document, one_line=n_jobs > 1)
            if job.overlay:
                draw(document, job)
        except SETUP_ERRORS:
            raise
        except BrokenPipeError:
            # Whoever read standard output has what it wants, as `head` does.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            console.print("Standard output was closed; nothing more is read.")
            return FAILED
        except (DocaiError, OSError) as error:
            n_failed += 1
            show_error(error, console=console)
        except Exception as error:
            # A fault of docai itself. It is shown whole, and the other inputs still get their turn.
            n_failed += 1
            console.print("".join(traceback.format_exception(error)).rstrip(), markup=False, soft_wrap=True)
            bug = RuntimeError(
                f"{job.source.path} could not be read; this is a bug in docai, please report it."
            )
            show_error(bug, console=console)
        else:
            n_failed += bool(errors)
            for why in errors:
                show_error(why, console=console)
            if errors and not written:
                continue
            n_flawed += any(issue.severity == "error" for issue in document.iter_issues())
            hints |= dict.fromkeys(missing_readers(document))
            if n_inputs == 1:
                print_records(document, console)
            print_line(document, job.source.name, list(map(described, written)), job.overlay, console)
    print_hints(hints, console)
    if n_inputs > 1:
        console.print(f"{n_inputs - n_failed} of {n_inputs} inputs read.")
    return FAILED if n_failed else ISSUES if n_flawed else 0


def _write_stdout(document: Document, *, one_line: bool) -> None:
    sys.stdout.write(document.to_json(indent=None if one_line else 2) + "\n")
    sys.stdout.flush()


def register(app: typer.Typer) -> None:
    app.command("process", epilog=EXIT_CODES)(process)


def process(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN…",
            help="PDF or image files, folders (the documents directly in them), quoted patterns such as "
            "`'scans/**/*.pdf'`, or `-`, standard input.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            help="A file for one input (its extension is the format), or a folder. Default: beside each "
            "input, report.pdf to report.json.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="FORMATS", help="Formats of the results: `json,md,xlsx`. Default: json."),
    ] = None,
    pages: Annotated[
        str | None, typer.Option(metavar="RANGES", help="Pages, from 1: `1-3,7`. Default: all.")
    ] = None,
    heads: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these heads: `table,molecule`. Default: all.")
    ] = None,
    model: common.Model = None,
    device: common.Device = None,
    dtype: common.Dtype = None,
    batch: common.Batch = None,
    adapters: common.Adapters = None,
    quantization: common.Quantization = None,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens encrypted PDFs.")] = None,
    text_layer: common.TextLayer = None,
    drawings: common.Drawings = None,
    witnesses: common.Witnesses = None,
    effort: common.Effort = None,
    readback: common.ReadBack = None,
    retry: common.Retry = None,
    download: common.Download = None,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="-", help="`--json -` writes JSON to standard output; several inputs: one per line."
        ),
    ] = None,
    overlay: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Pages as PNG with regions, heads and confidences drawn."),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Of folders, read their subfolders, too.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are no results of docai, too.")
    ] = False,
    max_pages: common.MaxPages = None,
    max_seconds_per_page: common.SecondsPerPage = None,
    max_seconds_per_step: common.SecondsPerStep = None,
    max_memory: common.MaxMemory = None,
    max_bytes: common.MaxBytes = None,
    max_pixels: common.MaxPixels = None,
    max_regions_per_page: common.MaxRegions = None,
    max_tokens_per_region: common.MaxTokens = None,
) -> None:
    """Read documents into typed records: tables, molecules, scores, text and figures.

    An older result of docai is replaced; any other file is left alone unless you add `--overwrite`.

    Settings come from the flag, then DOCAI_… in the environment, then docai.toml, then the default.
    `docai doctor` shows each with its origin.
    """
    from docai.settings import load_settings

    if json not in (None, "-"):
        raise SettingError(f"--json takes only `-`, standard output; for a file use `-o {json}`.")
    if json is not None and sys.stdout is None:
        raise SettingError("--json writes to standard output, which is closed: give a file with -o.")
    if out == "-":
        raise SettingError(
            "-o - is no folder: --json - writes JSON to standard output; for another format, add "
            "`| docai convert - -o - --to md` behind it."
        )
    if pages is not None:
        page_ranges(pages)
    suffixes = None if to is None else formats_of(to)
    settings = load_settings(common.given_settings(context), as_flags=True).values
    wanted = None if heads is None else common.listed(heads)
    keep_output_clean()
    found = find_inputs(inputs, recursive=recursive, max_bytes=settings.limits.max_bytes)
    _print_found(found)
    jobs = plan_jobs(
        found.documents, out, overlay, beside=json is None or suffixes is not None, suffixes=suffixes
    )
    check_outputs(jobs, overwrite=overwrite)
    try:
        with (
            closing(_read(settings, wanted, jobs, pages, password)) as readings,
            closing(OverlayWorker(settings.limits, password)) as overlays,
        ):
            code = finish_jobs(
                readings,
                len(jobs),
                draw=overlays.draw,
                to_stdout=json is not None,
                options=ExportOptions(password=password, limits=settings.limits),
                overwrite=overwrite,
                n_missing=len(found.errors),
            )
    except KeyboardInterrupt:
        stderr_console().print("Interrupted; what was finished is written.")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code)


def _read(
    settings: Settings, heads: list[str] | None, jobs: Sequence[Job], pages: str | None, password: str | None
) -> Generator[tuple[Job, Document | Exception], None, None]:
    if len(jobs) == 1:
        return read_here(settings, heads, jobs[0], pages=pages, password=password)
    return read_in_workers(settings, heads, jobs, pages=pages, password=password)


def _print_found(found: Inputs) -> None:
    """What is missing and what was left out, before the work."""
    console = stderr_console()
    for error in found.errors:
        show_error(error, console=console)
    for note in found.notes:
        console.print(note, markup=False, soft_wrap=True)
