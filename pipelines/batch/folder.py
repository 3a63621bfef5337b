"""The folder of a run: one owner at a time, one set of settings, results written whole or not at all.

RUN/
  manifest.sqlite     a row for each input (:mod:`docai.pipelines.batch.manifest`)
  settings.json       what the run reads with, and the fingerprint of that
  owner.json          the process that is at work on it; its lock is owner.lock
  results/…           the tree of the inputs; or elsewhere, where settings.json says so
  pages/…             pages of documents that are not finished
                      (a shard's files have its number: manifest-1-of-2.sqlite, pages-1-of-2/…)
  report.html         the run for a person
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from docai.errors import DamagedRunError, RunFolderError
from docai.files import write_durably
from docai.pipelines.batch.manifest import Manifest
from docai.pipelines.batch.owner import SETTLE_SECONDS
from docai.pipelines.batch.storage import Results

MANIFEST: Final = "manifest{shard}.sqlite"
SETTINGS: Final = "settings.json"
RESULTS: Final = "results"
PAGES: Final = "pages{shard}"
REPORT: Final = "report{shard}.html"

_BEFORE_SETTINGS: Final = (
    *("owner*.lock", "owner*.json", ".owner*.json.part"),
    *("settings.lock", f".{SETTINGS}.part"),
)
"""Files of a run that are there before its settings."""

FORMAT: Final = "docai-run/1"
"""Of :data:`SETTINGS`; tells a folder of a run."""


def is_run_folder(folder: Path) -> bool:
    """Whether a run made this folder; a walk over inputs leaves it out."""
    return settings_of(folder) is not None


def settings_of(folder: Path) -> dict[str, Any] | None:
    """What the file of a run's settings holds; None: there is no run."""
    try:
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(settings, dict) or not str(settings.get("format", "")).startswith("docai-run/"):
        return None
    return settings


def manifests_of(folder: Path) -> list[Path]:
    """The manifests of a run, one for each shard."""
    return sorted(folder.glob(MANIFEST.format(shard="*")))


def has_manifest(folder: Path) -> bool:
    """Whether a run was here, even where its settings are lost."""
    return bool(manifests_of(folder))


def no_run(folder: Path) -> RunFolderError:
    """Why a run cannot go on by its folder alone."""
    if not has_manifest(folder):
        return RunFolderError(f"There is no run in {folder}: check the path.")
    return RunFolderError(
        f"The run in {folder} has lost its {SETTINGS}, which says how it was begun: give its inputs and "
        f"options once more, docai batch IN --resume -o {shlex.quote(str(folder))}."
    )


def shards_of(folder: Path) -> list[tuple[int, int]]:
    """Number and count of each part that a run was begun in; none where it was begun as a whole."""
    named = (re.fullmatch(r"manifest-(\d+)-of-(\d+)", path.stem) for path in manifests_of(folder))
    return sorted((int(found[1]), int(found[2])) for found in named if found)


def read_owner(folder: Path) -> str:
    """The processes that are at work on a run, in words; empty where there is none."""
    owners = []
    for path in sorted(folder.glob("owner*.json")):
        lock = FileLock(path.with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            owners.append(_in_words(path))
        except OSError:
            owners.append(f"{_in_words(path)}, perhaps: its lock cannot be looked at")
        else:
            lock.release()
    return "; ".join(owners)


def _in_words(owner: Path) -> str:
    try:
        facts = json.loads(owner.read_text("utf-8"))
        return f"process {facts['pid']} on {facts['host']}, since {facts['since']}"
    except (OSError, ValueError, KeyError):
        return "its owner is not known"


def fingerprint(settings: Mapping[str, Any]) -> str:
    """A short name of settings: another one may read the same page otherwise."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class RunFolder:
    """A folder that this process owns until :meth:`close`; use it in a ``with`` block.

    Args:
        settings: what decides how documents are read, as JSON: options, model and its revision, formats,
            docai's version, readers. None: those of the run that is there.
        shard: number and count, where several machines share the inputs; each has a manifest of its own.
        resume: go on with what is there.
        results: where results go; None: into the folder, or where those of the run that is there go.
        begun: what it takes to go on beside the settings, such as where the model is; kept of a new run.

    Attributes:
        store: the results.

    Raises:
        RunFolderError: another process is at work in it, it holds other files, it is finished and ``resume``
            is not asked for, or it was made with other settings.
        DamagedRunError: its manifest is damaged and ``resume`` is not asked for.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any] | None,
        *,
        shard: tuple[int, int] | None = None,
        resume: bool = False,
        results: str | None = None,
        begun: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.recovered = False
        self._shard = shard
        self._suffix = "" if shard is None else f"-{shard[0]}-of-{shard[1]}"
        self._check(settings, resume)
        try:
            for folder in (self.results, self.pages):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(path / f"owner{self._suffix}.lock", timeout=0)
            self._acquire()
            try:
                self._take()
                # Shards may be begun at the same moment.
                with FileLock(path / "settings.lock"):
                    is_lost = settings_of(path) is None
                    self.settings = self._keep(settings, results, begun)
                self.fingerprint = fingerprint(self.settings)
                self.manifest = self._open_manifest(resume)
                if is_lost:
                    self._require_same_rows()
                    # Nothing says by which settings the results that are there were made.
                    self.recovered = False
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise RunFolderError(
                f"Nothing can be written to the run folder {path} ({error.strerror}): make room, or give "
                "another with -o."
            ) from error

    @property
    def results(self) -> Path:
        return self.path / RESULTS

    @property
    def pages(self) -> Path:
        return self.path / PAGES.format(shard=self._suffix)

    @property
    def report(self) -> Path:
        return self.path / REPORT.format(shard=self._suffix)

    def result(self, name: str, suffix: str) -> Path:
        """Where a result of the input of that name goes, of a run that keeps them in its folder."""
        return self.results / f"{name}{suffix}"

    def close(self) -> None:
        self.manifest.close()
        self._owner_file.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _owner_file(self) -> Path:
        return self.path / f"owner{self._suffix}.json"

    def _check(self, settings: Mapping[str, Any] | None, resume: bool) -> None:
        """Before anything is written."""
        known = settings_of(self.path)
        if known is None:
            try:
                others = sorted(_others(self.path)) if self.path.exists() else []
            except OSError as error:
                raise RunFolderError(
                    f"{self.path} cannot be the folder of a run ({error.strerror}): give another with -o."
                ) from None
            if others and not (resume and has_manifest(self.path)):
                raise RunFolderError(
                    f"The folder {self.path} holds other files, such as {others[0].name}: give a new or an "
                    "empty one with -o."
                )
            if settings is None:
                raise no_run(self.path)
        elif known["format"] != FORMAT:
            raise RunFolderError(
                f"The run {self.path} was made by another version of docai ({known['format']}, and this one "
                f"writes {FORMAT}): use that version, or another folder."
            )
        elif (shards := shards_of(self.path)) and (
            self._shard is None or any(count != self._shard[1] for _, count in shards)
        ):
            named = ", ".join(f"--shard {number}/{count}" for number, count in shards)
            raise RunFolderError(
                f"The run {self.path} was begun in parts, which go on one by one: add {named}; or begin "
                "another with -o."
            )
        elif self._shard is not None and not shards and has_manifest(self.path):
            raise RunFolderError(
                f"The run {self.path} was begun as a whole: leave --shard out, or begin another with -o."
            )
        elif not resume and not (shards and self._shard not in shards):
            raise RunFolderError(
                f"There is a run in {self.path} already: go on with --resume, read again what failed with "
                f"--retry-failed, look at it with --status {shlex.quote(str(self.path))}, or give another "
                "folder with -o."
            )

    def _acquire(self) -> None:
        try:
            self._lock.acquire()
        except Timeout:
            raise RunFolderError(
                f"Another run is at work in {self.path} ({_in_words(self._owner_file)}): wait for it, or "
                "end it."
            ) from None

    def _take(self) -> None:
        if self._owner_file.exists():
            # That process was killed: its lock ended with it, and its workers are about to notice.
            time.sleep(SETTLE_SECONDS)
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_durably(self._owner_file, json.dumps(owner).encode())

    def _keep(
        self, settings: Mapping[str, Any] | None, results: str | None, begun: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        known = settings_of(self.path)
        if known is None:
            assert settings is not None
            self.store = Results(self.results if results is None else results)
            content: dict[str, Any] = {"format": FORMAT, "settings": dict(settings)}
            content |= {} if results is None else {"results": results}
            content |= {} if begun is None else {"begun": dict(begun)}
            write_durably(self.path / SETTINGS, (json.dumps(content, indent=2) + "\n").encode())
            return dict(settings)
        place = known.get("results")
        if results not in (None, place):
            raise RunFolderError(
                f"The results of the run {self.path} are in {place or self.results}, and {results} was "
                "given: leave --results out, or begin another folder with -o."
            )
        self.store = Results(self.results if place is None else place)
        before: dict[str, Any] = known["settings"]
        after = before if settings is None else dict(settings)
        changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        if changed:
            told = sorted((_changed(name, before.get(name), after.get(name)) for name in changed), key=len)
            raise RunFolderError(
                f"The run {self.path} was made otherwise ({'; '.join(told)}), and its results would be "
                "mixed: give the options that it was made with, or begin another folder with -o."
            )
        return before

    def _require_same_rows(self) -> None:
        """Of a run that lost its settings: they have to be those that its rows were read with."""
        if not any(row.settings not in ("", self.fingerprint) for row in self.manifest.rows()):
            return
        self.manifest.close()
        (self.path / SETTINGS).unlink(missing_ok=True)
        self._owner_file.unlink(missing_ok=True)
        raise RunFolderError(
            f"The run {self.path} has lost its {SETTINGS} and was made with other options than were given: "
            "its results would be mixed. Give those that it was made with, or begin another folder with -o."
        )

    def _open_manifest(self, resume: bool) -> Manifest:
        path = self.path / MANIFEST.format(shard=self._suffix)
        try:
            manifest = Manifest(path)
        except DamagedRunError:
            if not resume:
                raise
            manifest = Manifest.recover(path)
        # Also where it was made anew before, and the inputs were not given then.
        self.recovered = resume and not any(manifest.counts().values())
        return manifest


def _others(folder: Path) -> Iterator[Path]:
    """What is in a folder beside what a run leaves that was ended before its settings were written."""
    for path in folder.iterdir():
        is_folder = path.name == RESULTS or fnmatch(path.name, PAGES.format(shard="*"))
        is_empty = is_folder and path.is_dir() and not any(path.iterdir())
        if not (is_empty or any(fnmatch(path.name, pattern) for pattern in _BEFORE_SETTINGS)):
            yield path


def _changed(name: str, before: Any, after: Any) -> str:
    """What a setting was and is, in words; of long ones, such as the readers there are, only that."""
    was, now = (json.dumps(value, ensure_ascii=False) for value in (before, after))
    if max(len(was), len(now)) > 60:
        return f"it had other {name}, as {SETTINGS} in it says"
    return f"{name} was {was} and is {now}"
