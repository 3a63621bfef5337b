"""Which reader is believed of a table in a picture, and how sure that is.

The readers of pictures make grids in different ways: of words and rules (PP-OCR's words, or Tesseract's), and
by a network that sees the whole table (SLANet). No one is best everywhere: ruled tables are the grid's,
tables of journals without rules the network's, and of most it shows in the grid itself who has lost the way
(white lanes through a column, torn words, rules inside of cells, tags of which the network is unsure). Each
reader rates its own grid by that (:mod:`docai.pipelines.evidence.table_quality`), in the same measure, the
share of the table that it gets right, so the one of the best quality is believed.

That a table is *wholly* right is another question: a logistic model of the quality, of whether another reader
sees the same rows, columns and spans, and of the least confidence of a cell's words answers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docai.contents import Issue, TableContent
from docai.issues import make_issue
from docai.pipelines.evidence.agreement import share_alike
from docai.pipelines.evidence.base import Reading, content_of
from docai.pipelines.evidence.table_quality import wholly_right
from docai.pipelines.evidence.trust import word_trust
from docai.records import Alternative, Confidence, Evidence

METHOD: Final = (
    "probability that all of the table is right, by its grid, its words, and whether readers agree"
)

SURE: Final = 0.8
"""Probability that all of a table is right from which no second reader of it is asked."""

FAIR: Final = 0.5
"""Quality of the better of two grids from which no third reader is asked."""

DOUBTFUL: Final = 0.5
"""Probability that all of a table is right below which it is said to be doubtful, and why."""

CELL_METHOD: Final = "the least of its words, each by how often such words of the reader are right"


def join_tables(readings: Sequence[Reading]) -> tuple[Reading | None, tuple[Alternative, ...]]:
    """The reading of a table that is believed among those of readers of pictures, and the other answers.

    Those who see the same grid support it, the others oppose it. Its confidence is calibrated.
    """
    issues = tuple(issue for one in readings for issue in one.issues)
    tables = [one for one in readings if isinstance(one.content, TableContent) and one.content.cells]
    if not tables:
        return (replace(readings[0], issues=issues), ()) if readings else (None, ())
    tables.sort(key=lambda one: one.quality or 0.0, reverse=True)
    best = tables[0]
    alike = [one for one in tables[1:] if has_same_grid(best, one)]
    others = [one for one in tables[1:] if one not in alike]
    value = _probability(best, agrees=bool(alike), differs=bool(others) and not alike)
    reason = f"{best.source} rates its grid higher ({best.quality or 0.0:.2f})"
    alternatives = tuple(
        Alternative(
            source=one.source, content=one.text, reason=f"{reason} than this ({one.quality or 0.0:.2f})"
        )
        for one in tables[1:]
        if share_alike(content_of(best), content_of(one)) < 1.0
    )
    joined = replace(
        best,
        content=_with_fitted_cells(best),
        issues=issues,
        complete=best.complete or bool(alike),
        confidence=Confidence(value=value, method=METHOD, parts=CELL_METHOD),
        is_calibrated=True,
        supporters=tuple(dict.fromkeys(one.source for one in alike)),
        opponents=tuple(dict.fromkeys(one.source for one in others)),
    )
    return joined, alternatives


def doubts_of(joined: Reading) -> tuple[Issue, ...]:
    """That a table of :func:`join_tables` is likelier wrong somewhere than not, and what says so."""
    value = joined.confidence.value
    if not isinstance(joined.content, TableContent) or value is None or value >= DOUBTFUL:
        return ()
    reasons = [f"{joined.source} itself rates its grid {joined.quality or 0.0:.2f}"]
    if joined.opponents and not joined.supporters:
        reasons.append(f"{' and '.join(joined.opponents)} made out other rows, columns or spans")
    elif not joined.supporters:
        reasons.append("no other reader made out the same grid")
    sure = [(cell.confidence, cell.text) for cell in joined.content.cells if cell.confidence is not None]
    if sure and min(sure)[0] < DOUBTFUL:
        reasons.append("the words of {1!r} are right by {0:.2f}".format(*min(sure)))
    message = f"Not all of the table may be right ({value:.2f}): {'; '.join(reasons)}."
    return (make_issue("table-structure-doubtful", message),)


def has_same_grid(one: Reading, other: Reading) -> bool:
    """Both have cells of the same rows, columns and spans, whatever is written in them."""
    if not isinstance(one.content, TableContent) or not isinstance(other.content, TableContent):
        return False
    return places_of(one.content) == places_of(other.content)


def is_doubtful(readings: Sequence[Reading]) -> bool:
    """Whether a reader of pictures that was not asked yet should be.

    One that is sure alone is enough. So are two whose better grid is a fair one: a third, which reads the
    words once more, was seen to change little, and takes the longest.
    """
    joined, _ = join_tables(readings)
    if joined is None or joined.content is None:
        return True
    n_tables = sum(one.content is not None for one in readings)
    is_sure = (joined.confidence.value or 0.0) >= SURE
    return not is_sure and (n_tables < 2 or (joined.quality or 0.0) < FAIR)


def places_of(table: TableContent) -> set[tuple[int, int, int, int]]:
    """Row, column and spans of each cell."""
    return {(cell.row, cell.col, cell.row_span, cell.col_span) for cell in table.cells}


def _with_fitted_cells(best: Reading) -> TableContent:
    """The table with confidences that come true. The network of SLANet places words that PP-OCR reads."""
    table = content_of(best)
    if not isinstance(table, TableContent):
        raise TypeError(f"A table is to be joined, not {type(table).__name__}.")
    of_words: Evidence = "tesseract" if best.source == "tesseract" else "ppocr"
    return table.with_confidences(
        [None if own is None else word_trust(of_words, own) for own in table.part_confidences()]
    )


def _probability(best: Reading, *, agrees: bool, differs: bool) -> float:
    """That all of a table is right."""
    sure = [one for one in content_of(best).part_confidences() if one is not None]
    return wholly_right(best.quality or 0.0, agrees=agrees, differs=differs, least=min(sure, default=1.0))
