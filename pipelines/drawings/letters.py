"""Letters of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, degrees, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, area, intersection_area
from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM, NONE, LetterModel, load_model
from docai.pipelines.drawings.letter_context import Anchor, Guess, resolve
from docai.pipelines.drawings.letter_glyphs import glyph_text, is_music_glyph, outline_texts
from docai.pipelines.drawings.letter_outlines import Outline, find_outlines, is_letter_sized, join
from docai.pipelines.ingest.drawing import Drawing, PlacedGlyph

_TYPICAL_CORNERS: Final = ((0.05, 0.0), (0.55, 0.7))
"""Lower left and upper right of a capital, ems from its origin."""

_IN_PARTS: Final = frozenset('ij:;!?%="±≡°ΞΘàáâäåãèéêëìíîïñòóôöõùúûüýÀÁÂÄÅÃÈÉÊËÍÎÑÓÔÖÕÚÛÜ⊕⊖')
"""Letters of several shapes."""

_MIN_JOINED: Final = 0.5
"""Probability of a letter of several shapes from which they are joined to one."""

_MIN_LETTER: Final = 0.15
"""Probability below which an outline is no letter at all."""

_PEN_SIZES: Final = (0.5, 1.7)
"""Smallest and largest size of a letter drawn by a pen, in sizes of the letters of other kinds."""

_MIN_SIZES: Final = 2
"""Letters of other kinds from which their sizes tell that of letters drawn by a pen."""

_STROKED: Final = 0.5
"""Factor of the score of a letter drawn by a pen: chains of bonds look the same."""

_GROUND: Final = 0.5
"""Share of the height of an outline up to which a letter inside of it stands on it."""

_MIN_REPEATED: Final = 0.8
"""Share of two boxes of one letter that they have in common where it is painted twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One character as drawn; lengths in points of the page."""

    text: str
    """What it most likely is; empty where nothing fits."""
    bbox: BBox
    """Around its ink."""
    size: float
    """Points an em; of an outline without a font estimated from its height."""
    baseline: float
    """y of its base line; of an outline without a font estimated."""
    order: int
    """Of painting, see :class:`~docai.pipelines.ingest.drawing.PaintedPath`."""
    score: float = 1.0
    """How sure ``text`` is, 0…1."""
    others: tuple[str, ...] = ()
    """What else it may be, likeliest first, such as ``O`` and ``0`` for ``o``."""
    angle: float = 0.0
    """Degrees clockwise by which its base line is turned."""
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of the outlines that it is made of; empty for a glyph of a font."""
    glyph: int | None = None
    """Index in ``Drawing.glyphs``; None for outlines."""


def read_letters(drawing: Drawing) -> list[Letter]:
    """The letters of a drawing: glyphs of fonts, and filled or stroked outlines that look like letters.

    Music glyphs and spaces are left out. Outlines that do not look much like a letter have a low score, and
    those that look like none are left out. Bars and dots, of which a drawing has many that are no letters,
    score at most 0.5 where no letter stands beside them; letters drawn by a pen do everywhere.
    """
    glyphs = _letters_of_glyphs(drawing)
    outlines = _without_grounds(_letters_of_outlines(drawing, glyphs), glyphs)
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
        text, score, others = glyph_text(glyph.shape, glyph.text), 1.0, ()
        if id(glyph.shape) in seen:
            text, score, others = seen[id(glyph.shape)]
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
    return _without_repeated(_without_stray_strokes(drawing, letters, glyphs))


def _without_stray_strokes(drawing: Drawing, letters: list[Letter], glyphs: Sequence[Letter]) -> list[Letter]:
    """Leave out strokes of a pen that are smaller or larger than the letters that are no such strokes."""
    by_pen = [bool(letter.paths) and drawing.paths[letter.paths[0]].fill is None for letter in letters]
    sizes = [letter.size for letter in glyphs]
    sizes += [
        letter.size for letter, pen in zip(letters, by_pen, strict=True) if not pen and letter.score > 0.5
    ]
    if len(sizes) < _MIN_SIZES:
        return letters
    low, high = min(sizes) * _PEN_SIZES[0], max(sizes) * _PEN_SIZES[1]
    return [
        letter
        for letter, pen in zip(letters, by_pen, strict=True)
        if not pen or (low <= (letter.bbox[3] - letter.bbox[1]) / CAP_HEIGHT_EM <= high)
    ]


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
    return model.probabilities(distinct)[index]


def _without_grounds(outlines: list[Letter], glyphs: Sequence[Letter]) -> list[Letter]:
    """The outlines in whose boxes no other letter stands: those are what letters are painted on."""
    if not outlines:
        return []
    boxes = np.array([letter.bbox for letter in (*outlines, *glyphs)])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    heights = boxes[:, 3] - boxes[:, 1]
    found = []
    for letter in outlines:
        x0, y0, x1, y1 = letter.bbox
        inside = ((middles > (x0, y0)) & (middles < (x1, y1))).all(axis=1)
        if not (inside & (heights < _GROUND * (y1 - y0))).any():
            found.append(letter)
    return found


def _without_repeated(letters: list[Letter]) -> list[Letter]:
    """Letters painted twice, as a halo and as a letter, once, with the paths of both."""
    found: list[Letter] = []
    last: dict[tuple[str, int, int], int] = {}
    for letter in letters:
        x, y = (letter.bbox[0] + letter.bbox[2]) / 2, (letter.bbox[1] + letter.bbox[3]) / 2
        cell = (letter.text, round(x), round(y))
        before = next(
            (
                last[letter.text, cell[1] + dx, cell[2] + dy]
                for dx in (-1, 0, 1)
                for dy in (-1, 0, 1)
                if (letter.text, cell[1] + dx, cell[2] + dy) in last
            ),
            None,
        )
        if before is not None and _is_repeated(found[before], letter):
            earlier = found[before]
            found[before] = _joined(earlier, letter)
        else:
            last[cell] = len(found)
            found.append(letter)
    return found


def _is_repeated(first: Letter, second: Letter) -> bool:
    common = intersection_area(first.bbox, second.bbox)
    return common >= _MIN_REPEATED * max(area(first.bbox), area(second.bbox), 1e-9)


def _joined(first: Letter, second: Letter) -> Letter:
    surer = max(first, second, key=lambda letter: letter.score)
    return Letter(
        text=surer.text,
        bbox=surer.bbox,
        size=surer.size,
        baseline=surer.baseline,
        order=max(first.order, second.order),
        score=surer.score,
        others=surer.others,
        paths=tuple(dict.fromkeys((*first.paths, *second.paths))),
    )
