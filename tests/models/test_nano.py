"""The embedded checkpoint: its size, its file layout, and that stock transformers loads and runs it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from docai.models.checkpoints import find_checkpoint
from docai.models.engine import Request
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.synthesis import samples

pytestmark = pytest.mark.slow(seconds=30)

MAX_BYTES = 24 * 1024 * 1024


@pytest.fixture(scope="module")
def folder() -> Path:
    return find_checkpoint("nano").folder


@pytest.fixture(scope="module")
def engine() -> PaliGemmaEngine:
    return PaliGemmaEngine.load("nano", device="cpu")


def drawing(text: str) -> Image.Image:
    image = Image.new("RGB", (896, 896), "white")
    ImageDraw.Draw(image).text((60, 400), text, fill="black", font_size=90)
    return image


def test_all_its_files_together_fit_the_package(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) <= MAX_BYTES


def test_stock_transformers_loads_and_runs_it(folder: Path) -> None:
    from transformers import AutoConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    config = AutoConfig.from_pretrained(folder)
    assert config.model_type == "paligemma"
    assert config.vision_config.image_size == 896
    assert config.text_config.model_type == "gemma2"
    model, report = PaliGemmaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    processor = PaliGemmaProcessor.from_pretrained(folder)
    inputs = processor(images=drawing("A"), text="<image>spot text", return_tensors="np")
    inputs = inputs.convert_to_tensors("pt")
    inputs.pop("labels", None)
    with torch.inference_mode():
        logits = model(**inputs).logits
    assert logits.shape == (1, 1024 + 3, config.text_config.vocab_size)
    assert bool(torch.isfinite(logits).all())


def test_the_tokenizer_has_paligemmas_special_tokens(folder: Path) -> None:
    from transformers import AutoTokenizer

    vocabulary = AutoTokenizer.from_pretrained(folder).get_vocab()
    wanted = ["<image>", *(f"<loc{i:04d}>" for i in range(1024)), *(f"<seg{i:03d}>" for i in range(128))]
    assert not [token for token in wanted if token not in vocabulary]


def test_the_weights_are_trained_numbers(folder: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values()) > 10_000_000
    assert all(bool(torch.isfinite(tensor.float()).all()) for tensor in tensors.values())


def test_it_has_weights_for_all_four_heads(engine: PaliGemmaEngine) -> None:
    assert engine.heads() == frozenset(HEADS)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_each_head_answers_in_its_own_format(engine: PaliGemmaEngine, head: str) -> None:
    (generation,) = engine.generate([Request(HEADS[head], drawing("Hello"), max_tokens=24)])
    starts = {"table": "<table>", "score": "**kern", "text": "<loc"}
    assert generation.text.startswith(starts.get(head, ""))
    assert generation.n_tokens > 0
    assert len(generation.logprobs) == generation.n_tokens
    assert all(value <= 0 for value in generation.logprobs)


def test_it_sees_where_the_first_word_stands(engine: PaliGemmaEngine) -> None:
    """On pictures it was not trained on: the tower is looked through, nothing is looked up."""
    pairs = list(islice(samples("text", 11, difficulty=0.3, split="held-out"), 8))
    answers = engine.generate([Request(HEADS["text"], pair.image, max_tokens=1) for pair in pairs])
    true = [int(pair.target[4:8]) for pair in pairs]
    found = [int(answer.tokens[0][4:8]) for answer in answers]
    assert np.corrcoef(true, found)[0, 1] > 0.9


def test_it_tells_the_clefs_apart(engine: PaliGemmaEngine) -> None:
    pairs = list(islice(samples("score", 11, difficulty=0.0, split="held-out"), 8))
    answers = engine.generate([Request(HEADS["score"], pair.image, max_tokens=4) for pair in pairs])
    true = [pair.target.split("\n")[1] for pair in pairs]
    assert len(set(true)) == 2
    right = [clef in answer.text for clef, answer in zip(true, answers, strict=True)]
    assert sum(right) >= 7
