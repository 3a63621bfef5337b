"""The PDF's own words in the cells of a table: filling, and how far words and cells agree."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence

from docai.parsers.grid import table_content, tidy
from docai.pipelines.codes import make_issue
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import lines_from_words
from docai.records import BBox, Cell, Issue, TableContent

WIDE_GAP = 2.0
"""Gap between words of one line, in heights of a word, that parts columns rather than words."""

_LOOK_ALIKES = str.maketrans(
    dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys("‘’‚′", "'") | dict.fromkeys("“”„″", '"')
)

Change = tuple[str, str]
"""Text of a cell as the model wrote it, and as the PDF has it."""


def fill_cells(
    content: TableContent, words: Sequence[PageWord]
) -> tuple[TableContent, list[Change], list[Issue]]:
    """Give each cell with a box the words whose centres lie in it; coordinates are page points.

    A model's boxes are not always right, and a box that is off must neither blank a cell nor give it its
    neighbor's words:

    - a cell without words in its box keeps its text;
    - a word in several boxes goes to the one that holds most of it, and of two such to the smaller;
    - a box whose words stand as far apart as columns do gives its cell nothing;
    - where more boxes contradict their cells than confirm them (the cell's own words are in the PDF, and
      not in its box), or the table would agree with the PDF less than before, no cell is changed at all.
    """
    found = _words_of_cells(content.cells, words)
    texts = {index: cell_text(inside) for index, inside in found.items() if not _is_torn(inside)}
    changes = {
        index: text for index, text in texts.items() if plain(text) != plain(content.cells[index].text)
    }
    if not changes:
        return content, [], []
    native = {plain(word.text) for word in words}
    contradicted = sum(_contradicts(content.cells[index].text, changes[index], native) for index in changes)
    cells = [
        cell.model_copy(update={"text": changes.get(index, cell.text)})
        for index, cell in enumerate(content.cells)
    ]
    filled = table_content(cells, content.n_rows, content.n_cols)
    texts_of_pdf = [word.text for word in words]
    worse = agreement(cell_words(filled), texts_of_pdf) < agreement(cell_words(content), texts_of_pdf)
    if worse or contradicted > len(texts) - len(changes):
        message = "The boxes of the cells do not lie on their words: no cell was filled from the PDF's words."
        return content, [], [make_issue("table-boxes-off", message)]
    return filled, [(content.cells[index].text, text) for index, text in changes.items()], []


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


def same_grid(one: TableContent, other: TableContent) -> bool:
    """Both have the same cells in the same places; boxes and headers apart."""
    return _places(one) == _places(other)


def _places(content: TableContent) -> list[tuple[int, int, int, int, str]]:
    return sorted(
        (cell.row, cell.col, cell.row_span, cell.col_span, plain(cell.text)) for cell in content.cells
    )


def _words_of_cells(cells: Sequence[Cell], words: Sequence[PageWord]) -> dict[int, list[PageWord]]:
    boxes = [(index, cell.bbox) for index, cell in enumerate(cells) if cell.bbox is not None]
    found: dict[int, list[PageWord]] = {}
    for word in words:
        homes = [(-_share(word.bbox, box), _area(box), index) for index, box in boxes if holds(box, word)]
        if homes:
            found.setdefault(min(homes)[2], []).append(word)
    return found


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


def _contradicts(own: str, boxed: str, native: Collection[str]) -> bool:
    """The cell's own words are in the PDF, but elsewhere than in its box."""
    words = plain(own).split()
    return all(word in native for word in words) and not set(words) <= set(plain(boxed).split())


def _is_torn(words: Sequence[PageWord]) -> bool:
    """Somewhere the next word to the right, at the same height, stands as far off as columns do."""
    boxes = sorted(word.bbox for word in words)
    for index, (_, top, right, bottom) in enumerate(boxes):
        level = [box for box in boxes[index + 1 :] if box[1] < (top + bottom) / 2 < box[3]]
        if level and level[0][0] - right > WIDE_GAP * (bottom - top):
            return True
    return False


def _share(box: BBox, other: BBox) -> float:
    """Share of ``box`` inside ``other``, rounded so that near ties are ties."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return round(max(width, 0.0) * max(height, 0.0) / max(_area(box), 1e-9), 1)


def _area(box: BBox) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
