"""What the first words of a block say of its role."""

from __future__ import annotations

import pytest

from docai.pipelines.structure.citations import ENTRY, citation_score
from docai.pipelines.structure.patterns import (
    caption_name,
    has_bullet,
    heads_bibliography,
    is_formula_number,
    is_page_number,
    note_mark,
    section_number,
)


@pytest.mark.parametrize(
    ("text", "style", "depth"),
    [
        ("4. Methods", "decimal", 1),
        ("2 Methods", "decimal", 1),
        ("4.1.2 Methods", "decimal", 3),
        ("III. METHODS", "roman", 1),
        ("A. Proofs", "letter", 1),
        ("A.1 Proofs", "letter", 2),
        ("Appendix B", "letter", 1),
        ("Chapter 12: The End", "decimal", 1),
        ("Kapitel 3 Überblick", "decimal", 1),
        ("§ 7 Haftung", "decimal", 1),
    ],
)
def test_numbers_of_sections(text: str, style: str, depth: int) -> None:
    number = section_number(text)
    assert number is not None
    assert (number.style, number.depth) == (style, depth)


@pytest.mark.parametrize("text", ["I have seen", "A dog barks", "1998 was", "2. of the", "mix 3", "C", ""])
def test_words_that_are_no_number_of_a_section(text: str) -> None:
    assert section_number(text) is None


@pytest.mark.parametrize(
    ("text", "kind", "number", "is_set_off"),
    [
        ("Table 2: Towns", "table", "2", True),
        ("TABLE IV. TOWNS", "table", "IV", True),
        ("Fig. 3 Towns", "figure", "3", False),
        ("Figure 1.2 – Towns", "figure", "1.2", True),
        ("Abb. 3: Städte", "figure", "3", True),
        ("Scheme 1", "scheme", "1", True),
        ("Example 4. Bars 1–8", "example", "4", True),
        ("Listing 1: A program", "listing", "1", True),
        ("Figure S3. More", "figure", "S3", True),
        ("[표 1] 감염병", "table", "1", True),
        ("Table 3 (continued)", "table", "3", True),
        ("Figure 2 shows that", "figure", "2", False),
    ],
)
def test_names_of_captions(text: str, kind: str, number: str, is_set_off: bool) -> None:
    assert caption_name(text) == (kind, number, is_set_off)


@pytest.mark.parametrize("text", ["Tables are set", "Figures in text", "The table 2", "Configure 3", "Fig"])
def test_words_that_name_nothing(text: str) -> None:
    assert caption_name(text) is None


@pytest.mark.parametrize("text", ["12", "– 12 –", "xiv", "Page 3 of 9", "Seite 4", "7-45", "[3]"])
def test_page_numbers(text: str) -> None:
    assert is_page_number(text)
    assert not is_page_number(f"{text} towns")


def test_marks_of_notes() -> None:
    assert [note_mark(text) for text in ("²⁴ A note", "* A note", "24 A note", "A note", "")] == [
        "24", "*", "", "", "",
    ]  # fmt: skip
    assert note_mark("24 A note", is_sure=False) == "24"
    assert note_mark("7) A note", is_sure=False) == "7"


def test_numbers_of_formulas_and_bullets() -> None:
    assert [is_formula_number(text) for text in ("(3)", "(A.12b)", "(see 3)")] == [True, True, False]
    assert [has_bullet(text) for text in ("• x", "(a) x", "2. x", "xiv) x", "and so")] == [True] * 4 + [False]


@pytest.mark.parametrize("text", ["References", "7. REFERENCES", "Literatur", "Bibliografía", "参考文献"])
def test_headings_of_bibliographies(text: str) -> None:
    assert heads_bibliography(text)
    assert not heads_bibliography(f"{text} are few")


@pytest.mark.parametrize(
    "entry",
    [
        "Smith, J. and Doe, A. (1999). On things. Journal of Things, 12(3):45–67.",
        "[7] J. Smith, A. B. Doe, and C. Roe, “On things,” Phys. Rev. B 12, 3456 (1999).",
        "Smith AB, Jones C. Cohort study of things. Lancet. 2001;357:12-8.",
        "Müller, Hans: Die Geschichte der Stadt. Berlin: Springer, 1987.",
        "12. Roe, C. On learning things. arXiv preprint arXiv:1701.00001, 2017.",
    ],
)
def test_entries_of_bibliographies_look_so_in_many_styles(entry: str) -> None:
    assert citation_score(entry) >= ENTRY


@pytest.mark.parametrize(
    "text",
    [
        "As Smith et al. (1999) have shown, things are what they are, and Doe (2001) agrees with them.",
        "In 1998 the town had 12,345 people; by 2005 there were 14,000, of whom a third worked elsewhere.",
        "We thank the University of Bern and the Swiss National Science Foundation for their support.",
        "",
    ],
)
def test_running_text_does_not(text: str) -> None:
    assert citation_score(text) < ENTRY
