"""The data of a fine-tuning: what is drawn or read, what is refused, and what the model is trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import BatchFeature, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

from docai.errors import CheckpointError, SettingError
from docai.models.checkpoints import open_checkpoint
from docai.models.heads import HEADS, Head
from docai.models.loading import load_processor
from docai.pipelines.synthesis import samples
from docai.pipelines.training.checks import TargetRules, check_pairs, describe_rejected
from docai.pipelines.training.pairs import (
    IGNORE,
    Collator,
    DrawnPairs,
    Pair,
    encode_pairs,
    read_pairs,
    require_suffix_labels,
    square,
)
from tests.models.tiny import noise

from .conftest import SMILES, write_pairs_folder

PAIRS = [Pair(noise(1), "CCO"), Pair(noise(2), "c1ccccc1")]


@pytest.fixture(scope="module")
def processor(tiny_base: Path) -> PaliGemmaProcessor:
    return load_processor(open_checkpoint(tiny_base))


@pytest.fixture
def rules(processor: PaliGemmaProcessor, molecule: Head) -> TargetRules:
    return TargetRules(molecule, processor.tokenizer, max_tokens=24)


def test_labels_are_exactly_the_answer_and_its_end(processor: PaliGemmaProcessor, molecule: Head) -> None:
    inputs = encode_pairs(processor, molecule, PAIRS)
    for row, pair in enumerate(PAIRS):
        labels = inputs["labels"][row]
        asked = labels[labels != IGNORE]
        assert processor.tokenizer.decode(asked) == pair.target + "<eos>"
        assert ((labels != IGNORE) == (inputs["token_type_ids"][row] == 1)).all()
        seen = processor.tokenizer.decode(inputs["input_ids"][row][labels == IGNORE])
        assert seen.replace("<pad>", "").replace("<image>", "") == f"<bos>{molecule.prompt}\n"


@pytest.mark.parametrize("fault", ["prompt labeled", "answer unlabelled", "nothing labeled"])
def test_wrong_labels_stop_the_training(
    processor: PaliGemmaProcessor, molecule: Head, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    stock = PaliGemmaProcessor.__call__

    def broken(self: PaliGemmaProcessor, **options: object) -> BatchFeature:
        inputs = stock(self, **options)
        if fault == "prompt labeled":
            inputs["labels"][:, -40] = 5
        elif fault == "answer unlabelled":
            inputs["labels"][0, -1] = IGNORE
        else:
            inputs["labels"][:] = IGNORE
            inputs["token_type_ids"][:] = 0
        return inputs

    monkeypatch.setattr(PaliGemmaProcessor, "__call__", broken)
    with pytest.raises(CheckpointError, match="does not label exactly the answer"):
        Collator(processor, molecule)(PAIRS)


def test_the_guard_passes_what_is_right() -> None:
    types = torch.tensor([[0, 0, 1, 1]])
    require_suffix_labels(
        BatchFeature({"labels": torch.tensor([[-100, -100, 7, 1]]), "token_type_ids": types})
    )


def test_leaving_out_logits_leaves_the_loss_as_it_is(
    tiny_base: Path, processor: PaliGemmaProcessor, molecule: Head
) -> None:
    model = PaliGemmaForConditionalGeneration.from_pretrained(tiny_base)
    whole = model(**encode_pairs(processor, molecule, PAIRS))
    batch = Collator(processor, molecule)(PAIRS)
    short = model(**batch)
    assert batch["labels"].shape[1] == batch["logits_to_keep"] == len("c1ccccc1") + 2
    assert short.logits.shape[1] < whole.logits.shape[1]
    assert short.loss.item() == pytest.approx(whole.loss.item(), rel=1e-6)


def test_a_picture_is_padded_to_a_white_square() -> None:
    wide = square(Image.new("L", (200, 100), 0), 56)
    assert (wide.size, wide.mode) == ((56, 56), "RGB")
    assert wide.getpixel((28, 2)) == (255, 255, 255)
    assert wide.getpixel((28, 28)) == (0, 0, 0)
    assert wide.getpixel((1, 28)) == (0, 0, 0), "the long side is filled"


def test_drawn_pairs_depend_on_the_index_alone(rules: TargetRules) -> None:
    drawn = DrawnPairs("text", 3, 0.0, 10, replace(rules, max_tokens=10_000))
    stream = samples("text", 3, difficulty=0.0)
    expected = [next(stream) for _ in range(3)]
    for index in (2, 0, 2):
        pair = drawn[index]
        assert pair.target == expected[index].target
        assert pair.image.tobytes() == expected[index].image.tobytes()


def test_a_drawn_target_that_is_too_long_is_passed_over(rules: TargetRules) -> None:
    stream = samples("text", 3, difficulty=0.0)
    targets = [next(stream).target for _ in range(4)]
    lengths = [len(rules.tokenizer(target)["input_ids"]) + 1 for target in targets]
    shortest = lengths.index(min(lengths))
    strict = replace(rules, max_tokens=lengths[shortest])
    assert DrawnPairs("text", 3, 0.0, 10, strict)[0].target == targets[shortest]
    with pytest.raises(SettingError, match="at most 1 tokens"):
        DrawnPairs("text", 3, 0.0, 10, replace(rules, max_tokens=1))[0]


def test_a_folder_is_checked_and_what_is_wrong_is_listed(rules: TargetRules, tmp_path: Path) -> None:
    folder = write_pairs_folder(tmp_path, ("CCO", "C" * 24, "C1CC", "CCN", "CCC"))
    (folder / "3.png").unlink()
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:40])
    usable, rejected = check_pairs(read_pairs(folder), rules)
    assert [pair.target for pair in usable] == ["CCO"]
    assert [item.reason for item in rejected] == ["image", "image", "too-long", "parser"]
    assert rejected[2].detail == "25 tokens, and at most 24 can be used"
    lines = describe_rejected(rejected, shown=2)
    assert lines[:3] == ["not used, image: 2", "not used, parser: 1", "not used, too-long: 1"]
    assert len(lines) == 5
    assert str(folder / "3.png") in lines[3]


def test_pairs_written_by_synth_are_read(tmp_path: Path) -> None:
    from docai.pipelines.synthesis.write import write_pairs

    write_pairs("text", 2, 5, tmp_path, difficulty=0.0)
    pairs = read_pairs(tmp_path)
    stream = samples("text", 5, difficulty=0.0)
    for index in range(2):
        sample = next(stream)
        assert pairs[index].target == sample.target
        assert pairs[index].draw(896).image.tobytes() == sample.image.tobytes()


@pytest.mark.parametrize(
    "line", ['{"image": "a.png", "tar', '{"image": "a.png"}', "7", '{"image": 1, "target": "C"}']
)
def test_a_half_written_list_is_an_error_with_its_line(pairs_folder: Path, tmp_path: Path, line: str) -> None:
    whole = (pairs_folder / "pairs.jsonl").read_text()
    (tmp_path / "pairs.jsonl").write_text(whole + line)
    with pytest.raises(SettingError, match=f"Line {len(SMILES) + 1} of .*half written"):
        read_pairs(tmp_path)


def test_a_missing_folder_and_a_missing_list_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no data folder"):
        read_pairs(tmp_path / "none")
    with pytest.raises(SettingError, match=r"no pairs\.jsonl"):
        read_pairs(tmp_path)


@pytest.mark.parametrize("head", HEADS)
def test_what_is_drawn_passes_the_heads_own_parser(head: str, processor: PaliGemmaProcessor) -> None:
    rules = TargetRules(HEADS[head], processor.tokenizer, 10_000)
    assert DrawnPairs(head, 1, 0.2, 2, rules).check(2) == []


def test_json_line_breaks_inside_targets_survive(tmp_path: Path) -> None:
    target = "**kern\t**kern\n*-\t*-\u2028"
    line = json.dumps({"image": "a.png", "target": target}, ensure_ascii=False)
    (tmp_path / "pairs.jsonl").write_text(line + "\n", encoding="utf-8")
    assert read_pairs(tmp_path)[0].target == target
