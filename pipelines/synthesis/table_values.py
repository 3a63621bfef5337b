"""What stands in the columns of a table: each column keeps to one way of writing its values."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import NamedTuple

from docai.pipelines.synthesis.words import ENGLISH, MONTHS, UNITS, letters

Maker = Callable[[random.Random], str]


class Column(NamedTuple):
    make: Maker
    is_numeric: bool


def label(rng: random.Random, difficulty: float, longest: int = 3) -> str:
    """One to ``longest`` words; some are invented, so that a reader cannot guess them."""
    count = 1
    while count < longest and rng.random() < 0.25 + 0.3 * difficulty:
        count += 1
    words = [
        rng.choice(ENGLISH) if rng.random() < 0.65 else letters(rng, rng.randint(2, 10)) for _ in range(count)
    ]
    if rng.random() < 0.1 * difficulty:
        words[-1] = f"({words[-1]})"
    if rng.random() < 0.06 * difficulty:
        words.insert(rng.randrange(len(words)), "&")
    case = rng.random()
    if case < 0.72:
        words[0] = words[0].capitalize()
    elif case < 0.82:
        words = [word.capitalize() for word in words]
    elif case < 0.87:
        words = [word.upper() for word in words]
    return " ".join(words)


def sentence(rng: random.Random, n_words: int) -> str:
    """Running text with the punctuation of prose."""
    words = [
        rng.choice(ENGLISH) if rng.random() < 0.8 else letters(rng, rng.randint(2, 9)) for _ in range(n_words)
    ]
    for index in range(len(words) - 1):
        if rng.random() < 0.12:
            words[index] += rng.choice((",", ",", ";", "."))
    return " ".join(words).capitalize() + rng.choice((".", "", ""))


def unit(rng: random.Random) -> str:
    return rng.choice((*UNITS, "%", "n", "n (%)", "kg/m²", "°C", "µm", "mg/L", "US$", "€", "mmol/L", "years"))


def numeric_column(rng: random.Random, difficulty: float) -> Column:
    """Numbers of one kind: the harder ones are pairs, ranges and tests as papers and reports write them."""
    simple = (_integers, _integers, _decimals, _decimals, _percents, _money)
    composed = (_signed, _brackets, _deviations, _ranges, _intervals, _p_values, _counts, _years, _with_units)
    kinds = (*simple, *simple, *composed) if rng.random() < 0.3 + 0.7 * difficulty else simple
    return Column(rng.choice(kinds)(rng), True)


def text_column(rng: random.Random, difficulty: float) -> Column:
    roll = rng.random()
    if roll < 0.55 or difficulty < 0.45:
        return Column(lambda rng: label(rng, difficulty), False)
    if roll < 0.7:
        longest = rng.randint(5, round(6 + 12 * difficulty))
        return Column(lambda rng: sentence(rng, rng.randint(3, longest)), False)
    if roll < 0.8:
        return Column(_code(rng), False)
    if roll < 0.9:
        return Column(_date(rng), False)
    words = rng.choice(
        (("Yes", "No"), ("yes", "no", "n/a"), ("+", "–"), ("M", "F"), ("High", "Medium", "Low"))
    )
    return Column(lambda rng: rng.choice(words), False)


def _scale(rng: random.Random) -> Callable[[random.Random], float]:
    """Values of about one size, as a column has them."""
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
    scale, places, of = _scale(rng), rng.randint(0, 2), rng.choice(UNITS)
    return lambda rng: f"{scale(rng):.{places}f} {of}"


def _code(rng: random.Random) -> Maker:
    form = (
        "".join(rng.choices("A9", k=rng.randint(1, 3)))
        + rng.choice(("", "-", "/", "."))
        + "9" * rng.randint(1, 4)
    )
    sets = {"A": string.ascii_uppercase, "9": string.digits}
    return lambda rng: "".join(rng.choice(sets[place]) if place in sets else place for place in form)


def _date(rng: random.Random) -> Maker:
    form = rng.choice(
        ("{y}-{m:02d}-{d:02d}", "{d}/{m}/{y}", "{d} {name} {y}", "{name} {y}", "{name}-{short:02d}")
    )

    def make(rng: random.Random) -> str:
        year, month = rng.randint(1980, 2029), rng.randint(1, 12)
        day = rng.randint(1, 28)
        return form.format(y=year, m=month, d=day, name=MONTHS[month - 1], short=year % 100)

    return make
