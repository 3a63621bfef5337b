"""OMR-NED: musicdiff's own figures, and what happens where it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.base import Item, Prediction, Sample
from docai.pipelines.evaluation.metrics import omr_ned as module
from docai.pipelines.evaluation.metrics.omr_ned import OmrNed, omr_ned
from docai.pipelines.evaluation.metrics.scores import SCORE

SMALL = (
    "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M2/4\t*M2/4\n=1\t=1\n"
    "4FF 4F\t8aL\n.\t8b-J\n4C\t4cc\n==\t==\n*-\t*-\n"
)
N_SYMBOLS = 28
ENDLESS = SMALL.replace("*M2/4", "*M999999999/1")
"""converter21 makes beats of this meter for as long as it is let."""


def test_without_musicdiff_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "musicdiff", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'docai\[eval\]'"):
        omr_ned(SMALL, SMALL)


@pytest.fixture(scope="module", autouse=True)
def _musicdiff() -> None:
    pytest.importorskip("musicdiff", reason="needs docai[eval]")


@pytest.fixture(scope="module")
def mazurka() -> str:
    """The first 60 lines of a Mazurka by Chopin from music21's corpus, and their end."""
    import music21

    path = Path(music21.__file__).parent / "corpus" / "chopin" / "mazurka06-2.krn"
    lines = path.read_text(encoding="latin-1").split("\n")
    starts = [index for index, line in enumerate(lines) if line.startswith("=9\t")]
    return "\n".join([*lines[: starts[0]], "==\t==\t==", "*-\t*-\t*-", ""])


def test_the_same_music_has_no_edits(mazurka: str) -> None:
    result = omr_ned(mazurka, mazurka)
    assert (result.edits, result.value, result.note) == (0, 0, None)
    assert result.symbols_pred == result.symbols_truth > 100


def test_one_changed_pitch_is_an_edit(mazurka: str) -> None:
    changed = mazurka.replace("4B#/", "4A#/", 1)
    assert changed != mazurka
    result = omr_ned(changed, mazurka)
    assert result.value is not None
    assert 0 < result.value < 0.1
    assert result.value == result.edits / (result.symbols_pred + result.symbols_truth)


@pytest.mark.parametrize("pred", ["", "junk", "http://example.com", "/etc/passwd", "\ud800"])
def test_an_answer_that_is_no_music_is_1(pred: str) -> None:
    assert omr_ned(pred, SMALL) == OmrNed(N_SYMBOLS, 0, N_SYMBOLS, 1.0, module.UNREADABLE)


@pytest.mark.parametrize("truth", ["", "junk", SMALL.replace("4cc", "4cc\t4e"), "4" * 300_000])
def test_a_truth_that_cannot_be_read_defines_nothing(truth: str) -> None:
    assert omr_ned(SMALL, truth) == OmrNed(0, 0, 0, None, module.UNREADABLE_TRUTH)


PREDICTIONS = {
    "same.krn": SMALL,
    "pitch.krn": SMALL.replace("4cc", "4dd"),
    "field-too-many.krn": SMALL.replace("8aL", "8aL\t4c"),
    "field-missing.krn": SMALL.replace("\t8b-J", ""),
    "cut-off.krn": SMALL[:60],
    "empty.krn": "",
    "one-spine.krn": "**kern\n*clefF4\n*k[b-]\n*M2/4\n=1\n4FF 4F\n4C\n==\n*-\n",
    "another-meter.krn": SMALL.replace("*M2/4", "*M3/4"),
}


def test_the_figures_are_those_of_musicdiffs_own_evaluation(tmp_path: Path) -> None:
    for folder in ("pred", "truth", "out"):
        (tmp_path / folder).mkdir()
    for name, pred in PREDICTIONS.items():
        (tmp_path / "pred" / name).write_text(pred, encoding="utf-8")
        (tmp_path / "truth" / name).write_text(SMALL, encoding="utf-8")
    command = "import musicdiff; print(musicdiff.diff_ml_training('pred', 'truth', 'out')[0])"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    results = [omr_ned(pred, SMALL) for pred in PREDICTIONS.values()]
    edits = sum(result.edits for result in results)
    symbols = sum(result.symbols_pred + result.symbols_truth for result in results)
    assert float(done.stdout.split()[-1]) == edits / symbols
    lines = (tmp_path / "out" / "output.csv").read_text(encoding="utf-8").split("\n")
    for name, result in zip(PREDICTIONS, results, strict=True):
        theirs = next(line for line in lines if f"truth/{name}" in line).split(",")
        n_both = result.symbols_pred + result.symbols_truth
        ours = [result.symbols_truth, result.symbols_pred, n_both, result.edits, result.value]
        assert [float(field) for field in theirs[-5:]] == ours, name


def test_music_that_takes_too_long_counts_as_empty_and_the_next_is_compared() -> None:
    assert omr_ned(ENDLESS, SMALL, seconds=3) == OmrNed(N_SYMBOLS, 0, N_SYMBOLS, 1.0, module.TIMED_OUT)
    assert omr_ned(SMALL, SMALL).value == 0


def test_an_error_of_musicdiff_counts_as_empty_and_the_next_is_compared() -> None:
    fast = SMALL.replace("4C", "0000000000000C")
    assert omr_ned(fast, SMALL) == OmrNed(N_SYMBOLS, 0, N_SYMBOLS, 1.0, module.FAILED)
    assert omr_ned(SMALL, SMALL).value == 0


def test_an_answer_beyond_all_length_is_not_compared() -> None:
    result = omr_ned("4c\n" * 100_000, SMALL)
    assert (result.value, result.note) == (1, module.TOO_LONG)


def test_records_of_the_work_and_encodings_change_nothing() -> None:
    other = "!!!COM: Mozart\n!!!OTL: Thema\n" + SMALL.replace("**kern", "**ekern_1.0").replace("aL", "a·L")
    assert omr_ned(other, SMALL).value == omr_ned(SMALL, other).value == 0


def test_music21_is_left_as_it_is_in_this_process() -> None:
    import music21

    omr_ned(SMALL, SMALL)
    converters = music21.converter.Converter().subConvertersList("input")
    assert not any(converter.__module__.startswith("converter21") for converter in converters)


def test_the_task_reports_it() -> None:
    sample = Sample(id="a", truth=(Item(kind="score", text=SMALL),))
    changed = Item(kind="score", text=PREDICTIONS["pitch.krn"])
    case = SCORE.score(sample, Prediction(id="a", items=[changed]))
    assert case.ratios["omr-ned"] == (4, 2 * N_SYMBOLS)
    assert case.notes == ()
    none = SCORE.score(sample, None)
    assert none.ratios["omr-ned"] == (N_SYMBOLS, N_SYMBOLS)
