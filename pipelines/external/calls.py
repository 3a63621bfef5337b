"""Functions called in a child process, which is ended when one of them crashes or takes too long.

Nothing is asked of the caller's script, as ``multiprocessing`` would (``if __name__ == "__main__"``): the
child imports the module of a function when that is first called.
"""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, BinaryIO, Final, ParamSpec, TypeVar

from docai.errors import DocaiError
from docai.pipelines.external.children import ChildWorker, WorkerError
from docai.pipelines.external.typed_answers import MAX_BYTES, NotAnAnswerError, decode_answer, encode_answer

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from docai.pipelines.external.calls import serve; serve(sys.argv[3:], sys.argv[2] == 'typed')"
)

_ORPHAN_SECONDS = 10.0
"""After the time of a call, in which an owner that lives would have ended the child."""

_BUILT_IN: Final = (AssertionError, IndexError, KeyError, MemoryError, RuntimeError, TypeError, ValueError)
"""Types of errors that are passed on as they are."""

P = ParamSpec("P")

R = TypeVar("R")


class CallWorker(ChildWorker):
    """A :class:`~docai.pipelines.external.children.ChildWorker` that calls functions of modules.

    Arguments, results and errors are pickled; buffers (:class:`pickle.PickleBuffer`, NumPy arrays) are not
    copied for that. Other errors than docai's and Python's own arrive as RuntimeError, so that no library
    has to be imported to read them.

    Args:
        modules: imported when the child starts, so that their time is not that of the first call.
        max_requests: after so many calls another child takes its place: libraries that see pictures of ever
            other sizes are seen to keep some memory of each.
        variables: of the child's environment, beside those of this process.
        typed: for a child that a document may take over, and that has fewer rights than this process: nothing
            that it sends is unpickled, see :mod:`docai.pipelines.external.typed_answers`. Functions declare
            what they return.
    """

    def __init__(
        self,
        *modules: str,
        max_requests: int | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
        typed: bool = False,
    ) -> None:
        self._is_typed = typed
        super().__init__(
            "-P",
            "-c",
            _START,
            json.dumps(sys.path),
            "typed" if typed else "pickled",
            *modules,
            max_requests=max_requests,
            variables=variables,
        )

    def call(self, function: Callable[P, R], seconds: float | None, *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(*args, **kwargs)``, as the child has it; ``seconds`` None: it may take any time.

        Raises:
            WorkerError: the child could not be started, crashed, or took longer than ``seconds``.
            Exception: whatever the function raises.
        """
        is_right, value = self._answer((function, args, kwargs, seconds), seconds)
        if is_right:
            result: R = value
            return result
        raise value

    def _ask(self, process: subprocess.Popen[bytes], request: Any) -> Any:
        assert process.stdin is not None
        _write(process.stdin, request)
        if not self._is_typed:
            return self._read(process)
        try:
            return decode_answer(request[0], self._read(process))
        except NotAnAnswerError as error:
            raise WorkerError(str(error)) from None

    def _read(self, process: subprocess.Popen[bytes]) -> Any:
        """Of a typed worker: the bytes."""
        assert process.stdout is not None
        return _read_bytes(process.stdout) if self._is_typed else _read(process.stdout)


def _write(stream: BinaryIO | IO[bytes], value: Any) -> None:
    """The number of buffers and their sizes, then the buffers; the first is the pickle itself."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    stream.write(struct.pack(f"<{len(parts) + 1}Q", len(parts), *(part.nbytes for part in parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def _read(stream: Any) -> Any:
    """What :func:`_write` has written. Raises EOFError where the stream ends before."""
    return _unpickled(_parts(stream))


def _parts(stream: Any) -> list[bytearray]:
    (n_parts,) = struct.unpack("<Q", _exactly(stream, 8))
    sizes = struct.unpack(f"<{n_parts}Q", _exactly(stream, 8 * n_parts))
    return [_exactly(stream, size) for size in sizes]


def _unpickled(parts: list[bytearray]) -> Any:
    return pickle.loads(parts[0], buffers=parts[1:])


def _write_bytes(stream: BinaryIO, data: bytes) -> None:
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def _read_bytes(stream: Any) -> bytearray:
    """What :func:`_write_bytes` has written. Raises NotAnAnswerError, EOFError."""
    (size,) = struct.unpack("<Q", _exactly(stream, 8))
    if size > MAX_BYTES:
        raise NotAnAnswerError(f"what the process sent is no answer (it has more than {MAX_BYTES:,} bytes)")
    return _exactly(stream, size)


def _exactly(stream: Any, size: int) -> bytearray:
    content = bytearray(size)
    if size and stream.readinto(content) != size:
        raise EOFError
    return content


def serve(modules: Sequence[str], is_typed: bool = False) -> None:
    """In the child: import the modules, then answer calls until standard input ends."""
    # On Windows Ctrl-C reaches this process too; it ends when its owner does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    send = _send_typed if is_typed else _send_pickled
    # What libraries print must not come between the answers.
    with os.fdopen(os.dup(1), "wb") as answers, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        for module in modules:
            # The first call that needs it says what is wrong with it.
            with suppress(ImportError):
                import_module(module)
        if is_typed:
            _write_bytes(answers, b"")
        else:
            _write(answers, None)
        try:
            while True:
                send(answers, *_answer(_parts(requests), nowhere))
        except (EOFError, BrokenPipeError):
            return


def _send_pickled(stream: BinaryIO, function: Callable[..., Any] | None, is_right: bool, value: Any) -> None:
    try:
        _write(stream, (is_right, value))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        _write(stream, (False, _sendable(error)))


def _send_typed(stream: BinaryIO, function: Callable[..., Any] | None, is_right: bool, value: Any) -> None:
    try:
        data = encode_answer(function, is_right, value)
    except (ValueError, TypeError, NameError) as error:
        data = encode_answer(function, False, _sendable(error))
    _write_bytes(stream, data)


def _answer(request: list[bytearray], nowhere: BinaryIO) -> tuple[Callable[..., Any] | None, bool, Any]:
    """Make one call: the function, then True and its result, or False and its error."""
    function: Callable[..., Any] | None = None
    try:
        function, args, kwargs, seconds = _unpickled(request)
        if seconds is not None:
            faulthandler.dump_traceback_later(seconds + _ORPHAN_SECONDS, exit=True, file=nowhere)
        return function, True, function(*args, **kwargs)
    except Exception as error:
        return function, False, _sendable(error)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _sendable(error: Exception) -> Exception:
    """An error that the other side can read, with what happened here as a note."""
    steps = "".join(traceback.format_tb(error.__traceback__))
    if isinstance(error, ImportError):
        error = ImportError(str(error))
    elif not isinstance(error, DocaiError) and type(error) not in _BUILT_IN:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the child process:\n{steps}")
    return error
