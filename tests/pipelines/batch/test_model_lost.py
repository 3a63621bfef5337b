"""A model that fails, or is gone, in the middle of a run."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pymupdf
import pytest

import docai
from docai import BatchResult, ScriptedEngine
from docai.errors import ModelLostError
from docai.models.heads import HEADS
from docai.pipelines.batch import document as documents
from tests.models.server import FakeServer, Reply, serving
from tests.pipelines.batch.runs import draw_picture, rows_of

pytestmark = pytest.mark.slow(seconds=60)


@pytest.fixture
def server(own_folder: Path) -> Iterator[FakeServer]:
    with serving(FakeServer(ScriptedEngine(dict.fromkeys(HEADS, "read")))) as running:
        yield running


class _Refusing:
    """Says no to the first requests; with status 0 the connection is lost."""

    def __init__(self, status: int, count: int) -> None:
        self.status = status
        self.count = count

    def __call__(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply | None:
        self.count -= 1
        return None if self.count < 0 else (self.status, {}, b"no")


def _read(server: FakeServer, path: Path, **more: Any) -> list[BatchResult]:
    return list(
        docai.process_many(
            [path], run="run", model=server.model, witnesses="off", readback="off", workers=1, **more
        )
    )


def _codes(result: BatchResult) -> list[str]:
    assert result.document is not None
    return [issue.code for issue in result.document.iter_issues() if issue.severity == "error"]


def test_a_document_waits_for_a_model_that_comes_back(
    server: FakeServer, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client asks five times, and once more each time that it is asked again.
    server.misbehave = _Refusing(0, 7)
    monkeypatch.setattr(documents, "MODEL_PAUSE_SECONDS", 0.1)
    (result,) = _read(server, draw_picture(own_folder / "a.png"))
    assert (result.state, result.row.attempts) == ("done", 1)
    assert _codes(result) == []
    assert server.images


def test_a_model_that_does_not_come_back_ends_the_run_and_costs_no_document(
    server: FakeServer, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw_picture(own_folder / "a.png")
    server.misbehave = _Refusing(0, 1_000)
    monkeypatch.setattr(documents, "MODEL_SECONDS", 0.0)
    with pytest.raises(ModelLostError, match="cannot be reached"):
        _read(server, path)
    row = rows_of(Path("run"))["a.png"]
    assert (row.state, row.attempts) == ("waiting", 0)
    server.misbehave = None
    (result,) = _read(server, path, resume=True)
    assert (result.state, _codes(result)) == ("done", [])


def test_a_region_at_which_the_model_failed_is_asked_about_again(
    server: FakeServer, own_folder: Path
) -> None:
    path = own_folder / "a.pdf"
    with pymupdf.open() as document:
        for name in ("1.png", "2.png"):
            page = document.new_page(width=300, height=200)
            page.insert_image(page.rect, filename=draw_picture(own_folder / name))
        document.save(path)
    server.misbehave = _Refusing(400, 1)
    (result,) = _read(server, path)
    assert (result.state, result.code) == ("partial", "model-failed")
    assert "--retry-failed" in result.reason
    assert _codes(result) == ["model-failed"]
    n_asked = len(server.requests)
    assert _read(server, path, resume=True) == []
    (again,) = _read(server, path, retry_failed=True)
    assert (again.state, again.reason, _codes(again)) == ("done", "", [])
    # The other page was kept.
    assert 0 < len(server.requests) - n_asked < n_asked
    assert again.row.pages == 2
    assert not list(Path("run", "pages").iterdir())
