"""How many slots a device has memory for, by the numbers of the official 3B model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PaliGemmaConfig

from docai.models import memory
from docai.models.memory import MAX_SLOTS, default_slots, reading_bytes, slot_bytes, slots_that_fit
from docai.models.paligemma import PaliGemmaEngine
from tests.models.test_scheduler import mixed

POSITIONS = 4096 + 8 + 1024
GB = 10**9


@pytest.fixture
def config() -> PaliGemmaConfig:
    return PaliGemmaConfig(
        text_config={
            "model_type": "gemma2",
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "vocab_size": 257_216,
        }
    )


def test_a_slot_of_the_3b_model(config: PaliGemmaConfig) -> None:
    # 26 layers, keys and values, 4 heads of 256 numbers of 2 bytes: 106 KB a position.
    assert slot_bytes(config, 1, 2) == 26 * 2 * 4 * 256 * 2
    assert slot_bytes(config, POSITIONS, 2) == pytest.approx(0.546 * GB, rel=0.01)


def test_more_memory_is_more_slots_within_bounds(config: PaliGemmaConfig) -> None:
    free = [GB // 10, 2 * GB, 6 * GB, 18 * GB, 130 * GB]
    slots = [slots_that_fit(config, POSITIONS, 2, one) for one in free]
    assert slots == sorted(slots)
    assert slots[0] == 1, "memory that runs out is told when it does"
    assert slots[-1] == MAX_SLOTS
    assert 20 < slots[3] < 32
    assert slots_that_fit(config, POSITIONS // 4, 2, 6 * GB) > 3 * slots[2]


def test_a_processor_takes_half_of_what_is_free(
    tiny_engine: PaliGemmaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, n_image = tiny_engine._model, tiny_engine.checkpoint.n_image_tokens
    positions = n_image + 32 + 24
    text = model.config.text_config
    a_slot = slot_bytes(model.config, positions, 4) + 12 * text.vocab_size
    reading = reading_bytes(model.config, positions, 4)

    def slots(available: float | None) -> int:
        monkeypatch.setattr(memory, "memory", lambda: (None, None if available is None else int(available)))
        return default_slots(model, n_image, [24])

    assert slots(None) == slots(64 * GB) == 8
    assert slots(2 * (reading + 3.5 * a_slot) / 0.92) == 3
    assert slots(0) == 1


def test_the_cache_takes_what_was_computed(tiny_folder: Path) -> None:
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", batch_size=3)
    engine.generate(mixed(5))
    cache = engine._dispatcher.scheduler._decoder.cache
    # One position more takes what rows without an answer write.
    assert cache.n_bytes == 3 * slot_bytes(engine._model.config, cache.length + 1, torch.float32.itemsize)
