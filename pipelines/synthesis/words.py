"""Words, numbers and other short tokens as documents have them, and which split each word is in."""

from __future__ import annotations

import hashlib
import random
import re
import string
from collections.abc import Callable
from functools import lru_cache

from docai.pipelines.synthesis.base import Split

HELD_OUT_WORDS = 10
"""One word in this many is never drawn for training."""
_RUN = re.compile(r"[^\W_]+(?:[.,][^\W_]*\d[^\W_]*)*")
_TRIES = 500

_ENGLISH = """
the of and to in is that for it was on are as with his they at be this from have or by one had not but
what all were when we there can an your which their said if do will each about how up out them then she
many some so these would other into has more her two like him see time could no make than first been its
who now people my made over did down only way find use may water long little very after words called just
where most know get through back much before go good new write our used me man too any day same right look
think also around another came come work three word must because does part even place well such here take
why things help put years different away again off went old number great tell men say small every found
still between name should home big give air line set own under read last never us left end along while
might next sound below saw something thought both few those always looked show large often together asked
house world going want school important until form food keep children feet land side without boy once
animals life enough took sometimes four head above kind began almost live page got earth need far hand
high year mother light parts country father let night following picture being study second eyes soon times
story boys since white days ever paper hard near sentence better best across during today others however
sure means knew try told young miles sun ways thing whole hear example heard several change answer room
sea against top turned learn point city play toward five using himself usually money table figure results
method model data value sample mean total rate cost price share market report annual income revenue assets
equity cash profit loss growth patient group control treatment dose response age female male weight height
blood risk ratio score test analysis effect level range error temperature pressure density volume mass
energy power speed distance section chapter appendix reference volume series journal university department
research science engineering chemistry physics biology medicine music history language system process
design network signal image structure surface reaction compound solution protein sequence
"""
ENGLISH = tuple(_ENGLISH.split())
UNITS = (
    "mm",
    "cm",
    "km",
    "kg",
    "mg",
    "g",
    "mL",
    "L",
    "s",
    "min",
    "h",
    "Hz",
    "kHz",
    "V",
    "mA",
    "W",
    "K",
    "Pa",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ATTACHED = ("{},", "{}.", "{}:", "({})", "{};", "{}?", "{}!", '"{}"', "{}-", "{}'s")
_LOWER_WEIGHTS = [8, 2, 3, 4, 12, 2, 2, 6, 7, 1, 1, 4, 2, 7, 8, 2, 1, 6, 6, 9, 3, 1, 2, 1, 2, 1]


def core(token: str) -> str:
    """What of a token is its word: its longest run of letters and digits, in small letters; often ``""``.

    >>> core("(Rate),"), core("$1,234.5"), core("user@mail.org"), core("—")
    ('rate', '1,234.5', 'user', '')
    """
    return max(_RUN.findall(token.casefold()), key=len, default="")


@lru_cache(maxsize=1 << 16)
def word_split(word: str) -> Split:
    """The split of a :func:`core`, by the SHA-256 of ``word/`` and it."""
    digest = hashlib.sha256(f"word/{word}".encode()).digest()
    return "held-out" if int.from_bytes(digest[:4], "big") % HELD_OUT_WORDS == 0 else "train"


def may_stand_in(token: str, split: Split) -> bool:
    """Whether the token's word is in the split; what has no letter and no digit is in both."""
    word = core(token)
    return not word or word_split(word) == split


def drawn(make: Callable[[], str], split: Split) -> str:
    """The first of what ``make`` makes that may stand in the split; invented letters where none does."""
    for _ in range(_TRIES):
        token = make()
        if may_stand_in(token, split):
            return token
    # Reached by makers of a few fixed words alone; its own seed keeps it a function of what was tried.
    rng = random.Random(token)
    return drawn(lambda: letters(rng, 6), split)


def english(rng: random.Random, split: Split) -> str:
    return drawn(lambda: rng.choice(ENGLISH), split)


def invented(rng: random.Random, split: Split, shortest: int, longest: int) -> str:
    """Letters without meaning."""
    return drawn(lambda: letters(rng, rng.randint(shortest, longest)), split)


def random_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A token without spaces. Punctuation and odd tokens come with difficulty."""
    roll = rng.random()
    if roll < 0.45:
        word = english(rng, split)
    elif roll < 0.7:
        word = invented(rng, split, 2, round(5 + 5 * difficulty))
    elif roll < 0.88 or difficulty < 0.3:
        return drawn(lambda: number(rng, difficulty), split)
    else:
        kind = rng.randrange(8)
        return drawn(lambda: _special(rng, kind), split)
    case = rng.random()
    word = word.upper() if case < 0.12 else word.capitalize() if case < 0.35 else word
    if rng.random() < 0.3 * difficulty:
        return rng.choice(_ATTACHED).format(word)
    return word


def letters(rng: random.Random, length: int) -> str:
    """Letters at about the frequencies of English: nothing to be guessed from a vocabulary."""
    return "".join(rng.choices(string.ascii_lowercase, _LOWER_WEIGHTS, k=length))


def number(rng: random.Random, difficulty: float) -> str:
    """Digits, with point, comma, sign or per cent as the difficulty allows."""
    value = rng.randrange(10 ** rng.randint(1, 4 + round(2 * difficulty)))
    roll = rng.random()
    if roll < 0.4 or difficulty < 0.15:
        return str(value)
    if roll < 0.7:
        return f"{value / 100:.{rng.randint(1, 3)}f}"
    if roll < 0.8:
        return f"{value:,}"
    if roll < 0.9:
        return f"{value / 10:.1f}%"
    return f"{rng.choice('-+')}{value / 10:.1f}"


def _special(rng: random.Random, kind: int) -> str:
    if kind == 0:
        return f"{rng.randint(1950, 2030)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if kind == 1:
        return f"{rng.randint(1, 31)}/{rng.randint(1, 12)}/{rng.randint(1950, 2030)}"
    if kind == 2:
        return f"{rng.randint(1, 999)}{rng.choice(UNITS)}"
    if kind == 3:
        return f"${number(rng, 0.0)}"
    if kind == 4:
        return f"[{rng.randint(1, 99)}]"
    if kind == 5:
        return f"{rng.choice(ENGLISH)}@{letters(rng, 4)}.{rng.choice(('com', 'org', 'net'))}"
    if kind == 6:
        return f"{rng.choice(MONTHS)}-{rng.randint(1, 28)}"
    return "".join(rng.choices(string.ascii_letters + string.digits + "#&*+-/=_", k=rng.randint(3, 7)))
