"""Fits the vote on structures of pictures (:mod:`docai.pipelines.evidence.molecule_vote`) on real pictures.

    python benchmarks/fit_molecules.py [--real FOLDER] [--limit N]

Each reader of molecules that is installed reads the pictures of all sets in the folder ``DOCAI_REAL_DATA``.
The weights are fitted on the half for development, every other file of a set from the first on, for each
subset of readers; the other half is reported alone. A picture gives one case for each subset: its candidates
with what the vote knows of them, and which of them is right, by isomeric canonical SMILES, if any is. The
likelihood of the multinomial logit, with a quadratic penalty on the weights, is maximized by L-BFGS.

Prints the weights as the module holds them, then for each subset and half how many structures are right, how
many of those with a probability of 0.8 or more are not, and the calibration error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from common import need_folder, real_data, script_parser
from numpy.typing import NDArray

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evaluation.base import Belief, Sample
from docai.pipelines.evaluation.datasets.molecules import read_molfiles
from docai.pipelines.evaluation.metrics.calibration import expected_calibration_error
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer
from docai.pipelines.evidence.molecule_vote import FEATURES, Candidate, answers_of, candidates
from docai.pipelines.evidence.readers import ask, known_readers
from docai.pipelines.ingest import open_source
from docai.records import Evidence

SETS: Final = ("uspto", "clef2012", "usan", "testSet1", "jpo")

PENALTY: Final = 1.0

SURE: Final = 0.8

Answers = Mapping[Evidence, Sequence[MoleculeAnswer]]


class Case(NamedTuple):
    """One picture, its truth, and what each reader makes of it."""

    truth: str
    answers: Answers
    is_for_development: bool


def read_cases(samples: Iterator[Sample]) -> Iterator[Case]:
    """What all readers of molecules make of the pictures of one set."""
    readers = [
        reader
        for reader in known_readers()
        if reader.kinds == frozenset(("molecule",)) and "picture" in reader.needs and not reader.available()
    ]
    for number, sample in enumerate(samples):
        if sample.source is None:
            continue
        with open_source(sample.source) as source, source.page(1) as page:
            region = ReaderInput(page, page.bbox)
            readings = [ask(reader, region) for reader in readers]
        truth = parse_molecule(sample.truth[0].text).content.smiles
        if truth is not None:
            yield Case(truth, answers_of(readings), number % 2 == 0)


def subsets(answers: Answers) -> Iterator[Answers]:
    """Of those readers that said something, each choice of at least one."""
    names = list(answers)
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            yield {name: answers[name] for name in chosen}


def fit(choices: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Weights of the features, of candidates by case: their features, and whether each is right."""
    from scipy.optimize import minimize

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
    return np.asarray(found.x, np.float64)


def report(cases: Sequence[Case], names: Sequence[Evidence], weights: Mapping[str, float]) -> str:
    """One line: what the vote makes of the answers of some readers."""
    beliefs: list[Belief] = []
    n_right = 0
    for case in cases:
        given = {name: case.answers[name] for name in names if name in case.answers}
        ranked: list[Candidate] = candidates(given, weights)
        is_right = bool(ranked) and ranked[0].smiles == case.truth
        n_right += is_right
        if ranked:
            beliefs.append(Belief(ranked[0].probability, is_right))
    n_wrong = sum(probability >= SURE and not is_right for probability, is_right in beliefs)
    error = expected_calibration_error(beliefs) or 0.0
    return f"{' + '.join(names)}: {n_right} of {len(cases)}, sure and wrong {n_wrong}, ECE {error:.3f}"


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--real", type=Path, default=real_data(), metavar="FOLDER", help="real documents")
    parser.add_argument("--limit", type=int, help="pictures of each set")
    arguments = parser.parse_args()
    real = need_folder(arguments.real) / "molecules"
    cases: dict[str, list[Case]] = {}
    for name in SETS:
        samples = (one for one in read_molfiles(real / name) if isinstance(one, Sample))
        cases[name] = list(read_cases(islice(samples, arguments.limit)))
    development = [case for group in cases.values() for case in group if case.is_for_development]
    choices = []
    for case in development:
        for given in subsets(case.answers):
            if found := candidates(given):
                values = np.array([one.values for one in found])
                choices.append((values, np.array([one.smiles == case.truth for one in found])))
    weights = dict(zip(FEATURES, map(float, fit(choices)), strict=True))
    for feature, weight in weights.items():
        print(f'    "{feature}": {weight:.2f},')
    names = sorted({name for case in development for name in case.answers})
    for is_for_development in (True, False):
        print("half for development" if is_for_development else "other half")
        for size in range(1, len(names) + 1):
            for chosen in combinations(names, size):
                for title, group in cases.items():
                    half = [case for case in group if case.is_for_development == is_for_development]
                    print(f"  {title}: {report(half, chosen, weights)}")


if __name__ == "__main__":
    main()
