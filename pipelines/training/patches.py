"""Training on the patches that carry ink.

Most of a crop that was padded to a square is white. A SigLIP tower and a Gemma 2 decoder treat image
tokens as a set with positions, so a training step may leave white patches out: a fifth of the tokens is
left on average, and a step costs about a fifth. Some white patches are always kept, and the last part of
a training runs on whole squares, because that is what reading sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from docai.pipelines.training.nano import IMAGE_SIZE, PATCH_SIZE

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image
    from transformers import PaliGemmaForConditionalGeneration

    from docai.pipelines.synthesis.base import Mark

SIDE = IMAGE_SIZE // PATCH_SIZE
N_PATCHES = SIDE * SIDE
SUBCELLS = 2
"""Each patch is asked what lies in each of its 2 x 2 quarters."""
IGNORE = -100
POINTING_HEAD = 0
"""The attention head that is taught where to look, in the decoder layer half-way up: later ones use it."""


@dataclass(frozen=True)
class SparseSample:
    """One pair, cut into patches. K patches kept, T text tokens."""

    patches: NDArray[np.uint8]
    """(K, 784) grey levels."""
    positions: NDArray[np.int64]
    """(K,) raster index of each kept patch."""
    symbols: NDArray[np.int16]
    """(K, 4) index of the symbol in each quarter of each patch, 0 for none."""
    prompt: NDArray[np.int64]
    suffix: NDArray[np.int64]
    """Ends with the end token."""
    pointers: NDArray[np.int64]
    """As long as ``suffix``: which of the K patches shows what the token says; -1 where none does."""
    head: str

    @property
    def length(self) -> int:
        return len(self.positions) + len(self.prompt) + len(self.suffix)


def cut_patches(image: Image) -> NDArray[np.uint8]:
    """Grey patches of a square crop, ``(1024, 784)``, in raster order."""
    grey = np.asarray(image.convert("L"))
    if grey.shape != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"A crop of {IMAGE_SIZE} x {IMAGE_SIZE} px is needed, not {grey.shape}.")
    tiles = grey.reshape(SIDE, PATCH_SIZE, SIDE, PATCH_SIZE).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(tiles.reshape(N_PATCHES, PATCH_SIZE * PATCH_SIZE))


def has_ink(patches: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of (N, 784) patches show something darker than paper and its noise, ``(N,)``."""
    dark: NDArray[np.bool_] = patches.min(axis=1) < 190
    return dark


def patches_to_keep(
    patches: NDArray[np.uint8],
    generator: np.random.Generator,
    *,
    needed: Sequence[int] = (),
    extra: float = 0.06,
) -> NDArray[np.int64]:
    """Raster indices of the patches with ink, of those ``needed``, and of a share ``extra`` of the rest.

    The middle of a large letter may be white: it is needed where something is to be read there.
    """
    keep = has_ink(patches) | (generator.random(N_PATCHES) < extra)
    keep[list(needed)] = True
    return np.flatnonzero(keep)


def patch_at(x: float, y: float) -> int:
    """Raster index of the patch at a point in square pixels, the nearest one where it lies outside."""
    column, row = (min(max(int(value // PATCH_SIZE), 0), SIDE - 1) for value in (x, y))
    return row * SIDE + column


def symbol_grid(marks: Sequence[Mark], vocabulary: dict[str, int]) -> NDArray[np.int16]:
    """What lies in each quarter patch, ``(1024, 4)``; 0 for none, 1 for a symbol not in ``vocabulary``."""
    grid = np.zeros((N_PATCHES, SUBCELLS * SUBCELLS), dtype=np.int16)
    step = PATCH_SIZE // SUBCELLS
    for mark in marks:
        column, row = int(mark.x // step), int(mark.y // step)
        if 0 <= column < SIDE * SUBCELLS and 0 <= row < SIDE * SUBCELLS:
            patch = (row // SUBCELLS) * SIDE + column // SUBCELLS
            quarter = (row % SUBCELLS) * SUBCELLS + column % SUBCELLS
            grid[patch, quarter] = vocabulary.get(mark.label, 1)
    return grid


@dataclass(frozen=True)
class SparseBatch:
    """Samples padded to one length: B samples, K image tokens, T text tokens."""

    patches: torch.Tensor
    """(B, K, 784), scaled to -1…1."""
    positions: torch.Tensor
    """(B, K)"""
    image_valid: torch.Tensor
    """(B, K), bool."""
    symbols: torch.Tensor
    """(B, K, 4), -100 where padded."""
    text: torch.Tensor
    """(B, T) token ids: prompt, suffix, padding."""
    labels: torch.Tensor
    """(B, T), the token each position has to predict; -100 outside the suffix."""
    pointers: torch.Tensor
    """(B, T), the image token that shows the token to be predicted; -1 where none does."""
    text_valid: torch.Tensor
    prefix: torch.Tensor
    """(B, T), bool: the prompt."""


def collate(samples: Sequence[SparseSample]) -> SparseBatch:
    """Pad to the longest; labels differ from -100 exactly where the suffix is predicted."""
    import torch

    size = len(samples)
    n_image = max(len(sample.positions) for sample in samples)
    n_text = max(len(sample.prompt) + len(sample.suffix) for sample in samples)
    patches = torch.zeros(size, n_image, PATCH_SIZE * PATCH_SIZE)
    positions = torch.zeros(size, n_image, dtype=torch.long)
    image_valid = torch.zeros(size, n_image, dtype=torch.bool)
    symbols = torch.full((size, n_image, SUBCELLS * SUBCELLS), IGNORE, dtype=torch.long)
    text = torch.zeros(size, n_text, dtype=torch.long)
    labels = torch.full((size, n_text), IGNORE, dtype=torch.long)
    pointers = torch.full((size, n_text), -1, dtype=torch.long)
    text_valid = torch.zeros(size, n_text, dtype=torch.bool)
    prefix = torch.zeros(size, n_text, dtype=torch.bool)
    for row, sample in enumerate(samples):
        count = len(sample.positions)
        patches[row, :count] = torch.from_numpy(sample.patches).float() / 127.5 - 1.0
        positions[row, :count] = torch.from_numpy(sample.positions)
        image_valid[row, :count] = True
        symbols[row, :count] = torch.from_numpy(sample.symbols).long()
        ids = torch.from_numpy(np.concatenate([sample.prompt, sample.suffix]))
        start = len(sample.prompt)
        text[row, : len(ids)] = ids
        text_valid[row, : len(ids)] = True
        prefix[row, :start] = True
        labels[row, start - 1 : len(ids) - 1] = ids[start:]
        pointers[row, start - 1 : len(ids) - 1] = torch.from_numpy(sample.pointers)
    return SparseBatch(patches, positions, image_valid, symbols, text, labels, pointers, text_valid, prefix)


def forward(
    model: PaliGemmaForConditionalGeneration, batch: SparseBatch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the stock modules on the kept patches.

    Returns the tower's features ``(B, K, width)`` and the logits ``(B, T, vocabulary)`` of the text
    positions. With all 1024 patches kept they equal the stock forward pass.
    """
    features = encode_patches(model, batch)
    return features, answer(model, batch, features)[0]


def answer(
    model: PaliGemmaForConditionalGeneration, batch: SparseBatch, features: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The projector and the decoder over the tower's features.

    Returns logits ``(B, T, vocabulary)``, and how much the pointing head attends to each image token,
    ``(B, T, K)``.
    """
    import torch

    image = model.model.multi_modal_projector(features)
    words = model.get_input_embeddings()(batch.text)
    embeddings = torch.cat([image, words.to(image.dtype)], dim=1)

    valid = torch.cat([batch.image_valid, batch.text_valid], dim=1)
    prefix = torch.cat([batch.image_valid, batch.prefix], dim=1)
    length = valid.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=valid.device).tril()
    # A padded query would have nothing to attend to and turn into NaN: it may see itself.
    itself = torch.eye(length, dtype=torch.bool, device=valid.device)
    mask = additive((valid[:, None, None, :] & (prefix[:, None, None, :] | causal)) | itself, image.dtype)
    text_positions = N_PATCHES + torch.arange(batch.text.shape[1], device=valid.device)
    position_ids = torch.cat([batch.positions, text_positions.expand(len(batch.text), -1)], dim=1) + 1

    output = model.model.language_model(
        inputs_embeds=embeddings,
        attention_mask={"full_attention": mask, "sliding_attention": mask},
        position_ids=position_ids,
        use_cache=False,
        output_attentions=True,
    )
    n_image = batch.patches.shape[1]
    logits: torch.Tensor = model.lm_head(output.last_hidden_state[:, n_image:])
    half_way = output.attentions[(len(output.attentions) - 1) // 2]
    return logits, half_way[:, POINTING_HEAD, n_image:, :n_image]


def encode_patches(model: PaliGemmaForConditionalGeneration, batch: SparseBatch) -> torch.Tensor:
    """The tower over the kept patches, ``(B, K, width)``: its own embedding, layers and last norm."""
    import torch

    tower: Any = model.model.vision_tower
    kernel = tower.embeddings.patch_embedding
    # Grey patches: the three channels of the convolution see the same values, so their kernels add up.
    weight = kernel.weight.sum(dim=1).flatten(1)
    embedded = torch.nn.functional.linear(batch.patches, weight, kernel.bias)
    embedded = embedded + tower.embeddings.position_embedding(batch.positions)
    itself = torch.eye(batch.image_valid.shape[1], dtype=torch.bool, device=batch.image_valid.device)
    mask = additive(batch.image_valid[:, None, None, :] | itself, embedded.dtype)
    hidden = embedded
    for layer in tower.encoder.layers:
        hidden = layer(hidden, attention_mask=mask)
    normed: torch.Tensor = tower.post_layernorm(hidden)
    return normed


def additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask to add to attention scores: 0 where ``allowed``, the lowest number elsewhere."""
    import torch

    mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return mask.masked_fill(~allowed, torch.finfo(dtype).min)
