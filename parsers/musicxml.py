"""Kern to MusicXML through music21, kept apart from all that music21 does besides."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from typing import Any

_DATE = re.compile(r"\s*<encoding-date>[^<]*</encoding-date>")
# music21 fills in a title and a composer where there are none.
_INVENTED = re.compile(
    r"\s*<movement-title>Music21 Fragment</movement-title>|\s*<creator type=\"composer\">Music21</creator>"
)
_PART_ID = re.compile(r"(<(?:score-part|part) id=\")([^\"]+)(\")")


class ConversionError(Exception):
    """music21 failed; the message says how."""


def kern_to_musicxml(kern: str) -> tuple[str, int]:
    """MusicXML 4.0 of a Humdrum text whose spines are sound, and the number of notes music21 read.

    A note of a chord counts as one. The same kern always gives the same text. Raises ConversionError.
    """
    # music21 warns and prints while it reads what it does not know; the issues say what was lost.
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            xml, n_notes = _convert(kern)
        except Exception as error:
            # music21 raises errors of any type on music it does not understand.
            raise ConversionError(f"{type(error).__name__}: {error}") from error
    ids: dict[str, str] = {}
    xml = _PART_ID.sub(lambda m: m[1] + ids.setdefault(m[2], f"P{len(ids) + 1}") + m[3], xml)
    return _INVENTED.sub("", _DATE.sub("", xml)), n_notes


def _convert(kern: str) -> tuple[str, int]:
    from music21.humdrum.spineParser import HumdrumDataCollection
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    collection = HumdrumDataCollection(kern)
    collection.parse()
    score: Any = collection.stream
    n_notes = sum(len(sound.pitches) for sound in score.recurse().notes)
    return GeneralObjectExporter(score).parse().decode(), n_notes
