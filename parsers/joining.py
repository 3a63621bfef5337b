"""Joining the contents of the tiles that one tall region was read in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from docai.parsers.base import Parsed
from docai.parsers.grid import fill_grid, table_content
from docai.parsers.notes import Notes
from docai.parsers.score import parse_score
from docai.records import Cell, Content, Issue, ScoreContent, TableContent, TextContent

C = TypeVar("C", TextContent, TableContent, ScoreContent)

# What an interpretation is about, where a later one of the same kind takes its place.
_TOPIC = re.compile(r"\*(clef|k\[|MM|met\(|M(?=\d)|staff|part|I[\"'CG:]?|(?=[A-Ga-g][#-]?:))")


def join_contents(parts: Sequence[Parsed[Content]]) -> Parsed[Content]:
    """Join in order: text by lines, tables by rows, scores by systems. All parts are of one kind.

    The parts' issues say which tile they are about; what the join itself finds comes after them.

    Raises:
        TypeError: the kind is not one that is read in tiles, or the parts are of several.
    """
    issues = [
        issue.model_copy(update={"message": f"Tile {number} of {len(parts)}: {issue.message}"})
        for number, part in enumerate(parts, start=1)
        for issue in part.issues
    ]
    repaired = any(part.repaired for part in parts)
    contents = [part.content for part in parts]
    if texts := _all_of(TextContent, contents):
        return Parsed(_join_texts(texts), tuple(issues), repaired)
    if tables := _all_of(TableContent, contents):
        notes = Notes()
        table = _join_tables(tables, notes)
        return Parsed(table, (*issues, *notes.issues()), repaired or notes.repaired)
    if scores := _all_of(ScoreContent, contents):
        joined = parse_score(join_kern([score.kern for score in scores]))
        content = _with_confidence(joined.content, scores)
        return Parsed(content, (*issues, *_new(joined.issues, issues)), True)
    raise TypeError(f"{' and '.join({type(one).__name__ for one in contents})} are not read in tiles.")


def _with_confidence(joined: ScoreContent, parts: Sequence[ScoreContent]) -> ScoreContent:
    """How sure each measure is, by the systems; nothing where the join has parted or merged measures."""
    measures = [measure for part in parts for measure in part.measures]
    if len(measures) != len(joined.measures):
        return joined
    sure = [
        measure.model_copy(update={"confidence": own.confidence})
        for measure, own in zip(joined.measures, measures, strict=True)
    ]
    return joined.model_copy(update={"measures": sure})


def _all_of(kind: type[C], contents: Sequence[Content]) -> list[C]:
    """The contents where all are of that kind, else none."""
    found = [content for content in contents if isinstance(content, kind)]
    return found if len(found) == len(contents) else []


def _new(issues: Sequence[Issue], known: Sequence[Issue]) -> list[Issue]:
    """Issues whose codes no tile had: the others would be told twice."""
    codes = {issue.code for issue in known}
    return [issue for issue in issues if issue.code not in codes]


def _join_texts(parts: Sequence[TextContent]) -> TextContent:
    lines = [line for part in parts for line in part.lines]
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def _join_tables(parts: Sequence[TableContent], notes: Notes) -> TableContent:
    """Row bands, one below the other. Rows that a later band calls its head are rows of the body."""
    widths = sorted({part.n_cols for part in parts if part.n_rows})
    if len(widths) > 1:
        notes.add(
            "table-tiles-differ",
            f"The row bands of the table were read with {widths} columns; empty cells fill the narrower.",
        )
    cells: list[Cell] = []
    n_rows, n_cols = 0, max(widths, default=0)
    for part in parts:
        n_head = _head_rows(part) if n_rows else 0
        if n_head:
            notes.add(
                "table-tiles-headed", f"Row {n_rows + 1} was read as a head in the middle of the table."
            )
        for cell in part.cells:
            update: dict[str, object] = {"row": cell.row + n_rows}
            if cell.row < n_head:
                update["is_header"] = False
            cells.append(cell.model_copy(update=update))
        n_rows += part.n_rows
    return table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)


def _head_rows(part: TableContent) -> int:
    """Leading rows in which only header cells begin; a table that is all header has none."""
    body = [cell.row for cell in part.cells if not cell.is_header]
    return min(body, default=0)


def join_kern(parts: Sequence[str]) -> str:
    """One kern text from those of successive systems with the same spines.

    Every system opens with its exclusive interpretations, clefs, key and so on. Those of the later ones
    are dropped where they say what is in force already; the terminators stay at the end alone.
    """
    joined: list[str] = []
    in_force: dict[tuple[int, str], str] = {}
    terminator: str | None = None
    for index, part in enumerate(part for part in parts if part.strip()):
        opening = True
        for line in part.rstrip("\n").split("\n"):
            fields = line.split("\t")
            if set(fields) == {"*-"}:
                terminator = line
                continue
            opening = opening and line.startswith(("*", "!"))
            if index and opening and (line.startswith("**") or _says_nothing_new(fields, in_force)):
                continue
            for column, field in enumerate(fields):
                if topic := _TOPIC.match(field):
                    in_force[column, topic[0]] = field
            joined.append(line)
    if terminator is not None:
        joined.append(terminator)
    return "\n".join(joined) + "\n" if joined else ""


def _says_nothing_new(fields: Sequence[str], in_force: dict[tuple[int, str], str]) -> bool:
    for column, field in enumerate(fields):
        topic = _TOPIC.match(field)
        if field != "*" and (topic is None or in_force.get((column, topic[0])) != field):
            return False
    return True
