"""A table whose words the PDF itself has: whose grid is believed, the model's or the table finder's.

A born-digital page knows its words, and shows its rules and lanes. The words fill and check the cells of a
table; a table finder that shares nothing with the model says what grid it sees, and how sure that is
(:mod:`docai.pipelines.evidence.structure.judge`). The order of trust stands in
:mod:`docai.pipelines.evidence.arbiter`; how cells are filled from words, and what the difference of two grids
makes of a confidence, is worked out here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from docai.contents import Cell, Issue, TableContent
from docai.geometry import BBox, area, share_inside, union
from docai.issues import make_issue
from docai.parsers.table_columns import touched_cells
from docai.parsers.table_grid import head_rows, table_content
from docai.pipelines.evidence.base import Decision, Need, ReaderInput, Reading, content_of, same_grid
from docai.pipelines.evidence.structure.judge import (
    DOUBTFUL_CELL,
    DOUBTFUL_METHOD,
    METHOD,
    SURE,
    judge_on_page,
)
from docai.pipelines.evidence.text_layer import MAX_EXAMPLES, MIN_AGREEMENT, word_difference
from docai.pipelines.evidence.trust import agreed, contradicted
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.finder import find_table
from docai.pipelines.words import (
    WIDE_GAP,
    agreement,
    cell_content,
    cell_words,
    holds_word,
    native_words,
    plain,
    text_rows,
)
from docai.records import Alternative, Confidence, Evidence

_AGREEMENT_METHOD: Final = "agreement of the cells with the PDF's own words in the region (word F1)"

_UNMEASURED: Final = 0.5
"""Probability that the grid of a model is right whose confidence nobody calibrated."""

MIN_BORNE_OUT: Final = 0.5
"""Agreement with the words of the PDF below which a table that the model alone sees is not taken: the words
are what is there, whatever their places."""

_LINES_METHOD: Final = "only the words of its lines are known: nobody made out a grid that they bear out"

Change = tuple[str, str]
"""Text of a cell as the model wrote it, and as the PDF has it."""


class TableFinder:
    """Sees the lines of a table and the places of the PDF's own words; it needs the page, not a picture."""

    name: Final[Evidence] = "table-finder"
    kinds: Final[frozenset[str]] = frozenset(("table",))
    needs: Final[frozenset[Need]] = frozenset(("words", "strokes"))
    yields_to_words: Final = False

    def available(self) -> str | None:
        """Always there: PyMuPDF is one of docai's own requirements."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The grid it sees, by :func:`~docai.pipelines.tables.finder.find_table`, and how sure that is."""
        table = find_table(region.page, region.bbox, region.words)
        if table is None:
            return Reading(self.name)
        structure = judge_on_page(table, region.page, region.bbox, region.words)
        confidence = Confidence(value=structure.probability, method=METHOD)
        if structure.doubtful_cells:
            doubts = [
                DOUBTFUL_CELL if index in structure.doubtful_cells else None
                for index in range(len(table.cells))
            ]
            table = table.with_confidences(doubts)
            confidence = confidence.model_copy(update={"parts": DOUBTFUL_METHOD})
        issues: tuple[Issue, ...] = ()
        if structure.probability < SURE:
            message = f"The grid may be wrong ({structure.probability:.2f}): {'; '.join(structure.doubts)}."
            issues = (make_issue("table-structure-doubtful", message),)
        return Reading(self.name, table, table.html, issues, confidence=confidence, is_calibrated=True)


def fill_cells(
    content: TableContent, words: Sequence[PageWord]
) -> tuple[TableContent, list[Change], list[Issue]]:
    """Give each cell with a box the words whose centers lie in it; coordinates are page points.

    A model's boxes are not always right, and a box that is off must neither blank a cell nor give it its
    neighbor's words:

    - a cell without words in its box keeps its text;
    - a word in several boxes goes to the one that holds most of it, and of two such to the smaller;
    - a box whose words stand as far apart as columns do gives its cell nothing;
    - where more boxes contradict their cells than confirm them (the cell's own words are in the PDF, and
      not in its box), or the table would agree with the PDF less than before, no cell is changed at all.
    """
    words_of_cells = _words_of_cells(content.cells, words)
    contents = {
        index: cell_content(inside) for index, inside in words_of_cells.items() if not _is_torn(inside)
    }
    changes = {
        index: text
        for index, (text, marks) in contents.items()
        if plain(text) != plain(content.cells[index].text) or marks != content.cells[index].marks
    }
    if not changes:
        return content, [], []
    native = {plain(word.text) for word in words}
    boxed = {index: f"{text} {text}{','.join(marks)}" for index, (text, marks) in contents.items()}
    contradicted = sum(_contradicts(content.cells[index].text, boxed[index], native) for index in changes)
    cells = [
        cell.model_copy(update={"text": changes[index], "marks": contents[index][1]})
        if index in changes
        else cell
        for index, cell in enumerate(content.cells)
    ]
    filled = table_content(cells, content.n_rows, content.n_cols)
    texts_of_pdf = native_words(words)
    worse = agreement(cell_words(filled), texts_of_pdf) < agreement(cell_words(content), texts_of_pdf)
    if worse or contradicted > len(contents) - len(changes):
        message = "The boxes of the cells do not lie on their words: no cell was filled from the PDF's words."
        return content, [], [make_issue("table-boxes-off", message)]
    return filled, [(content.cells[index].text, text) for index, text in changes.items()], []


def _words_of_cells(cells: Sequence[Cell], words: Sequence[PageWord]) -> dict[int, list[PageWord]]:
    boxes = [(index, cell.bbox) for index, cell in enumerate(cells) if cell.bbox is not None]
    words_of_cells: dict[int, list[PageWord]] = {}
    for word in words:
        homes = [(-_share(word.bbox, box), area(box), index) for index, box in boxes if holds_word(box, word)]
        if homes:
            words_of_cells.setdefault(min(homes)[2], []).append(word)
    return words_of_cells


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
    return round(share_inside(box, other), 1)


def decide_table(
    model: Reading, words: Sequence[PageWord], finder: Reading | None, *, prefer_words: bool
) -> Decision:
    """Decide between the model's grid and the table finder's, by the words of the PDF.

    This is point 2 of the rule in :mod:`docai.pipelines.evidence.arbiter`. Coordinates are page points.

    Args:
        model: its reading, a table.
        words: of the PDF, in the region; at least one.
        finder: what the table finder says of the region; None where it was not asked.
        prefer_words: cells with boxes take their text from the words; else (``text_layer="verify"``) they
            keep the model's text, and what differs is an issue.
    """
    read = content_of(model)
    if not isinstance(read, TableContent):
        raise TypeError(f"A table is to be decided, not {type(read).__name__}.")
    native = native_words(words)
    filled, changes, fill_issues = fill_cells(read, words)
    filled = _without_stale_confidence(read, filled)
    table = filled if prefer_words else read
    share = agreement(cell_words(table), native) if read.cells else 0.0
    other, finder_issues = _grid(finder)
    other_share = agreement(cell_words(other), native) if other is not None else 0.0
    is_same = other is not None and same_grid(table, other)
    holds_up = model.complete and (share >= MIN_AGREEMENT or share >= other_share)
    has_same_places = other is not None and _places(table) == _places(other)
    is_surer = not has_same_places and finder is not None and _is_surer(finder, model)
    if not read.cells or (other is not None and (not holds_up or is_surer)):
        if finder is not None and other is not None:
            return _believe_finder(model, read, finder, other, (share, other_share), native)
        return _lines_of_words(
            words, finder_issues, "Neither the model nor the table finder made out a table."
        )
    if other is None and prefer_words and share < MIN_BORNE_OUT:
        reason = f"its cells agree with the PDF's own words by {share:.0%}"
        decision = _lines_of_words(words, finder_issues, f"The model's table was not taken: {reason}.")
        alternative = Alternative(source="model", content=read.html, reason=reason)
        return replace(decision, alternatives=(alternative,))
    issues = [*fill_issues, *_cell_issues(changes, len(read.cells), prefer_words)]
    evidence: list[Evidence] = ["model"]
    if share >= MIN_AGREEMENT or (changes and prefer_words):
        evidence.append("text-layer")
    alternatives: list[Alternative] = []
    if changes and not prefer_words:
        reason = "the model's own text was asked for, by text_layer='verify'"
        alternatives.append(Alternative(source="text-layer", content=filled.html, reason=reason))
    if is_same:
        evidence.append("table-finder")
    elif other is not None:
        issues.append(_grids_differ(table, other))
        reason = _shares(share, other_share)
        alternatives.append(Alternative(source="table-finder", content=other.html, reason=reason))
    issues += _word_issues(cell_words(table), native, share)
    # That the finder doubts a grid that was not taken is no doubt of the one that was.
    issues += [issue for issue in finder_issues if other is None or issue.code != "table-structure-doubtful"]
    confidence = model.confidence
    if model.complete:
        confidence = _grid_confidence(
            model, share, finder if other is not None else None, agrees=has_same_places
        )
    return Decision(
        table,
        tuple(evidence),
        confidence,
        tuple(alternatives),
        tuple(issues),
        repaired=bool(changes) and prefer_words,
    )


def decide_unread_table(words: Sequence[PageWord], finder: Reading | None) -> Decision:
    """What the table finder sees of a table that no model read, else the lines of its words."""
    table, issues = _grid(finder)
    if table is None:
        return _lines_of_words(words, issues, "No model was asked, and the table finder made out no table.")
    native = native_words(words)
    share = agreement(cell_words(table), native)
    issues += _word_issues(cell_words(table), native, share)
    confidence = _finder_confidence(finder, share)
    return Decision(table, ("text-layer", "table-finder"), confidence, (), tuple(issues))


def _lines_of_words(words: Sequence[PageWord], issues: Sequence[Issue], why: str) -> Decision:
    """A table with a row of one cell for each line of words, so that none is lost."""
    boxes = [word.bbox for word in words]
    cells = []
    for row, line in enumerate(text_rows(boxes)):
        text, marks = cell_content([words[index] for index in line])
        bbox = union([boxes[index] for index in line])
        cells.append(Cell(row=row, col=0, text=text, marks=marks, bbox=bbox))
    issue = make_issue("table-lines-only", f"{why} Each row is a line of the PDF's own words.")
    nothing = Confidence(value=0.0, method=_LINES_METHOD)
    return Decision(
        table_content(cells, len(cells), 1), ("text-layer",), nothing, (), (*issues, issue), repaired=True
    )


def is_sure(finder: Reading) -> bool:
    """Whether the table finder's grid is so sure that no model need be asked."""
    return isinstance(finder.content, TableContent) and (finder.confidence.value or 0.0) >= SURE


def _is_surer(finder: Reading, model: Reading) -> bool:
    """Whether the finder's grid is likelier than the model's; of a model that nobody calibrated, by far."""
    if finder.confidence.value is None or not (model.is_calibrated or is_sure(finder)):
        return False
    return _own_probability(model) < finder.confidence.value


def _places(table: TableContent) -> set[tuple[int, int, int, int]]:
    return {(cell.row, cell.col, cell.row_span, cell.col_span) for cell in table.cells}


def _own_probability(model: Reading) -> float:
    """How likely the model's table is right by its own account."""
    value = model.confidence.value if model.is_calibrated else None
    return _UNMEASURED if value is None else value


def _finder_confidence(finder: Reading | None, share: float) -> Confidence:
    """Of the finder's grid: its own, times the agreement of its cells with the words."""
    if finder is None or finder.confidence.value is None:
        return Confidence(value=share, method=_AGREEMENT_METHOD)
    own = finder.confidence
    method = f"{own.method}, times {_AGREEMENT_METHOD}"
    return Confidence(value=(own.value or 0.0) * share, method=method, parts=own.parts)


def _grid_confidence(model: Reading, share: float, finder: Reading | None, *, agrees: bool) -> Confidence:
    """Of the model's grid: raised or lowered by that of the finder, times the agreement with the words."""
    parts = model.confidence.parts
    if finder is None or finder.confidence.value is None:
        return Confidence(value=share, method=_AGREEMENT_METHOD, parts=parts)
    own, other = _own_probability(model), finder.confidence.value
    value = agreed(other, own) if agrees else contradicted(own, other)
    how = "raised by the same grid of the model" if agrees else "as it lowers that of the model's grid"
    method = f"{finder.confidence.method}, {how} (Bayes' rule), times {_AGREEMENT_METHOD}"
    return Confidence(value=value * share, method=method, parts=parts)


def _without_stale_confidence(model: TableContent, filled: TableContent) -> TableContent:
    """None for the cells whose text is no longer the one that the confidence is about."""
    cells = [
        cell if cell.text == own.text else cell.model_copy(update={"confidence": None})
        for own, cell in zip(model.cells, filled.cells, strict=True)
    ]
    return filled.model_copy(update={"cells": cells})


def _believe_finder(
    model: Reading,
    read: TableContent,
    finder: Reading,
    other: TableContent,
    shares: tuple[float, float],
    native: Sequence[str],
) -> Decision:
    share, other_share = shares
    is_worse = share < MIN_AGREEMENT and share < other_share
    if not read.cells:
        reason = "the model gave no table"
    elif model.complete and is_worse:
        reason = _shares(share, other_share)
    elif model.complete:
        reason = f"rules, lanes and lines speak for its own grid by {finder.confidence.value:.2f}"
    else:
        reason = "the model's answer is invalid or incomplete"
    alternatives = (Alternative(source="model", content=read.html, reason=reason),) if read.cells else ()
    differ = f" {word_difference(cell_words(read), native)}".rstrip() if read.cells else ""
    issues = (
        make_issue("table-from-finder", f"The table finder was believed: {reason}.{differ}"),
        *_word_issues(cell_words(other), native, other_share),
        *finder.issues,
    )
    confidence = _finder_confidence(finder, other_share)
    return Decision(other, ("text-layer", "table-finder"), confidence, alternatives, issues, repaired=True)


def number_issues(table: TableContent) -> list[Issue]:
    """That numbers of columns may have a footnote mark for their last digit, whoever read them."""
    cells = touched_cells(table.cells, head_rows(table), table.n_cols)
    if not cells:
        return []
    shown = ", ".join(repr(cell.text) for cell in cells[:MAX_EXAMPLES])
    message = (
        f"A footnote mark may be the last digit of {shown}: the other numbers there are written otherwise."
    )
    return [make_issue("table-number-doubtful", message)]


def _shares(share: float, other_share: float) -> str:
    return f"the model's cells agree with the PDF's own words by {share:.0%}, its own by {other_share:.0%}"


def _grid(finder: Reading | None) -> tuple[TableContent | None, list[Issue]]:
    """The grid that the table finder sees, and what went wrong with it."""
    if finder is None:
        return None, []
    content = finder.content
    return content if isinstance(content, TableContent) else None, list(finder.issues)


def _cell_issues(changes: Sequence[tuple[str, str]], n_cells: int, prefer_words: bool) -> list[Issue]:
    if not changes:
        return []
    shown = "; ".join(f"{theirs!r} for {ours!r}" for ours, theirs in changes[:MAX_EXAMPLES])
    number = f"{len(changes)} of {n_cells} cells"
    if prefer_words:
        message = f"{number} took their text from the PDF's own words: {shown}."
        return [make_issue("table-cells-corrected", message)]
    return [make_issue("table-cells-differ", f"{number} differ from the PDF's own words: {shown}.")]


def _grids_differ(table: TableContent, other: TableContent) -> Issue:
    sizes = [f"{grid.n_rows} x {grid.n_cols}" for grid in (table, other)]
    if sizes[0] == sizes[1]:
        message = (
            f"Both the model and the table finder see {sizes[0]} cells, but not the same in all of them."
        )
        return make_issue("table-grids-differ", message, severity="info")
    return make_issue(
        "table-grids-differ", f"The model sees {sizes[0]} cells, the table finder {sizes[1]}; rows x columns."
    )


def _word_issues(words: Sequence[str], native: Sequence[str], share: float) -> list[Issue]:
    if share == 1.0:
        return []
    message = (
        f"The cells agree with the PDF's own words by {share:.0%} only. {word_difference(words, native)}"
    )
    return [make_issue("table-words-disagree", message, severity="error" if share < 0.5 else "warning")]
