"""Letters of a page of music as words: lyrics, numbers, directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from docai.geometry import BBox, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.types import Symbol

WORD_GAP_EM: Final = 0.22
"""Gap between two letters of a word at most, ems."""

SAME_BASELINE_EM: Final = 0.15
"""Difference of the base lines of two letters of a word at most, ems."""

SYMBOL_TEXTS: Final[Mapping[str, str]] = {
    "dynamicPiano": "p",
    "dynamicMezzo": "m",
    "dynamicForte": "f",
    "dynamicRinforzando": "r",
    "dynamicSforzando": "s",
    "dynamicZ": "z",
    "dynamicNiente": "n",
    "dynamicPPPP": "pppp",
    "dynamicPPP": "ppp",
    "dynamicPP": "pp",
    "dynamicMP": "mp",
    "dynamicMF": "mf",
    "dynamicPF": "pf",
    "dynamicFF": "ff",
    "dynamicFFF": "fff",
    "dynamicFFFF": "ffff",
    "dynamicFortePiano": "fp",
    "dynamicSforzando1": "sf",
    "dynamicSforzandoPiano": "sfp",
    "dynamicSforzato": "sfz",
    "dynamicSforzatoFF": "sffz",
    "dynamicRinforzando2": "rfz",
    "segno": "𝄋",
    "coda": "𝄌",
    "keyboardPedalPed": "Ped.",
    "keyboardPedalUp": "*",
}
"""Symbols of SMuFL that are words, as text."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """Letters side by side."""

    text: str
    bbox: BBox
    letters: tuple[Letter, ...]


def join_words(letters: Iterable[Letter]) -> list[Word]:
    """Level letters as words, by base line and then from the left."""
    rows: list[list[Letter]] = []
    for letter in sorted(letters, key=lambda letter: letter.baseline):
        near = SAME_BASELINE_EM * letter.size
        if rows and abs(letter.baseline - rows[-1][-1].baseline) <= near:
            rows[-1].append(letter)
        else:
            rows.append([letter])
    words = []
    for row in rows:
        row.sort(key=lambda letter: letter.bbox[0])
        word: list[Letter] = []
        for letter in row:
            if word and (
                letter.bbox[0] - word[-1].bbox[2] > WORD_GAP_EM * letter.size
                or max(letter.size, word[-1].size) > 1.3 * min(letter.size, word[-1].size)
            ):
                words.append(_word(word))
                word = []
            word.append(letter)
        words.append(_word(word))
    return words


def _word(letters: list[Letter]) -> Word:
    text = "".join(letter.text for letter in letters).strip()
    return Word(text, union(letter.bbox for letter in letters), tuple(letters))


def letters_of_symbol(symbol: Symbol) -> Letter | None:
    """A dynamic mark or another word that is a music symbol, as a letter; None for other symbols."""
    text = SYMBOL_TEXTS.get(symbol.name)
    if text is None and symbol.name.startswith(("tuplet", "fingering", "timeSig")):
        text = symbol.name[-1] if symbol.name[-1].isdigit() else None
    if text is None:
        return None
    paths = () if symbol.path is None else (symbol.path,)
    return Letter(
        text,
        symbol.bbox,
        symbol.size / 2,
        symbol.origin[1],
        symbol.order,
        symbol.score,
        paths=paths,
        glyph=symbol.glyph,
    )
