"""Chords, accidentals, dots and marks of a system put together from heads, stems and symbols."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from docai.geometry import BBox, union
from docai.pipelines.drawings.score.heads import HeadMark, position_at
from docai.pipelines.drawings.score.sheet import Sheet
from docai.pipelines.drawings.score.stems import Stem
from docai.pipelines.drawings.score.types import Chord, Head, Rest, Staff, Symbol

ACCIDENTALS: Final[Mapping[str, str]] = {
    "accidentalFlat": "-",
    "accidentalNatural": "n",
    "accidentalSharp": "#",
    "accidentalDoubleSharp": "##",
    "accidentalDoubleFlat": "--",
    "accidentalSharpSharp": "##",
    "accidentalNaturalFlat": "-",
    "accidentalNaturalSharp": "#",
    "accidentalFlatSmall": "-",
    "accidentalNaturalSmall": "n",
    "accidentalSharpSmall": "#",
}
"""Accidentals of SMuFL as kern writes them."""

ACCIDENTAL_SPACES: Final = 6.0
"""Distance of an accidental from its head at most, in staff spaces."""

DOT_SPACES: Final = 3.2
"""Distance of the first dot from its head at most, in staff spaces."""

SURE_DOT_SPACES: Final = 1.1
"""Distance from its head up to which a dot at the right height is no staccato of another, in staff spaces."""

SAME_X_SPACES: Final = 0.35
"""Difference of x up to which heads without stems are of one chord, in staff spaces."""


def build_chords(
    heads: Sequence[HeadMark], stems: Sequence[Stem], place: Mapping[int, int]
) -> tuple[list[Chord], dict[int, list[Head]]]:
    """Chords from the left, and the heads made of each mark, by ``id`` of the mark.

    Args:
        heads: of the system, by x.
        stems: of the page.
        place: number in the system of each of its staves of the page.
    """
    chords: list[Chord] = []
    made: dict[int, list[Head]] = {}
    own = {id(head) for head in heads}
    groups: dict[int, int] = {}
    n_stems: dict[int, int] = {}
    for stem in stems:
        for mark, _ in stem.heads:
            n_stems[id(mark)] = n_stems.get(id(mark), 0) + 1
    for stem in stems:
        marks = [mark for mark, _ in stem.heads]
        if id(marks[0]) not in own:
            continue
        chord = _chord(marks, place, made)
        if max(stem.n_flags, stem.beams_left, stem.beams_right) > 0:
            # Two voices share a head, and the longer note shows: the one with beams is black.
            for head, mark in zip(chord.heads, sorted(marks, key=lambda mark: -mark.y), strict=True):
                if n_stems[id(mark)] > 1 and head.name == "noteheadHalf":
                    head.name = "noteheadBlack"
        chord.stem = "up" if stem.is_up else "down"
        chord.stem_x = stem.x
        usual = "right" if stem.is_up else "left"
        xs = [mark.x for mark, side in stem.heads if side == usual] or [mark.x for mark in marks]
        chord.x = sum(xs) / len(xs)
        chord.n_flags, chord.n_tremolos, chord.has_slash = stem.n_flags, stem.n_tremolos, stem.has_slash
        chord.beams_left, chord.beams_right = stem.beams_left, stem.beams_right
        if stem.beam_group is not None:
            chord.beam_group = groups.setdefault(stem.beam_group, len(groups))
        x0, y0, x1, y1 = chord.bbox
        chord.bbox = (min(x0, stem.x), min(y0, stem.y0), max(x1, stem.x), max(y1, stem.y1))
        chords.append(chord)
    free = [head for head in heads if id(head) not in made]
    chords += [_chord(marks, place, made) for marks in _stacks(free)]
    chords.sort(key=lambda chord: (chord.x, chord.staff))
    return chords, made


def _chord(marks: Sequence[HeadMark], place: Mapping[int, int], made: dict[int, list[Head]]) -> Chord:
    heads = []
    for mark in sorted(marks, key=lambda mark: -mark.y):
        head = Head(mark.symbol.name, place[mark.staff], mark.position, mark.symbol.bbox)
        made.setdefault(id(mark), []).append(head)
        heads.append(head)
    counts = [head.staff for head in heads]
    staff = max(sorted(set(counts)), key=counts.count)
    x = sum(mark.x for mark in marks) / len(marks)
    small = all(mark.is_small for mark in marks)
    box = union(head.bbox for head in heads)
    return Chord(heads, x, staff, is_grace=small, bbox=box)


def _stacks(heads: Sequence[HeadMark]) -> list[list[HeadMark]]:
    """Heads without stems that stand one above the other, or beside each other as seconds do."""
    stacks: list[list[HeadMark]] = []
    for head in heads:
        for stack in reversed(stacks[-4:]):
            if stack[0].staff == head.staff and any(_belong(head, other) for other in stack):
                stack.append(head)
                break
        else:
            stacks.append([head])
    return stacks


def _belong(head: HeadMark, other: HeadMark) -> bool:
    apart = abs(head.x - other.x)
    if head.is_small != other.is_small or head.symbol.name != other.symbol.name:
        return False
    if apart <= SAME_X_SPACES * head.space:
        return head.position != other.position
    width = max(head.width, other.width)
    return abs(head.position - other.position) == 1 and abs(apart - width) <= 0.3 * width


def attach_flags(sheet: Sheet, stems: Sequence[Stem]) -> None:
    """Count the flags and tremolos that are symbols at the free ends of stems, and find slashes."""
    flags = [
        symbol
        for symbol in sheet.symbols
        if symbol.name.startswith(("flag", "graceNoteSlash", "tremolo"))
        and id(symbol) not in sheet.used_symbols
    ]
    for symbol in flags:
        x0, y0, x1, y1 = symbol.bbox
        best: tuple[float, Stem] | None = None
        for stem in stems:
            scale = stem.scale
            if symbol.name.startswith("tremolo"):
                away = abs((x0 + x1) / 2 - stem.x)
                fits = away <= 0.8 * scale and stem.y0 - scale <= (y0 + y1) / 2 <= stem.y1 + scale
            elif symbol.name.startswith("grace"):
                away = abs((x0 + x1) / 2 - stem.x)
                fits = away <= 1.6 * scale and y0 <= stem.y1 and y1 >= stem.y0
            else:
                away = abs(x0 - stem.x)
                end = stem.free_y
                fits = away <= 0.45 * scale and y0 - 0.8 * scale <= end <= y1 + 0.8 * scale
            if fits and (best is None or away < best[0]):
                best = (away, stem)
        if best is None:
            continue
        sheet.use(symbol)
        stem = best[1]
        if symbol.name.startswith("tremolo"):
            stem.n_tremolos += _digits(symbol.name) or 1
        elif symbol.name.startswith("grace"):
            stem.has_slash = True
        else:
            stem.n_flags += n_flags(symbol.name)


def n_flags(name: str) -> int:
    """How many flags a symbol of SMuFL shows: ``flag16thUp`` two."""
    number = _digits(name)
    return max(1, number.bit_length() - 3) if number else 1


def _digits(name: str) -> int:
    digits = "".join(char for char in name if char.isdigit())
    return int(digits) if digits else 0


def attach_accidentals(
    sheet: Sheet, symbols: Iterable[Symbol], heads: Sequence[HeadMark], made: Mapping[int, list[Head]]
) -> list[Symbol]:
    """Give accidentals to the heads at their right; those that have none come back."""
    left = []
    for symbol in symbols:
        if symbol.name not in ACCIDENTALS or id(symbol) in sheet.used_symbols:
            continue
        y = symbol.origin[1]
        best: tuple[float, HeadMark] | None = None
        for head in heads:
            away = head.symbol.bbox[0] - symbol.bbox[2]
            if not -0.4 * head.space <= away <= ACCIDENTAL_SPACES * head.space:
                continue
            if abs(head.y - y) <= 0.3 * head.space and (best is None or away < best[0]):
                best = (away, head)
        if best is None:
            left.append(symbol)
            continue
        sheet.use(symbol)
        for head_made in made.get(id(best[1]), ()):
            head_made.accidental = ACCIDENTALS[symbol.name]
    return left


def attach_dots(
    sheet: Sheet,
    dots: Iterable[Symbol],
    chords: Sequence[Chord],
    rests: Sequence[Rest],
    staves: Sequence[Staff],
) -> list[Symbol]:
    """Count the dots at the right of heads and rests; those at none come back."""
    targets: list[tuple[BBox, int, float, Head | Rest]] = []
    for chord in chords:
        for head in chord.heads:
            targets.append((head.bbox, head.staff, float(head.position), head))
    for rest in rests:
        targets.append((rest.bbox, rest.staff, rest.position, rest))
    counted: dict[int, set[int]] = {}
    left = []
    for dot in sorted(dots, key=lambda dot: dot.bbox[0]):
        x, y = (dot.bbox[0] + dot.bbox[2]) / 2, (dot.bbox[1] + dot.bbox[3]) / 2
        best: tuple[float, Head | Rest] | None = None
        for box, number, position, target in targets:
            staff = staves[number]
            away = (x - box[2]) / staff.space
            if not 0 < away <= DOT_SPACES:
                continue
            cost = away + _dot_offset(position_at(staff, y), position, isinstance(target, Rest))
            if cost < 50 and (best is None or cost < best[0]):
                best = (cost, target)
        is_staccato = dot.name.startswith("artic") and dot.glyph is not None
        if best is None or is_staccato or (best[0] > SURE_DOT_SPACES and _is_over(dot, chords)):
            left.append(dot)
            continue
        sheet.use(dot)
        counted.setdefault(id(best[1]), set()).add(round(x / (0.3 * staves[0].space)))
    for _, _, _, target in targets:
        target.n_dots = len(counted.get(id(target), ()))
    _settle_shared_dots(chords)
    for chord in chords:
        most = max(head.n_dots for head in chord.heads)
        for head in chord.heads:
            head.n_dots = most
    return left


def _settle_shared_dots(chords: Sequence[Chord]) -> None:
    """Give the dots at a head that two stems share to the note that they lengthen, as far as it shows."""
    at_place: dict[BBox, list[tuple[Chord, Head]]] = {}
    for chord in chords:
        for head in chord.heads:
            at_place.setdefault(head.bbox, []).append((chord, head))
    for shared in at_place.values():
        n_dots = max(head.n_dots for _, head in shared)
        if len(shared) < 2 or n_dots == 0:
            continue
        # A dotted note in a beam has a shorter one after it, or before.
        dotted = [head for chord, head in shared if _has_shorter_neighbor(chord, chords)]
        dotted = dotted or [head for chord, head in shared if chord.beam_group is None and not chord.n_flags]
        for _, head in shared:
            head.n_dots = n_dots if not dotted or any(head is other for other in dotted) else 0


def _has_shorter_neighbor(chord: Chord, chords: Sequence[Chord]) -> bool:
    if chord.beam_group is None:
        return False
    group = [other for other in chords if other.beam_group == chord.beam_group]
    place = next(index for index, other in enumerate(group) if other is chord)
    near = group[max(0, place - 1) : place] + group[place + 1 : place + 2]
    n_beams = max(chord.beams_left, chord.beams_right)
    return any(max(other.beams_left, other.beams_right) > n_beams for other in near)


def _is_over(dot: Symbol, chords: Sequence[Chord]) -> bool:
    """Whether a dot stands right above or below a head, as staccato does."""
    x, y = (dot.bbox[0] + dot.bbox[2]) / 2, (dot.bbox[1] + dot.bbox[3]) / 2
    for chord in chords:
        for head in chord.heads:
            x0, y0, x1, y1 = head.bbox
            if abs(x - (x0 + x1) / 2) <= 0.3 * (x1 - x0) and max(y0 - y, y - y1) <= 5 * (y1 - y0):
                return True
    return False


def _dot_offset(level: float, position: float, is_rest: bool) -> float:
    """What it costs to give a dot at some height to a head or rest, in staff spaces aside; 100 for never.

    The dot of a head stands in the space of the head, or in one beside its line; among the dots of a chord
    with seconds one is moved farther.
    """
    off = abs(level - position)
    if is_rest:
        return max(0.0, off - 1.6) if off <= 2.6 else 100.0
    wanted = 1.0 if round(position) % 2 == 0 else 0.0
    if abs(off - wanted) <= 0.4:
        return 0.0
    return 1.5 * off if off <= 3.2 else 100.0


def attach_marks(
    sheet: Sheet, marks: Iterable[Symbol], chords: Sequence[Chord], rests: Sequence[Rest], space: float
) -> None:
    """Give articulations, ornaments and fermatas to the chord or rest at which they stand."""
    targets: list[tuple[float, float, float, Chord | Rest]] = []
    events: list[Chord | Rest] = [*chords, *rests]
    for target in events:
        boxes = [head.bbox for head in target.heads] if isinstance(target, Chord) else [target.bbox]
        left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
        targets.append((target.x, left, right, target))
    targets.sort(key=lambda target: target[0])
    xs = [x for x, *_ in targets]
    for mark in marks:
        if id(mark) in sheet.used_symbols:
            continue
        x, y = (mark.bbox[0] + mark.bbox[2]) / 2, (mark.bbox[1] + mark.bbox[3]) / 2
        best: tuple[float, Chord | Rest] | None = None
        for _, left, right, target in targets[
            bisect_left(xs, x - 3 * space) : bisect_right(xs, x + 3 * space)
        ]:
            aside = max(left - x, x - right, 0.0)
            if isinstance(target, Chord) and target.stem != "none":
                aside = min(aside, abs(x - target.stem_x))
            above = max(target.bbox[1] - y, y - target.bbox[3], 0.0)
            if aside > 0.6 * space or above > 6 * space:
                continue
            away = above + 2 * abs(x - target.x)
            if best is None or away < best[0]:
                best = (away, target)
        if best is not None:
            named = mark
            if mark.name in ("augmentationDot", "repeatDot"):
                # Alone its place tells a staccato from other dots.
                side = "Above" if y < best[1].bbox[1] + best[1].bbox[3] - y else "Below"
                named = replace(mark, name=f"articStaccato{side}")
            best[1].marks.append(named)
            sheet.use(mark)
