"""What character a glyph of a font shows: its text, or else the name that the font gives it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from docai.pipelines.ingest.drawing import GlyphShape

_MUSIC_FONTS: Final = re.compile(
    r"^(?:bravura|leland|leipzig|gootville|gonville|petaluma|emmentaler|feta|parmesan|mscore|maestro|opus|helsinki"
    r"|reprise|inkpen2|petrucci|sonata|jazz(?:$|[ -]?(?:font|perc))|broadway ?copyist|engraver|finale|november|norfolk"
    r"|ash(?:$|\W)|sebastian|musejazz(?!.?text)|musegraph|musicsync|musical ?symbols|noto ?music|steinberg|ekmelos"
    r"|profondo|lilyjazz(?!-?text)|lilyboulez|beethoven|cadence|gutenberg1939|haydn|improviso|lv-?goldenage|paganini"
    r"|ross|scorlatti|sebastiano|tamburo|toscanini|toruscripted)(?!.*(?:text|chord))",
    re.I,
)
"""Begin of the names of fonts whose codes stand for notes, whatever letter a program takes them for. Their
companions for words (``BravuraText`` has notes too, ``Petaluma Script``, ``MuseJazz Text``) are named otherwise."""

_MUSIC_NAME: Final = re.compile(
    r"^(?:noteheads|rests|clefs|accidentals|flags|scripts|dots|brackets?|timesig|pedal|accordion|arrowheads?|ties|custodes"
    r"|mensural|neomensural|lyricsyn)\."
)
"""Names of Feta, LilyPond's font, and its descendants."""

_SMUFL: Final = range(0xE000, 0xEE00)
"""Code points that SMuFL 1.4 gives meanings; those above are of single fonts."""

_PRIVATE: Final = ((0xE000, 0xF8FF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD))

_SYMBOL_CODES: Final = range(0xF020, 0xF100)
"""Where the codes of a font with the flag ``symbolic`` are put, as Windows does."""

_SYMBOL: Final = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
)
"""Adobe's Symbol encoding from code 32 to 126."""

_SYMBOL_HIGH: Final = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊"
"""The same from code 160 to 224."""

_UNICODE_NAME: Final = re.compile(r"^(?:uni([0-9A-F]{4})|u([0-9A-F]{4,6}))(?:\.\w+)?$")

_LIGATURES: Final = re.compile("[ﬀ-ﬆ]")


def is_music_glyph(shape: GlyphShape, text: str) -> bool:
    """Whether a glyph is of a music font, by the name of the font, its own name, or the code in its place."""
    if _MUSIC_FONTS.match(shape.font) or _MUSIC_NAME.match(shape.name):
        return True
    return len(text) == 1 and ord(text) in _SMUFL


def glyph_text(shape: GlyphShape, text: str) -> str:
    """The character that a glyph shows; a space for one without ink, empty where neither code nor name say."""
    said = _meaning(shape, text)
    return unicodedata.normalize("NFKC", said) if _LIGATURES.match(said) else said


def _meaning(shape: GlyphShape, text: str) -> str:
    if text and all(map(_has_meaning, text)):
        return text
    if named := _character_of_name(shape.name):
        return named
    if len(text) == 1 and ord(text) in _SYMBOL_CODES and "symbol" in shape.font.lower():
        return _of_symbol(ord(text) & 0xFF)
    return ""


def _has_meaning(character: str) -> bool:
    code = ord(character)
    if any(first <= code <= last for first, last in _PRIVATE):
        return False
    return character != "\ufffd" and (
        unicodedata.category(character) not in ("Cc", "Cn", "Cs") or character in "\t\n"
    )


def _character_of_name(name: str) -> str:
    """The character of a name of the Adobe glyph list; those such as ``g12`` and ``1`` name none."""
    if hexadecimal := _UNICODE_NAME.match(name):
        code = int(hexadecimal[1] or hexadecimal[2], 16)
    else:
        import pymupdf

        code = pymupdf.mupdf.fz_unicode_from_glyph_name_strict(name.split(".")[0]) if name else 0
    return chr(code) if 0 < code < 0x110000 and _has_meaning(chr(code)) else ""


def _of_symbol(code: int) -> str:
    if 32 <= code < 32 + len(_SYMBOL):
        return _SYMBOL[code - 32]
    if 160 <= code < 160 + len(_SYMBOL_HIGH):
        return _SYMBOL_HIGH[code - 160]
    return ""
