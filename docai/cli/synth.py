"""``docai synth``: draw pairs of picture and target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import EXIT_CODES, FAILED, INTERRUPTED, make_folder, stderr_console
from docai.errors import SettingError, needs

if TYPE_CHECKING:
    from rich.console import Console

    from docai.pipelines.synthesis import Split

_PREVIEW_PAIRS = 24
"""Pairs on the contact sheet."""


def register(app: typer.Typer) -> None:
    app.command("synth", epilog=EXIT_CODES)(synth)


def synth(
    head: Annotated[str, typer.Argument(metavar="HEAD", help="table, molecule, score or text.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the pairs.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Pairs to draw.")] = 100,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same pairs.")] = 0,
    difficulty: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0 (few large symbols) to 1 (many small ones).")
    ] = 1.0,
    split: Annotated[str, typer.Option(help="train or held-out. The two share no content.")] = "train",
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="J", min=1, help="Processes. Default: one per core; one where few pairs are drawn."
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help=f"Also write a contact sheet of the first {_PREVIEW_PAIRS} pairs."),
    ] = None,
) -> None:
    """Draw pairs of an 896 px crop and its target, in a layout that other tools for the task read.

    table: PubTabNet JSONL; molecule: MolScribe CSV; score: GrandStaff .krn beside .png; text: ICDAR 2015.
    The pairs are the same, byte for byte, whatever the number of processes.
    """
    from docai.models.heads import get_head

    get_head(head)
    if split not in ("train", "held-out"):
        raise SettingError(f"--split is {split!r}; it has to be train or held-out.")
    chosen_split: Split = "train" if split == "train" else "held-out"
    if preview is not None:
        _require_preview_path(preview)
    folder = make_folder(out)
    console = stderr_console()
    done = 0

    def on_progress(n_done: int) -> None:
        nonlocal done
        done = n_done
        show(n_done)

    try:
        with needs("docai[synth]", "docai synth"):
            from docai.pipelines.synthesis.write import processes_for, write_pairs

            with _progress_bar(console, count) as show:
                written = write_pairs(
                    head,
                    count,
                    seed,
                    folder,
                    difficulty=difficulty,
                    split=chosen_split,
                    processes=jobs or processes_for(count),
                    progress=on_progress,
                )
            if preview is not None:
                _draw_preview(preview, head, seed, difficulty, chosen_split, min(count, _PREVIEW_PAIRS))
    except KeyboardInterrupt:
        console.print(
            f"Interrupted; the {done} pairs listed in {folder} are complete. The same command starts over.",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    rate = written.n_pairs / max(written.seconds, 1e-6)
    n = written.n_processes
    console.print(
        f"{written.n_pairs} pairs with {written.n_keys} different contents in {written.folder}: "
        f"{written.seconds:.1f} s, {rate:.1f} pairs per second"
        + (f" with {n} processes, {rate / n:.1f} each" if n > 1 else " with one process"),
        markup=False,
        soft_wrap=True,
    )


def _require_preview_path(path: Path) -> None:
    """Check the path before the long work begins."""
    if path.suffix.lower() != ".png":
        raise SettingError(f"--preview is {path}; it has to be a .png file.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise SettingError(f"--preview is {path}; its folder is missing, or it is a folder itself.")


def _draw_preview(path: Path, head: str, seed: int, difficulty: float, split: Split, count: int) -> None:
    from itertools import islice

    from docai.pipelines.synthesis import samples
    from docai.pipelines.synthesis.write import contact_sheet

    sheet = contact_sheet(list(islice(samples(head, seed, difficulty=difficulty, split=split), count)))
    try:
        sheet.save(path)
    except OSError as error:
        stderr_console().print(
            f"The contact sheet {path} cannot be written: {error.strerror}. The pairs are complete.",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(FAILED) from None


@contextmanager
def _progress_bar(console: Console, count: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield lambda n_done: None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("drawing", total=count)
        yield lambda n_done: bar.update(task, completed=n_done)
