"""Words, numbers and other tokens of documents and signs, and the split of each word.

Only characters that the embedded checkpoint's tokenizer has a letter for: ASCII, Latin-1, Greek, and some
typographic signs.
"""

from __future__ import annotations

import hashlib
import random
import re
import string
from collections.abc import Callable
from functools import lru_cache

from docai.pipelines.synthesis.base import Split, split_of
from docai.pipelines.synthesis.noise import harsh

HELD_OUT_WORDS = 10
"""One of this many words is never drawn for training."""
_RUN = re.compile(r"[^\W_]+(?:[.,][^\W_]*\d[^\W_]*)*")
_MAX_TRIES = 500

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
_ACCENTED = """
naïve café déjà élève forêt première garçon français été année où août hôtel fenêtre
Straße Größe über für Mädchen schön Übung Äpfel Öl größer können Zürich München Köln weiß natürlich
señor niño mañana año corazón también según país español Málaga número ¿qué ¡sí! más día así público
São não coração então você português açúcar pão informação três avó mãe à água Brasília
è più perché città però così università caffè già là virtù
år øre fjörd þing æther Ångström københavn smörgås århundrede måned øst på språk blå Århus Göteborg
ação naïf Noël façade crème brûlée piñata jalapeño Curaçao São Tomé Citroën
"""
LATIN1 = "".join(chr(code) for code in range(0xC0, 0x100))
ACCENTED = tuple(
    word for word in _ACCENTED.split() if all(letter.isascii() or letter in LATIN1 + "¿¡" for letter in word)
)
GREEK = "ΓΔΘΛΞΠΣΦΨΩΪΫάέήίΰαβγδεζηθλμξπρςστφχψω"
"""Without the letters that look like Latin ones, which could not be told apart in print."""
_SIGNS = """
OPEN EXIT STOP SALE PARKING HOTEL TAXI POLICE BANK MARKET PHARMACY BAKERY COFFEE PIZZA TICKETS METRO Street
Avenue Road Bridge Station Museum Library School Hospital Welcome WARNING DANGER PUSH PULL FREE ENTRANCE
CLOSED CAFÉ MENU BAR GRILL FRESH NEW SUPER BEER TEA FLOWERS BOOKS RENT No. EST. & Co. KEEP OUT SLOW BUS ONLY
ZONE WAY WC GATE TERMINAL CASH ATM WIFI 24h 7/11 50% -30% $5 €9.99 £2 No.1 #1
"""
SIGNS = tuple(_SIGNS.split())
_PATTERNS = """
±{n} ≈{n} ≤{n} ≥{n} −{n} <{n} >{n} ×{n} {n}° {n}°C {n}µm {n}′ {n}″ €{n} £{n} ¥{n} ¢{n} §{n} ¶{n} {n}² {n}³
{n}¹ {n}½ ¼ ¾ {n}÷{n} “{w}” ‘{w}’ «{w}» {w}’s {w}—{w} {n}–{n} {w}… • – — → ← {w}† {w}‡ {w}® ©{y} {w}* ({w}
{w}) [{w}] {{w}} {w}/{w} {w}_{n} {w}-{w} ~{n} | {w}={n} {n}+{n} `{w}` ^{n} \\{w} {w}; {w}?! '{w}' www.{w}.org
{w}·{w} ¬{w} {h}:{m} +{n} ({n}) {n}. {n}) {U}. {U}-{n} {U}{U}{n} {w}º {w}ª ¦ × & #{n} {n}% {n}/{n}
{w}@{w}.com https://{w}.{w} p<{n} n={n} {n}{u} {n}{u}/{u}
"""
PATTERNS = tuple(_PATTERNS.split())
"""Tokens with placeholders: n a number, w a word, U a capital, u a unit, y a year, h and m a time."""
_PLACEHOLDER = re.compile(r"\{([nwUuyhm])\}")


def core(token: str) -> str:
    """The word in a token: its longest run of letters and digits, in lower case; ``""`` where it has none.

    >>> core("(Rate),"), core("$1,234.5"), core("user@mail.org"), core("—")
    ('rate', '1,234.5', 'user', '')
    """
    return max(_RUN.findall(token.casefold()), key=len, default="")


@lru_cache(maxsize=1 << 16)
def word_split(word: str) -> Split:
    """The split of a :func:`core`, by the SHA-256 of ``word/`` followed by it."""
    digest = hashlib.sha256(f"word/{word}".encode()).digest()
    return "held-out" if int.from_bytes(digest[:4], "big") % HELD_OUT_WORDS == 0 else "train"


def may_stand_in(token: str, split: Split) -> bool:
    """Whether the token's word is in the split; tokens without letters and digits are in both."""
    word = core(token)
    return not word or word_split(word) == split


def drawn(make: Callable[[], str], split: Split) -> str:
    """The first token from ``make`` that is in the split; invented letters where there is none."""
    for _ in range(_MAX_TRIES):
        token = make()
        if may_stand_in(token, split):
            return token
    # Reached only where ``make`` has a few fixed words. The seed makes the result depend only on the last
    # try.
    rng = random.Random(token)
    return drawn(lambda: letters(rng, 6), split)


def english(rng: random.Random, split: Split) -> str:
    return drawn(lambda: rng.choice(ENGLISH), split)


def invented(rng: random.Random, split: Split, shortest: int, longest: int) -> str:
    """A meaningless word of random letters."""
    return drawn(lambda: letters(rng, rng.randint(shortest, longest)), split)


def random_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A token without spaces. With the difficulty come punctuation and unusual tokens."""
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
    """Letters at about the frequencies of English, which no vocabulary helps to guess."""
    return "".join(rng.choices(string.ascii_lowercase, _LOWER_WEIGHTS, k=length))


def number(rng: random.Random, difficulty: float) -> str:
    """A number, with point, comma, sign or percent as the difficulty allows."""
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


def split_of_words(text: str) -> Split:
    """The split of words that are all in one split; words without letters and digits do not count."""
    cores = (core(token) for token in text.split())
    return next((word_split(word) for word in cores if word), split_of(text))


def document_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A token of a page, without spaces; the same as :func:`random_word` at low difficulty."""
    late = harsh(difficulty)
    roll = rng.random() if late else 1.0
    if roll < 0.07 * late:
        return drawn(lambda: _cased(rng, rng.choice(ACCENTED)), split)
    if roll < 0.13 * late:
        return drawn(lambda: _with_accents(rng), split)
    if roll < 0.18 * late:
        return drawn(lambda: _greek(rng), split)
    if roll < 0.30 * late:
        # The pattern is chosen first: else those without a word would be drawn too often.
        pattern = rng.choice(PATTERNS)
        return drawn(lambda: _filled(rng, pattern), split)
    return random_word(rng, difficulty, split)


def sign_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A word of a sign, label or cover: mostly capitals, often short, sometimes an invented name."""
    roll = rng.random()
    if roll < 0.35:
        return drawn(lambda: rng.choice(SIGNS), split)
    if roll < 0.65:
        word = english(rng, split)
    elif roll < 0.8:
        word = invented(rng, split, 3, 9)
    elif roll < 0.9:
        return drawn(lambda: number(rng, difficulty), split)
    else:
        return document_word(rng, difficulty, split)
    case = rng.random()
    return word.upper() if case < 0.55 else word.capitalize() if case < 0.85 else word


def paragraph(
    rng: random.Random, difficulty: float, split: Split, line_length: int, n_lines: int
) -> list[list[str]]:
    """Lines of words, each about ``line_length`` characters long, the last one shorter."""
    lines: list[list[str]] = []
    for index in range(n_lines):
        max_length = line_length if index < n_lines - 1 else rng.randint(line_length // 4 + 1, line_length)
        line = [document_word(rng, difficulty, split)]
        length = len(line[0])
        while True:
            word = document_word(rng, difficulty, split)
            if length + 1 + len(word) > max_length:
                break
            line.append(word)
            length += 1 + len(word)
        lines.append(line)
    return lines


def _cased(rng: random.Random, word: str) -> str:
    roll = rng.random()
    if roll < 0.12 and "ß" not in word:
        return word.upper().replace("Ÿ", "ÿ")
    return word.capitalize() if roll < 0.3 else word


def _with_accents(rng: random.Random) -> str:
    """An invented word: each letter of Latin-1 is equally frequent."""
    word = list(letters(rng, rng.randint(2, 8)))
    for _ in range(rng.randint(1, 2)):
        word[rng.randrange(len(word))] = rng.choice([c for c in LATIN1 if c not in "×÷"])
    return "".join(word)


def _greek(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(GREEK)
    if roll < 0.7:
        tail = rng.choice((*ENGLISH[:80], "0.05", "2"))
        return rng.choice(GREEK) + rng.choice(("-", "", "=")) + tail
    return "".join(rng.choices(GREEK, k=rng.randint(2, 7)))


def _filled(rng: random.Random, pattern: str) -> str:
    return _PLACEHOLDER.sub(lambda match: _fill_placeholder(rng, match[1]), pattern)


def _fill_placeholder(rng: random.Random, key: str) -> str:
    if key == "n":
        return number(rng, 0.3)
    if key == "w":
        return rng.choice(ENGLISH)
    if key == "U":
        return rng.choice(string.ascii_uppercase)
    if key == "u":
        return rng.choice(UNITS)
    if key == "y":
        return str(rng.randint(1900, 2030))
    return f"{rng.randint(0, 23 if key == 'h' else 59):02d}"
