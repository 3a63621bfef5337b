"""Tables on drawn pages, from the page to the cells: how many there are, and what stands in which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import pymupdf
import pytest

from docai.limits import Limits
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import find_regions
from docai.pipelines.tables.finder import find_table

Cells = list[tuple[int, int, int, int, str]]
"""Row, column, rows, columns and text of each cell."""

NAMES = ("Amber", "Birch", "Cedar", "Dune", "Elm", "Fern", "Grove", "Heath", "Iris", "Jasper")

PROSE = (
    "The figures of the year were counted in the town by the people who live there and who know it well "
    "and all of them were sent to the office before the end of the month. "
)


class Drawn:
    """A table at ``x`` and ``y`` with columns and rows of the given sizes, points."""

    def __init__(
        self,
        sheet: pymupdf.Page,
        at: tuple[float, float],
        widths: Sequence[float],
        heights: Sequence[float],
        rows: Sequence[Sequence[str]],
        spans: dict[tuple[int, int], tuple[int, int]] | None = None,
    ) -> None:
        self.sheet = sheet
        self.xs = list(accumulate(widths, initial=at[0]))
        self.ys = list(accumulate(heights, initial=at[1]))
        self.cells: Cells = []
        taken: set[tuple[int, int]] = set()
        for row, texts in enumerate(rows):
            for col, text in enumerate(texts):
                if (row, col) in taken:
                    continue
                n_rows, n_cols = (spans or {}).get((row, col), (1, 1))
                taken |= {(row + i, col + j) for i in range(n_rows) for j in range(n_cols)}
                self.cells.append((row, col, n_rows, n_cols, text))

    def box(self, row: int, col: int, n_rows: int = 1, n_cols: int = 1) -> pymupdf.Rect:
        return pymupdf.Rect(self.xs[col], self.ys[row], self.xs[col + n_cols], self.ys[row + n_rows])

    def borders(self, on: pymupdf.Shape | None = None, color: Sequence[float] = (0, 0, 0)) -> Drawn:
        for cell in self.cells:
            if on is None:
                self.sheet.draw_rect(self.box(*cell[:4]), color=color, width=0.7)
            else:
                on.draw_rect(self.box(*cell[:4]))
        return self

    def rules(self, *rows: int, on: pymupdf.Shape | None = None) -> Drawn:
        for row in rows:
            ends = (self.xs[0], self.ys[row]), (self.xs[-1], self.ys[row])
            if on is None:
                self.sheet.draw_line(*ends, width=0.7)
            else:
                on.draw_line(*ends)
        return self

    def shade(self, rows: Iterable[int], fill: Sequence[float]) -> Drawn:
        for row in rows:
            self.sheet.draw_rect(self.box(row, 0, 1, len(self.xs) - 1), color=None, fill=fill)
        return self

    def text(self, size: float = 9) -> Drawn:
        """Words in the first column at the left, headings over columns in the middle, others at the right."""
        for row, col, n_rows, n_cols, text in self.cells:
            box = self.box(row, col, n_rows, n_cols)
            for number, line in enumerate(text.split("\n")):
                width = pymupdf.get_text_length(line, "helv", size)
                x = box.x0 + 3 if col == 0 else box.x1 - 3 - width
                if n_cols > 1 and col > 0:
                    x = (box.x0 + box.x1 - width) / 2
                y = box.y0 + 1.25 * size + 1.2 * size * number
                self.sheet.insert_text((x, y), line, fontsize=size)
        return self

    @property
    def truth(self) -> Cells:
        return [(*cell[:4], " ".join(cell[4].split())) for cell in self.cells]


def _sheet() -> pymupdf.Page:
    document = pymupdf.open()
    return document.new_page(width=595, height=842)


def _values(n_rows: int, n_cols: int) -> list[list[str]]:
    return [
        [NAMES[row], *(f"{17 * row + 31 * col + 3}.{(row + col) % 10}" for col in range(n_cols))]
        for row in range(n_rows)
    ]


def _table(sheet: pymupdf.Page, at: tuple[float, float], n_rows: int, step: float = 16) -> Drawn:
    rows = [["Name", "North", "South", "East"], *_values(n_rows, 3)]
    return Drawn(sheet, at, [70, 50, 50, 50], [step] * len(rows), rows)


def _prose(sheet: pymupdf.Page, top: float) -> None:
    sheet.insert_textbox((80, top, 500, top + 60), 2 * PROSE, fontsize=10)


def _read(sheet: pymupdf.Page) -> tuple[list[Cells], list[str]]:
    """The cells of each table, and the words of each other region, in reading order."""
    return _read_file(sheet.parent.tobytes())


def _read_file(data: bytes) -> tuple[list[Cells], list[str]]:
    tables, texts = [], []
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        for region in find_regions(page).regions:
            if region.kind == "table":
                table = find_table(page, region.bbox, region.words)
                assert table is not None
                tables.append([(c.row, c.col, c.row_span, c.col_span, c.text) for c in table.cells])
            else:
                texts.append(" ".join(word.text for word in region.words))
    return tables, texts


@pytest.mark.parametrize("style", ["grid", "rules"])
def test_two_tables_drawn_as_one_path_leave_the_text_between_them_alone(style: str) -> None:
    sheet = _sheet()
    shape = sheet.new_shape()
    drawn = [_table(sheet, (100, 100), 7), _table(sheet, (120, 400), 5)]
    for table in drawn:
        if style == "grid":
            table.borders(shape)
        else:
            table.rules(0, 1, len(table.ys) - 1, on=shape)
    shape.finish(width=0.7)
    shape.commit()
    for table in drawn:
        table.text()
    _prose(sheet, 260)
    tables, texts = _read(sheet)
    assert tables == [table.truth for table in drawn]
    assert texts == [(2 * PROSE).strip()]


@pytest.mark.parametrize("is_shade", [False, True])
def test_tables_in_one_frame_or_on_one_shade_are_two(is_shade: bool) -> None:
    sheet = _sheet()
    box = pymupdf.Rect(70, 80, 530, 500)
    sheet.draw_rect(box, color=None if is_shade else (0, 0, 0), fill=(0.93, 0.93, 0.85) if is_shade else None)
    drawn = [_table(sheet, (100, top), 6) for top in (110, 360)]
    for table in drawn:
        table.borders().text()
    _prose(sheet, 260)
    tables, texts = _read(sheet)
    assert tables == [table.truth for table in drawn]
    assert texts == [(2 * PROSE).strip()]


def test_tables_side_by_side_with_rows_at_different_heights_are_two() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    drawn = [_table(sheet, (60, 120), 8, 15).text(), _table(sheet, (320, 120), 6, 19).text()]
    tables, _ = _read(sheet)
    assert tables == [table.truth for table in drawn]


def test_a_table_with_white_between_two_groups_of_columns_is_one() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    rows = [["Name", "North", "South", "East", "West"], *_values(8, 4)]
    drawn = Drawn(sheet, (60, 120), [80, 50, 140, 50, 50], [16] * 9, rows).text()
    assert _read(sheet)[0] == [drawn.truth]


@pytest.mark.parametrize("per_band", [1, 2])
@pytest.mark.parametrize("n_lines", [1, 2])
def test_shades_of_every_second_row_do_not_tear_a_table(per_band: int, n_lines: int) -> None:
    sheet = _sheet()
    texts = ["in the town", "by the sea\nof the north"][:n_lines]
    rows = [["Name", "Where", "North"]] + [[NAMES[i], texts[i % n_lines], f"{i + 3}.{i}"] for i in range(8)]
    drawn = Drawn(sheet, (80, 100), [110, 120, 60], [18, *[13 * n_lines + 2] * 8], rows)
    shaded = [row for row in range(1, 9) if (row - 1) // per_band % 2 == 0]
    drawn.shade(shaded, (0.9, 0.9, 0.9)).text()
    assert _read(sheet)[0] == [drawn.truth]


@pytest.mark.parametrize("style", ["white rules", "gaps"])
def test_white_between_shades_tells_cells_apart_and_keeps_those_that_span_rows(style: str) -> None:
    sheet = _sheet()
    rows = [["State", "Date", "Stations", "Days"]]
    rows += [[NAMES[i], f"{i + 1}.12.2009", f"{3 * i + 1}", f"{5 * i + 2}"] for i in range(6)]
    rows[3][2] = rows[3][3] = ""
    spans = {(2, 2): (2, 1), (2, 3): (2, 1)}
    drawn = Drawn(sheet, (80, 100), [70, 90, 60, 60], [22] * 7, rows, spans)
    if style == "white rules":
        drawn.shade([0], (0.3, 0.5, 0.8)).shade(range(1, 7), (0.85, 0.8, 0.75)).borders(color=(1, 1, 1))
    for cell in drawn.cells if style == "gaps" else ():
        fill = (0.3, 0.5, 0.8) if cell[0] == 0 else (0.85, 0.88, 0.93)
        sheet.draw_rect(drawn.box(*cell[:4]) + pymupdf.Rect(1, 1, -1, -1), color=None, fill=fill)
    assert _read_with_text(drawn) == [drawn.truth]


def _read_with_text(drawn: Drawn) -> list[Cells]:
    drawn.text()
    return _read(drawn.sheet)[0]


def test_white_rules_on_white_paper_are_no_rules() -> None:
    sheet = _sheet()
    drawn = _table(sheet, (80, 100), 7)
    for x in (205, 222):
        sheet.draw_line((x, 90), (x, 240), color=(1, 1, 1))
    for y in (115, 132, 140, 170):
        sheet.draw_line((80, y), (350, y), color=(1, 1, 1))
    drawn.rules(0, 1, 8)
    assert _read_with_text(drawn) == [drawn.truth]


@pytest.mark.parametrize("empty", [(3, 4), (2,), (1, 4)])
def test_columns_with_a_heading_and_no_values_are_kept(empty: tuple[int, ...]) -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    values = [[text if col not in empty else "" for col, text in enumerate(row)] for row in _values(7, 4)]
    rows = [["Name", "First", "Second", "Third", "Fourth"], *values]
    drawn = Drawn(sheet, (80, 120), [110, 60, 60, 60, 60], [16] * 8, rows).rules(0, 1, 8)
    assert _read_with_text(drawn) == [drawn.truth]


@pytest.mark.parametrize("filled", [False, True])
def test_headings_over_near_groups_of_columns_span_them_also_where_these_are_empty(filled: bool) -> None:
    sheet = _sheet()
    rows = [["\nName", "Survey 4 (2012)", "", "Survey 3 (2007)", ""]]
    rows.append(["", "Total", "Rural", "Total", "Rural"])
    rows += _values(7, 4) if filled else [[*row, "", ""] for row in _values(7, 2)]
    spans = {(0, 0): (2, 1), (0, 1): (1, 2), (0, 3): (1, 2)}
    drawn = Drawn(sheet, (70, 100), [110, 42, 42, 42, 42], [11, *[16] * 8], rows, spans).rules(0, 2, 9)
    assert _read_with_text(drawn) == [drawn.truth]


def test_the_spread_words_of_a_heading_are_no_columns() -> None:
    sheet = _sheet()
    rows = [["Name", "Companies", "Total     EURbn"], *_values(7, 2)]
    drawn = Drawn(sheet, (80, 100), [110, 80, 90], [18] * 8, rows).borders()
    drawn.text()
    assert [len({cell[1] for cell in cells}) for cells in _read(sheet)[0]] == [3]


@pytest.mark.parametrize("ruled", [False, True])
def test_names_that_are_cut_off_at_the_next_cell_do_not_join_two_columns(ruled: bool) -> None:
    sheet = _sheet()
    names = ["Juniper and Larkspur of the sea", "Meadow of the northern harbor", "Thistledown"]
    rows = [["Name", "Town", "North"], *([names[i % 3], "", f"{7 * i}.{i}"] for i in range(9))]
    drawn = Drawn(sheet, (80, 100), [80, 80, 60], [14] * 10, rows)
    if ruled:
        drawn.borders()
    else:
        drawn.rules(0, 1, 10)
    drawn.text()
    for row in range(9):
        sheet.insert_text((drawn.xs[1] + 3, drawn.ys[row + 1] + 11.25), NAMES[row], fontsize=9)
    ((cells,), _) = _read(sheet)
    found = {(row, col): text for row, col, _, _, text in cells}
    assert [found[row + 1, 0] for row in range(9)] == [names[row % 3] for row in range(9)]
    assert [found[row + 1, 1] for row in range(9)] == list(NAMES[:9])


@pytest.mark.parametrize("ruled", [False, True])
def test_cells_of_text_from_right_to_left_are_not_joined(ruled: bool) -> None:
    sheet = _sheet()
    words = ["\u05de\u05d3\u05d9\u05e0\u05d4", "\u05e6\u05e4\u05d5\u05df", "\u05d3\u05e8\u05d5\u05dd"]
    rows = [
        ["2010", words[0], words[1]],
        *([f"{3 * i}.5", words[i % 3], words[(i + 1) % 3]] for i in range(6)),
    ]
    drawn = Drawn(sheet, (80, 100), [80, 90, 90], [24] * 7, rows)
    if ruled:
        drawn.borders()
    else:
        drawn.rules(0, 1, 7)
    for cell in drawn.cells:
        box = drawn.box(*cell[:4]) + pymupdf.Rect(3, 3, -3, -1)
        sheet.insert_htmlbox(box, f'<p dir="rtl" style="text-align:right;margin:0">{cell[4]}</p>')
    assert _read(sheet)[0] == [drawn.truth]


def test_three_levels_of_headings_span_groups_of_the_same_size() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    rows = [["\n\nName", "Men", "", "", "", "Women", "", "", ""]]
    rows.append(["", "2010", "", "2011", "", "2010", "", "2011", ""])
    rows.append(["", *["Total", "Rural"] * 4])
    rows += _values(6, 8)
    spans = {(0, 0): (3, 1), (0, 1): (1, 4), (0, 5): (1, 4)}
    spans |= {(1, col): (1, 2) for col in (1, 3, 5, 7)}
    drawn = Drawn(sheet, (60, 120), [90, *[45] * 8], [11, 11, *[14] * 7], rows, spans).rules(0, 3, 9)
    assert _read_with_text(drawn) == [drawn.truth]


def test_rows_below_a_ruled_head_are_told_apart_and_the_head_keeps_its_spans() -> None:
    sheet = _sheet()
    rows = [["Town", "Men", "", "Women", ""], ["", "2001", "2011", "2001", "2011"], *_values(9, 4)]
    spans = {(0, 0): (2, 1), (0, 1): (1, 2), (0, 3): (1, 2)}
    drawn = Drawn(sheet, (60, 100), [110, 60, 60, 60, 60], [18, 18, *[14] * 9], rows, spans)
    for cell in drawn.cells[:7]:
        sheet.draw_rect(drawn.box(*cell[:4]))
    for x in drawn.xs:
        sheet.draw_line((x, drawn.ys[2]), (x, drawn.ys[-1]))
    drawn.rules(11)
    assert _read_with_text(drawn) == [drawn.truth]


def test_second_lines_of_headings_stay_in_their_cells() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    rows = [["", "1990", "", "2000", ""], ["Item", "Number", "Per-\ncent", "Number", "Per-\ncent"]]
    rows += _values(8, 4)
    spans = {(0, 1): (1, 2), (0, 3): (1, 2)}
    drawn = Drawn(sheet, (60, 120), [120, 60, 60, 60, 60], [15, 26, *[14] * 8], rows, spans).rules(0, 2, 10)
    ((cells,),) = (_read_with_text(drawn),)
    assert [cell for cell in cells if cell[0] < 2 and cell[1] > 0] == [
        cell for cell in drawn.truth if cell[0] < 2 and cell[1] > 0
    ]


def test_headings_of_sections_are_rows_of_their_own() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    rows = [["Item", "2008", "2009"]]
    for section, first in (("Households", 0), ("Farms", 4)):
        rows += [[section, "", ""], *_values(first + 4, 2)[first:]]
    drawn = Drawn(sheet, (60, 120), [170, 70, 70], [13] * len(rows), rows).rules(0, 1, len(rows))
    assert _read_with_text(drawn) == [drawn.truth]


def test_a_label_of_two_lines_belongs_to_the_values_at_its_second_line() -> None:
    sheet = _sheet()
    _prose(sheet, 40)
    labels = ["works of the northern towns\nand of those by the sea", "farms in the hills"]
    rows = [["Item", "2008", "2009"]]
    rows += [[labels[i % 2], f"{i + 3}.{i}", f"{i + 7}.{i}"] for i in range(7)]
    drawn = Drawn(sheet, (60, 120), [170, 70, 70], [16, *[26, 16, 26, 16, 26, 16, 26]], rows).rules(0, 1, 8)
    for row, col, _, _, text in drawn.cells:
        box = drawn.box(row, col)
        lines = text.split("\n")
        for number, line in enumerate(lines):
            width = pymupdf.get_text_length(line, "helv", 9)
            x = box.x0 + 3 if col == 0 else box.x1 - 3 - width
            sheet.insert_text((x, box.y1 - 4 - 10 * (len(lines) - 1 - number)), line, fontsize=9)
    assert _read(sheet)[0] == [drawn.truth]


def test_notes_below_the_rules_do_not_cost_a_table_its_grid() -> None:
    sheet = _sheet()
    drawn = _table(sheet, (80, 100), 8).borders().text()
    for number in range(5):
        note = f"({number + 1}) this number was counted in another year than that which is printed there"
        sheet.insert_text((80, drawn.ys[-1] + 10 * number + 9), note, fontsize=7)
    with open_source(sheet.parent.tobytes(), limits=Limits()) as source, source.page(1) as page:
        table = find_table(page, page.bbox, page.words())
    assert table is not None
    cells = [(c.row, c.col, c.row_span, c.col_span, c.text) for c in table.cells]
    assert cells[:-1] == drawn.truth
    assert cells[-1][:4] == (9, 0, 1, 4)


@pytest.mark.parametrize("dots", ["apart", "joined", "none"])
def test_a_form_and_a_table_of_contents_are_text(dots: str) -> None:
    sheet = _sheet()
    lines = [f"{number + 1}. On {name.lower()}" for number, name in enumerate(NAMES)]
    for number, line in enumerate(lines):
        y = 120 + 20 * number
        page = str(4 * number + 3)
        if dots == "none":
            line = f"{NAMES[number]}:"
            page = f"the {NAMES[-1 - number].lower()}"
            sheet.insert_text((220, y), page, fontsize=11)
        elif dots == "joined":
            line += "." * 80 + page
        else:
            sheet.insert_text((200, y), "." * 80, fontsize=11)
            sheet.insert_text((470, y), page, fontsize=11)
        sheet.insert_text((80, y), line, fontsize=11)
    tables, texts = _read(sheet)
    assert tables == []
    assert " ".join(texts).split()[0] in ("1.", "Amber:")


@pytest.mark.real
def test_awkward_pages_have_their_tables(real_data: Path) -> None:
    def read(name: str) -> tuple[list[Cells], list[str]]:
        return _read_file((real_data / "cases" / f"{name}.pdf").read_bytes())

    tables, texts = read("two-tables-one-path")
    assert [(max(cell[0] for cell in table), max(cell[1] for cell in table)) for table in tables] == [
        (14, 5),
        (2, 5),
    ]
    assert [text.split()[:2] for text in texts] == [["Table", "1."], ["Table", "2"], ["Table", "2."]]
    ((shaded,), _) = read("white-rules-on-shade")
    assert [cell for cell in shaded if cell[2] > 1] == [
        (1, 2, 2, 1, "8"),
        (1, 3, 2, 1, "17"),
        (1, 4, 2, 1, "1.29"),
        (1, 5, 2, 1, "3,665"),
    ]
    ((headed,), _) = read("headed-but-empty-columns")
    assert [cell for cell in headed if cell[0] < 2] == [
        (0, 0, 2, 1, "Indicators"),
        (0, 1, 1, 2, "Survey 4 (2012-13)"),
        (0, 3, 1, 2, "Survey 3 (2007-08)"),
        *((1, col, 1, 1, text) for col, text in enumerate(["TOTAL", "RURAL", "TOTAL", "RURAL"], 1)),
    ]
    assert [cell[4] for cell in headed if cell[0] > 1 and cell[1] > 2] == 12 * [""]
