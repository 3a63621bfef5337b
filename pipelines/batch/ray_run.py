"""All documents of a run, over a cluster: Ray Data maps the rows of the manifest to results.

    manifest → rows → Ray Data: tasks of processors (ray_task) → results, written by the nodes
                                  ↘ actors of GPUs (ray_model) ↗
    manifest ← coordinator ← ledger (ray_ledger) ← what began, what ended, and how

The coordinator alone has the run folder: the manifest, its lock, the report. A row goes out with its task,
and a row comes back; documents and results go between the nodes and their stores. So what bounds a run is how
many documents a second a coordinator can hand out and write down. Beyond that, ``--shard`` gives each of
several coordinators a part of the inputs and a manifest of its own; they may use the same cluster.
``benchmarks/scale_plan.py`` reckons with it.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Final

from docai._version import __version__
from docai.base import one_line
from docai.errors import ConfigurationError, DocaiError, RunFolderError
from docai.pipelines.batch.events import DocumentStarted, Event, PageRead
from docai.pipelines.batch.folder import RunFolder
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.ray_cluster import RayCluster, Resources, connected, plan_resources
from docai.pipelines.batch.ray_ledger import Began, Ended, Fault, Ledger, NodeEvent, Opened, PageDone
from docai.pipelines.batch.ray_model import CHECK, MAX_WAITING, Model
from docai.pipelines.batch.ray_task import NodePlan, read_documents
from docai.pipelines.batch.run import RunBase, Setup
from docai.pipelines.batch.storage import Results

POLL_SECONDS: Final = 0.1
"""Between two looks into the ledger."""

MAX_TASKS: Final = 20_000
"""Of a run, unless it is said otherwise: each is a thing that the coordinator keeps in mind."""

MAX_TOLD: Final = 200
"""Characters of what Ray says of an error."""

STOP_SECONDS: Final = 20.0
"""For the tasks of a run that is stopped to notice it."""


class RayRun(RunBase):
    """The reading of what waits in a run folder, over a cluster; iterate over it once. See
    :class:`docai.pipelines.batch.run.RunBase` for the other arguments.

    Args:
        cluster: which one, and how it is used.

    Raises:
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, folder: RunFolder, setup: Setup, cluster: RayCluster, **options: Any) -> None:
        super().__init__(folder, setup, **options)
        self._cluster = cluster
        self._running: dict[int, Row] = {}
        """Documents that nodes have, with their rows as they were before."""
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Event]:
        """What happens, as it happens; leaving the loop stops the run.

        Raises:
            ConfigurationError: the cluster does not answer, or a node does not fit the run.
            ConfigurationError, CheckpointError, AdapterError: nothing more can be read. What was finished is
                kept, and what was being read waits.
        """
        yield self._begin()
        fault: Exception | None = None
        if self._waiting:
            try:
                with connected(self._cluster) as ray:
                    yield from self._read(ray)
            except DocaiError as error:
                fault = error
            except Exception as error:
                if type(error).__module__.partition(".")[0] != "ray":
                    raise
                # Such as the ledger, killed where a machine is short of memory.
                fault = _of_ray(error)
            finally:
                # What nodes have not ended is not the documents' fault.
                for before in self._running.values():
                    self._put_off(before, "" if fault is None else str(fault))
                self._running.clear()
        yield self._end(fault)
        if fault is not None:
            raise fault

    def stop(self) -> None:
        """End at once; documents that are being read wait for the next run."""
        self._is_stopped = True

    def _read(self, ray: Any) -> Iterator[Event]:
        resources = plan_resources(self._cluster, ray.nodes())
        ledger = self._start_ledger(ray)
        models = self._start_models(ray, resources)
        plan = self._plan(ledger, models)
        n_left = len(self._waiting)
        thread = Thread(target=self._map, args=(ray, plan, resources), daemon=True)
        try:
            thread.start()
            while n_left and not self._is_stopped:
                # Before the ledger is looked at: what a task told is there when the last one has ended.
                is_over = not thread.is_alive()
                happened: list[NodeEvent] = ray.get(ledger.take.remote())
                for one in happened:
                    n_left -= isinstance(one, Ended)
                    yield from self._note(one)
                if is_over and not happened:
                    raise self._ended_early()
                if not happened:
                    time.sleep(POLL_SECONDS)
        finally:
            with suppress(ray.exceptions.RayError):
                ray.get(ledger.stop.remote())
            thread.join(STOP_SECONDS)
            for actor in (*models, ledger):
                ray.kill(actor)

    def _start_ledger(self, ray: Any) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        passwords = {}
        if self._passwords:
            # Of few inputs, where any has one.
            paths = {number: self._folder.manifest.row(number).path for number in self._waiting}
            passwords = {
                number: self._passwords[path] for number, path in paths.items() if path in self._passwords
            }
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return ray.remote(Ledger).options(num_cpus=0, scheduling_strategy=here).remote(passwords)

    def _start_models(self, ray: Any, resources: Resources) -> list[Any]:
        """They are loaded by the first crops. One whose node is lost is started again on another."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = ray.remote(concurrency_groups={CHECK: 1})(Model)
        strategies: list[Any] = [NodeAffinitySchedulingStrategy(node, soft=True) for node in resources.places]
        return [
            actor.options(
                num_cpus=0,
                num_gpus=resources.gpus_per_model,
                max_restarts=-1,
                max_concurrency=MAX_WAITING,
                scheduling_strategy=strategy,
            ).remote(self._setup.model, self._cluster.model_batch)
            for strategy in strategies or ["SPREAD"] * resources.n_models
        ]

    def _plan(self, ledger: Any, models: list[Any]) -> NodePlan:
        setup = self._setup
        store = self._folder.store
        if isinstance(store.root, Path):
            # The folders in which processes of Ray work are others.
            store = Results(store.root.absolute())
        try:
            mark = store.mark()
        except OSError as error:
            raise RunFolderError(f"Nothing can be written to {store.root} ({error}).") from None
        return NodePlan(
            run=secrets.token_hex(8),
            docai=__version__,
            options=setup.options,
            model=setup.model_at("", b""),
            exporters=setup.exporters,
            key=self._folder.fingerprint,
            results=store,
            mark=mark,
            retry_failed=self._retry_failed,
            ledger=ledger,
            models=tuple(models),
        )

    def _map(self, ray: Any, plan: NodePlan, resources: Resources) -> None:
        """In a thread: put all rows through Ray Data."""
        try:
            manifest = self._folder.manifest
            per_task = self._cluster.documents_per_task or math.ceil(len(self._waiting) / MAX_TASKS)
            rows = [
                {"number": row.number, "path": row.path, "name": row.name, "options": row.options}
                for row in map(manifest.row, self._waiting)
            ]
            dataset = ray.data.from_items(rows, override_num_blocks=math.ceil(len(rows) / per_task))
            dataset.context.enable_progress_bars = False
            read = dataset.map_batches(
                read_documents,
                batch_size=None,
                fn_kwargs={"plan": plan},
                num_cpus=resources.cpus_per_document,
                concurrency=self._setup.n_workers,
            )
            for _ in read.iter_rows():
                if self._is_stopped:
                    break
        except BaseException as error:
            self._error = error

    def _note(self, happened: NodeEvent) -> Iterator[Event]:
        """Write to the manifest what happened."""
        manifest = self._folder.manifest
        match happened:
            case Began(number, attempt):
                before = self._running.setdefault(number, manifest.row(number))
                manifest.update(
                    number, state="running", attempts=before.attempts + attempt, reason="", code=""
                )
            case Opened(number, n_pages):
                yield DocumentStarted(manifest.row(number), n_pages)
            case PageDone(number, page, seconds, n_records, problem):
                yield PageRead(manifest.row(number), page, seconds, n_records, problem)
            case Ended(number, attempt, seconds, outcome):
                yield self._finish(self._running.pop(number), attempt, seconds, outcome)
            case Fault(error):
                raise error

    def _ended_early(self) -> Exception:
        """Why Ray Data came to its end before the documents did."""
        if isinstance(self._error, DocaiError):
            return self._error
        if self._error is None:
            return ConfigurationError(
                "Ray ended the run before all documents were read: go on with --resume."
            )
        return _of_ray(self._error)


def _of_ray(error: BaseException) -> ConfigurationError:
    """What Ray says, in a sentence: its own messages are pages long."""
    told = next((line.strip() for line in str(error).splitlines() if line.strip()), "it says no more")
    last = str(error).strip().splitlines()[-1:] or [""]
    more = f"; {one_line(last[0], MAX_TOLD)}" if last[0].strip() not in ("", told) else ""
    return ConfigurationError(
        f"Ray ended the run ({type(error).__name__}: {one_line(told, MAX_TOLD)}{more}). docai and Ray have "
        "to be installed on all nodes, in the same versions, and the coordinator's machine needs memory to "
        "spare. What was read is kept: go on with --resume."
    )
