"""The molecule head: SMILES, to a checked structure.

The format is one SMILES (OpenSMILES, http://opensmiles.org, as RDKit reads it, dative bonds included),
isomeric, fragments parted by ``.``. Besides atoms a bracket may hold a label as drawings have them: an
abbreviation (``[Ph]``), which is written out, an R-group (``[R1]``), which becomes ``[1*]``, or anything
else (``[X]``), which becomes ``*``. What follows the first white space is left out, and that is noted.

Valid means: RDKit sanitises it. It does not mean that it is what the drawing shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from docai.parsers.traced import Span, TracedText
from docai.records import Atom, MoleculeContent

if TYPE_CHECKING:
    from rdkit.Chem import Atom as RDKitAtom
    from rdkit.Chem import Mol

_Read = tuple[MoleculeContent, tuple[Span | None, ...]]
_NOTHING: _Read = (MoleculeContent(), ())

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
_UNSPACED = re.compile(r"\S+")
_RING = re.compile(r"%\(\d{1,5}\)|%\d\d|\d")
_BARE = re.compile(r"Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.()~<>]|%\(\d{1,5}\)|%\d\d|\d|\[\]")
_BOND = r"(?:->|<-|[-=#$:/\\~])?"
_SPELLED_ATOM = re.compile(
    rf"{_BOND}(?:\[[^\[\]]*\]|Br|Cl|[BCNOPSFIbcnops*])(?:{_BOND}(?:%\(\d{{1,5}}\)|%\d\d|\d))*"
)
_PROBLEMS = {
    "AtomValenceException": "molecule-valence",
    "KekulizeException": "molecule-kekulisation",
    "AtomKekulizeException": "molecule-kekulisation",
}


def parse_molecule(text: str) -> Parsed[MoleculeContent]:
    """The structure that the text describes."""
    notes = Notes()
    smiles = _first_token(text, notes)
    content, spans = _read(smiles, notes) if smiles.text else _NOTHING
    return Parsed(content, notes.issues(), notes.repaired, spans)


def atom_spans(smiles: str) -> list[Span]:
    """Where each atom of a SMILES is written: with the bond before it and its ring closures.

    Brackets of branches and the dots between fragments belong to no atom.
    """
    return [match.span() for match in _SPELLED_ATOM.finditer(smiles)]


def _first_token(text: str, notes: Notes) -> TracedText:
    traced = TracedText(text)
    fenced = strip_fence(traced)
    wrapping = _WRAPPING.match(traced.text)
    start = wrapping.end() if wrapping else 0
    if fenced or traced.text[start:].strip() != traced.text.strip():
        notes.add("molecule-fenced", "What stood around the SMILES was taken off.")
    first = _UNSPACED.search(traced.text, start)
    if first is None:
        notes.add("molecule-empty", "The text holds no SMILES.")
        return TracedText("")
    rest = traced.text[first.end() :].lstrip()
    smiles = first[0].rstrip("\"'`")
    if rest.strip("\"'` \t\r\n"):
        notes.add("molecule-extra-text", f"Left out after the SMILES: {quote(rest)}.")
    traced.keep(first.start(), first.start() + len(smiles))
    traced.replace(_INVISIBLE, "")
    traced.translate(_LOOK_ALIKES)
    if traced.text != smiles:
        notes.add("molecule-bad-character", f"Look-alike characters in {quote(smiles)} were replaced.")
    if not traced.text:
        notes.add("molecule-empty", "The text holds no SMILES.")
    return traced


def _read(traced: TracedText, notes: Notes) -> _Read:
    smiles = traced.text
    if len(smiles) > MAX_CHARS:
        notes.add("molecule-too-long", f"The SMILES has {len(smiles)} characters; {MAX_CHARS} are read.")
        return _NOTHING
    if ">" in smiles.replace("->", "").replace("<-", ""):
        notes.add("molecule-reaction", f"{quote(smiles)} is a reaction, not a molecule.")
        return _NOTHING

    from rdkit import Chem, rdBase

    # RDKit logs what it dislikes to standard error; it is reported as issues instead.
    blocked = rdBase.BlockLogs()
    try:
        built = _build(traced, notes)
        if built is None:
            return _NOTHING
        mol, spans = built
        if mol.GetNumAtoms() == 0:
            notes.add("molecule-empty", "The SMILES holds no atom.")
            return _NOTHING
        content = _describe(mol, notes)
        return content, tuple(spans[atom.number - 1] for atom in content.atoms)
    except (Chem.MolSanitizeException, ValueError, RuntimeError) as error:
        notes.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}: {quote(str(error))}.")
        return _NOTHING
    finally:
        del blocked


def _build(traced: TracedText, notes: Notes) -> tuple[Mol, list[Span | None]] | None:
    """The sanitised molecule and where each of its atoms was written, or None with the reason noted."""
    from rdkit import Chem

    labels: dict[int, str] = {}
    _replace_labels(traced, labels, notes)
    smiles = traced.text
    loose = Chem.MolFromSmiles(smiles, sanitize=False)
    if loose is None:
        notes.add(*_grammar_fault(smiles))
        return None
    mol = Chem.MolFromSmiles(smiles) if loose.GetNumAtoms() <= MAX_ATOMS else loose
    spans: list[Span | None] = []
    if mol is not None:
        spans = [traced.raw(*span) for span in atom_spans(smiles)]
        spans = _of_kept(spans, loose, mol)
        if labels:
            mol, spans = _write_out(mol, labels, spans, notes)
    if mol is None:
        for problem in Chem.DetectChemistryProblems(loose):
            code = _PROBLEMS.get(problem.GetType(), "molecule-sanitisation")
            notes.add(code, f"{problem.Message()}.")
        if not notes.has_errors:
            notes.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}.")
    elif mol.GetNumAtoms() > MAX_ATOMS:
        notes.add("molecule-too-long", f"The structure has {mol.GetNumAtoms()} atoms; {MAX_ATOMS} are read.")
        return None
    return None if mol is None else (mol, spans)


def _of_kept(spans: Sequence[Span | None], written: Mol, kept: Mol) -> list[Span | None]:
    """The spans of the atoms that are left of those of a SMILES: RDKit takes out plain hydrogens.

    All None where the atoms cannot be told apart.
    """
    lost: list[Span | None] = [None] * kept.GetNumAtoms()
    if len(spans) != written.GetNumAtoms():
        return lost
    found: list[Span | None] = []
    wanted = [_identity(atom) for atom in kept.GetAtoms()]
    for atom, span in zip(written.GetAtoms(), spans, strict=True):
        if len(found) < len(wanted) and _identity(atom) == wanted[len(found)]:
            found.append(span)
        elif atom.GetAtomicNum() != 1:
            return lost
    return found if len(found) == len(wanted) else lost


def _identity(atom: RDKitAtom) -> tuple[int, int, int]:
    return atom.GetAtomicNum(), atom.GetIsotope(), atom.GetAtomMapNum()


def _replace_labels(traced: TracedText, labels: dict[int, str], notes: Notes) -> None:
    """Dummy atoms for labels: numbered isotopes for R-groups, new map numbers for abbreviations."""
    smiles = traced.text
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

    traced.replace(_BRACKET, replace)


def _write_out(
    mol: Mol, labels: Mapping[int, str], spans: Sequence[Span | None], notes: Notes
) -> tuple[Mol | None, list[Span | None]]:
    """Put the atoms of each abbreviation for its dummy atom. One with two bonds has no place for them.

    Each atom of a group was written where its label was.
    """
    from rdkit import Chem

    whole = Chem.RWMol(mol)
    places_of = list(spans)
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
        places_of += [spans[index]] * (len(places) - 1)
        for bond in group.GetBonds():
            whole.AddBond(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType())
    Chem.SanitizeMol(whole)
    smiles = Chem.MolToSmiles(whole)
    in_order = [places_of[index] for index in _output_order(whole)]
    final = Chem.MolFromSmiles(smiles)
    if final is None:
        return None, []
    return final, _of_kept(in_order, Chem.MolFromSmiles(smiles, sanitize=False), final)


def _output_order(mol: Mol) -> list[int]:
    """The atoms of a molecule in the order in which they stand in the SMILES that was just made of it."""
    return list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])


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
    order = _output_order(mol)
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
        atoms=[Atom(symbol=mol.GetAtomWithIdx(index).GetSymbol(), number=index + 1) for index in order],
        is_valid=True,
    )
