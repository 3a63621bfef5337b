"""The looks of a structure drawing, and drawing by RDKit. Indigo's drawing is in ``indigo``.

Past the plain looks the machine's own fonts are used too: a seed gives the same pixels where the same fonts
are installed, and the same content everywhere.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Gray
from docai.pipelines.synthesis.molecule.abbreviations import LABEL, LABEL_WEST, subscripted

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

_CHARACTERS = "ABCFHILNOPRSTXYZabcefhilmnorsty0123456789+-'"

Points = list[tuple[float, float]]
"""Pixels from the top left corner, by atom index."""


@dataclass(frozen=True)
class Look:
    """How one structure is drawn. Lengths are shares of a bond's length unless they say otherwise."""

    bond: float
    """Pixels of a bond of usual length."""
    line: float
    font: float
    offset: float
    """Between the lines of a multiple bond."""
    label_padding: float
    methyls: bool
    """Carbon atoms at chain ends are labelled."""
    font_file: str
    all_carbons: bool = False
    aromatic: bool = False
    """Dashed or curved inner lines for aromatic rings, in the place of alternating double bonds."""
    coloured: bool = False
    """Elements in the colours of the screen, which a gray picture shows as weaker ink."""


def pick_look(rng: random.Random, difficulty: float, beyond: float, bond: float) -> Look:
    """``beyond`` is 0 up to the difficulty where only plain looks are drawn, 1 at the hardest."""
    plain = Look(
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
        coloured=rng.random() < 0.2 * beyond,
    )


def draw_with_rdkit(molecule: Mol, look: Look) -> tuple[Gray, Points]:
    """The drawing of a molecule with 2-D coordinates, bonds already wedged, and its atoms' places."""
    import cv2
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(-1, -1)
    options = canvas.drawOptions()
    if not look.coloured:
        options.useBWAtomPalette()
    options.scalingFactor = look.bond / 1.5
    options.padding = 0.0
    options.bondLineWidth = max(1.0, look.bond * look.line)
    options.scaleBondWidth = False
    options.baseFontSize = look.font * 1.5
    options.minFontSize, options.maxFontSize = 6, -1
    options.multipleBondOffset = look.offset
    options.additionalAtomLabelPadding = look.label_padding
    options.explicitMethyl = look.methyls
    options.fontFile = look.font_file
    options.prepareMolsBeforeDrawing = False
    drawn = rdMolDraw2D.PrepareMolForDrawing(
        molecule, kekulize=not look.aromatic, addChiralHs=False, wedgeBonds=False
    )
    for atom in drawn.GetAtoms():
        if atom.HasProp(LABEL):
            atom.SetProp("_displayLabel", subscripted(atom.GetProp(LABEL)))
            atom.SetProp("_displayLabelW", subscripted(atom.GetProp(LABEL_WEST)))
            atom.SetIsotope(0)
        elif look.all_carbons and atom.GetSymbol() == "C" and not atom.GetIsotope():
            _spell_out(atom)
    canvas.DrawMolecule(drawn)
    canvas.FinishDrawing()
    packed = np.frombuffer(canvas.GetDrawingText(), np.uint8)
    gray = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    spots = [canvas.GetDrawCoords(index) for index in range(molecule.GetNumAtoms())]
    return gray, [(spot.x, spot.y) for spot in spots]


def _spell_out(atom: Atom) -> None:
    """Write a carbon atom with its hydrogens, for RDKit labels only chain ends of its own accord."""
    if atom.GetFormalCharge():
        return
    n_hydrogens = atom.GetTotalNumHs()
    count = f"<sub>{n_hydrogens}</sub>" if n_hydrogens > 1 else ""
    hydrogens = f"H{count}" if n_hydrogens else ""
    atom.SetProp("_displayLabel", f"C{hydrogens}")
    atom.SetProp("_displayLabelW", f"{hydrogens}C")


@lru_cache(maxsize=1)
def _own_fonts() -> tuple[str, ...]:
    """RDKit's own, the built-in one as an empty name."""
    from rdkit import RDConfig

    files = sorted((Path(RDConfig.RDDataDir) / "Fonts").glob("*.ttf"))
    # The script Amadeus has a 2 that nobody can tell from an a.
    return ("", *(str(path) for path in files if path.stem != "Amadeus"))


def _pick_font(rng: random.Random, beyond: float) -> str:
    """One of RDKit's fonts, or past the plain looks one of the machine's that has all the letters.

    Faces of the held-out split are for text and tables alone, where the letters are what is read.
    """
    trained_on = [name for name in fonts.system_faces() if not fonts.is_held_out(name)]
    if rng.random() < 0.5 * beyond and trained_on:
        name = rng.choice(trained_on)
        if fonts.covers(name, _CHARACTERS):
            return name
    return rng.choice(_own_fonts())
