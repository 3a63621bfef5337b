"""Train the network that finds music symbols in pictures, ``pipelines/tracing/score/symbol_weights.npz``.

    python -m docai.pipelines.training.symbols -o symbol_weights.npz [--steps 4000] [--lilypond FOLDER]

Verovio (the extra ``synth``) engraves random passages; :mod:`~docai.pipelines.training.symbol_pictures` draws
them in its fonts and, with ``--lilypond /usr/share/lilypond/2.24.1/fonts/svg``, in LilyPond's Emmentaler.
The pictures are made worse as prints and scans are: ink that spreads or breaks, blur, black and white, skew,
dirt. The fonts are under the SIL Open Font License 1.1; no part of them is in the weights, and no real
document is learned from.

A step takes a quarter of a second of one core. The weights that the package has were made in four runs, each
going on from the one before (``--start``): 1000 steps of 2180 without the font Leland, so that it could be
measured with (seed 1), 1000 of 2350 at 1.6e-3 (seed 2), 865 at 1.2e-3 (seed 3), and, with square breves and
twice as many glyphs like handwriting, 500 of 1100 at 1.2e-3 (seed 4).
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from docai.pipelines.tracing.score.symbol_classes import CLASSES
from docai.pipelines.tracing.score.symbol_net import (
    CELL,
    CELLS_IN_SPACE,
    SPACE_PIXELS,
    WEIGHTS,
    SymbolNet,
    load_weights,
    save_weights,
)
from docai.pipelines.training.symbol_glyphs import GlyphBank, load_bank
from docai.pipelines.training.symbol_pictures import SymbolPicture, draw_pictures

SIDE: Final = 224
"""Pixels of the side of a crop that is learnt from."""

BATCH: Final = 8

MAX_PICTURES: Final = 500
"""Kept in memory; the oldest is given up for a new one."""

CROPS_OF_A_PICTURE: Final = 16
"""Before a new one is drawn."""

LEARNING_RATE: Final = 2.5e-3

SPREAD: Final = 0.7
"""Standard deviation, cells, of the hill around each middle."""

REPORT_STEPS: Final = 100


class Targets(NamedTuple):
    """What the network should say of a crop of ``n`` x ``n`` cells."""

    hills: NDArray[np.float32]
    """(n, n), 1 at middles, falling off around them."""
    labels: NDArray[np.int64]
    """(n, n), the class at middles and beside them, -1 elsewhere."""
    boxes: NDArray[np.float32]
    """(4, n, n), as :class:`docai.pipelines.tracing.score.symbol_net.Maps` has them."""


def worsened(gray: NDArray[np.uint8], space: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A picture as printed and scanned: ink of 0…1 at the same size, dark is 1."""
    ink: NDArray[np.float32] = np.asarray(1.0 - gray.astype(np.float32) / 255, np.float32)
    kind = rng.random()
    if kind < 0.8:
        # Ink spreads on paper and tears thin lines; the threshold makes strokes thicker or thinner.
        sigma = rng.uniform(0.03, 0.11) * space
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), sigma), np.float32)
        if rng.random() < 0.7:
            rough = _noise(ink.shape, rng.uniform(0.5, 2.5), rng) * rng.uniform(0, 0.22)
            rough = rough + _noise(ink.shape, rng.uniform(6, 20), rng) * rng.uniform(0, 0.14)
            softness = rng.choice((0.02, 0.1, 0.25))
            level = rng.uniform(0.2, 0.62)
            ink = np.asarray(np.clip((ink + rough - level) / softness + 0.5, 0, 1), np.float32)
    if rng.random() < 0.25:
        ink = _dirty(ink, rng)
    return np.asarray(ink, np.float32)


def _noise(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise of about unit height; ``size``: pixels of its spots."""
    rows, columns = (max(2, int(n / size)) for n in shape)
    coarse = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _dirty(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """With specks of ink and of paper."""
    ink = ink.copy()
    count = int(ink.size * 0.0015 * rng.random() ** 2)
    y, x = rng.integers(1, ink.shape[0] - 1, count), rng.integers(1, ink.shape[1] - 1, count)
    value = (rng.random(count) < 0.6).astype(np.float32)
    size = int(rng.integers(1, 3))
    for dy in range(size):
        for dx in range(size):
            ink[y + dy - 1, x + dx - 1] = value
    return ink


def _developed(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """After resampling: blur, contrast and grain of a scan."""
    if rng.random() < 0.35:
        ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.3, 1.1))
    if rng.random() < 0.5:
        ink = ink * rng.uniform(0.6, 1.0) + rng.uniform(0, 0.12)
    if rng.random() < 0.5:
        ink = ink + rng.standard_normal(ink.shape, np.float32) * rng.uniform(0, 0.1)
    return np.clip(ink, 0, 1)


def crop_of(picture: SymbolPicture, rng: np.random.Generator) -> tuple[NDArray[np.float32], Targets]:
    """A random crop, turned, scaled and made worse, with its targets."""
    label = picture.labels[_drawn_label(picture.labels[:, 0].astype(int), rng)]
    center = np.array([(label[1] + label[3]) / 2, (label[2] + label[4]) / 2])
    zoom = SPACE_PIXELS / picture.space * rng.uniform(0.92, 1.08)
    half = SIDE / zoom / 2
    center += rng.uniform(-0.8, 0.8, 2) * half
    # Made worse at the resolution that it was drawn in, on a piece a little larger than the crop.
    reach = half * 1.1 + 4
    low = np.floor(center - reach).astype(int)
    side = int(2 * reach) + 1
    piece = np.full((side, side), 255, np.uint8)
    height, width = picture.gray.shape
    x0, y0 = np.maximum(low, 0)
    x1, y1 = min(width, low[0] + side), min(height, low[1] + side)
    if x0 < x1 and y0 < y1:
        piece[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]] = picture.gray[y0:y1, x0:x1]
    ink = worsened(piece, picture.space, rng)
    angle = np.deg2rad(rng.normal(0, 0.35))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[0] *= rng.uniform(0.94, 1.06)
    shift = SIDE / 2 - turn @ (center - low)
    # Pixel middles are at halves.
    matrix = np.column_stack([turn, shift + turn @ (0.5, 0.5) - 0.5])
    if zoom < 0.75:
        ink = cv2.GaussianBlur(ink, (0, 0), 0.35 / zoom)
    crop = cv2.warpAffine(ink, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    centers = (picture.labels[:, 1:3] + picture.labels[:, 3:5]) / 2
    moved = (centers - low) @ turn.T + shift
    sizes = (picture.labels[:, 3:5] - picture.labels[:, 1:3]) * (np.hypot(*turn[0]), np.hypot(*turn[1]))
    return _developed(np.asarray(crop, np.float32), rng), targets_of(
        picture.labels[:, 0].astype(np.int64), moved, sizes
    )


_COUNTS: Final = np.ones(len(CLASSES))
"""How often each class was in the middle of a crop."""


def _drawn_label(classes: NDArray[np.int64], rng: np.random.Generator) -> int:
    """A symbol in the middle of a crop: rare ones more often than they are."""
    weights = 1 / _COUNTS[classes] ** 0.5
    index = int(rng.choice(len(classes), p=weights / weights.sum()))
    _COUNTS[classes[index]] += 1
    return index


def targets_of(
    classes: NDArray[np.int64], middles: NDArray[np.float64], sizes: NDArray[np.float64]
) -> Targets:
    """Targets of symbols by their middles and sizes in pixels of the crop."""
    n = SIDE // CELL
    hills = np.zeros((n, n), np.float32)
    labels = np.full((n, n), -1, np.int64)
    boxes = np.zeros((4, n, n), np.float32)
    for label, middle, size in zip(classes, middles / CELL, sizes / CELL, strict=True):
        column, row = int(np.floor(middle[0])), int(np.floor(middle[1]))
        if not (0 <= column < n and 0 <= row < n):
            continue
        for y in range(max(0, row - 2), min(n, row + 3)):
            for x in range(max(0, column - 2), min(n, column + 3)):
                dx, dy = middle[0] - x - 0.5, middle[1] - y - 0.5
                is_middle = x == column and y == row
                hill = 1.0 if is_middle else float(np.exp(-(dx * dx + dy * dy) / (2 * SPREAD**2)))
                if hill <= hills[y, x]:
                    continue
                hills[y, x] = hill
                if hill > 0.3:
                    labels[y, x] = label
                    boxes[:, y, x] = (dx, dy, *np.log(np.maximum(size, 0.3) / CELLS_IN_SPACE))
    return Targets(hills, labels, boxes)


def loss_of(maps: Tensor, hills: Tensor, labels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """CenterNet's focal loss of middles, and cross-entropy of classes and distance of boxes beside them."""
    n = len(CLASSES)
    logits = maps[:, 0]
    is_middle = hills == 1.0
    chance = torch.sigmoid(logits)
    weight = torch.where(is_middle, (1 - chance) ** 2, (1 - hills) ** 4 * chance**2)
    middles = binary_cross_entropy_with_logits(logits, is_middle.float(), weight.detach(), reduction="sum")
    count = is_middle.sum().clamp(min=1)
    known = labels >= 0
    kinds = cross_entropy(maps[:, 1 : 1 + n].permute(0, 2, 3, 1)[known], labels[known], label_smoothing=0.02)
    places = smooth_l1_loss(
        maps[:, 1 + n :].permute(0, 2, 3, 1)[known], boxes.permute(0, 2, 3, 1)[known], beta=0.1
    )
    return middles / count, kinds, 2 * places


def _batches(pictures: Iterator[SymbolPicture], seed: int) -> Iterator[tuple[Tensor, ...]]:
    """Endless batches: crops, hills, labels, boxes."""
    rng = np.random.default_rng(seed)
    kept: deque[SymbolPicture] = deque(islice(pictures, 40), maxlen=MAX_PICTURES)
    n_crops = 0
    while True:
        crops, targets = [], []
        for _ in range(BATCH):
            if n_crops % CROPS_OF_A_PICTURE == 0:
                kept.append(next(pictures))
            n_crops += 1
            crop, target = crop_of(kept[int(rng.integers(len(kept)))], rng)
            crops.append(crop)
            targets.append(target)
        yield (
            torch.from_numpy(np.stack(crops))[:, None],
            torch.from_numpy(np.stack([target.hills for target in targets])),
            torch.from_numpy(np.stack([target.labels for target in targets])),
            torch.from_numpy(np.stack([target.boxes for target in targets])),
        )


def train(path: Path, steps: int, bank: GlyphBank, seed: int, start: Path | None, peak: float) -> None:
    """Train, and write the weights, now and then before the end too.

    Args:
        path: of the weights.
        steps: how many batches are learned from.
        bank: designs that are learned from.
        seed: of the pictures and of the network.
        start: weights to go on from.
        peak: highest learning rate.
    """
    torch.manual_seed(seed)
    net = SymbolNet()
    # Nearly all cells are empty: without this the first steps only learn that.
    torch.nn.init.constant_(net.head.bias[:1], -4.0)  # type: ignore[index]
    if start is not None:
        load_weights(net, start)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.996), use_buffers=True
    )
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), peak, weight_decay=0.01)
    totals = np.zeros(3)
    batches = islice(_batches(draw_pictures(bank, seed), seed), steps)
    for step, (crops, *targets) in enumerate(batches, 1):
        done = step / steps
        # Linear warm-up over 3 %, then down along a cosine.
        rate = peak * min(1.0, done / 0.03 + 0.02) * (0.5 + 0.5 * np.cos(np.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            maps = net(crops.to(memory_format=torch.channels_last))
        parts = loss_of(maps.float(), *targets)
        optimizer.zero_grad()
        sum(parts, torch.zeros(())).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(net)
        totals += [float(part.detach()) for part in parts]
        if step % REPORT_STEPS == 0:
            middles, kinds, places = totals / REPORT_STEPS
            print(
                f"{step}: {done:.3f} middles {middles:.3f} classes {kinds:.3f} boxes {places:.3f}", flush=True
            )
            totals[:] = 0
        if step % (5 * REPORT_STEPS) == 0:
            save_weights(_plain(average), path)
    save_weights(_plain(average), path)


def _plain(average: torch.optim.swa_utils.AveragedModel) -> SymbolNet:
    net = average.module
    assert isinstance(net, SymbolNet)
    return net


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=4000, help="batches that are learned from")
    parser.add_argument("--lilypond", type=Path, help="the folder of Emmentaler as SVG")
    parser.add_argument("--without", action="append", default=[], help="a font that is not learnt from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="highest learning rate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(
        arguments.output,
        arguments.steps,
        load_bank(arguments.lilypond, arguments.without),
        arguments.seed,
        arguments.start,
        arguments.rate,
    )


if __name__ == "__main__":
    main()
