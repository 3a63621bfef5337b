"""The presets are the paper's, and every one of them can be overruled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docai.errors import SettingError
from docai.models.heads import HEADS
from docai.pipelines.training.settings import PRESETS, AdapterSettings, complete

PAPER = {
    "text": (15_000, 1e-5, 0.1, 2048),
    "table": (15_000, 1e-4, 0.0, 4096),
    "molecule": (30_000, 1e-4, 0.1, 256),
    "score": (30_000, 1e-4, 0.1, 1024),
}


def test_every_head_has_the_papers_settings() -> None:
    assert PRESETS.keys() == HEADS.keys() == PAPER.keys()
    for name, (steps, rate, smoothing, tokens) in PAPER.items():
        recipe = AdapterSettings(full=True).recipe(HEADS[name])
        assert (recipe.steps, recipe.learning_rate, recipe.label_smoothing) == (steps, rate, smoothing)
        assert recipe.step_size == 256
        assert HEADS[name].max_tokens == tokens


@pytest.mark.parametrize(("batch", "accumulate"), [(1, 256), (6, 43), (256, 1), (300, 1)])
def test_a_step_has_at_least_256_pairs(batch: int, accumulate: int) -> None:
    assert complete(HEADS["table"], full=False, batch=batch).accumulate == accumulate


def test_what_is_given_overrules_the_preset() -> None:
    settings = AdapterSettings(steps=7, batch=2, accumulate=3, learning_rate=0.5, label_smoothing=0.0)
    recipe = settings.recipe(HEADS["text"])
    assert (recipe.steps, recipe.step_size, recipe.learning_rate, recipe.label_smoothing) == (7, 6, 0.5, 0.0)


def test_an_adapter_takes_larger_steps_than_whole_weights() -> None:
    text = HEADS["text"]
    assert (
        AdapterSettings().recipe(text).learning_rate > AdapterSettings(full=True).recipe(text).learning_rate
    )


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"batch": 0},
        {"learning_rate": -1.0},
        {"label_smoothing": 1.0},
        {"max_rejected": 1.5},
        {"held_out": -1},
        {"measure_steps": 0},
        {"full": True, "four_bit": True},
    ],
)
def test_settings_that_cannot_be_used_are_refused(change: dict[str, float | bool]) -> None:
    with pytest.raises(SettingError):
        replace(AdapterSettings(), **change).recipe(HEADS["table"])  # type: ignore[arg-type]
