from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration

from docai.errors import AdapterError
from docai.models import adapters, paligemma
from docai.models.adapters import LORA_TARGETS
from docai.models.checkpoints import open_adapter, open_checkpoint
from docai.models.engine import Request
from docai.models.heads import Decoding
from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_adapter, build_tiny, noise, tiny_head

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def adapter(tiny_adapters: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of an adapter, to be damaged."""
    shutil.copytree(tiny_adapters["score"], tmp_path / "score")
    return tmp_path / "score"


def rewrite(folder: Path, change: object) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})  # type: ignore[operator]


def text(folder: Path, adapter: Path | None) -> str:
    heads = {} if adapter is None else {"table": adapter}
    engine = PaliGemmaEngine.load(folder, device="cpu", adapters=heads)
    return engine.generate([Request(tiny_head("table"), noise())])[0].text


def test_targets_are_the_decoder_and_the_projector_only(tiny_folder: Path) -> None:
    model = PaliGemmaForConditionalGeneration.from_pretrained(tiny_folder)
    hit = {name for name, _ in model.named_modules() if re.fullmatch(LORA_TARGETS, name)}
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert hit == {name for name in linear if "vision_tower" not in name and name != "lm_head"}
    assert any(name.endswith("vision_tower.encoder.layers.0.self_attn.q_proj") for name in linear)


def test_a_renamed_tensor_is_an_error_and_would_be_dropped_silently(
    tiny_folder: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = text(tiny_folder, adapter)
    rewrite(adapter, lambda tensors: {key.replace("language_model", "text"): t for key, t in tensors.items()})
    with pytest.raises(AdapterError, match=r"lacks \d+ tensors"):
        text(tiny_folder, adapter)

    monkeypatch.setattr(adapters, "require_fit", lambda *args: None)
    monkeypatch.setattr(adapters, "require_arrived", lambda *args: None)
    assert text(tiny_folder, adapter) != trained


def test_one_missing_tensor_is_an_error(tiny_folder: Path, adapter: Path) -> None:
    rewrite(adapter, lambda tensors: dict(list(tensors.items())[1:]))
    with pytest.raises(AdapterError, match="lacks 1 tensors"):
        text(tiny_folder, adapter)


def test_an_untrained_adapter_is_an_error(
    tiny_folder: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(adapter, lambda tensors: {k: t * 0 if "lora_B" in k else t for k, t in tensors.items()})
    with pytest.raises(AdapterError, match="does nothing"):
        text(tiny_folder, adapter)
    monkeypatch.setattr(adapters, "require_arrived", lambda *args: None)
    assert text(tiny_folder, adapter) == text(tiny_folder, None), "it would have passed for the bare base"


def test_an_adapter_of_another_base_is_an_error(tiny_folder: Path, tmp_path: Path) -> None:
    deep = build_tiny(tmp_path / "deep", text={"num_hidden_layers": 6})
    with pytest.raises(AdapterError, match="unexpected tensors"):
        text(tiny_folder, build_adapter(deep, tmp_path / "deep-lora"))
    wide = build_tiny(tmp_path / "wide", text={"intermediate_size": 96})
    with pytest.raises(AdapterError, match="base model expects"):
        text(tiny_folder, build_adapter(wide, tmp_path / "wide-lora"))


def test_an_adapter_that_did_not_arrive_is_an_error(
    tiny_folder: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peft.set_peft_model_state_dict", lambda *args, **kwargs: None)
    with pytest.raises(AdapterError, match="was not loaded"):
        text(tiny_folder, adapter)


def test_damaged_files_are_errors(tiny_folder: Path, adapter: Path, tmp_path: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(AdapterError, match="cannot be read"):
        text(tiny_folder, adapter)
    (adapter / "adapter_config.json").write_text("{")
    with pytest.raises(AdapterError, match="cannot be read"):
        text(tiny_folder, adapter)
    with pytest.raises(AdapterError, match=r"adapter_config\.json is missing"):
        text(tiny_folder, tmp_path)


def test_adapters_inside_a_checkpoint(
    tiny_folder: Path, tiny_adapters: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    shutil.copytree(tiny_adapters["score"], folder / "adapters" / "table")
    entry = {"adapter": "adapters/table", "max_tokens": 24}
    (folder / "docai.json").write_text(
        json.dumps({"name": "own", "revision": "7", "heads": {"table": entry}})
    )
    engine = PaliGemmaEngine.load(folder, device="cpu")
    (answer,) = engine.generate([Request(tiny_head("table"), noise())])
    assert answer.checkpoint == "own@7+table"
    assert answer.text == text(tiny_folder, tiny_adapters["score"])


def test_an_adapter_folder_may_state_its_revision_and_length(tiny_folder: Path, adapter: Path) -> None:
    manifest = {"name": "trained", "revision": "r3", "heads": {"table": {"max_tokens": 6}}}
    (adapter / "docai.json").write_text(json.dumps(manifest))
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters={"table": adapter})
    (answer,) = engine.generate([Request(tiny_head("table"), noise())])
    assert (answer.n_tokens, answer.checkpoint) == (6, "tiny@0+table@r3")


def test_an_adapter_that_states_another_base_is_an_error(tiny_folder: Path, adapter: Path) -> None:
    manifest = {"name": "trained", "revision": "r3", "base": "tiny@0", "heads": {"table": {}}}
    (adapter / "docai.json").write_text(json.dumps(manifest))
    assert text(tiny_folder, adapter)
    (adapter / "docai.json").write_text(json.dumps(manifest | {"base": "tiny@1"}))
    with pytest.raises(AdapterError, match="trained on tiny@1, not on tiny@0"):
        text(tiny_folder, adapter)


@pytest.mark.parametrize(
    ("stated", "model", "fits"),
    [
        (None, "google/paligemma2-3b-pt-896", True),
        ("google/paligemma2-3b-pt-896", "google/paligemma2-3b-pt-896", True),
        ("google/paligemma2-3b-pt-896", "paligemma2-3b-pt-896", True),
        ("/data/paligemma2-3b-pt-448", "paligemma2-3b-pt-896", False),
        ("google/paligemma2-3b-pt-448", "google/paligemma2-3b-pt-896", False),
        ("/home/somebody/checkpoint", "paligemma2-3b-pt-896", True),
        ("somebody/renamed", "mine", True),
        ("mine@2", "mine", False),
    ],
)
def test_bases_are_compared_as_far_as_they_are_known(
    tiny_folder: Path, adapter: Path, stated: str | None, model: str, fits: bool
) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": stated}))
    checkpoint = replace(open_checkpoint(tiny_folder), name=model, revision="1")
    opened = open_adapter(adapter, "table")
    if fits:
        opened.require_base(checkpoint)
    else:
        with pytest.raises(AdapterError, match="was trained on"):
            opened.require_base(checkpoint)


def test_names_of_older_versions_of_transformers_are_understood(tiny_folder: Path, adapter: Path) -> None:
    trained = text(tiny_folder, adapter)
    moved = {
        "model.model.language_model.": "model.language_model.model.",
        "model.model.multi_modal_projector.": "model.multi_modal_projector.",
    }

    def old(key: str) -> str:
        for new, before in moved.items():
            key = key.replace(f"base_model.{new}", f"base_model.{before}")
        return key

    rewrite(adapter, lambda tensors: {old(key): tensor for key, tensor in tensors.items()})
    path = adapter / "adapter_config.json"
    targets = r"language_model\.model\.layers\.\d+\..*_proj|multi_modal_projector\.linear"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"target_modules": targets}))
    names = load_file(adapter / "adapter_model.safetensors").keys()
    assert any(name.startswith("base_model.model.language_model.model.layers.0.") for name in names)
    assert text(tiny_folder, adapter) == trained


@pytest.fixture
def both(tiny_folder: Path, tmp_path: Path) -> dict[str, Path]:
    """Adapters of two ranks, one of which changes the attention only."""
    from peft import LoraConfig

    narrow = LoraConfig(r=2, lora_alpha=6, target_modules=r"model\.language_model\..*\.(q|v)_proj")
    return {
        "score": build_adapter(tiny_folder, tmp_path / "wide", seed=1),
        "molecule": build_adapter(tiny_folder, tmp_path / "narrow", seed=2, config=narrow),
    }


def mixed() -> list[Request]:
    names = ("table", "score", "molecule", "text")
    return [Request(tiny_head(names[i % 4], max_tokens=6 + 3 * (i % 3)), noise(i)) for i in range(9)]


def test_heads_with_and_without_adapters_are_written_together(
    tiny_folder: Path, both: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters=both, batch_size=5)
    assert not [name for name, _ in engine._model.named_modules() if "lora_" in name], "PEFT's are gone"
    found = engine.generate(mixed())
    n_together = engine._dispatcher.scheduler.n_steps
    monkeypatch.setattr(paligemma, "lay_side_by_side", lambda *args: None)
    switched = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters=both, batch_size=5)
    assert [name for name, _ in switched._model.named_modules() if "lora_" in name]
    for one, other in zip(found, switched.generate(mixed()), strict=True):
        assert (one.tokens, one.checkpoint) == (other.tokens, other.checkpoint)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert n_together < switched._dispatcher.scheduler.n_steps


def test_an_adapter_that_is_more_than_two_matrices_is_left_to_peft(tiny_folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig

    config = LoraConfig(r=4, lora_alpha=8, target_modules=LORA_TARGETS, use_dora=True)
    folder = build_adapter(tiny_folder, tmp_path / "dora", config=config)
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters={"score": folder})
    assert [name for name, _ in engine._model.named_modules() if "lora_magnitude_vector" in name]
    requests = [Request(tiny_head(name, max_tokens=8), noise(3)) for name in ("score", "table", "score")]
    one, bare, other = engine.generate(requests)
    assert one.tokens == other.tokens
    assert one.text != bare.text
    assert bare.text == PaliGemmaEngine.load(tiny_folder, device="cpu").generate(requests[1:2])[0].text


def test_beams_have_the_adapter_of_their_head(tiny_folder: Path, both: dict[str, Path]) -> None:
    head = tiny_head("molecule", max_tokens=6, decoding=Decoding(num_beams=3))
    engine = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters=both)
    alone = PaliGemmaEngine.load(tiny_folder, device="cpu", adapters={"molecule": both["molecule"]})
    first = Request(tiny_head("score", max_tokens=3), noise(1))
    _, found = engine.generate([first, Request(head, noise(0))])
    assert found.tokens == alone.generate([Request(head, noise(0))])[0].tokens
