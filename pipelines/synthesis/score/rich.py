"""Seeded random pieces with all that the score head reads: staves, voices, chords, ties, slurs, ornaments."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from fractions import Fraction

from docai.pipelines.synthesis.base import lerp
from docai.pipelines.synthesis.score.notation import (
    MAX_CHARACTERS,
    Event,
    Head,
    Measure,
    Voice,
    add_beams,
    key_signature,
    trim,
    write_kern,
)
from docai.pipelines.synthesis.score.plain import LETTERS, SHARPS, quarters

_METERS = ("4/4", "3/4", "2/4", "6/8", "2/2", "3/8", "9/8", "12/8", "6/4", "5/4")
_CLEFS = {
    "*clefG2": (26, 42),
    "*clefF4": (14, 31),
    "*clefC3": (20, 37),
    "*clefC4": (18, 35),
    "*clefGv2": (19, 35),
}
"""Clef → range of diatonic positions."""
_ENSEMBLES = {
    1: (("*clefG2",), ("*clefF4",), ("*clefG2",), ("*clefF4",), ("*clefG2",), ("*clefC3",), ("*clefC4",)),
    2: (("*clefF4", "*clefG2"),) * 4
    + (("*clefG2", "*clefG2"), ("*clefF4", "*clefF4"), ("*clefF4", "*clefC4")),
    3: (
        ("*clefF4", "*clefG2", "*clefG2"),
        ("*clefF4", "*clefC3", "*clefG2"),
        ("*clefF4", "*clefGv2", "*clefG2"),
    ),
    4: (
        ("*clefF4", "*clefC3", "*clefG2", "*clefG2"),
        ("*clefF4", "*clefGv2", "*clefG2", "*clefG2"),
        ("*clefF4", "*clefC4", "*clefC3", "*clefG2"),
    ),
}
"""Number of staves → possible clefs, lowest staff first."""
_CELLS: dict[Fraction, tuple[tuple[str, ...], ...]] = {
    Fraction(1): (
        *(("4",), ("8", "8"), ("8.", "16"), ("16",) * 4, ("12",) * 3, ("16", "16", "8"), ("8", "16", "16")),
        *(("16", "8."), ("16", "8", "16"), ("12", "12r", "12"), ("6", "12"), ("12", "6"), ("24",) * 6),
        *(("32",) * 8, ("16.", "32", "8"), ("8", "32", "32", "32", "32"), ("8..", "32"), ("20",) * 5),
    ),
    Fraction(3, 2): (
        *(("4.",), ("4", "8"), ("8", "8", "8"), ("8", "4"), ("8.", "16", "8"), ("16",) * 6),
        *(("8", "16", "16", "16", "16"), ("8", "16", "16", "8"), ("16", "8.", "8"), ("8", "8r", "8")),
    ),
    Fraction(2): (
        ("2",),
        ("4.", "8"),
        ("4", "4"),
        ("8", "4", "8"),
        ("4", "8", "8"),
        ("6", "6", "6"),
        ("8",) * 4,
    ),
    Fraction(3): (("2.",), ("2", "4"), ("4", "4", "4"), ("4.", "8", "4"), ("4", "2"), ("4.", "4.")),
}
"""Length in quarters → rhythms that fill it, from simple to complex."""
_WHOLE_MEASURES = {
    Fraction(4): "1",
    Fraction(6): "1.",
    Fraction(3): "2.",
    Fraction(2): "2",
    Fraction(3, 2): "4.",
}
"""Length of a measure in quarters → the note that fills it."""
_ORNAMENTS = ("T", "T", "T", "M", "W", "S")
_ARTICULATIONS = ("'", "'", "'", "^", "~", "`")
_UNUSUAL_ALTERATION_SHARE = 0.04
_SOUNDING = re.compile(r"^[^*=]*[a-gA-G]", re.MULTILINE)


@dataclass
class _Setting:
    """Current key, meter and clefs; they change between measures."""

    fifths: int
    meter: str
    clefs: list[str]
    difficulty: float

    @property
    def length(self) -> Fraction:
        """Length of a measure, in quarters."""
        n_beats, unit = (int(part) for part in self.meter.split("/"))
        return Fraction(4 * n_beats, unit)

    @property
    def beat(self) -> Fraction:
        """Length of a beat, over which notes are beamed, in quarters."""
        n_beats, unit = (int(part) for part in self.meter.split("/"))
        return Fraction(3, 2) if unit == 8 and n_beats % 3 == 0 else Fraction(1)

    def alter(self, position: int) -> int:
        """Alteration of a position by the key, in semitones."""
        place = SHARPS.index(LETTERS[position % 7])
        return int(place < self.fifths) - int(6 - place < -self.fifths)


@dataclass
class _Part:
    """The state of one voice over the measures."""

    position: int
    texture: str
    """``melody``, ``chords`` or ``plain``."""
    density: float
    tied: tuple[Head, ...] = ()


def passage(rng: random.Random, difficulty: float) -> str:
    """A passage of one to four staves and one to six measures; ``difficulty`` from about 0.35 to 1."""
    while True:
        kern = _passage(rng, difficulty)
        if len(kern) <= MAX_CHARACTERS and _SOUNDING.search(kern):
            return kern


def _passage(rng: random.Random, difficulty: float) -> str:
    most = 2 + round(2 * difficulty)
    n_staves = rng.choices(range(1, most + 1), (4, 9 * difficulty, 2, 2)[:most])[0]
    clefs = list(rng.choice(_ENSEMBLES[n_staves][: None if difficulty > 0.6 else 2]))
    n_meters = 3 + round((len(_METERS) - 3) * difficulty)
    n_measures = lerp(rng, (1, 2), (1, 6 if n_staves < 3 else 3), difficulty)
    reach = round(2 + 4 * difficulty)
    setting = _Setting(rng.randint(-reach, reach), rng.choice(_METERS[:n_meters]), clefs, difficulty)
    opening = [tuple(clefs), (key_signature(setting.fifths),) * n_staves, (f"*M{setting.meter}",) * n_staves]

    two_voices = [rng.random() < 0.5 * difficulty for _ in clefs]
    parts: dict[tuple[int, int], _Part] = {}
    measures: list[Measure] = []
    for number in range(n_measures):
        changes = _changes(rng, setting) if number else []
        staves = []
        for staff in range(n_staves):
            n_voices = 1 + (two_voices[staff] and rng.random() < 0.8)
            voices = []
            for place in range(n_voices):
                part = parts.get((staff, place)) or _new_part(rng, setting, staff, difficulty)
                parts[staff, place] = part
                low, high = _register(setting.clefs[staff], place, n_voices)
                if changes:
                    part.tied = ()
                if not low <= part.position <= high:
                    part.position, part.tied = rng.randint(low + 2, high - 2), ()
                voices.append(_voice(rng, part, setting, (low, high)))
            if n_voices == 1:
                parts.pop((staff, 1), None)
            staves.append(tuple(voices))
        bar = rng.choice(("", "!|:", ":|!", ":|!|:", "||")) if number and rng.random() < 0.12 else ""
        measures.append(Measure(tuple(staves), bar, tuple(changes)))
    return write_kern(trim(measures, difficulty), opening, rng.choice(("==", "==", "=", "=||", "=:|!")))


def _new_part(rng: random.Random, setting: _Setting, staff: int, difficulty: float) -> _Part:
    low, high = _CLEFS[setting.clefs[staff]]
    texture = rng.choices(("melody", "chords", "plain"), (5, 3 * difficulty, 2))[0]
    return _Part(rng.randint(low + 3, high - 3), texture, rng.random())


def _register(clef: str, place: int, n_voices: int) -> tuple[int, int]:
    """Range of positions of a voice: with two voices on a staff its upper or lower half."""
    low, high = _CLEFS[clef]
    middle = (low + high) // 2
    if n_voices == 1:
        return low, high
    return (middle - 1, high) if place == 0 else (low, middle + 1)


def _changes(rng: random.Random, setting: _Setting) -> list[tuple[str, ...]]:
    """Sometimes a new clef, key or meter, as lines of interpretations."""
    n_staves, lines = len(setting.clefs), []
    if rng.random() < 0.08 * setting.difficulty:
        staff = rng.randrange(n_staves)
        new = rng.choice([clef for clef in ("*clefG2", "*clefF4") if clef != setting.clefs[staff]])
        setting.clefs[staff] = new
        lines.append(tuple(new if index == staff else "*" for index in range(n_staves)))
    if rng.random() < 0.1 * setting.difficulty:
        setting.fifths = rng.choice([fifths for fifths in range(-5, 6) if fifths != setting.fifths])
        lines.append((key_signature(setting.fifths),) * n_staves)
    if rng.random() < 0.1 * setting.difficulty:
        setting.meter = rng.choice([meter for meter in _METERS[:6] if meter != setting.meter])
        lines.append((f"*M{setting.meter}",) * n_staves)
    return lines


def _rhythm(rng: random.Random, part: _Part, setting: _Setting) -> list[str]:
    """Durations of one measure; ``r`` after one is a rest."""
    whole = setting.length
    if whole in _WHOLE_MEASURES and rng.random() < 0.08 + 0.1 * (part.texture == "plain"):
        return [_WHOLE_MEASURES[whole] + ("r" if rng.random() < 0.25 else "")]
    recips: list[str] = []
    left = whole
    while left:
        beat = setting.beat
        longer = Fraction(3) if beat == Fraction(3, 2) else Fraction(2)
        aligned = (whole - left) % longer == 0
        size = longer if left >= longer and aligned and rng.random() < 0.5 - 0.3 * part.density else beat
        if left < size:
            size = left
        cells = _CELLS[size] if size in _CELLS else ((_WHOLE_MEASURES.get(size) or "8",),)
        reach = max(2, round(len(cells) * (0.25 + 0.75 * setting.difficulty)))
        cell = cells[min(int(rng.random() ** (1.8 - part.density) * reach), len(cells) - 1)]
        if part.texture == "plain":
            cell = cells[min(1, len(cells) - 1) if rng.random() < part.density else 0]
        recips += cell
        left -= size
    return recips


def _voice(rng: random.Random, part: _Part, setting: _Setting, register: tuple[int, int]) -> Voice:
    """One measure of one voice."""
    difficulty = setting.difficulty
    events: list[Event] = []
    for text in _rhythm(rng, part, setting):
        recip = text.rstrip("r")
        length = quarters(recip)
        if text != recip or (rng.random() < 0.07 and not part.tied):
            events.append(Event(recip, length))
            part.tied = ()
            continue
        heads = part.tied or _heads(rng, part, setting, register)
        if not part.tied and rng.random() < 0.04 * difficulty:
            events += _graces(rng, part.position, setting, register)
        was_tied, part.tied = bool(part.tied), ()
        if rng.random() < 0.09 * difficulty:
            part.tied = tuple(replace(head, tie="") for head in heads)
        tie = {(1, 1): "_", (1, 0): "]", (0, 1): "["}.get((was_tied, bool(part.tied)), "")
        events.append(Event(recip, length, tuple(replace(head, tie=tie) for head in heads)))
    beat = Fraction(2) if setting.beat == 1 and rng.random() < 0.3 else setting.beat
    voice = list(add_beams(tuple(events), beat))
    _add_signs(rng, voice, setting)
    _add_slurs(rng, voice, difficulty)
    return tuple(voice)


def _heads(rng: random.Random, part: _Part, setting: _Setting, register: tuple[int, int]) -> tuple[Head, ...]:
    low, high = register
    leap = rng.choice((-1, 1)) * rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 7))
    part.position = min(max(part.position + leap, low), high)
    positions = {part.position}
    if part.texture == "chords" or rng.random() < 0.08 * setting.difficulty:
        for interval in rng.sample((1, 2, 2, 3, 4, 5, 7), rng.randint(1, 1 + round(2 * setting.difficulty))):
            positions.add(part.position + interval)
    return tuple(
        Head(position, _pick_alteration(rng, position, setting))
        for position in sorted(positions)
        if position <= high
    )


def _pick_alteration(rng: random.Random, position: int, setting: _Setting) -> int:
    of_key = setting.alter(position)
    if rng.random() > 0.02 + 0.08 * setting.difficulty:
        return of_key
    if rng.random() < _UNUSUAL_ALTERATION_SHARE:
        return of_key + rng.choice((-1, 1))
    return rng.choice([alter for alter in (-1, 0, 1) if alter != of_key])


def _graces(rng: random.Random, position: int, setting: _Setting, register: tuple[int, int]) -> list[Event]:
    """One slashed grace note, or one or two plain ones."""
    if rng.random() < 0.6:
        recip, grace, count = "8", "q", 1
    else:
        recip, grace, count = rng.choice((("8", "qq", 1), ("16", "qq", 2)))
    low, high = register
    places = [min(max(position + step, low), high) for step in (rng.choice((-1, 1)), rng.choice((-2, 2)))]
    heads = [(Head(place, setting.alter(place)),) for place in places[:count]]
    beams = ["LL", "JJ"] if count == 2 else [""]
    return [
        Event(recip, Fraction(0), head, beam=beam, grace=grace)
        for head, beam in zip(heads, beams, strict=True)
    ]


def _add_signs(rng: random.Random, voice: list[Event], setting: _Setting) -> None:
    """Add articulations in runs, ornaments on single longer notes, and a fermata on the last note."""
    run = ""
    for index, event in enumerate(voice):
        if not event.heads or event.grace:
            run = ""
            continue
        if rng.random() < 0.4:
            run = rng.choice(_ARTICULATIONS) if rng.random() < 0.15 * setting.difficulty else ""
        signs = run if event.heads[0].tie in ("", "[") else ""
        if event.length >= Fraction(1, 2) and rng.random() < 0.06 * setting.difficulty:
            signs = _ornament_for_interval(rng.choice(_ORNAMENTS), event.heads[0], setting)
        if index == len(voice) - 1 and event.length >= 1 and rng.random() < 0.08 * setting.difficulty:
            signs += ";"
        voice[index] = replace(event, signs=signs)


def _ornament_for_interval(sign: str, head: Head, setting: _Setting) -> str:
    """The ornament, in lower case where its auxiliary note is a semitone away, as kern requires.

    Nothing where it is farther away than a tone: Verovio would draw an accidental over the sign.
    """
    if sign == "S":
        return sign
    auxiliary = head.position + (-1 if sign == "W" else 1)
    distance = abs(_semitones(auxiliary, setting.alter(auxiliary)) - _semitones(head.position, head.alter))
    return {1: sign.lower(), 2: sign}.get(distance, "")


def _semitones(position: int, alter: int) -> int:
    octave, step = divmod(position, 7)
    return 12 * octave + (0, 2, 4, 5, 7, 9, 11)[step] + alter


def _add_slurs(rng: random.Random, voice: list[Event], difficulty: float) -> None:
    """Add slurs over two to six notes without a rest, one after another."""
    index = 0
    while index < len(voice) - 1:
        length = rng.randint(2, 6)
        run = voice[index : index + length]
        is_run = len(run) > 1 and all(event.heads for event in run) and not run[-1].grace
        if is_run and not run[0].grace and rng.random() < 0.25 * difficulty:
            voice[index] = replace(run[0], slur="(")
            end = index + len(run) - 1
            voice[end] = replace(run[-1], slur=")")
            index = end + 1
        else:
            index += rng.randint(1, 3)
