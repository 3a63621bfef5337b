"""Which letters of a drawing belong to one label, and what in it is raised, lowered, or on another line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from docai.geometry import center, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_groups import SIGNS, BondEnd, LetterGroups, gap_between
from docai.pipelines.drawings.molecule.label_reader import is_annotation, label_text, read_label
from docai.pipelines.drawings.molecule.label_text import plain_characters
from docai.pipelines.drawings.molecule.types import LabelMark

__all__ = ["group_labels", "read_label", "without_notes"]

MAX_ANGLE: Final = 8.0
"""Degrees by which the base line of a label is turned."""

NEAR_LABEL: Final = 0.3
"""Ems between a number and a label from where on the number is more likely of it than not."""

BAR_HEIGHT: Final = 0.85
"""Height of a bar over that of the capital beside it below which it is the digit 1."""

_BARS: Final = frozenset("|lI")

MAX_INK: Final = 2.0
"""Ems that a letter measures at most."""


def group_labels(letters: Sequence[Letter], bond_length: float, ends: Sequence[BondEnd]) -> list[LabelMark]:
    """The labels that letters make, whether or not a bond ends at them.

    Letters of one label are beside each other on one base line, raised or lowered, or on lines close above
    each other of which only one has bonds. A bond between two letters parts them. Numbers of atoms and
    descriptors of stereo are left out, unless they stand right at a label and may be of it.

    Args:
        letters: of a whole drawing; turned ones and those without text are left out.
        bond_length: points.
        ends: of bonds that may end at labels, and the unit vectors in which they would go on.
    """
    usable = [letter for letter in letters if letter.text.strip() and letter.size > 0 and _is_level(letter)]
    if not usable:
        return []
    usable = _with_ones(usable)
    groups = LetterGroups(usable, ends, bond_length).groups()
    marks = [_make_mark([usable[index] for index in members]) for members in groups]
    notes = [mark for mark in marks if is_annotation(mark)]
    others = [mark for mark in marks if not is_annotation(mark)]
    marks = others + [mark for mark in notes if _may_be_atom(mark, ends) or _is_at_label(mark, others)]
    return sorted(marks, key=lambda mark: (mark.bbox[1], mark.bbox[0]))


def _is_level(letter: Letter) -> bool:
    turned = abs(letter.angle) % 360.0
    if min(turned, 360.0 - turned) > MAX_ANGLE or not all(map(math.isfinite, (*letter.bbox, letter.size))):
        return False
    x0, y0, x1, y1 = letter.bbox
    return max(x1 - x0, y1 - y0) < MAX_INK * letter.size


def without_notes(letters: Sequence[Letter]) -> list[Letter]:
    """The letters without numbers of atoms and descriptors of stereo, which stand apart from all labels.

    Bonds that meet beside a number do not end at it, so these are best left out before bonds are looked at.
    """
    usable = [letter for letter in letters if letter.text.strip() and letter.size > 0 and _is_level(letter)]
    if not usable:
        return list(letters)
    marks = [
        _make_mark([usable[index] for index in group]) for group in LetterGroups(usable, [], 0.0).groups()
    ]
    others = [mark for mark in marks if not is_annotation(mark)]
    dropped = {
        id(letter)
        for mark in marks
        if is_annotation(mark) and not _is_at_label(mark, others) and not _is_bar(mark)
        for letter in mark.letters
    }
    return [letter for letter in letters if id(letter) not in dropped]


def _is_bar(note: LabelMark) -> bool:
    """Whether a number may be an I: a single bar that no font calls a 1."""
    return label_text(note) == "1" and note.letters[0].glyph is None


def _is_at_label(note: LabelMark, marks: Sequence[LabelMark]) -> bool:
    """Whether a number stands right at the letters of a label."""
    if not label_text(note).isdigit():
        return False
    return any(
        gap_between(digit.bbox, letter.bbox) < NEAR_LABEL * letter.size
        for mark in marks
        if gap_between(mark.bbox, note.bbox) < note.letters[0].size
        for letter in mark.letters
        for digit in note.letters
    )


def _may_be_atom(note: LabelMark, ends: Sequence[BondEnd]) -> bool:
    """Whether a number is a single bar that a bond points at: an I rather than a 1."""
    if not _is_bar(note):
        return False
    x, y = center(note.bbox)
    em = note.letters[0].size
    for (px, py), (ux, uy) in ends:
        along, sideways = (x - px) * ux + (y - py) * uy, abs((x - px) * uy - (y - py) * ux)
        if 0 < along < 1.5 * em and sideways < 0.25 * em:
            return True
    return False


def _with_ones(letters: Sequence[Letter]) -> list[Letter]:
    """The same with small bars beside a capital as digits: an ``l`` or ``I`` would be as high as it."""
    capitals = [letter for letter in letters if letter.text[:1].isupper() and letter.text not in _BARS]
    return [
        replace(letter, text="1", others=())
        if letter.glyph is None and letter.text in _BARS and _is_low(letter, capitals)
        else letter
        for letter in letters
    ]


def _is_low(bar: Letter, capitals: Sequence[Letter]) -> bool:
    x, y = center(bar.bbox)
    height = bar.bbox[3] - bar.bbox[1]
    beside = [
        capital.bbox[3] - capital.bbox[1]
        for capital in capitals
        if abs(center(capital.bbox)[0] - x) < 1.2 * capital.size
        and abs(center(capital.bbox)[1] - y) < 0.8 * capital.size
    ]
    return bool(beside) and height < BAR_HEIGHT * min(beside)


def _make_mark(letters: list[Letter]) -> LabelMark:
    lines = _lines_of(letters)
    numbers = [_nearest_line(letter, lines) for letter in letters]
    scripts = [_script(letter, lines[number]) for letter, number in zip(letters, numbers, strict=True)]
    order = sorted(
        range(len(letters)),
        key=lambda index: (numbers[index], _reading_place(letters[index], scripts[index])),
    )
    return LabelMark(
        [letters[index] for index in order],
        [scripts[index] for index in order],
        [numbers[index] for index in order],
        union(letter.bbox for letter in letters),
    )


def _reading_place(letter: Letter, script: int) -> float:
    """x by which letters are read; a raised charge above a lowered number is read after it."""
    x = center(letter.bbox)[0]
    return x + 0.3 * letter.size if script > 0 and plain_characters(letter.text) in SIGNS else x


def _lines_of(letters: Sequence[Letter]) -> list[list[Letter]]:
    """The full-size letters of each line, from the top."""
    words = [letter for letter in letters if plain_characters(letter.text)[:1].isalpha()] or list(letters)
    size = max(letter.size for letter in words)
    main = sorted((one for one in words if one.size > 0.85 * size), key=lambda letter: letter.baseline)
    capitals = [letter for letter in main if letter.text[:1].isupper()] or main
    lines: list[list[Letter]] = []
    for letter in capitals:
        if lines and letter.baseline - lines[-1][-1].baseline < 0.6 * size:
            lines[-1].append(letter)
        else:
            lines.append([letter])
    return lines


def _nearest_line(letter: Letter, lines: Sequence[Sequence[Letter]]) -> int:
    """Index of the line with the letter's nearest full-size neighbor; what is before it counts as nearer."""
    if len(lines) == 1:
        return 0
    y = center(letter.bbox)[1]

    def distance(line: Sequence[Letter]) -> float:
        return min(
            gap_between(letter.bbox, other.bbox)
            + abs(y - center(other.bbox)[1])
            + (0.3 * other.size if other.bbox[0] > letter.bbox[2] else 0.0)
            for other in line
        )

    return min(range(len(lines)), key=lambda number: distance(lines[number]))


def _script(letter: Letter, line: Sequence[Letter]) -> int:
    """1 raised, -1 lowered, 0 neither, beside the full-size letters of its line."""
    base = median(other.baseline for other in line)
    em = max(other.size for other in line)
    text = plain_characters(letter.text)
    if text[:1].isalpha() or text in ("(", ")", "'"):
        shift = (base - letter.baseline) / em
        return 1 if shift > 0.22 else -1 if shift < -0.12 else 0
    boxes = [other.bbox for other in line if other is not letter]
    if not boxes:
        return 0
    top = median(box[1] for box in boxes)
    # Letters such as Q and J reach below the base line.
    bottom = min(median(box[3] for box in boxes), base + 0.05 * em)
    height = max(bottom - top, 0.3 * em)
    shift = ((top + bottom) / 2 - center(letter.bbox)[1]) / height
    return 1 if shift > 0.15 else -1 if shift < -0.12 else 0
