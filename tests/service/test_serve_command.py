"""``docai serve`` as a process: it listens, ends what it has begun, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from docai.document import Document
from docai.service.jobs import PREFIX

pytestmark = [
    pytest.mark.slow(seconds=40),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

Run = Callable[..., tuple[int, str, str]]

ALONE = ("--witnesses", "off", "--readback", "off", "--workers", "1")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path: a socket is in it."""
    with TemporaryDirectory(prefix="d-") as folder:
        yield Path(folder)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL; its temporary files go to ``folder``."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    code += "import service_faults; from docai.pipelines.batch import worker\n"
    code += "worker.read_page = service_faults.fault_at_page\n"
    code += f"import docai.cli; docai.cli.main({['serve', '--port', '0', *ALONE, *options]!r})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCAI_")}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment | {"TMPDIR": str(folder)},
    ) as running:
        assert running.stderr is not None
        try:
            line = running.stderr.readline()
            assert line.startswith("http://127.0.0.1:"), line + running.stderr.read()
            url = line.split()[0]
            _wait(lambda: _ask(f"{url}/v1/health")["status"] == "ok")
            yield running, url
        finally:
            running.kill()


def _ask(url: str, body: bytes | None = None, kind: str = "application/json") -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def _wait(is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            if is_there():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come about in two minutes")


def test_a_service_that_is_stopped_gives_what_it_has_read(tmp_path: Path, make_pdf: Any) -> None:
    (tmp_path / "slow.pdf").write_bytes(make_pdf(*(f"Page {page}" for page in range(40))))
    with serving(tmp_path, "--root", str(tmp_path), "--grace", "60") as (running, url):
        job = _ask(f"{url}/v1/jobs", b'{"path": "slow.pdf"}')["links"]["self"]
        waiting = _ask(f"{url}/v1/jobs", b'{"path": "slow.pdf"}')["links"]["self"]
        _wait(lambda: _ask(url + job)["n_read"] >= 1)
        assert list(tmp_path.glob(f"{PREFIX}*"))
        running.send_signal(signal.SIGTERM)
        _wait(lambda: _ask(url + job)["state"] == "partial")
        assert _ask(url + waiting)["state"] == "cancelled"
        assert _ask(f"{url}/v1/health")["status"] == "stopping"
        with pytest.raises(urllib.error.HTTPError) as refused:
            _ask(f"{url}/v1/jobs", b'{"path": "slow.pdf"}')
        assert refused.value.code == 503
        refused.value.close()
        document = Document.model_validate(_ask(f"{url}{job}/result"))
        assert running.stderr is not None
        said = running.stderr.read()
        assert running.wait(60) == 0
    assert said == "Stopped.\n"
    origins = [page.origin for page in document.pages]
    assert origins[0] == "born-digital"
    assert origins[-1] == "failed"
    assert "the service was stopped before it was read" in document.issues[-1].message
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_a_service_that_was_killed_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as (running, _):
        (left,) = tmp_path.glob(f"{PREFIX}*")
        running.kill()
        running.wait()
    assert left.exists()
    with serving(tmp_path):
        (mine,) = tmp_path.glob(f"{PREFIX}*")
        assert mine != left
        # One that lives is left alone.
        with serving(tmp_path):
            assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
            assert mine.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "callers need a token"),
        (("--root", "nowhere"), "nowhere is no folder"),
        (("--token-file", "nowhere"), "token file nowhere cannot be read"),
        (("--certificate", "a.pem"), "--certificate and --key"),
        (("--host", "192.0.2.1", "--token-file", "token"), "cannot be listened on"),
        (("--heads", "smells"), "smells"),
    ],
)
def test_what_cannot_be_served_is_said_before_it_listens(
    run: Run, options: tuple[str, ...], said: str
) -> None:
    Path("token").write_text("0123456789abcdef\n", "utf-8")
    code, out, err = run("serve", *options)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_a_folder_for_temporary_files_with_a_long_path_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", f"/{'long' * 30}")
    code, _, err = run("serve", "--port", "0")
    assert code == 2
    assert "TMPDIR" in err
