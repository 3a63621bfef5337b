r"""The grammars of the heads' formats, in the Lark dialect of llguidance.

A grammar constrains the form of an answer, not whether it is right. For a complete answer each guarantees the
following; the parser and the validators check the rest:

``table-html``
    One ``<table>`` of closed rows and cells with one cell or more, escaped text, known attributes, ``coords``
    of exactly four location tokens, closed inline tags at most two deep. Not guaranteed: rows of equal
    length, spans that fit, boxes with ordered sides, a table below the size limit.
``smiles``
    Atoms, labels and bonds as OpenSMILES and the molecule head write them, closed brackets and branches. Not
    guaranteed: valences, aromatic rings that can be kekulized, known labels, and paired ring closures: they
    cross, so that no context-free grammar can count them. The answer may end while a ring is open: a ring
    closed by force gives a wrong molecule, an open ring a detectable error.
``kern``
    First a line of ``**kern``, last a line of ``*-``, the right number of fields on each line between, lines
    wholly of interpretations, barlines or data, notes and rests as
    :func:`docai.parsers.score_notes.read_field` reads them, and at least one note or rest. No context-free
    grammar counts spines without limit, so there is one rule for each number of spines up to
    :data:`MAX_SPINES`, and lines that split (``*^``) or join (``*v``, two or three neighbors) lead from one
    to another. Not included, though valid in Humdrum: comments, spines of other kinds, ``*+``, ``*x``, spines
    that end before the others. Not guaranteed: durations that fill their measures or start together, equal
    barlines, joins within one staff only, paired ties and slurs.
``spotting``
    Exactly four location tokens for each word, lines that end after a word, no location token spelled in
    letters. The answer may be empty. Not guaranteed: boxes with ordered sides and an area. A word that is a
    single ``;`` cannot be written, because that is the separator.

Only ``spotting`` allows an empty answer; with the other grammars a model that sees nothing must write
something.

In all grammars location tokens are terminals of their own (single ids, never letters), and there are no
control characters. With a tokenizer without location tokens the grammars have no boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from docai.parsers.molecule_labels import ELEMENTS

MAX_SPINES: Final = 8
"""Most spines, parts of split spines included; piano music with two voices in each hand has four."""

_SIGNS: Final = r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpXxYyuUhHiIjNl?@<>|+\/\\]*"""

_DURATION: Final = r"(0{1,3}|[1-9][0-9]{0,3}(%[1-9][0-9]{0,2})?)\.{0,4}"

_PITCH: Final = "(" + "|".join(f"{letter}{{1,6}}" for letter in "abcdefgABCDEFG") + ")(#{1,3}|-{1,3}|n)?"

_TIMED_NOTE: Final = f"{_SIGNS}{_DURATION}{_PITCH}{_SIGNS}"

_UNTIMED_NOTE: Final = f"{_SIGNS}{_PITCH}{_SIGNS}"

_GRACE_NOTE: Final = f"{_SIGNS}({_DURATION})?{_PITCH}{_SIGNS}[qQ]{{1,2}}{_SIGNS}"

_REST: Final = f"{_SIGNS}{_DURATION}r{_SIGNS}"

_KERN_NAME: Final = '"**kern"'

_SPINE_END: Final = '"*-"'

_NULL_FIELD: Final = '"."'

_NOTE: Final = (
    f"({_REST}|{_TIMED_NOTE}( ({_TIMED_NOTE}|{_UNTIMED_NOTE}))*"
    f"|{_GRACE_NOTE}( ({_GRACE_NOTE}|{_UNTIMED_NOTE}))*)"
)

_TANDEM_INTERPRETATION: Final = r"\*([^\s*^v+x\-\x00-\x1f\x7f-\x9f][^\t\n\x00-\x1f\x7f-\x9f]*)?"

_BARLINE: Final = r"={1,2}[0-9]{0,4}[a-z]?[:|!.;'`\-]*"

_SPINE_MANIPULATIONS: Final = (("*", 1, 1), ("*^", 1, 2), (r"*v\t*v", 2, 1), (r"*v\t*v\t*v", 3, 1))
"""Marks of a line that splits or joins, with the number of spines before and after it.

Two joins must be separated by another mark; otherwise they would be one join."""


def kern(_loc: str = "") -> str:
    """Humdrum ``**kern`` as :mod:`docai.parsers.score` describes it."""
    counts = range(1, MAX_SPINES + 1)
    rules = ["start: " + " | ".join(f"HEAD_{n} silent_{n}" for n in counts)]
    for n in counts:
        changes = {m: lines for m in counts if m != n and (lines := _spine_changes(n, m))}
        # The score may end only after its first note.
        before_first_note = [f"SOUND_{n} heard_{n}", *(f"TURN_{n}_{m} silent_{m}" for m in changes)]
        after_first_note = [f"END_{n}", *(f"TURN_{n}_{m} heard_{m}" for m in changes)]
        # Whole lines with their line feed are terminals: with fields as terminals, or with the line feed
        # first, the parser would have to try the next terminal at every character, which exceeds its limits
        # in a large vocabulary.
        mute = " | ".join(_equal_fields(field, n) for field in ("TANDEM", "BAR", _NULL_FIELD))
        rules += [
            f"silent_{n}: MUTE_{n}* ({' | '.join(before_first_note)})",
            f"heard_{n}: (MUTE_{n} | SOUND_{n})* ({' | '.join(after_first_note)})",
            f'HEAD_{n}: {_equal_fields(_KERN_NAME, n)} "\\n"',
            f"END_{n}: {_equal_fields(_SPINE_END, n)}",
            f'MUTE_{n}: ({mute}) "\\n"',
            f'SOUND_{n}: PART_{n} "\\n"',
            f"PART_{n}: {_line_with_note(n)}",
        ]
        for m, lines in changes.items():
            change = " | ".join(f'"{line}"' for line in lines)
            rules.append(f'TURN_{n}_{m}: ({change}) "\\n"')
    rules += [
        f"TANDEM: /{_TANDEM_INTERPRETATION}/",
        f"BAR: /{_BARLINE}/",
        f"NOTE: /{_NOTE}/",
        'FIELD: NOTE | "."',
    ]
    return "\n".join(rules)


@cache
def _spine_changes(n: int, m: int, joined: bool = False) -> tuple[str, ...]:
    """The lines, or ends of one, that change n spines into m; ``joined``: the mark before is a join."""
    if n == m == 0:
        return ("",)
    lines: list[str] = []
    for mark, taken, left in _SPINE_MANIPULATIONS:
        if taken <= n and left <= m and not (joined and taken > 1):
            rests = _spine_changes(n - taken, m - left, taken > 1)
            lines += (rf"{mark}\t{rest}" if rest else mark for rest in rests)
    return tuple(lines)


def _line_with_note(n: int) -> str:
    """A terminal of n fields, at least one of which is a note."""
    return "NOTE" if n == 1 else f'NOTE ("\\t" FIELD){{{n - 1}}} | {_NULL_FIELD} "\\t" PART_{n - 1}'


def _equal_fields(field: str, n: int) -> str:
    """A terminal of n equal fields."""
    return field + (f' ("\\t" {field}){{{n - 1}}}' if n > 1 else "")


_CONTROL_CHARS: Final = r"\x00-\x1f\x7f-\x9f\uFFFE\uFFFF"
"""Characters, for use in a class, that no text contains; includes line ends and tabs."""

PLAIN_TEXT_SLICES: Final = (f"[^\\s<>&;{_CONTROL_CHARS}]+", f"[^<>&{_CONTROL_CHARS}]+")
"""Classes of tokens that fit words and cells as a whole; the matcher need not check them one by one."""

INLINE_TAGS: Final = ("b", "i", "u", "s", "em", "strong", "small", "sup", "sub", "span", "code")


def table_html(loc: str) -> str:
    """HTML as :mod:`docai.parsers.table` describes it. ``loc`` stands for one location token."""
    coords = f'(" coords=\\"" {" ".join([loc] * 4)} "\\"")? ' if loc else ""
    # At least one cell: an empty body is allowed only beside a part with a cell.
    lines = [
        'start: "<table>" groups "</table>"',
        'groups: "<thead>" filled "</thead>" (body* | empty) | ("<thead>" "</thead>")? body+',
        'body: "<tbody>" filled "</tbody>"',
        'empty: "<tbody>" "</tbody>"',
        # Rows covered by spans from above have no cell of their own; the first row of a group has one.
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
        f"TEXT: /[^<>&{_CONTROL_CHARS}]+/",
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
            # A ring closure and the bond before it are one lexeme, because '=' may also start the bond to an
            # atom.
            "RING: /[-=#$:\\/\\\\]?([0-9]|%[0-9][0-9])/",
            "BOND: /->|<-|[-=#$:\\/\\\\~]/",
        ]
    )


def spotting(loc: str) -> str:
    """Words with boxes as :mod:`docai.parsers.text` describes them."""
    box = " ".join([loc] * 4) if loc else ""
    non_space = f"[^\\s{_CONTROL_CHARS}]"
    return "\n".join(
        [
            'start: (line ("\\n" line)*)?',
            f"line: {box} PART+ (NEXT {box} PART+)*",
            # Includes the space before it, so that '; ' after a word and ';x' in a word differ at the x.
            f"PART: (/ [^\\s;{_CONTROL_CHARS}]{non_space}*/ | / ;{non_space}+/) & ~/(?s:.*)<loc(?s:.*)/",
            'NEXT: " ; "' if loc else 'NEXT: " ;"',
        ]
    )


GRAMMARS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"table-html": table_html, "smiles": smiles, "kern": kern, "spotting": spotting}
)
"""Name → function that builds the grammar from the terminal of a location token (empty if there is none)."""
