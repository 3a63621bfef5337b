"""Details added to a molecule: groups, R-groups, charges, isotopes, salts, stereo."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from docai.pipelines.synthesis.molecule.abbreviations import groups
from docai.pipelines.synthesis.molecule.parts import MAX_HEAVY_ATOMS

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol, RWMol

_ISOTOPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"C": (13, 13, 14, 11), "N": (15,), "O": (18, 17), "F": (18,), "I": (125, 131), "S": (35,), "P": (32,)}
)
_CATIONS = ("[Na+]", "[Na+]", "[K+]", "[Li+]", "[NH4+]")
_ANIONS = ("[Cl-]", "[Cl-]", "[Br-]", "[I-]", "O=C([O-])C(F)(F)F", "CS(=O)(=O)[O-]", "O=[N+]([O-])[O-]")
_NEUTRAL = ("Cl", "Cl", "Br", "O", "O=C(O)C(F)(F)F", "O=S(=O)(O)O", "CC(=O)O", "CS(=O)(=O)O")
_STEREO_ELEMENTS = frozenset(("C", "S", "P"))


def add_details(smiles: str, rng: random.Random, amount: float) -> str | None:
    """Add some of the details to a molecule, more of them with a larger ``amount`` (0…1).

    None where the result is not a valid molecule, or too large.
    """
    from rdkit import Chem

    molecule = Chem.RWMol(Chem.MolFromSmiles(smiles))
    for chance, change in _CHANGES:
        if rng.random() < chance * amount:
            change(molecule, rng)
            if Chem.SanitizeMol(molecule, catchErrors=True):
                return None
    if molecule.GetNumHeavyAtoms() > MAX_HEAVY_ATOMS:
        return None
    if rng.random() < 0.8 * amount:
        _set_stereo(molecule, rng)
    return str(Chem.MolToSmiles(molecule))


def _add_groups(molecule: RWMol, rng: random.Random) -> None:
    """One to three groups that have an abbreviation, in place of hydrogens."""
    from rdkit import Chem

    for _ in range(rng.choice((1, 1, 2, 3))):
        group = Chem.MolFromSmiles(rng.choice(groups()))
        room = MAX_HEAVY_ATOMS - molecule.GetNumHeavyAtoms()
        on_hetero = group.GetAtomWithIdx(0).GetSymbol() in ("C", "S", "Si") and rng.random() < 0.3
        hosts = _hosts(molecule, ("N", "O") if on_hetero else ("C",))
        if not hosts or group.GetNumAtoms() > room:
            continue
        host, first = rng.choice(hosts), molecule.GetNumAtoms()
        molecule.InsertMol(group)
        _bond(molecule, host, first)
        molecule.UpdatePropertyCache(strict=False)


def _add_open_positions(molecule: RWMol, rng: random.Random) -> None:
    """``[1*]``, ``[2*]`` … for R1, R2 …, or one ``*``."""
    from rdkit import Chem

    count = rng.choice((1, 1, 2, 3))
    numbers = [0] if count == 1 and rng.random() < 0.6 else rng.sample(range(1, 7), count)
    for number in sorted(numbers):
        hosts = _hosts(molecule, ("C", "N", "O"))
        if hosts:
            dummy = Chem.Atom(0)
            dummy.SetIsotope(number)
            _bond(molecule, rng.choice(hosts), molecule.AddAtom(dummy))
            molecule.UpdatePropertyCache(strict=False)


def _add_isotope(molecule: RWMol, rng: random.Random) -> None:
    from rdkit import Chem

    if rng.random() < 0.4:
        hosts = _hosts(molecule, ("C", "C", "N", "O"))
        for host in rng.sample(hosts, min(len(hosts), rng.choice((1, 1, 2, 3)))):
            hydrogen = Chem.Atom(1)
            hydrogen.SetIsotope(rng.choice((2, 2, 2, 3)))
            _bond(molecule, host, molecule.AddAtom(hydrogen))
        return
    atoms = [atom for atom in molecule.GetAtoms() if atom.GetSymbol() in _ISOTOPES and not atom.GetIsotope()]
    if atoms:
        atom = rng.choice(atoms)
        atom.SetIsotope(rng.choice(_ISOTOPES[atom.GetSymbol()]))


def _charge(molecule: RWMol, rng: random.Random) -> None:
    """A deprotonated acid, a protonated base, or a nitrogen with a fourth group."""
    from rdkit import Chem

    acids = _matches(molecule, "[OX2H1][C,S,P]=O", "[OX2H1]c", "[SX2H1]")
    bases = _matches(molecule, "[NX3;!$(N-[C,S,P]=*);!$(N-[#7,#8]);!a]", "[nX2r6]")
    if acids and (not bases or rng.random() < 0.5):
        _shift(molecule.GetAtomWithIdx(rng.choice(acids)), -1)
    elif bases:
        base = rng.choice(bases)
        atom = molecule.GetAtomWithIdx(base)
        atom.SetFormalCharge(1)
        if rng.random() < 0.5:
            atom.SetNumExplicitHs(atom.GetTotalNumHs() + 1)
            atom.SetNoImplicit(True)
        else:
            molecule.AddBond(base, molecule.AddAtom(Chem.Atom(rng.choice((6, 8)))), Chem.BondType.SINGLE)
            added = molecule.GetAtomWithIdx(molecule.GetNumAtoms() - 1)
            if added.GetSymbol() == "O":
                added.SetFormalCharge(-1)


def _add_salt(molecule: RWMol, rng: random.Random) -> None:
    """Counterions, or a neutral molecule."""
    from rdkit import Chem

    if len(Chem.GetMolFrags(molecule)) > 1:
        return
    charge = Chem.GetFormalCharge(molecule)
    candidates = _NEUTRAL if charge == 0 else _ANIONS if charge > 0 else _CATIONS
    companion = Chem.MolFromSmiles(rng.choice(candidates))
    for _ in range(min(max(abs(charge), 1), 2)):
        molecule.InsertMol(companion)


def _set_stereo(molecule: Mol, rng: random.Random) -> None:
    """One of the two configurations for most of the centers without one."""
    from rdkit import Chem

    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True, flagPossibleStereoCenters=True)
    configurations = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
    share = rng.choice((1.0, 1.0, 0.5))
    for atom in molecule.GetAtoms():
        if (
            atom.HasProp("_ChiralityPossible")
            and not atom.HasProp("_CIPCode")
            and atom.GetSymbol() in _STEREO_ELEMENTS
            and atom.GetTotalNumHs() <= 1
            and rng.random() < share
        ):
            atom.SetChiralTag(rng.choice(configurations))
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)


_CHANGES: tuple[tuple[float, Callable[[Any, random.Random], None]], ...] = (
    (0.4, _add_groups),
    (0.15, _add_open_positions),
    (0.15, _charge),
    (0.08, _add_isotope),
    (0.16, _add_salt),
)
"""Probability at full amount, and the change."""


def _bond(molecule: RWMol, host: int, added: int) -> None:
    """Add a single bond in place of a hydrogen of ``host``."""
    from rdkit import Chem

    atom = molecule.GetAtomWithIdx(host)
    if atom.GetNumExplicitHs():
        atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
    molecule.AddBond(host, added, Chem.BondType.SINGLE)


def _hosts(molecule: Mol, elements: tuple[str, ...]) -> list[int]:
    """Indices of uncharged atoms with a hydrogen."""
    return [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetSymbol() in elements and atom.GetTotalNumHs() and not atom.GetFormalCharge()
    ]


def _matches(molecule: Mol, *patterns: str) -> list[int]:
    """Indices of the first atoms of all matches, without charged ones."""
    from rdkit import Chem

    return [
        match[0]
        for pattern in patterns
        for match in molecule.GetSubstructMatches(Chem.MolFromSmarts(pattern))
        if not molecule.GetAtomWithIdx(match[0]).GetFormalCharge()
    ]


def _shift(atom: Atom, charge: int) -> None:
    atom.SetFormalCharge(charge)
    atom.SetNumExplicitHs(0)
