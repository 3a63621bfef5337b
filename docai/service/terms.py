"""What a service allows: bounds that hold for all who ask, and the folders that it may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final

from docai.environment import TOKEN_VARIABLE
from docai.errors import SettingError, SourceNotFoundError
from docai.files import expand_home

MIN_TOKEN: Final = 16
"""Characters of a token."""

LIMITS: Final = MappingProxyType(
    {"max_bytes": 128 << 20, "max_pages": 300, "max_seconds_per_page": 120.0, "max_seconds_per_step": 60.0}
)
"""Limits that are narrower for a service than for its own user, where none were set."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Bounds of a service. Raises SettingError where one is below what works."""

    max_waiting: int = 16
    """Documents that may wait for a worker; more are refused for now."""
    max_seconds: float = 1800.0
    """For one document; what was read by then is its result."""
    upload_seconds: float = 120.0
    """For a document to arrive."""
    keep_seconds: float = 900.0
    """For which the result of a job is kept."""
    max_kept: int = 100
    """Results that are kept at a time; the oldest go first."""
    stop_seconds: float = 30.0
    """For what is being read when the service is told to stop."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1 if name == "max_kept" else 0
            if value < least:
                raise SettingError(f"{name} is {value}; it has to be {least} or more.")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """Refuse to listen where others reach it without a token, or with one that can be guessed.

    Raises:
        SettingError: there is none, or it is too short, or cannot be in a header.
    """
    how = f"set {TOKEN_VARIABLE} in the environment, such as to the output of `openssl rand -hex 32`"
    if token is None:
        if not is_loopback(host):
            raise SettingError(
                f"On {host} others than this machine can reach docai, so callers need a token: {how}, or "
                "listen on 127.0.0.1."
            )
        return
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingError(
            f"The token has to be {MIN_TOKEN} or more characters of ASCII without spaces: {how}."
        )


def check_roots(roots: Sequence[str | Path]) -> tuple[Path, ...]:
    """The real paths of folders. Raises SettingError where one is none."""
    found = []
    for root in roots:
        path = expand_home(str(root)).resolve()
        if not path.is_dir():
            raise SettingError(f"{root} is no folder: --root names the folders with documents to read.")
        found.append(path)
    return tuple(found)


def find_allowed(name: str, roots: Sequence[Path]) -> Path:
    """A file under one of the folders, by its path: absolute, or relative to one of them.

    Links are followed first: one that leads out of the folders is not read.

    Args:
        name: as a caller wrote it.
        roots: from :func:`check_roots`.

    Raises:
        SourceNotFoundError: there is no such file there. It says the same of files elsewhere, which exist or
            do not.
    """
    if "://" in name:
        raise SourceNotFoundError(f"{name} is a URL, and docai fetches none: send the document.", source=name)
    if not roots:
        raise SourceNotFoundError(
            "This service reads no files by their paths: send the document, or start the service with --root "
            "FOLDER.",
            source=name,
        )
    for root in roots:
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):
            # A name that no file can have, or links in a circle.
            continue
    raise SourceNotFoundError(
        f"There is no file {name} in the folders that this service may read.", source=name
    )
