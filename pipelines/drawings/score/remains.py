"""What of a system nothing accounts for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from docai.geometry import BBox, grow
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.sheet import Sheet
from docai.pipelines.drawings.score.strokes import WHITE_LEVEL
from docai.pipelines.drawings.score.types import Staff, Symbol, System

SIDE_MARKS: Final = (
    "dynamic", "segno", "coda", "keyboardPedal", "wiggle", "breath", "caesura", "arpeggiato", "strings",
    "fingering", "brace", "bracket", "reversedBrace", "pedal", "metNote", "tuplet", "figbass", "barline",
    "ottava", "quindicesima", "ventiduesima", "staffLine", "staff1", "staff5", "legerLine", "ornament",
    "artic", "fermata", "pluck", "guitar", "chordName", "csym", "string", "6stringTabClef", "4stringTabClef",
)  # fmt: skip
"""How names of symbols begin that stand beside the notes: neither pitch nor duration depends on them."""

MIN_MARK_SPACES: Final = 0.25
"""Size of a stroke below which it is no mark, in staff spaces."""

EXTENT_SPACES: Final = 1.5
"""How far around the notes and staves of a system marks are of it, in staff spaces."""


def find_remains(sheet: Sheet, system: System, symbols: Iterable[Symbol]) -> list[BBox]:
    """Boxes of strokes and symbols in a system that are not accounted for.

    Args:
        sheet: the page.
        system: with all that was found.
        symbols: of the system.
    """
    music = [staff for staff in system.staves if not staff.is_tablature]
    if not music:
        return []
    space = min(staff.space for staff in music)
    area = _music_box(system, music)
    reach = grow(area, EXTENT_SPACES * space)
    boxes = [
        symbol.bbox
        for symbol in symbols
        if id(symbol) not in sheet.used_symbols
        and not symbol.name.startswith(SIDE_MARKS)
        and _inside(symbol.bbox, reach)
        and not _on_tablature(symbol.bbox, system)
    ]
    for index, path in enumerate(sheet.drawing.paths):
        if sheet.is_used(index) or not _inside(path.bbox, reach):
            continue
        x0, y0, x1, y1 = path.bbox
        grown = path.width if path.stroke is not None else 0.0
        if max(x1 - x0, y1 - y0) + grown < MIN_MARK_SPACES * space or path.opacity == 0:
            continue
        color = path.stroke if path.fill is None else path.fill
        if color is None or min(color) >= WHITE_LEVEL or _on_tablature(path.bbox, system):
            continue
        if _of_text(path.bbox, system.texts):
            continue
        boxes.append(path.bbox)
    # What is filled and then stroked is one mark.
    return list(dict.fromkeys(boxes))


def _music_box(system: System, music: Sequence[Staff]) -> BBox:
    boxes = [(staff.x0, staff.lines[0], staff.x1, staff.lines[-1]) for staff in music]
    boxes += [chord.bbox for chord in system.chords]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _inside(box: BBox, area: BBox) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and box[2] <= area[2] and box[3] <= area[3]


def _on_tablature(box: BBox, system: System) -> bool:
    """Whether its middle is nearer to a staff of tablature than to one with notes."""
    y = (box[1] + box[3]) / 2
    away = [
        (max(staff.lines[0] - y, y - staff.lines[-1], 0.0) / staff.space, staff.is_tablature)
        for staff in system.staves
    ]
    return min(away)[1]


def _of_text(box: BBox, letters: Iterable[Letter]) -> bool:
    """A hyphen, an extender of a syllable, or a line under words."""
    x0, y0, x1, y1 = box
    for letter in letters:
        if y1 - y0 > 0.3 * letter.size:
            continue
        level = letter.baseline - 0.6 * letter.size <= y0 and y1 <= letter.baseline + 0.4 * letter.size
        if level and letter.bbox[0] - 30 * letter.size <= x1 and x0 <= letter.bbox[2] + 30 * letter.size:
            return True
    return False
