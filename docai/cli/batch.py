"""``docai batch``: many documents, each accounted for, in a run that goes on after any stop."""

from __future__ import annotations

import io
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docai.cli import common
from docai.cli.batch_progress import leave_output, show_progress
from docai.cli.common import EXIT_CODES, FAILED, INTERRUPTED, ISSUES, keep_output_clean, stderr_console
from docai.errors import SettingError
from docai.files import expand_home

if TYPE_CHECKING:
    from docai.pipelines.batch.folder import RunFolder
    from docai.pipelines.batch.ray_cluster import RayCluster

_RAY = "With --engine ray"
"""Title of its options in the help."""

PROGRESS = ("auto", "lines", "json", "off")


def register(app: typer.Typer) -> None:
    app.command("batch", epilog=EXIT_CODES)(batch)


def batch(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN…",
            help="PDF or image files, folders (with their subfolders), quoted patterns, `-` for a list of "
            "paths on standard input, or a .jsonl file of lines such as "
            '`{"path": "a.pdf", "pages": "1-3"}`.',
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="RUN", help="Folder of the run: new, or empty.")
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="FORMATS", help="Formats of the results, each one file: `json,md`.")
    ] = "json",
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that read. Default: one for every two cores."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run, by the options it was begun with: read what is left."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read again what failed, too, and pages that failed.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Read part K of N only, such as `2/8`, on each of N machines."),
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="RUN", help="Show how far a run is, and what failed, and leave.")
    ] = None,
    progress: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="`auto` (a bar on a terminal, else lines), `lines`, `json` (an event on each line of "
            "standard output) or `off`.",
        ),
    ] = "auto",
    engine: Annotated[
        str, typer.Option(metavar="local|ray", help="Read on this machine, or on a cluster of Ray.")
    ] = "local",
    results: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Where results go: a folder that all machines share, or a URL such as `s3://bucket/a`. "
            "Default: into RUN.",
            rich_help_panel=_RAY,
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Head of the cluster; `auto`: the one that this machine is in. Default: `RAY_ADDRESS`, the "
            "one that this machine is in, or one that is started here.",
            rich_help_panel=_RAY,
        ),
    ] = None,
    cpus_per_document: Annotated[
        float | None,
        typer.Option(metavar="N", help="Processors for one document. Default: 2.", rich_help_panel=_RAY),
    ] = None,
    documents_per_task: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Documents that a task of Ray reads. Default: 1, more for more than 20,000 documents.",
            rich_help_panel=_RAY,
        ),
    ] = None,
    models: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Copies of the model. Default: one for each GPU, or machine without.",
            rich_help_panel=_RAY,
        ),
    ] = None,
    gpus_per_model: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="GPUs for each, such as 0.5. Default: 1 where there are any, else 0.",
            rich_help_panel=_RAY,
        ),
    ] = None,
    model_batch: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Crops that are put to each at a time. Default: 64.", rich_help_panel=_RAY
        ),
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
    password: Annotated[
        str | None, typer.Option(metavar="WORD", help="Opens encrypted PDFs that have none of their own.")
    ] = None,
    text_layer: common.TextLayer = None,
    drawings: common.Drawings = None,
    witnesses: common.Witnesses = None,
    effort: common.Effort = None,
    readback: common.ReadBack = None,
    retry: common.Retry = None,
    download: common.Download = None,
    max_pages: common.MaxPages = None,
    max_seconds_per_page: common.SecondsPerPage = None,
    max_seconds_per_step: common.SecondsPerStep = None,
    max_memory: common.MaxMemory = None,
    max_bytes: common.MaxBytes = None,
    max_pixels: common.MaxPixels = None,
    max_regions_per_page: common.MaxRegions = None,
    max_tokens_per_region: common.MaxTokens = None,
) -> None:
    """Read many documents, each in a process of its own, into a run folder.

    A document that fails, hangs or crashes costs itself alone. The run may be stopped at any moment, by
    Ctrl-C or a power cut; `--resume` does what is left. Results mirror the tree of the inputs, in
    RUN/results; RUN/report.html tells what became of each.
    """
    from docai.batch import make_setup, open_run
    from docai.cli.batch_resume import Begun, run_named
    from docai.cli.batch_summary import print_status, print_summary
    from docai.pipelines.batch.inputs import LIST
    from docai.pipelines.batch.report import write_report
    from docai.settings import load_settings

    if status is not None:
        if inputs or out:
            raise SettingError("--status looks at a run and reads nothing: leave out the inputs and -o.")
        raise typer.Exit(print_status(expand_home(status), stderr_console()))
    is_going_on = resume or retry_failed
    if is_going_on:
        inputs, out = run_named(inputs, out)
    if not inputs and not is_going_on:
        raise SettingError("Nothing was given to read: name files, folders or a list.")
    if out is None:
        raise SettingError("Say with -o where the run goes: a new or an empty folder.")
    if out == "-":
        raise SettingError(
            "A run is a folder and cannot go to standard output: name one with -o RUN. `docai process` "
            "writes one result there, and `--progress json` what happens in a run."
        )
    if progress not in PROGRESS:
        raise SettingError(f"--progress is {progress!r}; it has to be one of: {', '.join(PROGRESS)}.")
    begun = Begun.of(expand_home(out)) if is_going_on else Begun({})
    settings = load_settings(begun.under(common.given_settings(context)), as_flags=True).values
    wanted = begun.heads if heads is None else common.listed(heads)
    engine, kept = begun.on(engine if common.is_given(context, "engine") else None)
    cluster = _cluster(
        engine,
        kept,
        address=ray_address,
        cpus_per_document=cpus_per_document,
        documents_per_task=documents_per_task,
        models=models,
        gpus_per_model=gpus_per_model,
        model_batch=model_batch,
    )
    formats = [f".{name.removeprefix('.')}" for name in common.listed(to)]
    if not formats:
        raise SettingError("--to names no format: give one or more, such as json,md.")
    if begun.formats is not None and not common.is_given(context, "to"):
        formats = list(begun.formats)
    keep_output_clean()
    setup = make_setup(
        settings.options(wanted),
        settings.model,
        device=settings.device,
        model_options=settings.model_options,
        formats=formats,
        workers=workers or begun.workers,
        cluster=cluster,
        download=settings.download,
    )
    lines: Iterable[str] = ()
    if inputs and LIST in inputs and sys.stdin is not None:
        # Names of files may be no UTF-8.
        lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape")
    folder, run = open_run(
        expand_home(out),
        inputs or [],
        setup,
        lines=lines,
        resume=is_going_on,
        retry_failed=retry_failed,
        shard=_shard(shard),
        password=password,
        results=results,
    )
    console = stderr_console()
    with folder:
        # A machine that is shut down sends SIGTERM first: what is being read waits, as after Ctrl-C.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            show_progress(run, progress, console)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            run.stop()
            if isinstance(error, BrokenPipeError):
                # Who reads the progress has gone, as `head` does; what is still buffered would raise again.
                leave_output()
            console.print(
                "Interrupted; what was finished is kept. Go on with: docai batch --resume "
                f"{shlex.quote(out)}",
                markup=False,
                soft_wrap=True,
            )
            raise typer.Exit(INTERRUPTED) from None
        finally:
            signal.signal(signal.SIGTERM, before)
        try:
            write_report(folder)
        except OSError as error:
            console.print(f"The report {folder.report} cannot be written ({error.strerror}).", markup=False)
        print_summary(folder.manifest, folder.report, console)
        raise typer.Exit(_exit_code(folder))


def _cluster(engine: str, kept: Mapping[str, Any], **given: Any) -> RayCluster | None:
    """Raises :class:`SettingError`."""
    from docai.pipelines.batch.ray_cluster import RayCluster

    values = {name: value for name, value in given.items() if value is not None}
    if engine == "ray":
        return RayCluster(**{**kept, **values})
    if engine != "local":
        raise SettingError(f"--engine is {engine!r}; it has to be local or ray.")
    if values:
        name = "--ray-address" if "address" in values else f"--{next(iter(values)).replace('_', '-')}"
        raise SettingError(f"{name} is of the cluster: give --engine ray, too.")
    return None


def _shard(text: str | None) -> tuple[int, int] | None:
    """Raises :class:`SettingError`."""
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise SettingError(f"--shard is {text!r}; it has to be a part and a number of parts, such as 2/8.")


def _exit_code(folder: RunFolder) -> int:
    counts = folder.manifest.counts()
    if counts["failed"]:
        return FAILED
    return ISSUES if counts["partial"] or folder.manifest.totals()["errors"] else 0
