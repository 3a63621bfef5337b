from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PaliGemmaProcessor, PreTrainedTokenizerBase

from docai.models.generation import find_end, token_texts
from docai.models.heads import Decoding
from docai.models.loops import LoopDetector

DECODING = Decoding(max_repeats=4, max_period=8)


def loops_at(tokens: list[int], decoding: Decoding = DECODING) -> int | None:
    detector = LoopDetector(decoding)
    return next((index for index, token in enumerate(tokens) if detector.add(token)), None)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8])
def test_a_loop_is_found_as_soon_as_it_is_one(period: int) -> None:
    prefix = [100, 101, 102]
    loop = list(range(period)) * 20
    # Four periods, and never fewer than eight tokens.
    assert loops_at(prefix + loop) == len(prefix) + max(4 * period, 8) - 1


def test_a_period_longer_than_the_longest_is_no_loop() -> None:
    assert loops_at(list(range(9)) * 20) is None


def test_short_repetition_is_content() -> None:
    carbon_chain, other = [7] * 7, [8, 9]
    assert loops_at(carbon_chain + other + carbon_chain + other) is None


def test_a_broken_repetition_starts_again() -> None:
    assert loops_at([1, 2] * 3 + [3] + [1, 2] * 3 + [3]) is None


def test_default_decoding_lets_a_long_chain_and_a_wide_empty_row_pass() -> None:
    assert loops_at([7] * 60, Decoding()) is None
    assert loops_at([3, 4] * 30, Decoding()) is None
    assert loops_at([7] * 64, Decoding()) == 63


def test_end_of_a_finished_answer() -> None:
    assert find_end([5, 6, 1, 0, 0], 10, [1], DECODING) == (2, "stop")
    assert find_end([5, 6, 7, 8], 3, [1], DECODING) == (3, "length")
    assert find_end([5] * 20, 20, [1], DECODING) == (8, "loop")
    assert find_end([1], 3, [1], DECODING) == (0, "stop")


@pytest.fixture(scope="module")
def tokenizer(tiny_folder: Path) -> PreTrainedTokenizerBase:
    return PaliGemmaProcessor.from_pretrained(tiny_folder).tokenizer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CC(=O)O",
        "**kern\t**kern\n4c\t4e 4g\n*-\t*-\n",
        "<loc0000><loc0512><loc1023><loc0007> word ; <loc0000><loc0001><loc0002><loc0003> two",
        "  two  spaces , and . marks 's ",
        "é漢😀 <td>naïve</td> <seg000>",
    ],
)
def test_text_comes_back_exactly(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    texts = token_texts(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == text


def test_location_tokens_are_one_token_each(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("<loc0001><loc0002>x", add_special_tokens=False).input_ids
    assert token_texts(tokenizer, ids) == ["<loc0001>", "<loc0002>", "x"]


def test_bytes_that_are_no_character_never_raise(tokenizer: PreTrainedTokenizerBase) -> None:
    byte = {value: tokenizer.convert_tokens_to_ids(f"<0x{value:02X}>") for value in (0xE6, 0xBC, 0xFF)}
    (letter,) = tokenizer("a", add_special_tokens=False).input_ids
    texts = token_texts(tokenizer, [byte[0xFF]] * 9 + [letter, byte[0xE6], byte[0xBC]])
    assert "".join(texts).count("a") == 1
    assert set("".join(texts)) == {"a", "\ufffd"}
