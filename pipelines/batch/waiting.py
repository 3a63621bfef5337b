"""What of a run is left to read, by its rows, its files and its results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from docai.document import Document
from docai.errors import NotAResultError
from docai.page_ranges import page_ranges
from docai.pipelines.batch.document import state_of
from docai.pipelines.batch.folder import RunFolder
from docai.pipelines.batch.inputs import source_place
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.pages import n_unanswered
from docai.pipelines.batch.storage import FileFacts, Results, digest_of, facts_of
from docai.pipelines.batch.worker import JSON

AT_A_TIME: Final = 1000
"""Inputs whose files and results are looked for at a time: a store answers many questions at once."""

MAX_ATTEMPTS: Final = 3
"""Runs that may end while a document is read and no page of it is kept; a document that ends them is not
tried again by itself."""

RETRY: Final = "retry-failed"
"""Code of a row that waits for its failed pages to be read again, also by a run after the one that was asked
to."""

_OF_RESULTS: Final = ("pages", "failed_pages", "records", "errors", "warnings")
"""Columns that count what is in a result."""


def prepare(
    folder: RunFolder, suffixes: Sequence[str], model: str, *, retry_failed: bool = False
) -> list[int]:
    """Make rows wait that a run is to read: those that were interrupted, whose file is another one now, or
    whose results are gone; with ``retry_failed`` those that failed.

    Args:
        suffixes: of the results.
        model: with its revision.

    Returns:
        The numbers of all rows that wait.
    """
    manifest = folder.manifest
    for row in manifest.rows("running"):
        if row.attempts >= MAX_ATTEMPTS:
            manifest.update(
                row.number,
                state="failed",
                code="RunEnded",
                reason=f"{row.attempts} runs ended while it was read: try it alone, or --retry-failed.",
                **facts_columns(row),
            )
        else:
            manifest.update(row.number, state="waiting")
    if folder.recovered:
        for row in manifest.rows("waiting"):
            _adopt(folder, row, suffixes, model)
    again = manifest.numbers("failed", "partial") if retry_failed else []
    # Of one that failed there is no result to look for.
    ended = [(manifest.rows("done"), suffixes)]
    ended += [] if retry_failed else [(manifest.rows("partial"), suffixes), (manifest.rows("failed"), ())]
    for left, wanted in ended:
        while rows := list(islice(left, AT_A_TIME)):
            again += _outdated(folder, rows, wanted)
    for number in again:
        manifest.update(number, state="waiting", attempts=0, code=RETRY if retry_failed else "")
    return manifest.numbers("waiting")


def _outdated(folder: RunFolder, rows: Sequence[Row], suffixes: Sequence[str]) -> list[int]:
    """Those of which a result is gone, or the document is another one than was tried."""
    outdated = []
    places = [source_place(row.path) for row in rows]
    is_there = folder.store.have([row.name for row in rows], suffixes)
    for row, place, facts, has_results in zip(rows, places, facts_of(places), is_there, strict=True):
        if not has_results or _is_other(row, place, facts):
            outdated.append(row.number)
    return outdated


def _is_other(row: Row, place: str | Path, facts: FileFacts | None) -> bool:
    # Of one that is gone there is nothing better than what there is.
    if facts is None or facts == (row.n_bytes, row.modified):
        return False
    try:
        return digest_of(place) != row.sha256
    except OSError:
        return False


def _adopt(folder: RunFolder, row: Row, suffixes: Sequence[str], model: str) -> None:
    """Take the result of an input that a new manifest does not know."""
    place = source_place(row.path)
    try:
        (is_there,) = folder.store.have([row.name], suffixes)
        if JSON not in suffixes or not is_there:
            return
        document = Document.from_json(folder.store.read(row.name, JSON))
        (facts,) = facts_of([place])
        if facts is None or document.source.sha256 != digest_of(place):
            return
        if document.stats.model != model or not _has_pages(document, json.loads(row.options).get("pages")):
            return
    except (OSError, NotAResultError):
        return
    severities = Counter(issue.severity for issue in document.iter_issues())
    failed = [page.number for page in document.pages if page.origin == "failed"]
    problem = (f"{len(failed)} of its pages could not be read.", "page-failed") if failed else None
    state, reason, code = state_of(problem, n_unanswered(document.issues, document.records))
    folder.manifest.update(
        row.number,
        state=state,
        reason=reason,
        code=code,
        sha256=document.source.sha256,
        settings=folder.fingerprint,
        model=document.stats.model,
        n_bytes=facts.n_bytes,
        modified=facts.modified,
        pages=len(document.pages),
        failed_pages=len(failed),
        records=len(document.records),
        errors=severities["error"],
        warnings=severities["warning"],
    )


def facts_columns(row: Row) -> dict[str, Any]:
    """What a row says of a file that could not be opened: another one in its place is tried."""
    (facts,) = facts_of([source_place(row.path)])
    return {"n_bytes": 0, "modified": 0} if facts is None else facts._asdict()


def _has_pages(document: Document, selection: str | None) -> bool:
    """Whether a result has the pages that are asked for."""
    wanted = page_ranges("1-" if selection is None else selection)
    numbers = {number for pages in wanted for number in pages.numbers(document.source.n_pages)}
    return {page.number for page in document.pages} == numbers


def settle_old_result(store: Results, row: Row, suffixes: Sequence[str], reason: str) -> dict[str, Any]:
    """Of an input that failed: what its row says of results that are there from before.

    A result of the same bytes is kept, and the row is ``partial``; one of another document is removed.

    Args:
        row: as it was before.
        reason: why it failed now.
    """
    if not row.sha256:
        return {}
    place = source_place(row.path)
    (facts,), (is_there,) = facts_of([place]), store.have([row.name], suffixes)
    if row.pages and is_there and not _is_other(row, place, facts):
        return {"state": "partial", "reason": f"{reason} The result of an earlier attempt is kept."}
    store.remove(row.name, suffixes)
    return dict.fromkeys(_OF_RESULTS, 0) | {"sha256": "", "confidences": "{}", "doubtful": "[]"}
