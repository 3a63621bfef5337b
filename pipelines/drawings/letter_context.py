"""What size and place tell about letters that look alike: C and c, O, o and 0, dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.letter_classes import NONE, LetterModel

LOOK_ALIKES: Final = (
    "Cc",
    "Kk",
    "Oo0°",
    "Pp",
    "Ss",
    "Uu",
    "Vv",
    "Ww",
    "Xx×",
    "Yy",
    "Zz",
    "Il1|",
    ",’'′",
    "Φφ",
    "Θθ",
    "ßβ",
)
"""Letters that little but size and place tells apart, the likeliest first where nothing else is known."""

_ALIKE: Final = {letter: group for group in LOOK_ALIKES for letter in group}

_BARS_AND_DOTS: Final = frozenset("-.|Il1,'′_")
"""Letters that are no more than a bar, a dot or a tick in many fonts, as much else is."""

_OF_NO_SIZE: Final = frozenset("+-.,'’′\"*=~°×()[]{}|/\\<>±≡⊕⊖→")
"""Signs whose height does not tell that of the letters around them."""

_MIN_HEIGHT: Final = 0.4
"""Heights of a capital from which the height of a letter tells its size."""

_SURE: Final = 0.7
"""Score from which a letter tells the size of others."""

_SIZE_SLACK: Final = 0.09
"""Standard deviation of the logarithm of the height of a letter, beside what fonts differ by."""

_FLOOR: Final = 0.02
"""Probability that the size says nothing."""

_FAR_WEIGHT: Final = 0.3
"""Of the sizes of letters elsewhere in the drawing, beside those next to a letter."""

_UNKNOWN_SMALL: Final = 0.3
"""Weight of a look-alike that is not the likeliest, where no other letter tells a size."""

_SHARED: Final = 0.3
"""Part of the probability of letters that look alike that is spread evenly over them."""

_FOREIGN: Final = 0.2
"""Weight of letters and signs beyond ASCII, which are rarer."""

_RARE: Final = 0.1
"""Weight of a letter where those beside it make a look-alike likelier, as a zero among letters."""

_ALONE: Final = 0.5
"""Highest score of a bar or dot without a letter beside it."""

_MAX_NONE: Final = 0.85
"""Probability of no letter from which nothing is said."""

_REACH: Final = 1.5
"""Heights of a capital to each side within which letters are neighbors."""

_MIDDLE: Final = 0.28
"""Heights of a capital above the base line from which a dot is a middle dot, and a tick an apostrophe."""

_LARGEST: Final = {".": 0.4, "°": 0.6, ",": 0.7, "'": 0.7, "’": 0.7, "′": 0.8, "-": 1.6, "*": 1.2}
"""Larger side of small signs, in heights of a capital beside them, above which they are something else."""

_TOO_LARGE: Final = 0.3
"""Factor of the score of those."""

_MAX_OTHERS: Final = 5

_MAX_IN_CELL: Final = 30
"""Letters of one place that are looked at, where drawings paint thousands upon each other."""


@dataclass(slots=True)
class Anchor:
    """A letter whose size is known."""

    text: str
    bbox: BBox
    cap: float
    """Height of its capitals, points."""
    baseline: float


@dataclass(slots=True)
class Guess:
    """What a letter is, and what else it may be."""

    text: str
    score: float
    others: tuple[str, ...]
    cap: float
    """Height of its capitals, points."""
    baseline: float
    index: int
    """Of its class."""


@dataclass(slots=True)
class _Grid:
    """Anchors by place."""

    side: float
    cells: dict[tuple[int, int], list[Anchor]] = field(default_factory=dict)

    def add(self, anchor: Anchor) -> None:
        self.cells.setdefault(self._cell(anchor.bbox), []).append(anchor)

    def near(self, bbox: BBox) -> list[Anchor]:
        """Anchors beside a box, the nearest first."""
        x, y = self._cell(bbox)
        found = []
        for column in range(x - 2, x + 3):
            for row in range(y - 1, y + 2):
                for anchor in self.cells.get((column, row), ())[:_MAX_IN_CELL]:
                    gap = max(anchor.bbox[0] - bbox[2], bbox[0] - anchor.bbox[2])
                    above = max(anchor.bbox[1] - bbox[3], bbox[1] - anchor.bbox[3])
                    if gap <= _REACH * anchor.cap and above <= 0.3 * anchor.cap:
                        found.append((max(gap, 0.0) + max(above, 0.0), anchor))
        found.sort(key=lambda pair: pair[0])
        return [anchor for _, anchor in found[:6]]

    def _cell(self, bbox: BBox) -> tuple[int, int]:
        return int((bbox[0] + bbox[2]) / 2 // self.side), int((bbox[1] + bbox[3]) / 2 // self.side)


@dataclass(slots=True)
class _Sizes:
    """What is known of the sizes of letters in a drawing."""

    grid: _Grid
    common: list[tuple[float, float]]
    """Heights of capitals that are frequent, each with its share."""

    @classmethod
    def of(cls, anchors: Sequence[Anchor]) -> _Sizes:
        caps = np.array([anchor.cap for anchor in anchors])
        grid = _Grid(2 * float(np.median(caps)) if len(caps) else 1.0)
        for anchor in anchors:
            grid.add(anchor)
        steps = np.rint(np.log(np.maximum(caps, 1e-6)) / 0.08).astype(int)
        values, counts = np.unique(steps, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:6]
        common = [(float(np.median(caps[steps == values[i]])), float(counts[i] / len(caps))) for i in order]
        return cls(grid, common)


def resolve(
    model: LetterModel, boxes: Sequence[BBox], probabilities: NDArray[np.float32], known: Sequence[Anchor]
) -> list[Guess | None]:
    """What each outline is, by its picture and by the sizes of the letters around it; None for no letter.

    Letters without look-alikes come first, then those with, and each tells more about the next ones.

    Args:
        model: knows the sizes of letters.
        boxes: of the outlines, points.
        probabilities: of each, (outlines, classes).
        known: letters of fonts in the same drawing.
    """
    anchors: list[Anchor | None] = []
    for bbox, row in zip(boxes, probabilities, strict=True):
        index = int(row.argmax())
        is_sure = row[index] >= _SURE and model.classes[index] not in _ALIKE and is_sized(model, index)
        anchors.append(_anchor(model, bbox, index) if is_sure else None)
    guesses: list[Guess | None] = []
    for _ in range(2):
        sizes = _Sizes.of([*known, *(anchor for anchor in anchors if anchor is not None)])
        guesses = [
            _guess(model, bbox, row, own, sizes)
            for bbox, row, own in zip(boxes, probabilities, anchors, strict=True)
        ]
        anchors = [
            _anchor(model, bbox, guess.index)
            if guess is not None and guess.score >= _SURE and is_sized(model, guess.index)
            else None
            for bbox, guess in zip(boxes, guesses, strict=True)
        ]
    return guesses


def is_sized(model: LetterModel, index: int) -> bool:
    """Whether the height of a letter tells the size of its font."""
    height, spread = float(model.heights[index]), float(model.spreads[index])
    text = model.classes[index]
    return text != NONE and text not in _OF_NO_SIZE and height >= _MIN_HEIGHT and spread <= 0.2 * height


def _anchor(model: LetterModel, bbox: BBox, index: int) -> Anchor:
    cap = (bbox[3] - bbox[1]) / float(model.heights[index])
    return Anchor(model.classes[index], bbox, cap, bbox[3] + float(model.bottoms[index]) * cap)


def _guess(
    model: LetterModel, bbox: BBox, row: NDArray[np.float32], own: Anchor | None, sizes: _Sizes
) -> Guess | None:
    p_none = float(row[model.classes.index(NONE)])
    if p_none > _MAX_NONE:
        return None
    near = [anchor for anchor in sizes.grid.near(bbox) if anchor is not own]
    prior = {
        int(i): float(row[i]) * (1.0 if model.classes[i].isascii() else _FOREIGN)
        for i in np.flatnonzero(row > 0.01 * row.max())
        if model.classes[i] != NONE
    }
    if not prior:
        return None
    _share_among_alikes(model, prior)
    beside = _Beside.of(bbox, near)
    weights = {
        i: weight * _fit(model, bbox, i, near, sizes.common) * beside.weight(model.classes[i])
        for i, weight in prior.items()
    }
    order = sorted(weights, key=lambda i: -weights[i])
    index = order[0]
    text = model.classes[index]
    alike = _ALIKE.get(text, text)
    share = sum(weight for i, weight in prior.items() if model.classes[i] in alike) / sum(prior.values())
    score = (1 - p_none) * share
    reference = near[0] if near else own
    if text in _BARS_AND_DOTS and _is_plain(bbox) and not near:
        score = min(score, _ALONE)
    if reference is not None and max(bbox[2] - bbox[0], bbox[3] - bbox[1]) > reference.cap * _LARGEST.get(
        text, 99.0
    ):
        score *= _TOO_LARGE
    cap = _cap(model, bbox, index, reference)
    baseline = _baseline(model, bbox, index, reference, cap)
    others = [model.classes[i] for i in order[1:] if weights[i] > 0.02 * weights[index]]
    others += [letter for letter in alike if letter != text and letter not in others]
    text, others = _by_place(text, others, bbox, baseline, cap, has_line=reference is not None)
    return Guess(text, round(score, 4), tuple(others[:_MAX_OTHERS]), cap, baseline, index)


def _share_among_alikes(model: LetterModel, prior: dict[int, float]) -> None:
    """Give letters that look alike a part of each other's probability: strokes in bold and light mislead."""
    text = model.classes[max(prior, key=lambda i: prior[i])]
    group = [model.classes.index(letter) for letter in _ALIKE.get(text, "") if letter in model.classes]
    if not group or text in _OF_NO_SIZE:
        return
    total = sum(prior.get(i, 0.0) for i in group)
    for i in group:
        prior[i] = (1 - _SHARED) * prior.get(i, 0.0) + _SHARED * total / len(group)


@dataclass(slots=True)
class _Beside:
    """The letters at both sides of a letter, of its size."""

    left: str = ""
    right: str = ""

    @classmethod
    def of(cls, bbox: BBox, near: Sequence[Anchor]) -> _Beside:
        made = cls()
        for anchor in near:
            if abs(anchor.baseline - bbox[3]) > 0.2 * anchor.cap or anchor.cap < 0.85 * (bbox[3] - bbox[1]):
                continue
            is_left = anchor.bbox[0] + anchor.bbox[2] < bbox[0] + bbox[2]
            if is_left and not made.left:
                made.left = anchor.text
            elif not is_left and not made.right:
                made.right = anchor.text
        return made

    def weight(self, text: str) -> float:
        """How likely a letter is between its neighbors, beside its look-alikes."""
        if text in "|°":
            return 0.3 * _RARE
        among_digits = (self.left + self.right).isdecimal()
        if text in "01":
            return 1.0 if among_digits else _RARE
        if text in "OoIl" and among_digits:
            return _RARE
        follows_small = self.left.islower() or (self.left in ("C", "A", "T") and not self.right.isupper())
        if text == "l":
            return 1.0 if follows_small else _RARE
        if text == "I":
            return _RARE if follows_small else 1.0
        return 1.0


def _fit(
    model: LetterModel, bbox: BBox, index: int, near: list[Anchor], common: list[tuple[float, float]]
) -> float:
    """How well the height of a letter goes with those around it, up to 1."""
    text = model.classes[index]
    group = _ALIKE.get(text)
    if group is None or text in _OF_NO_SIZE:
        return 1.0
    if not near and not common:
        return 1.0 if group[0] == text else _UNKNOWN_SMALL
    height, spread = float(model.heights[index]), float(model.spreads[index])
    slack = np.hypot(_SIZE_SLACK, spread / max(height, 0.1))
    size = np.log(max(bbox[3] - bbox[1], 1e-6) / max(height, 0.05))
    sizes = [(anchor.cap, 1.0) for anchor in near]
    sizes += [(cap, _FAR_WEIGHT * (0.3 + share)) for cap, share in common]
    fits = (weight * float(np.exp(-(((size - np.log(cap)) / slack) ** 2) / 2)) for cap, weight in sizes)
    return max(_FLOOR, *fits)


def _is_plain(bbox: BBox) -> bool:
    """Whether a box is of a bar, or as wide as high: a dot."""
    width, height = bbox[2] - bbox[0], bbox[3] - bbox[1]
    return max(width, height) > 3 * min(width, height) or max(width, height) < 1.3 * min(width, height)


def _cap(model: LetterModel, bbox: BBox, index: int, reference: Anchor | None) -> float:
    if reference is not None and not is_sized(model, index):
        return reference.cap
    large = max(bbox[2] - bbox[0], bbox[3] - bbox[1])
    return large / _ALONE_CAPS.get(model.classes[index], max(float(model.heights[index]), 0.1))


_ALONE_CAPS: Final = {"-": 0.5, ".": 0.17, "=": 0.8}
"""Larger side of signs in heights of a capital, where no letter is beside them."""


def _baseline(model: LetterModel, bbox: BBox, index: int, reference: Anchor | None, cap: float) -> float:
    if reference is not None and not is_sized(model, index):
        return reference.baseline
    return bbox[3] + float(model.bottoms[index]) * cap


def _by_place(
    text: str, others: list[str], bbox: BBox, baseline: float, cap: float, *, has_line: bool
) -> tuple[str, list[str]]:
    """Dots and ticks by where they stand on the line."""
    raised = (baseline - (bbox[1] + bbox[3]) / 2) / max(cap, 1e-6)
    if text == ".":
        return ("·", [".", *others]) if has_line and raised > _MIDDLE else (".", ["·", *others])
    if text in ",’'" and has_line:
        wanted = "," if raised < _MIDDLE else ("’" if text == "," else text)
        return wanted, [letter for letter in (text, *others) if letter != wanted]
    if text == "-":
        return text, ["−", "–", *others]
    return text, others
