"""The service over HTTP as an ASGI application."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from docai._version import __version__
from docai.errors import DocaiError
from docai.models.heads import HEADS
from docai.pipelines.batch.run import Setup
from docai.service import routes, views
from docai.service.answers import problem, refusal, status_of
from docai.service.arrival import Service
from docai.service.figures import Figures
from docai.service.guard import Drain, Guard
from docai.service.jobs import BusyError, JobBook
from docai.service.terms import Terms

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""What a browser on this machine calls it."""

FORM_BYTES: Final = 4 << 20
"""Of a form, beside the document."""

_TELEMETRY_OFF: Final = {
    "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
}  # fmt: skip


def create_app(
    setup: Setup,
    *,
    terms: Terms | None = None,
    roots: Sequence[Path] = (),
    token: str | None = None,
    hosts: Sequence[str] | None = LOOPBACK_NAMES,
) -> FastAPI:
    """The application; its processes and its private folder live as long as its lifespan.

    Args:
        setup: how documents are read, see :func:`docai.batch.make_setup`.
        terms: bounds of the service.
        roots: folders whose files may be read by their paths, see :func:`docai.service.terms.check_roots`.
        token: that callers have to show; None: none.
        hosts: names by which it may be called; None: any, which needs a token.
    """
    # It has FastAPI's pages of documentation with their scripts, which FastAPI itself takes from a CDN.
    from fastapi_offline import FastAPIOffline

    figures = Figures()
    book = JobBook(setup, terms or Terms(), figures.ended)
    figures.watch(book)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with book:
            yield

    limit = setup.options.limits.max_bytes
    most = None if limit is None else limit + FORM_BYTES
    names = [] if hosts is None else [Middleware(TrustedHostMiddleware, list(hosts), www_redirect=False)]
    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        title="docai",
        version=__version__,
        summary="Documents into typed, checked data on your own machine.",
        lifespan=lifespan,
        middleware=[Middleware(Drain), *names, Middleware(Guard, token, most)],
        telemetry=_TELEMETRY_OFF,
    )
    app.state.service = Service(book, figures, tuple(roots), secrets.token_urlsafe(24))
    app.include_router(routes.router)
    app.include_router(views.router)
    _add_handlers(app, figures)
    _add_facts(app, setup, book, figures)
    return app


def _add_facts(app: FastAPI, setup: Setup, book: JobBook, figures: Figures) -> None:
    @app.get("/v1/health", tags=["service"], summary="Whether it takes documents")
    async def health() -> dict[str, str | int]:
        state = "stopping" if book.is_stopping else "ok"
        return {"status": state, "version": __version__, "running": book.n_running, "waiting": book.n_waiting}

    @app.get("/v1/heads", tags=["service"], summary="The heads of the model")
    async def heads() -> dict[str, object]:
        """`available`: the model has weights for it. `accuracy`: as measured; null where it is not known."""
        rows = [
            {
                "name": name,
                "prompt": head.prompt,
                "resolution": setup.side or head.resolution,
                "available": name in setup.heads,
                "accuracy": setup.heads.get(name),
            }
            for name, head in HEADS.items()
        ]
        return {"model": setup.name, "heads": rows}

    @app.get("/metrics", tags=["service"], summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_handlers(app: FastAPI, figures: Figures) -> None:
    @app.exception_handler(BusyError)
    async def busy(request: Request, error: BusyError) -> Response:
        stopping = app.state.service.book.is_stopping
        figures.refused("stopping" if stopping else "busy")
        headers = {"Retry-After": str(error.retry_after)}
        return refusal(503 if stopping else 429, "Busy", str(error), headers)

    @app.exception_handler(DocaiError)
    async def refused(request: Request, error: DocaiError) -> Response:
        said = problem(error, app.state.service.book.folder)
        figures.refused(said.code)
        return refusal(status_of(error), said.code, said.message)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        figures.refused("invalid")
        places = (
            f"{'.'.join(map(str, one['loc'])) or 'the request'}: {one['msg']}" for one in error.errors()
        )
        return refusal(422, "InvalidRequest", "; ".join(places))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        figures.refused(str(error.status_code))
        message = "There is no such page." if error.detail == "Not Found" else str(error.detail)
        headers = {} if error.headers is None else dict(error.headers)
        if error.status_code in (408, 413):
            # What is still to come of the request is not read.
            headers["Connection"] = "close"
        return refusal(error.status_code, "Refused", message, headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        said = problem(error)
        return refusal(500, said.code, said.message)
