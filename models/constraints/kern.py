"""The grammar of ``**kern``: a finite number of spines, each line with as many fields as there are spines.

No context-free grammar counts spines without an end, so there is one rule for each number of them, from 1
to :data:`MAX_SPINES`, and the lines that split (``*^``) and join (``*v``, two or three neighbours) lead from
one to another. What it promises for an answer that ends: a line of ``**kern`` first and a line of ``*-``
last, the right number of fields on each line between, lines wholly of interpretations, barlines or data,
notes and rests spelt as :func:`docai.parsers.kern.read_field` reads them, and one note or rest at least.

Left out, though Humdrum has them: comments, spines of other kinds, ``*+``, ``*x``, spines that end before the
others. Not promised: durations that fill their measures or start together, barlines that agree, joins of
the parts of one staff only, ties and slurs that pair.
"""

from __future__ import annotations

from functools import cache
from typing import Final

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
