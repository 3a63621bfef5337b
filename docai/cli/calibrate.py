"""``docai calibrate``: make the confidences of a checkpoint come true as often as they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import INTERRUPTED, stderr_console
from docai.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console

    from docai.pipelines.calibration.calibrate import HeadResult, ProgressCallback

_EPILOG = (
    "Exit codes: 0 the maps are written · 1 the model gave nothing to calibrate · 2 usage, configuration or "
    "data · 130 interrupted, and nothing was written."
)


def register(app: typer.Typer) -> None:
    app.command("calibrate", epilog=_EPILOG)(calibrate)


def calibrate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Folder of a checkpoint; with -o also a name or hub id@revision."
        ),
    ],
    head: Annotated[
        list[str] | None, typer.Option(metavar="HEAD", help="Can be repeated. Default: all that it has.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="`drawn`, FORMAT:PATH as in docai evaluate, or a folder of docai synth; can be repeated. "
            "It must not have been trained on, nor be measured on afterwards. Default: drawn.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Pairs of each head, at most.")] = 300,
    difficulty: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X", min=0, max=1, help="Of drawn pairs; can be repeated. Default: five from 0 to 1."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Of drawn pairs; measure with another.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Calibrate a copy there. Default: MODEL itself."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1. Default: auto.")
    ] = None,
) -> None:
    """Fit what a checkpoint's token probabilities are worth, and keep it in its docai.json.

    Held-out pairs are read, and the share of right ones is fitted to the probabilities of their tokens: for
    whole records, and for cells, words, atoms and measures. What is printed was measured on pairs that the
    fit had not seen (five folds): ECE is the expected calibration error, and "by chance" what confidences
    without fault would show on so many.
    """
    from docai.cli.evaluate import make_engine
    from docai.models.checkpoints import find_checkpoint
    from docai.pipelines.calibration import calibrate as calibration
    from docai.pipelines.calibration.fitting import check_new, check_writable, write_calibration, write_copy
    from docai.settings import load_settings

    settings = load_settings({"model": model, "device": device}, as_flags=True).values
    checkpoint = find_checkpoint(settings.model)
    if out is not None:
        check_new(out)
    else:
        if not Path(model).is_dir() or Path(model).resolve() != checkpoint.folder.resolve():
            raise SettingError(
                f"The model {model!r} belongs to an installation: say with -o where its calibrated copy "
                "goes, or give the path of its folder."
            )
        check_writable(checkpoint.folder)
    console = stderr_console()
    try:
        with _progress(console) as report:
            results = calibration.calibrate(
                make_engine(settings),
                head,
                data=data or (),
                count=count,
                seed=calibration.SEED if seed is None else seed,
                difficulties=tuple(difficulty or calibration.DIFFICULTIES),
                progress=report,
            )
    except KeyboardInterrupt:
        console.print("Interrupted; nothing was written.")
        raise typer.Exit(INTERRUPTED) from None
    maps = {
        name: {unit: fitted.chosen for unit, fitted in result.units.items()}
        for name, result in results.items()
    }
    _print(results, console)
    if out is None:
        write_calibration(checkpoint.folder, maps)
    else:
        write_copy(checkpoint.folder, out, maps)
    console.print(f"written to {(out or checkpoint.folder) / 'docai.json'}", markup=False, soft_wrap=True)


def _print(results: Mapping[str, HeadResult], console: Console) -> None:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    numbers = ("n", "right", "ECE", "by chance", "ECE now", "by chance", "Brier", "now")
    for title in ("head", "unit", *numbers, "map"):
        is_number = title in numbers
        grid.add_column(title, justify="right" if is_number else "left", no_wrap=True)
    for name, result in results.items():
        for unit, fitted in result.units.items():
            before, after = fitted.before, fitted.after
            grid.add_row(
                name,
                unit,
                f"{after.n:,}",
                f"{after.accuracy:.1%}",
                f"{before.error:.3f}",
                f"{before.by_chance:.3f}",
                f"{after.error:.3f}",
                f"{after.by_chance:.3f}",
                f"{before.brier:.3f}",
                f"{after.brier:.3f}",
                f"{fitted.chosen.method}, {fitted.chosen.score}",
            )
    console.print(grid)
    for name, result in results.items():
        for sentence in _remarks(name, result):
            console.print(f"  {sentence}", markup=False, soft_wrap=True)


def _remarks(name: str, result: HeadResult) -> Iterator[str]:
    for number, what in (
        (result.n_zero, "answers are cut, looping or invalid: their records have confidence 0 by rule"),
        (result.n_unmeasured, "answers are empty or say nothing of how sure they are"),
        (result.n_bad_truth, "pairs were left out: the head's own parser finds an error in the truth"),
    ):
        if number:
            yield f"{name}: {number} of {result.n_pairs} {what}."
    for unit, number in result.too_few.items():
        yield f"{name}: {number} usable {unit}s are too few for a map; give a larger --count."
    for unit, fitted in result.units.items():
        if fitted.after.accuracy in (0, 1):
            share = fitted.chosen.apply([0.0])
            outcome = "right" if fitted.after.accuracy else "wrong"
            yield f"{name}: every {unit} was {outcome}, so that the confidence is always {share:.1%}."


@contextmanager
def _progress(console: Console) -> Iterator[ProgressCallback]:
    """A bar on a terminal; elsewhere a line for each tenth of a head."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from docai.pipelines.calibration.calibrate import CalibrationProgress

    if not console.is_terminal:

        def tell(progress: CalibrationProgress) -> None:
            tenth = max(1, progress.total // 10)
            if progress.done and (progress.done // tenth > max(progress.done - 8, 0) // tenth):
                console.print(f"{progress.head}: {progress.done} of {progress.total} read", soft_wrap=True)

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: CalibrationProgress) -> None:
            bar.update(task, description=progress.head, completed=progress.done, total=progress.total)

        yield show
