"""Layout of a table with ReportLab: line breaks, column widths, spans."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from reportlab.lib.colors import Color
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, Table

from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.table.design import Command, Design, commands, pdf_font
from docai.pipelines.synthesis.table.grid import Grid, TableCell

EM = 10.0
"""Font size of the body in points; the scale of the raster gives pixels."""
_RAISED_SIZE, _RAISED_BY = 0.65, 0.36
"""Size and rise of footnote marks, in font sizes."""
_ROUNDING_SLACK = 0.01
"""Points added against rounding errors."""


class _Type(NamedTuple):
    """A face at a size in points."""

    font: str
    size: float

    def width(self, text: str, n_raised: int = 0) -> float:
        """Width in points; the last ``n_raised`` characters are small."""
        cut = len(text) - n_raised
        small = stringWidth(text[cut:], self.font, self.size * _RAISED_SIZE) if n_raised else 0
        return float(stringWidth(text[:cut], self.font, self.size) + small)


class CellText(Flowable):  # type: ignore[misc]
    """Lines of text of one type; the last ``n_raised`` characters are a raised footnote mark."""

    def __init__(self, lines: Sequence[str], type_: _Type, leading: float, ink: Color, align: str) -> None:
        super().__init__()
        self.lines, self.type, self.leading, self.ink, self.align = lines, type_, leading, ink, align
        self.n_raised = 0
        self.is_rotated = False
        self.before = self.after = 0.0
        """Points left and right of the lines: indents, and the space that aligns decimal points."""

    def wrap(self, avail_width: float, avail_height: float) -> tuple[float, float]:
        """Width and height in points; the lines are broken already."""
        self.text_width = max(self._line_width(index) for index in range(len(self.lines)))
        size = (self.before + self.text_width + self.after, len(self.lines) * self.leading)
        self.width, self.height = reversed(size) if self.is_rotated else size
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        canvas.setFillColor(self.ink)
        if self.is_rotated:
            canvas.translate(self.width, 0)
            canvas.rotate(90)
        top = len(self.lines) * self.leading - (self.leading - self.type.size) / 2 - 0.79 * self.type.size
        share = {"LEFT": 0.0, "CENTER": 0.5}.get(self.align, 1.0)
        for index in range(len(self.lines)):
            x = self.before + share * (self.text_width - self._line_width(index))
            y = top - index * self.leading
            plain, raised = self._parts(index)
            canvas.setFont(self.type.font, self.type.size)
            canvas.drawString(x, y, plain)
            if raised:
                canvas.setFont(self.type.font, self.type.size * _RAISED_SIZE)
                canvas.drawString(x + self.type.width(plain), y + _RAISED_BY * self.type.size, raised)

    def _parts(self, index: int) -> tuple[str, str]:
        line = self.lines[index]
        cut = len(line) - (self.n_raised if index == len(self.lines) - 1 else 0)
        return line[:cut], line[cut:]

    def _line_width(self, index: int) -> float:
        plain, raised = self._parts(index)
        return self.type.width(plain + raised, len(raised))


def lay_out(grid: Grid, design: Design, rng: random.Random, widest: float) -> Table:
    """ReportLab's table, at most ``widest`` points wide.

    Column widths are computed here, row heights by ReportLab from the broken text. Raises
    :class:`UndrawableError` where the words do not fit.
    """
    widths = _column_widths(grid, design, rng, widest)
    data: list[list[CellText | str]] = [[""] * grid.n_cols for _ in range(grid.n_rows)]
    pad_x, pad_y = design.pad_x * EM, design.pad_y * EM
    line = design.leading * EM
    styles: list[Command] = [
        (name, (0, 0), (-1, -1), value)
        for name, value in (
            ("LEFTPADDING", pad_x),
            ("RIGHTPADDING", pad_x),
            ("TOPPADDING", pad_y),
            ("BOTTOMPADDING", pad_y),
        )
    ]
    fractions = _fraction_widths(grid, design)
    for cell in grid.cells:
        start = (cell.col, cell.row)
        stop = (cell.col + cell.col_span - 1, cell.row + cell.row_span - 1)
        valign = design.header_valign if cell.row < grid.n_header_rows else design.valign
        styles += [
            ("ALIGN", start, start, design.cell_align(grid, cell).replace("DECIMAL", "RIGHT")),
            ("VALIGN", start, start, valign),
        ]
        if start != stop:
            styles.append(("SPAN", start, stop))
        if cell.text:
            room = sum(widths[cell.col : stop[0] + 1]) - 2 * pad_x
            data[cell.row][cell.col] = _cell_text(grid, design, cell, room, fractions[cell.col])
    # ReportLab gives no height to a row with only empty cells or cells that span more rows.
    min_heights = [line + 2 * pad_y] * grid.n_rows
    return Table(data, widths, style=[*styles, *commands(grid, design, EM)], minRowHeights=min_heights)


def _cell_text(grid: Grid, design: Design, cell: TableCell, room: float, fraction: float) -> CellText:
    type_, align = _type(grid, design, cell), design.cell_align(grid, cell)
    before = cell.indent * design.indent * EM
    is_rotated = _is_rotated(grid, design, cell)
    lines = [cell.text] if is_rotated else _break_lines(cell.text, type_, room - before)
    ink = design.color(design.header_ink if cell.row < grid.n_header_rows else design.ink)
    text = CellText(lines, type_, design.leading * type_.size, ink, align)
    text.n_raised = cell.n_raised if design.raised else 0
    text.is_rotated, text.before = is_rotated, before
    if align == "DECIMAL" and len(lines) == 1:
        wide, _ = text.wrap(0, 0)
        text.after = max(0.0, min(fraction - _fraction_width(grid, design, cell), room - wide))
    return text


def _type(grid: Grid, design: Design, cell: TableCell) -> _Type:
    size = design.header_size if cell.row < grid.n_header_rows else 1.0
    return _Type(pdf_font(design.cell_face(grid, cell)), size * EM)


def _is_rotated(grid: Grid, design: Design, cell: TableCell) -> bool:
    """Whether the text is rotated: headers of number columns, and labels of several rows, may be."""
    if cell.row < grid.n_header_rows:
        leaf = cell.row + cell.row_span == grid.n_header_rows and cell.col_span == 1
        return design.rotated_header and leaf and grid.numeric is not None and grid.numeric[cell.col]
    return design.rotated_stub and cell.col == 0 and cell.row_span > 2 and len(cell.text) < 5 * cell.row_span


def _column_widths(grid: Grid, design: Design, rng: random.Random, widest: float) -> list[float]:
    """Widths in points. Where their sum is too wide, text is broken at spaces, in wide columns first."""
    pad = 2 * design.pad_x * EM
    minimum, wanted = [EM] * grid.n_cols, [EM] * grid.n_cols
    fractions = _fraction_widths(grid, design)
    for cell in grid.cells:
        if cell.col_span > 1 or not cell.text:
            continue
        before = cell.indent * design.indent * EM
        one_line, longest_word = _widths(cell.text, _type(grid, design, cell))
        in_head = cell.row < grid.n_header_rows
        if _is_rotated(grid, design, cell):
            one_line = longest_word = design.leading * _type(grid, design, cell).size
        elif design.cell_align(grid, cell) == "DECIMAL":
            one_line += fractions[cell.col] - _fraction_width(grid, design, cell)
        if in_head and design.wrap_header:
            one_line = max(longest_word, one_line / 3)
        elif not in_head and one_line > 14 * EM:
            one_line = max(longest_word, one_line / 3, 14 * EM)
        minimum[cell.col] = max(minimum[cell.col], before + longest_word)
        wanted[cell.col] = max(wanted[cell.col], before + one_line)
    for cell in grid.cells:
        if cell.col_span > 1 and cell.text:
            part = slice(cell.col, cell.col + cell.col_span)
            one_line, longest_word = _widths(cell.text, _type(grid, design, cell))
            for widths, need in ((minimum, longest_word), (wanted, min(one_line, max(longest_word, 8 * EM)))):
                short = need - sum(widths[part]) - (cell.col_span - 1) * pad
                if short > 0:
                    widths[part] = [width + short / cell.col_span for width in widths[part]]
    minimum = [width + pad + _ROUNDING_SLACK for width in minimum]
    wanted = [max(low, width + pad + _ROUNDING_SLACK) for low, width in zip(minimum, wanted, strict=True)]
    if sum(minimum) > widest:
        raise UndrawableError("The words of the table are too wide.")
    if rng.random() < 0.75:
        # A wide table with one line per row would leave most of the square white.
        row_height = (design.leading + 2 * design.pad_y) * EM
        widest = min(widest, max(sum(minimum), rng.uniform(1, 4) * grid.n_rows * row_height))
    spare = widest - sum(minimum)
    over = sum(wanted) - sum(minimum)
    if over > spare:
        # Each column keeps its longest word and gets a share of what is left.
        return [low + (width - low) * spare / over for low, width in zip(minimum, wanted, strict=True)]
    stretch = min(design.stretch, widest / sum(wanted))
    return [width * max(1.0, stretch) for width in wanted]


def _widths(text: str, type_: _Type) -> tuple[float, float]:
    """Widths of the text on one line, and of its longest word."""
    words = text.split(" ")
    one_line = type_.width(text)
    return one_line, one_line if len(words) == 1 else max(map(type_.width, words))


def _break_lines(text: str, type_: _Type, width: float) -> list[str]:
    """Break the text at spaces into lines no wider than ``width``, where words allow it."""
    if type_.width(text) <= width + _ROUNDING_SLACK:
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and type_.width(longer) > width + _ROUNDING_SLACK:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _fraction_width(grid: Grid, design: Design, cell: TableCell) -> float:
    """Width of the text right of the decimal alignment: after the first integer."""
    end = next((index for index, letter in enumerate(cell.text) if letter.isdecimal()), len(cell.text))
    while end < len(cell.text) and (cell.text[end].isdecimal() or cell.text[end] == ","):
        end += 1
    rest = cell.text[end:]
    return _type(grid, design, cell).width(rest, min(cell.n_raised, len(rest)) if design.raised else 0)


def _fraction_widths(grid: Grid, design: Design) -> list[float]:
    widths = [0.0] * grid.n_cols
    for cell in grid.cells:
        if cell.text and cell.col_span == 1 and design.cell_align(grid, cell) == "DECIMAL":
            widths[cell.col] = max(widths[cell.col], _fraction_width(grid, design, cell))
    return widths
