"""TEDS against the values of the PubTabNet reference, its surprises, and what it must always hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.errors import LimitError, MissingDependencyError
from docai.pipelines.evaluation.metrics.teds import teds, teds_canonical, teds_many, teds_scores

# Of the reference implementation, to the four decimals it was noted with: TEDS, S-TEDS.
REFERENCE = {
    "PMC2094709_004_00": (1.0, 1.0),
    "PMC2871264_002_00": (1.0, 1.0),
    "PMC2915972_003_00": (0.9298, 0.9718),
    "PMC3160368_005_00": (0.9946, 1.0),
    "PMC3568059_003_00": (0.9609, 0.9652),
    "PMC3707453_006_00": (0.8539, 0.9011),
    "PMC3765162_003_01": (0.9867, 1.0),
    "PMC3872294_001_00": (0.9864, 1.0),
    "PMC4196076_004_00": (0.9959, 1.0),
    "PMC4219599_004_00": (0.6030, 0.8186),
    "PMC4297392_007_00": (0.8070, 0.8070),
    "PMC4311460_007_00": (0.6577, 0.9),
    "PMC4357206_002_00": (0.9295, 1.0),
    "PMC4445578_009_01": (0.6755, 0.7),
    "PMC4969833_016_01": (1.0, 1.0),
    "PMC5303243_003_00": (0.6494, 0.6582),
    "PMC5451934_004_00": (0.9978, 1.0),
    "PMC5755158_010_01": (1.0, 1.0),
    "PMC5849724_006_00": (0.9653, 1.0),
    "PMC6022086_007_00": (1.0, 1.0),
}


def document(table: str) -> str:
    return f"<html><body>{table}</body></html>"


BARE = (
    "<table><thead><tr><td><b>A</b></td><td><b>B</b></td></tr></thead>"
    "<tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
)
TRUTH = document(BARE)


@pytest.fixture(scope="module")
def parity(real_data: Path) -> dict[str, tuple[str, str]]:
    folder = real_data / "tables" / "teds-parity"
    preds = json.loads((folder / "sample_pred.json").read_text(encoding="utf-8"))
    truths = json.loads((folder / "sample_gt.json").read_text(encoding="utf-8"))
    return {Path(name).stem: (preds[name], truths[name]["html"]) for name in truths}


@pytest.mark.real
def test_equals_the_reference_on_its_own_pairs(parity: dict[str, tuple[str, str]]) -> None:
    found = {name: (teds(*pair), teds(*pair, structure_only=True)) for name, pair in parity.items()}
    assert {name: tuple(round(x, 4) for x in values) for name, values in found.items()} == REFERENCE
    means = [sum(column) / len(found) for column in zip(*found.values(), strict=True)]
    assert [round(mean, 4) for mean in means] == [0.8997, 0.9361]


@pytest.mark.real
def test_the_four_variants_together_are_those_alone(parity: dict[str, tuple[str, str]]) -> None:
    for pair in sorted(parity.values(), key=lambda pair: len(pair[1]))[:8]:
        alone = (*(teds(*pair, s) for s in (False, True)), *(teds_canonical(*pair, s) for s in (False, True)))
        assert teds_scores(*pair)[:4] == alone


@pytest.mark.parametrize(
    ("pred", "expected", "structure", "canonical"),
    [
        pytest.param(TRUTH, 1, 1, 1, id="identical"),
        pytest.param(BARE, 0, 0, 1, id="no html and body"),
        pytest.param(TRUTH.replace("<b>", "").replace("</b>", ""), 0.8667, 1, 1, id="no bold header"),
        pytest.param(
            TRUTH.replace("<td><b>", "<th><b>").replace("</b></td>", "</b></th>"), 0.6, 0.6, 1, id="th"
        ),
        pytest.param(
            TRUTH.replace("<thead>", "")
            .replace("</thead>", "")
            .replace("<tbody>", "")
            .replace("</tbody>", ""),
            0.8,
            0.8,
            0.625,  # All rows are the body's then: the missing head counts.
            id="no thead and tbody",
        ),
        pytest.param(TRUTH.replace(">1<", ">1  <"), 0.9333, 1, 1, id="extra spaces"),
        pytest.param(TRUTH.replace("<td>1", "<td colspan='1000000000'>1"), 0.9, 0.9, 0.75, id="huge span"),
        pytest.param(TRUTH.replace("<tbody>", "<tbody><!-- no node -->"), 1, 1, 1, id="comment"),
        pytest.param(TRUTH + BARE, 1, 1, 1, id="second table"),
        pytest.param("```html\n" + BARE + "\n```", 0, 0, 1, id="code fence"),
        pytest.param(document("<p>1 2</p>"), 0, 0, 0, id="no table"),
        pytest.param("", 0, 0, 0, id="empty"),
    ],
)
def test_what_changes_the_score(pred: str, expected: float, structure: float, canonical: float) -> None:
    assert teds(pred, TRUTH) == pytest.approx(expected, abs=5e-5)
    assert teds(pred, TRUTH, structure_only=True) == pytest.approx(structure, abs=5e-5)
    assert teds_canonical(pred, TRUTH) == pytest.approx(canonical, abs=5e-5)


def test_th_holds_nothing_for_the_reference() -> None:
    header = TRUTH.replace("<td><b>A</b></td>", "<th>A</th>").replace("<td><b>B</b></td>", "<th>B</th>")
    wrong_text = header.replace("A", "something else")
    wrong_span = header.replace("<th>A", "<th colspan=2>A")
    assert teds(wrong_text, header) == teds(wrong_span, header) == 1
    assert teds_canonical(wrong_text, header) < 1
    assert teds_canonical(wrong_span, header, structure_only=True) < 1


def test_scores_are_one_minus_the_share_of_edits() -> None:
    assert teds(document("<table><tr><td>a</td></tr></table>"), document("<table><tr></tr></table>")) == 0.5
    # The root is not counted below, but its children are edited: the reference can fall under 0.
    assert teds(document("<table><tr><th>x</th></tr></table>"), document("<table><p></p></table>")) <= 0


@pytest.mark.parametrize(("value", "span"), [("", 1), ("abc", 1), ("2px", 2), ("-", 1), (" 2 ", 2)])
def test_a_span_that_is_no_number_is_read_as_html_does(value: str, span: int) -> None:
    written = TRUTH.replace("<td>1", f'<td colspan="{value}">1')
    assert teds(written, TRUTH.replace("<td>1", f'<td colspan="{span}">1')) == 1


def test_the_first_of_two_tables_counts() -> None:
    other = "<table><tr><td>other</td></tr></table>"
    assert teds(document(BARE + other), TRUTH) == 1
    assert teds(document(other + BARE), TRUTH) < 0.5


def test_tables_without_elements() -> None:
    empty = document("<table></table>")
    assert teds(empty, empty) == 1
    assert teds(empty, TRUTH) == pytest.approx(0.2)  # 8 nodes to insert, of 10 elements.
    assert teds_canonical(empty, empty) == 0


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", '<?xml version="1.0" encoding="utf-8"?><table>'])
def test_what_the_reference_cannot_read_is_no_table(text: str) -> None:
    assert teds(text, TRUTH) == teds(TRUTH, text) == teds(text, text) == 0
    assert teds_canonical(text, TRUTH) == 0


def test_tags_nested_past_what_lxml_keeps() -> None:
    deep = document("<table>" + "<div>" * 5000 + "</div>" * 5000 + "</table>")
    other = document("<table>" + "<div>" * 200 + "<p>" + "</div>" * 200 + "</table>")
    assert teds(deep, deep) == 1
    assert 0 < teds(other, deep) < 1


def test_canonical_asks_for_a_head_only_where_the_truth_has_one() -> None:
    headless = TRUTH.replace("thead", "tbody")
    assert teds_canonical(TRUTH, headless) == 1
    assert teds_canonical(headless, TRUTH) < 1


def test_canonical_repairs_both_sides_alike() -> None:
    ragged = "<table><tr><td>a<td>b<tr><td>c</table>"
    full = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td></td></tr></table>"
    assert teds_canonical(ragged, full) == teds_canonical(full, ragged) == 1


def test_a_pair_past_the_limit_is_refused_unless_it_is_equal() -> None:
    other = TRUTH.replace("1", "3")
    with pytest.raises(LimitError, match="max_pairs=10"):
        teds(other, TRUTH, max_pairs=10)
    assert teds(TRUTH, TRUTH, max_pairs=10) == 1
    assert teds(other, TRUTH, max_pairs=None) == teds(other, TRUTH) < 1


def test_a_truth_is_left_out_for_all_predictions_or_for_none() -> None:
    other = TRUTH.replace("1", "3")
    too_large = [teds_scores(pred, TRUTH, max_pairs=300) for pred in (None, "", TRUTH, other)]
    assert {scores[:4] for scores in too_large} == {(None,) * 4}
    assert all("left out for every reader" in scores.notes[0] for scores in too_large)
    # 9 nodes in the truth: 324 pairs let predictions of up to 36 nodes through.
    assert teds_scores(other, TRUTH, max_pairs=324).teds == teds(other, TRUTH)
    long = TRUTH.replace("</tbody>", "<tr><td>loop</td></tr>" * 20 + "</tbody>")
    scores = teds_scores(long, TRUTH, max_pairs=324)
    assert scores.teds == 0
    assert "far larger than its truth" in scores.notes[0]


def test_a_missed_table_is_nought_and_a_truth_without_one_is_left_out() -> None:
    assert teds_scores(None, TRUTH)[:4] == (0, 0, 0, 0)
    assert teds_scores("sorry", TRUTH)[:4] == (0, 0, 0, 0)
    assert teds_scores(BARE, "sorry")[:4] == (None,) * 4
    assert teds_scores(BARE, TRUTH)[:4] == (1, 1, 1, 1)


def test_many_keep_their_order_and_note_what_was_not_computed() -> None:
    pairs = [(TRUTH, TRUTH), (TRUTH.replace("1", "3"), TRUTH), ("", TRUTH)]
    assert list(teds_many(pairs)) == [1, 0.9, 0]
    assert list(teds_many(pairs, structure_only=True)) == [1, 1, 0]
    assert list(teds_many([(BARE, TRUTH)], canonical=True)) == [1]
    assert list(teds_many(pairs, max_pairs=10)) == [1, None, 0]
    assert list(teds_many(pairs, processes=2)) == [1, 0.9, 0]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apted", None)
    with pytest.raises(MissingDependencyError, match=r"apted: pip install 'docai\[metrics\]'"):
        teds(TRUTH, TRUTH.replace("1", "3"))


cell_texts = st.sampled_from(["", "a", "b", "ab", "<b>a</b>", "a<br>b", "1 2"])
cells = st.builds(
    lambda tag, span, text: f"<{tag}{span}>{text}</{tag}>",
    st.sampled_from(["td", "td", "td", "th"]),
    st.sampled_from(["", "", ' colspan="2"', ' rowspan="2"']),
    cell_texts,
)
rows = st.lists(cells, min_size=1, max_size=3).map(lambda row: f"<tr>{''.join(row)}</tr>")
bodies = st.lists(rows, min_size=1, max_size=3).map("".join)
tables = st.builds(
    lambda head, body: document(f"<table>{head and f'<thead>{head}</thead>'}<tbody>{body}</tbody></table>"),
    rows | st.just(""),
    bodies,
)


@settings(max_examples=40, deadline=None)
@given(tables)
def test_a_table_is_equal_to_itself(table: str) -> None:
    assert teds(table, table) == teds(table, table, True) == teds_canonical(table, table) == 1


@settings(max_examples=40, deadline=None)
@given(tables, tables)
def test_symmetric_at_most_one_and_structure_is_never_lower(first: str, second: str) -> None:
    score = teds(first, second)
    assert score == pytest.approx(teds(second, first))
    assert score <= teds(first, second, structure_only=True) + 1e-9 <= 1 + 2e-9
    assert teds_canonical(first, second) <= teds_canonical(first, second, structure_only=True) + 1e-9


pieces = st.lists(
    st.sampled_from(["<table>", "</table>", "<tr>", "<td", ' colspan="9999999999"', ">", "</td>", "<th>"])
    | st.sampled_from(["<thead>", "<td rowspan=0>", "&nbsp;", "<?x?>", "<!--", "<b>", "\x00", "\ud800", "x"])
    | st.text(max_size=3),
    max_size=30,
).map("".join)


@settings(max_examples=40, deadline=None)
@given(pieces)
def test_any_text_has_a_score(text: str) -> None:
    for pred in (text, document(f"<table>{text}</table>")):
        assert teds(pred, TRUTH) <= 1
        assert teds(TRUTH, pred, True) <= 1
        assert teds_canonical(pred, TRUTH) <= 1
        assert all(score is None or score <= 1 for score in teds_scores(pred, TRUTH)[:4])
