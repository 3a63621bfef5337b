"""Runs mypy --strict over the package as a user gets it: built into a wheel, and unpacked.

    python .ci/check_types.py

The tree itself cannot be checked as one package, because its four folders only become ``docai`` when
they are installed. Needs the development tools of ``pip install docai[dev]``; uses no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("docai", "models", "parsers", "pipelines", "pyproject.toml", "README.md", "LICENSE")


def build_wheel(folder: Path) -> Path:
    """Build docai's wheel from a copy of the tree, so that nothing stale in ``build/`` gets into it."""
    tree = folder / "tree"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, tree / part)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(tree)], check=True)
    return next(folder.glob("docai-*.whl"))


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = folder / "site"
        with zipfile.ZipFile(build_wheel(folder)) as wheel:
            wheel.extractall(site)
        # The cache stays the same from run to run because the package is named, not its folder.
        command = [sys.executable, "-m", "mypy", "--strict", "-p", "docai"]
        command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
        return subprocess.run(command, cwd=site, env={**os.environ, "MYPYPATH": str(site)}).returncode


if __name__ == "__main__":
    sys.exit(main())
