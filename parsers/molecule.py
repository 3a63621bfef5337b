"""The parser of the molecule head: a checked structure from SMILES.

The format is one isomeric SMILES (OpenSMILES, http://opensmiles.org, as RDKit reads it, with dative bonds),
fragments separated by ``.``. Besides an atom, brackets may contain a label as it occurs in drawings: an
abbreviation (``[Ph]``), which is expanded to atoms, an R-group (``[R1]``), which becomes ``[1*]``, or
anything else (``[X]``), which becomes ``*``. The record has the SMILES with labels as well as the expanded
one. What follows the first white space is dropped, with an issue.

A symbol that may be a label or an element is read as the group if drawings usually mean the group (``[Ac]``,
``[Ts]``), otherwise as the element (``[Y]``, ``[Ra]``, ``[Rb]``); a warning says which, see
:mod:`docai.parsers.molecule_labels`.

A structure is valid if RDKit sanitizes it. That does not mean that it is what the drawing shows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docai.contents import MoleculeContent
from docai.parsers.base import IssueLog, Parsed, Span, TrackedText, quote, strip_fence
from docai.parsers.molecule_labels import (
    BRACKET,
    Origin,
    expand_labels,
    expanded_size,
    is_atom,
    label_indices,
    labeled_smiles,
    origins_of_kept_atoms,
    replace_labels,
)
from docai.parsers.molecule_structure import count_stereo_marks, describe_molecule, needs_dative

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_Reading = tuple[MoleculeContent, tuple[Span | None, ...]]
_NO_STRUCTURE: _Reading = (MoleculeContent(), ())

MAX_CHARS = 2048
MAX_ATOMS = 300
"""RDKit's layout, ring search and InChI take superlinear time; no crop shows a larger structure."""

_PREFIX = re.compile(r"\A\s*(?:(?:canonical |isomeric )?smiles\s*[:=]\s*)?[\"'`]*\s*", re.IGNORECASE)
_ASCII_LOOK_ALIKES = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "＝": "=", "≡": "#", "’": "'"}
)
_INVISIBLE_CHARS = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_UNSPACED = re.compile(r"\S+")
_RING_CLOSURE = re.compile(r"%\(\d{1,5}\)|%\d\d|\d")
_OUTSIDE_BRACKETS = re.compile(r"Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.()~<>]|%\(\d{1,5}\)|%\d\d|\d|\[\]")
_BOND = r"(?:->|<-|[-=#$:/\\~])?"
_SPELLED_ATOM = re.compile(
    rf"{_BOND}(?:\[[^\[\]]*\]|Br|Cl|[BCNOPSFIbcnops*])(?:{_BOND}(?:%\(\d{{1,5}}\)|%\d\d|\d))*"
)
_CODE_OF_PROBLEM = {
    "AtomValenceException": "molecule-valence",
    "KekulizeException": "molecule-kekulisation",
    "AtomKekulizeException": "molecule-kekulisation",
}


def parse_molecule(text: str) -> Parsed[MoleculeContent]:
    """The structure that the text describes."""
    log = IssueLog()
    smiles = _find_smiles(text, log)
    content, spans = _read_smiles(smiles, log) if smiles.text else _NO_STRUCTURE
    return Parsed(content, log.issues(), log.repaired, spans)


def atom_spans(smiles: str) -> list[Span]:
    """The characters of each atom in a SMILES, including the bond before it and its ring closures.

    Parentheses of branches and the dots between fragments belong to no atom.
    """
    return [match.span() for match in _SPELLED_ATOM.finditer(smiles)]


def _find_smiles(text: str, log: IssueLog) -> TrackedText:
    tracked = TrackedText(text)
    fenced = strip_fence(tracked)
    prefix = _PREFIX.match(tracked.text)
    start = prefix.end() if prefix else 0
    if fenced or tracked.text[start:].strip() != tracked.text.strip():
        log.add("molecule-fenced", "The code fence, quotes or label around the SMILES were removed.")
    first = _UNSPACED.search(tracked.text, start)
    if first is None:
        log.add("molecule-empty", "The text contains no SMILES.")
        return TrackedText("")
    rest = tracked.text[first.end() :].lstrip()
    smiles = first[0].rstrip("\"'`")
    if rest.strip("\"'` \t\r\n"):
        log.add("molecule-extra-text", f"Text after the SMILES was ignored: {quote(rest)}.")
    tracked.keep(first.start(), first.start() + len(smiles))
    tracked.replace(_INVISIBLE_CHARS, "")
    tracked.translate(_ASCII_LOOK_ALIKES)
    if tracked.text != smiles:
        log.add(
            "molecule-bad-character",
            f"Characters of {quote(smiles)} that only look like ASCII were replaced.",
        )
    if not tracked.text:
        log.add("molecule-empty", "The text contains no SMILES.")
    return tracked


def _read_smiles(tracked: TrackedText, log: IssueLog) -> _Reading:
    smiles = tracked.text
    if len(smiles) > MAX_CHARS:
        log.add("molecule-too-long", f"The SMILES has {len(smiles)} characters; the limit is {MAX_CHARS}.")
        return _NO_STRUCTURE
    if ">" in smiles.replace("->", "").replace("<-", ""):
        log.add("molecule-reaction", f"{quote(smiles)} is a reaction, not a molecule.")
        return _NO_STRUCTURE

    from rdkit import Chem, rdBase

    # RDKit logs problems to standard error; they are reported as issues instead.
    log_block = rdBase.BlockLogs()
    try:
        built = _build_structure(tracked, log)
        if built is None:
            return _NO_STRUCTURE
        content, origins = built
        return content, tuple(origins[atom.number - 1].span for atom in content.atoms)
    except (Chem.MolSanitizeException, ValueError, RuntimeError) as error:
        log.add("molecule-sanitisation", f"RDKit rejects {quote(smiles)}: {quote(str(error))}.")
        return _NO_STRUCTURE
    finally:
        del log_block


def _build_structure(tracked: TrackedText, log: IssueLog) -> tuple[MoleculeContent, list[Origin]] | None:
    """The structure and the origin of each of its atoms, or None with the reason in the log."""
    from rdkit import Chem

    labels = replace_labels(tracked, log)
    smiles = tracked.text
    unsanitized = Chem.MolFromSmiles(smiles, sanitize=False)
    if unsanitized is None:
        log.add(*_explain_syntax_error(smiles))
        return None
    if unsanitized.GetNumAtoms() == 0:
        log.add("molecule-empty", "The SMILES contains no atom.")
        return None
    size = expanded_size(unsanitized, labels)
    if size > MAX_ATOMS:
        log.add("molecule-too-long", f"The structure has {size} atoms; the limit is {MAX_ATOMS}.")
        return None
    mol = Chem.MolFromSmiles(smiles)
    labeled = None
    origins: list[Origin] = []
    if mol is not None:
        origins = [Origin(tracked.raw(*span)) for span in atom_spans(smiles)]
        origins = origins_of_kept_atoms(origins, unsanitized, mol)
        if labels.items:
            labeled = labeled_smiles(mol, labels)
            origins = [
                Origin(origin.span, label_index)
                for origin, label_index in zip(origins, label_indices(mol, labels), strict=True)
            ]
            mol, origins = expand_labels(mol, labels, origins, log)
    if mol is None:
        _log_problems(unsanitized, smiles, log)
        return None
    return describe_molecule(
        mol, labeled, labels.items, origins, count_stereo_marks(smiles, unsanitized), log
    ), origins


def _log_problems(unsanitized: Mol, smiles: str, log: IssueLog) -> None:
    """Log why RDKit cannot sanitize the structure."""
    from rdkit import Chem

    for problem in Chem.DetectChemistryProblems(unsanitized):
        code = _CODE_OF_PROBLEM.get(problem.GetType(), "molecule-sanitisation")
        log.add(code, f"{problem.Message()}.")
    if not log.has_errors:
        log.add("molecule-sanitisation", f"RDKit rejects {quote(smiles)}.")
    elif needs_dative(unsanitized):
        log.add(
            "molecule-dative-missing", f"{quote(smiles)} would be valid with dative bonds (->) to its metal."
        )


def _explain_syntax_error(smiles: str) -> tuple[str, str]:
    """Issue code and message for a SMILES that RDKit could not parse."""
    for match in BRACKET.finditer(smiles):
        if not is_atom(match[1]) and not match[1].startswith("*"):
            return "molecule-unknown-atom", f"[{match[1]}] is neither an atom nor a label."
    bare = BRACKET.sub("[]", smiles)
    unknown = _OUTSIDE_BRACKETS.sub("", bare)
    if unknown.strip("[]"):
        return "molecule-unknown-atom", f"{quote(unknown)} is neither an atom nor a bond."
    open_rings: set[str] = set()
    for ring in _RING_CLOSURE.findall(bare.replace("[]", "")):
        open_rings ^= {ring.strip("%()").lstrip("0") or "0"}
    if open_rings and bare.count("(") == bare.count(")"):
        return (
            "molecule-ring-closure",
            f"Ring closure {', '.join(sorted(open_rings))} is opened but not closed.",
        )
    if bare.count("(") == bare.count(")") and re.search(r"(\d)\1", bare):
        return "molecule-ring-closure", f"A ring closure in {quote(smiles)} bonds an atom to itself."
    return "molecule-syntax", f"{quote(smiles)} is not valid SMILES syntax."
