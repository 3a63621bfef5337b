"""Lines over some time: octave signs, voltas, hairpins, pedals, trills."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from docai.geometry import BBox, contains_center
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.phrases import Word
from docai.pipelines.drawings.score.sheet import Sheet, Slab
from docai.pipelines.drawings.score.types import Span, Symbol, System

THIN_SPACES: Final = 0.3
"""Thickness of the line of a span at most, in staff spaces."""

MIN_VOLTA_SPACES: Final = 4.0
"""Length of a volta at least, in staff spaces."""

MIN_OPEN_VOLTA_SPACES: Final = 10.0
"""Length of a volta without a number at least, in staff spaces."""

MIN_HAIRPIN_SPACES: Final = 0.6
"""Length of a hairpin at least, in staff spaces."""

MAX_DASH_GAP_SPACES: Final = 3.0
"""Gap between two dashes of one line at most, in staff spaces."""

_OTTAVA: Final = re.compile(r"(8|15|22)(v[ab]|va|m[ab]|ve|all[ao]?|bassa)?\.?(bassa)?", re.IGNORECASE)
_VOLTA: Final = re.compile(r"\d+(st|nd|rd|th|a|da|[aª])?[.,:)]?([-–—,&]?\d+\.?)*", re.IGNORECASE)


def find_spans(
    sheet: Sheet, system: System, symbols: Iterable[Symbol], words: Sequence[Word], space: float
) -> list[Letter]:
    """Add to a system its spans; the letters that are of them come back.

    Args:
        sheet: the page; strokes of spans are accounted for.
        system: with its staves and chords.
        symbols: of the system.
        words: of the system.
        space: a staff space, points.
    """
    reach = 14 * space
    x0, y0, x1, y1 = system.bbox
    area = (x0 - space, y0 - reach, x1 + space, y1 + reach)
    thin = [
        slab
        for slab in sheet.slabs
        if slab.thickness <= THIN_SPACES * space
        and slab.path not in sheet.used_paths
        and contains_center(area, (slab.x0, min(slab.y0, slab.y1), slab.x1, max(slab.y0, slab.y1)))
    ]
    used = _voltas(sheet, system, thin, words, space)
    used += _ottavas(sheet, system, thin, symbols, words, space)
    _hairpins(sheet, system, thin, space)
    return used


def _is_level(slab: Slab, space: float) -> bool:
    return abs(slab.y1 - slab.y0) <= 0.05 * space + 0.01 * slab.length


def _voltas(
    sheet: Sheet, system: System, thin: Sequence[Slab], words: Sequence[Word], space: float
) -> list[Letter]:
    used: list[Letter] = []
    near = 0.2 * space
    for slab in thin:
        if slab.length < MIN_VOLTA_SPACES * space or not _is_level(slab, space):
            continue
        staff = _staff_below(system, slab.y0)
        if staff is None:
            continue
        hooks = [
            upright
            for x in (slab.x0, slab.x1)
            for upright in sheet.uprights_between(x - near, x + near)
            if abs(upright.y0 - slab.y0) <= near and 0.6 * space <= upright.length <= 4 * space
        ]
        inside = [
            word
            for word in words
            if _VOLTA.fullmatch(word.text)
            and slab.x0 - near <= word.bbox[0] <= min(slab.x0 + 5 * space, slab.x1)
            and slab.y0 - 0.5 * space <= (word.bbox[1] + word.bbox[3]) / 2 <= slab.y0 + 3.5 * space
        ]
        if not hooks or not (inside or _is_open_volta(slab, words, space)):
            continue
        text = " ".join(word.text for word in inside)
        system.spans.append(Span("volta", text, staff, slab.x0, slab.x1, slab.y0))
        sheet.used_paths.add(slab.path)
        for hook in hooks:
            sheet.used_paths.update(hook.paths)
        used += [letter for word in inside for letter in word.letters]
    return used


def _is_open_volta(slab: Slab, words: Sequence[Word], space: float) -> bool:
    """Whether a long line without a number is a volta from another system, not of the bracket of a tuplet."""
    if slab.length < MIN_OPEN_VOLTA_SPACES * space:
        return False
    return not any(
        abs((word.bbox[1] + word.bbox[3]) / 2 - slab.y0) <= space
        and (abs(word.bbox[0] - slab.x1) <= 2 * space or abs(word.bbox[2] - slab.x0) <= 2 * space)
        for word in words
    )


def _staff_below(system: System, y: float) -> int | None:
    """Index of the staff under a height that is in none."""
    for index, staff in enumerate(system.staves):
        if y < staff.lines[0] - 0.4 * staff.space:
            return index
        if y <= staff.lines[-1]:
            return None
    return None


def _ottavas(
    sheet: Sheet,
    system: System,
    thin: Sequence[Slab],
    symbols: Iterable[Symbol],
    words: Sequence[Word],
    space: float,
) -> list[Letter]:
    signs: list[tuple[str, BBox, tuple[Letter, ...], Symbol | None]] = []
    for symbol in symbols:
        if symbol.name.startswith(("ottava", "quindicesima", "ventiduesima")):
            signs.append((_ottava_text(symbol.name), symbol.bbox, (), symbol))
    signs += [(word.text, word.bbox, word.letters, None) for word in words if _OTTAVA.fullmatch(word.text)]
    used: list[Letter] = []
    for text, box, letters, sign in signs:
        if any(staff.lines[0] < (box[1] + box[3]) / 2 < staff.lines[-1] for staff in system.staves):
            continue
        dashes = _dashes(thin, box, space)
        if not dashes and (sign is None):
            continue
        y = (box[1] + box[3]) / 2
        end = max((slab.x1 for slab in dashes), default=box[2])
        staff = _staff_at(system, y)
        system.spans.append(Span("ottava", text, staff, box[0], end, y))
        for slab in dashes:
            sheet.used_paths.add(slab.path)
        if dashes:
            _use_hooks(sheet, end, dashes[-1].y0, space)
        if sign is not None:
            sheet.use(sign)
        used += letters
    return used


def _ottava_text(name: str) -> str:
    count = "8" if name.startswith("ottava") else "15" if name.startswith("quin") else "22"
    if "Bassa" in name:
        return f"{count}{'vb' if count == '8' else 'mb'}"
    return f"{count}{'va' if count == '8' else 'ma'}" if "Alta" in name else count


def _dashes(thin: Sequence[Slab], box: BBox, space: float) -> list[Slab]:
    """The dashes of a level line that begins at the right of a sign, or one line."""
    end, y = box[2], None
    found: list[Slab] = []
    for slab in sorted(thin, key=lambda slab: slab.x0):
        if not _is_level(slab, space) or slab.x1 <= end:
            continue
        if y is None:
            if not box[1] - 0.5 * space <= slab.y0 <= box[3] + 0.5 * space:
                continue
        elif abs(slab.y0 - y) > 0.15 * space:
            continue
        if -0.6 * space <= slab.x0 - end <= MAX_DASH_GAP_SPACES * space:
            found.append(slab)
            end, y = slab.x1, slab.y0
    return found


def _use_hooks(sheet: Sheet, x: float, y: float, space: float) -> None:
    for upright in sheet.uprights_between(x - 0.3 * space, x + space):
        if upright.length <= 3 * space and min(abs(upright.y0 - y), abs(upright.y1 - y)) <= 0.3 * space:
            sheet.used_paths.update(upright.paths)


def _hairpins(sheet: Sheet, system: System, thin: Sequence[Slab], space: float) -> None:
    slanted = [
        slab
        for slab in thin
        if slab.length >= MIN_HAIRPIN_SPACES * space and abs(slab.y1 - slab.y0) > 0.08 * space
    ]
    near = 0.35 * space
    for index, one in enumerate(slanted):
        for other in slanted[index + 1 :]:
            if other.x0 > one.x0 + near:
                break
            if abs(one.x0 - other.x0) > near or abs(one.x1 - other.x1) > near:
                continue
            if (one.y1 - one.y0) * (other.y1 - other.y0) >= 0:
                continue
            opens, closes = abs(one.y1 - other.y1), abs(one.y0 - other.y0)
            if abs(opens - closes) < 0.3 * space or min(opens, closes) > 0.8 * space:
                continue
            y = (one.y0 + one.y1 + other.y0 + other.y1) / 4
            text = "<" if opens > closes else ">"
            system.spans.append(Span("hairpin", text, _staff_at(system, y), one.x0, one.x1, y))
            sheet.used_paths.update((one.path, other.path))


def _staff_at(system: System, y: float) -> int:
    return min(
        range(len(system.staves)),
        key=lambda index: max(system.staves[index].lines[0] - y, y - system.staves[index].lines[-1], 0.0),
    )
