"""What size and place tell about letters that look alike: C and c, O, o and 0, dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.letter_classes import LetterModel
from docai.pipelines.drawings.letter_sizes import OF_NO_SIZE, Anchor, Metrics, Sizes, metrics_of

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

_SURE: Final = 0.7
"""Score from which a letter tells the size of others."""

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

_MIDDLE: Final = 0.28
"""Heights of a capital above the base line from which a dot is a middle dot, and a tick an apostrophe."""

_LARGEST: Final = {".": 0.4, "°": 0.6, ",": 0.7, "'": 0.7, "’": 0.7, "′": 0.8, "-": 1.6, "*": 1.2}
"""Larger side of small signs, in heights of a capital beside them, above which they are something else."""

_TOO_LARGE: Final = 0.3
"""Factor of the score of those."""

_ALONE_CAPS: Final = {"-": 0.5, ".": 0.17, "=": 0.8}
"""Larger side of signs in heights of a capital, where no letter is beside them."""

_MAX_OTHERS: Final = 5

_MAX_CLASSES: Final = 8
"""Likeliest letters that are looked at."""


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
    metrics = metrics_of(model)
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :_MAX_CLASSES]
    values = np.take_along_axis(probabilities, likeliest, axis=1)
    candidates = [
        list(zip(indices, row, strict=True))
        for indices, row in zip(likeliest.tolist(), values.tolist(), strict=True)
    ]
    none = probabilities[:, metrics.none].tolist()
    anchors: list[Anchor | None] = []
    for bbox, ((index, value), *_) in zip(boxes, candidates, strict=True):
        is_sure = value >= _SURE and metrics.texts[index] not in _ALIKE and metrics.are_sized[index]
        anchors.append(metrics.anchor(bbox, index) if is_sure else None)
    is_plain = [anchor is not None for anchor in anchors]
    guesses: list[Guess | None] = [None] * len(boxes)
    for step in range(2):
        sizes = Sizes.of([*known, *(anchor for anchor in anchors if anchor is not None)])
        for i, bbox in enumerate(boxes):
            if step and is_plain[i]:
                continue
            own = anchors[i]
            near = [] if is_plain[i] else [anchor for anchor in sizes.grid.near(bbox) if anchor is not own]
            guesses[i] = _guess(metrics, bbox, candidates[i], none[i], own, near, sizes.common)
        anchors = [
            metrics.anchor(bbox, guess.index)
            if guess is not None and guess.score >= _SURE and metrics.are_sized[guess.index]
            else None
            for bbox, guess in zip(boxes, guesses, strict=True)
        ]
    return guesses


def _guess(
    metrics: Metrics,
    bbox: BBox,
    candidates: Sequence[tuple[int, float]],
    p_none: float,
    own: Anchor | None,
    near: Sequence[Anchor],
    common: Sequence[tuple[float, float]],
) -> Guess | None:
    if p_none > _MAX_NONE:
        return None
    texts = metrics.texts
    least = 0.01 * candidates[0][1]
    prior = {
        index: value if texts[index].isascii() else _FOREIGN * value
        for index, value in candidates
        if value > least and index != metrics.none
    }
    if not prior:
        return None
    _share_among_alikes(texts, prior)
    beside = _Beside.of(bbox, near)
    weights = {
        i: weight * _fit(metrics, bbox, i, near, common) * beside.weight(texts[i])
        for i, weight in prior.items()
    }
    order = sorted(weights, key=lambda i: -weights[i])
    index = order[0]
    text = texts[index]
    alike = _ALIKE.get(text, text)
    share = sum(weight for i, weight in prior.items() if texts[i] in alike) / sum(prior.values())
    score = (1 - p_none) * share
    reference = _reference(metrics, bbox, index, near) or own
    large = max(bbox[2] - bbox[0], bbox[3] - bbox[1])
    if text in _BARS_AND_DOTS and _is_bar_or_dot(bbox) and not near:
        score = min(score, _ALONE)
    if reference is not None and text in _LARGEST and large > reference.cap * _LARGEST[text]:
        score *= _TOO_LARGE
    if metrics.are_sized[index] or reference is None:
        cap = _own_cap(metrics, bbox, index)
        baseline = bbox[3] + metrics.bottoms[index] * cap
    else:
        cap, baseline = reference.cap, reference.baseline
    others = [texts[i] for i in order[1:] if weights[i] > 0.02 * weights[index]]
    others += [letter for letter in alike if letter != text and letter not in others]
    text, others = _by_place(text, others, bbox, baseline, cap, has_line=reference is not None)
    return Guess(text, round(score, 4), tuple(others[:_MAX_OTHERS]), cap, baseline, index)


def _share_among_alikes(texts: Sequence[str], prior: dict[int, float]) -> None:
    """Give letters that look alike a part of each other's probability: strokes in bold and light mislead."""
    text = texts[max(prior, key=lambda i: prior[i])]
    group = [texts.index(letter) for letter in _ALIKE.get(text, "")]
    if not group or text in OF_NO_SIZE:
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
    metrics: Metrics, bbox: BBox, index: int, near: Sequence[Anchor], common: Sequence[tuple[float, float]]
) -> float:
    """How well the height of a letter goes with those around it, up to 1."""
    text = metrics.texts[index]
    group = _ALIKE.get(text)
    if group is None or text in OF_NO_SIZE:
        return 1.0
    if not near and not common:
        return 1.0 if group[0] == text else _UNKNOWN_SMALL
    slack = metrics.slacks[index]
    cap = max(bbox[3] - bbox[1], 1e-6) / max(metrics.heights[index], 0.05)
    best = _FLOOR
    for anchor in near:
        best = max(best, exp(-((log(cap / anchor.cap) / slack) ** 2) / 2))
    for size, share in common:
        best = max(best, _FAR_WEIGHT * (0.3 + share) * exp(-((log(cap / size) / slack) ** 2) / 2))
    return best


def _reference(metrics: Metrics, bbox: BBox, index: int, near: Sequence[Anchor]) -> Anchor | None:
    """The letter that a sign goes with: the nearest, or the one that it is high enough for."""
    if not near or metrics.are_sized[index] or metrics.texts[index] in _ALONE_CAPS:
        return near[0] if near else None
    cap = max(bbox[3] - bbox[1], 1e-6) / max(metrics.heights[index], 0.05)
    return min(near, key=lambda anchor: abs(log(cap / anchor.cap)))


def _is_bar_or_dot(bbox: BBox) -> bool:
    """Whether a box is of a bar, or as wide as high: a dot."""
    width, height = bbox[2] - bbox[0], bbox[3] - bbox[1]
    return max(width, height) > 3 * min(width, height) or max(width, height) < 1.3 * min(width, height)


def _own_cap(metrics: Metrics, bbox: BBox, index: int) -> float:
    """Height of the capitals that go with a letter, by its own size alone."""
    width, height = bbox[2] - bbox[0], bbox[3] - bbox[1]
    if metrics.are_sized[index]:
        return height / metrics.heights[index]
    return max(width, height) / _ALONE_CAPS.get(metrics.texts[index], max(metrics.heights[index], 0.1))


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
