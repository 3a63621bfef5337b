"""The network that sees letters in line work: which letter is at a place, touched by bonds or not.

It looks at a window of two heights of a capital, so that it sees the letter and the bonds around it: two
convolutions, a hidden layer, and for each window the logarithms of odds of its classes and where the box of
the letter is. :mod:`docai.pipelines.training.touching_letters` trains it and makes
``letter_windows.npz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FILE: Final = "letter_windows.npz"

CLASSES: Final = ("", *"NOSCHFPBIMR", "x")
"""No letter in the middle; capitals that labels of atoms begin with; any other letter or digit."""

CAP_PX: Final = 14
"""Pixels of a capital's height in the pictures that the network sees."""

WINDOW_PX: Final = 28
"""Side of a window."""

KERNELS: Final = (5, 3)
"""Sides of the two convolutions, both with a stride of 2 and zeros around."""

WIDTHS: Final = (16, 32, 64)
"""Channels of the convolutions, and units of the hidden layer."""

N_BOX: Final = 4
"""Numbers of a box: offset of its middle from the window's, x and y, and logarithms of its width and height,
all in heights of a capital."""

_BATCH: Final = 512

Windows = NDArray[np.float32]
"""``(n, WINDOW_PX, WINDOW_PX)``, the share of ink in each pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowModel:
    """Weights of the two convolutions as matrices ``(inputs, outputs)``, then of the two layers."""

    weights: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def read(self, windows: Windows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities of the classes ``(n, len(CLASSES))``, and boxes ``(n, N_BOX)``."""
        parts = [self._read(windows[at : at + _BATCH]) for at in range(0, len(windows), _BATCH)]
        if not parts:
            return np.zeros((0, len(CLASSES)), np.float32), np.zeros((0, N_BOX), np.float32)
        values = np.concatenate(parts)
        odds = values[:, : len(CLASSES)]
        odds = np.exp(odds - odds.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True), values[:, len(CLASSES) :]

    def _read(self, windows: Windows) -> NDArray[np.float32]:
        values = windows[..., None]
        for side, (matrix, offsets) in zip(KERNELS, self.weights, strict=False):
            values = np.maximum(_unfolded(values, side) @ matrix + offsets, 0)
        flat = values.reshape(len(values), -1)
        (hidden, hidden_offsets), (last, last_offsets) = self.weights[len(KERNELS) :]
        return np.asarray(np.maximum(flat @ hidden + hidden_offsets, 0) @ last + last_offsets, np.float32)


def _unfolded(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """``(n, h, w, c)`` → ``(n, h / 2, w / 2, side² c)``: what each place of a convolution sees."""
    reach = side // 2
    framed = np.pad(values, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    n, height, width, _ = values.shape
    seen = np.lib.stride_tricks.sliding_window_view(framed, (side, side), axis=(1, 2))[:, ::2, ::2]
    # (n, h / 2, w / 2, c, side, side), and channels last as in the matrices.
    return np.ascontiguousarray(seen.transpose(0, 1, 2, 4, 5, 3)).reshape(n, height // 2, width // 2, -1)


def cut_windows(picture: NDArray[np.float32], middles: NDArray[np.float64]) -> Windows:
    """Windows around places of a picture.

    Args:
        picture: ``(H, W)``, the share of ink in each pixel, :data:`CAP_PX` to a capital.
        middles: ``(n, 2)``, x and y of corners of pixels.
    """
    half = WINDOW_PX // 2
    framed = np.pad(picture, half)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (WINDOW_PX, WINDOW_PX))
    at = np.clip(np.rint(middles).astype(int), 0, np.array(picture.shape[::-1]))
    return np.ascontiguousarray(windows[at[:, 1], at[:, 0]])


def crowded_places(picture: NDArray[np.float32], step: int, least: float) -> NDArray[np.float64]:
    """Places, x and y, every ``step`` pixels where a square of a capital's height has much ink around it.

    Args:
        least: pixels of ink in that square, at least.
    """
    ink = cv2.boxFilter(picture, -1, (CAP_PX, CAP_PX), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(ink[::step, ::step] >= least)
    return np.stack([columns, rows], axis=1).astype(float) * step


@cache
def load_model() -> WindowModel:
    """The model that the package carries."""
    data = resources.files("docai.pipelines.tracing.molecule").joinpath(FILE).read_bytes()
    with np.load(BytesIO(data)) as arrays:
        n_layers = sum(name.startswith("matrix") for name in arrays.files)
        return WindowModel(
            tuple(
                (arrays[f"matrix{k}"].astype(np.float32), arrays[f"offsets{k}"].astype(np.float32))
                for k in range(n_layers)
            )
        )
