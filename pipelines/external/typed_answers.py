"""Answers of a child process as JSON of the type that the called function declares.

A child that opens documents may be taken over by one of them. Unpickling lets the sender call any function of
this process, so nothing that such a child sends is unpickled: an answer is data of a known type, or an error
of a known class, or it is refused.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NoReturn, get_type_hints

from pydantic import ConfigDict, TypeAdapter

from docai import errors
from docai.base import one_line
from docai.errors import DocaiError, InputError

MAX_BYTES: Final = 64 << 20
"""Of an answer: the numbers of some million pages."""

_MAX_INTEGER: Final = (1 << 63) - 1
"""That of SQLite."""

_BASE64: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

_BUILT_IN: Final = frozenset(
    (
        "AssertionError",
        "ImportError",
        "IndexError",
        "KeyError",
        "MemoryError",
        "RuntimeError",
        "TypeError",
        "ValueError",
    )
)


class NotAnAnswerError(ValueError):
    """The child sent something else than the function declares."""


def encode_answer(function: Callable[..., Any] | None, is_right: bool, value: Any) -> bytes:
    """What the child sends.

    Args:
        function: that was called; None where it could not be told.
        value: its result, or its error, of docai's classes or Python's own.

    Raises:
        ValueError, TypeError: the result is not of the declared type.
    """
    if is_right:
        assert function is not None
        content: dict[str, Any] = {
            "value": _type_of(function).dump_python(value, mode="json", warnings="error")
        }
    else:
        content = {"error": _described(value)}
    return json.dumps(content).encode()


def decode_answer(function: Callable[..., Any], data: bytes | bytearray) -> tuple[bool, Any]:
    """True and the result of the function, or False and its error.

    Raises:
        NotAnAnswerError: the child sent something else.
    """
    try:
        content = json.loads(data, parse_int=_integer, parse_constant=_refuse)
        if not isinstance(content, dict) or len(content) != 1:
            raise ValueError("it is neither a result nor an error")
        if "value" in content:
            return True, _type_of(function).validate_python(content["value"])
        return False, _error_of(content["error"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotAnAnswerError(f"what the process sent is no answer ({one_line(str(error), 200)})") from None


@cache
def _type_of(function: Callable[..., Any]) -> TypeAdapter[Any]:
    declared = get_type_hints(function)["return"]
    # Data classes have a configuration of their own; those that are sent hold no bytes.
    return TypeAdapter(declared, config=_BASE64 if declared is bytes else None)


def _described(error: Exception) -> Mapping[str, Any]:
    # Of classes that are not in the tree of docai's errors, the one there that they are of.
    known = (kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    about: dict[str, Any] = {
        "type": next(known, type(error)).__name__,
        "message": str(error.args[0]) if len(error.args) == 1 else str(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
    }
    return about | ({"source": str(error.source)} if isinstance(error, InputError) else {})


def _error_of(about: Mapping[str, Any]) -> Exception:
    name, message, notes = str(about["type"]), str(about["message"]), list(about["notes"])
    kind = getattr(errors, name, None)
    error: Exception
    if isinstance(kind, type) and issubclass(kind, InputError):
        error = kind(message, source=str(about["source"]))
    elif isinstance(kind, type) and issubclass(kind, DocaiError):
        error = kind(message)
    elif name in _BUILT_IN:
        error = getattr(builtins, name)(message)
    else:
        raise ValueError(f"there is no error {name!r}")
    for note in notes:
        error.add_note(str(note))
    return error


def _integer(digits: str) -> int:
    value = int(digits)
    if abs(value) > _MAX_INTEGER:
        raise ValueError("an integer is too large")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
