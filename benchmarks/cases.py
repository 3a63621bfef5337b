"""Reads small awkward pages and tells for each whether docai gets it right.

    python benchmarks/cases.py [NAME ...] [--folder FOLDER]

Each page stands for a kind that was read wrongly once, such as a watermark over two columns, or digits that a
footnote mark was joined to. What is right is written here, in a function for each file of ``cases/`` in the
folder of the real documents (``DOCAI_REAL_DATA``). No model is run: what is asked for is what the page itself
gives. Prints a line for each page: ``ok``, or what is wrong. The exit code is 1 where any is wrong.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from common import need_folder, real_data, script_parser

import docai
from docai.document import Document
from docai.geometry import share_inside
from docai.limits import Limits
from docai.records import Figure, RecordBase, Table, Text

HEADS: Final = ("table", "molecule", "score", "text")

MAX_SECONDS: Final = 60.0
"""For one page; the page that loops is given up after ten of them."""

Check = Callable[[Document], Iterator[str]]

CASES: Final[dict[str, Check]] = {}


def case(name: str) -> Callable[[Check], Check]:
    """Register what is right for a file."""

    def register(check: Check) -> Check:
        CASES[name] = check
        return check

    return register


def kinds(document: Document) -> dict[str, int]:
    """Kind → number of its records."""
    return dict(Counter(str(getattr(record, "kind", "")) for record in document.records))


def words_of(record: RecordBase) -> str:
    """The text of a record on one line."""
    return " ".join((record.text if isinstance(record, Text) else record.native_text or "").split())


def rows(table: Table) -> list[list[str]]:
    """The texts of a table's cells by row; a cell that spans stands at its first position."""
    grid = [[""] * table.n_cols for _ in range(table.n_rows)]
    for cell in table.cells:
        grid[cell.row][cell.col] = cell.text
    return grid


def differs(what: str, found: object, right: object) -> Iterator[str]:
    """A sentence where a value is not the right one."""
    if found != right:
        yield f"{what} is {found!r}, not {right!r}"


def in_order(document: Document, *starts: str) -> Iterator[str]:
    """A sentence where no texts begin as given, or in another order."""
    texts = [words_of(record) for record in document.records]
    places = []
    for start in starts:
        place = next((i for i, text in enumerate(texts) if text.startswith(start)), None)
        if place is None:
            yield f"no record begins with {start!r}"
        else:
            places.append(place)
    if places != sorted(places):
        yield f"the records that begin with {list(starts)} stand at {places}"


SECTIONS: Final = [f"{n}. Section" for n in range(1, 7)]


def picture_of_a_paper(document: Document) -> Iterator[str]:
    """Running head, page number, title, authors, six headings with their paragraphs, a rest, a note."""
    yield from differs("the kinds", kinds(document), {"text": 18})
    page = document.pages[0]
    wide = [r for r in document.records if (r.bbox[2] - r.bbox[0]) / page.width > 0.39]
    if len(wide) < 6:
        yield f"{len(wide)} paragraphs of a column's width, not 6"
    if page.seconds > 15:
        yield f"it took {page.seconds:.0f} s"
    left = [i for i, r in enumerate(document.records) if r.bbox[2] < page.width / 2]
    paragraphs = [i for i in left if 0.2 < document.records[i].bbox[1] / page.height < 0.85]
    right = [
        i
        for i, r in enumerate(document.records)
        if r.bbox[0] > page.width / 2 and r.bbox[1] / page.height > 0.2
    ]
    if paragraphs and right and max(paragraphs) > min(right):
        yield "the right column begins before the left one ends"


for _name in ("page-picture-300dpi.png", "page-picture-no-dpi.png", "page-picture-points-as-pixels.pdf"):
    CASES[_name] = picture_of_a_paper


@case("watermark-diagonal.pdf")
def watermark(document: Document) -> Iterator[str]:
    marks = [r for r in document.records if "CONFIDENTIAL" in words_of(r)]
    yield from differs("the watermark", [words_of(r) for r in marks], ["CONFIDENTIAL"])
    if marks:
        if not any("watermark" in issue.code for issue in marks[0].issues):
            yield "the watermark is not marked as one"
        if document.records[-1] is not marks[0]:
            yield "the watermark is not sorted last"
    yield from in_order(document, "Journal of", "On lanterns", "A. Author", *SECTIONS[:4])
    yield from in_order(document, *SECTIONS)


@case("two-columns-centred-authors.pdf")
def centered_authors(document: Document) -> Iterator[str]:
    yield from in_order(
        document, "Journal of", "On lanterns", "A. Author", *SECTIONS[:4], "juniper willow", *SECTIONS[4:]
    )


@case("footnote-marks-on-numbers.pdf")
def footnote_marks(document: Document) -> Iterator[str]:
    if len(document.tables) != 1:
        yield f"{len(document.tables)} tables, not 1"
        return
    table = document.tables[0]
    right = [
        ["State", "Market loans", "Other"],
        ["Kerala", "24.91", "4.11"],
        ["Punjab", "10.93", "7.23"],
        ["Goa", "1,204", "0.38"],
        ["Assam", "10.02", "0.26"],
    ]
    yield from differs("the table", rows(table), right)
    marks = {(c.row, c.col): c.marks for c in table.cells if getattr(c, "marks", None)}
    yield from differs("the marks", marks, {(1, 1): ["2"], (3, 1): ["1"], (4, 2): ["a"]})
    values = table.to_dataframe()
    yield from differs("the values of the last column", list(values.iloc[:, 2]), [4.11, 7.23, 0.38, 0.26])


@case("structure-tree-cycle.pdf.bin")
def structure_tree_cycle(document: Document) -> Iterator[str]:
    if not document.records and not document.issues:
        yield "nothing is read and no issue says so"


@case("margin-stamp.pdf")
def margin_stamp(document: Document) -> Iterator[str]:
    stamps = [words_of(r) for r in document.records if "Preprint" in words_of(r)]
    yield from differs("the stamp", stamps, ["Preprint:2405.01234v2 [cs.XX] 7 May 2024"])
    yield from in_order(document, "Walnut juniper", "Preprint")


@case("cipher-font.pdf")
def cipher_font(document: Document) -> Iterator[str]:
    for record in document.records:
        confidence = record.confidence.value
        is_plain = "company" in words_of(record).lower() or "founded" in words_of(record)
        if not is_plain and not record.issues and (confidence is None or confidence > 0.5):
            yield f"{words_of(record)[:30]!r} is believed with {confidence}"


@case("two-tables-one-path.pdf")
def two_tables(document: Document) -> Iterator[str]:
    sizes = [(table.n_rows, table.n_cols) for table in document.tables]
    yield from differs("the tables", sizes, [(15, 6), (3, 6)])
    yield from in_order(document, "Table 1. Use", "Place", "Table 2 shows", "Table 2. Use", "Class")
    for text in document.texts:
        if words_of(text).startswith("Table 2 shows") and "rest on the assumption" not in words_of(text):
            yield "the paragraph has lost words"


@case("dense-ruled-table-as-score.pdf")
def dense_table(document: Document) -> Iterator[str]:
    yield from differs("the kinds", kinds(document), {"table": 1})
    if document.tables:
        table = document.tables[0]
        yield from differs("its size", (table.n_rows, table.n_cols), (52, 8))


@case("scan-with-text-layer-turned.pdf")
def scan_with_layer(document: Document) -> Iterator[str]:
    text = " ".join(words_of(record) for record in document.records)
    if "Ginkgo (YEL)" not in text:
        yield "its lines are not read from left to right"
    tall = [r for r in document.records if (r.bbox[3] - r.bbox[1]) > 4 * (r.bbox[2] - r.bbox[0])]
    if tall:
        yield f"{len(tall)} records stand upright, as if the page were turned"


@case("tall-font-lists.pdf")
def tall_font(document: Document) -> Iterator[str]:
    text = " ".join(words_of(record) for record in document.records)
    right = [
        "6.4.3", "EXAMPLE 1", "the house lying", "EXAMPLE 2", "the tank behind", "the power of", "6.4.4 ",
        "6.4.4.1", "NOTE",
    ]  # fmt: skip
    places = [text.find(start) for start in right]
    if -1 in places or places != sorted(places):
        yield f"the paragraphs {right} stand at {places}"


@case("type3-without-unicode.pdf")
def type3(document: Document) -> Iterator[str]:
    if document.pages[0].origin == "blank":
        yield "the page is called blank"
    if not document.records:
        yield "nothing is found on it"


@case("white-rules-on-shade.pdf")
def white_rules(document: Document) -> Iterator[str]:
    if len(document.tables) != 1:
        yield f"{len(document.tables)} tables, not 1"
        return
    table = document.tables[0]
    yield from differs("its size", (table.n_rows, table.n_cols), (6, 6))
    spans = {(c.row, c.col): c.row_span for c in table.cells if c.row_span > 1}
    yield from differs("its row spans", spans, {(1, 2): 2, (1, 3): 2, (1, 4): 2, (1, 5): 2})


@case("headed-but-empty-columns.pdf")
def empty_columns(document: Document) -> Iterator[str]:
    if len(document.tables) != 1:
        yield f"{len(document.tables)} tables, not 1"
        return
    table = document.tables[0]
    yield from differs("its size", (table.n_rows, table.n_cols), (8, 5))
    heads = {c.text: (c.col, c.col_span) for c in table.cells if c.text.startswith("Survey")}
    yield from differs("its heads", heads, {"Survey 4 (2012-13)": (1, 2), "Survey 3 (2007-08)": (3, 2)})
    values = [row[1:] for row in rows(table)[2:3]]
    yield from differs("its first values", values, [["1.9", "2.1", "", ""]])


@case("molecules-with-text-labels.pdf")
def labeled_molecules(document: Document) -> Iterator[str]:
    yield from differs("the kinds", kinds(document), {"text": 7, "molecule": 5})
    texts = [words_of(text) for text in document.texts]
    for number, name in enumerate(("aspirin", "caffeine", "ibuprofen", "penicillin", "cholesterol"), 1):
        if f"{number}, {name}" not in texts:
            yield f"the caption of {name} is no text of its own"


@case("reaction-scheme.pdf")
def reaction_scheme(document: Document) -> Iterator[str]:
    yield from differs("the molecules", len(document.molecules), 2)
    conditions = " ".join(words_of(r) for r in document.records if not isinstance(r, Figure))
    for condition in ("Ac2O, H2SO4", "80 °C, 2 h"):
        if condition not in conditions:
            yield f"the condition {condition!r} is not told"
    for molecule in document.molecules:
        if any(share_inside(text.bbox, molecule.bbox) > 0.5 for text in document.texts):
            yield "a text lies in a molecule"
    if not any("arrow" in sentence for r in document.records for sentence in r.region_evidence):
        yield "no record tells of the arrow"


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("names", nargs="*", help="files to read; default: all")
    parser.add_argument("--folder", type=Path, help="where they are")
    arguments = parser.parse_args()
    folder = arguments.folder or need_folder(real_data()) / "cases"
    unknown = sorted(set(arguments.names) - set(CASES))
    if unknown:
        parser.error(f"not a case: {', '.join(unknown)}; the cases are: {', '.join(CASES)}")
    need_folder(folder)
    pipeline = docai.Pipeline(
        engine=docai.ScriptedEngine({head: lambda request: "" for head in HEADS}),
        limits=Limits(max_seconds_per_page=MAX_SECONDS / 6),
    )
    n_wrong = 0
    for name in arguments.names or sorted(CASES):
        start = time.perf_counter()
        try:
            faults = list(CASES[name](pipeline.process(folder / name)))
        except docai.DocaiError as error:
            faults = [f"it is not read: {error}"]
        seconds = time.perf_counter() - start
        if seconds > MAX_SECONDS:
            faults.append(f"it took {seconds:.0f} s")
        n_wrong += bool(faults)
        print(f"{name:40} {'ok' if not faults else '; '.join(faults)}", flush=True)
    n_cases = len(arguments.names or CASES)
    print(f"{n_cases - n_wrong} of {n_cases} right")
    raise SystemExit(n_wrong > 0)


if __name__ == "__main__":
    main()
