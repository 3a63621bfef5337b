"""From held-out pairs to maps."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import docai.pipelines.synthesis as synthesis
from docai.errors import (
    DatasetError,
    GenerationError,
    HeadNotAvailableError,
    SettingError,
    UnknownHeadError,
)
from docai.models.engine import Generation, Request
from docai.models.scripted import ScriptedEngine
from docai.parsers.molecule import parse_molecule
from docai.pipelines.calibration.calibrate import CalibrationProgress, calibrate
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import expected_calibration_error
from docai.pipelines.recognition.confidence import answer_confidence, with_part_confidence

pytest.importorskip("scipy", reason="fitting needs docai[metrics]")

TRUTHS = ("CCO", "CCN", "CC=O", "c1ccccc1", "CCCl")


class Overconfident:
    """Reads molecules; an answer of the probability q is right with the probability q cubed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.n_read = 0

    def read(self, truth: str) -> tuple[Generation, bool]:
        self.n_read += 1
        said = self._rng.uniform(0.3, 0.999)
        is_right = self._rng.random() < said**3
        text = truth if is_right else f"F{truth}"
        return Generation(text, "stop", tuple(text), (math.log(said) / len(text),) * len(text)), is_right

    def __call__(self, request: Request) -> Generation:
        return self.read(TRUTHS[self.n_read % len(TRUTHS)])[0]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The generators are replaced by a list of molecules in one picture. Returns what they were asked for."""
    picture = Image.new("RGB", (896, 896), "white")
    # The scripted engine looks at no picture, and to look whether it is blank takes most of the time.
    monkeypatch.setattr("docai.models.blank.is_blank", lambda image: False)
    asked: list[tuple[object, ...]] = []

    def samples(head: str, seed: int, *, difficulty: float, split: str) -> Iterator[SimpleNamespace]:
        asked.append((head, seed, difficulty, split))
        index = 0
        while True:
            yield SimpleNamespace(image=picture, target=TRUTHS[index % len(TRUTHS)])
            index += 1

    monkeypatch.setattr(synthesis, "samples", samples)
    return asked


def test_confidences_come_true_on_fresh_answers(drawn: list[tuple[object, ...]]) -> None:
    seen: list[CalibrationProgress] = []
    engine = ScriptedEngine({"molecule": Overconfident(seed=1)})
    found = calibrate(engine, count=400, seed=9, difficulties=(0.5,), progress=seen.append)["molecule"]
    assert drawn == [("molecule", 9, 0.5, "held-out")]
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 400, 400)
    assert set(found.units) == {"record", "atom"}
    assert found.units["record"].before.error > 0.15
    maps = {unit: fitted.chosen for unit, fitted in found.units.items()}
    reader = Overconfident(seed=2)
    beliefs = []
    for index in range(1500):
        generation, is_right = reader.read(TRUTHS[index % len(TRUTHS)])
        calibrated = Generation(
            generation.text, "stop", generation.tokens, generation.logprobs, calibration=maps
        )
        value = answer_confidence([calibrated], ()).value
        assert value is not None
        beliefs.append(Belief(value, is_right))
    assert (expected_calibration_error(beliefs) or 0) <= 0.05
    atoms = with_part_confidence(parse_molecule(calibrated.text), calibrated).content.part_confidences()
    assert len(atoms) >= 3
    assert all(value is not None for value in atoms)


def test_answers_that_are_zero_by_rule_are_counted_and_not_fitted(drawn: object) -> None:
    reader = Overconfident(seed=3)

    def read(request: Request) -> Generation:
        generation = reader(request)
        match reader.n_read % 4:
            case 0:
                return Generation(generation.text, "length", generation.tokens, generation.logprobs)
            case 1:
                return Generation("CC(", "stop", tuple("CC("), (-0.1,) * 3)
            case 2:
                return Generation("", "stop")
        return generation

    found = calibrate(ScriptedEngine({"molecule": read}), count=240, difficulties=(0.0,))["molecule"]
    assert (found.n_zero, found.n_unmeasured) == (120, 60)
    assert found.units["record"].chosen.n == 60
    assert "drawn, difficulty 0" in found.units["record"].chosen.data


def test_what_is_always_wrong_is_told_so(drawn: object) -> None:
    found = calibrate(ScriptedEngine({"molecule": "CCS"}), count=60, difficulties=(0.0,))["molecule"]
    assert found.units["record"].chosen.apply([-0.01]) == pytest.approx(0.5 / 61)
    assert found.units["record"].after.accuracy == 0
    assert found.units["atom"].after.accuracy > 0.3


def test_a_folder_of_pairs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docai.models.blank.is_blank", lambda image: False)
    Image.new("RGB", (60, 40), "white").save(tmp_path / "a.png")
    line = '{"image": "a.png", "target": "CCO"}\n'
    (tmp_path / "pairs.jsonl").write_text(line * 50)
    engine = ScriptedEngine({"molecule": Overconfident(seed=5), "text": "a"})
    found = calibrate(engine, ["molecule"], data=[str(tmp_path)])["molecule"]
    assert found.n_pairs == 50
    assert {request.image.size for request in engine.requests} == {(896, 896)}
    assert found.units["record"].chosen.data == tmp_path.name
    with pytest.raises(SettingError, match="one head"):
        calibrate(engine, data=[str(tmp_path)])
    (tmp_path / "pairs.jsonl").write_text(line * 49)
    with pytest.raises(SettingError, match="49 pairs"):
        calibrate(engine, ["molecule"], data=[str(tmp_path)])
    (tmp_path / "pairs.jsonl").write_text("")
    with pytest.raises(DatasetError, match="No pair"):
        calibrate(engine, ["molecule"], data=[str(tmp_path)])


def _fails(request: Request) -> Generation:
    raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("script", "arguments", "error", "message"),
    [
        ("C", {"heads": ["tabel"]}, UnknownHeadError, "tabel"),
        ("C", {"heads": ["table"]}, HeadNotAvailableError, "table"),
        ("C", {"count": 49}, SettingError, "49 pairs are too few"),
        ("C", {"difficulties": ()}, SettingError, "difficulty"),
        ("C", {"difficulties": (1.5,)}, SettingError, "between 0 and 1"),
        ("C", {"data": ["nowhere"]}, SettingError, "nowhere"),
        (Generation("C", "stop", ("C",)), {}, GenerationError, "None of the 50 answers"),
        (_fails, {}, GenerationError, "out of memory"),
        ("CC(", {}, SettingError, "Only 0 of 50 answers"),
    ],
)
def test_bad_input_is_one_sentence(
    drawn: object,
    script: str | Generation | Callable[[Request], Generation],
    arguments: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    said = script
    replay = (lambda request: said) if isinstance(said, Generation) else said
    with pytest.raises(error, match=message):
        calibrate(ScriptedEngine({"molecule": replay}), **({"count": 50} | arguments))  # type: ignore[arg-type]
