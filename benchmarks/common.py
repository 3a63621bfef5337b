"""What several benchmark scripts share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

REAL_DATA = "DOCAI_REAL_DATA"
"""Environment variable that names the folder of real documents; by default ``../shared/real``."""


def real_data() -> Path | None:
    """The folder of real documents; None where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "real"
    folder = Path(os.environ.get(REAL_DATA) or default)
    return folder if folder.is_dir() else None


def need_folder(folder: Path | None) -> Path:
    """The folder, or an end of the program that says how to name one."""
    if folder is None or not folder.is_dir():
        sys.exit(f"There are no real documents at {folder}: name their folder, or set {REAL_DATA}.")
    return folder


def script_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
