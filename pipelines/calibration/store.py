"""Calibration maps in a checkpoint's ``docai.json``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from docai.errors import CheckpointError, SettingError
from docai.files import write_atomically
from docai.models.calibration import Calibration
from docai.models.checkpoints import MANIFEST, Manifest


def check_writable(folder: Path) -> None:
    """Raise before long work where ``docai.json`` could not be replaced afterwards.

    Raises:
        CheckpointError: there is none.
        SettingError: the folder cannot be written to.
    """
    if not (folder / MANIFEST).is_file():
        raise CheckpointError(
            f"The folder {folder} has no {MANIFEST}, so it says of no head that it can answer; calibrate a "
            "checkpoint that docai train wrote."
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_new(folder: Path) -> None:
    """Raise before long work where a copy could not be put at ``folder`` afterwards.

    Raises:
        SettingError: there is something already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError(f"{folder} is there already; give a new or empty folder with -o.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_copy(source: Path, target: Path, maps: Mapping[str, Calibration]) -> None:
    """A checkpoint with these maps in a new folder, complete or not at all.

    The states of its training are left out. Weights are hard links where the disk allows it.

    Raises:
        SettingError: see :func:`check_new`.
        CheckpointError: see :func:`write_calibration`.
    """
    check_new(target)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        left_out = shutil.ignore_patterns("state", "__pycache__")
        shutil.copytree(source, part, copy_function=_link, ignore=left_out)
        write_calibration(part, maps)
        if target.exists():
            target.rmdir()
        part.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_calibration(folder: Path, maps: Mapping[str, Calibration]) -> None:
    """Put the maps of some heads into ``docai.json``, whole or not at all. All else in it stays.

    Raises:
        CheckpointError: it is missing, damaged, or lacks one of the heads.
        SettingError: it cannot be written.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["heads"]
        for head, units in maps.items():
            entries[head]["calibration"] = {
                unit: chosen.model_dump(exclude_defaults=True) for unit, chosen in units.items()
            }
        # What cannot be read again must not take the place of what can.
        Manifest.model_validate(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The {MANIFEST} of {folder} cannot be used ({error}); mend it.") from error
    try:
        write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _link(source: str, target: str) -> None:
    """``docai.json`` is replaced later and never written into, so that links are safe."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)


def _unwritable(folder: Path, error: OSError) -> SettingError:
    return SettingError(
        f"The folder {folder} cannot be written to: {error.strerror or error}. Give another folder with -o."
    )
