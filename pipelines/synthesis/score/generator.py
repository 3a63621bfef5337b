"""Passages engraved by Verovio for the `score` head.

Up to difficulty :data:`PLAIN` all are short random passages of one voice per staff (``plain``). Above it,
more and more are rich random ones (``rich``) or cut from the pieces in music21's wheel (``corpus``). The key
of a cut is its piece: all cuts of a piece are in one split.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from docai.errors import MissingDependencyError
from docai.pipelines.external import engraving
from docai.pipelines.synthesis.base import (
    SIZE,
    Generator,
    Plan,
    Sample,
    Split,
    UndrawableError,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import degrade, tilt
from docai.pipelines.synthesis.score import corpus, rich
from docai.pipelines.synthesis.score.plain import passage
from docai.pipelines.synthesis.score.svg import Engraving, read_drawing

FONTS = ("Leipzig", "Leipzig", "Bravura", "Leland", "Gootville")
MAX_SPACE_PIXELS = 32.0
"""Largest distance between staff lines that is drawn."""
_DETAIL_WIDTH = 700.0
PLAIN = 0.35
"""Difficulty up to which all passages are plain ones."""
MIN_SPACE_PIXELS = 5.0
"""Smallest legible distance between staff lines in the square."""
_DYNAMICS = ("p", "p", "f", "f", "mf", "pp", "mp", "ff", "sf", "fp")


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[str]:
    """A plain passage; above :data:`PLAIN` more and more often a rich one, or one of a real piece.

    It can be of either split, since only the whole passage or its piece determines the split.
    """
    beyond = max(0.0, difficulty - PLAIN) / (1 - PLAIN)
    if difficulty <= PLAIN or rng.random() > min(0.9, 1.8 * beyond):
        kern = passage(rng, difficulty)
        return Plan(kern, kern)
    plan = corpus.compose(rng, difficulty) if rng.random() < 0.4 else None
    if plan is None:
        kern = rich.passage(rng, difficulty)
        plan = Plan(kern, kern)
    return plan


def draw(plan: Plan[str], rng: random.Random, difficulty: float) -> Sample:
    """Picture, target and marks. Raises :class:`UndrawableError` if Verovio fails or staves are too small."""
    return set_in_square(engrave(plan, rng, difficulty), rng, difficulty)


def engrave(plan: Plan[str], rng: random.Random, difficulty: float) -> Engraving:
    """Engrave a passage with random options.

    Raises:
        UndrawableError: Verovio cannot engrave it.
        MissingDependencyError: Verovio or resvg is not installed.
    """
    kern = plan.content
    request = engraving_request(kern, rng, difficulty)
    svg = engraving.engrave(request.source, request.options)
    if svg is None:
        raise UndrawableError("Verovio did not engrave the piece.")
    longer_side = SIZE * rng.uniform(0.7, 1.0) if difficulty > 0 else _DETAIL_WIDTH
    return read_drawing(svg, kern, plan.key, longer_side, request.n_added)


class EngravingRequest(NamedTuple):
    """What Verovio is given."""

    source: str
    """Kern with braces and dynamics that are no part of the target."""
    options: dict[str, float | str]
    n_added: int
    """Lines of ``source`` below its first that are not in the passage."""


def engraving_request(kern: str, rng: random.Random, difficulty: float) -> EngravingRequest:
    """A passage with random options.

    Raises:
        MissingDependencyError: Verovio or resvg is not installed.
    """
    _check_packages()
    options: dict[str, float | str] = {
        "font": rng.choice(FONTS) if rng.random() < difficulty else "Leipzig",
        "staffLineWidth": rng.uniform(0.12, 0.15 + 0.1 * difficulty),
        "barLineWidth": rng.uniform(0.25, 0.35 + 0.3 * difficulty),
        "stemWidth": rng.uniform(0.16, 0.2 + 0.08 * difficulty),
        "spacingLinear": rng.uniform(0.2, 0.3 + 0.1 * difficulty),
        "spacingNonLinear": rng.uniform(0.5, 0.65),
        "spacingStaff": rng.randint(5, 8 + round(6 * difficulty)),
        "beamMaxSlope": rng.choice((0, 5, 10, 15)),
        "mnumInterval": 0,
    }
    staves = kern.split("\n", 1)[0].count("\t") + 1
    if difficulty <= PLAIN:
        n_added, source = 0, kern
        if staves > 1 and rng.random() >= 0.3:
            source += "\n!!!system-decoration: {(s1,s2)}"
    else:
        options |= _more_options(rng, difficulty)
        n_added, source = 1, _decorate(kern, staves, rng, difficulty)
    return EngravingRequest(source + "\n", options, n_added)


@cache
def _check_packages() -> None:
    missing = [name for name in ("verovio", "resvg_py") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"Music is engraved with {' and '.join(missing)}, not installed here; "
            "install them with: pip install 'docai[synth]'"
        )


def _decorate(kern: str, staves: int, rng: random.Random, difficulty: float) -> str:
    """The passage with braces and dynamics, which are engraved but are no part of the target.

    Adds one line below the first; everything else is added to the right of the passage or below it.
    """
    source = _add_dynamics(kern, rng) if rng.random() < 0.6 * (difficulty - PLAIN) else kern
    first, rest = source.split("\n", 1)
    numbers = [f"*staff{number}" for number in range(staves, 0, -1)]
    numbers += ["*"] * (first.count("\t") + 1 - staves)
    names = [f"s{number}" for number in range(1, staves + 1)]
    groups = {
        2: ["{(s1,s2)}", "{(s1,s2)}", "[(s1,s2)]", "(s1,s2)", "[(s1)(s2)]"],
        4: ["{(s1,s2)}{(s3,s4)}"],
    }.get(staves, [])
    groups += (
        [f"[({','.join(names)})]", f"[({')('.join(names)})]", f"({','.join(names)})"] if staves > 2 else []
    )
    record = f"\n!!!system-decoration: {rng.choice(groups)}" if staves > 1 else ""
    return "\n".join((first, "\t".join(numbers), rest)) + record


def _more_options(rng: random.Random, difficulty: float) -> dict[str, float | str]:
    """More options in which engravings differ, farther from the default with the difficulty."""
    deviation = difficulty - PLAIN
    return {
        "ledgerLineThickness": rng.uniform(0.2, 0.25 + 0.15 * deviation),
        "slurMidpointThickness": rng.uniform(0.4, 0.6 + 0.5 * deviation),
        "tieMidpointThickness": rng.uniform(0.4, 0.5 + 0.4 * deviation),
        "thickBarlineThickness": rng.uniform(0.8, 1.0 + 0.4 * deviation),
        "tupletBracketThickness": rng.uniform(0.1, 0.2 + 0.2 * deviation),
        "graceFactor": rng.uniform(0.6, 0.8),
        "leftMarginNote": rng.uniform(0.6, 1.0 + deviation),
        "mnumInterval": rng.choice((0, 0, 0, 1, 2)) if rng.random() < deviation else 0,
        "tupletNumHead": rng.random() < 0.3 * deviation,
    }


def _add_dynamics(kern: str, rng: random.Random) -> str:
    """Add a spine of dynamics, which the head has to ignore."""
    lines = []
    for line in kern.split("\n"):
        mark = line[0]
        if line.startswith("**"):
            extra = "**dynam"
        elif line.startswith("*-") or mark == "=":
            extra = line.split("\t", 1)[0]
        elif mark == "*":
            extra = "*"
        else:
            extra = rng.choice(_DYNAMICS) if rng.random() < 0.1 else "."
        lines.append(f"{line}\t{extra}")
    return "\n".join(lines)


def set_in_square(piece: Engraving, rng: random.Random, difficulty: float) -> Sample:
    """The engraving as a sample, with random size, place, stroke weight and noise."""
    import cv2

    height, width = piece.gray.shape
    zoom = min(
        room(rng, difficulty) / max(width, height), rng.uniform(0.6, 1.0) * MAX_SPACE_PIXELS / piece.space
    )
    size = (max(1, int(width * zoom)), max(1, int(height * zoom)))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    if piece.space * zoom < MIN_SPACE_PIXELS:
        raise UndrawableError("The staves are too small to be read.")
    small = cv2.resize(piece.gray, size, interpolation=method)
    left, top = (round(v) for v in place(*size, rng, difficulty))
    square = np.full((SIZE, SIZE), 255, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    points = np.array([(left + mark.x * zoom, top + mark.y * zoom, 1.0) for mark in piece.marks])
    points = points.reshape(-1, 3)
    if rng.random() < 0.4 * difficulty:
        square, matrix = tilt(square, rng, 0.8)
        points = points @ matrix.T
    marks = tuple(
        replace(mark, x=float(p[0]), y=float(p[1])) for p, mark in zip(points, piece.marks, strict=True)
    )
    image = to_rgb(degrade(square, rng, difficulty))
    return Sample("score", image, piece.kern, marks, piece.key)


generate: Generator[str] = Generator("score", compose, draw)
