"""Whole runs over a cluster of two nodes, which is two sets of processes on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pymupdf
import pytest

import docai
from docai import RayCluster, ScriptedEngine
from docai.batch import make_setup, open_run
from docai.document import Document
from docai.errors import DeviceError, RunFolderError
from docai.models.engine import Engine
from docai.models.heads import HEADS
from docai.pipelines.batch import ray_run
from docai.pipelines.batch.events import DocumentEnded, DocumentStarted, Event, RunStarted
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.ray_cluster import Resources, plan_resources
from docai.pipelines.batch.worker import Exporter
from tests.pipelines.batch.runs import ALONE, draw_picture, rows_of, write_pdf

ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install 'docai[ray]'")
pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'docai[ray]'")

pytestmark = [
    pytest.mark.slow(seconds=100),
    pytest.mark.skipif(sys.platform == "win32", reason="Ray has clusters on POSIX"),
    # Ray's own, about a variable of GPUs that it will treat otherwise.
    pytest.mark.filterwarnings("ignore:Tip. In future versions of Ray:FutureWarning"),
    # Ray Data's, about its own settings.
    pytest.mark.filterwarnings("ignore:`use_.*` is deprecated:DeprecationWarning"),
    # The processes of a cluster and their logs are left to the end of the test's process.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file .*ray.*:ResourceWarning"),
]

MEMORY = 80 << 20
"""Of Ray's object store on a node, which asks for that much."""


@pytest.fixture(scope="module")
def cluster(faults: ModuleType) -> Iterator[Any]:
    """Two nodes with a processor each; this process is connected to them."""
    from ray.cluster_utils import Cluster

    # By itself Ray lets everything else on a machine go first.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # It ends processes when others fill the memory of the machine, which is no matter of these tests.
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(faults.__file__ or "").parent))
    head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        ray.init(address=cluster.address, configure_logging=False, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        monkeypatch.undo()


def _run(
    folder: Path,
    sources: Sequence[Path | str],
    *,
    on: RayCluster | None,
    engine: Engine | None = None,
    exporters: dict[str, Exporter] | None = None,
    **more: Any,
) -> Iterator[Event]:
    engine = engine or ScriptedEngine(dict.fromkeys(HEADS, "read"), accuracy=1.0)
    setup = make_setup(ALONE, engine=engine, workers=1 if on is None else None, cluster=on)
    setup = replace(setup, exporters={**setup.exporters, **(exporters or {})})
    opened, run = open_run(folder, sources, setup, **more)
    with opened:
        yield from run


def _without_times(row: Row) -> Row:
    return replace(row, seconds=0.0, peak_memory=0, changed=0.0)


def _results(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pdf.json")}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write_pdf(folder / "a.pdf", "Hello world")
    write_pdf(folder / "deep" / "b c.pdf", "One", "Two", "Three")
    write_pdf(folder / "locked.pdf", "x", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret")
    draw_picture(folder / "deep" / "picture.png")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    return folder


def test_rows_and_results_are_those_of_one_machine(cluster: Any, tmp_path: Path, inputs: Path) -> None:
    sources = [inputs, tmp_path / "gone.pdf"]
    list(_run(tmp_path / "one", sources, on=None, password="secret"))
    events = list(_run(tmp_path / "many", sources, on=RayCluster(), password="secret"))
    one, many = rows_of(tmp_path / "one"), rows_of(tmp_path / "many")
    assert {name: _without_times(row) for name, row in many.items()} == {
        name: _without_times(row) for name, row in one.items()
    }
    assert {row.state for row in many.values()} == {"done", "failed"}
    assert _results(tmp_path / "many" / "results") == _results(tmp_path / "one" / "results")
    assert len(_results(tmp_path / "many" / "results")) == 3
    assert sum(isinstance(event, DocumentEnded) for event in events) == 6
    # A run goes on where it was, whichever engine began it.
    (tmp_path / "many" / "results" / "in" / "a.pdf.json").unlink()
    events = list(_run(tmp_path / "many", [], on=None, resume=True))
    assert [event.row.name for event in events if isinstance(event, DocumentEnded)] == ["in/a.pdf"]
    events = list(_run(tmp_path / "many", [], on=RayCluster(), resume=True))
    assert [type(event).__name__ for event in events] == ["RunStarted", "RunEnded"]


def test_documents_and_results_may_be_in_a_store(cluster: Any, tmp_path: Path, inputs: Path) -> None:
    list(_run(tmp_path / "one", [inputs], on=None))
    # Through PyArrow, and through fsspec, as objects of a store.
    sources, results = [f"file://{inputs}"], f"local://{tmp_path}/out of here"
    list(_run(tmp_path / "many", sources, on=RayCluster(), results=results))
    one, many = rows_of(tmp_path / "one"), rows_of(tmp_path / "many")
    for name, row in many.items():
        expected = replace(_without_times(one[name]), number=row.number, path=f"file://{one[name].path}")
        assert _without_times(row) == replace(
            expected, reason=expected.reason.replace(one[name].path, row.path)
        )
    # The name of the source is what was given.
    assert _results(tmp_path / "out of here") == {
        name: data.replace(f'"{inputs}'.encode(), f'"file://{inputs}'.encode())
        for name, data in _results(tmp_path / "one" / "results").items()
    }
    (tmp_path / "out of here" / "a.pdf.json").unlink()
    write_pdf(inputs / "deep" / "b c.pdf", "Another text")
    events = list(_run(tmp_path / "many", [], on=RayCluster(), resume=True))
    assert {event.row.name for event in events if isinstance(event, DocumentEnded)} == {
        "a.pdf",
        "deep/b c.pdf",
    }
    with pytest.raises(docai.errors.SettingError, match="--engine ray"):
        list(_run(tmp_path / "many", [], on=None, resume=True))


def test_a_document_that_ends_processes_costs_itself(
    cluster: Any, tmp_path: Path, faults: ModuleType
) -> None:
    inputs = tmp_path / "in"
    for name in ("crash", "a", "poison", "b"):
        write_pdf(inputs / f"{name}.pdf", "Text", "More")
    exporters: dict[str, Exporter] = {".txt": faults.export_or_die, ".rights": faults.export_rights}
    list(_run(tmp_path / "run", [inputs], on=RayCluster(), exporters=exporters))
    rows = rows_of(tmp_path / "run")
    assert {name: row.state for name, row in rows.items()} == {
        "a.pdf": "done",
        "b.pdf": "done",
        "crash.pdf": "failed",
        "poison.pdf": "failed",
    }
    assert rows["crash.pdf"].code == "WorkerError"
    assert "SIGKILL" in rows["crash.pdf"].reason
    assert (rows["poison.pdf"].code, rows["poison.pdf"].attempts) == ("WorkerLost", 3)
    assert (tmp_path / "run" / "results" / "b.pdf.txt").read_bytes() == b"2 pages"
    # What the kernel can take away from a process that opens documents, it takes away on a node, too.
    list(_run(tmp_path / "one", [inputs / "b.pdf"], on=None, exporters={".rights": faults.export_rights}))
    many, one = (
        json.loads((tmp_path / run / "results" / "b.pdf.rights").read_bytes()) for run in ("run", "one")
    )
    assert many == one


def test_a_node_that_does_not_see_the_results_ends_the_run(cluster: Any, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "Text")
    # Each process has a memory of its own.
    with pytest.raises(RunFolderError, match="does not see the results"):
        list(_run(tmp_path / "run", [path], on=RayCluster(), results="memory://results"))
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.attempts) == ("waiting", 0)


def test_a_model_that_cannot_be_used_ends_the_run(cluster: Any, tmp_path: Path, faults: ModuleType) -> None:
    path = draw_picture(tmp_path / "in" / "a.png")
    engine = faults.UnusableEngine(dict.fromkeys(HEADS, ""), accuracy=1.0)
    with pytest.raises(DeviceError, match="gone"):
        list(_run(tmp_path / "run", [path], on=RayCluster(), engine=engine))
    row = rows_of(tmp_path / "run")["a.png"]
    assert (row.state, row.attempts, row.reason) == ("waiting", 0, "The device is gone.")


def test_a_run_that_is_left_goes_on(cluster: Any, tmp_path: Path) -> None:
    paths = [write_pdf(tmp_path / "in" / f"{number}.pdf", f"Text {number}") for number in range(6)]
    for event in _run(tmp_path / "run", paths, on=RayCluster(documents_per_task=2)):
        if isinstance(event, DocumentEnded):
            break
    # The generator is closed here, which stops the run.
    rows = rows_of(tmp_path / "run").values()
    assert {row.state for row in rows} == {"done", "waiting"}
    assert all(row.attempts == (row.state == "done") for row in rows)
    events = list(_run(tmp_path / "run", paths, on=RayCluster(), resume=True))
    assert isinstance(events[0], RunStarted)
    assert events[0].n_waiting == sum(row.state == "waiting" for row in rows)
    assert {row.state for row in rows_of(tmp_path / "run").values()} == {"done"}
    list(_run(tmp_path / "one", paths, on=None))
    assert _results(tmp_path / "run" / "results") == _results(tmp_path / "one" / "results")


def test_a_lost_node_costs_the_documents_that_it_reads(
    cluster: Any, tmp_path: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test: the cluster has one node less."""
    paths = [draw_picture(tmp_path / "in" / f"{number}.png") for number in range(3)]
    gate = tmp_path / "gate"
    (node,) = cluster.worker_nodes

    def all_there(cluster: RayCluster, nodes: list[dict[str, Any]]) -> Resources:
        """The other node waits for the model, too, for which no copy is left until they start again."""
        resources = plan_resources(cluster, nodes)
        return replace(resources, places=(node.node_id,) * resources.n_models)

    monkeypatch.setattr(ray_run, "plan_resources", all_there)
    n_started = 0
    for event in _run(tmp_path / "run", paths, on=RayCluster(), engine=faults.GatedEngine(gate)):
        n_started += isinstance(event, DocumentStarted)
        if n_started == 2 and not gate.exists():
            # Both nodes have a document, which waits for the model.
            cluster.remove_node(node, allow_graceful=False)
            gate.touch()
    rows = rows_of(tmp_path / "run")
    assert {row.state for row in rows.values()} == {"done"}
    assert sorted(row.attempts for row in rows.values()) == [1, 1, 2]
    list(_run(tmp_path / "one", paths, on=None))
    for path in paths:
        name = f"{path.name}.json"
        found = Document.from_json((tmp_path / "run" / "results" / name).read_bytes())
        assert [issue.message for issue in found.iter_issues() if issue.severity == "error"] == []
        lost, whole = ((tmp_path / run / "results" / name).read_bytes() for run in ("run", "one"))
        assert lost == whole
