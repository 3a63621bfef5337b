"""The PDF's own words as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from docai.parsers.direction import direction, normal
from docai.pipelines.boxes import union
from docai.pipelines.ingest import PageWord
from docai.records import BBox, Line, Word

MAX_GAP = 1.5
"""Gap, in heights of the line, up to which two pieces at one height are one line ("1." and its title)."""

# Scripts that are written without spaces: a break between two such characters is the PDF's, not a space.
_UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60]"
)
_UNSPACED_END = re.compile(_UNSPACED + r"\Z")
_UNSPACED_START = re.compile(_UNSPACED)
_TOUCHING = 0.15


def lines_from_words(words: Sequence[PageWord]) -> list[Line]:
    """Lines of the words in the order they are given, which is kept within lines too.

    Words of one PDF line that follow each other are a line, as are pieces of one block that stand at the
    same height close together. Texts are as :func:`~docai.parsers.direction.normal` has them; the words of
    a right-to-left line follow each other from right to left, as they were given. A line's text has a space
    between words, except where its script has none and the words touch. Boxes are in page points; a line's
    is the union of its words'.
    """
    lines = []
    for pieces in _joined(list(_pieces(words))):
        text = normal(pieces[0].text + "".join(_space(one, two) + two.text for one, two in pairwise(pieces)))
        items = [Word(text=normal(word.text), bbox=word.bbox) for word in pieces]
        box = union(word.bbox for word in pieces)
        lines.append(Line(text=text, bbox=box, words=items, direction=direction(text)))
    return lines


def _pieces(words: Sequence[PageWord]) -> Iterator[list[PageWord]]:
    piece: list[PageWord] = []
    for word in words:
        if not word.text.strip():
            continue
        if piece and (word.block, word.line) != (piece[-1].block, piece[-1].line):
            yield piece
            piece = []
        piece.append(word)
    if piece:
        yield piece


def _joined(pieces: Sequence[list[PageWord]]) -> Iterator[list[PageWord]]:
    """Put pieces together that MuPDF parted at a wide gap within one printed line."""
    current: list[PageWord] = []
    for piece in pieces:
        if (
            current
            and current[-1].block == piece[0].block
            and _side_by_side(union(word.bbox for word in current), union(word.bbox for word in piece))
        ):
            current += piece
            continue
        if current:
            yield current
        current = list(piece)
    if current:
        yield current


def _side_by_side(one: BBox, two: BBox) -> bool:
    height = min(one[3] - one[1], two[3] - two[1])
    shared = min(one[3], two[3]) - max(one[1], two[1])
    gap = max(one[0], two[0]) - min(one[2], two[2])
    return height > 0 and shared > 0.7 * height and -0.2 * height < gap < MAX_GAP * height


def _space(one: PageWord, two: PageWord) -> str:
    if not (_UNSPACED_END.search(one.text) and _UNSPACED_START.match(two.text)):
        return " "
    height = min(one.bbox[3] - one.bbox[1], two.bbox[3] - two.bbox[1])
    gap = max(one.bbox[0], two.bbox[0]) - min(one.bbox[2], two.bbox[2])
    return "" if gap < _TOUCHING * height else " "
