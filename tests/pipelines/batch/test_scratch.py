"""Folders of temporary files that killed processes leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from docai.pipelines.batch import scratch
from docai.pipelines.batch.scratch import Scratch

_HOLD = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from docai.pipelines.batch.scratch import Scratch
held = Scratch("docai-test-")
print(held.path, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_a_killed_process_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = Path(process.stdout.readline().strip())
        try:
            other = tmp_path / "docai-other-1"
            other.mkdir()
            old = time.time() - 1000
            for path in (held, other):
                os.utime(path, (old, old))
            first = Scratch("docai-test-")
            assert held.exists()
        finally:
            process.send_signal(signal.SIGKILL)
    scratch.sweep("docai-test-")
    assert not held.exists()
    assert other.exists()
    # A young one may not have its lock yet, and this one has it.
    assert first.path.exists()
    first.close()
    assert not first.path.exists()
