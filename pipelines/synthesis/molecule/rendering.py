"""The styles of structure drawings, and drawing by RDKit and Indigo.

The harder styles use the fonts of the machine too: a seed gives the same pixels where the same fonts are
installed, and the same content everywhere.

Indigo (https://lifescience.opensource.epam.com/indigo/), where it is installed, does not give the places of
atoms, but its SVG has the bonds in the molecule's own units under one matrix, from which the places follow
exactly. The SVG is rasterized here, because Indigo's own PNG is laid out with other text widths and is up to
three pixels off.
"""

from __future__ import annotations

import importlib.util
import math
import random
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from docai.parsers.molecule_labels import ELEMENTS
from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Gray, UndrawableError
from docai.pipelines.synthesis.molecule.abbreviations import LABEL, LABEL_WEST, subscripted

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Bond, Mol

_LABEL_CHARACTERS = "ABCFHILNOPRSTXYZabcefhilmnorsty0123456789+-'"
_MATRIX = re.compile(r'transform="matrix\(([-\d.]+), 0, 0, ([-\d.]+), ([-\d.]+), ([-\d.]+)\)"')

Points = list[tuple[float, float]]
"""Pixels from the top left corner, by atom index."""


@dataclass(frozen=True)
class Style:
    """How one structure is drawn. Lengths are shares of the bond length unless noted."""

    bond: float
    """Length of a usual bond, pixels."""
    line: float
    font: float
    offset: float
    """Gap between the lines of a multiple bond."""
    label_padding: float
    methyls: bool
    """Whether carbon atoms at chain ends are labeled."""
    font_file: str
    all_carbons: bool = False
    aromatic: bool = False
    """Whether aromatic rings have dashed or curved inner lines instead of alternating double bonds."""
    colored: bool = False
    """Whether elements are colored, which a gray picture shows as weaker ink."""


def pick_style(rng: random.Random, difficulty: float, beyond: float, bond: float) -> Style:
    """A random style. ``beyond`` is 0 up to the difficulty of only plain styles, and 1 at the hardest."""
    plain = Style(
        bond=bond,
        line=rng.uniform(0.025, 0.045 + 0.045 * difficulty) / 1.5,
        font=rng.uniform(0.5, 0.55 + 0.25 * difficulty) / 1.5,
        offset=rng.uniform(0.11, 0.2),
        label_padding=rng.uniform(0.0, 0.1),
        methyls=rng.random() < 0.15 * difficulty,
        font_file=_pick_font(rng, beyond),
    )
    if beyond == 0:
        return plain
    return replace(
        plain,
        aromatic=rng.random() < 0.15 * beyond,
        all_carbons=rng.random() < 0.05 * beyond,
        colored=rng.random() < 0.2 * beyond,
    )


def draw_with_rdkit(molecule: Mol, style: Style) -> tuple[Gray, Points]:
    """The drawing of a molecule with 2-D coordinates, with wedged bonds, and the places of its atoms."""
    import cv2
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(-1, -1)
    options = canvas.drawOptions()
    if not style.colored:
        options.useBWAtomPalette()
    options.scalingFactor = style.bond / 1.5
    options.padding = 0.0
    options.bondLineWidth = max(1.0, style.bond * style.line)
    options.scaleBondWidth = False
    options.baseFontSize = style.font * 1.5
    options.minFontSize, options.maxFontSize = 6, -1
    options.multipleBondOffset = style.offset
    options.additionalAtomLabelPadding = style.label_padding
    options.explicitMethyl = style.methyls
    options.fontFile = style.font_file
    options.prepareMolsBeforeDrawing = False
    drawn = rdMolDraw2D.PrepareMolForDrawing(
        molecule, kekulize=not style.aromatic, addChiralHs=False, wedgeBonds=False
    )
    for atom in drawn.GetAtoms():
        if atom.HasProp(LABEL):
            atom.SetProp("_displayLabel", subscripted(atom.GetProp(LABEL)))
            atom.SetProp("_displayLabelW", subscripted(atom.GetProp(LABEL_WEST)))
            atom.SetIsotope(0)
        elif style.all_carbons and atom.GetSymbol() == "C" and not atom.GetIsotope():
            _label_carbon(atom)
    canvas.DrawMolecule(drawn)
    canvas.FinishDrawing()
    packed = np.frombuffer(canvas.GetDrawingText(), np.uint8)
    gray = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    spots = [canvas.GetDrawCoords(index) for index in range(molecule.GetNumAtoms())]
    return gray, [(spot.x, spot.y) for spot in spots]


def _label_carbon(atom: Atom) -> None:
    """Label a carbon atom with its hydrogens: RDKit's own option labels only chain ends."""
    if atom.GetFormalCharge():
        return
    n_hydrogens = atom.GetTotalNumHs()
    count = f"<sub>{n_hydrogens}</sub>" if n_hydrogens > 1 else ""
    hydrogens = f"H{count}" if n_hydrogens else ""
    atom.SetProp("_displayLabel", f"C{hydrogens}")
    atom.SetProp("_displayLabelW", f"{hydrogens}C")


@lru_cache(maxsize=1)
def _rdkit_fonts() -> tuple[str, ...]:
    """Font files of RDKit; the built-in font is an empty name."""
    from rdkit import RDConfig

    files = sorted((Path(RDConfig.RDDataDir) / "Fonts").glob("*.ttf"))
    # The script Amadeus has a 2 that looks like an a.
    return ("", *(str(path) for path in files if path.stem != "Amadeus"))


def _pick_font(rng: random.Random, beyond: float) -> str:
    """One of RDKit's fonts or, above plain styles, a font of the machine that has all the characters.

    Held-out faces are used only for text and tables, where reading letters is the task.
    """
    trained_on = [name for name in fonts.system_faces() if not fonts.is_held_out(name)]
    if rng.random() < 0.5 * beyond and trained_on:
        name = rng.choice(trained_on)
        if fonts.covers(name, _LABEL_CHARACTERS):
            return name
    return rng.choice(_rdkit_fonts())


@lru_cache(maxsize=1)
def has_indigo() -> bool:
    """Whether the package ``epam.indigo`` is installed."""
    return importlib.util.find_spec("indigo") is not None


def draw_with_indigo(molecule: Mol, style: Style, rng: random.Random) -> tuple[Gray, Points]:
    """The drawing of a molecule with 2-D coordinates, with wedged bonds, and the places of its atoms.

    Raises :class:`UndrawableError` where Indigo fails, or draws no bond that gives the scale.
    """
    import indigo
    from rdkit import Chem

    plain = Chem.Mol(molecule)
    for atom in plain.GetAtoms():
        if atom.HasProp(LABEL):
            if atom.GetProp(LABEL) in ELEMENTS:
                raise UndrawableError("Indigo would draw the element, with dots for its electrons")
            atom.SetIsotope(0)
    block = Chem.MolToMolBlock(plain, kekulize=True)
    tool, renderer = _indigo_tools()
    _set_indigo_options(tool, style, rng)
    try:
        drawn = tool.loadMolecule(block)
        if style.aromatic:
            drawn.aromatize()
        for index, atom in enumerate(molecule.GetAtoms()):
            if atom.HasProp(LABEL):
                label = LABEL_WEST if _bond_comes_from_right(molecule, index) else LABEL
                drawn.getAtom(index).resetAtom(atom.GetProp(label))
        svg = bytes(renderer.renderToBuffer(drawn))
    except indigo.IndigoException as error:
        raise UndrawableError(str(error)) from error
    return _rasterize_svg(svg), _read_places(molecule, svg.decode())


@lru_cache(maxsize=1)
def _indigo_tools() -> tuple[Any, Any]:
    from indigo import Indigo
    from indigo.renderer import IndigoRenderer

    tool = Indigo()
    return tool, IndigoRenderer(tool)


def _set_indigo_options(tool: Any, style: Style, rng: random.Random) -> None:
    """Set every option that varies: the tool keeps those of the picture before."""
    thickness = min(max(style.line / 0.03, 0.6), 1.6)
    options: dict[str, object] = {
        "render-output-format": "svg",
        "render-background-color": "1, 1, 1",
        "render-margins": "6, 6",
        "render-valences-visible": False,
        "render-stereo-style": "none",
        "render-coloring": style.colored,
        "render-bond-length": style.bond,
        "render-relative-thickness": thickness,
        "render-bond-line-width": rng.uniform(0.8, 1.4),
        "render-label-mode": "all"
        if style.all_carbons
        else "terminal-hetero"
        if style.methyls or rng.random() < 0.3
        else "hetero",
    }
    for name, value in options.items():
        tool.setOption(name, value)


def _bond_comes_from_right(molecule: Mol, index: int) -> bool:
    places = molecule.GetConformer().GetPositions()
    atom = molecule.GetAtomWithIdx(index)
    offsets = [places[neighbor.GetIdx()][0] - places[index][0] for neighbor in atom.GetNeighbors()]
    return bool(offsets) and min(offsets) > 0.1


def _rasterize_svg(svg: bytes) -> Gray:
    import pymupdf

    with pymupdf.open(stream=svg, filetype="svg") as document:
        pixels = document[0].get_pixmap(colorspace=pymupdf.csGRAY, alpha=False)
        return np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.stride)[
            :, : pixels.width
        ]


def _read_places(molecule: Mol, svg: str) -> Points:
    """Places of the atoms. Indigo's unit is the mean bond length, its origin the leftmost, topmost atom."""
    matrices = {tuple(float(v) for v in match) for match in _MATRIX.findall(svg)}
    lengths = [_bond_length(molecule, bond) for bond in molecule.GetBonds()]
    if len(matrices) != 1 or not lengths:
        raise UndrawableError("no bond gives the scale")
    scale_x, scale_y, left, top = matrices.pop()
    places = molecule.GetConformer().GetPositions()[:, :2] / (sum(lengths) / len(lengths))
    first, last = places.min(axis=0), places.max(axis=0)
    return [(left + scale_x * (x - first[0]), top + scale_y * (last[1] - y)) for x, y in places]


def _bond_length(molecule: Mol, bond: Bond) -> float:
    places = molecule.GetConformer().GetPositions()
    return math.dist(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()])
