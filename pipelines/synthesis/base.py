"""What all generators share: samples, marks, plans and splits, and the place of content in the square."""

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
"""Pixels of white around the content, as in the crop step."""
BINS = 1024
"""Number of ``<loc>`` bins along a side."""
HELD_OUT_SHARE = 20
"""One of this many content keys is held out of training."""

Split = Literal["train", "held-out"]
Gray = NDArray[np.uint8]
P = TypeVar("P")


class UndrawableError(Exception):
    """A plan cannot be drawn; the generator composes another one. Never leaves this package."""


@dataclass(frozen=True)
class Mark:
    """Center, in square pixels, of a glyph, atom or notehead: a target of dense supervision."""

    x: float
    y: float
    label: str
    span: tuple[int, int] | None = None
    """Start and end of the characters of the target that are shown here."""


@dataclass(frozen=True)
class Sample:
    """One training pair. ``image`` is RGB, SIZE x SIZE; ``target`` is in the head's own text format."""

    head: str
    image: Image.Image
    target: str
    marks: tuple[Mark, ...]
    key: str
    """Identifies the content, without its appearance: pairs of one key are all in one split."""


class Box(NamedTuple):
    """A box in square pixels."""

    x0: float
    y0: float
    x1: float
    y1: float


class Plan(NamedTuple, Generic[P]):
    """Content to draw. Cheap to compose, so that content of the other split is skipped without drawing."""

    key: str
    content: P


def split_of(key: str) -> Split:
    """The split of a content key, from a hash of the key."""
    digest = hashlib.sha256(key.encode()).digest()
    return "held-out" if int.from_bytes(digest[:4], "big") % HELD_OUT_SHARE == 0 else "train"


def split_of_plan(plan: Plan[Any]) -> Split:
    return split_of(plan.key)


@dataclass(frozen=True)
class Generator(Generic[P]):
    """Called, it gives a sample that depends only on the state of ``rng``, the difficulty and the split.

    ``compose`` chooses the content, from content of the split where that is possible; ``draw`` makes picture
    and target; ``split_of`` gives the split of the content.
    """

    head: str
    compose: Callable[[random.Random, float, Split], Plan[P]]
    draw: Callable[[Plan[P], random.Random, float], Sample]
    split_of: Callable[[Plan[P]], Split] = split_of_plan

    def __call__(self, rng: random.Random, difficulty: float, split: Split | None = "train") -> Sample:
        """A sample. ``difficulty`` is 0 (few large symbols) to 1; ``split`` None: either."""
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
    """Endless samples; the one at index i depends only on head, seed, i, difficulty and split."""
    index = start
    while True:
        yield generator(random.Random(f"{generator.head}/{seed}/{index}"), difficulty, split)
        index += 1


def lerp(rng: random.Random, easy: tuple[int, int], hard: tuple[int, int], difficulty: float) -> int:
    """A random integer from a range that moves from ``easy`` to ``hard`` with the difficulty.

    An end of the range between two integers is rounded up or down at random, in proportion: nothing jumps.
    """
    up = rng.random()
    low, high = (math.floor(a + (b - a) * difficulty + up) for a, b in zip(easy, hard, strict=True))
    return rng.randint(low, high)


def loc(box: Box) -> str:
    """``<locY0><locX0><locY1><locX1>`` of a box in square pixels: PaliGemma's order and bins."""
    values = (box.y0, box.x0, box.y1, box.x1)
    return "".join(f"<loc{min(max(round(v / SIZE * (BINS - 1)), 0), BINS - 1):04d}>" for v in values)


def room(rng: random.Random, difficulty: float) -> float:
    """Largest length of the content's longer side, pixels: what the crop step leaves, or slightly less."""
    return (SIZE - 2 * MARGIN) * (1 - rng.random() * (0.06 + 0.14 * difficulty))


def place(width: float, height: float, rng: random.Random, difficulty: float) -> tuple[float, float]:
    """Top left corner, in square pixels, of content of that size: centered, with a random offset."""
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
