"""A document whose pages several processes read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from docai import ScriptedEngine
from docai.batch import make_setup, open_run
from docai.errors import NotAResultError
from docai.models.heads import HEADS
from docai.pipelines.batch import worker
from docai.pipelines.batch.document import DocumentReader
from docai.pipelines.batch.events import Event, PageRead
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.pages import PageStore
from docai.pipelines.batch.sharing import MIN_PAGES, SharedDocuments, SharedPages
from docai.pipelines.batch.worker import Job
from tests.pipelines.batch.runs import ALONE, rows_of, write_pdf

ROW = Row(1, "a.pdf", "a.pdf")

N_PAGES = 24


def shared(n_pages: int) -> SharedPages:
    return SharedPages(ROW, "", range(1, n_pages + 1))


def failing_helper(pages: SharedPages) -> tuple[threading.Thread, threading.Event]:
    """A helper that has taken a page, and fails when it may."""
    began, may_fail = threading.Event(), threading.Event()

    def fail() -> None:
        with suppress(KeyError), pages.taken_by_helper():
            began.set()
            may_fail.wait(30)
            raise KeyError

    thread = threading.Thread(target=fail)
    thread.start()
    assert began.wait(30)
    return thread, may_fail


def test_each_page_is_given_once() -> None:
    pages = shared(3)
    assert pages.take() == 1
    with pages.taken_by_helper() as number:
        assert number == 2
    assert pages.take() == 3
    assert pages.take() is None
    with pages.taken_by_helper() as number:
        assert number is None
    assert not pages.wait()


def test_a_page_that_fails_in_the_hands_of_a_helper_goes_back() -> None:
    pages = shared(1)
    thread, may_fail = failing_helper(pages)
    assert pages.take() is None
    may_fail.set()
    assert pages.wait(), "the owner waits for the helper, and reads the page itself"
    assert pages.take() == 1
    thread.join()


def test_the_owner_ends_after_its_helpers() -> None:
    pages = shared(2)
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def help_slowly() -> None:
        with pages.taken_by_helper():
            began.set()
            may_end.wait(30)
            ended.set()

    thread = threading.Thread(target=help_slowly)
    thread.start()
    assert began.wait(30)
    threading.Timer(0.1, may_end.set).start()
    pages.close()
    assert ended.is_set()
    assert pages.take() is None
    thread.join()


def test_a_page_does_not_go_back_to_a_document_that_has_ended() -> None:
    pages = shared(2)
    thread, may_fail = failing_helper(pages)
    threading.Timer(0.1, may_fail.set).start()
    pages.close()
    thread.join()
    with pages.taken_by_helper() as number:
        assert number is None


def test_a_worker_helps_where_most_is_left_and_ends_when_nobody_begins_anything() -> None:
    documents = SharedDocuments(2)
    few, some, many = shared(MIN_PAGES - 1), shared(2 * MIN_PAGES), shared(3 * MIN_PAGES)
    documents.leave()
    with documents.offer(few), documents.offer(some), documents.offer(many):
        # Each that helps leaves less for one more.
        assert [documents.wait() for _ in range(4)] == [many, some, many, some]
        assert documents.wait([some]) is many
    waiting: list[SharedPages | None] = []
    thread = threading.Thread(target=lambda: waiting.append(documents.wait()))
    with documents.offer(few):
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "another worker still begins documents"
    documents.leave()
    thread.join(30)
    assert waiting == [None]


def test_nobody_waits_when_the_run_is_stopped() -> None:
    documents = SharedDocuments(2)
    found: list[SharedPages | None] = []
    thread = threading.Thread(target=lambda: found.append(documents.wait()))
    thread.start()
    documents.end()
    thread.join(30)
    assert found == [None]


def test_only_a_folder_of_the_same_document_is_joined(tmp_path: Path) -> None:
    with pytest.raises(NotAResultError):
        PageStore(tmp_path / "pages", "sha", "key", joins=True)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "about.json").write_text('{"key": "sha key"}')
    PageStore(tmp_path / "pages", "sha", "key", joins=True)
    with pytest.raises(NotAResultError):
        PageStore(tmp_path / "pages", "sha", "another", joins=True)
    assert (tmp_path / "pages" / "about.json").exists()


def run(folder: Path, path: Path, workers: int) -> list[Event]:
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    opened, reading = open_run(folder, [path], make_setup(ALONE, engine=engine, workers=workers))
    with opened:
        return list(reading)


def result(folder: Path) -> bytes:
    return (folder / "results" / "a.pdf.json").read_bytes()


def pages_read(events: Sequence[Event]) -> list[int]:
    return [event.page for event in events if isinstance(event, PageRead)]


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pages that workers read for others."""
    numbers: list[int] = []
    original = DocumentReader._tried_page

    def watch(self: DocumentReader, job: Job, number: int, why_not: str = "") -> tuple[int, str]:
        answer = original(self, job, number, why_not)
        if job.joins:
            numbers.append(number)
        return answer

    monkeypatch.setattr(DocumentReader, "_tried_page", watch)
    return numbers


@pytest.mark.slow(seconds=20)
def test_several_workers_read_one_document_and_its_result_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType, helped: list[int]
) -> None:
    path = write_pdf(tmp_path / "a.pdf", *(f"Page {number}" for number in range(1, N_PAGES + 1)))
    run(tmp_path / "alone", path, 1)
    assert not helped
    monkeypatch.setattr(worker, "read_page", faults.read_slowly_alone)
    events = run(tmp_path / "together", path, 3)
    assert sorted(pages_read(events)) == list(range(1, N_PAGES + 1))
    assert helped
    assert 1 not in helped, "the first page is read by the worker that has the document"
    assert result(tmp_path / "together") == result(tmp_path / "alone")
    assert rows_of(tmp_path / "together")["a.pdf"].state == "done"
    assert not list((tmp_path / "together" / "pages").iterdir())


@pytest.mark.slow(seconds=20)
def test_a_helper_that_crashes_once_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType, helped: list[int]
) -> None:
    path = write_pdf(tmp_path / "a.pdf", *(f"Page {number}" for number in range(1, N_PAGES + 1)))
    monkeypatch.setattr(worker, "read_page", faults.crash_once_in_help)
    mark = tmp_path / "run" / "results" / "mark"
    monkeypatch.setenv(faults.MARK, str(mark))
    events = run(tmp_path / "run", path, 2)
    assert mark.exists()
    assert helped
    assert sorted(pages_read(events)) == list(range(1, N_PAGES + 1))
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.pages, row.failed_pages) == ("done", N_PAGES, 0)
