"""Outlines of characters: of fonts, of Hershey's single-stroke letters, and of notes.

Coordinates are thousandths of an em, y down.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis.fonts import design, font_bytes, is_for_latin_text

CHARACTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "+-()[]{},.'’′\"*#=/:;?!%&±×°<>|\\~@$§→"
    "αβγδεζηθλμπστφψωΓΔΘΛΞΠΣΦΨΩ⊕⊖≡"
    "àáâäåãçèéêëìíîïñòóôöõùúûüýßæøœÀÁÂÄÅÃÇÈÉÊËÍÎÑÓÔÖÕÚÛÜÆØŒ"
)
"""What is told apart; dashes are ``-``, dots at any height ``.``."""

MAX_FACES: Final = 10
"""Of one design."""

CURVE_PIECES: Final = 8
"""Straight pieces that stand for one curve."""

UNITS_PER_EM: Final = 1000
"""Of an em, in which outlines are kept here."""

Lines = list[NDArray[np.float64]]


def font_files(folders: list[Path]) -> list[str]:
    """The files of folders' fonts that have letters for text."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.[to]tf"))
    return [str(path) for path in paths if is_for_latin_text(path)]


def package_folders() -> list[Path]:
    """Where packages have fonts that programs draw with: RDKit's, and Computer Modern."""
    found = []
    for package, folder in (("rdkit", "Data/Fonts"), ("matplotlib", "mpl-data/fonts/ttf")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent / folder)
    return found


def font_glyphs(names: list[str]) -> dict[tuple[str, str], Lines]:
    """The contours of each character of each face, in thousandths of an em, y down."""
    found: dict[tuple[str, str], Lines] = {}
    n_faces: dict[str, int] = {}
    seen: set[str] = set()
    for name in names:
        stem = Path(name).stem
        name_of_design = family(stem)
        if stem in seen or n_faces.get(name_of_design, 0) >= MAX_FACES:
            continue
        seen.add(stem)
        outlines = dict(_glyphs_of_face(font_bytes(name)))
        if not {"H", "x", "X", "0"} <= set(outlines):
            continue
        n_faces[name_of_design] = n_faces.get(name_of_design, 0) + 1
        has_small = height(outlines["x"]) < 0.92 * height(outlines["X"])
        found |= {
            (name, character): contours
            for character, contours in outlines.items()
            if has_small or not character.islower()
        }
    return found


def family(stem: str) -> str:
    """The design; Computer Modern in all its files is one."""
    return "ComputerModern" if re.match(r"cm(un|r|b|ss|tt|ti|mi|sy|ex)", stem) else design(stem)


def _glyphs_of_face(data: bytes) -> Iterator[tuple[str, Lines]]:
    from fontTools.pens.basePen import BasePen
    from fontTools.ttLib import TTFont, TTLibError

    class Pen(BasePen):  # type: ignore[misc]
        """Collects flattened contours."""

        def __init__(self, glyphs: Any) -> None:
            super().__init__(glyphs)
            self.lines: list[list[tuple[float, float]]] = []

        def _moveTo(self, pt: Any) -> None:  # noqa: N802
            self.lines.append([pt])

        def _lineTo(self, pt: Any) -> None:  # noqa: N802
            self.lines[-1].append(pt)

        def _curveToOne(self, pt1: Any, pt2: Any, pt3: Any) -> None:  # noqa: N802
            self.lines[-1] += _curve(self.lines[-1][-1], pt1, pt2, pt3)

    try:
        font = TTFont(BytesIO(data), fontNumber=0)
        names, glyphs = font.getBestCmap() or {}, font.getGlyphSet()
        units = font["head"].unitsPerEm
    except (TTLibError, KeyError):
        return
    for character in CHARACTERS:
        codes = [ord(character)]
        if character == "-":
            codes += [0x2212, 0x2013]
        for code in codes:
            if code not in names:
                continue
            pen = Pen(glyphs)
            glyphs[names[code]].draw(pen)
            contours = [
                np.array(line, float) * (UNITS_PER_EM / units, -UNITS_PER_EM / units)
                for line in pen.lines
                if len(line) > 2
            ]
            if contours:
                yield (character if code == codes[0] else f"{character}{code}"), contours


def _curve(start: Any, a: Any, b: Any, end: Any) -> list[tuple[float, float]]:
    t = np.linspace(0, 1, CURVE_PIECES + 1)[1:, None]
    points = (
        (1 - t) ** 3 * start
        + 3 * (1 - t) ** 2 * t * a
        + 3 * (1 - t) * t * t * b
        + t**3 * np.array(end, float)
    )
    return [(float(x), float(y)) for x, y in points]


def height(contours: Lines) -> float:
    values = np.concatenate(contours)[:, 1]
    return float(values.max() - values.min())


def hershey_letters(text: str) -> Iterator[tuple[str, Lines]]:
    """Letters of a file of Hershey's, in the order of ASCII from the space on."""
    records: list[str] = []
    for line in text.splitlines():
        if re.match(r"^[ \d]{4}\d[ \d]{2}\d", line) and (
            not records or len(records[-1]) >= _record_length(records[-1])
        ):
            records.append(line)
        elif records:
            records[-1] += line
    for code, record in enumerate(records, 32):
        if not 33 <= code < 127 or chr(code) not in CHARACTERS:
            continue
        pairs = record[10 : _record_length(record)]
        lines: Lines = []
        for stroke in re.split(" R", pairs):
            points = [(ord(a) - 82, ord(b) - 82) for a, b in zip(stroke[::2], stroke[1::2], strict=False)]
            if len(points) > 1:
                lines.append(np.array(points, float) * 30)
        if lines and np.ptp(np.concatenate(lines), axis=0).max() > 0:
            yield chr(code), lines


def _record_length(record: str) -> int:
    return 8 + 2 * int(record[5:8])


_LETTERS_OF_MUSIC: Final = re.compile(r"E08|E0A[9-F]|E52|E53|E87|E88|E89|E[AD][0-5]|0|2")
"""Code points of Verovio's glyphs that are letters, digits and crosses, or like them."""


def music_glyphs() -> Iterator[Lines]:
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    spec = importlib.util.find_spec("verovio")
    if spec is None or spec.origin is None:
        return
    for path in sorted((Path(spec.origin).parent / "data").glob("*/*.xml")):
        if _LETTERS_OF_MUSIC.match(path.stem) or path.parent.name == "text":
            continue
        lines: list[list[tuple[float, float]]] = []
        for data in re.findall(r' d="([^"]*)"', path.read_text(encoding="utf-8")):
            pen = RecordingPen()
            parse_path(data, pen)
            for kind, points in pen.value:
                if kind == "moveTo":
                    lines.append([points[0]])
                elif kind == "lineTo":
                    lines[-1].append(points[0])
                elif kind == "curveTo":
                    lines[-1] += _curve(lines[-1][-1], *points)
                elif kind == "qCurveTo":
                    a, b = (np.array(point, float) for point in points)
                    start = np.array(lines[-1][-1])
                    lines[-1] += _curve(start, start + (a - start) * 2 / 3, b + (a - b) * 2 / 3, b)
        contours = [np.array(line, float) * (1, -1) for line in lines if len(line) > 2]
        if contours:
            yield contours
