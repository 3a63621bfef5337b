"""Structures as RDKit and Indigo draw them, as vectors, in styles that vary more than those of the pictures.

RDKit's letters are outlines or text, Indigo's glyphs of an embedded font or, by way of its SVG, outlines.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from docai.parsers.molecule_labels import ELEMENTS
from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.molecule import generator
from docai.pipelines.synthesis.molecule.abbreviations import LABEL, LABEL_WEST, subscripted
from docai.pipelines.synthesis.molecule.rendering import (
    _indigo_tools,
    _label_carbon,
    _pick_font,
)
from docai.pipelines.synthesis.vector.svg_pdf import svg_to_pdf

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Program = Literal["rdkit", "indigo"]

TEXT_FONTS: Final = ("helv", "helv", "heit", "hebo", "tiro", "tibo", "cour", "cobo")
"""Names of fonts that PyMuPDF has, for text of SVG."""
MARGIN: Final = 6.0
"""Points around RDKit's picture: it takes text for narrower than it is."""
_CAPTIONS: Final = ("1", "2a", "3", "12", "(4)", "Figure 2", "Compound 7", "yield 83%")


@dataclass(frozen=True)
class DrawnMolecule:
    """One structure as a PDF of one page."""

    data: bytes
    smiles: str
    """Canonical isomeric SMILES of what is drawn, abbreviations expanded."""
    program: Program
    options: dict[str, object]
    """How it was drawn."""
    places: tuple[tuple[float, float], ...] = ()
    """Points of the page where the drawn atoms stand; empty for Indigo."""


def draw_molecule(program: Program, seed: int | str, difficulty: float | None = None) -> DrawnMolecule:
    """A structure of up to 40 heavy atoms in a random style.

    Args:
        program: that draws it.
        seed: of content and style.
        difficulty: 0…1 of the content, as in training; None: any.
    """
    rng = random.Random(f"vector/{program}/{seed}")
    while True:
        level = rng.random() if difficulty is None else difficulty
        try:
            plan = generator.compose(rng, level)
            shown, smiles, _ = generator.lay_out(plan, rng, level)
            if not shown.GetNumBonds():
                continue
            draw: Callable[..., DrawnMolecule] = draw_with_rdkit if program == "rdkit" else draw_with_indigo
            return draw(shown, smiles, rng, level)
        except UndrawableError:
            continue


def rdkit_pdf(smiles: str, seed: int | str = 0, difficulty: float = 0.5, **options: object) -> DrawnMolecule:
    """One structure drawn by RDKit in a random style; ``options`` are set after it, by RDKit's names."""
    return draw_with_rdkit(_laid_out(smiles), _canonical(smiles), random.Random(seed), difficulty, **options)


def indigo_pdf(smiles: str, seed: int | str = 0, difficulty: float = 0.5, **options: object) -> DrawnMolecule:
    """One structure drawn by Indigo in a random style.

    Args:
        smiles: the structure.
        seed: of the style.
        difficulty: of the style.
        options: set after the style, by Indigo's names with ``_`` for ``-``.
    """
    return draw_with_indigo(_laid_out(smiles), _canonical(smiles), random.Random(seed), difficulty, **options)


def _canonical(smiles: str) -> str:
    from rdkit import Chem

    return str(Chem.CanonSmiles(smiles))


def _laid_out(smiles: str) -> Mol:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    molecule = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(molecule)
    Chem.WedgeMolBonds(molecule, molecule.GetConformer())
    return molecule


def draw_with_rdkit(
    molecule: Mol, smiles: str, rng: random.Random, difficulty: float, **options: object
) -> DrawnMolecule:
    """A molecule with 2-D coordinates and wedged bonds, drawn by RDKit."""
    from rdkit.Chem.Draw import rdMolDraw2D

    bond = rng.uniform(12.0, 50.0)
    style = _rdkit_style(rng, difficulty, bond) | options
    as_text = bool(style.pop("as_text", False))
    text_font = str(style.pop("text_font", "helv"))
    palette = str(style.pop("palette", ""))
    legend = str(style.pop("legend", ""))
    kekulized = bool(style.pop("kekulize", True))
    all_carbons = bool(style.pop("all_carbons", False))
    highlighted = style.pop("highlighted", ())
    drawn = rdMolDraw2D.PrepareMolForDrawing(
        molecule, kekulize=kekulized, addChiralHs=False, wedgeBonds=False
    )
    for atom in drawn.GetAtoms():
        if atom.HasProp(LABEL):
            atom.SetProp("_displayLabel", subscripted(atom.GetProp(LABEL)))
            atom.SetProp("_displayLabelW", subscripted(atom.GetProp(LABEL_WEST)))
            atom.SetIsotope(0)
        elif all_carbons and atom.GetSymbol() == "C" and not atom.GetIsotope():
            _label_carbon(atom)
    size = (-1, -1)
    if legend:
        places = molecule.GetConformer().GetPositions()[:, :2]
        spread = places.max(axis=0) - places.min(axis=0)
        width, height = (int((side + 4) * bond / 1.5 + 40) for side in spread.tolist())
        size = (width, height)
    canvas = rdMolDraw2D.MolDraw2DSVG(*size, -1, -1, as_text)
    settings = canvas.drawOptions()
    for name, value in style.items():
        setattr(settings, name, value)
    if palette:
        getattr(settings, palette)()
    canvas.DrawMolecule(drawn, legend=legend, highlightAtoms=list(highlighted))  # type: ignore[call-overload]
    canvas.FinishDrawing()
    k = rng.choice((0.75, 1.0, rng.uniform(0.3, 1.5)))
    page = svg_to_pdf(canvas.GetDrawingText(), points_per_pixel=k, text_font=text_font, margin=MARGIN)
    spots = (canvas.GetDrawCoords(index) for index in range(molecule.GetNumAtoms()))
    places = tuple((spot.x * k + MARGIN, spot.y * k + MARGIN) for spot in spots)
    told = style | {"as_text": as_text, "palette": palette, "legend": legend, "kekulize": kekulized}
    return DrawnMolecule(page.data, smiles, "rdkit", told, places)


def _rdkit_style(rng: random.Random, difficulty: float, bond: float) -> dict[str, object]:
    line = rng.uniform(0.02, 0.05 + 0.05 * difficulty)
    style: dict[str, object] = {
        "scalingFactor": bond / 1.5,
        "padding": rng.uniform(0.0, 0.1),
        "bondLineWidth": max(0.4, bond * line),
        "scaleBondWidth": False,
        "baseFontSize": rng.uniform(0.45, 0.55 + 0.3 * difficulty),
        "minFontSize": rng.choice((4, 6)),
        "maxFontSize": -1,
        "multipleBondOffset": rng.uniform(0.1, 0.22),
        "additionalAtomLabelPadding": rng.uniform(0.0, 0.12),
        "explicitMethyl": rng.random() < 0.2,
        "prepareMolsBeforeDrawing": False,
        "clearBackground": rng.random() < 0.5,
        "singleColourWedgeBonds": rng.random() < 0.3,
        "atomLabelDeuteriumTritium": rng.random() < 0.3,
        "as_text": rng.random() < 0.35,
        "text_font": rng.choice(TEXT_FONTS),
        "palette": rng.choice(("", "", "useBWAtomPalette", "useBWAtomPalette", "useCDKAtomPalette")),
        "kekulize": rng.random() >= 0.1 * difficulty,
        "all_carbons": rng.random() < 0.05 * difficulty,
    }
    if not style["as_text"]:
        style["fontFile"] = _pick_font(rng, difficulty)
    if rng.random() < 0.05 * difficulty:
        style["legend"] = rng.choice(_CAPTIONS)
    if rng.random() < 0.03 * difficulty:
        style["highlighted"] = (0, 1)
    return style


def draw_with_indigo(
    molecule: Mol, smiles: str, rng: random.Random, difficulty: float, **options: object
) -> DrawnMolecule:
    """A molecule with 2-D coordinates and wedged bonds, drawn by Indigo.

    Raises:
        UndrawableError: Indigo fails, or would draw something else.
    """
    import indigo
    from rdkit import Chem

    plain = Chem.Mol(molecule)
    for atom in plain.GetAtoms():
        if atom.HasProp(LABEL):
            if atom.GetProp(LABEL) in ELEMENTS:
                raise UndrawableError("Indigo would draw the element, with dots for its electrons")
            atom.SetIsotope(0)
    style = _indigo_style(rng, difficulty)
    style |= {name.replace("_", "-"): value for name, value in options.items()}
    is_aromatic = bool(style.pop("aromatic", False))
    tool, renderer = _indigo_tools()
    tool.resetOptions()
    try:
        for name, value in style.items():
            tool.setOption(name, value)
        drawn = tool.loadMolecule(Chem.MolToMolBlock(plain, kekulize=True))
        if is_aromatic:
            drawn.aromatize()
        for index, atom in enumerate(molecule.GetAtoms()):
            if atom.HasProp(LABEL):
                label = LABEL_WEST if _bond_is_at_right(molecule, index) else LABEL
                drawn.getAtom(index).resetAtom(atom.GetProp(label))
        data = bytes(renderer.renderToBuffer(drawn))
    except indigo.IndigoException as error:
        raise UndrawableError(str(error)) from error
    finally:
        tool.resetOptions()
    if style["render-output-format"] == "svg":
        data = svg_to_pdf(data, points_per_pixel=rng.choice((0.75, 1.0, 0.4))).data
    return DrawnMolecule(data, smiles, "indigo", style | {"aromatic": is_aromatic})


def _bond_is_at_right(molecule: Mol, index: int) -> bool:
    """Whether all bonds of an atom go rather to the right than up or down."""
    places = molecule.GetConformer().GetPositions()
    atom = molecule.GetAtomWithIdx(index)
    offsets = [places[neighbor.GetIdx()] - places[index] for neighbor in atom.GetNeighbors()]
    return bool(offsets) and all(dx > abs(dy) for dx, dy, _ in offsets)


def _indigo_style(rng: random.Random, difficulty: float) -> dict[str, Any]:
    style: dict[str, Any] = {
        "render-output-format": "svg" if rng.random() < 0.35 else "pdf",
        "render-margins": "6, 6",
        "render-valences-visible": False,
        "render-stereo-style": rng.choice(("none", "none", "old")) if rng.random() < difficulty else "none",
        "render-coloring": rng.random() < 0.5,
        "render-bond-length": rng.uniform(14, 60),
        "render-relative-thickness": rng.uniform(0.6, 1.0 + 0.7 * difficulty),
        "render-bond-line-width": rng.uniform(0.8, 1.3),
        "render-label-mode": rng.choice(("terminal-hetero", "hetero", "hetero")),
        "render-implicit-hydrogens-visible": rng.random() >= 0.05 * difficulty,
        "aromatic": rng.random() < 0.25,
    }
    if rng.random() < 0.05 * difficulty:
        style["render-label-mode"] = "all"
    if rng.random() < 0.5:
        style["render-background-color"] = "1, 1, 1"
    if rng.random() < 0.1 * difficulty:
        style["render-bold-bond-detection"] = True
    if rng.random() < 0.2:
        style["render-center-double-bond-when-stereo-adjacent"] = True
    return style


__all__ = ["DrawnMolecule", "Program", "draw_molecule", "indigo_pdf", "rdkit_pdf"]
