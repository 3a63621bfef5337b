"""Where the parts of the package lie: inside its folder when installed, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def package_path(path: list[str]) -> list[str]:
    """The search path of ``docai``'s submodules, given its ``__path__``.

    ``pyproject.toml`` maps ``models/``, ``parsers/`` and ``pipelines/`` into the package when it is
    installed. In a checkout that is imported in place, as ``python -c "import docai"`` in its root does, they
    are siblings.
    """
    folder = Path(path[0])
    return path if (folder / "models").is_dir() else [*path, str(folder.parent)]
