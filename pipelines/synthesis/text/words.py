"""The words of the `text` head: English, numbers, and with difficulty accents, Greek, signs and shop signs.

Only characters that the embedded checkpoint's tokenizer has a letter for: ASCII, Latin-1, Greek, and some
typographic signs.
"""

from __future__ import annotations

import random
import re
import string

from docai.pipelines.synthesis.base import Split, split_of
from docai.pipelines.synthesis.noise import harsh
from docai.pipelines.synthesis.words import (
    ENGLISH,
    UNITS,
    core,
    drawn,
    english,
    invented,
    letters,
    number,
    random_word,
    word_split,
)

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
"""Without the letters that look like Latin ones: nobody could say which of the two was printed."""
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
"""Tokens to be filled: n a number, w a word, U a capital, u a unit, y a year, h and m a time."""
_GAP = re.compile(r"\{([nwUuyhm])\}")


def split_of_words(text: str) -> Split:
    """The split of words that are all in one; those without letters and digits do not count."""
    cores = (core(token) for token in text.split())
    return next((word_split(word) for word in cores if word), split_of(text))


def document_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A token without spaces, of those that pages carry; as :func:`words.random_word` where it is easy."""
    late = harsh(difficulty)
    roll = rng.random() if late else 1.0
    if roll < 0.07 * late:
        return drawn(lambda: _cased(rng, rng.choice(ACCENTED)), split)
    if roll < 0.13 * late:
        return drawn(lambda: _with_accents(rng), split)
    if roll < 0.18 * late:
        return drawn(lambda: _greek(rng), split)
    if roll < 0.30 * late:
        # The pattern first: those without a word would else crowd out the others.
        pattern = rng.choice(PATTERNS)
        return drawn(lambda: _filled(rng, pattern), split)
    return random_word(rng, difficulty, split)


def sign_word(rng: random.Random, difficulty: float, split: Split) -> str:
    """A word of a sign, a label or a cover: mostly capitals, often short, sometimes a made-up name."""
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
        wanted = line_length if index < n_lines - 1 else rng.randint(line_length // 4 + 1, line_length)
        line, length = [document_word(rng, difficulty, split)], 0
        length = len(line[0])
        while True:
            word = document_word(rng, difficulty, split)
            if length + 1 + len(word) > wanted:
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
    """Made-up words: each of Latin-1's letters comes as often as another."""
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
    return _GAP.sub(lambda gap: _filling(rng, gap[1]), pattern)


def _filling(rng: random.Random, key: str) -> str:
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
