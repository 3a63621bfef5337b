"""Roles by what one page of a file says: its tags, its fonts, its outline."""

from __future__ import annotations

from collections.abc import Sequence

import pymupdf
import pytest

import docai
from docai.document import Document
from docai.limits import Limits
from docai.models.scripted import ScriptedEngine
from docai.pipelines.ingest import FontFace, PageWord
from docai.pipelines.ingest.page import Page
from docai.pipelines.ingest.pdf import PdfFile
from docai.pipelines.layout import PageLayout, Region
from docai.pipelines.structure import find_page_roles
from docai.pipelines.structure.outline import read_outline
from docai.pipelines.structure.tags import read_tags, role_of
from docai.table_formats import grid_of_texts

SIZE = 10.0

TAGGED = (
    ("H2", "Of the parts of a document"),
    ("P", "A paragraph of text that says nothing else, in one line of the page."),
    ("Heading9", "Words that the role map of the file calls a heading"),
    ("Note", "A note that stands at its end."),
    ("Code", "print(1)"),
    ("BibEntry", "Smith, J.: On tags."),
)


def tagged_pdf(elements: Sequence[tuple[str, str]] = TAGGED, rotation: int = 0) -> bytes:
    """A page with a line for each element of its structure tree."""
    with pymupdf.open() as pdf:
        page = pdf.new_page()
        page.insert_text((72, 72), "x")
        (content,) = page.get_contents()
        font = page.get_fonts()[0][4]
        lines = (
            f"/{name} <</MCID {number}>> BDC BT /{font} 10 Tf 72 {640 - 40 * number} Td ({text}) Tj ET EMC"
            for number, (name, text) in enumerate(elements)
        )
        pdf.update_stream(content, "\n".join(lines).encode())
        root, whole, parents = (pdf.get_new_xref() for _ in range(3))
        kids = [pdf.get_new_xref() for _ in elements]
        for number, (kid, (name, _)) in enumerate(zip(kids, elements, strict=True)):
            entry = f"<</Type/StructElem/S/{name}/P {whole} 0 R/Pg {page.xref} 0 R/K {number}>>"
            pdf.update_object(kid, entry)
        links = " ".join(f"{kid} 0 R" for kid in kids)
        pdf.update_object(whole, f"<</Type/StructElem/S/Document/P {root} 0 R/K [{links}]>>")
        pdf.update_object(parents, f"<</Nums [0 [{links}]]>>")
        pdf.update_object(
            root,
            f"<</Type/StructTreeRoot/K {whole} 0 R/ParentTree {parents} 0 R/RoleMap<</Heading9/H3>>>>",
        )
        pdf.xref_set_key(pdf.pdf_catalog(), "StructTreeRoot", f"{root} 0 R")
        pdf.xref_set_key(pdf.pdf_catalog(), "MarkInfo", "<</Marked true>>")
        pdf.xref_set_key(page.xref, "StructParents", "0")
        page.set_rotation(rotation)
        data: bytes = pdf.tobytes()
    return data


def first_page(data: bytes) -> Page:
    return PdfFile(data, name="made.pdf", password=None, limits=Limits()).page(1)


def read(data: bytes) -> Document:
    return docai.Pipeline(engine=ScriptedEngine({"text": ""}), witnesses="off").process(data)


@pytest.mark.parametrize("rotation", [0, 90])
def test_tags_of_a_file_tell_roles_and_levels_where_the_words_are(rotation: int) -> None:
    page = first_page(tagged_pdf(rotation=rotation))
    tags = read_tags(page)
    assert [(tag.role, tag.level) for tag in tags] == [
        ("section-heading", 2),
        ("section-heading", 3),
        ("footnote", None),
        ("code", None),
        ("reference", None),
    ]
    word = next(word for word in page.words() if word.text == "parts")
    x, y = (word.bbox[0] + word.bbox[2]) / 2, (word.bbox[1] + word.bbox[3]) / 2
    x0, y0, x1, y1 = tags[0].bbox
    assert x0 < x < x1
    assert y0 < y < y1


def test_a_file_without_tags_has_none() -> None:
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), "A line")
        assert read_tags(first_page(pdf.tobytes())) == []


def test_paragraphs_and_parts_of_words_say_nothing() -> None:
    assert [role_of(name) for name in ("P", "Span", "H1", "H12", "LI", "")] == [
        None,
        None,
        ("section-heading", 1),
        ("section-heading", 12),
        ("list-item", None),
        None,
    ]


def test_records_of_a_tagged_file_have_the_roles_of_its_tags() -> None:
    found = {text.text: (text.role, text.level) for text in read(tagged_pdf()).texts}
    assert found["Of the parts of a document"] == ("section-heading", 2)
    assert found["Words that the role map of the file calls a heading"] == ("section-heading", 3)
    assert found["Smith, J.: On tags."][0] == "reference"


def test_the_outline_is_read_with_levels_and_pages() -> None:
    with pymupdf.open() as pdf:
        pdf.new_page(), pdf.new_page()
        pdf.set_toc([[1, "One", 1], [2, "Part", 2]])
        assert read_outline(first_page(pdf.tobytes())) == [(1, "One", 1), (2, "Part", 2)]


def words(lines: Sequence[str], *, bold: int = 0, large: int = 0) -> tuple[PageWord, ...]:
    """Words of lines, the first ``bold`` of them in bold, the first ``large`` of them larger."""
    made = []
    for number, line in enumerate(lines):
        size = 14.0 if number < large else SIZE
        font = FontFace("Times", is_bold=number < bold)
        for place, text in enumerate(line.split()):
            box = (60 + 40.0 * place, 100 + 14.0 * number, 95 + 40.0 * place, 110 + 14.0 * number)
            made.append(PageWord(text, box, 0, number, size=size, font=font))
    return tuple(made)


BODY = ["This is the text of a paragraph that", "goes on for more than one line, and", "then it ends."]


def parts(*regions: Region) -> list[Region]:
    layout = PageLayout((*regions, Region("text", (0, 300, 9, 400), 1, (), words=words(BODY * 3))), "scan")
    return list(find_page_roles(first_page(tagged_pdf()), layout).regions[:-1])


def block(lines: Sequence[str], label: str = "text", *, bold: int = 0, large: int = 0) -> Region:
    made = words(lines, bold=bold, large=large)
    return Region("text", (60, 100, 400, 150), 0.9, ("x",), words=made, label=label)


@pytest.mark.parametrize("style", ["bold", "large"])
def test_a_heading_in_one_region_with_its_paragraph_is_set_apart(style: str) -> None:
    lines = ["A heading of some words", *BODY]
    head, rest = parts(block(lines, bold=style == "bold", large=style == "large"))
    assert (head.role, rest.role) == ("section-heading", "paragraph")
    assert " ".join(word.text for word in head.words) == lines[0]
    assert len(head.words) + len(rest.words) == sum(len(line.split()) for line in lines)
    assert (rest.words[0].line, {word.block for word in rest.words}) == (0, {1})
    assert head.bbox[3] <= rest.bbox[1]


def test_what_is_no_heading_stays_in_its_region() -> None:
    (one,) = parts(block(["A heading of some words", *BODY]))
    (all_bold,) = parts(block(BODY, bold=3))
    (indexes,) = parts(block(["a large line of text", "2 i", "3"], large=1))
    assert {one.role, all_bold.role, indexes.role} == {"paragraph"}
    run_in = block(["Remark. This is so because", *BODY])
    bold_word = run_in.words[0]._replace(font=FontFace("Times", is_bold=True))
    (whole,) = parts(Region("text", run_in.bbox, 1, (), words=(bold_word, *run_in.words[1:]), label="text"))
    assert len(whole.words) == len(run_in.words)


def test_classes_of_the_layout_model_become_roles() -> None:
    labels = ("title", "section-header", "list-item", "caption", "footnote", "page-footer", "formula", "text")
    assert [parts(block(BODY, label))[0].role for label in labels] == [
        "title",
        "section-heading",
        "list-item",
        "caption",
        "footnote",
        "page-footer",
        "formula",
        "paragraph",
    ]


def test_texts_of_a_pdf_know_their_font_and_those_of_a_picture_do_not() -> None:
    data = tagged_pdf((("P", "A paragraph of words in Helvetica."),))
    (text,) = read(data).texts
    assert text.font is not None
    assert (text.font.name, text.font.size, text.font.is_bold) == ("Helvetica", 10.0, False)
    with pymupdf.open(stream=data, filetype="pdf") as pdf:
        picture = pdf[0].get_pixmap(dpi=150).tobytes("png")
    assert [text.font for text in read(picture).texts] == [None]


def test_a_fault_of_the_rules_costs_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a broken tree")

    monkeypatch.setattr("docai.pipelines.page_reading.find_page_roles", fail)
    document = read(tagged_pdf())
    assert [issue.code for issue in document.issues] == ["structure-failed"]
    assert len(document.texts) >= 1


def draw_rows(page: pymupdf.Page, top: float, rows: Sequence[Sequence[str]], *, head: bool) -> None:
    """A ruled table from a height on, its first row in bold where it is the head."""
    for number, row in enumerate(rows):
        y = top + 20 * number
        for col, text in enumerate(row):
            x = 72 + 150 * col
            page.draw_rect((x, y, x + 150, y + 20))
            font = "hebo" if head and number == 0 else "helv"
            page.insert_text((x + 5, y + 14), text, fontname=font, fontsize=10)


@pytest.mark.parametrize("head_again", [True, False])
def test_a_table_drawn_over_two_pages_is_read_as_one(head_again: bool) -> None:
    head = ["Town", "People", "Area"]
    towns = [[f"Town {number}", str(1000 + 37 * number), f"{number}.5"] for number in range(1, 21)]
    with pymupdf.open() as pdf:
        for number, rows in enumerate((towns[:12], towns[12:])):
            page = pdf.new_page()
            page.insert_text((72, 30), "Towns and what they are", fontsize=9)
            page.insert_text((300, 820), str(number + 1), fontsize=9)
            has_head = number == 0 or head_again
            draw_rows(page, 520 if number == 0 else 60, [head, *rows] if has_head else rows, head=has_head)
            if number == 0:
                page.insert_textbox((72, 80, 520, 480), " ".join(BODY * 8), fontsize=11)
        document = read(pdf.tobytes())
    assert len(document.tables) == 2
    (joined,) = document.joined_tables()
    assert (joined.n_rows, joined.n_repeated) == (21, int(head_again))
    assert [row[0] for row in grid_of_texts(joined)] == ["Town", *(town[0] for town in towns)]
    assert {text.role for text in document.texts if text.text in ("1", "2")} == {"page-footer"}
    assert {text.role for text in document.texts if text.text.startswith("Towns")} == {"page-header"}
