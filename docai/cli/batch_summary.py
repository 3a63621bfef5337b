"""A run in words, from its manifest: how many, which were slowest, which failed and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from docai.base import counted, one_line
from docai.cli.common import FAILED
from docai.pipelines.batch.folder import manifests_of, no_run, read_owner
from docai.pipelines.batch.manifest import Manifest

if TYPE_CHECKING:
    from rich.console import Console

N_SLOWEST: Final = 10

N_FAILED: Final = 50
"""Failed inputs that are listed; the report has all of them."""


def print_status(folder: Path, console: Console) -> int:
    """How far the run in a folder is; of all its shards. Reads only.

    Returns:
        The exit code: 0, or ``FAILED`` where inputs failed.

    Raises:
        RunFolderError: there is no run.
    """
    paths = manifests_of(folder)
    if not paths:
        raise no_run(folder)
    owner = read_owner(folder)
    console.print("at work: " + owner if owner else "nobody is at work on it", markup=False, soft_wrap=True)
    n_failed = 0
    for path in paths:
        with Manifest(path) as manifest:
            if len(paths) > 1:
                console.print(path.name, style="bold")
            n_failed += _print_manifest(manifest, console)
    return FAILED if n_failed else 0


def print_summary(manifest: Manifest, report: Path, console: Console) -> None:
    """At the end of a run."""
    _print_manifest(manifest, console)
    console.print(f"report: {report}", markup=False, soft_wrap=True)


def _print_manifest(manifest: Manifest, console: Console) -> int:
    """Returns how many inputs failed."""
    counts, totals = manifest.counts(), manifest.totals()
    n_inputs = sum(counts.values())
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "none"
    console.print(f"{counted(n_inputs, 'input')}: {states}", markup=False, soft_wrap=True)
    console.print(
        f"{counted(int(totals['pages']), 'page')}, {counted(int(totals['records']), 'record')}, "
        f"{counted(int(totals['failed_pages']), 'page')} not read, "
        f"{counted(int(totals['errors']), 'error')}, {totals['seconds']:.0f} s of work",
        markup=False,
        soft_wrap=True,
    )
    slowest = list(manifest.rows("done", "partial", "failed", order="-seconds", limit=N_SLOWEST))
    if len(slowest) > 1:
        console.print("slowest:", style="bold")
        for row in slowest:
            console.print(
                f"  {row.seconds:8.1f} s  {counted(row.pages, 'page')}  {one_line(row.path, 300)}",
                markup=False,
                soft_wrap=True,
            )
    if counts["failed"] or counts["partial"]:
        _print_failed(manifest, console)
    return counts["failed"]


def _print_failed(manifest: Manifest, console: Console) -> None:
    """Why, then which."""
    console.print("why:", style="bold")
    reasons = manifest.reasons()
    for state, code, count in reasons:
        console.print(f"  {count:6,}  {state}: {code}", markup=False, soft_wrap=True)
    # Those without a result come first.
    for row in manifest.rows("failed", "partial", order="state", limit=N_FAILED):
        console.print(
            f"  {row.state}: {one_line(row.path, 300)}: {one_line(row.reason, 300)}",
            markup=False,
            soft_wrap=True,
        )
    n_more = sum(count for _, _, count in reasons) - N_FAILED
    if n_more > 0:
        console.print(f"  … and {n_more:,} more in the report.")
