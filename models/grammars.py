r"""The grammars of the heads' formats, in the Lark dialect of llguidance.

A grammar says what an answer may look like and nothing about whether it is right. What each promises for an
answer that ends, and what stays with the parser and the validators:

``table-html``
    One ``<table>`` of closed rows and cells, text escaped, attributes known, ``coords`` of exactly four
    location tokens, inline tags closed and at most two deep, one cell or more. Not promised: rows of one
    length, spans that fit, boxes that are the right way round, a table small enough to be read.
``smiles``
    Atoms, labels and bonds spelt as OpenSMILES and the molecule head have them, brackets and branches closed.
    Not promised: valences, aromatic rings that can be kekulised, a label that is known, and ring closures
    that pair: they cross, so no context-free grammar counts them. Nor is the end put off while a ring is
    open: a ring closed somewhere under compulsion is a wrong molecule, an open one a known fault.
``kern``
    See :mod:`docai.models.grammars`.
``spotting``
    Every word has exactly four location tokens, every line ends where a word ends, and nothing spells a
    location token in letters. An empty answer is one. Not promised: boxes the right way round and with an
    area. A word that is a lone ``;`` cannot be written, since the separator is one.

Other than ``spotting`` no grammar has an empty answer: a model that sees nothing is made to write something.

In all of them the location tokens are terminals of their own, single ids, never letters; and there are no
control characters. A tokenizer without location tokens gives grammars without boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from docai.parsers.molecule_labels import ELEMENTS

MAX_SPINES: Final = 8
"""Most spines, those of split staves counted; a piano with two voices a hand has four."""

_SIGNS: Final = r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpXxYyuUhHiIjNl?@<>|+\/\\]*"""

_NUMBER: Final = r"(0{1,3}|[1-9][0-9]{0,3}(%[1-9][0-9]{0,2})?)\.{0,4}"

_PITCH: Final = "(" + "|".join(f"{letter}{{1,6}}" for letter in "abcdefgABCDEFG") + ")(#{1,3}|-{1,3}|n)?"

_TIMED: Final = f"{_SIGNS}{_NUMBER}{_PITCH}{_SIGNS}"

_UNTIMED: Final = f"{_SIGNS}{_PITCH}{_SIGNS}"

_GRACE: Final = f"{_SIGNS}({_NUMBER})?{_PITCH}{_SIGNS}[qQ]{{1,2}}{_SIGNS}"

_REST: Final = f"{_SIGNS}{_NUMBER}r{_SIGNS}"

_NAME: Final = '"**kern"'

_END: Final = '"*-"'

_NULL: Final = '"."'

_NOTE: Final = f"({_REST}|{_TIMED}( ({_TIMED}|{_UNTIMED}))*|{_GRACE}( ({_GRACE}|{_UNTIMED}))*)"

_TANDEM: Final = r"\*([^\s*^v+x\-\x00-\x1f\x7f-\x9f][^\t\n\x00-\x1f\x7f-\x9f]*)?"

_BAR: Final = r"={1,2}[0-9]{0,4}[a-z]?[:|!.;'`\-]*"

_MARKS: Final = (("*", 1, 1), ("*^", 1, 2), (r"*v\t*v", 2, 1), (r"*v\t*v\t*v", 3, 1))
"""What stands on a line that splits or joins, how many spines it takes and how many it leaves.

Runs of joins are parted by something else, or two of them would be one."""


def kern(_loc: str = "") -> str:
    """Humdrum ``**kern`` as :mod:`docai.parsers.score` describes it."""
    counts = range(1, MAX_SPINES + 1)
    rules = ["start: " + " | ".join(f"HEAD_{n} silent_{n}" for n in counts)]
    for n in counts:
        turns = {m: lines for m in counts if m != n and (lines := _turns(n, m))}
        # Before the first note, and after it: only then may the score end.
        silent = [f"SOUND_{n} heard_{n}", *(f"TURN_{n}_{m} silent_{m}" for m in turns)]
        heard = [f"END_{n}", *(f"TURN_{n}_{m} heard_{m}" for m in turns)]
        # Whole lines are terminals, each up to its line feed: with fields for terminals, or with the line
        # feed first, the parser has to try the next terminal at every character, which in a large
        # vocabulary is more than it is allowed.
        mute = " | ".join(_line(field, n) for field in ("TANDEM", "BAR", _NULL))
        rules += [
            f"silent_{n}: MUTE_{n}* ({' | '.join(silent)})",
            f"heard_{n}: (MUTE_{n} | SOUND_{n})* ({' | '.join(heard)})",
            f'HEAD_{n}: {_line(_NAME, n)} "\\n"',
            f"END_{n}: {_line(_END, n)}",
            f'MUTE_{n}: ({mute}) "\\n"',
            f'SOUND_{n}: PART_{n} "\\n"',
            f"PART_{n}: {_sounding(n)}",
        ]
        for m, lines in turns.items():
            turn = " | ".join(f'"{line}"' for line in lines)
            rules.append(f'TURN_{n}_{m}: ({turn}) "\\n"')
    rules += [f"TANDEM: /{_TANDEM}/", f"BAR: /{_BAR}/", f"NOTE: /{_NOTE}/", 'FIELD: NOTE | "."']
    return "\n".join(rules)


@cache
def _turns(n: int, m: int, joined: bool = False) -> tuple[str, ...]:
    """The lines, or rests of one, that turn n spines into m; ``joined``: what stands before joins."""
    if n == m == 0:
        return ("",)
    lines: list[str] = []
    for mark, taken, given in _MARKS:
        if taken <= n and given <= m and not (joined and taken > 1):
            rests = _turns(n - taken, m - given, taken > 1)
            lines += (rf"{mark}\t{rest}" if rest else mark for rest in rests)
    return tuple(lines)


def _sounding(n: int) -> str:
    """A terminal of n fields, the first or a later one of which holds a note."""
    return "NOTE" if n == 1 else f'NOTE ("\\t" FIELD){{{n - 1}}} | {_NULL} "\\t" PART_{n - 1}'


def _line(field: str, n: int) -> str:
    """A terminal of n equal fields."""
    return field + (f' ("\\t" {field}){{{n - 1}}}' if n > 1 else "")


_UNSEEN: Final = r"\x00-\x1f\x7f-\x9f\uFFFE\uFFFF"
"""Inside a class: what no text holds, line ends and tabs with it."""

PLAIN: Final = (f"[^\\s<>&;{_UNSEEN}]+", f"[^<>&{_UNSEEN}]+")
"""Tokens that words and cells take whole: the matcher looks at them together, not one by one."""

INLINE_TAGS: Final = ("b", "i", "u", "s", "em", "strong", "small", "sup", "sub", "span", "code")


def table_html(loc: str) -> str:
    """HTML as :mod:`docai.parsers.table` describes it. ``loc`` stands for one location token."""
    coords = f'(" coords=\\"" {" ".join([loc] * 4)} "\\"")? ' if loc else ""
    # One cell at least: an empty body can only stand beside a part that has one.
    lines = [
        'start: "<table>" groups "</table>"',
        'groups: "<thead>" filled "</thead>" (body* | empty) | ("<thead>" "</thead>")? body+',
        'body: "<tbody>" filled "</tbody>"',
        'empty: "<tbody>" "</tbody>"',
        # Rows that spans from above fill have no cell of their own; the first of a group has one.
        'filled: "<tr>" cell+ "</tr>" ("<tr>" cell* "</tr>")*',
        f'cell: "<td" {coords}spans ">" inside "</td>" | "<th" {coords}spans ">" inside "</th>"',
        "spans: rowspan? colspan? | colspan rowspan",
        'rowspan: " rowspan=\\"" ROWS "\\""',
        'colspan: " colspan=\\"" COLS "\\""',
        "ROWS: /[1-9][0-9]{0,2}/",
        "COLS: /[1-9][0-9]?/",
        "inside: (TEXT | ENTITY | inline)*",
        "inline: " + " | ".join(f'"<{tag}>" inner "</{tag}>"' for tag in INLINE_TAGS),
        "inner: (TEXT | ENTITY | inmost)*",
        "inmost: " + " | ".join(f'"<{tag}>" (TEXT | ENTITY)* "</{tag}>"' for tag in INLINE_TAGS),
        f"TEXT: /[^<>&{_UNSEEN}]+/",
        "ENTITY: /&(amp|lt|gt|quot|#39|nbsp);/",
    ]
    return "\n".join(lines)


_ORGANIC: Final = "Br|Cl|[BCNOPSFI]|[bcnops]|\\*"

_CHIRAL: Final = "@(@|TH[12]|AL[12]|SP[123]|TB([1-9]|1[0-9]|20)|OH([1-9]|[12][0-9]|30))?"

_CHARGE: Final = "\\+([1-9][0-9]?|\\+)?|-([1-9][0-9]?|-)?"


def smiles(_loc: str = "") -> str:
    """SMILES as :mod:`docai.parsers.molecule` describes it; a label of 24 characters at most."""
    heavy = "|".join(sorted(ELEMENTS - {"H"}, key=lambda symbol: (-len(symbol), symbol)))
    symbol = f"(({heavy}|b|c|n|o|p|s|se|as|te|si|\\*|#([1-9][0-9]?|10[0-9]|11[0-8]))({_CHIRAL})?(H[1-9]?)?|H)"
    atom = f"([1-9][0-9]{{0,2}})?{symbol}({_CHARGE})?(:[0-9]{{1,5}})?"
    label = "[A-Za-z][A-Za-z0-9_',()\\-]{0,23}"
    return "\n".join(
        [
            'start: chain ("." chain)*',
            "chain: atom (BOND? atom)*",
            'atom: (ORGANIC | BRACKET) (RING)* ("(" BOND? start ")")*',
            f"ORGANIC: /{_ORGANIC}/",
            f"BRACKET: /\\[({atom}|{label})\\]/",
            # A ring closure and the bond before it are one lexeme: '=' alone may also begin an atom's bond.
            "RING: /[-=#$:\\/\\\\]?([0-9]|%[0-9][0-9])/",
            "BOND: /->|<-|[-=#$:\\/\\\\~]/",
        ]
    )


def spotting(loc: str) -> str:
    """Words with boxes as :mod:`docai.parsers.text` describes them."""
    box = " ".join([loc] * 4) if loc else ""
    black = f"[^\\s{_UNSEEN}]"
    return "\n".join(
        [
            'start: (line ("\\n" line)*)?',
            f"line: {box} PART+ (NEXT {box} PART+)*",
            # With the space before it, so that '; ' after a word and ';x' in it are told apart at the x.
            f"PART: (/ [^\\s;{_UNSEEN}]{black}*/ | / ;{black}+/) & ~/(?s:.*)<loc(?s:.*)/",
            'NEXT: " ; "' if loc else 'NEXT: " ;"',
        ]
    )


GRAMMARS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"table-html": table_html, "smiles": smiles, "kern": kern, "spotting": spotting}
)
"""Name → a function from the terminal of a location token, empty where there is none, to the grammar."""
