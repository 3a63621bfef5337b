"""The notes of a score by staff: the truth of a drawing, from kern, MusicXML or LilyPond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from docai.parsers.score_notes import read_field

if TYPE_CHECKING:
    from lxml import etree

STEPS: Final = "CDEFGAB"
_VALUES: Final = (
    *("maxima", "long", "breve", "whole", "half", "quarter"),
    *("eighth", "16th", "32nd", "64th", "128th", "256th"),
)
_TYPES: Final = {name: Fraction(32, 2**index) for index, name in enumerate(_VALUES)}
"""Name of a note value in MusicXML → quarters."""


class Note(NamedTuple):
    """One notehead; the order is that of time, grace notes before what they adorn, then from the bottom."""

    onset: Fraction
    """Quarters since the beginning."""
    is_main: bool
    """It is no grace note."""
    turn: Fraction
    """Order among grace notes of one onset; 0 for others."""
    position: int
    """Diatonic, seven per octave; 28 is middle C."""
    alter: int
    """Semitones of its accidental, or of the key in force."""
    duration: Fraction
    """Quarters as written; 0 for a grace note."""

    @property
    def token(self) -> tuple[int, int, Fraction]:
        """Pitch and duration."""
        return self.position, self.alter, self.duration


Staves = list[list[Note]]
"""Notes by staff, the top one first; sorted."""


def notes_of_kern(kern: str) -> Staves:
    """The notes of kern; a field that cannot be read has none, a line of a wrong width neither."""
    spines: list[tuple[int, Fraction]] = []
    """Staff and time of each current spine; -1 for a spine that holds no notes."""
    staves: Staves = []
    for number, line in enumerate(kern.split("\n")):
        fields = line.split("\t")
        if line.startswith("**"):
            n_staves = fields.count("**kern")
            staves = [[] for _ in range(n_staves)]
            # The lowest staff is at the left.
            order = iter(reversed(range(n_staves)))
            spines = [(next(order) if name == "**kern" else -1, Fraction(0)) for name in fields]
        elif not line or line.startswith("!") or len(fields) != len(spines):
            continue
        elif line.startswith("*"):
            spines = list(_manipulated(spines, fields))
        elif line.startswith("="):
            latest = max((time for _, time in spines), default=Fraction(0))
            spines = [(staff, latest) for staff, _ in spines]
        else:
            for index, (field, (staff, time)) in enumerate(zip(fields, spines, strict=True)):
                content = read_field(field) if field != "." and staff >= 0 else None
                if content is None:
                    continue
                spines[index] = staff, time + content.duration
                for note in content.notes:
                    if note.is_rest:
                        continue
                    letter, octave = note.letters[0], len(note.letters)
                    step = STEPS.index(letter.upper())
                    position = 7 * (3 + octave if letter.islower() else 4 - octave) + step
                    alter = note.accidental.count("#") - note.accidental.count("-")
                    duration = content.duration if note.duration is None else note.duration
                    turn = Fraction(number if note.is_grace else 0)
                    staves[staff].append(Note(time, not note.is_grace, turn, position, alter, duration))
    return [sorted(staff) for staff in staves]


def _manipulated(spines: list[tuple[int, Fraction]], fields: list[str]) -> Iterator[tuple[int, Fraction]]:
    joined: list[tuple[int, Fraction]] = []
    for field, spine in zip(fields, spines, strict=True):
        if field == "*v" and (not joined or joined[-1][0] == spine[0]):
            joined.append(spine)
            continue
        if joined:
            yield joined[0][0], max(time for _, time in joined)
            joined = [spine] if field == "*v" else []
            if joined:
                continue
        if field == "*^":
            yield spine
        if field != "*-":
            yield spine
    if joined:
        yield joined[0][0], max(time for _, time in joined)


def notes_of_musicxml(root: etree._Element) -> Staves:
    """The written notes of a partwise MusicXML score, those of tablature and percussion left out."""
    staves: Staves = []
    for part in root.iterfind("part"):
        staves += _notes_of_part(part)
    return [sorted(staff) for staff in staves]


def _notes_of_part(part: etree._Element) -> Staves:
    made: dict[int, list[Note]] = {1: []}
    unread: set[int] = set()
    divisions, start, turn = Fraction(1), Fraction(0), Fraction(0)
    for measure in part.iterfind("measure"):
        now = latest = last_onset = Fraction(0)
        for node in measure:
            if node.tag == "attributes":
                divisions = Fraction(node.findtext("divisions") or divisions)
                for clef in node.iterfind("clef"):
                    number = int(clef.get("number", "1"))
                    made.setdefault(number, [])
                    if clef.findtext("sign") in ("TAB", "percussion"):
                        unread.add(number)
            elif node.tag in ("backup", "forward"):
                moved = Fraction(node.findtext("duration") or 0) / divisions
                now += moved if node.tag == "forward" else -moved
            elif node.tag == "note":
                length = Fraction(node.findtext("duration") or 0) / divisions
                is_grace = node.find("grace") is not None
                onset = last_onset if node.find("chord") is not None else now
                last_onset = onset
                if node.find("chord") is None and not is_grace:
                    now += length
                turn += 1
                staff = int(node.findtext("staff") or 1)
                pitch = node.find("pitch")
                if pitch is not None and node.get("print-object") != "no":
                    step, octave = pitch.findtext("step") or "C", int(pitch.findtext("octave") or 4)
                    made.setdefault(staff, []).append(
                        Note(
                            start + onset,
                            not is_grace,
                            turn if is_grace else Fraction(0),
                            7 * octave + STEPS.index(step),
                            round(float(pitch.findtext("alter") or 0)),
                            Fraction(0) if is_grace else _written_length(node, length),
                        )
                    )
            latest = max(latest, now)
        start += latest
    return [notes for number, notes in sorted(made.items()) if number not in unread]


def _written_length(note: etree._Element, sounding: Fraction) -> Fraction:
    """Quarters of the note value that is drawn; where it is not said, the sounding one."""
    value = _TYPES.get(note.findtext("type") or "")
    if value is None:
        return sounding
    dots = len(note.findall("dot"))
    length = value * (2 - Fraction(1, 2**dots))
    actual, normal = (
        note.findtext("time-modification/actual-notes"),
        note.findtext("time-modification/normal-notes"),
    )
    return length * Fraction(int(normal), int(actual)) if actual and normal else length


def notes_of_lilypond(lines: Iterable[str]) -> Staves:
    """The notes that :mod:`docai.pipelines.synthesis.vector.lilypond` has LilyPond tell."""
    staves: dict[int, list[Note]] = {}
    for line in lines:
        words = line.split()
        if not words or words[0] != "DRAWN":
            continue
        main, grace, alteration, scale = (Fraction(words[index]) for index in (2, 3, 6, 9))
        octave, step, log, dots = (int(words[index]) for index in (4, 5, 7, 8))
        length = Fraction(4) * Fraction(2) ** -log * (2 - Fraction(1, 2**dots)) * scale
        is_grace = grace != 0
        staves.setdefault(int(words[1]), []).append(
            Note(
                4 * main,
                not is_grace,
                grace,
                7 * (octave + 4) + step,
                int(2 * alteration),
                Fraction(0) if is_grace else length,
            )
        )
    return [sorted(staves[number]) for number in sorted(staves)]


__all__ = ["Note", "Staves", "notes_of_kern", "notes_of_lilypond", "notes_of_musicxml"]
