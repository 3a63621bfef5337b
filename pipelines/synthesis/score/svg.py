"""Reads Verovio's drawing: pixels, noteheads, and the target that matches what is drawn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.synthesis.base import Gray, Mark, UndrawableError

if TYPE_CHECKING:
    from lxml import etree

_SPACE_UNITS = 180.0
"""Distance between staff lines in Verovio's units."""
_HEAD_WIDTH = {"E0A0": 431.0, "E0A1": 341.0, "E0A2": 304.0, "E0A3": 212.0, "E0A4": 212.0}
"""Notehead glyph (SMuFL) → width in Verovio's units, at the scale of full-size notes."""
_FULL_SCALE = 0.72
_NATURAL = "E261"
_NOTE_ID = re.compile(r"note-L(\d+)F(\d+)(?:S(\d+))?$")
_TRANSLATE = re.compile(r"translate\(\s*(-?[\d.]+)[ ,]+(-?[\d.]+)\s*\)(?:\s*scale\(\s*([\d.]+))?")
_PITCH = re.compile(r"([a-gA-G]+)([#n-]*)")
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_SIGN_PATTERNS = {
    "slur": r"\(",
    "tie": r"[\[_]",
    "fermata": ";",
    "trill": "[Tt]",
    "mordent": "[MmWw]",
    "turn": "S",
}
"""Class of a drawn element → pattern of its sign in kern."""


@dataclass(frozen=True)
class Engraving:
    """An engraved passage, cut to its ink, with the centers of its noteheads in pixels."""

    kern: str
    """With ``n`` exactly where a natural sign is drawn."""
    gray: Gray
    marks: tuple[Mark, ...]
    space: float
    """Pixels between staff lines."""
    key: str
    """The content key, which determines the split."""


@dataclass(frozen=True)
class _Notehead:
    """A drawn notehead in Verovio's units, and the place of its note in the kern."""

    line: int
    field: int
    note: int
    x: float
    y: float
    is_natural: bool


def read_drawing(svg: str, kern: str, key: str, longer_side: float, n_added: int = 0) -> Engraving:
    """Rasterize Verovio's drawing of ``kern``, and find its notes.

    Args:
        svg: Verovio's drawing.
        kern: the passage.
        key: the content key.
        longer_side: of the raster, pixels.
        n_added: number of lines that were engraved below the first line and are not in ``kern``.

    Raises:
        UndrawableError: the drawing has other notes, slurs, ties or ornaments than the kern.
    """
    import cv2
    import resvg_py
    from lxml import etree

    root = etree.fromstring(svg.encode())
    inner = root.find(f"{_SVG}svg")
    assert inner is not None
    rows, heads = _match(inner, kern, n_added)
    width, height = (float(v) for v in inner.attrib["viewBox"].split()[2:])
    scale = longer_side / max(width, height)
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        width=max(1, round(width * scale)),
        skip_system_fonts=True,
        serif_family="STIXGeneral",
        font_files=_text_faces() if "<text" in svg else [],
    )
    packed = np.frombuffer(bytes(png), np.uint8)
    gray = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    scale = gray.shape[1] / width
    ys, xs = np.nonzero(gray < 200)
    x0, y0 = int(xs.min()), int(ys.min())
    cut = np.ascontiguousarray(gray[y0 : int(ys.max()) + 1, x0 : int(xs.max()) + 1])
    marks = tuple(replace(mark, x=mark.x * scale - x0, y=mark.y * scale - y0) for mark in _marks(rows, heads))
    text = "\n".join("\t".join(" ".join(notes) for notes in row) for row in rows)
    return Engraving(text, cut, marks, _SPACE_UNITS * scale, key)


def drawn_kern(svg: str, kern: str, n_added: int = 0) -> str:
    """The kern with ``n`` exactly where a natural sign is drawn; see :func:`read_drawing`."""
    from lxml import etree

    inner = etree.fromstring(svg.encode()).find(f"{_SVG}svg")
    assert inner is not None
    rows, _ = _match(inner, kern, n_added)
    return "\n".join("\t".join(" ".join(notes) for notes in row) for row in rows)


def _match(svg: etree._Element, kern: str, n_added: int) -> tuple[list[list[list[str]]], list[_Notehead]]:
    """Notes of the kern by line and field, with the naturals that are drawn, and the drawn noteheads."""
    rows = [[field.split(" ") for field in line.split("\t")] for line in kern.split("\n")]
    heads = list(_noteheads(svg, n_added))
    _require_match(svg, rows, heads)
    for head in heads:
        notes = rows[head.line][head.field]
        notes[head.note] = _with_natural(notes[head.note], head.is_natural)
    return rows, heads


def _with_natural(note: str, is_drawn: bool) -> str:
    """The kern of a note with ``n``, or without it."""
    pitch = _PITCH.search(note)
    if pitch is None or is_drawn == ("n" in pitch[2]):
        return note
    return note[: pitch.start()] + pitch[1] + ("n" if is_drawn else "") + note[pitch.end() :]


@cache
def _text_faces() -> list[str]:
    """The face of measure numbers, from Matplotlib, on which music21 depends; else they are not drawn."""
    spec = find_spec("matplotlib")
    folders = spec.submodule_search_locations if spec else None
    faces = [Path(folder) / "mpl-data/fonts/ttf/STIXGeneral.ttf" for folder in folders or ()]
    return [str(face) for face in faces if face.is_file()]


def _noteheads(svg: etree._Element, n_added: int) -> Iterator[_Notehead]:
    """The noteheads; Verovio names notes by line, field and, in chords, number in the kern."""
    page = svg.find(f"{_SVG}g")
    shift = _TRANSLATE.match(page.get("transform", "")) if page is not None else None
    dx, dy = (float(shift[1]), float(shift[2])) if shift else (0.0, 0.0)
    for group in svg.iter(f"{_SVG}g"):
        name = _NOTE_ID.match(group.get("id", ""))
        if name is None:
            continue
        glyphs = [(use.get(_HREF, "")[1:5], use) for use in group.iter(f"{_SVG}use")]
        glyph = next(((code, use) for code, use in glyphs if code in _HEAD_WIDTH), None)
        at = _TRANSLATE.match(glyph[1].get("transform", "")) if glyph else None
        if glyph is None or at is None:
            raise UndrawableError("A note has no notehead.")
        half = _HEAD_WIDTH[glyph[0]] / 2 * float(at[3] or _FULL_SCALE) / _FULL_SCALE
        line, field, note = int(name[1]) - 1 - n_added, int(name[2]) - 1, int(name[3] or 1) - 1
        is_natural = any(code == _NATURAL for code, _ in glyphs)
        yield _Notehead(line, field, note, float(at[1]) + dx + half, float(at[2]) + dy, is_natural)


def _require_match(svg: etree._Element, rows: list[list[list[str]]], heads: list[_Notehead]) -> None:
    """Raise :class:`UndrawableError` where the drawing and the kern differ."""
    expected = [
        (line, field, note)
        for line, row in enumerate(rows)
        if row[0][0][:1] not in "*=!"
        for field, notes in enumerate(row)
        for note, text in enumerate(notes)
        if text != "." and "r" not in text
    ]
    if sorted((head.line, head.field, head.note) for head in heads) != expected:
        raise UndrawableError("Verovio drew other notes than the kern has.")
    counts = Counter(group.get("class", "").split(" ")[0] for group in svg.iter(f"{_SVG}g"))
    data = "\t".join(note for row in rows if row[0][0][:1] not in "*=!" for notes in row for note in notes)
    for name, pattern in _SIGN_PATTERNS.items():
        if counts[name] != len(re.findall(pattern, data)):
            raise UndrawableError(f"Verovio drew {counts[name]} elements of class {name}.")


def _marks(rows: list[list[list[str]]], heads: list[_Notehead]) -> Iterator[Mark]:
    starts: dict[tuple[int, int, int], int] = {}
    at = 0
    for line, row in enumerate(rows):
        for field, notes in enumerate(row):
            for note, text in enumerate(notes):
                starts[line, field, note] = at
                at += len(text) + 1
    for head in heads:
        text = rows[head.line][head.field][head.note]
        start = starts[head.line, head.field, head.note]
        pitch = _PITCH.search(text)
        yield Mark(head.x, head.y, pitch[0] if pitch else "", (start, start + len(text)))
