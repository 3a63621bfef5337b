"""Strokes followed along the columns of a picture, run by run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Piece = tuple[int, float, float]
"""Column, middle and thickness of one upright run of ink, pixels."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How a stroke may go on from one column to the next."""

    gap: int
    """Columns without ink at most."""
    off: float
    """Distance of a run from where it is expected at most, pixels."""
    thickness: float
    """Difference in thickness from the run before at most, pixels."""
    slope: float
    """Rows per column at most."""
    memory: int
    """Runs from which the direction is told."""


@dataclass(slots=True, eq=False)
class Track:
    """A stroke as far as it was followed: lists by column."""

    xs: list[int] = field(default_factory=list)
    ys: list[float] = field(default_factory=list)
    thick: list[float] = field(default_factory=list)

    def add(self, x: int, y: float, thickness: float) -> None:
        """Go on with a run."""
        self.xs.append(x)
        self.ys.append(y)
        self.thick.append(thickness)

    def expected(self, x: int, steps: Steps) -> float:
        """Height of its middle at a column to the right."""
        n = len(self.xs)
        if n < 6:
            return self.ys[-1]
        first = max(0, n - steps.memory)
        quarter = max(1, (n - first) // 4)
        begin, begin_x = _mean(self.ys[first : first + quarter]), _mean(self.xs[first : first + quarter])
        end, end_x = _mean(self.ys[-quarter:]), _mean(self.xs[-quarter:])
        slope = (end - begin) / max(1.0, end_x - begin_x)
        return end + min(max(slope, -steps.slope), steps.slope) * (x - end_x)


def _mean(values: list[float] | list[int]) -> float:
    return sum(values) / len(values)


def follow(pieces: Iterable[Piece], steps: Steps, shortest: int = 4) -> list[Track]:
    """The strokes that runs make, each run in one of them.

    Args:
        pieces: by column.
        steps: how strokes go on.
        shortest: runs of a stroke at least.
    """
    done: list[Track] = []
    open_tracks: list[Track] = []
    column, taken = -1, set[int]()
    for x, y, thickness in pieces:
        if x != column:
            column, taken = x, set()
            done += [track for track in open_tracks if x - track.xs[-1] > steps.gap]
            open_tracks = [track for track in open_tracks if x - track.xs[-1] <= steps.gap]
        best: tuple[float, Track] | None = None
        for track in open_tracks:
            if id(track) in taken or abs(y - track.ys[-1]) > steps.off + steps.slope * (x - track.xs[-1] + 4):
                continue
            off = abs(y - track.expected(x, steps))
            if off <= steps.off and abs(thickness - track.thick[-1]) <= steps.thickness:
                cost = off + 0.5 * (x - track.xs[-1])
                if best is None or cost < best[0]:
                    best = (cost, track)
        if best is None:
            track = Track()
            open_tracks.append(track)
        else:
            track = best[1]
        track.add(x, y, thickness)
        taken.add(id(track))
    return [track for track in done + open_tracks if len(track.xs) >= shortest]
