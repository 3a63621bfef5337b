"""The task ``table``: which answer belongs to which table, and what each case gives to the measures."""

from __future__ import annotations

import sys

import pytest

from docai.contents import Cell
from docai.errors import MissingDependencyError
from docai.geometry import BBox
from docai.pipelines.evaluation.base import Belief, CaseScore, Item, Prediction, Ratio, Sample
from docai.pipelines.evaluation.metrics.tables import TABLE, TablePair, pair_tables, score_tables, table_html

HTML = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
ONE = "<table><tr><td>x</td></tr></table>"
TEDS = ("teds", "s-teds", "teds-canonical", "s-teds-canonical")
GRITS = ("grits-top", "grits-con", "grits-top-macro", "grits-con-macro")


def table(text: str = HTML, bbox: BBox | None = None, page: int = 1, confidence: float | None = None) -> Item:
    return Item(kind="table", text=text, bbox=bbox, page=page, confidence=confidence)


def box(x: float, width: float = 10) -> BBox:
    return (x, 0, x + width, 10)


def crop(truth: Item, *preds: Item) -> CaseScore:
    return TABLE.score(Sample("case", (truth,)), Prediction(id="case", items=list(preds)))


def pages(truths: list[Item], preds: list[Item] | None) -> CaseScore:
    prediction = None if preds is None else Prediction(id="case", items=preds)
    return TABLE.score(Sample("case", tuple(truths), unit="page"), prediction)


def values(score: CaseScore, *names: str) -> list[float | None]:
    return [score.ratios[name].value for name in names]


@pytest.fixture
def grits() -> None:
    pytest.importorskip("grits", reason="grits-metric is not installed: pip install 'docai[eval]'")


class TestPairs:
    def test_boxes_decide_not_the_order(self) -> None:
        left, right = table(bbox=box(0)), table(bbox=box(20))
        near_right, near_left = table(bbox=box(19)), table(bbox=box(1))
        pairs = pair_tables([left, right], [near_right, near_left])
        assert [(pair.truth, pair.pred) for pair in pairs] == [(left, near_left), (right, near_right)]
        assert pairs[0].iou == pytest.approx(9 / 11)

    def test_any_overlap_makes_a_pair_and_none_does_not(self) -> None:
        truth = table(bbox=box(0))
        assert pair_tables([truth], [table(bbox=box(9.9))])[0].pred is not None
        apart = table(bbox=box(10))
        assert pair_tables([truth], [apart]) == [TablePair(truth, None, 0), TablePair(None, apart, 0)]

    def test_a_pair_that_counts_as_found_is_not_given_up_for_overlap(self) -> None:
        first, second = table(bbox=box(0)), table(bbox=box(10))
        across, part = table(bbox=box(3)), table(bbox=box(0, width=4.5))
        # 7/13 with the first and 3/17 with the second; 0.45 with the first alone.
        assert [pair.pred for pair in pair_tables([first, second], [part, across])] == [across, None, part]

    def test_pages_are_apart(self) -> None:
        first, second = table(bbox=box(0), page=1), table(bbox=box(0), page=2)
        found = table(bbox=box(0), page=2)
        assert [pair.pred for pair in pair_tables([first, second], [found])] == [None, found]

    def test_without_boxes_the_order_of_the_page_decides(self) -> None:
        truths = [table(bbox=box(0)), table(bbox=box(20)), table(bbox=box(0), page=2)]
        preds = [table(ONE), table(ONE, bbox=box(0), page=2), table(ONE)]
        pairs = pair_tables(truths, preds)
        assert [pair.pred for pair in pairs] == [preds[0], preds[2], preds[1]]
        assert [pair.iou for pair in pairs] == [None, None, 1]

    def test_boxes_that_are_not_finite(self) -> None:
        odd = table(bbox=(0, 0, float("inf"), float("nan")))
        assert [pair.pred for pair in pair_tables([table(bbox=box(0))], [odd])] == [None, odd]


class TestCrops:
    def test_the_same_table_is_one_in_all_measures(self, grits: None) -> None:
        score = crop(table(), table())
        assert values(score, *TEDS, *GRITS) == [1] * 8
        assert values(score, "grits-loc", "tables-found", "tables-precise") == [None] * 3
        assert score.notes == ()

    def test_ratios_are_those_of_the_task(self) -> None:
        for score in (crop(table(), table()), crop(table("")), TABLE.score(Sample("case", ()), None)):
            assert list(score.ratios) == [measure.name for measure in TABLE.measures]

    def test_a_part_gives_a_part(self, grits: None) -> None:
        score = crop(table(), table("<table><tr><td>a</td><td>b</td></tr></table>"))
        assert score.ratios["teds"] == Ratio(0.5, 1)
        assert score.ratios["grits-con"] == Ratio(4, 6)
        assert score.ratios["grits-con-macro"] == Ratio(pytest.approx(2 / 3), 1)

    @pytest.mark.parametrize("preds", [[], [Item(kind="text", text=HTML)]])
    def test_no_answer_is_a_miss(self, preds: list[Item], grits: None) -> None:
        score = crop(table(), *preds)
        assert score.ratios["teds"] == score.ratios["teds-canonical"] == Ratio(0, 1)
        assert score.ratios["grits-con"] == Ratio(0, 4)
        assert score.ratios["grits-con-macro"] == Ratio(0, 1)
        assert score.notes == ("A true table was not found: it counts with 0.",)
        assert TABLE.score(Sample("case", (table(),)), None) == score

    @pytest.mark.parametrize("text", ["I see no table", "<table></table>", "", "\ud800"])
    def test_an_unreadable_answer_is_a_miss(self, text: str, grits: None) -> None:
        score = crop(table(), table(text))
        assert score.ratios["teds"] == score.ratios["teds-canonical"] == Ratio(0, 1)
        assert score.ratios["grits-con"] == Ratio(0, 4)
        assert "no table that can be read" in score.notes[0]

    def test_more_answers_than_one_are_invented(self, grits: None) -> None:
        score = crop(table(), table(), table(ONE))
        assert score.ratios["teds"] == score.ratios["grits-con-macro"] == Ratio(1, 1)
        assert score.ratios["grits-con"] == Ratio(8, 9)
        assert "where there is none" in score.notes[0]

    @pytest.mark.parametrize("text", ["", "no table"])
    def test_a_truth_without_a_table_is_left_out(self, text: str) -> None:
        score = crop(table(text), table())
        assert all(ratio == Ratio(0, 0) for ratio in score.ratios.values())
        assert score.notes == ("A truth holds no table that can be read: it is left out.",)

    def test_a_truth_past_the_limit_is_left_out_by_name(self, grits: None) -> None:
        sample = Sample("case", (table(),))
        score = score_tables(sample, None, max_teds_pairs=50, max_grits_pairs=50)
        assert all(ratio == Ratio(0, 0) for ratio in score.ratios.values())
        assert sum("left out for every reader" in note for note in score.notes) == 2

    def test_confidence_is_held_against_what_is_right(self) -> None:
        loose = HTML.replace("<td>a</td>", "<th> <b>a</b></th>")
        assert crop(table(), table(loose, confidence=0.9)).beliefs == (Belief(0.9, True),)
        wrong = crop(table(), table(HTML.replace("d", "D"), confidence=0.8), table(confidence=0.7))
        assert wrong.beliefs == (Belief(0.8, False), Belief(0.7, False))
        assert crop(table(), table()).beliefs == ()

    def test_cells_are_held_against_those_at_their_places(self) -> None:
        sure = Item(
            kind="table",
            text="<table><tr><td>a</td><td>x</td></tr></table>",
            cells=[
                Cell(row=0, col=0, text="a", confidence=0.9),
                Cell(row=0, col=1, text="x", confidence=0.4),
                Cell(row=1, col=0, text=""),
            ],
        )
        truth = table("<table><tr><td>a</td><td>b</td></tr></table>")
        expected = (Belief(0.9, True), Belief(0.4, False))
        assert crop(truth, sure).part_beliefs == {"cell": expected}
        invented = crop(truth, table(truth.text), sure)
        assert invented.part_beliefs == {"cell": (Belief(0.9, False), Belief(0.4, False))}
        assert crop(truth, table()).part_beliefs == {}


class TestPages:
    def test_missed_and_invented(self, grits: None) -> None:
        truths = [table(bbox=box(0)), table(ONE, bbox=box(20))]
        score = pages(truths, [table(bbox=box(1)), table(ONE, bbox=box(50)), table(ONE, bbox=box(70))])
        assert score.ratios["teds"] == score.ratios["teds-canonical"] == Ratio(1, 2)
        assert score.ratios["grits-con"] == Ratio(8, 4 + 4 + 1 + 1 + 1)
        assert score.ratios["grits-top-macro"] == Ratio(1, 2)
        assert score.ratios["tables-found"] == Ratio(1, 2)
        assert score.ratios["tables-precise"] == Ratio(1, 3)

    def test_found_asks_for_half_of_the_union(self) -> None:
        score = pages([table(bbox=box(0))], [table(bbox=box(0, width=4.9))])
        assert score.ratios["tables-found"] == score.ratios["tables-precise"] == Ratio(0, 1)
        assert score.ratios["teds"] == Ratio(1, 1)
        assert pages([table(bbox=box(0))], [table(bbox=box(0, width=5))]).ratios["tables-found"] == Ratio(
            1, 1
        )

    def test_found_is_not_defined_without_boxes(self) -> None:
        score = pages([table(bbox=box(0))], [table()])
        assert values(score, "teds", "tables-found", "tables-precise") == [1, None, None]

    @pytest.mark.parametrize("preds", [None, []])
    def test_no_answer_finds_nothing(self, preds: list[Item] | None) -> None:
        score = pages([table(bbox=box(0)), table(bbox=box(20))], preds)
        assert score.ratios["tables-found"] == score.ratios["teds"] == Ratio(0, 2)
        assert score.ratios["tables-precise"] == Ratio(0, 0)

    def test_pages_without_tables(self, grits: None) -> None:
        assert all(ratio == Ratio(0, 0) for ratio in pages([], []).ratios.values())
        score = pages([], [table(bbox=box(0))])
        assert score.ratios["grits-con"] == Ratio(0, 4)
        assert score.ratios["tables-precise"] == Ratio(0, 1)
        assert values(score, "teds", "grits-con-macro", "tables-found") == [None] * 3

    def test_where_only_the_place_is_known(self) -> None:
        score = pages([table("", bbox=box(0))], [table(bbox=box(0))])
        assert score.ratios["tables-found"] == Ratio(1, 1)
        assert score.ratios["teds"] == Ratio(0, 0)


class TestCells:
    def item(self, text: str = "", x: float = 0) -> Item:
        cells = [Cell(row=0, col=0, text="a", bbox=box(x)), Cell(row=0, col=1, text="b", bbox=box(x + 10))]
        return Item(kind="table", text=text, cells=cells, bbox=box(x, 20))

    def test_cells_alone_are_a_table(self, grits: None) -> None:
        score = pages([self.item()], [table("<table><tr><td>a</td><td>b</td></tr></table>", bbox=box(0, 20))])
        assert values(score, "teds-canonical", "grits-con", "grits-loc") == [1, 1, None]
        assert "no boxes of cells" in score.notes[0]

    def test_a_reader_without_boxes_is_not_held_to_what_it_missed(self, grits: None) -> None:
        found = table("<table><tr><td>a</td><td>b</td></tr></table>", bbox=box(0, 20))
        score = pages([self.item(), self.item(x=100)], [found])
        assert score.ratios["grits-con"] == Ratio(4, 6)
        assert values(score, "grits-loc", "grits-loc-macro") == [None, None]

    def test_places_of_cells_that_nothing_covers_are_empty_cells(self) -> None:
        cells = [Cell(row=0, col=0, text="a", is_header=True), Cell(row=1, col=1, text="b")]
        assert table_html(Item(kind="table", cells=cells)) == (
            "<table><thead><tr><td>a</td><td></td></tr></thead>"
            "<tbody><tr><td></td><td>b</td></tr></tbody></table>"
        )

    def test_boxes_count_with_html_too(self, grits: None) -> None:
        html = "<table><tr><td>a</td><td>c</td></tr></table>"
        score = pages([self.item()], [self.item(html)])
        assert score.ratios["grits-loc"] == Ratio(4, 4)
        assert score.ratios["grits-con"] == Ratio(2, 4)

    def test_missed_and_invented_boxes(self, grits: None) -> None:
        score = pages([self.item()], [self.item(x=100)])
        assert score.ratios["grits-loc"] == Ratio(0, 4)
        assert score.ratios["grits-loc-macro"] == Ratio(0, 1)
        assert pages([self.item()], []).ratios["grits-loc"] == Ratio(0, 2)
        # Where the truth has no boxes of cells, nobody is measured by them.
        assert pages([table(bbox=box(0))], [self.item(x=100)]).ratios["grits-loc"] == Ratio(0, 0)


def test_without_grits_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grits", None)
    score = crop(table(), table())
    assert values(score, *TEDS) == [1] * 4
    assert values(score, *GRITS) == [None] * 4
    assert score.notes == ("GriTS is not computed: grits-metric is not installed.",)


def test_without_scipy_boxes_cannot_be_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingDependencyError, match="docai\\[metrics\\]"):
        pair_tables([table(bbox=box(0))], [table(bbox=box(0))])
