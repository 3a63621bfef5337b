"""Views of a document: paragraphs, outline, tables that go on."""

from __future__ import annotations

import pytest

from docai.document import Document
from docai.structure import join_lines

from .blocks import document, figure, prose, table, text
from .documents import full_document


def texts_of(whole: Document) -> list[str]:
    return [part.text for part in whole.paragraphs()]


def test_every_text_is_in_exactly_one_paragraph_and_no_record_changes() -> None:
    whole = full_document()
    before = whole.to_json()
    ids = [record for part in whole.paragraphs() for record in part.records]
    assert sorted(ids) == sorted(record.id for record in whole.texts)
    whole.joined_tables()
    assert whole.to_json() == before


def test_a_paragraph_goes_on_over_a_page_with_running_heads_and_notes_between() -> None:
    whole = document(
        text("It is known that the\nparts of a para-", 700, name="a"),
        text("¹ A note.", 740, role="footnote", name="n", size=8),
        text("3", 780, role="page-footer", name="f"),
        text("Head of the Page", 20, page=2, role="page-header", name="h"),
        text("graph belong together.", 60, page=2, name="b"),
    )
    joined, *others = whole.paragraphs()
    assert joined.text == "It is known that the parts of a paragraph belong together."
    assert joined.printed == "It is known that the\nparts of a para-\ngraph belong together."
    assert (joined.records, joined.pages, joined.role) == (["a", "b"], [1, 2], "paragraph")
    assert [part.role for part in others] == ["footnote", "page-footer", "page-header"]


@pytest.mark.parametrize(
    ("end", "start"),
    [
        ("It ends here.", "and a new one begins oddly."),
        ("It ends with a line that is\nshort", "Then a new one begins with a capital."),
        ("It goes on to a list\nwhose items are", "• the first"),
    ],
)
def test_what_has_ended_does_not_go_on(end: str, start: str) -> None:
    assert len(document(text(end, 700), text(start, 60, page=2)).paragraphs()) == 2


def test_a_full_line_goes_on_in_the_next_column_with_a_capital() -> None:
    full = "Where a column is full the text may go on with\na word of the very same paragraph, such as in"
    left = text(full, 700)
    right = text("Berlin, in the next one, however long it is, and\nends there.", 60, left=320)
    assert len(document(left, right).paragraphs()) == 1
    indented = text("Berlin is another paragraph that is indented in\nthe next column.", 60, left=320)
    first, _ = indented.lines
    assert first.bbox is not None
    first.bbox = (first.bbox[0] + 15, *first.bbox[1:])
    assert len(document(left, indented).paragraphs()) == 2


def test_a_heading_or_a_formula_ends_a_paragraph() -> None:
    for role in ("section-heading", "formula"):
        middle = text("x", 100, role=role)  # type: ignore[arg-type]
        assert len(document(text("it goes on", 60), middle, text("and on", 140)).paragraphs()) == 3


@pytest.mark.parametrize(
    ("lines", "words", "joined"),
    [
        (["an inter-", "active page"], [], "an interactive page"),
        (["a state-of-", "the-art page"], [], "a state-of-the-art page"),
        (["an X-", "ray"], [], "an X-ray"),
        (["the year 1990-", "2000"], [], "the year 1990-2000"),
        (["a re-", "form"], ["re-form"], "a re-form"),
        (["a re-", "form"], ["reform", "re-form"], "a reform"),
        (["self-", "made"], [], "self-made"),
        (["soft\N{SOFT HYPHEN}", "ware"], [], "software"),
        (["one –", "two"], [], "one – two"),
        (["文書を", "読む"], [], "文書を読む"),
        (["Hans-", "Peter"], [], "Hans-Peter"),
    ],
)
def test_lines_are_joined_as_they_were_written(lines: list[str], words: list[str], joined: str) -> None:
    assert join_lines(lines, frozenset(words)) == joined


def test_a_hyphen_stays_where_the_document_has_the_word_with_it() -> None:
    whole = document(text("there is a co-\noperative", 60), text("This co-operative is\nin the middle.", 100))
    assert texts_of(whole)[0] == "there is a co-operative"


def test_paragraphs_know_the_headings_they_stand_under() -> None:
    whole = document(
        text("On Things", 20, role="title"),
        text("1 One", 60, role="section-heading", level=1),
        text("1.1 Part", 80, role="section-heading", level=2),
        prose(100),
        text("2 Two", 160, role="section-heading", level=1),
        prose(180),
    )
    assert [part.headings for part in whole.paragraphs() if part.role == "paragraph"] == [
        ["1 One", "1.1 Part"],
        ["2 Two"],
    ]
    assert [(part.text, part.level) for part in whole.outline()] == [
        ("On Things", None),
        ("1 One", 1),
        ("1.1 Part", 2),
        ("2 Two", 1),
    ]


HEAD = ["Town", "People"]


def test_a_table_that_goes_on_is_one_and_its_head_is_written_once() -> None:
    whole = document(
        prose(60),
        table([HEAD, ["Bern", "10"], ["Basel", "20"]], 700, name="t1"),
        text("4", 780, role="page-footer"),
        table([HEAD, ["Biel", "30"]], 60, page=2, name="t2"),
        prose(200, page=2),
    )
    (joined,) = whole.joined_tables()
    assert joined.to_csv() == "Town,People\r\nBern,10\r\nBasel,20\r\nBiel,30\r\n"
    assert (joined.records, joined.n_repeated) == (["t1", "t2"], 1)
    assert joined.row_records == ["t1", "t1", "t1", "t2"]
    assert joined.html.count("<tr>") == 4
    assert [column.kind for column in joined.columns] == ["text", "integer"]
    assert [len(one.cells) for one in whole.tables] == [6, 4]


def test_a_part_without_a_head_goes_on_and_data_taken_for_a_head_is_data() -> None:
    first = table([HEAD, ["Bern", "10"]], 700, name="t1")
    for header_rows in (0, 1):
        second = table([["Biel", "30"], ["Brig", "40"]], 60, page=2, name="t2", header_rows=header_rows)
        (joined,) = document(first, second).joined_tables()
        assert joined.n_rows == 4
        assert [cell.text for cell in joined.cells if cell.is_header] == HEAD


@pytest.mark.parametrize(
    "second",
    [
        table([["Name", "Weight"], ["a", "b"]], 60, page=2, name="t2"),
        table([[*HEAD, "x"], ["Biel", "30", "1"]], 60, page=2, name="t2"),
        table([HEAD, ["Biel", "30"]], 60, page=2, name="t2", right=300),
        table([HEAD, ["Biel", "30"]], 60, page=3, name="t2"),
    ],
    ids=["other head", "more columns", "other width", "not the next page"],
)
def test_other_tables_are_not_joined(second: object) -> None:
    first = table([HEAD, ["Bern", "10"]], 700, name="t1")
    assert len(document(first, second).joined_tables()) == 2  # type: ignore[arg-type]


def test_text_between_or_a_caption_of_its_own_keeps_tables_apart() -> None:
    first = table([HEAD, ["Bern", "10"]], 600, name="t1")
    second = table([HEAD, ["Biel", "30"]], 80, page=2, name="t2")
    assert len(document(first, prose(700), second).joined_tables()) == 2
    caption = text("Table 2: Towns", 60, page=2, role="caption")
    caption.belongs_to = "t2"
    assert len(document(first, caption, second).joined_tables()) == 2
    going_on = text("Table 1 (continued)", 60, page=2, role="caption")
    going_on.belongs_to = "t2"
    assert len(document(first, going_on, second).joined_tables()) == 1


def test_a_title_of_two_blocks_is_one_and_ends_before_a_numbered_section() -> None:
    whole = document(
        text("A study of structure", 40, role="title", size=18),
        text("2024 and later", 62, role="title", size=18),
        text("1 Introduction", 90, role="title", size=18),
    )
    assert [part.text for part in whole.outline()] == [
        "A study of structure 2024 and later",
        "1 Introduction",
    ]


def test_a_document_without_text_or_tables_has_empty_views() -> None:
    whole = document(figure(100, 200))
    assert (whole.paragraphs(), whole.outline(), whole.joined_tables()) == ([], [], [])


def test_a_text_of_any_length_is_joined_as_a_short_one() -> None:
    pair = ["Words of a line that goes on with an im-", "portant end, and then"]
    assert join_lines(pair * 2000) == " ".join(
        ["Words of a line that goes on with an important end, and then"] * 2000
    )
    signs = "\u65e5\u672c\u8a9e" * 30
    assert join_lines([signs] * 100) == signs * 100
