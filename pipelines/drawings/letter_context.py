"""What size and place tell about letters that look alike: C and c, O, o and 0, dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM, NONE, LetterModel

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

_MIN_HEIGHT: Final = 0.4
"""Heights of a capital from which the height of a letter tells its size."""

_SURE: Final = 0.7
"""Probability from which a letter without look-alikes tells the size of others."""

_SIZE_SLACK: Final = 0.09
"""Standard deviation of the logarithm of the height of a letter, beside what fonts differ by."""

_FLOOR: Final = 0.02
"""Probability that the size says nothing."""

_FAR_WEIGHT: Final = 0.3
"""Of the sizes of letters elsewhere in the drawing, beside those next to a letter."""

_UNKNOWN_SMALL: Final = 0.3
"""Weight of a look-alike that is not the likeliest, where no other letter tells a size."""

_ALONE: Final = 0.5
"""Highest score of a bar or dot without a letter beside it."""

_REACH: Final = 1.5
"""Heights of a capital to each side within which letters are neighbors."""

_MIDDLE: Final = 0.28
"""Heights of a capital above the base line from which a dot is a middle dot, and a tick an apostrophe."""

_MAX_OTHERS: Final = 5


@dataclass(slots=True)
class Anchor:
    """A letter whose size is known."""

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
    baseline: float


@dataclass(slots=True)
class _Grid:
    """Anchors by place."""

    side: float
    cells: dict[tuple[int, int], list[Anchor]] = field(default_factory=dict)

    def add(self, anchor: Anchor) -> None:
        x, y = self._cell(anchor.bbox)
        self.cells.setdefault((x, y), []).append(anchor)

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


_MAX_IN_CELL: Final = 30


def resolve(
    model: LetterModel, boxes: Sequence[BBox], probabilities: NDArray[np.float32], known: Sequence[Anchor]
) -> list[Guess | None]:
    """What each outline is, by its picture and by the sizes of the letters around it; None for no letter.

    Args:
        model: knows the sizes of letters.
        boxes: of the outlines, points.
        probabilities: of each, (outlines, classes).
        known: letters of fonts in the same drawing.
    """
    best = probabilities.argmax(axis=1)
    anchors = list(known)
    fixed: dict[int, Anchor] = {}
    for i, index in enumerate(best.tolist()):
        text = model.classes[index]
        if text in _ALIKE or probabilities[i, index] < _SURE or not is_sized(model, index):
            continue
        fixed[i] = _anchor(model, boxes[i], index)
    anchors += fixed.values()
    caps = np.array([anchor.cap for anchor in anchors]) if anchors else np.array([])
    grid = _Grid(2 * float(np.median(caps)) if len(caps) else 1.0)
    for anchor in anchors:
        grid.add(anchor)
    common = _common_sizes(caps)
    return [_guess(model, boxes[i], probabilities[i], fixed.get(i), grid, common) for i in range(len(boxes))]


def is_sized(model: LetterModel, index: int) -> bool:
    """Whether the height of a letter tells the size of its font."""
    height, spread = float(model.heights[index]), float(model.spreads[index])
    return model.classes[index] != NONE and height >= _MIN_HEIGHT and spread <= 0.2 * height


def _anchor(model: LetterModel, bbox: BBox, index: int) -> Anchor:
    cap = (bbox[3] - bbox[1]) / float(model.heights[index])
    return Anchor(bbox, cap, bbox[3] + float(model.bottoms[index]) * cap)


def _common_sizes(caps: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Heights of capitals that are frequent in a drawing, each with its share."""
    if not len(caps):
        return []
    steps = np.rint(np.log(np.maximum(caps, 1e-6)) / 0.08).astype(int)
    values, counts = np.unique(steps, return_counts=True)
    order = np.argsort(-counts)[:6]
    return [(float(np.median(caps[steps == values[i]])), float(counts[i] / len(caps))) for i in order]


def _guess(
    model: LetterModel,
    bbox: BBox,
    row: NDArray[np.float32],
    fixed: Anchor | None,
    grid: _Grid,
    common: list[tuple[float, float]],
) -> Guess | None:
    top = int(row.argmax())
    likely = np.flatnonzero(row > 0.01 * row[top])
    near = [anchor for anchor in grid.near(bbox) if anchor is not fixed]
    weights = {
        int(i): float(row[i]) * (1.0 if fixed and i == top else _fit(model, bbox, int(i), near, common))
        for i in likely
    }
    p_none = float(row[model.classes.index(NONE)])
    letters = {i: weight for i, weight in weights.items() if model.classes[i] != NONE}
    total = sum(letters.values())
    if total <= 0 or p_none > _MAX_NONE:
        return None
    order = sorted(letters, key=lambda i: -letters[i])
    index = order[0]
    text = model.classes[index]
    share = (
        sum(letters[i] for i in order if _ALIKE.get(model.classes[i], i) == _ALIKE.get(text, index)) / total
    )
    score = (1 - p_none) * share
    reference = fixed or (near[0] if near else None)
    if text in _BARS_AND_DOTS and _is_plain(bbox) and not near:
        score = min(score, _ALONE)
    cap = _cap(model, bbox, index, reference)
    baseline = _baseline(model, bbox, index, reference, cap)
    others = [model.classes[i] for i in order[1:] if letters[i] > 0.02 * letters[index]]
    others += [letter for letter in _ALIKE.get(text, "") if letter != text and letter not in others]
    text, others = _by_place(text, others, bbox, baseline, cap, has_line=reference is not None)
    return Guess(text, round(score, 4), tuple(others[:_MAX_OTHERS]), cap, baseline)


_MAX_NONE: Final = 0.85
"""Probability of no letter from which nothing is said."""


def _fit(
    model: LetterModel, bbox: BBox, index: int, near: list[Anchor], common: list[tuple[float, float]]
) -> float:
    """How well the height of a letter goes with those around it, up to 1."""
    text = model.classes[index]
    group = _ALIKE.get(text)
    if group is None or group == ",’'′":
        return 1.0
    if not near and not common:
        return 1.0 if group[0] == text else _UNKNOWN_SMALL
    height, spread = float(model.heights[index]), float(model.spreads[index])
    slack = np.hypot(_SIZE_SLACK, spread / max(height, 0.1))
    size = np.log(max(bbox[3] - bbox[1], 1e-6) / max(height, 0.05))
    sizes = [(anchor.cap, 1.0) for anchor in near] + [
        (cap, _FAR_WEIGHT * (0.3 + share)) for cap, share in common
    ]
    return max(
        _FLOOR, *(weight * float(np.exp(-(((size - np.log(cap)) / slack) ** 2) / 2)) for cap, weight in sizes)
    )


def _is_plain(bbox: BBox) -> bool:
    """Whether a box is of a bar, or as wide as high: a dot."""
    width, height = bbox[2] - bbox[0], bbox[3] - bbox[1]
    return max(width, height) > 3 * min(width, height) or max(width, height) < 1.3 * min(width, height)


def _cap(model: LetterModel, bbox: BBox, index: int, reference: Anchor | None) -> float:
    if is_sized(model, index) or reference is None:
        height = float(model.heights[index])
        if model.classes[index] in "-.":
            return max(bbox[2] - bbox[0], bbox[3] - bbox[1]) / (0.5 if model.classes[index] == "-" else 0.17)
        return (bbox[3] - bbox[1]) / max(height, 0.1)
    return reference.cap


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


def em(cap: float) -> float:
    """Points an em of a font with capitals of a height."""
    return cap / CAP_HEIGHT_EM
