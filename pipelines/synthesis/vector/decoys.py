"""Vector drawings that are neither molecules nor scores, though some have rings, letters, or five lines."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from docai.pipelines.synthesis.vector.decoy_charts import CHARTS, ELEMENT_WORDS, HEIGHT, WIDTH

_WORDS: Final = ("Input", "Filter", "Check", "Store", "Output", "No", "OK", "CH", "Co", "N", "Start", "HO")


def draw_decoy(kind: str, seed: int | str = 0) -> bytes:
    """A PDF of one page.

    Args:
        kind: one of :data:`DECOYS`.
        seed: of everything that varies.
    """
    return DECOYS[kind](random.Random(f"decoy/{kind}/{seed}"))


def _on_page(draw: Callable[[Any, Any, random.Random], None]) -> Callable[[random.Random], bytes]:
    """What is drawn with PyMuPDF's page and shape."""

    def made(rng: random.Random) -> bytes:
        import pymupdf

        with pymupdf.open() as document:
            page = document.new_page(width=WIDTH, height=HEIGHT)
            shape = page.new_shape()
            draw(page, shape, rng)
            shape.commit()
            data: bytes = document.tobytes()
        return data

    return made


def _map(page: Any, shape: Any, rng: random.Random) -> None:
    for _ in range(rng.randint(15, 50)):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        angle = rng.uniform(0, 2 * math.pi)
        points = [(x, y)]
        for _ in range(rng.randint(5, 60)):
            angle += rng.gauss(0, 0.4)
            step = rng.uniform(2, 10)
            x, y = x + step * math.cos(angle), y + step * math.sin(angle)
            points.append((x, y))
        shape.draw_polyline(points)
        shape.finish(width=rng.choice((0.3, 0.7, 1.5)), color=(rng.random(), rng.random(), rng.random()))
    for _ in range(12):
        page.insert_text((rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)), rng.choice(_WORDS), fontsize=7)


def _street_grid(page: Any, shape: Any, rng: random.Random) -> None:
    for _ in range(60):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        angle = rng.choice((0.2, 0.2 + math.pi / 2, 0.9))
        length = rng.uniform(20, 150)
        shape.draw_line((x, y), (x + length * math.cos(angle), y + length * math.sin(angle)))
    shape.finish(width=0.8)
    page.insert_text((100, 100), "N", fontsize=9)


def _circuit(page: Any, shape: Any, rng: random.Random) -> None:
    grid = 50.0
    for _ in range(rng.randint(10, 24)):
        x, y = 40 + grid * rng.randrange(7), 40 + grid * rng.randrange(5)
        is_flat = rng.random() < 0.5

        def at(
            along: float, across: float, x: float = x, y: float = y, flat: bool = is_flat
        ) -> tuple[float, float]:
            return (x + along, y + across) if flat else (x + across, y + along)

        kind = rng.choice(("wire", "resistor", "capacitor", "box", "ground"))
        if kind == "wire":
            shape.draw_line(at(0, 0), at(grid, 0))
        elif kind == "resistor":
            zigzag = [at(12 + 4 * index, 5 * (-1) ** index) for index in range(7)]
            shape.draw_polyline([at(0, 0), at(10, 0), *zigzag, at(40, 0), at(grid, 0)])
        elif kind == "capacitor":
            for begin, end in (
                ((0, 0), (22, 0)),
                ((28, 0), (grid, 0)),
                ((22, -8), (22, 8)),
                ((28, -8), (28, 8)),
            ):
                shape.draw_line(at(*begin), at(*end))
        elif kind == "box":
            shape.draw_polyline([at(12, -5), at(38, -5), at(38, 5), at(12, 5), at(12, -5)])
            shape.draw_line(at(0, 0), at(12, 0))
            shape.draw_line(at(38, 0), at(grid, 0))
        else:
            for index in range(3):
                shape.draw_line((x - 8 + 3 * index, y + 4 * index), (x + 8 - 3 * index, y + 4 * index))
        page.insert_text((x + 16, y - 8), rng.choice(ELEMENT_WORDS), fontsize=8)
    shape.finish(width=1)


def _flow_chart(page: Any, shape: Any, rng: random.Random) -> None:
    for row in range(rng.randint(2, 4)):
        for column in range(rng.randint(1, 3)):
            x, y = 30 + 130 * column, 20 + 75 * row
            if rng.random() < 0.6:
                shape.draw_rect((x, y, x + 90, y + 36))
            else:
                shape.draw_polyline(
                    [(x + 45, y), (x + 90, y + 18), (x + 45, y + 36), (x, y + 18), (x + 45, y)]
                )
            shape.draw_line((x + 45, y + 36), (x + 45, y + 72))
            shape.draw_polyline([(x + 42, y + 67), (x + 45, y + 73), (x + 48, y + 67)])
            page.insert_text((x + 26, y + 21), rng.choice(_WORDS), fontsize=9)
    shape.finish(width=rng.uniform(0.5, 1.5))


def _network(page: Any, shape: Any, rng: random.Random) -> None:
    """A graph of circles with letters, and lines between them."""
    spots = [(rng.uniform(30, WIDTH - 30), rng.uniform(30, HEIGHT - 30)) for _ in range(rng.randint(6, 14))]
    for index, (x, y) in enumerate(spots):
        for u, v in rng.sample(spots[:index], min(index, 2)):
            length = math.dist((x, y), (u, v)) or 1.0
            dx, dy = 9 * (u - x) / length, 9 * (v - y) / length
            shape.draw_line((x + dx, y + dy), (u - dx, v - dy))
        shape.draw_circle((x, y), 9)
        page.insert_text((x - 3, y + 3), rng.choice("ABCNOSPFH"), fontsize=9)
    shape.finish(width=1)


def _syntax_tree(page: Any, shape: Any, rng: random.Random) -> None:
    """A tree of bare letters with lines between them, as of a grammar."""
    rows = [[(WIDTH / 2, 30.0)]]
    for depth in range(1, 4):
        rows.append([])
        for x, y in rows[-2]:
            reach = 110 / depth
            children = [(x - reach, y + 60), (x + reach, y + 60)][: rng.randint(1, 2)]
            for child in children:
                shape.draw_line((x, y + 4), (child[0], child[1] - 10))
                rows[-1].append(child)
    for row in rows:
        for x, y in row:
            page.insert_text(
                (x - 6, y), rng.choice(("NP", "VP", "S", "N", "V", "Det", "PP", "P")), fontsize=10
            )
    shape.finish(width=0.8)


def _hatch(page: Any, shape: Any, rng: random.Random) -> None:
    step, angle = rng.uniform(3, 9), rng.choice((0.0, math.pi / 4, math.pi / 2, rng.uniform(0, 3)))
    for index in range(int(200 / step)):
        x, y = 60 + index * step * math.sin(angle), 60 + index * step * math.cos(angle)
        shape.draw_line((x, y), (x + 150 * math.cos(angle), y - 150 * math.sin(angle)))
    shape.finish(width=rng.choice((0.3, 0.7)))
    shape.draw_rect((60, 60, 260, 260))
    shape.finish(width=1)


def _honeycomb(page: Any, shape: Any, rng: random.Random) -> None:
    side = rng.uniform(10, 22)
    fill = rng.choice((None, (1, 0.9, 0.5), (0.8, 0.9, 1)))
    for row in range(rng.randint(5, 8)):
        for column in range(rng.randint(5, 9)):
            x, y = 50 + side * math.sqrt(3) * (column + row % 2 / 2), 50 + 1.5 * side * row
            corners = [
                (x + side * math.sin(k * math.pi / 3), y + side * math.cos(k * math.pi / 3)) for k in range(7)
            ]
            shape.draw_polyline(corners)
    shape.finish(width=1, fill=fill)


def _table(page: Any, shape: Any, rng: random.Random) -> None:
    rows, columns, height = rng.randint(4, 9), rng.randint(2, 6), rng.uniform(9, 20)
    for row in range(rows + 1):
        shape.draw_line((40, 40 + row * height), (40 + columns * 60, 40 + row * height))
    if rng.random() < 0.6:
        for column in range(columns + 1):
            shape.draw_line((40 + column * 60, 40), (40 + column * 60, 40 + rows * height))
    shape.finish(width=rng.choice((0.4, 0.8)))
    for row in range(rows):
        for column in range(columns):
            place = (44 + column * 60, 40 + (row + 0.75) * height)
            text = rng.choice((*ELEMENT_WORDS, "1.5", "20", "CO2", "H2O", "NaCl"))
            page.insert_text(place, text, fontsize=min(9, height * 0.7))


def _ruled_paper(page: Any, shape: Any, rng: random.Random) -> None:
    """Groups of lines for handwriting, with words on them."""
    n_lines, space = rng.choice((2, 4, 4, 5)), rng.uniform(5, 9)
    for group in range(4):
        top = 30 + 70 * group
        for line in range(n_lines):
            shape.draw_line((30, top + space * line), (WIDTH - 30, top + space * line))
        for word in range(4):
            place = (40 + 90 * word, top + space * (n_lines - 1))
            page.insert_text(place, rng.choice(_WORDS), fontsize=2.5 * space)
    shape.finish(width=0.5)


def _sparklines(page: Any, shape: Any, rng: random.Random) -> None:
    """Five grid lines with dots and verticals between them: a chart that is nearly a staff."""
    top, space = 80.0, rng.uniform(8, 20)
    for line in range(5):
        shape.draw_line((60, top + space * line), (360, top + space * line))
    shape.finish(width=0.5)
    for index in range(12):
        x, y = 75 + 24 * index, top + space * rng.uniform(0, 4)
        shape.draw_circle((x, y), 3)
        shape.finish(fill=(0, 0, 0), width=0)
        shape.draw_line((x, y), (x, top + 4 * space))
        shape.finish(width=0.8)
    for line in range(5):
        page.insert_text((40, top + space * line + 3), str(10 * (5 - line)), fontsize=8)


def _logo(page: Any, shape: Any, rng: random.Random) -> None:
    x, y, radius = WIDTH / 2, HEIGHT / 2 - 20, rng.uniform(30, 70)
    n_corners = rng.choice((3, 4, 5, 6, 6, 8))
    for scale, width in ((1.0, rng.uniform(3, 9)), (0.7, 2)):
        corners = [
            (
                x + scale * radius * math.sin(2 * math.pi * k / n_corners),
                y - scale * radius * math.cos(2 * math.pi * k / n_corners),
            )
            for k in range(n_corners + 1)
        ]
        shape.draw_polyline(corners)
        shape.finish(width=width, color=(0.1, 0.3, 0.6), closePath=True)
    page.insert_text(
        (x - 60, y + radius + 30),
        rng.choice(("HEXACORP", "OCN Group", "BioNCo", "F. Hoch & Co")),
        fontsize=22,
    )


def _technical(page: Any, shape: Any, rng: random.Random) -> None:
    """A part with dimensions."""
    width, height = rng.uniform(120, 240), rng.uniform(60, 150)
    shape.draw_rect((60, 60, 60 + width, 60 + height))
    shape.draw_circle((60 + width / 2, 60 + height / 2), height / 4)
    shape.finish(width=1.2)
    for y in (60 + height + 20,):
        shape.draw_line((60, y), (60 + width, y))
        for x, sign in ((60, 1), (60 + width, -1)):
            shape.draw_polyline([(x + sign * 8, y - 2), (x, y), (x + sign * 8, y + 2)])
    shape.finish(width=0.5, fill=(0, 0, 0))
    shape.draw_line((50, 60 + height / 2), (70 + width, 60 + height / 2))
    shape.finish(width=0.4, dashes="[6 2 1 2] 0")
    page.insert_text((60 + width / 2, 60 + height + 17), f"{width:.0f}", fontsize=8)
    page.insert_text((66 + width, 60 + height / 2), "R12", fontsize=8)


def _lattice(page: Any, shape: Any, rng: random.Random) -> None:
    """A crystal: balls on a cubic grid in oblique view."""
    for depth in range(2):
        for row in range(3):
            for column in range(3):
                x, y = 90 + 70 * column + 30 * depth, 70 + 70 * row - 22 * depth
                if column < 2:
                    shape.draw_line((x, y), (x + 70, y))
                if row < 2:
                    shape.draw_line((x, y), (x, y + 70))
                if not depth:
                    shape.draw_line((x, y), (x + 30, y - 22))
    shape.finish(width=0.8)
    for row in range(3):
        for column in range(3):
            shape.draw_circle((90 + 70 * column, 70 + 70 * row), rng.choice((5, 9)))
    shape.finish(width=0.8, fill=(0.5, 0.5, 0.9))
    page.insert_text((300, 60), "Na", fontsize=9)
    page.insert_text((300, 75), "Cl", fontsize=9)


DECOYS: Final[Mapping[str, Callable[[random.Random], bytes]]] = MappingProxyType(
    {
        **CHARTS,
        "map": _on_page(_map),
        "street grid": _on_page(_street_grid),
        "circuit": _on_page(_circuit),
        "flow chart": _on_page(_flow_chart),
        "network": _on_page(_network),
        "syntax tree": _on_page(_syntax_tree),
        "hatch": _on_page(_hatch),
        "honeycomb": _on_page(_honeycomb),
        "table": _on_page(_table),
        "ruled paper": _on_page(_ruled_paper),
        "stem plot on five lines": _on_page(_sparklines),
        "logo": _on_page(_logo),
        "technical drawing": _on_page(_technical),
        "crystal": _on_page(_lattice),
    }
)
"""Name of a kind of decoy → what draws it."""
