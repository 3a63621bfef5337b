"""Raised runs: footnote marks are told from powers, charges, prices and ordinals."""

from __future__ import annotations

import unicodedata

import pytest

from docai.parsers.marks import is_footnote_mark, raised_end, subscript, superscript
from docai.parsers.table import parse_table


@pytest.mark.parametrize(
    ("base", "raised"),
    [
        ("24.91", "2"),
        ("1,204", "1"),
        ("2010", "3"),
        ("0.26", "a"),
        ("12", "†"),
        ("110", "1"),
        ("0.10", "1"),
        ("Kerala", "12"),
        ("UK", "1"),
        ("Total", "a,b"),
        ("loans)", "2"),
        ("CO₂", "1"),
        ("$5", "1"),
        ("12.5%", "3"),
    ],
)
def test_footnote_marks(base: str, raised: str) -> None:
    assert is_footnote_mark(base, raised)


@pytest.mark.parametrize(
    ("base", "raised"),
    [
        ("10", "6"),
        ("3.2×10", "-3"),
        ("3.2 × 10", "6"),
        ("m", "2"),
        ("5 cm", "3"),
        ("kg/m", "3"),
        ("R", "2"),
        ("x₁", "2"),
        ("Ca", "2+"),
        ("s", "−1"),
        ("4", "th"),
        ("25", "o"),
        ("$19", "99"),
        ("€ 19", "99"),
        ("Word", "TM"),
    ],
)
def test_what_is_raised_and_no_footnote_mark(base: str, raised: str) -> None:
    assert not is_footnote_mark(base, raised)


def test_raised_and_lowered_digits_are_no_further_digits_in_plain_text() -> None:
    assert "10" + superscript("-6") == "10⁻⁶"
    assert "CO" + subscript("2") == "CO₂"
    assert "0.26" + superscript("a") == "0.26ᵃ"
    assert "4" + superscript("th") == "4th"
    assert "x" + subscript("min") == "xmin"


@pytest.mark.parametrize("letter", "0123456789+abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW")
def test_each_superscript_is_one_character_and_its_own_letter_under_nfkc(letter: str) -> None:
    raised = superscript(letter)
    assert len(raised) == 1
    assert raised != letter
    assert unicodedata.normalize("NFKC", raised) == letter
    assert raised_end("x" + raised) == letter


def test_marks_in_html_come_back_and_powers_stay_text() -> None:
    html = (
        "<table><tbody><tr><td>24.91<sup>2</sup></td><td>5 m<sup>2</sup></td><td><sup>a</sup> b</td>"
        "<td>0.3<sup>1,a</sup></td><td><sup>3</sup></td></tr></tbody></table>"
    )
    content = parse_table(html).content
    read = [(cell.text, cell.marks) for cell in content.cells]
    assert read == [("24.91", ["2"]), ("5 m2", []), ("a b", []), ("0.3", ["1", "a"]), ("3", [])]
    assert "<td>24.91<sup>2</sup></td>" in content.html
    assert parse_table(content.html).content == content
