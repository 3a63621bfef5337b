"""Runs mypy --strict over the package in its installed layout.

    python .ci/check_types.py

The tree itself cannot be checked as one package, because its four folders only become ``docai`` when they are
installed: the checker reads ``build/view`` (see ``package_view.py``). Its cache is kept, so that after a
small change this takes seconds. Needs the development tools of ``pip install docai[dev]``.
"""

from __future__ import annotations

import os
import subprocess
import sys

from package_view import ROOT, make_view


def main() -> int:
    view = make_view()
    command = [sys.executable, "-m", "mypy", "--strict", "-p", "docai"]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    return subprocess.run(command, cwd=view, env={**os.environ, "MYPYPATH": str(view)}).returncode


if __name__ == "__main__":
    sys.exit(main())
