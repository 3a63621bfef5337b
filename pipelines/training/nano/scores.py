"""Engraved music as small black and white crops, for machines without Verovio.

Each crop is stored as it was engraved, in about 2 KB of lossless WebP. Size, place, stroke weight and noise
are chosen when a crop is placed in its square.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.synthesis.base import Mark, Sample, Split, UndrawableError, split_of

if TYPE_CHECKING:
    from docai.pipelines.synthesis.score.svg import Engraving

_MARK_STEPS_PER_PIXEL = 8
"""Resolution of the stored places of noteheads."""


@dataclass(frozen=True)
class Scores:
    """Many crops, easy ones first: N noteheads in all."""

    kerns: tuple[str, ...]
    labels: tuple[str, ...]
    """Labels of the noteheads of each crop, separated by spaces."""
    crops: tuple[bytes, ...]
    spaces: NDArray[np.float32]
    """Pixels between staff lines."""
    marks: NDArray[np.int16]
    """(N, 4): x and y in 1 / 8 pixel, start and end in the kern."""
    counts: NDArray[np.int32]
    """Number of noteheads of each crop."""

    def __len__(self) -> int:
        return len(self.kerns)

    def draw(self, rng: random.Random, difficulty: float) -> Sample:
        """A new sample of one of the easier crops; ``difficulty`` is the share to choose from."""
        from docai.pipelines.synthesis.score.generator import set_in_square

        last = min(len(self), max(300, round(len(self) * difficulty)))
        while True:
            piece = self._engraving(rng.randrange(last))
            # A scanner does not give hard edges of black and white.
            blurred = _blur(piece, rng.uniform(0.4, 0.8))
            try:
                return set_in_square(blurred, rng, difficulty)
            except UndrawableError:
                continue

    def _engraving(self, index: int) -> Engraving:
        from docai.pipelines.synthesis.score.svg import Engraving

        with Image.open(io.BytesIO(self.crops[index])) as picture:
            gray = np.array(picture.convert("L"))
        start = int(self.counts[:index].sum())
        rows = self.marks[start : start + int(self.counts[index])].tolist()
        marks = tuple(
            Mark(
                x / _MARK_STEPS_PER_PIXEL,
                y / _MARK_STEPS_PER_PIXEL,
                label,
                (first, last) if last > 0 else None,
            )
            for (x, y, first, last), label in zip(rows, self.labels[index].split(), strict=True)
        )
        kern = self.kerns[index]
        return Engraving(kern, gray, marks, float(self.spaces[index]), kern)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays for an ``.npz``."""
        return {
            "kerns": np.frombuffer("\0".join(self.kerns).encode(), np.uint8),
            "labels": np.frombuffer("\0".join(self.labels).encode(), np.uint8),
            "crops": np.frombuffer(b"".join(self.crops), np.uint8),
            "sizes": np.array([len(crop) for crop in self.crops], np.int32),
            "spaces": self.spaces,
            "marks": np.ascontiguousarray(self.marks.T),
            "counts": self.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Scores:
        """The inverse of :meth:`arrays`."""
        packed = arrays["crops"].tobytes()
        ends = np.cumsum(np.asarray(arrays["sizes"], np.int64)).tolist()
        return cls(
            tuple(arrays["kerns"].tobytes().decode().split("\0")),
            tuple(arrays["labels"].tobytes().decode().split("\0")),
            tuple(packed[start:end] for start, end in zip([0, *ends], ends, strict=False)),
            np.asarray(arrays["spaces"], np.float32),
            np.asarray(arrays["marks"].T, np.int16),
            np.asarray(arrays["counts"], np.int32),
        )

    @classmethod
    def collect(cls, pieces: Sequence[tuple[Engraving, bytes]]) -> Scores:
        """The crops of engravings, from pairs of :func:`draw_engraving`."""
        rows = [
            (round(m.x * _MARK_STEPS_PER_PIXEL), round(m.y * _MARK_STEPS_PER_PIXEL), *(m.span or (0, 0)))
            for piece, _ in pieces
            for m in piece.marks
        ]
        return cls(
            tuple(piece.kern for piece, _ in pieces),
            tuple(" ".join(mark.label for mark in piece.marks) for piece, _ in pieces),
            tuple(crop for _, crop in pieces),
            np.array([piece.space for piece, _ in pieces], np.float32),
            np.array(rows, np.int16).reshape(-1, 4),
            np.array([len(piece.marks) for piece, _ in pieces], np.int32),
        )


def draw_engraving(rng: random.Random, difficulty: float, split: Split = "train") -> tuple[Engraving, bytes]:
    """A random piece, engraved as for ``docai synth``, and its crop in black and white as WebP."""
    from docai.pipelines.synthesis.score.generator import compose, engrave

    while True:
        plan = compose(rng, difficulty)
        if split_of(plan.key) != split:
            continue
        try:
            piece = engrave(plan, rng, difficulty)
        except UndrawableError:
            continue
        black = np.where(piece.gray < 140, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(black).convert("RGB").save(file, "WEBP", lossless=True, quality=100, method=4)
        return piece, file.getvalue()


def _blur(piece: Engraving, sigma: float) -> Engraving:
    import cv2

    return replace(piece, gray=np.asarray(cv2.GaussianBlur(piece.gray, (0, 0), sigma), np.uint8))
