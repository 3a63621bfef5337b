"""The spine structure of Humdrum: which field of each line belongs to which spine.

The rules are those of the Humdrum representation (https://www.humdrum.org/guide/ch05/): the first line
names the spines (``**kern``), every line has one field per living spine, and the manipulators ``*^``
(split), ``*v`` (join), ``*+`` (add), ``*x`` (exchange) and ``*-`` (end) change how many there are. music21,
converter21 and verovio each lose notes or crash on a broken structure, so it is checked first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from docai.parsers.base import IssueLog, quote
from docai.parsers.score_notes import Ticks

_MANIPULATORS = frozenset(("*^", "*v", "*+", "*x", "*-"))

LineKind = Literal["data", "barline", "interpretation"]


@dataclass
class Spine:
    """One living spine or, after a split, a part of one. Times are ticks since the barline."""

    kind: str
    track: int
    meter: Ticks | None = None
    """Length of a measure, in ticks."""
    time: Ticks = 0
    has_notes: bool = False
    is_timed: bool = True
    n_fields: int = 0


@dataclass(frozen=True)
class SpineLine:
    """A line whose fields match its spines."""

    number: int
    kind: LineKind
    fields: tuple[str, ...]
    spines: tuple[Spine, ...]


class SpineReader:
    """Walks the lines of one Humdrum text once; afterwards says how it was built.

    Attributes:
        lines: What is read.
        n_kern: ``**kern`` spines at the start.
        first_broken: Index of the first line that breaks the structure; None where none does.
    """

    def __init__(self, lines: Sequence[str], log: IssueLog) -> None:
        self.n_kern = 0
        self.first_broken: int | None = None
        self.lines = lines
        self._log = log
        self._spines: tuple[Spine, ...] = ()
        self._started = False
        self._index = 0

    def __iter__(self) -> Iterator[SpineLine]:
        """The sound lines that are not comments; the broken ones are noted and left out."""
        for index, line in enumerate(self.lines):
            self._index = index
            if line.startswith("!!") or not line:
                continue
            fields = line.split("\t")
            if not self._started:
                self._start(fields)
                continue
            if not self._spines:
                self._fault("score-after-end", f"{self._where()} follows the end of all spines.")
                continue
            kind = self._kind(fields)
            if kind is None or kind == "comment":
                continue
            yield SpineLine(self._index + 1, kind, tuple(fields), self._spines)
            if kind == "interpretation":
                self._manipulate(fields)
        if self._spines:
            self._index = len(self.lines)
            self._fault(
                "score-no-terminator", f"{len(self._spines)} spines are not ended by *-.", broken=False
            )

    def _start(self, fields: list[str]) -> None:
        if not all(name.startswith("**") and len(name) > 2 for name in fields):
            self._fault("score-no-exclusive", f"{self._where()} stands before the names of the spines.")
            return
        self._started = True
        self._spines = tuple(Spine(name, track) for track, name in enumerate(fields))
        self.n_kern = fields.count("**kern")
        if not self.n_kern:
            self._fault("score-no-kern", f"None of {quote(' '.join(fields))} is **kern.")

    def _kind(self, fields: Sequence[str]) -> LineKind | Literal["comment"] | None:
        if len(fields) != len(self._spines):
            self._fault(
                "score-spine-count",
                f"{self._where()} has {len(fields)} fields for {len(self._spines)} spines.",
            )
            return None
        if not all(fields):
            self._fault("score-empty-field", f"{self._where()} has an empty field.")
            return None
        first = fields[0][0]
        firsts = {text[0] for text in fields}
        for mark in "*!":
            if mark in firsts:
                if len(firsts) == 1:
                    return "interpretation" if mark == "*" else "comment"
                self._fault("score-mixed-line", f"{self._where()} is neither wholly {mark} nor wholly data.")
                return None
        if "=" not in firsts:
            return "data"
        if all(text[0] == "=" or text == "." for text in fields):
            texts = set(fields)
            if "." in texts or (len(texts) > 1 and len({_bar_number(text) for text in texts}) > 1):
                self._log.add("score-barline-mismatch", f"{self._where()}: the barlines differ.")
            return "barline"
        self._fault("score-mixed-line", f"{self._where()} has barlines and data; it begins with {first!r}.")
        return None

    def _manipulate(self, fields: Sequence[str]) -> None:
        if not any(mark in _MANIPULATORS or mark.startswith("**") for mark in fields):
            return
        before = self._spines
        after: list[Spine] = []
        for mark, run in groupby(zip(fields, before, strict=True), key=lambda pair: pair[0]):
            spines = [spine for _, spine in run]
            if mark == "*v":
                after += self._join(spines)
            elif mark == "*x":
                after += spines
            elif mark == "*-":
                continue
            else:
                for spine in spines:
                    after += self._single(mark, spine)
        if "*x" in fields:
            after = self._exchange(fields, after)
        self._spines = tuple(after)

    def _single(self, mark: str, spine: Spine) -> list[Spine]:
        if mark == "*^":
            return [spine, replace(spine, has_notes=False, n_fields=0)]
        if mark == "*+":
            return [spine, Spine("", spine.track)]
        if mark.startswith("**"):
            if spine.kind:
                self._fault("score-bad-exclusive", f"{self._where()}: {quote(mark)} begins no new spine.")
            spine.kind = mark
        return [spine]

    def _join(self, spines: list[Spine]) -> list[Spine]:
        if len(spines) < 2:
            self._fault("score-bad-join", f"{self._where()} joins one spine with nothing.")
            return spines
        tracks = [list(run) for _, run in groupby(spines, key=lambda spine: spine.track)]
        if len(tracks) > 1 and all(len(track) > 1 for track in tracks):
            # Humdrum itself would make one spine of them all; writers mean the parts of each.
            self._log.add("score-ambiguous-join", f"{self._where()} joins the parts of {len(tracks)} spines.")
        else:
            tracks = [spines]
        return [
            replace(
                track[0],
                time=max(spine.time for spine in track),
                has_notes=any(spine.has_notes for spine in track),
                is_timed=all(spine.is_timed for spine in track),
            )
            for track in tracks
        ]

    def _exchange(self, fields: Sequence[str], after: list[Spine]) -> list[Spine]:
        places = [index for index, mark in enumerate(fields) if mark == "*x"]
        plain = all(mark == "*x" or mark not in ("*^", "*v", "*+", "*-") for mark in fields)
        if len(places) != 2 or places[1] != places[0] + 1 or not plain:
            self._fault("score-bad-exchange", f"{self._where()} exchanges other than one pair of neighbours.")
            return after
        left, right = places
        after[left], after[right] = after[right], after[left]
        return after

    def _where(self) -> str:
        return f"Line {self._index + 1}"

    def _fault(self, code: str, message: str, *, broken: bool = True) -> None:
        self._log.add(code, message)
        if broken and self.first_broken is None:
            self.first_broken = self._index


def _bar_number(barline: str) -> str:
    rest = barline.lstrip("=")
    return rest[: len(rest) - len(rest.lstrip("0123456789"))]


def keep_kern_spines(lines: Sequence[str]) -> list[str]:
    """As many lines, without the fields of spines that are not ``**kern``: a comment where none is left.

    ``lines`` are sound: see :attr:`SpineReader.first_broken`.
    """
    alone = list(lines)
    header = next((index for index, line in enumerate(lines) if line.startswith("**")), None)
    if header is None or set(lines[header].split("\t")) == {"**kern"}:
        return alone
    alone[header] = "\t".join(name for name in lines[header].split("\t") if name == "**kern")
    for line in SpineReader(lines, IssueLog()):
        fields = [
            text for text, spine in zip(line.fields, line.spines, strict=True) if spine.kind == "**kern"
        ]
        alone[line.number - 1] = "\t".join(fields) or "!"
    return alone
