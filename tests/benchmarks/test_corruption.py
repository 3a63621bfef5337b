"""Wrong answers made on purpose, and that reading back ranks them below the right ones."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent, TableContent
from docai.parsers.molecule import parse_molecule
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.pipelines.readback import read_back
from docai.pipelines.readback.compare import COMPARISONS
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.similarity import load_model
from docai.pipelines.synthesis import samples

# The benchmarks are scripts that import one another by plain names.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "readback"))
try:
    from corruption import SUBTLE, TABLE, TEXT, Corruption
    from corruption_notation import MOLECULE, SCORE
finally:
    del sys.path[0]

pytestmark = pytest.mark.slow(seconds=20)

ALL: Mapping[str, Mapping[str, Corruption]] = {
    "table": TABLE,
    "molecule": MOLECULE,
    "score": SCORE,
    "text": TEXT,
}
HEAVY = {
    "table": ("drop_column", "invent_cell"),
    "molecule": ("add_ring", "other_molecule"),
    "score": ("shift_notes", "change_clef"),
    "text": ("drop_words", "shift_boxes"),
}


def content_of(head: str, target: str) -> Content:
    match head:
        case "molecule":
            return MoleculeContent(smiles=target, is_valid=True)
        case "score":
            return ScoreContent(kern=target, is_valid=True)
        case "table":
            return parse_table(target).content
    return parse_text(target).content


@pytest.mark.parametrize("head", ALL)
def test_a_corrupted_answer_is_another_answer(head: str) -> None:
    if head == "score":
        pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    stream = samples(head, 7, difficulty=0.5, split="held-out")
    made = set()
    for index in range(12):
        right = content_of(head, next(stream).target)
        for name, corrupt in ALL[head].items():
            wrong = corrupt(right, random.Random(index))
            if wrong is None:
                continue
            made.add(name)
            assert type(wrong) is type(right)
            assert wrong != right, name
            if isinstance(wrong, MoleculeContent):
                assert parse_molecule(wrong.smiles or "").content.is_valid
            if isinstance(wrong, TableContent) and isinstance(right, TableContent):
                assert all(cell.row < wrong.n_rows and cell.col < wrong.n_cols for cell in wrong.cells)
    # A staff can be dropped only where there are several, and no spine splits.
    assert made >= set(ALL[head]) - {"drop_staff"}


@pytest.mark.parametrize("head", ALL)
def test_the_right_answer_is_nearly_always_nearer_than_a_badly_wrong_one(head: str) -> None:
    if head == "score":
        pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    stream = samples(head, 11, difficulty=0.3, split="held-out")
    better = []
    for index in range(12):
        sample = next(stream)
        right = content_of(head, sample.target)
        own = read_back(right, sample.image).similarity
        assert own is not None
        for name in HEAVY[head]:
            wrong = ALL[head][name](right, random.Random(index))
            if wrong is not None:
                other = read_back(wrong, sample.image).similarity
                better.append(other is None or own > other)
    assert len(better) >= 12
    assert sum(better) / len(better) >= 0.95


@pytest.mark.parametrize("head", ALL)
def test_the_stored_coefficients_are_of_the_features_measured(head: str) -> None:
    if head == "score":
        pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    sample = next(samples(head, 3, difficulty=0.3, split="held-out"))
    content = content_of(head, sample.target)
    comparison = COMPARISONS[head]
    features = comparison.measure(comparison.observe(to_gray(sample.image)), content)
    assert set(load_model(head).terms) <= set(features)
    assert all(scale > 0 for _, scale, _ in load_model(head).terms.values())


def test_the_subtle_corruptions_exist() -> None:
    assert set(TABLE) | set(TEXT) >= SUBTLE
