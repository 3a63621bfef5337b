"""What every generator promises: reproducible, disjoint splits, contents inside the square."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import numpy as np
import pytest

from docai import errors
from docai.pipelines.synthesis import GENERATORS, Sample, samples, split_of
from docai.pipelines.synthesis.base import Plan, lerp

pytestmark = pytest.mark.slow(seconds=15)

HEADS = ("table", "molecule", "score", "text")
HARDNESS = (0.0, 0.5, 1.0)


def fingerprint(sample: Sample) -> tuple[str, bytes, tuple[object, ...]]:
    return sample.target, sample.image.tobytes(), sample.marks


def test_there_is_a_generator_for_every_head() -> None:
    from docai.models.heads import HEADS as REGISTERED

    assert set(GENERATORS) == set(REGISTERED) == set(HEADS)


def test_an_unknown_head_names_the_known_ones() -> None:
    with pytest.raises(errors.UnknownHeadError, match="molecule, score, table, text"):
        samples("caption", seed=1)


Drawn = tuple[str, dict[float, list[Sample]]]


@pytest.fixture(scope="module", params=HEADS)
def drawn(request: pytest.FixtureRequest) -> Drawn:
    """A head, and samples of it by their difficulty."""
    counts = {0.0: 8, 0.5: 4, 1.0: 8}
    return request.param, {
        difficulty: list(islice(samples(request.param, seed=5, difficulty=difficulty), count))
        for difficulty, count in counts.items()
    }


@pytest.mark.parametrize("difficulty", HARDNESS)
def test_the_content_lies_in_a_white_rgb_square(drawn: Drawn, difficulty: float) -> None:
    head, by_difficulty = drawn
    for sample in by_difficulty[difficulty]:
        assert sample.head == head
        assert (sample.image.mode, sample.image.size) == ("RGB", (896, 896))
        pixels = np.asarray(sample.image.convert("L"))
        assert pixels.min() < 150
        edge = np.concatenate([pixels[:6].ravel(), pixels[-6:].ravel(), pixels[:, :6].ravel()])
        assert edge.min() > 215
        # Shadows and tinted sheets may be as dark as ink: the whole sheet lies in the middle.
        content = np.argwhere(pixels < 250)
        middle = (content.min(axis=0) + content.max(axis=0)) / 2
        assert np.abs(middle - 448).max() < 60
        assert all(0 < mark.x < 896 and 0 < mark.y < 896 for mark in sample.marks)


@pytest.mark.parametrize("head", HEADS)
def test_a_sample_depends_on_its_index_alone(head: str) -> None:
    in_a_row = [fingerprint(sample) for sample in islice(samples(head, seed=3), 3)]
    alone = fingerprint(next(samples(head, seed=3, start=2)))
    assert in_a_row[2] == alone
    assert fingerprint(next(samples(head, seed=4, start=2))) != alone


def test_another_process_draws_the_same() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        there = {head: pool.submit(GENERATORS[head], random.Random(11), 0.8) for head in HEADS}
        here = {head: fingerprint(GENERATORS[head](random.Random(11), 0.8)) for head in HEADS}
        assert {head: fingerprint(future.result()) for head, future in there.items()} == here


@pytest.mark.parametrize("head", HEADS)
def test_the_splits_are_disjoint_by_content(head: str) -> None:
    train = list(islice(samples(head, seed=1, difficulty=0.2), 20))
    held_out = list(islice(samples(head, seed=1, difficulty=0.2, split="held-out"), 4))
    assert not {sample.key for sample in train} & {sample.key for sample in held_out}


def test_about_one_key_in_twenty_is_held_out() -> None:
    counts = Counter(split_of(f"key {n}") for n in range(4000))
    assert 150 < counts["held-out"] < 250


def test_calling_a_generator_gives_training_content_unless_asked() -> None:
    generator = GENERATORS["text"]
    plans = [Plan(generator(random.Random(n), 0.0).key, None) for n in range(60)]
    assert {generator.split_of(plan) for plan in plans} == {"train"}
    plans = [Plan(generator(random.Random(n), 0.0, None).key, None) for n in range(150)]
    assert {generator.split_of(plan) for plan in plans} == {"train", "held-out"}


def test_difficulty_makes_targets_longer(drawn: Drawn) -> None:
    mean = {
        difficulty: np.mean([len(sample.target) for sample in at_difficulty])
        for difficulty, at_difficulty in drawn[1].items()
    }
    assert mean[1.0] > 1.5 * mean[0.0]


def test_sizes_grow_evenly_with_the_difficulty() -> None:
    def mean(difficulty: float) -> float:
        rng = random.Random(3)
        return float(np.mean([lerp(rng, (1, 1), (1, 6), difficulty) for _ in range(4000)]))

    means = [mean(step / 20) for step in range(21)]
    steps = np.diff(means)
    assert means[0] == 1
    assert abs(means[-1] - 3.5) < 0.1
    assert (steps > 0.03).all()
    assert (steps < 0.25).all()


def test_second_lines_of_text_come_in_little_by_little() -> None:
    def share(difficulty: float) -> float:
        plans = (GENERATORS["text"].compose(random.Random(n), difficulty, "train") for n in range(600))
        return float(np.mean([len(plan.content.blocks[0]) > 1 for plan in plans]))

    shares = [share(difficulty) for difficulty in (0.0, 0.04, 0.08, 0.12, 0.16)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0.02 < shares[1] < 0.2
    assert max(np.diff(shares)) < 0.2
