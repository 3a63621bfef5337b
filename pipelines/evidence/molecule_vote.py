"""Which structure of a picture is believed, of all that its readers gave, and how sure that is.

Each reader reads several preparations of a picture (:class:`.molecule_answers.MoleculeAnswer`), so there are
up to a dozen answers. A different structure among them is a *candidate*. A multinomial logit (McFadden, 1974)
tells how likely each is right, or that none is, whose odds are 1: from who gives it how often, from how well
these readers think that they read, from what the other answers say, and from its chemistry: labels that could
be read, valences, oddities that drawings hardly ever show. The likeliest candidate is believed, and its
probability is its confidence.

The weights are those that ``benchmarks/fit_molecules.py`` fits, for all subsets of readers, so that a reader
that is not installed or was not asked is not one that disagrees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from docai.contents import MoleculeContent
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.molecule_answers import (
    MAX_ODDITIES,
    MoleculeAnswer,
    count_oddities,
    makeup,
)
from docai.pipelines.evidence.molecule_charges import count_cations, lacks_charges, with_drawn_charges
from docai.pipelines.evidence.molecule_salts import with_salts
from docai.pipelines.evidence.molecule_stems import count_iodines
from docai.records import Alternative, Confidence, Evidence

METHOD: Final = "readers of the picture that agree, in several preparations, and their chemistry (fitted)"

MAX_RIVAL_ODDITIES: Final = 0
"""Of a structure that tells what others lack."""

MAX_MISSING: Final = 4

WARNINGS: Final = 2.0
"""Lines that Imago could not place, of which three times as many are hardly worse."""

FEATURES: Final = (
    "bias",
    "imago_asked",
    "imago_share",
    "imago_warned",
    "osra_asked",
    "osra_first",
    "osra_share",
    "osra_estimate",
    "tracing_asked",
    "tracing_says",
    "tracing_quality",
    "agreement",
    "rival",
    "plausibility",
    "oddities",
    "size",
    "atoms_missing",
    "hetero_missing",
    "unsaturation_missing",
    "marks_missing",
)
"""What :func:`features` gives, in that order."""

WEIGHTS: Final[Mapping[str, float]] = {
    "bias": -3.35,
    "imago_asked": 0.10,
    "imago_share": 2.39,
    "imago_warned": -4.44,
    "osra_asked": -0.71,
    "osra_first": 2.90,
    "osra_share": 1.59,
    "osra_estimate": -0.40,
    "tracing_asked": -0.40,
    "tracing_says": 1.40,
    "tracing_quality": 1.76,
    "agreement": -1.14,
    "rival": -0.43,
    "plausibility": 2.99,
    "oddities": -7.54,
    "size": -0.04,
    "atoms_missing": 0.15,
    "hetero_missing": -2.54,
    "unsaturation_missing": -0.27,
    "marks_missing": -3.25,
}
"""Fitted on pictures of the halves for development: 92 real ones, all of CLEF 2012 and testSet1 and a part of
the other sets, and 45 drawn ones. By cross-validation the calibration error of all three readers is 0.07 on
these real ones, and 0.10 without OSRA; that of a perfect one would seem to be 0.05 to 0.07 on so few.

``marks_missing`` was fitted on letters I alone: hardly any picture of the halves shows a charge."""


@dataclass(frozen=True)
class Candidate:
    """A structure that readers gave."""

    smiles: str
    sources: tuple[Evidence, ...]
    """Who gave it, in any preparation; whose first answer it is come first."""
    values: tuple[float, ...]
    """See :data:`FEATURES`."""
    probability: float
    """That it is right, 0…1."""


def candidates(
    answers: Mapping[Evidence, Sequence[MoleculeAnswer]], weights: Mapping[str, float] = WEIGHTS
) -> list[Candidate]:
    """The structures among the answers of each reader, whose best answers come first; likeliest first.

    An answer that lacks charges which the tracing sees is the structure with them.
    """
    answers = with_drawn_charges(answers)
    smiles = dict.fromkeys(one.smiles for given in answers.values() for one in given if one.smiles)
    support = {text: _support(text, answers) for text in smiles}
    values = {text: features(text, answers, support) for text in smiles}
    odds = {
        text: math.exp(sum(weights[name] * value for name, value in zip(FEATURES, given, strict=True)))
        for text, given in values.items()
    }
    total = 1.0 + sum(odds.values())
    found = [Candidate(text, _sources(text, answers), values[text], odds[text] / total) for text in smiles]
    return sorted(found, key=lambda one: one.probability, reverse=True)


def features(
    smiles: str, answers: Mapping[Evidence, Sequence[MoleculeAnswer]], support: Mapping[str, float]
) -> tuple[float, ...]:
    """What is known of a candidate, see :data:`FEATURES`.

    ``*_asked`` are 1 for a reader that was asked, ``*_share`` the share of its answers that are this one,
    ``imago_warned`` how many lines Imago could not place in it at least (0 none, 1 many), ``osra_first`` 1
    where it is the answer of the best estimate,
    ``osra_estimate`` that estimate then (-1 poor, 1 good), ``tracing_quality`` the confidence of the
    tracing, ``agreement`` the number of readers beside one who give it, ``rival`` the support of the
    strongest other structure, ``size`` the log of the number of atoms, ``*_missing`` what another one
    has more, and ``marks_missing`` 1 where the picture shows letters I that it has no iodine for, or plus
    signs that it has no charge for.
    """
    imago, osra, tracing = (answers.get(name, ()) for name in ("imago", "osra", "tracing"))
    mine = [one for given in answers.values() for one in given if one.smiles == smiles]
    n_stems, n_signs = (
        max((getattr(one, name) for given in answers.values() for one in given), default=0)
        for name in ("n_stems", "n_signs")
    )
    is_first = bool(osra) and osra[0].smiles == smiles
    says = bool(tracing) and tracing[0].smiles == smiles
    return (
        1.0,
        float("imago" in answers),
        _share(smiles, imago),
        math.tanh(min((-one.own for one in imago if one.smiles == smiles), default=0.0) / WARNINGS),
        float("osra" in answers),
        float(is_first),
        _share(smiles, osra),
        math.tanh(osra[0].own / 3.0) if is_first else 0.0,
        float("tracing" in answers),
        float(says),
        tracing[0].own if says else 0.0,
        float(len(_sources(smiles, answers)) - 1),
        _rival(smiles, support),
        max(one.plausibility for one in mine),
        count_oddities(smiles) / MAX_ODDITIES,
        math.log(1 + makeup(smiles).atoms) / 4.0,
        *_missing(smiles, support),
        float(n_stems > count_iodines(smiles) or n_signs > count_cations(smiles)),
    )


def _missing(smiles: str, support: Mapping[str, float]) -> tuple[float, ...]:
    """Atoms, hetero atoms and double bonds that it has fewer than the structure that has the most."""
    mine = makeup(smiles)
    others = [makeup(text) for text in support if count_oddities(text) <= MAX_RIVAL_ODDITIES]
    return tuple(
        min(MAX_MISSING, max(0, *(other[part] - mine[part] for other in others))) / MAX_MISSING
        if others
        else 0.0
        for part in range(len(mine))
    )


def _share(smiles: str, answers: Sequence[MoleculeAnswer]) -> float:
    return sum(one.smiles == smiles for one in answers) / len(answers) if answers else 0.0


def _support(smiles: str, answers: Mapping[Evidence, Sequence[MoleculeAnswer]]) -> float:
    """Readers who give it: the mean of its share in all answers of each and whether it is the first."""
    return sum(
        0.5 * (_share(smiles, given) + (given[0].smiles == smiles)) for given in answers.values() if given
    )


def _rival(smiles: str, support: Mapping[str, float]) -> float:
    return max((value for text, value in support.items() if text != smiles), default=0.0)


def _sources(smiles: str, answers: Mapping[Evidence, Sequence[MoleculeAnswer]]) -> tuple[Evidence, ...]:
    names = [name for name, given in answers.items() if any(one.smiles == smiles for one in given)]
    return tuple(sorted(names, key=lambda name: answers[name][0].smiles != smiles))


def reading_of_answers(
    source: Evidence, answers: Sequence[MoleculeAnswer], texts: Sequence[str] = ()
) -> Reading:
    """What one reader makes of a picture.

    Args:
        source: the reader.
        answers: to several preparations, the best first.
        texts: written beside the structure, see :mod:`.molecule_salts`.
    """
    answers = [
        replace(one, smiles=with_salts(one.smiles, texts)) if one.smiles and texts else one for one in answers
    ]
    best = next(iter(candidates({source: answers})), None)
    if best is None:
        return Reading(source, molecules=tuple(answers))
    return _reading(best, answers)


def _reading(best: Candidate, answers: Sequence[MoleculeAnswer]) -> Reading:
    content = parse_molecule(best.smiles).content
    probability = round(best.probability, 4)
    return Reading(
        best.sources[0],
        content,
        best.smiles,
        complete=content.is_valid and "*" not in best.smiles,
        confidence=Confidence(value=probability, method=METHOD),
        is_calibrated=True,
        quality=probability,
        molecules=tuple(answers),
    )


def join_molecules(readings: Sequence[Reading]) -> tuple[Reading | None, tuple[Alternative, ...]]:
    """The structure that is believed among second readers of a picture, and the other answers.

    Its ``supporters`` are the readers who give it as well, in any preparation; ``opponents`` those who saw
    something and not that. The confidence is calibrated, so that nothing is to be added for them.
    """
    issues = tuple(issue for reading in readings for issue in reading.issues)
    answers = answers_of(readings)
    ranked = candidates(answers)
    if not ranked:
        return (replace(readings[0], issues=issues) if readings else None), ()
    best = ranked[0]
    joined = replace(
        _reading(best, [one for given in answers.values() for one in given]),
        supporters=best.sources[1:],
        opponents=tuple(
            reading.source
            for reading in readings
            if reading.content is not None and reading.source not in best.sources
        ),
        issues=issues,
    )
    reason = f"the answer of {best.sources[0]} was likelier"
    return joined, tuple(
        Alternative(source=reading.source, content=reading.text, reason=reason)
        for reading in readings
        if reading.content is not None and reading.text.strip() and not _is_meant(reading, best)
    )


def _is_meant(reading: Reading, best: Candidate) -> bool:
    """Whether what a reader gives is the structure that is believed, or that without its signs."""
    is_without = reading.source in best.sources and lacks_charges(reading.text, best.smiles)
    return reading.text == best.smiles or is_without


def answers_of(readings: Sequence[Reading]) -> dict[Evidence, tuple[MoleculeAnswer, ...]]:
    """By reader; without those that crashed, or took too long."""
    return {reading.source: _answers(reading) for reading in readings if not _failed(reading)}


def _answers(reading: Reading) -> tuple[MoleculeAnswer, ...]:
    """Those of a reader that gives one answer are that one."""
    if reading.molecules:
        return reading.molecules
    content = reading.content
    smiles = content.smiles if isinstance(content, MoleculeContent) else None
    own = reading.quality if reading.quality is not None else reading.confidence.value or 0.0
    plausibility = 1.0 if reading.complete else 0.0
    return (MoleculeAnswer(smiles, "as it is", plausibility, own),)


def _failed(reading: Reading) -> bool:
    """It crashed or took too long, and has said so."""
    return reading.content is None and bool(reading.issues)
