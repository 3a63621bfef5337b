"""Documents made for tests of exports: awkward texts, tables with spans, music, molecules."""

from __future__ import annotations

from typing import Any, Final

from docai.contents import Cell, TableContent
from docai.document import Document, PageInfo, SourceInfo
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table_grid import table_content
from docai.records import Confidence, Figure, Molecule, RecordBase, Score, Table, Text

AWKWARD: Final = (
    "a|b",
    "<b>bold</b> </td></table>",
    "<!-- no comment -->",
    "=1+1",
    '=HYPERLINK("http://a.example","x")',
    "+49 30 1234",
    "-cmd",
    "@SUM(A1)",
    "tab\there",
    "first\nsecond",
    "&amp; &lt; &#65; &copy",
    "# no heading",
    "1. no item",
    "12) no item",
    "- no item",
    "* no item",
    "> no quote",
    "```",
    "~~~",
    "===",
    "---",
    "*a* _b_ `c` ~~d~~ **e**",
    "[a](http://b.example) ![c](d)",
    "<http://a.example>",
    "https://a.example/x_y",
    "www.a.example",
    "me@a.example",
    "$x^2$",
    "\\",
    "\\*",
    "back\\slash",
    "\"quotes\" 'single'",
    "_x0041_",
    "ünïcödé 漢字 עברית 🙂",
    "007",
)
"""Texts that some format takes for something else."""

KERN: Final = (
    "**kern\t**kern\n*clefF4\t*clefG2\n*k[]\t*k[]\n*M4/4\t*M4/4\n=1\t=1\n1C\t4c\n.\t4e\n.\t4g\n.\t4e\n"
    "=2\t=2\n2F\t2a\n2G\t4g\n.\t4f\n==\t==\n*-\t*-\n"
)

_N = 0


def about(**values: Any) -> dict[str, Any]:
    """The fields of any record, with an id of its own."""
    global _N
    _N += 1
    return {"id": f"r{_N}", "page": 1, "bbox": (10.0, 20.0, 110.0, 70.0)} | values


def document(*records: RecordBase, name: str = "made.pdf", sha256: str = "ab" * 32) -> Document:
    n_pages = max((record.page for record in records), default=1)
    return Document(
        source=SourceInfo(name=name, type="pdf", n_bytes=1, sha256=sha256, n_pages=n_pages),
        pages=[
            PageInfo(number=number, width=300, height=200, origin="born-digital")
            for number in range(1, n_pages + 1)
        ],
        records=list(records),
    )


def text(words: str, role: str = "paragraph", **values: Any) -> Text:
    return Text.model_validate(
        about(text=words, lines=[{"text": line} for line in words.split("\n")], role=role, **values)
    )


def grid(rows: list[list[str]], *, header_rows: int = 1, **values: Any) -> Table:
    """A table without spans."""
    cells = [
        Cell(row=row, col=col, text=words, is_header=row < header_rows)
        for row, line in enumerate(rows)
        for col, words in enumerate(line)
    ]
    return table_of(table_content(cells, len(rows), len(rows[0])), **values)


def table_of(content: TableContent, **values: Any) -> Table:
    return Table(**about(**values), **dict(content))


def spanned() -> Table:
    """Two header rows, a group over two columns, a cell over two rows, a footnote mark."""
    cells = [
        Cell(row=0, col=0, row_span=2, text="Group", is_header=True),
        Cell(row=0, col=1, col_span=2, text="Mass", is_header=True),
        Cell(row=1, col=1, text="before", is_header=True),
        Cell(row=1, col=2, text="after", is_header=True),
        Cell(row=2, col=0, row_span=2, text="A|B"),
        Cell(row=2, col=1, text="1.5", marks=["a"]),
        Cell(row=2, col=2, text="2.25"),
        Cell(row=3, col=1, text="3.0"),
        Cell(row=3, col=2, text="4.00"),
    ]
    return table_of(table_content(cells, 4, 3))


def molecule(smiles: str, **values: Any) -> Molecule:
    content = parse_molecule(smiles).content
    return Molecule(
        **about(raw=smiles, confidence=Confidence(value=0.75, method="made"), **values), **dict(content)
    )


def score(kern: str = KERN, **values: Any) -> Score:
    return Score(**about(**values), **dict(parse_score(kern).content))


def figure(words: str = "", **values: Any) -> Figure:
    return Figure(**about(**values), text=words)
