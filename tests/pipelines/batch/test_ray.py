"""The parts of a run over a cluster that need no cluster, and what is said where there is none."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

import docai
from docai import RayCluster, ScriptedEngine
from docai.errors import ConfigurationError, MissingDependencyError, SettingError
from docai.models.engine import Request
from docai.models.heads import HEADS, get_head
from docai.pipelines.batch import ray_cluster, ray_model
from docai.pipelines.batch.document import Outcome
from docai.pipelines.batch.model_client import ModelAddress, RemoteEngine
from docai.pipelines.batch.model_server import ModelSpec
from docai.pipelines.batch.ray_cluster import check_address, plan_resources
from docai.pipelines.batch.ray_ledger import MAX_LOST, Began, Ended, Ledger, Opened, Ticket
from docai.pipelines.batch.ray_model import TRIES, Model, ModelProxy


def _node(**resources: float) -> dict[str, Any]:
    return {"Alive": True, "NodeID": f"node with {resources}", "Resources": resources}


def test_a_document_begins_again_when_its_process_is_lost_and_not_when_it_has_ended() -> None:
    ledger = Ledger({2: "secret"})
    assert ledger.begin(1) == Ticket(1, None)
    assert ledger.begin(2) == Ticket(1, "secret")
    ledger.end(Ended(1, 1, 0.5, Outcome("done")))
    assert ledger.begin(1) is None
    assert ledger.begin(2) == Ticket(2, "secret")
    # The process that was taken for lost was only slow.
    ledger.end(Ended(2, 1, 0.5, Outcome("done")))
    ledger.end(Ended(2, 2, 0.5, Outcome("failed")))
    assert [one.attempt for one in ledger.take() if isinstance(one, Ended)] == [1, 1]
    assert ledger.take() == []


def test_a_document_that_loses_its_process_again_and_again_is_given_up() -> None:
    ledger = Ledger({})
    for attempt in range(1, MAX_LOST + 1):
        assert ledger.begin(7) == Ticket(attempt, None)
    assert ledger.begin(7) is None
    events = ledger.take()
    assert [type(one) for one in events] == [Began] * MAX_LOST + [Ended]
    assert isinstance(events[-1], Ended)
    assert (events[-1].outcome.state, events[-1].outcome.code) == ("failed", "WorkerLost")


def test_a_process_that_was_taken_for_lost_writes_over_no_result() -> None:
    ledger = Ledger({})
    ledger.begin(1)
    assert ledger.may_write(1, 1)
    ledger.begin(1)
    assert not ledger.may_write(1, 1)
    assert ledger.may_write(1, 2)
    ledger.end(Ended(1, 2, 0.5, Outcome("done")))
    assert not ledger.may_write(1, 1)


def test_nodes_notice_the_end_of_a_run() -> None:
    ledger = Ledger({})
    assert ledger.tell([Opened(1, 3)])
    ledger.stop()
    assert not ledger.tell([])
    assert ledger.begin(1) is None


@pytest.mark.parametrize(
    ("cluster", "nodes", "expected"),
    [
        (RayCluster(), [_node(CPU=8), _node(CPU=4)], (2, 0, 2)),
        (RayCluster(), [_node(CPU=8), _node(CPU=16, GPU=4)], (4, 1, 2)),
        (RayCluster(gpus_per_model=0.5), [_node(CPU=8, GPU=2)], (4, 0.5, 2)),
        (RayCluster(gpus_per_model=2), [_node(CPU=8, GPU=3), _node(GPU=2)], (2, 2, 2)),
        (RayCluster(models=3), [_node(CPU=1)], (3, 0, 1)),
        (
            RayCluster(cpus_per_document=4),
            [_node(CPU=8), {**_node(CPU=64), "Alive": False}],
            (1, 0, 4),
        ),
    ],
)
def test_resources_follow_the_machines(
    cluster: RayCluster, nodes: list[dict[str, Any]], expected: tuple[float, float, float]
) -> None:
    resources = plan_resources(cluster, nodes)
    assert (resources.n_models, resources.gpus_per_model, resources.cpus_per_document) == expected


def test_copies_of_the_model_that_take_no_gpus_are_on_different_machines() -> None:
    nodes = [_node(CPU=8), _node(memory=1e9), _node(CPU=4), {**_node(CPU=2), "Alive": False}]
    eight, _, four, _ = (node["NodeID"] for node in nodes)
    assert plan_resources(RayCluster(), nodes).places == (eight, four)
    assert plan_resources(RayCluster(models=3), nodes).places == (eight, four, eight)
    assert plan_resources(RayCluster(), [_node(CPU=8, GPU=2)]).places == ()


def test_a_cluster_that_cannot_hold_a_run_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ray start"):
        plan_resources(RayCluster(), [_node(memory=1e9)])
    with pytest.raises(ConfigurationError, match="--gpus-per-model"):
        plan_resources(RayCluster(gpus_per_model=1), [_node(CPU=8)])


@pytest.mark.parametrize(
    "values",
    [
        {"cpus_per_document": 0},
        {"models": 0},
        {"gpus_per_model": -1},
        {"documents_per_task": 0},
        {"address": "ray://head:10001"},
    ],
)
def test_values_that_cannot_be_used_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        RayCluster(**values)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port on which somebody listens who is no cluster."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_an_address_that_does_not_answer_is_one_clear_error(deaf_port: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConfigurationError, match=f"Ray cluster {address} does not answer") as error:
        check_address(address)
    assert "ray start" in str(error.value)
    with pytest.raises(SettingError, match="host:port"):
        check_address("head")
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'docai[ray]'")
    # Ray by itself waits for almost three minutes.
    with pytest.raises(ConfigurationError, match="longer than 3 s"):
        check_address(f"127.0.0.1:{deaf_port}", 3.0)


def test_without_ray_it_is_said_how_to_get_it(
    tmp_path: Path, make_pdf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pdf").write_bytes(make_pdf())
    monkeypatch.setitem(sys.modules, "ray", None)
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    reading = docai.process_many(
        [tmp_path / "a.pdf"], run=tmp_path / "run", cluster=RayCluster(), engine=engine
    )
    with pytest.raises(MissingDependencyError, match=r"pip install 'docai\[ray\]'"):
        next(reading)
    # Before anything was made.
    assert not (tmp_path / "run").exists()


def test_ray_is_not_imported_before_it_is_used() -> None:
    assert not any(
        getattr(module, "__name__", "").partition(".")[0] == "ray" for module in vars(ray_cluster).values()
    )


def _requests(head: str = "text") -> list[Request]:
    return [Request(get_head(head), Image.effect_noise((896, 896), 80).convert("RGB"))]


def test_documents_reach_a_copy_of_the_model_by_their_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exceptions = pytest.importorskip(
        "ray.exceptions", reason="Ray is not installed: pip install 'docai[ray]'"
    )
    monkeypatch.setattr(ray_model, "PAUSE_SECONDS", 0.0)
    copy = Model(ModelSpec(engine=ScriptedEngine({"text": ["a", "b", "c"]})), 64)
    # More often than a crop may cost a copy: they are gone before they are asked.
    n_gone, n_lost = 3 * TRIES, TRIES - 1

    def reach(proxy: ModelProxy, model: Any) -> None:
        nonlocal n_gone
        if n_gone:
            n_gone -= 1
            raise exceptions.ActorUnavailableError("it is starting again", None)

    def ask(proxy: ModelProxy, model: Any, crops: Any) -> Any:
        nonlocal n_lost
        if n_lost:
            n_lost -= 1
            raise exceptions.ObjectLostError("", None, "") if n_lost % 2 else exceptions.RayActorError
        return model.ask(crops)

    monkeypatch.setattr(ModelProxy, "_reach", reach)
    monkeypatch.setattr(ModelProxy, "_ask_one", ask)
    proxy = ModelProxy([copy], tmp_path)
    address = ModelAddress("scripted", {"text": None}, proxy.address, proxy.key)
    texts: list[str] = []

    def read() -> None:
        with RemoteEngine(address) as engine:
            texts.extend(one.text for one in engine.generate(_requests()))

    threads = [Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert copy.ping()
    assert sorted(texts) == ["a", "b", "c"]
    assert n_gone == n_lost == 0
    with RemoteEngine(address) as engine:
        with pytest.raises(docai.errors.HeadNotAvailableError):
            engine.generate(_requests("table"))
        # A crop that ends each copy that it is put to is given up.
        n_lost = 100
        with pytest.raises(docai.errors.GenerationError, match=f"lost {TRIES} times"):
            engine.generate(_requests())
        n_gone = 100
        monkeypatch.setattr(ray_model, "WAIT_SECONDS", 0.0)
        with pytest.raises(docai.errors.ModelLostError, match="none again"):
            engine.generate(_requests())
