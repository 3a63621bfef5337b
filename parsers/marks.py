"""Raised and lowered characters: which of them are footnote marks, and how both are written in plain text.

A small raised run is a footnote mark (``24.91`` with a raised ``2``) or belongs to what it stands on: a power
(``10`` with a raised ``6``, ``m`` with a raised ``2``), a charge, an ordinal (``4`` with a raised ``th``). In
plain text both are written with the superscripts of Unicode, so that none of them reads as a further digit;
under NFKC these are the ordinary characters again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain
from typing import Final

_BLOCKS: Final = (
    range(0xB2, 0xBA),
    range(0x2B0, 0x2B9),
    range(0x2E0, 0x2E4),
    range(0x1D2C, 0x1D6B),
    range(0x1D9B, 0x1DC0),
    range(0x2070, 0x209D),
    range(0x2C7C, 0x2C7E),
)
"""Where Unicode has superscripts and subscripts; the ordinal indicators ª and º are not among them."""


def _unicode_scripts(kind: str) -> dict[str, str]:
    """Ordinary character → its raised (``super``) or lowered (``sub``) form, by Unicode's decompositions."""
    forms: dict[str, str] = {}
    for code in chain(*_BLOCKS):
        tag, _, plain = unicodedata.decomposition(chr(code)).partition(" ")
        if tag == f"<{kind}>" and " " not in plain:
            forms.setdefault(chr(int(plain, 16)), chr(code))
    # Files write a minus sign as a hyphen or a dash, too.
    minus = forms["\N{MINUS SIGN}"]
    return forms | dict.fromkeys("-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}", minus)


_RAISED: Final = _unicode_scripts("super")

_LOWERED: Final = {plain: low for plain, low in _unicode_scripts("sub").items() if not plain.isalpha()}
"""Digits and signs alone: a lowered letter is an index, which reads as well beside its symbol."""

_NEIGHBORING_LETTERS: Final = re.compile(r"[^\W\d_]{2}")

_RAISED_END: Final = re.compile("[" + re.escape("".join(set(_RAISED.values()))) + "]+\\Z")


def superscript(text: str) -> str:
    """A raised run in plain text, with as many characters: ``2`` is ``²``, and ``a`` is ``ᵃ``.

    What Unicode has no raised form of stays as it is, as does a run with two letters side by side: an ordinal
    (``th``), a sign (``TM``).
    """
    if _NEIGHBORING_LETTERS.search(text):
        return text
    return "".join(_RAISED.get(character, character) for character in text)


def subscript(text: str) -> str:
    """A lowered run in plain text, with as many characters: ``2`` is ``₂``. Letters stay as they are."""
    return "".join(_LOWERED.get(character, character) for character in text)


def raised_end(text: str) -> str:
    """The superscripts of Unicode at the end of a text, as ordinary characters; empty without any."""
    match = _RAISED_END.search(text)
    return unicodedata.normalize("NFKC", match[0]) if match else ""


_ONE_MARK = r"(?:[1-9]\d{0,2}|[A-Za-z]|\*{1,4}|[†‡§¶#]{1,3})"

_MARK: Final = re.compile(rf"[(\[]?{_ONE_MARK}(?:[,–-]{_ONE_MARK})*[)\]]?")

# m, kg/m, 1/s, 5cm, R, x₁: a digit above these is a power.
_POWER_BASE: Final = re.compile(
    r"(?:\A|[^A-Za-zµμΩÅ])(?:[A-Za-zα-ωΑ-Ωµμ]|[kcdmnµμpMG]m|[kcmM]g|[mM]s|ha|ft|in|inch|yd|mi|sq|sec|min)[₀-₉]*\Z"
)

_POWER: Final = re.compile(r"[1-9]")

# 10, 3.2 × 10, 3.2x10; but neither 110 nor 0.10.
_TEN: Final = re.compile(r"(?:\A|[^\d.,])10\Z")

_CENT_DIGITS: Final = 2
"""Digits of cents, which price lists raise: ``$19`` with a raised ``99``."""

_ORDINAL_OR_DEGREE: Final = frozenset("oº°")


def is_footnote_mark(base: str, raised: str) -> bool:
    """Whether a raised run at the end of a word is a footnote mark, and not part of what stands below it.

    Marks are numbers of up to three digits, single letters, and the signs ``* † ‡ § ¶ #``; several are
    separated by commas. Where both readings are possible (``10`` with a raised ``1``, ``m`` with a raised
    ``2``) the run is left where it is, since a power torn off changes a value, and a mark left on keeps its
    text from being taken for a number.

    Args:
        base: what stands before it without a space; may be empty.
        raised: the run in ordinary characters.
    """
    if not _MARK.fullmatch(raised):
        return False
    if not base or raised[0] in "([":
        return True
    if base[-1].isdecimal():
        if raised.isdecimal() and any(unicodedata.category(character) == "Sc" for character in base):
            return len(raised) != _CENT_DIGITS
        return not _TEN.search(base) and raised not in _ORDINAL_OR_DEGREE
    return not (_POWER.fullmatch(raised) and _POWER_BASE.search(base))


def split_marks(raised: str) -> list[str]:
    """The marks of one raised run: ``1,a`` is two."""
    return [mark for mark in raised.split(",") if mark]


_MIN_POWERS: Final = 3
"""Cells of a column from which powers are told from numbers with footnote marks."""


def are_powers(texts: Iterable[str]) -> bool:
    """Whether the cells of a column, superscripts in Unicode's, are powers and not numbers with marks.

    Marks stand at some cells of a column. Where all of its numbers have a raised number, and the same one
    below it or each another raised one, these are powers: ``2¹⁰``, ``2¹¹``, ``2¹²`` is no row of twos.
    """
    bases: list[str] = []
    exponents: list[str] = []
    for text in texts:
        if text.strip():
            exponent = raised_end(text)
            base = text[: len(text) - len(exponent)]
            if not exponent.isdecimal() or not base[-1:].isdecimal():
                return False
            bases.append(base)
            exponents.append(exponent)
    n_exponents = len(set(exponents))
    is_one_base = len(set(bases)) == 1
    return len(bases) >= _MIN_POWERS and n_exponents > 1 and (is_one_base or n_exponents == len(bases))
