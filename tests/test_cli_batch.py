"""``docai batch``: where it reads, and how it goes on."""

from __future__ import annotations

import json
import subprocess
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


def test_a_run_goes_on_by_its_folder_alone(
    run: Run, own_folder: Path, make_pdf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (own_folder / f"{name}.pdf").write_bytes(make_pdf("Hello world"))
    options = ("--heads", "text", "--effort", "fast", "--max-pages", 7, "--witnesses", "off")
    code, _, told = run("batch", "a.pdf", "-o", "run", "--workers", 1, *options)
    assert code == 0, told
    before = json.loads((own_folder / "run" / "settings.json").read_bytes())
    (own_folder / "run" / "results" / "a.pdf.json").unlink()
    # What would be taken for a new run is not what this one was begun with.
    monkeypatch.setenv("DOCAI_EFFORT", "best")
    code, out, told = run("batch", "--resume", "run", "--progress", "json")
    assert code == 0, told
    ended = [event for event in map(json.loads, out.splitlines()) if event["event"] == "DocumentEnded"]
    assert [Path(path) for event in ended for path in event["results"]] == [
        Path("run", "results", "a.pdf.json")
    ]
    assert (own_folder / "run" / "results" / "a.pdf.json").exists()
    assert json.loads((own_folder / "run" / "settings.json").read_bytes()) == before
    for option in (("--effort", "best"), ("--max-pages", 8), ("--heads", "table"), ("--witnesses", "auto")):
        code, _, told = run("batch", "--resume", "run", *option)
        assert code == 2
        assert "was made otherwise" in told
    code, _, told = run("batch", "--resume")
    assert code == 2
    assert "docai batch --resume RUN" in told
    assert run("batch", "b.pdf", "-o", "run", "--resume")[0] == 0
    assert (own_folder / "run" / "results" / "b.pdf.json").exists()


def test_a_run_without_its_settings_says_how_it_goes_on(run: Run, own_folder: Path, make_pdf: Any) -> None:
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    arguments = ("a.pdf", "--heads", "text", "--workers", 1)
    assert run("batch", *arguments, "-o", "run")[0] == 0
    (own_folder / "run" / "settings.json").unlink()
    assert run("batch", "--status", "run")[0] == 0
    for named in (("--resume", "run"), ("--resume", "-o", "run")):
        code, _, told = run("batch", *named)
        assert code == 2
        assert "docai batch IN --resume -o run" in " ".join(told.split()), named
    # What is there was read with other options than these.
    code, _, told = run("batch", "a.pdf", "--heads", "table", "--resume", "-o", "run")
    assert code == 2
    assert "made with other options" in " ".join(told.split())
    assert not (own_folder / "run" / "settings.json").exists()
    code, _, told = run("batch", *arguments, "--resume", "-o", "run", "--progress", "json")
    assert code == 0, told
    assert (own_folder / "run" / "settings.json").exists()


def test_an_input_that_failed_is_read_when_another_is_in_its_place(
    run: Run, own_folder: Path, make_pdf: Any
) -> None:
    (own_folder / "a.pdf").write_bytes(b"no document")
    (own_folder / "b\x1b[2J.pdf").write_bytes(b"no document either")
    code, _, told = run(
        "batch", "a.pdf", "b\x1b[2J.pdf", "c.pdf", "-o", "run", "--heads", "text", "--workers", 1
    )
    assert code == 1
    assert "\x1b" not in told
    assert "b�[2J.pdf" in told
    code, _, told = run("batch", "--resume", "run")
    assert code == 1
    assert "DocumentStarted" not in told
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    (own_folder / "c.pdf").write_bytes(make_pdf("Hello again"))
    code, out, told = run("batch", "--resume", "run", "--progress", "json")
    ended = [json.loads(line) for line in out.splitlines() if '"DocumentEnded"' in line]
    assert sorted(Path(row["path"]).name for row in ended) == ["a.pdf", "c.pdf"]
    assert {row["state"] for row in ended} == {"done"}


def test_a_run_is_no_stream(run: Run, own_folder: Path, make_pdf: Any) -> None:
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    code, _, told = run("batch", "a.pdf", "-o", "-")
    assert code == 2
    assert "A run is a folder" in told
    assert not (own_folder / "-").exists()


def test_what_is_no_run_is_told_and_a_run_among_its_inputs_goes_on(
    run: Run, own_folder: Path, make_pdf: Any
) -> None:
    (own_folder / "in").mkdir()
    (own_folder / "in" / "a.pdf").write_bytes(make_pdf("Hello world"))
    assert run("batch", "in", "-o", "run", "--heads", "text", "--workers", 1)[0] == 0
    for named in (("nope",), ("-o", "nope")):
        code, _, told = run("batch", "--resume", *named)
        assert code == 2
        assert "There is no run in nope" in told
        assert not (own_folder / "nope").exists()
    code, _, told = run("batch", "in", "--resume")
    assert code == 2
    assert "docai batch in --resume -o RUN" in " ".join(told.split())
    (own_folder / "in" / "b.pdf").write_bytes(make_pdf("Hello again"))
    code, _, told = run("batch", "in", "--resume", "run")
    assert code == 0, told
    assert (own_folder / "run" / "results" / "b.pdf.json").exists()


def test_a_run_whose_manifest_is_damaged_says_how_it_goes_on(
    run: Run, own_folder: Path, make_pdf: Any
) -> None:
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    assert run("batch", "a.pdf", "-o", "run", "--heads", "text", "--workers", 1)[0] == 0
    manifest = own_folder / "run" / "manifest.sqlite"
    manifest.write_bytes(manifest.read_bytes()[:300])
    code, _, told = run("batch", "--resume", "run")
    assert code == 2
    assert "docai batch IN --resume -o run" in " ".join(told.split())
    code, out, told = run("batch", "a.pdf", "--resume", "-o", "run", "--progress", "json")
    assert code == 0, told
    # The result is kept, and the document is not read again.
    assert not [event for event in map(json.loads, out.splitlines()) if event["event"] == "DocumentEnded"]


@pytest.mark.skipif(sys.platform == "win32", reason="Pipes of POSIX")
def test_a_run_whose_progress_nobody_reads_any_more_ends_and_can_go_on(
    own_folder: Path, make_pdf: Any
) -> None:
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    command = [sys.executable, "-m", "docai", "batch", "a.pdf", "-o", "run", "--progress", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["event"] == "RunStarted"
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 130
    (line,) = told.splitlines()
    assert line.endswith("docai batch --resume run")
