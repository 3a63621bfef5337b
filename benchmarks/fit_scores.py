"""Fits how often music traced in pictures is right, on pictures that are drawn for it.

    python benchmarks/fit_scores.py [--count N] [--write]

Verovio's passages, of other seeds than ``pictures.py`` measures, are drawn at its resolutions, every second
one made worse as scans are: blurred, grainy, on gray paper, askew. Each is read by the strokes and symbols of
its picture alone. What the reader says of how well it read (its quality) becomes a probability that every
note is right, by the map of ``fit_trust.py``: rising, with few points. Only readings that the reader stands
by are fitted, as those alone are asked for it.

Prints the map, its calibration error and Brier score in cross-validation, and those of the plain numbers
beside it; ``--write`` puts the map into ``pipelines/evidence/trust.json``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import pymupdf
from common import script_parser
from fit_trust import Observed, fit, held_out, write
from numpy.typing import NDArray
from picture_sets import SCORE_DPI
from PIL import Image

from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error
from docai.pipelines.evidence.base import Picture
from docai.pipelines.evidence.traced_scores import read_score
from docai.pipelines.synthesis.vector.notes import notes_of_kern
from docai.pipelines.synthesis.vector.scores import draw_score

FIRST_SEED: Final = 5000
"""``pictures.py`` and ``drawings.py`` draw with smaller ones."""


def drawn_pictures(count: int) -> Iterator[tuple[str, NDArray[np.uint8], str]]:
    """Name, gray picture (h, w) and kern of passages of music."""
    for number in range(count):
        drawn = draw_score(FIRST_SEED + number)
        dpi = SCORE_DPI[number // 2 % len(SCORE_DPI)]
        with pymupdf.open(stream=drawn.data) as document:
            pixels = document[0].get_pixmap(dpi=dpi, colorspace="gray")
        gray = np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, -1)[:, : pixels.width]
        yield f"{number} {dpi} dpi", worsened(gray, number) if number % 2 else gray, drawn.kern


def worsened(gray: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The picture as a scanner takes it, the same for a seed."""
    rng = random.Random(seed)
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-0.8, 0.8), 1.0)
    turned = cv2.warpAffine(gray, turn, (width, height), borderValue=255)
    soft = cv2.GaussianBlur(turned, (0, 0), rng.uniform(0.3, 1.2)).astype(np.float32)
    grain = np.random.default_rng(seed).normal(0, rng.uniform(1, 10), gray.shape)
    return np.asarray((soft * rng.uniform(0.8, 1.0) + grain).clip(0, 255), np.uint8)


def observed_readings(count: int) -> Iterator[Observed]:
    """How well the reader says that it read, and whether all notes are right."""
    for name, gray, kern in drawn_pictures(count):
        reading = read_score(Picture(Image.fromarray(gray), scale=1.0))
        if not reading.complete or reading.content is None or reading.quality is None:
            continue
        true, read = (
            [[note.token for note in staff] for staff in notes_of_kern(text)] for text in (kern, reading.text)
        )
        yield Observed(name, reading.quality, true == read)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=240, help="pictures (default 240)")
    parser.add_argument("--write", action="store_true", help="store the map")
    arguments = parser.parse_args()
    observed = list(observed_readings(arguments.count))
    fitted = fit(observed)
    print("| pictures | read | right | plain: error, Brier | fitted, held out: error, Brier | map |")
    print("|---|---|---|---|---|---|")
    right = sum(one.is_right for one in observed) / len(observed)
    plain = [Belief(one.own, one.is_right) for one in observed]
    figures = (
        f"{expected_calibration_error(some):.3f}, {brier_score(some):.3f}"
        for some in (plain, held_out(observed))
    )
    points = ", ".join(f"{a:.3f}→{b:.2f}" for a, b in zip(fitted.x, fitted.y, strict=True))
    print(f"| {arguments.count} | {len(observed)} | {right:.3f} | {' | '.join(figures)} | {points} |")
    if arguments.write:
        write({("tracing", "score"): (fitted, len(observed))})


if __name__ == "__main__":
    main()
