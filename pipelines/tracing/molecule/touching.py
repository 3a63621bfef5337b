"""Letters that touch bonds, seen by a network where there is much ink, and taken out of the line work.

It sees what outlines do not tell: an N whose corners three bonds meet has the outline of none of these. What
it finds is given the shape of a plain letter, for the reader of drawings reads outlines.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.points import grown
from docai.pipelines.tracing.molecule.candidates import Candidate
from docai.pipelines.tracing.molecule.ink import Ink, Mask
from docai.pipelines.tracing.molecule.letter_windows import (
    CAP_PX,
    CLASSES,
    crowded_places,
    cut_windows,
    load_model,
)
from docai.pipelines.tracing.molecule.parts import Part, contours_of, parts_of

_SURE: Final = 0.95
"""Probability of a letter, at least, of the likeliest place."""

_STEP: Final = 2
"""Pixels between places that are looked at, :data:`~.letter_windows.CAP_PX` to a capital."""

_CROWDED: Final = 1.5
"""Ink of a letter in strokes of a capital's height, at least."""

_SAME: Final = 0.45
"""Distance of places in heights of a capital, up to which they see the same letter."""

_OFF: Final = 0.3
"""Distance of the letter's middle from the place in heights of a capital, at most."""

_KNOWN: Final = 0.6
"""Probability of a letter by its outline from which it is left where it is."""

_STROKES: Final = frozenset("()[]{}Il1|i!/\\\\.,:;'*-+=<>rLTvVyY^~_")
"""Letters and signs that strokes beside each other look like."""

_VOTES: Final = 1.8
"""Sum of the probabilities of places around that see the same letter, at least."""

_REST: Final = 0.15
"""What is left of a letter lies in its box, grown by so many heights of a capital."""

_STEMMED: Final = frozenset("NHFPBMR")
"""Letters with upright stems at their sides."""

_STEM_INK: Final = 0.65
"""Share of a column of a letter's height that is ink where a stem is, at least."""

_STEM_REACH: Final = 1.2
"""Strokes beside the box that was seen, up to which a stem is the letter's."""

_MAX_PLACES: Final = 6_000
"""Of one picture; where there are more, it is a hatching."""

_OTHER: Final = CLASSES[-1]


class SeenLetter(NamedTuple):
    """A letter, and its box in pixels of the ink."""

    text: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


def take_letters(
    parts: list[Part], known: list[Candidate], ink: Ink, height: float, width: float
) -> tuple[list[Candidate], list[Part]]:
    """Letters that touch other ink or are broken, and the parts without them.

    Those that their outlines tell are left where they are.

    Args:
        parts: all of the ink.
        known: those that may be letters by their outlines.
        ink: of the picture.
        height: of a capital, pixels of the ink.
        width: of the usual stroke.
    """
    numbers = np.zeros(ink.mask.shape, np.int32)
    for number, part in enumerate(parts, 1):
        area = numbers[part.y : part.y + part.height, part.x : part.x + part.width]
        area[part.mask > 0] = number
    letters: list[Candidate] = []
    changed: set[int] = set()
    rests: list[BBox] = []
    alone = {id(one.part) for one in known if one.letter_score >= _KNOWN and one.text not in _STROKES}
    for seen in (_with_stems(one, ink.mask, width) for one in see_letters(ink.mask, height, width)):
        x0, y0 = max(int(seen.x0), 0), max(int(seen.y0), 0)
        box = numbers[y0 : int(np.ceil(seen.y1)), x0 : int(np.ceil(seen.x1))]
        inside = np.bincount(box.ravel(), minlength=len(parts) + 1)
        inside[0] = 0
        members = np.flatnonzero(inside)
        if not len(members):
            continue
        main = int(inside.argmax())
        if id(parts[main - 1]) in alone:
            continue
        letters.append(_candidate(seen, Part(x0, y0, np.asarray(box > 0, np.uint8), int(inside.sum()))))
        changed |= set((members - 1).tolist())
        box[:] = 0
        rests.append(grown((seen.x0, seen.y0, seen.x1, seen.y1), _REST * height))
    left = [part for number, part in enumerate(parts) if number not in changed]
    for number in sorted(changed):
        part = parts[number]
        area = numbers[part.y : part.y + part.height, part.x : part.x + part.width]
        left += [
            piece
            for piece in parts_of(np.asarray(area == number + 1, np.uint8), part.x, part.y, 0.3 * width**2)
            if not any(_is_within(piece, rest) for rest in rests)
        ]
    return letters, left


def _with_stems(seen: SeenLetter, mask: Mask, width: float) -> SeenLetter:
    """The letter with its stems: a box too narrow would leave one as a bond."""
    if seen.text not in _STEMMED:
        return seen
    top, bottom = max(round(seen.y0), 0), max(round(seen.y1), 1)
    is_stem = mask[top:bottom].astype(bool).mean(axis=0) >= _STEM_INK
    reach = math.ceil(_STEM_REACH * width)
    left, right = max(round(seen.x0), 0), min(round(seen.x1), mask.shape[1])
    before = np.flatnonzero(is_stem[max(left - reach, 0) : left])
    behind = np.flatnonzero(is_stem[right : right + reach])
    x0 = min(seen.x0, float(max(left - reach, 0) + before[0])) if len(before) else seen.x0
    x1 = max(seen.x1, float(right + behind[-1] + 1)) if len(behind) else seen.x1
    return seen._replace(x0=x0, x1=x1)


def _is_within(part: Part, box: BBox) -> bool:
    return (
        box[0] <= part.x
        and box[1] <= part.y
        and part.x + part.width <= box[2]
        and part.y + part.height <= box[3]
    )


def see_letters(mask: Mask, height: float, width: float) -> list[SeenLetter]:
    """Letters of the ink, the surest first; none lies on another one.

    Args:
        mask: the ink.
        height: of a capital, pixels.
        width: of the usual stroke.
    """
    zoom = CAP_PX / height
    picture = _zoomed(mask, zoom)
    places = crowded_places(picture, _STEP, _CROWDED * width * zoom * CAP_PX)
    if not 0 < len(places) <= _MAX_PLACES:
        return []
    odds, boxes = load_model().read(cut_windows(picture, places))
    best, score = odds.argmax(axis=1), odds.max(axis=1)
    is_seen = (best > 0) & (score >= _SURE) & (np.abs(boxes[:, :2]).max(axis=1) <= _OFF)
    found: list[SeenLetter] = []
    taken: list[NDArray[np.float64]] = []
    for k in np.flatnonzero(is_seen)[np.argsort(-score[is_seen], kind="stable")].tolist():
        middle = (places[k] + boxes[k, :2] * CAP_PX) / zoom
        half = np.exp(boxes[k, 2:]) * height / 2
        if any(float(np.abs(middle - other).max()) < _SAME * height for other in taken):
            continue
        taken.append(middle)
        around = np.abs(places + boxes[:, :2] * CAP_PX - middle * zoom).max(axis=1) < _OFF * CAP_PX
        if odds[around, best[k]].sum() < _VOTES:
            continue
        if CLASSES[best[k]] != _OTHER:
            (x0, y0), (x1, y1) = (middle - half).tolist(), (middle + half).tolist()
            found.append(SeenLetter(CLASSES[best[k]], float(score[k]), x0, y0, x1, y1))
    return found


def _zoomed(mask: Mask, zoom: float) -> NDArray[np.float32]:
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(mask.astype(np.float32), None, fx=zoom, fy=zoom, interpolation=method), np.float32
    )


def _candidate(seen: SeenLetter, source: Part) -> Candidate:
    """The letter in a plain shape, in the place of the ink."""
    shape = cv2.resize(
        _plain(seen.text),
        (max(round(seen.x1 - seen.x0), 3), max(round(seen.y1 - seen.y0), 3)),
        interpolation=cv2.INTER_AREA,
    )
    mask = np.asarray(shape > 127, np.uint8)
    part = Part(round(seen.x0), round(seen.y0), mask, int(mask.sum()))
    return Candidate(part, contours_of(part), seen.text, seen.score, source)


@lru_cache(maxsize=len(CLASSES))
def _plain(text: str) -> Mask:
    """A letter of Pillow's own font, ``(H, W)``, 255 where there is ink, cut to it."""
    from PIL import Image, ImageDraw, ImageFont

    shown = Image.new("L", (192, 192))
    ImageDraw.Draw(shown).text((48, 24), text, fill=255, font=ImageFont.load_default(96))
    return np.asarray(shown.crop(shown.getbbox()), np.uint8)
