"""Systems of music joined to scores: one kern text from those of successive systems.

Each system opens with its clefs, key and meter, numbers its measures from 1 and ends with a barline of its
own. Joined, later openings stay only where they say something new, measures are numbered through, and the
barline at the end of a system is that at the begin of the next. Without a barline there (``=-``) a measure
goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from docai.contents import ScoreContent
from docai.parsers.score import parse_score

_TOPICS = re.compile(r"\*(?:clef|k\[|M\d|met\(|staff)")
_BARLINE = re.compile(r"=(=|\d*)(.*)")
_OPEN = "-"
"""Style of a barline that is not there."""
_FINAL = "=="


@dataclass(slots=True)
class _Score:
    """A score while systems are added."""

    n_spines: int
    lines: list[str] = field(default_factory=list)
    confidences: list[float | None] = field(default_factory=list)
    in_force: dict[tuple[int, str], str] = field(default_factory=dict)
    """Spine and topic, such as ``*clef`` → what is said of it last."""
    n_barlines: int = 0
    end: str | None = None
    """Style of the barline after the last measure, such as ``:|!``; None at the begin."""

    def takes(self, content: ScoreContent, *, also_pieces: bool) -> bool:
        """Whether a system goes on with this score, by its staves, and by what stands between the two."""
        if content.n_spines != self.n_spines:
            return False
        return also_pieces or self.end != _FINAL or not re.search(r"^\*M\d", content.kern, re.MULTILINE)

    def add(self, content: ScoreContent) -> None:
        """Add the lines of a system."""
        has_measure = False
        goes_on = self.end == _OPEN
        lines = [line for line in content.kern.splitlines() if line and not line.startswith("**")]
        last = max((index for index, line in enumerate(lines) if line.startswith("=")), default=-1)
        has_notes_after = any(line[0] not in "*!=" for line in lines[last + 1 :])
        for index, line in enumerate(lines):
            fields = line.split("\t")
            if set(fields) == {"*-"}:
                continue
            if line.startswith("="):
                style = _style(fields[0])
                if index == last and not has_notes_after:
                    self.end = style
                    continue
                if not has_measure and self.end is not None:
                    has_measure = True
                    if goes_on:
                        continue
                    style = _joined(self.end, style)
                has_measure = True
                self._add_barline(style, len(fields))
                continue
            if line.startswith("*") and self._says_nothing_new(fields):
                continue
            self.lines.append(line)
        if last < 0 or has_notes_after:
            self.end = _OPEN
        self._add_confidences(content, goes_on=goes_on)

    def text(self) -> str:
        """The kern of the score."""
        end = self.end or ""
        final = "\t".join([end if end == _FINAL else f"={end}"] * self.n_spines)
        header, terminator = ("\t".join([mark] * self.n_spines) for mark in ("**kern", "*-"))
        return "\n".join([header, *self.lines, final, terminator]) + "\n"

    def _add_barline(self, style: str, n_fields: int) -> None:
        self.n_barlines += 1
        style = "||" if style == _FINAL else style
        self.lines.append("\t".join([f"={self.n_barlines}{style}"] * n_fields))

    def _says_nothing_new(self, fields: Sequence[str]) -> bool:
        """Whether a line repeats what is in force; otherwise it is in force from now on."""
        if len(fields) != self.n_spines:
            # Within split spines the columns are others: what is said there is forgotten.
            if any(_TOPICS.match(text) for text in fields):
                self.in_force.clear()
            return False
        is_new = False
        for column, text in enumerate(fields):
            match = _TOPICS.match(text)
            if match is None:
                is_new = is_new or text != "*"
                continue
            topic = match[0].rstrip("0123456789")
            is_new = is_new or self.in_force.get((column, topic)) != text
            self.in_force[column, topic] = text
        return not is_new

    def _add_confidences(self, content: ScoreContent, *, goes_on: bool) -> None:
        values = [measure.confidence for measure in content.measures]
        if goes_on and self.confidences and values:
            before, after = self.confidences[-1], values[0]
            self.confidences[-1] = None if before is None or after is None else min(before, after)
            values = values[1:]
        self.confidences += values


def join_scores(contents: Sequence[ScoreContent], *, also_pieces: bool = False) -> list[ScoreContent]:
    """The scores that successive systems make, without MusicXML.

    A system goes on with the score before it where it has as many staves; after a final barline a system that
    shows a meter begins another. Systems without valid kern are left out and end a score.

    Args:
        contents: one of each system, from the top.
        also_pieces: a piece goes on with the one before it, too, with a double barline between.
    """
    scores: list[_Score] = []
    is_interrupted = False
    for content in contents:
        if not content.is_valid or not content.n_spines:
            is_interrupted = True
            continue
        if not scores or is_interrupted or not scores[-1].takes(content, also_pieces=also_pieces):
            scores.append(_Score(content.n_spines))
        scores[-1].add(content)
        is_interrupted = False
    return [_parsed(score) for score in scores]


def _parsed(score: _Score) -> ScoreContent:
    content = parse_score(score.text(), with_musicxml=False).content
    if len(content.measures) != len(score.confidences):
        return content
    return content.with_confidences(score.confidences)


def _style(barline: str) -> str:
    """What a barline is, without its number: empty for a plain one, ``==`` for the last of a piece."""
    match = _BARLINE.match(barline)
    if match is None:
        return ""
    return _FINAL if match[1] == "=" else match[2]


def _joined(end: str, begin: str) -> str:
    """The style of a barline between two systems, by how the one ends and the other begins."""
    if end == ":|!" and begin == "!|:":
        return ":|!|:"
    return begin or end
