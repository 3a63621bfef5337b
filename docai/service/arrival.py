"""How a document arrives: a form with the file, or JSON with a path; into the queue, or refused."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, Final

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from docai.errors import TooManyBytesError
from docai.exports import FORMATS
from docai.limits import raise_limit
from docai.models.engine import LazyEngine, check_heads
from docai.options import Options
from docai.page_ranges import page_ranges
from docai.service.asked import Asked, AskedByPath, choose_formats
from docai.service.display import check_formats
from docai.service.figures import Figures
from docai.service.job import Job
from docai.service.jobs import JobBook
from docai.service.terms import find_allowed

MAX_JSON: Final = 1 << 20
"""Bytes of a request that is JSON."""

MAX_FIELDS: Final = 32

MAX_FIELD: Final = 64 << 10
"""Bytes of a field of a form that is no file."""

MAX_NAME: Final = 150
"""Bytes of the name of an upload."""

_BAD_IN_NAMES: Final = frozenset('<>:"/\\|?*')


@dataclass
class Service:
    """What all routes share."""

    book: JobBook
    figures: Figures
    roots: tuple[Path, ...]
    view_token: str = field(repr=False)
    """That the viewer's pages show with each correction."""


@dataclass(frozen=True)
class Arrived:
    """A document in the queue, and what is to be sent of it."""

    job: Job
    suffixes: list[str]
    as_zip: bool


async def take_in(request: Request, service: Service, *, is_kept: bool) -> Arrived:
    """Let a document in and put it into the queue.

    Raises:
        BusyError: there is no place; nothing of the request's body was read.
        HTTPException: it is no request that is known, or took too long.
        RequestValidationError: a field is missing, unknown, or has a value that it cannot have.
        DocaiError: an option, a format or a path that cannot be used.
    """
    book = service.book
    book.reserve()
    folder = book.new_folder()
    job: Job | None = None
    try:
        async with asyncio.timeout(book.terms.upload_seconds):
            asked, path = await _read_request(request, service, folder)
        suffixes, as_zip = choose_formats(asked.suffixes(), request.headers.get("accept"))
        if not suffixes:
            raise HTTPException(406, f"docai writes {', '.join(FORMATS)}: name one with the field to.")
        await run_in_threadpool(book.display.call, check_formats, suffixes)
        job = book.submit(
            path,
            folder=folder,
            options=_options(asked, book),
            pages=asked.pages,
            password=asked.password,
            is_kept=is_kept,
        )
        return Arrived(job, suffixes, as_zip)
    except TimeoutError:
        raise HTTPException(408, f"The document did not arrive in {book.terms.upload_seconds:g} s.") from None
    except OSError as error:
        raise HTTPException(507, f"There is no room for the document ({error.strerror}).") from error
    finally:
        if job is None:
            book.give_back()
            shutil.rmtree(folder, ignore_errors=True)


async def _read_request(request: Request, service: Service, folder: Path) -> tuple[Asked, Path]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        if int(request.headers.get("content-length") or MAX_JSON + 1) > MAX_JSON:
            raise HTTPException(
                413, f"A request that is JSON has {MAX_JSON} bytes at most, and says how many."
            )
        asked = _checked(AskedByPath, await request.body())
        assert isinstance(asked, AskedByPath)
        return asked, find_allowed(asked.path, service.roots)
    if kind != "multipart/form-data":
        raise HTTPException(415, "Send multipart/form-data with the document as file, or JSON with its path.")
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD) as form:
        fields = {name: value for name, value in form.multi_items() if value and isinstance(value, str)}
        files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        if [name for name, _ in files] != ["file"]:
            raise HTTPException(422, "A form has the document as its field file.")
        asked = _checked(Asked, fields)
        upload = files[0][1]
        limit = service.book.setup.options.limits.max_bytes
        if limit is not None and (upload.size or 0) > limit:
            raise TooManyBytesError(
                f"The document has {upload.size} bytes, more than the {limit} that this service allows: "
                f"{raise_limit('max_bytes')}.",
                source="",
            )
        path = folder / file_name(upload.filename)
        await run_in_threadpool(_copy, upload.file, path)
        return asked, path


def _checked(kind: type[Asked], value: bytes | Mapping[str, Any]) -> Asked:
    try:
        return kind.model_validate_json(value) if isinstance(value, bytes) else kind.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from None


def _copy(file: BinaryIO, path: Path) -> None:
    file.seek(0)
    with path.open("xb") as target:
        shutil.copyfileobj(file, target, 1 << 20)


def _options(asked: Asked, book: JobBook) -> Options:
    """How it is read; what cannot be is refused before it waits."""
    setup = book.setup
    options = asked.options(setup.options)
    if asked.pages is not None:
        page_ranges(asked.pages)
    check_heads(LazyEngine(setup.name, setup.heads, setup.model.load, side=setup.side), options.heads)
    return options


def file_name(name: str | None) -> str:
    """A name for an upload, without folders and without what some system cannot have in names.

    >>> file_name("../../etc/pass\\nwd.pdf")
    'pass_wd.pdf'
    """
    last = PureWindowsPath(name or "").name
    last = "".join("_" if char in _BAD_IN_NAMES or not char.isprintable() else char for char in last)
    while len(last.encode("utf-8", "replace")) > MAX_NAME:
        last = last[1:]
    last = last.encode("utf-8", "replace").decode().strip(" .")
    return last or "document"
