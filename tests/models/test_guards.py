"""Each guard against a trap of PaliGemma 2 in transformers: what it promises, and that it is needed.

Every test here also takes its guard out and expects another answer or an error, so none can go stale.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    GenerationConfig,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
)

from docai.errors import CheckpointError, GenerationError, SettingError
from docai.models import guards
from docai.models.engine import Generation, Request
from docai.models.inputs import encode_prompts
from docai.models.loading import choose_dtype
from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_tiny, noise, tiny_head


def answers(engine: PaliGemmaEngine, *prompts: str) -> list[Generation]:
    prompts = prompts or ("read table",)
    return engine.generate([Request(tiny_head(prompt=p), noise(i)) for i, p in enumerate(prompts)])


def same(one: list[Generation], other: list[Generation]) -> bool:
    return all(
        a.tokens == b.tokens and torch.allclose(torch.tensor(a.logprobs), torch.tensor(b.logprobs), atol=1e-4)
        for a, b in zip(one, other, strict=True)
    )


def reference_logprobs(
    folder: Path, image: Image.Image, prompt: str, n_tokens: int, *, full: bool = True
) -> list[float]:
    """Greedy log-probabilities by one plain forward pass per token: stock model, eager, no cache.

    Full attention is put into the file unless not wanted, so this shares no code with the engine but the
    processor.
    """
    config = PaliGemmaConfig.from_pretrained(folder)
    if full:
        config.text_config.layer_types = ["full_attention"] * config.text_config.num_hidden_layers
    model = PaliGemmaForConditionalGeneration.from_pretrained(
        folder, config=config, attn_implementation="eager"
    )
    processor = PaliGemmaProcessor.from_pretrained(folder)
    inputs = processor(images=[[image]], text=["<image>" + prompt], return_tensors="np")
    ids, types = torch.tensor(inputs["input_ids"]), torch.tensor(inputs["token_type_ids"])
    pixels = torch.tensor(inputs["pixel_values"])
    found = []
    for _ in range(n_tokens):
        with torch.no_grad():
            logits = model(
                input_ids=ids,
                pixel_values=pixels,
                token_type_ids=types,
                attention_mask=torch.ones_like(ids),
            ).logits[0, -1]
        token = logits.argmax()
        found.append(float(logits.log_softmax(-1)[token]))
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        types = torch.cat([types, torch.ones(1, 1, dtype=types.dtype)], dim=1)
    return found


def stock_answers(engine: PaliGemmaEngine, *prompts: str) -> list[list[int]]:
    """What ``generate`` of transformers writes from what :func:`encode_prompts` gives."""
    model = engine._model
    inputs = encode_prompts(engine._processor, prompts, [noise(i) for i in range(len(prompts))], like=model)
    config = GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=1, pad_token_id=0)
    written: list[list[int]] = model.generate(**inputs, generation_config=config)[:, -12:].tolist()
    return written


def test_answers_are_those_of_full_attention_step_by_step(
    tiny_engine: PaliGemmaEngine, tiny_folder: Path
) -> None:
    (found,) = answers(tiny_engine)
    expected = reference_logprobs(tiny_folder, noise(0), "read table", found.n_tokens)
    assert found.n_tokens > 16
    assert found.logprobs == pytest.approx(expected, abs=1e-4)


def test_window_as_wide_as_the_image_would_hide_it(
    tiny_engine: PaliGemmaEngine, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PaliGemmaConfig.from_pretrained(tiny_folder)
    assert config.text_config.sliding_window == tiny_engine.checkpoint.n_image_tokens
    prepared = guards.prepare_config(config)
    assert set(prepared.text_config.layer_types) == {"full_attention"}
    assert prepared.text_config.sliding_window >= guards.MAX_SEQUENCE
    assert config.text_config.sliding_window == tiny_engine.checkpoint.n_image_tokens, "changes a copy only"

    (right,) = answers(tiny_engine)
    windowed = reference_logprobs(tiny_folder, noise(0), "read table", right.n_tokens, full=False)
    assert right.logprobs != pytest.approx(windowed, abs=1e-3)
    monkeypatch.setattr(guards, "prepare_config", lambda config: config)
    with pytest.raises(CheckpointError, match="window"):
        PaliGemmaEngine.load(tiny_folder, device="cpu")


def test_prepared_config_survives_saving(tiny_folder: Path, tmp_path: Path) -> None:
    guards.prepare_config(PaliGemmaConfig.from_pretrained(tiny_folder)).save_pretrained(tmp_path)
    text = PaliGemmaConfig.from_pretrained(tmp_path).text_config
    assert set(text.layer_types) == {"full_attention"}
    assert text.sliding_window >= guards.MAX_SEQUENCE


def test_token_types_are_required(tiny_engine: PaliGemmaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    right = stock_answers(tiny_engine, "read table")
    call = PaliGemmaProcessor.__call__

    def without_types(self: PaliGemmaProcessor, *args: object, **kwargs: object) -> object:
        inputs = call(self, *args, **kwargs)
        del inputs["token_type_ids"]
        return inputs

    monkeypatch.setattr(PaliGemmaProcessor, "__call__", without_types)
    with pytest.raises(GenerationError, match="token_type_ids"):
        stock_answers(tiny_engine, "read table")
    monkeypatch.setattr(guards, "require_token_types", lambda inputs: None)
    assert stock_answers(tiny_engine, "read table") != right


def test_prompts_of_different_length_are_padded_left(
    tiny_engine: PaliGemmaEngine, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = ("a", "a much longer prompt", "read")
    right = stock_answers(tiny_engine, *prompts)
    alone = [tiny_engine.generate([Request(tiny_head(prompt=p), noise(i))])[0] for i, p in enumerate(prompts)]
    assert same(answers(tiny_engine, *prompts), alone)

    monkeypatch.setattr(guards, "set_left_padding", lambda processor: None)
    unguarded = PaliGemmaEngine.load(tiny_folder, device="cpu")
    with pytest.raises(GenerationError, match="padded on the right"):
        stock_answers(unguarded, *prompts)
    monkeypatch.setattr(guards, "require_ends_with_text", lambda mask: None)
    assert stock_answers(unguarded, *prompts) != right


def test_labels_never_reach_the_model(tiny_engine: PaliGemmaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def encoded() -> set[str]:
        return set(encode_prompts(tiny_engine._processor, ["x"], [noise(0)], like=tiny_engine._model))

    assert "labels" not in encoded()
    monkeypatch.setattr(guards, "drop_labels", lambda inputs: None)
    assert "labels" in encoded()


@pytest.fixture
def silent_folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint with a config.json that says nothing about soft caps."""
    folder = tmp_path / "silent"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["text_config"]["final_logit_softcapping"]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_soft_cap_of_the_logits_must_be_stated(
    tiny_engine: PaliGemmaEngine, silent_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match="final_logit_softcapping"):
        PaliGemmaEngine.load(silent_folder, device="cpu")

    monkeypatch.setattr(guards, "apply_stated_soft_caps", lambda config, *args, **kwargs: config)
    (capped,), (stated,) = answers(PaliGemmaEngine.load(silent_folder, device="cpu")), answers(tiny_engine)
    assert capped.logprobs != pytest.approx(stated.logprobs, abs=1e-4), "transformers put in a cap of its own"


def test_stated_soft_cap_changes_the_log_probabilities(tiny_engine: PaliGemmaEngine, tmp_path: Path) -> None:
    folder = build_tiny(tmp_path, heads={"table": {"max_tokens": 24}}, text={"final_logit_softcapping": 5.0})
    (capped,), (free,) = answers(PaliGemmaEngine.load(folder, device="cpu")), answers(tiny_engine)
    # The cap is monotonic: greedy text stays.
    assert capped.tokens == free.tokens
    assert capped.logprobs != pytest.approx(free.logprobs, abs=1e-3)
    assert capped.logprobs == pytest.approx(
        reference_logprobs(folder, noise(0), "read table", capped.n_tokens), abs=1e-4
    )


def test_training_config_has_no_soft_caps(tiny_folder: Path) -> None:
    config = PaliGemmaConfig.from_pretrained(tiny_folder)
    config.text_config.attn_logit_softcapping = 50.0
    free = guards.without_soft_caps(config)
    assert free.text_config.attn_logit_softcapping is None
    assert free.text_config.final_logit_softcapping is None
    assert config.text_config.attn_logit_softcapping == 50.0


def test_float16_is_refused() -> None:
    cpu = torch.device("cpu")
    with pytest.raises(SettingError, match="float16"):
        choose_dtype("float16", cpu)
    assert choose_dtype("bfloat16", cpu) is torch.bfloat16
    assert choose_dtype(None, cpu) is torch.float32
