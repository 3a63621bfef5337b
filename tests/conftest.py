"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import onnxruntime
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: threads of their own would only wait for each other. Before NumPy, torch and
    # OpenCV are imported; what tests start as a process has it from here too.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENCV_FOR_THREADS_NUM"] = "1"
    # PyMuPDF's layout model asks for as many threads as there are cores, and they wait for work by looping.
    _session_options = onnxruntime.SessionOptions

    def _one_thread() -> onnxruntime.SessionOptions:
        options = _session_options()
        options.intra_op_num_threads = 1
        return options

    onnxruntime.SessionOptions = _one_thread

# A machine that does other things beside the tests is no failure.
hypothesis.settings.register_profile("docai", deadline=None)
hypothesis.settings.load_profile("docai")

MakePdf = Callable[..., bytes]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real documents: DOCAI_REAL_DATA, by default ``../shared/real`` beside the project."""
    default = Path(__file__).resolve().parents[2] / "shared" / "real"
    folder = Path(os.environ.get("DOCAI_REAL_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real documents at {folder}: set DOCAI_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    """A function that makes a PDF: one page for each text, 300 x 200 points by default."""

    def make(*texts: str, width: float = 300, height: float = 200, **save: object) -> bytes:
        import pymupdf

        with pymupdf.open() as document:
            for text in texts or ("Hello world",):
                page = document.new_page(width=width, height=height)
                page.insert_text((20, 40), text, fontsize=12)
            data: bytes = document.tobytes(**save)
        return data

    return make


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and no settings of docai in the environment."""
    for name in list(os.environ):
        if name.upper().startswith("DOCAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], own_folder: Path) -> Run:
    """Runs `docai` in a folder of its own with these arguments: exit code, standard output and error."""
    from docai.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        streams = capsys.readouterr()
        return left.value.code, streams.out, streams.err

    return call


@pytest.fixture
def use_pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Makes `docai process` read with a pipeline of the test, and several inputs in turn, without workers."""
    from docai.cli import process, reading

    def read_in_turn(settings: Any, heads: Any, jobs: Any, **options: Any) -> Iterator[Any]:
        for job in jobs:
            yield from reading.read_here(settings, heads, job, **options)

    def use(pipeline: Any) -> None:
        monkeypatch.setattr(reading, "make_pipeline", lambda settings, heads: pipeline)
        monkeypatch.setattr(process, "read_in_workers", read_in_turn)

    return use


@pytest.fixture(autouse=True, scope="session")
def _no_programs() -> Iterator[None]:
    """Leave out programs that happen to be installed here: what a test gives must not hang on them."""
    from docai.pipelines.evidence import readers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            readers,
            "known_readers",
            lambda: (readers.TextLayer(), readers.DrawingReader(), readers.TableFinder()),
        )
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, the longest first: a file is one worker's, and none is to begin such a one last."""
    seconds: dict[Path, float] = {}
    for item in items:
        if mark := item.get_closest_marker("slow"):
            seconds[item.path] = mark.kwargs["seconds"]
    items.sort(key=lambda item: -seconds.get(item.path, 0.0))


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage again and again takes a second each."""
    gc.collect()
    gc.freeze()
