"""What Verovio draws for a kern: staves, noteheads and barlines, from its drawing's own structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.external.engraving import engrave
from docai.pipelines.readback.base import Gray, NotComparable
from docai.pipelines.readback.score.staves import Staff, Strip, look_around

if TYPE_CHECKING:
    from lxml import etree

MOST_CHARACTERS = 40_000

SECONDS = 5.0
"""After which an engraving is given up."""

_SPACE = 180.0
"""Distance between staff lines in Verovio's units."""

_PIXELS = 10.0
"""To a staff space, in the drawing looked at."""

_WIDEST = 2400.0
"""Pixels of that drawing."""

_HEADS = {"E0A0": 431.0, "E0A1": 341.0, "E0A2": 304.0, "E0A3": 212.0, "E0A4": 212.0}
"""Notehead glyph (SMuFL) to its width in those units."""

_OPTIONS: dict[str, float | str] = {"spacingStaff": 24}
"""Staves so far apart that no ledger line of one comes near another."""

_SIGNS = frozenset(("clef", "keySig", "meterSig", "rest", "mRest"))

_TO_MIDDLE = 0.5
"""Staff spaces from the left edge of such a sign to about its middle."""

_SVG = "{http://www.w3.org/2000/svg}"

_HREF = "{http://www.w3.org/1999/xlink}href"

_PLACE = re.compile(r"translate\(\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")

_LINE = re.compile(r"M\s*(-?[\d.]+)[ ,]+(-?[\d.]+)\s*L\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")


@dataclass(frozen=True)
class Head:
    """A notehead: ``x`` in staff spaces from the system's left, ``step`` half spaces below the top line."""

    staff: int
    x: float
    step: int
    is_hollow: bool


@dataclass(frozen=True)
class Engraved:
    """One long system; lengths in staff spaces."""

    n_staves: int
    width: float
    heads: tuple[Head, ...]
    bars: tuple[float, ...]
    """Where barlines stand, from left to right."""
    signs: tuple[float, ...]
    """Where clefs, key signatures, meters and rests stand, in no order."""
    strips: tuple[Strip, ...]
    """The drawing looked at as a crop is, from ``x`` 0."""


def missing_engraver() -> str | None:
    """Why no score can be engraved here; None where one can."""
    for module, name in (("verovio", "Verovio"), ("resvg_py", "resvg")):
        if find_spec(module) is None:
            return f"{name} is not installed; install it with: pip install 'docai[synth]'"
    return None


def engraved(kern: str) -> Engraved:
    """The engraving of a kern as one system.

    Raises:
        NotComparable: there is no Verovio, it refuses the kern, or draws no note.
    """
    if missing := missing_engraver():
        raise NotComparable(missing)
    if not kern.strip():
        raise NotComparable("the record holds no music")
    if len(kern) > MOST_CHARACTERS:
        raise NotComparable(f"the kern has more than {MOST_CHARACTERS:,} characters")
    svg = engrave(kern.rstrip("\n") + "\n", _OPTIONS, seconds=SECONDS)
    if svg is None:
        raise NotComparable("Verovio does not engrave the kern")
    return read_engraving(svg)


def read_engraving(svg: str) -> Engraved:
    """Staves, heads and bars of a drawing of Verovio's.

    Raises:
        NotComparable: it shows no staff.
    """
    from lxml import etree

    root = etree.fromstring(svg.encode())
    heads: list[Head] = []
    bars: list[float] = []
    signs: list[float] = []
    tops: dict[int, float] = {}
    right = 0.0
    for measure in root.iter(f"{_SVG}g"):
        if _class(measure) != "measure":
            continue
        for number, staff in enumerate(g for g in measure if _class(g) == "staff"):
            first = staff.find(f"{_SVG}path")
            line = _LINE.match(first.get("d", "")) if first is not None else None
            if line is None:
                continue
            right = max(right, float(line[3]))
            tops.setdefault(number, float(line[2]))
            heads += _heads(staff, number, float(line[2]))
            signs += _signs(staff)
        for bar in measure:
            if _class(bar) == "barLine":
                found = [_LINE.match(path.get("d", "")) for path in bar.iter(f"{_SVG}path")]
                places = [float(one[1]) for one in found if one]
                bars += [sum(places) / len(places) / _SPACE] if places else []
    if not tops or right <= 0:
        raise NotComparable("Verovio draws no staff for the kern")
    bars.sort()
    apart = [bar for i, bar in enumerate(bars) if i == 0 or bar - bars[i - 1] > 0.5]
    strips = _strips(svg, root, [tops[number] for number in sorted(tops)], right)
    return Engraved(len(tops), right / _SPACE, tuple(heads), tuple(apart), tuple(signs), strips)


def _class(group: etree._Element) -> str:
    return group.get("class", "").split(" ")[0]


def _strips(svg: str, root: etree._Element, tops: list[float], right: float) -> tuple[Strip, ...]:
    """The drawing looked at as a crop is."""
    inner = root.find(f"{_SVG}svg")
    page = inner.find(f"{_SVG}g") if inner is not None else None
    shift = _PLACE.match(page.get("transform", "")) if page is not None else None
    if inner is None or shift is None:
        raise NotComparable("Verovio's drawing is of another form than expected")
    width = float(inner.get("viewBox", "").split()[2])
    gray = _raster(svg, max(1, round(min(width / _SPACE * _PIXELS, _WIDEST))))
    scale = gray.shape[1] / width
    left, upper = float(shift[1]) * scale, float(shift[2]) * scale
    staves = [
        Staff(
            np.full(gray.shape[1], upper + top * scale - 0.5, np.float32),
            _SPACE * scale,
            round(left),
            round(left + right * scale),
            1.0,
        )
        for top in tops
    ]
    return look_around(np.asarray(1 - gray / 255, np.float32), staves)


def _raster(svg: str, width: int) -> Gray:
    import cv2
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", width=width, skip_system_fonts=True)
    return np.asarray(cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def _heads(staff: etree._Element, number: int, top: float) -> list[Head]:
    found = []
    for group in staff.iter(f"{_SVG}g"):
        if _class(group) != "notehead":
            continue
        for use in group.iter(f"{_SVG}use"):
            code, place = use.get(_HREF, "")[1:5], _PLACE.match(use.get("transform", ""))
            if code in _HEADS and place:
                x = (float(place[1]) + _HEADS[code] / 2) / _SPACE
                step = round((float(place[2]) - top) / (_SPACE / 2))
                found.append(Head(number, x, step, code not in ("E0A4",)))
    return found


def _signs(staff: etree._Element) -> list[float]:
    found = []
    for group in staff.iter(f"{_SVG}g"):
        use = next(group.iter(f"{_SVG}use"), None) if _class(group) in _SIGNS else None
        place = _PLACE.match(use.get("transform", "")) if use is not None else None
        if place:
            found.append(float(place[1]) / _SPACE + _TO_MIDDLE)
    return found
