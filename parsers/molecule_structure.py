"""The content of a sanitized RDKit molecule: identifiers, masses, fragments, stereo, layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from docai.contents import Atom, Fragment, Label, MoleculeContent, Stereo
from docai.geometry import BBox
from docai.parsers.base import IssueLog
from docai.parsers.molecule_labels import BRACKET, Origin, smiles_atom_order

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol
    from rdkit.Chem.MolStandardize.rdMolStandardize import FragmentRemover, LargestFragmentChooser
    from rdkit.Chem.SaltRemover import SaltRemover

Role = Literal["main", "counter-ion", "solvent", "other"]

_DONOR_ATOMIC_NUMBERS = (7, 8, 15, 16, 33, 34)
"""N, O, P, S, As, Se: elements that donate a lone pair."""


@dataclass(frozen=True)
class StereoMarks:
    """Number of stereo marks in a SMILES, whether or not RDKit keeps them."""

    centers: int
    bonds: int
    """Double bonds with a mark at both ends."""
    stray: int
    """Direction marks on other bonds."""


def count_stereo_marks(smiles: str, unsanitized: Mol) -> StereoMarks:
    """Count the stereo marks of a SMILES. ``unsanitized`` is its RDKit molecule before sanitization."""
    from rdkit import Chem

    marked = {Chem.BondDir.ENDUPRIGHT, Chem.BondDir.ENDDOWNRIGHT}
    directed = [bond for bond in unsanitized.GetBonds() if bond.GetBondDir() in marked]
    ends = {index for bond in directed for index in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())}
    double_bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        for bond in unsanitized.GetBonds()
        if bond.GetBondType() == Chem.BondType.DOUBLE
        and {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= ends
    ]
    used_ends = {index for pair in double_bonds for index in pair}
    stray = sum(not {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} & used_ends for bond in directed)
    return StereoMarks(_count_marked_centers(smiles), len(double_bonds), stray)


def _count_marked_centers(smiles: str) -> int:
    return sum("@" in match[1] for match in BRACKET.finditer(smiles))


def describe_molecule(
    mol: Mol,
    labeled: str | None,
    labels: Sequence[Label],
    origins: Sequence[Origin],
    written: StereoMarks,
    log: IssueLog,
    boxes: Sequence[BBox | None] | None = None,
) -> MoleculeContent:
    """The content of a molecule that RDKit has sanitized. Sets 2-D coordinates on ``mol`` unless it is drawn.

    Args:
        mol: the molecule with its labels expanded.
        labeled: canonical SMILES with the labels; None if there are none.
        labels: in the order of the text, as the label indices of ``origins`` count them.
        origins: one for each atom.
        written: the stereo marks of the text.
        log: receives issues.
        boxes: of a molecule read from a drawing, whose conformer is kept: the place of each atom on the page.

    Raises:
        ValueError, RuntimeError: RDKit cannot describe the molecule.
    """
    from rdkit import Chem
    from rdkit.Chem import Descriptors, rdMolDescriptors

    smiles = Chem.MolToSmiles(mol)
    order = smiles_atom_order(mol)
    is_known = all(atom.GetAtomicNum() for atom in mol.GetAtoms())
    inchi = _compute_inchi(mol, is_known, log)
    _log_dative_bonds(mol, log)
    return MoleculeContent(
        smiles=smiles,
        smiles_labelled=labeled or smiles,
        labels=[
            label.model_copy(
                update={"atoms": [n for n, origin in enumerate(origins, start=1) if origin.label == index]}
            )
            for index, label in enumerate(labels)
        ],
        inchi=inchi or None,
        inchikey=Chem.InchiToInchiKey(inchi) if inchi else None,
        formula=rdMolDescriptors.CalcMolFormula(mol),
        weight=round(Descriptors.MolWt(mol), 3) if is_known else None,
        exact_mass=round(Descriptors.ExactMolWt(mol), 6) if is_known else None,
        charge=Chem.GetFormalCharge(mol),
        fragments=_describe_fragments(mol, smiles),
        stereo=_describe_stereo(mol, smiles, written, log),
        molblock=_make_molblock(mol, log, lays_out=boxes is None),
        atoms=[
            Atom(
                symbol=mol.GetAtomWithIdx(index).GetSymbol(),
                number=index + 1,
                bbox=None if boxes is None else boxes[index],
            )
            for index in order
        ],
        is_valid=True,
    )


def _compute_inchi(mol: Mol, is_known: bool, log: IssueLog) -> str:
    from rdkit import Chem

    # 300 ms are enough for any drawing, and stop InChI on the few structures that it cannot number.
    inchi = ""
    if is_known:
        # InChI would take the geometry of a double bond from coordinates, also where it is not specified.
        flat = Chem.Mol(mol)
        flat.RemoveAllConformers()
        inchi = Chem.MolToInchi(flat, options="-WM300")
    if not inchi:
        why = "InChI cannot express the structure" if is_known else "the structure has dummy atoms (*)"
        log.add("molecule-no-inchi", f"The record has no InChI: {why}.")
    return inchi


def _make_molblock(mol: Mol, log: IssueLog, *, lays_out: bool) -> str | None:
    """The mol block; None, with an issue, where RDKit fails to make one."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    try:
        if lays_out:
            rdDepictor.Compute2DCoords(mol)
        block: str = Chem.MolToMolBlock(mol)
    except (ValueError, RuntimeError) as error:
        log.add("molecule-no-molblock", f"RDKit could not make a 2-D layout: {error}.")
        return None
    return block


def _log_dative_bonds(mol: Mol, log: IssueLog) -> None:
    from rdkit import Chem

    n_dative = sum(bond.GetBondType() == Chem.BondType.DATIVE for bond in mol.GetBonds())
    if n_dative:
        log.add(
            "molecule-dative-bond",
            "A bond is dative (-> in SMILES), so the mol block is V3000 and there may be no InChI.",
            count=n_dative,
        )


def needs_dative(unsanitized: Mol) -> bool:
    """Whether RDKit rejects a molecule only because a bond to a metal is not written as dative."""
    from rdkit import Chem
    from rdkit.Chem import rdqueries

    metals = {atom.GetIdx() for atom in unsanitized.GetAtomsMatchingQuery(rdqueries.MAtomQueryAtom())}
    changed = Chem.RWMol(unsanitized)
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        for bond in unsanitized.GetBonds()
        if _is_single_or_aromatic(bond)
    ]
    to_metal = [pair for pair in bonds if len(metals.intersection(pair)) == 1]
    for pair in to_metal:
        metal, donor = sorted(pair, key=lambda index: index not in metals)
        if unsanitized.GetAtomWithIdx(donor).GetAtomicNum() in _DONOR_ATOMIC_NUMBERS:
            changed.RemoveBond(metal, donor)
            changed.AddBond(donor, metal, Chem.BondType.DATIVE)
    return bool(to_metal) and not Chem.DetectChemistryProblems(changed)


def _is_single_or_aromatic(bond: Bond) -> bool:
    from rdkit import Chem

    return bool(bond.GetBondType() in (Chem.BondType.SINGLE, Chem.BondType.AROMATIC))


def _describe_stereo(mol: Mol, smiles: str, written: StereoMarks, log: IssueLog) -> Stereo:
    from rdkit import Chem

    has_stereo = [bond.GetStereo() != Chem.BondStereo.STEREONONE for bond in mol.GetBonds()]
    n_dropped_centers = max(0, written.centers - _count_marked_centers(smiles))
    n_dropped_bonds = max(0, written.bonds - sum(has_stereo)) + written.stray
    if n_dropped_centers or n_dropped_bonds:
        parts = [f"{n_dropped_centers} of {written.centers} stereocenters"] if n_dropped_centers else []
        parts += (
            [f"{n_dropped_bonds} of {written.bonds + written.stray} marked double bonds"]
            if n_dropped_bonds
            else []
        )
        message = f"{' and '.join(parts)} cannot have a configuration as written; their marks were dropped."
        log.add("molecule-stereo-dropped", message)
    elements = Chem.FindPotentialStereo(mol)
    bonds = [element for element in elements if element.type == Chem.StereoType.Bond_Double]
    centers = [element for element in elements if str(element.type).startswith("Atom_")]
    return Stereo(
        centres=len(centers),
        centres_specified=sum(center.specified == Chem.StereoSpecified.Specified for center in centers),
        bonds=len(bonds),
        bonds_specified=sum(bond.specified == Chem.StereoSpecified.Specified for bond in bonds),
        dropped=n_dropped_centers + n_dropped_bonds,
    )


def _describe_fragments(mol: Mol, smiles: str) -> list[Fragment]:
    """The connected parts of the structure, repeated as often as they occur, sorted by SMILES."""
    from rdkit import Chem

    if "." not in smiles:
        return [Fragment(smiles=smiles, role="main", charge=Chem.GetFormalCharge(mol))]
    each = [(Chem.MolToSmiles(part), part) for part in Chem.GetMolFrags(mol, asMols=True)]
    parts = dict(each)
    charges = {name: Chem.GetFormalCharge(part) for name, part in parts.items()}
    roles = {name: _fragment_role(part, charges[name]) for name, part in parts.items()}
    main = Chem.MolToSmiles(_standardizers()[0].choose(mol))
    # RDKit's largest fragment of hydrated table salt is the water.
    if roles.get(main) != "solvent" or set(roles.values()) == {"solvent"}:
        roles[main] = "main"
    return [
        Fragment(smiles=name, role=roles[name], charge=charges[name])
        for name in sorted(name for name, _ in each)
    ]


def _fragment_role(part: Mol, charge: int) -> Role:
    """The role of a fragment other than the main one.

    A charged part, or one in RDKit's list of salts, is a counter-ion; of the rest, what its fragment remover
    removes is a solvent.
    """
    _, salts, remover = _standardizers()
    is_water = part.GetNumAtoms() == 1 and part.GetAtomWithIdx(0).GetAtomicNum() == 8
    if charge or (not is_water and not salts.StripMol(part).GetNumAtoms()):
        return "counter-ion"
    return "other" if remover.remove(part).GetNumAtoms() else "solvent"


@cache
def _standardizers() -> tuple[LargestFragmentChooser, SaltRemover, FragmentRemover]:
    """RDKit's chooser of the main fragment, and its lists of salts (Novartis) and of solvents (MolVS)."""
    from rdkit.Chem.MolStandardize import rdMolStandardize
    from rdkit.Chem.SaltRemover import SaltRemover

    chooser = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
    return chooser, SaltRemover(), rdMolStandardize.FragmentRemover(leave_last=False)
