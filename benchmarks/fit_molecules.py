"""Fits the vote on structures of pictures (:mod:`docai.pipelines.evidence.molecule_vote`) on real pictures.

    python benchmarks/fit_molecules.py [--real FOLDER] [--limit N] [--drawn N] [--answers FILE]
                                       [--keep-weights]

Each reader of molecules that is installed reads the pictures of all sets in the folder ``DOCAI_REAL_DATA``.
The weights are fitted on the half for development, every other file of a set from the first on, for each
subset of readers; the other half is reported alone. A picture gives one case for each subset: its candidates
with what the vote knows of them, and which of them is right, by isomeric canonical SMILES, if any is. The
likelihood of the multinomial logit, with a quadratic penalty on the weights, is maximized by L-BFGS.

What real sets hold too little of is drawn: ``--drawn`` structures of the half for development, as RDKit
draws them 300 to 1,200 pixels wide, with thin lines far apart, every other one with iodine in the place of a
halogen or a methyl group. They are fitted to as well, each like a real picture.

``--answers`` names a file of the readers' answers, one picture a line: those in it are not read again, the
others are added; without it nothing is kept. A run that is stopped goes on where it was.

Pictures whose published truth is not what they show (:data:`NOT_AS_DRAWN`, found by looking at those that
readers are sure of) are not fitted to; each line says how many of them are among the sure and wrong.

``--keep-weights`` fits nothing, and tells what the weights of the module reach.

Prints the weights as the module holds them, then for each subset and half how many structures are right, how
many of those with a probability of 0.8 or more are not, and the calibration error: of the half for
development by cross-validation over :data:`FOLDS` parts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from common import need_folder, real_data, script_parser
from numpy.typing import NDArray

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evaluation.base import Belief, Sample
from docai.pipelines.evaluation.datasets.molecules import read_molfiles
from docai.pipelines.evaluation.metrics.calibration import expected_calibration_error
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer
from docai.pipelines.evidence.molecule_vote import FEATURES, WEIGHTS, answers_of, candidates
from docai.pipelines.evidence.readers import ask, known_readers
from docai.pipelines.ingest import open_source
from docai.records import Evidence

if TYPE_CHECKING:
    from rdkit.Chem import Mol

SETS: Final = ("uspto", "clef2012", "usan", "testSet1", "jpo")

DRAWN: Final = "drawn"
"""Name of the pictures that RDKit draws."""

WIDTHS: Final = (300, 450, 600, 900, 1200)
"""Of drawn pictures, pixels."""

MAX_DRAWN_ATOMS: Final = 25
"""Of drawn pictures; more of them cannot be told in the smallest."""

PENALTY: Final = 0.3

SURE: Final = 0.8

NOT_AS_DRAWN: Final = {
    "US20040229890A1_p0002_x1627_y1019_c00002": "the picture has OH where the truth has methyl",
    "US20070155803A1_p0020_x1323_y2114_c00037": "the picture has propyl where the truth has ethyl",
    "2008050365_252_chem": "the picture has HCl beside the structure",
    "cas-120210-48-2": "the picture has 3-thienyl where the truth has 2-thienyl",
    "cas-159138-80-4": "the picture has another tautomer",
    "cas-58-18-4": "the picture has the other configuration of the alcohol",
}
"""Names of files, and how their truth differs: a reading of what is drawn is wrong by it."""

FOLDS: Final = 5

Answers = Mapping[Evidence, Sequence[MoleculeAnswer]]


class Picture(NamedTuple):
    """One picture and its truth."""

    name: str
    source: bytes | Path
    truth: str
    is_for_development: bool
    is_as_drawn: bool = True


class Case(NamedTuple):
    """One picture, its truth, and what each reader makes of it."""

    truth: str
    answers: Answers
    is_for_development: bool
    is_as_drawn: bool = True


def real_pictures(folder: Path, limit: int | None) -> Iterator[Picture]:
    """Those of one set whose truth is a structure."""
    samples = (one for one in read_molfiles(folder) if isinstance(one, Sample))
    for number, sample in enumerate(islice(samples, limit)):
        truth = parse_molecule(sample.truth[0].text).content.smiles
        if sample.source is not None and truth is not None:
            is_as_drawn = Path(str(sample.source)).stem not in NOT_AS_DRAWN
            yield Picture(f"{folder.name} {number}", sample.source, truth, number % 2 == 0, is_as_drawn)


def drawn_pictures(truths: Sequence[str], count: int) -> Iterator[Picture]:
    """Structures drawn by RDKit, in any direction."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    chance = random.Random(0)
    mols = [Chem.MolFromSmiles(truth) for truth in truths]
    small = [mol for mol in mols if mol.GetNumHeavyAtoms() <= MAX_DRAWN_ATOMS]
    for number, mol in enumerate(chance.sample(small, min(count, len(small)))):
        width = chance.choice(WIDTHS)
        if number % 2:
            _iodinate(mol)
        elif number % 4 == 0 and mol.GetRingInfo().NumRings():
            # Rings alone: the fewer atoms there are, the larger are bonds and the gaps of double ones.
            mol = _smallest_ring(mol)
        mol = rdMolDraw2D.PrepareMolForDrawing(mol)
        canvas = rdMolDraw2D.MolDraw2DCairo(width, 3 * width // 4)
        canvas.drawOptions().rotate = chance.choice((0, 30, 90, 200))
        rdMolDraw2D.PrepareAndDrawMolecule(canvas, mol)
        canvas.FinishDrawing()
        drawn = parse_molecule(Chem.MolToSmiles(mol)).content.smiles
        # A double bond of open configuration is drawn with one, which would not be what the SMILES says.
        is_open = any(
            one.type == Chem.StereoType.Bond_Double and one.specified == Chem.StereoSpecified.Unspecified
            for one in Chem.FindPotentialStereo(mol)
        )
        if drawn is not None and not is_open:
            yield Picture(f"{DRAWN} {number}", canvas.GetDrawingText(), drawn, True)


def _smallest_ring(mol: Mol) -> Mol:
    """The smallest ring system alone, with hydrogen where something hung on it."""
    from rdkit import Chem

    cut = [bond.GetIdx() for bond in mol.GetBonds() if not bond.IsInRing()]
    parts = Chem.GetMolFrags(Chem.FragmentOnBonds(mol, cut) if cut else mol, asMols=True)
    ring = min((part for part in parts if part.GetRingInfo().NumRings()), key=lambda part: part.GetNumAtoms())
    for atom in ring.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetAtomicNum(1)
            atom.SetIsotope(0)
    return Chem.MolFromSmiles(Chem.MolToSmiles(Chem.RemoveHs(ring)))


def _iodinate(mol: Mol) -> None:
    """Makes iodine of a halogen or methyl group on carbon."""
    from rdkit import Chem

    for smarts in ("[Cl,Br;D1]-[#6]", "[CH3]-[#6]"):
        for atom, _ in mol.GetSubstructMatches(Chem.MolFromSmarts(smarts)):
            mol.GetAtomWithIdx(atom).SetAtomicNum(53)
            mol.GetAtomWithIdx(atom).SetNoImplicit(False)
            Chem.SanitizeMol(mol)
            Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
            return


def read_cases(pictures: Iterator[Picture], kept: Path | None) -> Iterator[Case]:
    """What all readers of molecules make of pictures.

    Args:
        pictures: of one set.
        kept: file of answers; those in it are not read again, others are added.
    """
    known = _kept_answers(kept)
    readers = [
        reader
        for reader in known_readers()
        if reader.kinds == frozenset(("molecule",)) and "picture" in reader.needs and not reader.available()
    ]
    for picture in pictures:
        answers = known.get(picture.name)
        if answers is None:
            with open_source(picture.source) as source, source.page(1) as page:
                region = ReaderInput(page, page.bbox)
                answers = answers_of([ask(reader, region) for reader in readers])
            if kept is not None:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"name": picture.name, "answers": _as_rows(answers)}) + "\n")
        yield Case(picture.truth, answers, picture.is_for_development, picture.is_as_drawn)


def _kept_answers(file: Path | None) -> dict[str, Answers]:
    if file is None or not file.is_file():
        return {}
    kept: dict[str, Answers] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        kept[entry["name"]] = {
            name: tuple(
                MoleculeAnswer(smiles, preparation, plausibility, own, n_stems=n_stems, n_signs=n_signs)
                for smiles, preparation, plausibility, own, n_stems, n_signs in rows
            )
            for name, rows in entry["answers"].items()
        }
    return kept


def _as_rows(answers: Answers) -> dict[str, list[list[object]]]:
    return {
        name: [
            [one.smiles, one.preparation, one.plausibility, one.own, one.n_stems, one.n_signs]
            for one in given
        ]
        for name, given in answers.items()
    }


def subsets(answers: Answers) -> Iterator[Answers]:
    """Of those readers that said something, each choice of at least one."""
    names = list(answers)
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            yield {name: answers[name] for name in chosen}


def fit(cases: Sequence[Case]) -> dict[str, float]:
    """Weights of the features: the likeliest, of all subsets of the readers of each case."""
    from scipy.optimize import minimize

    choices = []
    for case in cases:
        if not case.is_as_drawn:
            continue
        for given in subsets(case.answers):
            if found := candidates(given):
                values = np.array([one.values for one in found])
                choices.append((values, np.array([one.smiles == case.truth for one in found])))
    x = np.concatenate([values for values, _ in choices])
    is_right = np.concatenate([right for _, right in choices])
    case_of = np.repeat(np.arange(len(choices)), [len(values) for values, _ in choices])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = np.clip(x @ weights, -40, 40)
        odds = np.exp(scores)
        totals = 1.0 + np.bincount(case_of, odds, len(choices))
        value = np.log(totals).sum() - scores[is_right].sum() + 0.5 * PENALTY * weights @ weights
        return float(value), x.T @ (odds / totals[case_of] - is_right) + PENALTY * weights

    found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 3000})
    return dict(zip(FEATURES, map(float, found.x), strict=True))


def beliefs_of(
    cases: Sequence[Case], names: Sequence[Evidence], weights: Mapping[str, float]
) -> list[Belief | None]:
    """What the vote makes of the answers of some readers; None where they give no structure."""
    beliefs: list[Belief | None] = []
    for case in cases:
        ranked = candidates({name: case.answers[name] for name in names if name in case.answers}, weights)
        beliefs.append(Belief(ranked[0].probability, ranked[0].smiles == case.truth) if ranked else None)
    return beliefs


def report(
    title: str, names: Sequence[Evidence], cases: Sequence[Case], beliefs: Sequence[Belief | None]
) -> str:
    """One line: how often the vote on cases is right, and how often it is sure and wrong."""
    told = [belief for belief in beliefs if belief is not None]
    n_right = sum(is_right for _, is_right in told)
    wrong = [
        case
        for case, belief in zip(cases, beliefs, strict=True)
        if belief is not None and belief.confidence >= SURE and not belief.is_right
    ]
    n_not_drawn = sum(not case.is_as_drawn for case in wrong)
    error = expected_calibration_error(told) or 0.0
    of_truth = f" ({n_not_drawn} by a truth that is not drawn)" if n_not_drawn else ""
    who = f"{title}, {' + '.join(names)}"
    return f"  {who}: {n_right} of {len(beliefs)}, sure and wrong {len(wrong)}{of_truth}, ECE {error:.3f}"


def print_half(
    heading: str, names: Sequence[Evidence], told: Sequence[tuple[str, Case, Belief | None]]
) -> None:
    """The lines of each set, whose titles come first in ``told``, and of all real ones."""
    print(heading)
    for title in dict.fromkeys(title for title, _, _ in told):
        mine = [(case, belief) for name, case, belief in told if name == title]
        print(report(title, names, [case for case, _ in mine], [belief for _, belief in mine]))
    real = [(case, belief) for name, case, belief in told if name != DRAWN]
    print(report("real sets", names, [case for case, _ in real], [belief for _, belief in real]))


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--real", type=Path, default=real_data(), metavar="FOLDER", help="real documents")
    parser.add_argument("--limit", type=int, help="pictures of each set")
    parser.add_argument("--drawn", type=int, default=100, help="pictures that RDKit draws")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="where the readers' answers are kept")
    parser.add_argument(
        "--keep-weights", action="store_true", help="report the weights that the module holds"
    )
    arguments = parser.parse_args()
    real = need_folder(arguments.real) / "molecules"
    cases = {
        name: list(read_cases(real_pictures(real / name, arguments.limit), arguments.answers))
        for name in SETS
    }
    truths = [case.truth for group in cases.values() for case in group if case.is_for_development]
    cases[DRAWN] = list(read_cases(drawn_pictures(truths, arguments.drawn), arguments.answers))
    development = [(title, c) for title, group in cases.items() for c in group if c.is_for_development]
    others = [(title, c) for title, group in cases.items() for c in group if not c.is_for_development]
    order = list(range(len(development)))
    random.Random(0).shuffle(order)
    folds = [order[start::FOLDS] for start in range(FOLDS)]
    if arguments.keep_weights:
        weights: Mapping[str, float] = WEIGHTS
        fitted = [weights] * FOLDS
    else:
        weights = fit([case for _, case in development])
        fitted = [fit([development[k][1] for k in order if k not in set(fold)]) for fold in folds]
        for feature, weight in weights.items():
            print(f'    "{feature}": {weight:.2f},')
    names = sorted({name for _, case in development for name in case.answers})
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            crossed: list[tuple[str, Case, Belief | None]] = []
            for fold, of_others in zip(folds, fitted, strict=True):
                mine = [development[k] for k in fold]
                told = beliefs_of([case for _, case in mine], chosen, of_others)
                crossed += [(title, case, belief) for (title, case), belief in zip(mine, told, strict=True)]
            by = "by the weights of the module" if arguments.keep_weights else "by cross-validation"
            print_half(f"half for development, {by}", chosen, crossed)
            told = beliefs_of([case for _, case in others], chosen, weights)
            in_others = [(title, case, one) for (title, case), one in zip(others, told, strict=True)]
            print_half("other half", chosen, in_others)


if __name__ == "__main__":
    main()
