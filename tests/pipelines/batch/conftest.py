"""What workers are made to do in tests."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def faults() -> Iterator[ModuleType]:
    """The module ``faults``, under a name that the processes of a run find, too."""
    folder = str(Path(__file__).parent)
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("faults")
    finally:
        sys.path.remove(folder)
