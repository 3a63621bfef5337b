"""The design of a laid-out table: faces, rules, fills, alignment, spacing. Lengths are in ems."""

from __future__ import annotations

import colorsys
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from reportlab.lib.colors import Color
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Split, UndrawableError
from docai.pipelines.synthesis.table.grid import Grid, TableCell

Command = tuple[str, tuple[int, int], tuple[int, int], *tuple[object, ...]]

# The standard fonts of PDF, from PyMuPDF's to ReportLab's names.
_STANDARD = {
    "helv": "Helvetica",
    "heit": "Helvetica-Oblique",
    "hebo": "Helvetica-Bold",
    "hebi": "Helvetica-BoldOblique",
    "tiro": "Times-Roman",
    "tiit": "Times-Italic",
    "tibo": "Times-Bold",
    "tibi": "Times-BoldItalic",
    "cour": "Courier",
    "coit": "Courier-Oblique",
    "cobo": "Courier-Bold",
    "cobi": "Courier-BoldOblique",
}
_ITALIC = {
    "helv": "heit",
    "tiro": "tiit",
    "cour": "coit",
    "DejaVuSans": "DejaVuSans-Oblique",
    "DejaVuSerif": "DejaVuSerif-Italic",
    "STIXGeneral": "STIXGeneralItalic",
    "Vera": "VeraIt",
}
_CP1252 = frozenset(bytes(code for code in range(32, 256)).decode("cp1252", "ignore"))
"""Characters of the standard fonts as ReportLab encodes them."""

_FULL = ("grid", "grid", "open")
_PARTIAL = ("rows", "columns", "booktabs", "booktabs", "booktabs", "head", "bands", "box", "none")
_RULES = (*_FULL, *_PARTIAL)
RULES = tuple(dict.fromkeys(_RULES))
"""Styles of rules."""
_UPRIGHT_RULES = ("grid", "open", "columns")


@dataclass(frozen=True)
class Design:
    """The design of one table. Gray levels are 0 (black) to 1."""

    face: str
    header_face: str
    header_size: float
    group_face: str
    total_face: str
    rules: str
    """One of :data:`RULES`; "open" is a grid without outer sides, "bands" has rules between groups of
    rows."""
    rule: float
    rule_gray: float
    dashed: bool
    ink: float
    header_fill: float
    header_ink: float
    stripe: float
    stub_fill: float
    total_fill: float
    pad_x: float
    pad_y: float
    leading: float
    align: tuple[str, ...]
    """LEFT, CENTER, RIGHT or DECIMAL per column, for the body."""
    header_align: str
    """LEFT, CENTER, RIGHT or COLUMN."""
    header_valign: str
    valign: str
    wrap_header: bool
    rotated_header: bool
    rotated_stub: bool
    indent: float
    raised: bool
    """Whether footnote marks are small and raised."""
    stretch: float
    tint: tuple[float, float] | None
    """Hue and saturation, 0…1, of gray parts; None for no color."""

    def color(self, level: float) -> Color:
        """The gray of that level, or a tint of the same luminance, which is as legible."""
        if self.tint is None:
            return Color(level, level, level)
        hue, saturation = self.tint
        pure = colorsys.hsv_to_rgb(hue, 1, 1)
        light = 0.3 * pure[0] + 0.59 * pure[1] + 0.11 * pure[2]
        toned = (
            part * level / light if level < light else 1 - (1 - part) * (1 - level) / (1 - light)
            for part in pure
        )
        return Color(*(level + saturation * (part - level) for part in toned))

    @property
    def is_filled(self) -> bool:
        """Whether some text is on a ground that is not white."""
        return min(self.header_fill, self.stripe, self.stub_fill, self.total_fill) < 1

    def cell_face(self, grid: Grid, cell: TableCell) -> str:
        if cell.row < grid.n_header_rows:
            return self.header_face
        return {"": self.face, "group": self.group_face, "total": self.total_face}[cell.role]

    def cell_align(self, grid: Grid, cell: TableCell) -> str:
        column = self.align[cell.col]
        if cell.row < grid.n_header_rows:
            if cell.col_span > 1:
                return "CENTER" if self.header_align != "LEFT" else "LEFT"
            plain = "CENTER" if column == "DECIMAL" else column
            return plain if self.header_align == "COLUMN" else self.header_align
        if cell.role == "group" and cell.col == 0:
            if cell.col_span == 1:
                return self.align[0]
            # Without rules between columns, only the alignment shows how wide the cell is.
            return self.header_align.replace("COLUMN", "LEFT") if self.rules in _UPRIGHT_RULES else "CENTER"
        return "CENTER" if cell.col_span > 1 and cell.col > 0 else column


def pick_design(rng: random.Random, grid: Grid, difficulty: float, split: Split) -> Design:
    """A random design, in faces of the split that have the characters of the table."""
    face = _face(rng, grid, difficulty, split)
    bold, italic = fonts.bold(face), _ITALIC.get(face, face)
    numeric = grid.numeric or (False,) * grid.n_cols
    number_align = rng.choice(("RIGHT", "CENTER", "DECIMAL", "DECIMAL", "LEFT"))
    text_align = rng.choice(("LEFT", "LEFT", "LEFT", "CENTER"))
    mixed = rng.random() < 0.12
    align = tuple(
        rng.choice(("LEFT", "CENTER", "RIGHT")) if mixed else number_align if is_number else text_align
        for is_number in numeric
    )
    filled = rng.random() < 0.25 + 0.2 * difficulty
    dark = filled and rng.random() < 0.25
    header_fill = rng.uniform(0.1, 0.4) if dark else rng.uniform(0.75, 0.97) if filled else 1.0
    rules = rng.choice(_FULL if grid.needs_rules else _RULES)
    zebra = rng.random() < (0.5 if rules in ("none", "head", "bands", "box") else 0.15)
    return Design(
        face=face,
        header_face=rng.choice((bold, bold, face, italic)),
        header_size=1.0 if rng.random() < 0.7 else rng.uniform(0.85, 1.2),
        group_face=rng.choice((bold, italic, face)),
        total_face=rng.choice((bold, bold, face)),
        rules=rules,
        rule=rng.choice((0.04, 0.05, 0.07, 0.1)),
        rule_gray=rng.choice((0.0, 0.0, 0.0, rng.uniform(0.2, 0.7))),
        dashed=rng.random() < 0.05,
        ink=rng.uniform(0.0, 0.1 + 0.2 * difficulty),
        header_fill=header_fill,
        header_ink=1.0 if dark else rng.uniform(0.0, 0.2),
        stripe=rng.uniform(0.82, 0.96) if zebra else 1.0,
        stub_fill=rng.uniform(0.85, 0.96) if rng.random() < 0.07 else 1.0,
        total_fill=rng.uniform(0.8, 0.95) if rng.random() < 0.2 else 1.0,
        pad_x=rng.uniform(0.3, 1.0),
        pad_y=rng.uniform(0.08, 0.5) * rng.choice((0.7, 1.0)),
        leading=rng.uniform(1.05, 1.35),
        align=align,
        header_align=rng.choice(("COLUMN", "COLUMN", "CENTER", "LEFT")),
        header_valign=rng.choice(("MIDDLE", "BOTTOM", "BOTTOM", "TOP")),
        valign=rng.choice(("MIDDLE", "MIDDLE", "TOP", "TOP", "BOTTOM")),
        wrap_header=rng.random() < 0.6,
        rotated_header=rng.random() < 0.09 * difficulty,
        rotated_stub=rng.random() < 0.35 * difficulty,
        indent=rng.uniform(0.6, 1.6),
        raised=rng.random() < 0.8,
        tint=(rng.random(), rng.uniform(0.2, 1.0)) if rng.random() < 0.25 * difficulty else None,
        stretch=1.0 if rng.random() < 0.6 else rng.uniform(1.05, 1.6),
    )


def commands(grid: Grid, design: Design, em: float) -> list[Command]:
    """Fills and rules as commands of ReportLab's TableStyle; ``em`` is the font size in points."""
    return [*_fills(grid, design), *_rules(grid, design, em)]


def _fills(grid: Grid, design: Design) -> Iterator[Command]:
    head = grid.n_header_rows

    def fill(start: tuple[int, int], stop: tuple[int, int], level: float) -> Iterator[Command]:
        if level < 1:
            yield ("BACKGROUND", start, stop, design.color(level))

    striped = {
        row for cell in grid.cells if cell.row_span > 1 for row in range(cell.row, cell.row + cell.row_span)
    }
    for row in range(head + 1, grid.n_rows, 2):
        # A stripe would divide a cell that spans the row.
        if row not in striped:
            yield from fill((0, row), (-1, row), design.stripe)
    yield from fill((0, head), (grid.n_stub_cols - 1, -1), design.stub_fill)
    if head:
        yield from fill((0, 0), (-1, head - 1), design.header_fill)
    for row in sorted({cell.row for cell in grid.cells if cell.role == "total"}):
        yield from fill((0, row), (-1, row), design.total_fill)


def _rules(grid: Grid, design: Design, em: float) -> Iterator[Command]:
    kind, head, last = design.rules, grid.n_header_rows, grid.n_rows - 1
    gray, dash = design.color(design.rule_gray), ([2 * design.rule * em] * 2 if design.dashed else None)

    def rule(name: str, start: tuple[int, int], stop: tuple[int, int], times: float = 1.0) -> Command:
        return (name, start, stop, times * design.rule * em, gray, 0, dash)

    if kind == "grid":
        yield rule("GRID", (0, 0), (-1, -1))
    if kind == "box":
        yield rule("BOX", (0, 0), (-1, -1))
    if kind == "open":
        yield rule("INNERGRID", (0, 0), (-1, -1))
    if kind in ("rows", "open"):
        yield rule("LINEABOVE", (0, 0), (-1, 0))
        yield rule("LINEBELOW", (0, 0 if kind == "rows" else last), (-1, -1))
    if kind == "columns":
        yield rule("LINEAFTER", (0, 0), (-2, -1))
        yield rule("BOX", (0, 0), (-1, -1))
    if kind == "booktabs":
        yield rule("LINEABOVE", (0, 0), (-1, 0), 1.8)
        yield rule("LINEBELOW", (0, last), (-1, last), 1.8)
    if kind in ("booktabs", "head", "box", "columns") and head:
        yield rule("LINEBELOW", (0, head - 1), (-1, head - 1))
    if kind in ("booktabs", "rows"):
        for cell in grid.cells:
            if cell.row + cell.row_span < head and cell.col_span > 1:
                yield rule("LINEBELOW", (cell.col, cell.row), (cell.col + cell.col_span - 1, cell.row))
    for row in sorted({cell.row for cell in grid.cells if cell.role == "total"}):
        if kind in ("booktabs", "head", "bands", "none"):
            yield rule("LINEABOVE", (0, row), (-1, row))
    if kind == "bands":
        starts = {c.row for c in grid.cells if c.role == "group" or (c.col == 0 and c.row_span > 1)}
        for row in sorted(starts | {head}):
            yield rule("LINEABOVE", (0, row), (-1, row))


def _face(rng: random.Random, grid: Grid, difficulty: float, split: Split) -> str:
    """A face for the body with all characters of the table; the usual faces of print are more frequent."""
    letters = {letter for cell in grid.cells for letter in cell.text}
    upright = rng.random() > 0.08 * difficulty
    usual = [name for name in ("helv", "tiro") if fonts.is_held_out(name) == (split == "held-out")]
    if usual and rng.random() < 0.4:
        name = rng.choice(usual)
    else:
        name = fonts.pick(rng, upright=upright, system=rng.random() < 0.5 * difficulty, split=split)
    if _can_write(name, letters):
        return name
    fitting = [name for name in fonts.faces() if name in fonts.UPRIGHT and _can_write(name, letters)]
    if not fitting:
        raise UndrawableError("No face has all characters of the table.")
    # The text has priority over the split: some signs are in few faces.
    of_split = [name for name in fitting if fonts.is_held_out(name) == (split == "held-out")]
    return rng.choice(of_split or fitting)


def _can_write(name: str, letters: Collection[str]) -> bool:
    """Whether ReportLab can write all letters in the face: it embeds only TrueType outlines."""
    if name in _STANDARD:
        return all(letter in _CP1252 for letter in letters)
    if name.endswith(".otf"):
        return False
    try:
        glyphs = pdfmetrics.getFont(pdf_font(name)).face.charToGlyph
    except TTFError:
        return False
    return all(ord(letter) in glyphs for letter in letters)


@lru_cache(maxsize=256)
def pdf_font(name: str) -> str:
    """ReportLab's name of the face, registered. Raises ``TTFError`` where it cannot embed the face."""
    if name in _STANDARD:
        return _STANDARD[name]
    registered = f"docai-{name}"
    pdfmetrics.registerFont(TTFont(registered, BytesIO(fonts.font_bytes(name))))
    return registered
