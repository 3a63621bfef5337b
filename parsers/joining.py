"""Joining the contents of the tiles that one tall region was read in."""

from __future__ import annotations

from collections.abc import Sequence

from docai.parsers.base import Parsed, parser_issue
from docai.parsers.grid import canonical_html
from docai.parsers.score import parse_score
from docai.records import Content, Issue, ScoreContent, TableContent, TextContent


def join_contents(parts: Sequence[Parsed[Content]]) -> Parsed[Content]:
    """Join in order: text by lines, tables by rows, scores by measures. All parts are of one kind.

    Raises:
        TypeError: the kind is not one that is read in tiles.
    """
    issues = [issue for part in parts for issue in part.issues]
    repaired = any(part.repaired for part in parts)
    contents = [part.content for part in parts]
    first = contents[0]
    if isinstance(first, TextContent):
        texts = [content for content in contents if isinstance(content, TextContent)]
        return Parsed(_join_texts(texts), tuple(issues), repaired)
    if isinstance(first, TableContent):
        tables = [content for content in contents if isinstance(content, TableContent)]
        table, more = _join_tables(tables)
        return Parsed(table, (*issues, *more), repaired or bool(more))
    if isinstance(first, ScoreContent):
        joined = parse_score(
            join_kern([content.kern for content in contents if isinstance(content, ScoreContent)])
        )
        return Parsed(joined.content, (*issues, *joined.issues), True)
    raise TypeError(f"{type(first).__name__} is not read in tiles.")


def _join_texts(parts: Sequence[TextContent]) -> TextContent:
    lines = [line for part in parts for line in part.lines]
    return TextContent(text="\n".join(line.text for line in lines), lines=lines)


def _join_tables(parts: Sequence[TableContent]) -> tuple[TableContent, list[Issue]]:
    issues = []
    n_cols = max(part.n_cols for part in parts)
    widths = {part.n_cols for part in parts if part.n_rows}
    if len(widths) > 1:
        issues.append(
            parser_issue(
                "table-tiles-differ",
                "warning",
                f"The row bands of the table were read with {sorted(widths)} columns; the narrower are padded.",
            )
        )
    cells, n_rows = [], 0
    for index, part in enumerate(parts):
        for cell in part.cells:
            update: dict[str, object] = {"row": cell.row + n_rows}
            if index and n_rows:
                update["is_header"] = False
            if cell.col + cell.col_span == part.n_cols:
                update["col_span"] = n_cols - cell.col
            cells.append(cell.model_copy(update=update))
        n_rows += part.n_rows
    return TableContent(
        html=canonical_html(cells, n_rows, n_cols), n_rows=n_rows, n_cols=n_cols, cells=cells
    ), issues


def join_kern(parts: Sequence[str]) -> str:
    """One kern text from those of successive systems with the same spines.

    The opening interpretations of the later ones (``**kern``, clef, key, meter, staff) repeat what is in
    force and are dropped where they say the same; the terminators stay at the end alone.
    """
    joined: list[str] = []
    in_force: set[str] = set()
    terminator: str | None = None
    for index, part in enumerate(part for part in parts if part.strip()):
        opening = True
        for line in part.rstrip("\n").split("\n"):
            if set(line.split("\t")) == {"*-"}:
                terminator = line
                continue
            is_interpretation = line.startswith("*")
            opening = opening and (is_interpretation or line.startswith("!"))
            if index and opening and (line.startswith("**") or line in in_force):
                continue
            if is_interpretation:
                in_force.add(line)
            joined.append(line)
    if terminator is not None:
        joined.append(terminator)
    return "\n".join(joined) + "\n" if joined else ""
