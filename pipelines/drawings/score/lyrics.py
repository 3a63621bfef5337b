"""Words that stand under the notes of a staff: lyrics, which kern of notes has no place for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.score.phrases import Word, join_words
from docai.pipelines.drawings.score.types import System

DYNAMIC: Final = re.compile(
    r"[pmfsrzn]+|cresc|dim|decresc|Ped|ped|Fine|D|C|S|al|rit|sempre|poco|a|e|più|dolce"
)
"""Words under a staff that are no lyrics, without their points."""

DEEP_SPACES: Final = 10.0
"""How far under their staff words of lyrics are at most, in staff spaces."""

BESIDE_SPACES: Final = 1.5
"""How far the begin or the middle of a syllable is from its note at most, in staff spaces."""

UNDER_NOTES: Final = 0.6
"""Share of the words of a line of lyrics, at least, that are under notes."""


def find_lyrics(system: System) -> list[str]:
    """Words and syllables in lines under the staves of a system, from the top; empty where there are none."""
    found: list[str] = []
    lines: list[list[Word]] = []
    for word in join_words(system.texts):
        last = lines[-1][-1].letters[0] if lines else None
        first = word.letters[0]
        if last is not None and abs(first.baseline - last.baseline) <= 0.3 * first.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    for line in lines:
        words = [word for word in line if any(letter.isalpha() for letter in word.text)]
        sung = [word for word in words if not DYNAMIC.fullmatch(word.text.strip(".,"))]
        if len(words) >= 2 and sung and _are_under_notes(words, system):
            found += [word.text for word in line]
    return found


def _are_under_notes(words: Sequence[Word], system: System) -> bool:
    y = (words[0].bbox[1] + words[0].bbox[3]) / 2
    above = [number for number, staff in enumerate(system.staves) if staff.lines[-1] < y]
    if not above or system.staves[above[-1]].is_tablature:
        return False
    staff = system.staves[above[-1]]
    if y - staff.lines[-1] > DEEP_SPACES * staff.space:
        return False
    xs = [chord.x for chord in system.chords if chord.staff == above[-1]]
    near = BESIDE_SPACES * staff.space
    n_under = sum(
        any(min(abs(x - word.bbox[0]), abs(x - (word.bbox[0] + word.bbox[2]) / 2)) <= near for x in xs)
        for word in words
    )
    return n_under >= UNDER_NOTES * len(words)
