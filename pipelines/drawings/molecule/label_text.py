"""The characters of a label as units of a formula: symbols of elements, names of groups, counts, charges."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

from docai.parsers.molecule_labels import DOUBTFUL_ELEMENTS, ELEMENTS, GROUPS, LIKELY_GROUPS
from docai.pipelines.drawings.molecule.label_formula import Unit

MAX_READINGS: Final = 12
"""Ways to divide a label into symbols that are tried."""

MAX_CHARACTERS: Final = 40
"""Characters above which letters are no label of an atom."""

_ORGANIC: Final = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "Se"])
_ISOTOPES: Final = {"D": 2, "T": 3}
_GENERIC: Final = ("Ar", "Het", "Hal", "Alk", "R", "X", "Y", "Z", "Q", "A", "L", "M", "G", "E", "W")
"""What stands for any atom or group; each may have a number and primes."""

_COMMON_GENERIC: Final = frozenset(("Ar", "R", "X", "Y", "Z", "Q", "A"))
"""Those that need no second look."""

_ALIASES: Final = {
    "tert-Bu": "tBu",
    "t-Butyl": "tBu",
    "tBuyl": "tBu",
    "But": "tBu",
    "Bu-t": "tBu",
    "Bun": "nBu",
    "Bu-n": "nBu",
    "Bui": "iBu",
    "Bu-i": "iBu",
    "Bus": "sBu",
    "Pri": "iPr",
    "Pr-i": "iPr",
    "Prn": "nPr",
    "Pr-n": "nPr",
    "n-Pr": "nPr",
    "Methyl": "Me",
    "Ethyl": "Et",
    "Phenyl": "Ph",
    "C6H5": "Ph",
    "C6H11": "Cy",
    "BOC": "Boc",
    "CBZ": "Cbz",
    "FMOC": "Fmoc",
}
"""Other spellings of names in the table of groups."""

_SAME: Final = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "‐": "-",
        "‑": "-",
        "⁻": "-",
        "⊖": "-",
        "⊝": "-",
        "⁺": "+",
        "⊕": "+",
        "＋": "+",
        "’": "'",
        "′": "'",
        "‵": "'",
        "`": "'",
        "″": '"',
        "∗": "*",
        "⁎": "*",
        "＊": "*",
        "•": ".",
        "·": ".",
        "∙": ".",
        "⋅": ".",
        "●": ".",
        "≡": "#",
        "═": "=",
        "_": "-",
        "Α": "A",
        "Β": "B",
        "Η": "H",
        "Ι": "I",
        "Κ": "K",
        "Ν": "N",
        "Ο": "O",
        "Ρ": "P",
        "С": "C",
        "О": "O",
        "Н": "H",
        "Р": "P",
        "[": "(",
        "]": ")",
    }
)
"""Characters that stand for others in a formula."""

_BOND_ORDERS: Final = {"-": 1, "=": 2, "#": 3}


class Character(NamedTuple):
    """One character of a label; ``script`` is 1 raised, -1 lowered, 0 neither."""

    text: str
    script: int
    letter: int
    """Index in ``LabelMark.letters``."""


class Reading(NamedTuple):
    """One way to read the characters: the units, and how far-fetched it is."""

    units: tuple[Unit, ...]
    cost: float
    multiple: int = 1
    """Of a number before the formula: ``2 HCl``."""


def plain_characters(text: str) -> str:
    """The text in the characters that formulas are read in."""
    return unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME).strip()


@cache
def group_names() -> tuple[str, ...]:
    """Labels of the table of groups that are names, no formulas of elements and names; longest first."""
    names: list[str] = [*_ALIASES]
    for label in sorted(GROUPS, key=len):
        known = "|".join(sorted((re.escape(word) for word in (*names, *_ORGANIC)), key=len, reverse=True))
        if label in LIKELY_GROUPS or not re.fullmatch(rf"(?:(?:{known})|\d+|[()])+", label):
            names.append(label)
    return tuple(
        sorted({*names, *(name.replace("-", "") for name in names)}, key=lambda name: (-len(name), name))
    )


def table_name(name: str) -> str:
    """The name as the table of groups has it."""
    name = _ALIASES.get(name, name)
    if name in GROUPS:
        return name
    return next((label for label in GROUPS if label.replace("-", "") == name), name)


def read_units(characters: Sequence[Character]) -> list[Reading]:
    """The ways in which characters make units, the most likely first; empty where they make none."""
    if not characters or len(characters) > MAX_CHARACTERS:
        return []
    reader = _UnitReader(characters)
    start, multiple = _leading_number(characters)
    found = [Reading(units, cost, multiple) for units, cost in reader.sequences(start, depth=0) if units]
    return sorted(found, key=lambda reading: reading.cost)[:MAX_READINGS]


def _leading_number(characters: Sequence[Character]) -> tuple[int, int]:
    """Where the formula begins, and the number before it, which is not that of an isotope."""
    start = 0
    while start < len(characters) and characters[start].text == ".":
        start += 1
    end = start
    while end < len(characters) and characters[end].text.isdigit() and not characters[end].script:
        end += 1
    number = "".join(character.text for character in characters[start:end])
    if not number or end == len(characters) or len(number) > 1 or not 1 < int(number) < 10:
        return start, 1
    following = characters[end].text
    return (
        (start, 1)
        if following in ("H", "*") and number in "23" and end + 1 == len(characters)
        else (end, int(number))
    )


class _UnitReader:
    def __init__(self, characters: Sequence[Character]) -> None:
        self._characters = characters
        self._text = "".join(character.text[:1] or "?" for character in characters)
        self._n_left = 400

    def sequences(self, at: int, depth: int) -> list[tuple[tuple[Unit, ...], float]]:
        """All readings from a place on to the end, or outside of parentheses to where nothing fits."""
        end = len(self._text)
        results: list[tuple[tuple[Unit, ...], float]] = []

        def extend(place: int, units: tuple[Unit, ...], cost: float, order: int) -> None:
            if self._n_left <= 0 or len(results) >= 3 * MAX_READINGS:
                return
            self._n_left -= 1
            if place == end:
                if not order:
                    results.append((units, cost))
                return
            for unit, stop, extra in self._units(place, depth, has_unit=bool(units)):
                extend(stop, (*units, replace(unit, order=order) if order else unit), cost + extra, 0)
            mark = self._text[place]
            if (
                mark in _BOND_ORDERS
                and not order
                and not self._characters[place].script
                and place + 1 < end
                and units
            ):
                extend(place + 1, units, cost + (0.3 if mark == "-" else 0.0), _BOND_ORDERS[mark])
            if mark in ".:" and units and not order:
                yielded = self._with_radical(units) if mark == "." else units
                if yielded is not None:
                    extend(place + 1, yielded, cost + 0.2, 0)

        extend(at, (), 0.0, 0)
        return results

    @staticmethod
    def _with_radical(units: tuple[Unit, ...]) -> tuple[Unit, ...] | None:
        for index in range(len(units) - 1, -1, -1):
            if units[index].symbol not in ("H", "", "("):
                return (
                    *units[:index],
                    replace(units[index], radicals=units[index].radicals + 1),
                    *units[index + 1 :],
                )
        return None

    def _units(self, at: int, depth: int, *, has_unit: bool) -> Iterator[tuple[Unit, int, float]]:
        """Units that may begin at a place: unit, where it ends, cost."""
        text, characters = self._text, self._characters
        if text[at] == "(":
            yield from self._parenthesis(at, depth)
            return
        if (charge := self._charge(at)) is not None and (has_unit or at + 1 < len(text)):
            value, stop = charge
            letters = tuple(character.letter for character in characters[at:stop])
            yield Unit("", charge=value, letters=letters), stop, 0.0
        isotope, start = self._isotope(at, has_unit=has_unit)
        if start >= len(text):
            return
        for symbol, label, stop, cost in self._symbols(start):
            count, after, extra = (
                (1, stop, 0.0) if symbol == "*" and label[-1:].isdigit() else self._count(stop)
            )
            if symbol == "*" and not label and isotope:
                cost = 0.0
            unit = Unit(
                symbol,
                label,
                count,
                isotope=isotope
                or (_ISOTOPES[text[start]] if symbol == "H" and text[start] in _ISOTOPES else 0),
                letters=tuple(character.letter for character in characters[start:stop]),
            )
            yield unit, after, cost + extra

    def _parenthesis(self, at: int, depth: int) -> Iterator[tuple[Unit, int, float]]:
        level, stop = 0, at
        for stop in range(at, len(self._text)):
            level += {"(": 1, ")": -1}.get(self._text[stop], 0)
            if not level:
                break
        if level or stop == at + 1 or depth > 3:
            return
        inner = _UnitReader(self._characters[at + 1 : stop])
        order = 0
        start = 0
        if self._text[at + 1] in "=#" and stop > at + 2:
            order, start = _BOND_ORDERS[self._text[at + 1]], 1
        for parts, cost in inner.sequences(start, depth + 1)[:4]:
            if not parts:
                continue
            first = replace(parts[0], order=order) if order else parts[0]
            count, after, extra = self._count(stop + 1)
            letters = (self._characters[at].letter, self._characters[stop].letter)
            yield Unit("(", count=count, parts=(first, *parts[1:]), letters=letters), after, cost + extra

    def _count(self, at: int) -> tuple[int, int, float]:
        """A number after a unit, where it ends, and its cost."""
        stop = at
        while stop < len(self._text) and self._text[stop].isdigit() and stop - at < 2:
            if stop > at and self._characters[stop].script != self._characters[at].script:
                break
            stop += 1
        if stop == at:
            return 1, at, 0.0
        number = int(self._text[at:stop])
        if self._characters[at].script > 0:
            # Raised digits are the charge that follows, or the isotope of the next element.
            return 1, at, 0.0
        return (number, stop, 0.0) if 1 < number <= 40 else (1, at, 0.0)

    def _isotope(self, at: int, *, has_unit: bool) -> tuple[int, int]:
        stop = at
        while stop < len(self._text) and self._text[stop].isdigit() and stop - at < 3:
            stop += 1
        if stop == at or stop == len(self._text):
            return 0, at
        if self._text[at] == "0":
            return 0, at
        raised = self._characters[at].script > 0
        return (int(self._text[at:stop]), stop) if raised or not has_unit else (0, at)

    def _charge(self, at: int) -> tuple[int, int] | None:
        """A charge mark that begins at a place, and where it ends."""
        match = re.compile(r"(\d?)([+]+|-+)(\d?)").match(self._text, at)
        if match is None:
            return None
        before, signs, after = match.groups()
        if before and self._characters[at].script <= 0:
            return None
        stop = match.end()
        if after and (before or self._characters[stop - 1].script <= 0):
            after, stop = "", stop - 1
        sign_at = at + len(before)
        is_last = stop == len(self._text)
        if signs[0] == "-" and at and not is_last and self._characters[sign_at].script <= 0:
            return None
        size = int(before or after or 0) or len(signs)
        return (size if signs[0] == "+" else -size), stop

    def _symbols(self, at: int) -> Iterator[tuple[str, str, int, float]]:
        """Symbols and names at a place: symbol, name of the group, where it ends, cost."""
        text = self._text
        if not (text[at].isalpha() or text[at] == "*"):
            return
        if text[at] == "*":
            yield "*", "", at + 1, 0.5
            return
        two = text[at : at + 2] if at + 1 < len(text) else ""
        if two in _ORGANIC:
            yield two, "", at + 2, 0.0
        for name in group_names():
            if text.startswith(name, at):
                # After a capital letter a small one is more likely the rest of a symbol: SnBu3.
                yield "*", table_name(name), at + len(name), 0.3 if name[0].isupper() or not at else 0.8
        if text[at] in _ORGANIC:
            yield text[at], "", at + 1, 0.6 if two in ELEMENTS and two in _ORGANIC else 0.0
        if text[at] in _ISOTOPES and not text[at + 1 : at + 2].islower():
            yield "H", "", at + 1, 0.4
        for name in _GENERIC:
            if text.startswith(name, at) and not (len(name) == 1 and text[at + 1 : at + 2].islower()):
                match = re.compile(r"\d{0,2}['\"]{0,3}").match(text, at + len(name))
                stop = match.end() if match else at + len(name)
                cost = 1.0 if name in _COMMON_GENERIC else 4.0
                yield "*", text[at:stop].replace('"', "''"), stop, cost
                if stop > at + len(name):
                    yield "*", name, at + len(name), cost + 0.6
        if two in ELEMENTS and two not in _ORGANIC:
            yield two, "", at + 2, 4.0 if two in LIKELY_GROUPS else 2.0 if two in DOUBTFUL_ELEMENTS else 0.5
        if text[at] in ELEMENTS and text[at] not in _ORGANIC:
            yield text[at], "", at + 1, 2.0
