"""``docai batch``: where it reads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_options_of_a_cluster_need_it(run: Run, own_folder: Path) -> None:
    (own_folder / "a.pdf").touch()
    code, _, told = run("batch", "a.pdf", "-o", "run", "--models", 2)
    assert code == 2
    assert "--models is of the cluster: give --engine ray, too." in told
    code, _, told = run("batch", "a.pdf", "-o", "run", "--engine", "spark")
    assert code == 2
    assert "it has to be local or ray" in told
    code, _, told = run("batch", "a.pdf", "-o", "run", "--results", "s3://bucket/a")
    assert code == 2
    assert "give --engine ray" in told
    code, _, told = run("batch", "a.pdf", "-o", "run", "--engine", "ray", "--model-batch", 0)
    assert code == 2
    assert not (own_folder / "run").exists()


def test_without_ray_it_is_said_how_to_get_it(
    run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / "a.pdf").touch()
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, told = run("batch", "a.pdf", "-o", "run", "--engine", "ray")
    assert code == 2
    assert "pip install 'docai[ray]'" in told
    assert not (own_folder / "run").exists()


def test_documents_of_a_store_are_read_by_a_cluster(run: Run, own_folder: Path, make_pdf: Any) -> None:
    pytest.importorskip("pyarrow", reason="PyArrow is not installed: pip install 'docai[ray]'")
    (own_folder / "a.pdf").write_bytes(make_pdf())
    code, _, told = run("batch", f"file://{own_folder}/a.pdf", "-o", "run")
    assert code == 2
    assert f"file://{own_folder}/a.pdf is read and written by a cluster only" in told


def test_a_cluster_that_does_not_answer_ends_the_run(run: Run, own_folder: Path, make_pdf: Any) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'docai[ray]'")
    (own_folder / "a.pdf").write_bytes(make_pdf())
    # Port 1 is nobody's.
    code, _, told = run(
        "batch", "a.pdf", "-o", "run", "--engine", "ray", "--ray-address", "127.0.0.1:1", "--progress", "off"
    )
    assert code == 2
    assert "The Ray cluster 127.0.0.1:1 does not answer" in told
    # Nothing is left behind that would have to be gone on with.
    assert not (own_folder / "run").exists()
