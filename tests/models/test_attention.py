from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

from docai.errors import CheckpointError
from docai.models import attention
from docai.models.attention import CAPPED, FUSED, choose_attention, fused_attention, fused_mask
from docai.models.engine import Request
from docai.models.guards import prepare_config
from docai.models.paligemma import PaliGemmaEngine
from tests.models.tiny import build_tiny, noise, tiny_head


def test_fused_attention_agrees_with_eager(tiny_folder: Path) -> None:
    # Prompts of different length, so that padding is masked as well as the future.
    requests = [Request(tiny_head(prompt=p), noise(i)) for i, p in enumerate(("a", "a longer prompt"))]
    eager = PaliGemmaEngine.load(tiny_folder, device="cpu", attention="eager").generate(requests)
    fused = PaliGemmaEngine.load(tiny_folder, device="cpu", attention="fused").generate(requests)
    for one, other in zip(eager, fused, strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("n_suffix", [0, 6])
def test_fused_attention_agrees_with_eager_on_every_logit(tiny_folder: Path, n_suffix: int) -> None:
    """A training-like pass: the prefix sees itself whole, the suffix only its past, one row is padded."""
    ids = torch.full((2, 30), 357)
    ids[:, 16:] = torch.arange(260, 274)
    types = torch.zeros_like(ids)
    types[:, 30 - n_suffix :] = 1
    mask = torch.ones_like(ids)
    ids[1, :3], ids[1, 3:19], mask[1, :3] = 0, 357, 0
    pixels = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    logits = []
    for choice in ("eager", "fused"):
        model = PaliGemmaEngine.load(tiny_folder, device="cpu", attention=choice)._model
        with torch.no_grad():
            logits.append(
                model(input_ids=ids, pixel_values=pixels, token_type_ids=types, attention_mask=mask).logits
            )
    real = mask.bool()
    assert torch.allclose(logits[0][real], logits[1][real], atol=1e-4)


def test_suffix_does_not_see_its_future(tiny_folder: Path) -> None:
    model = PaliGemmaEngine.load(tiny_folder, device="cpu", attention="fused")._model
    ids = torch.tensor([[357] * 16 + [2, 260, 261, 355, 270, 271, 272]])
    types = torch.tensor([[0] * 20 + [1] * 3])
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    other = ids.clone()
    other[0, -1] = 280
    with torch.no_grad():
        one, two = (
            model(
                input_ids=x, pixel_values=pixels, token_type_ids=types, attention_mask=torch.ones_like(x)
            ).logits
            for x in (ids, other)
        )
    assert torch.equal(one[0, :-1], two[0, :-1])
    assert not torch.equal(one[0, -1], two[0, -1])


def test_capped_scores_get_an_attention_that_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = {"table": {"max_tokens": 24}}
    folder = build_tiny(tmp_path, heads=heads, text={"attn_logit_softcapping": 2.0})
    requests = [Request(tiny_head(), noise(0))]
    capped = PaliGemmaEngine.load(folder, device="cpu").generate(requests)
    with pytest.raises(CheckpointError, match="attn_logit_softcapping"):
        PaliGemmaEngine.load(folder, device="cpu", attention="fused")

    attention.register()
    fused = {"": FUSED, "text_config": FUSED, "vision_config": "sdpa"}
    monkeypatch.setattr("docai.models.loading.choose_attention", lambda *args: fused)
    (refused,) = PaliGemmaEngine.load(folder, device="cpu").generate(requests)
    assert "cannot cap" in (refused.error or "")
    # Were the cap merely left out, the answer would change without a sign.
    monkeypatch.setattr(
        attention, "fused_attention", lambda *args, softcap=None, **kwargs: fused_attention(*args, **kwargs)
    )
    attention.register()
    wrong = PaliGemmaEngine.load(folder, device="cpu").generate(requests)
    monkeypatch.undo()
    attention.register()
    assert wrong[0].logprobs != pytest.approx(capped[0].logprobs, abs=1e-4)


def test_choice_follows_the_checkpoint(tiny_folder: Path) -> None:
    config = PaliGemmaConfig.from_pretrained(tiny_folder)
    assert choose_attention(config)["text_config"] == FUSED
    assert choose_attention(config, "eager")["text_config"] == "eager"
    config.text_config.attn_logit_softcapping = 50.0
    assert choose_attention(config)["text_config"] == CAPPED
    assert choose_attention(config, "eager")["text_config"] == "eager"


@pytest.mark.parametrize("max_scores", [1, 1 << 10, 1 << 25])
@pytest.mark.parametrize("cap", [2.0, None])
def test_capped_attention_agrees_with_eager_on_every_logit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_scores: int, cap: float | None
) -> None:
    """A training-like pass, with its gradients, for parts of the queries of any size."""
    monkeypatch.setattr(attention, "MAX_SCORES", max_scores)
    attention.register()
    folder = build_tiny(tmp_path, heads={"table": {}}, text={"attn_logit_softcapping": cap})
    config = PaliGemmaConfig.from_pretrained(folder)
    ids = torch.tensor([[357] * 16 + [2, 260, 261, 355, 270, 271, 272]] * 2)
    types = torch.tensor([[0] * 20 + [1] * 3] * 2)
    pixels = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 17] = 0
    found = []
    for kind in ("eager", CAPPED):
        kinds = {"": kind, "text_config": kind, "vision_config": "sdpa"}
        model = PaliGemmaForConditionalGeneration.from_pretrained(
            folder, config=prepare_config(config), attn_implementation=kinds
        )
        inputs = {"input_ids": ids, "pixel_values": pixels, "token_type_ids": types, "attention_mask": mask}
        logits = model(**inputs).logits
        logits[mask.bool()].logsumexp(-1).sum().backward()
        layer = model.model.language_model.layers[0].self_attn
        found.append((logits[mask.bool()], layer.k_proj.weight.grad))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=2e-4, rtol=1e-4)


def test_a_mask_that_hides_nothing_is_left_out() -> None:
    def everything(*args: torch.Tensor) -> torch.Tensor:
        return torch.ones((), dtype=torch.bool)

    assert fused_mask(batch_size=1, q_length=4, kv_length=4, mask_function=everything, use_vmap=True) is None
    assert fused_mask(batch_size=1, q_length=4, kv_length=4) is not None
