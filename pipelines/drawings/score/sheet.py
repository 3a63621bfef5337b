"""A page of music between strokes and systems: what is drawn, and what of it is accounted for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from docai.pipelines.drawings.score.strokes import Strokes, path_place
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing

SAME_X_POINTS: Final = 0.06
"""Difference of x up to which pieces of an upright line are of one line."""


BAR_SYMBOLS: Final = ("articTenuto", "restWhole", "restHalf", "restDoubleWhole", "articStaccatissimo")
"""How names of symbols begin that are plain bars."""


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """An upright stroke; lengths in points."""

    x: float
    y0: float
    y1: float
    thickness: float
    is_dashed: bool
    paths: tuple[int, ...]
    """Indices in ``Drawing.paths``."""

    @property
    def length(self) -> float:
        """From end to end."""
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """A stroke along the staff, level or aslant: a beam, a bracket, a ledger line; lengths in points."""

    x0: float
    y0: float
    x1: float
    y1: float
    thickness: float
    """Measured upright."""
    path: int

    def y_at(self, x: float) -> float:
        """Height of its middle line."""
        if self.x1 <= self.x0:
            return self.y0
        return self.y0 + (self.y1 - self.y0) * (x - self.x0) / (self.x1 - self.x0)

    @property
    def length(self) -> float:
        """Along x."""
        return self.x1 - self.x0


@dataclass(slots=True, eq=False)
class Sheet:
    """What a page of music consists of."""

    drawing: Drawing
    symbols: list[Symbol]
    uprights: list[Upright]
    """By x; each as it is painted."""
    slabs: list[Slab]
    """By x of the left end."""
    used_paths: set[int] = field(default_factory=set)
    used_symbols: set[int] = field(default_factory=set)
    """``id`` of the symbols that are accounted for."""
    _xs: list[float] = field(default_factory=list)
    _copies: dict[tuple[float, ...], list[int]] = field(default_factory=dict)

    def uprights_between(self, x0: float, x1: float) -> list[Upright]:
        """Upright strokes whose x is in a range."""
        if len(self._xs) != len(self.uprights):
            self._xs = [upright.x for upright in self.uprights]
        return self.uprights[bisect_left(self._xs, x0) : bisect_right(self._xs, x1)]

    def slabs_between(self, x0: float, x1: float) -> list[Slab]:
        """Strokes along the staff that begin before ``x1`` and end after ``x0``."""
        return [slab for slab in self.slabs if slab.x0 <= x1 and slab.x1 >= x0]

    def is_used(self, index: int) -> bool:
        """Whether a path is accounted for, or another one in the same place, such as its own outline."""
        if index in self.used_paths:
            return True
        if not self._copies:
            for number, path in enumerate(self.drawing.paths):
                self._copies.setdefault(path_place(path), []).append(number)
        return any(copy in self.used_paths for copy in self._copies[path_place(self.drawing.paths[index])])

    def use(self, symbol: Symbol) -> None:
        """Account for a symbol."""
        self.used_symbols.add(id(symbol))
        self.used_paths.update(symbol_paths(symbol))

    def use_bars(self) -> None:
        """Account for symbols that are plain bars, such as rests, where their stroke is something else."""
        for symbol in self.symbols:
            if is_bar(symbol) and symbol.path in self.used_paths:
                self.used_symbols.add(id(symbol))


def is_bar(symbol: Symbol) -> bool:
    """A painted symbol that is one bar, as the hook of a beam and the line of a bracket may be, too."""
    return symbol.path is not None and symbol.name.startswith(BAR_SYMBOLS)


def symbol_paths(symbol: Symbol) -> tuple[int, ...]:
    """Indices of the paths that a painted symbol is made of."""
    return () if symbol.path is None else (symbol.path, *symbol.more_paths)


def read_sheet(drawing: Drawing, symbols: list[Symbol], strokes: Strokes) -> Sheet:
    """Strokes of a drawing apart from the outlines of its symbols.

    Args:
        drawing: of a page or a part of it.
        symbols: its music symbols.
        strokes: all its straight strokes.
    """
    outlines = {path for symbol in symbols if not is_bar(symbol) for path in symbol_paths(symbol)}
    strokes = strokes.take(~np.isin(strokes.path, list(outlines)))
    steep = strokes.is_upright
    uprights, slabs = _uprights(strokes.take(steep)), _slabs(strokes.take(~steep))
    return Sheet(drawing, symbols, uprights, slabs, outlines)


def _uprights(strokes: Strokes) -> list[Upright]:
    found = [
        Upright((x0 + x1) / 2, min(y0, y1), max(y0, y1), thickness, dashed, (path,))
        for (x0, y0, x1, y1), thickness, path, dashed in zip(
            strokes.ends.tolist(),
            strokes.thickness.tolist(),
            strokes.path.tolist(),
            strokes.is_dashed.tolist(),
            strict=True,
        )
    ]
    return sorted(found, key=lambda upright: (upright.x, upright.y0))


def _slabs(strokes: Strokes) -> list[Slab]:
    steps = strokes.ends[:, 2:] - strokes.ends[:, :2]
    width = steps[:, 0]
    is_flat = width > 0.15 * np.abs(steps[:, 1])
    upright = strokes.thickness * np.hypot(width, steps[:, 1]) / np.maximum(width, 1e-9)
    found = [
        Slab(x0, y0, x1, y1, thickness, path)
        for (x0, y0, x1, y1), thickness, path in zip(
            strokes.ends[is_flat].tolist(),
            upright[is_flat].tolist(),
            strokes.path[is_flat].tolist(),
            strict=True,
        )
    ]
    return sorted(found, key=lambda slab: (slab.x0, slab.y0))


def join_uprights(uprights: list[Upright], gap: float) -> list[Upright]:
    """Pieces of upright lines joined where they meet, or come as near as ``gap`` points.

    Args:
        uprights: by x.
        gap: points.
    """
    joined: list[Upright] = []
    row: list[Upright] = []

    def close() -> None:
        row.sort(key=lambda upright: upright.y0)
        first = len(joined)
        for piece in row:
            for index in range(len(joined) - 1, max(first, len(joined) - 6) - 1, -1):
                line = joined[index]
                if piece.y0 <= line.y1 + gap and piece.is_dashed == line.is_dashed:
                    thick = max(piece.thickness, line.thickness)
                    if thick <= 1.5 * min(piece.thickness, line.thickness) + 0.1:
                        y1 = max(line.y1, piece.y1)
                        paths = line.paths + piece.paths
                        joined[index] = Upright(line.x, line.y0, y1, thick, line.is_dashed, paths)
                        break
            else:
                joined.append(piece)

    for upright in uprights:
        if row and upright.x - row[-1].x > SAME_X_POINTS:
            close()
            row = []
        row.append(upright)
    close()
    return sorted(joined, key=lambda upright: (upright.x, upright.y0))
