"""From a drawing to its systems of music."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from docai.geometry import BBox, contains_center, grow, union
from docai.pipelines.drawings.letters import Letter, read_letters
from docai.pipelines.drawings.score.attributes import (
    DIGIT_HEIGHT_SPACES,
    find_clefs,
    find_meters,
    find_rests,
)
from docai.pipelines.drawings.score.barlines import (
    find_barlines,
    group_staves,
    staff_crossing_lines,
)
from docai.pipelines.drawings.score.beams import find_beams
from docai.pipelines.drawings.score.braces import find_braces, find_brackets
from docai.pipelines.drawings.score.curves import attach_curves, find_bows
from docai.pipelines.drawings.score.heads import find_heads
from docai.pipelines.drawings.score.key_signatures import find_keys
from docai.pipelines.drawings.score.measure_numbers import digits_beside_clefs
from docai.pipelines.drawings.score.phrases import join_words, letters_of_symbol
from docai.pipelines.drawings.score.remains import find_remains
from docai.pipelines.drawings.score.sheet import Sheet, read_sheet
from docai.pipelines.drawings.score.spans import find_spans
from docai.pipelines.drawings.score.staves import MAX_LINE_SPACES, find_staves
from docai.pipelines.drawings.score.stems import find_stems
from docai.pipelines.drawings.score.strokes import WHITE_LEVEL, find_strokes
from docai.pipelines.drawings.score.symbol_strokes import split_notes, unfold_bars
from docai.pipelines.drawings.score.symbols import find_symbols
from docai.pipelines.drawings.score.systems import (
    attach_accidentals,
    attach_dots,
    attach_flags,
    attach_marks,
    build_chords,
)
from docai.pipelines.drawings.score.tuplets import find_numbers, find_tuplets
from docai.pipelines.drawings.score.types import Staff, Symbol, System
from docai.pipelines.drawings.sound import sound_drawing
from docai.pipelines.ingest.drawing import Drawing

ROUND_DOTS: Final = ("augmentationDot", "repeatDot", "articStaccatoAbove", "articStaccatoBelow")
"""Names of symbols that are one round dot: its place tells what it means."""

MARKS: Final = ("artic", "fermata", "ornament", "stringsUpBow", "stringsDownBow", "pluckedSnap", "breath")
"""How names of symbols begin that stand above or below notes."""


END_SPACES: Final = 1.5
"""Distance of the last barline from the end of the staff lines at most, in staff spaces."""

BEGIN_SPACES: Final = 8.0
"""Distance of the clef from the begin of the staff lines at most, in staff spaces."""

TEXT_SPACES: Final = 16.0
"""How far from the staves of a system its words are at most, in staff spaces."""

MAX_LETTER_SPACES: Final = 6.0
"""Height of a letter that is painted as an outline at most, in staff spaces."""


def find_systems(drawing: Drawing) -> list[System]:
    """Systems of music of a drawing, from the top; empty where it has no staves with music."""
    drawing = unfold_bars(sound_drawing(drawing))
    strokes = find_strokes(drawing)
    staves = find_staves(drawing, strokes)
    if not staves:
        return []
    split, symbols = split_notes(drawing, find_symbols(drawing, staves))
    if split is not drawing:
        strokes = find_strokes(split)
    return systems_of_sheet(read_sheet(split, symbols, strokes), staves)


def systems_of_sheet(sheet: Sheet, staves: Sequence[Staff], *, has_letters: bool = True) -> list[System]:
    """Systems of music of a sheet, from the top.

    Args:
        sheet: with all symbols and strokes.
        staves: from the top.
        has_letters: what is no music may be letters; without, nothing is.
    """
    return _Reader(sheet, staves, has_letters).systems()


class _Reader:
    """Makes systems of a sheet."""

    def __init__(self, sheet: Sheet, staves: Sequence[Staff], has_letters: bool) -> None:
        self.sheet = sheet
        self.staves = staves
        self.has_letters = has_letters
        spaces = sorted(staff.space for staff in staves)
        self.space = spaces[len(spaces) // 2]

    def systems(self) -> list[System]:
        sheet, staves = self.sheet, self.staves
        heads = [symbol for symbol in sheet.symbols if symbol.name.startswith("notehead")]
        lines = staff_crossing_lines(sheet, staves, heads)
        barline_paths = {path for line in lines for path in line.upright.paths}
        braces = find_braces(sheet, staves)
        groups = group_staves(staves, lines, [*braces, *find_brackets(sheet, staves)])
        self._use_staff_lines()
        marks = find_heads(sheet, staves)
        stems = find_stems(sheet, marks, barline_paths)
        attach_flags(sheet, stems)
        find_beams(sheet, stems)
        sheet.use_bars()
        dots = [symbol for symbol in sheet.symbols if symbol.name in ROUND_DOTS]
        systems, made = [], []
        for group in groups:
            place = {index: number for number, index in enumerate(group)}
            system = System((0.0, 0.0, 0.0, 0.0), [staves[index] for index in group])
            own = [mark for mark in marks if mark.staff in place]
            system.chords, heads_made = build_chords(own, stems, place)
            system.barlines = find_barlines(sheet, staves, group, lines, dots)
            system.parts = [tuple(place[i] for i in brace) for brace in braces if brace[0] in place]
            system.bbox = self._extent(system)
            systems.append(system)
            made.append((own, heads_made))
        symbols = self._symbols_by_system(systems)
        bows = find_bows(sheet, self.space)
        letters = self._letters_by_system(systems)
        others = digits_beside_clefs(systems, symbols, letters)
        for number, system in enumerate(systems):
            own, heads_made = made[number]
            free = self._add_attributes(system, symbols[number], letters[number], others)
            attach_accidentals(sheet, symbols[number], own, heads_made)
            round_dots = [symbol for symbol in symbols[number] if symbol.name in ROUND_DOTS]
            over = attach_dots(sheet, round_dots, system.chords, system.rests, system.staves)
            self._add_texts(system, symbols[number], free)
            sheet.use_bars()
            over += [symbol for symbol in symbols[number] if symbol.name.startswith(MARKS)]
            attach_marks(sheet, over, system.chords, system.rests, self.space)
            inside = [bow for bow in bows if self._nearest(systems, bow.bbox) == number]
            system.curves = attach_curves(sheet, inside, system.chords, system.staves)
            system.unexplained = find_remains(sheet, system, symbols[number])
            if _is_cut(system, sheet.drawing.bbox):
                system.problems.append("The staff lines go on beyond what is shown.")
        signed = [
            system for system, own in zip(systems, symbols, strict=True) if _has_tablature_sign(system, own)
        ]
        return [
            system
            for system in systems
            if system.chords or system.clefs or system.rests or _is_alike(system, signed)
        ]

    def _use_staff_lines(self) -> None:
        """Account for the lines of staves, and leave them out of the strokes that are looked at."""
        sheet = self.sheet
        lines = sorted(((y, staff) for staff in self.staves for y in staff.lines), key=lambda line: line[0])
        ys = [y for y, _ in lines]
        others = []
        for slab in sheet.slabs:
            near = 0.1 * self.space
            first, last = bisect_left(ys, slab.y0 - near), bisect_right(ys, slab.y0 + near)
            if abs(slab.y0 - slab.y1) <= near and any(
                slab.thickness <= MAX_LINE_SPACES * staff.space
                and staff.x0 - near <= slab.x0
                and slab.x1 <= staff.x1 + near
                and abs(slab.y0 - y) <= 0.1 * staff.space
                for y, staff in lines[first:last]
            ):
                sheet.used_paths.add(slab.path)
            else:
                others.append(slab)
        sheet.slabs = others

    def _extent(self, system: System) -> BBox:
        boxes = [(staff.x0, staff.lines[0], staff.x1, staff.lines[-1]) for staff in system.staves]
        return union([*boxes, *(chord.bbox for chord in system.chords)])

    def _nearest(self, systems: Sequence[System], box: BBox) -> int:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

        def away(number: int) -> float:
            x0, y0, x1, y1 = systems[number].bbox
            return max(y0 - y, y - y1, 0.0) + max(x0 - x, x - x1, 0.0)

        return min(range(len(systems)), key=away)

    def _symbols_by_system(self, systems: Sequence[System]) -> list[list[Symbol]]:
        found: list[list[Symbol]] = [[] for _ in systems]
        for symbol in self.sheet.symbols:
            if id(symbol) not in self.sheet.used_symbols:
                found[self._nearest(systems, symbol.bbox)].append(symbol)
        return found

    def _letters_by_system(self, systems: Sequence[System]) -> list[list[Letter]]:
        """Letters near systems, apart from symbols and from strokes that are accounted for."""
        drawing, sheet = self.sheet.drawing, self.sheet
        if not self.has_letters:
            return [[] for _ in systems]
        height = MAX_LETTER_SPACES * self.space
        free = [
            index
            for index, path in enumerate(drawing.paths)
            if index not in sheet.used_paths
            and path.fill is not None
            and min(path.fill) < WHITE_LEVEL
            and path.bbox[3] - path.bbox[1] <= height
        ]
        symbols = {symbol.glyph for symbol in sheet.symbols}
        glyphs = [index for index in range(len(drawing.glyphs)) if index not in symbols]
        part = replace(
            drawing,
            paths=tuple(drawing.paths[index] for index in free),
            glyphs=tuple(drawing.glyphs[index] for index in glyphs),
        )
        found: list[list[Letter]] = [[] for _ in systems]
        reach = TEXT_SPACES * self.space
        for letter in read_letters(part):
            number = self._nearest(systems, letter.bbox)
            x0, y0, x1, y1 = grow(systems[number].bbox, 3 * reach, reach)
            y = (letter.bbox[1] + letter.bbox[3]) / 2
            if y0 <= y <= y1 and letter.bbox[0] <= x1 and letter.bbox[2] >= x0:
                paths = tuple(free[path] for path in letter.paths)
                glyph = None if letter.glyph is None else glyphs[letter.glyph]
                sheet.used_paths.update(paths)
                found[number].append(replace(letter, paths=paths, glyph=glyph))
        return found

    def _add_texts(self, system: System, symbols: Sequence[Symbol], letters: Sequence[Letter]) -> None:
        sheet, space = self.sheet, self.space
        words = join_words(letters)
        gone = {id(letter) for letter in find_spans(sheet, system, symbols, words, space)}
        words = [word for word in words if id(word.letters[0]) not in gone]
        numbers = find_numbers(symbols, words, space)
        left = {id(number) for number in find_tuplets(sheet, system, numbers, space)}
        gone |= {id(letter) for number in numbers if id(number) not in left for letter in number.letters}
        system.texts = [letter for letter in letters if id(letter) not in gone]
        for symbol in symbols:
            if id(symbol) in sheet.used_symbols or _is_lone_digit(symbol, system):
                continue
            letter = letters_of_symbol(symbol)
            if letter is not None:
                system.texts.append(letter)
                sheet.use(symbol)

    def _add_attributes(
        self,
        system: System,
        symbols: Sequence[Symbol],
        letters: Sequence[Letter],
        others: Collection[int],
    ) -> list[Letter]:
        """Add clefs, keys, meters and rests; the letters that are of none come back.

        Args:
            others: digits, by ``id``, that are of no clef.
        """
        staves = system.staves
        heads = [head for chord in system.chords for head in chord.heads]
        clefs = find_clefs(symbols, staves, letters, others)
        system.clefs = [clef for clef, _ in clefs]
        keys = find_keys(symbols, staves, system.clefs, system.barlines, heads)
        system.keys = [key for key, _ in keys]
        meters = find_meters(symbols, staves, letters)
        system.meters = [meter for meter, _ in meters]
        rests = find_rests(symbols, staves, letters)
        system.rests = [rest for rest, _ in rests]
        used = {id(mark) for found in (clefs, keys, meters, rests) for _, marks in found for mark in marks}
        for symbol in symbols:
            if id(symbol) in used:
                self.sheet.use(symbol)
        return [letter for letter in letters if id(letter) not in used]


def _is_lone_digit(symbol: Symbol, system: System) -> bool:
    """Whether a large digit stands within a staff with notes: of a meter that was not read, or no digit."""
    x, y = (symbol.bbox[0] + symbol.bbox[2]) / 2, (symbol.bbox[1] + symbol.bbox[3]) / 2
    return symbol.name.startswith("timeSig") and any(
        not staff.is_tablature
        and staff.x0 <= x <= staff.x1
        and staff.lines[0] <= y <= staff.lines[-1]
        and symbol.bbox[3] - symbol.bbox[1] >= DIGIT_HEIGHT_SPACES[0] * staff.space
        for staff in system.staves
    )


def _is_cut(system: System, page: BBox) -> bool:
    """Whether staves reach beyond the page, or to its edge without a barline or clef there."""
    for number, staff in enumerate(system.staves):
        if staff.x1 > page[2] + 0.5 or staff.x0 < page[0] - 0.5:
            return True
        end = staff.x1 - END_SPACES * staff.space
        if staff.x1 >= page[2] - 0.5 and not any(
            line.x >= end for line in system.barlines if number in line.staves
        ):
            return True
        begin = staff.x0 + BEGIN_SPACES * staff.space
        if staff.x0 <= page[0] + 0.5 and not any(
            clef.x <= begin for clef in system.clefs if clef.staff == number
        ):
            return True
    return False


def _has_tablature_sign(system: System, symbols: Sequence[Symbol]) -> bool:
    """Whether a system has tablature, by its sign or by the letters TAB; lines alone are none."""
    for staff in system.staves:
        if not staff.is_tablature:
            continue
        box = (staff.x0, staff.lines[0], staff.x0 + BEGIN_SPACES * staff.space, staff.lines[-1])
        if any("TabClef" in symbol.name and contains_center(box, symbol.bbox) for symbol in symbols):
            return True
        inside = [word for word in join_words(system.texts) if contains_center(box, word.bbox)]
        column = sorted(
            (word for word in inside if word.text in ("T", "A", "B")), key=lambda word: word.bbox[1]
        )
        xs = [(word.bbox[0] + word.bbox[2]) / 2 for word in column]
        if [word.text for word in column] == ["T", "A", "B"] and max(xs) - min(xs) <= 0.5 * staff.space:
            return True
    return False


def _is_alike(system: System, others: Sequence[System]) -> bool:
    """Whether the staves of a system are as those of another."""
    return any(
        len(system.staves) == len(other.staves)
        and all(
            len(one.lines) == len(two.lines) and abs(one.space - two.space) <= 0.03 * two.space
            for one, two in zip(system.staves, other.staves, strict=True)
        )
        for other in others
    )
