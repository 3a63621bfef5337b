"""What happens in a run, as values: for a terminal, a log, or a caller's own display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from docai.pipelines.batch.manifest import Row, State


@dataclass(frozen=True)
class RunStarted:
    """The inputs are known."""

    n_inputs: int
    """All rows of the manifest."""
    n_waiting: int
    """Of them, those that this run reads."""
    notes: tuple[str, ...] = ()
    """What was left out or mended, in words."""


@dataclass(frozen=True)
class DocumentStarted:
    """A worker has opened a document."""

    row: Row
    n_pages: int
    """To read; pages that were read before a stop count, too."""
    n_kept: int = 0
    """Of them, those that were read before a stop."""


@dataclass(frozen=True)
class PageRead:
    """A page of a document was read, or given up."""

    row: Row
    page: int
    seconds: float
    n_records: int
    problem: str = ""
    """Why it was given up; empty where it was read."""


@dataclass(frozen=True)
class ModelAwaited:
    """A document waits for the model, which is lost; it is read again when that is there."""

    row: Row
    reason: str


@dataclass(frozen=True)
class DocumentEnded:
    """A document has its result, or none; ``row`` says which."""

    row: Row
    results: tuple[str, ...] = ()
    """Paths of the results, or their URLs in a store; none where it failed."""


@dataclass(frozen=True)
class RunEnded:
    """Nothing is left to read, or the run was stopped."""

    counts: Mapping[State, int]
    totals: Mapping[str, float]
    """Sums over all rows, see :meth:`docai.pipelines.batch.manifest.Manifest.totals`."""
    seconds: float
    """Of this run."""
    stopped: str = ""
    """Why it ended before its time; empty where it did not."""


Event = RunStarted | DocumentStarted | PageRead | ModelAwaited | DocumentEnded | RunEnded
