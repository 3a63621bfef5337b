"""Exports of a score: the encodings of kern as text, MusicXML and MIDI as bytes.

music21 writes MusicXML and MIDI. Notes are counted in the kern and in the file; what was lost is an issue of
the :class:`ScoreFile`. The files contain the kern up to its first invalid line.
"""

from __future__ import annotations

from collections.abc import Sequence

from docai.contents import Issue, ScoreContent
from docai.errors import ExportError
from docai.parsers.base import IssueLog
from docai.parsers.score import ValidKern, kern_lines, read_valid_kern, write_musicxml
from docai.parsers.score_ekern import to_bekern as bekern_lines
from docai.parsers.score_ekern import to_ekern as ekern_lines
from docai.parsers.score_music21 import ConversionError, write_midi


class ScoreFile(bytes):
    """The bytes of a file, with the number of notes and the issues.

    Attributes:
        n_notes: Notes of the kern; each note of a chord is one, tied notes together are one.
        n_written: Notes of the file, counted in the same way.
        issues: What the file lacks.
    """

    n_notes: int
    n_written: int
    issues: tuple[Issue, ...]

    def __new__(
        cls, data: bytes, *, n_notes: int = 0, n_written: int = 0, issues: Sequence[Issue] = ()
    ) -> ScoreFile:
        file = super().__new__(cls, data)
        file.n_notes, file.n_written, file.issues = n_notes, n_written, tuple(issues)
        return file


def to_ekern(kern: str) -> str:
    """The kern as ``**ekern``: ``@`` between the parts of a note, ``·`` before its signs.

    Lossless: :func:`docai.parsers.score.parse_score` reads it back to the same notes.
    """
    return "".join(line + "\n" for line in ekern_lines(kern_lines(kern)))


def to_bekern(kern: str) -> str:
    """The kern as ``**bekern``: only durations, pitches, accidentals and what tells grace notes."""
    return "".join(line + "\n" for line in bekern_lines(kern_lines(kern)))


def to_musicxml(kern: str) -> ScoreFile:
    """MusicXML 4.0, UTF-8. A second for each thousand notes or so; no score is too long.

    Raises:
        ExportError: there is no note or rest to write, or music21 fails.
    """
    valid, log = _read_valid(kern, "MusicXML"), IssueLog()
    try:
        made = write_musicxml(valid, log)
    except ConversionError as error:
        raise _failed("MusicXML", error) from error
    return ScoreFile(
        made.text.encode(), n_notes=valid.n_sounding, n_written=made.n_sounding, issues=log.issues()
    )


def to_midi(kern: str) -> ScoreFile:
    """A Standard MIDI File with a track for each kern spine, and the meters and tempi of the kern.

    Tied notes sound once, grace notes for an eighth of a quarter note from the time of the note that they
    ornament; ornaments, dynamics and repeats are not played. A pitch that MIDI does not have is lost, with an
    issue. ``n_written`` counts note-on events.

    Raises:
        ExportError: there is no note or rest to write, or music21 fails.
    """
    valid, log = _read_valid(kern, "MIDI"), IssueLog()
    try:
        made = write_midi(valid.events, valid.meters_and_tempi, log)
    except ConversionError as error:
        raise _failed("MIDI", error) from error
    return ScoreFile(made.data, n_notes=made.n_notes, n_written=made.n_written, issues=log.issues())


def _read_valid(kern: str, name: str) -> ValidKern:
    valid = read_valid_kern(kern)
    if valid is None:
        raise ExportError(f"The score contains no note or rest to write as {name}.")
    return valid


def _failed(name: str, error: ConversionError) -> ExportError:
    return ExportError(
        f"music21 could not write the score as {name}: {error}. The kern itself is still available."
    )


class ScoreExports(ScoreContent):
    """A score's content with the formats it can be written in, as methods."""

    def to_ekern(self) -> str:
        """The kern as ``**ekern``, each note in its parts; see :mod:`docai.score_formats`."""
        return to_ekern(self.kern)

    def to_bekern(self) -> str:
        """The kern as ``**bekern``: durations, pitches and accidentals alone."""
        return to_bekern(self.kern)

    def to_musicxml(self) -> ScoreFile:
        """MusicXML 4.0 of the kern up to its first invalid line, however long it takes.

        Raises:
            ExportError: there is no note or rest to write, or music21 fails.
        """
        return to_musicxml(self.kern)

    def to_midi(self) -> ScoreFile:
        """A Standard MIDI File of the kern up to its first invalid line, tied notes as one.

        Raises:
            ExportError: there is no note or rest to write, or music21 fails.
        """
        return to_midi(self.kern)
