"""What is done with results that are there: exports, the viewer's pages, search.

The functions run in a process of its own, which opens no network and writes in the folder of the service
alone (:mod:`docai.pipelines.batch.sandbox`, where the system has it): what a document made of its result may
crash the libraries that draw it, and costs one request then.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from docai.corrections import Correction, Corrections
from docai.errors import NothingToExportError, OutputError
from docai.exports import FORMATS, ExportedFile, ExportOptions, export, split_name
from docai.limits import Limits
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.viewer.opened import SVG, WEBP, OpenedResult

SECONDS: Final = 120.0
"""For one export or picture."""

MAX_OPEN: Final = 4
"""Results that are held in memory, with their sources open."""

MAX_CALLS: Final = 2000
"""After which another process takes the place of that one, whatever its libraries kept."""

P = ParamSpec("P")

R = TypeVar("R")


@dataclass(frozen=True)
class Shown:
    """A result that somebody may look at."""

    folder: Path
    """Of the service: the only one that is written to."""
    result: Path
    source: Path
    name: str
    """Of the source, as its caller called it."""
    password: str | None = field(default=None, repr=False)
    limits: Limits | None = None


@dataclass(frozen=True)
class Exported:
    """An export that was written to a file."""

    name: str
    """By which it is sent."""
    losses: Sequence[str]
    """Codes of what the file does not hold, each once."""


class Display:
    """The process; to be closed. Its methods may be called from any thread, and wait for each other."""

    def __init__(self, folder: Path) -> None:
        temporary = folder / "display"
        temporary.mkdir()
        self._worker = CallWorker(
            "docai.pipelines.ingest.one_thread",
            max_requests=MAX_CALLS,
            variables={"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
            typed=True,
        )
        # PDFs have processes of their own, with the limit of memory.
        self._worker.limit(None)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(*args, **kwargs)`` of this module, or of one that is like it; it declares what it gives.

        Raises:
            OutputError: the process crashed, or took too long.
            Exception: whatever the function raises.
        """
        try:
            return self._worker.call(function, SECONDS, *args, **kwargs)
        except WorkerError as error:
            raise OutputError(f"This could not be made of the result: {error}.") from error

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return self._worker.pid

    def close(self) -> None:
        # A call that goes on is ended first.
        self._worker.stop()
        self._worker.close()


_opened: dict[Path, OpenedResult] = {}

_is_restricted = False


def opened(shown: Shown) -> OpenedResult:
    """The result, open. Raises NotAResultError."""
    _restrict(shown.folder)
    if shown.result not in _opened:
        one = OpenedResult(shown.result, [shown.source], password=shown.password, limits=shown.limits)
        if len(_opened) >= MAX_OPEN:
            _opened.pop(next(iter(_opened))).close()
        _opened[shown.result] = one
    return _opened[shown.result]


def forget(shown: Shown) -> None:
    """Close a result that is to be removed."""
    one = _opened.pop(shown.result, None)
    if one is not None:
        one.close()


def view_page(shown: Shown, token: str) -> bytes:
    """See :meth:`docai.viewer.opened.OpenedResult.page`."""
    return opened(shown).page(token)


def picture(shown: Shown, name: str) -> bytes:
    """See :meth:`docai.viewer.opened.OpenedResult.picture`; :func:`picture_type` says of which type it is."""
    return opened(shown).picture(name)[1]


def picture_type(name: str) -> str:
    """The media type of a picture, which its name says."""
    return SVG if name.startswith("drawing-") else WEBP


def correct(shown: Shown, correction: Correction) -> Correction:
    """See :meth:`docai.viewer.opened.OpenedResult.correct`."""
    return opened(shown).correct(correction)


def corrections(shown: Shown) -> Corrections:
    """See :meth:`docai.viewer.opened.OpenedResult.corrections`."""
    return opened(shown).corrections()


def drawn(shown: Shown, record: str, text: str) -> dict[str, str]:
    """See :meth:`docai.viewer.opened.OpenedResult.drawn`."""
    return opened(shown).drawn(record, text)


def check_formats(suffixes: Sequence[str]) -> None:
    """Raises MissingDependencyError: a library that writes one of the formats is not installed."""
    for suffix in suffixes:
        FORMATS[suffix].check()


def export_result(shown: Shown, suffixes: Sequence[str], target: Path, *, as_zip: bool) -> Exported:
    """The result in one format, or as a ZIP file of several with the files that belong beside them.

    In a ZIP file a format for which the document has nothing is left out, and told in ``losses``.

    Args:
        target: the file to write; it may be larger than what a process sends to another.

    Raises:
        ExportError: it cannot be written, or there is nothing for the one format that was asked for.
        MissingDependencyError: a library that writes the format is not installed.
    """
    stem = split_name(shown.name)[0] or "document"
    if as_zip:
        return _write_zip(shown, suffixes, target, stem)
    (suffix,) = suffixes
    file = export_alone(shown, f"{stem}{suffix}")
    target.write_bytes(file)
    return Exported(f"{stem}{suffix}", _codes(file))


def export_alone(shown: Shown, name: str) -> ExportedFile:
    """The result as one file, see :func:`docai.exports.export`."""
    options = ExportOptions(
        source=shown.source, password=shown.password, limits=shown.limits, files_beside=False
    )
    return export(opened(shown).document, name, options)


def _write_zip(shown: Shown, suffixes: Sequence[str], target: Path, stem: str) -> Exported:
    document = opened(shown).document
    options = ExportOptions(source=shown.source, password=shown.password, limits=shown.limits)
    losses: dict[str, None] = {}
    n_files = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix in suffixes:
            try:
                file = export(document, f"{stem}{suffix}", options)
            except NothingToExportError:
                if len(suffixes) == 1:
                    raise
                losses[f"nothing-for-{suffix.removeprefix('.')}"] = None
                continue
            for name, content in {**file.files, f"{stem}{suffix}": file}.items():
                # Formats share files beside them, such as pictures of figures.
                if name not in archive.NameToInfo:
                    archive.writestr(name, bytes(content))
                    n_files += 1
            losses |= dict.fromkeys(_codes(file))
    if not n_files:
        raise NothingToExportError(
            f"{shown.name} has nothing that {', '.join(suffixes)} can hold: ask for another format."
        )
    return Exported(f"{stem}.zip", list(losses))


def _codes(file: ExportedFile) -> list[str]:
    return list(dict.fromkeys(loss.code for loss in file.losses))


def _restrict(folder: Path) -> None:
    global _is_restricted
    if not _is_restricted:
        _is_restricted = True
        from docai.pipelines.batch.owner import end_with_owner
        from docai.pipelines.batch.sandbox import restrict

        with suppress(OSError):
            restrict([folder])
        end_with_owner()
