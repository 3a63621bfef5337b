"""What a reader of pictures makes of a molecule, drawn in several ways: its answers, one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from docai.parsers.molecule import parse_molecule
from docai.pipelines.drawings.molecule.chemistry import METALS
from docai.pipelines.drawings.molecule.content import describe_graph
from docai.pipelines.drawings.molecule.types import DrawnGraph
from docai.pipelines.evidence.molecule_graphs import graph_of_molblock

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_ODDITIES: Final = 4
"""Beyond so many it does not matter how many there are."""

MIN_TORN_ATOMS: Final = 5
"""Heavy atoms of a part that is no molecule of a solvent."""


@dataclass(frozen=True, slots=True, eq=False)
class MoleculeAnswer:
    """The structure that a reader sees in one preparation of a picture."""

    smiles: str | None
    """Canonical; None where it is no molecule, or nothing was seen."""
    preparation: str
    """What was done to the picture."""
    plausibility: float = 0.0
    """0…1, from valences and labels (:mod:`docai.pipelines.drawings.molecule.confidence`)."""
    own: float = 0.0
    """How well the reader thinks that it read, in its own measure."""
    graphs: tuple[DrawnGraph, ...] = ()
    """Its structures, in units and from an origin of the reader's."""
    n_stems: int = 0
    """Letters I that the picture shows, of which programs see strokes alone (:mod:`.molecule_stems`)."""
    n_signs: int = 0
    """Plus signs that it shows beside letters."""


def answer_of_blocks(blocks: Sequence[str], preparation: str, own: float = 0.0) -> MoleculeAnswer:
    """The structures of mol blocks as one answer, with its parts joined by dots."""
    graphs, parts, plausibility = [], [], 1.0
    for block in blocks:
        try:
            graph = graph_of_molblock(block)
        except ValueError:
            return MoleculeAnswer(None, preparation, own=own)
        if graph is None:
            continue
        reading = describe_graph(graph)
        graphs.append(graph)
        plausibility = min(plausibility, reading.confidence)
        parts.append(None if reading.content is None else reading.content.smiles)
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return MoleculeAnswer(None, preparation, own=own, graphs=tuple(graphs))
    return MoleculeAnswer(mend(".".join(known)), preparation, plausibility, own, tuple(graphs))


def mend(smiles: str) -> str | None:
    """The structure as a drawing means it, canonical.

    A bond of an alkali metal is ionic, whatever is written; sulfur with four single bonds to carbon is
    silicon, whose ``i`` was not seen.
    """
    from rdkit import Chem, rdBase

    block = rdBase.BlockLogs()
    try:
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            return None
        changed = Chem.RWMol(mol)
        salts, silanes = _mended_patterns()
        for anion, metal in mol.GetSubstructMatches(salts):
            changed.RemoveBond(anion, metal)
            changed.GetAtomWithIdx(anion).SetFormalCharge(-1)
            changed.GetAtomWithIdx(metal).SetFormalCharge(1)
            changed.GetAtomWithIdx(metal).SetNoImplicit(True)
            changed.GetAtomWithIdx(metal).SetNumExplicitHs(0)
            changed.GetAtomWithIdx(metal).SetNumRadicalElectrons(0)
        for index, *_ in mol.GetSubstructMatches(silanes):
            changed.GetAtomWithIdx(index).SetAtomicNum(14)
        Chem.SanitizeMol(changed)
        return parse_molecule(Chem.MolToSmiles(changed)).content.smiles
    except (Chem.MolSanitizeException, ValueError, RuntimeError):
        return None
    finally:
        del block


@lru_cache(maxsize=1)
def _mended_patterns() -> tuple[Mol, Mol]:
    from rdkit import Chem

    salt = Chem.MolFromSmarts("[O,S,N;+0]-[Li,Na,K;+0;D1]")
    return salt, Chem.MolFromSmarts("[SX4](-[#6])(-[#6])(-[#6])-[#6]")


def quietly_parsed(smiles: str) -> Mol | None:
    """The molecule of a SMILES, of which RDKit says nothing on standard error; None where it is none."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)


@lru_cache(maxsize=4096)
def count_oddities(smiles: str) -> int:
    """Places that molecules of drawings hardly ever have, and misread ones often.

    They are: dummy atoms, atoms with unpaired electrons, covalent bonds of metals, cumulated double bonds,
    rings of three or four with a double bond or fused to a small ring, rings of six that lack one of three
    double bonds, a charge without its opposite, more than two parts, and organic parts that make no salt.
    """
    from rdkit import Chem

    mol = quietly_parsed(smiles)
    if mol is None:
        return MAX_ODDITIES
    count = sum(
        atom.GetNumRadicalElectrons() > 0
        or atom.GetAtomicNum() == 0
        or (atom.GetDegree() > 0 and atom.GetSymbol() in METALS)
        for atom in mol.GetAtoms()
    )
    count += sum(len(mol.GetSubstructMatches(pattern)) for pattern in _odd_patterns())
    count += abs(int(Chem.GetFormalCharge(mol))) + max(0, smiles.count(".") - 1)
    if "." in smiles:
        count += _has_torn_parts(Chem.GetMolFrags(mol, asMols=True))
    return int(min(MAX_ODDITIES, count))


def _has_torn_parts(parts: Sequence[Mol]) -> bool:
    """Whether there are several uncharged organic parts, larger than solvents, that are no acid and base: a
    bond between them was not seen."""
    from rdkit import Chem

    organic = [
        part
        for part in parts
        if part.GetNumHeavyAtoms() >= MIN_TORN_ATOMS
        and not Chem.GetFormalCharge(part)
        and any(atom.GetAtomicNum() == 6 for atom in part.GetAtoms())
    ]
    acid, base = _acid_and_base()
    acids = [part.HasSubstructMatch(acid) for part in organic]
    bases = [part.HasSubstructMatch(base) for part in organic]
    is_salt = any(a and b for i, a in enumerate(acids) for j, b in enumerate(bases) if i != j)
    return len(organic) > 1 and not is_salt


@lru_cache(maxsize=1)
def _acid_and_base() -> tuple[Mol, Mol]:
    """Carboxylic, sulfonic and phosphoric acids; amines and aromatic nitrogen."""
    from rdkit import Chem

    acid, base = "[C,S,P](=O)[OX2H1]", "[$([NX3;!$(N-[C,S,P]=[O,S,N])]),$([nX2])]"
    return Chem.MolFromSmarts(acid), Chem.MolFromSmarts(base)


@lru_cache(maxsize=1)
def _odd_patterns() -> tuple[Mol, ...]:
    from rdkit import Chem

    smarts = (
        "[#6]=[#6]=[#6]",
        "[r3]=[r3]",
        "[r4]=[r4]",
        "[R2r3]@[R2r3]",
        "C1=CC=C[CX4;!H0]C1",
        "C1=C[CX4;!H0][CX4;!H0]C=C1",
        "[C;R]1=[C;R][C;R]=[C;R][N,O,S,C;R]=[C;R]1",
        "[CH2]=[C;R]",
        "[#5;!$([#5](-[#8,#9,#6])(-[#8,#9,#6])-[#8,#9,#6])]",
        "[I,Br;!D1]",
        "[SX2H]-[SX2,CX3]",
    )
    return tuple(Chem.MolFromSmarts(text) for text in smarts)


class Makeup(NamedTuple):
    """How much a structure holds."""

    atoms: int = 0
    """But hydrogen."""
    hetero: int = 0
    """Those of them that are no carbon."""
    unsaturation: int = 0
    """Double bonds, triple ones twice."""


@lru_cache(maxsize=4096)
def makeup(smiles: str) -> Makeup:
    """What a structure holds: readers lose letters and lines more often than they invent them."""
    from rdkit import Chem

    mol = quietly_parsed(smiles)
    if mol is None:
        return Makeup()
    Chem.Kekulize(mol, clearAromaticFlags=True)
    hetero = sum(atom.GetAtomicNum() not in (0, 6) for atom in mol.GetAtoms())
    unsaturation = sum(int(bond.GetBondTypeAsDouble()) - 1 for bond in mol.GetBonds())
    return Makeup(mol.GetNumHeavyAtoms(), hetero, unsaturation)
