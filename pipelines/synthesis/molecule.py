"""Structure drawings by RDKit for the `molecule` head.

Molecules come from the list in RDKit's own wheel and from pairs of them joined by a bond. The target is
the canonical isomeric SMILES of what was drawn: a double bond whose geometry the source left open has
one once it is on paper.
"""

from __future__ import annotations

import math
import random
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docai.pipelines.synthesis.base import (
    SIZE,
    Generator,
    Gray,
    Mark,
    Plan,
    Sample,
    lerp,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import degrade

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_HEAVY_ATOMS = 25
MAX_BOND_PIXELS = 150.0
ELEMENTS = frozenset(("C", "N", "O", "S", "P", "F", "Cl", "Br", "I", "B", "Si", "Se", "Na", "K", "Li"))
_ATOM = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops]")
"""One atom in RDKit's SMILES."""
_BOND_LENGTH = 1.5
"""Of RDKit's 2-D coordinates, in its units."""


def compose(rng: random.Random, difficulty: float) -> Plan[str]:
    """Content is a canonical SMILES; the key is that of the molecule without its stereo."""
    while True:
        size = lerp(rng, (2, 8), (5, MAX_HEAVY_ATOMS), difficulty)
        join = size >= 6 and rng.random() < 0.6
        smiles = _joined(rng, size) if join else rng.choice(_pool()[size])
        if smiles is not None and ("." not in smiles or rng.random() < 0.5 * difficulty):
            return Plan(_without_stereo(smiles), smiles)


def draw(plan: Plan[str], rng: random.Random, difficulty: float) -> Sample:
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(plan.content)
    _lay_out(molecule, rng)
    gray, points = _render(molecule, rng, difficulty)
    left, top = (round(v) for v in place(gray.shape[1], gray.shape[0], rng, difficulty))
    square = np.full((SIZE, SIZE), 255, np.uint8)
    square[top : top + gray.shape[0], left : left + gray.shape[1]] = gray
    image = to_rgb(degrade(square, rng, difficulty))
    Chem.DetectBondStereochemistry(molecule)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    smiles = Chem.MolToSmiles(molecule)
    written = molecule.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]
    spans = dict(zip(written, (match.span() for match in _ATOM.finditer(smiles)), strict=True))
    marks = tuple(
        Mark(left + x, top + y, _label(atom), spans[atom.GetIdx()])
        for atom, (x, y) in zip(molecule.GetAtoms(), points, strict=True)
    )
    return Sample("molecule", image, smiles, marks, plan.key)


@lru_cache(maxsize=1)
def _pool() -> tuple[tuple[str, ...], ...]:
    """Canonical SMILES of RDKit's list by number of heavy atoms, 0…MAX_HEAVY_ATOMS."""
    from rdkit import Chem, RDConfig, rdBase

    by_size: list[set[str]] = [set() for _ in range(MAX_HEAVY_ATOMS + 1)]
    source = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"
    # The list holds molecules that do not sanitise; RDKit would report each on standard error.
    with rdBase.BlockLogs():
        for line in source.read_text().splitlines():
            molecule = Chem.MolFromSmiles(line.split()[0])
            if molecule is not None and _fit(molecule):
                by_size[molecule.GetNumHeavyAtoms()].add(Chem.MolToSmiles(molecule))
    return tuple(tuple(sorted(group)) for group in by_size)


def _fit(molecule: Mol) -> bool:
    from rdkit import Chem

    atoms = list(molecule.GetAtoms())
    return (
        2 <= molecule.GetNumHeavyAtoms() <= MAX_HEAVY_ATOMS
        and len(Chem.GetMolFrags(molecule)) <= 2
        and all(
            atom.GetSymbol() in ELEMENTS and not atom.GetNumRadicalElectrons() and not atom.GetIsotope()
            for atom in atoms
        )
    )


def _joined(rng: random.Random, size: int) -> str | None:
    """Two molecules of the list with a bond between them, ``size`` heavy atoms; None where it fails."""
    from rdkit import Chem

    first = rng.randint(2, size - 2)
    parts = [Chem.MolFromSmiles(rng.choice(_pool()[n])) for n in (first, size - first)]
    if any(len(Chem.GetMolFrags(part)) > 1 for part in parts):
        return None
    ends = []
    for part, offset in zip(parts, (0, first), strict=True):
        open_atoms = [
            atom.GetIdx() + offset
            for atom in part.GetAtoms()
            if atom.GetNumImplicitHs() and atom.GetSymbol() in ("C", "N", "O")
        ]
        if not open_atoms:
            return None
        ends.append(rng.choice(open_atoms))
    both = Chem.RWMol(Chem.CombineMols(*parts))
    if both.GetAtomWithIdx(ends[0]).GetSymbol() != "C" and both.GetAtomWithIdx(ends[1]).GetSymbol() != "C":
        return None
    both.AddBond(ends[0], ends[1], Chem.BondType.SINGLE)
    return None if Chem.SanitizeMol(both, catchErrors=True) else str(Chem.MolToSmiles(both))


def _without_stereo(smiles: str) -> str:
    from rdkit import Chem

    return str(Chem.CanonSmiles(smiles, useChiral=0))


def _lay_out(molecule: Mol, rng: random.Random) -> None:
    """2-D coordinates, turned and sometimes mirrored; stereo is read from them afterwards."""
    from rdkit.Chem import rdDepictor
    from rdkit.Geometry import Point3D

    rdDepictor.SetPreferCoordGen(False)
    rdDepictor.Compute2DCoords(molecule, canonOrient=rng.random() < 0.5)
    angle = rng.choice((0.0, 0.0, math.pi / 6, math.pi / 2, rng.uniform(0, 2 * math.pi)))
    flip = rng.choice((1, -1))
    cosine, sine = math.cos(angle), math.sin(angle)
    conformer = molecule.GetConformer()
    for index, (x, y, _) in enumerate(conformer.GetPositions()):
        turned = Point3D(flip * (x * cosine - y * sine), x * sine + y * cosine, 0.0)
        conformer.SetAtomPosition(index, turned)


def _render(molecule: Mol, rng: random.Random, difficulty: float) -> tuple[Gray, list[tuple[float, float]]]:
    """The drawing, cut close, with its atoms' positions in it; its longer side fits the square's room."""
    import cv2
    from rdkit.Chem.Draw import rdMolDraw2D

    positions = molecule.GetConformer().GetPositions()
    extent = float(np.ptp(positions[:, :2], axis=0).max()) + 1.6
    free = room(rng, difficulty)
    scale = min(free / extent, rng.uniform(0.6, 1.0) * MAX_BOND_PIXELS / _BOND_LENGTH)
    # Large drawings are made smaller and enlarged: cheaper, and screenshots look like that.
    detail = rng.uniform(0.6, 1.0) if scale > 40 else 1.0

    canvas = rdMolDraw2D.MolDraw2DCairo(-1, -1)
    options = canvas.drawOptions()
    options.useBWAtomPalette()
    options.scalingFactor = scale * detail
    options.padding = 0.0
    options.bondLineWidth = max(1.0, scale * detail * rng.uniform(0.025, 0.045 + 0.045 * difficulty))
    options.scaleBondWidth = False
    options.baseFontSize = rng.uniform(0.5, 0.55 + 0.25 * difficulty)
    options.minFontSize, options.maxFontSize = 6, -1
    options.multipleBondOffset = rng.uniform(0.11, 0.2)
    options.additionalAtomLabelPadding = rng.uniform(0.0, 0.1)
    options.explicitMethyl = rng.random() < 0.15 * difficulty
    options.fontFile = rng.choice(_font_files())
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    packed = np.frombuffer(canvas.GetDrawingText(), np.uint8)
    gray = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    spots = [canvas.GetDrawCoords(index) for index in range(molecule.GetNumAtoms())]
    return _cut(gray, [(spot.x, spot.y) for spot in spots], 1 / detail, free)


def _cut(
    gray: Gray, points: list[tuple[float, float]], zoom: float, free: float
) -> tuple[Gray, list[tuple[float, float]]]:
    """Cut to the ink and enlarge, by less than ``zoom`` where the longer side would exceed ``free``."""
    import cv2

    ys, xs = np.nonzero(gray < 200)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    cut = gray[y0:y1, x0:x1]
    zoom = min(zoom, free / max(cut.shape))
    width, height = max(1, int(cut.shape[1] * zoom)), max(1, int(cut.shape[0] * zoom))
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    large = cv2.resize(cut, (width, height), interpolation=way)
    return large, [((x - x0) * zoom, (y - y0) * zoom) for x, y in points]


def _label(atom: object) -> str:
    """Element with its charge, such as ``N+`` or ``O-2``."""
    charge = atom.GetFormalCharge()  # type: ignore[attr-defined]
    sign = "" if not charge else "+" if charge > 0 else "-"
    return f"{atom.GetSymbol()}{sign}{abs(charge) if abs(charge) > 1 else ''}"  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _font_files() -> tuple[str, ...]:
    from rdkit import RDConfig

    return ("", *(str(path) for path in sorted((Path(RDConfig.RDDataDir) / "Fonts").glob("*.ttf"))))


generate: Generator[str] = Generator("molecule", compose, draw)
