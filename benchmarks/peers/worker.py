"""Runs one tool in a process of its own, so that its seconds, its memory and its crashes are its own.

    python worker.py TOOL

Speaks JSON, one object a line. It first writes ``{"version": …}`` or ``{"unavailable": reason}``; then for
every request line, an object with the fields of :class:`tools.Request`, it writes ``{"items", "error",
"seconds", "peak_bytes"}``, where items have the fields of ``docai.pipelines.evaluation.base.Item``.

``seconds`` are processor seconds of this process and of the programs it ran: unlike those of a clock they
say nothing about what else the machine did. ``peak_bytes`` is the largest resident memory so far of this
process or, where it is more, of a program that it ran.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import tools
from grid import Item

_BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def processor_seconds() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, _BOTH))


def peak_bytes() -> int:
    """Largest resident memory so far of this process or of a program that it ran.

    Linux counts a new process as large as the one that started it until it runs its own program; the value
    in /proc is without that. For the programs run from here it stays, but this process is small.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    process, programs = (resource.getrusage(who).ru_maxrss * unit for who in _BOTH)
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        process = int(line.split()[1]) * 1024
    return max(process, programs)


def answer(reader: tools.Reader, request: tools.Request) -> dict[str, Any]:
    """What the tool gives for one request. Whatever it raises is its answer."""
    items: list[Item] = []
    error = None
    started = processor_seconds()
    try:
        items = reader.read(request)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}".strip()[:500]
    seconds = processor_seconds() - started
    return {"items": items, "error": error, "seconds": seconds, "peak_bytes": peak_bytes()}


def main() -> None:
    # The tools print: what they write to standard output goes to standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    try:
        reader = tools.open_tool(sys.argv[1])
    except tools.UnavailableError as reason:
        say({"unavailable": str(reason)})
        return
    say({"version": reader.version})
    for line in sys.stdin:
        say(answer(reader, tools.Request(**json.loads(line))))


if __name__ == "__main__":
    main()
