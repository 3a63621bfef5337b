"""``docai convert``: results of docai into files of other formats, without reading their documents again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Annotated, Final

import typer

from docai.base import counted
from docai.cli.common import EXIT_CODES, FAILED, keep_output_clean, show_error, stderr_console
from docai.cli.exporting import described, formats_of, show_losses, write_targets
from docai.cli.inputs import STDIN, Input
from docai.cli.outputs import Job, check_outputs, plan_jobs, without_missing
from docai.corrections import corrections_path
from docai.document import Document
from docai.errors import SETUP_ERRORS, DocaiError, SettingError
from docai.exports import FORMATS, ExportOptions, export, source_of_result
from docai.files import expand_home

STDOUT: Final = "-"


def register(app: typer.Typer) -> None:
    app.command("convert", epilog=EXIT_CODES)(convert)


def convert(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="RESULT…", help="JSON of docai, folders with it, or `-`, standard input."),
    ],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            help="A file, its extension is the format; again for several. Or a folder, or `-`, standard "
            "output, with --to. Default: beside each result.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="FORMATS", help=f"Formats: {', '.join(one[1:] for one in FORMATS)}."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The document that was read, for pictures of its pages. Default: the file of its name "
            "beside the result, or where it was.",
        ),
    ] = None,
    password: Annotated[str | None, typer.Option(metavar="WORD", help="Opens an encrypted source.")] = None,
    chunk_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of jsonl: characters of a chunk at most, or tokens.")
    ] = ExportOptions.chunk_size,
    tokenizer: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Of jsonl: a tokenizer.json; chunks are sized by its tokens."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected/--as-read",
            help="With what was corrected in docai view, NAME.corrections.json beside a result. "
            "Default: as it was read.",
        ),
    ] = False,
) -> None:
    """Write results of docai in other formats: Markdown, HTML, Word, Excel, SDF, MusicXML, ….

    Nothing is read again. What a format cannot hold is told on standard error.
    """
    options = ExportOptions(
        source=None if source is None else _existing(source),
        password=password,
        chunk_size=chunk_size,
        tokenizer=None if tokenizer is None else expand_home(tokenizer),
    )
    keep_output_clean()
    given = [one for argument in inputs for one in _inputs(argument)]
    if source is not None and len(given) > 1:
        raise SettingError("--source is of one result; convert them one by one.")
    if out is not None and STDOUT in out:
        if len(out) > 1 or len(given) > 1:
            raise SettingError("-o - is standard output: it takes one result and no other output.")
        raise typer.Exit(_to_stdout(given[0], to, options, corrected=corrected))
    jobs, missing = without_missing(_plan(given, out, to))
    check_outputs(jobs, overwrite=overwrite)
    for error in missing:
        show_error(error, console=stderr_console())
    code = _convert(jobs, options, overwrite=overwrite, corrected=corrected)
    raise typer.Exit(FAILED if missing else code)


def _inputs(argument: str) -> list[Input]:
    """The result of that name, or all that are in a folder and its subfolders, by name."""
    if argument != STDIN:
        path = expand_home(argument)
        if not path.is_dir():
            return [Input(path)]
        found = [one for one in sorted(path.rglob("*.json")) if source_of_result(one) is not None]
        if not found:
            raise SettingError(f"The folder {path} has no results of docai in it, JSON that docai wrote.")
        return [Input(one) for one in found]
    if sys.stdin is None or sys.stdin.isatty():
        raise SettingError("`-` reads a result from standard input, and nothing is piped into it.")
    return [Input(Path("stdin"), sys.stdin.buffer.read())]


def _existing(source: str) -> Path:
    path = expand_home(source)
    if not path.is_file():
        raise SettingError(f"--source {source} is no file: give the document that was read.")
    return path


def _plan(inputs: Sequence[Input], out: Sequence[str] | None, to: str | None) -> list[Job]:
    suffixes = None if to is None else formats_of(to)
    if out is None or len(out) == 1:
        if suffixes is None and out is None:
            raise SettingError("Say what to write: a file with -o, such as -o out.md, or formats with --to.")
        jobs = plan_jobs(inputs, out[0] if out else None, None, beside=True, suffixes=suffixes)
        if suffixes is None and not all(job.is_named for job in jobs):
            raise SettingError("Say with --to in which formats results go into the folder, such as --to md.")
        return jobs
    if suffixes is not None:
        raise SettingError("Several -o name their formats by their extensions: leave out --to.")
    named = [plan_jobs(inputs, one, None, beside=False) for one in out]
    targets = tuple(target for jobs in named for job in jobs for target in job.targets)
    if folders := [
        one for one, jobs in zip(out, named, strict=True) if not all(job.is_named for job in jobs)
    ]:
        raise SettingError(f"-o {folders[0]} is a folder: give one folder with --to, or files.")
    if len({str(target.absolute()).casefold() for target in targets}) < len(targets):
        raise SettingError("Two of the outputs are the same file: give each once.")
    return [Job(inputs[0], targets, None, is_named=True)]


def _read(one: Input) -> Document:
    """Raises NotAResultError."""
    from docai.pipelines.ingest.result_source import read_result

    return read_result(one.path) if one.data is None else Document.from_json(one.data)


def _as_corrected(document: Document, result: Input, *, corrected: bool) -> Document:
    """With the corrections beside the result, or a note that there are some. Raises CorrectionsError."""
    path = None if result.data is not None else corrections_path(result.path)
    if path is None or not path.is_file():
        return document
    console = stderr_console()
    if not corrected:
        console.print(f"note: {path.name} is not used: --corrected does.", markup=False, soft_wrap=True)
        return document
    changed = document.with_corrections(path)
    for issue in changed.issues:
        if issue.code.startswith("correction-"):
            console.print(f"note: {path.name}: {issue.message}", markup=False, soft_wrap=True)
    return changed


def _source_of(document: Document, result: Input) -> Path | None:
    """The document that was read, where it is easy to find; its bytes are compared when it is opened."""
    name = document.source.name
    base = PureWindowsPath(name).name
    near = [] if result.data is not None else [result.path.with_name(base)]
    return next((path for path in (*near, Path(name)) if base and path.is_file()), None)


def _with_source(options: ExportOptions, document: Document, result: Input) -> ExportOptions:
    if options.source is not None:
        return options
    return replace(options, source=_source_of(document, result))


def _convert(jobs: Sequence[Job], options: ExportOptions, *, overwrite: bool, corrected: bool) -> int:
    """The exit code; a result that cannot be converted does not stop the others."""
    console = stderr_console()
    n_failed = 0
    for job in jobs:
        try:
            document = _as_corrected(_read(job.source), job.source, corrected=corrected)
            written, errors = write_targets(
                document,
                job.targets,
                _with_source(options, document, job.source),
                console,
                overwrite=overwrite,
                is_named=job.is_named,
            )
        except SETUP_ERRORS:
            raise
        except (DocaiError, OSError) as error:
            n_failed += 1
            show_error(error, console=console)
        else:
            n_failed += bool(errors)
            for why in errors:
                show_error(why, console=console)
            for file in written:
                console.print(f"written: {described(file)}", markup=False, soft_wrap=True)
    if len(jobs) > 1:
        console.print(f"{counted(len(jobs) - n_failed, 'result')} of {len(jobs)} converted.")
    return FAILED if n_failed else 0


def _to_stdout(one: Input, to: str | None, options: ExportOptions, *, corrected: bool) -> int:
    """Write one format to standard output."""
    suffixes = [] if to is None else formats_of(to)
    if len(suffixes) != 1:
        raise SettingError("-o - is standard output: say with --to in which one format, such as --to md.")
    chosen = FORMATS[suffixes[0]]
    if not chosen.is_text and sys.stdout.isatty():
        raise SettingError(f"{chosen.suffix} is no text for a terminal: give a file with -o.")
    document = _as_corrected(_read(one), one, corrected=corrected)
    given = replace(_with_source(options, document, one), files_beside=False)
    file = export(document, f"result{chosen.suffix}", given)
    sys.stdout.buffer.write(file)
    sys.stdout.buffer.flush()
    show_losses("standard output", file.losses, stderr_console())
    return 0
