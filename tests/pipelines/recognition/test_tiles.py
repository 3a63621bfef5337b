"""Words that two overlapping tiles both show: each is read once, none is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import TextContent, Word
from docai.geometry import BBox
from docai.parsers.text import line_from_words
from docai.pipelines.recognition.tiles import merge_tiles

UPPER: BBox = (0.0, 0.0, 200.0, 100.0)
LOWER: BBox = (0.0, 70.0, 200.0, 170.0)
HIGH = 10.0


def word(text: str, x: float, y: float, *, wide: float = 40, high: float = HIGH, sure: float = 0.9) -> Word:
    return Word(text=text, bbox=(x, y, x + wide, y + high), confidence=sure)


def content(*lines: list[Word]) -> TextContent:
    made = [line_from_words(line) for line in lines]
    return TextContent(text="\n".join(line.text for line in made), lines=made)


def merged(above: TextContent, below: TextContent) -> tuple[str, list[str]]:
    found, issues = merge_tiles([above, below], [UPPER, LOWER])
    assert found.text == "\n".join(line.text for line in found.lines)
    for line in found.lines:
        assert line == line_from_words(line.words)
    return found.text, [issue.code for issue in issues]


def test_a_line_that_both_tiles_show_whole_is_read_once() -> None:
    line = [word("same", 0, 80), word("words", 50, 80)]
    above, below = content([word("top", 0, 10)], line), content(line, [word("end", 0, 150)])
    assert merged(above, below) == ("top\nsame words\nend", ["text-tiles-merged"])


def test_boxes_may_be_a_little_off() -> None:
    above, below = content([word("same", 0, 80)]), content([word("same", 2, 83)])
    assert merged(above, below) == ("same", ["text-tiles-merged"])


@pytest.mark.parametrize("reading", ["wnole", "whole", "ııı", "-"])
def test_a_word_cut_by_the_border_gives_way_to_its_whole_reading(reading: str) -> None:
    cut = Word(text=reading, bbox=(0, 95, 40, 100), confidence=1.0)
    assert merged(content([cut]), content([word("whole", 0, 95)])) == ("whole", ["text-tiles-merged"])
    cut = Word(text=reading, bbox=(0, 70, 40, 74), confidence=1.0)
    assert merged(content([word("whole", 0, 64)]), content([cut])) == ("whole", ["text-tiles-merged"])


def test_a_cut_line_read_as_one_word_gives_way_to_the_words_of_the_line() -> None:
    sliver = Word(text="iiiiii", bbox=(0, 97, 150, 100))
    whole = [word("three", 0, 96), word("whole", 50, 96), word("words", 100, 96)]
    assert merged(content([word("top", 0, 10)], [sliver]), content(whole))[0] == "top\nthree whole words"


def test_a_cut_word_that_the_other_tile_did_not_read_stays() -> None:
    cut = Word(text="only", bbox=(0, 95, 40, 100))
    assert merged(content([cut]), content([word("else", 100, 95)])) == ("only\nelse", [])


def test_two_readings_of_one_word_are_told_and_the_surer_stays() -> None:
    above, below = content([word("modem", 0, 80, sure=0.4)]), content([word("modern", 0, 80, sure=0.8)])
    assert merged(above, below) == ("modern", ["text-tiles-merged", "text-tiles-differ"])
    assert merged(below, above) == ("modern", ["text-tiles-merged", "text-tiles-differ"])


def test_a_word_joins_the_line_that_only_one_tile_has_read_in_full() -> None:
    ones = [word("one", 0, 80), word("four", 150, 80)]
    others = [word("two", 50, 80), word("three", 100, 80), word("four", 150, 80)]
    assert merged(content(ones), content(others))[0] == "one two three four"
    arabic = [word("אחד", 150, 80), word("ארבע", 0, 80)]
    others = [word("שתיים", 100, 80), word("שלוש", 50, 80), word("ארבע", 0, 80)]
    assert merged(content(arabic), content(others))[0] == "אחד שתיים שלוש ארבע"


def test_words_that_one_tile_read_together_are_no_second_reading() -> None:
    both = [Word(text="New York", bbox=(0, 80, 90, 90))]
    parts = [word("New", 0, 80), word("York", 50, 80)]
    assert merged(content(both), content(parts))[0] == "New York"
    assert merged(content(parts), content(both))[0] == "New York"


def test_the_same_word_at_another_place_is_another_word() -> None:
    above, below = content([word("the", 0, 75)]), content([word("the", 0, 88)], [word("the", 50, 75)])
    assert merged(above, below) == ("the\nthe\nthe", [])


def test_words_without_boxes_and_tiles_without_overlap_are_left_alone() -> None:
    bare = TextContent(text="same", lines=[line_from_words([Word(text="same")])])
    assert merged(bare, bare) == ("same\nsame", [])
    line = content([word("same", 0, 80)])
    found, issues = merge_tiles([line, line], [UPPER, (0.0, 100.0, 200.0, 200.0)])
    assert (found.lines, issues) == ([*line.lines, *line.lines], [])


def test_columns_are_read_on_where_the_upper_tile_ends() -> None:
    """What follows a line in the lower tile follows it, before the next column of the upper one."""
    above = content(
        [word("left", 0, 10)], [word("on", 0, 80)], [word("right", 100, 10)], [word("up", 100, 80)]
    )
    below = content(
        [word("on", 0, 80)], [word("down", 0, 110)], [word("up", 100, 80)], [word("end", 100, 110)]
    )
    assert merged(above, below)[0] == "left\non\ndown\nright\nup\nend"


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[list[Word]], list[BBox]]:
    """Lines of words that do not touch, and tiles that share more than the highest word."""
    y, lines = draw(st.floats(0, 8)), []
    for _ in range(draw(st.integers(1, 9))):
        x, line = draw(st.floats(0, 20)), []
        for _ in range(draw(st.integers(1, 4))):
            wide, high = draw(st.floats(8, 40)), draw(st.floats(7, 11))
            text = draw(st.sampled_from(["the", "a", "an", "and", "word", "שלום", "12", "<", "end."]))
            line.append(word(text, x, y + draw(st.floats(0, 2)), wide=wide, high=high))
            x += wide + draw(st.floats(3, 12))
        lines.append(line)
        y += draw(st.floats(14, 20))
    step = draw(st.floats(25, 60))
    tops = [step * index for index in range(int(y // step) + 1)]
    return lines, [(0.0, top, 400.0, top + step + 20) for top in tops]


@given(pages(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_no_word_is_doubled_or_lost(page: tuple[list[list[Word]], list[BBox]], rng) -> None:  # type: ignore[no-untyped-def]
    lines, tiles = page

    def shown(one: Word, tile: BBox) -> Word | None:
        """A word as one tile shows it: a cut one is read wrong, or not at all."""
        assert one.bbox is not None
        x0, y0, x1, y1 = one.bbox
        if y1 <= tile[1] or y0 >= tile[3]:
            return None
        if tile[1] <= y0 and y1 <= tile[3]:
            off = [rng.uniform(-0.4, 0.4) for _ in range(4)]
            return one.model_copy(update={"bbox": (x0 + off[0], y0 + off[1], x1 + off[2], y1 + off[3])})
        text = rng.choice([None, one.text, one.text[:1], "ııı"])
        box = (x0, max(y0, tile[1]), x1, min(y1, tile[3]))
        return None if text is None else Word(text=text, bbox=box)

    contents = []
    for tile in tiles:
        read = [[seen for one in line if (seen := shown(one, tile)) is not None] for line in lines]
        contents.append(content(*[line for line in read if line]))
    found, _ = merge_tiles(contents, tiles)
    assert Counter(one.text for line in found.lines for one in line.words) == Counter(
        one.text for line in lines for one in line
    )
