"""Parts that are one straight bar or a lone wedge, measured along their axis."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.parts import Part

_MIN_ASPECT: Final = 1.7
"""Length over width of a bar, at least."""

_UNEVEN: Final = 0.25
"""Share of the greatest width by which a bar's width may differ from its trend, at most."""

_BENT: Final = 0.3
"""Share of the greatest width by which the middle of a bar may leave its axis, at most."""

_HOLLOW: Final = 1.35
"""Span of the ink across a bar over its width, at most."""

_SLICES: Final = 10
"""Places along a bar where it is measured, at most."""

_MAX_WIDTH: Final = 2.2
"""Width of a bar in stroke widths, at most; wedges may be wider at one end."""

_TAPER: Final = 0.55
"""Width at the narrow end over that at the wide end, at most, of a wedge."""


def as_bar(part: Part, width: float) -> NDArray[np.float64] | None:
    """The quadrangle that a part is, closed, pixels of the ink; None of any other part.

    ``width`` is that of the usual stroke.
    """
    ys, xs = np.nonzero(part.mask)
    points = np.stack([xs + 0.5, ys + 0.5], axis=1)
    middle = points.mean(axis=0)
    spread = np.cov((points - middle).T) if len(points) > 2 else np.eye(2)
    values, vectors = np.linalg.eigh(spread)
    unit = vectors[:, 1]
    # The middle of a pixel stands for a square.
    if values[1] < _MIN_ASPECT**2 * max(values[0], 1 / 12):
        return None
    along = (points - middle) @ unit
    across = (points - middle) @ np.array([-unit[1], unit[0]])
    first, last = float(along.min()) - 0.5, float(along.max()) + 0.5
    n = min(_SLICES, max(int((last - first) / 2), 3))
    edges = np.linspace(first, last, n + 1)
    where = np.clip(np.digitize(along, edges) - 1, 0, n - 1)
    counts = np.bincount(where, minlength=n)
    if counts.min() == 0:
        return None
    step = (last - first) / n
    widths = counts / step
    middles = np.bincount(where, across, n) / counts
    # A hole or a notch: the ink does not fill its span.
    low = np.array([across[where == k].min() for k in range(n)])
    high = np.array([across[where == k].max() for k in range(n)])
    at = (edges[:-1] + edges[1:]) / 2
    inner = slice(1, -1) if n > 4 else slice(None)
    slope, base = np.polyfit(at[inner], widths[inner], 1)
    largest = float(widths.max())
    off = np.abs(widths - (base + slope * at))[inner]
    is_bent = np.abs(middles[inner]).max() > _BENT * largest + 0.5
    is_hollow = ((high - low) > _HOLLOW * widths + 1.5)[inner].any()
    if off.max() > _UNEVEN * largest + 0.7 or is_bent or is_hollow:
        return None
    w0, w1 = float(base + slope * first), float(base + slope * last)
    wide, narrow = max(w0, w1), max(min(w0, w1), 0.0)
    if narrow > _TAPER * wide or wide < 1.5 * width:
        w0 = w1 = part.area / (last - first)
        if w0 > _MAX_WIDTH * width:
            return None
    return _quadrangle(middle + np.array((part.x, part.y)), unit, (first, last), (max(w0, 0.5), max(w1, 0.5)))


def _quadrangle(
    middle: NDArray[np.float64],
    unit: NDArray[np.float64],
    span: tuple[float, float],
    widths: tuple[float, float],
) -> NDArray[np.float64]:
    normal = np.array([-unit[1], unit[0]])
    begin, end = middle + unit * span[0], middle + unit * span[1]
    r0, r1 = widths[0] / 2, widths[1] / 2
    corners = [begin + r0 * normal, end + r1 * normal, end - r1 * normal, begin - r0 * normal]
    return np.array([*corners, corners[0]])
