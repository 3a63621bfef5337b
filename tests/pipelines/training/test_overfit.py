"""The trainer learns: every head's pairs by heart, read back by the engine from the run folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docai.models.engine import Request
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.pairs import read_pairs
from docai.pipelines.training.settings import AdapterSettings
from tests.models.tiny import IMAGE_SIZE, build_tiny

pytestmark = pytest.mark.slow(seconds=10)

PAIRS = {"table": 8, "molecule": 8, "score": 8, "text": 32}
"""One head learns as many as tell both numbers apart, the others one row of them."""
STEPS = {"table": 80, "molecule": 60, "score": 60, "text": 80}
"""Some thirty more than each takes."""


def target(head: str, number: int) -> str:
    """A short answer of its own for each number, valid for the head."""
    first, second = divmod(number, 8)
    match head:
        case "table":
            return f"<table><tr><td>{first}{second}</td></tr></table>"
        case "molecule":
            return "C" * first + ("N", "O", "S", "F", "Cl", "Br", "I", "P")[second]
        case "score":
            return f"**kern\n{'4' + 'cdefgabr'[second]}\n{'4' + 'CDEF'[first]}\n*-"
    return f"<loc0{first}00><loc0{second}00><loc0{first}90><loc0{second}90> {first}{second}"


def write_pairs(folder: Path, head: str) -> Path:
    folder.mkdir()
    lines = []
    for number in range(PAIRS[head]):
        first, second = divmod(number, 8)
        image = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), "white")
        drawing = ImageDraw.Draw(image)
        drawing.rectangle((0, 14 * first, 55, 14 * first + 13), fill=(60 * first, 0, 255))
        drawing.rectangle((7 * second, 0, 7 * second + 6, 55), fill=(255, 30 * second, 0))
        image.save(folder / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "target": target(head, number)}) + "\n")
    (folder / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", HEADS)
def test_all_weights_learn_their_pairs_by_heart(name: str, tmp_path: Path) -> None:
    base = build_tiny(tmp_path / "base", text={"num_hidden_layers": 2}, scale=0.1)
    head = replace(HEADS[name], resolution=IMAGE_SIZE)
    settings = AdapterSettings(
        full=True,
        steps=STEPS[name],
        batch=PAIRS[name],
        accumulate=1,
        learning_rate=5e-3,
        label_smoothing=0.0,
        held_out=0,
        device="cpu",
        seed=2,
        report_steps=25,
        max_tokens=80,
    )
    data = write_pairs(tmp_path / "data", name)
    run = train_adapter(head, base, tmp_path / "run", settings, data=[data], report=lambda line: None)
    assert run.n_rejected == 0
    engine = PaliGemmaEngine.load(tmp_path / "run", device="cpu", batch_size=PAIRS[name])
    pairs = read_pairs(data)
    answers = engine.generate([Request(head, pair.draw(IMAGE_SIZE).image) for pair in pairs])
    assert [answer.text for answer in answers] == [pair.target for pair in pairs]
    assert len({answer.text for answer in answers}) == PAIRS[name]
