"""GriTS, grid table similarity, by the maintained package ``grits-metric``.

Smock, Pesala, Abraham: GriTS: grid table similarity metric for table structure recognition, ICDAR 2023,
https://arxiv.org/abs/2203.12555; https://github.com/kensho-technologies/grits is the package, imported as
``grits``. A table is a matrix of its grid places, each place of a spanning cell holding that cell. The
rows and columns of two matrices A and B that are most alike give a sum of similarities, and

    GriTS = 2 * sum / (|A| + |B|)

with the IoU of the cells' spans for Top, twice the longest common subsequence of their texts over the
length of both for Con, the IoU of their boxes for Loc. Papers print the *mean over tables* (macro); the
package prints the ratio of the sums over all tables (micro). A :class:`GritsScore` holds what either needs.

Unlike the package, which passes them over, a prediction that holds no table is a miss here: the truth's
places stay in the denominator.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from docai.contents import Cell
from docai.errors import needs
from docai.geometry import BBox
from docai.parsers.base import IssueLog, replace_invalid_chars
from docai.parsers.table import parse_table
from docai.parsers.table_grid import MAX_PLACES, RawCell, build_table, fill_grid, tidy

MAX_PAIRS = 2_000_000
"""Places of one grid times places of the other that are compared: about ten seconds and 700 MB."""
MAX_TEXT_PAIRS = 1_000_000_000
"""Characters of one table times characters of the other that are compared: about half a minute."""
_MAX_CELL_PAIRS = 50_000_000
"""Characters of one cell times those of another: the package's memory for them is four bytes each."""

_NO_BOX = (-2e9, -2e9, -1e9, -1e9)
"""Stands for a cell without a box: equal to itself alone, as an empty text is to an empty text."""

_DIGITS = re.compile(r"0*([0-9]{1,6})")
_TRUTH_TOO_LARGE = "A true table is too large for GriTS: it is left out for every reader."
_PRED_TOO_LARGE = "A predicted table is far larger than its truth: its GriTS counts as 0."
NO_CELL_BOXES = "A predicted table has no boxes of cells: GriTS-Loc is not defined."
"""The note of a result without Loc whose truth has boxes."""

TableLike = str | Sequence[Cell]
"""HTML, or cells on their grid."""


@dataclass(frozen=True, slots=True)
class GritsScore:
    """One table's share of a GriTS."""

    similarity: float
    """Sum over the places that were matched, at most the number of places of either table."""
    n_pred: int
    """Places of the predicted grid, |A|."""
    n_truth: int
    """Places of the true grid, |B|."""

    @property
    def value(self) -> float | None:
        """GriTS of this table alone, 0…1; None where there is no place on either side."""
        places = self.n_pred + self.n_truth
        return 2 * self.similarity / places if places else None


@dataclass(frozen=True, slots=True)
class GritsResult:
    """None where a measure is not defined: the notes say why."""

    top: GritsScore | None
    con: GritsScore | None
    loc: GritsScore | None
    """Only of cells, and only where some have boxes."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableGrid:
    """A table as the package's matrices, indexed by row and column."""

    top: list[list[Any]]
    con: list[list[Any]]
    loc: list[list[Any]]
    """Empty where no cell has a box."""


_EMPTY = TableGrid([], [], [])


def grits(pred: TableLike | None, truth: TableLike, *, max_pairs: int = MAX_PAIRS) -> GritsResult:
    """GriTS-Top, -Con and, where both are cells with boxes, -Loc of one predicted and one true table.

    HTML is read by the package (its first table; the text of a cell is its pieces joined by spaces); what
    the package cannot read, or would read as more than 65,536 places, is read by
    :func:`docai.parsers.table.parse_table`. Missing places of cells are filled by empty ones. A cell without
    a box agrees in Loc with another without one.

    A prediction without a table, or None, has no places and no similarity. A truth without a table has no
    places. A truth of more than ``sqrt(max_pairs / 4)`` places is not measured, whatever was predicted; a
    prediction so long that ``max_pairs`` is passed all the same has a similarity of 0. The same holds for
    Con with the number of characters and :data:`MAX_TEXT_PAIRS`.

    Between 0 and 1, and 1 for a table and itself. The best rows and columns are found by a heuristic which
    breaks ties by the order of its arguments, so that it is symmetric for most tables only.

    Raises:
        MissingDependencyError: ``grits-metric`` is not installed.
    """
    return grits_of_grids(None if pred is None else read_grid(pred), read_grid(truth), max_pairs=max_pairs)


def grits_of_grids(
    pred: TableGrid | None, truth: TableGrid | None, *, max_pairs: int = MAX_PAIRS
) -> GritsResult:
    """As :func:`grits`, of tables that :func:`read_grid` has read. None: there is no table."""
    package = _package()
    pred, truth = pred or _EMPTY, truth or _EMPTY
    judge = _Judge(max_pairs)
    top = judge.score(package.grits_top_matching, pred.top, truth.top)
    con = judge.score(package.grits_con_matching, pred.con, truth.con, _n_characters)
    loc = None
    if truth.loc and pred.top and not pred.loc:
        judge.notes.append(NO_CELL_BOXES)
    elif truth.loc:
        loc = judge.score(package.grits_loc_matching, pred.loc or [], truth.loc)
    return GritsResult(top, con, loc, tuple(dict.fromkeys(judge.notes)))


def read_grid(table: TableLike, boxed: Sequence[Cell] = ()) -> TableGrid | None:
    """The matrices of a table, or None where there is no cell.

    Args:
        boxed: cells of the same table, from which the boxes are taken where ``table`` is HTML.

    Raises:
        MissingDependencyError: ``grits-metric`` is not installed.
    """
    package = _package()
    if isinstance(table, str):
        cells, with_boxes = _read_html(table), whole_grid(boxed)
    else:
        with_boxes = whole_grid(table)
        cells = [_table_cell(cell) for cell in with_boxes]
    if not cells:
        return None
    loc = []
    if any(cell.bbox for cell in with_boxes):
        loc = package.cell_list_to_grid_loc([_table_cell(cell) for cell in with_boxes])
    return TableGrid(package.cell_list_to_grid_top(cells), package.cell_list_to_grid_con(cells), loc)


def whole_grid(cells: Sequence[Cell]) -> list[Cell]:
    """The cells as a full grid: spans clipped, overlaps moved to the right, missing places as empty cells.

    Spans are clipped where the grid would have more than 65,536 places. If it has as many without any
    span, the result is empty. The cells given are not changed.
    """
    fitting = _fit_spans(cells)
    n_rows, n_cols = extent(fitting)
    if _overlap(fitting):
        rows: list[list[RawCell]] = [[] for _ in range(n_rows)]
        for cell in sorted(fitting, key=lambda cell: cell.col):
            rows[cell.row].append(
                RawCell(cell.printed, cell.row_span, cell.col_span, cell.is_header, cell.bbox),
            )
        return build_table([rows], IssueLog()).cells
    return fill_grid(fitting, n_rows, n_cols)


def extent(cells: Sequence[Cell]) -> tuple[int, int]:
    """Rows and columns of the grid that the cells span."""
    rows = max((cell.row + cell.row_span for cell in cells), default=0)
    return rows, max((cell.col + cell.col_span for cell in cells), default=0)


class _Judge:
    """Scores matrices as long as they are not too large, and notes where they are."""

    def __init__(self, max_pairs: int) -> None:
        self.notes: list[str] = []
        self._max_pairs = max_pairs

    def score(
        self,
        matching: Callable[[Any, Any], Any],
        pred: list[list[Any]],
        truth: list[list[Any]],
        sizes: Callable[[list[list[Any]]], tuple[int, int]] | None = None,
    ) -> GritsScore | None:
        n_pred, n_truth = _n_places(pred), _n_places(truth)
        limits = [(n_pred, n_truth, self._max_pairs)]
        if sizes is not None:
            limits += zip(sizes(pred), sizes(truth), (MAX_TEXT_PAIRS, _MAX_CELL_PAIRS), strict=True)
        if any(4 * of_truth * of_truth > limit for _, of_truth, limit in limits):
            self.notes.append(_TRUTH_TOO_LARGE)
            return None
        similarity = 0.0
        if any(of_pred * of_truth > limit for of_pred, of_truth, limit in limits):
            self.notes.append(_PRED_TOO_LARGE)
        elif n_pred and n_truth:
            similarity = float(matching(truth, pred).true_positive_score)
        return GritsScore(similarity, n_pred, n_truth)


def _n_places(grid: list[list[Any]]) -> int:
    return sum(len(row) for row in grid)


def _n_characters(grid: list[list[str]]) -> tuple[int, int]:
    """Characters of all places, and of the longest."""
    lengths = [len(text) for row in grid for text in row]
    return sum(lengths), max(lengths, default=0)


def _package() -> Any:
    with needs("docai[eval]", "GriTS", " (grits-metric, which wants a C++ compiler)"):
        import grits as package
    return package


def _read_html(html: str) -> list[Any]:
    """The package's cells of the first table, or ours where it fails or its grid would fill the memory."""
    clean, _ = replace_invalid_chars(html)
    try:
        if _n_places_written(clean) <= MAX_PLACES:
            cells = _package().html_to_cell_list(clean) or []
            rows = 1 + max((cell.row_nums[-1] for cell in cells), default=0)
            cols = 1 + max((cell.column_nums[-1] for cell in cells), default=0)
            if cells and rows * cols <= MAX_PLACES:
                return list(cells)
    except ValueError:
        pass  # Such as an XML declaration with an encoding, which lxml refuses and our parser reads.
    return [_table_cell(cell) for cell in parse_table(html).content.cells]


def _n_places_written(html: str) -> int:
    """Places that the spans of all cells ask for, before anything is made of them."""
    from lxml import etree
    from lxml import html as lxml_html

    try:
        root = lxml_html.fromstring(html, parser=lxml_html.HTMLParser(remove_comments=True))
    except etree.ParserError:
        return 0
    return sum(_span(cell.get("rowspan")) * _span(cell.get("colspan")) for cell in root.iter("td", "th"))


def _span(value: str | None) -> int:
    match = _DIGITS.search(value or "")
    return max(1, int(match[1])) if match else 1


def _fit_spans(cells: Sequence[Cell]) -> list[Cell]:
    rows, cols = extent(cells)
    if rows * cols <= MAX_PLACES:
        return list(cells)
    rows = 1 + max(cell.row for cell in cells)
    cols = 1 + max(cell.col for cell in cells)
    if rows * cols > MAX_PLACES:
        return []
    return [
        cell.model_copy(
            update={
                "row_span": min(cell.row_span, rows - cell.row),
                "col_span": min(cell.col_span, cols - cell.col),
            }
        )
        for cell in cells
    ]


def _overlap(cells: Sequence[Cell]) -> bool:
    rows, cols = extent(cells)
    # Asked first, so that a few thousand cells as large as the table are not walked through.
    if sum(cell.row_span * cell.col_span for cell in cells) > rows * cols:
        return True
    places = [
        (row, col)
        for cell in cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    ]
    return len(set(places)) < len(places)


def _table_cell(cell: Cell) -> Any:
    return _package().TableCell(
        row_nums=list(range(cell.row, cell.row + cell.row_span)),
        column_nums=list(range(cell.col, cell.col + cell.col_span)),
        cell_text=tidy(cell.printed),
        bbox=_box(cell.bbox),
    )


def _box(box: BBox | None) -> BBox:
    if box is None or not all(map(math.isfinite, box)):
        return _NO_BOX
    x, y = sorted(box[::2]), sorted(box[1::2])
    return x[0], y[0], x[1], y[1]
