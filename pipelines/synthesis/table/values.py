"""The values of a table's columns: each column has one way of writing its values.

Words, invented letters and codes differ between the splits (:func:`may_stand_in`). Numbers do not: there are
too few short ones, and all of them have to be learned. Nor do fixed words of tables, such as units, months,
``Total``, ``yes``, ``n/a``.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import NamedTuple

from docai.pipelines.synthesis.base import Plan, Split, split_of
from docai.pipelines.synthesis.table.grid import Grid
from docai.pipelines.synthesis.words import (
    ENGLISH,
    MONTHS,
    UNITS,
    core,
    drawn,
    invented,
    word_split,
)

Maker = Callable[[random.Random], str]

BLANKS = ("", "", "", "–", "-", "—", "…", "n/a", "NA", "0")
TOTALS = (
    "Total",
    "TOTAL",
    "All",
    "Sum",
    "Subtotal",
    "Mean",
    "Average",
    "Overall",
    "Net total",
    "Total assets",
)
_MORE_UNITS = ("%", "n", "n (%)", "kg/m²", "°C", "µm", "mg/L", "US$", "€", "mmol/L", "years")
_ANSWERS = (("Yes", "No"), ("yes", "no", "n/a"), ("+", "–"), ("M", "F"), ("High", "Medium", "Low"))
_FIXED = (
    *BLANKS,
    *TOTALS,
    *UNITS,
    *_MORE_UNITS,
    *MONTHS,
    *(word for words in _ANSWERS for word in words),
    "to",
)
SHARED_WORDS: frozenset[str] = frozenset(core(token) for text in _FIXED for token in text.split())
"""Words that are in both splits."""

_WORDS = tuple(word for word in ENGLISH if word not in SHARED_WORDS)


def is_of_one_split(token: str) -> bool:
    """Whether the token determines the split of its table: it has letters and is not a fixed word."""
    word = core(token)
    return word not in SHARED_WORDS and any(letter.isalpha() for letter in word)


def may_stand_in(token: str, split: Split) -> bool:
    return not is_of_one_split(token) or word_split(core(token)) == split


def split_of_grid(plan: Plan[Grid]) -> Split:
    """The split of all words of the table."""
    tokens = (token for cell in plan.content.cells for token in cell.plain_text.split())
    return next((word_split(core(token)) for token in tokens if is_of_one_split(token)), split_of(plan.key))


class Column(NamedTuple):
    make: Maker
    is_numeric: bool


def word(rng: random.Random, split: Split, share_of_english: float, longest: int) -> str:
    """A word of the split: English, or up to ``longest`` random letters."""
    if rng.random() < share_of_english:
        return drawn(lambda: rng.choice(_WORDS), split)
    return invented(rng, split, 2, longest)


def label(rng: random.Random, difficulty: float, split: Split, longest: int = 3) -> str:
    """One to ``longest`` words; some are invented, so that they cannot be guessed."""
    count = 1
    while count < longest and rng.random() < 0.25 + 0.3 * difficulty:
        count += 1
    words = [word(rng, split, 0.65, 10) for _ in range(count)]
    if rng.random() < 0.1 * difficulty:
        words[-1] = f"({words[-1]})"
    if rng.random() < 0.06 * difficulty:
        words.insert(rng.randrange(len(words)), "&")
    case = rng.random()
    if case < 0.72:
        words[0] = words[0].capitalize()
    elif case < 0.82:
        words = [part.capitalize() for part in words]
    elif case < 0.87:
        words = [part.upper() for part in words]
    return " ".join(words)


def sentence(rng: random.Random, split: Split, n_words: int) -> str:
    """Running text with the punctuation of prose."""
    words = [word(rng, split, 0.8, 9) for _ in range(n_words)]
    for index in range(len(words) - 1):
        if rng.random() < 0.12:
            words[index] += rng.choice((",", ",", ";", "."))
    return " ".join(words).capitalize() + rng.choice((".", "", ""))


def unit(rng: random.Random) -> str:
    return rng.choice((*UNITS, *_MORE_UNITS))


def numeric_column(rng: random.Random, difficulty: float) -> Column:
    """A column of numbers of one kind; harder kinds are pairs, ranges and test results as in papers."""
    simple = (_integers, _integers, _decimals, _decimals, _percents, _money)
    composed = (_signed, _brackets, _deviations, _ranges, _intervals, _p_values, _counts, _years, _with_units)
    kinds = (*simple, *simple, *composed) if rng.random() < 0.3 + 0.7 * difficulty else simple
    return Column(rng.choice(kinds)(rng), True)


def text_column(rng: random.Random, difficulty: float, split: Split) -> Column:
    roll = rng.random()
    if roll < 0.55 or difficulty < 0.45:
        return Column(lambda rng: label(rng, difficulty, split), False)
    if roll < 0.7:
        longest = rng.randint(5, round(6 + 12 * difficulty))
        return Column(lambda rng: sentence(rng, split, rng.randint(3, longest)), False)
    if roll < 0.8:
        return Column(_code(rng, split), False)
    if roll < 0.9:
        return Column(_date(rng), False)
    words = rng.choice(_ANSWERS)
    return Column(lambda rng: rng.choice(words), False)


def _scale(rng: random.Random) -> Callable[[random.Random], float]:
    """A source of values of about one magnitude."""
    top = 10.0 ** rng.uniform(0.6, 3.6)
    return lambda rng: float(top * rng.random() ** rng.choice((1, 1, 2)))


def _integers(rng: random.Random) -> Maker:
    digits = rng.randint(1, 7)
    mark = "," if digits > 4 or rng.random() < 0.5 else ""
    if digits > 4 and rng.random() < 0.2:
        mark = " "
    return lambda rng: f"{rng.randrange(10 ** rng.randint(max(1, digits - 2), digits)):,}".replace(",", mark)


def _decimals(rng: random.Random) -> Maker:
    scale, places = _scale(rng), rng.randint(1, 3)
    point = "," if rng.random() < 0.04 else "."
    return lambda rng: f"{scale(rng):.{places}f}".replace(".", point)


def _percents(rng: random.Random) -> Maker:
    places, sign = rng.randint(0, 2), rng.choice(("%", "%", " %", ""))
    return lambda rng: f"{100 * rng.random():.{places}f}{sign}"


def _money(rng: random.Random) -> Maker:
    sign, places, scale = rng.choice(("$", "$", "$ ", "€", "£", "US$")), rng.choice((0, 0, 2)), _scale(rng)
    return lambda rng: f"{sign}{scale(rng) * 10:,.{places}f}"


def _signed(rng: random.Random) -> Maker:
    scale, places, minus = _scale(rng), rng.randint(1, 3), rng.choice(("-", "−", "–"))
    plus = rng.choice(("", "", "+"))
    return lambda rng: f"{minus if rng.random() < 0.5 else plus}{scale(rng):.{places}f}"


def _brackets(rng: random.Random) -> Maker:
    places = rng.choice((0, 0, 1))

    def make(rng: random.Random) -> str:
        value = f"{rng.random() ** 2 * 90_000:,.{places}f}"
        return f"({value})" if rng.random() < 0.35 else value

    return make


def _deviations(rng: random.Random) -> Maker:
    scale, places = _scale(rng), rng.randint(1, 2)
    form = rng.choice(("{} ± {}", "{}±{}", "{} ({})"))
    return lambda rng: form.format(f"{scale(rng):.{places}f}", f"{scale(rng) / 7:.{places}f}")


def _ranges(rng: random.Random) -> Maker:
    scale, places = _scale(rng), rng.randint(0, 2)
    form = rng.choice(("{}–{}", "{}-{}", "{} to {}", "{} – {}"))

    def make(rng: random.Random) -> str:
        low = scale(rng)
        return form.format(f"{low:.{places}f}", f"{low * (1 + rng.random()):.{places}f}")

    return make


def _intervals(rng: random.Random) -> Maker:
    form = rng.choice(("{:.2f} ({:.2f}–{:.2f})", "{:.2f} ({:.2f}, {:.2f})", "{:.1f} [{:.1f}; {:.1f}]"))

    def make(rng: random.Random) -> str:
        middle = rng.uniform(0.3, 4)
        return form.format(middle, middle * rng.uniform(0.4, 0.95), middle * rng.uniform(1.05, 2))

    return make


def _p_values(rng: random.Random) -> Maker:
    least = rng.choice(("<0.001", "< 0.001", "<0.0001", "< 0.01"))
    return lambda rng: least if rng.random() < 0.25 else f"{rng.random() ** 2:.3f}"


def _counts(rng: random.Random) -> Maker:
    form = rng.choice(("{} ({:.1f}%)", "{} ({:.1f})", "{}/{:.0f}", "{} ({:.0f}%)"))
    return lambda rng: form.format(rng.randrange(400), 100 * rng.random())


def _years(rng: random.Random) -> Maker:
    first = rng.randint(1900, 2015)
    return lambda rng: str(first + rng.randint(0, 20))


def _with_units(rng: random.Random) -> Maker:
    scale, places, unit_text = _scale(rng), rng.randint(0, 2), rng.choice(UNITS)
    return lambda rng: f"{scale(rng):.{places}f} {unit_text}"


def _code(rng: random.Random, split: Split) -> Maker:
    form = (
        "".join(rng.choices("A9", k=rng.randint(1, 3)))
        + rng.choice(("", "-", "/", "."))
        + "9" * rng.randint(1, 4)
    )
    sets = {"A": string.ascii_uppercase, "9": string.digits}

    def make(rng: random.Random) -> str:
        return "".join(rng.choice(sets[place]) if place in sets else place for place in form)

    return lambda rng: drawn(lambda: make(rng), split)


def _date(rng: random.Random) -> Maker:
    form = rng.choice(
        ("{y}-{m:02d}-{d:02d}", "{d}/{m}/{y}", "{d} {name} {y}", "{name} {y}", "{name}-{short:02d}")
    )

    def make(rng: random.Random) -> str:
        year, month = rng.randint(1980, 2029), rng.randint(1, 12)
        day = rng.randint(1, 28)
        return form.format(y=year, m=month, d=day, name=MONTHS[month - 1], short=year % 100)

    return make
