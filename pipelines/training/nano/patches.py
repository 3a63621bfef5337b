"""Training on the patches that carry ink.

Most of a crop padded to a square is white. A SigLIP tower and a Gemma 2 decoder treat image tokens as a set
with positions, so a training step may leave out white patches: on average a fifth of the tokens is left, and
a step costs about a fifth. Some white patches are always kept, and each stands for several in every attention
(:func:`key_bias`). In reading, the hundreds of white keys of a whole square take their share of attention; a
model that never saw them in training reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from docai.pipelines.training.nano.model import IMAGE_SIZE, PATCH_SIZE

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image
    from transformers import PaliGemmaForConditionalGeneration

    from docai.pipelines.synthesis.base import Mark

SIDE = IMAGE_SIZE // PATCH_SIZE
N_PATCHES = SIDE * SIDE
SUBCELLS = 2
"""The auxiliary task classifies each of the 2 x 2 quarters of a patch."""
IGNORE = -100
"""Label of a position that is not predicted."""
POINTING_HEAD = 0
"""The attention head that is taught where to look, in the middle decoder layer, so that later layers use
it."""


@dataclass(frozen=True)
class SparseSample:
    """One pair, cut into patches: K patches kept, T text tokens."""

    patches: NDArray[np.uint8]
    """(K, 784) gray levels."""
    positions: NDArray[np.int64]
    """(K,) raster index of each kept patch."""
    symbols: NDArray[np.int16]
    """(K, 4) index of the symbol in each quarter of each patch, 0 for none."""
    prompt: NDArray[np.int64]
    suffix: NDArray[np.int64]
    """Ends with the end token."""
    pointers: NDArray[np.int64]
    """As long as ``suffix``: which of the K patches shows the token; -1 where none does."""
    head: str

    @property
    def length(self) -> int:
        return len(self.positions) + len(self.prompt) + len(self.suffix)


def cut_patches(image: Image) -> NDArray[np.uint8]:
    """Gray patches of a square crop, ``(1024, 784)``, in raster order."""
    gray = np.asarray(image.convert("L"))
    if gray.shape != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"A crop of {IMAGE_SIZE} x {IMAGE_SIZE} px is needed, not {gray.shape}.")
    tiles = gray.reshape(SIDE, PATCH_SIZE, SIDE, PATCH_SIZE).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(tiles.reshape(N_PATCHES, PATCH_SIZE * PATCH_SIZE))


def has_ink(patches: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of (N, 784) patches have something darker than paper and its noise, ``(N,)``."""
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

    The center of a large letter may be white: it is in ``needed`` where a token points to it.
    """
    keep = has_ink(patches) | (generator.random(N_PATCHES) < extra)
    keep[list(needed)] = True
    return np.flatnonzero(keep)


def key_bias(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A bias for the attention scores of (K, 784) kept patches as keys, ``(K,)``.

    It is the logarithm of the number of patches of the square that a patch stands for: a white one stands for
    an equal share of all white ones. White patches differ only in their positions, so attention over the kept
    ones is close to attention over all.
    """
    white = ~has_ink(patches)
    n_kept = int(white.sum())
    bias = np.zeros(len(patches), np.float32)
    if n_kept:
        bias[white] = np.log((N_PATCHES - len(patches) + n_kept) / n_kept)
    return bias


def patch_at(x: float, y: float) -> int:
    """Raster index of the patch at a point in square pixels; the nearest one for a point outside."""
    column, row = (min(max(int(value // PATCH_SIZE), 0), SIDE - 1) for value in (x, y))
    return row * SIDE + column


def symbol_grid(marks: Sequence[Mark], vocabulary: dict[str, int]) -> NDArray[np.int16]:
    """Class of the symbol in each quarter patch, ``(1024, 4)``: 0 for none, 1 if not in ``vocabulary``."""
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
    """(B, K, 784) gray levels."""
    positions: torch.Tensor
    """(B, K)"""
    image_valid: torch.Tensor
    """(B, K), bool."""
    image_bias: torch.Tensor
    """(B, K), added to the attention scores of each image token as a key; see :func:`key_bias`."""
    auxiliary: torch.Tensor
    """(M,) patches used in the auxiliary task, as indices into all B * K."""
    symbols: torch.Tensor
    """(M, 4), their symbols, 0 for none."""
    text: torch.Tensor
    """(B, T) token ids: prompt, suffix, padding."""
    labels: torch.Tensor
    """(B, T), the token each position has to predict; -100 outside the suffix."""
    labeled: torch.Tensor
    """(N,) positions with a label, as indices into all B * T."""
    pointers: torch.Tensor
    """(B, T) the image token that shows the token to be predicted; -1 where none does."""
    text_valid: torch.Tensor
    """(B, T), bool."""
    prefix: torch.Tensor
    """(B, T), bool: the prompt."""

    def to(self, device: torch.device) -> SparseBatch:
        """The batch on a device; copies to a CUDA device are asynchronous."""
        if device.type == "cpu":
            return self
        moved = {
            field.name: getattr(self, field.name).pin_memory().to(device, non_blocking=True)
            for field in fields(self)
        }
        return SparseBatch(**moved)


def collate(samples: Sequence[SparseSample], generator: np.random.Generator | None = None) -> SparseBatch:
    """Pad to the longest; labels differ from -100 exactly where the suffix is predicted.

    With ``generator`` the auxiliary task uses not all patches, but those with a symbol and about as many
    others, at random. Most patches have no symbol, and teach little for their cost.
    """
    import torch

    size = len(samples)
    n_image = max(len(sample.positions) for sample in samples)
    n_text = max(len(sample.prompt) + len(sample.suffix) for sample in samples)
    patches = np.zeros((size, n_image, PATCH_SIZE * PATCH_SIZE), np.uint8)
    positions = np.zeros((size, n_image), np.int64)
    image_valid = np.zeros((size, n_image), np.bool_)
    image_bias = np.zeros((size, n_image), np.float32)
    text = np.zeros((size, n_text), np.int64)
    labels = np.full((size, n_text), IGNORE, np.int64)
    pointers = np.full((size, n_text), -1, np.int64)
    text_valid = np.zeros((size, n_text), np.bool_)
    prefix = np.zeros((size, n_text), np.bool_)
    asked, symbols = [], []
    for row, sample in enumerate(samples):
        count = len(sample.positions)
        patches[row, :count] = sample.patches
        positions[row, :count] = sample.positions
        image_valid[row, :count] = True
        image_bias[row, :count] = key_bias(sample.patches)
        indices = _auxiliary_patches(sample.symbols, generator)
        asked.append(indices + row * n_image)
        symbols.append(sample.symbols[indices].astype(np.int64))
        ids = np.concatenate([sample.prompt, sample.suffix])
        start = len(sample.prompt)
        text[row, : len(ids)] = ids
        text_valid[row, : len(ids)] = True
        prefix[row, :start] = True
        labels[row, start - 1 : len(ids) - 1] = ids[start:]
        pointers[row, start - 1 : len(ids) - 1] = sample.pointers
    arrays = (
        *(patches, positions, image_valid, image_bias, np.concatenate(asked), np.concatenate(symbols)),
        *(text, labels, np.flatnonzero(labels != IGNORE), pointers, text_valid, prefix),
    )
    return SparseBatch(*(torch.from_numpy(array) for array in arrays))


def _auxiliary_patches(
    symbols: NDArray[np.int16], generator: np.random.Generator | None
) -> NDArray[np.int64]:
    if generator is None:
        return np.arange(len(symbols))
    marked = (symbols > 0).any(axis=1)
    share = max(16, int(marked.sum())) / max(1, len(symbols) - int(marked.sum()))
    return np.flatnonzero(marked | (generator.random(len(symbols)) < share))


def forward(
    model: PaliGemmaForConditionalGeneration, batch: SparseBatch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the stock modules on the kept patches.

    Returns the tower's features ``(B, K, width)`` and the logits ``(B, T, vocabulary)`` of the text
    positions. With all 1024 patches kept they equal the stock forward pass.
    """
    features = encode_patches(model, batch)
    logits: torch.Tensor = model.lm_head(decode(model, batch, features))
    return features, logits


def decode(
    model: PaliGemmaForConditionalGeneration,
    batch: SparseBatch,
    features: torch.Tensor,
    attention: list[torch.Tensor] | None = None,
) -> torch.Tensor:
    """The projector and the decoder over the tower's features: hidden states of the text ``(B, T, width)``.

    Where ``attention`` is a list, the attention of the pointing head to each image token, ``(B, T, K)``, is
    appended to it. It is computed beside the layer, so that fused attention, which gives no weights, can be
    used.
    """
    import torch

    image = model.model.multi_modal_projector(features)
    words = model.get_input_embeddings()(batch.text)
    embeddings = torch.cat([image, words.to(image.dtype)], dim=1)

    valid = torch.cat([batch.image_valid, batch.text_valid], dim=1)
    prefix = torch.cat([batch.image_valid, batch.prefix], dim=1)
    length = valid.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=valid.device).tril()
    # A padded query without any key would become NaN: it may attend to itself.
    itself = torch.eye(length, dtype=torch.bool, device=valid.device)
    mask = additive_mask(
        (valid[:, None, None, :] & (prefix[:, None, None, :] | causal)) | itself, image.dtype
    )
    n_image = batch.patches.shape[1]
    mask[..., :n_image] += batch.image_bias[:, None, None, :].to(mask.dtype)
    text_positions = N_PATCHES + torch.arange(batch.text.shape[1], device=valid.device)
    position_ids = torch.cat([batch.positions, text_positions.expand(len(batch.text), -1)], dim=1) + 1

    decoder: Any = model.model.language_model

    def watch(layer: Any, inputs: object, named: dict[str, Any]) -> None:
        assert attention is not None
        hidden, rotation = named["hidden_states"], named["position_embeddings"]
        attention.append(_pointing(layer, hidden, rotation, mask, n_image))

    half_way = decoder.layers[(len(decoder.layers) - 1) // 2].self_attn
    hook = None if attention is None else half_way.register_forward_pre_hook(watch, with_kwargs=True)
    try:
        output = decoder(
            inputs_embeds=embeddings,
            attention_mask={"full_attention": mask, "sliding_attention": mask},
            position_ids=position_ids,
            use_cache=False,
        )
    finally:
        if hook is not None:
            hook.remove()
    hidden: torch.Tensor = output.last_hidden_state[:, n_image:]
    return hidden


def _pointing(
    layer: Any,
    hidden: torch.Tensor,
    rotation: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor,
    n_image: int,
) -> torch.Tensor:
    """Attention weights of one head of ``layer``, from the text to the image, ``(B, T, K)``."""
    import torch
    from transformers.models.gemma2.modeling_gemma2 import rotate_half

    size, group = layer.head_dim, POINTING_HEAD // layer.num_key_value_groups
    cosine, sine = rotation
    query = torch.nn.functional.linear(
        hidden[:, n_image:], layer.q_proj.weight[POINTING_HEAD * size : (POINTING_HEAD + 1) * size]
    )
    key = torch.nn.functional.linear(hidden, layer.k_proj.weight[group * size : (group + 1) * size])
    query = query * cosine[:, n_image:] + rotate_half(query) * sine[:, n_image:]
    key = key * cosine + rotate_half(key) * sine
    scores = query @ key.transpose(1, 2) * layer.scaling + mask[:, 0, n_image:]
    weights: torch.Tensor = scores.float().softmax(dim=-1)[:, :, :n_image]
    return weights


def encode_patches(model: PaliGemmaForConditionalGeneration, batch: SparseBatch) -> torch.Tensor:
    """The tower over the kept patches, ``(B, K, width)``: its own embedding, layers and last norm."""
    import torch

    tower: Any = model.model.vision_tower
    kernel = tower.embeddings.patch_embedding
    # Gray patches: the three channels of the convolution have the same values, so their kernels are summed.
    weight = kernel.weight.sum(dim=1).flatten(1)
    scaled = batch.patches.to(weight.dtype) / 127.5 - 1.0
    embedded = torch.nn.functional.linear(scaled, weight, kernel.bias)
    embedded = embedded + tower.embeddings.position_embedding(batch.positions)
    itself = torch.eye(batch.image_valid.shape[1], dtype=torch.bool, device=batch.image_valid.device)
    mask = additive_mask(batch.image_valid[:, None, None, :] | itself, embedded.dtype)
    mask = mask + batch.image_bias[:, None, None, :].to(mask.dtype)
    hidden = embedded
    for layer in tower.encoder.layers:
        hidden = layer(hidden, attention_mask=mask)
    normed: torch.Tensor = tower.post_layernorm(hidden)
    return normed


def additive_mask(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask to add to attention scores: 0 where ``allowed``, the smallest number elsewhere."""
    import torch

    mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return mask.masked_fill(~allowed, torch.finfo(dtype).min)
