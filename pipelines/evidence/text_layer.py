"""The PDF's own words and PyMuPDF's table finder as evidence beside the model.

A born-digital page knows its words. They fill and check the cells of a table, and a second table finder
that shares nothing with the model says what it sees. Which answer is believed is decided by one rule,
stated in :func:`weigh_table`, and the other answer is kept on the record.

Where the PDF's words took the place of the model's, the part's confidence is None: the model's number is
about another text, and how sure a PDF is of its own words nobody has measured. Where they only agree with the
model it stays the model's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from docai.contents import Cell, Issue, TableContent, TextContent
from docai.geometry import BBox
from docai.issues import make_issue
from docai.parsers.table_grid import table_content
from docai.pipelines.evidence.base import Statement, Weighed, same_grid, unweighed
from docai.pipelines.ingest import PageWord
from docai.pipelines.recognition.answer import Answer
from docai.pipelines.words import WIDE_GAP, agreement, cell_text, cell_words, holds_word, plain
from docai.records import Alternative, Confidence, Evidence

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


def _words_of_cells(cells: Sequence[Cell], words: Sequence[PageWord]) -> dict[int, list[PageWord]]:
    boxes = [(index, cell.bbox) for index, cell in enumerate(cells) if cell.bbox is not None]
    found: dict[int, list[PageWord]] = {}
    for word in words:
        homes = [
            (-_share(word.bbox, box), _area(box), index) for index, box in boxes if holds_word(box, word)
        ]
        if homes:
            found.setdefault(min(homes)[2], []).append(word)
    return found


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


MIN_AGREEMENT = 0.9
"""Agreement (see :func:`agreement`) from which a reading is believed whatever another witness says."""

_METHOD = "agreement of the cells with the PDF's own words in the region (word F1)"

_EXAMPLES = 3


def weigh_table(
    answer: Answer, words: Sequence[PageWord], finder: Statement | None, *, prefer_words: bool
) -> Weighed:
    """Decide between the model's table and the table finder's, by the words of the PDF.

    The words inside the region first replace the text of the model's cells where the cells have boxes.
    Then each grid is compared with those words, as multisets of words (F1). The model's grid is believed
    where its answer is sound and reaches :data:`MIN_AGREEMENT` or the finder does not beat it, and where
    the finder sees none; else the finder's is. With ``prefer_words`` False (``text_layer="verify"``) the
    model's cells keep their own text, and what differs is an issue. Coordinates are page points.
    ``finder`` is what the table finder says of the region; None where it was not asked.
    """
    model = answer.content
    if not isinstance(model, TableContent):
        raise TypeError(f"A table is weighed, not {type(model).__name__}.")
    if not words:
        return unweighed(answer)
    native = [word.text for word in words]
    filled, changes, fill_issues = fill_cells(model, words)
    filled = _without_stale_confidence(model, filled)
    held = filled if prefer_words else model
    own = agreement(cell_words(held), native) if model.cells else 0.0
    other, finder_issues = _grid(finder)
    others = agreement(cell_words(other), native) if other is not None else 0.0
    if model.cells and (other is None or (answer.is_sound and (own >= MIN_AGREEMENT or own >= others))):
        issues = [*fill_issues, *_cell_issues(changes, len(model.cells), prefer_words)]
        alternatives: list[Alternative] = []
        if changes and not prefer_words:
            reason = "the model's own text was asked for, by text_layer='verify'"
            alternatives.append(Alternative(source="text-layer", content=filled.html, reason=reason))
        if other is not None and not same_grid(held, other):
            issues.append(_grids_differ(held, other))
            reason = f"the model's cells agree with the PDF's own words by {own:.0%}, its own by {others:.0%}"
            alternatives.append(Alternative(source="table-finder", content=other.html, reason=reason))
        issues += [*_word_issues(cell_words(held), native, own), *finder_issues]
        evidence: list[Evidence] = ["model"]
        if own >= MIN_AGREEMENT or (changes and prefer_words):
            evidence.append("text-layer")
        if other is not None and same_grid(held, other):
            evidence.append("table-finder")
        confidence = answer.confidence
        if answer.is_sound:
            confidence = Confidence(value=own, method=_METHOD, parts=answer.confidence.parts)
        return Weighed(
            held,
            tuple(evidence),
            confidence,
            tuple(alternatives),
            tuple(issues),
            bool(changes) and prefer_words,
        )
    if other is None:
        issue = make_issue("table-unread", "Neither the model nor the table finder made out a table.")
        nothing = Confidence(value=0.0, method=_METHOD)
        return Weighed(model, unweighed(answer).evidence, nothing, (), (*finder_issues, issue))
    return _believe_finder(answer, model, other, own, others, native)


def _without_stale_confidence(model: TableContent, filled: TableContent) -> TableContent:
    """None for the cells whose text is no longer the one that the confidence is about."""
    cells = [
        cell if cell.text == own.text else cell.model_copy(update={"confidence": None})
        for own, cell in zip(model.cells, filled.cells, strict=True)
    ]
    return filled.model_copy(update={"cells": cells})


def _believe_finder(
    answer: Answer, model: TableContent, other: TableContent, own: float, others: float, native: Sequence[str]
) -> Weighed:
    if not model.cells:
        reason = "the model gave no table"
    elif answer.is_sound:
        reason = f"the model's cells agree with the PDF's own words by {own:.0%}, its own by {others:.0%}"
    else:
        reason = "the model's answer is invalid or incomplete"
    alternatives = (Alternative(source="model", content=model.html, reason=reason),) if model.cells else ()
    differ = f" {_difference(cell_words(model), native)}" if model.cells else ""
    issues = (
        make_issue("table-from-finder", f"The table finder was believed: {reason}.{differ}"),
        *_word_issues(cell_words(other), native, others),
    )
    confidence = Confidence(value=others, method=_METHOD)
    return Weighed(other, ("text-layer", "table-finder"), confidence, alternatives, issues, repaired=True)


def unread_table(words: Sequence[PageWord], finder: Statement | None) -> Weighed | None:
    """What the table finder sees of a table that no model read; None where it sees nothing."""
    other, issues = _grid(finder)
    if other is None:
        return None
    native = [word.text for word in words]
    share = agreement(cell_words(other), native)
    issues += _word_issues(cell_words(other), native, share)
    confidence = Confidence(value=share, method=_METHOD)
    return Weighed(other, ("text-layer", "table-finder"), confidence, (), tuple(issues))


def weigh_text(answer: Answer, native: TextContent, *, believed: bool) -> Weighed:
    """Hold the model's reading of a text against the PDF's own words there.

    ``believed`` False (the words look broken): the model's reading is the content and the words are kept
    as an alternative. Else the words are the content, and the reading is kept where it differs.
    """
    model = answer.content
    if not isinstance(model, TextContent):
        raise TypeError(f"A text is weighed, not {type(model).__name__}.")
    if not believed:
        broken = Alternative(source="text-layer", content=native.text, reason="the words look broken")
        alone = unweighed(answer)
        return Weighed(model, alone.evidence, alone.confidence, (broken,))
    if answer.finish_reason in ("blank", "error"):
        return Weighed(native, ("text-layer",), Confidence(), repaired=True)
    share = agreement(model.text.split(), native.text.split())
    confidence = Confidence(
        value=share, method="agreement of the PDF's own words with the model's reading (word F1)"
    )
    if share == 1.0:
        return Weighed(native, ("text-layer", "model"), confidence)
    issue = make_issue(
        "text-layer-disagrees",
        f"The model's reading agrees with the PDF's own words by {share:.0%}; the words were believed. "
        + _difference(model.text.split(), native.text.split()),
        severity="warning" if share < MIN_AGREEMENT else "info",
    )
    kept = Alternative(source="model", content=answer.raw, reason="the PDF's own words were believed")
    evidence: tuple[Evidence, ...] = ("text-layer", "model") if share >= MIN_AGREEMENT else ("text-layer",)
    return Weighed(native, evidence, confidence, (kept,), (issue,), repaired=True)


def _grid(finder: Statement | None) -> tuple[TableContent | None, list[Issue]]:
    """The grid that the table finder sees, and what went wrong with it."""
    if finder is None:
        return None, []
    content = finder.content
    return content if isinstance(content, TableContent) else None, list(finder.issues)


def _cell_issues(changes: Sequence[tuple[str, str]], n_cells: int, prefer_words: bool) -> list[Issue]:
    if not changes:
        return []
    shown = "; ".join(f"{theirs!r} for {ours!r}" for ours, theirs in changes[:_EXAMPLES])
    number = f"{len(changes)} of {n_cells} cells"
    if prefer_words:
        message = f"{number} took their text from the PDF's own words: {shown}."
        return [make_issue("table-cells-corrected", message)]
    return [make_issue("table-cells-differ", f"{number} differ from the PDF's own words: {shown}.")]


def _grids_differ(held: TableContent, other: TableContent) -> Issue:
    sizes = [f"{grid.n_rows} x {grid.n_cols}" for grid in (held, other)]
    if sizes[0] == sizes[1]:
        message = (
            f"Both the model and the table finder see {sizes[0]} cells, but not the same in all of them."
        )
        return make_issue("table-grids-differ", message, severity="info")
    return make_issue(
        "table-grids-differ", f"The model sees {sizes[0]} cells, the table finder {sizes[1]}; rows x columns."
    )


def _word_issues(found: Sequence[str], native: Sequence[str], share: float) -> list[Issue]:
    if share == 1.0:
        return []
    message = f"The cells agree with the PDF's own words by {share:.0%} only. {_difference(found, native)}"
    return [make_issue("table-words-disagree", message, severity="error" if share < 0.5 else "warning")]


def _difference(found: Sequence[str], native: Sequence[str]) -> str:
    """The words that only one side has, as a sentence or two."""
    ours, theirs = Counter(map(plain, found)), Counter(map(plain, native))
    parts = []
    for title, words in (("Only in the PDF", theirs - ours), ("Only in the reading", ours - theirs)):
        if words:
            shown = ", ".join(repr(word) for word in list(words)[:_EXAMPLES])
            more = words.total() - min(_EXAMPLES, len(words))
            parts.append(f"{title}: {shown}" + (f" and {more} more." if more > 0 else "."))
    return " ".join(parts)
