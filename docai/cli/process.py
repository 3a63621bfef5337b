"""``docai process``: read documents and write what was found."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai import files
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
from docai.cli.summary import print_line, print_records
from docai.errors import AdapterError, CheckpointError, ConfigurationError, DocaiError, SettingError
from docai.exports import EXPORTERS, export, exporter_for
from docai.files import write_atomically

if TYPE_CHECKING:
    from rich.console import Console

    from docai.api import Pipeline
    from docai.limits import Limits
    from docai.pipelines.convert import Progress, ProgressCallback
    from docai.records import Document
    from docai.settings import Settings

DEFAULT_SUFFIX = ".json"


def unique_inputs(inputs: Sequence[Path]) -> list[Path]:
    """The inputs in their order, each file once."""
    seen: dict[Path, Path] = {}
    for path in inputs:
        seen.setdefault(Path(os.path.realpath(path)), path)
    return list(seen.values())


def plan_outputs(inputs: Sequence[Path], out: Path) -> list[Path]:
    """One output path per input, no two the same.

    ``out`` is a file where it has an extension and there is one input; otherwise it is a folder.

    Raises:
        SettingError: several inputs for one file, or an extension without a format.
    """
    is_folder = out.is_dir() or (not out.suffix and not out.is_file())
    if not is_folder:
        exporter_for(out)
        if len(inputs) > 1:
            raise SettingError(
                f"{len(inputs)} inputs do not fit into the one file {out}; give a folder to -o."
            )
        return [out]
    return [out / name for name in plan_names(inputs, DEFAULT_SUFFIX)]


def plan_names(inputs: Sequence[Path], suffix: str) -> list[Path]:
    """A relative file name for each input, no two the same on any file system.

    ``report.pdf`` becomes ``report.json``; where two inputs would meet, both keep their extension
    (``report.pdf.json``); where they still meet, both keep their folders below the common one.
    """
    absolute = [path.parent.resolve() / path.name for path in inputs]
    ways: list[Callable[[Path], Path]] = [
        lambda path: Path(path.stem + suffix),
        lambda path: Path(path.name + suffix),
    ]
    if len({path.drive for path in absolute}) == 1:
        common = os.path.commonpath([path.parent for path in absolute])
        ways.append(lambda path: path.with_name(path.name + suffix).relative_to(common))
    names: list[Path | None] = [None] * len(inputs)
    for way in ways:
        proposals = [name or way(path) for name, path in zip(names, absolute, strict=True)]
        uses = Counter(_folded(proposal) for proposal in proposals)
        names = [
            name or (proposal if uses[_folded(proposal)] == 1 else None)
            for name, proposal in zip(names, proposals, strict=True)
        ]
    # Paths that differ only in case, or in the drive, end here.
    return [
        name or Path(f"{number:04d}-{absolute[number].name}{suffix}") for number, name in enumerate(names)
    ]


def make_folder(path: Path) -> Path:
    """The folder of ``-o``, made where it is missing. Raises :class:`SettingError`."""
    return files.make_folder(path, "Choose another with -o.")


def _folded(path: Path) -> str:
    return str(path).casefold()


def formats() -> str:
    """The extensions that can be written, for help texts."""
    return ", ".join(EXPORTERS)


@dataclass(frozen=True)
class Job:
    """One input and where its results go."""

    source: Path
    target: Path | None
    overlay: Path | None
    """Folder and name of the overlay pictures; the page number and ``.png`` come behind it."""


def plan_jobs(files: Sequence[Path], out: Path | None, overlay: Path | None) -> list[Job]:
    """Raises :class:`docai.errors.SettingError` where the inputs do not fit ``out``."""
    targets: Sequence[Path | None] = plan_outputs(files, out) if out else [None] * len(files)
    stems: Sequence[Path | None] = [None] * len(files)
    if overlay:
        stems = [overlay / name for name in plan_names(files, "")]
    return [Job(*parts) for parts in zip(files, targets, stems, strict=True)]


def run_jobs(
    pipeline: Pipeline,
    jobs: Sequence[Job],
    *,
    pages: str | None,
    password: str | None,
    limits: Limits,
    to_stdout: bool,
) -> int:
    """Read every input and write its results; an input that fails does not stop the others.

    Returns the exit code: 0, ``FAILED`` or ``ISSUES``.

    Raises:
        ConfigurationError, CheckpointError, AdapterError: the fault is not the input's, and all would fail.
    """
    console = stderr_console()
    n_failed = n_flawed = 0
    for job in jobs:
        try:
            with _progress(console, job.source.name) as report:
                document = pipeline.process(job.source, pages=pages, password=password, progress=report)
            if job.target:
                write_atomically(job.target, export(document, job.target))
            if to_stdout:
                _write_stdout(document, one_line=len(jobs) > 1)
            if job.overlay:
                _write_overlays(document, job.source, job.overlay, password, limits)
        except (ConfigurationError, CheckpointError, AdapterError):
            raise
        except (DocaiError, OSError) as error:
            n_failed += 1
            show_error(error, console=console)
        except Exception:
            # A fault of docai itself. It is shown whole, and the other inputs still get their turn.
            n_failed += 1
            console.print(traceback.format_exc().rstrip(), markup=False, soft_wrap=True)
            bug = RuntimeError(f"{job.source} could not be read; this is a bug in docai, please report it.")
            show_error(bug, console=console)
        else:
            n_flawed += any(issue.severity == "error" for issue in document.iter_issues())
            if len(jobs) == 1:
                print_records(document, console)
            print_line(document, job.source, job.target, job.overlay, console)
    if len(jobs) > 1:
        console.print(f"{len(jobs) - n_failed} of {len(jobs)} inputs read.")
    return FAILED if n_failed else ISSUES if n_flawed else 0


def _write_stdout(document: Document, *, one_line: bool) -> None:
    sys.stdout.write(document.to_json(indent=None if one_line else 2) + "\n")
    sys.stdout.flush()


def _write_overlays(
    document: Document, source: Path, stem: Path, password: str | None, limits: Limits
) -> None:
    from docai.pipelines.overlay import draw_document

    stem.parent.mkdir(parents=True, exist_ok=True)
    for number, image in draw_document(document, source, password=password, limits=limits):
        image.save(stem.with_name(f"{stem.name}-page-{number:03d}.png"))


@contextmanager
def _progress(console: Console, name: str) -> Iterator[ProgressCallback | None]:
    """What the pipeline is to report to: a bar on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def report(progress: Progress) -> None:
            where = f"{name}  page {progress.page} of {progress.n_pages}  {progress.stage}"
            bar.update(task, description=where, completed=progress.done, total=progress.total or None)

        yield report


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
    model: common.Model = None,
    device: common.Device = None,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens encrypted PDFs.")] = None,
    text_layer: common.TextLayer = None,
    witnesses: common.Witnesses = None,
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
        "retry": retry,
        "download": download,
    }
    settings = load_settings(given, as_flags=True).values
    wanted = [name.strip() for name in heads.split(",") if name.strip()] if heads is not None else None
    keep_output_clean()
    files = unique_inputs(inputs)
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
        stderr_console().print("Interrupted; what was finished is written.")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code)


def make_pipeline(settings: Settings, heads: list[str] | None) -> Pipeline:
    """The pipeline that reads all inputs, its model loaded once."""
    from docai.api import Pipeline

    if settings.download:
        from docai.models.checkpoints import find_checkpoint

        find_checkpoint(settings.model, download=True)
    return Pipeline.with_options(settings.options(heads), settings.model, device=settings.device)
