"""The PDF's own words and the table finder, weighed against the model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pytest

from docai.contents import Cell, TableContent, TextContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.parsers.table import parse_table
from docai.pipelines.crops.crop import Crop, make_crop
from docai.pipelines.evidence import panel
from docai.pipelines.evidence.base import Case, Statement, Weighed
from docai.pipelines.evidence.panel import hear
from docai.pipelines.evidence.text_layer import fill_cells, unread_table, weigh_table, weigh_text
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.pipelines.recognition.answer import Answer, region_answer
from docai.pipelines.words import agreement, plain
from docai.records import FinishReason

BOX: BBox = (50, 50, 290, 140)
"""The table of :func:`page`: three rows and columns of 80 x 30 points."""
TEXTS = [[f"r{row}c{col}" for col in range(3)] for row in range(3)]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    import pymupdf

    with pymupdf.open() as document:
        sheet = document.new_page(width=400, height=300)
        for i in range(4):
            sheet.draw_line((50, 50 + 30 * i), (290, 50 + 30 * i))
            sheet.draw_line((50 + 80 * i, 50), (50 + 80 * i, 140))
        for row, texts in enumerate(TEXTS):
            for col, text in enumerate(texts):
                sheet.insert_text((60 + 80 * col, 70 + 30 * row), text, fontsize=11)
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as opened:
        yield opened


def _html(crop: Crop | None = None, texts: list[list[str]] = TEXTS, shift: float = 0.0) -> str:
    """The table as a model writes it, with boxes where there is a crop, ``shift`` points too low."""
    rows = []
    for row, line in enumerate(texts):
        cells = []
        for col, text in enumerate(line):
            coords = ""
            if crop is not None:
                x, y = 55 + 80 * col, 55 + 30 * row + shift
                bins = crop.transform.to_loc((x, y, x + 60, y + 20))
                coords = ' coords="' + "".join(f"<loc{value:04d}>" for value in bins) + '"'
            cells.append(f"<td{coords}>{text}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><thead>{rows[0]}</thead><tbody>{''.join(rows[1:])}</tbody></table>"


def _answer(page: Page, text: str, finish: FinishReason = "stop", head: str = "table") -> Answer:
    return region_answer(HEADS[head], [make_crop(page, BOX)], [Generation(text, finish)])


def _found(page: Page) -> Statement:
    return hear(panel.TableFinder(), Case(page, BOX, page.words()))


def _weigh(page: Page, text: str, *, prefer: bool = True, finish: FinishReason = "stop") -> Weighed:
    return weigh_table(_answer(page, text, finish), page.words(), _found(page), prefer_words=prefer)


def _texts(weighed: Weighed) -> list[str]:
    assert isinstance(weighed.content, TableContent)
    return [cell.text for cell in weighed.content.cells]


def _codes(weighed: Weighed) -> list[str]:
    return [issue.code for issue in weighed.issues]


ALL = [text for line in TEXTS for text in line]


def test_a_right_table_is_confirmed_by_both_witnesses(page: Page) -> None:
    weighed = _weigh(page, _html(make_crop(page, BOX)))
    assert _texts(weighed) == ALL
    assert weighed.evidence == ("model", "text-layer", "table-finder")
    assert weighed.confidence.value == 1.0
    assert "word F1" in weighed.confidence.method
    assert not weighed.issues
    assert not weighed.alternatives
    assert not weighed.repaired


def test_misread_cells_are_corrected_from_the_words_in_their_boxes(page: Page) -> None:
    texts = [["r0c0", "rOc1", "r0c2"], TEXTS[1], ["r2c0", "r2c1", "???"]]
    weighed = _weigh(page, _html(make_crop(page, BOX), texts))
    assert _texts(weighed) == ALL
    assert _codes(weighed) == ["table-cells-corrected"]
    assert "2 of 9 cells" in weighed.issues[0].message
    assert "'r0c1' for 'rOc1'" in weighed.issues[0].message
    assert weighed.repaired
    assert isinstance(weighed.content, TableContent)
    assert parse_table(weighed.content.html).content.n_rows == 3
    assert "r0c1" in weighed.content.html


def test_a_corrected_cell_has_no_longer_the_confidence_of_what_the_model_read(page: Page) -> None:
    misread = [[text.replace("r1c1", "r1cl") for text in line] for line in TEXTS]
    text = _html(make_crop(page, BOX), misread)
    tokens = re.findall(r"<loc\d{4}>|.", text)
    generation = Generation(text, "stop", tuple(tokens), (-0.5,) * len(tokens))
    answer = region_answer(HEADS["table"], [make_crop(page, BOX)], [generation])
    weighed = weigh_table(answer, page.words(), _found(page), prefer_words=True)
    assert isinstance(weighed.content, TableContent)
    sure = {cell.text: cell.confidence for cell in weighed.content.cells}
    assert sure.pop("r1c1") is None
    assert list(sure.values()) == pytest.approx([math.exp(-0.5)] * 8)
    assert weighed.confidence.parts.startswith("geometric mean")


def test_verify_keeps_the_models_text_and_says_what_differs(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "find_table", lambda *_: None)
    texts = [["r0c0", "rOc1", "r0c2"], *TEXTS[1:]]
    weighed = _weigh(page, _html(make_crop(page, BOX), texts), prefer=False)
    assert _texts(weighed)[1] == "rOc1"
    assert "table-cells-differ" in _codes(weighed)
    assert "table-words-disagree" in _codes(weighed)
    text_layer = [other for other in weighed.alternatives if other.source == "text-layer"]
    assert "r0c1" in text_layer[0].content
    assert not weighed.repaired


def test_verify_does_not_fill_the_cells_before_it_weighs_them(page: Page) -> None:
    texts = [["r0c0", "rOc1", "rOc2"], *TEXTS[1:]]
    weighed = _weigh(page, _html(make_crop(page, BOX), texts), prefer=False)
    assert _texts(weighed) == ALL
    assert weighed.evidence == ("text-layer", "table-finder")
    assert "'rOc1', 'rOc2'" in weighed.issues[0].message


def test_one_wrong_word_without_a_box_is_an_issue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "find_table", lambda *_: None)
    texts = [*TEXTS[:2], ["r2c0", "r2c1", "9"]]
    weighed = _weigh(page, _html(texts=texts))
    assert "table-words-disagree" in _codes(weighed)
    message = next(issue.message for issue in weighed.issues if issue.code == "table-words-disagree")
    assert "'r2c2'" in message
    assert "'9'" in message


def test_the_finder_is_believed_where_the_model_made_things_up(page: Page) -> None:
    raw = _html(texts=[["foo", "bar", "baz"]] * 3)
    weighed = _weigh(page, raw)
    assert _texts(weighed) == ALL
    assert weighed.evidence == ("text-layer", "table-finder")
    assert _codes(weighed) == ["table-from-finder"]
    assert [(other.source, "foo" in other.content) for other in weighed.alternatives] == [("model", True)]
    assert "0%" in weighed.alternatives[0].reason
    assert weighed.repaired


@pytest.mark.parametrize("finish", ["length", "loop"])
def test_an_unfinished_answer_is_not_believed_over_the_finder(page: Page, finish: FinishReason) -> None:
    weighed = _weigh(page, _html(make_crop(page, BOX)), finish=finish)
    assert "model" not in weighed.evidence
    assert "incomplete" in weighed.alternatives[0].reason


def test_grids_that_differ_are_kept_side_by_side(page: Page) -> None:
    two_columns = [[f"{a} {b}", c] for a, b, c in TEXTS]
    weighed = _weigh(page, _html(texts=two_columns))
    assert isinstance(weighed.content, TableContent)
    assert (weighed.content.n_rows, weighed.content.n_cols) == (3, 2)
    assert _codes(weighed) == ["table-grids-differ"]
    assert "3 x 2" in weighed.issues[0].message
    assert "3 x 3" in weighed.issues[0].message
    assert [other.source for other in weighed.alternatives] == ["table-finder"]
    assert weighed.evidence == ("model", "text-layer")


def test_one_box_around_everything_does_not_swallow_the_table(page: Page) -> None:
    raw = '<table><tr><td coords="<loc0000><loc0000><loc1023><loc1023>">x</td></tr></table>'
    weighed = _weigh(page, raw)
    assert _texts(weighed) == ALL
    assert "model" not in weighed.evidence


def test_without_a_finder_the_model_stands_with_its_doubts(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "find_table", lambda *_: None)
    weighed = _weigh(page, _html(texts=[["foo", "bar"]]))
    assert _texts(weighed) == ["foo", "bar"]
    assert [(issue.code, issue.severity) for issue in weighed.issues] == [("table-words-disagree", "error")]
    assert weighed.evidence == ("model",)
    assert weighed.confidence.value == 0.0


def test_where_neither_sees_a_table_that_is_an_error(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "find_table", lambda *_: None)
    weighed = _weigh(page, "no table here")
    assert [(issue.code, issue.severity) for issue in weighed.issues] == [("table-unread", "error")]


def test_a_finder_that_fails_leaves_the_models_table(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bad xref")

    monkeypatch.setattr(panel, "find_table", broken)
    weighed = _weigh(page, _html(make_crop(page, BOX)))
    assert _texts(weighed) == ALL
    assert [(issue.code, "bad xref" in issue.message) for issue in weighed.issues] == [
        ("witness-failed", True)
    ]


def test_without_words_there_is_nothing_to_weigh(page: Page) -> None:
    answer = _answer(page, _html())
    weighed = weigh_table(answer, [], None, prefer_words=True)
    assert weighed.content == answer.content
    assert weighed.evidence == ("model",)


def test_a_table_that_no_model_read_comes_from_the_finder(page: Page) -> None:
    weighed = unread_table(page.words(), _found(page))
    assert weighed is not None
    assert _texts(weighed) == ALL
    assert weighed.evidence == ("text-layer", "table-finder")


def _grid(*cells: tuple[str, BBox | None]) -> TableContent:
    return TableContent(
        n_rows=len(cells),
        n_cols=1,
        cells=[Cell(row=row, col=0, text=text, bbox=box) for row, (text, box) in enumerate(cells)],
    )


def _word(text: str, x: float, y: float, line: int = 0) -> PageWord:
    return PageWord(text, (x, y, x + 6 * len(text), y + 10), 0, line)


def _filled(content: TableContent, *words: PageWord) -> list[str]:
    return [cell.text for cell in fill_cells(content, words)[0].cells]


def test_a_cell_whose_box_holds_no_word_keeps_its_text() -> None:
    content = _grid(("one", (0, 100, 50, 110)), ("two", None), ("thre", (0, 40, 50, 52)))
    words = [_word("one", 0, 0), _word("two", 0, 20, 1), _word("three", 0, 41, 2)]
    assert _filled(content, *words) == ["one", "two", "three"]


def test_the_columns_follow_the_words_that_filled_the_cells() -> None:
    content = _grid(("1O", (0, 0, 50, 12)), ("20", None))
    filled, changes, _ = fill_cells(content, [_word("10", 0, 0), _word("20", 0, 20, 1)])
    assert len(changes) == 1
    assert [(column.kind, column.n_read) for column in filled.columns] == [("integer", 2)]


def test_a_box_that_reaches_into_the_next_row_does_not_take_its_word() -> None:
    content = _grid(("one", (0, 0, 50, 32)), ("twx", (0, 19, 50, 31)))
    words = [_word("one", 0, 0), _word("two", 0, 20, 1)]
    assert _filled(content, *words) == ["one", "two"]


def test_boxes_a_row_too_low_move_no_text() -> None:
    texts = ["one", "two", "three", "four"]
    content = _grid(*((text, (0, 20 * row + 18, 50, 20 * row + 32)) for row, text in enumerate(texts)))
    words = [_word(text, 0, 20 * row, row) for row, text in enumerate(texts)]
    filled, changes, issues = fill_cells(content, words)
    assert [cell.text for cell in filled.cells] == texts
    assert not changes
    assert [issue.code for issue in issues] == ["table-boxes-off"]


def test_a_cell_takes_all_lines_inside_its_box_in_reading_order() -> None:
    content = _grid(("fst scnd lin", (0, 0, 100, 40)))
    words = [_word("first", 0, 0), _word("line,", 40, 0), _word("second", 0, 15, 1)]
    assert _filled(content, *words) == ["first line, second"]


def test_only_what_is_seen_differently_is_a_change() -> None:
    content = _grid(("“fine” - 1", (0, 0, 200, 12)))
    words = [_word('"ﬁne"', 0, 0), _word("–", 40, 0), _word("1", 52, 0)]
    filled, changes, _ = fill_cells(content, words)
    assert not changes
    assert filled.cells[0].text == "“fine” - 1"


@pytest.mark.parametrize(
    ("found", "native", "share"),
    [
        ([], [], 1.0),
        (["a"], [], 0.0),
        ([], ["a"], 0.0),
        (["a", "b"], ["b", "a"], 1.0),
        (["a"], ["a", "a"], 2 / 3),
    ],
)
def test_agreement_is_the_f1_of_two_multisets(found: list[str], native: list[str], share: float) -> None:
    assert agreement(found, native) == pytest.approx(share)


def test_plain_dissolves_what_type_setting_adds() -> None:
    assert plain("ﬁx ‘a’—b") == "fix 'a'-b"


NATIVE = TextContent(text="one two three four five six seven eight nine ten")


def test_text_that_agrees_rests_on_both(page: Page) -> None:
    weighed = weigh_text(_answer(page, NATIVE.text, head="text"), NATIVE, believed=True)
    assert weighed.content == NATIVE
    assert weighed.evidence == ("text-layer", "model")
    assert not weighed.issues
    assert not weighed.repaired


@pytest.mark.parametrize(
    ("reading", "severity", "evidence"),
    [
        (NATIVE.text.replace("ten", "tem"), "info", ("text-layer", "model")),
        ("something else", "warning", ("text-layer",)),
    ],
)
def test_text_that_differs_is_an_issue_and_kept(
    page: Page, reading: str, severity: str, evidence: tuple[str, ...]
) -> None:
    weighed = weigh_text(_answer(page, reading, head="text"), NATIVE, believed=True)
    assert weighed.content == NATIVE
    assert [(issue.code, issue.severity) for issue in weighed.issues] == [("text-layer-disagrees", severity)]
    assert [(other.source, other.content) for other in weighed.alternatives] == [("model", reading)]
    assert weighed.evidence == evidence


def test_words_that_are_not_believed_are_kept_beside_the_reading(page: Page) -> None:
    broken = TextContent(text="\ue001\ue002")
    weighed = weigh_text(_answer(page, "as read", head="text"), broken, believed=False)
    assert isinstance(weighed.content, TextContent)
    assert weighed.content.text == "as read"
    assert [(other.source, other.content) for other in weighed.alternatives] == [
        ("text-layer", "\ue001\ue002")
    ]


def test_a_model_that_failed_contradicts_nobody(page: Page) -> None:
    weighed = weigh_text(_answer(page, "", "error", head="text"), NATIVE, believed=True)
    assert weighed.content == NATIVE
    assert weighed.evidence == ("text-layer",)
    assert not weighed.issues
