"""Markdown as a CommonMark parser reads it: words, tables and links are those of the document."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from markdown_it import MarkdownIt

from docai.document import Document
from docai.exports import ExportOptions, export
from docai.exports.markdown import code_span, escaped

from . import made


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _shown(document: Document) -> html.HtmlElement:
    """What a renderer makes of the document's Markdown."""
    text = export(document, "out.md").decode()
    return html.fromstring(f"<main>{_parser().render(text)}</main>")


def _words(element: html.HtmlElement) -> str:
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return str(element.text_content())


@pytest.mark.parametrize(
    "role", ["paragraph", "title", "section-heading", "list-item", "caption", "footnote"]
)
@pytest.mark.parametrize("words", made.AWKWARD)
def test_text_of_each_role_shows_as_it_was_printed(role: str, words: str) -> None:
    # What begins an item is the item's own mark.
    if role == "list-item" and words[0] in "-*1":
        return
    document = made.document(made.text("Before."), made.text(words, role=role), made.text("After."))
    shown = _shown(document)
    before, block, after = shown
    assert [before.tag, after.tag] == ["p", "p"]
    assert " ".join(block.text_content().split()) == " ".join(words.split())
    assert not list(block.iter("a", "img", "b", "code", "del"))


def test_code_keeps_its_lines_and_whatever_is_in_it() -> None:
    words = "if a < b:\n    print(`c`)\n```\n~~~"
    (block,) = _shown(made.document(made.text(words, role="code")))
    assert block.tag == "pre"
    assert block.text_content() == words + "\n"


def test_headings_lists_and_captions_are_what_they_were() -> None:
    shown = _shown(
        made.document(
            made.text("The title", role="title"),
            made.text("First", role="section-heading", level=1),
            made.text("Deeper", role="section-heading", level=2),
            made.text("Deepest", role="section-heading", level=9),
            made.text("• one", role="list-item"),
            made.text("• two", role="list-item"),
            made.text("3. three", role="list-item"),
            made.text("4. four", role="list-item"),
            made.text("Figure 1. A caption", role="caption"),
        )
    )
    assert [element.tag for element in shown] == ["h1", "h2", "h3", "h6", "ul", "ol", "p"]
    assert [item.text_content() for item in shown.iter("li")] == ["one", "two", "three", "four"]
    assert shown.find("ol").get("start") == "3"
    assert shown[-1][0].tag == "em"


@pytest.mark.parametrize("words", made.AWKWARD)
def test_cells_of_a_plain_table_come_back(words: str) -> None:
    table = made.grid([["name", words], [words, "x"]])
    rows = _shown(made.document(table)).findall(".//tr")
    cells = [[" ".join(_words(cell).split()) for cell in row] for row in rows]
    flat = " ".join(words.split())
    assert cells == [["name", flat], [flat, "x"]]


@pytest.mark.parametrize("words", made.AWKWARD)
def test_cells_of_a_table_with_spans_come_back_as_html(words: str) -> None:
    table = made.spanned()
    table.cells[-1].text = words
    element = _shown(made.document(made.text("Before."), table, made.text("After."))).find("table")
    assert element is not None
    rows = element.findall(".//tr")
    assert [(cell.get("rowspan"), cell.get("colspan")) for cell in rows[0]] == [("2", None), (None, "2")]
    assert rows[2][1].text_content() == "1.5a"
    assert rows[2][1].find("sup").text == "a"
    assert _words(rows[3][1]) == words


def test_running_heads_and_empty_regions_are_left_out_with_a_loss() -> None:
    file = export(
        made.document(
            made.text("Chapter 1", role="page-header"), made.text("7", role="page-footer"), made.text("")
        ),
        "out.md",
    )
    assert bytes(file) == b""
    assert [loss.code for loss in file.losses] == ["unread-region", "running-heads"]


def test_molecules_and_scores_are_pictures_beside_the_file_with_their_text() -> None:
    file = export(made.document(made.molecule("CCO"), made.score()), "a report.md")
    assert list(file.files) == [
        "a report_files/001-molecule.svg",
        "a report_files/002-score.svg",
        "a report_files/002-score.krn",
    ]
    shown = html.fromstring(f"<main>{_parser().render(file.decode())}</main>")
    assert [image.get("src") for image in shown.iter("img")] == [
        "a%20report_files/001-molecule.svg",
        "a%20report_files/002-score.svg",
    ]
    assert "CCO" in [code.text for code in shown.iter("code")]
    assert file.files["a report_files/002-score.krn"].decode() == made.KERN
    assert not file.losses


def test_without_files_beside_it_the_music_is_text_and_figures_are_losses() -> None:
    document = made.document(made.score(), made.figure("Sales"))
    file = export(document, "out.md", ExportOptions(files_beside=False))
    assert not file.files
    shown = html.fromstring(f"<main>{_parser().render(file.decode())}</main>")
    assert shown.find(".//code").text == made.KERN
    assert "[Figure on page 1: Sales]" in shown.text_content()
    assert [loss.code for loss in file.losses] == ["no-files"]


def test_a_figure_is_cut_from_the_source(tmp_path: Path) -> None:
    import io

    import pymupdf
    from PIL import Image

    with pymupdf.open() as pdf:
        page = pdf.new_page(width=300, height=200)
        page.draw_rect((10, 20, 110, 70), color=None, fill=(1, 0, 0))
        data = pdf.tobytes()
    import hashlib

    document = made.document(made.figure(), sha256=hashlib.sha256(data).hexdigest())
    file = export(document, "out.md", ExportOptions(source=data))
    picture = Image.open(io.BytesIO(file.files["out_files/001-figure.png"]))
    assert picture.getpixel((picture.width // 2, picture.height // 2)) == (255, 0, 0)
    assert picture.getpixel((1, 1)) == (255, 255, 255)
    # 104 by 54 points with the margin, at 200 dpi.
    assert picture.size == (289, 150)
    assert not file.losses


@pytest.mark.parametrize(
    ("source", "code"), [(None, "no-source"), (b"%PDF-1.7 broken", "no-source"), ("other", "other-source")]
)
def test_without_the_right_source_a_figure_is_a_loss_that_says_why(
    source: str | bytes | None, code: str, tmp_path: Path
) -> None:
    if source == "other":
        from PIL import Image

        source = str(tmp_path / "other.png")
        Image.new("RGB", (20, 20)).save(source)
    file = export(made.document(made.figure("Words")), "out.md", ExportOptions(source=source))
    assert not file.files
    assert [loss.code for loss in file.losses] == [code]
    assert "Words" in file.decode()


def test_control_characters_become_replacement_characters() -> None:
    assert "a\ufffdb" in export(made.document(made.text("a\x01b")), "out.md").decode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=40))
def test_any_text_shows_as_it_was_printed(words: str) -> None:
    flat = " ".join(words.split())
    if not flat:
        return
    shown = html.fromstring(f"<main>{_parser().render(escaped(flat))}</main>")
    assert " ".join(shown.text_content().split()) == " ".join(flat.split())


@given(st.text(st.sampled_from("`a \\<"), min_size=1, max_size=12))
def test_any_code_shows_as_it_is(words: str) -> None:
    shown = html.fromstring(f"<main>{_parser().render('x ' + code_span(words) + ' x')}</main>")
    code = shown.find(".//code")
    if words.strip():
        assert code.text_content().strip() == words.strip()


@pytest.mark.parametrize("name", ["out.md", "out.html", "out.docx", "out.jsonl"])
def test_what_the_model_wrote_stands_where_it_is_no_structure(name: str) -> None:
    bad = made.molecule("C(((")
    file = export(made.document(bad), name)
    assert [(loss.code, loss.record) for loss in file.losses if loss.code != "no-source"] == [
        ("unread-region", bad.id)
    ]
    if name == "out.docx":
        import io

        import docx

        assert docx.Document(io.BytesIO(file)).paragraphs[0].text == "[Molecule on page 1: C(((]"
    else:
        assert "C(((" in file.decode().replace("\\", "")


def test_a_paragraph_and_a_table_that_go_on_are_one() -> None:
    rows = [["name", "n"], ["x", "1"]], [["name", "n"], ["y", "2"]]
    tables = [made.grid(part, page=page + 2, bbox=(0.0, 0.0, 90.0, 90.0)) for page, part in enumerate(rows)]
    shown = _shown(
        made.document(made.text("It goes on with a hy-"), made.text("phen here.", page=2), *tables)
    )
    assert [element.tag for element in shown] == ["p", "table"]
    assert shown[0].text_content() == "It goes on with a hyphen here."
    assert [row.text_content().split() for row in shown.iter("tr")] == [["name", "n"], ["x", "1"], ["y", "2"]]
