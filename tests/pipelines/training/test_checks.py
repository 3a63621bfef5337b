"""Data is checked before the first step, and pairs are held out by content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from transformers import PaliGemmaProcessor

from docai.models.checkpoints import open_checkpoint
from docai.models.heads import Head
from docai.models.loading import load_processor
from docai.pipelines.training import checks
from docai.pipelines.training.checks import TargetRules, check_pairs, image_fault
from docai.pipelines.training.pairs import FilePair
from docai.pipelines.training.prepare import hold_out

from .conftest import write_pairs_folder


@pytest.fixture(scope="module")
def processor(tiny_base: Path) -> PaliGemmaProcessor:
    return load_processor(open_checkpoint(tiny_base))


@pytest.fixture
def rules(processor: PaliGemmaProcessor, molecule: Head) -> TargetRules:
    return TargetRules(molecule, processor.tokenizer, max_tokens=8)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_picture_that_ends_early_is_found(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    Image.effect_noise((300, 300), 80).save(whole)
    assert image_fault(whole) is None
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert image_fault(cut)


def test_what_is_no_picture_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    assert image_fault(tmp_path / "a.png")
    assert image_fault(tmp_path / "missing.png")


def test_each_reason_is_counted_for_its_own_pair(rules: TargetRules, tmp_path: Path) -> None:
    folder = write_pairs_folder(tmp_path, ("CCO", "C1CC", "CCCCCCCCC"))
    pairs = [FilePair(folder / f"{n}.png", target) for n, target in enumerate(("CCO", "C1CC", "CCCCCCCCC"))]
    pairs.append(FilePair(folder / "none.png", "CC"))
    usable, rejected = check_pairs(pairs, rules, processes=2)
    assert usable == pairs[:1]
    assert {item.name: item.reason for item in rejected} == {
        str(folder / "1.png"): "parser",
        str(folder / "2.png"): "too-long",
        str(folder / "none.png"): "image",
    }


def test_targets_parsed_in_processes_keep_their_places(
    rules: TargetRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_MIN_TARGETS_FOR_PROCESSES", 2)
    folder = write_pairs_folder(tmp_path, ("CCO",))
    targets = ["CCO", "C1CC", "CN", "no", "CF"]
    usable, rejected = check_pairs([FilePair(folder / "0.png", t) for t in targets], rules, processes=2)
    assert [pair.target for pair in usable] == ["CCO", "CN", "CF"]
    assert len(rejected) == 2


@dataclass(frozen=True)
class Named:
    content: str

    name = ""
    path = Path()
    target = ""

    def draw(self, size: int) -> object:
        raise AssertionError


def contents(pairs: list[Named]) -> set[str]:
    return {pair.content for pair in pairs}


def test_held_out_contents_are_never_trained_on() -> None:
    pairs = [Named(str(number % 500)) for number in range(1_000)]
    train, held_out = hold_out(pairs, share=0.1, most=1_000)  # type: ignore[type-var]
    assert not contents(train) & contents(held_out)
    assert len(train) + len(held_out) == 1_000
    assert 60 < len(held_out) < 140


def test_the_same_contents_are_held_out_in_any_order_and_at_most_so_many() -> None:
    pairs = [Named(str(number)) for number in range(1_000)]
    _, held_out = hold_out(pairs, share=0.1, most=10)  # type: ignore[type-var]
    _, again = hold_out(pairs[::-1], share=0.1, most=10)  # type: ignore[type-var]
    assert len(held_out) == 10
    assert contents(held_out) == contents(again)
    assert hold_out(pairs, share=0.1, most=0)[1] == []  # type: ignore[type-var]
    train, _ = hold_out(pairs[:2], share=1.0, most=10)  # type: ignore[type-var]
    assert train, "something is left to train on"
