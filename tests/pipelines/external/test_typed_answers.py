"""What a child process that a document took over may send, and what it may not."""

from __future__ import annotations

import copyreg
import functools
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from docai.errors import DamagedSourceError, GenerationError, ServerError
from docai.files import write_atomically
from docai.pipelines.batch.manifest import Manifest
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.typed_answers import (
    MAX_BYTES,
    NotAnAnswerError,
    decode_answer,
    encode_answer,
)


class _Place(NamedTuple):
    name: str
    box: tuple[float, float]


@dataclass(frozen=True)
class _Facts:
    numbers: tuple[int, ...]
    kept: frozenset[int]
    places: list[_Place]
    path: Path


def _facts() -> _Facts:
    # Names of files need not be UTF-8.
    return _Facts((1, 2), frozenset((2,)), [_Place("a\udcff", (0.5, 1.0))], Path("a"))


def _bytes() -> bytes:
    return b"\xff\x00"


def _nothing() -> None:
    """Of no result."""


class _CannotBeReachedError(ServerError):
    """Of a module of its own."""


@pytest.mark.parametrize("function", [_facts, _bytes, _nothing])
def test_results_arrive_as_they_were(function: Callable[[], Any]) -> None:
    assert decode_answer(function, encode_answer(function, True, function())) == (True, function())


def test_errors_arrive_with_what_they_say() -> None:
    error = DamagedSourceError("it is cut", source="a.pdf")
    error.add_note("In the child process")
    _, found = decode_answer(_nothing, encode_answer(None, False, error))
    assert (type(found), str(found), found.source) == (DamagedSourceError, "it is cut", "a.pdf")
    assert found.__notes__ == ["In the child process"]
    _, found = decode_answer(_nothing, encode_answer(None, False, KeyError("name")))
    assert (type(found), found.args) == (KeyError, ("name",))
    # That of the tree of errors by which callers know it.
    _, found = decode_answer(_nothing, encode_answer(None, False, _CannotBeReachedError("down")))
    assert (type(found), str(found)) == (ServerError, "down")


@pytest.mark.parametrize(
    "content",
    [
        {"value": {"numbers": ["x"], "kept": [], "places": [], "path": "a"}},
        {"value": {"numbers": [1 << 63], "kept": [], "places": [], "path": "a"}},
        {"value": {"numbers": [1], "kept": [float("nan")], "places": [], "path": "a"}},
        {"value": None},
        {"value": {}, "error": {}},
        {"error": {"type": "SystemExit", "message": "", "notes": []}},
        {"error": {"type": "functools", "message": "", "notes": []}},
        {"error": {"type": "DamagedSourceError", "message": "", "notes": []}},
        {"error": "DocaiError"},
        [],
        None,
    ],
)
def test_what_is_not_of_the_declared_type_is_refused(content: object) -> None:
    with pytest.raises(NotAnAnswerError):
        decode_answer(_facts, json.dumps(content).encode())


def test_lists_without_end_are_refused() -> None:
    with pytest.raises(NotAnAnswerError):
        decode_answer(_facts, b"[" * 1_000_000)


class _Call:
    """Is pickled as the call of a function, which is done where it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._parts = function, arguments

    def __reduce__(self) -> Any:
        return self._parts

    def __call__(self) -> None:
        """Only what can be called may take the place of a function."""


def _attacks(mark: Path) -> dict[str, Any]:
    """What makes a file when it is unpickled, by means that every process of docai has."""
    touch = _Call(os.system, f"touch {mark}")
    return {
        "system": touch,
        "eval": _Call(eval, f"__import__('pathlib').Path({str(mark)!r}).touch()"),
        "partial": _Call(_Call(functools.partial, subprocess.call, ["touch", str(mark)])),
        "attribute": _Call(_Call(getattr, Path, "touch"), mark),
        "function of docai": _Call(write_atomically, mark, b"x"),
        "class of docai": [_Call(Manifest, mark)],
        "error": (False, GenerationError(touch)),
        "data class": (True, _Facts(touch, frozenset(), [], mark)),  # type: ignore[arg-type]
        "copyreg": _Call(copyreg._reconstructor, Path, object, touch),  # type: ignore[attr-defined]
        "numpy": _Call(np.memmap, mark, "u1", "w+", 0, (1,)),
        "pillow": _Call(_Call(getattr, Image.Image, "save"), Image.new("L", (1, 1)), str(mark), "PNG"),
    }


def _frames(data: bytes) -> list[bytes]:
    """As the two kinds of workers send an answer."""
    return [struct.pack("<Q", len(data)) + data, struct.pack("<2Q", 1, len(data)) + data]


def _taken_over(data: bytes) -> None:
    """In the child: answer with bytes of the document's own, as whoever has the process can."""
    for number in range(3, 64):
        with suppress(OSError):
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, data)


@pytest.mark.parametrize("name", sorted(_attacks(Path())))
def test_nothing_that_a_child_sends_is_unpickled(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    data = pickle.dumps(_attacks(mark)[name])
    with suppress(Exception):
        pickle.loads(data)
    assert mark.exists()
    mark.unlink()
    with pytest.raises(NotAnAnswerError):
        decode_answer(_nothing, data)
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="It looks for pipes as POSIX has them")
def test_a_child_that_was_taken_over_costs_its_call(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    worker = CallWorker(typed=True)
    try:
        for attack in ("system", "error"):
            for frame in _frames(pickle.dumps(_attacks(mark)[attack])):
                with pytest.raises(WorkerError, match="is no answer"):
                    worker.call(_taken_over, 60.0, frame)
        with pytest.raises(WorkerError, match="more than"):
            worker.call(_taken_over, 60.0, struct.pack("<Q", MAX_BYTES + 1))
        assert not mark.exists()
        # The next call has a process of its own.
        assert worker.call(_facts, 60.0) == _facts()
    finally:
        worker.close()


def test_a_result_of_another_type_than_declared_is_an_error() -> None:
    worker = CallWorker(typed=True)
    try:
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            worker.call(_wrong, 60.0)
        assert worker.call(_bytes, 60.0) == _bytes()
    finally:
        worker.close()


def _wrong() -> int:
    return object()  # type: ignore[return-value]
