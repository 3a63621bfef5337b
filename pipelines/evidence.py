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
from collections.abc import Sequence
from dataclasses import dataclass

from docai.pipelines.answers import Answer
from docai.pipelines.codes import make_issue
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.cells import agreement, cell_words, fill_cells, plain, same_grid
from docai.pipelines.witnesses.base import Statement
from docai.pipelines.words import lines_from_words
from docai.records import (
    Alternative,
    Confidence,
    Content,
    Evidence,
    Issue,
    TableContent,
    TextContent,
)

MIN_AGREEMENT = 0.9
"""Agreement (see :func:`agreement`) from which a reading is believed whatever another witness says."""

_METHOD = "agreement of the cells with the PDF's own words in the region (word F1)"
_EXAMPLES = 3


@dataclass(frozen=True)
class Weighed:
    """The content of a record after its evidence was weighed."""

    content: Content
    evidence: tuple[Evidence, ...]
    confidence: Confidence
    alternatives: tuple[Alternative, ...] = ()
    issues: tuple[Issue, ...] = ()
    repaired: bool = False


def unweighed(answer: Answer) -> Weighed:
    """The model's answer where there is nothing to hold it against."""
    return Weighed(answer.content, ("model",) if answer.raw.strip() else (), answer.confidence)


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


def text_from_words(words: Sequence[PageWord]) -> TextContent:
    """The PDF's own words as lines, in the order they are given."""
    lines = lines_from_words(words)
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


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
