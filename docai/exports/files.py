"""Exports on the disk: files beside the main one first, each whole or not at all, the main one last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from docai.document import Document
from docai.errors import OutputError
from docai.exports.base import ExportedFile, ExportOptions, Loss
from docai.exports.registry import export
from docai.files import write_durably


@dataclass(frozen=True)
class Written:
    """What an export wrote."""

    path: Path
    """The main file."""
    files: tuple[Path, ...] = ()
    """Those beside it."""
    losses: tuple[Loss, ...] = ()
    """What the files do not hold."""


def write_export(document: Document, path: str | Path, options: ExportOptions | None = None) -> Written:
    """Write the document in the format of the path's extension.

    Raises:
        SettingError, ExportError, MissingDependencyError: as :func:`docai.exports.export`.
        OutputError: it cannot be written there, or is the source itself; nothing new is left behind.
    """
    target = Path(path)
    refuse_source(target, options)
    return write_files(export(document, target, options), target)


def refuse_source(target: Path, options: ExportOptions | None) -> None:
    """Refuse to write over the document that was read, whose pages other exports show.

    Raises:
        OutputError: the target is the source.
    """
    source = None if options is None else options.source
    if not isinstance(source, (str, Path)) or not target.exists() or not Path(source).exists():
        return
    if target.samefile(source):
        raise OutputError(
            f"{target} is the document that was read, and would be lost: choose another name, such as "
            f"{target.with_stem(f'{target.stem}-searchable')}."
        )


def paths_of(file: ExportedFile, target: Path) -> list[Path]:
    """Where :func:`write_files` writes: the files beside the main one, then that."""
    return [*(target.parent / PurePosixPath(name) for name in file.files), target]


def write_files(file: ExportedFile, target: Path) -> Written:
    """Write what :func:`docai.exports.export` made.

    Raises:
        OutputError: it cannot be written there; nothing new is left behind.
    """
    parts = [(target.parent / PurePosixPath(name), data) for name, data in file.files.items()]
    new: list[Path] = []
    folders: list[Path] = []
    current = target
    try:
        for current, data in [*parts, (target, bytes(file))]:
            folders += [one for one in current.parents if not one.exists()]
            is_new = not current.exists()
            write_durably(current, data)
            if is_new:
                new.append(current)
    except OSError as error:
        for one in new:
            one.unlink(missing_ok=True)
        for folder in sorted(set(folders), key=lambda one: -len(one.parts)):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise OutputError(
            f"{current} cannot be written ({error.strerror or error}): choose another place, or close the "
            "program that has it open."
        ) from error
    return Written(target, tuple(one for one, _ in parts), file.losses)
