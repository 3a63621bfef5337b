"""The truth about a run: a SQLite file with one row for each input.

SQLite and not a file of JSON lines, since a run has to find what is left, what failed and what was slowest
among a million rows without reading them all, and since each change of a row is a transaction: after a power
cut the row is as before or as after. The write-ahead log is recovered by SQLite itself. A file that is
damaged beyond that is set aside and made anew from the inputs and the results that are there
(:meth:`Manifest.recover`), which reads no document twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, Self, get_args

from docai.errors import DamagedRunError, RunFolderError
from docai.files import as_text

State = Literal["waiting", "running", "done", "partial", "failed"]
"""``partial``: there is a result, and pages of it could not be read, or the model failed at regions of it.
``failed``: there is none."""

STATES: Final[tuple[State, ...]] = get_args(State)

ENDED: Final[frozenset[State]] = frozenset(("done", "partial", "failed"))

AT_A_TIME: Final = 1000
"""Rows that are read at a time."""

VERSION: Final = 1
"""Of the columns below; a later docai may have another."""

_NOT_DAMAGED: Final = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    )
)
"""Errors of the disk and of other processes, which leave the file as it is."""

_COLUMNS: Final = """
    number INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    options TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'waiting',
    reason TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT '',
    settings TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    n_bytes INTEGER NOT NULL DEFAULT 0,
    modified INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    failed_pages INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    warnings INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    peak_memory INTEGER NOT NULL DEFAULT 0,
    confidences TEXT NOT NULL DEFAULT '{}',
    doubtful TEXT NOT NULL DEFAULT '[]',
    changed REAL NOT NULL DEFAULT 0
"""


@dataclass(frozen=True)
class Row:
    """What is known of one input."""

    number: int
    path: str
    """Of the document, absolute."""
    name: str
    """Of its results, relative to ``results/``, without the extension of a format."""
    options: str = "{}"
    """What is asked for this input alone, as JSON: ``pages``."""
    state: State = "waiting"
    reason: str = ""
    """Why it failed or is partial, in a sentence."""
    code: str = ""
    """The type of the error, or the code of the first issue."""
    attempts: int = 0
    """How often its reading began; of a long document, by runs that kept no page of it before they ended."""
    sha256: str = ""
    """Of the bytes that were read."""
    settings: str = ""
    """Fingerprint of the settings that it was read with, see :mod:`docai.pipelines.batch.folder`."""
    model: str = ""
    """Checkpoint and revision."""
    n_bytes: int = 0
    modified: int = 0
    """When the file was last written, nanoseconds since 1970."""
    pages: int = 0
    """Of the result; with those that failed."""
    failed_pages: int = 0
    records: int = 0
    errors: int = 0
    """Issues of that severity, of document and records."""
    warnings: int = 0
    seconds: float = 0.0
    """From its opening to its result, all attempts."""
    peak_memory: int = 0
    """Bytes: the most that its worker process had, resident."""
    confidences: str = "{}"
    """Of its records, by kind, as JSON, see :class:`docai.pipelines.batch.worker.Finished`."""
    doubtful: str = "[]"
    """The records that are least sure, as JSON, see :class:`docai.pipelines.batch.pages.Doubtful`."""
    changed: float = 0.0
    """When the row was last written, seconds since 1970."""


_NAMES: Final = tuple(field.name for field in fields(Row))

_SELECT: Final = f"SELECT {', '.join(_NAMES)} FROM inputs"


class Manifest:
    """The rows of a run. All methods may be called from several threads.

    Raises:
        RunFolderError: the file is of a later version of docai, or its disk is full or cannot be written,
            which methods that change rows raise, too. DamagedRunError: it is damaged, see :meth:`recover`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        try:
            with _using(path):
                self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
                self._set_up()
        except sqlite3.DatabaseError as error:
            raise DamagedRunError(
                f"The manifest {path} is damaged ({error}): give the inputs again, with --resume and -o; "
                "it is made anew, and results that are there are kept."
            ) from error

    def _set_up(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise RunFolderError(
                f"The run {self.path.parent} was made by a later version of docai (its manifest has version "
                f"{version}, and this docai knows {VERSION}): use that version, or another folder."
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        # A row that says "done" must not be lost: the result would be made twice.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA busy_timeout = 10000")
        if version == 0:
            self._db.execute(f"CREATE TABLE IF NOT EXISTS inputs ({_COLUMNS})")
            self._db.execute("CREATE INDEX IF NOT EXISTS by_state ON inputs (state, number)")
            self._db.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif (problem := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(problem)

    @classmethod
    def recover(cls, path: Path) -> Self:
        """Set a damaged file aside and begin an empty one."""
        aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            # They belong to the damaged file; applied to the new one they would damage it, too.
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
        return cls(path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, rows: Iterable[tuple[str, str, str]]) -> int:
        """Add inputs: path, name and options. One that is there keeps its row; where it has other options
        now, it waits to be read again.

        Returns:
            How many have other options.
        """
        with self._lock, _using(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                rows = list(rows)
                (before,) = self._db.execute("SELECT COUNT(*) FROM inputs").fetchone()
                n_changed = self._db.total_changes
                self._db.executemany(
                    "INSERT INTO inputs (path, name, options) VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE "
                    "SET options = excluded.options, state = 'waiting', reason = '', code = '', "
                    "attempts = 0, pages = 0 WHERE options <> excluded.options",
                    rows,
                )
                n_changed = self._db.total_changes - n_changed
                (after,) = self._db.execute("SELECT COUNT(*) FROM inputs").fetchone()
            except BaseException:
                # SQLite has done so itself where the disk is full.
                with suppress(sqlite3.OperationalError):
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            return int(n_changed - (after - before))

    def update(self, number: int, **values: Any) -> None:
        """Change columns of a row, in one transaction."""
        values = {name: as_text(value) if isinstance(value, str) else value for name, value in values.items()}
        values["changed"] = time.time()
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        with self._lock, _using(self.path):
            self._db.execute(
                f"UPDATE inputs SET {assignments} WHERE number = :number", values | {"number": number}
            )

    def row(self, number: int) -> Row:
        with self._lock:
            return _row(self._db.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone())

    def rows(self, *states: State, order: str = "number", limit: int = -1) -> Iterator[Row]:
        """The rows in these states, all where none is given.

        Args:
            order: a column; one behind a minus is taken from the highest.
        """
        column = order.removeprefix("-")
        if column not in _NAMES:
            raise ValueError(f"there is no column {column!r}")
        where = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        direction = " DESC" if order.startswith("-") else ""
        query = f"{_SELECT}{where} ORDER BY {column}{direction}, number LIMIT {int(limit)}"
        if column != "number" or limit >= 0:
            with self._lock, closing(self._db.execute(query, states)) as cursor:
                found = cursor.fetchall()
            yield from map(_row, found)
            return
        # All of them: some at a time, as they are then.
        beyond = "<" if direction else ">"
        query = (
            f"{_SELECT} WHERE number {beyond} ?{where.replace(' WHERE', ' AND')} "
            f"ORDER BY number{direction} LIMIT {AT_A_TIME}"
        )
        last = 1 << 62 if direction else -1
        while True:
            with self._lock, closing(self._db.execute(query, (last, *states))) as cursor:
                found = cursor.fetchall()
            yield from map(_row, found)
            if len(found) < AT_A_TIME:
                return
            last = found[-1][0]

    def numbers(self, *states: State) -> list[int]:
        """The numbers of the rows in these states, ascending."""
        where = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        with self._lock:
            found = self._db.execute(f"SELECT number FROM inputs{where} ORDER BY number", states).fetchall()
        return [number for (number,) in found]

    def names(self) -> dict[str, str]:
        """Path → name, of all rows."""
        with self._lock:
            return dict(self._db.execute("SELECT path, name FROM inputs").fetchall())

    def counts(self) -> dict[State, int]:
        """How many rows there are in each state."""
        with self._lock:
            found = dict(self._db.execute("SELECT state, COUNT(*) FROM inputs GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def reasons(self) -> list[tuple[State, str, int]]:
        """Why inputs failed or are partial: state, code, and how many, the most frequent first."""
        with self._lock:
            return self._db.execute(
                "SELECT state, code, COUNT(*) FROM inputs WHERE state IN ('failed', 'partial') "
                "GROUP BY state, code ORDER BY COUNT(*) DESC, MIN(number)"
            ).fetchall()

    def totals(self) -> Mapping[str, float]:
        """Sums of numeric columns over all rows, such as ``pages``, ``records`` and ``seconds``."""
        names = ("pages", "failed_pages", "records", "errors", "warnings", "seconds")
        sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in names)
        with self._lock:
            return dict(zip(names, self._db.execute(f"SELECT {sums} FROM inputs").fetchone(), strict=True))


@contextmanager
def _using(path: Path) -> Iterator[None]:
    """Around a use of the database: errors of the disk in words. Raises :class:`RunFolderError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        # The last byte is the kind of error. A file that is too short is one of reading.
        if code & 0xFF not in _NOT_DAMAGED or code == sqlite3.SQLITE_IOERR_SHORT_READ:
            raise
        raise RunFolderError(
            f"The manifest {path} cannot be written ({error}): see that its disk has room and can be "
            "written, then go on with --resume."
        ) from error


def _row(values: tuple[Any, ...]) -> Row:
    return Row(*values)
