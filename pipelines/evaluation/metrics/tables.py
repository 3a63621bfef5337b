"""The task ``table``: TEDS in four variants, GriTS, and which tables were found.

One protocol serves crops (one true table, one answer, no boxes) and pages (several tables, each with its
page and box; a true table that runs over several pages is one item for each region). Other kinds of items
are not looked at.

**Which answer belongs to which table.** On each page, predicted and true tables are paired one to one so
that as many pairs as can be have an IoU of their boxes of 0.5 and more, and after that the sum of the IoUs
is the largest (``scipy.optimize.linear_sum_assignment``). A pair has to overlap; how much is not asked,
since a table that was found in part loses by its missing cells already. Where a table of the page has no
box, on either side, that page's tables are paired in their order. (camelot's ``bench/`` always pairs the
tables of a page in their order and counts the rest; boxes, where there are some, do not punish a tool for
finding one table too many before the right one.)

**What counts.** The mean over the true tables is what TEDS and the macro GriTS give: a missed or
unreadable table is 0 there, an invented one is not in them. The micro GriTS sums similarities and places:
a missed table has all its places in the denominator, and so has an invented one. Found and precise ask for
an IoU of 0.5 and are not defined for tables without boxes. A truth without a readable table is left out,
with what was predicted in its place. GriTS is not defined where ``grits-metric`` is not installed.

**What is right**, for the calibration of confidences: the canonical forms of answer and truth are equal, so
that its canonical TEDS is 1. An invented table is wrong. A cell is right where the true cell that begins at
the same row and column has its text (:mod:`docai.pipelines.evaluation.metrics.calibration`).

An item that has only cells is given the canonical HTML of their grid. Of an item with both, HTML gives
everything but the boxes. GriTS-Loc is defined on cases whose truth has boxes of cells, unless a table was
found and read without any: a reader that gives none would else be held to the tables it missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from docai import geometry
from docai.errors import MissingDependencyError, needs
from docai.parsers.table import parse_table
from docai.parsers.table_grid import canonical_html
from docai.pipelines.evaluation.base import Belief, CaseScore, Item, Measure, Prediction, Ratio, Sample, Task
from docai.pipelines.evaluation.metrics.calibration import right_cells
from docai.pipelines.evaluation.metrics.grits import MAX_PAIRS as MAX_GRITS_PAIRS
from docai.pipelines.evaluation.metrics.grits import (
    NO_CELL_BOXES,
    TableGrid,
    extent,
    grits_of_grids,
    read_grid,
    whole_grid,
)
from docai.pipelines.evaluation.metrics.table_trees import is_table
from docai.pipelines.evaluation.metrics.teds import MAX_PAIRS as MAX_TEDS_PAIRS
from docai.pipelines.evaluation.metrics.teds import teds_scores

FOUND_IOU = 0.5
"""Boxes that overlap so much show the same table, as in COCO's and Pascal VOC's AP50."""

_TEDS = "PubTabNet metric.py; <html><body> put around a bare table"
_CANONICAL = "docai: TEDS of canonical HTML"
_GRITS = "grits-metric; unreadable is a miss"
_MICRO, _MACRO = f"{_GRITS}; sums over all tables", f"{_GRITS}; mean over true tables"
_FOUND = f"docai: IoU of table boxes at least {FOUND_IOU}"
_MISSED = "A true table was not found: it counts with 0."
_INVENTED = "A table was predicted where there is none: its cells count against the micro GriTS."
_UNREADABLE = "A prediction holds no table that can be read: it counts as a miss."
_NO_TRUTH = "A truth holds no table that can be read: it is left out."
_NO_GRITS = "GriTS is not computed: grits-metric is not installed."
_TEDS_NAMES = ("teds", "s-teds", "teds-canonical", "s-teds-canonical")

MEASURES = (
    Measure("teds", "TEDS", _TEDS),
    Measure("s-teds", "S-TEDS", _TEDS),
    Measure("teds-canonical", "TEDS (canonical)", _CANONICAL),
    Measure("s-teds-canonical", "S-TEDS (canonical)", _CANONICAL),
    Measure("grits-top", "GriTS-Top (micro)", _MICRO),
    Measure("grits-con", "GriTS-Con (micro)", _MICRO),
    Measure("grits-loc", "GriTS-Loc (micro)", _MICRO),
    Measure("grits-top-macro", "GriTS-Top (macro)", _MACRO),
    Measure("grits-con-macro", "GriTS-Con (macro)", _MACRO),
    Measure("grits-loc-macro", "GriTS-Loc (macro)", _MACRO),
    Measure("tables-found", "Tables found", _FOUND),
    Measure("tables-precise", "Tables precise", _FOUND),
)


@dataclass(frozen=True, slots=True)
class TablePair:
    """A true table with the one that answers it; None on one side where it is missed or invented."""

    truth: Item | None
    pred: Item | None
    iou: float | None
    """Of their boxes, 0 where one is alone; None where they were paired in order."""


def pair_tables(truths: Sequence[Item], preds: Sequence[Item], *, by_order: bool = False) -> list[TablePair]:
    """Pair tables as the module says: true tables in their order page by page, then invented ones.

    Raises:
        MissingDependencyError: ``scipy`` is not installed, and boxes are to be compared.
    """
    pairs = []
    for page in sorted({item.page for item in (*truths, *preds)}):
        true = [item for item in truths if item.page == page]
        predicted = [item for item in preds if item.page == page]
        if by_order or any(item.bbox is None for item in (*true, *predicted)):
            pairs += [TablePair(*pair, None) for pair in zip_longest(true, predicted)]
        else:
            pairs += _pair_by_boxes(true, predicted)
    return pairs


def score_tables(
    sample: Sample,
    prediction: Prediction | None,
    *,
    max_teds_pairs: int = MAX_TEDS_PAIRS,
    max_grits_pairs: int = MAX_GRITS_PAIRS,
) -> CaseScore:
    """The measures of one case. ``max_…_pairs`` are the limits of :mod:`teds` and :mod:`grits`.

    Raises:
        MissingDependencyError: a package of ``docai[metrics]`` is not installed.
    """
    truths = [item for item in sample.truth if item.kind == "table"]
    preds = [item for item in prediction.items if item.kind == "table"] if prediction else []
    tally = _Tally(max_teds_pairs, max_grits_pairs)
    for pair in pair_tables(truths, preds, by_order=sample.unit == "crop"):
        tally.add(pair)
    return tally.case(sample.id)


def _pair_by_boxes(truths: Sequence[Item], preds: Sequence[Item]) -> Iterator[TablePair]:
    ious = [[_iou(truth, pred) for pred in preds] for truth in truths]
    taken = dict(_assign(ious)) if truths and preds else {}
    for row, truth in enumerate(truths):
        col = taken.get(row)
        yield TablePair(truth, None, 0.0) if col is None else TablePair(truth, preds[col], ious[row][col])
    for col, pred in enumerate(preds):
        if col not in taken.values():
            yield TablePair(None, pred, 0.0)


def _assign(ious: Sequence[Sequence[float]]) -> Iterator[tuple[int, int]]:
    with needs("docai[metrics]", "Pairing tables"):
        from scipy.optimize import linear_sum_assignment
    # One pair that counts as found outweighs all overlap that the other pairs could gain.
    bonus = 1.0 + min(len(ious), len(ious[0]))
    gains = [[iou + bonus * (iou >= FOUND_IOU) for iou in row] for row in ious]
    for row, col in zip(*linear_sum_assignment(gains, maximize=True), strict=True):
        if ious[row][col] > 0:
            yield int(row), int(col)


def _iou(a: Item, b: Item) -> float:
    if a.bbox is None or b.bbox is None:
        return 0.0
    value = geometry.iou(a.bbox, b.bbox)
    return value if value >= 0 else 0.0  # Boxes that are not finite give a NaN.


class _Tally:
    """Sums over the pairs of one case."""

    def __init__(self, max_teds_pairs: int, max_grits_pairs: int) -> None:
        self._sums = {measure.name: [0.0, 0.0] for measure in MEASURES}
        self._notes: dict[str, None] = {}
        self._beliefs: list[Belief] = []
        self._cells: list[Belief] = []
        self._max_teds_pairs = max_teds_pairs
        self._max_grits_pairs = max_grits_pairs
        self._invented_boxes = 0

    def add(self, pair: TablePair) -> None:
        self._add_found(pair)
        if pair.truth is None:
            self._add_invented(pair.pred)
            return
        truth = table_html(pair.truth)
        if not is_table(truth):
            self._note(_NO_TRUTH)
            return
        pred = None if pair.pred is None else table_html(pair.pred)
        if pred is None:
            self._note(_MISSED)
        elif not is_table(pred):
            self._note(_UNREADABLE)
        canonical = self._add_teds(pred, truth)
        if pair.pred is not None and canonical is not None:
            self._believe(pair.pred, canonical == 1)
            self._believe_cells(pair.pred, truth)
        self._add_grits(pair.pred, pair.truth)

    def case(self, name: str) -> CaseScore:
        if NO_CELL_BOXES in self._notes:
            self._sums["grits-loc"] = self._sums["grits-loc-macro"] = [0.0, 0.0]
        elif self._sums["grits-loc"][1]:
            self._sums["grits-loc"][1] += self._invented_boxes
        ratios = {measure: Ratio(*sums) for measure, sums in self._sums.items()}
        cells = {"cell": tuple(self._cells)} if self._cells else {}
        return CaseScore(name, ratios, tuple(self._notes), beliefs=tuple(self._beliefs), part_beliefs=cells)

    def _add_found(self, pair: TablePair) -> None:
        if pair.iou is None:
            return
        is_found = float(pair.iou >= FOUND_IOU)
        if pair.truth is not None:
            self._add("tables-found", is_found, 1)
        if pair.pred is not None:
            self._add("tables-precise", is_found, 1)

    def _add_invented(self, pred: Item | None) -> None:
        if pred is None:
            return
        self._note(_INVENTED)
        self._believe(pred, False)
        self._believe_cells(pred, "")
        self._add_grits(pred, None)

    def _add_teds(self, pred: str | None, truth: str) -> float | None:
        scores = teds_scores(pred, truth, max_pairs=self._max_teds_pairs)
        self._note(*scores.notes)
        for name, score in zip(_TEDS_NAMES, scores[:4], strict=True):
            if score is not None:
                self._add(name, score, 1)
        return scores.canonical

    def _add_grits(self, pred: Item | None, truth: Item | None) -> None:
        try:
            grids = [None if item is None else _grid(item) for item in (pred, truth)]
        except MissingDependencyError:
            self._note(_NO_GRITS)
            return
        result = grits_of_grids(*grids, max_pairs=self._max_grits_pairs)
        self._note(*result.notes)
        for name, score in (("top", result.top), ("con", result.con), ("loc", result.loc)):
            if score is None:
                continue
            self._add(f"grits-{name}", 2 * score.similarity, score.n_pred + score.n_truth)
            if truth is not None:
                self._add(f"grits-{name}-macro", score.value or 0.0, 1)
        if truth is None and grids[0] is not None:
            self._invented_boxes += sum(len(row) for row in grids[0].loc)

    def _believe(self, pred: Item, is_right: bool) -> None:
        if pred.confidence is not None:
            self._beliefs.append(Belief(pred.confidence, is_right))

    def _believe_cells(self, pred: Item, truth: str) -> None:
        sure = [cell for cell in pred.cells if cell.confidence is not None]
        if not sure:
            return
        right = right_cells(sure, parse_table(truth).content.cells)
        for cell, is_right in zip(sure, right, strict=True):
            self._cells.append(Belief(cell.confidence or 0.0, is_right))

    def _add(self, name: str, numerator: float, denominator: float) -> None:
        self._sums[name][0] += numerator
        self._sums[name][1] += denominator

    def _note(self, *notes: str) -> None:
        self._notes.update(dict.fromkeys(notes))


def table_html(item: Item) -> str:
    """The HTML of a table; that of its cells where it has no other, empty where it has neither."""
    if item.text.strip():
        return item.text
    cells = whole_grid(item.cells)
    return canonical_html(cells, *extent(cells)) if cells else ""


def _grid(item: Item) -> TableGrid | None:
    if item.text.strip():
        return read_grid(item.text, item.cells)
    return read_grid(item.cells)


TABLE = Task("table", MEASURES, score_tables, headline="teds-canonical")
