"""Which split a word is in, and that held-out samples show none that training draws."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from itertools import islice

import pytest
from lxml import html

from docai.parsers.text import parse_text
from docai.pipelines.synthesis import Split, samples, table, text
from docai.pipelines.synthesis import words as text_words
from docai.pipelines.synthesis.table import values
from docai.pipelines.synthesis.words import core, drawn, may_stand_in, word_split

SPLITS: tuple[Split, Split] = ("train", "held-out")
DIFFICULTIES = (0.0, 0.3, 1.0)


def bare(token: str) -> str:
    """As a person compares words: without case, and without signs around it."""
    return token.strip(string.punctuation + "“”‘’«»¿¡…•–—").casefold()


def words_of_text(split: Split, difficulty: float) -> set[str]:
    plans = (text.compose(random.Random(seed), difficulty, split) for seed in range(200))
    return {bare(token) for plan in plans for token in plan.content.text.split()}


def words_of_tables(split: Split, difficulty: float) -> set[str]:
    grids = (table.compose(random.Random(seed), difficulty, split).content for seed in range(120))
    return {bare(token) for grid in grids for cell in grid.cells for token in cell.plain_text.split()}


@pytest.mark.parametrize("words_of", [words_of_text, words_of_tables])
def test_no_held_out_word_is_drawn_for_training(words_of: Callable[[Split, float], set[str]]) -> None:
    seen = {split: set[str]().union(*(words_of(split, d) for d in DIFFICULTIES)) for split in SPLITS}
    common = seen["train"] & seen["held-out"]
    if words_of is words_of_tables:
        assert {word for word in common if values.is_of_one_split(word)} == set()
        assert {"total", "mean"} <= common
        assert any(word.isdecimal() for word in common)
    else:
        assert {word for word in common if any(map(str.isalnum, word))} == set()
    assert all(len(words) > 500 for words in seen.values())


def test_drawn_text_shows_words_of_its_split_alone() -> None:
    for sample in islice(samples("text", 8, difficulty=0.6, split="held-out"), 12):
        words = [core(word.text) for line in parse_text(sample.target).content.lines for word in line.words]
        assert {word_split(word) for word in words if word} == {"held-out"}


def test_drawn_tables_show_words_of_their_split_alone() -> None:
    for sample in islice(samples("table", 2, difficulty=0.2, split="held-out"), 20):
        text = html.fromstring(sample.target).text_content()
        assert text
        tokens = [
            token
            for cell in html.fromstring(sample.target).iter("td")
            for token in cell.text_content().split()
        ]
        splits = {word_split(core(token)) for token in tokens if values.is_of_one_split(token)}
        assert splits == {"held-out"}


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("(Rate),", "rate"),
        ("RATE", "rate"),
        ("the's", "the"),
        ("$1,234.50", "1,234.50"),
        ("12.5kg", "12.5kg"),
        ("user@mail.org", "user"),
        ("Straße", "strasse"),
        ("—", ""),
        ("&", ""),
    ],
)
def test_the_word_of_a_token(token: str, word: str) -> None:
    assert core(token) == word


def test_about_one_word_in_ten_is_held_out_always_the_same() -> None:
    held_out = [n for n in range(3000) if word_split(f"w{n}") == "held-out"]
    assert 240 < len(held_out) < 360
    assert word_split("it") == "held-out"
    assert word_split("the") == "train"


@pytest.mark.parametrize("split", SPLITS)
def test_a_maker_of_one_word_gives_another_where_it_may_not_stand(split: Split) -> None:
    word = drawn(lambda: "the", split)
    assert may_stand_in(word, split)
    assert (word == "the") == (split == "train")


@pytest.mark.parametrize("split", SPLITS)
def test_nearly_every_pattern_of_tokens_is_in_both_splits(split: Split) -> None:
    rng = random.Random(4)
    never = [
        pattern
        for pattern in text_words.PATTERNS
        if not any(may_stand_in(text_words._filled(rng, pattern), split) for _ in range(400))
    ]
    assert len(never) <= 2
