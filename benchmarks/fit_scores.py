"""Fits how often music traced in pictures is right, on pictures that are drawn for it.

    python benchmarks/fit_scores.py [--count N] [--write]

Verovio's passages, of other seeds than ``pictures.py`` measures, are drawn at its resolutions, every second
one made worse as scans are: blurred, grainy, on gray paper, askew. Each is read by the strokes and symbols of
its picture alone. What the reader says of how well it read (its quality) becomes a probability that every
note is right, by the map of ``fit_trust.py``: rising, with few points. Only readings that the reader stands
by are fitted, as those alone are asked for it.

The same is done for measures, whose confidence is that all of their notes are right: pitches, durations and
order. A measure that is read is held against the true one that an alignment of both passages pairs with it.

Prints the maps, their calibration error and Brier score in cross-validation, and those of the plain numbers
beside them; ``--write`` puts the maps into ``pipelines/evidence/trust.json``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
import pymupdf
from common import script_parser
from fit_trust import Observed, fit, held_out, write
from numpy.typing import NDArray
from picture_sets import SCORE_DPI

from docai.contents import ScoreContent
from docai.parsers.score import parse_score
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error
from docai.pipelines.evidence.traced_scores import reading_of
from docai.pipelines.evidence.trust import TrustMap
from docai.pipelines.synthesis.vector.notes import notes_of_kern
from docai.pipelines.synthesis.vector.scores import draw_score
from docai.pipelines.tracing.score.reader import read_picture

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


def observed_readings(count: int) -> tuple[list[Observed], list[Observed]]:
    """How well the reader says that it read, and whether all notes are right: of passages, of measures."""
    passages, measures = [], []
    for name, gray, kern in drawn_pictures(count):
        systems = [one for one in read_picture(gray) if one.content.kern]
        read = [
            (tokens, measure.confidence)
            for system in systems
            for tokens, measure in zip(
                tokens_by_measure(system.content), system.content.measures, strict=True
            )
        ]
        true = tokens_by_measure(parse_score(kern, with_musicxml=False).content)
        right = right_measures(true, [tokens for tokens, _ in read])
        measures += [
            Observed(name, own, is_right)
            for (_, own), is_right in zip(read, right, strict=True)
            if own is not None
        ]
        reading = reading_of(systems)
        if reading.complete and reading.quality is not None:
            staves = (
                [[note.token for note in staff] for staff in notes_of_kern(text)]
                for text in (kern, reading.text)
            )
            passages.append(Observed(name, reading.quality, next(staves) == next(staves)))
    return passages, measures


Tokens = tuple[tuple[int, str, str, str], ...]
"""Staff, onset in the measure, pitch and duration of each note of a measure."""


def tokens_by_measure(content: ScoreContent) -> list[Tokens]:
    """The notes of each measure."""
    found = []
    for number in range(1, len(content.measures) + 1):
        listed = [event for event in content.events if event.measure == number]
        start = min((Fraction(event.onset) for event in listed), default=Fraction(0))
        found.append(
            tuple(
                sorted(
                    (event.staff, str(Fraction(event.onset) - start), event.pitch or "", event.duration)
                    for event in listed
                    if event.kind == "note"
                )
            )
        )
    return found


def right_measures(true: Sequence[Tokens], read: Sequence[Tokens]) -> list[bool]:
    """Whether each measure that is read is the true one at its place."""
    from rapidfuzz.distance import Levenshtein

    right = [False] * len(read)
    for step in Levenshtein.opcodes(true, read):
        if step.tag == "equal":
            right[step.dest_start : step.dest_end] = [True] * (step.dest_end - step.dest_start)
    return right


def row(unit: str, observed: Sequence[Observed]) -> tuple[str, TrustMap]:
    """A row of the table that is printed, and the map that it is of."""
    fitted = fit(observed)
    right = sum(one.is_right for one in observed) / len(observed)
    plain = [Belief(one.own, one.is_right) for one in observed]
    figures = (
        f"{expected_calibration_error(some):.3f}, {brier_score(some):.3f}"
        for some in (plain, held_out(observed))
    )
    points = ", ".join(f"{a:.3f}→{b:.2f}" for a, b in zip(fitted.x, fitted.y, strict=True))
    return f"| {unit} | {len(observed)} | {right:.3f} | {' | '.join(figures)} | {points} |", fitted


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=240, help="pictures (default 240)")
    parser.add_argument("--write", action="store_true", help="store the maps")
    arguments = parser.parse_args()
    passages, measures = observed_readings(arguments.count)
    print("| of | read | right | plain: error, Brier | fitted, held out: error, Brier | map |")
    print("|---|---|---|---|---|---|")
    maps: dict[tuple[str, str], tuple[TrustMap, int]] = {}
    for unit, observed in (("score", passages), ("measure", measures)):
        line, fitted = row(unit, observed)
        print(line)
        maps["tracing", unit] = fitted, len(observed)
    if arguments.write:
        write(maps)


if __name__ == "__main__":
    main()
