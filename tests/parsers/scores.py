"""Short ways to write kern in tests, and to say what was found in it."""

from __future__ import annotations

from docai.contents import Event, ScoreContent
from docai.parsers.base import Parsed


def kern(*lines: str) -> str:
    """Kern with fields parted by spaces for legibility, chord notes by a plus sign."""
    return "".join(line.replace(" ", "\t").replace("+", " ") + "\n" for line in lines)


def bar(*lines: str) -> str:
    """One spine in 4/4, whole from its name to its end."""
    return kern("**kern", "*M4/4", "=1", *lines, "==", "*-")


def codes(parsed: Parsed[ScoreContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def pitches(events: list[Event]) -> list[str | None]:
    return [event.pitch for event in events]
