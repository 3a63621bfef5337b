"""How pictures are measured: halves, what is right, what readers say, and the trust that is fitted on it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from docai.geometry import BBox
from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = (
    "picture_scores",
    "picture_sets",
    "picture_readers",
    "picture_tables",
    "pictures",
    "fit_trust",
    "scans",
)

KERN = "**kern\t**kern\n*clefF4\t*clefG2\n=1\t=1\n4C\t4c\n4D\t4d\n!!LO:LB:g=original\n=2\t=2\n4E\t4e\n*-\t*-"
SYSTEM = "**kern\t**kern\n*clefF4\t*clefG2\n=1\t=1\n4C\t4c\n4D\t4d\n*-\t*-"


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts' modules, which import one another by plain names."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in set(sys.modules) - before:
            if "." not in name and (FOLDER / f"{name}.py").exists():
                del sys.modules[name]


def text(words: str, box: BBox, confidence: float = 0.9) -> Item:
    spotted = [
        SpottedWord(text=word, polygon=[(0, 0), (1, 0), (1, 1), (0, 1)], confidence=confidence)
        for word in words.split()
    ]
    return Item(kind="text", text=words, bbox=box, words=spotted, confidence=confidence)


def test_each_paragraph_is_held_against_what_was_read_at_its_place(scripts: dict[str, ModuleType]) -> None:
    upper, lower = (0, 0, 100, 20), (0, 50, 100, 70)
    sample = Sample("page", (text("one two", upper), text("три слова", lower)))
    read = Prediction(id="page", items=[text("три слово", lower), text("one two", upper)])
    score = scripts["picture_scores"].score_paragraphs(sample, read)
    assert score.ratios["f1"].value == pytest.approx(0.75)
    assert score.ratios["f1-latin"].value == 1
    assert score.ratios["right"].value == 0.5
    assert [belief.is_right for belief in score.beliefs] == [True, False]
    assert [belief.is_right for belief in score.part_beliefs["word"]] == [True, True, True, False]


def test_words_of_formulas_count_in_a_figure_of_their_own(scripts: dict[str, ModuleType]) -> None:
    sample = Sample("page", (Item(kind="text", text="so we have"), Item(kind="figure", text="x = y")), "page")
    read = Prediction(id="page", items=[Item(kind="text", text="so we have x=y")])
    score = scripts["picture_scores"].score_page(sample, read)
    assert score.ratios["f1"].value == 1
    assert score.ratios["f1-all"].value == pytest.approx(2 * 3 / (4 + 6))


def test_the_first_system_ends_where_the_original_breaks(scripts: dict[str, ModuleType]) -> None:
    assert scripts["picture_sets"].first_system(KERN) == SYSTEM


def test_of_a_page_the_topmost_system_is_held_against_the_first(scripts: dict[str, ModuleType]) -> None:
    sample = Sample("page", (Item(kind="score", text=SYSTEM),), "page")
    second = Item(kind="score", text=SYSTEM.replace("4c", "8g"), bbox=(0, 200, 100, 300))
    first = Item(kind="score", text=SYSTEM.replace("4d", "4e"), bbox=(0, 10, 100, 100), confidence=0.9)
    score = scripts["picture_scores"].score_first_system(sample, Prediction(id="page", items=[second, first]))
    assert score.ratios["token-error"].value == 0.25
    longer = Item(kind="score", text=KERN.replace("!!LO:LB:g=original\n", ""), bbox=(0, 10, 100, 300))
    whole = scripts["picture_scores"].score_first_system(sample, Prediction(id="page", items=[longer]))
    assert whole.ratios["ser"].value == 0
    assert not scripts["picture_scores"].score_first_system(sample, None).ratios["right"].value


def test_docai_answers_with_the_readers_that_it_asked(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    readers = scripts["picture_readers"]
    picture = tmp_path / "white.png"
    Image.new("L", (200, 100), 255).save(picture)
    sample = Sample("white", (Item(kind="molecule", text="CCO"),), source=picture)
    without = frozenset(one.name for one in readers.picture_readers("molecule"))
    answer, heard = readers.Docai(readers.silent_engine(), without=without).read(sample)
    assert not heard
    assert not any(item.text for item in answer.prediction.items)


def test_time_of_children_counts(scripts: dict[str, ModuleType]) -> None:
    import subprocess

    cpu_seconds = scripts["picture_readers"].cpu_seconds
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert cpu_seconds() - before > 0.05


def line(half: str, number: int, own: float, is_right: bool, read: str = "CC") -> str:
    case = {
        "set": "molecules",
        "half": half,
        "id": str(number),
        "kind": "molecule",
        "reader": "  imago",
        "read": [read],
        "right": float(is_right),
        "complete": True,
        "beliefs": [[own, is_right]],
        "parts": {},
    }
    return json.dumps(case)


def test_trust_is_fitted_on_the_half_for_development_alone(
    scripts: dict[str, ModuleType], tmp_path: Path
) -> None:
    fit_trust, file = scripts["fit_trust"], tmp_path / "cases.jsonl"
    lines = [line("development", number, number / 99, number >= 50) for number in range(100)]
    lines += [line("other", 100 + number, 0.9, False) for number in range(100)]
    file.write_text("\n".join(lines))
    observed = fit_trust.observations(fit_trust.read_cases([file]))["imago", "molecule"]
    fitted = fit_trust.fit(observed)
    assert len(observed) == 100
    assert fitted(0.1) < 0.2
    assert fitted(0.9) > 0.8
    assert list(fitted.y) == sorted(fitted.y)
    assert all(0 < value < 1 for value in fitted.y)


def test_two_readers_that_are_wrong_alike_coincide(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    lines = [line("development", number, 0.5, False, "CO" if number else "CC") for number in range(4)]
    lines += [line("development", number, 0.5, False).replace("imago", "osra") for number in range(4)]
    file.write_text("\n".join(lines))
    fit_trust = scripts["fit_trust"]
    assert list(fit_trust.coincidences(fit_trust.read_cases([file]))) == [("molecule", 4, 1)]


def test_memory_that_grows_has_a_slope(scripts: dict[str, ModuleType]) -> None:
    memory = scripts["scans"].Memory(10)
    memory.pages, memory.megabytes = [1, 11, 21, 31, 41, 51], [100.0, 400.0, 400.0, 402.0, 404.0, 406.0]
    slope, added = memory.growth()
    assert slope == pytest.approx(20.0)
    assert added == 6.0
