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
from docai.pipelines.external.children import ChildWorker

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from docai.pipelines.external.calls import serve; serve(sys.argv[2:])"
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
    """

    def __init__(
        self,
        *modules: str,
        max_requests: int | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(
            "-P",
            "-c",
            _START,
            json.dumps(sys.path),
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
        return self._read(process)

    def _read(self, process: subprocess.Popen[bytes]) -> Any:
        assert process.stdout is not None
        return _read(process.stdout)


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


def _exactly(stream: Any, size: int) -> bytearray:
    content = bytearray(size)
    if size and stream.readinto(content) != size:
        raise EOFError
    return content


def serve(modules: Sequence[str]) -> None:
    """In the child: import the modules, then answer calls until standard input ends."""
    # On Windows Ctrl-C reaches this process too; it ends when its owner does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    # What libraries print must not come between the answers.
    with os.fdopen(os.dup(1), "wb") as answers, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        for module in modules:
            # The first call that needs it says what is wrong with it.
            with suppress(ImportError):
                import_module(module)
        _write(answers, None)
        try:
            while True:
                answer = _answer(_parts(requests), nowhere)
                try:
                    _write(answers, answer)
                except (pickle.PicklingError, TypeError, AttributeError) as error:
                    _write(answers, (False, _sendable(error)))
        except (EOFError, BrokenPipeError):
            return


def _answer(request: list[bytearray], nowhere: BinaryIO) -> tuple[bool, Any]:
    """Make one call: True and its result, or False and its error."""
    try:
        function, args, kwargs, seconds = _unpickled(request)
        if seconds is not None:
            faulthandler.dump_traceback_later(seconds + _ORPHAN_SECONDS, exit=True, file=nowhere)
        return True, function(*args, **kwargs)
    except Exception as error:
        return False, _sendable(error)
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
