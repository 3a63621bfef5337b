"""Makes ``samples/report.pdf``, the document that `make demo` reads, its truth, and ``aspirin.png``.

The report has two born-digital pages (prose, a ruled and a borderless table, molecules as vectors and as a
bitmap, a piano score as vectors) and one image-only page that looks scanned. The content is invented. All
that is drawn, and the truth file, come from the constants below.

    python samples/make_report.py [FOLDER]

The same library versions give the same bytes: metadata, ids and noise are fixed.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymupdf
from PIL import Image, ImageFilter
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import (
    Flowable,
    KeepTogether,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus import Image as ImageFlowable

from docai.pipelines.external.engraving import engrave

TITLE = "Field Report: Willow Bark and Winter Music"
ABSTRACT = (
    "This short report follows two visits to the Ashby Hall collection. The first visit measured three "
    "remedies kept in the still room; the second copied a piano piece found between the pages of the same "
    "ledger. All numbers were taken by hand and checked twice."
)
METHODS_HEADING = "1. Samples and methods"
METHODS = (
    "Each sample was weighed dry, dissolved in warm water and left to stand for one hour. The acid was "
    "measured with paper strips, so the values in Table 1 are rounded to half a unit. Willow bark gave the "
    "strongest reading, which agrees with the well known structure in Figure 1.",
    "No solvent other than water was used. The containers were rinsed three times between samples, and the "
    "balance was set to zero before every weighing.",
)
RULED = (
    ("Sample", "Mass", "pH"),
    ("Willow", "12.5", "4.5"),
    ("Meadow", "9.8", "5.0"),
    ("Tea", "7.1", "6.5"),
)
RESULTS_HEADING = "2. Results"
RESULTS = (
    "The second ledger lists what was sold in each season. The figures are small, but they rise from year "
    "to year, as Table 2 shows. The tea in the third sample contains caffeine (Figure 2), and a note in "
    "the margin asks for vanilla (Figure 3)."
)
BORDERLESS = (
    ("Year", "Spring", "Autumn"),
    ("1871", "14", "22"),
    ("1872", "17", "25"),
    ("1873", "21", "30"),
)
MUSIC_HEADING = "3. The music"
MUSIC = (
    "The loose leaf carries a few bars for a beginner. Both hands stay within one octave, and the left "
    "hand moves only once in each bar."
)
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
VANILLIN = "COc1cc(C=O)ccc1O"
SCANNED_MOLECULE = "Oc1ccccc1"
KERN = "\n".join(
    "\t".join(line.split())
    for line in """\
**kern **kern
*clefF4 *clefG2
*k[] *k[]
*M4/4 *M4/4
=1 =1
1C 4c
. 4e
. 4g
. 4e
=2 =2
2F 2a
2G 4g
. 4f
=3 =3
1C 1e
== ==
*- *-""".splitlines()
)
SCANNED_LINES = ("Note of the keeper", "Received 12 March", "Two jars and one box", "Paid in full")
SCANNED_TABLE = (("Item", "Price"), ("Jar", "2.50"), ("Box", "4.00"))
CAPTIONS = {
    "ruled": "Table 1. Dry mass in grams and acidity of three samples.",
    "borderless": "Table 2. Boxes sold in each season.",
    "aspirin": "Figure 1. Acetylsalicylic acid.",
    "caffeine": "Figure 2. Caffeine.",
    "vanillin": "Figure 3. Vanillin.",
    "score": "Figure 4. The piece as it was copied.",
}

_TIMES = "Times-Roman"
BODY = ParagraphStyle("body", fontName=_TIMES, fontSize=11, leading=15, spaceAfter=7)
CAPTION = ParagraphStyle(
    "caption", fontName="Times-Italic", fontSize=9.5, leading=12, spaceAfter=12, alignment=1
)
HEADING = ParagraphStyle(
    "heading", fontName="Helvetica-Bold", fontSize=13, leading=17, spaceBefore=6, spaceAfter=5
)
TITLE_STYLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=19, leading=24, spaceAfter=12)
LARGE = ParagraphStyle("large", fontName=_TIMES, fontSize=22, leading=34)

SCAN_DPI = 200
SCAN_SKEW = 0.6
"""Degrees counter-clockwise."""


@dataclass
class Vector:
    """A one-page PDF to be placed on ``page`` of the report at ``rect``, points from the top left."""

    pdf: bytes
    page: int = 0
    rect: tuple[float, float, float, float] = (0, 0, 0, 0)


class VectorFigure(Flowable):
    """Reserves space for vector drawings side by side, and stores where they are to be placed."""

    def __init__(self, vectors: Sequence[Vector], *, gap: float = 40.0, scale: float = 1.0) -> None:
        super().__init__()
        self.vectors = vectors
        self.gap = gap
        self.sizes = []
        for vector in vectors:
            with pymupdf.open("pdf", vector.pdf) as pdf:
                self.sizes.append((pdf[0].rect.width * scale, pdf[0].rect.height * scale))
        self.width = sum(width for width, _ in self.sizes) + gap * (len(vectors) - 1)
        self.height = max(height for _, height in self.sizes)
        self.hAlign = "CENTER"

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        left, bottom = self.canv.absolutePosition(0, 0)
        for vector, (width, height) in zip(self.vectors, self.sizes, strict=True):
            top = A4[1] - bottom - height
            vector.page = self.canv.getPageNumber()
            vector.rect = (left, top, left + width, top + height)
            left += width + self.gap


def molecule_vector(smiles: str, width: int, height: int) -> Vector:
    """A molecule as paths: RDKit draws SVG, MuPDF turns it into PDF."""
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    return Vector(_svg_to_pdf(_draw(drawer, smiles)))


def molecule_bitmap(smiles: str, width: float, height: float, *, dpi: int = 300) -> ImageFlowable:
    """A molecule as a picture of the given size in points."""
    return ImageFlowable(io.BytesIO(molecule_png(smiles, width, height, dpi=dpi)), width, height)


def molecule_png(smiles: str, width: float, height: float, *, dpi: int) -> bytes:
    """A molecule as a PNG of the given size in points."""
    drawer = rdMolDraw2D.MolDraw2DCairo(round(width * dpi / 72), round(height * dpi / 72))
    drawer.drawOptions().bondLineWidth = 5
    drawer.drawOptions().maxFontSize = -1
    return _draw(drawer, smiles)


def _draw(drawer: rdMolDraw2D.MolDraw2D, smiles: str) -> bytes:
    drawer.drawOptions().useBWAtomPalette()
    drawer.DrawMolecule(Chem.MolFromSmiles(smiles))
    drawer.FinishDrawing()
    text: str | bytes = drawer.GetDrawingText()
    return text.encode() if isinstance(text, str) else text


_ENGRAVING: dict[str, float | str] = {
    "breaks": "auto",
    "scale": 34,
    "pageWidth": 4000,
    "pageMarginLeft": 20,
    "pageMarginRight": 0,
    "pageMarginTop": 0,
    "pageMarginBottom": 0,
    "mnumInterval": 0,
}


def score_vector(kern: str) -> Vector:
    """A score as paths."""
    svg = engrave(kern, _ENGRAVING)
    if svg is None:
        raise ValueError("Verovio did not engrave the score.")
    return Vector(_svg_to_pdf(_plain_svg(svg).encode()))


def _plain_svg(svg: str) -> str:
    """Verovio's SVG without what MuPDF leaves out: the nested viewport and `currentColor`."""
    outer = re.search(r'<svg width="([\d.]+)px" height="([\d.]+)px"', svg)
    inner = re.search(r'<svg class="definition-scale"[^>]*viewBox="0 0 (\d+) (\d+)"[^>]*>', svg)
    if outer is None or inner is None:
        raise ValueError("Verovio's SVG has changed its frame; adapt _plain_svg.")
    scale = float(outer[1]) / float(inner[1])
    svg = svg.replace(inner[0], f'<g transform="scale({scale})" stroke="black" fill="black">')
    head, _, tail = svg.rpartition("</svg>")
    before, _, after = head.rpartition("</svg>")
    svg = f"{before}</g>{after}</svg>{tail}"
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    return re.sub(r"<g [^>]*placeholder[^>]*>\s*<ellipse[^>]*/>\s*</g>", "", svg)


def _svg_to_pdf(svg: bytes) -> bytes:
    with pymupdf.open(stream=svg, filetype="svg") as drawing:
        converted: bytes = drawing.convert_to_pdf()
    return converted


def ruled_table(rows: Sequence[Sequence[str]], *, size: float = 11, width: float = 90) -> Table:
    table = Table([list(row) for row in rows], colWidths=width, rowHeights=size * 2)
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), "Helvetica", size),
                ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", size),
                ("GRID", (0, 0), (-1, -1), 0.8, colors.black),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    return table


def borderless_table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table([list(row) for row in rows], colWidths=90, rowHeights=20)
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), "Helvetica", 11),
                ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 11),
                ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    return table


def _figure(drawing: Flowable, caption: str) -> KeepTogether:
    return KeepTogether([Spacer(1, 6), drawing, Spacer(1, 5), Paragraph(CAPTIONS[caption], CAPTION)])


def _typeset(story: list[Flowable]) -> bytes:
    buffer = io.BytesIO()
    SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=68,
        rightMargin=68,
        topMargin=64,
        bottomMargin=60,
        title=TITLE,
        author="docai sample",
        invariant=1,
    ).build(story)
    return buffer.getvalue()


def scanned_page() -> bytes:
    """JPEG of a typeset page as from a flatbed scanner: gray, slightly rotated, blurred, noisy."""
    story: list[Flowable] = [Spacer(1, 30), *(Paragraph(line, LARGE) for line in SCANNED_LINES)]
    story += [Spacer(1, 40), ruled_table(SCANNED_TABLE, size=17, width=130), Spacer(1, 50)]
    story.append(molecule_bitmap(SCANNED_MOLECULE, 170, 120))
    with pymupdf.open("pdf", _typeset(story)) as pdf:
        pixmap = pdf[0].get_pixmap(dpi=SCAN_DPI, colorspace=pymupdf.csGRAY)
    image = Image.frombytes("L", (pixmap.width, pixmap.height), pixmap.samples)
    image = image.rotate(SCAN_SKEW, Image.Resampling.BICUBIC, fillcolor=255).filter(
        ImageFilter.GaussianBlur(0.6)
    )
    noise = np.random.default_rng(7).normal(0, 4, (pixmap.height, pixmap.width))
    gray = np.clip(np.asarray(image, dtype=np.float64) * 0.93 + 12 + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=70, dpi=(SCAN_DPI, SCAN_DPI))
    return buffer.getvalue()


def build_report() -> bytes:
    """The PDF, as bytes."""
    aspirin = molecule_vector(ASPIRIN, 190, 130)
    caffeine = molecule_vector(CAFFEINE, 180, 120)
    score = score_vector(KERN)
    story: list[Flowable] = [
        Paragraph(TITLE, TITLE_STYLE),
        Paragraph(ABSTRACT, BODY),
        Paragraph(METHODS_HEADING, HEADING),
        *(Paragraph(text, BODY) for text in METHODS),
        _figure(ruled_table(RULED), "ruled"),
        _figure(VectorFigure([aspirin]), "aspirin"),
        PageBreak(),
        Paragraph(RESULTS_HEADING, HEADING),
        Paragraph(RESULTS, BODY),
        _figure(borderless_table(BORDERLESS), "borderless"),
        Table(
            [
                [VectorFigure([caffeine]), molecule_bitmap(VANILLIN, 180, 120)],
                [Paragraph(CAPTIONS["caffeine"], CAPTION), Paragraph(CAPTIONS["vanillin"], CAPTION)],
            ],
            colWidths=220,
            style=[("ALIGN", (0, 0), (-1, -1), "CENTER")],
        ),
        Paragraph(MUSIC_HEADING, HEADING),
        Paragraph(MUSIC, BODY),
        _figure(VectorFigure([score], scale=1.2), "score"),
    ]
    with pymupdf.open("pdf", _typeset(story)) as report:
        for vector in (aspirin, caffeine, score):
            with pymupdf.open("pdf", vector.pdf) as drawing:
                report[vector.page - 1].show_pdf_page(pymupdf.Rect(vector.rect), drawing, 0)
        page = report.new_page(width=A4[0], height=A4[1])
        page.insert_image(page.rect, stream=scanned_page())
        finished: bytes = report.tobytes(garbage=4, deflate=True, no_new_id=True)
    return finished


def truth() -> dict[str, object]:
    """The true content, page by page."""

    def table(rows: Sequence[Sequence[str]], look: str) -> dict[str, object]:
        return {"kind": "table", "look": look, "rows": [list(row) for row in rows]}

    def molecule(smiles: str, look: str) -> dict[str, object]:
        return {"kind": "molecule", "look": look, "smiles": Chem.CanonSmiles(smiles)}

    def text(*lines: str) -> dict[str, object]:
        return {"kind": "text", "paragraphs": list(lines)}

    return {
        "pages": [
            [
                text(TITLE, ABSTRACT, METHODS_HEADING, *METHODS),
                table(RULED, "ruled"),
                text(CAPTIONS["ruled"]),
                molecule(ASPIRIN, "vector"),
                text(CAPTIONS["aspirin"]),
            ],
            [
                text(RESULTS_HEADING, RESULTS),
                table(BORDERLESS, "borderless"),
                text(CAPTIONS["borderless"]),
                molecule(CAFFEINE, "vector"),
                molecule(VANILLIN, "bitmap"),
                text(CAPTIONS["caffeine"], CAPTIONS["vanillin"], MUSIC_HEADING, MUSIC),
                {"kind": "score", "look": "vector", "kern": KERN},
                text(CAPTIONS["score"]),
            ],
            [
                text(*SCANNED_LINES),
                table(SCANNED_TABLE, "scan"),
                molecule(SCANNED_MOLECULE, "scan"),
            ],
        ]
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.pdf").write_bytes(build_report())
    (folder / "aspirin.png").write_bytes(molecule_png(ASPIRIN, 190, 130, dpi=200))
    (folder / "report.truth.json").write_text(
        json.dumps(truth(), indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
