"""A molecule drawn again, held against a structure drawing by its graph, whatever the layout.

RDKit draws the record's molecule; of that drawing and of the crop only what any layout shares is compared:
rings, bonds, double strokes, the ends and meetings of bonds, labels and their letters.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from docai.pipelines.readback.base import Features, Gray, NotComparable
from docai.pipelines.readback.structure import Structure, observe_structure
from docai.records import MoleculeContent

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

MOST_ATOMS = 300
_SHORT = "_displayLabel"
"""RDKit's property of an atom that stands for an abbreviated group."""
_GROUPS = """\
Ph *c1ccccc1
Bn *Cc1ccccc1
Bz *C(=O)c1ccccc1
Cbz *C(=O)OCc1ccccc1
Ts *S(=O)(=O)c1ccc(C)cc1
Ms *S(=O)(=O)C
nPr *CCC
Cy *C1CCCCC1
TBS *[Si](C)(C)C(C)(C)C
TIPS *[Si](C(C)C)(C(C)C)C(C)C"""
"""Groups that drawings shorten and RDKit's own list lacks."""
_FAR = 3
"""Difference of two counts beyond which it does not matter how far they are apart."""


@dataclass(frozen=True)
class Expected:
    """What a plain drawing of a molecule shows."""

    n_atoms: int
    n_bonds: int
    n_double: int
    """Double and triple bonds, aromatic rings drawn with alternating ones."""
    degrees: tuple[int, int, int, int]
    n_free_ends: int
    """Carbon atoms of one bond."""
    n_labels: int
    """Atoms drawn as letters: all but carbon in a chain or ring."""
    n_letters: int
    """Letters, digits and charges of these."""
    n_pieces: int
    ring_areas: tuple[float, ...]
    """Of the rings as regular polygons, in squared bond lengths, largest first."""


def observe_molecule(gray: Gray) -> Structure:
    """See :func:`docai.pipelines.readback.structure.observe_structure`."""
    return observe_structure(gray)


def expected_drawings(content: MoleculeContent) -> tuple[Expected, ...]:
    """What RDKit would draw for the record: each atom, and with its usual groups as labels.

    Raises:
        NotComparable: the record holds no valid molecule, or one too large to be in one crop.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdAbbreviations

    if not content.smiles:
        raise NotComparable("the record holds no valid molecule")
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(content.smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            raise NotComparable("the record holds no valid molecule")
        if mol.GetNumBonds() == 0:
            raise NotComparable("the molecule has no bond that a drawing would show")
        if mol.GetNumAtoms() > MOST_ATOMS:
            raise NotComparable(f"the molecule has more than {MOST_ATOMS} atoms")
        mol = Chem.RemoveHs(mol)
        groups = [*rdAbbreviations.GetDefaultAbbreviations(), *rdAbbreviations.ParseAbbreviations(_GROUPS)]
        whole = rdAbbreviations.CondenseMolAbbreviations(mol, groups, maxCoverage=0.95)
        names = sorted({atom.GetProp(_SHORT) for atom in whole.GetAtoms() if atom.HasProp(_SHORT)})
        drawings = [_expected(mol)]
        for chosen in _choices(names):
            own = [group for group in groups if group.label in chosen]
            drawings.append(_expected(rdAbbreviations.CondenseMolAbbreviations(mol, own, maxCoverage=0.95)))
    return tuple(drawings)


def _choices(names: list[str]) -> list[tuple[str, ...]]:
    """Which labels a drawing may use: any of few, else each alone or all."""
    if len(names) <= 3:
        return [some for n in range(1, len(names) + 1) for some in combinations(names, n)]
    return [*((name,) for name in names[:12]), tuple(names)]


def _expected(mol: Mol) -> Expected:
    from rdkit import Chem

    drawn = Chem.Mol(mol)
    Chem.Kekulize(drawn)
    degrees = [atom.GetDegree() for atom in mol.GetAtoms()]
    texts = [_label(atom) for atom in mol.GetAtoms()]
    Chem.FastFindRings(drawn)
    rings = drawn.GetRingInfo().AtomRings()
    return Expected(
        n_atoms=mol.GetNumAtoms(),
        n_bonds=mol.GetNumBonds(),
        n_double=sum(bond.GetBondTypeAsDouble() >= 2 for bond in drawn.GetBonds()),
        degrees=(degrees.count(1), degrees.count(2), degrees.count(3), sum(d > 3 for d in degrees)),
        n_free_ends=sum(d == 1 and not text for d, text in zip(degrees, texts, strict=True)),
        n_labels=sum(bool(text) for text in texts),
        n_letters=sum(len(text) for text in texts),
        n_pieces=len(Chem.GetMolFrags(mol)),
        ring_areas=tuple(sorted((_polygon(len(ring)) for ring in rings if len(ring) < 9), reverse=True)),
    )


def _nearest(seen: Structure, drawings: tuple[Expected, ...]) -> Expected:
    """The drawing whose counts are nearest to what is seen; the plain one where two are as near."""

    def apart(drawn: Expected) -> int:
        own = (drawn.n_atoms, drawn.n_bonds, drawn.n_labels, *drawn.degrees)
        return sum(
            abs(a - b)
            for a, b in zip((seen.n_places, seen.n_bonds, seen.n_labels, *seen.degrees), own, strict=True)
        )

    return min(drawings, key=apart)


def _polygon(n: int) -> float:
    """Area of a regular polygon of ``n`` sides of length 1."""
    return n / (4 * math.tan(math.pi / n))


def _label(atom: Atom) -> str:
    """The letters at an atom; none at carbon with bonds."""
    if atom.HasProp(_SHORT):
        return re.sub(r"<[^>]*>", "", str(atom.GetProp(_SHORT)))
    charge, hydrogens = atom.GetFormalCharge(), atom.GetTotalNumHs()
    if atom.GetSymbol() == "C" and atom.GetDegree() > 0 and not charge and not atom.GetIsotope():
        return ""
    text = "R" if atom.GetAtomicNum() == 0 else str(atom.GetSymbol())
    if hydrogens:
        text += "H" if hydrogens == 1 else f"H{hydrogens}"
    if charge:
        text += "+" if abs(charge) == 1 else "2+"
    return text + (str(atom.GetIsotope()) if atom.GetIsotope() else "")


def molecule_features(seen: Structure, content: MoleculeContent) -> Features:
    """Features of a molecule against strokes.

    Each count is compared as the log of a ratio, ``_more`` where the picture shows more of it and ``_less``
    where it shows less: abbreviations and written-out hydrogens make the two differ. ``rings`` is by areas
    enclosed, ``cycles`` by the graph (bonds - atoms + parts), ``ring_sizes`` the mean log ratio of the
    areas of the rings in order of size. ``odd``, ``spread``, ``solid`` and ``label_ink`` are of the
    picture alone (see :class:`docai.pipelines.readback.structure.Structure`): what is no structure drawing
    stands out there. ``*_difference``: by how much counts differ, up to three; ``agreeing``: share of these
    counts that are equal.

    Raises:
        NotComparable: see :func:`expected_drawings`.
    """
    drawn = _nearest(seen, expected_drawings(content))
    cycles = max(0, seen.n_bonds - seen.n_places + seen.n_pieces)
    own_cycles = drawn.n_bonds - drawn.n_atoms + drawn.n_pieces
    doubled = seen.n_doubled + 3 * seen.n_circles
    features: dict[str, float] = {}
    for name, a, b in (
        ("atoms", seen.n_places, drawn.n_atoms),
        ("bonds", seen.n_bonds, drawn.n_bonds),
        ("length", seen.length, drawn.n_bonds + 0.8 * drawn.n_double - 0.25 * drawn.n_labels),
        ("rings", len(seen.holes), len(drawn.ring_areas)),
        ("cycles", cycles, own_cycles),
        ("doubles", doubled, drawn.n_double),
        ("free_ends", seen.n_free_ends, drawn.n_free_ends),
        ("labels", seen.n_labels, drawn.n_labels),
        ("letters", seen.n_letters, drawn.n_letters),
        ("chains", seen.degrees[1], drawn.degrees[1]),
        ("branches", seen.degrees[2] + seen.degrees[3], drawn.degrees[2] + drawn.degrees[3]),
    ):
        ratio = math.log((max(a, 0) + 1) / (max(b, 0) + 1))
        features[f"{name}_more"], features[f"{name}_less"] = _bent(ratio), _bent(-ratio)
    heavier = math.log((seen.n_places + seen.n_letters + 1) / (drawn.n_atoms + drawn.n_letters + 1))
    off = [abs(math.log(a / b)) for a, b in zip(seen.holes, drawn.ring_areas, strict=False)]
    features |= {
        "symbols": _bent(abs(heavier)),
        "ring_sizes": min(sum(off) / len(off), 1.0) if off else 0.0,
        "ring_size_off": min(max(off, default=0.0), 1.0),
        **_differences(seen, drawn, cycles, own_cycles),
        "odd": seen.odd,
        "spread": min(seen.spread, 1.0),
        "solid": seen.solid,
        "label_ink": seen.label_ink,
    }
    return features


def _differences(seen: Structure, drawn: Expected, cycles: int, own_cycles: int) -> dict[str, float]:
    """How far counts are apart, up to :data:`_FAR`, and the share of them that agree."""
    pairs = {
        "atom": (seen.n_places, drawn.n_atoms),
        "bond": (seen.n_bonds, drawn.n_bonds),
        "double": (seen.n_doubled + 3 * seen.n_circles, drawn.n_double),
        "cycle": (cycles, own_cycles),
        "ring": (len(seen.holes), len(drawn.ring_areas)),
        "end": (seen.degrees[0], drawn.degrees[0]),
        "chain": (seen.degrees[1], drawn.degrees[1]),
        "branch": (sum(seen.degrees[2:]), sum(drawn.degrees[2:])),
        "free_end": (seen.n_free_ends, drawn.n_free_ends),
        "label": (seen.n_labels, drawn.n_labels),
        "letter": (seen.n_letters, drawn.n_letters),
    }
    apart = {f"{name}_difference": float(min(abs(a - b), _FAR)) for name, (a, b) in pairs.items()}
    return apart | {"agreeing": sum(not value for value in apart.values()) / len(apart)}


def _bent(ratio: float) -> float:
    """Nothing below 0; above, steep at first: one atom of twenty must show."""
    return math.sqrt(min(ratio, 2.0)) if ratio > 1e-9 else 0.0
