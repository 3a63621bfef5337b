"""The molecule head: SMILES, to a checked structure.

The format is one SMILES (OpenSMILES, http://opensmiles.org, as RDKit reads it, dative bonds included),
isomeric, fragments parted by ``.``. Besides atoms a bracket may hold a label as drawings have them: an
abbreviation (``[Ph]``), which is written out, an R-group (``[R1]``), which becomes ``[1*]``, or anything
else (``[X]``), which becomes ``*``. The SMILES with its labels is kept beside the one written out. What
follows the first white space is left out, and that is noted.

What may be a label and an element is read as the group that drawings mean by it (``[Ac]``, ``[Ts]``), or else
as the element (``[Y]``, ``[Ra]``, ``[Rb]``); a warning says which, see :mod:`docai.parsers.molecule_labels`.

Valid means: RDKit sanitises it. It does not mean that it is what the drawing shows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docai.contents import MoleculeContent
from docai.parsers.base import IssueLog, Parsed, Span, TrackedText, quote, strip_fence
from docai.parsers.molecule_labels import (
    BRACKET,
    Origin,
    expanded_size,
    is_atom,
    labelled_smiles,
    of_kept,
    owners,
    replace_labels,
    write_out,
)
from docai.parsers.molecule_structure import describe, marks_of, needs_dative

if TYPE_CHECKING:
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
    log = IssueLog()
    smiles = _first_token(text, log)
    content, spans = _read(smiles, log) if smiles.text else _NOTHING
    return Parsed(content, log.issues(), log.repaired, spans)


def atom_spans(smiles: str) -> list[Span]:
    """Where each atom of a SMILES is written: with the bond before it and its ring closures.

    Brackets of branches and the dots between fragments belong to no atom.
    """
    return [match.span() for match in _SPELLED_ATOM.finditer(smiles)]


def _first_token(text: str, log: IssueLog) -> TrackedText:
    tracked = TrackedText(text)
    fenced = strip_fence(tracked)
    wrapping = _WRAPPING.match(tracked.text)
    start = wrapping.end() if wrapping else 0
    if fenced or tracked.text[start:].strip() != tracked.text.strip():
        log.add("molecule-fenced", "What stood around the SMILES was taken off.")
    first = _UNSPACED.search(tracked.text, start)
    if first is None:
        log.add("molecule-empty", "The text holds no SMILES.")
        return TrackedText("")
    rest = tracked.text[first.end() :].lstrip()
    smiles = first[0].rstrip("\"'`")
    if rest.strip("\"'` \t\r\n"):
        log.add("molecule-extra-text", f"Left out after the SMILES: {quote(rest)}.")
    tracked.keep(first.start(), first.start() + len(smiles))
    tracked.replace(_INVISIBLE, "")
    tracked.translate(_LOOK_ALIKES)
    if tracked.text != smiles:
        log.add("molecule-bad-character", f"Look-alike characters in {quote(smiles)} were replaced.")
    if not tracked.text:
        log.add("molecule-empty", "The text holds no SMILES.")
    return tracked


def _read(tracked: TrackedText, log: IssueLog) -> _Read:
    smiles = tracked.text
    if len(smiles) > MAX_CHARS:
        log.add("molecule-too-long", f"The SMILES has {len(smiles)} characters; {MAX_CHARS} are read.")
        return _NOTHING
    if ">" in smiles.replace("->", "").replace("<-", ""):
        log.add("molecule-reaction", f"{quote(smiles)} is a reaction, not a molecule.")
        return _NOTHING

    from rdkit import Chem, rdBase

    # RDKit logs what it dislikes to standard error; it is reported as issues instead.
    blocked = rdBase.BlockLogs()
    try:
        built = _build(tracked, log)
        if built is None:
            return _NOTHING
        content, origins = built
        return content, tuple(origins[atom.number - 1].span for atom in content.atoms)
    except (Chem.MolSanitizeException, ValueError, RuntimeError) as error:
        log.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}: {quote(str(error))}.")
        return _NOTHING
    finally:
        del blocked


def _build(tracked: TrackedText, log: IssueLog) -> tuple[MoleculeContent, list[Origin]] | None:
    """The structure and where each of its atoms comes from, or None with the reason noted."""
    from rdkit import Chem

    labels = replace_labels(tracked, log)
    smiles = tracked.text
    loose = Chem.MolFromSmiles(smiles, sanitize=False)
    if loose is None:
        log.add(*_grammar_fault(smiles))
        return None
    if loose.GetNumAtoms() == 0:
        log.add("molecule-empty", "The SMILES holds no atom.")
        return None
    size = expanded_size(loose, labels)
    if size > MAX_ATOMS:
        log.add("molecule-too-long", f"The structure has {size} atoms; {MAX_ATOMS} are read.")
        return None
    mol = Chem.MolFromSmiles(smiles)
    labelled = None
    origins: list[Origin] = []
    if mol is not None:
        origins = [Origin(tracked.raw(*span)) for span in atom_spans(smiles)]
        origins = of_kept(origins, loose, mol)
        if labels.found:
            labelled = labelled_smiles(mol, labels)
            origins = [
                Origin(origin.span, owner) for origin, owner in zip(origins, owners(mol, labels), strict=True)
            ]
            mol, origins = write_out(mol, labels, origins, log)
    if mol is None:
        _note_problems(loose, smiles, log)
        return None
    return describe(mol, labelled, labels.found, origins, marks_of(smiles, loose), log), origins


def _note_problems(loose: Mol, smiles: str, log: IssueLog) -> None:
    """Why RDKit does not sanitise what it has read."""
    from rdkit import Chem

    for problem in Chem.DetectChemistryProblems(loose):
        code = _PROBLEMS.get(problem.GetType(), "molecule-sanitisation")
        log.add(code, f"{problem.Message()}.")
    if not log.has_errors:
        log.add("molecule-sanitisation", f"RDKit refuses {quote(smiles)}.")
    elif needs_dative(loose):
        log.add("molecule-dative-missing", f"{quote(smiles)} is valid with dative bonds (->) to its metal.")


def _grammar_fault(smiles: str) -> tuple[str, str]:
    """Which part of the grammar a SMILES breaks that RDKit could not read: a code and a sentence."""
    for match in BRACKET.finditer(smiles):
        if not is_atom(match[1]) and not match[1].startswith("*"):
            return "molecule-unknown-atom", f"[{match[1]}] is no atom."
    bare = BRACKET.sub("[]", smiles)
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
