"""What must hold of every parse of any text, and what one parse may take.

    python benchmarks/fuzz/properties.py HEAD FILE ...

reads each FILE in this process, checks it, and prints a line of JSON: seconds of wall clock and of
processor, and MB by which the process grew at its highest, native memory (RDKit, libxml2) included.
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
"""Longest input that the limits below are promised for."""
MAX_SECONDS = 1.0
MAX_MB = 100.0
_MORE_TIMES = 4
"""What is over the limit of time is measured so often again, and the least counts: other work on the machine
only adds to it, by half where two share a core."""
_MB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = os.open("/proc/self/statm", os.O_RDONLY)
_STATUS = os.open("/proc/self/status", os.O_RDONLY)


class Violation(AssertionError):  # noqa: N818 (it names what was found, and is no error of the harness)
    """A parse that breaks a promise; the first argument is which."""


class Cost(NamedTuple):
    """What one parse took."""

    wall: float
    cpu: float
    mb: float
    """Upper bound of the growth at its highest: it counts from the peak of the process so far."""


def text_of(data: bytes) -> str:
    """Any bytes as a text, lone surrogates included; what is no UTF-8 becomes lone surrogates too."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def measured_parse(head: str, text: str, *, exact: bool = False) -> tuple[Parsed[Content], Cost]:
    """The parse, and what it took: the highest resident memory less the resident memory before.

    Not exact, ``cpu`` is the wall clock: reading a processor's clock twice takes longer than a short parse.
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
    """Let what is loaded at its first use, RDKit or music21, be there before anything is measured."""
    for text in ("C", "**kern\n4c\n*-\n"):
        HEADS[head].parser(text)


def resident_mb() -> float:
    """Resident memory of this process, in MB."""
    return int(os.pread(_STATM, 64, 0).split()[1]) * _PAGE / _MB


def peak_mb() -> float:
    """The most that was ever resident, in MB, since :func:`forget_peak` was last called."""
    # getrusage would also count the process that this one was forked from.
    status = os.pread(_STATUS, 4096, 0)
    return int(status[status.index(b"VmHWM:") + 6 :].split(maxsplit=1)[0]) / 1024


def forget_peak() -> None:
    """Let the peak count from now on (Linux: proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def check(head: str, text: str, parsed: Parsed[Content]) -> None:
    """Raise :class:`Violation` where the parse is not what every parse has to be; see also the content."""
    for issue in parsed.issues:
        entry = CODES.get(issue.code)
        if entry is None or not issue.code.startswith(f"{head}-"):
            raise Violation("code not listed", issue.code)
        if (issue.severity, issue.stage) != (entry.severity, "parser") or not issue.message:
            raise Violation("issue other than its code says", issue.code)
    if parsed.repaired != any(CODES[issue.code].repairs for issue in parsed.issues):
        raise Violation("repaired without an issue, or the other way round")
    for span in parsed.spans:
        if span is not None and not 0 <= span[0] <= span[1] <= len(text):
            raise Violation("span outside the text", span)


def check_content(content: Content) -> None:
    """Raise :class:`Violation` where the content does not survive JSON, or its table is no sound one."""
    try:
        again = type(content).model_validate_json(content.model_dump_json())
    except ValueError as error:
        raise Violation("content is no JSON", str(error)) from error
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
        raise Violation("table is no grid")
    again = HEADS["table"].parser(content.html)
    doubts = {issue.code for issue in again.issues if issue.severity != "info"}
    # A loop stays one in canonical HTML, and a table without cells is one.
    if content.cells and doubts - {"table-repeated-rows"}:
        raise Violation("canonical HTML has issues", *sorted(doubts))
    if again.content != unboxed(content):
        raise Violation("canonical HTML does not parse back")


def unboxed(content: TableContent) -> TableContent:
    """The table without the boxes, which its HTML does not carry."""
    cells = [cell.model_copy(update={"bbox": None}) for cell in content.cells]
    return content.model_copy(update={"cells": cells})


def main() -> None:
    head, *files = sys.argv[1:]
    load_libraries(head)
    for file in files:
        text = text_of(Path(file).read_bytes())
        parsed, cost = measured_parse(head, text, exact=True)
        for _ in range(_MORE_TIMES if cost.cpu > MAX_SECONDS else 0):
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
