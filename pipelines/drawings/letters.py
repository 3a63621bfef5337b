"""Letters of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import atan2, degrees, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.letter import Letter
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM, NONE, LetterModel, load_model
from docai.pipelines.drawings.letter_cleaning import without_grounds, without_repeated, without_stray_strokes
from docai.pipelines.drawings.letter_context import Guess, resolve
from docai.pipelines.drawings.letter_glyphs import glyph_text, is_music_glyph, outline_texts
from docai.pipelines.drawings.letter_outlines import Outline, find_outlines, is_letter_sized, join
from docai.pipelines.drawings.letter_sizes import Anchor
from docai.pipelines.ingest.drawing import Drawing, PlacedGlyph

__all__ = ["Letter", "read_letters"]

_TYPICAL_CORNERS: Final = ((0.05, 0.0), (0.55, 0.7))
"""Lower left and upper right of a capital, ems from its origin."""

_IN_PARTS: Final = frozenset('ij:;!?%="±≡°ΞΘàáâäåãèéêëìíîïñòóôöõùúûüýÀÁÂÄÅÃÈÉÊËÍÎÑÓÔÖÕÚÛÜ⊕⊖')
"""Letters of several shapes."""

MAX_DISTINCT: Final = 3000
"""Different outlines of a drawing that are looked at: a page has some hundred, a map any number."""

_MIN_JOINED: Final = 0.5
"""Probability of a letter of several shapes from which they are joined to one."""

_MIN_LETTER: Final = 0.15
"""Probability below which an outline is no letter at all."""

_STROKED: Final = 0.5
"""Factor of the score of a letter drawn by a pen: chains of bonds look the same."""


def read_letters(drawing: Drawing) -> list[Letter]:
    """The letters of a drawing: glyphs of fonts, and filled or stroked outlines that look like letters.

    Music glyphs and spaces are left out. Outlines that do not look much like a letter have a low score, and
    those that look like none are left out. Bars and dots, of which a drawing has many that are no letters,
    score at most 0.5 where no letter stands beside them; letters drawn by a pen do everywhere.
    """
    glyphs = _letters_of_glyphs(drawing)
    outlines = without_grounds(_letters_of_outlines(drawing, glyphs), glyphs)
    return sorted([*glyphs, *outlines], key=lambda letter: letter.order)


def _letters_of_glyphs(drawing: Drawing) -> list[Letter]:
    placed = [
        (index, glyph)
        for index, glyph in enumerate(drawing.glyphs)
        if not is_music_glyph(glyph.shape, glyph.text)
    ]
    seen = outline_texts([(glyph.shape, glyph_text(glyph.shape, glyph.text)) for _, glyph in placed])
    found = []
    for index, glyph in placed:
        said = (glyph_text(glyph.shape, glyph.text), 1.0, ())
        text, score, others = seen.get(id(glyph.shape), said)
        letter = _letter_of_glyph(glyph, index, text, score, others)
        if letter is not None:
            found.append(letter)
    return found


def _letter_of_glyph(
    glyph: PlacedGlyph, index: int, text: str, score: float, others: tuple[str, ...]
) -> Letter | None:
    if text.isspace() or (not text and not glyph.shape.subpaths):
        return None
    bbox = glyph.bbox if glyph.shape.subpaths else _box_without_outline(glyph)
    if not all(map(isfinite, (*bbox, *glyph.origin, glyph.size))):
        return None
    a, b, _, _ = glyph.matrix
    return Letter(
        text=text,
        bbox=bbox,
        size=glyph.size,
        baseline=glyph.origin[1],
        order=glyph.order,
        score=score,
        others=others,
        angle=degrees(atan2(b, a)),
        glyph=index,
    )


def _box_without_outline(glyph: PlacedGlyph) -> BBox:
    """About where the ink of a glyph is whose font draws it by other means, as those of Type 3 do."""
    x, y = (np.array(_TYPICAL_CORNERS) @ np.reshape(glyph.matrix, (2, 2)) + glyph.origin).T.tolist()
    return (min(x), min(y), max(x), max(y))


def _letters_of_outlines(drawing: Drawing, glyphs: Sequence[Letter]) -> list[Letter]:
    groups = find_outlines(drawing)
    if not groups:
        return []
    model = load_model()
    chosen, probabilities = _choose(model, groups)
    known = [
        Anchor(letter.text, letter.bbox, letter.size * CAP_HEIGHT_EM, letter.baseline)
        for letter in glyphs
        if letter.size > 0 and letter.text.isalnum()
    ]
    guesses = resolve(model, [outline.bbox for outline in chosen], probabilities, known)
    letters = [
        _letter_of_outline(drawing, outline, guess)
        for outline, guess in zip(chosen, guesses, strict=True)
        if guess is not None and guess.score * (_STROKED if outline.is_stroked else 1) >= _MIN_LETTER
    ]
    return without_repeated(without_stray_strokes(drawing, letters, glyphs))


def _letter_of_outline(drawing: Drawing, outline: Outline, guess: Guess) -> Letter:
    return Letter(
        text=guess.text,
        bbox=outline.bbox,
        size=guess.cap / CAP_HEIGHT_EM,
        baseline=guess.baseline,
        order=max(drawing.paths[index].order for index in outline.paths),
        score=guess.score * _STROKED if outline.is_stroked else guess.score,
        others=guess.others,
        paths=outline.paths,
    )


def _choose(
    model: LetterModel, groups: Sequence[Sequence[Outline]]
) -> tuple[list[Outline], NDArray[np.float32]]:
    """Which shapes are letters alone and which together, and what the network says of each."""
    singles = [outline for group in groups for outline in group]
    joined = list(_candidates(groups))
    rows = _probabilities(model, [*singles, *joined])
    none = model.classes.index(NONE)
    in_parts = np.array([text in _IN_PARTS for text in model.classes])
    # The surest first, so that no shape is used twice.
    scores = (rows[len(singles) :] * in_parts).max(axis=1, initial=0.0)
    used: set[int] = set()
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        parts = {id(part) for part in joined[i].parts}
        if scores[i] < _MIN_JOINED:
            break
        if not parts & used:
            used |= parts
            kept.append(len(singles) + i)
    kept += [
        i for i, outline in enumerate(singles) if id(outline) not in used and rows[i, none] < 1 - _MIN_LETTER
    ]
    every = [*singles, *joined]
    return [every[i] for i in kept], rows[kept]


def _candidates(groups: Sequence[Sequence[Outline]]) -> Iterable[Outline]:
    """Shapes that may be one letter together: all of a path, or those above each other."""
    for group in groups:
        if 2 <= len(group) <= 3 and not group[0].is_stroked:
            whole = join(group)
            if is_letter_sized(whole.width, whole.height):
                yield whole
        if len(group) >= 3:
            yield from _stacked(group)
    # Letters of which each shape is a path: a dot and what is below it.
    for before, after in pairwise(groups):
        if len(before) == len(after) == 1 and before[0].paths[0] + 1 == after[0].paths[0]:
            yield from _stacked([before[0], after[0]])


def _stacked(shapes: Sequence[Outline]) -> Iterable[Outline]:
    shapes = sorted(shapes, key=lambda shape: shape.bbox[0])
    for i, shape in enumerate(shapes):
        for other in shapes[i + 1 : i + 4]:
            upper, lower = sorted((shape, other), key=lambda part: part.bbox[1])
            common = min(shape.bbox[2], other.bbox[2]) - max(shape.bbox[0], other.bbox[0])
            gap = lower.bbox[1] - upper.bbox[3]
            large = max(shape.width, shape.height, other.width, other.height)
            if common > 0.5 * min(shape.width, other.width) and -0.1 * large <= gap <= 0.7 * large:
                yield join([shape, other])


def _probabilities(model: LetterModel, outlines: Sequence[Outline]) -> NDArray[np.float32]:
    """What the network says of each outline; equal ones are drawn once."""
    places: dict[tuple[bytes, bool], int] = {}
    distinct: list[Outline] = []
    index = np.empty(len(outlines), int)
    for i, outline in enumerate(outlines):
        key = outline.key()
        place = places.get(key)
        if place is None:
            place = places[key] = len(distinct)
            distinct.append(outline)
        index[i] = place
    rows = np.zeros((len(distinct), len(model.classes)), np.float32)
    rows[:MAX_DISTINCT] = model.probabilities(distinct[:MAX_DISTINCT])
    rows[MAX_DISTINCT:, model.classes.index(NONE)] = 1
    return rows[index]
