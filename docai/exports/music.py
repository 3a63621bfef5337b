"""Scores: MusicXML, MIDI and Humdrum kern of each piece, and SVG engraved by Verovio.

A piece is what :meth:`docai.Document.joined_scores` joins over systems and pages. Of several pieces each is a
file of its own, ``STEM-2.mid``, ``STEM-3.mid``, …: notation programs open one piece at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from docai.base import counted
from docai.errors import ExportError, NothingToExportError
from docai.exports.base import Export
from docai.exports.pictures import engraved, n_measures_of
from docai.score_formats import ScoreExports, ScoreFile


def to_musicxml(export: Export) -> bytes:
    """MusicXML 4.0, partwise."""
    return _pieces(export, ".musicxml", lambda piece: _checked(export, piece.to_musicxml()))


def to_midi(export: Export) -> bytes:
    """Standard MIDI files of format 1."""
    return _pieces(export, ".mid", lambda piece: _checked(export, piece.to_midi()))


def to_kern(export: Export) -> bytes:
    """Humdrum ``**kern``, which loses nothing of what was read."""
    return _pieces(export, ".krn", lambda piece: piece.kern.rstrip("\n").encode() + b"\n")


def to_svg(export: Export) -> bytes:
    """Engravings of Verovio."""
    return _pieces(export, ".svg", lambda piece: _svg(export, piece))


def _svg(export: Export, piece: ScoreExports) -> bytes:
    svg = engraved(piece.kern)
    if svg is None:
        raise ExportError("Verovio refuses the music. Its kern can be written as .krn.")
    if (n_drawn := n_measures_of(svg)) < piece.n_measures:
        export.lose("cut-engraving", f"The picture ends after measure {n_drawn} of {piece.n_measures}.")
    return svg.encode()


def _checked(export: Export, file: ScoreFile) -> bytes:
    for issue in file.issues:
        export.lose(issue.code, issue.message)
    return bytes(file)


def _pieces(export: Export, suffix: str, write: Callable[[ScoreExports], bytes]) -> bytes:
    """The main file is the first piece; one that cannot be written is a loss."""
    about = export.document.source.name
    for score in export.document.scores:
        if not score.is_valid:
            export.lose(
                "invalid-score",
                f"Page {score.page}: a score is left out, since its kern has errors; see its issues.",
                score.id,
            )
    files: list[bytes] = []
    for number, piece in enumerate(export.document.joined_scores(), 1):
        try:
            files.append(write(piece))
        except ExportError as error:
            export.lose("unwritten-score", f"Piece {number} of {about} is left out: {error}")
    if not files:
        why = _why(export.losses[-1].message if export.losses else "")
        raise NothingToExportError(f"{about} has no score that can be written as {suffix}{why}.")
    _add(export, suffix, files[1:])
    return files[0]


def _why(message: str) -> str:
    return f" ({message.rstrip('.')})" if message else ""


def _add(export: Export, suffix: str, files: Sequence[bytes]) -> None:
    if export.options.files_beside:
        for number, data in enumerate(files, 2):
            export.add_file(f"{export.stem}-{number}{suffix}", data)
    elif files:
        export.lose(
            "further-pieces",
            f"{counted(len(files), 'piece')} after the first left out: one file holds one piece.",
        )
