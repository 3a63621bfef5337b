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
    See :mod:`docai.models.constraints.kern`.
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
from types import MappingProxyType
from typing import Final

from docai.models.constraints.kern import kern
from docai.parsers.labels import ELEMENTS

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
