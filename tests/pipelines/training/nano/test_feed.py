"""Samples from background processes."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from docai.pipelines.synthesis import Mark, Sample, samples
from docai.pipelines.training.nano import build_processor
from docai.pipelines.training.nano import feed as feeding
from docai.pipelines.training.nano.feed import Feed, FeedSettings, cut_sample, n_symbols, symbol_vocabulary
from docai.pipelines.training.nano.patches import SparseSample
from tests.pipelines.training.conftest import SMILES


class EnoughError(Exception):
    pass


def drawn(settings: FeedSettings, worker: int, count: int) -> list[SparseSample]:
    """The first samples of one process's work, drawn here."""
    samples: list[SparseSample] = []

    def put(sample: SparseSample, timeout: float) -> None:
        samples.append(sample)
        if len(samples) == count:
            raise EnoughError

    with pytest.raises(EnoughError):
        feeding._draw_forever(
            settings,
            worker,
            SimpleNamespace(value=0.0),  # type: ignore[arg-type]
            SimpleNamespace(value=0.0),  # type: ignore[arg-type]
            SimpleNamespace(put=put, cancel_join_thread=lambda: None),  # type: ignore[arg-type]
        )
    return samples


def same(a: SparseSample, b: SparseSample) -> bool:
    return (
        a.head == b.head
        and np.array_equal(a.suffix, b.suffix)
        and np.array_equal(a.positions, b.positions)
        and np.array_equal(a.patches, b.patches)
    )


def test_a_process_draws_the_same_again_and_another_process_draws_others() -> None:
    settings = FeedSettings({"text": 0.5, "molecule": 0.5}, seed=5)
    first = drawn(settings, 0, 5)
    assert {sample.head for sample in first} == {"text", "molecule"}
    assert all(same(a, b) for a, b in zip(first, drawn(settings, 0, 5), strict=True))
    assert not any(same(a, b) for a, b in zip(first, drawn(settings, 1, 5), strict=True))
    later = replace(settings, start=5)
    assert not any(same(a, b) for a, b in zip(first, drawn(later, 0, 5), strict=True))


def test_long_targets_are_left_out() -> None:
    settings = FeedSettings({"molecule": 1.0}, seed=4, max_text_tokens=12)
    assert all(len(sample.suffix) <= 12 for sample in drawn(settings, 0, 4))


def test_processes_end_with_the_feed_even_when_it_fails() -> None:
    feed = Feed(FeedSettings({"text": 1.0}, seed=1), workers=1)
    try:
        with feed:
            batch = feed.take(2)
            raise EnoughError
    except EnoughError:
        assert [sample.head for sample in batch] == ["text"] * 2
        assert batch[0] is not batch[1], "no sample twice in a batch"
    assert not any(process.is_alive() for process in feed._processes)
    assert not multiprocessing.active_children()


def test_drawing_loads_no_torch_and_tokens_are_those_of_the_processor() -> None:
    code = """
import sys
from docai.pipelines.training.nano.feed import cut_sample
from docai.pipelines.training.nano.model import build_tokenizer
from docai.pipelines.synthesis import samples
import numpy as np
print(cut_sample(next(samples("text", 5)), build_tokenizer(), np.random.default_rng(0)).suffix.tolist())
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    suffix, has_torch = done.stdout.splitlines()
    assert has_torch == "False"
    tokenizer = build_processor().tokenizer
    drawn_here = cut_sample(next(samples("text", 5)), tokenizer, np.random.default_rng(0))
    assert json.loads(suffix) == drawn_here.suffix.tolist()


def test_a_sample_is_used_about_as_often_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(FeedSettings({"molecule": 1.0}, seed=1), workers=0, capacity=10, reuse=2.0)
    numbers = iter(range(1_000))
    monkeypatch.setattr(feed._queue, "get", lambda timeout: next(numbers))
    taken: list[object] = [sample for _ in range(50) for sample in feed.take(2)]
    assert feed.n_used == 100
    assert feed.n_drawn == 49, "the batch after the limit waits for fresh ones"
    assert len(feed._buffer) == 10
    assert max(taken) > 40, "old samples make room"  # type: ignore[type-var]


def test_symbols_of_text_and_tables_are_shared_and_others_are_told_apart() -> None:
    tokenizer = build_processor().tokenizer
    names = symbol_vocabulary()
    assert n_symbols() == max(names.values()) + 1
    for head, key in (("text", "C"), ("table", "C"), ("molecule", "molecule:C")):
        sample = Sample(head, image(), SMILES[0], (Mark(30, 3, "C"),), "key")
        cut = cut_sample(sample, tokenizer, np.random.default_rng(0), whole=True)
        assert cut.symbols[1].tolist() == [names[key], 0, 0, 0]


def test_tokens_point_to_the_patch_that_shows_them() -> None:
    tokenizer = build_processor().tokenizer
    box = "<loc0032><loc0064><loc0128><loc0512>"
    marks = (Mark(100, 60, "a", (37, 38)), Mark(300, 60, "b", (38, 39)), Mark(5, 5, "?"))
    sample = Sample("text", image(), f"{box} ab", marks, "key")
    cut = cut_sample(sample, tokenizer, np.random.default_rng(0))
    assert tokenizer.convert_ids_to_tokens(cut.suffix)[-3:] == ["a", "b", "<eos>"]
    shown = [None if pointer < 0 else int(cut.positions[pointer]) for pointer in cut.pointers]
    corners = [1 * 32 + 2, 3 * 32 + 15]  # (58, 30) and (446, 110) px
    assert shown == [corners[0], corners[0], corners[1], corners[1], None, 2 * 32 + 3, 2 * 32 + 10, None]


def image() -> Image.Image:
    return Image.new("RGB", (896, 896), "white")
