"""Clefs, meters and rests of a system from its symbols; key signatures are in ``key_signatures``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from docai.geometry import BBox, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.heads import position_at
from docai.pipelines.drawings.score.types import Clef, Meter, Rest, Staff, Symbol

Mark = Symbol | Letter
"""What is drawn: a music symbol, or a letter of a text font."""

OCTAVES: Final[Mapping[str, str]] = {"8vb": "v", "8va": "^", "15mb": "vv", "15ma": "^^"}
"""Ends of SMuFL's names of clefs, and what kern writes for them."""

CLEF_NAME: Final = re.compile(r"^([gfc])Clef(8v[ab]|15m[ab])?")

CLEF_LINES: Final[Mapping[str, tuple[int, ...]]] = {"g": (1, 2), "f": (3, 4, 5), "c": (1, 2, 3, 4, 5)}
"""Lines from the bottom on which each clef is used."""

OCTAVE_DIGIT_SPACES: Final = 1.6
"""Distance of the 8 of a clef from the clef at most, in staff spaces."""

NUMBER_GAP_SPACES: Final = 0.4
"""Gap between the digits of one number at most, and by how much their feet differ at most."""

NUMBER_BESIDE_SPACES: Final = 4.0
"""How far beside a clef digits are looked at that may be of one number with an 8 over it."""

SMALL_DIGIT_SPACES: Final = 2.0
"""Height of the 8 of a clef, and of a measure number, at most."""

DIGIT_HEIGHT_SPACES: Final = (1.35, 4.6)
"""Of a number of a time signature: the larger ones stand out of the staff."""

DIGIT_PLACE_SPACES: Final = 0.6
"""How far from its place in the staff a number of a time signature stands at most."""

METER_GAP_SPACES: Final = 1.2
"""Gap between the numbers of one time signature at most."""

REST_NAMES: Final[Mapping[str, str]] = {
    "restWholeLegerLine": "restWhole",
    "restHalfLegerLine": "restHalf",
    "restDoubleWholeLegerLine": "restDoubleWhole",
    "restQuarterOld": "restQuarter",
    "restQuarterZ": "restQuarter",
}
"""Other forms of rests."""

COUNT_SPACES: Final = 4.0
"""Distance above the staff at most of the number over a rest of several measures."""

LONG_RESTS: Final[Mapping[str, int]] = {"restMaxima": 8, "restLonga": 4, "restDoubleWhole": 2, "restWhole": 1}
"""Measures of rests that are added up."""


def nearest_staff(staves: Sequence[Staff], y: float) -> int:
    """Index of the staff nearest to a height."""
    return min(
        range(len(staves)),
        key=lambda index: max(staves[index].lines[0] - y, y - staves[index].lines[-1], 0.0),
    )


class SmallNumber(NamedTuple):
    """A number of small digits, as over or under a clef or over the begin of a system."""

    text: str
    bbox: BBox
    marks: tuple[Mark, ...]


def find_clefs(
    symbols: Sequence[Symbol],
    staves: Sequence[Staff],
    letters: Sequence[Letter] = (),
    others: Collection[int] = (),
) -> list[tuple[Clef, list[Mark]]]:
    """Clefs by x, each with what it is made of.

    Args:
        letters: of text fonts: the 8 of an octave clef may be one.
        others: digits, by ``id``, that are of no clef, such as those of measure numbers.
    """
    found: list[tuple[Clef, list[Mark]]] = []
    opened: set[int] = set()
    marked = [(mark, text) for mark, text in _numbers(symbols, letters) if id(mark) not in others]
    boxes = [symbol.bbox for symbol in symbols if CLEF_NAME.match(symbol.name)]
    for symbol in sorted(symbols, key=lambda symbol: symbol.bbox[0]):
        match = CLEF_NAME.match(symbol.name)
        is_percussion = symbol.name.startswith("unpitchedPercussionClef")
        if match is None and not is_percussion:
            continue
        index = nearest_staff(staves, symbol.origin[1] if match else (symbol.bbox[1] + symbol.bbox[3]) / 2)
        staff = staves[index]
        marks: list[Mark] = [symbol]
        kern = "*clefX"
        if match:
            octave = OCTAVES.get(match[2] or "", "v" if symbol.name == "gClef8vbOld" else "")
            if not octave:
                octave, digits = _octave_of_clef(symbol, staff, marked, boxes)
                marks += digits
            kern = f"*clef{match[1].upper()}{octave}{_clef_line(match[1], symbol, staff)}"
        found.append((Clef(kern, index, (symbol.bbox[0] + symbol.bbox[2]) / 2, index in opened), marks))
        opened.add(index)
    return found


def _clef_line(letter: str, symbol: Symbol, staff: Staff) -> int:
    position = position_at(staff, symbol.origin[1])
    return min(CLEF_LINES[letter], key=lambda line: abs(2 * (line - 1) - position))


def _octave_of_clef(
    clef: Symbol, staff: Staff, digits: Iterable[tuple[Mark, str]], clefs: Iterable[BBox]
) -> tuple[str, tuple[Mark, ...]]:
    """The octave that a separate 8 or 15 over or under a clef says, and its digits.

    It is centered on the clef, or nearly: a number whose middle is beside the clef is of something else. One
    between two clefs, as between close staves, is of the nearer one.

    Args:
        clefs: boxes of all clefs.
    """
    x0, y0, x1, y1 = clef.bbox
    beside = NUMBER_BESIDE_SPACES * staff.space
    near = [one for one in digits if x0 - beside <= one[0].bbox[0] <= x1 + beside]
    for number in _joined(near, staff.space):
        a, top, c, bottom = number.bbox
        if number.text not in ("8", "15") or not x0 <= (a + c) / 2 <= x1:
            continue
        nearest = min(max(top - box[3], box[1] - bottom) for box in clefs if box[0] <= (a + c) / 2 <= box[2])
        for side, away in (("v", top - y1), ("^", y0 - bottom)):
            if -0.8 * staff.space <= away <= min(nearest, OCTAVE_DIGIT_SPACES * staff.space):
                return side * (1 if number.text == "8" else 2), number.marks
    return "", ()


def small_numbers(symbols: Iterable[Symbol], letters: Iterable[Letter], space: float) -> list[SmallNumber]:
    """Numbers of small digits, of music or text fonts."""
    return _joined(_numbers(symbols, letters), space)


def _joined(digits: Iterable[tuple[Mark, str]], space: float) -> list[SmallNumber]:
    """Digits side by side as numbers: the 8 of 18 is none."""
    done: list[SmallNumber] = []
    open_: list[SmallNumber] = []
    near = NUMBER_GAP_SPACES * space
    small = [one for one in digits if one[0].bbox[3] - one[0].bbox[1] <= SMALL_DIGIT_SPACES * space]
    for mark, text in sorted(small, key=lambda one: one[0].bbox[0]):
        x0, _, _, y1 = mark.bbox
        done += [number for number in open_ if number.bbox[2] < x0 - near]
        open_ = [number for number in open_ if number.bbox[2] >= x0 - near]
        for place, other in enumerate(open_):
            if x0 - other.bbox[2] >= -near and abs(y1 - other.bbox[3]) <= near:
                box = union([other.bbox, mark.bbox])
                open_[place] = SmallNumber(other.text + text, box, (*other.marks, mark))
                break
        else:
            open_.append(SmallNumber(text, mark.bbox, (mark,)))
    return [*done, *open_]


def _numbers(symbols: Iterable[Symbol], letters: Iterable[Letter]) -> list[tuple[Mark, str]]:
    """Digits, whether of music or text fonts."""
    found: list[tuple[Mark, str]] = [
        (symbol, symbol.name[-1])
        for symbol in symbols
        if re.fullmatch(r"(?:timeSig|tuplet|fingering|figbass)\d", symbol.name)
    ]
    found += [(symbol, "8") for symbol in symbols if symbol.name in ("clef8", "ottava")]
    found += [(symbol, "15") for symbol in symbols if symbol.name in ("clef15", "quindicesima")]
    found += [(letter, letter.text) for letter in letters if letter.text.isascii() and letter.text.isdigit()]
    return found


def find_meters(
    symbols: Sequence[Symbol], staves: Sequence[Staff], letters: Sequence[Letter] = ()
) -> list[tuple[Meter, list[Mark]]]:
    """Time signatures by staff and x, each with what it is made of.

    Args:
        letters: of text fonts, of which some programs set the numbers.
    """
    found: list[tuple[Meter, list[Mark]]] = []
    marks: list[tuple[Mark, str]] = [
        (symbol, _meter_text(symbol.name)) for symbol in symbols if _meter_text(symbol.name)
    ]
    marks += [(letter, letter.text) for letter in letters if re.fullmatch(r"\d+|\+", letter.text)]
    for index, staff in enumerate(staves):
        own = [
            (mark, text)
            for mark, text in marks
            if staff.x0 <= mark.bbox[0] <= staff.x1 + 4 * staff.space and _stands_in_half(mark, text, staff)
        ]
        for group in _side_by_side(own, METER_GAP_SPACES * staff.space):
            kern, used = _meter(group, staff)
            if kern:
                found.append((Meter(kern, index, min(mark.bbox[0] for mark in used)), used))
    return found


def _meter_text(name: str) -> str:
    """What a symbol of a time signature says; ``C`` and ``C|`` for those that are letters."""
    if name in ("timeSigCommon", "timeSigCutCommon"):
        return "C" if name == "timeSigCommon" else "C|"
    if name.startswith("timeSigPlus") or name == "brassMuteClosed":
        return "+"
    return name[7] if re.fullmatch(r"timeSig\d", name) else ""


def _stands_in_half(mark: Mark, text: str, staff: Staff) -> bool:
    """Whether something is as high and stands as numbers, or letters, of a time signature do."""
    height = (mark.bbox[3] - mark.bbox[1]) / staff.space
    place = (staff.lines[-1] - (mark.bbox[1] + mark.bbox[3]) / 2) / staff.space
    full = (staff.lines[-1] - staff.lines[0]) / staff.space
    if text.startswith("C"):
        return abs(place - full / 2) <= DIGIT_PLACE_SPACES and 1.5 <= height <= 4.2
    if text == "+":
        return 0 <= place <= full and height <= 2
    low, high = DIGIT_HEIGHT_SPACES
    # Numbers of one above the other meet at the middle of the staff, whatever their height.
    return low <= height <= high and abs(abs(place - full / 2) - height / 2) <= DIGIT_PLACE_SPACES


def _side_by_side(marks: Sequence[tuple[Mark, str]], gap: float) -> list[list[tuple[Mark, str]]]:
    groups: list[list[tuple[Mark, str]]] = []
    end = 0.0
    for mark, text in sorted(marks, key=lambda one: one[0].bbox[0]):
        if groups and mark.bbox[0] - end <= gap:
            groups[-1].append((mark, text))
            end = max(end, mark.bbox[2])
        else:
            groups.append([(mark, text)])
            end = mark.bbox[2]
    return groups


def _meter(group: Sequence[tuple[Mark, str]], staff: Staff) -> tuple[tuple[str, ...], list[Mark]]:
    """What stands side by side as kern, and what of it was used."""
    for mark, text in group:
        if text == "C":
            return ("*met(c)", "*M4/4"), [mark]
        if text == "C|":
            return ("*met(c|)", "*M2/2"), [mark]
    middle = (staff.lines[0] + staff.lines[-1]) / 2
    ordered = sorted(group, key=lambda one: one[0].bbox[0])
    lower = [
        (mark, text) for mark, text in ordered if (mark.bbox[1] + mark.bbox[3]) / 2 > middle and text != "+"
    ]
    upper = [(mark, text) for mark, text in ordered if (mark, text) not in lower]
    beats, unit = "".join(text for _, text in upper), "".join(text for _, text in lower)
    if not re.fullmatch(r"\d{1,2}(\+\d{1,2})*", beats) or unit not in ("1", "2", "4", "8", "16", "32", "64"):
        return (), []
    above, below = union(mark.bbox for mark, _ in upper), union(mark.bbox for mark, _ in lower)
    if above[0] > below[2] or below[0] > above[2] or int(beats.split("+")[0]) == 0:
        return (), []
    return (f"*M{beats}/{unit}",), [mark for mark, _ in (*upper, *lower)]


def find_rests(
    symbols: Sequence[Symbol], staves: Sequence[Staff], letters: Sequence[Letter] = ()
) -> list[tuple[Rest, list[Mark]]]:
    """Rests by x, each with what it is made of.

    Args:
        letters: of text fonts: the number over a rest of several measures may be of them.
    """
    rests: list[tuple[Rest, list[Mark]]] = []
    for symbol in sorted(symbols, key=lambda symbol: symbol.bbox[0]):
        if not symbol.name.startswith("rest"):
            continue
        x0, y0, x1, y1 = symbol.bbox
        index = nearest_staff(staves, (y0 + y1) / 2)
        position = position_at(staves[index], (y0 + y1) / 2)
        name = REST_NAMES.get(symbol.name, symbol.name)
        rests.append((Rest(name, index, position, (x0 + x1) / 2, symbol.bbox), [symbol]))
    numbers = _numbers(symbols, letters)
    return [
        joined
        for index, staff in enumerate(staves)
        for joined in _with_counts([one for one in rests if one[0].staff == index], staff, numbers)
    ]


def _with_counts(
    rests: list[tuple[Rest, list[Mark]]], staff: Staff, numbers: Sequence[tuple[Mark, str]]
) -> list[tuple[Rest, list[Mark]]]:
    """Rests of one staff with those of several measures as one each, told by the number over them."""
    joined: list[tuple[Rest, list[Mark]]] = []
    run: list[tuple[Rest, list[Mark]]] = []
    for one in [*rests, None]:
        if one is not None and _is_long(one[0]) and (not run or _follows(run[-1][0], one[0], staff)):
            run.append(one)
            continue
        if run:
            joined += _counted(run, staff, numbers)
        run = [one] if one is not None and _is_long(one[0]) else []
        if one is not None and not run:
            joined.append(one)
    return joined


def _is_long(rest: Rest) -> bool:
    return rest.name in LONG_RESTS or rest.name.startswith("restHBar")


def _follows(left: Rest, right: Rest, staff: Staff) -> bool:
    return right.bbox[0] - left.bbox[2] <= 1.6 * staff.space


def _counted(
    run: list[tuple[Rest, list[Mark]]], staff: Staff, numbers: Sequence[tuple[Mark, str]]
) -> list[tuple[Rest, list[Mark]]]:
    box: BBox = union(rest.bbox for rest, _ in run)
    x = (box[0] + box[2]) / 2
    over = sorted(
        (
            (mark, text)
            for mark, text in numbers
            if abs((mark.bbox[0] + mark.bbox[2]) / 2 - x) <= 2.5 * staff.space
            and 0 <= staff.lines[0] - mark.bbox[3] <= COUNT_SPACES * staff.space
            and mark.bbox[3] - mark.bbox[1] >= staff.space
        ),
        key=lambda one: one[0].bbox[0],
    )
    text = "".join(number for _, number in over)
    bar = any(rest.name.startswith("restHBar") for rest, _ in run)
    drawn = sum(LONG_RESTS.get(rest.name, 0) for rest, _ in run)
    counts = bool(over) and abs((over[0][0].bbox[0] + over[-1][0].bbox[2]) / 2 - x) <= 1.2 * staff.space
    if not counts or not (bar or int(text) == drawn):
        return run
    first = run[0][0]
    marks: list[Mark] = [mark for _, own in run for mark in own]
    whole = Rest("restWhole", first.staff, first.position, x, box, n_measures=int(text))
    return [(whole, [*marks, *(mark for mark, _ in over)])]
