"""The embedded checkpoint's architecture: stock classes, stock files, a tokenizer that loses nothing."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.models.checkpoints import open_checkpoint
from docai.models.heads import HEADS
from docai.models.loading import load_base, load_processor
from docai.pipelines.synthesis import samples
from docai.pipelines.training.nano.model import (
    WIDTH,
    location_codes,
    principal_components,
    save_checkpoint,
    sincos_positions,
)

LIMITS = {"table": 640, "text": 512}


@pytest.fixture(scope="module")
def saved(
    model: PaliGemmaForConditionalGeneration,
    processor: PaliGemmaProcessor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("nano") / "checkpoint"
    save_checkpoint(model, processor, folder, name="nano", revision="step-0", max_tokens=LIMITS)
    return folder


@pytest.mark.parametrize("head", HEADS)
def test_drawn_targets_survive_the_tokenizer(head: str, processor: PaliGemmaProcessor) -> None:
    tokenizer = processor.tokenizer
    for sample in islice(samples(head, 11, difficulty=0.5), 3):
        ids = tokenizer(sample.target, add_special_tokens=False).input_ids
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == sample.target
        assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(
    "text",
    [
        '<table><thead><tr><td coords="<loc0001><loc0002><loc1022><loc1023>" colspan="2">a &lt; b</td></tr>'
        '</thead><tbody><tr><td></td><td rowspan="3">½ µm</td></tr></tbody></table>',
        "C[C@@H](N)C(=O)O.[Na+]/C=C\\C%12[13CH3]",
        "**kern\t**kern\n*clefG2\t*clefF4\n*k[b-e-]\t*\n4.cc#LL\t[8GG-J\n=1||\t=1||\n*-\t*-",
        "<loc0000><loc0010><loc0100><loc0200> Zürich ; <loc0000><loc0210><loc0100><loc0300> €5\nΩ ≤ “x”",
        "tabs\t\tand\n\nlines  with  spaces ",
        "日本語 🎼 \u0301 \u200d unknown letters",
        "<0x41> <loc12> <lo",
    ],
)
def test_every_format_survives_the_tokenizer(text: str, processor: PaliGemmaProcessor) -> None:
    ids = processor.tokenizer(text, add_special_tokens=False).input_ids
    assert processor.tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert processor.tokenizer.unk_token_id not in ids


def test_markup_boxes_and_prompts_are_single_tokens(processor: PaliGemmaProcessor) -> None:
    pieces = ["<image>", "<loc0000>", "<loc1023>", "<seg000>", "<seg127>", "</td>"]
    pieces += [head.prompt for head in HEADS.values()]
    for piece in pieces:
        assert len(processor.tokenizer(piece, add_special_tokens=False).input_ids) == 1, piece
    first = processor.tokenizer.convert_tokens_to_ids("<loc0000>")
    assert processor.tokenizer.convert_tokens_to_ids("<loc0777>") == first + 777


def test_stock_transformers_loads_the_folder(saved: Path, model: PaliGemmaForConditionalGeneration) -> None:
    loaded, info = PaliGemmaForConditionalGeneration.from_pretrained(
        saved, dtype=torch.float32, output_loading_info=True
    )
    assert not any(info[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    for (name, mine), (_, theirs) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-4, msg=name)
    text = loaded.config.text_config
    assert (text.attn_logit_softcapping, text.final_logit_softcapping) == (None, None)

    stock = PaliGemmaProcessor.from_pretrained(saved)
    picture = np.full((896, 896, 3), 200, dtype=np.uint8)
    inputs = stock(images=[[picture]], text=["<image>spot text"], return_tensors="np")
    tokens = inputs["input_ids"][0]
    assert (tokens == stock.image_token_id).sum() == 1024
    assert stock.tokenizer.decode(tokens[1024:]) == "<bos>spot text\n"
    assert inputs["pixel_values"].shape == (1, 3, 896, 896)


def test_the_folder_is_a_docai_checkpoint(saved: Path) -> None:
    checkpoint = open_checkpoint(saved)
    assert checkpoint.id == "nano@step-0"
    assert {head: entry.max_tokens for head, entry in checkpoint.heads.items()} == LIMITS
    assert (checkpoint.image_size, checkpoint.n_image_tokens) == (896, 1024)
    load_processor(checkpoint)
    load_base(checkpoint, torch.float32)
    assert json.loads((saved / "config.json").read_text())["dtype"] == "bfloat16"
    assert sum(path.stat().st_size for path in saved.iterdir()) < 25_165_824, "24 MiB in the package"


def test_the_patch_embedding_starts_as_whitened_components() -> None:
    width = 300  # of a real patch's 784 gray levels: the decomposition is the slow part
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(40, width))
    patches = np.clip(generator.normal(size=(2_000, 40)) @ mixing * 12 + 128, 0, 255).astype(np.uint8)
    weights, bias = principal_components(patches)
    assert weights.shape == (WIDTH, width)
    values = (patches / 127.5 - 1.0) @ weights.T + bias
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-3)
    spread = values.std(axis=0)
    assert spread[0] == pytest.approx(1.0, abs=0.05)
    assert np.all(np.diff(spread) < 1e-3), "strongest first"


def test_neighboring_boxes_start_close_and_far_ones_apart() -> None:
    codes = location_codes(1024, WIDTH)
    assert codes.std().item() == pytest.approx(1.0, abs=0.05)
    near = torch.nn.functional.cosine_similarity(codes[:-1], codes[1:])
    assert near.min() > 0.9
    assert torch.nn.functional.cosine_similarity(codes[0], codes[1023], dim=0) < 0.5


def test_positions_are_told_apart() -> None:
    code = sincos_positions(32, WIDTH)
    assert code.shape == (1024, WIDTH)
    distances = torch.cdist(code, code) + 100 * torch.eye(1024)
    assert distances.min() > 0.1
    row, column = code.view(32, 32, 2, WIDTH // 2).unbind(2)
    assert torch.equal(row[3, 5], row[3, 9])
    assert torch.equal(column[3, 5], column[8, 5])
