"""Words of a text layer: rows, phrases and lines of them, their quality, and comparison with other words."""

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
from docai.geometry import BBox, TurnedFrame, center, interval_overlap, iou, union
from docai.parsers.marks import is_footnote_mark, raised_end, split_marks
from docai.parsers.table_grid import tidy
from docai.parsers.text import normalize_text, text_direction
from docai.pipelines.ingest import PageWord

PHRASE_GAP = 1.0
"""Gap between words of one row, in heights of a word, above which they belong to two phrases. A space is
about a fifth, in justified lines up to a half."""

MAX_ROW_SHIFT = 0.45
"""Vertical distance of two words' middles, in heights of the higher word, below which they are in one row: a
superscript is, the next line is not."""


def text_rows(boxes: Sequence[BBox]) -> list[list[int]]:
    """The boxes as rows, from the top down, each from left to right; as indices into ``boxes``."""
    rows: list[tuple[BBox, list[int]]] = []
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i][1] + boxes[i][3], boxes[i][0])):
        box = boxes[index]
        middle, height = center(box)[1], box[3] - box[1]
        if rows:
            core, row = rows[-1]
            if abs(middle - center(core)[1]) < MAX_ROW_SHIFT * max(height, core[3] - core[1]):
                row.append(index)
                if height > core[3] - core[1]:
                    rows[-1] = (box, row)
                continue
        rows.append((box, [index]))
    return [sorted(row, key=lambda i: boxes[i][0]) for _, row in rows]


def phrases(boxes: Sequence[BBox], row: Sequence[int], gap: float = PHRASE_GAP) -> list[list[int]]:
    """A row, given from left to right, cut at gaps of more than ``gap`` heights of the lower word."""
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

    Private-use, unassigned, control and replacement characters count as bad, as do words of UTF-8 that was
    decoded as Windows-1252, Latin letters other than those of ASCII in words that run from right to left, and
    all of a font that gives other letters than it shows. Below about 0.8 the page is better read from its
    pixels. The words themselves are neither changed nor dropped.
    """
    n_total = n_bad = 0
    for word in words:
        n_total += len(word.text)
        if word.is_enciphered or _is_mojibake(word.text):
            n_bad += len(word.text)
        else:
            n_bad += sum(_cannot_be_text(character) for character in word.text) + _n_strange(word.text)
    return 1.0 - min(1.0, n_bad / n_total) if n_total else 1.0


def _cannot_be_text(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")


def _n_strange(text: str) -> int:
    """Letters such as ``Ǆ`` in an Arabic word: a font gives numbers of ligatures for characters. Those of
    ASCII are of names, which may follow an article."""
    if text.isascii() or not any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return 0
    letters = [character for character in text if character.isalpha() and not character.isascii()]
    return sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)


def _is_mojibake(text: str) -> bool:
    """Whether a word with non-ASCII letters, encoded as Windows-1252, is valid UTF-8, as no real word is."""
    if text.isascii():
        return False
    try:
        text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True


MAX_PIECE_GAP = 1.5
"""Gap, in heights of the line, below which two pieces at the same height are one line ("1." and its
title)."""

# Scripts written without spaces: a word that ends between two such characters was divided by the PDF.
_UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60]"
)

_UNSPACED_END = re.compile(_UNSPACED + r"\Z")

_UNSPACED_START = re.compile(_UNSPACED)

_MAX_UNSPACED_GAP = 0.15
"""Gap, in heights of the line, below which words of a script without spaces have no space between them."""


_WORD_FIELDS: Final = {"text", "bbox"}
"""What pydantic keeps as the fields given; one for all words, which nobody adds fields to."""


def lines_from_words(words: Sequence[PageWord]) -> list[Line]:
    """The words as lines, in the order given, which is kept within the lines, too.

    Consecutive words of one line of the PDF are a line, as are pieces of one block close together at the same
    height. Texts are normalized by :func:`~docai.parsers.text.normalize_text`, with a space between words,
    except where the script has none and the words touch. Boxes are page points; that of a line is the union
    of its words.
    """
    lines = []
    for line in _join_pieces(list(_pieces(words))):
        rest = (_space(before, after) + after.text for before, after in pairwise(line))
        text = normalize_text(line[0].text + "".join(rest))
        # Without a set of the fields given for each word, a third of its memory: a book has a million words.
        line_words = [
            Word.model_construct(_WORD_FIELDS, text=normalize_text(word.text), bbox=word.bbox)
            for word in line
        ]
        box = union(word.bbox for word in line)
        lines.append(Line(text=text, bbox=box, words=line_words, direction=text_direction(text)))
    return lines


def _pieces(words: Sequence[PageWord]) -> Iterator[list[PageWord]]:
    """Runs of words of one line of the PDF."""
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


def _join_pieces(pieces: Sequence[list[PageWord]]) -> Iterator[list[PageWord]]:
    """Join pieces of one printed line that MuPDF separated at a wide gap."""
    current: list[PageWord] = []
    for piece in pieces:
        if (
            current
            and current[-1].block == piece[0].block
            and _quarters(current[-1]) == _quarters(piece[0])
            and _are_side_by_side(union(map(_upright, current)), union(map(_upright, piece)))
        ):
            current += piece
            continue
        if current:
            yield current
        current = list(piece)
    if current:
        yield current


def _upright(word: PageWord) -> BBox:
    """The box of a word in a frame that sets its line upright, with any origin."""
    return TurnedFrame(0, 0, (4 - _quarters(word)) % 4).from_page(word.bbox)


def _quarters(word: PageWord) -> int:
    """Quarter turns clockwise, 0 to 3, that are nearest to the direction of its line."""
    return round(word.angle / 90) % 4


def _are_side_by_side(a: BBox, b: BBox) -> bool:
    height = min(a[3] - a[1], b[3] - b[1])
    shared = interval_overlap(a[1], a[3], b[1], b[3])
    gap = -interval_overlap(a[0], a[2], b[0], b[2])
    return height > 0 and shared > 0.7 * height and -0.2 * height < gap < MAX_PIECE_GAP * height


def _space(before: PageWord, after: PageWord) -> str:
    if not (_UNSPACED_END.search(before.text) and _UNSPACED_START.match(after.text)):
        return " "
    a, b = _upright(before), _upright(after)
    height = min(a[3] - a[1], b[3] - b[1])
    gap = -interval_overlap(a[0], a[2], b[0], b[2])
    return "" if gap < _MAX_UNSPACED_GAP * height else " "


MIN_IOU: Final = 0.5
"""Intersection over union from which two words are at the same place."""


def right_words(words: Sequence[Word], truth: Sequence[Word]) -> list[bool]:
    """For each word, whether it is in the truth; at the same place, where all words have boxes."""
    if any(word.bbox is None for word in (*words, *truth)):
        return align_words([word.text for word in words], [word.text for word in truth])
    unmatched = list(truth)
    right = []
    for word in words:
        matches = [
            (overlap, index)
            for index, true_word in enumerate(unmatched)
            if true_word.text == word.text and (overlap := _word_iou(word, true_word)) >= MIN_IOU
        ]
        if matches:
            unmatched.pop(max(matches)[1])
        right.append(bool(matches))
    return right


def _word_iou(a: Word, b: Word) -> float:
    return 0.0 if a.bbox is None or b.bbox is None else iou(a.bbox, b.bbox)


def align_words(words: Sequence[str], truth: Sequence[str]) -> list[bool]:
    """For each word, whether an alignment of both sequences pairs it with an equal word of the truth."""
    right = [False] * len(words)
    for block in SequenceMatcher(None, words, truth, autojunk=False).get_matching_blocks():
        right[block.a : block.a + block.size] = [True] * block.size
    return right


WIDE_GAP = 2.0
"""Gap between words of one line, in heights of a word, above which they are in different columns."""

_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys("‘’‚′", "'") | dict.fromkeys("“”„″", '"')
)


def cell_content(words: Sequence[PageWord]) -> tuple[str, list[str]]:
    """The text of a cell with these words, and the footnote marks at its end.

    The text is that of its lines, joined by spaces. A raised run that is all that the cell has, or that is no
    mark of what stands before it, stays in the text.
    """
    n_raised = 0
    while n_raised < len(words) and words[-1 - n_raised].mark and not words[-1 - n_raised].base:
        n_raised += 1
    own, alone = words[: len(words) - n_raised], words[len(words) - n_raised :]
    if own:
        marks = [mark for word in (own[-1], *alone) for mark in split_marks(word.mark)]
        text = _joined_lines([*own[:-1], own[-1]._replace(text=own[-1].base)])
        if marks and is_footnote_mark(text, ",".join(marks)):
            return text, marks
    return _joined_lines(words), []


def _joined_lines(words: Sequence[PageWord]) -> str:
    return tidy(" ".join(line.text for line in lines_from_words(words)))


def cell_words(content: TableContent) -> list[str]:
    """The words of all cells, as :func:`native_words` has those of the PDF."""
    return [
        part
        for cell in content.cells
        for word in (*cell.text.split(), *cell.marks)
        for part in _word_and_mark(word)
    ]


def native_words(words: Sequence[PageWord]) -> list[str]:
    """The texts of words of the PDF; a footnote mark, or what else is raised at their end, is one more."""
    return [
        part
        for word in words
        for own in (normalize_text(word.base), *split_marks(word.mark))
        if own
        for part in _word_and_mark(own)
    ]


_MARK_SIGNS = re.compile(r"[*†‡§¶#]+\Z")


def _word_and_mark(text: str) -> list[str]:
    signs = _MARK_SIGNS.search(text)
    raised = signs[0] if signs else raised_end(text)
    base = text[: len(text) - len(raised)]
    return [part for part in (base, *split_marks(raised)) if part]


def agreement(read: Sequence[str], native: Sequence[str]) -> float:
    """F1 of two multisets of words in :func:`plain` form, 0…1; 1 where both are empty."""
    if not read and not native:
        return 1.0
    n_common = (Counter(map(plain, read)) & Counter(map(plain, native))).total()
    return 2 * n_common / (len(read) + len(native))


def plain(text: str) -> str:
    """Text for comparison: in NFKC, which resolves ligatures, with one kind of dash and of each quotation
    mark."""
    return unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)


def holds_word(box: BBox, word: PageWord) -> bool:
    """Whether the center of the word lies in the box, left and top edge included, right and bottom edge not.

    A word is then in only one of boxes side by side, such as those of cells.
    """
    x, y = center(word.bbox)
    return box[0] <= x < box[2] and box[1] <= y < box[3]


class WordCenters:
    """Centers of words, sorted by height, so that those in a box are found without testing each."""

    def __init__(self, words: Sequence[PageWord]) -> None:
        centers = [center(word.bbox) for word in words]
        self._by_height = sorted(range(len(words)), key=lambda index: centers[index][1])
        self._heights = [centers[index][1] for index in self._by_height]
        self._x = [x for x, _ in centers]

    def inside(self, box: BBox) -> list[int]:
        """Indices of the words in the box by :func:`holds_word`, in the order of the words."""
        first, end = bisect_left(self._heights, box[1]), bisect_left(self._heights, box[3])
        return sorted(index for index in self._by_height[first:end] if box[0] <= self._x[index] < box[2])


def text_from_words(words: Sequence[PageWord]) -> TextContent:
    """Words of the text layer as the content of a text record, in the order given."""
    lines = lines_from_words(words)
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)
