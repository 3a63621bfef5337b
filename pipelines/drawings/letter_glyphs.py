"""What character a glyph of a font shows: its text, or else the name that the font gives it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from docai.pipelines.drawings.letter_classes import CAP_HEIGHT_EM, load_model
from docai.pipelines.drawings.letter_context import resolve
from docai.pipelines.drawings.letter_outlines import Outline, join, nest
from docai.pipelines.drawings.letter_sizes import Anchor
from docai.pipelines.ingest.drawing import GlyphShape

_MUSIC_FONTS: Final = re.compile(
    r"^(?:bravura|leland|leipzig|gootville|gonville|petaluma|emmentaler|feta|parmesan|mscore|maestro|opus"
    r"|helsinki|reprise|inkpen2|petrucci|sonata|jazz(?:$|[ -]?(?:font|perc))|broadway ?copyist|engraver"
    r"|finale|november|norfolk|ash(?:$|\W)|sebastian|musejazz|musegraph|musicsync|musical ?symbols"
    r"|noto ?music|steinberg|ekmelos|profondo|lilyjazz|lilyboulez|beethoven|cadence|gutenberg1939|haydn"
    r"|improviso|lv-?goldenage|paganini|ross|scorlatti|tamburo|toscanini|toruscripted)"
    r"(?!.*(?:text|chord|script))",
    re.I,
)
"""Begin of the names of fonts whose codes stand for notes, whatever letter a program takes them for. Their
companions for words are called ``MuseJazz Text``, ``Petaluma Script`` and the like."""

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

_TESTED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
"""Characters of which the outline tells whether a font shows them for their codes."""

_SURE: Final = 0.8
"""Score of an outline from which it can contradict the text."""

_MIN_AGREED: Final = 0.01
"""Probability of the text from which an outline does not contradict it."""

_MIN_TESTED: Final = 3
"""Characters of a font from which it may be said to show others than its codes."""

_MAX_AGREED: Final = 0.34
"""Share of them that agree by chance; of a script that looks like no other some do."""

_LIGATURES: Final = re.compile("[ﬀ-ﬆ]")


def is_music_glyph(shape: GlyphShape, text: str) -> bool:
    """Whether a glyph is of a music font, by the name of the font, its own name, or the code in its place."""
    if _MUSIC_FONTS.match(shape.font) or _MUSIC_NAME.match(shape.name):
        return True
    return len(text) == 1 and ord(text) in _SMUFL


def glyph_text(shape: GlyphShape, text: str) -> str:
    """The character that a glyph shows; empty where neither its code nor its name says."""
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


def outline_texts(
    glyphs: Sequence[tuple[GlyphShape, str]],
) -> dict[int, tuple[str, float, tuple[str, ...]]]:
    """What the outlines of glyphs say where their text says nothing, or what their font shows otherwise.

    Args:
        glyphs: shapes with their text, see :func:`glyph_text`.

    Returns:
        By the ``id`` of a shape its text, the score of it, and what else it may be.
    """
    shapes = {id(shape): (shape, text) for shape, text in glyphs if shape.subpaths}
    by_font: dict[str, list[tuple[GlyphShape, str]]] = {}
    for shape, text in shapes.values():
        by_font.setdefault(shape.font, []).append((shape, text))
    found: dict[int, tuple[str, float, tuple[str, ...]]] = {}
    for members in by_font.values():
        if all(text and not text.isspace() and text not in _TESTED for _, text in members):
            continue
        found |= _outline_texts_of_font(members)
    return found


def _outline_texts_of_font(
    members: Sequence[tuple[GlyphShape, str]],
) -> dict[int, tuple[str, float, tuple[str, ...]]]:
    model = load_model()
    placed = [
        (shape, text, outline) for shape, text in members if (outline := _as_outline(shape)) is not None
    ]
    if not placed:
        return {}
    rows = model.probabilities([outline for _, _, outline in placed])
    guesses = resolve(
        model,
        [outline.bbox for _, _, outline in placed],
        rows,
        [Anchor("", outline.bbox, CAP_HEIGHT_EM, 0.0) for _, _, outline in placed],
    )
    tested = [
        (text in (guess.text, *guess.others) or row[model.classes.index(text)] > _MIN_AGREED, guess.score)
        for (_, text, _), guess, row in zip(placed, guesses, rows, strict=True)
        if guess is not None and text in _TESTED and guess.score > _SURE
    ]
    n_agreed = sum(agrees for agrees, _ in tested)
    is_cipher = len(tested) >= _MIN_TESTED and n_agreed <= _MAX_AGREED * len(tested)
    return {
        id(shape): (guess.text, guess.score, guess.others) if guess is not None else ("", 0.0, ())
        for (shape, text, _), guess in zip(placed, guesses, strict=True)
        if is_cipher or not text
    }


def _as_outline(shape: GlyphShape) -> Outline | None:
    """The shape with y down, in ems."""
    parts = [
        part
        for part in nest([part.points * (1, -1) for part in shape.subpaths])
        if part.width + part.height > 0
    ]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else join(parts)
