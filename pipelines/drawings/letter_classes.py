"""Which letter an outline is: a small network that looks at its picture, and what is known of each letter.

``python -m docai.pipelines.training.drawn_letters`` makes the file that is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter_outlines import Outline, features

FILE: Final = "letters.npz"

NONE: Final = ""
"""The class of outlines that are no letter."""

CAP_HEIGHT_EM: Final = 0.7
"""Height of capitals; 0.66 to 0.74 in fonts for text."""

_BATCH: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class LetterModel:
    """The network and its classes; lengths are in heights of a capital, upwards from the base line."""

    classes: tuple[str, ...]
    bottoms: NDArray[np.float32]
    """Mean lower edge of each letter."""
    tops: NDArray[np.float32]
    """Mean upper edge."""
    spreads: NDArray[np.float32]
    """Standard deviation of its height over fonts."""
    weights: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    """Of each layer the matrix, (inputs, outputs), and the offsets."""

    @property
    def heights(self) -> NDArray[np.float32]:
        return self.tops - self.bottoms

    def probabilities(self, outlines: Sequence[Outline]) -> NDArray[np.float32]:
        """(outlines, classes), each row a distribution."""
        made = np.zeros((len(outlines), len(self.classes)), np.float32)
        for start in range(0, len(outlines), _BATCH):
            rows = np.stack([features(outline) for outline in outlines[start : start + _BATCH]])
            made[start : start + _BATCH] = self.of_features(rows)
        return made

    def of_features(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for rows of :func:`~docai.pipelines.drawings.letter_outlines.features`."""
        values = rows
        for index, (matrix, offsets) in enumerate(self.weights):
            values = values @ matrix + offsets
            if index < len(self.weights) - 1:
                np.maximum(values, 0, out=values)
        values = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(values / values.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=1)
def load_model() -> LetterModel:
    """The model that the package carries."""
    return read_model(resources.files("docai.pipelines.drawings").joinpath(FILE).read_bytes())


def read_model(data: bytes) -> LetterModel:
    """A model from the bytes of its file."""
    with np.load(BytesIO(data)) as arrays:
        n_layers = sum(name.startswith("matrix") for name in arrays)
        layers = [(arrays[f"matrix{i}"], arrays[f"offsets{i}"]) for i in range(n_layers)]
        return LetterModel(
            classes=tuple(arrays["classes"].tolist()),
            bottoms=arrays["bottoms"].astype(np.float32),
            tops=arrays["tops"].astype(np.float32),
            spreads=arrays["spreads"].astype(np.float32),
            weights=tuple(
                (matrix.astype(np.float32), offsets.astype(np.float32)) for matrix, offsets in layers
            ),
        )


def write_model(model: LetterModel) -> bytes:
    """The bytes of a model's file; weights are halved in precision."""
    arrays = {
        "classes": np.array(model.classes),
        "bottoms": model.bottoms.astype(np.float16),
        "tops": model.tops.astype(np.float16),
        "spreads": model.spreads.astype(np.float16),
    }
    for i, (matrix, offsets) in enumerate(model.weights):
        arrays[f"matrix{i}"], arrays[f"offsets{i}"] = matrix.astype(np.float16), offsets.astype(np.float16)
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()
