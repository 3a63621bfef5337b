"""Words of a PDF page, from MuPDF's structured text: with size, direction, shade, and raised or lowered runs.

MuPDF's own list of words says where each is, and its dictionary of lines says how each piece of a line is
set. Both have the same characters in the same order, so that each word finds the pieces that it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pymupdf

from docai.geometry import BBox
from docai.parsers.letters import is_enciphered
from docai.parsers.marks import is_footnote_mark, raised_end, subscript, superscript
from docai.pipelines.ingest.page import FontFace, PageWord
from docai.pipelines.ingest.raised_words import join_raised
from docai.pipelines.ingest.wide_words import RawWord, is_space, split_wide_words

_MAX_SCRIPT_SIZE = 0.92
"""Size of a raised or lowered run, in sizes of the text that it belongs to, up to which it is one."""

_MIN_SCRIPT_SIZE = 0.45
"""As above, from which: smaller letters beside a larger one are the text beside a drop cap."""

_MIN_RAISE = 0.12
"""Height of a raised run above the line, in sizes of the text: LaTeX raises by 0.36, Word by 0.33."""

_MAX_RAISE = 0.75
"""As above, up to which; higher is another line."""

_MIN_DROP = 0.06
"""Depth of a lowered run below the line, in sizes of the text: LaTeX lowers by 0.15, Word by 0.14."""

_MAX_DROP = 0.5
"""As above, down to which."""

_DROP_CAP_SIZE = 1.6
"""Size of a single first character, in sizes of the rest of its line, from which it is a drop cap."""

_MAX_BASE_SIZE = 1.3
"""Size of a letter, in sizes of its line, above which it is a drop cap or a sign that runs are not measured
by."""

_TALL = 1.9
"""Height of a word's box, in font sizes, above which the font declares more than its letters can have."""

_ASCENT, _DESCENT = 1.1, 0.35
"""Font sizes above and below the line that the box of a word in such a font is given."""

_STROKES = ("/", "\N{FRACTION SLASH}", "\N{DIVISION SLASH}")


class _Piece(NamedTuple):
    """Characters of a line that are set alike."""

    size: float
    height: float
    """Distance of its baseline from the first one of the line, points; up is positive."""
    shade: float
    font: FontFace


class _SetLine(NamedTuple):
    """One line of the page before its rotation."""

    direction: tuple[float, float]
    origin: tuple[float, float]
    characters: str
    """Without white space."""
    pieces: list[_Piece]
    """That of each character."""


def page_words(textpage: Any, rotation: Any) -> list[PageWord]:
    """The words of a ``pymupdf.TextPage`` in the order of the file.

    Args:
        textpage: of a page, made with ``TEXTFLAGS_WORDS``.
        rotation: the matrix from that page to the displayed one.
    """
    is_turned = tuple(rotation) != tuple(pymupdf.Identity)

    def displayed(box: BBox) -> BBox:
        # Most pages are not rotated, and PyMuPDF's product takes longer than all else about a word.
        return _displayed(box, rotation) if is_turned else box

    lines = dict(_set_lines(textpage.extractDICT()))
    words: list[PageWord] = []
    by_font: dict[FontFace, list[int]] = {}
    found = (
        RawWord(text, (x0, y0, x1, y1), (block, line))
        for x0, y0, x1, y1, text, block, line, _ in textpage.extractWORDS()
    )
    sizes = {key: _main_piece(line.pieces).size for key, line in lines.items()}
    cut = split_wide_words(found, sizes, textpage)
    for (block, number), of_line in groupby(cut, key=lambda word: word.key):
        own = list(of_line)
        line = lines.get((block, number))
        if line is None or "".join(word.text for word in own) != line.characters:
            words += [PageWord(word.text, displayed(word.bbox), block, number) for word in own]
            continue
        angle = _angle(line.direction, rotation)
        is_uniform = line.pieces.count(line.pieces[0]) == len(line.pieces)
        main = _main_piece(line.pieces)
        # Where most of a line seems raised, what is larger is a sign beside it, not its text.
        n_scripts = 0 if is_uniform else sum(_script(piece, main) != 0 for piece in line.pieces)
        is_large_sign = 2 * n_scripts > len(line.pieces)
        start = 0
        for text, box, _ in own:
            pieces = line.pieces[start : start + len(text)]
            start += len(text)
            written, mark = text, ""
            if not (is_uniform and text.isascii()):
                written, mark = _written(text, pieces, _base(pieces, main, is_large_sign=is_large_sign))
            if is_uniform:
                pieces = pieces[:1]
            by_font.setdefault(pieces[0].font, []).append(len(words))
            words.append(
                PageWord(
                    written,
                    displayed(_cut_tall(box, line, pieces)),
                    block,
                    number,
                    size=max(piece.size for piece in pieces),
                    angle=angle,
                    mark=mark,
                    shade=sum(piece.shade for piece in pieces) / len(pieces),
                    font=pieces[0].font,
                )
            )
    for indices in by_font.values():
        if is_enciphered([words[index].text for index in indices]):
            for index in indices:
                words[index] = words[index]._replace(is_enciphered=True)
    return join_raised(words)


def _displayed(box: BBox, rotation: Any) -> BBox:
    x0, y0, x1, y1 = pymupdf.Rect(*box) * rotation
    return x0, y0, x1, y1


def _angle(direction: tuple[float, float], rotation: Any) -> float:
    """Degrees clockwise by which a line is turned on the displayed page."""
    a, b, c, d = list(rotation)[:4]
    x, y = direction
    return round(math.degrees(math.atan2(x * b + y * d, x * a + y * c)), 1) % 360


def _set_lines(page: Any) -> Iterator[tuple[tuple[int, int], _SetLine]]:
    fonts: dict[tuple[str, int], FontFace] = {}
    for block in page["blocks"]:
        for number, line in enumerate(block.get("lines", ())):
            dx, dy = line["dir"]
            characters: list[str] = []
            pieces: list[_Piece] = []
            origin: tuple[float, float] | None = None
            for span in line["spans"]:
                own = [character for character in span["text"] if not is_space(character)]
                origin = origin or span["origin"]
                x, y = span["origin"][0] - origin[0], span["origin"][1] - origin[1]
                # The normal of a line that runs to the right, (1, 0), points up, (0, -1).
                key = span["font"], span["flags"]
                if key not in fonts:
                    fonts[key] = _font(*key)
                shade = _shade(span["color"], span["alpha"])
                piece = _Piece(span["size"], x * dy - y * dx, shade, fonts[key])
                characters += own
                pieces += [piece] * len(own)
            if origin is not None and pieces:
                yield (block["number"], number), _SetLine((dx, dy), origin, "".join(characters), pieces)


def _font(name: str, flags: int) -> FontFace:
    return FontFace(
        name,
        is_bold=bool(flags & pymupdf.TEXT_FONT_BOLD),
        is_italic=bool(flags & pymupdf.TEXT_FONT_ITALIC),
        is_monospace=bool(flags & pymupdf.TEXT_FONT_MONOSPACED),
    )


def _shade(color: int, alpha: int) -> float:
    """Lightness on white paper, 0 (black) to 1 (white)."""
    red, green, blue = color >> 16 & 255, color >> 8 & 255, color & 255
    light = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    return 1 - (1 - light) * alpha / 255


def _main_piece(pieces: Sequence[_Piece]) -> _Piece:
    """How the text of a line is set: what is largest, a drop cap aside."""
    if pieces.count(pieces[0]) == len(pieces):
        return pieces[0]
    sizes = sorted({piece.size for piece in pieces}, reverse=True)
    largest = sizes[0]
    is_cap = len(sizes) > 1 and pieces[0].size == largest >= _DROP_CAP_SIZE * sizes[1]
    if is_cap and sum(piece.size == largest for piece in pieces) == 1:
        largest = sizes[1]
    return next(piece for piece in pieces if piece.size == largest)


def _base(of_word: Sequence[_Piece], main: _Piece, *, is_large_sign: bool) -> _Piece:
    """What the raised and lowered runs of a word are measured by: its own text, else that of its line."""
    own = [piece for piece in of_word if piece.size <= _MAX_BASE_SIZE * main.size]
    base = max(own, key=lambda piece: piece.size, default=main)
    return base if is_large_sign or base.size >= _MAX_SCRIPT_SIZE * main.size else main


def _written(text: str, pieces: Sequence[_Piece], base: _Piece) -> tuple[str, str]:
    """A word with superscripts and subscripts in those of Unicode, and the footnote mark at its end."""
    kinds = [0 if piece is base else _script(piece, base) for piece in pieces]
    is_small = [piece.size <= _MAX_SCRIPT_SIZE * base.size for piece in pieces]
    parts: list[str] = []
    raised = ""
    start = 0
    for kind, run in groupby(kinds):
        end = start + len(list(run))
        part = raised = text[start:end]
        # A raised letter between others is a logo, and a small number before a stroke is that of a
        # fraction where it begins the word, or another small one follows.
        is_logo = (
            part.isalpha() and text[max(0, start - 1) : start].isalpha() and text[end : end + 1].isalpha()
        )
        is_first = start == 0 or is_small[end + 1 : end + 2] == [True]
        is_fraction = (text[end : end + 1] in _STROKES and is_first) or (
            text[max(0, start - 1) : start] in _STROKES and is_small[max(0, start - 2) : start - 1] == [True]
        )
        if kind and not is_fraction and not is_logo:
            part = superscript(part) if kind > 0 else subscript(part)
        if kind <= 0 or is_fraction:
            raised = ""
        parts.append(part)
        start = end
    written = "".join(parts)
    raised = raised or raised_end(written)
    is_mark = raised and is_footnote_mark(written[: len(written) - len(raised)], raised)
    return written, raised if is_mark else ""


def _script(piece: _Piece, base: _Piece) -> int:
    """1 for raised, -1 for lowered, 0 for neither."""
    if not _MIN_SCRIPT_SIZE * base.size <= piece.size <= _MAX_SCRIPT_SIZE * base.size:
        return 0
    rise = (piece.height - base.height) / base.size
    if _MIN_RAISE <= rise <= _MAX_RAISE:
        return 1
    return -1 if _MIN_DROP <= -rise <= _MAX_DROP else 0


def _cut_tall(box: BBox, line: _SetLine, pieces: Sequence[_Piece]) -> BBox:
    """The box of a word, without the height that a font only declares; of lines along an axis alone."""
    (dx, dy), (x, y) = line.direction, line.origin
    is_level = abs(dy) < abs(dx)
    high = box[3] - box[1] if is_level else box[2] - box[0]
    size = max(piece.size for piece in pieces)
    if min(abs(dx), abs(dy)) > 0.01 or high <= _TALL * size:
        return box
    up = max(piece.height + _ASCENT * piece.size for piece in pieces)
    down = min(piece.height - _DESCENT * piece.size for piece in pieces)
    if is_level:
        first, last = sorted((y - up * dx, y - down * dx))
        return (box[0], max(box[1], first), box[2], min(box[3], last))
    first, last = sorted((x + up * dy, x + down * dy))
    return (max(box[0], first), box[1], min(box[2], last), box[3])
