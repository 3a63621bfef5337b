"""A document in words, for the person at the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from docai.base import Content, counted, one_line
from docai.contents import Severity
from docai.document import Document
from docai.models.heads import region_kinds

if TYPE_CHECKING:
    from rich.console import Console

MISSING_READER = "reader-missing"
"""The issue that says which reader would help; shown once, at the end."""
MAX_ROWS = 60
"""Records that are listed."""
MAX_ISSUES = 8
"""Issues that are listed."""
_CONTENT_WIDTH = 56
"""Characters of what was read."""
_COLORS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}


def print_records(document: Document, console: Console) -> None:
    """One row per record, and the first issues, worst first."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("page", "kind", "what was read", "from", "confidence", "issues"):
        is_number = title in ("page", "confidence", "issues")
        grid.add_column(title, justify="right" if is_number else "left", no_wrap=title == "from")
    for record in document.records[:MAX_ROWS]:
        content = record.describe() if isinstance(record, Content) else record.raw
        grid.add_row(
            str(record.page),
            record.kind,
            Text(one_line(content, _CONTENT_WIDTH), overflow="ellipsis", no_wrap=True),
            ", ".join(record.evidence),
            "" if record.confidence.value is None else f"{record.confidence.value:.2f}",
            str(len(record.issues) or ""),
        )
    if document.records:
        console.print(grid)
    if len(document.records) > MAX_ROWS:
        console.print(f"… and {len(document.records) - MAX_ROWS} more records.")
    order = list(_COLORS)
    issues = [issue for issue in document.iter_issues() if issue.code != MISSING_READER]
    issues.sort(key=lambda issue: order.index(issue.severity))
    for issue in issues[:MAX_ISSUES]:
        where = f"page {issue.page}: " if issue.page else ""
        console.print(
            Text(f"{issue.severity:8}", style=_COLORS[issue.severity]).append(
                f"{where}{issue.message} [{issue.code}]", style="default"
            ),
            soft_wrap=True,
        )
    if len(issues) > MAX_ISSUES:
        console.print(f"… and {len(issues) - MAX_ISSUES} more issues in the JSON.")


def missing_readers(document: Document) -> list[str]:
    """Which readers that are not installed would have helped, and how to get them."""
    return [issue.message for issue in document.issues if issue.code == MISSING_READER]


def print_hints(hints: Iterable[str], console: Console) -> None:
    """What would make the next run better."""
    from rich.text import Text

    for hint in hints:
        console.print(Text("hint: ", style="bold blue").append(hint, style="default"), soft_wrap=True)


def print_line(
    document: Document, name: str, written: Sequence[str], overlay: Path | None, console: Console
) -> None:
    """What became of one input: counts, time and where the results are."""
    from rich.text import Text

    line = Text(name, style="bold")
    n_pages = len(document.pages)
    line.append(f" · {counted(n_pages, 'page')} · {_kinds(document)}", style="default")
    severities = Counter(issue.severity for issue in document.iter_issues())
    for severity in ("error", "warning"):
        if severities[severity]:
            line.append(f" · {counted(severities[severity], severity)}", style=_COLORS[severity])
    line.append(f" · {document.stats.seconds:.1f} s", style="default")
    console.print(line, soft_wrap=True)
    for number, path in enumerate(written):
        console.print(Text(f"  {'' if number else 'result:':8}  {path}"), soft_wrap=True)
    if overlay:
        console.print(Text(f"  pictures: {overlay}-page-….png"), soft_wrap=True)


def _kinds(document: Document) -> str:
    counts: Counter[str] = Counter(record.kind for record in document.records)
    kinds = dict.fromkeys((*region_kinds(), *counts))
    return ", ".join(counted(counts[kind], kind) for kind in kinds if counts[kind]) or "nothing found"
