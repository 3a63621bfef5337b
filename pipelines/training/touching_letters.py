"""Train the network that sees letters in line work, ``pipelines/tracing/molecule/letter_windows.npz``.

    python -m docai.pipelines.training.touching_letters -o letter_windows.npz [--pictures 1200] [--epochs 6]

It learns from pictures that :mod:`~docai.pipelines.training.touching_pictures` draws, traced as any picture
is up to their ink. A place is of the class of the letter whose middle it is near, or of none; places
between are left out. No real picture is learned from. Every twentieth picture is held out, and what is read
of those is printed after each epoch. The weights that the package has are of the defaults, but drawn before
alkyl groups and numbered ones, such as C2H5 and R1, were among the labels; of the letters held out 93.4 %
were right.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from docai.pipelines.tracing.molecule.ink import find_ink
from docai.pipelines.tracing.molecule.letter_windows import (
    CAP_PX,
    CLASSES,
    KERNELS,
    N_BOX,
    WIDTHS,
    WINDOW_PX,
    crowded_places,
    cut_windows,
)
from docai.pipelines.training.touching_pictures import TouchingPicture, draw_pictures

BATCH: Final = 128

LEARNING_RATE: Final = 2e-3

NEAR: Final = 0.2
"""Distance of a place from the middle of a letter in heights of a capital, up to which it is the letter's."""

FAR: Final = 0.42
"""The same from which it is not."""

NONES: Final = 40
"""Places of a picture that are of no letter, at most."""

PLACES: Final = 4
"""Of each letter, at most."""

BOX_WEIGHT: Final = 1.0


class Examples(NamedTuple):
    """Windows, their classes, and the boxes of those that have a letter."""

    windows: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]


def examples_of(picture: TouchingPicture, rng: np.random.Generator) -> Examples | None:
    """Places of one picture."""
    ink = find_ink(picture.gray)
    if ink is None:
        return None
    zoom = CAP_PX / (picture.cap * ink.scale) * float(np.exp(rng.normal(0, 0.08)))
    seen = cv2.resize(
        ink.mask.astype(np.float32),
        None,
        fx=zoom,
        fy=zoom,
        interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
    )
    shift = np.array([ink.x0, ink.y0, ink.x0, ink.y0])
    boxes = np.array([one[1:] for one in picture.letters], float).reshape(-1, 4) * ink.scale - shift
    boxes = boxes * zoom
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    places = crowded_places(seen, 2, 1.5 * ink.width * zoom * CAP_PX)
    if not len(places):
        return None
    places = places + rng.integers(-1, 2, places.shape)
    if len(middles):
        far = np.abs(places[:, None] - middles[None]).max(axis=2) / CAP_PX
        nearest, distance = far.argmin(axis=1), far.min(axis=1)
    else:
        nearest, distance = np.zeros(len(places), int), np.full(len(places), np.inf)
    chosen: list[int] = []
    for k in range(len(middles)):
        own = np.flatnonzero((nearest == k) & (distance <= NEAR))
        chosen += rng.permutation(own)[:PLACES].tolist()
    others = np.flatnonzero(distance >= FAR)
    chosen += rng.permutation(others)[:NONES].tolist()
    if not chosen:
        return None
    labels, targets = [], []
    for at in chosen:
        if distance[at] > NEAR:
            labels.append(0)
            targets.append(np.zeros(N_BOX))
            continue
        k = int(nearest[at])
        text = picture.letters[k].text
        labels.append(CLASSES.index(text) if text in CLASSES else len(CLASSES) - 1)
        size = np.maximum(boxes[k, 2:] - boxes[k, :2], 1.0) / CAP_PX
        targets.append(np.concatenate([(middles[k] - places[at]) / CAP_PX, np.log(size)]))
    windows = np.asarray(np.rint(cut_windows(seen, places[chosen]) * 255), np.uint8)
    return Examples(windows, np.array(labels, np.int64), np.array(targets, np.float32))


class WindowNet(nn.Module):
    """(n, 1, 28, 28) → (n, classes and box)."""

    def __init__(self) -> None:
        super().__init__()
        first, second, hidden = WIDTHS
        self.one = nn.Conv2d(1, first, KERNELS[0], stride=2, padding=KERNELS[0] // 2)
        self.two = nn.Conv2d(first, second, KERNELS[1], stride=2, padding=KERNELS[1] // 2)
        self.hidden = nn.Linear(second * (WINDOW_PX // 4) ** 2, hidden)
        self.last = nn.Linear(hidden, len(CLASSES) + N_BOX)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.two(torch.relu(self.one(x))))
        # Channels last, as where it is read.
        x = torch.relu(self.hidden(x.permute(0, 2, 3, 1).flatten(1)))
        made: Tensor = self.last(x)
        return made


def save(net: WindowNet, path: Path) -> None:
    """Write the weights in half precision, convolutions as matrices."""
    arrays = {}
    state = net.state_dict()
    for k, name in enumerate(("one", "two", "hidden", "last")):
        matrix = state[f"{name}.weight"]
        matrix = matrix.permute(2, 3, 1, 0).flatten(0, 2) if matrix.ndim == 4 else matrix.T
        arrays[f"matrix{k}"] = matrix.numpy().astype(np.float16)
        arrays[f"offsets{k}"] = state[f"{name}.bias"].numpy().astype(np.float16)
    np.savez_compressed(path, **arrays)


def train(examples: Examples, held: Examples, epochs: int, path: Path) -> None:
    """Train, print what is read of what was held out, and write the weights after each epoch."""
    torch.manual_seed(1)
    net = WindowNet()
    steps = epochs * (len(examples.labels) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1)
    rng = np.random.default_rng(1)
    for epoch in range(epochs):
        order = rng.permutation(len(examples.labels))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            made = net(torch.from_numpy(examples.windows[chosen][:, None].astype(np.float32) / 255))
            loss = _loss(
                made, torch.from_numpy(examples.labels[chosen]), torch.from_numpy(examples.boxes[chosen])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        save(net, path)
        with torch.inference_mode():
            made = net(torch.from_numpy(held.windows[:, None].astype(np.float32) / 255))
        odds = torch.softmax(made[:, : len(CLASSES)], 1).numpy()
        read, sure = odds.argmax(axis=1), odds.max(axis=1) >= 0.9
        is_letter = held.labels > 0
        print(
            f"epoch {epoch}: letters right {(read == held.labels)[is_letter].mean():.4f}, "
            f"none taken for one {(read[~is_letter] > 0).mean():.4f}, "
            f"surely {((read > 0) & sure)[~is_letter].mean():.4f}, "
            f"sure and right {((read == held.labels) & sure)[is_letter].mean():.4f}, "
            f"sure and wrong {((read != held.labels) & sure)[is_letter].mean():.4f}",
            flush=True,
        )


def _loss(made: Tensor, labels: Tensor, boxes: Tensor) -> Tensor:
    odds, box = made[:, : len(CLASSES)], made[:, len(CLASSES) :]
    loss = nn.functional.cross_entropy(odds, labels)
    has_letter = labels > 0
    if has_letter.any():
        loss = loss + BOX_WEIGHT * nn.functional.smooth_l1_loss(box[has_letter], boxes[has_letter], beta=0.1)
    return loss


def main() -> None:
    """Draw, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the weights are written")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found: list[Examples] = []
    for picture in islice(draw_pictures(arguments.seed), arguments.pictures):
        if (one := examples_of(picture, rng)) is not None:
            found.append(one)
    seen, held = _joined([one for k, one in enumerate(found) if k % 20]), _joined(found[::20])
    print(f"{len(seen.labels)} windows of {len(found)} pictures", flush=True)
    train(seen, held, arguments.epochs, arguments.output)


def _joined(parts: list[Examples]) -> Examples:
    windows, labels, boxes = zip(*parts, strict=True)
    return Examples(np.concatenate(windows), np.concatenate(labels), np.concatenate(boxes))


if __name__ == "__main__":
    main()
