"""The environment of the libraries that read what docai exports: ``make ecosystem-env``.

It is one of its own, see ``tests/ecosystem.txt``; a test runs a script in it and compares what it prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-ecosystem" / "bin" / "python"

_WITH_DOCAI = """
import site, sys
for folder in {folders!r}:
    site.addsitedir(folder)
"""


def answer_of(script: str, *arguments: object, package: str, with_docai: bool = False) -> Any:
    """What a script prints as JSON, run with these arguments in the environment.

    Args:
        package: the library whose place is taken by a skip where it is not installed.
        with_docai: it imports docai too, from this environment, behind the packages of its own.
    """
    if not PYTHON.exists():
        pytest.skip(f"{package} is not installed: make ecosystem-env")
    folders = [folder for folder in sys.path if folder.endswith("site-packages")]
    code = (_WITH_DOCAI.format(folders=folders) if with_docai else "") + script
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [PYTHON, "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PYTHONUTF8": "1"},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def file_of(package: str, path: str) -> Path:
    """A file inside a package of the environment, whose libraries need not be importable."""
    found = sorted((PYTHON.parent.parent / "lib").glob(f"python3*/site-packages/{package}/{path}"))
    if not found:
        pytest.skip(f"{package} is not installed: make ecosystem-env")
    return found[0]
