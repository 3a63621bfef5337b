"""Clefs, keys, meters and rests of a system from its symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.score.heads import position_at
from docai.pipelines.drawings.score.systems import ACCIDENTALS
from docai.pipelines.drawings.score.types import Barline, Clef, Head, KeySignature, Meter, Rest, Staff, Symbol

_OCTAVES: Final = {"8vb": "v", "8va": "^", "15mb": "vv", "15ma": "^^"}


def staff_at(staves: Sequence[Staff], y: float) -> int:
    """Index of the nearest staff."""
    return min(
        range(len(staves)),
        key=lambda index: max(staves[index].lines[0] - y, y - staves[index].lines[-1], 0.0),
    )


def find_clefs(symbols: Sequence[Symbol], staves: Sequence[Staff]) -> list[tuple[Clef, list[Symbol]]]:
    """Clefs by x."""
    found = []
    for symbol in sorted(symbols, key=lambda symbol: symbol.bbox[0]):
        match = re.match(r"([gfc])Clef(\d+m[ab]|8v[ab])?", symbol.name)
        percussion = symbol.name.startswith("unpitchedPercussionClef")
        if match is None and not percussion:
            continue
        staff = staff_at(staves, symbol.origin[1])
        if percussion:
            kern = "*clefX"
        elif match is not None:
            line = round(position_at(staves[staff], symbol.origin[1])) // 2 + 1
            kern = f"*clef{match[1].upper()}{_OCTAVES.get(match[2] or '', '')}{line}"
        is_change = symbol.size < 3.5 * staves[staff].space or "Change" in symbol.name
        found.append((Clef(kern, staff, (symbol.bbox[0] + symbol.bbox[2]) / 2, is_change), [symbol]))
    return found


def find_keys(
    symbols: Sequence[Symbol],
    staves: Sequence[Staff],
    clefs: Sequence[Clef],
    barlines: Sequence[Barline],
    heads: Sequence[Head],
) -> list[tuple[KeySignature, list[Symbol]]]:
    """Key signatures: accidentals after a clef or barline that belong to no head."""
    found = []
    for index, staff in enumerate(staves):
        space = staff.space
        own = sorted(
            (
                symbol
                for symbol in symbols
                if symbol.name in ACCIDENTALS
                and staff_at(staves, symbol.origin[1]) == index
                and -1 <= position_at(staff, symbol.origin[1]) <= 9.5
            ),
            key=lambda symbol: symbol.bbox[0],
        )
        starts = [clef.x + 1.3 * space for clef in clefs if clef.staff == index]
        starts += [line.x for line in barlines if index in line.staves] + [staff.x0]
        run: list[Symbol] = []
        runs: list[list[Symbol]] = []
        for symbol in own:
            if run and symbol.bbox[0] - run[-1].bbox[2] <= 0.6 * space:
                run.append(symbol)
            elif any(-space <= symbol.bbox[0] - start <= 2.6 * space for start in starts):
                run = [symbol]
                runs.append(run)
            else:
                run = []
        for run in runs:
            while run and any(
                head.staff == index
                and -0.3 * space <= head.bbox[0] - run[-1].bbox[2] <= 1.3 * space
                and abs(position_at(staff, run[-1].origin[1]) - head.position) < 0.6
                for head in heads
            ):
                run.pop()
            if run:
                signs = [
                    (ACCIDENTALS[symbol.name], round(position_at(staff, symbol.origin[1]))) for symbol in run
                ]
                found.append((KeySignature(signs, index, run[0].bbox[0]), run))
    return found


def find_meters(symbols: Sequence[Symbol], staves: Sequence[Staff]) -> list[tuple[Meter, list[Symbol]]]:
    """Time signatures."""
    found = []
    for index, staff in enumerate(staves):
        own = sorted(
            (
                symbol
                for symbol in symbols
                if symbol.name.startswith("timeSig")
                and staff.lines[0] - staff.space <= (symbol.bbox[1] + symbol.bbox[3]) / 2
                and (symbol.bbox[1] + symbol.bbox[3]) / 2 <= staff.lines[-1] + staff.space
            ),
            key=lambda symbol: symbol.bbox[0],
        )
        groups: list[list[Symbol]] = []
        for symbol in own:
            if groups and symbol.bbox[0] - max(one.bbox[2] for one in groups[-1]) < 0.8 * staff.space:
                groups[-1].append(symbol)
            else:
                groups.append([symbol])
        middle = (staff.lines[0] + staff.lines[-1]) / 2
        for group in groups:
            x = group[0].bbox[0]
            if group[0].name in ("timeSigCommon", "timeSigCutCommon"):
                is_cut = group[0].name == "timeSigCutCommon"
                kern = ("*met(c|)", "*M2/2") if is_cut else ("*met(c)", "*M4/4")
                found.append((Meter(kern, index, x), group))
                continue
            above = [one for one in group if (one.bbox[1] + one.bbox[3]) / 2 < middle]
            below = [one for one in group if one not in above]
            text = "".join("+" if "Plus" in one.name else one.name[-1] for one in above)
            under = "".join(one.name[-1] for one in below)
            if re.fullmatch(r"\d+(\+\d+)*", text) and under.isdigit():
                found.append((Meter((f"*M{text}/{under}",), index, x), group))
    return found


def find_rests(symbols: Sequence[Symbol], staves: Sequence[Staff]) -> list[tuple[Rest, list[Symbol]]]:
    """Rests by x."""
    found = []
    for symbol in sorted(symbols, key=lambda symbol: symbol.bbox[0]):
        if not symbol.name.startswith("rest"):
            continue
        x0, y0, x1, y1 = symbol.bbox
        index = staff_at(staves, (y0 + y1) / 2)
        position = position_at(staves[index], (y0 + y1) / 2)
        found.append((Rest(symbol.name, index, position, (x0 + x1) / 2, symbol.bbox), [symbol]))
    return found
