"""Which cluster reads the documents of a run, with which part of its machines, and how it is reached.

Ray itself waits for minutes for an address that does not answer, and writes to standard error meanwhile. So
the address is tried by a child process first, which has a time limit.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

from docai.errors import ConfigurationError, SettingError, needs
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError

PORT_SECONDS: Final = 10.0
"""For a connection to the address."""

CONNECT_SECONDS: Final = 60.0
"""For a process that joins the cluster there, and says so."""

CPUS_PER_DOCUMENT: Final = 2.0
"""The document's process and the readers beside the model share them, as with the engine of one machine."""

MAX_BATCH: Final = 64
"""Crops that are put to a model at a time, unless it is said otherwise."""


@dataclass(frozen=True)
class RayCluster:
    """How a batch uses Ray: pass it to :func:`docai.process_many`.

    The documents and the model have resources of their own: reading takes processors, and each copy of the
    model takes GPUs, or the processors of a machine without.

    Attributes:
        address: ``host:port`` of the head, or ``auto`` for the cluster that this machine is in. None: what
            ``RAY_ADDRESS`` names, the cluster that this machine is in, or one that is started here.
        cpus_per_document: processors that one document takes; no more than the largest machine has.
        models: copies of the model; None: one for each GPU, or for each machine where there are none.
        gpus_per_model: None: 1 where the cluster has GPUs, and 0 otherwise.
        model_batch: crops that are put to a copy of the model at a time.
        documents_per_task: that one task of Ray reads one after the other; None: one, and more where there
            are so many documents that tasks would burden the coordinator.

    Raises:
        SettingError: a value that cannot be used.
    """

    address: str | None = None
    cpus_per_document: float = CPUS_PER_DOCUMENT
    models: int | None = None
    gpus_per_model: float | None = None
    model_batch: int = MAX_BATCH
    documents_per_task: int | None = None

    def __post_init__(self) -> None:
        if self.cpus_per_document <= 0:
            raise SettingError(f"cpus_per_document is {self.cpus_per_document}; give a number above 0.")
        if self.gpus_per_model is not None and self.gpus_per_model < 0:
            raise SettingError(f"gpus_per_model is {self.gpus_per_model}; give 0 or more.")
        for name in ("models", "model_batch", "documents_per_task"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(f"{name} is {value}; give a number from 1.")
        if self.address is not None and self.address.startswith("ray://"):
            raise SettingError(
                f"The address {self.address} is one of Ray Client, through which Ray Data is not read: start "
                "docai on a machine of the cluster (`ray start --address=HEAD:6379 --num-cpus=0` makes this "
                "one join), and give host:port or auto."
            )


@dataclass(frozen=True)
class Resources:
    """What a run asks Ray for."""

    n_models: int
    gpus_per_model: float
    cpus_per_document: float
    n_cpus: float
    """Of the whole cluster, now."""
    places: tuple[str, ...]
    """Node of each copy of the model, where it takes no GPUs; empty where those decide."""


def plan_resources(cluster: RayCluster, nodes: list[dict[str, Any]]) -> Resources:
    """What fits the machines that are there.

    Args:
        nodes: as ``ray.nodes()`` describes them.

    Raises:
        ConfigurationError: no machine has a processor for documents, or GPUs as they are asked for.
    """
    alive = [node for node in nodes if node["Alive"]]
    machines = [node["Resources"] for node in alive]
    cpus = [machine.get("CPU", 0.0) for machine in machines]
    gpus = [machine.get("GPU", 0.0) for machine in machines]
    if max(cpus, default=0.0) <= 0:
        raise ConfigurationError(
            "No machine of the Ray cluster offers a processor: start one with "
            "`ray start --address=HEAD:6379`."
        )
    wanted = cluster.gpus_per_model
    if wanted is None:
        wanted = 1.0 if max(gpus) >= 1 else 0.0
    if wanted > max(gpus):
        raise ConfigurationError(
            f"A model asks for {wanted:g} GPUs, and no machine of the Ray cluster has more than "
            f"{max(gpus):g}: lower --gpus-per-model, or 0 for processors."
        )
    if cluster.models is not None:
        n_models = cluster.models
    elif wanted:
        n_models = int(sum(count // wanted if wanted >= 1 else int(1 / wanted) * count for count in gpus))
    else:
        n_models = sum(count > 0 for count in cpus)
    # What takes no resources Ray may put all on one machine, however it is asked to spread it.
    able = [node["NodeID"] for node, count in zip(alive, cpus, strict=True) if count > 0]
    places = () if wanted else tuple(islice(cycle(able), n_models))
    return Resources(n_models, wanted, min(cluster.cpus_per_document, max(cpus)), sum(cpus), places)


def check_cluster(cluster: RayCluster) -> None:
    """Before anything is made: whether there is Ray, and a cluster that answers.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigurationError: the cluster does not answer.
    """
    ray = import_ray()
    address = _address(cluster)
    if address is not None and not ray.is_initialized():
        check_address(address)


def _address(cluster: RayCluster) -> str | None:
    return cluster.address or os.environ.get("RAY_ADDRESS") or None


@contextmanager
def connected(cluster: RayCluster) -> Iterator[Any]:
    """Ray, connected to the cluster, which :func:`check_cluster` has seen. A connection that the caller had
    is used, and left.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigurationError: the cluster does not answer.
    """
    ray = import_ray()
    if ray.is_initialized():
        if cluster.address not in (None, "auto"):
            # Ray has one cluster in a process.
            here = ray.get_runtime_context().gcs_address
            if here != cluster.address:
                raise ConfigurationError(
                    f"This process is connected to the Ray cluster {here}, and {cluster.address} is asked "
                    "for: call ray.shutdown() before, or leave the address out."
                )
        with _quiet():
            yield ray
        return
    address = _address(cluster)
    with _quiet():
        try:
            _join(ray, address)
        except Exception as error:
            raise _unreachable(address or "on this machine", f"{type(error).__name__}: {error}") from error
        try:
            yield ray
        finally:
            ray.shutdown()


def import_ray() -> Any:
    """Raises MissingDependencyError."""
    with needs("docai[ray]", "The engine ray"):
        import ray
        import ray.data
    return ray


def check_address(address: str, seconds: float = CONNECT_SECONDS) -> None:
    """Whether a cluster answers at an address.

    Raises:
        SettingError: it is no address. ConfigurationError: nothing answers in ``seconds``.
    """
    if address != "auto":
        host, colon, port = address.rpartition(":")
        if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
            raise SettingError(f"The address of Ray is {address!r}; give host:port, such as 10.0.0.1:6379.")
        try:
            socket.create_connection((host.strip("[]"), int(port)), min(PORT_SECONDS, seconds)).close()
        except OSError as error:
            raise _unreachable(address, error.strerror or str(error) or "no answer") from None
    worker = CallWorker("ray")
    worker.limit(None)
    try:
        worker.call(_probe, seconds, address)
    except WorkerError as error:
        raise _unreachable(address, str(error)) from None
    except Exception as error:
        raise _unreachable(address, str(error)) from None
    finally:
        worker.close()


def _probe(address: str) -> None:
    """In a child: join the cluster, and leave it."""
    import ray

    _join(ray, address)
    ray.shutdown()


def _join(ray: Any, address: str | None) -> None:
    # A cluster that is started here would report its use to Ray's makers; docai sends nothing. There is no
    # other switch than this variable, which the processes of the cluster inherit.
    before = os.environ.get("RAY_USAGE_STATS_ENABLED")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        ray.init(
            address=address,
            configure_logging=False,
            log_to_driver=False,
            include_dashboard=None if address else False,
        )
    finally:
        if before is None:
            del os.environ["RAY_USAGE_STATS_ENABLED"]
        else:
            os.environ["RAY_USAGE_STATS_ENABLED"] = before


def _unreachable(address: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The Ray cluster {address} does not answer ({why.strip().rstrip('.')}): check with `ray status "
        "--address HOST:PORT` that it runs; this machine has to be one of it (`ray start --address=HEAD:6379 "
        "--num-cpus=0` makes it join, without work). Without an address docai starts Ray here."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data tells each step on standard error, which is the place of docai's own progress."""
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
