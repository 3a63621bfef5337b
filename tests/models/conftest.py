from __future__ import annotations

from pathlib import Path

import pytest
import torch

from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_adapter, build_tiny

HEADS = {
    "table": {"adapter": None, "max_tokens": 24},
    "text": {"adapter": None, "max_tokens": 12},
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices gain nothing from threads, and lose a lot on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint whose base weights answer two heads. Not to be changed: copy it first."""
    return build_tiny(tmp_path_factory.mktemp("tiny"), heads=HEADS)


@pytest.fixture(scope="session")
def tiny_engine(tiny_folder: Path) -> PaliGemmaEngine:
    return PaliGemmaEngine.load(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def tiny_adapters(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two different random adapters for the tiny checkpoint."""
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "score": build_adapter(tiny_folder, folder / "score", seed=1),
        "molecule": build_adapter(tiny_folder, folder / "molecule", seed=2),
    }
