"""Seeded random passages of music in Humdrum ``**kern``, one voice per staff.

As kern requires, a pitch has its accidental also where the key or an earlier note of the measure implies it
(``f#`` in G major), and ``n`` where a natural sign is drawn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

from docai.pipelines.synthesis.base import lerp

LETTERS = "cdefgab"
SHARPS = "fcgdaeb"
CLEFS = {"*clefG2": (26, 42), "*clefF4": (15, 31)}
"""Clef → range of diatonic positions, one per letter; 28 is middle C."""
METERS = {
    "*M4/4": (4, Fraction(1)),
    "*M3/4": (3, Fraction(1)),
    "*M2/4": (2, Fraction(1)),
    "*M6/8": (2, Fraction(3, 2)),
}
"""Meter → number of beats, and quarters per beat."""
_SIMPLE_BEATS = (("4",), ("8", "8"), ("8.", "16"), ("16", "16", "8"), ("8", "16", "16"), ("16",) * 4)
_COMPOUND_BEATS = (("4.",), ("4", "8"), ("8", "8", "8"), ("8", "4"), ("8", "16", "16", "8"))
_LONG_NOTES: dict[tuple[str, int], tuple[str, ...]] = {
    ("*M4/4", 4): ("1",),
    ("*M4/4", 2): ("2",),
    ("*M3/4", 3): ("2.",),
    ("*M3/4", 2): ("2",),
    ("*M2/4", 2): ("2",),
    ("*M6/8", 2): ("2.",),
}
"""Meter and number of beats → the note that fills them."""


@dataclass(frozen=True)
class _Passage:
    meter: str
    key: dict[str, str]
    """Letter → accidental of the key signature."""
    difficulty: float


def quarters(recip: str) -> Fraction:
    """Length in quarters of a kern duration such as ``8.``."""
    plain = Fraction(4, int(recip.rstrip(".")))
    return plain * (2 - Fraction(1, 2 ** recip.count(".")))


def passage(rng: random.Random, difficulty: float) -> str:
    """One passage: a staff and a measure at difficulty 0, up to a grand staff of four measures at 1."""
    clefs = ["*clefF4", "*clefG2"] if rng.random() < 0.8 * difficulty else [rng.choice(list(CLEFS))]
    if difficulty < 0.2:
        clefs = [rng.choice(("*clefG2", "*clefG2", "*clefF4"))]
    n_measures = lerp(rng, (1, 1), (1, 4), difficulty)
    fifths = rng.randint(-4, 4) if rng.random() < 0.3 + 0.5 * difficulty else 0
    flats = SHARPS[::-1]
    altered = SHARPS[:fifths] if fifths > 0 else flats[:-fifths]
    accidental = "#" if fifths > 0 else "-"
    meters = list(METERS) if difficulty > 0.4 else ["*M4/4", "*M3/4", "*M2/4"]
    setting = _Passage(rng.choice(meters), dict.fromkeys(altered, accidental), difficulty)
    signature = f"*k[{''.join(letter + accidental for letter in altered)}]"
    spines = [_spine(rng, clef, n_measures, setting) for clef in clefs]

    lines = [["**kern"] * len(clefs), clefs, [signature] * len(clefs), [setting.meter] * len(clefs)]
    for measure in range(n_measures):
        lines.append([f"={measure + 1}"] * len(clefs))
        lines.extend(_aligned([spine[measure] for spine in spines]))
    lines += [["=="] * len(clefs), ["*-"] * len(clefs)]
    return "\n".join("\t".join(line) for line in lines)


def _aligned(measure: list[list[tuple[str, Fraction]]]) -> list[list[str]]:
    """Tokens of each spine, with their lengths, as lines; ``.`` where a spine has nothing new."""
    onsets: list[dict[Fraction, str]] = []
    for tokens in measure:
        now, starts = Fraction(0), {}
        for token, length in tokens:
            starts[now] = token
            now += length
        onsets.append(starts)
    times = sorted({time for starts in onsets for time in starts})
    return [[starts.get(time, ".") for starts in onsets] for time in times]


def _spine(
    rng: random.Random, clef: str, n_measures: int, setting: _Passage
) -> list[list[tuple[str, Fraction]]]:
    """Measures of one staff, each a list of token and length in quarters."""
    low, high = CLEFS[clef]
    position = rng.randint(low + 3, high - 3)
    measures = []
    for _ in range(n_measures):
        shown: dict[int, str] = {}
        tokens: list[tuple[str, Fraction]] = []
        for group in _rhythm(rng, setting):
            rests = [rng.random() < 0.1 * (0.3 + setting.difficulty) for _ in group]
            marks = beams(group, rests)
            for recip, is_rest, beam in zip(group, rests, marks, strict=True):
                leap = rng.choice((-1, 1)) * rng.choice((0, 1, 1, 1, 2, 2, 3, 4, 5))
                position = min(max(position + leap, low), high)
                if is_rest:
                    tokens.append((f"{recip}r", quarters(recip)))
                    continue
                chord = _chord(rng, position, high, setting)
                notes = [f"{recip}{_pitch(rng, step, setting, shown)}" for step in chord]
                notes[0] += beam
                tokens.append((" ".join(notes), quarters(recip)))
        measures.append(tokens)
    return measures


def _rhythm(rng: random.Random, setting: _Passage) -> list[tuple[str, ...]]:
    """Groups of durations that fill a measure; each group is beamed by itself."""
    n_beats, beat = METERS[setting.meter]
    patterns = _SIMPLE_BEATS if beat == 1 else _COMPOUND_BEATS
    allowed = patterns[: max(1, round(len(patterns) * min(1.0, 1.4 * setting.difficulty)))]
    groups: list[tuple[str, ...]] = []
    left = n_beats
    while left:
        longer = [
            (n, recips)
            for (meter, n), recips in _LONG_NOTES.items()
            if meter == setting.meter and n <= left and not (n < n_beats and (n_beats - left) % 2)
        ]
        if longer and rng.random() < 0.3:
            n, recips = rng.choice(longer)
        elif beat == 1 and left >= 2 and setting.difficulty > 0.3 and rng.random() < 0.1:
            n, recips = 2, ("4.", "8")
        else:
            n, recips = 1, rng.choice(allowed)
        groups.append(recips)
        left -= n
    return groups


def beams(group: tuple[str, ...], rests: list[bool]) -> list[str]:
    """Beam marks of each note of a group: L opens, J closes, K and k are hooks."""
    flags = [
        0 if is_rest else max(0, int(recip.rstrip(".")).bit_length() - 3)
        for recip, is_rest in zip(group, rests, strict=True)
    ]
    marks = []
    for index, own in enumerate(flags):
        before = min(own, flags[index - 1]) if index else 0
        after = min(own, flags[index + 1]) if index + 1 < len(flags) else 0
        hooks = own - max(before, after) if before or after else 0
        opening, closing = max(0, after - before), max(0, before - after)
        marks.append("L" * opening + "J" * closing + ("k" if before else "K") * hooks)
    return marks


def _chord(rng: random.Random, position: int, high: int, setting: _Passage) -> list[int]:
    """Diatonic positions from low to high."""
    chord = [position]
    if rng.random() < 0.3 * setting.difficulty:
        for interval in rng.sample((2, 4, 5, 7), rng.randint(1, 2)):
            if position + interval <= high:
                chord.append(position + interval)
    return sorted(chord)


def _pitch(rng: random.Random, position: int, setting: _Passage, shown: dict[int, str]) -> str:
    """Kern pitch; ``shown`` holds the accidentals that the measure has set so far, by position."""
    octave, step = divmod(position, 7)
    letter = LETTERS[step]
    of_key = setting.key.get(letter, "")
    current = shown.get(position, of_key)
    accidental = current
    if rng.random() < 0.1 * setting.difficulty:
        choices = [sign for sign in ("#", "-", "") if letter + sign not in ("e#", "b#", "c-", "f-")]
        accidental = rng.choice(choices)
    shown[position] = accidental
    name = letter * (octave - 3) if octave >= 4 else letter.upper() * (4 - octave)
    return name + ("n" if accidental == "" and current else accidental)
