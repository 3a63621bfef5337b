"""Heads trained with the mask of servers: image tokens see each other, everything else what is before it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PaliGemmaForConditionalGeneration

from docai.cli import main
from docai.errors import SettingError
from docai.models.checkpoints import open_checkpoint
from docai.models.engine import Request
from docai.models.guards import prepare_config
from docai.models.heads import Head
from docai.models.inputs import encode_prompts
from docai.models.loading import load_base, load_processor
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training.callbacks import HeldOut
from docai.pipelines.training.distributed import ProcessGroup
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.metrics import metric_for
from docai.pipelines.training.pairs import IGNORE, Collator, Pair
from docai.pipelines.training.settings import AdapterSettings
from tests.models.tiny import build_tiny, noise

TARGET = "CC(=O)Oc1ccccc1"
ENTRY = {"adapter": None, "max_tokens": 20}
SETTINGS = AdapterSettings(
    steps=2, batch=4, accumulate=1, learning_rate=2e-2, seed=1, device="cpu", held_out=0, causal_prompt=True
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose molecule head was trained causally, and whose table head was not."""
    heads = {"molecule": ENTRY | {"causal_prompt": True}, "table": ENTRY}
    return build_tiny(tmp_path_factory.mktemp("causal"), heads=heads)


def forced_logits(folder: Path, head: Head, *, causal_prompt: bool) -> torch.Tensor:
    """Logits of each token of the target where it is written token by token, with a cache."""
    checkpoint = open_checkpoint(folder)
    model, processor = load_base(checkpoint, torch.float32), load_processor(checkpoint)
    inputs = encode_prompts(processor, [head.prompt], [noise()], like=model, causal_prompt=causal_prompt)
    target = processor.tokenizer(TARGET, add_special_tokens=False).input_ids
    mask = inputs["attention_mask"]
    rows = []
    with torch.inference_mode():
        output = model(**inputs, use_cache=True)
        for token in target:
            rows.append(output.logits[0, -1])
            mask = torch.cat([mask, torch.ones(1, 1, dtype=mask.dtype)], dim=1)
            output = model(
                input_ids=torch.tensor([[token]]),
                attention_mask=mask,
                token_type_ids=torch.ones(1, 1, dtype=torch.long),
                past_key_values=output.past_key_values,
                use_cache=True,
            )
    return torch.stack([*rows, output.logits[0, -1]])


def training_logits(folder: Path, head: Head, *, causal_prompt: bool) -> torch.Tensor:
    """Logits of the same positions in one forward pass of the training, in a batch with a longer target."""
    checkpoint = open_checkpoint(folder)
    model, processor = load_base(checkpoint, torch.float32), load_processor(checkpoint)
    batch = Collator(processor, head, causal_prompt)([Pair(noise(), TARGET), Pair(noise(1), TARGET * 2)])
    n_labels = int((batch["labels"][0] != IGNORE).sum())
    with torch.inference_mode():
        logits: torch.Tensor = model.train()(**batch).logits
    return logits[0, -n_labels - 1 : -1]


@pytest.mark.parametrize("causal_prompt", [True, False])
def test_training_sees_what_step_by_step_generation_sees(
    folder: Path, molecule: Head, causal_prompt: bool
) -> None:
    trained = training_logits(folder, molecule, causal_prompt=causal_prompt)
    generated = forced_logits(folder, molecule, causal_prompt=causal_prompt)
    assert trained.shape == generated.shape
    torch.testing.assert_close(trained, generated, atol=1e-4, rtol=1e-4)


def test_the_two_masks_differ(folder: Path, molecule: Head) -> None:
    both_ways, causal = (training_logits(folder, molecule, causal_prompt=value) for value in (False, True))
    assert not torch.allclose(both_ways, causal, atol=1e-2)


def test_the_mask_is_that_of_a_server(folder: Path, molecule: Head) -> None:
    """Against a mask written out here: image tokens see the image, each token of the text what is before."""
    checkpoint = open_checkpoint(folder)
    config = prepare_config(load_base(checkpoint, torch.float32).config)
    stock = PaliGemmaForConditionalGeneration.from_pretrained(
        folder, config=config, attn_implementation="eager"
    )
    processor = load_processor(checkpoint)
    inputs = encode_prompts(processor, [molecule.prompt], [noise()], like=stock, causal_prompt=True)
    n_tokens, n_image = inputs["input_ids"].shape[1], checkpoint.n_image_tokens
    assert (inputs["input_ids"][0, :n_image] == processor.image_token_id).all()
    sees = torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()
    sees[:n_image, :n_image] = True
    hidden = torch.zeros(n_tokens, n_tokens).masked_fill(~sees, torch.finfo(torch.float32).min)
    with torch.inference_mode():
        expected = stock(
            input_ids=inputs["input_ids"],
            pixel_values=inputs["pixel_values"],
            attention_mask=hidden[None, None],
        ).logits[0, -1]
    found = forced_logits(folder, molecule, causal_prompt=True)[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_engine_uses_the_mask_that_docai_json_states_for_each_head(folder: Path, molecule: Head) -> None:
    engine = PaliGemmaEngine.load(folder, device="cpu")
    # The same weights and the same prompt: only what is stated of the heads differs.
    table = replace(molecule, name="table")
    causal, both_ways = engine.generate([Request(head, noise()) for head in (molecule, table)])
    for answer, is_causal in ((causal, True), (both_ways, False)):
        first = forced_logits(folder, molecule, causal_prompt=is_causal)[0].log_softmax(-1).max()
        assert answer.logprobs[0] == pytest.approx(float(first), abs=1e-4)
    assert causal.logprobs != both_ways.logprobs


def test_a_run_says_so_and_cannot_be_resumed_otherwise(
    tiny_base: Path, pairs_folder: Path, molecule: Head, tmp_path: Path
) -> None:
    train_adapter(molecule, tiny_base, tmp_path, SETTINGS, data=[pairs_folder], report=lambda line: None)
    assert json.loads((tmp_path / "docai.json").read_text())["heads"]["molecule"]["causal_prompt"] is True
    assert open_checkpoint(tmp_path).heads["molecule"].causal_prompt
    assert "causal_prompt" in (tmp_path / "README.md").read_text()
    with pytest.raises(SettingError, match="causal_prompt was True"):
        train_adapter(
            molecule,
            tiny_base,
            tmp_path,
            replace(SETTINGS, causal_prompt=False),
            data=[pairs_folder],
            report=lambda line: None,
        )


def test_held_out_pairs_are_read_with_the_mask_of_the_training(folder: Path, molecule: Head) -> None:
    checkpoint = open_checkpoint(folder)
    model, processor = load_base(checkpoint, torch.float32), load_processor(checkpoint)
    engine = PaliGemmaEngine.load(folder, device="cpu")
    pairs = [Pair(noise(seed), "CCO") for seed in range(4)]
    written = [engine.generate([Request(molecule, pair.image, 12)])[0].text for pair in pairs]
    # The targets are what the engine reads: they are all right under the same mask, and not under the other.
    own = [Pair(pair.image, text) for pair, text in zip(pairs, written, strict=True)]

    def share_right(causal_prompt: bool) -> float:
        metric = metric_for(molecule)
        held_out = HeldOut(own, molecule, processor, metric, 12, 2, 1, ProcessGroup(), causal_prompt)
        return held_out.measure(model, 1).exact

    assert share_right(True) == 1.0
    assert share_right(False) < 1.0


def test_nano_is_not_trained_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "nano", "-o", str(tmp_path / "run"), "--causal-prompt"])
    assert left.value.code == 2
    assert "--causal-prompt" in capsys.readouterr().err
