"""Valid answers to start from, the words of each format, and mutations that keep a text nearly valid."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import islice, product

from docai.pipelines.synthesis import samples

SHORT = 300
"""Maximum length of most inputs in characters, so that many can be tried; :data:`LONG_SHARE` are extended."""
LONG_SHARE = 0.0001

LOCS = "<loc0100><loc0200><loc0300><loc0400>"
SEEDS = {
    "table": (
        f'<table><thead><tr><td coords="{LOCS}" colspan="2">A</td></tr></thead><tbody><tr>'
        '<td rowspan="2">x</td><td>p < 1</td></tr><tr><td><b>y</b></td></tr></tbody></table>',
        "<table><tr><th>a<br>b</th><td>x<sup>2</sup></td></tr><tr><td>&amp;&lt;</td></tr></table>",
        '<table><tr><td rowspan="0">a</td><td>b</td></tr><tr><td>c</td></tr></table> text',
        "```html\n<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>\n```",
        "<ched>Name<lcel><nl><fcel>a<ecel><nl><ucel><xcel><nl>",
        "<otsl><loc_10><ched>A<ched>B<nl><rhed>r<fcel>1<nl><srow>s<lcel><nl></otsl>",
        "fcel lcel nl ucel xcel nl",
    ),
    "molecule": (
        "C[C@H](N)C(=O)Oc1ccc([R1])cc1.[Na+].[Boc]N/C=C/[Ph]",
        "CC(=O)Oc1ccccc1C(=O)O",
        "*c1ccccc1C |$R1;;;;;;;$|",
        "N->[Pt](<-N)(Cl)Cl",
        "SMILES: `[2H]C([2H])([2H])O`",
        "C1CC%10CCC1C%10>>CO",
        "[13CH3:1][Si]([R2])(C)[X]",
    ),
    "score": (
        "**kern\t**kern\n*M2/4\t*M2/4\n=1\t=1\n*^\t*\n"
        "4C\t4E\t8cL 8e\n.\t.\t8dJ\n4C\t4E\t4e\n*v\t*v\t*\n==\t==\n*-\t*-\n",
        "**kern\n*clefG2\n*k[f#]\n*M3/8\n*MM60\n=1-\n(8.cL[\n16qdd-]J)\n8r;\n=:|!\n*-\n",
        "**kern **dynam\n4c p\n4d .\n*- *-",
        "**ekern_1.0\t**ekern_1.0\n*clefF4\t*clefG2\n8@C·L\t4@f@#·[\n8@D·J\t.\n*-\t*-\n",
        "**bekern\n=1\n4@c@#\n8@r\n*-",
        "!!!COM: A\n**kern\n*tuplet\n3%2c\n*Xtuplet\n*+\n*x\t*x\n*-\t*-\n",
    ),
    "text": (
        f"{LOCS} Hello ; {LOCS} world\n{LOCS} again ; {LOCS} a<b",
        f"{LOCS} a;b ; {LOCS} “c” ;\n\n{LOCS} ; <loc0300><loc0300><loc0300><loc0300> z",
        "plain words\nwithout boxes ;",
        "<loc1024><loc0001><loc0000> x ; <loc0400><loc0300><loc0200><loc0100> e\u0301",
        f"```\n{LOCS} ### ; <lo",
    ),
}
_COMMON = [
    *"<>\"';&-=/09",
    "```",
    "\x00",
    "\ufeff",
    "\ud800",
    "\ufffe",
    "\ufdd0",
    "\u0301",
    "\u2028",
    "\u200b",
    "99999999999",
]
# fmt: off
TOKENS = {
    "table": [
        "<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tfoot>", "<tr>", "</tr>",
        "<td>", "</td>", "<th>", "</th>", "<td", "<caption>", "<colgroup>", "<col>", "<b>", "</b>", "<i>",
        "<sup>", "</sup>", "<sub>", "<br>", ' colspan="', " colspan=", ' rowspan="0"',
        " rowspan=1000000000", ' coords="', LOCS, "<loc", "<loc9999>", "<loc1>", "<!--", "-->", "<?xml?>",
        "<!DOCTYPE html>", "<script>", "<style>", "<svg>", "<math>", "<p>", "<div>", "<ul>", "&amp;",
        "&lt;", "&#0;", "&#x10FFFF;", "&nbsp;", "</", "<x", "p < 0.05", "<![CDATA[", "docai-number=0 ",
        "<otsl>", "</otsl>", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<nl>", "<ched>", "<rhed>",
        "<srow>", "fcel", "lcel", "ucel", "xcel", "nl", "\n", "|", "| --- |", "$x^2$", "\\frac{1}{2}",
    ],
    "molecule": [
        "C", "c", "N", "n", "O", "o", "S", "P", "Cl", "Br", "F", "I", "B", "[nH]", "[C@H]", "[C@@H]",
        "[N+]", "[O-]", "[2H]", "[H]", "[Na+]", "[R1]", "[R99]", "[R]", "[R1']", "[Ph]", "[Boc]", "[X]",
        "[Y]", "[Ar]", "[Ac]", "[*:1]", "[1*]", "*", "[Si]", "[Fe+2]", "[U]", "[Og]", "[999C]", "[C+15]",
        "[CH99]", "->", "<-", "~", "$", ":", "/", "\\", "(", ")", "1", "2", "%10", "%(123)", ".", ">>", "|",
        "|$R1;;$|", "|^1:0|", "|c:0|", "|(0,0,;1,1,)|", "[C@TH1]", "[Pt@SP1]", "[#6]", "[a", "]", "[",
        "SMILES:", "InChI=1S/CH4/h1H4", "[CO2Et]", "[NHBoc]", "[n-Bu]", "−", "≡", "’", " ",
    ],
    "score": [
        "**kern", "**dynam", "**text", "**ekern", "**ekern_1.0", "**bekern", "*-", "*^", "*v", "*+", "*x",
        "*", "*clefG2", "*k[f#c#]", "*M4/4", "*M0/0", "*M999/1", "*met(c)", "*Xtuplet", "*tuplet", "*>A",
        "*>[A,A,B]", "*C:", "*staff1", "*8va", "\t", "\n", "\r\n", ".", "=", "=1", "==", "=:|!|:", "=1-",
        "!", "!!", "!!!COM: x", "!!LO:LB:g=original", "4c", "8.ddL", "16r", "2%3c", "0e", "00f", "0000c",
        "1%9999c", "q", "qq", "Q", "[4c", "4c]", "4c_", "(4c", "4c)", "4c#", "4c--", "4cn", "L", "J", "k",
        "K", ";", "T", "'", "~", "P", "4C 4E 4G", " ", "@", "·", "8@f@#·L", "<b>", "<t>", "<s>", "x", "yy",
        "*Ioboe", "{4c", "4c}",
    ],
    "text": [
        LOCS, "<loc0000>", "<loc1023>", "<loc1024>", "<loc12345>", "<loc>", "<loc", "<lo", "<l", " ; ",
        " ;", "; ", ";", "\n", "\r\n", "\u0085", "\t", " ", "###", "“", "’", "\u00a0", "\u3000", "é", "ﬁ",
        "\u202e", "<b>", "http://a.b",
    ],
}
_PIECE = {
    "table": re.compile(r"<[^<>]*>|[^<>\s]+|\s+|[<>]"),
    "molecule": re.compile(r"\[[^\[\]]*\]|Cl|Br|%\d\d|[()]|."),
    "score": re.compile(r"[^\t\n ]+|[\t\n ]"),
    "text": re.compile(r"<loc\d*>|[^<\s]+|\s+|<"),
}
# fmt: on


def dictionary(head: str) -> list[str]:
    """Words of a head's format, and characters that are difficult for any parser."""
    return [*TOKENS[head], *_COMMON]


def seeds(head: str, n_drawn: int) -> list[str]:
    """Valid answers: handwritten ones, and the shorter ones of some synthetic targets."""
    texts = list(SEEDS[head])
    for difficulty in (0.0, 0.3):
        drawn = (sample.target for sample in samples(head, 11, difficulty=difficulty))
        texts += [text for text in islice(drawn, n_drawn // 2) if len(text) <= 3 * SHORT]
    return texts


def pieces(head: str, text: str) -> list[str]:
    """The text split into meaningful parts of its format; joined, they are the text."""
    return re.findall(_PIECE[head].pattern, text, re.DOTALL)


class Mutator:
    """Makes small changes to a text, determined by the seed; occasionally makes it very long."""

    def __init__(self, head: str, long_share: float = LONG_SHARE) -> None:
        self.head = head
        self.words = dictionary(head)
        self.long_share = long_share

    def __call__(self, text: str, seed: int, max_chars: int) -> str:
        rng = random.Random(seed)
        if rng.random() < self.long_share:
            return self._blow_up(text, rng, max_chars)
        parts = pieces(self.head, self._shorten(text, rng))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
            parts = rng.choice(_CHANGES)(parts, rng, self.words)
        return self._shorten("".join(parts), rng)

    def _blow_up(self, text: str, rng: random.Random, max_chars: int) -> str:
        parts = pieces(self.head, text) or [""]
        start = rng.randrange(len(parts))
        end = min(len(parts), start + rng.choice((1, 2, 3, 5, 10, 50)))
        period = (
            "".join(parts[start:end])
            if rng.random() < 0.6
            else "".join(rng.choices(self.words, k=rng.randint(1, 4)))
        )
        period = period or rng.choice(self.words)
        body = period * (max_chars // len(period) + 1)
        whole = ("".join(parts[:start]), body, "".join(parts[end:]))
        room = max_chars - len(whole[0]) - len(whole[2])
        return whole[0] + body[: max(room, 0)] + whole[2] if rng.random() < 0.7 else body[:max_chars]

    def _shorten(self, text: str, rng: random.Random) -> str:
        if len(text) <= SHORT:
            return text
        start = rng.randrange(SHORT)
        return text[:start] + text[len(text) - (SHORT - start) :]


_Change = Callable[[list[str], random.Random, list[str]], list[str]]


def _drop(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    start, end = _stretch(parts, rng)
    return parts[:start] + parts[end:]


def _repeat(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    start, end = _stretch(parts, rng)
    return parts[:end] + parts[start:end] * rng.choice((1, 1, 2, 9)) + parts[end:]


def _swap(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    if len(parts) < 2:
        return parts
    first, second = rng.sample(range(len(parts)), 2)
    parts[first], parts[second] = parts[second], parts[first]
    return parts


def _insert(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    place = rng.randint(0, len(parts))
    return [*parts[:place], rng.choice(words), *parts[place:]]


def _replace(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    start, end = _stretch(parts, rng)
    return [*parts[:start], rng.choice(words), *parts[end:]]


def _cut(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    text = "".join(parts)
    return [text[: rng.randint(0, len(text))]]


def _number(parts: list[str], rng: random.Random, words: list[str]) -> list[str]:
    places = [index for index, part in enumerate(parts) if any(char.isdigit() for char in part)]
    if not places:
        return parts
    place = rng.choice(places)
    number = rng.choice(("0", "1", "2", "-1", "1000", "1024", "65535", "1000000000", "9" * 30, "٣", "²", ""))
    parts[place] = re.sub(r"\d+", lambda match: number, parts[place], count=1)
    return parts


def _stretch(parts: list[str], rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(parts))
    return start, min(len(parts), start + rng.choice((1, 1, 1, 2, 4, 8)))


_CHANGES: tuple[_Change, ...] = (_drop, _repeat, _swap, _insert, _insert, _replace, _replace, _cut, _number)


def long_loops(head: str, max_chars: int) -> Iterator[str]:
    """For each word of the format a text that repeats it, then valid texts, all of the maximum length."""
    for word in dictionary(head):
        yield (word * (max_chars // len(word) + 1))[:max_chars]
    for start, period, end in _SOUND[head]:
        room = max_chars - len(start) - len(end)
        yield start + period * (room // len(period)) + end


# Texts with much work for their length: start, period, end. Valid text gets further through a parser than
# repetitions of one word. For molecules and scores also texts within the parser's own limits.
_NOTE_PARTS = (("", "(", "["), ("4", "8.", "3", "20%3"), "aBcDe", ("", "#", "--"), ("", ")", "]", ";~"), "LJ")
_SOUND: dict[str, tuple[tuple[str, str, str], ...]] = {
    "table": (
        ("<table>", "<tr>" + "<td>a</td>" * 30 + "</tr>", "</table>"),
        ("<table>", "<tr><td>1,234.5</td><td>12 %</td><td>€ 3</td></tr>", "</table>"),
        ("<table>", '<tr><td rowspan="9" colspan="9">a</td></tr>', "</table>"),
        ("<otsl>", "<fcel>a" * 20 + "<nl>", "</otsl>"),
        ("<otsl>", "<fcel>a<lcel><nl><ucel><xcel><nl>", "</otsl>"),
    ),
    "molecule": (
        ("C" * 300, " ", ""),
        ("[C@H](O)" * 140 + "C", " ", ""),
        ("C12C3C4C1C5C2C3C45" * 30, " ", ""),
        ("C([Ph])" * 40 + "C", " ", ""),
        ("C1" + "C" * 298 + "1", " ", ""),
        ("CCO." * 99 + "C", " ", ""),
    ),
    "score": (
        ("**kern\n", "4c\n", "*-\n"),
        ("**kern\n", "(4c\n", "*-\n"),
        ("**kern\n*M1/4\n", "4c\n=\n", "*-\n"),
        ("**kern\t**kern\n", "4c\t4e 4g\n", "*-\t*-\n"),
        ("**kern\n4", "c ", "c\n*-\n"),
        ("**kern\n", "".join(f"{number}c\n" for number in range(1001, 9999, 2)), "*-\n"),
        ("**kern\n", "".join(f"{number}c\n=\n" for number in range(5001, 9999, 2)), "*-\n"),
        ("**kern\n", "".join(f"{''.join(parts)}\n" for parts in product(*_NOTE_PARTS)), "*-\n"),
        # As much as is converted by music21 while parsing.
        ("**kern\n*M4/4\n" + "=\n4c\n4d\n4e\n4f\n" * 95 + "==\n*-\n", "\n", ""),
        ("**kern\n*M4/4\n" + "=\n1c\n" * 200 + "==\n*-\n", "\n", ""),
        ("**kern\n*M4/4\n" + "=\n4c 4e 4g\n4c 4f 4a\n2d\n" * 60 + "==\n*-\n", "\n", ""),
        ("**kern\n*M4/4\n=\n" + "16c\n" * 100 + "==\n*-\n", "\n", ""),
    ),
    "text": (
        ("", f"{LOCS} word ; ", ""),
        ("", f"{LOCS} שלום ; <loc0100><loc0100><loc0300><loc0200> עולם\n", ""),
    ),
}
