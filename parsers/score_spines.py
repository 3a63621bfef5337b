"""The spine structure of Humdrum: which field of a line belongs to which spine.

By the rules of Humdrum (https://www.humdrum.org/guide/ch05/) the first line names the spines (``**kern``),
each line has one field for each current spine, and the manipulators ``*^`` (split), ``*v`` (join), ``*+``
(add), ``*x`` (exchange) and ``*-`` (end) change the spines. music21, converter21 and Verovio lose notes or
crash on an invalid structure, so it is checked first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from docai.parsers.base import IssueLog, quote
from docai.parsers.score_notes import Ticks

_SPINE_MANIPULATORS = frozenset(("*^", "*v", "*+", "*x", "*-"))

LineKind = Literal["data", "barline", "interpretation"]


@dataclass
class Spine:
    """A current spine or, after a split, a part of one. Times are ticks since the last barline."""

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
    """A valid line: one field for each spine."""

    number: int
    kind: LineKind
    fields: tuple[str, ...]
    spines: tuple[Spine, ...]


class SpineReader:
    """Iterates once over the lines of one Humdrum text and checks its structure.

    Attributes:
        lines: The lines of the text.
        n_kern: Number of ``**kern`` spines at the start.
        first_invalid: Index (from 0) of the first line that violates the structure; None if no line does.
    """

    def __init__(self, lines: Sequence[str], log: IssueLog) -> None:
        self.n_kern = 0
        self.first_invalid: int | None = None
        self.lines = lines
        self._log = log
        self._spines: tuple[Spine, ...] = ()
        self._started = False
        self._index = 0

    def __iter__(self) -> Iterator[SpineLine]:
        """The valid lines that are not comments. Invalid lines are logged and skipped."""
        for index, line in enumerate(self.lines):
            self._index = index
            if line.startswith("!!") or not line:
                continue
            fields = line.split("\t")
            if not self._started:
                self._read_header(fields)
                continue
            if not self._spines:
                self._log_error("score-after-end", f"{self._line_name()} comes after the end of all spines.")
                continue
            kind = self._line_kind(fields)
            if kind is None or kind == "comment":
                continue
            yield SpineLine(self._index + 1, kind, tuple(fields), self._spines)
            if kind == "interpretation":
                self._apply_manipulators(fields)
        if self._spines:
            self._index = len(self.lines)
            self._log_error(
                "score-no-terminator",
                f"{len(self._spines)} spines are not ended by *-; the answer may have been cut off.",
                ends_valid_part=False,
            )

    def _read_header(self, fields: list[str]) -> None:
        if not all(name.startswith("**") and len(name) > 2 for name in fields):
            self._log_error(
                "score-no-exclusive",
                f"{self._line_name()} comes before the line that names the spines (**kern).",
            )
            return
        self._started = True
        self._spines = tuple(Spine(name, track) for track, name in enumerate(fields))
        self.n_kern = fields.count("**kern")
        if not self.n_kern:
            self._log_error("score-no-kern", f"None of the spines {quote(' '.join(fields))} is **kern.")

    def _line_kind(self, fields: Sequence[str]) -> LineKind | Literal["comment"] | None:
        if len(fields) != len(self._spines):
            self._log_error(
                "score-spine-count",
                f"{self._line_name()} has {len(fields)} fields for {len(self._spines)} spines.",
            )
            return None
        if not all(fields):
            self._log_error("score-empty-field", f"{self._line_name()} has an empty field.")
            return None
        first = fields[0][0]
        firsts = {text[0] for text in fields}
        for mark in "*!":
            if mark in firsts:
                if len(firsts) == 1:
                    return "interpretation" if mark == "*" else "comment"
                self._log_error(
                    "score-mixed-line",
                    f"{self._line_name()} mixes fields that start with {mark!r} with others.",
                )
                return None
        if "=" not in firsts:
            return "data"
        if all(text[0] == "=" or text == "." for text in fields):
            texts = set(fields)
            if "." in texts or (len(texts) > 1 and len({_barline_number(text) for text in texts}) > 1):
                self._log.add(
                    "score-barline-mismatch", f"{self._line_name()}: the barlines of the spines differ."
                )
            return "barline"
        self._log_error(
            "score-mixed-line", f"{self._line_name()} mixes barlines and data; it starts with {first!r}."
        )
        return None

    def _apply_manipulators(self, fields: Sequence[str]) -> None:
        if not any(mark in _SPINE_MANIPULATORS or mark.startswith("**") for mark in fields):
            return
        before = self._spines
        after: list[Spine] = []
        for mark, run in groupby(zip(fields, before, strict=True), key=lambda pair: pair[0]):
            spines = [spine for _, spine in run]
            if mark == "*v":
                after += self._join_spines(spines)
            elif mark == "*x":
                after += spines
            elif mark == "*-":
                continue
            else:
                for spine in spines:
                    after += self._apply_to_one(mark, spine)
        if "*x" in fields:
            after = self._exchange_spines(fields, after)
        self._spines = tuple(after)

    def _apply_to_one(self, mark: str, spine: Spine) -> list[Spine]:
        if mark == "*^":
            return [spine, replace(spine, has_notes=False, n_fields=0)]
        if mark == "*+":
            return [spine, Spine("", spine.track)]
        if mark.startswith("**"):
            if spine.kind:
                self._log_error(
                    "score-bad-exclusive",
                    f"{self._line_name()}: {quote(mark)} is given where no new spine starts.",
                )
            spine.kind = mark
        return [spine]

    def _join_spines(self, spines: list[Spine]) -> list[Spine]:
        if len(spines) < 2:
            self._log_error(
                "score-bad-join", f"{self._line_name()} joins a spine (*v) without a neighbor to join."
            )
            return spines
        tracks = [list(run) for _, run in groupby(spines, key=lambda spine: spine.track)]
        if len(tracks) > 1 and all(len(track) > 1 for track in tracks):
            # By the rules all would become one spine; writers mean one spine for each.
            self._log.add(
                "score-ambiguous-join",
                f"{self._line_name()} joins parts of {len(tracks)} spines, which were kept apart.",
            )
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

    def _exchange_spines(self, fields: Sequence[str], after: list[Spine]) -> list[Spine]:
        places = [index for index, mark in enumerate(fields) if mark == "*x"]
        plain = all(mark == "*x" or mark not in ("*^", "*v", "*+", "*-") for mark in fields)
        if len(places) != 2 or places[1] != places[0] + 1 or not plain:
            self._log_error(
                "score-bad-exchange",
                f"{self._line_name()} exchanges spines (*x) other than two neighbors.",
            )
            return after
        left, right = places
        after[left], after[right] = after[right], after[left]
        return after

    def _line_name(self) -> str:
        return f"Line {self._index + 1}"

    def _log_error(self, code: str, message: str, *, ends_valid_part: bool = True) -> None:
        self._log.add(code, message)
        if ends_valid_part and self.first_invalid is None:
            self.first_invalid = self._index


def _barline_number(barline: str) -> str:
    rest = barline.lstrip("=")
    return rest[: len(rest) - len(rest.lstrip("0123456789"))]


def keep_kern_spines(lines: Sequence[str]) -> list[str]:
    """The lines without the fields of spines that are not ``**kern``; a line without fields becomes a
    comment.

    ``lines`` must be valid, see :attr:`SpineReader.first_invalid`.
    """
    kern_lines = list(lines)
    header = next((index for index, line in enumerate(lines) if line.startswith("**")), None)
    if header is None or set(lines[header].split("\t")) == {"**kern"}:
        return kern_lines
    kern_lines[header] = "\t".join(name for name in lines[header].split("\t") if name == "**kern")
    for line in SpineReader(lines, IssueLog()):
        fields = [
            text for text, spine in zip(line.fields, line.spines, strict=True) if spine.kind == "**kern"
        ]
        kern_lines[line.number - 1] = "\t".join(fields) or "!"
    return kern_lines
