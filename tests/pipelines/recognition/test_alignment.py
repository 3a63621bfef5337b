"""Which tokens spell which characters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.models.engine import Generation
from docai.pipelines.recognition.confidence import part_logprobs, text_logprobs, token_spans


def generation(*tokens: str, text: str | None = None) -> Generation:
    """Token i has the log-probability -i."""
    joined = "".join(tokens) if text is None else text
    return Generation(joined, "stop", tokens, tuple(-float(i) for i in range(len(tokens))))


def test_tokens_of_several_characters() -> None:
    assert token_spans("<td>12.5</td>", ["<td>", "12", ".5", "</td>"]) == [(0, 4), (4, 6), (6, 8), (8, 13)]


def test_bytes_before_the_last_have_the_character_they_begin() -> None:
    # As the engine decodes byte fallback: the text is with the last of the bytes.
    assert token_spans("a€b", ["a", "", "", "€", "b"]) == [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert token_spans("ab", ["a", "b", ""]) == [(0, 1), (1, 2), (2, 2)]


def test_sentencepieces_as_they_stand_in_the_vocabulary() -> None:
    pieces = ["▁Hel", "lo", "▁", "<0xE2>", "<0x82>", "<0xAC>", "▁5"]
    expected = [(0, 3), (3, 5), (5, 6), (6, 7), (6, 7), (6, 7), (7, 9)]
    assert token_spans("Hello € 5", pieces) == expected
    assert token_spans(" Hello € 5", pieces) == [(0, 4), *((a + 1, b + 1) for a, b in expected[1:])]


def test_bytes_that_never_become_a_character() -> None:
    assert token_spans("a\ufffdb", ["a", "<0xE2>", "b"]) == [(0, 1), (1, 2), (2, 3)]


def test_white_space_at_the_ends_may_be_missing() -> None:
    assert token_spans("C C", [" C", " ", "C", "\n"]) == [(0, 1), (1, 2), (2, 3), (3, 3)]


def test_tokens_of_another_text_are_not_aligned() -> None:
    assert token_spans("CCO", ["C", "N", "O"]) is None
    assert part_logprobs(generation("C", "N", text="CCO"), [(0, 1), None]) == [None, None]


@given(st.lists(st.text(max_size=3)))
def test_every_character_belongs_to_one_token_with_text(tokens: list[str]) -> None:
    spans = token_spans("".join(tokens), tokens)
    assert spans is not None
    with_text = [span for token, span in zip(tokens, spans, strict=True) if token]
    assert [i for start, end in with_text for i in range(start, end)] == list(range(len("".join(tokens))))


def test_parts_have_just_the_tokens_that_spell_them() -> None:
    answer = generation("<td>", "12", ".5", "</td>", "<td>", "</td>")
    assert part_logprobs(answer, [(4, 8), (4, 5), (6, 7), None]) == [[-1, -2], [-1], [-2], None]
    # A token that reaches over the edge of a part has spelled some of it.
    assert part_logprobs(generation("▁a", "b c", "d", text="ab cd"), [(0, 2), (3, 5)]) == [[0, -1], [-1, -2]]


def test_an_empty_part_has_the_token_that_ends_it() -> None:
    answer = generation("<td>", "</td>", "<td>", "<loc0001>")
    assert part_logprobs(answer, [(4, 4)]) == [[-1]]
    assert part_logprobs(answer, [(len(answer.text), len(answer.text))]) == [None]


def test_bytes_count_for_the_word_they_spell() -> None:
    assert part_logprobs(generation("a", " ", "", "", "€"), [(0, 1), (2, 3)]) == [[0], [-2, -3, -4]]


def test_boxes_say_nothing_about_a_text() -> None:
    answer = generation("<loc0001>", "<loc0002>", " ", "Hi", "<loc0003>", "!")
    assert text_logprobs(answer) == [-2, -3, -5]
    assert part_logprobs(answer, [(19, 31)]) == [[-3, -5]]
    assert text_logprobs(generation("<loc0001>")) == [0]


def test_tokens_that_were_not_measured_give_nothing() -> None:
    unmeasured = Generation("ab", "stop", ("a", "b"), ())
    assert part_logprobs(unmeasured, [(0, 1)]) == [None]
    assert text_logprobs(unmeasured) == []


@pytest.mark.parametrize("n", [1, 5])
def test_an_answer_with_broken_numbers_keeps_them(n: int) -> None:
    answer = Generation("a" * n, "stop", ("a",) * n, (math.nan,) * n)
    found = part_logprobs(answer, [(0, n)])[0]
    assert found is not None
    assert all(math.isnan(value) for value in found)
