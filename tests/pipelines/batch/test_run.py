"""Whole runs: what becomes of each input, whatever happens to the processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pymupdf
import pytest

import docai
from docai import ScriptedEngine
from docai.batch import make_setup, open_run
from docai.document import Document
from docai.errors import CheckpointError, RunFolderError, ServerError, SettingError
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.batch import document as documents
from docai.pipelines.batch import worker
from docai.pipelines.batch.events import DocumentEnded, DocumentStarted, PageRead, RunEnded, RunStarted
from tests.pipelines.batch.runs import ALONE, results_of, rows_of, run_all, write_pdf

pytestmark = pytest.mark.slow(seconds=90)


def test_every_input_has_a_row_and_its_state(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    write_pdf(inputs / "a.pdf", "Hello world")
    write_pdf(inputs / "deep" / "b.pdf", "One", "Two", "Three")
    write_pdf(inputs / "locked.pdf", "x", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret")
    (inputs / "empty.pdf").touch()
    (inputs / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    (inputs / "loop.pdf").symlink_to(inputs / "loop.pdf")
    events = run_all(tmp_path / "run", [inputs, tmp_path / "gone.pdf"], workers=2)
    rows = rows_of(tmp_path / "run")
    assert {name: row.state for name, row in rows.items()} == {
        "in/a.pdf": "done",
        "in/deep/b.pdf": "done",
        "in/locked.pdf": "failed",
        "in/empty.pdf": "failed",
        "in/broken.pdf": "failed",
        "in/loop.pdf": "failed",
        "gone.pdf": "failed",
    }
    assert rows["in/locked.pdf"].code == "PasswordRequiredError"
    assert rows["in/deep/b.pdf"].pages == rows["in/deep/b.pdf"].records == 3
    assert rows["in/a.pdf"].attempts == 1
    assert all(row.reason for row in rows.values() if row.state == "failed")
    assert set(results_of(tmp_path / "run")) == {"in/a.pdf.json", "in/deep/b.pdf.json"}
    assert not list((tmp_path / "run" / "pages").iterdir())
    assert isinstance(events[0], RunStarted)
    assert events[0].n_waiting == 7
    assert isinstance(events[-1], RunEnded)
    assert events[-1].counts["done"] == 2
    assert sum(isinstance(event, DocumentEnded) for event in events) == 7
    assert sum(isinstance(event, PageRead) for event in events) == 4


def test_a_result_is_what_process_gives(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "Hello world", "", "A second text")
    run_all(tmp_path / "run", [path])
    (data,) = results_of(tmp_path / "run").values()
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    alone = docai.process(path, engine=engine, witnesses="off", readback="off")
    # Times and devices that were not used are in the manifest, if anywhere: results can be compared.
    alone.stats.seconds, alone.stats.seconds_by_stage, alone.stats.device = 0.0, {}, ""
    for page in alone.pages:
        page.seconds = 0.0
    assert data.decode() == alone.to_json() + "\n"


def test_a_run_goes_on_with_what_is_left(tmp_path: Path) -> None:
    paths = [write_pdf(tmp_path / "in" / f"{number}.pdf", f"Text {number}") for number in range(3)]
    run_all(tmp_path / "run", paths[:2])
    before = rows_of(tmp_path / "run")
    events = run_all(tmp_path / "run", paths, resume=True)
    assert [event.row.name for event in events if isinstance(event, DocumentEnded)] == ["2.pdf"]
    after = rows_of(tmp_path / "run")
    assert after["0.pdf"] == before["0.pdf"]
    (tmp_path / "run" / "results" / "1.pdf.json").unlink()
    write_pdf(paths[0], "Another text")
    events = run_all(tmp_path / "run", [], resume=True)
    assert [event.row.name for event in events if isinstance(event, DocumentEnded)] == ["0.pdf", "1.pdf"]
    assert b"Another text" in results_of(tmp_path / "run")["0.pdf.json"]


def test_a_run_with_other_settings_is_refused_and_says_which(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", "Hello")
    run_all(tmp_path / "run", [path])
    with pytest.raises(RunFolderError, match=r'witnesses was "off" and is "auto".*give the options'):
        run_all(tmp_path / "run", [path], options=Options(readback="off"), resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="It looks for pipes as POSIX has them")
def test_a_document_that_takes_its_process_over_does_not_reach_the_run(
    tmp_path: Path, faults: ModuleType
) -> None:
    for name in ("evil", "good"):
        write_pdf(tmp_path / "in" / f"{name}.pdf", "Text")
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(ALONE, engine=engine, workers=1)
    setup = replace(setup, exporters={".txt": faults.export_or_take_over})
    opened, run = open_run(tmp_path / "run", [tmp_path / "in"], setup)
    with opened:
        list(run)
    rows = rows_of(tmp_path / "run")
    assert {name: row.state for name, row in rows.items()} == {"evil.pdf": "failed", "good.pdf": "done"}
    assert "is no answer" in rows["evil.pdf"].reason
    assert not (tmp_path / "in" / "mark").exists()


def test_a_page_that_crashes_its_process_costs_that_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two", "Three")
    monkeypatch.setattr(worker, "read_page", faults.crash_at_page_two)
    events = run_all(tmp_path / "run", [path])
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.pages, row.failed_pages, row.code) == ("partial", 3, 1, "page-failed")
    assert "SIGKILL" in row.reason
    document = Document.from_json(results_of(tmp_path / "run")["a.pdf.json"])
    assert [page.origin for page in document.pages] == ["born-digital", "failed", "born-digital"]
    assert [text.text for text in document.texts] == ["One", "Three"]
    assert [event.problem != "" for event in events if isinstance(event, PageRead)] == [False, True, False]
    monkeypatch.undo()
    events = run_all(tmp_path / "run", [path], resume=True)
    assert not [event for event in events if isinstance(event, PageRead)]
    events = run_all(tmp_path / "run", [path], resume=True, retry_failed=True)
    assert [event.page for event in events if isinstance(event, PageRead)] == [2]
    assert rows_of(tmp_path / "run")["a.pdf"].state == "done"


def test_a_page_that_crashes_once_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two")
    monkeypatch.setattr(worker, "read_page", faults.crash_once)
    mark = tmp_path / "run" / "results" / "mark"
    monkeypatch.setenv(faults.MARK, str(mark))
    run_all(tmp_path / "run", [path])
    assert mark.exists()
    assert rows_of(tmp_path / "run")["a.pdf"].state == "done"


def test_a_process_that_is_lost_at_the_end_costs_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One")
    monkeypatch.setattr(worker, "finish_document", faults.crash_at_the_end_once)
    mark = tmp_path / "run" / "results" / "mark"
    monkeypatch.setenv(faults.MARK, str(mark))
    run_all(tmp_path / "run", [path])
    assert mark.exists()
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.records) == ("done", 1)


def test_a_page_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", "One", "Two")
    monkeypatch.setattr(worker, "read_page", faults.hang_at_page_two)
    monkeypatch.setattr(documents, "_seconds", lambda limits: 20.0)
    monkeypatch.setattr(documents, "TRIES", 1)
    run_all(tmp_path / "run", [path])
    row = rows_of(tmp_path / "run")["a.pdf"]
    assert (row.state, row.failed_pages) == ("partial", 1)
    assert "longer than 20 s" in row.reason


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    path, later = (
        write_pdf(tmp_path / "in" / "a.pdf", "Before"),
        write_pdf(tmp_path / "b.pdf", "After a change"),
    )
    monkeypatch.setattr(worker, "finish_document", faults.finish_when_changed)
    monkeypatch.setenv(faults.MARK, str(tmp_path / "mark"))
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    opened, run = open_run(tmp_path / "run", [path], make_setup(ALONE, engine=engine, workers=1))
    with opened:
        for event in run:
            if isinstance(event, PageRead) and not (tmp_path / "mark").exists():
                path.write_bytes(later.read_bytes())
                (tmp_path / "mark").touch()
    assert rows_of(tmp_path / "run")["a.pdf"].state == "done"
    assert b"After a change" in results_of(tmp_path / "run")["a.pdf.json"]


def test_a_full_disk_ends_the_run_and_costs_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    paths = [write_pdf(tmp_path / "in" / f"{number}.pdf", "Text") for number in range(2)]
    monkeypatch.setattr(worker, "finish_document", faults.no_room)
    with pytest.raises(RunFolderError, match="no room"):
        run_all(tmp_path / "run", paths)
    assert {row.state for row in rows_of(tmp_path / "run").values()} == {"waiting"}
    assert all(row.attempts == 0 for row in rows_of(tmp_path / "run").values())
    monkeypatch.undo()
    run_all(tmp_path / "run", paths, resume=True)
    assert {row.state for row in rows_of(tmp_path / "run").values()} == {"done"}


def test_a_manifest_that_is_lost_is_made_anew_from_the_results(tmp_path: Path) -> None:
    paths = [write_pdf(tmp_path / "in" / f"{number}.pdf", f"Text {number}") for number in range(2)]
    run_all(tmp_path / "run", paths)
    (tmp_path / "run" / "manifest.sqlite").write_bytes(b"SQLite format 3\0" + b"\7" * 4000)
    (tmp_path / "run" / "results" / "1.pdf.json").write_bytes(b"{ half")
    events = run_all(tmp_path / "run", paths, resume=True)
    assert [event.row.name for event in events if isinstance(event, DocumentEnded)] == ["1.pdf"]
    rows = rows_of(tmp_path / "run")
    assert {row.state for row in rows.values()} == {"done"}
    assert rows["0.pdf"].records == 1


def test_a_long_document_is_put_together_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pdf(tmp_path / "in" / "a.pdf", *(f"Page {number}" for number in range(1, 36)))
    run_all(tmp_path / "run", [path])
    document = Document.from_json(results_of(tmp_path / "run")["a.pdf.json"])
    assert [text.text for text in document.texts] == [f"Page {number}" for number in range(1, 36)]
    assert document.to_json().encode() + b"\n" == results_of(tmp_path / "run")["a.pdf.json"]


def test_the_model_answers_all_workers_and_comes_back(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        with pymupdf.open() as document:
            page = document.new_page(width=300, height=200)
            shape = page.new_shape()
            for step in range(12):
                shape.draw_rect((40 + 18 * step, 60 + 7 * (step * number % 9), 52 + 18 * step, 150))
            shape.finish(fill=(0.2, 0.2, 0.2))
            shape.commit()
            paths.append(tmp_path / f"{number}.png")
            page.get_pixmap(dpi=120).save(paths[-1])
    engine = ScriptedEngine(dict.fromkeys(HEADS, "read"), accuracy=1.0)
    setup = make_setup(ALONE, engine=engine, workers=2)
    opened, run = open_run(tmp_path / "run", paths, setup)
    with opened:
        killed = False
        for event in run:
            if isinstance(event, DocumentStarted) and not killed:
                assert run.model_pid is not None
                os.kill(run.model_pid, signal.SIGKILL)
                killed = True
    assert {row.state for row in rows_of(tmp_path / "run").values()} == {"done"}


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_that_are_no_text_are_read_or_fail_alone(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    write_pdf(inputs / "good.pdf", "Hello")
    write_pdf(inputs / "plain.pdf", "World").rename(os.fsdecode(bytes(inputs) + b"/odd\xff.pdf"))
    Path(os.fsdecode(bytes(inputs) + b"/broken\xfe.pdf")).write_bytes(b"%PDF-1.7 no more")
    run_all(tmp_path / "run", [inputs])
    rows = rows_of(tmp_path / "run")
    assert sorted((name, row.state) for name, row in rows.items()) == [
        ("broken\ufffd.pdf", "failed"),
        ("good.pdf", "done"),
        ("odd\ufffd.pdf", "done"),
    ]
    assert "\\udcfe" in rows["broken\ufffd.pdf"].reason


def test_parts_of_a_run_go_on_as_parts(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", "Hello")
    run_all(tmp_path / "run", [path], shard=(1, 1))
    with pytest.raises(RunFolderError, match=r"begun in parts.* add --shard 1/1"):
        run_all(tmp_path / "run", [], resume=True)


def test_a_server_that_is_down_ends_the_run(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    with pymupdf.open() as document:
        document.new_page(width=300, height=200).insert_text((20, 100), "Hello world", fontsize=30)
        document[0].get_pixmap(dpi=150).save(picture)
    setup = make_setup(Options(witnesses="off", readback="off"), "http://127.0.0.1:9#x", workers=1)
    opened, run = open_run(tmp_path / "run", [picture], setup)
    with opened, pytest.raises(ServerError, match=r"127\.0\.0\.1:9"):
        list(run)
    assert [(row.state, row.attempts) for row in rows_of(tmp_path / "run").values()] == [("waiting", 0)]


def test_a_folder_without_a_model_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError):
        make_setup(ALONE, tmp_path / "model")


def test_process_many_gives_each_result(tmp_path: Path) -> None:
    good = write_pdf(tmp_path / "good.pdf", "Hello")
    (tmp_path / "bad.pdf").write_bytes(b"no document")
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    results = {
        result.path.name: result
        for result in docai.process_many([good, tmp_path / "bad.pdf"], engine=engine, witnesses="off")
    }
    assert results["good.pdf"].document is not None
    assert results["good.pdf"].document.texts[0].text == "Hello"
    assert results["bad.pdf"].state == "failed"
    assert results["bad.pdf"].document is None
    assert results["bad.pdf"].code == "NotADocumentError"


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "docai", "batch", *map(str, words), "--witnesses", "off", "--workers", "2"]


def _wait(is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_there() and time.monotonic() < until:
        time.sleep(0.02)
    assert is_there()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    for number in range(4):
        write_pdf(inputs / f"{number}.pdf", *(f"Text {number} of page {page}" for page in range(3)))
    run_all(tmp_path / "whole", [inputs], options=Options(witnesses="off"), workers=2)
    folder = tmp_path / "run"
    for word in ([], ["--resume"]):
        before = len(results_of(folder))
        process = subprocess.Popen(
            _command(inputs, "-o", folder, *word), stderr=subprocess.DEVNULL, start_new_session=True
        )
        _wait(
            lambda before=before: len(results_of(folder)) > before or any((folder / "pages").rglob("0*.json"))
        )  # type: ignore[misc]
        process.kill()
        process.wait()
    ended = subprocess.run(
        _command(inputs, "-o", folder, "--resume"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {row.state for row in rows_of(folder).values()} == {"done"}
    assert {name: _text(data) for name, data in results_of(folder).items()} == {
        name: _text(data) for name, data in results_of(tmp_path / "whole").items()
    }
    assert (folder / "report.html").exists()


def _text(data: bytes) -> object:
    """Without the name of the model, which is another in the two runs."""
    content = json.loads(data)
    content["stats"].pop("model")
    return content


@pytest.mark.parametrize("given", [None, 3, [None], [b"%PDF"], [""]])
def test_what_names_no_document_is_refused(given: object) -> None:
    with pytest.raises(SettingError, match="names no document"):
        next(docai.process_many(given))  # type: ignore[arg-type]
