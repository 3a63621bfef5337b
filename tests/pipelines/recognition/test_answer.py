"""From the answers to a region's crops to its content."""

from __future__ import annotations

import math

import pytest

from docai.contents import MoleculeContent, TableContent, TextContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.pipelines.crops.crop import Crop, make_crop
from docai.pipelines.ingest import open_source
from docai.pipelines.recognition.answer import TILE_SEPARATOR, region_reading, storable, worst_finish
from docai.pipelines.recognition.confidence import answer_confidence
from docai.records import FinishReason


@pytest.fixture(scope="module")
def crops(make_pdf: object) -> list[Crop]:
    """Two tiles, one below the other, of different scale."""
    with open_source(make_pdf(), limits=Limits()) as source, source.page(1) as page:  # type: ignore[operator]
        return [make_crop(page, (20, 20, 120, 60)), make_crop(page, (20, 60, 220, 160))]


def _word(crop: Crop, box: BBox, text: str) -> str:
    return "".join(f"<loc{value:04d}>" for value in crop.transform.to_loc(box)) + f" {text}"


def test_boxes_come_out_on_the_page_tile_by_tile(crops: list[Crop]) -> None:
    boxes: list[BBox] = [(30, 30, 60, 42), (100, 100, 150, 112)]
    texts = [_word(crop, box, text) for crop, box, text in zip(crops, boxes, ("a", "b"), strict=True)]
    answer = region_reading(HEADS["text"], crops, [Generation(text, "stop") for text in texts])
    assert isinstance(answer.content, TextContent)
    assert answer.content.text == "a\nb"
    for line, box in zip(answer.content.lines, boxes, strict=True):
        assert line.bbox == pytest.approx(box, abs=0.3)
        assert line.words[0].bbox == pytest.approx(box, abs=0.3)
    assert answer.text == TILE_SEPARATOR.join(texts)


def test_every_box_of_a_table_is_moved_and_none_is_made_up() -> None:
    parsed = HEADS["table"].parser(
        '<table><tr><td coords="<loc0000><loc0000><loc1023><loc1023>">a</td><td>b</td></tr></table>'
    )
    moved = parsed.content.map_boxes(lambda box: (box[0] + 5, box[1] + 5, box[2] + 5, box[3] + 5))
    assert isinstance(moved, TableContent)
    assert [cell.bbox for cell in moved.cells] == [(5, 5, 6, 6), None]


def test_a_box_outside_of_the_page_is_cut_to_it_or_left_out(crops: list[Crop]) -> None:
    crop = crops[0]
    x1 = crop.shown[2]
    texts = [
        _word(crop, (30, 30, 60, 42), "in"),
        _word(crop, (x1 - 20, 30, x1 + 30, 42), "part"),
        "<loc0000><loc0000><loc0004><loc0100> out",
    ]
    answer = region_reading(HEADS["text"], crops[:1], [Generation(" ; ".join(texts), "stop")])
    assert isinstance(answer.content, TextContent)
    [line] = answer.content.lines
    inside, part, out = line.words
    assert (inside.text, part.text, out.text) == ("in", "part", "out")
    assert inside.bbox == pytest.approx((30, 30, 60, 42), abs=0.3)
    assert part.bbox == pytest.approx((x1 - 20, 30, x1, 42), abs=0.3)
    assert out.bbox is None
    assert line.bbox == pytest.approx((30, 30, x1, 42), abs=0.3)
    assert [issue.code for issue in answer.issues] == ["model-box-outside"]
    assert answer.repaired


def test_words_in_two_overlapping_tiles_are_read_once(make_pdf: object) -> None:
    boxes: dict[str, BBox] = {"top": (30, 30, 60, 42), "both": (30, 50, 60, 58), "end": (30, 90, 60, 102)}
    with open_source(make_pdf(), limits=Limits()) as source, source.page(1) as page:  # type: ignore[operator]
        tiles = [make_crop(page, (20, 20, 120, 70)), make_crop(page, (20, 45, 220, 160))]
    texts = [
        "\n".join(_word(crop, boxes[text], text) for text in shown)
        for crop, shown in zip(tiles, (("top", "both"), ("both", "end")), strict=True)
    ]
    answer = region_reading(HEADS["text"], tiles, [Generation(text, "stop") for text in texts])
    assert isinstance(answer.content, TextContent)
    assert answer.content.text == "top\nboth\nend"
    assert [issue.code for issue in answer.issues] == ["text-tiles-merged"]
    assert answer.text == TILE_SEPARATOR.join(texts)


def test_tokens_add_up_and_the_worst_finish_counts(crops: list[Crop]) -> None:
    generations = [
        Generation("CC", "stop", ("C", "C"), (-0.1, -0.3), "nano@1"),
        Generation("C", "length", ("C",), (-0.2,), "nano@1"),
    ]
    answer = region_reading(HEADS["text"], crops, generations)
    assert answer.n_tokens == 3
    assert answer.finish_reason == "length"
    assert answer.checkpoint == "nano@1"
    assert not answer.complete
    cut = [issue for issue in answer.issues if issue.code == "model-output-cut"]
    assert cut[0].message.startswith("Tile 2 of 2: ")


def test_a_blank_tile_takes_nothing_from_the_others(crops: list[Crop]) -> None:
    generations = [Generation("", "blank"), Generation("word", "stop", checkpoint="nano@1")]
    answer = region_reading(HEADS["text"], crops, generations)
    assert isinstance(answer.content, TextContent)
    assert answer.content.text == "word"
    assert answer.checkpoint == "nano@1"
    assert answer.finish_reason == "stop"
    assert [issue.code for issue in answer.issues] == ["model-blank-crop", "text-no-boxes"]


@pytest.mark.parametrize(
    ("finish", "code"),
    [("blank", "model-blank-crop"), ("error", "model-failed"), ("deadline", "model-output-cut")],
)
@pytest.mark.parametrize("head", HEADS)
def test_what_was_not_read_is_not_parsed(
    crops: list[Crop], head: str, finish: FinishReason, code: str
) -> None:
    answer = region_reading(HEADS[head], crops[:1], [Generation("", finish, error="Out of memory.")])
    assert [issue.code for issue in answer.issues] == [code]
    assert "Out of memory." in answer.issues[0].message
    assert answer.checkpoint is None
    assert answer.prompt == HEADS[head].prompt
    assert not answer.complete


def test_a_loop_is_an_error_and_keeps_what_was_read(crops: list[Crop]) -> None:
    answer = region_reading(HEADS["molecule"], crops[:1], [Generation("CCCC", "loop", ("CCCC",), (-0.01,))])
    assert isinstance(answer.content, MoleculeContent)
    assert answer.content.smiles == "CCCC"
    assert [(issue.code, issue.severity) for issue in answer.issues] == [("model-output-loop", "error")]
    assert answer.confidence.value == 0.0
    assert "incomplete" in answer.confidence.method


def test_confidence_is_the_geometric_mean() -> None:
    generations = [Generation("ab", "stop", ("a", "b"), (math.log(0.9), math.log(0.4)))]
    confidence = answer_confidence(generations, ())
    assert confidence.value == pytest.approx(0.6)
    assert confidence.method.startswith("geometric mean")


@pytest.mark.parametrize(
    ("logprobs", "value"), [((), None), ((float("nan"),), None), ((-math.inf,), 0.0), ((0.5,), 1.0)]
)
def test_odd_log_probabilities_give_no_odd_confidence(
    logprobs: tuple[float, ...], value: float | None
) -> None:
    assert answer_confidence([Generation("a", "stop", ("a",), logprobs)], ()).value == value


def test_worst_finish() -> None:
    assert worst_finish(["stop", "blank"]) == "stop"
    assert worst_finish(["loop", "error", "length"]) == "error"


def test_lone_surrogates_cannot_be_stored() -> None:
    assert storable("a\ud800b") == "a\ufffdb"
    assert storable("\U0001f600 ü") == "\U0001f600 ü"


def test_one_answer_for_each_crop(crops: list[Crop]) -> None:
    with pytest.raises(ValueError, match="zip"):
        region_reading(HEADS["text"], crops, [Generation("a", "stop")])
