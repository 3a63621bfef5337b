"""Training on patches: the same model as the stock one, on the same text, with all the ink."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.models.heads import HEADS
from docai.pipelines.synthesis import Mark, samples
from docai.pipelines.training.nano.feed import cut_sample
from docai.pipelines.training.nano.patches import (
    IGNORE,
    N_PATCHES,
    SparseSample,
    collate,
    cut_patches,
    forward,
    patches_to_keep,
    symbol_grid,
)


@pytest.fixture(scope="module")
def drawn(processor: PaliGemmaProcessor) -> list[tuple[Image.Image, str, SparseSample]]:
    """Two easy molecules, whole."""
    generator = np.random.default_rng(0)
    return [
        (s.image, s.target, cut_sample(s, processor.tokenizer, generator, whole=True))
        for s in islice(samples("molecule", 2, difficulty=0.0), 2)
    ]


def test_all_patches_give_the_stock_models_logits(
    model: PaliGemmaForConditionalGeneration,
    processor: PaliGemmaProcessor,
    drawn: list[tuple[Image.Image, str, SparseSample]],
) -> None:
    image, target, sample = drawn[0]
    prompt = HEADS["molecule"].prompt
    inputs = processor(
        images=[[image]], text=["<image>" + prompt], suffix=[target], return_tensors="np"
    ).convert_to_tensors("pt")
    with torch.no_grad():
        stock = model(**inputs)
        batch = collate([sample])
        _, logits = forward(model, batch)
    torch.testing.assert_close(logits, stock.logits[:, N_PATCHES:], rtol=1e-4, atol=1e-4)
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORE
    )
    assert loss.item() == pytest.approx(stock.loss.item(), abs=1e-4)
    assert torch.equal(batch.text, inputs["input_ids"][:, N_PATCHES:])


def test_a_patch_counts_by_its_place_and_padding_not_at_all(
    model: PaliGemmaForConditionalGeneration, drawn: list[tuple[Image.Image, str, SparseSample]]
) -> None:
    """In sparse batches: order of patches, shorter neighbors and padding change nothing."""
    generator = np.random.default_rng(1)
    cut = []
    for _, _, sample in drawn:
        keep = patches_to_keep(sample.patches, generator, extra=0.0)
        cut.append(
            replace(sample, patches=sample.patches[keep], positions=keep, symbols=sample.symbols[keep])
        )
    first = cut[0]
    order = generator.permutation(len(first.positions))
    shuffled = replace(
        first,
        patches=first.patches[order],
        positions=first.positions[order],
        symbols=first.symbols[order],
    )
    with torch.no_grad():
        _, alone = forward(model, collate([first]))
        _, other_order = forward(model, collate([shuffled]))
        _, padded = forward(model, collate(cut))
        moved = replace(first, positions=(first.positions + 200) % N_PATCHES)
        _, elsewhere = forward(model, collate([moved]))
    n_text = len(first.prompt) + len(first.suffix)
    torch.testing.assert_close(other_order, alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(padded[:1, :n_text], alone, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(elsewhere, alone, atol=1e-2), "where a patch lies matters"


def test_the_white_patches_that_are_kept_stand_for_all(
    model: PaliGemmaForConditionalGeneration, drawn: list[tuple[Image.Image, str, SparseSample]]
) -> None:
    """A sparse batch comes near to the whole square, far nearer than without weights on white keys."""
    _, _, sample = drawn[0]
    keep = patches_to_keep(sample.patches, np.random.default_rng(3))
    cut = replace(sample, patches=sample.patches[keep], positions=keep, symbols=sample.symbols[keep])
    batch = collate([cut])
    n_white = int((batch.image_bias > 0).sum())
    assert n_white > 20
    assert batch.image_bias.exp().sum().item() == pytest.approx(N_PATCHES, rel=1e-5)
    with torch.no_grad():
        _, whole = forward(model, collate([sample]))
        _, weighed = forward(model, batch)
        _, plain = forward(model, replace(batch, image_bias=torch.zeros_like(batch.image_bias)))
    assert collate([sample]).image_bias.abs().max() == 0
    assert (weighed - whole).abs().mean() < 0.5 * (plain - whole).abs().mean()


def test_labels_are_exactly_the_answer(drawn: list[tuple[Image.Image, str, SparseSample]]) -> None:
    cut = [sample for _, _, sample in drawn]
    batch = collate(cut)
    for row, sample in enumerate(cut):
        asked = batch.labels[row] != IGNORE
        assert batch.labels[row][asked].tolist() == sample.suffix.tolist()
        # Logits at a position predict the next token: from the prompt's last to the one before the end.
        start = len(sample.prompt) - 1
        assert torch.nonzero(asked).flatten().tolist() == list(range(start, start + len(sample.suffix)))
        assert batch.prefix[row].sum() == len(sample.prompt)


def test_the_prompt_and_the_end_are_what_reading_expects(
    processor: PaliGemmaProcessor, drawn: list[tuple[Image.Image, str, SparseSample]]
) -> None:
    _, target, sample = drawn[0]
    assert processor.tokenizer.decode(sample.prompt) == f"<bos>{HEADS['molecule'].prompt}\n"
    assert processor.tokenizer.decode(sample.suffix) == target + "<eos>"


def test_patches_lie_in_raster_order_and_keep_all_ink() -> None:
    image = Image.new("RGB", (896, 896), "white")
    pen = ImageDraw.Draw(image)
    pen.line([(5, 5), (890, 700)], "black", 3)
    pen.rectangle((420, 100, 425, 105), fill=(120, 120, 120))
    patches = cut_patches(image)
    keep = patches_to_keep(patches, np.random.default_rng(0), extra=0.0)
    gray = np.asarray(image.convert("L"))
    left = gray.copy()
    for index in keep:
        row, column = divmod(int(index), 32)
        square = left[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28]
        np.testing.assert_array_equal(square.ravel(), patches[index])
        square[:] = 255
    assert left.min() >= 190, "what was left out has no ink"
    assert len(keep) < 100
    more = patches_to_keep(patches, np.random.default_rng(0), extra=0.5)
    assert set(keep) < set(more)
    assert 400 < len(more) < 700
    with pytest.raises(ValueError, match="896 x 896"):
        cut_patches(image.resize((448, 448)))


@pytest.mark.parametrize("head", HEADS)
def test_drawn_symbols_lie_in_kept_patches(head: str) -> None:
    generator = np.random.default_rng(0)
    inside = total = 0
    for sample in islice(samples(head, 4, difficulty=0.3), 3):
        keep = patches_to_keep(cut_patches(sample.image), generator, extra=0.0)
        grid = symbol_grid(sample.marks, {})
        inside += int((grid[keep] > 0).sum())
        total += int((grid > 0).sum())
    assert total > 5
    # The middle of a large letter may be white; the feed asks for those patches by itself.
    assert inside >= 0.95 * total


def test_a_mark_names_the_quarter_it_lies_in() -> None:
    grid = symbol_grid([Mark(28 * 3 + 20, 28 * 2 + 5, "a"), Mark(1, 1, "?"), Mark(900, 5, "a")], {"a": 7})
    assert grid[2 * 32 + 3].tolist() == [0, 7, 0, 0]
    assert grid[0].tolist() == [1, 0, 0, 0]
    assert (grid > 0).sum() == 2
