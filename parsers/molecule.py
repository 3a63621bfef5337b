"""The molecule head: SMILES, to a checked structure.

The format is one SMILES (OpenSMILES, http://opensmiles.org, as RDKit reads it, dative bonds included),
isomeric, fragments parted by ``.``. Besides atoms a bracket may hold a label as drawings have them: an
abbreviation (``[Ph]``), which is written out, an R-group (``[R1]``), which becomes ``[1*]``, or anything
else (``[X]``), which becomes ``*``. What follows the first white space is left out, and that is noted.

Valid means: RDKit sanitises it. It does not mean that it is what the drawing shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from docai.parsers.base import Parsed
from docai.parsers.cleaning import strip_fence
from docai.parsers.labels import (
    ABBREVIATIONS,
    DOUBTFUL_ELEMENTS,
    LIKELY_GROUPS,
    R_GROUP,
    is_atom,
    is_label,
)
from docai.parsers.notes import Notes, quote
from docai.records import MoleculeContent

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_CHARS = 2048
MAX_ATOMS = 300
"""RDKit's layout, ring search and InChI grow faster than the structure; no crop shows a larger one."""

_WRAPPING = re.compile(r"\A\s*(?:(?:canonical |isomeric )?smiles\s*[:=]\s*)?[\"'`]*\s*", re.IGNORECASE)
_LOOK_ALIKES = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "＝": "=", "≡": "#", "’": "'"}
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_MAP = re.compile(r":(\d{1,9})\]")
_RING = re.compile(r"%\(\d{1,5}\)|%\d\d|\d")
_BARE = re.compile(r"Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.()~<>]|%\(\d{1,5}\)|%\d\d|\d|\[\]")
_PROBLEMS = {
    "AtomValenceException": "molecule-valence",
    "KekulizeException": "molecule-kekulisation",
    "AtomKekulizeException": "molecule-kekulisation",
}


def parse_molecule(text: str) -> Parsed[MoleculeContent]:
    """The structure that the text describes."""
    notes = Notes()
    smiles = _first_token(text, notes)
    content = _read(smiles, notes) if smiles else MoleculeContent()
    return Parsed(content, notes.issues(), notes.repaired)


def _first_token(text: str, notes: Notes) -> str:
    text, fenced = strip_fence(text)
    body = _WRAPPING.sub("", text, count=1)
    if fenced or body.strip() != text.strip():
        notes.add("molecule-fenced", "What stood around the SMILES was taken off.")
    tokens = body.split(maxsplit=1)
    if not tokens:
        notes.add("molecule-empty", "The text holds no SMILES.")
        return ""
    smiles = tokens[0].rstrip("\"'`")
    if len(tokens) > 1 and tokens[1].strip("\"'` \t\r\n"):
        notes.add("molecule-extra-text", f"Left out after the SMILES: {quote(tokens[1])}.")
    plain = _INVISIBLE.sub("", smiles).translate(_LOOK_ALIKES)
    if plain != smiles:
        notes.add("molecule-bad-character", f"Look-alike characters in {quote(smiles)} were replaced.")
    if not plain:
        notes.add("molecule-empty", "The text holds no SMILES.")
    return plain


def _read(smiles: str, notes: Notes) -> MoleculeContent:
    if len(smiles) > MAX_CHARS:
        notes.add("molecule-too-long", f"The SMILES has {len(smiles)} characters; {MAX_CHARS} are read.")
        return MoleculeContent()
    if ">" in smiles.replace("->", "").replace("<-", ""):
        notes.add("molecule-reaction", f"{quote(smiles)} is a reaction, not a molecule.")
        return MoleculeContent()

    from rdkit import Chem, rdBase

    # RDKit logs what it dislikes to standard error; it is reported as issues instead.
    blocked = rdBase.BlockLogs()
    try:
        mol = _build(smiles, notes)
        if mol is None:
            return MoleculeContent()
        if mol.GetNumAtoms() == 0:
            notes.add("molecule-empty", "The SMILES holds no atom.")
            return MoleculeContent()
        return _describe(mol, notes)
    except (Chem.MolSanitizeException, ValueError, RuntimeError) as error:
        notes.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}: {quote(str(error))}.")
        return MoleculeContent()
    finally:
        del blocked


def _build(smiles: str, notes: Notes) -> Mol | None:
    """The sanitised molecule, or None with the reason noted."""
    from rdkit import Chem

    labels: dict[int, str] = {}
    smiles = _replace_labels(smiles, labels, notes)
    loose = Chem.MolFromSmiles(smiles, sanitize=False)
    if loose is None:
        notes.add(*_grammar_fault(smiles))
        return None
    mol = Chem.MolFromSmiles(smiles) if loose.GetNumAtoms() <= MAX_ATOMS else loose
    if mol is not None and labels:
        mol = _write_out(mol, labels, notes)
    if mol is None:
        for problem in Chem.DetectChemistryProblems(loose):
            code = _PROBLEMS.get(problem.GetType(), "molecule-sanitisation")
            notes.add(code, f"{problem.Message()}.")
        if not notes.has_errors:
            notes.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}.")
    elif mol.GetNumAtoms() > MAX_ATOMS:
        notes.add("molecule-too-long", f"The structure has {mol.GetNumAtoms()} atoms; {MAX_ATOMS} are read.")
        return None
    return mol


def _replace_labels(smiles: str, labels: dict[int, str], notes: Notes) -> str:
    """Dummy atoms for labels: numbered isotopes for R-groups, new map numbers for abbreviations."""
    first_map = 1 + max((int(number) for number in _MAP.findall(smiles)), default=0)

    def replace(match: re.Match[str]) -> str:
        label = match[1]
        alone = smiles[: match.start()][-1:] in ("", ".") and smiles[match.end() :][:1] in ("", ".")
        if is_atom(label) and (alone or label not in LIKELY_GROUPS):
            if label in DOUBTFUL_ELEMENTS and not alone:
                notes.add("molecule-ambiguous-label", f"[{label}] was read as the element.")
            return match[0]
        r_group = R_GROUP.fullmatch(label)
        if r_group:
            notes.add("molecule-r-group", f"[{label}] was read as an R-group.")
            return f"[{int(r_group[1])}*]" if r_group[1] else "*"
        if label in LIKELY_GROUPS:
            notes.add("molecule-ambiguous-label", f"[{label}] was read as a group, not the element.")
        if label in ABBREVIATIONS:
            number = first_map + len(labels)
            labels[number] = label
            return f"[*:{number}]"
        if is_label(label):
            notes.add("molecule-unknown-label", f"[{label}] names no known group and became *.")
            return "*"
        return match[0]

    return _BRACKET.sub(replace, smiles)


def _write_out(mol: Mol, labels: Mapping[int, str], notes: Notes) -> Mol | None:
    """Put the atoms of each abbreviation for its dummy atom. One with two bonds has no place for them."""
    from rdkit import Chem

    whole = Chem.RWMol(mol)
    for index in range(mol.GetNumAtoms()):
        atom = whole.GetAtomWithIdx(index)
        label = None if atom.GetAtomicNum() else labels.get(atom.GetAtomMapNum())
        if label is None:
            continue
        atom.SetAtomMapNum(0)
        bonds = [bond.GetBondType() for bond in atom.GetBonds()]
        if bonds != [Chem.BondType.SINGLE]:
            notes.add("molecule-unknown-label", f"[{label}] has not one single bond and became *.")
            continue
        notes.add("molecule-abbreviation", f"[{label}] was written out.")
        group = Chem.MolFromSmiles(ABBREVIATIONS[label], sanitize=False)
        # The dummy becomes the group's first atom in place, which leaves all stereo marks as they are.
        whole.ReplaceAtom(index, group.GetAtomWithIdx(0))
        places = [index, *(whole.AddAtom(other) for other in list(group.GetAtoms())[1:])]
        for bond in group.GetBonds():
            whole.AddBond(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType())
    Chem.SanitizeMol(whole)
    return Chem.MolFromSmiles(Chem.MolToSmiles(whole))


def _grammar_fault(smiles: str) -> tuple[str, str]:
    """Which part of the grammar a SMILES breaks that RDKit could not read: a code and a sentence."""
    for match in _BRACKET.finditer(smiles):
        if not is_atom(match[1]) and not match[1].startswith("*"):
            return "molecule-unknown-atom", f"[{match[1]}] is no atom."
    bare = _BRACKET.sub("[]", smiles)
    unknown = _BARE.sub("", bare)
    if unknown.strip("[]"):
        return "molecule-unknown-atom", f"{quote(unknown)} stands where an atom or a bond should."
    open_rings: set[str] = set()
    for ring in _RING.findall(bare.replace("[]", "")):
        open_rings ^= {ring.strip("%()").lstrip("0") or "0"}
    if open_rings and bare.count("(") == bare.count(")"):
        return "molecule-ring-closure", f"Ring {', '.join(sorted(open_rings))} is opened and not closed."
    if bare.count("(") == bare.count(")") and re.search(r"(\d)\1", bare):
        return "molecule-ring-closure", f"A ring of {quote(smiles)} is closed onto its own atom."
    return "molecule-syntax", f"{quote(smiles)} breaks the SMILES grammar."


def _describe(mol: Mol, notes: Notes) -> MoleculeContent:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor, rdMolDescriptors

    smiles = Chem.MolToSmiles(mol)
    # A third of a second is enough for any drawing, and stops InChI on the few structures it cannot number.
    inchi = "" if "*" in smiles else Chem.MolToInchi(mol, options="-WM300")
    if not inchi:
        why = "it has dummy atoms (*)" if "*" in smiles else "InChI cannot express it"
        notes.add("molecule-no-inchi", f"There is no InChI: {why}.")
    rdDepictor.Compute2DCoords(mol)
    molblock = Chem.MolToMolBlock(mol)
    if "V2000" not in molblock:
        notes.add("molecule-no-molblock", "V2000 cannot express the structure (dative bonds).")
    return MoleculeContent(
        smiles=smiles,
        inchi=inchi or None,
        inchikey=Chem.InchiToInchiKey(inchi) if inchi else None,
        formula=rdMolDescriptors.CalcMolFormula(mol),
        molblock=molblock if "V2000" in molblock else None,
        is_valid=True,
    )
