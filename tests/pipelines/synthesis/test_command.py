"""`docai synth`: what it writes and says, and what stops it with which exit code."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from docai.cli import main
from docai.pipelines.external.workers import WorkerDied
from docai.pipelines.synthesis import Sample, Split, write
from docai.pipelines.synthesis.score import generator as score
from docai.pipelines.synthesis.write import Entry, save

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `docai synth` with these arguments: exit code, standard error on one line."""
    for name in list(os.environ):
        if name.upper().startswith("DOCAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["synth", *(str(argument) for argument in arguments)])
        assert isinstance(left.value.code, int)
        streams = capsys.readouterr()
        assert streams.out == ""
        return left.value.code, " ".join(streams.err.split())

    return call


def fails_at(number: int, error: BaseException) -> Callable[[Sample, int, Path, Split], Entry]:
    def saving(sample: Sample, index: int, folder: Path, split: Split) -> Entry:
        if index == number:
            raise error
        return save(sample, index, folder, split)

    return saving


def pairs(folder: Path) -> list[dict[str, str]]:
    """Every line is whole and names a picture that can be read."""
    pairs = [json.loads(line) for line in (folder / "pairs.jsonl").read_text("utf-8").splitlines()]
    for pair in pairs:
        with Image.open(folder / pair["image"]) as image:
            image.load()
    return pairs


def test_the_rate_and_the_number_of_contents_are_told(run: Run) -> None:
    code, err = run("text", "--count", 4, "--difficulty", 0.1, "-o", "out", "--preview", "sheet.png")
    assert code == 0
    assert "4 pairs with 4 different contents in out: " in err
    assert "pairs per second with one process" in err
    assert len(pairs(Path("out"))) == 4
    with Image.open("sheet.png") as sheet:
        assert sheet.width == 4 * 320


def test_the_number_of_processes_changes_no_byte(run: Run) -> None:
    for jobs in (1, 2):
        code, err = run("score", "--count", 5, "--difficulty", 0.5, "--jobs", jobs, "-o", f"by{jobs}")
        assert code == 0
    assert "with 2 processes, " in err
    first, second = (
        {path.name: path.read_bytes() for path in Path(f"by{jobs}").rglob("*") if path.is_file()}
        for jobs in (1, 2)
    )
    assert first == second
    assert len(first) == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("caption", "-o", "out"), "caption"),
        (("text", "-o", "out", "--count", 0), "Invalid value for '--count'"),
        (("text", "-o", "out", "--count", "many"), "Invalid value for '--count'"),
        (("text", "-o", "out", "--difficulty", 1.5), "Invalid value for '--difficulty'"),
        (("text", "-o", "out", "--jobs", 0), "Invalid value for '--jobs'"),
        (("text", "-o", "out", "--split", "test"), "--split is 'test'; it has to be train or held-out."),
        (("text", "-o", "out", "--preview", "sheet.tiff"), "it has to be a .png file"),
        (("text", "-o", "out", "--preview", "no/sheet.png"), "its folder is missing"),
    ],
)
def test_a_wrong_call_is_exit_2_before_anything_is_made(
    run: Run, arguments: tuple[object, ...], message: str
) -> None:
    code, err = run(*arguments)
    assert code == 2
    assert message in err
    assert not Path("out").exists()


def test_a_file_in_place_of_the_folder_is_exit_2(run: Run) -> None:
    Path("out").write_text("mine")
    code, err = run("text", "--count", 1, "-o", "out")
    assert code == 2
    assert "The folder out cannot be made: File exists. Choose another with -o." in err
    assert Path("out").read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_exit_2(run: Run) -> None:
    # Root may write anywhere, but nobody to a file where a folder is.
    Path("out/pairs.jsonl").mkdir(parents=True)
    code, err = run("text", "--count", 1, "-o", "out")
    assert code == 2
    assert "The folder out cannot be written to: Is a directory." in err


def test_a_full_disk_leaves_what_was_complete(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(write, "save", fails_at(5, full))
    code, err = run("text", "--count", 8, "--difficulty", 0.1, "-o", "out")
    assert code == 1
    assert "Writing to out failed: No space left on device. The 4 pairs listed there are complete" in err
    assert len(pairs(Path("out"))) == 4


def test_a_line_that_does_not_fit_the_disk_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX's")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with write._List(tmp_path / "list") as lines:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            for _ in range(3):
                lines.append("x" * 29 + "\n")
            with pytest.raises(OSError, match=r"No space left|too large"):
                lines.append("y" * 29 + "\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "list").read_text() == 3 * ("x" * 29 + "\n")


def test_ctrl_c_is_exit_130_and_leaves_what_was_complete(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "save", fails_at(4, KeyboardInterrupt()))
    code, err = run("molecule", "--count", 8, "--difficulty", 0.1, "-o", "out")
    assert code == 130
    assert "Interrupted; the 4 pairs listed in out are complete." in err
    assert len(pairs(Path("out"))) == 4
    assert len(Path("out/molecules.csv").read_text("utf-8").splitlines()) == 5


def test_a_process_that_dies_is_exit_1_and_leaves_what_was_complete(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(
        work: Callable[[range], list[Entry]], chunks: Iterable[range], *, processes: int
    ) -> Iterator[list[Entry] | WorkerDied]:
        for number, chunk in enumerate(chunks):
            yield WorkerDied() if number == 2 else work(chunk)

    monkeypatch.setattr(write, "each_in_process", dying)
    code, err = run("text", "--count", 8, "--difficulty", 0.1, "-o", "out")
    assert code == 1
    assert "The process that drew pairs 4 to 5 died" in err
    assert "the 4 pairs before them are complete in out. Try again with fewer processes." in err
    assert len(pairs(Path("out"))) == 4


def test_a_missing_package_is_exit_2_and_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "find_spec", lambda name: None)
    score._check_packages.cache_clear()
    code, err = run("score", "--count", 1, "-o", "out")
    score._check_packages.cache_clear()
    assert code == 2
    assert "pip install 'docai[synth]'" in err


def test_few_pairs_are_worth_one_process_and_many_as_many_as_there_are_cores() -> None:
    assert write.processes_for(1) == write.processes_for(40) == 1
    assert write.processes_for(1_000_000) == os.cpu_count()
