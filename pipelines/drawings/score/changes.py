"""Clefs, keys and meters of a system: what is in force at its begin, and what changes within it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from docai.pipelines.drawings.score.events import Quarters
from docai.pipelines.drawings.score.kern import MeasureText
from docai.pipelines.drawings.score.measures import ReadMeasure, meters_of
from docai.pipelines.drawings.score.pitches import StaffKey, SystemPitches, initial_clef, read_key
from docai.pipelines.drawings.score.types import System


def in_force(
    system: System, clefs_before: Sequence[str], keys_before: Sequence[StaffKey], begin: float
) -> tuple[list[str], list[StaffKey]]:
    """Clefs and keys at the begin of the system; what is drawn there counts, else what was before."""
    clefs, keys = [], []
    for staff, (clef, key) in enumerate(zip(clefs_before, keys_before, strict=True)):
        drawn = [one for one in system.clefs if one.staff == staff and one.x < begin]
        clefs.append(initial_clef(system, staff, clef) if drawn else clef)
        signatures = [one for one in system.keys if one.staff == staff and one.x < begin]
        if signatures:
            keys.append(read_key(max(signatures, key=lambda one: one.x), clefs[-1]))
        else:
            # Where a clef stands at the left, a key would stand beside it.
            keys.append(StaffKey() if drawn else key)
    return clefs, keys


def opening_lines(
    system: System,
    spines: Sequence[int],
    clefs: Sequence[str],
    keys: Sequence[StaffKey],
    begin: float,
) -> list[list[str]]:
    lines = [[clefs[staff] for staff in spines], [keys[staff].kern for staff in spines]]
    for x, kern, _ in meters_of(system):
        if x < begin:
            lines += [[text] * len(spines) for text in kern]
            break
    return lines


def add_changes(
    system: System,
    read: Sequence[ReadMeasure],
    spines: Sequence[int],
    pitches: SystemPitches,
    texts: Sequence[MeasureText],
    begin: float,
) -> None:
    """Clefs, keys and meters that change within the system, where they take effect."""
    lines: dict[tuple[int, Quarters], dict[str, dict[int, str]]] = {}

    def put(x: float, staff: int | None, kind: str, text: str) -> None:
        place = _place_of(x, staff, read)
        if place is None:
            return
        fields = lines.setdefault(place, {}).setdefault(kind, {})
        for spine in spines if staff is None else [staff]:
            fields[spine] = text

    for clef in system.clefs:
        if clef.x >= begin and clef.staff in spines:
            put(clef.x, clef.staff, "0clef", clef.kern)
    for index, key in enumerate(system.keys):
        if key.x >= begin and key.staff in spines and index in pitches.keys:
            put(key.x, key.staff, "1key", pitches.keys[index].kern)
    for x, kern, _ in meters_of(system):
        if x >= begin:
            for number, text in enumerate(kern):
                put(x, None, f"2meter{number}", text)
    for (number, onset), kinds in sorted(lines.items()):
        rows = [[fields.get(staff, "*") for staff in spines] for _, fields in sorted(kinds.items())]
        if onset == 0:
            texts[number].changes += rows
        else:
            texts[number].inner_changes.setdefault(onset, []).extend(rows)


def _place_of(x: float, staff: int | None, read: Sequence[ReadMeasure]) -> tuple[int, Quarters] | None:
    """Number of the measure, and time in it, before which something at x takes effect; None after all."""
    for number, one in enumerate(read):
        if x >= one.drawn.x1:
            continue
        placed = [
            event
            for index, reading in one.readings.items()
            if staff in (None, index)
            for event in reading.placed
        ]
        later = [event for event in placed if event.event.x > x]
        if not later:
            if x < one.drawn.x0 + (one.drawn.x1 - one.drawn.x0) / 3:
                return number, Fraction(0)
            return (number + 1, Fraction(0)) if number + 1 < len(read) else None
        return number, min(event.onset for event in later)
    return None
