"""The PDF's own words and PyMuPDF's table finder as evidence beside the model.

A born-digital page knows its words. They fill and check the cells of a table, and a second table finder
that shares nothing with the model says what it sees. Which answer is believed is decided by one rule,
stated in :func:`weigh_table`, and the other answer is kept on the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from docai.parsers.grid import canonical_html
from docai.pipelines.answers import Answer
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.table_finder import find_table
from docai.pipelines.words import lines_from_words
from docai.records import (
    Alternative,
    BBox,
    Cell,
    Confidence,
    Evidence,
    Issue,
    Severity,
    TableContent,
    TextContent,
)

MIN_AGREEMENT = 0.9
"""Share of the words inside a region that a table has to hold, and hold no more than, to be believed."""


@dataclass(frozen=True)
class Weighed:
    """A table after its evidence was weighed."""

    content: TableContent
    evidence: tuple[Evidence, ...]
    alternatives: tuple[Alternative, ...]
    issues: tuple[Issue, ...]
    confidence: Confidence
    repaired: bool


def weigh_table(
    answer: Answer, page: Page, bbox: BBox, words: Sequence[PageWord], *, prefer_words: bool
) -> Weighed:
    """Decide between the model's table and the table finder's, by the words of the PDF.

    The words inside the region first replace the text of the model's cells where the cells have boxes.
    Then each grid is compared with those words, as multisets of words (F1). The model's grid is believed
    where it is sound and reaches ``MIN_AGREEMENT`` or the finder does not beat it; else the finder's is.
    With ``prefer_words`` False (``text_layer="verify"``) the model's cells keep their own text, and a
    disagreement is an issue. Coordinates are page points.
    """
    model = answer.content
    if not isinstance(model, TableContent):
        raise TypeError(f"A table is weighed, not {type(model).__name__}.")
    if not words:
        return Weighed(model, ("model",), (), (), answer.confidence, False)
    native = [word.text for word in words]
    filled, fill_issues = fill_cells(model, words) if prefer_words else (model, [])
    own = agreement(cell_words(filled), native) if answer.is_sound and model.n_rows else 0.0
    other = find_table(page, bbox, words)
    others = agreement(cell_words(other), native) if other is not None else 0.0
    if own >= MIN_AGREEMENT or (other is None and model.cells) or (own >= others and model.cells):
        return _believe_model(answer, filled, fill_issues, other, own, prefer_words)
    if other is None:
        issue = _issue("table-unread", "error", "Neither the model nor the table finder made out a table.")
        return Weighed(model, ("model",), (), (issue,), Confidence(value=0.0, method=_METHOD), False)
    reason = (
        f"holds {own:.0%} of the PDF's own words in the region, the table finder's grid {others:.0%}"
        if answer.is_sound
        else "the model's answer is invalid or incomplete"
    )
    alternatives = (Alternative(source="model", content=model.html, reason=reason),) if model.cells else ()
    issue = _issue("table-from-finder", "warning", f"The table finder was believed: {reason}.")
    confidence = Confidence(value=others, method=_METHOD)
    return Weighed(other, ("text-layer", "table-finder"), alternatives, (issue,), confidence, True)


_METHOD = "agreement of the cells with the PDF's own words in the region (word F1)"


def _believe_model(
    answer: Answer,
    content: TableContent,
    fill_issues: Sequence[Issue],
    other: TableContent | None,
    own: float,
    prefer_words: bool,
) -> Weighed:
    issues = list(fill_issues)
    alternatives: tuple[Alternative, ...] = ()
    if other is not None and (other.n_rows, other.n_cols) != (content.n_rows, content.n_cols):
        reason = (
            f"the grid of {content.n_rows} x {content.n_cols} was believed, because its cells agree with "
            f"the PDF's own words by {own:.0%}"
        )
        alternatives = (Alternative(source="table-finder", content=other.html, reason=reason),)
        issues.append(
            _issue(
                "table-grids-differ",
                "warning",
                f"The model sees {content.n_rows} x {content.n_cols} cells, the table finder "
                f"{other.n_rows} x {other.n_cols}.",
            )
        )
    if own < MIN_AGREEMENT:
        issues.append(
            _issue(
                "table-words-disagree",
                "error" if own < 0.5 else "warning",
                f"The cells agree with the PDF's own words by {own:.0%} only.",
            )
        )
    evidence: tuple[Evidence, ...] = ("model", "text-layer") if prefer_words or own else ("model",)
    repaired = bool(fill_issues)
    confidence = Confidence(value=own, method=_METHOD)
    return Weighed(content, evidence, alternatives, tuple(issues), confidence, repaired)


def text_from_words(words: Sequence[PageWord]) -> TextContent:
    """The PDF's own words as lines, in the order they are given."""
    lines = lines_from_words(words)
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def fill_cells(content: TableContent, words: Sequence[PageWord]) -> tuple[TableContent, list[Issue]]:
    """Give each cell with a box the words whose centres lie in it; the changes are issues.

    A cell without words keeps its text: a box that is a little off must not blank a cell.
    """
    found: dict[int, list[str]] = {}
    boxes = [(index, cell.bbox) for index, cell in enumerate(content.cells) if cell.bbox is not None]
    for word in words:
        x, y = (word.bbox[0] + word.bbox[2]) / 2, (word.bbox[1] + word.bbox[3]) / 2
        for index, box in boxes:
            if box[0] <= x <= box[2] and box[1] <= y <= box[3]:
                found.setdefault(index, []).append(word.text)
                break
    cells: list[Cell] = []
    changed = 0
    for index, cell in enumerate(content.cells):
        text = " ".join(found[index]) if index in found else cell.text
        changed += text != cell.text
        cells.append(cell.model_copy(update={"text": text}))
    if not changed:
        return content, []
    issue = _issue(
        "table-cells-corrected",
        "info",
        f"{changed} of {len(cells)} cells took their text from the PDF's own words.",
    )
    html = canonical_html(cells, content.n_rows, content.n_cols)
    return content.model_copy(update={"cells": cells, "html": html}), [issue]


def cell_words(content: TableContent) -> list[str]:
    """All words of all cells."""
    return [word for cell in content.cells for word in cell.text.split()]


def agreement(found: Sequence[str], native: Sequence[str]) -> float:
    """F1 of two multisets of words; 1 where both are empty."""
    if not found and not native:
        return 1.0
    common = sum((Counter(found) & Counter(native)).values())
    return 2 * common / (len(found) + len(native))


def compare_text(answer: Answer, native: TextContent) -> tuple[list[Issue], list[Alternative], Confidence]:
    """Check the PDF's own text against the model's reading of it (``text_layer="verify"``)."""
    model = answer.content
    if not isinstance(model, TextContent):
        raise TypeError(f"A text is compared, not {type(model).__name__}.")
    share = agreement(model.text.split(), native.text.split())
    confidence = Confidence(
        value=share, method="agreement of the PDF's own words with the model's reading (word F1)"
    )
    if share >= MIN_AGREEMENT:
        return [], [], confidence
    issue = _issue(
        "text-layer-disagrees",
        "warning",
        f"The model's reading agrees with the PDF's own words by {share:.0%} only; the words were believed.",
    )
    reason = "the PDF's own words were believed"
    return [issue], [Alternative(source="model", content=answer.raw, reason=reason)], confidence


def _issue(code: str, severity: Severity, message: str) -> Issue:
    return Issue(code=code, severity=severity, stage="evidence", message=message)
