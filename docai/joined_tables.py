"""Tables that go on over pages, put together to one: what :meth:`docai.Document.joined_tables` does.

A table goes on with the one before where it is the first thing on the next page, the other was the last thing
on its own, and both have the same columns: as many, at the same places. A head that comes again is written
once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import Field

from docai.base import PlacedRecord
from docai.contents import Cell, TableContent
from docai.geometry import BBox, interval_overlap
from docai.parsers.table_columns import describe_columns
from docai.parsers.table_grid import head_rows, table_content
from docai.table_formats import TableExports, grid_of_texts

MIN_SAME_WIDTH: Final = 0.9
"""Share of their widths that two parts of one table have in common."""


_CONTINUED = re.compile(
    r"\b(?:cont(?:inued|['’]d|\.)|continuation|forts(?:etzung|\.)|suite|continua(?:ci[oó]n|zione)?|続き|续)",
    re.IGNORECASE,
)
"""In a caption, that its table goes on with the one before."""


class JoinedTable(TableExports):
    """A table, put together of its parts on successive pages where it goes on; the records stay as they are.

    The boxes of cells are in points of the page of their row, see ``row_records``.
    """

    records: list[str] = Field(description="`id` of the records that it is made of, in their order.")
    row_records: list[str] = Field(description="`id` of the record that each row is from.")
    n_repeated: int = Field(default=0, ge=0, description="Rows left out because they repeat the head.")


class _Part(NamedTuple):
    """A table on a page, with what tells whether it goes on."""

    record: PlacedRecord
    content: TableContent
    is_first: bool
    """Nothing that belongs to the text stands before it on its page."""
    is_last: bool
    """Nothing stands after it."""
    is_continued: bool
    """Its caption says that it goes on with another."""
    has_own_caption: bool
    """It has a caption that does not say that."""


def join_tables(
    tables: Sequence[tuple[PlacedRecord, TableContent]],
    captions: Mapping[str, str],
    body: Sequence[tuple[int, str]],
) -> list[JoinedTable]:
    """One table of each run of tables that go on with each other, in their order.

    Args:
        tables: each as a record and as its content.
        captions: ``id`` of a table → its caption.
        body: page and ``id`` of all records that are no running heads, captions or notes, in reading order.
    """
    pages: dict[int, list[str]] = {}
    for page, name in body:
        pages.setdefault(page, []).append(name)
    runs: list[list[_Part]] = []
    for record, content in tables:
        caption, names = captions.get(record.id, ""), pages[record.page]
        is_continued = _CONTINUED.search(caption) is not None
        has_own_caption = bool(caption) and not is_continued
        is_first, is_last = names[0] == record.id, names[-1] == record.id
        part = _Part(record, content, is_first, is_last, is_continued, has_own_caption)
        if runs and _goes_on(runs[-1], part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return [_join(run) for run in runs]


def _goes_on(run: Sequence[_Part], part: _Part) -> bool:
    before = run[-1]
    if part.record.page != before.record.page + 1 or not (part.is_first and before.is_last):
        return False
    if part.has_own_caption or part.content.n_cols != before.content.n_cols or not part.content.n_cols:
        return False
    if not _same_width(before.record.bbox, part.record.bbox):
        return False
    n_head = head_rows(part.content)
    return (
        n_head == 0
        or part.is_continued
        or _n_repeated(run[0].content, part.content) > 0
        or _reads_as_data(run[0].content, part.content, n_head)
    )


def _same_width(a: BBox, b: BBox) -> bool:
    shared = interval_overlap(a[0], a[2], b[0], b[2])
    return shared >= MIN_SAME_WIDTH * max(a[2] - a[0], b[2] - b[0])


def _n_repeated(first: TableContent, part: TableContent) -> int:
    """Rows at the start of a part that repeat the head of the first, 0 where they are not all there."""
    head = [_key(row) for row in grid_of_texts(first, repeat_spans=True)[: head_rows(first)]]
    rows = [_key(row) for row in grid_of_texts(part, repeat_spans=True)[: len(head)]]
    return len(head) if head and rows == head else 0


def _key(row: Sequence[str]) -> tuple[str, ...]:
    return tuple("".join(text.casefold().split()) for text in row)


def _reads_as_data(first: TableContent, part: TableContent, n_head: int) -> bool:
    """Whether what was taken for the head of a part is rows of the table: it has numbers where that has."""
    numeric = [col for col, column in enumerate(first.columns) if column.kind not in ("text", "empty")]
    if not numeric or not head_rows(first):
        return False
    headless = describe_columns([cell for cell in part.cells if cell.row < n_head], 0, part.n_cols)
    return all(headless[col].kind not in ("text", "empty") for col in numeric)


def _join(run: Sequence[_Part]) -> JoinedTable:
    first = run[0].content
    cells: list[Cell] = list(first.cells)
    row_records = [run[0].record.id] * first.n_rows
    n_repeated = 0
    for part in run[1:]:
        skipped = _n_repeated(first, part.content)
        shift = len(row_records) - skipped
        is_data = skipped == 0 and bool(head_rows(first))
        n_head = head_rows(part.content) if is_data else 0
        for cell in part.content.cells:
            if cell.row >= skipped:
                moved = {"row": cell.row + shift, "is_header": cell.is_header and cell.row >= n_head}
                cells.append(cell.model_copy(update=moved))
        row_records += [part.record.id] * (part.content.n_rows - skipped)
        n_repeated += skipped
    whole = first if len(run) == 1 else table_content(cells, len(row_records), first.n_cols)
    return JoinedTable(
        **{name: getattr(whole, name) for name in TableContent.model_fields},
        records=[part.record.id for part in run],
        row_records=row_records,
        n_repeated=n_repeated,
    )
