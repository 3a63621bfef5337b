"""Routes of the viewer: a result as a page in a browser, and its corrections."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from docai.corrections import Correction
from docai.errors import DocaiError
from docai.service import display
from docai.service.answers import SAFE, VIEWER
from docai.service.display import Shown
from docai.service.routes import Its, OfJob

router = APIRouter(tags=["viewer"])


class Drawn(BaseModel):
    """A content that is being edited."""

    model_config = ConfigDict(extra="forbid")

    record: str
    content: str


def get_shown(job: OfJob) -> Shown:
    """The result of a job."""
    if job.shown is None:
        raise HTTPException(409, "This job has no result to look at.")
    return job.shown


Result = Annotated[Shown, Depends(get_shown)]


@router.get("/v1/jobs/{id}/view", summary="The result in the viewer", response_class=Response)
async def view(shown: Result, service: Its, job: OfJob) -> Response:
    """The page on which a person looks at the result beside its document, and corrects it."""
    page = await run_in_threadpool(service.book.display.call, display.view_page, shown, service.view_token)
    job.is_fetched = True
    return Response(page, headers=VIEWER, media_type="text/html; charset=utf-8")


@router.get("/v1/jobs/{id}/view/picture/{name}", include_in_schema=False)
async def picture(name: str, shown: Result, service: Its) -> Response:
    """What the page asks for."""
    try:
        data = await run_in_threadpool(service.book.display.call, display.picture, shown, name)
    except KeyError:
        raise HTTPException(404, "There is no such picture.") from None
    headers = {**SAFE, "Cache-Control": "private, max-age=3600"}
    return Response(data, headers=headers, media_type=display.picture_type(name))


@router.post("/v1/jobs/{id}/view/corrections", include_in_schema=False)
async def correct(
    correction: Correction,
    shown: Result,
    service: Its,
    x_docai_token: Annotated[str, Header()] = "",
) -> Response:
    """Keep what the page says, as long as the result."""
    if not secrets.compare_digest(x_docai_token.encode(), service.view_token.encode()):
        return _viewer_error(400, "The service was started anew: load the page again.")
    try:
        made = await run_in_threadpool(service.book.display.call, display.correct, shown, correction)
    except DocaiError as error:
        return _viewer_error(400, str(error))
    return JSONResponse({"correction": made.model_dump(mode="json")}, headers=SAFE)


@router.post("/v1/jobs/{id}/view/draw", include_in_schema=False)
async def draw(asked: Drawn, shown: Result, service: Its) -> dict[str, Any]:
    """Draw what is being edited."""
    try:
        return await run_in_threadpool(
            service.book.display.call, display.drawn, shown, asked.record, asked.content
        )
    except KeyError:
        raise HTTPException(404, "There is no such record.") from None


@router.get("/v1/jobs/{id}/corrections", summary="The corrections that were made in the viewer")
async def corrections(shown: Result, service: Its) -> Response:
    """As a file to put beside the result, see `docai view`."""
    made = await run_in_threadpool(service.book.display.call, display.corrections, shown)
    name = json.dumps(f"{shown.result.stem}.corrections.json")
    headers = {**SAFE, "Content-Disposition": f"attachment; filename={name}"}
    return Response(made.to_json() + "\n", headers=headers, media_type="application/json")


def _viewer_error(status: int, message: str) -> Response:
    """In the form that the page reads."""
    return JSONResponse({"error": message}, status, SAFE)
