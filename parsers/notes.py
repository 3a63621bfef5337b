"""Collects the issues of one parse: one issue per code, so that a broken answer cannot flood a record."""

from __future__ import annotations

from docai.parsers.base import parser_issue
from docai.parsers.codes import CODES
from docai.records import Issue

_MAX_QUOTE = 40


class Notes:
    """Issues found so far, in the order in which their codes were first met."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, code: str, message: str, *, count: int = 1) -> None:
        """Note a finding. The message of a code's first finding is kept, the others are counted.

        ``code`` has to be listed in :data:`docai.parsers.codes.CODES`; a KeyError is a bug of ours.
        """
        if code not in CODES:
            raise KeyError(code)
        self._messages.setdefault(code, message)
        self._counts[code] = self._counts.get(code, 0) + count

    def __contains__(self, code: str) -> bool:
        return code in self._counts

    @property
    def has_errors(self) -> bool:
        return any(CODES[code].severity == "error" for code in self._counts)

    @property
    def repaired(self) -> bool:
        return any(CODES[code].repairs for code in self._counts)

    def issues(self) -> tuple[Issue, ...]:
        return tuple(
            parser_issue(code, CODES[code].severity, message + self._more(code))
            for code, message in self._messages.items()
        )

    def _more(self, code: str) -> str:
        more = self._counts[code] - 1
        return f" ({more} more like this.)" if more else ""


def quote(text: str) -> str:
    """A piece of model text as it may stand in a message: short, on one line, in quotes."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _MAX_QUOTE else flat[: _MAX_QUOTE - 1] + "…")
