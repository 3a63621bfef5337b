"""Numbers of a column that a footnote mark may have become a digit of.

A mark that lost its raised position stands behind a number as one more digit: ``24.91`` with the mark 2 reads
``24.912``, ``1,204`` with the mark 1 reads ``1,2041``. No cell shows that by itself, but its column may. A
number is *touched* where all others of its column are written in one way, it is not, and it would be without
its last digit or two:

- **Decimals.** The others have the same number of decimals, it has one or two more. That it is the smallest
  is a reason of its own to have more of them, as rounding to significant digits gives.
- **Groups.** The others have three digits after each comma or point, it has four or five after the last.
- **No groups.** The others part their thousands, it has as many digits and does not, and is no year.

Of few numbers nothing is said, nor where more than a quarter of a column differs: that is another way of
writing, not a mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from docai.parsers.numbers import Numeral

_MIN_OTHERS: Final = 3
"""Numbers of a column that have to be written alike before one is held against them."""

_MIN_GROUPED: Final = 2
"""Numbers with parted thousands from which thousands are parted in a column."""

_MAX_SHARE: Final = 0.25
"""Share of the numbers of a column that may be touched."""

_MAX_MARK_DIGITS: Final = 2

_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[., '][0-9]{3})+")

_LONG_GROUP: Final = re.compile(r"[0-9]{1,3}(?:[.,'][0-9]{3})*[.,'][0-9]{3}[1-9][0-9]?")

_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}")

_LAST_MARK: Final = re.compile(r"[.,]([0-9]+)\Z")


def touched_numbers(numerals: Sequence[Numeral | None]) -> set[int]:
    """Indices of the numbers in one column that a mark may have become a digit of; None is no number."""
    bodies = {index: numeral.body for index, numeral in enumerate(numerals) if numeral is not None}
    for suspects in (_with_long_groups(bodies), _with_more_decimals(bodies), _without_groups(bodies)):
        if suspects and len(suspects) <= max(1, _MAX_SHARE * len(bodies)):
            return suspects
    return set()


def _with_long_groups(bodies: dict[int, str]) -> set[int]:
    """``1,2041`` beside ``1,203`` and ``956``."""
    suspects = {index for index, body in bodies.items() if _LONG_GROUP.fullmatch(body)}
    others = [body for index, body in bodies.items() if index not in suspects]
    grouped = [body for body in others if _GROUPED.fullmatch(body)]
    are_short = all(body in grouped or (body.isdecimal() and len(body) <= 3) for body in others)
    return suspects if are_short and len(grouped) >= _MIN_GROUPED else set()


def _with_more_decimals(bodies: dict[int, str]) -> set[int]:
    """``24.912`` beside ``3.18`` and ``7.02``."""
    decimals = {index: _n_decimals(body) for index, body in bodies.items()}
    if not decimals:
        return set()
    counts = list(decimals.values())
    usual = max(set(counts), key=counts.count)
    suspects = {index for index, count in decimals.items() if count != usual}
    others = [bodies[index] for index in decimals if index not in suspects]
    if usual == 0 or len(others) < _MIN_OTHERS:
        return set()
    smallest = min(map(_size, others))
    are_longer = all(
        usual < decimals[index] <= usual + _MAX_MARK_DIGITS
        and bodies[index][usual - decimals[index]] != "0"
        and _size(bodies[index]) >= smallest
        for index in suspects
    )
    return suspects if are_longer else set()


def _without_groups(bodies: dict[int, str]) -> set[int]:
    """``9562`` beside ``1,203`` and ``2,488``."""
    grouped = [body for body in bodies.values() if _GROUPED.fullmatch(body)]
    if len(grouped) < _MIN_GROUPED:
        return set()
    shortest = min(sum(map(str.isdecimal, body)) for body in grouped)
    return {
        index
        for index, body in bodies.items()
        if body.isdecimal() and len(body) >= shortest and not _YEAR.fullmatch(body)
    }


def _n_decimals(body: str) -> int:
    match = _LAST_MARK.search(body)
    return len(match[1]) if match else 0


def _size(body: str) -> float:
    """The number as if its last point or comma parted decimals; for comparing numbers of one column."""
    match = _LAST_MARK.search(body)
    whole = body[: match.start()] if match else body
    digits = re.sub(r"[., ']", "", whole) or "0"
    return float(f"{digits}.{match[1] if match else 0}")
