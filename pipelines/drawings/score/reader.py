"""From a drawing to its systems of music."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.geometry import BBox, union
from docai.pipelines.drawings.score.barlines import (
    braced_staves,
    find_barlines,
    group_staves,
    staff_crossing_lines,
)
from docai.pipelines.drawings.score.beams import find_beams
from docai.pipelines.drawings.score.curves import attach_curves, find_bows
from docai.pipelines.drawings.score.heads import find_heads
from docai.pipelines.drawings.score.plain_attributes import find_clefs, find_keys, find_meters, find_rests
from docai.pipelines.drawings.score.sheet import Sheet, read_sheet
from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.score.stems import find_stems
from docai.pipelines.drawings.score.symbols import find_symbols
from docai.pipelines.drawings.score.systems import (
    attach_accidentals,
    attach_dots,
    attach_flags,
    attach_marks,
    build_chords,
)
from docai.pipelines.drawings.score.types import Staff, Symbol, System
from docai.pipelines.ingest.drawing import Drawing

ROUND_DOTS: Final = ("augmentationDot", "repeatDot", "articStaccatoAbove", "articStaccatoBelow")
"""Names of symbols that are one round dot: its place tells what it means."""

MARKS: Final = ("artic", "fermata", "ornament", "stringsUpBow", "stringsDownBow", "pluckedSnap", "breath")
"""How names of symbols begin that stand above or below notes."""


def find_systems(drawing: Drawing) -> list[System]:
    """Systems of music of a drawing, from the top; empty where it has no staves with music."""
    staves = find_staves(drawing)
    if not staves:
        return []
    sheet = read_sheet(drawing, find_symbols(drawing), [])
    return _Reader(sheet, staves).systems()


class _Reader:
    """Makes systems of a sheet."""

    def __init__(self, sheet: Sheet, staves: Sequence[Staff]) -> None:
        self.sheet = sheet
        self.staves = staves
        spaces = sorted(staff.space for staff in staves)
        self.space = spaces[len(spaces) // 2]

    def systems(self) -> list[System]:
        sheet, staves = self.sheet, self.staves
        heads = [symbol for symbol in sheet.symbols if symbol.name.startswith("notehead")]
        lines = staff_crossing_lines(sheet, staves, heads)
        barline_paths = {path for line in lines for path in line.upright.paths}
        groups = group_staves(sheet, staves, lines)
        self._use_staff_lines()
        marks = find_heads(sheet, staves)
        stems = find_stems(sheet, marks, barline_paths)
        attach_flags(sheet, stems)
        find_beams(sheet, stems)
        bows = find_bows(sheet, self.space)
        braces = braced_staves(sheet, staves)
        dots = [symbol for symbol in sheet.symbols if symbol.name in ROUND_DOTS]
        systems = []
        for group in groups:
            place = {index: number for number, index in enumerate(group)}
            system = System((0.0, 0.0, 0.0, 0.0), [staves[index] for index in group])
            own = [mark for mark in marks if mark.staff in place]
            system.chords, made = build_chords(own, stems, place)
            system.barlines = find_barlines(sheet, staves, group, lines, dots)
            system.parts = [tuple(place[i] for i in brace) for brace in braces if brace[0] in place]
            system.bbox = self._extent(system)
            systems.append((system, own, made))
        by_system = self._symbols_by_system([system for system, _, _ in systems])
        for number, (system, own, made) in enumerate(systems):
            symbols = by_system[number]
            self._add_attributes(system, symbols)
            attach_accidentals(sheet, symbols, own, made)
            round_dots = [symbol for symbol in symbols if symbol.name in ROUND_DOTS]
            over = attach_dots(sheet, round_dots, system.chords, system.rests, system.staves)
            over += [symbol for symbol in symbols if symbol.name.startswith(MARKS)]
            attach_marks(sheet, over, system.chords, system.rests, self.space)
            inside = [bow for bow in bows if self._nearest([s for s, _, _ in systems], bow.bbox) == number]
            system.curves = attach_curves(inside, system.chords, system.staves, system.bbox)
        return [system for system, _, _ in systems if system.chords or system.clefs or system.rests]

    def _use_staff_lines(self) -> None:
        for staff in self.staves:
            near = 0.1 * staff.space
            for slab in self.sheet.slabs:
                if (
                    slab.thickness > 0.34 * staff.space
                    or slab.x1 < staff.x0 - near
                    or slab.x0 > staff.x1 + near
                ):
                    continue
                if abs(slab.y0 - slab.y1) <= near and any(abs(slab.y0 - y) <= near for y in staff.lines):
                    self.sheet.used_paths.add(slab.path)

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

    def _add_attributes(self, system: System, symbols: Sequence[Symbol]) -> None:
        staves = system.staves
        heads = [head for chord in system.chords for head in chord.heads]
        clefs = find_clefs(symbols, staves)
        system.clefs = [clef for clef, _ in clefs]
        keys = find_keys(symbols, staves, system.clefs, system.barlines, heads)
        system.keys = [key for key, _ in keys]
        meters = find_meters(symbols, staves)
        system.meters = [meter for meter, _ in meters]
        rests = find_rests(symbols, staves)
        system.rests = [rest for rest, _ in rests]
        for used in (*clefs, *keys, *meters, *rests):
            for symbol in used[1]:
                self.sheet.use(symbol)
