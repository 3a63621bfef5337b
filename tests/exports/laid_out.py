"""A document whose words, lines and cells have boxes, for the formats that place what they hold."""

from __future__ import annotations

from typing import Any, Final

from docai.contents import Cell, Line, Word, box_of_words
from docai.document import Document, PageInfo, SourceInfo
from docai.parsers.table_grid import table_content
from docai.records import Confidence, RecordBase, Table, Text

from . import made

LETTER: Final = 6.0
"""Width of a letter, points."""


def line(text: str, x: float, y: float, *, spaced: bool = True, rtl: bool = False) -> Line:
    """A line whose words are 10 points high and begin at ``x``; of Japanese without spaces."""
    words = []
    for number, one in enumerate(text.split(" ")):
        box = (x, y, x + LETTER * len(one), y + 10)
        words.append(Word(text=one, bbox=box, confidence=0.9 - 0.1 * number))
        x = box[2] + (LETTER if spaced else 0)
    if rtl:
        places = [word.bbox for word in reversed(words)]
        words = [word.model_copy(update={"bbox": box}) for word, box in zip(words, places, strict=True)]
    whole = text if spaced else text.replace(" ", "")
    return Line(text=whole, bbox=box_of_words(words), words=words, direction="rtl" if rtl else "ltr")


def block(*lines: Line, role: str = "paragraph", **values: Any) -> Text:
    box = box_of_words([word for one in lines for word in one.words])
    fields = made.about(**{"bbox": box, "confidence": Confidence(value=0.8, method="made")} | values)
    return Text(**fields, role=role, text="\n".join(one.text for one in lines), lines=list(lines))


def table() -> Table:
    """A cell over two columns, a cell without a box, an empty one."""
    cells = [
        Cell(row=0, col=0, col_span=2, text="Mass & Co.", is_header=True, bbox=(20, 100, 120, 112)),
        Cell(row=1, col=0, text="first\nsecond", bbox=(20, 112, 60, 136), confidence=0.5),
        Cell(row=1, col=1, text="7", marks=["a"]),
        Cell(row=2, col=0, text="", bbox=(20, 136, 60, 148)),
        Cell(row=2, col=1, text="<b>", bbox=(60, 136, 120, 148)),
    ]
    about = made.about(id="table-1", bbox=(20.0, 100.0, 120.0, 148.0))
    return Table(**about, **dict(table_content(cells, 3, 2)))


def document() -> Document:
    """A page with everything, one with little, one that could not be read."""
    skewed = [(150.0, 100.0), (250.0, 102.0), (249.0, 140.0), (149.0, 138.0)]
    records: list[RecordBase] = [
        block(line("Running head", 20, 5), role="page-header", id="head"),
        block(line("A title", 20, 20), role="title", id="title"),
        block(line("1 Section", 20, 35), role="section-heading", level=2, id="section"),
        block(line("two words,", 20, 50), line('more "of" <them> \x07', 20, 62), id="body"),
        block(line("東京 都庁 です", 20, 75, spaced=False), id="japanese"),
        block(line("שלום עולם", 150, 75, rtl=True), role="list-item", id="hebrew"),
        block(line("Table 1", 20, 88), role="caption", belongs_to="table-1", id="caption"),
        table(),
        made.molecule("CCO", id="molecule", bbox=(150.0, 100.0, 250.0, 140.0), polygon=skewed),
        made.score(id="score", bbox=(20.0, 150.0, 120.0, 170.0)),
        made.figure("in the\nfigure", id="figure", bbox=(150.0, 150.0, 250.0, 190.0)),
        block(line("E = mc²", 20, 175), role="formula", id="formula"),
        block(line("7", 20, 190), role="page-footer", page=2, id="number"),
    ]
    pages = [PageInfo(number=number, width=300, height=200, origin="scan") for number in (1, 2)]
    return Document(
        source=SourceInfo(name="laid out.pdf", type="pdf", n_bytes=1, sha256="ab" * 32, n_pages=3),
        pages=[*pages, PageInfo(number=3, width=0, height=0, origin="failed")],
        records=records,
    )
