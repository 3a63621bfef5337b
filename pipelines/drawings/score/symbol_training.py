"""Make the table of outlines that music symbols are compared with: ``symbol_outlines.npz``.

    python -m docai.pipelines.drawings.score.symbol_training /usr/share/lilypond/2.24.1/fonts/svg

The outlines are those of the music fonts in Verovio's wheel (Bravura, Gootville, Leipzig, Leland, Petaluma)
and of LilyPond's Emmentaler, whose folder is given: all are under the SIL Open Font License 1.1. Others are
of what is no symbol: letters, slurs, beams. Only small pictures and sizes are kept. The same fonts give the
same table.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import pymupdf

from docai.pipelines.drawings.score.symbol_names import base_name, smufl_names, symbol_name
from docai.pipelines.drawings.score.symbol_outlines import (
    TABLE,
    Features,
    OutlineTable,
    components,
    measure_outlines,
    outline_bbox,
)
from docai.pipelines.ingest.drawing import GlyphShape, Subpath
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.ingest.source import open_source

LILYPOND_SIZES: Final = (11, 20)
"""Sizes of Emmentaler: its small ones are bolder."""

FONTS: Final = ("Bravura", "Gootville", "Leipzig", "Leland", "Petaluma")
"""Folders of Verovio's data."""

EM: Final = 40.0
"""Points an em of the outlines as drawn; a staff space is a quarter of it."""

_CELL: Final = 8 * EM
"""Points between two glyphs on the page that is drawn."""

_COLUMNS: Final = 25

_WANTED: Final = re.compile(
    r"""^(?: brace | bracketTop | bracketBottom | segno | segnoSerpent1 | coda | codaSquare
    | [gf]Clef(?:8vb|8va|15mb|15ma|8vbOld|French|19thCentury)? | cClef(?:8vb|French|French20C)?
    | unpitchedPercussionClef[12] | [46]stringTabClef
    | timeSig[0-9] | timeSig(?:Cut)?Common | timeSigParens(?:Left|Right)
    | notehead(?:Black|Half|Whole|DoubleWhole|DoubleWholeSquare|XBlack|XHalf|XWhole|CircleX|SquareWhite
        |Diamond\w+|Slashed\w+|Triangle(?:Up|Down)(?:Black|White|Half|Whole)|Parenthesis(?:Left|Right))
    | metNote(?:DoubleWhole|DoubleWholeSquare|Whole|HalfUp|QuarterUp|8thUp|16thUp|32ndUp)
    | flag(?:8th|16th|32nd|64th|128th)(?:Up|Down)
    | accidental(?:Flat|Natural|Sharp|DoubleSharp|DoubleFlat|TripleFlat|NaturalFlat|NaturalSharp
        |Parens(?:Left|Right)|Bracket(?:Left|Right)|QuarterTone(?:Flat|Sharp)Stein|ThreeQuarterTonesSharpStein
        |ThreeQuarterTonesFlatZimmermann|QuarterTone\w+Arrow(?:Up|Down)|ThreeQuarterTones\w+Arrow(?:Up|Down))
    | artic(?!LaissezVibrer|Stress|Unstress)\w+ | fermata\w* | breathMarkComma | caesura\w*
    | rest(?:DoubleWhole|Whole|Half)LegerLine
    | rest(?:Quarter|QuarterOld|QuarterZ|(?:8|16|32|64|128)(?:th|nd))
    | repeat[124]Bars?
    | (?:ottava|quindicesima)\w*
    | dynamic(?:Piano|Mezzo|Forte|Rinforzando|Sforzando|Z|PPP?|MP|MF|FFF?|FortePiano|Sforzando1|Sforzato)
    | ornament(?:Trill|Turn|TurnInverted|TurnSlash|ShortTrill|Mordent|Tremblement|Haydn)
    | strings(?:Down|Up)Bow | stringsHarmonic | pluckedSnapPizzicato(?:Above|Below) | brassMuteClosed
    | keyboardPedal(?:Ped|Up|P) | tuplet[0-9] | augmentationDot | wiggle(?:Trill|ArpeggiatoUp)
    )$""",
    re.VERBOSE,
)
"""Names of SMuFL that common notation uses, without those of plain bars and rectangles."""

_SAME_SHAPE: Final = {
    "articAccentBelow": "articAccentAbove",
    "articSoftAccentBelow": "articSoftAccentAbove",
    "articStaccatissimoWedgeAbove": "articStaccatissimoAbove",
    "articStaccatissimoWedgeBelow": "articStaccatissimoBelow",
    "articStaccatoAbove": "augmentationDot",
    "articStaccatoBelow": "augmentationDot",
    "caesuraThick": "caesura",
    "caesuraShort": "caesura",
    "4stringTabClef": "6stringTabClef",
    "fClef19thCentury": "fClef",
    "fClefFrench": "fClef",
    "cClefFrench": "cClef",
    "cClefFrench20C": "cClef",
    "noteheadDiamondBlackWide": "noteheadDiamondBlack",
    "noteheadDiamondHalfWide": "noteheadDiamondHalf",
    "noteheadDiamondWhite": "noteheadDiamondHalf",
    "noteheadDiamondWhiteWide": "noteheadDiamondHalf",
    "noteheadSlashedBlack2": "noteheadSlashedBlack1",
    "noteheadSlashedHalf2": "noteheadSlashedHalf1",
    "noteheadSlashedWhole2": "noteheadSlashedWhole1",
    "noteheadSlashedDoubleWhole2": "noteheadSlashedDoubleWhole1",
    "noteheadParenthesisLeft": "accidentalParensLeft",
    "noteheadParenthesisRight": "accidentalParensRight",
    "timeSigParensLeft": "accidentalParensLeft",
    "timeSigParensRight": "accidentalParensRight",
    "wiggleArpeggiatoUp": "wiggleTrill",
    "metNoteWhole": "noteheadWhole",
    "metNoteDoubleWhole": "noteheadDoubleWhole",
    "metNoteDoubleWholeSquare": "noteheadDoubleWholeSquare",
}
"""Symbols that look like others and are told by their place."""

_LEFT_OUT: Final = frozenset(
    {"articTenutoAbove", "articTenutoBelow", "articStaccatissimoStrokeAbove", "articStaccatissimoStrokeBelow"}
    | {"caesuraSingleStroke"}
)
"""Plain bars, which ledger lines and stems are too."""

_KNOWN_BY_A_PART: Final = re.compile(r"^(?:fClef|fermata\w+|segno|keyboardPedalPed)$")
"""Symbols whose greatest part alone is nothing else."""

MIN_PART_SHARE: Final = 0.55
"""Share of the ink's box of a symbol that its greatest part covers, to be known by it alone."""


class KnownGlyph(NamedTuple):
    """One glyph of a font."""

    name: str
    """In SMuFL; empty for a letter and the like."""
    outline: tuple[Subpath, ...]
    """Around the origin of its base line, points for :data:`EM`, y down."""


def verovio_data() -> Path:
    """The folder of Verovio's fonts."""
    spec = importlib.util.find_spec("verovio")
    if spec is None or spec.origin is None:
        raise SystemExit("The fonts are those of Verovio: pip install verovio")
    return Path(spec.origin).parent / "data"


def verovio_glyphs(font: str) -> list[KnownGlyph]:
    """The glyphs of one font of Verovio."""
    folder = verovio_data() / font
    listed = re.findall(r'<g c="(\w+)"[^>]*\bn="(\w+)"', folder.with_suffix(".xml").read_text("utf-8"))
    found = []
    for code, name in sorted(listed):
        drawn = (folder / f"{code}.xml").read_text("utf-8") if (folder / f"{code}.xml").is_file() else ""
        path = re.search(r'\bd="([^"]+)"', drawn)
        if path:
            found.append((symbol_label(name), path[1]))
    return outlines_of([(name, path) for name, path in found if name], units=1000)


def lilypond_glyphs(folder: Path, size: int) -> list[KnownGlyph]:
    """The glyphs of Emmentaler, from its SVG font."""
    text = (folder / f"emmentaler-{size}.svg").read_text("utf-8")
    found = []
    for glyph, path in re.findall(r'<glyph glyph-name="([^"]+)"[^>]*?\bd="([^"]+)"', text):
        name = symbol_name(GlyphShape("Emmentaler", 0, glyph, ()), "")
        if name and not re.search(r"figbass|fixedwidth|fattened", glyph):
            found.append((symbol_label(name), path))
    return outlines_of([(name, path) for name, path in found if name], units=1000)


def symbol_label(name: str) -> str:
    """The name under which a glyph is known; empty for one that is left out."""
    if "Straight" in name:
        return ""
    name = base_name(name)
    if not _WANTED.match(name) or name in _LEFT_OUT or name not in smufl_names().values():
        return ""
    return _SAME_SHAPE.get(name, name)


def outlines_of(paths: Sequence[tuple[str, str]], units: float) -> list[KnownGlyph]:
    """Outlines of SVG paths in units of an em, y up, as a PDF gives them."""
    scale = EM / units
    rows = -(-len(paths) // _COLUMNS)
    width, height = _COLUMNS * _CELL, rows * _CELL
    places = [((i % _COLUMNS + 0.5) * _CELL, (i // _COLUMNS + 0.5) * _CELL) for i in range(len(paths))]
    marks = "".join(
        f'<path transform="translate({x},{y}) scale({scale},{-scale})" d="{path}"/>'
        for (x, y), (_, path) in zip(places, paths, strict=True)
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{marks}</svg>'
    pages = pymupdf.open(stream=svg.encode(), filetype="svg")
    with open_source(pages.convert_to_pdf()) as source, source.page(1) as page:
        drawing = page.inside(read_drawing, None)
        ratio = page.bbox[2] / width
    found = []
    for path in drawing.paths:
        if path.fill is None:
            continue
        center = ((path.bbox[0] + path.bbox[2]) / 2 / ratio, (path.bbox[1] + path.bbox[3]) / 2 / ratio)
        index = int(center[1] // _CELL) * _COLUMNS + int(center[0] // _CELL)
        x, y = places[index]
        outline = tuple(part._replace(points=part.points / ratio - (x, y)) for part in path.subpaths)
        found.append(KnownGlyph(paths[index][0], outline))
    return found


def letter_glyphs() -> list[KnownGlyph]:
    """Letters of the fonts of MuPDF, at sizes of text beside music."""
    found = []
    for code in ("helv", "hebo", "tiro", "tiit", "tibo", "tibi"):
        font = pymupdf.Font(code)
        for text in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789&?!:;-–—/*+=":
            outline = _letter_outline(font, text)
            for size in (0.38, 0.55, 0.8):
                found.append(
                    KnownGlyph("", tuple(part._replace(points=part.points * size) for part in outline))
                )
    return [glyph for glyph in found if glyph.outline]


def _letter_outline(font: Any, text: str) -> tuple[Subpath, ...]:
    document = pymupdf.open()
    page = document.new_page()
    writer = pymupdf.TextWriter(page.rect)
    writer.append((200, 200), text, font=font, fontsize=EM)
    writer.write_text(page)
    with open_source(document.tobytes()) as source, source.page(1) as drawn:
        glyphs = drawn.inside(read_drawing, None).glyphs
    return tuple(
        part._replace(points=part.points - np.array(glyph.origin))
        for glyph in glyphs
        for part in glyph.outline()
    )


def curve_glyphs() -> list[KnownGlyph]:
    """Slurs and ties of several lengths and slopes, and beams."""
    space = EM / 4
    found = []
    t = np.linspace(0, 1, 17)
    for length in (1.0, 1.5, 2.2, 3.2, 5.0, 8.0):
        for rise in (0.25, 0.45, 0.8):
            for slope in (-0.5, -0.2, 0.0, 0.2, 0.5):
                for side in (-1, 1):
                    outer = side * rise * length**0.5 * 4 * t * (1 - t)
                    inner = outer - side * min(0.22, 0.5 * rise) * (4 * t * (1 - t)) ** 0.7
                    ys = np.concatenate([outer, inner[::-1]]) + slope * length * np.concatenate([t, t[::-1]])
                    xs = length * np.concatenate([t, t[::-1]])
                    found.append(_polygon(np.column_stack([xs, ys]) * space))
    for length in (0.7, 1.0, 1.5, 2.5, 4.0, 7.0):
        for slope in (-0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5):
            for thickness in (0.4, 0.5, 0.6):
                corners = [
                    (0, 0),
                    (length, slope * length),
                    (length, slope * length + thickness),
                    (0, thickness),
                ]
                found.append(_polygon(np.array(corners) * space))
    return [KnownGlyph("", (outline,)) for outline in found]


def _polygon(points: Any) -> Subpath:
    closed = np.concatenate([points, points[:1]])
    return Subpath(closed, np.zeros(len(closed) - 1, bool), True)


def notes_downward(glyphs: Sequence[KnownGlyph]) -> list[KnownGlyph]:
    """Whole notes of one font with stems down, which no font of SMuFL must have."""
    found = []
    for glyph in glyphs:
        if glyph.name in ("metNoteHalfUp", "metNoteQuarterUp"):
            name = "noteHalfDown" if "Half" in glyph.name else "noteQuarterDown"
            outline = tuple(part._replace(points=-part.points) for part in glyph.outline)
            found.append(KnownGlyph(name, outline))
    by_name = {glyph.name: glyph for glyph in reversed(glyphs)}
    if "noteheadBlack" in by_name:
        head = by_name["noteheadBlack"].outline
        space = EM / 4
        stem = _polygon(np.array([(0, 0.17), (0.13, 0.17), (0.13, 3.5), (0, 3.5)]) * space)
        for length in ("8th", "16th", "32nd"):
            flag = by_name.get(f"flag{length}Down")
            if flag is not None:
                end = np.array([0, 3.5 * space])
                low = tuple(part._replace(points=part.points + end) for part in flag.outline)
                found.append(KnownGlyph(f"note{length}Down", _merged([head, (stem,), low])))
    return found


def _merged(outlines: Sequence[tuple[Subpath, ...]]) -> tuple[Subpath, ...]:
    """The outline around outlines that overlap."""
    fine, margin = 16, 8
    points = np.concatenate([part.points for outline in outlines for part in outline])
    low = points.min(axis=0)
    width, height = (np.ceil(np.ptp(points, axis=0) * fine).astype(int) + 2 * margin).tolist()
    ink = np.zeros((height, width), np.uint8)
    for outline in outlines:
        layer = np.zeros_like(ink)
        places = [np.rint((part.points - low) * fine + margin).astype(np.int32) for part in outline]
        cv2.fillPoly(layer, places, 255)
        ink |= layer
    contours, _ = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    return tuple(_polygon((contour[:, 0] - margin) / fine + low) for contour in contours if len(contour) > 2)


def make_table(glyphs: Iterable[KnownGlyph]) -> OutlineTable:
    """The table of known outlines, equal ones once."""
    known: list[KnownGlyph] = []
    origins: list[tuple[float, float]] = []
    for glyph in glyphs:
        parts = components(glyph.outline)
        known.append(glyph)
        if len(parts) > 1 and _KNOWN_BY_A_PART.match(glyph.name):
            x0, y0, x1, y1 = outline_bbox(glyph.outline)
            for numbers in parts:
                part = tuple(glyph.outline[number] for number in numbers)
                a, b, c, d = outline_bbox(part)
                if (c - a) * (d - b) >= MIN_PART_SHARE * (x1 - x0) * (y1 - y0):
                    known.append(KnownGlyph(glyph.name, part))
    for glyph in known:
        x0, y0, _, _ = outline_bbox(glyph.outline)
        origins.append((-x0 * 4 / EM, -y0 * 4 / EM))
    features = measure_outlines([glyph.outline for glyph in known], [EM / 4] * len(known))
    keys: dict[tuple[str, bytes, bytes], int] = {}
    for index, glyph in enumerate(known):
        look = (
            glyph.name,
            features.pictures[index].round(1).tobytes(),
            features.sizes[index].round(2).tobytes(),
        )
        keys.setdefault(look, index)
    chosen = sorted(keys.values())
    return OutlineTable(
        tuple(known[index].name for index in chosen),
        Features(features.pictures[chosen], features.sizes[chosen], features.counts[chosen]),
        np.array(origins)[chosen],
    )


def save_table(table: OutlineTable, path: Path = TABLE) -> None:
    """Write it small."""
    labels = sorted(set(table.names))
    np.savez_compressed(
        path,
        labels=np.array(labels),
        label=np.array([labels.index(name) for name in table.names], np.uint16),
        pictures=np.rint(table.features.pictures * 255).astype(np.uint8),
        sizes=table.features.sizes.astype(np.float32),
        counts=table.features.counts,
        offsets=table.offsets.astype(np.float32),
    )


def main(folder: str) -> None:
    fonts = [verovio_glyphs(font) for font in FONTS]
    fonts += [lilypond_glyphs(Path(folder), size) for size in LILYPOND_SIZES]
    glyphs = [glyph for font in fonts for glyph in [*font, *notes_downward(font)]]
    table = make_table([*glyphs, *letter_glyphs(), *curve_glyphs()])
    save_table(table)
    sys.stdout.write(f"{TABLE.name}: {len(table.names)} outlines, {TABLE.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(
            "Give the folder of LilyPond's fonts as SVG, such as /usr/share/lilypond/2.24.1/fonts/svg."
        )
    main(sys.argv[1])
