"""The PDF's own words as lines of text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from docai.contents import Line, TableContent, TextContent, Word
from docai.geometry import BBox, iou, union
from docai.parsers.table_grid import tidy
from docai.parsers.text import normalize_text, text_direction
from docai.pipelines.ingest import PageWord

PHRASE_GAP = 1.0
"""Gap between words of one row, in heights of a word, from which they are two phrases: a space is about a
fifth, in justified lines up to a half."""

_SAME_ROW = 0.45
"""Distance of two middles, in heights of the higher word, up to which words stand in one row: a raised
index does, the next line does not."""


def text_rows(boxes: Sequence[BBox]) -> list[list[int]]:
    """Indices of the boxes by rows, downwards; in a row from left to right."""
    rows: list[tuple[BBox, list[int]]] = []
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i][1] + boxes[i][3], boxes[i][0])):
        box = boxes[index]
        middle, high = (box[1] + box[3]) / 2, box[3] - box[1]
        if rows:
            core, row = rows[-1]
            if abs(middle - (core[1] + core[3]) / 2) < _SAME_ROW * max(high, core[3] - core[1]):
                row.append(index)
                if high > core[3] - core[1]:
                    rows[-1] = (box, row)
                continue
        rows.append((box, [index]))
    return [sorted(row, key=lambda i: boxes[i][0]) for _, row in rows]


def phrases(boxes: Sequence[BBox], row: Sequence[int], gap: float = PHRASE_GAP) -> list[list[int]]:
    """One row, from left to right, cut where the gap is more than ``gap`` heights of the lower word."""
    if not row:
        return []
    parts = [[row[0]]]
    reach = boxes[row[0]][2]
    for before, after in pairwise(row):
        height = min(boxes[before][3] - boxes[before][1], boxes[after][3] - boxes[after][1])
        if boxes[after][0] - reach > gap * height:
            parts.append([])
        parts[-1].append(after)
        reach = max(reach, boxes[after][2])
    return parts


def text_layer_quality(words: Iterable[PageWord]) -> float:
    """Share of the characters that can be text, 0…1; 1.0 where there are no words.

    Private-use, unassigned and control characters, replacement characters, and words that are UTF-8 read as
    Windows-1252 count as bad. Below about 0.8 the words are better read from pixels. The words themselves
    are never changed or dropped.
    """
    total = bad = 0
    for word in words:
        total += len(word.text)
        if _is_mojibake(word.text):
            bad += len(word.text)
        else:
            bad += sum(_cannot_be_text(character) for character in word.text)
    return 1.0 - min(1.0, bad / total) if total else 1.0


def _cannot_be_text(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")


def _is_mojibake(text: str) -> bool:
    """Whether a word beyond ASCII becomes valid UTF-8 in bytes of Windows-1252, which real words do not."""
    if text.isascii():
        return False
    try:
        text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True


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
    same height close together. Texts are as :func:`~docai.parsers.text.normalize_text` has them; the words of
    a right-to-left line follow each other from right to left, as they were given. A line's text has a space
    between words, except where its script has none and the words touch. Boxes are in page points; a line's
    is the union of its words'.
    """
    lines = []
    for pieces in _joined(list(_pieces(words))):
        text = normalize_text(
            pieces[0].text + "".join(_space(one, two) + two.text for one, two in pairwise(pieces))
        )
        items = [Word(text=normalize_text(word.text), bbox=word.bbox) for word in pieces]
        box = union(word.bbox for word in pieces)
        lines.append(Line(text=text, bbox=box, words=items, direction=text_direction(text)))
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


MIN_IOU: Final = 0.5
"""Overlap from which on two words are at the same place."""


def right_words(words: Sequence[Word], truth: Sequence[Word]) -> list[bool]:
    """For each word whether the truth has it, at its place where places are known."""
    if any(word.bbox is None for word in (*words, *truth)):
        return _aligned([word.text for word in words], [word.text for word in truth])
    free = list(truth)
    right = []
    for word in words:
        fitting = [
            (overlap, index)
            for index, other in enumerate(free)
            if other.text == word.text and (overlap := _iou(word, other)) >= MIN_IOU
        ]
        if fitting:
            free.pop(max(fitting)[1])
        right.append(bool(fitting))
    return right


def _iou(word: Word, other: Word) -> float:
    return 0.0 if word.bbox is None or other.bbox is None else iou(word.bbox, other.bbox)


def _aligned(ours: Sequence[str], theirs: Sequence[str]) -> list[bool]:
    """Which of ours an alignment pairs with an equal one of theirs."""
    right = [False] * len(ours)
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        right[block.a : block.a + block.size] = [True] * block.size
    return right


WIDE_GAP = 2.0
"""Gap between words of one line, in heights of a word, that parts columns rather than words."""

_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys("‘’‚′", "'") | dict.fromkeys("“”„″", '"')
)


def cell_text(words: Sequence[PageWord]) -> str:
    """The words of one cell as its text: lines joined by spaces."""
    return tidy(" ".join(line.text for line in lines_from_words(words)))


def cell_words(content: TableContent) -> list[str]:
    """All words of all cells."""
    return [word for cell in content.cells for word in cell.text.split()]


def agreement(found: Sequence[str], native: Sequence[str]) -> float:
    """F1 of two multisets of words, in :func:`plain` form; 1 where both are empty."""
    if not found and not native:
        return 1.0
    common = (Counter(map(plain, found)) & Counter(map(plain, native))).total()
    return 2 * common / (len(found) + len(native))


def plain(text: str) -> str:
    """Text for comparing: ligatures and widths dissolved (NFKC), dashes and quotes of one kind each."""
    return unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)


def holds(box: BBox, word: PageWord) -> bool:
    """The word's centre lies in the box."""
    x, y = (word.bbox[0] + word.bbox[2]) / 2, (word.bbox[1] + word.bbox[3]) / 2
    return box[0] <= x < box[2] and box[1] <= y < box[3]


class Centres:
    """Words by the height of their centres: those in a box are found without asking each."""

    def __init__(self, words: Sequence[PageWord]) -> None:
        middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in (word.bbox for word in words)]
        self._order = sorted(range(len(words)), key=lambda place: middles[place][1])
        self._heights = [middles[place][1] for place in self._order]
        self._across = [x for x, _ in middles]

    def inside(self, box: BBox) -> list[int]:
        """Places of the words that the box :func:`holds`, in the order of the words."""
        low, high = bisect_left(self._heights, box[1]), bisect_left(self._heights, box[3])
        return sorted(place for place in self._order[low:high] if box[0] <= self._across[place] < box[2])


def text_from_words(words: Sequence[PageWord]) -> TextContent:
    """The PDF's own words as lines, in the order they are given."""
    lines = lines_from_words(words)
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)
