"""Whether two SMILES are the same structure: six answers, always given together.

================  ==========================================================================================
``exact``         Equal isomeric canonical SMILES of RDKit: bonds, charges, isotopes and all stereo marks.
``exact-no-ez``   MolScribe's headline (``canon_smiles`` of its evaluate.py): ``/`` and ``\\`` are removed,
                  tetrahedral marks stay; see :func:`molscribe_canonical`.
``graph``         MolScribe's ``graph``: no stereo marks, and so no isotopes and no numbers of R-groups.
``inchikey``      Equal standard InChIKeys: tautomers and salt forms are one, so more lenient than SMILES.
``tanimoto``      Of Morgan fingerprints: bits, radius 2, 2048 long, as RDKit's generator makes them by
                  default. (MolScribe's option takes RDKit's path fingerprint instead.)
``valid``         RDKit sanitises the answer, and it holds an atom. Not that it is right.
================  ==========================================================================================

MolScribe (https://github.com/thomas0809/MolScribe, evaluate.py) compares a SMILES that RDKit refuses as
text, so an invalid answer that repeats an invalid truth is a match there; by ``exact`` it is none. Nothing
is repaired: what a head's parser mends, it has mended before the answer comes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from docai.geometry import iou
from docai.parsers.molecule_labels import R_GROUP, is_label
from docai.pipelines.evaluation.base import (
    Belief,
    CaseScore,
    Item,
    Measure,
    Prediction,
    Ratio,
    Sample,
    Task,
)
from docai.pipelines.evaluation.metrics.calibration import right_atoms

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_CHARS = 4096
"""Longer texts are invalid. RDKit's canonical order crashes the whole process on a chain of 20,000 atoms,
and a model that loops writes such chains."""
MIN_IOU = 0.5
"""Of the boxes of an answer and a truth that are compared on a page."""

_INCHI_OPTIONS = "-WM5000"
_FIRST_LABEL = 9000
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
# The tokens of SmilesPE 0.0.3, by which MolScribe rewrites brackets; other characters are lost there.
_SMILES_PE = re.compile(r"\[[^\]]+\]|Br?|Cl?|%[0-9]{2}|[NOSPFIbcnosp().=#\-+\\/:~@?>*$0-9]")

MISSING = "no molecule was predicted here; it counts as wrong"
INVALID = "the answer is no valid SMILES"
EXTRA_TEXT = "text after the SMILES was left out"
INVALID_TRUTH = "the truth is no valid SMILES: exact, InChIKey and Tanimoto are not defined"
NO_INCHI = "the truth has no InChI (dummy atoms, or beyond it): InChIKey is not defined"
NO_BOXES = "not every molecule has a box: they were paired in reading order"
SURPLUS = "more molecules were predicted than there are"


@dataclass(frozen=True, slots=True)
class SmilesMatch:
    """How a predicted SMILES compares with the true one. None: not defined, and ``notes`` says why."""

    exact: bool | None
    exact_no_ez: bool
    graph: bool
    inchikey: bool | None
    tanimoto: float | None
    valid: bool
    notes: tuple[str, ...] = ()


def smiles_match(pred: str, truth: str) -> SmilesMatch:
    """Compare two SMILES.

    Brackets that hold no atom are labels, as drawings have them: ``[R12]`` is ``[12*]``, ``[R]`` is ``*``,
    and any other one (``[Ph]``) equals only itself in ``exact``, while MolScribe's two figures make each of
    them ``*``. Only the first word of each text is read, without a CXSMILES tail or a name after it;
    MolScribe's two figures take the whole text, as they do there.
    """
    notes: list[str] = []
    labels: dict[str, int] = {}
    with _quiet():
        p, t = _read(pred, labels), _read(truth, labels)
        exact = inchikey = tanimoto = None
        if len(pred.split(maxsplit=1)) > 1:
            notes.append(EXTRA_TEXT)
        if p is None:
            notes.append(INVALID)
        if t is None:
            notes.append(INVALID_TRUTH)
        else:
            exact = p is not None and _canonical(p) == _canonical(t)
            tanimoto = _tanimoto(p, t) if p is not None else 0.0
            key = _inchikey(t)
            inchikey = None if key is None else p is not None and _inchikey(p) == key
            if key is None:
                notes.append(NO_INCHI)
    return SmilesMatch(
        exact=exact,
        exact_no_ez=molscribe_canonical(pred) == (molscribe_canonical(truth) or "<empty>"),
        graph=molscribe_canonical(pred, stereo=False)
        == (molscribe_canonical(truth, stereo=False) or "<empty>"),
        inchikey=inchikey,
        tanimoto=tanimoto,
        valid=p is not None,
        notes=tuple(notes),
    )


def molscribe_canonical(smiles: str, *, stereo: bool = True) -> str:
    """The text that MolScribe's evaluate.py compares: canonical SMILES without ``/`` and ``\\``.

    ``[R12]`` becomes ``[12*]``, every other bracket that RDKit does not know ``*``, and characters that
    SmilesPE 0.0.3 does not know are lost (``<``, blanks, parts of a CXSMILES tail). What RDKit refuses stays
    as it is then. With ``stereo=False`` tetrahedral marks go too, and isotopes with them. An empty truth is
    made ``<empty>`` there, which nothing equals. (Texts over ``MAX_CHARS`` are not canonicalized here.)
    """
    from rdkit import Chem

    def replace(token: str) -> str:
        if not token.startswith("["):
            return token
        symbol = token[1:-1]
        if symbol[0] == "R" and symbol[1:].isdigit():
            return f"[{symbol[1:]}*]"
        return token if _is_atom(token) else "*"

    with _quiet():
        tokens = _SMILES_PE.findall(smiles.replace("/", "").replace("\\", ""))
        rewritten = "".join(map(replace, tokens))
        mol = _mol(rewritten)
        return rewritten if mol is None else str(Chem.MolToSmiles(mol, isomericSmiles=stereo))


@contextmanager
def _quiet() -> Iterator[None]:
    """RDKit logs what it dislikes to standard error; the caller is told by the result instead."""
    from rdkit import rdBase

    blocked = rdBase.BlockLogs()
    try:
        yield
    finally:
        del blocked


def _is_readable(smiles: str) -> bool:
    # RDKit takes a last character outside ASCII for a blank.
    return smiles.isascii() and len(smiles) <= MAX_CHARS


def _is_atom(token: str) -> bool:
    from rdkit import Chem

    return _is_readable(token) and Chem.AtomFromSmiles(token) is not None


def _mol(smiles: str) -> Mol | None:
    from rdkit import Chem

    try:
        return Chem.MolFromSmiles(smiles) if _is_readable(smiles) else None
    except (ValueError, RuntimeError):
        # Where its own checks fail, RDKit raises instead of returning None.
        return None


def _read(text: str, labels: dict[str, int]) -> Mol | None:
    """The sanitised molecule of the first word, or None. ``labels`` numbers those of both sides alike."""

    def replace(match: re.Match[str]) -> str:
        inside = match[1]
        if _is_atom(match[0]):
            return match[0]
        if r_group := R_GROUP.fullmatch(inside):
            return f"[{int(r_group[1])}*]" if r_group[1] else "*"
        if is_label(inside):
            return f"[*:{labels.setdefault(inside, _FIRST_LABEL + len(labels))}]"
        return match[0]

    smiles = next(iter(text.split(maxsplit=1)), "")
    if len(smiles) > MAX_CHARS:
        return None
    mol = _mol(_BRACKET.sub(replace, smiles))
    return mol if mol is not None and mol.GetNumAtoms() else None


def _canonical(mol: Mol) -> str:
    from rdkit import Chem

    return str(Chem.MolToSmiles(mol))


def _inchikey(mol: Mol) -> str | None:
    from rdkit import Chem

    if any(not atom.GetAtomicNum() for atom in mol.GetAtoms()):
        return None
    inchi = Chem.MolToInchi(mol, options=_INCHI_OPTIONS)
    return Chem.InchiToInchiKey(inchi) if inchi else None


def _tanimoto(a: Mol, b: Mol) -> float:
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return float(DataStructs.TanimotoSimilarity(generator.GetFingerprint(a), generator.GetFingerprint(b)))


class _Pairs(NamedTuple):
    """Answers and truths of one sample that belong together; None where there is no partner."""

    of_truth: list[Item | None]
    surplus: list[Item]
    in_order: bool


def _pair(preds: Sequence[Item], truths: Sequence[Item], *, by_box: bool) -> _Pairs:
    if by_box and all(item.bbox is not None for item in (*preds, *truths)):
        return _pair_by_box(preds, truths)
    partners = [preds[index] if index < len(preds) else None for index in range(len(truths))]
    return _Pairs(partners, list(preds[len(truths) :]), in_order=True)


def _pair_by_box(preds: Sequence[Item], truths: Sequence[Item]) -> _Pairs:
    """One to one, the largest overlap first."""
    overlaps = [
        (-iou(pred.bbox, truth.bbox), t, p)
        for t, truth in enumerate(truths)
        for p, pred in enumerate(preds)
        if pred.bbox is not None and truth.bbox is not None and pred.page == truth.page
    ]
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for negative, t, p in sorted(overlaps):
        if -negative >= MIN_IOU and t not in partners and p not in taken:
            partners[t] = p
            taken.add(p)
    of_truth = [preds[partners[t]] if t in partners else None for t in range(len(truths))]
    return _Pairs(of_truth, [pred for p, pred in enumerate(preds) if p not in taken], in_order=False)


def _score(sample: Sample, prediction: Prediction | None) -> CaseScore:
    truths = [item for item in sample.truth if item.kind == "molecule"]
    given = prediction.items if prediction is not None and prediction.error is None else []
    preds = [item for item in given if item.kind == "molecule"]
    pairs = _pair(preds, truths, by_box=sample.unit == "page")
    sums = dict.fromkeys((measure.name for measure in MEASURES), (0.0, 0.0))
    notes: list[str] = []
    beliefs: list[Belief] = []
    atoms: list[Belief] = []

    def add(name: str, value: float | None, weight: int = 1) -> None:
        if value is not None:
            numerator, denominator = sums[name]
            sums[name] = numerator + value, denominator + weight

    for truth, pred in zip(truths, pairs.of_truth, strict=True):
        match = smiles_match(pred.text if pred is not None else "", truth.text)
        add("exact", match.exact)
        add("exact-no-ez", match.exact_no_ez)
        add("graph", match.graph)
        add("inchikey", match.inchikey)
        add("tanimoto", match.tanimoto)
        add("valid", match.valid)
        add("found", pred is not None)
        if pred is not None:
            add("precise", 1)
            notes += match.notes
            if pred.confidence is not None and match.exact is not None:
                beliefs.append(Belief(pred.confidence, match.exact))
            atoms += _atom_beliefs(pred, truth)
        else:
            notes += [MISSING, *(note for note in match.notes if note != INVALID)]
    for pred in pairs.surplus:
        add("precise", 0)
        if pred.confidence is not None:
            beliefs.append(Belief(pred.confidence, False))
        atoms += [Belief(value, False) for value in pred.parts if value is not None]
    if pairs.surplus:
        notes.append(SURPLUS)
    if sample.unit == "page" and pairs.in_order and max(len(preds), len(truths)) > 1:
        notes.append(NO_BOXES)
    return CaseScore(
        id=sample.id,
        ratios={name: Ratio(*both) for name, both in sums.items()},
        notes=tuple(dict.fromkeys(notes)),
        beliefs=tuple(beliefs),
        part_beliefs={"atom": tuple(atoms)} if atoms else {},
    )


def _atom_beliefs(pred: Item, truth: Item) -> list[Belief]:
    """How sure each atom is and whether the truth has it:
    :mod:`~docai.pipelines.evaluation.metrics.calibration`."""
    mol = _read(truth.text, {})
    if mol is None or not any(value is not None for value in pred.parts):
        return []
    right = right_atoms(pred.text, _canonical(mol))
    if len(right) != len(pred.parts):
        return []
    return [
        Belief(sure, is_right) for sure, is_right in zip(pred.parts, right, strict=True) if sure is not None
    ]


MEASURES = (
    Measure("exact", "Exact match", "RDKit isomeric canonical SMILES", percent=True),
    Measure("exact-no-ez", "Exact match without E/Z", "MolScribe evaluate.py canon_smiles", percent=True),
    Measure("graph", "Graph match", "MolScribe evaluate.py graph", percent=True),
    Measure("inchikey", "InChIKey match", "standard InChI of RDKit", percent=True),
    Measure("tanimoto", "Tanimoto", "Morgan bits, radius 2, 2048 (RDKit)"),
    Measure("valid", "Valid", "RDKit sanitises it", percent=True),
    Measure("found", "Found", f"docai: truths with an answer, on pages at IoU ≥ {MIN_IOU}", percent=True),
    Measure("precise", "Precise", f"docai: answers with a truth, on pages at IoU ≥ {MIN_IOU}", percent=True),
)

MOLECULE = Task(name="molecule", measures=MEASURES, score=_score, headline="exact")
