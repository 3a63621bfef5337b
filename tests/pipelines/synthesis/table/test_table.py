"""Tables laid out as documents have them: what they hold, where it lies, and that it can be read off."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator
from html import unescape
from itertools import islice, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from docai.parsers.table import parse_table
from docai.pipelines.synthesis import Sample
from docai.pipelines.synthesis.base import Plan, Split, UndrawableError
from docai.pipelines.synthesis.table import content as table_content
from docai.pipelines.synthesis.table import generator as table
from docai.pipelines.synthesis.table import plain as table_plain
from docai.pipelines.synthesis.table.grid import Grid, TableCell, to_html

pytest.importorskip("reportlab", reason="lays the tables out; comes with docai[synth]")

from docai.pipelines.synthesis.table import design as table_design
from docai.pipelines.synthesis.table import render as table_render

SOLID = frozenset("aes358B")
"""Letters with ink at their center, or right beside it."""


def plans(difficulty: float, seed: str = "plans") -> Iterator[Plan[Grid]]:
    rng = random.Random(seed)
    while True:
        yield table_content.compose(rng, difficulty)


def drawn(plan: Plan[Grid], seed: int = 0, difficulty: float = 1.0) -> Sample | None:
    try:
        return table_render.draw(plan, random.Random(seed), difficulty)
    except UndrawableError:
        return None


def several(count: int, difficulty: float = 1.0) -> list[tuple[Grid, Sample]]:
    pairs = (
        (plan.content, drawn(plan, seed, difficulty))
        for seed, plan in enumerate(plans(difficulty, "several"))
    )
    return [(grid, sample) for grid, sample in islice(pairs, count) if sample is not None]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No noise: what is in the picture is what was drawn."""
    monkeypatch.setattr(table_render, "degrade", lambda square, *_, **__: square)


@pytest.fixture
def straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_render, "distort", lambda square, *_: (square, np.eye(3)))


def luminance(sample: Sample) -> NDArray[np.int64]:
    return np.asarray(sample.image.convert("L")).astype(int)


@pytest.mark.parametrize("difficulty", [0.4, 0.7, 1.0])
def test_cells_cover_each_place_once_and_every_row_begins_a_cell(difficulty: float) -> None:
    for plan in islice(plans(difficulty), 150):
        grid = plan.content
        places = [
            (row, col)
            for cell in grid.cells
            for row in range(cell.row, cell.row + cell.row_span)
            for col in range(cell.col, cell.col + cell.col_span)
        ]
        assert sorted(places) == [(row, col) for row in range(grid.n_rows) for col in range(grid.n_cols)]
        for row in range(grid.n_rows):
            assert any(cell.row == row and cell.text for cell in grid.cells)
        for cell in grid.cells:
            below = cell.row + cell.row_span
            assert below <= grid.n_header_rows or cell.row >= grid.n_header_rows, "a span crosses the head"
            assert cell.text == " ".join(cell.text.split())


@pytest.mark.parametrize("difficulty", [0.4, 0.7, 1.0])
def test_targets_of_composed_tables_parse_to_themselves(difficulty: float) -> None:
    for plan in islice(plans(difficulty, "parse"), 100):
        parsed = parse_table(plan.key)
        assert not parsed.issues
        assert [
            (cell.row, cell.col, cell.row_span, cell.col_span, cell.text, cell.is_header)
            for cell in parsed.content.cells
        ] == [
            (
                cell.row,
                cell.col,
                cell.row_span,
                cell.col_span,
                cell.text,
                cell.row < plan.content.n_header_rows,
            )
            for cell in plan.content.cells
        ]


def test_the_hardest_tables_have_all_that_documents_have() -> None:
    grids = [plan.content for plan in islice(plans(1.0, "breadth"), 300)]
    body = [
        [cell for cell in grid.cells if cell.row >= grid.n_header_rows and not cell.role] for grid in grids
    ]

    def share(flags: list[bool]) -> float:
        return sum(flags) / len(grids)

    assert share([grid.n_header_rows > 1 for grid in grids]) > 0.3
    assert share([grid.n_header_rows > 2 for grid in grids]) > 0.03
    assert share([any(cell.row_span > 1 and cell.col for cell in cells) for cells in body]) > 0.05
    assert share([any(cell.col_span > 1 for cell in cells) for cells in body]) > 0.05
    assert share([any(cell.row_span > 1 and not cell.col for cell in cells) for cells in body]) > 0.05
    assert share([any(cell.indent for cell in grid.cells) for grid in grids]) > 0.05
    assert share([any(cell.role == "group" for cell in grid.cells) for grid in grids]) > 0.1
    assert share([any(cell.role == "total" for cell in grid.cells) for grid in grids]) > 0.15
    assert share([any(cell.n_raised for cell in grid.cells) for grid in grids]) > 0.15
    assert share([any(not cell.text for cell in cells) for cells in body]) > 0.05
    assert share([any(cell.text.count(" ") > 8 for cell in cells) for cells in body]) > 0.05
    assert max(len(grid.cells) for grid in grids) > 90
    assert max(len(grid.cells) for grid in grids) < 170


def test_tables_grow_with_the_difficulty() -> None:
    sizes = [
        np.mean([len(plan.content.cells) for plan in islice(plans(difficulty, "grow"), 80)])
        for difficulty in (0.36, 0.6, 0.8, 1.0)
    ]
    assert sizes == sorted(sizes)
    easy = np.mean([len(table_plain.compose(random.Random(n), 0.35).content.cells) for n in range(80)])
    assert sizes[0] < 2 * easy


def test_easy_tables_are_drawn_directly() -> None:
    for seed in range(60):
        plan = table.compose(random.Random(seed), 0.35)
        assert plan.content.numeric is None
        assert plan == table_plain.compose(random.Random(seed), 0.35)
    hard = [table.compose(random.Random(seed), 1.0).content.numeric is not None for seed in range(100)]
    assert 80 < sum(hard) < 100


def test_without_a_layout_engine_all_are_drawn_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_has_layout_engine", lambda: False)
    for seed in range(20):
        assert table.generate(random.Random(seed), 1.0).head == "table"
        assert table.compose(random.Random(seed), 1.0).content.numeric is None


@pytest.mark.usefixtures("clean", "straight")
def test_boxes_are_tight_around_the_ink_of_their_cell() -> None:
    checked = 0
    for grid, sample in several(12):
        gray = luminance(sample)
        contents = parse_table(sample.target)
        assert not contents.issues
        for cell, wanted in zip(contents.content.cells, grid.cells, strict=True):
            assert cell.text == wanted.text
            assert (cell.bbox is None) == (not cell.text)
            if cell.bbox is None:
                continue
            x0, y0, x1, y1 = (value * 896 for value in cell.bbox)
            inside = gray[int(y0) : int(np.ceil(y1)) + 1, int(x0) : int(np.ceil(x1)) + 1]
            ground = int(np.median(np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])))
            ink = np.argwhere(np.abs(inside - ground) > np.abs(inside - ground).max() * 0.2)
            if min(inside.shape) < 8:
                continue
            checked += 1
            assert ink.min(axis=0).max() <= 2, cell.text
            assert (np.array(inside.shape) - 1 - ink.max(axis=0)).max() <= 3, cell.text
    assert checked > 200


@pytest.mark.usefixtures("clean", "straight")
def test_text_of_one_cell_never_lies_on_that_of_another() -> None:
    for _, sample in several(25):
        boxes = np.array([cell.bbox for cell in parse_table(sample.target).content.cells if cell.bbox]) * 896
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        overlap = ((high - low) > 1.5).all(axis=2)
        assert not (overlap & ~np.eye(len(boxes), dtype=bool)).any()


@pytest.mark.usefixtures("clean")
def test_marks_lie_on_their_letters_also_where_the_sheet_is_askew() -> None:
    askew = 0
    for _, sample in several(25):
        gray = luminance(sample)
        askew += len({round(mark.y, 2) for mark in sample.marks}) > len(sample.marks) / 2
        for mark in sample.marks:
            if mark.label in SOLID:
                x, y = int(mark.x), int(mark.y)
                around = gray[y - 5 : y + 6, x - 4 : x + 5]
                assert around.max() - around.min() > 40, mark
    assert askew, "some sheets are turned"


def test_marks_name_every_visible_character_once_in_the_order_of_the_target() -> None:
    for _, sample in several(12):
        text = unescape(re.sub(r"<[^<>]*?>", "", re.sub(r' coords="[^"]*"', "", sample.target)))
        assert "".join(mark.label for mark in sample.marks) == text.replace(" ", "")
        spans = [mark.span for mark in sample.marks if mark.span is not None]
        assert len(spans) == len(sample.marks)
        assert spans == sorted(spans)
        for mark, span in zip(sample.marks, spans, strict=True):
            assert unescape(sample.target[slice(*span)]) == mark.label


def wordy() -> Plan[Grid]:
    cells = (
        TableCell(0, 0, ""),
        TableCell(0, 1, "Width (mm)"),
        TableCell(1, 0, "One & two < three or many more words than fit on any one line of it" * 2),
        TableCell(1, 1, "12.50a", n_raised=1),
        TableCell(2, 0, "Both", 2, role="group"),
        TableCell(3, 0, "Σ", indent=1),
        TableCell(3, 1, "7.125"),
    )
    grid = Grid(4, 2, 1, cells, (False, True))
    return Plan(to_html(grid, {}), grid)


@pytest.mark.usefixtures("clean", "straight")
def test_lines_marks_and_indents_are_laid_out() -> None:
    plan = wordy()
    raised = indented = 0
    for seed in range(12):
        sample = drawn(plan, seed)
        assert sample is not None
        assert re.sub(r' coords="[^"]*"', "", sample.target) == plan.key
        by_text = {cell.text: cell for cell in parse_table(sample.target).content.cells}
        long, short = by_text[plan.content.cells[2].text].bbox, by_text["Both"].bbox
        assert long is not None
        assert short is not None
        assert long[3] - long[1] > 3 * (short[3] - short[1]), "the long text takes several lines"
        at = "".join(mark.label for mark in sample.marks).index("12.50a")
        raised += sample.marks[at + 5].y < sample.marks[at + 4].y
        sigma = by_text["Σ"].bbox
        indented += sigma is not None and sigma[0] > long[0] + 0.005
    assert raised >= 6
    assert indented >= 6


@pytest.mark.usefixtures("clean", "straight")
def test_decimal_points_stand_under_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    design(monkeypatch, align=("LEFT", "DECIMAL"))
    sample = drawn(wordy(), 5)
    assert sample is not None
    points = [mark.x for mark in sample.marks if mark.label == "."]
    assert len(points) == 2
    assert points[0] == pytest.approx(points[1], abs=0.1)


@pytest.mark.usefixtures("clean", "straight")
def test_turned_headers_read_upward(monkeypatch: pytest.MonkeyPatch) -> None:
    design(monkeypatch, rotated_header=True)
    sample = drawn(wordy(), 3)
    assert sample is not None
    start = sample.target.index("Width")
    letters = [mark for mark in sample.marks if mark.span and start <= mark.span[0] < start + 5]
    assert [mark.label for mark in letters] == list("Width")
    assert all(below.y > above.y for below, above in pairwise(letters))
    assert max(mark.x for mark in letters) - min(mark.x for mark in letters) < letters[0].y - letters[-1].y


@pytest.mark.usefixtures("clean", "straight")
@pytest.mark.parametrize("rules", table_design.RULES)
def test_rules_stand_where_the_design_has_them(rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"stripe": 1.0, "stub_fill": 1.0, "header_fill": 1.0, "header_ink": 0.0, "tint": None}
    design(monkeypatch, rules=rules, rule=0.1, rule_gray=0.0, dashed=False, ink=0.0, **plain)
    cells = [TableCell(row, col, "ab") for row in range(3) for col in range(3)]
    grid = Grid(3, 3, 1, tuple(cells), (False,) * 3)
    sample = drawn(Plan("", grid), 2)
    assert sample is not None
    dark = luminance(sample) < 128
    extent = np.ptp(np.argwhere(dark), axis=0)
    across = n_runs(dark.sum(axis=1) > 0.9 * extent[1])
    down = n_runs(dark.sum(axis=0) > 0.9 * extent[0])
    assert (across, down) == {
        "grid": (4, 4),
        "open": (4, 2),
        "rows": (4, 0),
        "columns": (3, 4),
        "booktabs": (3, 0),
        "head": (1, 0),
        "bands": (1, 0),
        "box": (3, 2),
        "none": (0, 0),
    }[rules]


def design(monkeypatch: pytest.MonkeyPatch, **fixed: object) -> None:
    """Every table has a random design but for these fields."""
    pick_design = table_design.pick_design

    def changed(rng: random.Random, grid: Grid, difficulty: float, split: Split) -> table_design.Design:
        return dataclasses.replace(pick_design(rng, grid, difficulty, split), **fixed)  # type: ignore[arg-type]

    monkeypatch.setattr(table_render, "pick_design", changed)


def n_runs(flags: NDArray[np.bool_]) -> int:
    """Runs of true values."""
    return int((np.diff(flags.astype(int), prepend=0) == 1).sum())


def test_words_wider_than_the_square_are_undrawable() -> None:
    grid = Grid(2, 1, 1, (TableCell(0, 0, "x" * 400), TableCell(1, 0, "1")), (False,))
    assert drawn(Plan("", grid)) is None


def test_characters_that_no_face_has_are_undrawable() -> None:
    grid = Grid(2, 1, 1, (TableCell(0, 0, "\U0001f600"), TableCell(1, 0, "1")), (False,))
    assert drawn(Plan("", grid)) is None


def test_faces_are_of_the_split_of_the_content() -> None:
    from docai.pipelines.synthesis import fonts

    grid = Grid(2, 1, 1, (TableCell(0, 0, "Head"), TableCell(1, 0, "12.5")), (True,))
    rng = random.Random(1)
    splits: tuple[Split, ...] = ("train", "held-out")
    for split in splits:
        for _ in range(60):
            face = table_design.pick_design(rng, grid, 1.0, split).face
            assert fonts.is_held_out(face) == (split == "held-out"), face


def test_a_tint_is_as_light_as_the_gray_it_stands_for() -> None:
    base = table_design.pick_design(random.Random(1), wordy().content, 1.0, "train")
    for hue in np.linspace(0, 1, 13):
        tinted = dataclasses.replace(base, tint=(float(hue), 0.9))
        for level in (0.0, 0.2, 0.5, 0.9, 1.0):
            color = tinted.color(level)
            assert 0.3 * color.red + 0.59 * color.green + 0.11 * color.blue == pytest.approx(level)
