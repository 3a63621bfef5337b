"""Key signatures of a system: accidentals that stand before no head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.score.attributes import CLEF_NAME
from docai.pipelines.drawings.score.heads import position_at
from docai.pipelines.drawings.score.systems import ACCIDENTALS
from docai.pipelines.drawings.score.types import Barline, Clef, Head, KeySignature, Staff, Symbol

KEY_GAP_SPACES: Final = 0.75
"""Gap between two accidentals of one key signature at most."""

START_SPACES: Final = 3.2
"""Distance at most of the first accidental from the clef or barline before it."""

HEAD_SPACES: Final = 1.15
"""Gap at most between an accidental and its head where nothing stands between them."""

CHORD_HEAD_SPACES: Final = 4.5
"""The same with other accidentals of the chord between them."""

USUAL_RANGE: Final = (-1.5, 10.5)
"""Half spaces above the bottom line between which accidentals of key signatures stand."""

_STEPS: Final = "CDEFGAB"

_SHARPS: Final = "FCGDAEB"

_CLEF_STEPS: Final = {"G": 4, "F": 3, "C": 0}
"""Number of the step of the line of each clef, from C."""


def find_keys(
    symbols: Sequence[Symbol],
    staves: Sequence[Staff],
    clefs: Sequence[Clef],
    barlines: Sequence[Barline],
    heads: Sequence[Head],
) -> list[tuple[KeySignature, list[Symbol]]]:
    """Key signatures by staff and x, each with its accidentals.

    Args:
        symbols: of the system.
        clefs: of the system, by x.
        heads: of the system; an accidental right before one at its height belongs to it.
    """
    found = []
    for index, staff in enumerate(staves):
        own = sorted(
            (
                symbol
                for symbol in symbols
                if symbol.name in ACCIDENTALS and _stands_in(symbol, staves, index)
            ),
            key=lambda symbol: symbol.bbox[0],
        )
        own_heads = [head for head in heads if head.staff == index]
        own_clefs = [clef for clef in clefs if clef.staff == index]
        # A clef on another staff moves the key signatures of all.
        starts = [clef.x + 1.2 * staff.space for clef in clefs]
        starts += [line.x for line in barlines if index in line.staves]
        starts.append(staff.x0)
        for run in _runs(own, staff.space):
            before = [clef for clef in own_clefs if clef.x < run[0].bbox[0]]
            kern = before[-1].kern if before else ""
            after_clef = bool(before) and run[0].bbox[0] - before[-1].x <= (START_SPACES + 1.2) * staff.space
            if not after_clef and not any(
                -0.6 * staff.space <= run[0].bbox[0] - start <= START_SPACES * staff.space for start in starts
            ):
                continue
            signs = _signature(run, staff, kern, own_heads)
            if signs:
                used = run[: len(signs)]
                found.append((KeySignature(signs, index, used[0].bbox[0]), used))
    return found


def _stands_in(symbol: Symbol, staves: Sequence[Staff], index: int) -> bool:
    staff = staves[index]
    low, high = USUAL_RANGE
    if not low <= position_at(staff, symbol.origin[1]) <= high:
        return False
    return staff.x0 - staff.space <= symbol.bbox[0] <= staff.x1 + 12 * staff.space


def _runs(own: Sequence[Symbol], space: float) -> list[list[Symbol]]:
    """Accidentals that follow each other from left to right."""
    runs: list[list[Symbol]] = []
    for symbol in own:
        if runs and symbol.bbox[0] - runs[-1][-1].bbox[2] <= KEY_GAP_SPACES * space:
            runs[-1].append(symbol)
        else:
            runs.append([symbol])
    return runs


def _signature(
    run: Sequence[Symbol], staff: Staff, clef: str, heads: Sequence[Head]
) -> list[tuple[str, int]]:
    """Sign and half spaces of each accidental of the key signature that a run begins with, if it does."""
    signs = [(ACCIDENTALS[one.name], round(position_at(staff, one.origin[1]))) for one in run]
    n = len(run)
    # The accidentals of the first chord come last and belong to heads at their heights.
    while n and _has_head(run[n - 1], signs[n - 1][1], n == len(run), staff.space, heads):
        n -= 1
    if n == 0:
        return []
    usual = _n_usual(signs[:n], clef)
    if n < len(run) and usual < n:
        return []
    return signs[:n]


def _has_head(symbol: Symbol, position: int, is_last: bool, space: float, heads: Sequence[Head]) -> bool:
    limit = (HEAD_SPACES if is_last else CHORD_HEAD_SPACES) * space
    gaps = [(head.bbox[0] - symbol.bbox[2], head.position) for head in heads]
    near = [gap for gap, _ in gaps if -0.3 * space <= gap <= limit]
    # Heads of a second stand on both sides of the stem: the one it belongs to may be the farther one.
    return any(
        -0.3 * space <= gap <= min(near) + 1.5 * space for gap, height in gaps if height == position and near
    )


def _n_usual(signs: Sequence[tuple[str, int]], clef: str) -> int:
    """How many accidentals from the first are in the order of key signatures; all, if the clef is unknown."""
    match = CLEF_NAME.match(clef[5:6].lower() + "Clef") if clef.startswith("*clef") else None
    if match is None or not clef[-1].isdigit():
        return len(signs)
    base = _CLEF_STEPS[match[1].upper()] - 2 * (int(clef[-1]) - 1)
    steps = [_STEPS[(base + position) % 7] for _, position in signs]
    n_naturals = 0
    while n_naturals < len(signs) and signs[n_naturals][0] == "n":
        n_naturals += 1
    count = n_naturals
    for place, (sign, _) in enumerate(signs[n_naturals:]):
        order = _SHARPS if sign.startswith("#") else _SHARPS[::-1]
        if place >= 7 or sign != signs[n_naturals][0] or steps[n_naturals + place] != order[place]:
            break
        count += 1
    return count
