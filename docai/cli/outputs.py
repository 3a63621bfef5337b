"""Which file each input is written to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from docai import files
from docai.errors import SettingError
from docai.exports import EXPORTERS, exporter_for

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
