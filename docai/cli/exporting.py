"""Documents written in formats: what ``docai process --to`` and ``docai convert`` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docai.base import counted
from docai.cli.common import listed
from docai.document import Document
from docai.errors import (
    SETUP_ERRORS,
    DocaiError,
    MissingDependencyError,
    NothingToExportError,
    OutputError,
    SettingError,
)
from docai.exports import (
    ExportOptions,
    Loss,
    Written,
    export,
    format_named,
    paths_of,
    refuse_source,
    write_files,
)

if TYPE_CHECKING:
    from rich.console import Console

MAX_LOSSES: Final = 5
"""That are shown for one file."""


def formats_of(text: str) -> list[str]:
    """The extensions of a list such as ``json,md``, each once.

    Raises:
        SettingError: there is no such format, or none is named.
    """
    suffixes = list(dict.fromkeys(format_named(name).suffix for name in listed(text)))
    if not suffixes:
        raise SettingError("--to names no format; give a list such as json,md,xlsx.")
    return suffixes


def write_targets(
    document: Document,
    targets: Sequence[Path],
    options: ExportOptions,
    console: Console,
    *,
    overwrite: bool,
    is_named: bool,
) -> tuple[list[Written], list[Exception]]:
    """Write a document in the formats of the targets' extensions, and tell what the files do not hold.

    A format that cannot be written does not stop the others.

    Args:
        overwrite: replace files beside a target that are there; the targets themselves are replaced.
        is_named: the user named the files: one for which there is nothing is an error, not a note.

    Returns:
        What was written, and why the others were not.

    Raises:
        ConfigurationError: the fault is not the document's.
    """
    written: list[Written] = []
    errors: list[Exception] = []
    for target in targets:
        try:
            one, losses = _write_target(document, target, options, overwrite=overwrite)
        except MissingDependencyError as error:
            errors.append(error)
        except SETUP_ERRORS:
            raise
        except NothingToExportError as error:
            if is_named:
                errors.append(error)
            else:
                show_losses(target, [Loss("nothing", str(error))], console)
        except (DocaiError, OSError) as error:
            # What is wrong with the document itself is told once.
            if str(error) not in map(str, errors):
                errors.append(error)
        else:
            written.append(one)
            show_losses(target, losses, console)
    return written, errors


def _write_target(
    document: Document, target: Path, options: ExportOptions, *, overwrite: bool
) -> tuple[Written, Sequence[Loss]]:
    """Raises ExportError; OutputError where the file cannot be written, or is the source."""
    refuse_source(target, options)
    file = export(document, target, options)
    in_the_way = [path for path in paths_of(file, target)[:-1] if path.exists() and path.stat().st_size]
    if in_the_way and not overwrite:
        raise OutputError(
            f"{target} was not written: {in_the_way[0]}, which belongs beside it, is there already. Add "
            "--overwrite, or choose another place."
        )
    return write_files(file, target), file.losses


def described(written: Written) -> str:
    """Where an export is: its path, and how many files are beside it."""
    beside = f", and {counted(len(written.files), 'file')} beside it" if written.files else ""
    return f"{written.path}{beside}"


def show_losses(target: Path | str, losses: Sequence[Loss], console: Console) -> None:
    """Tell what a file does not hold."""
    from rich.text import Text

    name = target.name if isinstance(target, Path) else target
    for loss in losses[:MAX_LOSSES]:
        console.print(
            Text("note: ", style="bold yellow").append(f"{name}: {loss}", style="default"), soft_wrap=True
        )
    if len(losses) > MAX_LOSSES:
        console.print(f"… and {len(losses) - MAX_LOSSES} more notes on {name}.", markup=False)
