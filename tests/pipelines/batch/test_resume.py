"""What a run that goes on reads again, and what becomes of what was there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from docai import ScriptedEngine
from docai.batch import make_setup, open_run
from docai.document import Document
from docai.errors import ConfigurationError, RunFolderError
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.batch import document as documents
from docai.pipelines.batch import worker
from docai.pipelines.batch.events import DocumentEnded, Event, PageRead, RunStarted
from docai.pipelines.batch.manifest import Manifest, Row
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from tests.pipelines.batch.runs import ALONE, results_of, rows_of, run_all, write_pdf

pytestmark = pytest.mark.slow(seconds=60)


def _stopped(folder: Path, when: Callable[[Event], bool], **more: Any) -> list[Event]:
    """A run that is stopped after an event."""
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    opened, run = open_run(
        folder, more.pop("sources", []), make_setup(ALONE, engine=engine, workers=1), **more
    )
    events = []
    with opened:
        for event in run:
            events.append(event)
            if when(event):
                break
        run.stop()
    return events


def _pages(events: list[Event]) -> list[int]:
    return [event.page for event in events if isinstance(event, PageRead)]


def _break_manifest(folder: Path) -> None:
    (folder / "manifest.sqlite").write_bytes(b"SQLite format 3\0" + b"\7" * 4000)


def test_a_result_of_another_document_does_not_stay(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two")
    run_all(tmp_path / "run", [path])
    good = path.read_bytes()
    path.write_bytes(b"%PDF-1.7 no more")
    run_all(tmp_path / "run", [], resume=True)
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.pages, row.records, row.sha256) == ("failed", 0, 0, "")
    assert results_of(tmp_path / "run") == {}
    path.write_bytes(good)
    run_all(tmp_path / "run", [], resume=True)
    assert rows_of(tmp_path / "run")["a.pdf"].state == "done"


def test_a_result_of_the_same_document_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "crash.pdf", "One", "Two")
    monkeypatch.setattr(worker, "read_page", faults.crash_at_page_two)
    run_all(tmp_path / "run", [path])
    before = results_of(tmp_path / "run")
    assert rows_of(tmp_path / "run")["crash.pdf"].state == "partial"
    monkeypatch.undo()
    monkeypatch.setattr(worker, "open_document", faults.crash_at_opening)
    run_all(tmp_path / "run", [], resume=True, retry_failed=True)
    row = rows_of(tmp_path / "run")["crash.pdf"]
    assert (row.state, row.pages, row.records) == ("partial", 2, 1)
    assert row.reason.endswith("The result of an earlier attempt is kept.")
    assert results_of(tmp_path / "run") == before


def test_failed_pages_are_read_again_by_a_run_after_the_one_that_was_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two", "Three")
    monkeypatch.setattr(worker, "read_page", faults.crash_at_page_two)
    run_all(tmp_path / "run", [path])
    monkeypatch.undo()
    _stopped(tmp_path / "run", lambda event: isinstance(event, RunStarted), resume=True, retry_failed=True)
    assert rows_of(tmp_path / "run")["a.pdf"].state in ("waiting", "running")
    assert _pages(run_all(tmp_path / "run", [], resume=True)) == [2]
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.code) == ("done", "")


def _killed_runs(folder: Path, count: int) -> None:
    """As after runs that were killed while the first input was read."""
    with Manifest(folder / "manifest.sqlite") as manifest:
        manifest.update(1, state="running", attempts=count)


def test_a_long_document_is_given_up_only_where_runs_end_without_a_page(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", *(f"Page {number}" for number in range(1, 7)))
    is_page = lambda event: isinstance(event, PageRead)  # noqa: E731
    _stopped(tmp_path / "run", is_page, sources=[path])
    for _ in range(2):
        _killed_runs(tmp_path / "run", 2)
        _stopped(tmp_path / "run", is_page, resume=True)
        assert rows_of(tmp_path / "run")["a.pdf"].attempts <= 2
    _killed_runs(tmp_path / "run", 3)
    events = run_all(tmp_path / "run", [], resume=True)
    assert _pages(events) == []
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.code) == ("failed", "RunEnded")


def test_a_run_that_keeps_a_page_does_not_count_against_its_document(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two", "Three")
    _stopped(tmp_path / "run", lambda event: isinstance(event, RunStarted), sources=[path])
    _killed_runs(tmp_path / "run", 2)
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    opened, run = open_run(tmp_path / "run", [], make_setup(ALONE, engine=engine, workers=1), resume=True)
    seen: list[Row] = []
    with opened:
        for event in run:
            if isinstance(event, PageRead) and not seen:
                seen.append(opened.manifest.row(1))
    assert [(row.state, row.attempts) for row in seen] == [("running", 1)]


def test_other_pages_of_a_known_input_are_read(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two", "Three")
    lists = [tmp_path / f"{name}.jsonl" for name in ("one", "other")]
    for list_, pages in zip(lists, ("1", "2-3"), strict=True):
        list_.write_text(json.dumps({"path": str(path), "pages": pages}) + "\n")
    run_all(tmp_path / "run", [lists[0]])
    events = run_all(tmp_path / "run", [lists[1]], resume=True)
    (started,) = [event for event in events if isinstance(event, RunStarted)]
    assert any("other pages" in note for note in started.notes)
    (data,) = results_of(tmp_path / "run").values()
    assert [page.number for page in Document.from_json(data).pages] == [2, 3]
    assert not _pages(run_all(tmp_path / "run", [lists[1]], resume=True))


def test_a_result_of_other_pages_is_not_adopted(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two")
    list_ = tmp_path / "list.jsonl"
    list_.write_text(json.dumps({"path": str(path), "pages": "1"}) + "\n")
    run_all(tmp_path / "run", [list_])
    _break_manifest(tmp_path / "run")
    # With the same pages it is.
    assert not _pages(run_all(tmp_path / "run", [list_], resume=True))
    _break_manifest(tmp_path / "run")
    assert _pages(run_all(tmp_path / "run", [path], resume=True)) == [1, 2]


def test_results_of_unknown_settings_are_not_adopted(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One")
    run_all(tmp_path / "run", [path])
    _break_manifest(tmp_path / "run")
    (tmp_path / "run" / "settings.json").unlink()
    other = Options(witnesses="off", readback="off", heads=["table"], text_layer="ignore")
    events = run_all(tmp_path / "run", [path], options=other, resume=True)
    assert [event.row.name for event in events if isinstance(event, DocumentEnded)] == ["a.pdf"]


def test_parts_share_a_folder(tmp_path: Path) -> None:
    """Their first documents have the same number, and more pages than are kept in memory."""
    paths = []
    for number in range(12):
        paths.append(
            write_pdf(tmp_path / "in" / f"{number}.pdf", *(f"{number} {page}" for page in range(34)))
        )
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(ALONE, engine=engine, workers=1)
    runs = [open_run(tmp_path / "run", [tmp_path / "in"], setup, shard=(k, 2)) for k in (1, 2)]
    names = [set(opened.manifest.names().values()) for opened, _ in runs]
    assert names[0] | names[1] == {path.name for path in paths}
    assert not names[0] & names[1]
    assert all(names)
    # One reads a first document half, then the other one reads its own.
    first, second = iter(runs[0][1]), iter(runs[1][1])
    n_read = 0
    while n_read < 10:
        n_read += isinstance(next(first), PageRead)
    while not isinstance(next(second), DocumentEnded):
        pass
    while not isinstance(event := next(first), DocumentEnded):
        pass
    assert (event.row.number, event.row.state, event.row.pages) == (1, "done", 34)
    for opened, run in runs:
        run.stop()
        opened.close()


def test_parts_and_a_whole_are_not_mixed(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One")
    run_all(tmp_path / "whole", [path])
    with pytest.raises(RunFolderError, match="begun as a whole"):
        run_all(tmp_path / "whole", [path], shard=(1, 2), resume=True)
    run_all(tmp_path / "parts", [path], shard=(1, 2))
    with pytest.raises(RunFolderError, match="There is a run"):
        run_all(tmp_path / "parts", [path], shard=(1, 2))
    with pytest.raises(RunFolderError, match="--shard 1/2"):
        run_all(tmp_path / "parts", [path], shard=(1, 3))


@pytest.mark.parametrize("n_lost", [1, 2])
def test_a_process_that_is_killed_while_it_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_lost: int
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One")
    call, lost = CallWorker.call, []

    def losing(self: CallWorker, function: Callable[..., object], *args: object, **kwargs: object) -> object:
        if function is worker.open_document and len(lost) < n_lost:
            lost.append(function)
            raise WorkerError("the process crashed (SIGKILL)", not_started=True)
        return call(self, function, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(CallWorker, "call", losing)
    if n_lost < documents.TRIES:
        run_all(tmp_path / "run", [path])
        assert rows_of(tmp_path / "run")["a.pdf"].state == "done"
    else:
        with pytest.raises(ConfigurationError, match="does not start"):
            run_all(tmp_path / "run", [path])


def test_a_document_that_hangs_at_its_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    paths = [write_pdf(tmp_path / "in" / f"{name}.pdf", "Text") for name in "ab"]
    monkeypatch.setattr(worker, "finish_document", faults.hang_at_the_end_of_a)
    monkeypatch.setattr(documents, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(documents, "FINISH_SECONDS", 0.1)
    limits = ALONE.limits.model_copy(update={"max_seconds_per_page": 8.0, "max_seconds_per_step": 4.0})
    options = Options(witnesses="off", readback="off", limits=limits)
    run_all(tmp_path / "run", paths, options=options)
    rows = rows_of(tmp_path / "run")
    assert {name: row.state for name, row in rows.items()} == {"a.pdf": "failed", "b.pdf": "done"}
    assert "was given up" in rows["a.pdf"].reason


@pytest.mark.skipif(sys.platform == "win32", reason="It has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "in" / "pipe.pdf"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    run_all(tmp_path / "run", [pipe])
    os.utime(pipe)
    run_all(tmp_path / "run", [], resume=True)
    assert rows_of(tmp_path / "run")["pipe.pdf"].state == "failed"
