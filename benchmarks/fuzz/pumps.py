"""Search for texts that repeat one word and take the parser quadratic time.

    python benchmarks/fuzz/pumps.py HEAD FOLDER

parses every word of the format repeated to 8 KiB, after each start and before each end that may make a
regular expression backtrack. A text that takes more than 50 ms of processor time is written to FOLDER at 64
KiB, to be measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from inputs import LOCS, dictionary
from properties import MAX_BYTES, load_libraries

import docai.parsers.score
from docai.models.heads import HEADS

_SHORT_BYTES = 8_192
_SUSPECT_SECONDS = 0.05
_MAX_TEXTS = 40
"""Maximum number of texts written, the slowest first."""
_WHITE = (" ", "\n", "\r\n", "\t", "&", "(", "{", "a", "1", "a ", "\u0316\u0301")
_STARTS = {
    "table": (
        "<table><tr><td>",
        "<table><tr><td ",
        "<table><tr><td coords=",
        "<otsl><fcel>",
        "fcel ",
        "<caption>",
    ),
    "molecule": ("C", "C1", "C(", "[", "|", "C ", "SMILES:"),
    "score": ("**kern\n", "**kern\n4c", "**kern\n4", "**kern\n*", "**kern\n=", "**ekern\n4@", "**kern <b>4c"),
    "text": (LOCS, f"{LOCS} a", "<loc", "a ; "),
}
_ENDS = ("", "x", ">", "\n```")


def pumped(head: str) -> Iterator[tuple[str, str, str]]:
    """Start, word and end of each text."""
    for start in ("", "```\n", *_STARTS[head]):
        for word in (*dictionary(head), *_WHITE):
            for end in _ENDS:
                yield start, word, end


def filled(start: str, word: str, end: str, n_bytes: int) -> str:
    """The text with as many repetitions as fit in ``n_bytes``."""
    size = len(word.encode("utf-8", "surrogatepass"))
    return start + word * ((n_bytes - len(start) - len(end)) // size) + end


def main() -> None:
    head, folder = sys.argv[1:]
    load_libraries(head)
    docai.parsers.score.MAX_WORK = -1  # music21 has a limit of its own
    slow: list[tuple[float, tuple[str, str, str]]] = []
    for parts in pumped(head):
        text = filled(*parts, _SHORT_BYTES)
        started = time.thread_time()
        HEADS[head].parser(text)
        seconds = time.thread_time() - started
        if seconds > _SUSPECT_SECONDS:
            slow.append((seconds, parts))
    for number, (_, parts) in enumerate(sorted(slow, reverse=True)[:_MAX_TEXTS]):
        path = Path(folder) / f"pump-{number:03}"
        path.write_bytes(filled(*parts, MAX_BYTES).encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
