"""The properties of every parse of any text, and its limits of time and memory.

    python benchmarks/fuzz/properties.py HEAD FILE ...

parses each FILE in this process, checks it, and prints a line of JSON: seconds of wall-clock and of processor
time, and the peak growth of the process in MB, including native memory (RDKit, libxml2).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from docai.base import Content
from docai.contents import TableContent
from docai.issues import CODES
from docai.models.heads import HEADS
from docai.parsers.base import Parsed

MAX_BYTES = 65_536
"""Longest input for which the limits below are guaranteed."""
MAX_SECONDS = 1.0
MAX_MB = 100.0
_N_REPEATS = 4
"""Repeated measurements of an input over the time limit; the minimum counts, because other load on the
machine can only add to it."""
_MB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = os.open("/proc/self/statm", os.O_RDONLY)
_STATUS = os.open("/proc/self/status", os.O_RDONLY)


class Violation(AssertionError):  # noqa: N818 (it names a finding, not an error of the harness)
    """A parse that violates a property; the first argument names it."""


class Cost(NamedTuple):
    """Time in seconds and memory of one parse."""

    wall: float
    cpu: float
    mb: float
    """Upper bound of the peak growth: measured against the peak of the process so far."""


def text_of(data: bytes) -> str:
    """Any bytes as a text that may contain lone surrogates; invalid UTF-8 becomes lone surrogates."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def measured_parse(head: str, text: str, *, exact: bool = False) -> tuple[Parsed[Content], Cost]:
    """Parse a text and measure the cost. Memory is the peak of resident memory less that before.

    Unless ``exact``, ``cpu`` is wall-clock time: reading the processor clock twice takes longer than a short
    parse.
    """
    if exact:
        forget_peak()
    clock = time.thread_time if exact else time.perf_counter
    before = resident_mb()
    wall, cpu = time.perf_counter(), clock()
    parsed = HEADS[head].parser(text)
    wall, cpu = time.perf_counter() - wall, clock() - cpu
    return parsed, Cost(wall, cpu, max(0.0, peak_mb() - before))


def load_libraries(head: str) -> None:
    """Import RDKit or music21, which parsers load on first use, before anything is measured."""
    for text in ("C", "**kern\n4c\n*-\n"):
        HEADS[head].parser(text)


def resident_mb() -> float:
    """Resident memory of this process, in MB."""
    return int(os.pread(_STATM, 64, 0).split()[1]) * _PAGE / _MB


def peak_mb() -> float:
    """Peak of resident memory in MB since the last call of :func:`forget_peak`."""
    # getrusage would also count the process that this one was forked from.
    status = os.pread(_STATUS, 4096, 0)
    return int(status[status.index(b"VmHWM:") + 6 :].split(maxsplit=1)[0]) / 1024


def forget_peak() -> None:
    """Reset the peak of resident memory (Linux: proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def check(head: str, text: str, parsed: Parsed[Content]) -> None:
    """Raise :class:`Violation` if the issues or spans of a parse violate a property."""
    for issue in parsed.issues:
        entry = CODES.get(issue.code)
        if entry is None or not issue.code.startswith(f"{head}-"):
            raise Violation("code not registered", issue.code)
        if (issue.severity, issue.stage) != (entry.severity, "parser") or not issue.message:
            raise Violation("issue contradicts its code", issue.code)
    if parsed.repaired != any(CODES[issue.code].repairs for issue in parsed.issues):
        raise Violation("repaired without an issue, or the other way round")
    for span in parsed.spans:
        if span is not None and not 0 <= span[0] <= span[1] <= len(text):
            raise Violation("span outside the text", span)


def check_content(content: Content) -> None:
    """Raise :class:`Violation` if the content does not survive JSON, or a table is not a valid grid."""
    try:
        again = type(content).model_validate_json(content.model_dump_json())
    except ValueError as error:
        raise Violation("content is not valid JSON", str(error)) from error
    if again != content:
        raise Violation("content changes through JSON")
    if isinstance(content, TableContent):
        _check_table(content)


def _check_table(content: TableContent) -> None:
    places = {
        (row, col)
        for cell in content.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    }
    area = sum(cell.row_span * cell.col_span for cell in content.cells)
    if not len(places) == area == content.n_rows * content.n_cols:
        raise Violation("table is not a grid")
    again = HEADS["table"].parser(content.html)
    codes = {issue.code for issue in again.issues if issue.severity != "info"}
    # Canonical HTML keeps repeated rows, and a table without cells has the issue that it is empty.
    if content.cells and codes - {"table-repeated-rows"}:
        raise Violation("canonical HTML has issues", *sorted(codes))
    if again.content != unboxed(content):
        raise Violation("canonical HTML does not parse back")


def unboxed(content: TableContent) -> TableContent:
    """The table without boxes, which canonical HTML does not contain."""
    cells = [cell.model_copy(update={"bbox": None}) for cell in content.cells]
    return content.model_copy(update={"cells": cells})


def main() -> None:
    head, *files = sys.argv[1:]
    load_libraries(head)
    for file in files:
        text = text_of(Path(file).read_bytes())
        parsed, cost = measured_parse(head, text, exact=True)
        for _ in range(_N_REPEATS if cost.cpu > MAX_SECONDS else 0):
            cost = min(cost, measured_parse(head, text, exact=True)[1], key=lambda cost: cost.cpu)
        fault = ""
        try:
            check(head, text, parsed)
            check_content(parsed.content)
        except Violation as violation:
            fault = " ".join(map(str, violation.args))
        print(json.dumps({"file": file, **cost._asdict(), "fault": fault}), flush=True)


if __name__ == "__main__":
    main()
