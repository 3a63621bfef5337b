"""Disks that are full, cannot be written, or hold odd things: nothing is lost, and the message says why."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest
from PIL import Image

from docai import ScriptedEngine
from docai.batch import describe, make_setup, open_run
from docai.errors import DamagedRunError, RunFolderError, SettingError
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.batch import folder as folders
from docai.pipelines.batch.folder import RunFolder
from docai.pipelines.batch.listing import list_documents
from docai.pipelines.batch.manifest import Manifest
from docai.pipelines.batch.model_client import new_address
from docai.pipelines.overlay import write_picture


def test_a_manifest_that_has_no_room_says_so_and_keeps_its_rows(tmp_path: Path) -> None:
    with Manifest(tmp_path / "m.sqlite") as manifest:
        manifest.add([("/a", "a", "{}")])
        manifest._db.execute("PRAGMA max_page_count = 8")
        with pytest.raises(RunFolderError, match=r"database or disk is full.*--resume") as caught:
            manifest.add((f"/in/{number}", f"{number}", "x" * 500) for number in range(1000))
        assert not isinstance(caught.value, DamagedRunError)
        assert manifest.names() == {"/a": "a"}
        manifest._db.execute("PRAGMA max_page_count = 1000000")
        manifest.update(1, state="done")
    with Manifest(tmp_path / "m.sqlite") as manifest:
        assert manifest.row(1).state == "done"


def test_a_manifest_that_cannot_be_opened_is_not_taken_for_damaged(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="unable to open") as caught:
        Manifest(tmp_path / "no" / "m.sqlite")
    assert not isinstance(caught.value, DamagedRunError)


def test_a_run_folder_on_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folders, "write_durably", full)
    with pytest.raises(RunFolderError, match="No space left on device"):
        RunFolder(tmp_path / "run", {"docai": "1"})
    monkeypatch.undo()
    # What it left is no run, and does not stand in the way of one.
    RunFolder(tmp_path / "run", {"docai": "1"}).close()


def test_a_run_that_was_ended_before_it_knew_its_inputs_asks_for_them(tmp_path: Path) -> None:
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(Options(witnesses="off", readback="off"), engine=engine, workers=1)
    RunFolder(tmp_path / "run", describe(setup)).close()
    with pytest.raises(RunFolderError, match=r"Give them again.*docai batch IN --resume -o"):
        open_run(tmp_path / "run", [], setup, resume=True)
    (tmp_path / "a.pdf").touch()
    opened, _ = open_run(tmp_path / "run", [tmp_path / "a.pdf"], setup, resume=True)
    with opened:
        assert opened.manifest.counts()["waiting"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 256 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_run_goes_on_when_a_full_disk_has_room_again(tmp_path: Path, small_disk: Path) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(3):
        with pymupdf.open() as document:
            document.new_page(width=300, height=200).insert_text((20, 40), f"Text {number}")
            document.save(inputs / f"{number}.pdf")
    for number in range(60):
        (inputs / f"empty-{number:02}.pdf").touch()
    engine = ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)
    setup = make_setup(Options(witnesses="off", readback="off"), engine=engine, workers=1)
    opened, run = open_run(small_disk / "run", [inputs], setup)
    with opened, pytest.raises(RunFolderError, match=r"No space left|disk is full"):
        list(run)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    opened, run = open_run(small_disk / "run", [inputs], setup, resume=True)
    with opened:
        list(run)
        rows = list(opened.manifest.rows())
    assert len(rows) == 63
    assert {row.name for row in rows if row.state == "done"} == {"0.pdf", "1.pdf", "2.pdf"}
    assert {row.code for row in rows if row.state == "failed"} == {"EmptySourceError"}
    results = sorted(path.name for path in (small_disk / "run" / "results").iterdir())
    assert results == ["0.pdf.json", "1.pdf.json", "2.pdf.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="its pipes are in no folder")
def test_a_folder_for_temporary_files_that_is_too_deep_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="TMPDIR"):
        new_address(tmp_path / ("x" * 100))


def test_links_in_circles_and_odd_files_are_listed_once_or_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "back").symlink_to(folder, target_is_directory=True)
    (folder / "a" / "self").symlink_to(folder / "a" / "self", target_is_directory=True)
    (folder / "loop.pdf").symlink_to(folder / "loop.pdf")
    (folder / "a" / "x.pdf").touch()
    long, composed = "ü" * 120 + ".pdf", "\u00e9.pdf"
    for name in (long, composed):
        (folder / name).touch()
    # A picture whose name is that of one docai draws, larger than Pillow opens.
    Image.new("1", (20_000, 20_000)).save(folder / "scan-page-001.png")
    write_picture(Image.new("L", (9, 9)), folder / "a" / "x", 1)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe-page-001.png")
    found = {path.relative_to(folder).as_posix() for path in list_documents(folder).documents}
    assert found - {"pipe-page-001.png"} == {"a/x.pdf", "loop.pdf", long, composed, "scan-page-001.png"}
    (note,) = list_documents(folder).notes
    assert "1 link to folders" in note
