"""Pieces of music21's wheel engraved by LilyPond, as vectors, with the notes as LilyPond drew them.

Needs the programs ``musicxml2ly`` and ``lilypond`` (Debian: ``lilypond``). What the one makes of a
piece is not always what the piece says: an engraver in LilyPond tells each notehead that it draws, and that
is the truth.
"""

from __future__ import annotations

import random
import re
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from docai.pipelines.external import programs
from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.vector.notes import Staves, notes_of_lilypond

SECONDS: Final = 120.0
"""For one piece."""
MAX_FILE_BYTES: Final = 14_000
"""Of a compressed piece; larger ones take many pages."""
_MAX_OUTPUT_BYTES: Final = 64 << 20
_FOLDERS_LEFT_OUT: Final = ("demos", "theoryExercises", "leadSheet")

_TELLING: Final = r"""
#(define told-staves 0)
\layout {
  \context {
    \Staff
    \consists #(lambda (context)
      (let ((number told-staves))
        (set! told-staves (+ 1 told-staves))
        (make-engraver
          (acknowledgers
            ((note-head-interface engraver grob source)
             (let* ((event (event-cause grob))
                    (pitch (ly:event-property event 'pitch))
                    (duration (ly:event-property event 'duration))
                    (now (ly:context-current-moment context)))
               (if (and (ly:pitch? pitch) (ly:duration? duration))
                 (format #t "DRAWN ~a ~a ~a ~a ~a ~a ~a ~a ~a\n"
                   number (ly:moment-main now) (ly:moment-grace now)
                   (ly:pitch-octave pitch) (ly:pitch-notename pitch) (ly:pitch-alteration pitch)
                   (ly:duration-log duration) (ly:duration-dot-count duration)
                   (ly:duration-scale duration)))))))))
  }
}
"""


@dataclass(frozen=True)
class DrawnPiece:
    """A piece as a PDF of one or more pages."""

    data: bytes
    name: str
    notes: Staves


def missing() -> str | None:
    """Why nothing can be drawn here, in one sentence; None where it can."""
    found = (programs.missing(name, "lilypond") for name in ("lilypond", "musicxml2ly"))
    return next((reason for reason in found if reason is not None), None)


def pieces() -> list[Path]:
    """Pieces of music21's wheel of few pages, in an order that takes from all folders in turn."""
    spec = find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        return []
    corpus = Path(spec.submodule_search_locations[0]) / "corpus"
    by_folder: dict[str, list[Path]] = {}
    for path in sorted(corpus.rglob("*.mxl")):
        folder = path.relative_to(corpus).parts[0]
        if folder not in _FOLDERS_LEFT_OUT and path.stat().st_size <= MAX_FILE_BYTES:
            by_folder.setdefault(folder, []).append(path)
    for folder, paths in by_folder.items():
        random.Random(folder).shuffle(paths)
    ordered = []
    while any(by_folder.values()):
        ordered += [paths.pop() for paths in by_folder.values() if paths]
    return ordered


def draw_piece(path: Path, seed: int | str = 0) -> DrawnPiece:
    """A compressed MusicXML file engraved by LilyPond.

    Raises:
        UndrawableError: one of the programs fails, draws no notes, or draws beyond the page.
    """
    rng = random.Random(f"vector/lilypond/{seed}/{path.stem}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = folder / "piece.ly", folder / "piece"
        try:
            converter: list[str | Path] = [programs.find("musicxml2ly"), "-z", "-o", source, path]
            programs.run(converter, seconds=SECONDS, max_bytes=_MAX_OUTPUT_BYTES)
            text = source.read_text(encoding="utf-8", errors="replace")
            source.write_text(_varied(text, rng), encoding="utf-8")
            engraver: list[str | Path] = [programs.find("lilypond"), "--silent", "-o", target, source]
            told = programs.run(engraver, seconds=SECONDS, max_bytes=_MAX_OUTPUT_BYTES)
            data = target.with_suffix(".pdf").read_bytes()
        except (programs.ReaderError, OSError) as error:
            raise UndrawableError(str(error)) from error
    notes = notes_of_lilypond(told.decode("utf-8", "replace").splitlines())
    if not any(notes):
        raise UndrawableError(f"LilyPond drew no notes of {path.name}.")
    if _runs_off_the_page(data):
        raise UndrawableError(f"LilyPond found no place to break the lines of {path.name}.")
    return DrawnPiece(data, path.stem, notes)


def _runs_off_the_page(data: bytes) -> bool:
    """Whether glyphs stand beyond the right edge: notes farther out are not drawn at all."""
    import pymupdf

    document: Any = pymupdf.open(stream=data, filetype="pdf")
    with document:
        return any(
            character[2][0] > page.rect.width
            for page in document
            for span in page.get_texttrace()
            for character in span["chars"]
        )


def _varied(text: str, rng: random.Random) -> str:
    """LilyPond's text with an engraver that tells the notes, and staves of another size."""
    text = re.sub(r"(\\version[^\n]*\n)", lambda match: match[1] + _TELLING, text, count=1)
    if rng.random() < 0.6:
        size = f"#(set-global-staff-size {rng.uniform(12, 22):.2f})"
        text = re.sub(r"#\(set-global-staff-size [\d.]+\)", size, text)
        text = re.sub(r"\\paper\s*\{[^}]*\}", r'\\paper { #(set-paper-size "a4") }', text, count=1)
    return text
