"""Tables, molecules, scores and figures for synthetic pages, each a one-page PDF.

Vector molecules are RDKit's SVG, vector scores are Verovio's SVG, both as real paths through MuPDF. A pool of
scores is engraved once.
"""

from __future__ import annotations

import copy
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pymupdf
from PIL import Image

from docai.geometry import BBox
from docai.pipelines.external.engraving import engrave
from docai.pipelines.synthesis.words import ENGLISH, UNITS, number
from docai.records import Kind

SMILES = (
    "CC(=O)Nc1ccc(O)cc1",
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "OC(=O)c1ccccc1O",
    "CN1CCC[C@H]1c1cccnc1",
    "NCCc1ccc(O)c(O)c1",
    "C1CCC(CC1)Nc1ncnc2ccccc12",
    "COc1ccc2[nH]cc(CCNC(C)=O)c2c1",
    "ClC1=CC=CC=C1C(=O)NC",
    "O=C(O)CCc1ccc(Br)cc1",
    "FC(F)(F)c1ccc(CN2CCOCC2)cc1",
    "CC1=CC(=O)c2ccccc2C1=O",
    "O=C1NC(=O)C(N1)(c1ccccc1)c1ccccc1",
    "CCN(CC)CCNC(=O)c1ccc(N)cc1",
    "CCOC(=O)C1=C(C)NC(C)=C(C1)C(=O)OC",
    "c1ccc2c(c1)[nH]c1ccccc12",
    "N#Cc1ccc(Oc2ccccc2)cc1",
    "CS(=O)(=O)c1ccc(C(=O)O)cc1",
    "O=[N+]([O-])c1ccc(NN=Cc2ccccc2)cc1",
    "C[C@@H](N)C(=O)N1CCC[C@H]1C(=O)O",
    "CC(C)(C)OC(=O)NCC#C",
    "OCC1OC(O)C(O)C(O)C1O",
    "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
    "CN(C)CCOC(c1ccccc1)c1ccccc1",
    "O=C(c1ccccc1)c1ccc(F)cc1",
    "CCCCC(CC)COC(=O)c1ccccc1",
    "Cc1cc(C)c(NC(=O)C)c(C)c1",
    "C=CCc1ccc(O)c(OC)c1",
    "Clc1ccc(cc1)C(c1ccccc1)N1CCNCC1",
)
N_SCORES = 24
_ENGRAVING: dict[str, float | str] = {
    "breaks": "auto",
    "adjustPageWidth": False,
    "pageHeight": 6000,
    "scale": 40,
    "pageMarginTop": 60,
    "pageMarginBottom": 60,
    "pageMarginLeft": 80,
}


@dataclass(frozen=True)
class Picture:
    """A drawing: a one-page PDF, and the box of its ink on that page, points."""

    kind: Kind
    pdf: bytes
    ink: BBox

    @property
    def width(self) -> float:
        return self.ink[2] - self.ink[0]

    @property
    def height(self) -> float:
        return self.ink[3] - self.ink[1]


def picture(kind: Kind, rng: random.Random, width: float) -> Picture:
    """A random drawing of a kind, at most ``width`` points wide."""
    return MAKERS[kind](rng, width)


def _cut(kind: Kind, pdf: bytes) -> Picture:
    """Find the ink of the first page."""
    scale = 3.0
    with pymupdf.open("pdf", pdf) as document:
        pixels = document[0].get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.stride)[:, : pixels.width]
    rows, columns = np.flatnonzero((gray < 245).any(axis=1)), np.flatnonzero((gray < 245).any(axis=0))
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return Picture(kind, pdf, (box[0] / scale, box[1] / scale, box[2] / scale, box[3] / scale))


def _svg_pdf(svg: str, scale: float) -> bytes:
    """An SVG as a PDF page, scaled."""
    with pymupdf.open("svg", svg.encode()) as drawing:
        plain = drawing.convert_to_pdf()
        size = drawing[0].rect * pymupdf.Matrix(scale, scale)
    with pymupdf.open("pdf", plain) as source, pymupdf.open() as target:
        page = target.new_page(width=size.width, height=size.height)
        page.show_pdf_page(page.rect, source, 0)
        return bytes(target.tobytes())


def _molecule(rng: random.Random, width: float) -> Picture:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    plain_text = rng.random() < 0.5  # atom labels as text, as drawing programs write them, or as outlines
    side = min(width, rng.uniform(110, 230))
    drawer = rdMolDraw2D.MolDraw2DSVG(600, 420, -1, -1, plain_text)
    options = drawer.drawOptions()
    options.clearBackground = False
    if rng.random() < 0.8:
        options.useBWAtomPalette()
    options.bondLineWidth = rng.choice((2, 2, 3))
    options.rotate = rng.uniform(0, 360) if rng.random() < 0.3 else 0
    options.fixedBondLength = rng.uniform(34, 60)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, Chem.MolFromSmiles(rng.choice(SMILES)))
    drawer.FinishDrawing()
    return _cut("molecule", _svg_pdf(drawer.GetDrawingText(), side / 600 * 1.4))


def _score(rng: random.Random, width: float) -> Picture:
    svg = rng.choice(score_pool())
    size = re.search(r'width="([\d.]+)px"', svg)
    assert size is not None
    return _cut("score", _svg_pdf(svg, min(width, rng.uniform(0.85, 1.0) * width) / float(size[1])))


@lru_cache(maxsize=1)
def score_pool() -> tuple[str, ...]:
    """Flattened SVGs of grand-staff scores of one to three systems."""
    drawings = (_engraved(random.Random(seed)) for seed in range(N_SCORES))
    return tuple(_flatten(svg) for svg in drawings if svg is not None)


def _engraved(rng: random.Random) -> str | None:
    width = rng.choice((1300, 1600, 2000))
    return engrave(_grand_staff(rng, rng.randint(2, 9)), _ENGRAVING | {"pageWidth": width})


def _grand_staff(rng: random.Random, n_measures: int) -> str:
    """Random music in kern, a voice a staff."""
    key = rng.choice(("", "b-", "f#", "b-e-", "f#c#"))
    rows = ["**kern\t**kern", "*clefF4\t*clefG2", f"*k[{key}]\t*k[{key}]", "*M4/4\t*M4/4"]
    for measure in range(1, n_measures + 1):
        rows.append(f"={measure}\t={measure}")
        for _ in range(4):
            low = rng.choice(("C", "D", "E", "F", "G", "A", "c", "d", "e"))
            high = rng.choice(("c", "d", "e", "f", "g", "a", "cc", "dd"))
            if rng.random() < 0.4:
                rows.append(f"4{low}\t8{high}L")
                rows.append(f".\t8{rng.choice('cdefgab')}J")
            else:
                rows.append(f"4{low}\t4{high}")
    return "\n".join([*rows, "==\t==", "*-\t*-", ""])


def _flatten(svg: str) -> str:
    """Verovio's SVG without ``use``, nested ``svg`` and styles, which MuPDF does not follow."""
    from lxml import etree

    space, link = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
    root: Any = etree.fromstring(svg.encode())
    for shape in ("path", "ellipse", "polygon", "polyline", "rect"):
        for element in root.iter(space + shape):
            if element.get("stroke-width"):
                element.set("stroke", "black")
    glyphs = {group.get("id"): group for defs in root.iter(space + "defs") for group in defs}
    for use in list(root.iter(space + "use")):
        group = etree.Element(space + "g", transform=use.get("transform", ""))
        group.extend(copy.deepcopy(child) for child in glyphs[use.get(link)[1:]])
        use.getparent().replace(use, group)
    unwanted = [element for name in ("defs", "style", "text") for element in root.iter(space + name)]
    unwanted += [group for group in root.iter(space + "g") if "placeholder" in group.get("class", "").split()]
    for element in unwanted:
        element.getparent().remove(element)
    width = float(root.get("width").removesuffix("px"))
    for inner in list(root.iter(space + "svg"))[1:]:
        inner.tag = space + "g"
        inner.set("transform", f"scale({width / float(inner.get('viewBox').split()[2])})")
    return str(etree.tostring(root, encoding="unicode"))


def _table(rng: random.Random, width: float) -> Picture:
    from reportlab.lib import colors
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Table

    columns, rows = rng.randint(2, 3 if width < 300 else 6), rng.randint(3, 12)
    size = rng.uniform(7, 9.5)

    def text(words: int) -> str:
        return " ".join(rng.choice(ENGLISH) for _ in range(words)).capitalize()

    numeric = [column > 0 and rng.random() < 0.75 for column in range(columns)]
    data = [[text(1) if c else text(rng.randint(1, 2)) for c in range(columns)]]
    for _ in range(rows - 1):
        row = [number(rng, 0.6) if flag else text(rng.randint(1, 2)) for flag in numeric]
        if rng.random() < 0.1:
            row[rng.randrange(columns)] = rng.choice(("", "-", "n/a", rng.choice(UNITS)))
        data.append(row)
    style: list[tuple[object, ...]] = [
        ("FONTNAME", (0, 0), (-1, -1), rng.choice(("Helvetica", "Times-Roman"))),
        ("FONTSIZE", (0, 0), (-1, -1), size),
        ("TOPPADDING", (0, 0), (-1, -1), rng.uniform(1, 4)),
        ("BOTTOMPADDING", (0, 0), (-1, -1), rng.uniform(1.5, 4)),
        *(("ALIGN", (c, 0), (c, -1), rng.choice(("RIGHT", "CENTER"))) for c in range(columns) if numeric[c]),
    ]
    if rng.random() < 0.5:
        style.append(("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"))
    rules = rng.random()
    if rules < 0.4:
        style.append(("GRID", (0, 0), (-1, -1), rng.uniform(0.3, 1), colors.black))
        if rng.random() < 0.4:
            style.append(("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey))
    elif rules < 0.75:
        heavy = rng.uniform(0.5, 1.2)
        style += [("LINEABOVE", (0, 0), (-1, 0), heavy, colors.black)]
        style += [("LINEBELOW", (0, row), (-1, row), heavy, colors.black) for row in (0, -1)]
    wide = width * rng.uniform(0.75, 1.0)
    shares = [1.5, *(rng.uniform(0.8, 1.2) for _ in range(columns - 1))]
    table = Table(
        data,
        style=style,
        colWidths=[wide * s / sum(shares) for s in shares],
        rowHeights=[size * 1.25 + 6] * rows,
    )
    _, height = table.wrap(wide, 5000)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(wide + 20, height + 20), invariant=1)
    table.drawOn(canvas, 10, 10)
    canvas.save()
    return _cut("table", buffer.getvalue())


def _figure(rng: random.Random, width: float) -> Picture:
    from reportlab.pdfgen.canvas import Canvas

    wide, high = min(width, rng.uniform(140, 300)), rng.uniform(90, 170)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(wide + 20, high + 20), invariant=1)
    canvas.translate(10, 10)
    rng.choice((_chart, _chart, _photo, _logo, _diagram))(canvas, rng, wide, high)
    canvas.save()
    return _cut("figure", buffer.getvalue())


def _chart(canvas: Any, rng: random.Random, wide: float, high: float) -> None:
    from reportlab.graphics import renderPDF
    from reportlab.graphics.charts.barcharts import VerticalBarChart
    from reportlab.graphics.charts.lineplots import LinePlot
    from reportlab.graphics.charts.piecharts import Pie
    from reportlab.graphics.shapes import Drawing

    style, points = rng.randrange(3), rng.randint(4, 9)
    if style == 0:
        chart = VerticalBarChart()
        chart.data = [[rng.uniform(5, 50) for _ in range(points)] for _ in range(rng.randint(1, 2))]
        chart.categoryAxis.categoryNames = [f"{2015 + i}" for i in range(points)]
        chart.categoryAxis.labels.fontSize = chart.valueAxis.labels.fontSize = 6
    elif style == 1:
        chart = LinePlot()
        chart.data = [[(i, rng.uniform(5, 50)) for i in range(points)] for _ in range(rng.randint(1, 3))]
        chart.xValueAxis.labels.fontSize = chart.yValueAxis.labels.fontSize = 6
    else:
        chart = Pie()
        chart.data = [rng.uniform(5, 50) for _ in range(points)]
        chart.labels = [rng.choice(ENGLISH) for _ in range(points)]
        chart.slices.fontSize = 6
        wide = high = min(wide, high)
    chart.x, chart.y, chart.width, chart.height = 20, 15, wide - 40, high - 25
    drawing = Drawing(wide, high)
    drawing.add(chart)
    renderPDF.draw(drawing, canvas, 0, 0)


def _photo(canvas: Any, rng: random.Random, wide: float, high: float) -> None:
    from reportlab.lib.utils import ImageReader

    noise = np.random.default_rng(rng.randrange(1 << 30))
    cells = noise.integers(0, 230, (rng.randint(3, 7), rng.randint(3, 9), 3)).astype(np.uint8)
    smooth = Image.fromarray(cells).resize((int(wide * 2), int(high * 2)), Image.Resampling.BICUBIC)
    grain = noise.normal(0, 8, (smooth.height, smooth.width, 1))
    photo = Image.fromarray((np.asarray(smooth) * 0.85 + grain).clip(0, 235).astype(np.uint8))
    canvas.drawImage(ImageReader(photo), 0, 0, wide, high)


def _logo(canvas: Any, rng: random.Random, wide: float, high: float) -> None:
    from reportlab.lib.colors import Color

    draw, side = canvas, min(wide, high) * 0.8
    draw.setFillColor(Color(0.1, 0.1, 0.5))
    draw.rect(side * 0.2, side * 0.2, side * 0.6, side * 0.6, stroke=0, fill=1)
    for _ in range(rng.randint(2, 5)):
        draw.setFillColor(Color(*(rng.uniform(0, 0.75) for _ in range(3))))
        x, y, r = side * rng.uniform(0.2, 0.8), side * rng.uniform(0.2, 0.8), side * rng.uniform(0.12, 0.2)
        shape = rng.randrange(3)
        if shape == 0:
            draw.circle(x, y, r, stroke=0, fill=1)
        elif shape == 1:
            draw.roundRect(x - r, y - r, 2 * r, 2 * r, r / 4, stroke=0, fill=1)
        else:
            draw.wedge(x - r, y - r, x + r, y + r, rng.uniform(0, 360), 200, stroke=0, fill=1)


def _diagram(canvas: Any, rng: random.Random, wide: float, high: float) -> None:
    draw, steps = canvas, rng.randint(2, 4)
    room = wide / steps
    draw.setFont("Helvetica", 7)
    for row in range(2):
        y = high * (0.6 if row else 0.1)
        for step in range(steps):
            x = step * room
            draw.rect(x, y, room * 0.65, high * 0.25)
            draw.drawCentredString(x + room * 0.325, y + high * 0.1, rng.choice(ENGLISH))
            if step + 1 < steps:
                draw.line(x + room * 0.65, y + high * 0.12, x + room, y + high * 0.12)
    draw.line(room * 0.3, high * 0.35, room * 0.3, high * 0.6)


MAKERS: dict[Kind, Callable[[random.Random, float], Picture]] = {
    "table": _table,
    "molecule": _molecule,
    "score": _score,
    "figure": _figure,
}
