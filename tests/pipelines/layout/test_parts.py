"""The small pieces of layout."""

import pytest

from docai.geometry import TurnedFrame, iou, join_touching, share_inside, union
from docai.pipelines.ingest import PageWord
from docai.pipelines.layout import text_layer_quality
from docai.pipelines.layout.order import lines_of, reading_order
from docai.pipelines.layout.types import RegionCandidate, WordBox


def found(*boxes, label: str = "text") -> list[RegionCandidate]:
    return [RegionCandidate("text", box, 1.0, [], label=label) for box in boxes]


@pytest.mark.parametrize("turn", range(4))
def test_frame_goes_there_and_back(turn: int) -> None:
    frame = TurnedFrame(600, 800, turn)
    box = (10.0, 20.0, 110.0, 60.0)
    width, height = frame.size
    inside = frame.from_page(box)
    assert 0 <= inside[0] < inside[2] <= width
    assert 0 <= inside[1] < inside[3] <= height
    assert frame.to_page(inside) == pytest.approx(box)


def test_reading_order_of_title_columns_and_footer() -> None:
    title, left, left2, right, right2 = found(
        (50, 50, 550, 80),
        (50, 100, 290, 300),
        (50, 310, 290, 500),
        (310, 100, 550, 200),
        (310, 230, 550, 500),
    )
    (foot,) = found((50, 780, 550, 790), label="page-footer")
    shuffled = [foot, right2, left2, title, right, left]
    assert reading_order(shuffled) == [title, left, left2, right, right2, foot]


def test_wide_block_between_columns_parts_them() -> None:
    a, b, wide, c, d = found(
        (50, 50, 290, 200),
        (310, 50, 550, 200),
        (50, 220, 550, 300),
        (50, 320, 290, 500),
        (310, 320, 550, 500),
    )
    assert reading_order([d, c, wide, b, a]) == [a, b, wide, c, d]


def test_lines_join_what_the_file_wrote_apart() -> None:
    items = [
        WordBox((60, 10, 90, 20), (0, 1), 3),
        WordBox((10, 10, 50, 20), (0, 0), 3),
        WordBox((10, 24, 50, 34), (0, 2), 3),
    ]
    assert lines_of([0, 1, 2], items) == [[1, 0], [2]]


def test_right_to_left_lines_keep_the_order_of_the_file() -> None:
    items = [WordBox((60, 10, 90, 20), (0, 0), 3), WordBox((10, 10, 50, 20), (0, 0), 3)]
    assert lines_of([0, 1], items, ["שלום", "עולם"]) == [[0, 1]]
    assert lines_of([0, 1], items, ["world", "hello"]) == [[1, 0]]


def test_boxes() -> None:
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert share_inside((0, 0, 2, 2), (1, 0, 9, 9)) == pytest.approx(0.5)
    assert union([(0, 5, 1, 6), (3, 1, 4, 2)]) == (0, 1, 4, 6)
    # The third box touches the first two only once they are one.
    assert join_touching([(0, 0, 1, 1), (2, 2, 3, 3), (1, 0, 2.5, 2)], 0.1) == [(0, 0, 3, 3)]


def _words(*texts: str) -> list[PageWord]:
    return [PageWord(text, (0.0, 0.0, 1.0, 1.0), 0, 0) for text in texts]


def test_text_layer_quality() -> None:
    assert text_layer_quality([]) == 1.0
    assert text_layer_quality(_words("Größe", "naïve", "価格", "Ãgua")) > 0.9
    assert text_layer_quality(_words("\ue001\ue002\ue003", "\ue004")) == 0.0
    assert text_layer_quality(_words("fÃ¼r", "GrÃ¶ÃŸe")) < 0.7
    assert text_layer_quality(_words("ورحمة", "الـPDF", "שלום")) == 1.0
    assert text_layer_quality(_words("اǄسǂ", "عǁيكم")) == pytest.approx(6 / 9)
    assert text_layer_quality(_words("fine", "\ufffd\ufffd\ufffd\ufffd")) == pytest.approx(0.5)
