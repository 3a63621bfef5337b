"""The PDF's own words and the table finder beside the model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from docai.contents import Cell, TableContent, TextContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.parsers.table import parse_table
from docai.pipelines.crops.crop import Crop, make_crop
from docai.pipelines.evidence import table_decision
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Decision, ReaderInput, Reading
from docai.pipelines.evidence.readers import ask
from docai.pipelines.evidence.table_decision import TableFinder, fill_cells
from docai.pipelines.evidence.trust import contradicted
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.pipelines.recognition.answer import region_reading
from docai.pipelines.words import agreement, plain
from docai.records import Confidence, FinishReason

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


def _answer(page: Page, text: str, finish: FinishReason = "stop", head: str = "table") -> Reading:
    return region_reading(HEADS[head], [make_crop(page, BOX)], [Generation(text, finish)])


def _found(page: Page) -> Reading:
    return ask(TableFinder(), ReaderInput(page, BOX, page.words()))


def _decide(page: Page, text: str, *, prefer: bool = True, finish: FinishReason = "stop") -> Decision:
    return _table(_answer(page, text, finish), page, prefer=prefer)


def _table(model: Reading, page: Page, *, prefer: bool = True) -> Decision:
    decision = decide("table", model, [_found(page)], words=page.words(), prefer_words=prefer)
    assert decision is not None
    return decision


def _text(model: Reading, native: TextContent, *, believed: bool) -> Decision:
    decision = decide("text", model, [Reading("text-layer", native, native.text, complete=believed)])
    assert decision is not None
    return decision


def _texts(decision: Decision) -> list[str]:
    assert isinstance(decision.content, TableContent)
    return [cell.text for cell in decision.content.cells]


def _codes(decision: Decision) -> list[str]:
    return [issue.code for issue in decision.issues]


ALL = [text for line in TEXTS for text in line]


def test_a_right_table_is_confirmed_by_both_readers(page: Page) -> None:
    decision = _decide(page, _html(make_crop(page, BOX)))
    assert _texts(decision) == ALL
    assert decision.evidence == ("model", "text-layer", "table-finder")
    assert (decision.confidence.value or 0) > 0.95
    assert "raised by the same grid" in decision.confidence.method
    assert "word F1" in decision.confidence.method
    assert not decision.issues
    assert not decision.alternatives
    assert not decision.repaired


def test_misread_cells_are_corrected_from_the_words_in_their_boxes(page: Page) -> None:
    texts = [["r0c0", "rOc1", "r0c2"], TEXTS[1], ["r2c0", "r2c1", "???"]]
    decision = _decide(page, _html(make_crop(page, BOX), texts))
    assert _texts(decision) == ALL
    assert _codes(decision) == ["table-cells-corrected"]
    assert "2 of 9 cells" in decision.issues[0].message
    assert "'r0c1' for 'rOc1'" in decision.issues[0].message
    assert decision.repaired
    assert isinstance(decision.content, TableContent)
    assert parse_table(decision.content.html).content.n_rows == 3
    assert "r0c1" in decision.content.html


def test_a_corrected_cell_has_no_longer_the_confidence_of_what_the_model_read(page: Page) -> None:
    misread = [[text.replace("r1c1", "r1cl") for text in line] for line in TEXTS]
    text = _html(make_crop(page, BOX), misread)
    tokens = re.findall(r"<loc\d{4}>|.", text)
    generation = Generation(text, "stop", tuple(tokens), (-0.5,) * len(tokens))
    answer = region_reading(HEADS["table"], [make_crop(page, BOX)], [generation])
    decision = _table(answer, page)
    assert isinstance(decision.content, TableContent)
    sure = {cell.text: cell.confidence for cell in decision.content.cells}
    assert sure.pop("r1c1") is None
    assert list(sure.values()) == pytest.approx([math.exp(-0.5)] * 8)
    assert decision.confidence.parts.startswith("geometric mean")


def test_verify_keeps_the_models_text_and_says_what_differs(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_decision, "find_table", lambda *_: None)
    texts = [["r0c0", "rOc1", "r0c2"], *TEXTS[1:]]
    decision = _decide(page, _html(make_crop(page, BOX), texts), prefer=False)
    assert _texts(decision)[1] == "rOc1"
    assert "table-cells-differ" in _codes(decision)
    assert "table-words-disagree" in _codes(decision)
    words = [other for other in decision.alternatives if other.source == "text-layer"]
    assert "r0c1" in words[0].content
    assert not decision.repaired


def test_verify_does_not_fill_the_cells_before_it_compares_them(page: Page) -> None:
    texts = [["r0c0", "rOc1", "rOc2"], *TEXTS[1:]]
    decision = _decide(page, _html(make_crop(page, BOX), texts), prefer=False)
    assert _texts(decision) == ALL
    assert decision.evidence == ("text-layer", "table-finder")
    assert "'rOc1', 'rOc2'" in decision.issues[0].message


def test_verify_keeps_a_misread_word_in_a_grid_that_both_see(
    monkeypatch: pytest.MonkeyPatch, page: Page
) -> None:
    monkeypatch.setattr(table_decision, "MIN_AGREEMENT", 0.8)
    texts = [["r0c0", "rOc1", "r0c2"], *TEXTS[1:]]
    decision = _decide(page, _html(make_crop(page, BOX), texts), prefer=False)
    assert _texts(decision)[1] == "rOc1"
    assert "model" in decision.evidence
    assert "table-cells-differ" in _codes(decision)
    assert "table-from-finder" not in _codes(decision)


def test_one_wrong_word_without_a_box_is_an_issue(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_decision, "find_table", lambda *_: None)
    texts = [*TEXTS[:2], ["r2c0", "r2c1", "9"]]
    decision = _decide(page, _html(texts=texts))
    assert "table-words-disagree" in _codes(decision)
    message = next(issue.message for issue in decision.issues if issue.code == "table-words-disagree")
    assert "'r2c2'" in message
    assert "'9'" in message


def test_the_finder_is_believed_where_the_model_made_things_up(page: Page) -> None:
    raw = _html(texts=[["foo", "bar", "baz"]] * 3)
    decision = _decide(page, raw)
    assert _texts(decision) == ALL
    assert decision.evidence == ("text-layer", "table-finder")
    assert _codes(decision) == ["table-from-finder"]
    assert [(other.source, "foo" in other.content) for other in decision.alternatives] == [("model", True)]
    assert "0%" in decision.alternatives[0].reason
    assert decision.repaired


@pytest.mark.parametrize("finish", ["length", "loop"])
def test_an_unfinished_answer_is_not_believed_over_the_finder(page: Page, finish: FinishReason) -> None:
    decision = _decide(page, _html(make_crop(page, BOX)), finish=finish)
    assert "model" not in decision.evidence
    assert "incomplete" in decision.alternatives[0].reason


TWO_COLUMNS = [[f"{a} {b}", c] for a, b, c in TEXTS]


def test_a_grid_that_the_rules_make_sure_is_believed_over_another_of_the_model(page: Page) -> None:
    decision = _decide(page, _html(texts=TWO_COLUMNS))
    assert _texts(decision) == ALL
    assert decision.evidence == ("text-layer", "table-finder")
    assert _codes(decision) == ["table-from-finder"]
    assert [other.source for other in decision.alternatives] == ["model"]
    assert "rules, lanes and lines speak for its own grid by 0." in decision.alternatives[0].reason


def test_a_model_that_knows_itself_surer_is_believed_and_both_grids_are_kept(page: Page) -> None:
    model = replace(_answer(page, _html(texts=TWO_COLUMNS)), is_calibrated=True)
    decision = _table(replace(model, confidence=Confidence(value=0.99, method="tokens")), page)
    assert isinstance(decision.content, TableContent)
    assert (decision.content.n_rows, decision.content.n_cols) == (3, 2)
    assert _codes(decision) == ["table-grids-differ"]
    assert "3 x 2" in decision.issues[0].message
    assert "3 x 3" in decision.issues[0].message
    assert [other.source for other in decision.alternatives] == ["table-finder"]
    assert decision.evidence == ("model", "text-layer")


def test_a_finder_in_doubt_leaves_the_models_grid_and_its_confidence_lower(page: Page) -> None:
    doubtful = replace(_found(page), confidence=Confidence(value=0.4, method="structure"))
    decision = decide("table", _answer(page, _html(texts=TWO_COLUMNS)), [doubtful], words=page.words())
    assert decision is not None
    assert "model" in decision.evidence
    assert _codes(decision) == ["table-grids-differ"]
    assert decision.confidence.value == pytest.approx(contradicted(0.5, 0.4))


def test_one_box_around_everything_does_not_swallow_the_table(page: Page) -> None:
    raw = '<table><tr><td coords="<loc0000><loc0000><loc1023><loc1023>">x</td></tr></table>'
    decision = _decide(page, raw)
    assert _texts(decision) == ALL
    assert "model" not in decision.evidence


def test_without_a_finder_the_model_stands_with_its_doubts(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_decision, "find_table", lambda *_: None)
    decision = _decide(page, _html(texts=[[*ALL, "foo", "bar"]]))
    assert _texts(decision) == [*ALL, "foo", "bar"]
    assert [issue.code for issue in decision.issues] == ["table-words-disagree"]
    assert "table-finder" not in decision.evidence
    assert 0.5 < (decision.confidence.value or 0) < 1


@pytest.mark.parametrize("raw", ["no table here", _html(texts=[["foo", "bar"]])])
def test_words_that_nobody_puts_into_a_grid_are_kept_by_their_lines(
    raw: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_decision, "find_table", lambda *_: None)
    decision = _decide(page, raw)
    assert " ".join(_texts(decision)).split() == " ".join(ALL).split()
    assert [(issue.code, issue.severity) for issue in decision.issues] == [("table-lines-only", "error")]
    assert decision.evidence == ("text-layer",)
    assert decision.confidence.value == 0
    assert [one.source for one in decision.alternatives] == (["model"] if "foo" in raw else [])


def test_a_finder_that_fails_leaves_the_models_table(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bad xref")

    monkeypatch.setattr(table_decision, "find_table", broken)
    decision = _decide(page, _html(make_crop(page, BOX)))
    assert _texts(decision) == ALL
    assert [(issue.code, "bad xref" in issue.message) for issue in decision.issues] == [
        ("witness-failed", True)
    ]


def test_without_words_there_is_nothing_to_decide(page: Page) -> None:
    answer = _answer(page, _html())
    decision = decide("table", answer, [])
    assert decision is not None
    assert decision.content == answer.content
    assert decision.evidence == ("model",)


def test_a_table_that_no_model_read_comes_from_the_finder(page: Page) -> None:
    decision = decide("table", None, [_found(page)], words=page.words())
    assert decision is not None
    assert _texts(decision) == ALL
    assert decision.evidence == ("text-layer", "table-finder")


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
    decision = _text(_answer(page, NATIVE.text, head="text"), NATIVE, believed=True)
    assert decision.content == NATIVE
    assert decision.evidence == ("text-layer", "model")
    assert not decision.issues
    assert not decision.repaired


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
    decision = _text(_answer(page, reading, head="text"), NATIVE, believed=True)
    assert decision.content == NATIVE
    assert [(issue.code, issue.severity) for issue in decision.issues] == [("text-layer-disagrees", severity)]
    assert [(other.source, other.content) for other in decision.alternatives] == [("model", reading)]
    assert decision.evidence == evidence


def test_words_that_are_not_believed_are_kept_beside_the_reading(page: Page) -> None:
    broken = TextContent(text="\ue001\ue002")
    decision = _text(_answer(page, "as read", head="text"), broken, believed=False)
    assert isinstance(decision.content, TextContent)
    assert decision.content.text == "as read"
    assert [(other.source, other.content) for other in decision.alternatives] == [
        ("text-layer", "\ue001\ue002")
    ]


def test_a_model_that_failed_contradicts_nobody(page: Page) -> None:
    decision = _text(_answer(page, "", "error", head="text"), NATIVE, believed=True)
    assert decision.content == NATIVE
    assert decision.evidence == ("text-layer",)
    assert not decision.issues
