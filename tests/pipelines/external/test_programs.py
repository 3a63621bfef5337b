"""Programs of others are run in bounds."""

from __future__ import annotations

import sys
import time

import pytest

from docai.pipelines.external.programs import ReaderError, environment, run


def _python(code: str, *, seconds: float = 30.0, max_bytes: int = 1000) -> bytes:
    return run([sys.executable, "-I", "-c", code], seconds=seconds, max_bytes=max_bytes)


def test_what_a_program_writes_comes_back() -> None:
    assert _python("print('C1CCCCC1')").strip() == b"C1CCCCC1"


def test_words_are_never_read_by_a_shell() -> None:
    told = run(
        [sys.executable, "-I", "-c", "import sys; print(sys.argv[1])", "$(id); `id` > x"],
        seconds=30,
        max_bytes=1000,
    )
    assert told.strip() == b"$(id); `id` > x"


def test_one_that_fails_is_an_error_with_its_status() -> None:
    with pytest.raises(ReaderError, match="ended with 3"):
        _python("raise SystemExit(3)")


def test_one_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ReaderError, match=r"no-such-program cannot be started"):
        run(["/nowhere/no-such-program"], seconds=30, max_bytes=1000)


def test_one_that_writes_without_end_is_stopped() -> None:
    with pytest.raises(ReaderError, match="wrote more than 1,000 bytes"):
        _python("while True: print('C' * 80)")


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(600)",
        # It has closed its output, and still does not end.
        "import os, time; os.close(1); time.sleep(600)",
        # It has ended, but its child keeps the output open.
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
    ],
)
def test_one_that_hangs_is_ended_with_what_it_started(code: str) -> None:
    if sys.platform == "win32" and "subprocess" in code:
        pytest.skip("Windows has no process groups to end")
    started = time.monotonic()
    with pytest.raises(ReaderError, match=r"took longer than 0\.5 s"):
        _python(code, seconds=0.5)
    assert time.monotonic() - started < 300


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_memory_is_bounded() -> None:
    with pytest.raises(ReaderError, match="ended with"):
        _python("import time; time.sleep(0.2); x = bytearray(5 << 30); print(len(x))")


def test_the_key_of_a_server_is_in_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_API_KEY", "secret")
    monkeypatch.setenv("DOCAI_OTHER", "kept")
    given = environment()
    assert "DOCAI_API_KEY" not in given
    assert given["DOCAI_OTHER"] == "kept"
