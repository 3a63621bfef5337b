"""``docai evaluate``: measure docai, or another tool's answers, and compare two reports."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli import common
from docai.cli.common import (
    FAILED,
    INTERRUPTED,
    keep_output_clean,
    make_folder,
    show_error,
    stderr_console,
)
from docai.cli.corrections import Corrections, CorrectionSources, corrected_pairs
from docai.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

    from docai.models.engine import Engine
    from docai.pipelines.evaluation.evaluator import EvaluationCallback, EvaluationProgress
    from docai.pipelines.evaluation.report.model import Comparison, Report
    from docai.pipelines.evaluation.scoring import Evaluation
    from docai.settings import Settings

_EPILOG = (
    "Exit codes: 0 every sample was read, or the predictions were scored · 1 some samples could not be "
    "read (they count as misses, and the report is written) · 2 usage, configuration, data or predictions · "
    "130 interrupted; the same command goes on."
)
_FOR_PREDICTIONS = ("data", "out", "protocol", "limit", "seed", "jobs")
_MAX_MESSAGES = 20
_STAGES = {
    "select": "choosing samples",
    "read": "reading",
    "score": "scoring",
    "report": "writing the report",
}


def register(app: typer.Typer) -> None:
    app.command("evaluate", epilog=_EPILOG)(evaluate)


def evaluate(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(metavar="FORMAT:PATH", help="Data set, such as `pubtabnet:DIR`, `molscribe:FILE.csv`."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Report folder; a run found there is resumed."),
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="HEAD", help="Reads the crops. Default: that of the data.")
    ] = None,
    model: common.Model = None,
    device: common.Device = None,
    dtype: common.Dtype = None,
    batch: common.Batch = None,
    adapters: common.Adapters = None,
    quantization: common.Quantization = None,
    text_layer: common.TextLayer = None,
    retry: common.Retry = None,
    download: common.Download = None,
    corrections: Corrections = None,
    source: CorrectionSources = None,
    find_regions: Annotated[
        bool,
        typer.Option("--find-regions", help="Put crops through the whole pipeline, as if they were pages."),
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Score these answers instead: predictions.jsonl, JSON {filename: html}, MolScribe's CSV, a "
            "folder or zip of .krn or res_….txt, HierText's JSON.",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK", help="Measure by this task of the data set only; can be repeated. Default: all."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Samples, drawn at random. Default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed draws the same samples.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes for scoring. Default: one per core.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="OLD NEW", help="Compare two report folders; -o writes the comparison."),
    ] = None,
    formats: Annotated[
        bool, typer.Option("--formats", help="List the formats of data sets and leave.")
    ] = False,
) -> None:
    """Measure reading by the reference metrics of each field, and write a report.

    Crops are read by the head of their kind, pages by the whole pipeline; `--predictions` scores another
    tool's answers, which are matched by id, else by file stem. DIR gets report.html, report.json and
    predictions.jsonl.

    `docai evaluate --corrections PATH --head HEAD` measures on what a person accepted or corrected in `docai
    view`.

    `docai evaluate --compare OLD NEW` says which measures became better or worse, with a paired test.
    """
    if formats:
        _print_formats()
        return
    if compare is not None:
        _only(context, "compare", "out")
        _compare(*compare, out)
        return
    if corrections and data is None and out is not None:
        data = _corrected_data_set(head, corrections, source, out)
    if data is None:
        raise SettingError("Say what to measure on: `--data FORMAT:PATH`, such as `--data pubtabnet:DIR`.")
    if out is None:
        raise SettingError("Say where the report goes: `-o FOLDER`.")
    if predictions is not None:
        _only(context, "predictions", *_FOR_PREDICTIONS)
    from docai.pipelines.evaluation.datasets import open_dataset
    from docai.pipelines.evaluation.evaluator import evaluate as measure
    from docai.pipelines.evaluation.report import read_report
    from docai.settings import load_settings

    given = {
        "model": model,
        "device": device,
        "dtype": dtype,
        "batch": batch,
        "adapters": adapters or None,
        "quantization": quantization,
        "text_layer": text_layer,
        "retry": retry,
        "download": download,
    }
    settings = load_settings(given, as_flags=True).values
    dataset = open_dataset(data)
    folder = make_folder(out)
    console = stderr_console()
    try:
        with _progress(console) as report:
            evaluation = measure(
                dataset,
                head=head,
                text_layer=settings.text_layer,
                retry=settings.retry,
                limits=settings.limits,
                engine=make_engine(settings) if predictions is None else None,
                find_regions=find_regions,
                predictions=predictions,
                tasks=protocol or None,
                limit=limit,
                seed=seed,
                out=folder,
                jobs=jobs or os.cpu_count() or 1,
                progress=report,
            )
    except KeyboardInterrupt:
        console.print("Interrupted; the same command goes on from what is read.")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        show_error(error, console=console)
        raise typer.Exit(FAILED) from None
    found = read_report(folder)
    print_report(found, console)
    _print_issues(evaluation, console)
    console.print(f"  report:   {folder / 'report.html'}", markup=False, soft_wrap=True)
    if predictions is None and found.counts.failed:
        raise typer.Exit(FAILED)


def _corrected_data_set(
    head: str | None, corrections: list[Path], source: list[Path] | None, out: Path
) -> str:
    """``FORMAT:PATH`` of the pairs of a head."""
    from docai.pipelines.harvest.corrected import DATA_SETS

    if head not in DATA_SETS:
        known = ", ".join(DATA_SETS)
        raise SettingError(f"With --corrections, say which records are measured: --head, {known}.")

    folder = corrected_pairs(head, corrections, source, make_folder(out), stderr_console())
    return DATA_SETS[head].format(folder)


def _print_formats() -> None:
    from docai.pipelines.evaluation.datasets import FORMATS

    for name, found in sorted(FORMATS.items()):
        typer.echo(f"{name:20} {found.unit}s of {', '.join(found.kinds)}: {found.summary}")


def make_engine(settings: Settings) -> Engine:
    """The model that reads the samples."""
    from docai.models.selection import load_engine

    keep_output_clean()
    return load_engine(
        settings.model,
        device=settings.device,
        options=settings.model_options,
        download=settings.download,
    )


def print_report(report: Report, console: Console) -> None:
    """Each measure with its interval, and what became of the samples."""
    from rich.text import Text

    from docai.pipelines.evaluation.report.figures import shown, shown_interval, shown_seconds

    grid = _grid("measure", "value", "95 % interval", "n", "undefined", "protocol")
    for task in report.tasks:
        for measure in task.measures:
            grid.add_row(
                Text(measure.label),
                shown(measure.value, measure),
                shown_interval(measure.interval, measure),
                str(measure.n),
                str(measure.n_undefined or ""),
                Text(measure.protocol),
            )
        for part in task.average_precision:
            value = "–" if part.value is None else f"{100 * part.value:.2f} %"
            label = f"AP {part.kind}, IoU {part.iou}"
            grid.add_row(label, value, "", str(part.n_truth), "", f"{part.n_found} found")
        for sure in task.calibrations:
            label = f"ECE, {sure.unit} confidence"
            grid.add_row(label, f"{sure.error:.4f}", "", str(sure.n), "", "Guo et al. 2017, equal-mass bins")
    console.print(grid)
    counts = report.counts
    line = f"{report.reader} on {report.data.format}: samples {counts.samples}"
    for number, what in (
        (counts.failed, "failed"),
        (counts.missing, "without a prediction"),
        (counts.skipped, "skipped cases"),
        (counts.unknown_predictions, "predictions of no case"),
    ):
        line += f", {what} {number}" if number else ""
    console.print(f"{line}, {shown_seconds(report.seconds)}", markup=False, soft_wrap=True)
    for reason, number in report.skipped.items():
        console.print(f"  skipped {number}: {reason}", markup=False, soft_wrap=True)


def _print_issues(evaluation: Evaluation, console: Console) -> None:
    issues: Counter[str] = Counter()
    for case in evaluation.cases:
        issues.update(case.prediction.issues if case.prediction else {})
    if issues:
        text = ", ".join(f"{code} {number}" for code, number in issues.most_common())
        console.print(f"  error-level issues: {text}", markup=False, soft_wrap=True)


def _compare(old: Path, new: Path, out: Path | None) -> None:
    from docai.pipelines.evaluation.report import compare_reports

    comparison = compare_reports(old, new, None if out is None else make_folder(out))
    console = stderr_console()
    print_comparison(comparison, console)
    if out is not None:
        console.print(f"  comparison: {out / 'comparison.html'}", markup=False, soft_wrap=True)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Each measure before and after, and on how many cases it moved."""
    from rich.text import Text

    from docai.pipelines.evaluation.report.figures import shown, shown_interval, shown_p

    grid = _grid("measure", "old", "new", "95 % interval of the difference", "p", "better", "worse", "same")
    for change in comparison.measures:
        grid.add_row(
            Text(change.label),
            shown(change.old, change),
            shown(change.new, change),
            shown_interval(change.interval, change, signed=True),
            shown_p(change.p_value),
            str(change.better),
            str(change.worse),
            str(change.unchanged),
        )
    console.print(grid)
    old, new = comparison.old, comparison.new
    line = f"{old.reader} against {new.reader} on {comparison.n} cases of {comparison.data}"
    for number, what in (
        (old.n_only_here, "only in the old report"),
        (new.n_only_here, "only in the new one"),
        (comparison.n_truth_changed, "whose truth differs"),
    ):
        line += f"; {number} {what}" if number else ""
    console.print(line, markup=False, soft_wrap=True)
    for text in (*comparison.not_compared, *(f"{d.what}: {d.old} → {d.new}" for d in comparison.differences)):
        console.print(f"  {text}", markup=False, soft_wrap=True)


def _grid(*titles: str) -> Grid:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        is_text = title in ("measure", "protocol")
        grid.add_column(title, justify="left" if is_text else "right", no_wrap=not is_text)
    return grid


def _only(context: typer.Context, what: str, *allowed: str) -> None:
    """Refuse flags that have no meaning here, which would be ignored otherwise."""
    for name in context.params:
        if name not in (what, *allowed) and common.is_given(context, name):
            raise SettingError(f"--{name.replace('_', '-')} has no meaning with --{what}.")


@contextmanager
def _progress(console: Console) -> Iterator[EvaluationCallback]:
    """What the evaluation reports to: a bar on a terminal; elsewhere only what a person should know."""
    n_messages = 0

    def say(progress: EvaluationProgress) -> None:
        nonlocal n_messages
        if progress.message is None:
            return
        n_messages += 1
        if n_messages <= _MAX_MESSAGES:
            console.print(progress.message, markup=False, soft_wrap=True)
        elif n_messages == _MAX_MESSAGES + 1:
            console.print("… further messages are left out; the report has all failures.")

    if not console.is_terminal:
        yield say
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        stage = ""

        def show(progress: EvaluationProgress) -> None:
            nonlocal stage
            say(progress)
            if progress.message is not None:
                return
            if progress.stage != stage:
                # A new stage is timed anew.
                stage = progress.stage
                bar.reset(task, total=progress.total or None)
            failed = f", {progress.n_failed} failed" if progress.n_failed else ""
            text = f"{_STAGES[progress.stage]}{failed}"
            bar.update(task, description=text, completed=progress.done, total=progress.total or None)

        yield show
