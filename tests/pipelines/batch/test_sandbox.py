"""What a worker process cannot do any more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_CODE = """
import json, socket, subprocess, sys
from pathlib import Path
from docai.pipelines.batch.sandbox import restrict

own, other = map(Path, sys.argv[1:])
given_up = restrict([own])
(own / "a").write_text("x")
(own / "d").mkdir()
(own / "a").rename(own / "d" / "b")
Path("/dev/null").write_text("x")
failed = []
listener = None
for name, attempt in {
    "write": lambda: (other / "x").write_text("x"),
    "remove": lambda: (other / "kept").unlink(),
    "truncate": lambda: (other / "kept").write_text(""),
    "child": lambda: subprocess.run(["sh", "-c", f"echo x > {other}/y"], check=True, stderr=-3),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
}.items():
    try:
        attempt()
    except PermissionError:
        failed.append(name)
    except (OSError, subprocess.CalledProcessError) as error:
        failed.append(name if isinstance(error, subprocess.CalledProcessError) else f"{name}: {error}")
print(json.dumps([sorted(given_up), failed]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_a_restricted_process_writes_in_its_folders_only(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "kept").write_text("kept", "utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _CODE, own, other], capture_output=True, text=True, check=True
    )
    given_up, failed = json.loads(ended.stdout)
    assert "size" in given_up
    if "files" not in given_up:
        pytest.skip("this kernel has no Landlock")
    assert {"write", "remove", "truncate", "child"} <= set(failed)
    assert "connect" in failed or "network" not in given_up
    assert (other / "kept").read_text("utf-8") == "kept"
    assert [path.name for path in other.iterdir()] == ["kept"]
