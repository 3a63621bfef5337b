"""Roles, levels and ties by what the blocks of a whole document show."""

from __future__ import annotations

import pytest

from docai.contents import Cell
from docai.document import Document
from docai.pipelines.structure import DocumentStructure
from docai.pipelines.structure.outline import OutlineEntry
from docai.records import RecordBase, Role, Text

from ...blocks import document, figure, prose, table, text


def settled(*records: RecordBase, outline: list[OutlineEntry] | None = None) -> Document:
    """The document of the records, with its roles settled."""
    whole = document(*records)
    structure = DocumentStructure(lambda: outline or [])
    for page in whole.pages:
        structure.add(page, [record for record in whole.records if record.page == page.number])
    assert structure.settle() == []
    structure.apply(whole.records)
    return whole


def roles(whole: Document) -> list[str]:
    return [one.role for one in whole.texts]


def test_a_line_that_comes_again_at_the_edge_of_pages_is_a_running_head() -> None:
    pages = []
    for page in (1, 2, 3):
        pages += [
            text(f"Chapter on Things {page}", 30, page=page, name=f"h{page}"),
            prose(80, page=page),
            text(f"– {page} –", 770, page=page, left=290, width=30, name=f"f{page}"),
        ]
    assert roles(settled(*pages)) == ["page-header", "paragraph", "page-footer"] * 3


def test_a_line_that_comes_again_elsewhere_stays_text() -> None:
    again = [text("Terms and conditions", 300, page=page, name=str(page)) for page in (1, 2, 3)]
    assert roles(settled(*again)) == ["paragraph"] * 3


def test_a_first_line_with_the_number_of_the_page_is_a_running_head() -> None:
    whole = settled(text("8 F. Smith", 40, width=90), prose(90), prose(140))
    assert roles(whole) == ["page-header", "paragraph", "paragraph"]
    bold = settled(text("8 Results", 40, width=90, bold=True), prose(90), prose(140))
    assert roles(bold) == ["section-heading", "paragraph", "paragraph"]


def test_what_stands_beside_a_page_number_is_a_running_head() -> None:
    number = text("9", 40, left=530, width=10, role="page-header")
    beside = text("Models of Things", 40, left=200, width=150, role="section-heading")
    assert roles(settled(number, beside, prose(90)))[:2] == ["page-header", "page-header"]


@pytest.mark.parametrize("role", ["page-header", "page-footer"])
@pytest.mark.parametrize("top", [30, 120, 400, 780])
def test_the_only_text_of_a_page_is_no_running_head(role: Role, top: float) -> None:
    assert roles(settled(text("Totals of 42", top, role=role, size=None))) == ["paragraph"]
    pages = [text(f"Sheet {page}", top, page=page, role=role, name=str(page)) for page in (1, 2)]
    assert roles(settled(*pages)) == ["paragraph"] * 2
    assert roles(settled(text("42", top, role=role))) == ["paragraph"]


def test_what_layout_takes_for_a_running_head_is_text_where_it_is_none() -> None:
    title = text("Application Form", 50, role="page-header", size=None)
    assert roles(settled(title, prose(90, size=None))) == ["paragraph"] * 2
    named = text("Invoice 4711", 50, role="page-header", size=None)
    assert roles(settled(named, prose(90, size=None))) == ["paragraph"] * 2
    inside = text("Some words", 300, role="page-footer")
    assert roles(settled(prose(90), inside, prose(400))) == ["paragraph"] * 3
    once = [text("Of One Page", 60, role="page-header"), prose(90), prose(400, page=2)]
    assert roles(settled(*once)) == ["paragraph"] * 3


def test_a_running_head_that_layout_found_stays_one_where_something_else_tells_it() -> None:
    again = []
    for page, words in ((1, "Annals of Towns"), (2, "Annals of T0wns"), (3, "Annals of Towns")):
        head = text(words, 30 + 9 * page, page=page, role="page-header", size=None, name=f"h{page}")
        again += [head, prose(90, page=page, size=None)]
    assert roles(settled(*again)) == ["page-header", "paragraph"] * 3
    full = [prose(60), prose(400), prose(660)]
    foot = text("Printed by Smith, London", 770, role="page-footer")
    assert roles(settled(*full, foot))[-1] == "page-footer"
    assert roles(settled(prose(60), foot))[-1] == "paragraph"
    small = text("Preprint of the Annals", 30, role="page-header", size=8)
    assert roles(settled(small, *full))[0] == "page-header"
    large = text("Preprint of the Annals", 30, role="page-header", size=12)
    assert roles(settled(large, *full))[0] != "page-header"
    number = text("9", 40, left=530, width=10, role="page-header")
    assert roles(settled(number, *full))[0] == "page-header"
    upright = text("a stamp of some words", 0, lines=[(10, 200, 25, 500)], role="page-header")
    assert roles(settled(upright, *full))[0] == "page-header"


def test_a_running_head_of_pages_without_text_is_one_beside_their_figures() -> None:
    pages: list[RecordBase] = []
    for page in (1, 2):
        pages += [text("Plates of Towns", 30, page=page, role="page-header", name=str(page))]
    assert roles(settled(*pages)) == ["paragraph"] * 2
    assert roles(settled(*pages, figure(100, 700))) == ["page-header"] * 2


def test_levels_follow_numbers_and_headings_set_alike() -> None:
    whole = settled(
        text("1 One", 40, role="section-heading", size=14, bold=True),
        prose(70),
        text("1.1 Part", 130, role="section-heading", size=12, bold=True),
        prose(160),
        text("Another part", 210, role="section-heading", size=12, bold=True),
        prose(240),
        text("Acknowledgments", 290, role="section-heading", size=14, bold=True),
        prose(320),
        text("A detail", 380, role="section-heading", size=10, bold=True),
        prose(410),
    )
    assert [one.level for one in whole.texts if one.role == "section-heading"] == [1, 2, 2, 1, 3]
    assert all(one.level is None for one in whole.texts if one.role != "section-heading")


def test_levels_of_unnumbered_headings_follow_their_size() -> None:
    sizes = (18, 14, 11, 14)
    heads = [
        text(f"Head {top}", top, role="section-heading", size=size, bold=True, page=2, name=str(top))
        for size, top in zip(sizes, (40, 200, 400, 600), strict=True)
    ]
    whole = settled(prose(40), *heads, prose(700, page=2))
    assert [one.level for one in whole.texts if one.role == "section-heading"] == [1, 2, 3, 2]


def test_letters_below_roman_numbers_are_one_level_lower() -> None:
    whole = settled(
        text("I. ONE", 40, role="section-heading", bold=True),
        prose(60),
        text("A. Part", 110, role="section-heading", bold=True),
        prose(130),
        text("Appendix A: More", 180, role="section-heading", bold=True),
        prose(200),
    )
    assert [one.level for one in whole.texts if one.level] == [1, 2, 1]


def test_a_line_in_bold_above_text_is_a_heading_and_one_that_ends_like_a_sentence_is_none() -> None:
    sentence = text("This is bold.", 110, bold=True)
    whole = settled(text("Methods", 40, bold=True), prose(60), sentence, prose(130))
    assert roles(whole) == ["section-heading", "paragraph", "paragraph", "paragraph"]


def test_on_a_scan_a_number_with_a_point_makes_a_heading() -> None:
    whole = settled(text("2.1 The Method", 40, size=None), prose(60, size=None), prose(110, size=None))
    assert (roles(whole)[0], whole.texts[0].level) == ("section-heading", 2)
    assert roles(settled(text("The Method", 40, size=None), prose(60, size=None)))[0] == "paragraph"


@pytest.mark.parametrize("content", ["(12)", "x = a + b", "Table 3. Of Towns"])
def test_what_cannot_be_a_heading_is_none(content: str) -> None:
    whole = settled(text(content, 40, role="section-heading"), prose(60), table([["a", "b"]], 120))
    assert "section-heading" not in roles(whole)


def test_a_list_of_short_lines_that_layout_takes_for_a_heading_is_none() -> None:
    for n_lines, role in ((3, "section-heading"), (4, "paragraph")):
        content = "\n".join(f"Line {number} of it" for number in range(n_lines))
        assert roles(settled(text(content, 60, role="section-heading"), prose(160)))[0] == role


def test_the_outline_of_the_file_tells_headings_and_their_levels() -> None:
    outline = [
        OutlineEntry(1, "The Whole", 1),
        OutlineEntry(2, "First Part", 1),
        OutlineEntry(3, "A Détail", 2),
        OutlineEntry(2, "Elsewhere", 2),
    ]
    whole = settled(
        text("The Whole", 30),
        text("1. First Part", 60),
        prose(90),
        text("1.1 A Detail", 60, page=2),
        prose(90, page=2),
        text("Elsewhere", 200, page=1),
        prose(230),
        outline=outline,
    )
    found = {one.text: (one.role, one.level) for one in whole.texts}
    assert found["The Whole"] == ("title", None)
    assert found["1. First Part"] == ("section-heading", 1)
    assert found["1.1 A Detail"] == ("section-heading", 2)
    assert found["Elsewhere"] == ("paragraph", None)


def test_captions_are_tied_to_what_they_name_by_kind_and_place() -> None:
    whole = settled(
        text("Table 1: Towns", 60),
        table([["Town", "People"], ["Bern", "1"]], 80, name="t"),
        figure(130, 300),
        text("Figure 1. A town.", 310),
        prose(400),
    )
    assert [(one.role, one.belongs_to) for one in whole.texts] == [
        ("caption", "t"),
        ("caption", "figure-1-130"),
        ("paragraph", None),
    ]


def test_two_captions_go_to_two_figures_and_labels_of_panels_to_the_nearest() -> None:
    whole = settled(
        figure(60, 160),
        text("(a) before", 165, role="caption"),
        text("Figure 1. The first.", 180, role="caption"),
        figure(200, 300),
        text("Figure 2. The second.", 305, role="caption"),
    )
    assert [one.belongs_to for one in whole.texts] == ["figure-1-60", "figure-1-60", "figure-1-200"]


def test_text_that_only_mentions_a_figure_is_no_caption() -> None:
    mention = text("Figure 1 shows what was found in the\nyears that followed, and what was not.", 310)
    whole = settled(figure(130, 300), mention)
    assert roles(whole) == ["paragraph"]
    far = settled(text("Figure 1. A town.", 700), figure(60, 200))
    assert roles(far) == ["paragraph"]


def test_a_caption_goes_to_the_figure_that_fills_the_page_before() -> None:
    caption = text("Figure 1. A town.", 50, page=2, role="caption")
    whole = settled(figure(50, 750), caption, prose(100, page=2))
    assert whole.texts[0].belongs_to == "figure-1-50"


def test_footnotes_are_tied_to_the_text_that_has_their_mark() -> None:
    whole = settled(
        text("This is known¹ and has been for long\nby all who care for it, and those not.", 100, name="a"),
        text("This is not² known by anybody who\ncares to be asked, nor anybody else here.", 200, name="b"),
        text("¹ By some.", 740, size=8),
        text("² By others.", 752, size=8),
    )
    assert [(one.role, one.belongs_to) for one in whole.texts[2:]] == [("footnote", "a"), ("footnote", "b")]


def test_small_text_with_a_mark_above_the_text_is_no_footnote() -> None:
    assert roles(settled(text("¹ By some.", 300, size=8), prose(400))) == ["paragraph", "paragraph"]


def test_the_end_of_a_footnote_of_the_page_before_is_one() -> None:
    whole = settled(prose(100), text("and so on.", 728, size=8), text("¹ By some.", 740, size=8))
    assert roles(whole) == ["paragraph", "footnote", "footnote"]


def test_on_a_scan_small_text_at_the_foot_of_the_page_is_a_note_unless_it_is_an_entry() -> None:
    def small(content: str) -> Text:
        return text(content, 760, size=None, lines=[(60, 760, 400, 768)])

    assert roles(settled(prose(600, size=None), small("By some.")))[1] == "footnote"
    entry = "[1] J. Smith and A. Doe, “On things,” Phys. Rev. B 12, 3456 (1999)."
    assert roles(settled(prose(600, size=None), small(entry)))[1] == "paragraph"


def test_notes_below_a_table_belong_to_it() -> None:
    towns = table([["Town", "People"], ["Bern", "1"]], 100, name="t")
    towns.cells[2] = Cell(row=1, col=0, text="Bern", marks=["*"])
    whole = settled(towns, text("* Estimated", 127), text("Source: own count", 139), prose(300))
    assert [(one.role, one.belongs_to) for one in whole.texts] == [
        ("footnote", "t"),
        ("footnote", "t"),
        ("paragraph", None),
    ]


ENTRIES = (
    "[1] J. Smith and A. Doe, “On things,” Phys. Rev. B 12, 3456 (1999).",
    "[2] C. Roe, “More on things,” J. Things 3, 45–67 (2001).",
)


def test_what_follows_the_heading_of_a_bibliography_is_references() -> None:
    whole = settled(
        text("References", 40, role="section-heading", bold=True),
        *(text(entry, 60 + 20 * number, role="list-item") for number, entry in enumerate(ENTRIES)),
        text("Appendix", 120, role="section-heading", bold=True),
        prose(140),
    )
    assert roles(whole) == ["section-heading", "reference", "reference", "section-heading", "paragraph"]


def test_a_page_of_entries_is_a_bibliography_without_its_heading() -> None:
    whole = settled(
        text("of many things,” Annals of Things 1, 2 (1990).", 40),
        *(text(entry, 60 + 20 * number) for number, entry in enumerate(ENTRIES)),
    )
    assert roles(whole) == ["reference"] * 3


def test_one_text_that_cites_is_no_bibliography() -> None:
    assert roles(settled(prose(40), text(ENTRIES[0], 100), prose(140))) == ["paragraph"] * 3


def test_code_lists_and_numbers_of_formulas() -> None:
    code = text("for x in y:\n    print(x)", 40)
    assert code.font is not None
    code.font.is_monospace = True
    whole = settled(
        code,
        text("• one thing", 80),
        text("(a) a first", 100),
        text("(b) a second", 120),
        text("x = y", 140, left=200, width=60, role="formula"),
        text("(3)", 140, left=500, width=20, role="section-heading"),
        text("y = 2z + (a - b)", 160, left=200, width=60),
        prose(180),
    )
    assert roles(whole) == ["code", *["list-item"] * 3, *["formula"] * 3, "paragraph"]


def test_the_end_of_a_sentence_that_layout_takes_for_a_heading_is_none() -> None:
    end = text("rates of things, however high.", 40, role="section-heading")
    assert roles(settled(end, prose(80), prose(140)))[0] == "paragraph"


def test_in_a_typed_letter_letters_of_one_width_are_no_code() -> None:
    letter = [prose(40), prose(100)]
    for part in letter:
        assert part.font is not None
        part.font.is_monospace = True
    assert roles(settled(*letter)) == ["paragraph", "paragraph"]


def test_the_title_is_the_largest_heading_above_the_text_of_the_first_page() -> None:
    whole = settled(
        text("On Things", 40, role="section-heading", size=20),
        prose(90),
        text("1 One", 140, role="section-heading", size=12, bold=True),
        prose(160),
    )
    assert [(one.role, one.level) for one in whole.texts][::2] == [("title", None), ("section-heading", 1)]


@pytest.mark.parametrize("numbers", [("1", "1.1"), ("1", "2")])
def test_a_numbered_heading_that_is_set_as_the_title_is_none(numbers: tuple[str, str]) -> None:
    first, second = numbers
    whole = settled(
        text("A study of structure", 40, role="section-heading", size=18, bold=True),
        text(f"{first} Introduction", 70, role="section-heading", size=18, bold=True),
        prose(100),
        text(f"{second} Methods", 150, role="section-heading", size=18 if second == "2" else 14, bold=True),
        prose(180),
    )
    assert roles(whole) == ["title", "section-heading", "paragraph", "section-heading", "paragraph"]
    assert [part.text for part in whole.outline()] == [
        "A study of structure",
        f"{first} Introduction",
        f"{second} Methods",
    ]


def test_a_title_stands_above_numbered_headings_however_large_and_a_section_does_not() -> None:
    def heads(first: str, second: str, *, above: str | None = None) -> list[str]:
        return roles(
            settled(
                *([] if above is None else [text(above, 20, size=9)]),
                text(first, 40, role="section-heading", size=12, bold=True),
                text(second, 70, role="section-heading", size=12, bold=True),
                prose(100),
            )
        )[-3:-1]

    assert heads("A study of structure", "1 Introduction") == ["title", "section-heading"]
    # Without a number below it, or with something above it, it may be any section.
    assert heads("Acknowledgments", "References") == ["section-heading"] * 2
    assert heads("Abstract", "1 Introduction", above="By nobody in particular") == ["section-heading"] * 2


def test_lines_of_a_title_that_the_layout_model_found_stay_its_and_a_section_does_not() -> None:
    whole = settled(
        text("A study of structure", 40, role="title", size=18),
        text("and of what it holds", 62, role="title", size=18),
        text("1 Introduction", 90, role="title", size=18),
        prose(120),
    )
    assert roles(whole) == ["title", "title", "section-heading", "paragraph"]


def test_an_outline_that_cannot_be_read_is_an_issue_and_roles_are_settled() -> None:
    def unreadable() -> list[OutlineEntry]:
        raise ValueError("no outline")

    whole = document(text("for all\nof it", 40), text("• a thing", 80))
    structure = DocumentStructure(unreadable)
    structure.add(whole.pages[0], whole.records)
    (issue,) = structure.settle()
    structure.apply(whole.records)
    assert (issue.code, roles(whole)) == ("structure-failed", ["paragraph", "list-item"])


def test_that_no_role_can_be_settled_is_an_issue_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr("docai.pipelines.structure.document.settle", fail)
    whole = document(text("A", 40, role="list-item"))
    structure = DocumentStructure()
    structure.add(whole.pages[0], whole.records)
    (issue,) = structure.settle()
    structure.apply(whole.records)
    assert (issue.code, roles(whole)) == ("structure-failed", ["list-item"])


def test_settling_again_changes_nothing() -> None:
    first = settled(
        text("1 One", 40, bold=True), prose(60), text("¹ By some.", 740, size=8), figure(200, 400),
        text("Figure 1. It.", 410),
    )  # fmt: skip
    again = settled(*[record.model_copy(deep=True) for record in first.records])
    assert [(one.role, one.level, one.belongs_to) for one in again.texts] == [
        (one.role, one.level, one.belongs_to) for one in first.texts
    ]
    assert {type(one) for one in again.texts} == {Text}


def test_code_keeps_the_spaces_that_it_is_printed_with() -> None:
    import pymupdf

    import docai

    words = "The area of a circle grows with the square of its radius"
    listing = [
        "def area(radius):",
        "    if radius < 0:",
        "        raise ValueError(radius)",
        "    return  3 * radius",
    ]
    with pymupdf.open() as pdf:
        page = pdf.new_page()
        for row in range(8):
            page.insert_text((72, 80 + 13 * row), words, fontsize=11)
        for row, line in enumerate(listing):
            page.insert_text((90, 220 + 12 * row), line, fontsize=10, fontname="cour")
        for row in range(8):
            page.insert_text((72, 300 + 13 * row), words, fontsize=11)
        read = docai.Pipeline(engine=docai.ScriptedEngine({"text": ""})).process(pdf.tobytes())
    (code,) = [one for one in read.texts if one.role == "code"]
    assert code.text.split("\n") == listing
    assert [line.text for line in code.lines] == listing
