"""The network that sees music symbols in a picture: for each small cell, whether one has its middle there.

A small fully convolutional net of residual blocks at a fourth, an eighth and a sixteenth of the resolution,
joined again at the fourth as in a U-Net; its outputs are those of CenterNet (Zhou et al. 2019, "Objects as
Points") with one map of middles for all classes. :mod:`docai.pipelines.training.symbols` trains it, and says
how to make ``symbol_weights.npz`` again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from docai.pipelines.tracing.score.symbol_classes import CLASSES

WEIGHTS: Final = Path(__file__).parent / "symbol_weights.npz"

SPACE_PIXELS: Final = 12.0
"""Pixels of a staff space in the pictures that the network sees."""

CELL: Final = 4
"""Pixels of the side of a cell."""

STRIDE: Final = 16
"""Sides of pictures are multiples of this, pixels."""

_WIDTHS: Final = (16, 32, 64, 64)
"""Channels at a half, a fourth, an eighth and a sixteenth of the resolution."""

CELLS_IN_SPACE: Final = SPACE_PIXELS / CELL


class Maps(NamedTuple):
    """What the network says of each cell of a picture of ``h`` x ``w`` cells."""

    middles: NDArray[np.float32]
    """(h, w), probability that a symbol has its middle there."""
    classes: NDArray[np.float32]
    """(n_classes, h, w), logits."""
    boxes: NDArray[np.float32]
    """(4, h, w): offset of the middle from the cell's, in cells; logarithms of width and height in spaces."""


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(n_out)
    )


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class SymbolNet(nn.Module):
    """(n, 1, h, w) of ink, 0…1 → (n, 1 + n_classes + 4, h / 4, w / 4): middles, classes, boxes."""

    def __init__(self) -> None:
        super().__init__()
        half, fourth, eighth, sixteenth = _WIDTHS
        self.stem = nn.Sequential(
            *(_convolution(1, half, 2), nn.ReLU(), _convolution(half, fourth, 2), nn.ReLU(), _Block(fourth))
        )
        self.down = nn.Sequential(_convolution(fourth, eighth, 2), nn.ReLU(), _Block(eighth), _Block(eighth))
        self.bottom = nn.Sequential(
            _convolution(eighth, sixteenth, 2), nn.ReLU(), _Block(sixteenth), _Block(sixteenth)
        )
        self.from_bottom = nn.Conv2d(sixteenth, eighth, 1)
        self.from_down = nn.Conv2d(eighth, fourth, 1)
        self.up = _Block(eighth)
        self.last = nn.Sequential(_Block(fourth), _Block(fourth))
        self.head = nn.Conv2d(fourth, 1 + len(CLASSES) + 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.stem(x)
        coarse = self.down(fine)
        coarsest = self.bottom(coarse)
        coarse = self.up(torch.relu(coarse + interpolate(self.from_bottom(coarsest), scale_factor=2.0)))
        fine = self.last(torch.relu(fine + interpolate(self.from_down(coarse), scale_factor=2.0)))
        maps: Tensor = self.head(fine)
        return maps


def save_weights(net: SymbolNet, path: Path = WEIGHTS) -> None:
    """Write them in half precision."""
    arrays = {
        name: value.numpy().astype(np.float16)
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    np.savez_compressed(path, **arrays)


def load_weights(net: SymbolNet, path: Path = WEIGHTS) -> None:
    """Read them into a network."""
    with np.load(path) as arrays:
        state = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}
    missing, unexpected = net.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{path.name} holds weights of another network; install docai again.")


@cache
def _trained() -> SymbolNet:
    net = SymbolNet()
    load_weights(net)
    return net.eval()


def see(ink: NDArray[np.float32]) -> Maps:
    """What the trained network says of a picture.

    Args:
        ink: (h, w), 0 for paper to 1 for ink, :data:`SPACE_PIXELS` to a staff space; sides are multiples of
            :data:`STRIDE`.
    """
    with torch.inference_mode():
        maps = _trained()(torch.from_numpy(ink)[None, None])[0]
        n = len(CLASSES)
        middles = torch.sigmoid(maps[0])
        return Maps(middles.numpy(), maps[1 : 1 + n].numpy(), maps[1 + n :].numpy())
