"""Checks the contracts of ``.importlinter``: which room may import which, and that there is no circle.

    python .ci/check_imports.py

Needs the development tools of ``pip install docai[dev]``.
"""

from __future__ import annotations

import os
import subprocess
import sys

from package_view import ROOT, make_view


def main() -> int:
    view = make_view()
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, str(ROOT / ".importlinter"), "--cache-dir"]
    command.append(str(ROOT / ".import_linter_cache"))
    environment = {**os.environ, "PYTHONPATH": str(view), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=view, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
