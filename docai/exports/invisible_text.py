"""Words that are on a page of a PDF without being seen: found by a search, copied with the mouse.

Each is drawn in text rendering mode 3, which paints nothing (ISO 32000-1, 9.3.6), in a font without a single
outline, whose letters are all of one width. The font is made for the document and has every character that
occurs in it, of any script; a word is stretched to its box.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from docai.exports.hidden_words import HiddenWord

MAX_CHARACTERS: Final = 60_000
"""Different ones in a font, whose glyphs are numbered with 16 bits."""

_UNITS: Final = 1000
_ADVANCE: Final = 500
_SPACE: Final = 250
"""Of a space, which is stretched like the word before it and should not reach into the next one."""

_DESCENT: Final = 0.2
"""Of the height of a box: where the base line runs, above the lower edge."""

_BF_BLOCK: Final = 100
"""Most entries of one ``bfchar`` block (Adobe Technical Note 5014)."""

_LEFT_TO_RIGHT: Final = re.compile(r"[0-9A-Za-z]+(?:[.,:/][0-9]+)*")
"""What keeps its order inside a word that is written from the right."""


class InvisibleFont:
    """A TrueType font with an empty glyph for each of these characters.

    Raises:
        ValueError: there are more than :data:`MAX_CHARACTERS`.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self._glyphs = {one: number for number, one in enumerate(sorted({*characters, " "}), 1)}
        if len(self._glyphs) > MAX_CHARACTERS:
            raise ValueError(f"{len(self._glyphs)} different characters are more than one font holds")
        # Another font of docai may be on the page already: one name, one set of glyphs.
        mark = hashlib.sha256("".join(self._glyphs).encode()).hexdigest()[:8]
        self.name = f"DocaiInvisible{mark}"
        self.file = self._make()

    def codes(self, text: str) -> str:
        """The glyph numbers of a text in hexadecimal, as a string of a PDF's composite font."""
        return "".join(f"{self._glyphs[one]:04x}" for one in text)

    def width(self, text: str) -> float:
        """Advance of a text in ems; 0 where it has combining marks alone."""
        return sum(_advance(one) for one in text) / _UNITS

    def to_unicode(self) -> bytes:
        """The ToUnicode CMap (ISO 32000-1, 9.10.3), with surrogates for what is beyond 16 bits."""
        entries = [f"<{n:04x}> <{one.encode('utf-16-be').hex()}>" for one, n in self._glyphs.items()]
        blocks = [entries[start : start + _BF_BLOCK] for start in range(0, len(entries), _BF_BLOCK)]
        lines = [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange <0000> <ffff> endcodespacerange",
            *(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks),
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
        return "\n".join(lines).encode()

    def _make(self) -> bytes:
        from fontTools.fontBuilder import FontBuilder
        from fontTools.ttLib.tables._g_l_y_f import Glyph

        names = {one: f"g{number}" for one, number in self._glyphs.items()}
        order = [".notdef", *names.values()]
        ascent, descent = round(_UNITS * (1 - _DESCENT)), -round(_UNITS * _DESCENT)
        builder = FontBuilder(_UNITS, isTTF=True)
        # Else the file would hold the time of day, and two exports of one document would differ.
        builder.font.recalcTimestamp = False
        builder.updateHead(created=0, modified=0)
        builder.setupGlyphOrder(order)
        builder.setupCharacterMap({ord(one): name for one, name in names.items()})
        builder.setupGlyf({name: Glyph() for name in order})
        advances = {name: (_advance(one), 0) for one, name in names.items()}
        builder.setupHorizontalMetrics({".notdef": (_ADVANCE, 0), **advances})
        builder.setupHorizontalHeader(ascent=ascent, descent=descent)
        builder.setupNameTable({"familyName": self.name, "styleName": "Regular", "psName": self.name})
        builder.setupOS2(
            sTypoAscender=ascent, sTypoDescender=descent, usWinAscent=ascent, usWinDescent=-descent
        )
        builder.setupPost(keepGlyphNames=False)
        file = io.BytesIO()
        builder.save(file)
        return file.getvalue()


def _advance(character: str) -> int:
    """Width in units of the font; readers of PDFs count none for a combining mark."""
    if character == " ":
        return _SPACE
    return 0 if unicodedata.category(character) in ("Mn", "Me") else _ADVANCE


def add_words(page: Any, words: Sequence[HiddenWord], font: InvisibleFont) -> None:
    """Write words on a ``pymupdf.Page``, over what it shows.

    Raises one of :data:`docai.pipelines.ingest.pdf.MUPDF_ERRORS` where the page is damaged.
    """
    import pymupdf
    from pymupdf import mupdf

    document = page.parent
    xref = page.insert_font(fontname=font.name, fontbuffer=font.file)
    # MuPDF's own map writes five digits for what is beyond 16 bits, which no reader understands.
    to_unicode = document.xref_get_key(xref, "ToUnicode")[1]
    document.update_stream(int(to_unicode.split()[0]), font.to_unicode())
    # PyMuPDF's transformation_matrix leaves out the crop box of a rotated page.
    displayed = mupdf.FzMatrix()
    media_box = mupdf.FzRect(mupdf.FzRect.Fixed_UNIT)
    mupdf.pdf_page_transform(mupdf.pdf_page_from_fz_page(page.this), media_box, displayed)
    matrix = ~pymupdf.Matrix(displayed.a, displayed.b, displayed.c, displayed.d, displayed.e, displayed.f)
    operators = _operators(words, font, tuple(matrix))
    # Content that leaves its own coordinates behind would move the words, so it is enclosed.
    page.wrap_contents()
    first, last = (_new_stream(document, data) for data in (b"q\n", b"\nQ\n" + operators.encode()))
    contents = "".join(f"{one} 0 R " for one in page.get_contents())
    document.xref_set_key(page.xref, "Contents", f"[{first} 0 R {contents}{last} 0 R]")


def _new_stream(document: Any, data: bytes) -> int:
    xref = int(document.get_new_xref())
    document.update_object(xref, "<<>>")
    document.update_stream(xref, data, new=True)
    return xref


def _operators(words: Sequence[HiddenWord], font: InvisibleFont, to_page: tuple[float, ...]) -> str:
    """The content stream that writes the words.

    Args:
        to_page: matrix ``a b c d e f`` from points of the displayed page to those of the PDF's own space.
    """
    a, b, c, d, e, f = to_page
    parts = ["q BT 3 Tr"]
    for word in words:
        (x, y), (ux, uy), length, height = _frame(word)
        if length <= 0 or height <= 0 or not word.text:
            continue
        stretch = length / height / (font.width(word.text) or _ADVANCE / _UNITS)
        # Letters stand upright on the line that runs along u: y goes down on the displayed page.
        along, up = (ux * stretch, uy * stretch), (uy, -ux)
        matrix = (
            along[0] * a + along[1] * c,
            along[0] * b + along[1] * d,
            up[0] * a + up[1] * c,
            up[0] * b + up[1] * d,
            x * a + y * c + e,
            x * b + y * d + f,
        )
        text = in_visual_order(word.text) + (" " if word.space_after else "")
        numbers = " ".join(f"{value:.4f}" for value in matrix)
        parts.append(f"/{font.name} {height:.3f} Tf {numbers} Tm <{font.codes(text)}> Tj")
    return "\n".join([*parts, "ET Q", ""])


_ALONG: Final = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}
"""Where a line runs on the displayed page."""


def _frame(word: HiddenWord) -> tuple[tuple[float, float], tuple[float, float], float, float]:
    """Where the base line begins, the direction of unit length in which it runs, and how long and high the
    word is."""
    x0, y0, x1, y1 = word.bbox
    ux, uy = _ALONG[word.direction]
    length, height = (x1 - x0, y1 - y0) if ux else (y1 - y0, x1 - x0)
    # Down as seen upright is a quarter clockwise from where the line runs.
    down = (-uy, ux)
    sink = height * (0.5 - _DESCENT) - word.slope * length / 2
    start = (
        (x0 + x1) / 2 - ux * length / 2 + down[0] * sink,
        (y0 + y1) / 2 - uy * length / 2 + down[1] * sink,
    )
    norm = math.hypot(1, word.slope)
    return start, ((ux + word.slope * down[0]) / norm, (uy + word.slope * down[1]) / norm), length, height


def in_visual_order(word: str) -> str:
    """The characters of a word from left to right as printed, which is how a PDF has them."""
    if not any(unicodedata.bidirectional(one) in ("R", "AL") for one in word):
        return word
    parts: list[str] = []
    end = 0
    for kept in _LEFT_TO_RIGHT.finditer(word):
        parts += [word[end : kept.start()][::-1], kept[0]]
        end = kept.end()
    return "".join(reversed([*parts, word[end:][::-1]]))
