"""Words and their order on pages without boxes."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import Cell
from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord
from docai.pipelines.evaluation.metrics.running_text import (
    WORDS,
    TextResult,
    html_text,
    page_words,
    running_text,
    split_words,
)
from docai.records import Kind

WORD_LISTS = st.lists(st.sampled_from("abcdef"), max_size=12)


def item(text: str, kind: Kind = "text", page: int = 1) -> Item:
    return Item(kind=kind, text=text, page=page)


def scored(truth: str, answer: str) -> dict[str, float | None]:
    score = WORDS.score(Sample("a", (item(truth),)), Prediction(id="a", items=[item(answer)]))
    return {name: ratio.value for name, ratio in score.ratios.items()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" one\ttwo\n\nthree\u00a0four ", ["one", "two", "three", "four"]),
        ("Case, and: punctuation.", ["Case,", "and:", "punctuation."]),
        ("exam-\nple", ["example"]),
        ("exam- ple", ["example"]),
        ("exam\u2010\nple", ["example"]),
        ("a-\nb-\nc d", ["abc", "d"]),
        ("Rhein-\nMain", ["Rhein-", "Main"]),
        ("1990-\nnow", ["1990-", "now"]),
        ("end -\nnext", ["end", "-", "next"]),
        ("well-known", ["wellknown"]),
        ("12-3 A-1", ["12-3", "A-1"]),
        ("co\u00adop co\u00ad\nop", ["coop", "coop"]),
        ("cafe\u0301", ["café"]),
        ("\ufeffleft\u200e to\u200b right", ["left", "to", "right"]),
        ("漢字 and かな", ["漢", "字", "and", "か", "な"]),
    ],
)
def test_how_text_is_split_into_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_a_break_in_a_word_makes_no_difference() -> None:
    whole = "a well-known example of this"
    for broken in ("a well-\nknown example of this", "a well-known exam-\nple of this"):
        assert scored(whole, broken)["word-f1"] == 1
        assert scored(broken, whole)["cer"] == 0


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<table><tr><td>a<b>b</b></td><td>c&amp;d<br>e</td></tr></table>", ["ab", "c&d", "e"]),
        ("<table><tr><td>x<sup>2</sup></td></tr><tr><td>y</td></tr>", ["x2", "y"]),
        ("no table at all", ["no", "table", "at", "all"]),
        ("5 < 6 & 7", ["5", "<", "6", "&", "7"]),
        ("<td>a<!-- hidden -->b</td>", ["ab"]),
        ("<?xml version='1.0' encoding='latin-1'?><table><tr><td>ü</td></tr></table>", ["ü"]),
        ("<td>a\0b</td>", ["ab"]),
        ("<![CDATA[", []),
        ("<", ["<"]),
    ],
)
def test_the_text_of_html(html: str, words: list[str]) -> None:
    assert html_text(html).split() == words


@settings(deadline=None)
@given(st.text())
def test_any_string_has_words(text: str) -> None:
    for kind in ("text", "table"):
        assert all(page_words([item(text, kind)]))


def test_words_of_all_kinds_count_but_no_notation() -> None:
    items = [
        item("Title"),
        item("<table><tr><td>cell</td></tr></table>", "table"),
        item("label", "figure"),
        item("CCO", "molecule"),
        item("**kern", "score"),
    ]
    assert page_words(items) == ["Title", "cell", "label"]


def test_words_come_from_cells_or_outlines_where_there_is_no_text() -> None:
    cells = [Cell(row=1, col=0, text="below"), Cell(row=0, col=0, text="above")]
    outlined = [SpottedWord(text="seen", polygon=[]), SpottedWord(text="not", polygon=[], ignore=True)]
    items = [Item(kind="table", cells=cells), Item(kind="text", words=outlined)]
    assert page_words(items) == ["above", "below", "seen"]


def test_words_are_matched_as_often_as_both_have_them() -> None:
    result = running_text(["a", "a", "a", "b"], ["a", "a", "c"])
    assert (result.n_matched, result.n_truth, result.n_predicted) == (2, 3, 4)


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ("1 2 3 4 5 6", 1.0),
        ("1 2 5 6", 1.0),
        ("x 1 2 y y 3 4 5 6", 1.0),
        ("4 5 6 1 2 3", 1 / 2),
        ("6 1 2 3 4 5", 5 / 6),
        ("6 5 4 3 2 1", 1 / 6),
        ("1 4 2 5 3 6", 2 / 3),
        ("x", None),
    ],
)
def test_order_is_of_the_words_found(answer: str, order: float | None) -> None:
    assert scored("1 2 3 4 5 6", answer)["order"] == order


def test_error_rates_count_edits_per_true_word_and_character() -> None:
    figures = scored("the quick fox", "the quack fox jumps")
    assert figures["wer"] == 2 / 3
    assert figures["cer"] == 7 / 13
    assert figures["word-recall"] == 2 / 3
    assert figures["word-precision"] == 2 / 4
    assert figures["word-f1"] == 4 / 7


def test_a_word_on_another_page_is_a_miss() -> None:
    sample = Sample("a", (item("one", page=1), item("two", page=2)))
    answer = Prediction(id="a", items=[item("one two", page=1)])
    score = WORDS.score(sample, answer)
    assert score.ratios["word-recall"] == (1, 2)
    assert score.ratios["wer"] == (2, 2)


def test_both_empty_is_not_defined_and_one_empty_is_a_miss() -> None:
    assert set(scored("", "").values()) == {None}
    missed = scored("one two", "")
    assert (missed["word-recall"], missed["word-f1"], missed["wer"], missed["cer"]) == (0, 0, 1, 1)
    assert missed["word-precision"] is None
    made_up = scored("", "one two")
    assert (made_up["word-precision"], made_up["word-recall"], made_up["wer"]) == (0, None, None)


def test_no_answer_misses_every_word_and_says_so() -> None:
    sample = Sample("a", (item("one two"),))
    for prediction, note in (
        (None, "no prediction"),
        (Prediction(id="a", error="boom"), "the reader failed"),
    ):
        score = WORDS.score(sample, prediction)
        assert score.ratios["word-recall"] == (0, 2)
        assert score.ratios["wer"] == (2, 2)
        assert note in score.notes
        assert set(score.ratios) == {measure.name for measure in WORDS.measures}


@settings(deadline=None)
@given(WORD_LISTS)
def test_identity(words: list[str]) -> None:
    result = running_text(words, words)
    assert result.n_matched == result.n_in_order == len(words)
    assert result.word_edits == result.char_edits == 0


@settings(deadline=None)
@given(WORD_LISTS, WORD_LISTS)
def test_bounds_and_symmetry(pred: list[str], truth: list[str]) -> None:
    there, back = running_text(pred, truth), running_text(truth, pred)
    assert 0 <= there.n_in_order <= there.n_matched <= min(len(pred), len(truth))
    assert there.n_matched - there.n_in_order <= there.word_edits <= max(len(pred), len(truth))
    assert (there.n_matched, there.n_in_order) == (back.n_matched, back.n_in_order)
    assert (there.word_edits, there.char_edits) == (back.word_edits, back.char_edits)


@settings(deadline=None)
@given(WORD_LISTS, WORD_LISTS, st.randoms(use_true_random=False))
def test_order_of_words_has_no_influence_on_what_is_found(
    pred: list[str], truth: list[str], rng: random.Random
) -> None:
    shuffled = rng.sample(pred, len(pred))
    assert running_text(shuffled, truth).n_matched == running_text(pred, truth).n_matched


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingDependencyError, match=r"rapidfuzz.*pip install 'docai\[metrics\]'"):
        running_text(["a"], ["a"])


def test_results_add_up() -> None:
    one = running_text(["a"], ["a", "b"])
    assert one + TextResult() == one
    assert (one + one).n_truth == 4
