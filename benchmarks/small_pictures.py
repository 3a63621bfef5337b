"""Measures whether the regions of small pictures of one thing or two are whole.

    python benchmarks/small_pictures.py [--count 100] [--seed 0] [--kind molecule] [--verbose] [--save DIR]

Pictures without a resolution, drawn as people draw them: a molecule by RDKit or Indigo, 200 to 1,200 pixels
wide, with bonds of several widths, black or colored; a line of text in the fonts of the machine, 20 to 100
pixels high; two molecules; a molecule with a caption; two molecules with a reaction arrow between them. Each
kind is as frequent as the others but single molecules and lines, which are twice as frequent. A picture is
right where it comes out as just its regions: as many of each kind as were drawn, each around all ink of one
and none of another. PP-OCR reads the words first, as docai does; no model is run.
"""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import script_parser
from PIL import Image, ImageDraw, ImageFont

from docai import Limits
from docai.geometry import BBox, grow, share_inside
from docai.options import Options
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.synthesis import fonts

KINDS = ("molecule", "line", "two molecules", "captioned", "scheme")
WEIGHTS = (2, 2, 1, 1, 1)
TOLERANCE = 3.0
"""Pixels of its ink by which a region may be short."""
MAX_FOREIGN = 0.1
"""Share of another thing's box that a region may cover."""

SMILES = (
    "CCO", "CCCO", "CC(=O)O", "CC(C)=O", "c1ccccc1", "Cc1ccccc1", "Oc1ccccc1", "Nc1ccccc1", "CCN",
    "NCC(=O)O", "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O", "C[N+](C)(C)CC(=O)[O-]",
    "[2H]C([2H])([2H])O", "C[Si](C)(C)Oc1ccccc1", "Nc1ccc(S(N)(=O)=O)cc1", "O=[N+]([O-])c1ccccc1",
    "c1ccc2ccccc2c1", "CC#N", "Ic1cc(C(F)(F)F)c(C#N)cc1Cl", "CNCCc1ccc(O)c(O)c1", "C[C@H](N)C(=O)O",
    "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O", "CCCCCCCC(=O)O", "C/C=C/C(=O)OCC", "OB(O)c1ccccc1", "BrCCBr",
    "CS(C)=O", "c1ccncc1", "O=C1CCCCC1", "CC(C)(C)OC(=O)NCCN", "COP(=O)(OC)OC", "Clc1ccc(Cl)c(Cl)c1",
    "C1COCCN1", "N#Cc1ccccc1N", "CCOCC", "C[N+](C)(C)C.[Cl-]", "[Na+].CC(=O)[O-]", "CCN(CC)CC.Cl",
)  # fmt: skip
LINES = (
    "4711.083", "Kaliumpermanganat", "LOT 77471 A", "V = 7.47 mL", "0x7F3A", "O0O0 l1I", "Exit",
    "Total: 12.50", "Sodium chloride 99.5%", "DE89 3704 0044 0532 0130 00", "Room 214", "2026-11-30",
    "Caution", "pH 7.4", "m/z 180", "Wet paint", "Store at 2 to 8 degrees", "C2H6O", "A1", "17", "Batch",
    "EXP 03/27", "Price per litre", "kg",
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One thing in a picture: what region it should be, and the box of its ink, pixels."""

    kind: str
    bbox: BBox


def draw_molecule(rng: random.Random, width: int) -> Image.Image:
    """A molecule with the margins that its program leaves."""
    smiles = rng.choice(SMILES)
    height = width if rng.random() < 0.4 else round(width * 0.75)
    if rng.random() < 0.7:
        return _by_rdkit(smiles, width, height, rng)
    return _by_indigo(smiles, width, height, rng)


def _by_rdkit(smiles: str, width: int, height: int, rng: random.Random) -> Image.Image:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(width, height)
    options = canvas.drawOptions()
    if rng.random() < 0.5:
        options.useBWAtomPalette()
    options.bondLineWidth = rng.choice((1, 2, 2, 2, 3, 4))
    options.padding = rng.choice((0.05, 0.05, 0.1))
    if rng.random() < 0.3:
        options.fixedBondLength = rng.uniform(20, 60)
    if rng.random() < 0.2:
        options.minFontSize = rng.randint(12, 24)
    canvas.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(Chem.MolFromSmiles(smiles)))
    canvas.FinishDrawing()
    return Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")


def _by_indigo(smiles: str, width: int, height: int, rng: random.Random) -> Image.Image:
    import indigo
    from indigo.renderer import IndigoRenderer

    tool = indigo.Indigo()
    renderer = IndigoRenderer(tool)
    tool.setOption("render-output-format", "png")
    tool.setOption("render-background-color", 1.0, 1.0, 1.0)
    tool.setOption("render-image-size", width, height)
    tool.setOption("render-coloring", rng.random() < 0.5)
    tool.setOption("render-relative-thickness", rng.uniform(0.7, 2.0))
    molecule = tool.loadMolecule(smiles)
    molecule.layout()
    return Image.open(io.BytesIO(bytes(renderer.renderToBuffer(molecule)))).convert("RGB")


def draw_line(rng: random.Random, height: int) -> Image.Image:
    """A line of text ``height`` pixels high, black on white."""
    while True:
        face = rng.choice(fonts.system_faces())
        text = rng.choice(LINES)
        if fonts.covers(face, text):
            break
    font = ImageFont.truetype(face, height)
    x0, y0, x1, y1 = font.getbbox(text)
    image = Image.new("RGB", (round(x1 - x0), round(y1 - y0)), "white")
    ImageDraw.Draw(image).text((-x0, -y0), text, font=font, fill="black")
    return image


def ink_box(image: Image.Image) -> BBox:
    dark = np.asarray(image.convert("L")) < 200
    ys, xs = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)


Picture = tuple[Image.Image, tuple[Drawn, ...]]
"""A picture, and what it shows."""


def place(things: Sequence[tuple[str, Image.Image, tuple[int, int]]], size: tuple[int, int]) -> Picture:
    """Things at their places on white paper; "" is the kind of what is no region."""
    paper = Image.new("RGB", size, "white")
    drawn = []
    for kind, image, (x, y) in things:
        paper.paste(image, (x, y))
        if kind:
            x0, y0, x1, y1 = ink_box(image)
            drawn.append(Drawn(kind, (x + x0, y + y0, x + x1, y + y1)))
    return paper, tuple(drawn)


def draw(kind: str, rng: random.Random) -> Picture:
    """A picture of one kind, and what it shows."""
    if kind == "line":
        image = draw_line(rng, round(20 * 5 ** rng.random()))
        margin = rng.randint(8, 60)
        size = image.width + 2 * margin + rng.choice((0, 0, 200)), image.height + 2 * margin
        return place([("text", image, (margin, margin))], size)
    if kind == "molecule":
        image = draw_molecule(rng, round(200 * 6 ** rng.random()))
        return place([("molecule", image, (0, 0))], image.size)
    width = round(200 * 3 ** rng.random())
    first, second = draw_molecule(rng, width), draw_molecule(rng, width)
    if kind == "captioned":
        caption = draw_line(rng, rng.randint(16, 32))
        size = max(first.width, caption.width + 20), first.height + caption.height + 30
        at = (size[0] - caption.width) // 2, first.height + 15
        return place([("molecule", first, ((size[0] - first.width) // 2, 0)), ("text", caption, at)], size)
    gap = round(0.1 * width) if kind == "two molecules" else round(0.5 * width)
    size = first.width + gap + second.width, max(first.height, second.height)
    places = [(0, (size[1] - first.height) // 2), (first.width + gap, (size[1] - second.height) // 2)]
    things = [("molecule", first, places[0]), ("molecule", second, places[1])]
    if kind == "scheme":
        arrow = Image.new("RGB", (round(0.4 * width), 21), "white")
        pen = ImageDraw.Draw(arrow)
        pen.line((2, 10, arrow.width - 8, 10), fill="black", width=2)
        pen.polygon([(arrow.width - 14, 4), (arrow.width - 2, 10), (arrow.width - 14, 16)], fill="black")
        things.append(("", arrow, (first.width + round(0.05 * width), size[1] // 2 - 10)))
    return place(things, size)


def is_right(drawn: Sequence[Drawn], regions: Sequence[Region]) -> bool:
    """Whether each thing is one region that holds its ink and no other's, and there is no further region."""
    if sorted(one.kind for one in drawn) != sorted(region.kind for region in regions):
        return False
    for one in drawn:
        inner = grow(one.bbox, -TOLERANCE)
        around = [r for r in regions if r.kind == one.kind and share_inside(inner, r.bbox) > 0.999]
        others = [other.bbox for other in drawn if other is not one]
        if not any(all(share_inside(other, r.bbox) <= MAX_FOREIGN for other in others) for r in around):
            return False
    return True


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=100, help="pictures (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the first picture (default 0)")
    parser.add_argument("--kind", choices=KINDS, help="draw only these")
    parser.add_argument("--verbose", action="store_true", help="print the regions of each that is not right")
    parser.add_argument("--save", type=Path, help="folder for the pictures that are not right")
    arguments = parser.parse_args()
    readers = ReaderPool.choose(Options())
    n_drawn, n_right = Counter[str](), Counter[str]()
    seconds = 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        rng = random.Random(seed)
        kind = rng.choices(KINDS, WEIGHTS)[0]
        if arguments.kind and kind != arguments.kind:
            continue
        image, drawn = draw(kind, rng)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        start = time.process_time()
        with open_source(buffer.getvalue(), limits=Limits()) as source:
            regions = find_regions(next(iter(source.pages())), see_words=readers.eyes).regions
        seconds += time.process_time() - start
        n_drawn[kind] += 1
        right = is_right(drawn, regions)
        n_right[kind] += right
        if not right and arguments.verbose:
            print(seed, kind, image.size, flush=True)
            for title, items in (("drawn", drawn), ("found", regions)):
                for item in items:
                    print("   ", title, item.kind, [round(value) for value in item.bbox])
        if not right and arguments.save:
            arguments.save.mkdir(parents=True, exist_ok=True)
            image.save(arguments.save / f"{seed}.png")
    print(f"{'picture':14} {'drawn':>6} {'right':>6} {'share':>6}")
    for kind in KINDS:
        if n_drawn[kind]:
            print(f"{kind:14} {n_drawn[kind]:6} {n_right[kind]:6} {n_right[kind] / n_drawn[kind]:6.2f}")
    total, right = sum(n_drawn.values()), sum(n_right.values())
    print(f"{'all':14} {total:6} {right:6} {right / max(1, total):6.2f}")
    print(f"CPU seconds a picture, without the readers' processes: {seconds / max(1, total):.2f}")


if __name__ == "__main__":
    main()
