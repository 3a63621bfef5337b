"""What is sent back: problems with their status, and results in a format."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from docai import errors
from docai.base import one_line
from docai.service.asked import JSON, ZIP, JobStatus, Problem, media_type
from docai.service.display import Exported, export_result
from docai.service.job import Job
from docai.service.jobs import JobBook

STATUSES: Final = (
    (errors.SourceNotFoundError, 404),
    (errors.UnsupportedTypeError, 415),
    (errors.NotADocumentError, 415),
    (errors.TooManyBytesError, 413),
    (errors.InputError, 422),
    (errors.SettingError, 422),
    (errors.UnknownHeadError, 422),
    (errors.HeadNotAvailableError, 422),
    (errors.MissingDependencyError, 501),
    (errors.NothingToExportError, 406),
    (errors.ExportError, 422),
    (errors.CorrectionsError, 400),
    (errors.NotAResultError, 404),
    (errors.ConfigurationError, 503),
    (errors.ModelError, 503),
)
"""The first class that an error is of says the status; any other is 500."""

_CHUNK: Final = 1 << 18

SAFE: Final = {
    # What a document holds is shown, and runs nothing.
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

VIEWER: Final = {
    # The page has a policy of its own.
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def status_of(error: Exception) -> int:
    """The status of an error that docai raised."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def problem(error: Exception, *private: Path) -> Problem:
    """An error in words; an error that docai did not foresee shows its type alone.

    Args:
        private: paths that are no matter of the caller: of a file its name is left, of a folder nothing.
    """
    if not isinstance(error, errors.DocaiError):
        return Problem(code=type(error).__name__, message="This went wrong inside docai; its log says more.")
    message = str(error)
    for path in private:
        message = message.replace(f"{path}{os.sep}", "").replace(str(path), path.name)
    return Problem(code=type(error).__name__, message=message)


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says why there is no other."""
    content = {"error": {"code": code, "message": message}}
    return JSONResponse(content, status, {**SAFE, **(headers or {})})


def job_problem(job: Job) -> Problem | None:
    """Why it failed; None where it did not."""
    return None if job.error is None else problem(job.error, job.path, job.folder)


def job_status(job: Job) -> JobStatus:
    """How far a job is."""
    here = f"/v1/jobs/{job.id}"
    links = {"self": here, "events": f"{here}/events"}
    if job.shown is not None:
        links |= {"result": f"{here}/result", "view": f"{here}/view", "corrections": f"{here}/corrections"}
    return JobStatus(
        id=job.id,
        name=job.name,
        state=job.state,
        n_pages=job.n_pages,
        n_read=job.n_read,
        n_records=job.n_records,
        created=job.created,
        started=job.started,
        ended=job.ended,
        error=job_problem(job),
        links=links,
    )


async def send_result(book: JobBook, job: Job, suffixes: list[str], *, as_zip: bool) -> Response:
    """The result of a job in formats.

    Raises:
        DocaiError: it cannot be written in them.
    """
    assert job.shown is not None
    headers = {**SAFE, "Docai-State": job.state}
    if job.is_kept:
        headers["Link"] = f'</v1/jobs/{job.id}/view>; rel="alternate"; type="text/html"'
    if suffixes == [JSON] and not as_zip:
        return _send_file(job, job.shown.result, headers, media_type(JSON))
    target = book.folder / "display" / secrets.token_hex(16)
    try:
        made: Exported = await run_in_threadpool(
            book.display.call, export_result, job.shown, suffixes, target, as_zip=as_zip
        )
        if made.losses:
            headers["Docai-Losses"] = ",".join(made.losses)
        name = quote(one_line(made.name, 120), safe="")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return _send_file(job, target, headers, ZIP if as_zip else media_type(suffixes[0]))
    finally:
        await run_in_threadpool(target.unlink, missing_ok=True)


def _send_file(job: Job, path: Path, headers: dict[str, str], kind: str) -> Response:
    """A file that may be large; it is open before anybody removes it."""
    file = path.open("rb")
    headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    job.is_fetched = True
    return StreamingResponse(_chunks(file), headers=headers, media_type=kind)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


async def gone(request: Request) -> None:
    """Wait until nobody listens for the answer any more. The request was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
