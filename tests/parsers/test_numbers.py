"""Numbers as tables write them, and all that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.parsers.numbers import is_missing, read_numeral


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("42", 42),
        ("+2.36", 2.36),
        ("-7", -7),
        ("−7.56", -7.56),
        ("– 3", -3),
        (".05", 0.05),
        ("1,234", 1234),
        ("1,234,567.8", 1234567.8),
        ("1 234 567", 1234567),
        ("1'234", 1234),
        ("1’234.5", 1234.5),
        ("(1,234)", -1234),
        ("$ (12.5)", -12.5),
        ("($12.5)", -12.5),
        ("1.2e-3", 0.0012),
        ("1.2 × 10−3", 0.0012),
        ("1.2×10⁻³", 0.0012),
        ("3 x 10^5", 3e5),
        ("12.5*", 12.5),
        ("12.5 **", 12.5),
        ("12.5†", 12.5),
        ("12.5ᵃ", 12.5),
        ("12.5¹", 12.5),
        ("12.5 [a]", 12.5),
        ("12.5(a)", 12.5),
        ("2,461#", 2461),
        ("90.1%*", 90.1),
    ],
)
def test_what_a_number_stands_for(text: str, value: float) -> None:
    numeral = read_numeral(text)
    assert numeral is not None
    assert numeral.value("point") == value
    assert isinstance(numeral.value("point"), type(value))


@pytest.mark.parametrize(("text", "value"), [("1.234,5", 1234.5), ("0,5", 0.5), ("1 234,50", 1234.5)])
def test_a_comma_for_decimals(text: str, value: float) -> None:
    numeral = read_numeral(text)
    assert numeral is not None
    assert numeral.conventions == {"comma"}
    assert numeral.value("comma") == value


@pytest.mark.parametrize(
    ("text", "unit", "kind"),
    [
        ("12 %", "%", "percent"),
        ("12‰", "‰", "unit"),
        ("$5", "$", "currency"),
        ("US$ 5", "US$", "currency"),
        ("5 €", "€", "currency"),
        ("EUR 5.00", "EUR", "currency"),
        ("-$5", "$", "currency"),
        ("12kg", "kg", "unit"),
        ("12 kg", "kg", "unit"),
        ("5 m²", "m²", "unit"),
        ("36.6 °C", "°C", "unit"),
        ("3 months", "months", "unit"),
        ("5", "", "none"),
    ],
)
def test_units(text: str, unit: str, kind: str) -> None:
    numeral = read_numeral(text)
    assert numeral is not None
    assert (numeral.unit, numeral.unit_kind) == (unit, kind)


@pytest.mark.parametrize(
    "text",
    [
        "1–2", "10-12", "<0.05", "> 5", "~5", "12.3 (4.5)", "12.3 ± 4.5", "1/2", "12:30", "2019-01-02",
        "3.4.5", "1st", "3D", "12a", "12a,b", "007", "01234", "1,23,4", "12,34,567", "1234,567,890",
        "1.5.", "1 2", "1 23", "5 May", "5 pm", "n = 12", "A1", "x", "(5", "5)", "(-5)", "--5", "$5 €",
        "10²", "1.2 × 105", "1234567890123456", "٣", "１２", "", " ", "-", "e5", "%", "$", "1e", "1e9999",
    ],
)  # fmt: skip
def test_what_is_text(text: str) -> None:
    assert read_numeral(text) is None


@pytest.mark.parametrize("text", ["", " ", "-", "–", "—", "--", "...", "…", "n/a", "N/A", "NA", "n.a.", ":"])
def test_marks_for_nothing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "ND", "no", "none of them", "-1", "*****"])
def test_what_is_not_missing(text: str) -> None:
    assert not is_missing(text)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_is_not(text: str) -> None:
    numeral = read_numeral(text)
    if numeral is not None:
        for convention in numeral.conventions:
            assert isinstance(numeral.value(convention), int | float)


@given(st.integers(-(10**12), 10**12), st.sampled_from([",", " ", "'"]))
def test_grouped_integers_come_back(number: int, mark: str) -> None:
    numeral = read_numeral(f"{number:,}".replace(",", mark))
    assert numeral is not None
    assert numeral.value("point") == number


@given(st.decimals(-(10**6), 10**6, places=2), st.booleans())
def test_decimals_come_back_in_either_way_of_writing(number: object, comma: bool) -> None:
    text = f"{number:,}"
    if comma:
        text = text.translate(str.maketrans(".,", ",."))
    numeral = read_numeral(text)
    assert numeral is not None
    assert numeral.value("comma" if comma else "point") == float(str(number))
