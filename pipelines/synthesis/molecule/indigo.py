"""Structure drawings by Indigo (https://lifescience.opensource.epam.com/indigo/), where it is installed.

Indigo tells no atom's place. Its SVG does: bonds stand in it in the molecule's own units under one matrix,
so the places follow exactly. The SVG is turned into pixels here, for Indigo's own PNG is laid out with
other text widths and is up to three pixels off.
"""

from __future__ import annotations

import importlib.util
import math
import random
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from docai.parsers.molecule_labels import ELEMENTS
from docai.pipelines.synthesis.base import Gray, UndrawableError
from docai.pipelines.synthesis.molecule.abbreviations import LABEL, LABEL_WEST
from docai.pipelines.synthesis.molecule.looks import Look, Points

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol

_MATRIX = re.compile(r'transform="matrix\(([-\d.]+), 0, 0, ([-\d.]+), ([-\d.]+), ([-\d.]+)\)"')


@lru_cache(maxsize=1)
def is_present() -> bool:
    """Whether the package ``epam.indigo`` is installed."""
    return importlib.util.find_spec("indigo") is not None


def draw_with_indigo(molecule: Mol, look: Look, rng: random.Random) -> tuple[Gray, Points]:
    """The drawing of a molecule with 2-D coordinates, bonds already wedged, and its atoms' places.

    Raises :class:`UndrawableError` where Indigo refuses it or shows no bond to measure by.
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
    tool, renderer = _tools()
    _configure(tool, look, rng)
    try:
        drawn = tool.loadMolecule(block)
        if look.aromatic:
            drawn.aromatize()
        for index, atom in enumerate(molecule.GetAtoms()):
            if atom.HasProp(LABEL):
                label = LABEL_WEST if _bond_comes_from_right(molecule, index) else LABEL
                drawn.getAtom(index).resetAtom(atom.GetProp(label))
        svg = bytes(renderer.renderToBuffer(drawn))
    except indigo.IndigoException as error:
        raise UndrawableError(str(error)) from error
    return _rasterise(svg), _places(molecule, svg.decode())


@lru_cache(maxsize=1)
def _tools() -> tuple[Any, Any]:
    from indigo import Indigo
    from indigo.renderer import IndigoRenderer

    tool = Indigo()
    return tool, IndigoRenderer(tool)


def _configure(tool: Any, look: Look, rng: random.Random) -> None:
    """Every option that varies is set anew: the tool keeps those of the picture before."""
    thickness = min(max(look.line / 0.03, 0.6), 1.6)
    options: dict[str, object] = {
        "render-output-format": "svg",
        "render-background-color": "1, 1, 1",
        "render-margins": "6, 6",
        "render-valences-visible": False,
        "render-stereo-style": "none",
        "render-coloring": look.coloured,
        "render-bond-length": look.bond,
        "render-relative-thickness": thickness,
        "render-bond-line-width": rng.uniform(0.8, 1.4),
        "render-label-mode": "all"
        if look.all_carbons
        else "terminal-hetero"
        if look.methyls or rng.random() < 0.3
        else "hetero",
    }
    for name, value in options.items():
        tool.setOption(name, value)


def _bond_comes_from_right(molecule: Mol, index: int) -> bool:
    places = molecule.GetConformer().GetPositions()
    atom = molecule.GetAtomWithIdx(index)
    ahead = [places[other.GetIdx()][0] - places[index][0] for other in atom.GetNeighbors()]
    return bool(ahead) and min(ahead) > 0.1


def _rasterise(svg: bytes) -> Gray:
    import pymupdf

    with pymupdf.open(stream=svg, filetype="svg") as document:
        pixels = document[0].get_pixmap(colorspace=pymupdf.csGRAY, alpha=False)
        return np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.stride)[
            :, : pixels.width
        ]


def _places(molecule: Mol, svg: str) -> Points:
    """Indigo's units are mean bond lengths, counted from the leftmost and the topmost atom."""
    found = {tuple(float(v) for v in match) for match in _MATRIX.findall(svg)}
    lengths = [_length(molecule, bond) for bond in molecule.GetBonds()]
    if len(found) != 1 or not lengths:
        raise UndrawableError("no bond to measure by")
    scale_x, scale_y, left, top = found.pop()
    places = molecule.GetConformer().GetPositions()[:, :2] / (sum(lengths) / len(lengths))
    first, last = places.min(axis=0), places.max(axis=0)
    return [(left + scale_x * (x - first[0]), top + scale_y * (last[1] - y)) for x, y in places]


def _length(molecule: Mol, bond: Bond) -> float:
    places = molecule.GetConformer().GetPositions()
    return math.dist(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()])
