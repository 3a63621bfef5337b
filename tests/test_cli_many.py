"""``docai process`` of several inputs: worker processes read them, and one that is lost costs one input."""

from __future__ import annotations

import importlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from docai.document import Document
from docai.pipelines.batch import worker

from .conftest import Run

pytestmark = [pytest.mark.usefixtures("own_folder"), pytest.mark.slow(seconds=40)]

ALONE = ("--witnesses", "off", "--readback", "off")


@pytest.fixture(scope="module")
def faults() -> Iterator[ModuleType]:
    """The module ``faults``, under a name that a worker process finds, too."""
    folder = str(Path(__file__).parent / "pipelines" / "batch")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("faults")
    finally:
        sys.path.remove(folder)


def _untimed(text: str | bytes) -> object:
    """A result without what differs from run to run."""
    content = json.loads(text)
    content["stats"].update(seconds=0, seconds_by_stage={})
    for page in content["pages"]:
        page["seconds"] = 0
    return content


def test_each_input_is_read_as_alone_and_a_crash_costs_what_crashed(
    run: Run, make_pdf: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, faults: ModuleType
) -> None:
    Path("a.pdf").write_bytes(make_pdf("Hello world", "Second"))
    Path("alone.pdf").write_bytes(Path("a.pdf").read_bytes())
    Path("crash-at-opening.pdf").write_bytes(make_pdf("x"))
    Path("three.pdf").write_bytes(make_pdf("One", "Two", "Three"))
    Path("cut.pdf").write_bytes(b"%PDF-1.7 no more")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(make_pdf("From a pipe"))))
    code, _, err = run("process", "alone.pdf", *ALONE)
    assert code == 0, err
    monkeypatch.setattr(worker, "open_document", faults.crash_at_opening)
    monkeypatch.setattr(worker, "read_page", faults.crash_in_three)
    inputs = ["a.pdf", "crash-at-opening.pdf", "cut.pdf", "three.pdf", "-"]
    code, _, err = run("process", *inputs, "-o", "out", *ALONE, "--overlay", "out")
    assert code == 1
    assert "3 of 5 inputs read." in err
    assert "crash-at-opening.pdf was given up: the process crashed (SIGKILL)." in err
    assert "error: cut.pdf" in err
    order = ["a.pdf · 2 pages", "crash-at-opening.pdf", "cut.pdf", "three.pdf · 3 pages", "<stdin> · 1 page"]
    assert [err.index(words) for words in order] == sorted(err.index(words) for words in order)
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a-page-001.png", "a-page-002.png", "a.json", "stdin-page-001.png", "stdin.json",
        "three-page-001.png", "three-page-003.png", "three.json",
    ]  # fmt: skip
    read = {path.stem: Document.from_json(path.read_bytes()) for path in Path("out").glob("*.json")}
    assert {document.source.name for document in read.values()} == {"a.pdf", "three.pdf", "<stdin>"}
    assert [page.origin for page in read["three"].pages] == ["born-digital", "failed", "born-digital"]
    assert read["a"].stats.seconds > 0
    assert read["a"].stats.seconds_by_stage["layout"] > 0
    assert read["a"].pages[0].seconds > 0
    alone = _untimed(Path("alone.json").read_text("utf-8").replace("alone.pdf", "a.pdf"))
    assert _untimed(Path("out/a.json").read_bytes()) == alone


def test_pages_and_passwords_reach_the_workers(
    run: Run, make_pdf: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    import pymupdf

    locked = make_pdf("Open", "Second", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret")
    Path("a.pdf").write_bytes(locked)
    Path("b.pdf").write_bytes(make_pdf("Only one"))
    code, out, err = run(
        "process", "a.pdf", "b.pdf", "--pages", "2", "--password", "secret", "--json", "-", *ALONE
    )
    assert code == 1
    (line,) = out.splitlines()
    assert [text.text for text in Document.from_json(line).texts] == ["Second"]
    assert "b.pdf has 1 page" in err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_keeps_what_was_finished(make_pdf: Callable[..., bytes]) -> None:
    import psutil

    for number in range(60):
        Path(f"{number:02}.pdf").write_bytes(make_pdf(*(f"Page {page}" for page in range(4))))
    # Whoever runs the tests in the background of a shell has them ignore the signal.
    code = (
        "import signal, docai.cli; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"docai.cli.main({['process', '.', '-o', 'out', *ALONE]!r})"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        said = first + running.stderr.read()
    assert running.returncode == 130
    assert said.endswith("Interrupted; what was finished is written.\n")
    written = {path.name for path in Path("out").iterdir()}
    assert 1 <= len(written) < 60
    assert {line.split(" ")[0].replace(".pdf", ".json") for line in said.splitlines() if "page" in line} == (
        written
    )
    for name in written:
        assert len(Document.from_json(Path("out", name).read_bytes()).pages) == 4
    until = time.monotonic() + 30
    while any(child.is_running() for child in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [child for child in children if child.is_running()]
