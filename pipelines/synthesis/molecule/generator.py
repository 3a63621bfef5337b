"""Structure drawings for the `molecule` head, by RDKit and, where it is installed, Indigo.

Up to difficulty ``noise.MILD`` molecules are from the first list in RDKit's own wheel, or pairs of them
joined by a bond, drawn plainly by RDKit. Above it come molecules of more lists and new ones assembled from
their rings, linkers and groups, up to 40 heavy atoms, with R-groups, charges, isotopes, salts and stereo,
abbreviated groups, more styles, and Indigo.

The target is the canonical isomeric SMILES of the drawing, with abbreviations expanded. A double bond whose
geometry is undefined in the source gets the one that is drawn. Each atom has a mark; the marks of all atoms
of an abbreviation are at its label, with the label's text.
"""

from __future__ import annotations

import math
import random
import re
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.synthesis.base import (
    SIZE,
    Generator,
    Gray,
    Mark,
    Plan,
    Sample,
    Split,
    UndrawableError,
    lerp,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.molecule.abbreviations import (
    LABEL,
    MEMBERS,
    SOURCE,
    condense,
    label_open_positions,
)
from docai.pipelines.synthesis.molecule.details import add_details
from docai.pipelines.synthesis.molecule.parts import MAX_HEAVY_ATOMS, from_list, joined, recombined
from docai.pipelines.synthesis.molecule.rendering import (
    Points,
    draw_with_indigo,
    draw_with_rdkit,
    has_indigo,
    pick_style,
)
from docai.pipelines.synthesis.noise import degrade, distort, follow, harsh

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

MAX_BOND_PIXELS = 150.0
SMILES_ATOM = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops*]")
"""One atom in RDKit's SMILES."""
_BOND_LENGTH = 1.5
"""Of RDKit's 2-D coordinates, in Å."""
_MIN_ATOM_DISTANCE = 0.25
"""Least distance of two atoms, in bond lengths."""


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[str]:
    """The content is a canonical SMILES, the key that of the molecule without stereo.

    It can be of either split, since only the whole molecule determines the split.
    """
    beyond = harsh(difficulty)
    while True:
        smiles = _compose_skeleton(rng, difficulty)
        if smiles is not None and beyond > 0:
            smiles = add_details(smiles, rng, beyond)
        if smiles is not None and ("." not in smiles or rng.random() < 0.5 * difficulty):
            return Plan(_without_stereo(smiles), smiles)


def _compose_skeleton(rng: random.Random, difficulty: float) -> str | None:
    """A molecule of a size that depends on the difficulty; None where assembling it failed."""
    beyond = harsh(difficulty)
    if beyond == 0:
        size = lerp(rng, (2, 8), (5, 25), difficulty)
    else:
        size = lerp(rng, (3, 14), (6, MAX_HEAVY_ATOMS), beyond)
        if rng.random() < 0.6 * beyond:
            return recombined(rng, size)
    wide = rng.random() < beyond
    if size >= 6 and rng.random() < 0.6:
        return joined(rng, size, wide)
    return from_list(rng, size, wide)


def draw(plan: Plan[str], rng: random.Random, difficulty: float) -> Sample:
    """Picture, target and marks. Raises :class:`UndrawableError` where the SMILES is not canonical."""
    from rdkit import Chem

    beyond = harsh(difficulty)
    molecule = Chem.MolFromSmiles(plan.content)
    shown = _arrange(molecule, rng, beyond)
    gray, points, bond = _render(shown, rng, difficulty)
    left, top = (round(v) for v in place(gray.shape[1], gray.shape[0], rng, difficulty))
    square = np.full((SIZE, SIZE), 255, np.uint8)
    square[top : top + gray.shape[0], left : left + gray.shape[1]] = gray
    spots = np.array(points) + np.array((left, top))
    if rng.random() < 0.4 * beyond:
        square, matrix = distort(square, rng, beyond)
        spots = follow(matrix, spots)
    image = to_rgb(degrade(square, rng, difficulty, detail=bond / 6))
    smiles, spans = _canonical_smiles(molecule)
    marks = []
    for atom, (x, y) in zip(shown.GetAtoms(), spots.tolist(), strict=True):
        marks += [Mark(x, y, atom_mark(atom), spans[member]) for member in atom_members(atom)]
    return Sample("molecule", image, smiles, tuple(marks), plan.key)


def lay_out(
    plan: Plan[str], rng: random.Random, difficulty: float
) -> tuple[Mol, str, dict[int, tuple[int, int]]]:
    """The molecule that :func:`draw` draws, with 2-D coordinates and wedges, but without a picture.

    Returns:
        The molecule, its SMILES, and for each atom of :func:`atom_members` its place in the SMILES.

    Raises:
        UndrawableError: see :func:`draw`.
    """
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(plan.content)
    shown = _arrange(molecule, rng, harsh(difficulty))
    return shown, *_canonical_smiles(molecule)


def atom_members(atom: Atom) -> list[int]:
    """The atoms of the whole molecule that a drawn atom stands for."""
    if atom.HasProp(MEMBERS):
        return [int(member) for member in atom.GetProp(MEMBERS).split()]
    return [atom.GetIntProp(SOURCE)] if atom.HasProp(SOURCE) else []


def _without_stereo(smiles: str) -> str:
    from rdkit import Chem

    return str(Chem.CanonSmiles(smiles, useChiral=0))


def _canonical_smiles(molecule: Mol) -> tuple[str, dict[int, tuple[int, int]]]:
    """The canonical SMILES, which does not change when it is read again, and the place of each atom in it."""
    from rdkit import Chem

    first = Chem.MolToSmiles(molecule)
    again = Chem.MolFromSmiles(first)
    smiles = Chem.MolToSmiles(again)
    if smiles != first and Chem.CanonSmiles(smiles) != smiles:
        raise UndrawableError(f"{first} and {smiles} are not canonical")
    order = [_output_order(molecule)[index] for index in _output_order(again)]
    return smiles, dict(zip(order, (match.span() for match in SMILES_ATOM.finditer(smiles)), strict=True))


def _output_order(molecule: Mol) -> list[int]:
    properties = molecule.GetPropsAsDict(includePrivate=True, includeComputed=True)
    return list(properties["_smilesAtomOutputOrder"])


def _arrange(molecule: Mol, rng: random.Random, beyond: float) -> Mol:
    """The molecule to draw, laid out and with wedges; ``molecule`` gets the stereo that the drawing shows."""
    from rdkit import Chem

    if beyond > 0 and rng.random() < 0.3 + 0.3 * beyond:
        shown = _condensed(molecule, rng, beyond)
        if shown is not None:
            return shown
    shown = Chem.Mol(molecule)
    for atom in shown.GetAtoms():
        atom.SetIntProp(SOURCE, atom.GetIdx())
    shown = _with_hydrogens(shown, rng)
    _lay_out(shown, rng, beyond)
    molecule.RemoveAllConformers()
    flat = Chem.Conformer(molecule.GetNumAtoms())
    for index in range(molecule.GetNumAtoms()):
        flat.SetAtomPosition(index, shown.GetConformer().GetAtomPosition(index))
    molecule.AddConformer(flat)
    _read_geometry(molecule)
    _read_geometry(shown)
    _finish(shown, rng)
    return shown


def _condensed(molecule: Mol, rng: random.Random, beyond: float) -> Mol | None:
    """The molecule with groups as labels; None without groups, or if a double bond changed its geometry."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    whole = Chem.Mol(molecule)
    rdDepictor.Compute2DCoords(whole)
    _read_geometry(whole)
    shown = condense(whole, rng, rng.uniform(0.4, 1.0))
    if shown is None or shown.GetNumBonds() == 0:
        return None
    shown.RemoveAllConformers()
    shown = _with_hydrogens(shown, rng)
    before = Chem.MolToSmiles(shown)
    _lay_out(shown, rng, beyond)
    _read_geometry(shown)
    if Chem.MolToSmiles(shown) != before:
        return None
    molecule.RemoveAllConformers()
    molecule.AddConformer(whole.GetConformer())
    _read_geometry(molecule)
    _finish(shown, rng)
    return shown


def _with_hydrogens(shown: Mol, rng: random.Random) -> Mol:
    """Draw hydrogens at stereo centers: sometimes at all, often where all other bonds are in rings."""
    from rdkit import Chem

    centers = [atom for atom in shown.GetAtoms() if atom.GetChiralTag() and atom.GetTotalNumHs()]
    if not centers:
        return shown
    everywhere, at_fusions = rng.random() < 0.15, rng.random() < 0.6
    chosen = [
        atom.GetIdx()
        for atom in centers
        if everywhere or (at_fusions and all(bond.IsInRing() for bond in atom.GetBonds()))
    ]
    return Chem.AddHs(shown, onlyOnAtoms=chosen) if chosen else shown


def _read_geometry(molecule: Mol) -> None:
    """Set the stereo of double bonds as they are drawn."""
    from rdkit import Chem

    Chem.DetectBondStereochemistry(molecule)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)


def _finish(shown: Mol, rng: random.Random) -> None:
    from rdkit import Chem

    label_open_positions(shown, rng)
    Chem.WedgeMolBonds(shown, shown.GetConformer())


def _lay_out(molecule: Mol, rng: random.Random, beyond: float) -> None:
    """Set 2-D coordinates, rotated and sometimes mirrored; stereo is read from them afterwards."""
    from rdkit.Chem import rdCoordGen, rdDepictor
    from rdkit.Geometry import Point3D

    rdDepictor.SetPreferCoordGen(False)
    canonical = rng.random() < 0.5
    if beyond > 0 and rng.random() < 0.2:
        rdCoordGen.AddCoords(molecule)
    else:
        templates = beyond > 0 and rng.random() < 0.3
        rdDepictor.Compute2DCoords(molecule, canonOrient=canonical, useRingTemplates=templates)
    if _is_crowded(molecule):
        rdCoordGen.AddCoords(molecule)
        if _is_crowded(molecule):
            raise UndrawableError("atoms overlap")
    angle = rng.choice((0.0, 0.0, math.pi / 6, math.pi / 2, rng.uniform(0, 2 * math.pi)))
    flip = rng.choice((1, -1))
    cosine, sine = math.cos(angle), math.sin(angle)
    conformer = molecule.GetConformer()
    for index, (x, y, _) in enumerate(conformer.GetPositions()):
        turned = Point3D(flip * (x * cosine - y * sine), x * sine + y * cosine, 0.0)
        conformer.SetAtomPosition(index, turned)


def _is_crowded(molecule: Mol) -> bool:
    """Whether two atoms are too close to each other to be distinguished."""
    places = molecule.GetConformer().GetPositions()[:, :2]
    squared_distances = np.square(places[:, None] - places[None, :]).sum(axis=2)
    np.fill_diagonal(squared_distances, np.inf)
    return bool(squared_distances.min() < (_MIN_ATOM_DISTANCE * _BOND_LENGTH) ** 2)


def _render(molecule: Mol, rng: random.Random, difficulty: float) -> tuple[Gray, Points, float]:
    """The drawing, cut to its ink, with the places of its atoms and the length of its bonds, pixels.

    Its longer side fits into the square.
    """
    beyond = harsh(difficulty)
    positions = molecule.GetConformer().GetPositions()
    extent = float(np.ptp(positions[:, :2], axis=0).max()) + 1.6
    free = room(rng, difficulty)
    bond = min(free / extent * _BOND_LENGTH, rng.uniform(0.6, 1.0) * MAX_BOND_PIXELS)
    # Large drawings are drawn smaller and enlarged: that is faster, and looks like a screenshot.
    detail = rng.uniform(0.6, 1.0) if bond > 60 else 1.0
    style = pick_style(rng, difficulty, beyond, bond * detail)
    if beyond > 0 and rng.random() < 0.2 + 0.25 * beyond and has_indigo() and molecule.GetNumBonds():
        try:
            gray, points = draw_with_indigo(molecule, style, rng)
        except UndrawableError:
            gray, points = draw_with_rdkit(molecule, style)
    else:
        gray, points = draw_with_rdkit(molecule, style)
    gray, points, zoom = _cut(gray, points, 1 / detail, free)
    return gray, points, bond * detail * zoom


def _cut(gray: Gray, points: Points, zoom: float, free: float) -> tuple[Gray, Points, float]:
    """Cut to the ink and scale by ``zoom``, or by less where the longer side would exceed ``free``."""
    import cv2

    ys, xs = np.nonzero(gray < 200)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    cut = gray[y0:y1, x0:x1]
    zoom = min(zoom, free / max(cut.shape))
    width, height = max(1, int(cut.shape[1] * zoom)), max(1, int(cut.shape[0] * zoom))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(cut, (width, height), interpolation=method), np.uint8)
    return scaled, [((x - x0) * zoom, (y - y0) * zoom) for x, y in points], zoom


def atom_mark(atom: Atom) -> str:
    """The text of a label, or the element with its charge, such as ``N+`` or ``O-2``."""
    if atom.HasProp(LABEL):
        return str(atom.GetProp(LABEL))
    charge = atom.GetFormalCharge()
    sign = "" if not charge else "+" if charge > 0 else "-"
    return f"{atom.GetSymbol()}{sign}{abs(charge) if abs(charge) > 1 else ''}"


generate: Generator[str] = Generator("molecule", compose, draw)
