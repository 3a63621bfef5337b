"""Slurs and ties of a picture of music: thin curved strokes. Lengths are pixels of it straightened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.score.ink import Mask, upright_runs
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.tracks import Piece, Steps, Track, follow

MAX_RUN_SPACES: Final = 0.6
"""Upright extent of a bow in one column at most, in staff spaces: it is longer than thick where it
is steep."""

BOW_STEPS: Final = Steps(gap=5, off=2.0, thickness=0.3 * SPACE_PX, slope=1.6, memory=12)

JOIN_SPACES: Final = 1.6
"""Gap over which pieces of a bow are joined at most, in staff spaces: staff lines hide what lies along
them."""

JOIN_OFF_PX: Final = 2.5
"""How far the next piece may lie from where the one before leads."""

MIN_LENGTH_SPACES: Final = 1.1
"""Length of a bow at least, in staff spaces."""

MIN_SAGITTA_SPACES: Final = 0.14
"""Height over the straight line between the ends at least, in staff spaces."""

MIN_SAGITTA: Final = 0.035
"""And as a share of the length, of bows shorter than twelve staff spaces."""

MAX_THICKNESS_SPACES: Final = 0.5
"""Typical thickness of a bow at most, in staff spaces."""

MAX_ROUGHNESS_PX: Final = 0.9
"""Root mean square distance of its middles from a smooth curve at most."""

N_POINTS: Final = 25
"""Points of each side of an outline."""


def find_bows(mask: Mask) -> list[NDArray[np.float64]]:
    """Closed outlines, (n, 2) each, of the bows in what ink is left.

    Args:
        mask: (h, w), ink that is neither of staff lines nor of symbols, stems and beams.
    """
    runs = upright_runs(mask, 1, MAX_RUN_SPACES * SPACE_PX)
    pieces: list[Piece] = [(x, (y0 + y1 - 1) / 2, float(y1 - y0)) for x, y0, y1 in runs.tolist()]
    tracks = _joined(follow(pieces, BOW_STEPS, 5))
    return [outline for track in tracks if (outline := _outline(track)) is not None]


def _joined(tracks: Sequence[Track]) -> list[Track]:
    """Pieces that lead into each other as one."""
    joined: list[Track] = []
    for track in sorted(tracks, key=lambda track: track.xs[0]):
        best: tuple[float, Track] | None = None
        for other in joined:
            gap = track.xs[0] - other.xs[-1]
            if not 0 < gap <= JOIN_SPACES * SPACE_PX:
                continue
            off = _off(other, track)
            if off <= JOIN_OFF_PX + 0.08 * gap and (best is None or off + 0.2 * gap < best[0]):
                best = (off + 0.2 * gap, other)
        if best is None:
            joined.append(track)
        else:
            best[1].xs += track.xs
            best[1].ys += track.ys
            best[1].thick += track.thick
    return joined


def _off(left: Track, right: Track) -> float:
    """Distance in the middle of the gap of where two pieces lead."""
    middle = (left.xs[-1] + right.xs[0]) / 2
    ahead = _led(left.xs[-14:], left.ys[-14:], middle)
    back = _led(right.xs[:14], right.ys[:14], middle)
    return abs(ahead - back)


def _led(xs: Sequence[int], ys: Sequence[float], x: float) -> float:
    if len(xs) < 5 or xs[-1] == xs[0]:
        return float(np.mean(ys))
    slope, offset = np.polyfit(xs, ys, 1)
    return float(slope * x + offset)


def _outline(track: Track) -> NDArray[np.float64] | None:
    xs, ys, thick = np.array(track.xs, float), np.array(track.ys), np.array(track.thick)
    length = float(xs[-1] - xs[0])
    if length < MIN_LENGTH_SPACES * SPACE_PX or len(xs) < 0.6 * length:
        return None
    if float(np.median(thick)) > MAX_THICKNESS_SPACES * SPACE_PX:
        return None
    share = (xs - xs[0]) / length
    curve = np.polynomial.Polynomial.fit(share, ys, 4 if len(xs) > 24 else 2)
    if float(np.sqrt(np.mean((curve(share) - ys) ** 2))) > MAX_ROUGHNESS_PX:
        return None
    at = np.linspace(0, 1, N_POINTS)
    middle = curve(at)
    chord = middle[0] + (middle[-1] - middle[0]) * at
    over = middle - chord
    sagitta = float(over[N_POINTS // 4 : -(N_POINTS // 4)].mean())
    if abs(sagitta) < max(
        MIN_SAGITTA_SPACES * SPACE_PX, min(MIN_SAGITTA, 0.42 / max(length / SPACE_PX, 1)) * length
    ):
        return None
    if float((-np.sign(sagitta) * over).max()) > 0.25 * abs(sagitta) + 0.5:
        return None
    half = 0.5 * np.interp(at, share, thick).clip(max=0.4 * SPACE_PX) * np.sin(np.pi * at).clip(min=0.05)
    x = xs[0] + at * length
    upper = np.column_stack([x, middle - half])
    lower = np.column_stack([x, middle + half])[::-1]
    return np.concatenate([upper, lower, upper[:1]])
