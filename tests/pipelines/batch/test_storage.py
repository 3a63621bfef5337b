"""Files and objects of stores: the same things said of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docai.errors import SettingError
from docai.pipelines.batch import storage
from docai.pipelines.batch.inputs import find_batch_inputs
from docai.pipelines.batch.storage import (
    Results,
    digest_of,
    facts_of,
    fetch,
    files_below,
    is_url,
    joined,
    local_copy,
    name_of,
    put,
)


@pytest.fixture(params=["", "file://", "local://", "memory://"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder on a disk, by PyArrow, by fsspec, and in a store of objects."""
    if request.param:
        pytest.importorskip("pyarrow", reason="PyArrow is not installed: pip install 'docai[ray]'")
    return f"{request.param}{tmp_path}/a folder"


def test_a_result_is_there_as_a_whole(root: str, tmp_path: Path) -> None:
    results = Results(root)
    (tmp_path / "file").write_bytes(b"result" * 10)
    assert list(results.have(["a b/c?.pdf"], [".json"])) == [False]
    put(tmp_path / "file", results.place("a b/c?.pdf", ".json"))
    put(tmp_path / "file", results.place("a b/c?.pdf", ".json"))
    assert results.read("a b/c?.pdf", ".json") == b"result" * 10
    assert list(results.have(["a b/c?.pdf", "d.pdf"], [".json"])) == [True, False]
    assert list(results.have(["a b/c?.pdf"], [".json", ".html"])) == [False]
    (facts,) = facts_of([results.place("a b/c?.pdf", ".json")])
    assert facts is not None
    assert facts.n_bytes == 60
    if is_url(root):
        assert files_below(root) == ["a b/c?.pdf.json"]
        assert files_below(joined(root, "a b/c?.pdf.json")) is None
        fetch(joined(root, "a b/c?.pdf.json"), tmp_path / "copy")
        assert digest_of(joined(root, "a b/c?.pdf.json")) == digest_of(tmp_path / "copy")
    with local_copy(results.place("a b/c?.pdf", ".json")) as path:
        assert path.name == "c?.pdf.json"
        assert path.read_bytes() == b"result" * 10
    assert path.exists() != is_url(root)


def test_what_fails_in_the_middle_leaves_nothing(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "TRIES", 1)
    results = Results(root)
    results.mark()
    (tmp_path / "file").write_bytes(b"result")

    def copy(source: Any, target: Any, size: int = 0) -> None:
        target.write(source.read(3))
        raise OSError("the network is gone")

    monkeypatch.setattr(storage.shutil, "copyfileobj", copy)
    with pytest.raises(OSError, match="network"):
        put(tmp_path / "file", results.place("a", ".json"))
    assert list(results.have(["a"], [".json"])) == [False]
    if is_url(root):
        assert files_below(root) == [storage.MARKER]
    else:
        assert [path.name for path in Path(root).iterdir()] == [storage.MARKER]


def test_an_operation_that_fails_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PAUSE_SECONDS", 0.0)
    failures = [OSError("503"), OSError("503")]

    def operation() -> str:
        if failures:
            raise failures.pop()
        return "there"

    assert storage._retried(operation) == "there"
    failures += [FileNotFoundError("a"), OSError("never reached")]
    failures.reverse()
    with pytest.raises(FileNotFoundError):
        storage._retried(operation)


def test_the_mark_of_a_run_tells_its_results_from_others(root: str, tmp_path: Path) -> None:
    results = Results(root)
    mark = results.mark()
    assert results.mark() == mark
    assert results.is_marked(mark)
    assert not results.is_marked("another")
    assert not Results(f"{root}/elsewhere").is_marked(mark)


def test_urls_are_taken_apart_with_their_options() -> None:
    assert is_url("s3://bucket/a")
    assert not is_url("/a://b")
    assert not is_url("C:\\a")
    assert joined("s3://bucket/a?region=eu-west-1", "b c.pdf") == "s3://bucket/a/b c.pdf?region=eu-west-1"
    assert name_of("s3://bucket/a/b?c.pdf?region=eu-west-1") == "b?c.pdf"
    pytest.importorskip("pyarrow", reason="PyArrow is not installed: pip install 'docai[ray]'")
    system, path = storage._opened("s3://bucket/a/b c.pdf?region=eu-west-1")
    assert (system.type_name, system.region, path) == ("s3", "eu-west-1", "bucket/a/b c.pdf")
    with pytest.raises(SettingError, match="no store"):
        Results("nowhere://a").mark()


def test_documents_of_a_store_are_inputs(root: str, tmp_path: Path) -> None:
    if not is_url(root):
        pytest.skip("a folder on a disk is a matter of test_inputs.py")
    (tmp_path / "file").write_bytes(b"x")
    for name in ("2024/a.pdf", "b.TIF", "notes.txt", ".hidden/c.pdf"):
        put(tmp_path / "file", joined(root, name))
    inputs = find_batch_inputs([root, joined(root, "gone.pdf")])
    assert [(one.path.removeprefix(root), one.name) for one in inputs.found] == [
        ("/2024/a.pdf", "a folder/2024/a.pdf"),
        ("/b.TIF", "a folder/b.TIF"),
        ("/gone.pdf", "gone.pdf"),
    ]
    assert "1 other file (.txt)" in inputs.notes[0]
    listed = find_batch_inputs(["-"], lines=[joined(root, "2024/a.pdf")])
    assert [(one.path, one.name) for one in listed.found] == [(joined(root, "2024/a.pdf"), "a.pdf")]
