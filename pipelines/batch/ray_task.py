"""What happens on a node of the cluster: some documents, one after the other, each as on one machine.

A process of Ray reads no document itself. It keeps what the engine of one machine has for each of its
workers, a :class:`~docai.pipelines.batch.document.DocumentReader` with the sandboxed process that opens
documents, and stands between that and the network: it fetches the document from its store, hands the crops on
to the model (:mod:`~docai.pipelines.batch.ray_model`), writes the results where they belong, and tells the
coordinator (:mod:`~docai.pipelines.batch.ray_ledger`). Results do not go through the coordinator: at a
hundred million pages they are terabytes, and it is one machine.

Tasks and no actors: Ray gives a task to any process that is free, on any node, and when a node is lost, at
once to another one; calls of an actor that is lost wait for it, maybe for good. The reader stays in its
process from task to task.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from docai._version import __version__
from docai.errors import (
    ConfigurationError,
    DamagedSourceError,
    DocaiError,
    InputError,
    RunFolderError,
    SourceNotFoundError,
    TooManyBytesError,
)
from docai.limits import raise_limit
from docai.options import Options
from docai.pipelines.batch.document import DocumentReader, Outcome, StoppedError
from docai.pipelines.batch.events import DocumentStarted, Event, PageRead
from docai.pipelines.batch.inputs import restored
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.model_client import ModelAddress
from docai.pipelines.batch.ray_ledger import Ended, Fault, NodeEvent, Opened, PageDone, Ticket
from docai.pipelines.batch.ray_model import ModelProxy
from docai.pipelines.batch.scratch import Scratch
from docai.pipelines.batch.storage import Results, facts_of, fetch, is_url, name_of, put
from docai.pipelines.batch.worker import NO_ROOM, Exporter, Job

TELL_SECONDS: Final = 0.5
"""Between two messages about pages."""

SCRATCH: Final = "docai-ray-"
"""Beginning of the name of a folder of a process, which has its number behind that."""


@dataclass(frozen=True)
class NodePlan:
    """How the documents of a run are read on a node."""

    run: str
    """Another one in each run."""
    docai: str
    """The version of the coordinator."""
    options: Options
    model: ModelAddress
    """Its name and its heads; each process has an address of its own for it."""
    exporters: Mapping[str, Exporter | None]
    """Extension → what makes the bytes: a function of a module. None: docai's own JSON."""
    key: str
    """Of the settings."""
    results: Results
    mark: str
    """Among the results, see :meth:`docai.pipelines.batch.storage.Results.mark`."""
    retry_failed: bool
    ledger: Any
    """Handle of the :class:`docai.pipelines.batch.ray_ledger.Ledger`."""
    models: tuple[Any, ...]
    """Handles of the copies of the model."""


_node: Node | None = None


def read_documents(batch: Mapping[str, Any], *, plan: NodePlan) -> dict[str, list[int]]:
    """A task of Ray Data: read documents to their results.

    Args:
        batch: columns ``number``, ``path``, ``name`` and ``options`` of the manifest.

    Returns:
        The column ``number``. What became of them is in the ledger.
    """
    global _node
    import ray

    numbers = [int(number) for number in batch["number"]]
    try:
        if _node is None or _node.run != plan.run:
            if _node is not None:
                _node.close()
                _node = None
            _node = Node(plan)
        for number, path, name, options in zip(
            numbers, batch["path"], batch["name"], batch["options"], strict=True
        ):
            _node.read(Row(number, str(path), str(name), str(options)))
    except StoppedError:
        if _node is not None:
            _node.close()
            _node = None
    except DocaiError as error:
        ray.get(plan.ledger.tell.remote([Fault(error)]))
    return {"number": numbers}


class Node:
    """What a process of Ray keeps from document to document.

    Raises:
        ConfigurationError: this node does not fit the run.
    """

    def __init__(self, plan: NodePlan) -> None:
        self.run = plan.run
        self._plan = plan
        where = socket.gethostname()
        if plan.docai != __version__:
            raise ConfigurationError(
                f"The node {where} has docai {__version__} and the coordinator {plan.docai}: install the "
                "same."
            )
        try:
            is_seen = plan.results.is_marked(plan.mark)
        except OSError as error:
            raise RunFolderError(f"The node {where} cannot look at {plan.results.root} ({error}).") from None
        if not is_seen:
            raise RunFolderError(
                f"The node {where} does not see the results of the run in {plan.results.root}: give a folder "
                "that all machines share with -o, or where results go with --results, such as "
                "s3://bucket/results."
            )
        self._folder = Scratch(SCRATCH)
        self._scratch = self._folder.path
        for name in ("source", "results", "pages", "temporary"):
            (self._scratch / name).mkdir()
        self._model = ModelProxy(plan.models, self._scratch)
        self._reader = DocumentReader(self._emit, self._scratch / "temporary")
        self._events: list[NodeEvent] = []
        self._told = time.monotonic()

    def close(self) -> None:
        self._reader.close()
        self._folder.close()

    def read(self, row: Row) -> None:
        """Read a document, unless it was read before.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: nothing else could be read either.
            StoppedError: the run has ended.
        """
        import ray

        ticket: Ticket | None = ray.get(self._plan.ledger.begin.remote(row.number))
        if ticket is None:
            return
        started = time.monotonic()
        try:
            outcome = self._read(row, ticket)
        finally:
            for name in ("source", "results", "pages"):
                _empty(self._scratch / name)
        self._tell()
        if outcome is None:
            return
        seconds = time.monotonic() - started
        # An error of any library may not be there where it is read; what it says is in the reason.
        ended = Ended(row.number, ticket.attempt, seconds, replace(outcome, error=None))
        ray.get(self._plan.ledger.end.remote(ended))

    def _read(self, row: Row, ticket: Ticket) -> Outcome | None:
        """None: another process reads the document, which is its own matter now."""
        import ray

        job = self._job(row, ticket)
        try:
            modified = self._fetch(row.path, job) if is_url(row.path) else None
        except InputError as error:
            return Outcome("failed", str(error), type(error).__name__)
        outcome = self._reader.read(row, job)
        if modified is not None:
            outcome = replace(
                outcome,
                reason=outcome.reason.replace(str(job.path), row.path),
                opened=outcome.opened and replace(outcome.opened, modified=modified),
            )
        if not ray.get(self._plan.ledger.may_write.remote(row.number, ticket.attempt)):
            return None
        if outcome.finished is not None:
            for (file, _), suffix in zip(job.results, self._plan.exporters, strict=True):
                if modified is not None:
                    _rename(file, job.path, row.path)
                self._deliver(file, self._plan.results.place(row.name, suffix))
        return outcome

    def _job(self, row: Row, ticket: Ticket) -> Job:
        plan = self._plan
        results, pages = self._scratch / "results", self._scratch / "pages"
        options = json.loads(row.options)
        return Job(
            path=self._scratch / "source" / name_of(row.path) if is_url(row.path) else restored(row.path),
            options=plan.options,
            model=replace(plan.model, address=self._model.address, key=self._model.key),
            folder=pages / str(row.number),
            results=tuple((results / f"result{suffix}", one) for suffix, one in plan.exporters.items()),
            key=plan.key,
            writable=(results, pages, self._scratch / "temporary"),
            pages=options.get("pages"),
            password=ticket.password,
            retry_failed=plan.retry_failed,
        )

    def _fetch(self, url: str, job: Job) -> int:
        """Returns when it was last written. Raises InputError, RunFolderError."""
        try:
            (facts,) = facts_of([url])
            if facts is None:
                raise SourceNotFoundError(f"{url} does not exist: check the path.", source=url)
            bound = job.options.limits.max_bytes
            if bound is not None and facts.n_bytes > bound:
                raise TooManyBytesError(
                    f"{url} has more than the {bound:,} bytes allowed: split it or "
                    f"{raise_limit('max_bytes')}.",
                    source=url,
                )
            fetch(url, job.path)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise RunFolderError(
                    f"{job.path} cannot be written on the node {socket.gethostname()} ({error.strerror}): "
                    "make room, then go on with --resume."
                ) from None
            raise DamagedSourceError(f"{url} cannot be fetched ({error}).", source=url) from None
        return facts.modified

    def _deliver(self, file: Path, place: str | Path) -> None:
        """Raises RunFolderError: no other result could be written either."""
        try:
            put(file, place)
        except OSError as error:
            raise RunFolderError(
                f"{place} cannot be written from the node {socket.gethostname()} ({error}): mend that, then "
                "go on with --resume."
            ) from None

    def _emit(self, event: Event) -> None:
        """What the reader says of its document."""
        if isinstance(event, DocumentStarted):
            self._events.append(Opened(event.row.number, event.n_pages))
        elif isinstance(event, PageRead):
            self._events.append(
                PageDone(event.row.number, event.page, event.seconds, event.n_records, event.problem)
            )
        if isinstance(event, DocumentStarted) or time.monotonic() - self._told > TELL_SECONDS:
            self._tell()

    def _tell(self) -> None:
        """Raises StoppedError."""
        import ray

        events, self._events = self._events, []
        self._told = time.monotonic()
        if not ray.get(self._plan.ledger.tell.remote(events)):
            self._reader.stop()
            raise StoppedError


def _rename(file: Path, path: Path, url: str) -> None:
    """In a result, what was read is where it came from; issues of pages name it."""
    before, after = (json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in (str(path), url))
    content = file.read_bytes()
    if before in content:
        file.write_bytes(content.replace(before, after))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
