"""A score engraved by Verovio: noteheads and barlines from the SVG, strips as those of a crop."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.external.engraving import engrave
from docai.pipelines.readback.ink import Gray
from docai.pipelines.readback.score.staves import Strip, staff_strips
from docai.pipelines.readback.similarity import NotComparable
from docai.pipelines.tracing.score.staff_lines import Staff

if TYPE_CHECKING:
    from lxml import etree

MAX_KERN_CHARACTERS = 40_000

SECONDS = 5.0
"""Time limit of one engraving."""

_STAFF_SPACE_UNITS = 180.0
"""Distance between staff lines in Verovio's units."""

_STAFF_SPACE_PX = 10.0
"""The same in the rasterized drawing."""

_MAX_WIDTH_PX = 2400.0
"""Of the rasterized drawing."""

_NOTEHEAD_WIDTH_UNITS = {"E0A0": 431.0, "E0A1": 341.0, "E0A2": 304.0, "E0A3": 212.0, "E0A4": 212.0}
"""Notehead glyph (SMuFL) to its width in Verovio's units."""

_OPTIONS: dict[str, float | str] = {"spacingStaff": 24}
"""Staves far enough apart that no ledger line of one comes near another."""

_SIGN_CLASSES = frozenset(("clef", "keySig", "meterSig", "rest", "mRest"))

_SIGN_CENTER_SPACES = 0.5
"""Staff spaces from the left edge of such a sign to about its center."""

_SVG = "{http://www.w3.org/2000/svg}"

_HREF = "{http://www.w3.org/1999/xlink}href"

_TRANSLATE = re.compile(r"translate\(\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")

_LINE = re.compile(r"M\s*(-?[\d.]+)[ ,]+(-?[\d.]+)\s*L\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")


@dataclass(frozen=True)
class Notehead:
    """``x`` in staff spaces from the system's left, ``step`` half spaces below the top line."""

    staff: int
    x: float
    step: int


@dataclass(frozen=True)
class Engraving:
    """A score as one long system; lengths in staff spaces."""

    n_staves: int
    width: float
    heads: tuple[Notehead, ...]
    bars: tuple[float, ...]
    """x of the barlines, from left to right."""
    signs: tuple[float, ...]
    """x of clefs, key signatures, meters and rests, in no order."""
    strips: tuple[Strip, ...]
    """The strips of its staves, as of a crop's, from ``x`` 0."""


def missing_engraver() -> str | None:
    """Why no score can be engraved here; None where one can."""
    for module, name in (("verovio", "Verovio"), ("resvg_py", "resvg")):
        if find_spec(module) is None:
            return f"{name} is not installed; install it with: pip install 'docai[synth]'"
    return None


def engrave_score(kern: str) -> Engraving:
    """The engraving of a kern as one system.

    Raises:
        NotComparable: Verovio is missing, refuses the kern, or draws no staff.
    """
    if missing := missing_engraver():
        raise NotComparable(missing)
    if not kern.strip():
        raise NotComparable("the record holds no music")
    if len(kern) > MAX_KERN_CHARACTERS:
        raise NotComparable(f"the kern has more than {MAX_KERN_CHARACTERS:,} characters")
    svg = engrave(kern.rstrip("\n") + "\n", _OPTIONS, seconds=SECONDS)
    if svg is None:
        raise NotComparable("Verovio does not engrave the kern")
    return read_engraving(svg)


def read_engraving(svg: str) -> Engraving:
    """Noteheads, barlines and strips of a drawing of Verovio's.

    Raises:
        NotComparable: it shows no staff.
    """
    from lxml import etree

    root = etree.fromstring(svg.encode())
    heads: list[Notehead] = []
    bars: list[float] = []
    signs: list[float] = []
    tops: dict[int, float] = {}
    right = 0.0
    for measure in root.iter(f"{_SVG}g"):
        if _class(measure) != "measure":
            continue
        for number, staff in enumerate(group for group in measure if _class(group) == "staff"):
            path = staff.find(f"{_SVG}path")
            line = _LINE.match(path.get("d", "")) if path is not None else None
            if line is None:
                continue
            right = max(right, float(line[3]))
            tops.setdefault(number, float(line[2]))
            heads += _noteheads(staff, number, float(line[2]))
            signs += _signs(staff)
        for group in measure:
            if _class(group) == "barLine":
                lines = [_LINE.match(path.get("d", "")) for path in group.iter(f"{_SVG}path")]
                xs = [float(line[1]) for line in lines if line]
                bars += [sum(xs) / len(xs) / _STAFF_SPACE_UNITS] if xs else []
    if not tops or right <= 0:
        raise NotComparable("Verovio draws no staff for the kern")
    bars.sort()
    single_bars = [bar for i, bar in enumerate(bars) if i == 0 or bar - bars[i - 1] > 0.5]
    return Engraving(
        n_staves=len(tops),
        width=right / _STAFF_SPACE_UNITS,
        heads=tuple(heads),
        bars=tuple(single_bars),
        signs=tuple(signs),
        strips=_strips(svg, root, [tops[number] for number in sorted(tops)], right),
    )


def _class(group: etree._Element) -> str:
    return group.get("class", "").split(" ")[0]


def _noteheads(staff: etree._Element, number: int, top: float) -> list[Notehead]:
    heads = []
    for group in staff.iter(f"{_SVG}g"):
        if _class(group) != "notehead":
            continue
        for use in group.iter(f"{_SVG}use"):
            code, position = use.get(_HREF, "")[1:5], _TRANSLATE.match(use.get("transform", ""))
            if code in _NOTEHEAD_WIDTH_UNITS and position:
                x = (float(position[1]) + _NOTEHEAD_WIDTH_UNITS[code] / 2) / _STAFF_SPACE_UNITS
                step = round((float(position[2]) - top) / (_STAFF_SPACE_UNITS / 2))
                heads.append(Notehead(number, x, step))
    return heads


def _signs(staff: etree._Element) -> list[float]:
    centers = []
    for group in staff.iter(f"{_SVG}g"):
        use = next(group.iter(f"{_SVG}use"), None) if _class(group) in _SIGN_CLASSES else None
        position = _TRANSLATE.match(use.get("transform", "")) if use is not None else None
        if position:
            centers.append(float(position[1]) / _STAFF_SPACE_UNITS + _SIGN_CENTER_SPACES)
    return centers


def _strips(svg: str, root: etree._Element, tops: list[float], right: float) -> tuple[Strip, ...]:
    """The strips of the rasterized drawing, whose staves are known."""
    inner = root.find(f"{_SVG}svg")
    page = inner.find(f"{_SVG}g") if inner is not None else None
    shift = _TRANSLATE.match(page.get("transform", "")) if page is not None else None
    if inner is None or shift is None:
        raise NotComparable("Verovio's drawing has another form than expected")
    width = float(inner.get("viewBox", "").split()[2])
    gray = _rasterize(svg, max(1, round(min(width / _STAFF_SPACE_UNITS * _STAFF_SPACE_PX, _MAX_WIDTH_PX))))
    scale = gray.shape[1] / width
    left, upper = float(shift[1]) * scale, float(shift[2]) * scale
    staves = [
        Staff(
            top=np.full(gray.shape[1], upper + top * scale - 0.5, np.float32),
            space=_STAFF_SPACE_UNITS * scale,
            left=round(left),
            right=round(left + right * scale),
            support=1.0,
        )
        for top in tops
    ]
    return staff_strips(np.asarray(1 - gray / 255, np.float32), staves)


def _rasterize(svg: str, width: int) -> Gray:
    import cv2
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", width=width, skip_system_fonts=True)
    return np.asarray(cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
