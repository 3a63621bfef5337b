"""Beams end at stems, and hooks in paper."""

from __future__ import annotations

import numpy as np

from docai.pipelines.tracing.score.ink import read_ink
from docai.pipelines.tracing.score.slabs import find_beams
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.uprights import Bar

STEMS = [Bar(x, 40.0, 120.0, 2.0) for x in (100.0, 140.0)]
THICK = round(0.5 * SPACE_PX)


def beams(*spans: tuple[int, int, int]) -> list[tuple[float, float]]:
    """Ends of the beams of a picture with two stems and level strokes: first and last column, first row."""
    dark = np.zeros((160, 240), np.float32)
    for stem in STEMS:
        dark[40:120, round(stem.x) - 1 : round(stem.x) + 1] = 1
    for x0, x1, y in spans:
        dark[y : y + THICK, x0:x1] = 1
    found = find_beams(read_ink(dark, []), np.zeros(dark.shape, bool), STEMS)
    return sorted((stroke.x0, stroke.x1) for stroke in found)


def test_a_hook_does_not_reach_the_next_stem() -> None:
    (hook,), (beam,) = beams((100, 134, 60)), beams((100, 140, 60))
    assert hook[1] < 136
    assert beam[1] > 138


def test_a_beam_that_breaks_off_just_before_a_stem_is_at_it() -> None:
    (beam,) = beams((100, 137, 60))
    assert beam[1] >= 139
