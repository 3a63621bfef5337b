"""Any drawing, sound, damaged or without sense, is read without an exception."""

from __future__ import annotations

import math
import random
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docai.issues import CODES
from docai.pipelines.drawings.letters import read_letters
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.sound import MAX_COORDINATE, sound_drawing
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.chaos import damaged, random_drawing
from docai.pipelines.synthesis.vector.molecules import rdkit_pdf
from docai.pipelines.synthesis.vector.scores import verovio_pdf

pytestmark = pytest.mark.slow(seconds=15)

KERN = "**kern\n*clefG2\n*k[f#]\n*M3/4\n=1\n8ggL\n8ff#J\n(4ee\n4cc#)\n==\n*-"


@cache
def sound(kind: str) -> Drawing:
    made = rdkit_pdf("C[C@H](N)C(=O)Oc1ccc(Cl)cc1", 3) if kind == "molecule" else verovio_pdf(KERN)
    with open_source(made.data) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def assert_sane(drawing: Drawing) -> None:
    for reading in [*read_molecules(drawing), *read_systems(drawing)]:
        assert all(map(math.isfinite, reading.bbox))
        assert 0 <= reading.confidence <= 1
        assert all(issue.code in CODES for issue in reading.issues)
        content = reading.content
        if content is not None:
            assert type(content).model_validate_json(content.model_dump_json()) == content
    sound_only = sound_drawing(drawing)
    assert all(0 <= letter.score <= 1 for letter in read_letters(sound_only))
    assert all(staff.x0 <= staff.x1 for staff in find_staves(sound_only))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32), most=st.sampled_from([3, 12, 60]))
def test_strokes_and_glyphs_without_sense_break_nothing(seed: int, most: int) -> None:
    assert_sane(random_drawing(random.Random(seed), most))


@pytest.mark.parametrize("kind", ["molecule", "score"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 32))
def test_damaged_drawings_break_nothing(kind: str, seed: int) -> None:
    assert_sane(damaged(sound(kind), random.Random(seed)))


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 32))
def test_what_is_left_of_any_drawing_can_be_measured(seed: int) -> None:
    drawing = random_drawing(random.Random(seed), 30)
    left = sound_drawing(drawing)
    for path in left.paths:
        assert path.subpaths
        for part in path.subpaths:
            assert len(part.points) > 1
            assert abs(part.points).max() <= MAX_COORDINATE
    assert sound_drawing(left) is left
    assert len(left.paths) <= len(drawing.paths)


def test_a_sound_drawing_is_left_as_it_is() -> None:
    assert sound_drawing(sound("molecule")) is sound("molecule")
