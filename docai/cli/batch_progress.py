"""A run as it goes on: a bar on a terminal, plain lines in a log, or an event of JSON on each line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from docai.base import counted, one_line
from docai.pipelines.batch.events import DocumentEnded, Event, ModelAwaited, PageRead, RunEnded, RunStarted

if TYPE_CHECKING:
    from rich.console import Console

    from docai.pipelines.batch.ray_run import RayRun
    from docai.pipelines.batch.run import Run

LINE_SECONDS: Final = 30.0
"""Between two lines of a log that tell how far a run is."""


class Tally:
    """What a run did so far."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.n_waiting = self.n_ended = self.n_failed = self.n_partial = self.n_pages = self.n_records = 0

    def add(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.n_waiting = event.n_waiting
            case PageRead():
                self.n_pages += 1
                self.n_records += event.n_records
            case DocumentEnded():
                self.n_ended += 1
                self.n_failed += event.row.state == "failed"
                self.n_partial += event.row.state == "partial"

    def describe(self) -> str:
        """``12 of 40 documents · 31 pages · 0.52 pages/s · 1.7 records/s · 1 failed · 3 min left``."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        parts = [
            f"{self.n_ended:,} of {counted(self.n_waiting, 'document')}",
            counted(self.n_pages, "page"),
            f"{self.n_pages / seconds:.2f} pages/s",
            f"{self.n_records / seconds:.1f} records/s",
        ]
        if self.n_failed:
            parts.append(f"{self.n_failed:,} failed")
        if self.n_partial:
            parts.append(f"{self.n_partial:,} partial")
        if 0 < self.n_ended < self.n_waiting:
            parts.append(f"{_duration((self.n_waiting - self.n_ended) * seconds / self.n_ended)} left")
        return " · ".join(parts)


def show_progress(run: Run | RayRun, how: str, console: Console) -> None:
    """Go through the run and show it; ``how`` is ``auto``, ``lines``, ``json`` or ``off``."""
    if how == "auto":
        how = "bar" if console.is_terminal else "lines"
    tally = Tally()
    with _bar(console) if how == "bar" else _no_bar() as update:
        last = time.monotonic()
        for event in run:
            tally.add(event)
            if how == "json":
                sys.stdout.write(json.dumps(as_json(event)) + "\n")
                sys.stdout.flush()
            if isinstance(event, RunStarted) and how in ("bar", "lines"):
                for note in event.notes:
                    console.print(note, markup=False, soft_wrap=True)
            if isinstance(event, ModelAwaited) and how in ("bar", "lines"):
                what = (
                    f"waiting for the model: {one_line(event.row.path, 300)}: {one_line(event.reason, 300)}"
                )
                console.print(what, markup=False, soft_wrap=True)
            if isinstance(event, DocumentEnded) and event.row.state != "done" and how in ("bar", "lines"):
                what = (
                    f"{event.row.state}: {one_line(event.row.path, 300)}: {one_line(event.row.reason, 300)}"
                )
                console.print(what, markup=False, soft_wrap=True)
            if how == "bar":
                update(tally)
            elif how == "lines" and (time.monotonic() - last > LINE_SECONDS or isinstance(event, RunEnded)):
                console.print(tally.describe(), markup=False, soft_wrap=True)
                last = time.monotonic()


def leave_output() -> None:
    """Nobody reads standard output any more: what is still to be written goes nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def as_json(event: Event) -> dict[str, Any]:
    """An event as JSON: its name and its fields; a document is named by its path."""
    fields = asdict(event)
    row = fields.pop("row", None)
    if row is not None:
        names = ("path", "name", "state", "reason", "code", "pages", "failed_pages", "records", "seconds")
        fields |= {name: row[name] for name in (names if isinstance(event, DocumentEnded) else names[:2])}
    return {"event": type(event).__name__} | fields


@contextmanager
def _bar(console: Console) -> Iterator[Any]:
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        BarColumn(), TextColumn("{task.description}", markup=False), console=console, transient=True
    ) as bar:
        task = bar.add_task("starting", total=None)

        def update(tally: Tally) -> None:
            bar.update(
                task, description=tally.describe(), completed=tally.n_ended, total=tally.n_waiting or None
            )

        yield update


@contextmanager
def _no_bar() -> Iterator[Any]:
    yield lambda tally: None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
