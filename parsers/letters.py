"""Whether text in Latin letters can be that of a language, by the pairs of its letters.

Fonts without a usable map to Unicode give other letters than they show: each letter is another one
throughout, often all of them shifted by the same number of codes. Such text has the words and the rhythm of a
language, and pairs of letters that no language has.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

_LEVELS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/"

_STEP: Final = -0.15
"""Natural logarithm of one level."""

_PAIRS: Final = (
    "/HMMHJOPPKPKMKKMJaOHKPMPhSU",
    "9OTQMXWRSPVPHMDZSiGJJRRabSU",
    "LBUabBhghEYeJhXFhiGVbGfaiNg",
    "IDkWiEkkCDYMSfUEkiQVOMjhkST",
    "DDdjP8igSDbaWaSHjnOSXMaaoVT",
    "9TVQNQZQXPWRINDYUmEHJVTbcZV",
    "FFefaFNadDXcNfYBffEVNKfafSf",
    "ADdhZDhSRGVYNXRIdkIQUJfVkPg",
    "CBhjaAhihFYWVYTFfbPcMJYXjRj",
    "CKVLNIXPYTRLJNDMUgMGJVSfiWT",
    "J9fdY8egfFgWcYSFfgfOYGYfgdf",
    "F9gcgFlkWFeTOTYDklMNLGaWlRk",
    "EAWbSDbXdCUTISVHcpkPPLYepRi",
    "DAMhdBeYfEXYYQXHNmZTYJmXmYh",
    "9EfPIGbGWGWUagRKpogLIRdfqQa",
    "CWQPLVROWSSPIJEOPlEINPMTkbT",
    "LBjciDeePGcgLgbCQjDSQKheebi",
    "OHUUQHUUUJTUUUULUUUTU5UUUQU",
    "CDVUODaRYDbRUQQGZkTNLMVcpTW",
    "AGcPgFgeOGcJSVYKPmcOCNWeqVT",
    "CCckoCigLEeaWdXGlqIPOKXbpSe",
    "CNPQNLZQVNTPIKDSOhGGKQUabaS",
    "G9idd9ighCbcThPGgiSUdPfiiOZ",
    "F7cXZEdbVEecUaNIceSSdUeceJc",
    "BBSQPIUUQFUUURUOOUUULKUSUSU",
    "8DUNLLTUWOYROMHKVhNKPTVThbZ",
    "FCUWQDdWWCaTSRJIWeWSPMRVeOW",
)
"""Logarithm of how probable a letter is after another, as levels: rows for the first, columns for the
second, both ``^`` (begin or end of a word), then ``a`` to ``z``. The mean over 31 languages written in Latin
letters, accents left out, of the pairs in the profiles of langdetect 1.0.9 (Apache License 2.0, made from
Wikipedia)."""

_LOGARITHMS: Final = tuple(tuple(_STEP * _LEVELS.index(level) for level in row) for row in _PAIRS)

_OTHER_LETTERS: Final = str.maketrans("ßæøœđłıðþə", "saoodlidte")

_LETTERS: Final = re.compile("[a-z]+")

_NUMBER: Final = re.compile(r"[\d.,:/%()+-]+")

_EDGES: Final = ".,;:!?()[]{}\"'“”‘’«»„…-–—"

MIN_LANGUAGE: Final = -3.3
"""Mean logarithm below which text is no language: real ones have -2.9 (Welsh) to -2.4, their ciphers -3.3 to
-4.3."""

_MIN_DECODED: Final = -2.85
"""As above, from which a shifted text is a language."""

_MIN_GAIN: Final = 25.0
"""Logarithm by which the shifted text is more probable, all letters together: 94 shifts are tried."""

_MIN_LETTERS: Final = 80
"""Letters from which pairs alone tell."""

_MIN_ALPHABET: Final = 11
"""Different letters from which words are no sequences of bases or the like."""

_SHORT_WORDS: Final = (0.1, 0.7)
"""Share of words of up to three letters, from and to: languages have 0.2 to 0.5."""

_MIN_IN_LONG_WORDS: Final = 0.7
"""Share of letters in words of three and more; formulas have single ones."""

_MAX_OF_ONE_LENGTH: Final = 0.4
"""Share of words of one length; codes and keys have the same."""

_MIN_SHIFTED: Final = 20
"""Letters from which a shift is looked for."""

_MIN_PLAIN_SHARE: Final = 0.6
"""Share of words, and of characters, that are letters alone in text of a language."""

_MAX_WORD: Final = 20
"""Letters; longer words are sequences and keys."""

_PRINTABLE: Final = range(33, 127)


def is_enciphered(words: Sequence[str]) -> bool:
    """Whether words, all in one font, are those of a language in other letters than its own.

    Few words, numbers, codes, formulas, sequences, tables of abbreviations and other scripts are not.
    """
    # A label that comes again and again says no more than once.
    words = sorted(set(words))
    mean, n = _score(words)
    if n < _MIN_SHIFTED or mean >= MIN_LANGUAGE:
        return False
    return _has_foreign_pairs(words) or _is_shifted(words, mean)


def language_score(words: Iterable[str]) -> float:
    """Mean logarithm of the probability of each letter after the one before; 0 without any Latin letter."""
    return _score(words)[0]


def _score(words: Iterable[str]) -> tuple[float, int]:
    """The mean of :func:`language_score`, and of how many pairs."""
    runs = [run for word in words for run in _LETTERS.findall(_fold(word)) if len(run) <= _MAX_WORD]
    n = sum(map(len, runs)) + len(runs)
    return (sum(map(_pairs_of, runs)) / n if n else 0.0), n


def _is_shifted(words: Sequence[str], mean: float) -> bool:
    """Whether the words are a language's with all of their characters moved by one number of codes."""
    size = len(_PRINTABLE)
    words = [word for word in words if not _NUMBER.fullmatch(word)]
    for shift in range(1, size):
        table = {code: _PRINTABLE[(code - _PRINTABLE[0] + shift) % size] for code in _PRINTABLE}
        moved = [word.translate(table) for word in words]
        plain = [word for one in moved if _LETTERS.fullmatch(word := one.lower().strip(_EDGES))]
        n_letters = sum(map(len, plain))
        if len(set("".join(plain))) < _MIN_ALPHABET or n_letters < max(
            _MIN_SHIFTED, _MIN_PLAIN_SHARE * sum(map(len, moved))
        ):
            continue
        score, n = _score(plain)
        if score >= _MIN_DECODED and (score - mean) * n >= _MIN_GAIN:
            return True
    return False


def _has_foreign_pairs(words: Sequence[str]) -> bool:
    """Whether words have the lengths of a language's, and pairs of letters that no language has."""
    folded = [bare for word in words if (bare := _fold(word).strip(_EDGES))]
    plain = [word for word in folded if _LETTERS.fullmatch(word) and len(word) <= _MAX_WORD]
    n_letters = sum(map(len, plain))
    n_with_letters = sum(_LETTERS.search(word) is not None for word in folded)
    if n_letters < _MIN_LETTERS or len(plain) < _MIN_PLAIN_SHARE * n_with_letters:
        return False
    lengths = Counter(map(len, plain))
    n_short = sum(lengths[length] for length in (1, 2, 3))
    n_in_long = sum(length * count for length, count in lengths.items() if length > 2)
    has_rhythm = (
        len(set("".join(plain))) >= _MIN_ALPHABET
        and _SHORT_WORDS[0] * len(plain) <= n_short <= _SHORT_WORDS[1] * len(plain)
        and n_in_long >= _MIN_IN_LONG_WORDS * n_letters
        and max(lengths.values()) <= _MAX_OF_ONE_LENGTH * len(plain)
    )
    return has_rhythm and _score(plain)[0] < MIN_LANGUAGE


def _pairs_of(word: str) -> float:
    before, total = 0, 0.0
    for letter in word:
        after = ord(letter) - 96
        total += _LOGARITHMS[before][after]
        before = after
    return total + _LOGARITHMS[before][0]


def _fold(word: str) -> str:
    """Small letters without accents."""
    word = word.lower()
    if word.isascii():
        return word
    split = unicodedata.normalize("NFKD", word.translate(_OTHER_LETTERS))
    return "".join(character for character in split if not unicodedata.combining(character))
