"""Path data and transforms of SVG, as cubic Bézier curves and affine maps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: ``x = a u + c v + e``, ``y = b u + d v + f``."""

Piece = tuple[str, tuple[float, ...]]
"""``m`` or ``l`` with a point, ``c`` with three points, ``h`` with none; absolute."""

IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
ROUND: Final = 0.5522847498
"""Share of the radius by which the controls of a quarter circle stand off."""

_TOKEN: Final = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_CALL: Final = re.compile(r"(\w+)\s*\(([^)]*)\)")
_N_NUMBERS: Final = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7, "z": 0}


def numbers(text: str) -> list[float]:
    """The numbers in a list separated by blanks and commas."""
    return [float(word) for word in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)]


def concat(first: Matrix, then: Matrix) -> Matrix:
    """The map that is ``first`` and after it ``then``."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """A point under a map."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def scale_of(matrix: Matrix) -> float:
    """By how much a map enlarges lengths, on average over the directions."""
    return math.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]))


def read_transform(text: str | None) -> Matrix:
    """The map of a ``transform`` attribute."""
    made = IDENTITY
    for name, inside in _CALL.findall(text or ""):
        values = numbers(inside)
        if name == "matrix":
            call: Matrix = (values[0], values[1], values[2], values[3], values[4], values[5])
        elif name == "translate":
            call = (1, 0, 0, 1, values[0], values[1] if len(values) > 1 else 0)
        elif name == "scale":
            call = (values[0], 0, 0, values[-1], 0, 0)
        elif name == "rotate":
            cosine, sine = math.cos(math.radians(values[0])), math.sin(math.radians(values[0]))
            call = (cosine, sine, -sine, cosine, 0, 0)
            if len(values) > 2:
                x, y = values[1:3]
                call = concat(concat((1, 0, 0, 1, -x, -y), call), (1, 0, 0, 1, x, y))
        else:
            raise ValueError(f"The transform {name} is not known.")
        made = concat(call, made)
    return made


def read_path(data: str) -> Iterator[Piece]:
    """The pieces of path data."""
    x = y = start_x = start_y = 0.0
    control: tuple[float, float] | None = None
    last = ""
    for command, values in _commands(data):
        kind = command.lower()
        dx, dy = (x, y) if command != kind.upper() else (0.0, 0.0)
        if kind == "z":
            yield "h", ()
            x, y = start_x, start_y
        elif kind in "mlhv":
            if kind == "h":
                x = values[0] + dx
            elif kind == "v":
                y = values[0] + dy
            else:
                x, y = values[0] + dx, values[1] + dy
            if kind == "m":
                start_x, start_y = x, y
            yield "m" if kind == "m" else "l", (x, y)
        elif kind == "a":
            end = values[5] + dx, values[6] + dy
            for curve in _arc((x, y), end, *values[:5]):
                yield "c", curve
            x, y = end
        else:
            points = [(values[i] + dx, values[i + 1] + dy) for i in range(0, len(values), 2)]
            mirrored = (2 * x - control[0], 2 * y - control[1]) if control and last in _KIN[kind] else (x, y)
            if kind in "st":
                points.insert(0, mirrored)
            control = points[-2]
            if kind in "qt":
                (qx, qy), (ex, ey) = points
                first = x + 2 / 3 * (qx - x), y + 2 / 3 * (qy - y)
                points = [first, (ex + 2 / 3 * (qx - ex), ey + 2 / 3 * (qy - ey)), (ex, ey)]
            x, y = points[-1]
            yield "c", tuple(value for point in points for value in point)
        last = kind


_KIN: Final = {"c": "cs", "s": "cs", "q": "qt", "t": "qt"}


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    command, values = "", [0.0] * 0
    for letter, number in _TOKEN.findall(data):
        if letter:
            command, values = letter, []
            if letter in "Zz":
                yield letter, []
            continue
        values.append(float(number))
        if command and len(values) == _N_NUMBERS[command.lower()]:
            yield command, values
            values = []
            # Further points after a move are lines.
            command = {"M": "L", "m": "l"}.get(command, command)


def _arc(
    start: tuple[float, float],
    end: tuple[float, float],
    rx: float,
    ry: float,
    degrees: float,
    is_large: float,
    is_clockwise: float,
) -> Iterator[tuple[float, ...]]:
    """An elliptic arc as curves of at most a quarter turn; the formulas are those of the SVG standard."""
    if start == end or rx == 0 or ry == 0:
        yield (*start, *end, *end)
        return
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    mx, my = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    ux, uy = cosine * mx + sine * my, cosine * my - sine * mx
    rx, ry = abs(rx), abs(ry)
    grow = math.sqrt(max(1.0, (ux / rx) ** 2 + (uy / ry) ** 2))
    rx, ry = rx * grow, ry * grow
    over = (rx * ry) ** 2 - (rx * uy) ** 2 - (ry * ux) ** 2
    root = math.sqrt(max(0.0, over / ((rx * uy) ** 2 + (ry * ux) ** 2)))
    root = -root if bool(is_large) == bool(is_clockwise) else root
    vx, vy = root * rx * uy / ry, -root * ry * ux / rx
    first = math.atan2((uy - vy) / ry, (ux - vx) / rx)
    sweep = math.atan2((-uy - vy) / ry, (-ux - vx) / rx) - first
    if is_clockwise and sweep < 0:
        sweep += 2 * math.pi
    elif not is_clockwise and sweep > 0:
        sweep -= 2 * math.pi
    center = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    place = (
        cosine * rx,
        sine * rx,
        -sine * ry,
        cosine * ry,
        center[0] + cosine * vx - sine * vy,
        center[1] + sine * vx + cosine * vy,
    )
    n_pieces = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    step = sweep / n_pieces
    reach = 4 / 3 * math.tan(step / 4)
    for index in range(n_pieces):
        a, b = first + index * step, first + (index + 1) * step
        yield (
            *apply(place, math.cos(a) - reach * math.sin(a), math.sin(a) + reach * math.cos(a)),
            *apply(place, math.cos(b) + reach * math.sin(b), math.sin(b) - reach * math.cos(b)),
            *apply(place, math.cos(b), math.sin(b)),
        )


def ellipse(x: float, y: float, rx: float, ry: float) -> list[Piece]:
    """The pieces of an ellipse."""
    kx, ky = rx * ROUND, ry * ROUND
    return [
        ("m", (x + rx, y)),
        ("c", (x + rx, y + ky, x + kx, y + ry, x, y + ry)),
        ("c", (x - kx, y + ry, x - rx, y + ky, x - rx, y)),
        ("c", (x - rx, y - ky, x - kx, y - ry, x, y - ry)),
        ("c", (x + kx, y - ry, x + rx, y - ky, x + rx, y)),
        ("h", ()),
    ]
