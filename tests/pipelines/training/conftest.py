from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.models.heads import HEADS, Head
from docai.pipelines.external import engraving
from docai.pipelines.training.nano import build_model, build_processor
from tests.models.tiny import IMAGE_SIZE, build_tiny

SMILES = ("CCO", "c1ccccc1", "CC(=O)O", "NCCN")


@pytest.fixture(scope="module")
def processor() -> PaliGemmaProcessor:
    return build_processor()


@pytest.fixture(scope="module")
def model(processor: PaliGemmaProcessor) -> PaliGemmaForConditionalGeneration:
    torch.manual_seed(0)
    return build_model(processor).eval()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices gain nothing from threads, and lose a lot on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def close_engraver() -> Iterator[None]:
    """Verovio's process, where a test drew scores here."""
    yield
    engraving.close()


@pytest.fixture(scope="session")
def molecule() -> Head:
    """The molecule head, for crops of the tiny checkpoint."""
    return replace(HEADS["molecule"], resolution=IMAGE_SIZE)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random base as Google's are: no docai.json, soft caps on. Not to be changed."""
    caps = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
    # One layer of each kind.
    text = caps | {"num_hidden_layers": 2}
    return build_tiny(tmp_path_factory.mktemp("base") / "tiny", text=text, scale=0.1)


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs that can be told apart, in the layout of `docai synth`."""
    return write_pairs_folder(tmp_path_factory.mktemp("pairs"), SMILES)


def write_pairs_folder(folder: Path, targets: tuple[str, ...]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = []
    for number, target in enumerate(targets):
        image = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), "white")
        ImageDraw.Draw(image).rectangle((4, 4, 10 + 10 * number, 40), fill="black")
        image.save(folder / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "target": target, "key": target}) + "\n")
    (folder / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
