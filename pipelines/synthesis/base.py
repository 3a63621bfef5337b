"""What every generator makes, and where its content lies in the square."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 896
"""Side of the square, pixels; the resolution of every head."""
MARGIN = 20
"""Pixels kept white around the content, as the crop step does."""
BINS = 1024
HELD_OUT_SHARE = 20
"""One content key in this many is held out of training."""

Split = Literal["train", "held-out"]
Gray = NDArray[np.uint8]
P = TypeVar("P")


class UndrawableError(Exception):
    """A renderer refused a plan; the generator then composes another. Never leaves this package."""


@dataclass(frozen=True)
class Mark:
    """Centre, in square pixels, of one glyph, atom or notehead: targets for dense supervision."""

    x: float
    y: float
    label: str
    span: tuple[int, int] | None = None
    """Start and end of the characters of the target that are read here."""


@dataclass(frozen=True)
class Sample:
    """One training pair. ``image`` is RGB, SIZE x SIZE; ``target`` is in the head's own text format."""

    head: str
    image: Image.Image
    target: str
    marks: tuple[Mark, ...]
    key: str
    """What the content is, without its looks: pairs of one key are all in one split."""


class Box(NamedTuple):
    """Pixels in the square."""

    x0: float
    y0: float
    x1: float
    y1: float


class Plan(NamedTuple, Generic[P]):
    """What is to be drawn: cheap to make, so that the other split's content is skipped undrawn."""

    key: str
    content: P


def split_of(key: str) -> Split:
    """The split of a content key, where the content as a whole decides it; always the same."""
    digest = hashlib.sha256(key.encode()).digest()
    return "held-out" if int.from_bytes(digest[:4], "big") % HELD_OUT_SHARE == 0 else "train"


def split_of_plan(plan: Plan[Any]) -> Split:
    return split_of(plan.key)


@dataclass(frozen=True)
class Generator(Generic[P]):
    """Calling it gives one sample, a function of the state of ``rng``, the difficulty and the split.

    ``compose`` decides the content, where it can from what is only in the split; ``draw`` makes the picture
    and the target; ``split_of`` tells which split the content is in.
    """

    head: str
    compose: Callable[[random.Random, float, Split], Plan[P]]
    draw: Callable[[Plan[P], random.Random, float], Sample]
    split_of: Callable[[Plan[P]], Split] = split_of_plan

    def __call__(self, rng: random.Random, difficulty: float, split: Split | None = "train") -> Sample:
        """``difficulty`` 0 (few large symbols) to 1 (the hardest this version makes); split None: any."""
        if split is None:
            split = "train" if rng.randrange(HELD_OUT_SHARE) else "held-out"
        while True:
            plan = self.compose(rng, difficulty, split)
            if self.split_of(plan) != split:
                continue
            try:
                return self.draw(plan, rng, difficulty)
            except UndrawableError:
                continue


def stream(
    generator: Generator[Any], seed: int, start: int, difficulty: float, split: Split
) -> Iterator[Sample]:
    """Endless samples; the one at index i depends on head, seed, i, difficulty and split alone."""
    index = start
    while True:
        yield generator(random.Random(f"{generator.head}/{seed}/{index}"), difficulty, split)
        index += 1


def lerp(rng: random.Random, easy: tuple[int, int], hard: tuple[int, int], difficulty: float) -> int:
    """A random integer from a range that moves from ``easy`` to ``hard`` as the difficulty rises.

    An end between two integers is the one or the other, the oftener the nearer it is: nothing jumps.
    """
    up = rng.random()
    low, high = (math.floor(a + (b - a) * difficulty + up) for a, b in zip(easy, hard, strict=True))
    return rng.randint(low, high)


def loc(box: Box) -> str:
    """``<locY0><locX0><locY1><locX1>`` of a box in square pixels: PaliGemma's order and bins."""
    values = (box.y0, box.x0, box.y1, box.x1)
    return "".join(f"<loc{min(max(round(v / SIZE * (BINS - 1)), 0), BINS - 1):04d}>" for v in values)


def room(rng: random.Random, difficulty: float) -> float:
    """Pixels that the content's longer side may take: all the crop step leaves, or somewhat less."""
    return (SIZE - 2 * MARGIN) * (1 - rng.random() * (0.06 + 0.14 * difficulty))


def place(width: float, height: float, rng: random.Random, difficulty: float) -> tuple[float, float]:
    """Top left corner, in square pixels, of content of that size: centred, and a little off."""
    slack = 6 + 18 * difficulty
    corner = []
    for side in (width, height):
        free = (SIZE - side) / 2
        reach = max(0.0, min(slack, free - MARGIN / 2))
        corner.append(free + rng.uniform(-reach, reach))
    return corner[0], corner[1]


def to_rgb(gray: Gray) -> Image.Image:
    """A SIZE x SIZE gray array as the RGB image that a sample carries."""
    band = Image.fromarray(gray, "L") if gray.flags.c_contiguous else Image.fromarray(gray.copy())
    return Image.merge("RGB", (band, band, band))
