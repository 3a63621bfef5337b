"""Letters that touch each other, cut apart at the narrow places between them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from docai.pipelines.tracing.molecule.candidates import Candidate, look_at
from docai.pipelines.tracing.molecule.parts import Part, split_part

_SURE: Final = 0.6
"""Probability of a letter from which a part is not cut."""

_GAIN: Final = 0.25
"""Mean of the pieces' probabilities above that of the whole, at least."""

_MIN_PIECE: Final = 0.12
"""Width of a piece in heights of a capital, at least."""

_MAX_PIECE: Final = 1.45
"""The same, at most."""

_MAX_WIDTH: Final = 6.0
"""Width of a part that is cut, in heights of a capital, at most."""

_MAX_CUTS: Final = 16
"""Places of a part where it may be cut."""

_THIN: Final = 1.7
"""Ink of a column where letters touch, in stroke widths, at most."""

_STROKES: Final = frozenset("()[]{}Il1|/\\-.,'")
"""Letters that the sides of others look like: an O is no pair of parentheses."""

_CUT_COST: Final = 0.15
"""What a cut costs, in logarithms of probability."""


def split_letters(candidates: list[Candidate], height: float, width: float) -> list[Candidate]:
    """Candidates, of which those that are no letter as a whole are cut where their pieces are letters.

    Args:
        height: of a capital, pixels of the ink.
        width: of the usual stroke.
    """
    if height <= 0:
        return candidates
    made: list[Candidate] = []
    for candidate in candidates:
        made += _split(candidate, height, width) or [candidate]
    return made


def _split(candidate: Candidate, height: float, width: float) -> list[Candidate] | None:
    part = candidate.part
    if candidate.text and candidate.score >= _SURE:
        return None
    if (
        not 0.5 * height <= part.height <= 1.75 * height
        or not 0.6 * height < part.width <= _MAX_WIDTH * height
    ):
        return None
    cuts = _cuts(part, height, width)
    if len(cuts) < 3:
        return None
    spans = [
        (i, j)
        for i in range(len(cuts))
        for j in range(i + 1, len(cuts))
        if _MIN_PIECE * height <= cuts[j] - cuts[i] <= _MAX_PIECE * height
    ]
    pieces: dict[tuple[int, int], list[Candidate]] = {}
    for i, j in spans:
        pieces[i, j] = look_at(split_part(part, cuts[i], cuts[j], 0.3 * width**2))
    best: list[float] = [0.0] + [-math.inf] * (len(cuts) - 1)
    before = [0] * len(cuts)
    for i, j in sorted(spans, key=lambda span: span[1]):
        found = pieces[i, j]
        if len(found) != 1 or not found[0].text:
            continue
        value = best[i] + math.log(max(found[0].score, 1e-6)) * (cuts[j] - cuts[i]) / height - _CUT_COST
        if value > best[j]:
            best[j], before[j] = value, i
    if best[-1] == -math.inf:
        return None
    chosen, at = [], len(cuts) - 1
    while at > 0:
        chosen += pieces[before[at], at]
        at = before[at]
    own = candidate.score if candidate.text else 0.0
    n_strokes = sum(piece.text in _STROKES for piece in chosen)
    if (
        len(chosen) < 2
        or n_strokes > len(chosen) / 2
        or float(np.mean([piece.score for piece in chosen])) < max(own + _GAIN, _SURE)
    ):
        return None
    for piece in chosen:
        piece.source = part
    return chosen[::-1]


def _cuts(part: Part, height: float, width: float) -> list[int]:
    """Columns where a part may be cut: its sides, and where it has the least ink around."""
    ink = part.mask.sum(axis=0).astype(int)
    reach = max(int(0.08 * height), 1)
    found = []
    x = 1
    while x < len(ink) - 1:
        low, high = max(x - reach, 0), min(x + reach + 1, len(ink))
        if ink[x] <= _THIN * width and ink[x] == ink[low:high].min():
            end = x
            while end + 1 < len(ink) - 1 and ink[end + 1] == ink[x]:
                end += 1
            # Of a flat place, such as the bar of an H, both sides and the middle.
            found += [x, (x + end) // 2, end] if end - x > 4 * reach else [(x + end) // 2]
            x = end
        x += 1
    found = sorted(set(found), key=lambda at: int(ink[at]))[:_MAX_CUTS]
    return [0, *sorted(found), int(part.mask.shape[1])]
