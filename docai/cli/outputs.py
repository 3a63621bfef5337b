"""Where the results of ``docai process`` go, found and checked before anything is read.

Without ``-o`` a result goes beside its document: ``report.pdf`` to ``report.json``. A file that is there
already is replaced where it is an older result of docai for a document of that name, or empty; any other
file, which all of other formats are, is left alone and nothing is read, unless ``--overwrite`` says so.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Final

from docai.base import counted
from docai.cli.inputs import Input
from docai.errors import MissingDependencyError, SettingError
from docai.exports import FORMATS, format_for, source_of_result, split_name
from docai.files import DOCUMENT_SUFFIXES, expand_home

DEFAULT_SUFFIX: Final = ".json"

MIN_FREE_BYTES: Final = 8 << 20
"""On the disk of the results: a result of some hundred pages takes a few megabytes."""

_MAX_NAMED: Final = 3
"""Files that an error message names."""


@dataclass(frozen=True)
class Job:
    """One document and where its results go."""

    source: Input
    targets: tuple[Path, ...]
    """One for each format; none where nothing is written."""
    overlay: Path | None
    """Folder and name of the overlay pictures; the page number and ``.png`` come behind it."""
    is_named: bool = False
    """The only target is the file that the user named."""


def plan_jobs(
    inputs: Sequence[Input],
    out: str | None,
    overlay: str | None,
    *,
    beside: bool,
    suffixes: Sequence[str] | None = None,
) -> list[Job]:
    """A job for each document.

    Args:
        out: of ``-o``; None is beside the document where ``beside``, else nowhere.
        overlay: of ``--overlay``.
        suffixes: of ``--to``, extensions of formats; None: JSON, or that of the file ``out``.

    Raises:
        SettingError: the documents do not fit ``out``.
    """
    paths = [one.path for one in inputs]
    is_file = out is not None and _is_file(out, len(inputs))
    if is_file and suffixes is not None:
        raise SettingError(
            f"-o {out} is one file, and --to names formats: give one of the two, or a folder with -o."
        )
    endings = suffixes or (DEFAULT_SUFFIX,)
    targets: Sequence[tuple[Path, ...]] = [()] * len(inputs)
    if out is not None:
        folder = expand_home(out)
        names = [plan_names(paths, suffix) for suffix in endings]
        targets = [
            (folder,) if is_file else tuple(folder / name for name in own) for own in zip(*names, strict=True)
        ]
    elif beside:
        targets = list(zip(*(_names_beside(paths, suffix) for suffix in endings), strict=True))
    stems: Sequence[Path | None] = [None] * len(inputs)
    if overlay is not None:
        stems = [expand_home(overlay) / name for name in plan_names(paths, "")]
    return [Job(*parts, is_file) for parts in zip(inputs, targets, stems, strict=True)]


def _is_file(out: str, n_inputs: int) -> bool:
    """``-o`` is a file where it has an extension and is no folder; one that ends with a slash is a folder."""
    path = expand_home(out)
    ends_as_folder = out.endswith(("/", os.sep))
    if path.is_dir() or ends_as_folder or not (path.suffix or path.is_file()):
        return False
    if not path.suffix:
        raise SettingError(
            f"-o {out} is a file and no folder, and without an extension it names no format: give another, "
            f"or one with an extension ({formats()})."
        )
    try:
        format_for(path)
    except SettingError as error:
        raise SettingError(f"{str(error).rstrip('.')}. For a folder of that name: -o {out}/") from None
    if n_inputs > 1:
        raise SettingError(
            f"{n_inputs} inputs do not fit into the one file {out}; give a folder: -o {path.with_suffix('')}/"
        )
    return True


def formats() -> str:
    """The extensions that can be written, for help texts."""
    return ", ".join(FORMATS)


def plan_names(inputs: Sequence[Path], suffix: str) -> list[Path]:
    """A relative file name for each input, no two the same on any file system.

    ``report.pdf`` becomes ``report.json``; where two inputs would meet, both keep their extension
    (``report.pdf.json``); where they still meet, both keep their folders below the common one.
    """
    absolute = [path.parent.resolve() / path.name for path in inputs]
    ways: list[Callable[[Path], Path]] = [
        lambda path: Path(_stem(path) + suffix),
        lambda path: Path(path.name + suffix),
    ]
    if len({path.drive for path in absolute}) == 1:
        common = os.path.commonpath([path.parent for path in absolute])
        ways.append(lambda path: path.with_name(path.name + suffix).relative_to(common))
    # Paths that differ only in case, or in the drive, end at a number.
    return _distinct(absolute, ways, lambda number, path: Path(f"{number:04d}-{path.name}{suffix}"))


def _names_beside(inputs: Sequence[Path], suffix: str) -> list[Path]:
    """``report.json`` beside each ``report.pdf``; ``report.pdf.json`` where two inputs would meet."""
    return _distinct(
        inputs,
        [
            lambda path: path.with_name(_stem(path) + suffix),
            lambda path: path.with_name(path.name + suffix),
        ],
        lambda number, path: path.with_name(f"{number:04d}-{path.name}{suffix}"),
    )


def _distinct(
    inputs: Sequence[Path],
    ways: Sequence[Callable[[Path], Path]],
    last_resort: Callable[[int, Path], Path],
) -> list[Path]:
    """For each input the first way's path that no other input has."""
    names: list[Path | None] = [None] * len(inputs)
    for way in ways:
        proposals = [name or way(path) for name, path in zip(names, inputs, strict=True)]
        uses = Counter(map(_folded, proposals))
        names = [
            name or (proposal if uses[_folded(proposal)] == 1 else None)
            for name, proposal in zip(names, proposals, strict=True)
        ]
    return [name or last_resort(number, inputs[number]) for number, name in enumerate(names)]


def _stem(path: Path) -> str:
    """The name without the extension of a document or a result: what follows the dot of ``1706.03762`` is
    none."""
    return path.stem if path.suffix.lower() in (*DOCUMENT_SUFFIXES, DEFAULT_SUFFIX) else path.name


def _folded(path: Path) -> str:
    return str(path.absolute()).casefold()


def check_outputs(jobs: Sequence[Job], *, overwrite: bool = False) -> None:
    """Make the folders of the results, and see that they can be written.

    Raises:
        SettingError: a folder cannot be made or written to, its disk is full, a file that is no result of
            docai would be overwritten, or an input.
        MissingDependencyError: a library that writes a format is not installed.
    """
    check_formats(target for job in jobs for target in job.targets)
    inputs = {_folded(job.source.path) for job in jobs if job.source.data is None}
    for target in (target for job in jobs for target in job.targets):
        if _folded(target) in inputs:
            if format_for(target).suffix == ".pdf":
                raise SettingError(
                    f"The searchable PDF would replace {target}, the document that is read: choose another "
                    "folder with -o."
                )
            raise SettingError(f"{target} is read and would be written: say with -o where the results go.")
    for folder in dict.fromkeys(target.parent for job in jobs for target in job.targets):
        _check_folder(folder, "say with -o where the results go")
    for folder in dict.fromkeys(job.overlay.parent for job in jobs if job.overlay):
        _check_folder(folder, "give another to --overlay")
    if blocked := [path for job in jobs for path in _in_the_way(job, overwrite=overwrite)]:
        named = ", ".join(map(str, blocked[:_MAX_NAMED]))
        more = f" and {len(blocked) - _MAX_NAMED} more" if len(blocked) > _MAX_NAMED else ""
        number = counted(len(blocked), "file")
        if all(_is_of_other_format(path) for path in blocked):
            them = "it" if len(blocked) == 1 else "them"
            raise SettingError(
                f"{number} would be overwritten: {named}{more}. Only JSON is recognized as docai's own: add "
                f"--overwrite to replace {them}, or say with -o where the results go."
            )
        it = "it is not a result" if len(blocked) == 1 else "they are not results"
        raise SettingError(
            f"{number} would be overwritten, though {it} of docai for the same document: {named}{more}. Say "
            "with -o where the results go, or add --overwrite."
        )


def without_missing(jobs: Sequence[Job]) -> tuple[list[Job], list[MissingDependencyError]]:
    """The jobs without the files of formats whose library is not installed, and what is missing.

    Raises:
        SettingError: there is no format of such an extension.
        MissingDependencyError: no file would be left.
    """
    missing: dict[str, MissingDependencyError] = {}
    for target in {format_for(target).suffix: target for job in jobs for target in job.targets}.values():
        try:
            check_formats([target])
        except MissingDependencyError as error:
            missing[format_for(target).suffix] = error
    left = [
        replace(job, targets=tuple(one for one in job.targets if format_for(one).suffix not in missing))
        for job in jobs
    ]
    if missing and not any(job.targets for job in left):
        raise next(iter(missing.values()))
    return left, list(missing.values())


def check_formats(targets: Iterable[Path]) -> None:
    """See that what writes the formats of the files is installed.

    Raises:
        SettingError: there is no format of such an extension.
        MissingDependencyError: a library is not installed.
    """
    for one in {format_for(target).suffix: format_for(target) for target in targets}.values():
        one.check()


def _check_folder(folder: Path, remedy: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        disk = shutil.disk_usage(folder)
    except (FileExistsError, NotADirectoryError):
        raise SettingError(
            f"{folder} cannot be a folder, as there is a file in its place: {remedy}."
        ) from None
    except OSError as error:
        raise SettingError(
            f"Nothing can be written to the folder {folder} ({error.strerror}): {remedy}."
        ) from None
    # Some network file systems say 0 of everything.
    if disk.total and disk.free < MIN_FREE_BYTES:
        raise SettingError(f"The disk of the folder {folder} is full ({disk.free:,} bytes left): {remedy}.")


def _in_the_way(job: Job, *, overwrite: bool) -> Iterator[Path]:
    """Files, or folders, that stand where a result of the job is to be."""
    for target in filter(Path.exists, job.targets):
        if target.is_dir():
            raise SettingError(
                f"{target} is a folder: say with -o where the result of {job.source.name} goes."
            )
        if not overwrite and not _is_replaceable(target, None if job.is_named else job.source.name):
            yield target
    if job.overlay is not None and not overwrite:
        from docai.pipelines.overlay import is_own_picture

        pattern = re.compile(re.escape(job.overlay.name) + r"-page-\d{3,}\.png", re.IGNORECASE)
        for path in sorted(job.overlay.parent.iterdir()):
            if pattern.fullmatch(path.name) and not is_own_picture(path):
                yield path


def _is_of_other_format(path: Path) -> bool:
    """docai writes such files, and cannot tell whether it wrote this one."""
    return split_name(path.name)[1] in set(FORMATS) - {DEFAULT_SUFFIX}


def _is_replaceable(path: Path, source: str | None) -> bool:
    """It is empty, or a result of docai: of a document of that name where ``source`` is given."""
    if path.is_file() and path.stat().st_size == 0:
        return True
    name = source_of_result(path)
    if name is None or source is None:
        return name is not None
    # Written on Windows or elsewhere.
    return PureWindowsPath(name).name == PureWindowsPath(source).name
