"""How readings of drawings are compared with what was drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from docai.pipelines.synthesis.vector.molecules import rdkit_pdf
from docai.pipelines.synthesis.vector.notes import notes_of_kern

# The benchmarks are scripts that import one another by plain names.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
try:
    from drawing_cases import Case
    from drawings import chosen_sets, plain_smiles, read_case, token_distance
finally:
    del sys.path[0]

SCALE = "**kern\n*clefG2\n=1\n4c\n4d#\n[2e\n=2\n2e]\n==\n*-"


@pytest.mark.parametrize(
    ("changed", "distance"),
    [("4c", 0), ("4d", 1), ("8c", 1), ("4c 4e", 1), ("4r", 1), ("4c\n4c", 1)],
)
def test_a_wrong_pitch_a_wrong_duration_and_a_note_more_or_less_are_one_token_each(
    changed: str, distance: int
) -> None:
    (truth,), (notes,) = notes_of_kern(SCALE), notes_of_kern(SCALE.replace("4c", changed, 1))
    assert token_distance(truth, notes) == distance


def test_open_positions_are_compared_without_their_names_and_stereo_with_it() -> None:
    assert plain_smiles("[2*]CCO") == plain_smiles("OCC[*:1]")
    assert plain_smiles("C[C@H](N)O") != plain_smiles("C[C@@H](N)O")


def test_a_case_is_right_only_with_the_structure_that_was_drawn() -> None:
    drawn = rdkit_pdf("CC(=O)Oc1ccccc1C(=O)O", 3, legend="")
    right, wrong = (
        read_case(Case("aspirin", "molecule", drawn.data, smiles)) for smiles in (drawn.smiles, "CCO")
    )
    assert not right.n_wrong, right.answer
    assert wrong.n_wrong
    assert not wrong.is_doubted


def test_groups_of_sets_have_names() -> None:
    assert chosen_sets("neither,rdkit") == ["decoys", "pages", "rdkit"]
    with pytest.raises(SystemExit, match="no set chalk"):
        chosen_sets("chalk")
