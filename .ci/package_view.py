"""The four source folders as the one package that they are when installed, for tools that read files.

    python .ci/package_view.py      # makes build/view/docai

``docai`` is mapped from four folders by ``pyproject.toml``, which Python understands and static tools do not.
``build/view/docai`` has the installed layout made of links to the sources, so that the type checker, the
import linter and an editor's go-to-definition work on the tree itself. Where links cannot be made, as on
Windows without developer mode, the files are copied: run it again after a change there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VIEW = ROOT / "build" / "view"
FOLDERS = ("models", "parsers", "pipelines")
"""Folders that lie beside ``docai/`` in the sources and inside it when installed."""


def make_view(view: Path = VIEW) -> Path:
    """Make the view anew and return the folder that holds ``docai``.

    Raises:
        OSError: the folder cannot be written.
    """
    package = view / "docai"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for path in sorted((ROOT / "docai").iterdir()):
        if path.name != "__pycache__":
            _link(path, package / path.name)
    for name in FOLDERS:
        _link(ROOT / name, package / name)
    return view


def _link(source: Path, link: Path) -> None:
    try:
        link.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, link, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, link)


if __name__ == "__main__":
    print(make_view().relative_to(ROOT).as_posix(), file=sys.stderr)
