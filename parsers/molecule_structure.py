"""A sanitised RDKit molecule into its record: identifiers, masses, fragments, stereo, layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from docai.contents import Atom, Fragment, Label, MoleculeContent, Stereo
from docai.parsers.base import IssueLog
from docai.parsers.molecule_labels import BRACKET, Origin, output_order

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol
    from rdkit.Chem.MolStandardize.rdMolStandardize import FragmentRemover, LargestFragmentChooser
    from rdkit.Chem.SaltRemover import SaltRemover

Role = Literal["main", "counter-ion", "solvent", "other"]

_DONORS = (7, 8, 15, 16, 33, 34)
"""N, O, P, S, As, Se: what has a lone pair to give."""


@dataclass(frozen=True)
class Written:
    """Stereo marks as the text has them, whatever RDKit makes of them."""

    centres: int
    bonds: int
    """Double bonds with a mark at both ends."""
    stray: int
    """Marks that belong to none of these."""


def marks_of(smiles: str, loose: Mol) -> Written:
    """Count the stereo marks of a SMILES. ``loose`` is what RDKit reads of it without sanitising."""
    from rdkit import Chem

    marked = {Chem.BondDir.ENDUPRIGHT, Chem.BondDir.ENDDOWNRIGHT}
    directed = [bond for bond in loose.GetBonds() if bond.GetBondDir() in marked]
    ends = {index for bond in directed for index in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())}
    whole = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        for bond in loose.GetBonds()
        if bond.GetBondType() == Chem.BondType.DOUBLE
        and {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= ends
    ]
    served = {index for pair in whole for index in pair}
    stray = sum(not {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} & served for bond in directed)
    return Written(_marked_centres(smiles), len(whole), stray)


def _marked_centres(smiles: str) -> int:
    return sum("@" in match[1] for match in BRACKET.finditer(smiles))


def describe(
    mol: Mol,
    labelled: str | None,
    labels: Sequence[Label],
    origins: Sequence[Origin],
    written: Written,
    log: IssueLog,
) -> MoleculeContent:
    """The record of a molecule that RDKit has sanitised; it gets 2-D coordinates.

    Args:
        mol: labels written out.
        labelled: canonical SMILES with the labels; None where there are none.
        labels: in the order of the text, as ``origins`` counts them.
        origins: one for each atom.
        written: the stereo marks of the text.

    Raises:
        ValueError, RuntimeError: RDKit cannot say what it is.
    """
    from rdkit import Chem
    from rdkit.Chem import Descriptors, rdMolDescriptors

    smiles = Chem.MolToSmiles(mol)
    order = output_order(mol)
    is_known = all(atom.GetAtomicNum() for atom in mol.GetAtoms())
    inchi = _inchi(mol, is_known, log)
    _note_dative(mol, log)
    return MoleculeContent(
        smiles=smiles,
        smiles_labelled=labelled or smiles,
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
        fragments=_fragments(mol, smiles),
        stereo=_stereo(mol, smiles, written, log),
        molblock=_layout(mol, log),
        atoms=[Atom(symbol=mol.GetAtomWithIdx(index).GetSymbol(), number=index + 1) for index in order],
        is_valid=True,
    )


def _inchi(mol: Mol, is_known: bool, log: IssueLog) -> str:
    from rdkit import Chem

    # A third of a second is enough for any drawing, and stops InChI on the few structures it cannot number.
    inchi: str = Chem.MolToInchi(mol, options="-WM300") if is_known else ""
    if not inchi:
        why = "InChI cannot express it" if is_known else "it has dummy atoms (*)"
        log.add("molecule-no-inchi", f"There is no InChI: {why}.")
    return inchi


def _layout(mol: Mol, log: IssueLog) -> str | None:
    """The mol block. That there is none takes nothing from the rest of the record."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    try:
        rdDepictor.Compute2DCoords(mol)
        block: str = Chem.MolToMolBlock(mol)
    except (ValueError, RuntimeError) as error:
        log.add("molecule-no-molblock", f"RDKit could not lay the structure out: {error}.")
        return None
    return block


def _note_dative(mol: Mol, log: IssueLog) -> None:
    from rdkit import Chem

    n_dative = sum(bond.GetBondType() == Chem.BondType.DATIVE for bond in mol.GetBonds())
    if n_dative:
        log.add(
            "molecule-dative-bond",
            "A bond is dative (-> in SMILES): the mol block is V3000, and there may be no InChI.",
            count=n_dative,
        )


def needs_dative(loose: Mol) -> bool:
    """Whether RDKit refuses a molecule only because a bond to a metal is not written as a dative one."""
    from rdkit import Chem
    from rdkit.Chem import rdqueries

    metals = {atom.GetIdx() for atom in loose.GetAtomsMatchingQuery(rdqueries.MAtomQueryAtom())}
    changed = Chem.RWMol(loose)
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in loose.GetBonds() if _is_plain(bond)]
    to_metal = [pair for pair in bonds if len(metals.intersection(pair)) == 1]
    for pair in to_metal:
        metal, donor = sorted(pair, key=lambda index: index not in metals)
        if loose.GetAtomWithIdx(donor).GetAtomicNum() in _DONORS:
            changed.RemoveBond(metal, donor)
            changed.AddBond(donor, metal, Chem.BondType.DATIVE)
    return bool(to_metal) and not Chem.DetectChemistryProblems(changed)


def _is_plain(bond: Bond) -> bool:
    from rdkit import Chem

    return bool(bond.GetBondType() in (Chem.BondType.SINGLE, Chem.BondType.AROMATIC))


def _stereo(mol: Mol, smiles: str, written: Written, log: IssueLog) -> Stereo:
    from rdkit import Chem

    kept = [bond.GetStereo() != Chem.BondStereo.STEREONONE for bond in mol.GetBonds()]
    lost_centres = max(0, written.centres - _marked_centres(smiles))
    lost_bonds = max(0, written.bonds - sum(kept)) + written.stray
    if lost_centres or lost_bonds:
        parts = [f"{lost_centres} of {written.centres} stereocentres"] if lost_centres else []
        parts += (
            [f"{lost_bonds} of {written.bonds + written.stray} marked double bonds"] if lost_bonds else []
        )
        message = f"{' and '.join(parts)} can have no configuration as written; their marks were dropped."
        log.add("molecule-stereo-dropped", message)
    found = Chem.FindPotentialStereo(mol)
    bonds = [one for one in found if one.type == Chem.StereoType.Bond_Double]
    centres = [one for one in found if str(one.type).startswith("Atom_")]
    return Stereo(
        centres=len(centres),
        centres_specified=sum(one.specified == Chem.StereoSpecified.Specified for one in centres),
        bonds=len(bonds),
        bonds_specified=sum(one.specified == Chem.StereoSpecified.Specified for one in bonds),
        dropped=lost_centres + lost_bonds,
    )


def _fragments(mol: Mol, smiles: str) -> list[Fragment]:
    """The connected parts of the structure, each as often as it is there, sorted by SMILES."""
    from rdkit import Chem

    if "." not in smiles:
        return [Fragment(smiles=smiles, role="main", charge=Chem.GetFormalCharge(mol))]
    each = [(Chem.MolToSmiles(part), part) for part in Chem.GetMolFrags(mol, asMols=True)]
    parts = dict(each)
    charges = {name: Chem.GetFormalCharge(part) for name, part in parts.items()}
    roles = {name: _role(part, charges[name]) for name, part in parts.items()}
    main = Chem.MolToSmiles(_standardisers()[0].choose(mol))
    # Water is larger than what it crystallised with where that is table salt.
    if roles.get(main) != "solvent" or set(roles.values()) == {"solvent"}:
        roles[main] = "main"
    return [
        Fragment(smiles=name, role=roles[name], charge=charges[name])
        for name in sorted(name for name, _ in each)
    ]


def _role(part: Mol, charge: int) -> Role:
    """A charged part, or an acid or base of RDKit's salts, is a counter-ion; of the rest, what its remover of
    fragments takes away is a solvent."""
    _, salts, remover = _standardisers()
    is_water = part.GetNumAtoms() == 1 and part.GetAtomWithIdx(0).GetAtomicNum() == 8
    if charge or (not is_water and not salts.StripMol(part).GetNumAtoms()):
        return "counter-ion"
    return "other" if remover.remove(part).GetNumAtoms() else "solvent"


@cache
def _standardisers() -> tuple[LargestFragmentChooser, SaltRemover, FragmentRemover]:
    """RDKit's choice of the main fragment, Novartis' list of salts, and MolVS' of salts and solvents."""
    from rdkit.Chem.MolStandardize import rdMolStandardize
    from rdkit.Chem.SaltRemover import SaltRemover

    chooser = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
    return chooser, SaltRemover(), rdMolStandardize.FragmentRemover(leave_last=False)
