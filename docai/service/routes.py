"""Routes of documents and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from docai.exports import format_named
from docai.service.answers import SAFE, gone, job_problem, job_status, refusal, send_result, status_of
from docai.service.arrival import Service, take_in
from docai.service.asked import AskedByPath, AskedByUpload, JobStatus, ProblemAnswer, choose_formats
from docai.service.display import check_formats
from docai.service.job import Job

router = APIRouter()


def get_service(request: Request) -> Service:
    """What the application has made."""
    service: Service = request.app.state.service
    return service


def get_job(id: str, request: Request) -> Job:  # noqa: A002
    """The job of that id. Whoever does not know it cannot find it: there is no list."""
    job = get_service(request).book.jobs.get(id)
    if job is None or not job.is_kept:
        raise HTTPException(404, "There is no such job, or its result was kept long enough.")
    return job


Its = Annotated[Service, Depends(get_service)]

OfJob = Annotated[Job, Depends(get_job)]

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": AskedByUpload.model_json_schema()},
            "application/json": {"schema": AskedByPath.model_json_schema()},
        },
    }
}

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ProblemAnswer, "description": text}
    for status, text in {
        404: "There is no such file, or it is none that may be read.",
        406: "The result cannot be sent in the format that was asked for.",
        408: "The document did not arrive in time.",
        413: "The document is larger than the service allows.",
        415: "It is no document that docai reads.",
        422: "An option cannot be used, or the document cannot be read.",
        429: "The queue is full: `Retry-After` says for how many seconds.",
        503: "The model cannot be used, or the service is being stopped.",
    }.items()
}


@router.post(
    "/v1/process",
    tags=["documents"],
    summary="Read a document and wait for its result",
    response_class=Response,
    responses=_REFUSALS,
    openapi_extra=_BODY,
)
async def process(request: Request, service: Its) -> Response:
    """JSON, or the formats of `to` or of the header `Accept`. Nothing is kept.

    The header `Docai-State` is `partial` where pages could not be read; `Docai-Losses` has codes of what the
    format does not hold. Whoever goes away before the end gives the document up.
    """
    arrived = await take_in(request, service, is_kept=False)
    job = arrived.job
    try:
        await _end_or_gone(request, job)
        if job.shown is not None:
            return await send_result(service.book, job, arrived.suffixes, as_zip=arrived.as_zip)
        return _no_result(job, service)
    finally:
        await asyncio.shield(service.book.remove(job))


@router.post(
    "/v1/jobs",
    tags=["jobs"],
    summary="Put a document into the queue",
    status_code=202,
    responses=_REFUSALS,
    openapi_extra=_BODY,
)
async def submit(request: Request, response: Response, service: Its) -> JobStatus:
    """`to` and `Accept` are checked now, and asked for again with the result."""
    arrived = await take_in(request, service, is_kept=True)
    response.headers["Location"] = f"/v1/jobs/{arrived.job.id}"
    return job_status(arrived.job)


@router.get("/v1/jobs/{id}", tags=["jobs"], summary="How far a job is")
async def status(job: OfJob) -> JobStatus:
    """All that is known of it."""
    return job_status(job)


@router.get(
    "/v1/jobs/{id}/events",
    tags=["jobs"],
    summary="How far a job is, as server-sent events",
    response_class=EventSourceResponse,
)
async def events(job: OfJob) -> AsyncIterator[ServerSentEvent]:
    """An event `progress` at once and after each page, `end` as the last one; each has the whole status."""
    while True:
        # What changes from here on is seen by the wait below.
        changed = asyncio.ensure_future(job.changed())
        try:
            has_ended = job.has_ended
            data = job_status(job).model_dump(mode="json")
            yield ServerSentEvent(data=data, event="end" if has_ended else "progress")
            if has_ended:
                return
            await changed
        finally:
            changed.cancel()


@router.post("/v1/jobs/{id}/cancel", tags=["jobs"], summary="Give a job up")
async def cancel(job: OfJob, service: Its) -> JobStatus:
    """One that has ended stays as it is."""
    service.book.cancel(job)
    await job.end()
    return job_status(job)


@router.delete("/v1/jobs/{id}", tags=["jobs"], summary="Give a job up, and remove all of it", status_code=204)
async def remove(job: OfJob, service: Its) -> None:
    """The upload, the result and the corrections."""
    await asyncio.shield(service.book.remove(job))


@router.get(
    "/v1/jobs/{id}/result",
    tags=["jobs"],
    summary="The result of a job",
    response_class=Response,
    responses=_REFUSALS,
)
async def result(
    request: Request,
    job: OfJob,
    service: Its,
    to: Annotated[str | None, Query(description="Formats, such as `md` or `md,xlsx`.")] = None,
) -> Response:
    """In the formats of `to` or of the header `Accept`, as of `/v1/process`."""
    if job.shown is None:
        return _no_result(job, service)
    named = [format_named(name).suffix for name in (to or "").split(",") if name.strip()]
    suffixes, as_zip = choose_formats(named, request.headers.get("accept"))
    if not suffixes:
        raise HTTPException(406, "docai writes none of these types: name a format with ?to=.")
    await run_in_threadpool(service.book.display.call, check_formats, suffixes)
    return await send_result(service.book, job, suffixes, as_zip=as_zip)


async def _end_or_gone(request: Request, job: Job) -> None:
    tasks = [asyncio.create_task(job.end()), asyncio.create_task(gone(request))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _no_result(job: Job, service: Service) -> Response:
    said = job_problem(job)
    if job.error is not None and said is not None:
        return refusal(status_of(job.error), said.code, said.message)
    if not job.has_ended:
        return refusal(409, "NotReady", "The document is not read yet.", {"Retry-After": "1"})
    if service.book.is_stopping:
        message = "The service was stopped before the document was read: ask again when it is back."
        return refusal(503, "Stopping", message, {"Retry-After": "30"})
    return refusal(409, "Cancelled", "The job was given up.", dict(SAFE))
