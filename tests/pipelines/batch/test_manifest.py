"""The rows of a run, and the folder that holds them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from docai.errors import DamagedRunError, RunFolderError
from docai.pipelines.batch.folder import RunFolder, is_run_folder, read_owner
from docai.pipelines.batch.manifest import Manifest

SETTINGS = {"docai": "1", "effort": "auto"}


def _rows(manifest: Manifest, count: int) -> None:
    manifest.add((f"/in/{number}.pdf", f"{number}.pdf", "{}") for number in range(count))


def test_rows_are_added_once(tmp_path: Path) -> None:
    with Manifest(tmp_path / "m.sqlite") as manifest:
        assert manifest.add([("/a", "a", "{}"), ("/b", "b", "{}")]) == 0
        assert manifest.add([("/b", "other", "{}"), ("/c", "c", "{}")]) == 0
        assert manifest.names() == {"/a": "a", "/b": "b", "/c": "c"}


def test_a_row_with_other_options_waits_again(tmp_path: Path) -> None:
    with Manifest(tmp_path / "m.sqlite") as manifest:
        _rows(manifest, 2)
        for number in (1, 2):
            manifest.update(number, state="done", pages=3)
        assert manifest.add([("/in/0.pdf", "0.pdf", '{"pages": "1"}'), ("/in/1.pdf", "1.pdf", "{}")]) == 1
        assert [(row.state, row.options) for row in manifest.rows()] == [
            ("waiting", '{"pages": "1"}'),
            ("done", "{}"),
        ]


def test_all_rows_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docai.pipelines.batch.manifest.AT_A_TIME", 3)
    with Manifest(tmp_path / "m.sqlite") as manifest:
        _rows(manifest, 8)
        manifest.update(5, state="done")
        assert [row.number for row in manifest.rows()] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [row.number for row in manifest.rows("waiting", order="-number")] == [8, 7, 6, 4, 3, 2, 1]
        changed = manifest.rows("waiting")
        for row in changed:
            # Rows may change their state meanwhile: each is given once.
            manifest.update(row.number, state="done")
        assert manifest.numbers("waiting") == []


def test_rows_are_found_by_state_and_order(tmp_path: Path) -> None:
    with Manifest(tmp_path / "m.sqlite") as manifest:
        _rows(manifest, 4)
        manifest.update(1, state="done", seconds=2.5, pages=3)
        manifest.update(3, state="failed", seconds=9.0, reason="no", code="X")
        assert manifest.numbers("waiting") == [2, 4]
        assert [row.number for row in manifest.rows("done", "failed", order="-seconds")] == [3, 1]
        assert manifest.counts() == {"waiting": 2, "running": 0, "done": 1, "partial": 0, "failed": 1}
        assert manifest.totals()["pages"] == 3


def test_a_log_that_was_cut_loses_no_row_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom docai.pipelines.batch.manifest import Manifest\n"
        "m = Manifest(Path(sys.argv[1]))\n"
        "m.add((f'/in/{n}.pdf', f'{n}.pdf', '{}') for n in range(50))\n"
        "m.update(7, state='done', records=5)\nos._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 9
    wal = path.with_name("m.sqlite-wal")
    wal.write_bytes(wal.read_bytes() + b"half a frame")
    with Manifest(path) as manifest:
        assert manifest.row(7).state == "done"
        assert manifest.counts()["waiting"] == 49


def test_a_damaged_file_is_told_and_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with Manifest(path) as manifest:
        _rows(manifest, 500)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + b"\0" * 5000)
    with pytest.raises(DamagedRunError, match="--resume"):
        Manifest(path)
    with Manifest.recover(path) as manifest:
        assert manifest.counts()["waiting"] == 0
    assert list(tmp_path.glob("m.sqlite.damaged-*"))


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RunFolderError, match="later version"):
        Manifest(path)


def test_a_run_folder_has_one_owner(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", SETTINGS):
        assert str(tmp_path) not in read_owner(tmp_path / "run")
        assert "process" in read_owner(tmp_path / "run")
        code = (
            "import sys\nfrom pathlib import Path\nfrom docai.pipelines.batch.folder import RunFolder\n"
            "RunFolder(Path(sys.argv[1]), None, resume=True)\n"
        )
        second = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True, check=False
        )
        assert "Another run is at work" in second.stderr
        assert "process" in second.stderr
    assert read_owner(tmp_path / "run") == ""


def test_a_lock_that_was_left_behind_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docai.pipelines.batch.folder.SETTLE_SECONDS", 0.0)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom docai.pipelines.batch.folder import RunFolder\n"
        "RunFolder(Path(sys.argv[1]), {'a': 1})\nos._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=False).returncode == 9
    assert (tmp_path / "run" / "owner.json").exists()
    assert read_owner(tmp_path / "run") == ""
    with RunFolder(tmp_path / "run", {"a": 1}, resume=True) as folder:
        assert folder.manifest.counts()["waiting"] == 0


def test_a_run_is_not_begun_twice(tmp_path: Path) -> None:
    RunFolder(tmp_path, SETTINGS).close()
    assert is_run_folder(tmp_path)
    with pytest.raises(RunFolderError, match=r"--resume.*--retry-failed.*--status"):
        RunFolder(tmp_path, SETTINGS)


def test_other_settings_are_told(tmp_path: Path) -> None:
    RunFolder(tmp_path, SETTINGS).close()
    with pytest.raises(RunFolderError, match='effort was "auto" and is "best"'):
        RunFolder(tmp_path, SETTINGS | {"effort": "best"}, resume=True)
    with RunFolder(tmp_path, None, resume=True) as folder:
        assert folder.settings == SETTINGS


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_bytes(b"x")
    with pytest.raises(RunFolderError, match=r"other files, such as thesis\.tex"):
        RunFolder(tmp_path, SETTINGS)
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        RunFolder(tmp_path / "thesis.tex", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"format": "docai-run/9", "settings": {}}), "utf-8")
    with pytest.raises(RunFolderError, match="docai-run/9"):
        RunFolder(tmp_path, SETTINGS, resume=True)


def test_there_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no run in"):
        RunFolder(tmp_path / "new", None, resume=True)
