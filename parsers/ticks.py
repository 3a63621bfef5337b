"""Musical time in ticks: whole numbers where notes are written as usual, so that sums are quick, and exact.

A quarter note has 887 040 ticks, which is 2⁸ · 3² · 5 · 7 · 11: durations down to 256th notes with dots, and
the usual tuplets, are whole numbers of them. Any other is a fraction of a tick, which mixes with whole ones.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd

Ticks = int | Fraction

PER_QUARTER = 887_040


def to_ticks(quarters: Fraction) -> Ticks:
    """The ticks of a time in quarter notes."""
    ticks, rest = divmod(quarters.numerator * PER_QUARTER, quarters.denominator)
    return quarters * PER_QUARTER if rest else ticks


def in_quarters(ticks: Ticks) -> Fraction:
    """The same time in quarter notes."""
    return Fraction(ticks, PER_QUARTER)


def denominator(ticks: Ticks) -> int:
    """That of the time in quarter notes."""
    return ticks.denominator * (PER_QUARTER // gcd(ticks.numerator, PER_QUARTER))


def written(ticks: Ticks) -> str:
    """The time in quarter notes as an event has it: ``3``, ``7/2``."""
    if isinstance(ticks, int):
        common = gcd(ticks, PER_QUARTER)
        below = PER_QUARTER // common
        return str(ticks // common) if below == 1 else f"{ticks // common}/{below}"
    return str(in_quarters(ticks))


@lru_cache(maxsize=1 << 12)
def read_ticks(text: str) -> Ticks:
    """The ticks of a time that :func:`written` wrote."""
    above, _, below = text.partition("/")
    if not below:
        return int(above) * PER_QUARTER
    ticks, rest = divmod(int(above) * PER_QUARTER, int(below))
    return to_ticks(Fraction(text)) if rest else ticks
