"""Charges that a molecule's picture shows, and that programs overlook: small signs beside letters.

A program that overlooks a sign gives a structure all the same: hydrogen takes the place of the charge. Where
the tracing sees signs, an answer without them is no answer of its own: it is the structure with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, quietly_parsed
from docai.records import Evidence

SOUND: Final = 0.5
"""Confidence from which the tracing made out all that it saw."""

_CARBON: Final = 6


def with_drawn_charges(
    answers: Mapping[Evidence, Sequence[MoleculeAnswer]],
) -> dict[Evidence, tuple[MoleculeAnswer, ...]]:
    """The answers of each reader, where those that differ from the tracing in lacking charges have them."""
    given = {name: tuple(of_reader) for name, of_reader in answers.items()}
    traced = next((one for one in given.get("tracing", ()) if one.own >= SOUND), None)
    if traced is None or traced.smiles is None or not _charges(traced.smiles):
        return given
    return {
        name: tuple(
            replace(one, smiles=traced.smiles)
            if one.smiles and lacks_charges(one.smiles, traced.smiles)
            else one
            for one in of_reader
        )
        for name, of_reader in given.items()
    }


def count_cations(smiles: str) -> int:
    """Atoms with a positive charge."""
    return sum(n for (_, charge), n in _charges(smiles).items() if charge > 0)


@lru_cache(maxsize=4096)
def _charges(smiles: str) -> Counter[tuple[str, int]]:
    """How often an element has a charge, without those that have none."""
    mol = quietly_parsed(smiles)
    if mol is None:
        return Counter()
    return Counter(
        (atom.GetSymbol(), atom.GetFormalCharge()) for atom in mol.GetAtoms() if atom.GetFormalCharge()
    )


def lacks_charges(smiles: str, charged: str) -> bool:
    """Whether a structure is another one but for some of its charges and the hydrogen that goes with them."""
    mine, other = _charges(smiles), _charges(charged)
    return mine != other and mine <= other and _uncharged(smiles) == _uncharged(charged) != ""


@lru_cache(maxsize=4096)
def _uncharged(smiles: str) -> str:
    """The atoms and bonds without charges, and hydrogen of carbon alone; empty where it is no structure."""
    from rdkit import Chem

    mol = quietly_parsed(smiles)
    if mol is None:
        return ""
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() != _CARBON:
            atom.SetFormalCharge(0)
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(True)
    return str(Chem.MolToSmiles(mol))
